"""The API's models of customers: who they are, their numbers, freezes, refusals, consents, merges."""

from datetime import date, time
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from crm.domain.customer_rules import BadNumber
from crm.domain.freeze import CallbackKind, RefusalSource
from web.api.v1.complaints_schemas import Cursor, Limit
from web.api.v1.schemas import Out, Query, SiteTime

Text = Annotated[str, Field(max_length=2000)]
Key = Annotated[str, Field(min_length=26, max_length=26)]


class Body(BaseModel):
    """Base of bodies: unknown members are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PhoneIn(Body):
    """A number: a new one by ``number``, a known one by ``phone_id``."""

    number: Annotated[str, Field(max_length=40)] | None = None
    phone_id: Key | None = None
    label: Text | None = None
    preferred: bool = False
    verified: bool = False
    bad: BadNumber | None = Field(default=None, description="Why nobody is reached on it.")


class CustomerIn(Body):
    """A new customer. A ``level`` needs its reason, and the permission ``customers.merge``."""

    name: Text
    phones: Annotated[tuple[PhoneIn, ...], Field(max_length=20)]
    salutation: Text | None = None
    level: Text | None = None
    level_reason: Text | None = None
    store_id: Key | None = None
    preferred_channel: Text = "phone"
    preferred_from: time | None = None
    preferred_until: time | None = None
    elder_mode: bool = False
    problem_reason: Text | None = None


class CustomerPatch(Body):
    """What to change; members that are left out stay as they are."""

    name: Text | None = None
    salutation: Text | None = None
    store_id: Key | None = None
    preferred_channel: Text | None = None
    preferred_from: time | None = None
    preferred_until: time | None = None
    elder_mode: bool | None = None
    problem_reason: Text | None = Field(default=None, description="`null` takes the flag away.")


class PhonesIn(Body):
    """All numbers that the customer shall have."""

    phones: Annotated[tuple[PhoneIn, ...], Field(max_length=20)]


class LevelIn(Body):
    """A level with its reason."""

    level: Text
    reason: str = Field(pattern=r"\S", max_length=200)


class FreezeIn(Body):
    """Callbacks to hold back: ``site``, ``case`` or ``all``."""

    scope: Text
    reason: Text
    planned_thaw: date | None = Field(default=None, description="The day on which it ends by itself.")


class AnswerIn(Body):
    """Whether a callback is needed now, of which kind, on which day."""

    callback_needed: bool
    callback_kind: CallbackKind | None = None
    callback_on: date | None = None


class ThawIn(AnswerIn):
    """Why the freeze ends, and the answer that every thaw asks for."""

    reason: Text


class RefusalIn(Body):
    """A refusal: level 1 surveys, 2 marketing, 3 all but open cases."""

    level: int
    source: Text = Field(description="key9, agent, sms, wechat, letter, regulator or import")
    evidence: Text = Field(description="The call and its second, the message, the letter.")


class NumberRefusalIn(RefusalIn):
    """A refusal of whoever has a number."""

    number: Annotated[str, Field(max_length=40)]


class LiftIn(Body):
    """Why the customer takes the refusal back, and the proof that they said so."""

    reason: Text
    evidence: Text


class ConsentIn(Body):
    """A consent with its proof."""

    purpose: Text
    basis: Text
    evidence: Text
    text_version: Text
    given_at: AwareDatetime | None = None


class WithdrawIn(Body):
    """The proof that the consent was withdrawn."""

    evidence: Text


class MergeIn(Body):
    """Who goes into the customer of the address."""

    gone_id: Key
    gone_version: int | None = Field(default=None, description="Version of the other customer as read.")
    reason: Text


class RecordReasonIn(Body):
    """Why."""

    reason: Text


class PeopleQuery(Query):
    """Which customers to list, newest first; ``phone`` alone looks a whole number up."""

    phone: Annotated[str, Field(min_length=2, max_length=40)] | None = Field(
        default=None,
        description="A number as people write it: `13800138000`, `+86 138 0013 8000`, `010-65551234`. "
        "The answer then has whole cards.",
    )
    name: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(
        default=None, description="Beginning of the name."
    )
    level: Literal["A", "B", "C"] | None = None
    store_id: Key | None = None
    frozen: bool | None = None
    do_not_call: bool | None = None
    problem: bool | None = None
    elder_mode: bool | None = None
    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class FreezesQuery(Query):
    """Freezes in force, or those that ended and wait for the follow-up's answer."""

    unanswered: bool = False
    cursor: Cursor | None = None
    limit: Limit = 50


