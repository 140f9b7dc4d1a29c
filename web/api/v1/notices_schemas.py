"""The models of notices and outgoing messages."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from web.api.v1.schemas import Out, Query, SiteTime

SeverityName = Literal["info", "warn", "urgent"]
ChannelName = Literal["sms", "wecom", "email", "webhook"]
MessageStateName = Literal["waiting", "sending", "sent", "failed", "suppressed"]


class Body(BaseModel):
    """Base of bodies: unknown members are errors."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)


class NoticesQuery(Query):
    """Which notices to list, newest first."""

    which: Literal["all", "unread", "urgent"] = "all"
    cursor: str | None = Field(None, max_length=26, description="`next_cursor` of the page before.")
    limit: int = Field(50, ge=1, le=200)


class NoticeOut(Out):
    """A notice to whoever asks."""

    notice_id: str
    code: str
    title: str
    text: str
    parameters: dict[str, str]
    link: str = Field(description="A page of ours, or empty.")
    severity: SeverityName
    created_at: SiteTime
    read_at: SiteTime | None


class NoticeList(Out):
    """Some notices."""

    items: tuple[NoticeOut, ...]
    next_cursor: str | None


class Unread(Out):
    """How many are unread."""

    unread: int = Field(description="At most 100.")


class ReadUpTo(Body):
    """What was seen."""

    up_to: str = Field(
        pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$",
        description="Id of the newest notice that was shown; what has come since stays unread.",
    )


class MarkedRead(Out):
    """How many were unread."""

    marked: int


class OutgoingQuery(Query):
    """Which messages to list, newest first."""

    state: MessageStateName | None = None
    cursor: str | None = Field(None, max_length=26, description="`next_cursor` of the page before.")
    limit: int = Field(50, ge=1, le=200)


class OutgoingOut(Out):
    """A message on its way out."""

    message_id: str
    channel: ChannelName
    address: str = Field(description="Masked.")
    user_id: str | None
    to_customer: bool
    code: str
    severity: SeverityName
    state: MessageStateName
    attempts: int
    last_error: str
    provider_ref: str
    created_at: SiteTime
    due_at: SiteTime | None
    finished_at: SiteTime | None


class OutgoingList(Out):
    """Some messages."""

    items: tuple[OutgoingOut, ...]
    next_cursor: str | None


class RuleOut(Out):
    """Who hears of a code, how urgently, over which channels."""

    code: str
    recipients: tuple[str, ...]
    channels: tuple[ChannelName, ...]
    severity: SeverityName
    active: bool
    version: int


class RuleList(Out):
    """All rules: one for each code, in one answer."""

    items: tuple[RuleOut, ...]


class RuleChange(Body):
    """What is to be changed of a rule; what is left out stays."""

    code: str = Field(max_length=40)
    recipients: tuple[str, ...] | None = Field(
        None,
        max_length=20,
        description="owner, owner_head, specialist, manager, general_manager, user:ID, role:ROLE, "
        "department:CODE, department:CODE+ROLE",
    )
    channels: tuple[ChannelName, ...] | None = Field(None, max_length=4)
    severity: SeverityName | None = None
    active: bool | None = None


class AddressesQuery(Query):
    """Whose addresses."""

    user_id: str = Field(max_length=40)


class AddressQuery(AddressesQuery):
    """Which address."""

    channel: ChannelName


class AddressOut(Out):
    """Where a person is reached."""

    user_id: str
    channel: ChannelName
    address: str = Field(description="Masked.")
    verified: bool
    active: bool
    version: int


class AddressList(Out):
    """A person's addresses: one for each channel at most, in one answer."""

    items: tuple[AddressOut, ...]


class AddressChange(Body):
    """Where a person is to be reached."""

    user_id: str = Field(min_length=1, max_length=40)
    channel: ChannelName
    address: str = Field(min_length=1, max_length=254)
    active: bool = True