class CustomerRow(Out):
    """A customer in a list."""

    customer_id: str
    name: str
    salutation: str | None
    level: str
    store: str | None
    phones_masked: tuple[str, ...]
    projects: int
    do_not_call: bool
    frozen: bool
    problem: bool
    elder_mode: bool
    created_at: SiteTime
    version: int


class PhoneOut(Out):
    """A number; ``number`` is missing where the caller may only see it masked."""

    phone_id: str
    number: str | None
    masked: str
    kind: str
    label: str | None
    preferred: bool
    verified_at: SiteTime | None
    bad_since: SiteTime | None
    bad_reason: str | None


class FreezeOut(Out):
    """A freeze."""

    freeze_id: str
    customer_id: str
    customer_name: str
    scope: str
    since: SiteTime
    planned_thaw: date | None
    reason: str
    by: str
    active: bool
    thawed_at: SiteTime | None
    thawed_by: str | None
    thaw_reason: str | None
    callback_needed: bool | None
    callback_kind: str | None
    callback_on: date | None
    answered_by: str | None


class FreezeList(Out):
    """Freezes, newest first."""

    items: tuple[FreezeOut, ...]
    next_cursor: str | None


class RefusalOut(Out):
    """An entry of the do-not-call list."""

    entry_id: str
    customer_id: str | None
    level: int
    since: SiteTime
    source: str
    evidence: str
    by: str
    lifted_at: SiteTime | None
    lifted_by: str | None
    lift_reason: str | None
    lift_evidence: str | None


class RefusalList(Out):
    """Entries of a customer, strictest first, lifted ones too."""

    items: tuple[RefusalOut, ...]


class RefusalsQuery(Query):
    """Which entries of the do-not-call list; without ``in_force`` lifted ones too."""

    level: Annotated[int, Field(ge=1, le=3)] | None = None
    source: RefusalSource | None = None
    in_force: bool | None = None
    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class ListedRefusalOut(RefusalOut):
    """An entry of the list; ``customer_name`` is null where it holds for a number alone."""

    customer_name: str | None
    numbers_masked: tuple[str, ...]


class RefusalPageOut(Out):
    """A page of the list, newest first."""

    items: tuple[ListedRefusalOut, ...]
    next_cursor: str | None


class ConsentOut(Out):
    """A consent; ``withdrawn_at`` is null while it holds."""

    consent_id: str
    purpose: str
    basis: str
    given_at: SiteTime
    evidence: str
    text_version: str
    recorded_by: str
    withdrawn_at: SiteTime | None
    withdrawn_evidence: str | None
    withdrawn_by: str | None


class ConsentList(Out):
    """Consents of a customer, newest first."""

    items: tuple[ConsentOut, ...]


class CustomerRecordOut(Out):
    """A customer with everything written down; ``customer_id`` differs from the one asked after a merge."""

    customer_id: str
    name: str
    salutation: str | None
    level: str
    level_reason: str | None
    level_set_by: str | None
    level_set_at: SiteTime | None
    store_id: str | None
    store: str | None
    phones: tuple[PhoneOut, ...]
    preferred_channel: str
    preferred_from: time | None
    preferred_until: time | None
    elder_mode: bool
    problem_reason: str | None
    freeze: FreezeOut | None
    refusals: tuple[RefusalOut, ...]
    consents: tuple[ConsentOut, ...]
    created_at: SiteTime
    created_by: str | None
    updated_at: SiteTime | None
    updated_by: str | None
    version: int


class CandidateOut(Out):
    """Two customers who may be one."""

    first_id: str
    first_name: str
    second_id: str
    second_name: str
    phone_masked: str


class CandidatesQuery(Query):
    """Which pairs; they are in a stable order."""

    skip: Annotated[int, Field(ge=0, le=100_000)] = 0
    limit: Limit = 100


class CandidateList(Out):
    """Pairs to look at; `next_skip` leads on."""

    items: tuple[CandidateOut, ...]
    next_skip: int | None


class MergeOut(Out):
    """A merge; ``moved`` counts rows by table."""

    merge_id: str
    kept_id: str
    gone_id: str
    at: SiteTime
    by: str
    reason: str
    moved: dict[str, int]
    undone_at: SiteTime | None
    undone_by: str | None
    undo_reason: str | None


class MergeList(Out):
    """Merges of a customer, newest first."""

    items: tuple[MergeOut, ...]


class MergesQuery(Query):
    """Where to go on in the list of merges."""

    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class ListedMergeOut(MergeOut):
    """A merge with the names that both have now."""

    kept_name: str
    gone_name: str


class MergePageOut(Out):
    """A page of merges, newest first."""

    items: tuple[ListedMergeOut, ...]
    next_cursor: str | None
