"""Models of campaigns, their figures and attempts."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from callback_campaigns.domain.attempt import AttemptState
from callback_campaigns.domain.campaign import (
    MAX_CAP,
    CampaignMode,
    CampaignState,
    CampaignStep,
    TasksFrom,
)
from callback_campaigns.domain.early_media import Announcement
from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import CallbackType, Outcome, Verdict
from crm.domain.customer import Level
from web.api.v1.schemas import AskedTime, Out, Query, SiteTime

Key = Annotated[str, Field(min_length=1, max_length=40)]
Limit = Annotated[int, Field(ge=1, le=200)]
Cursor = Annotated[str, Field(min_length=1, max_length=200)]
CampaignName = Annotated[str, Field(min_length=1, max_length=60)]
Kinds = Annotated[tuple[CallbackType, ...], Field(min_length=1, max_length=20)]
Levels = Annotated[tuple[Level, ...], Field(max_length=3)]
StoreIds = Annotated[tuple[Key, ...], Field(max_length=200)]
Lines = Annotated[int, Field(ge=1, le=1_000)]
Cap = Annotated[float, Field(ge=0, le=MAX_CAP, description="Share of answered calls that may find nobody.")]


class CampaignsQuery(Query):
    """Which campaigns to list, the newest at the top."""

    state: CampaignState | None = None
    mode: CampaignMode | None = None
    kind: CallbackType | None = Field(None, description="Type of callback, such as `JG`.")
    cursor: Cursor | None = None
    limit: Limit = 50


class CampaignIn(BaseModel):
    """A new campaign; it is a draft until somebody starts it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: CampaignName
    mode: CampaignMode
    kinds: Kinds = Field(description="Callbacks that it makes; exactly one for a list.")
    levels: Levels = Field((), description="Whose; none named means all.")
    store_ids: StoreIds = ()
    tasks_from: TasksFrom = Field(TasksFrom.ALL, description="Planned callbacks that fit, or a list.")
    queue: Key | None = Field(None, description="Who talks to those who answer.")
    trunk: Key
    carrier: Key = Field(description="Whose rules hold for the trunk (dialling.yaml).")
    caller_id: Key = Field(description="One of the company's own numbers on the trunk.")
    lines: Lines = Field(10, description="Its calls at once, at most.")
    per_second: Annotated[int, Field(ge=1, le=50)] = 1
    agents_least: Annotated[int, Field(ge=1, le=500)] = Field(
        1, description="With fewer agents nothing is dialled ahead of them."
    )
    abandon_cap: Cap = MAX_CAP
    ratio: Annotated[float, Field(ge=1, le=3, description="Dials for each free agent, in `power`.")] = 1.0
    amd: bool = Field(False, description="Listen for answering machines.")
    live_text: bool = Field(False, description="Show what is said in its calls as text while they go on.")
    record: bool = Field(True, description="Record its conversations, where the centre records any.")
    priority: Annotated[int, Field(ge=1, le=100)] = Field(
        50, description="A task that several want goes to the highest."
    )
    starts_on: date
    ends_on: date = Field(description="Last day, in the site's days.")


class CampaignChangeIn(BaseModel):
    """What to change; fields that are missing stay as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: CampaignName | None = None
    mode: CampaignMode | None = None
    kinds: Kinds | None = None
    levels: Levels | None = None
    store_ids: StoreIds | None = None
    tasks_from: TasksFrom | None = None
    queue: Key | None = None
    trunk: Key | None = None
    carrier: Key | None = None
    caller_id: Key | None = None
    lines: Lines | None = None
    per_second: Annotated[int, Field(ge=1, le=50)] | None = None
    agents_least: Annotated[int, Field(ge=1, le=500)] | None = None
    abandon_cap: Cap | None = None
    ratio: Annotated[float, Field(ge=1, le=3)] | None = None
    amd: bool | None = None
    live_text: bool | None = None
    record: bool | None = None
    priority: Annotated[int, Field(ge=1, le=100)] | None = None
    starts_on: date | None = None
    ends_on: date | None = None

    def given(self) -> dict[str, Any]:
        """Return the fields that were sent; only the queue may be taken away."""
        sent = self.model_dump(exclude_unset=True)
        return {name: value for name, value in sent.items() if value is not None or name == "queue"}


class CampaignStepIn(BaseModel):
    """Why a campaign is paused or stopped."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, Field(max_length=200)] = ""


class CampaignOut(Out):
    """A campaign."""

    campaign_id: str
    name: str
    mode: CampaignMode
    state: CampaignState
    kinds: tuple[CallbackType, ...]
    levels: tuple[Level, ...]
    store_ids: tuple[str, ...]
    tasks_from: TasksFrom
    queue: str | None
    trunk: str
    carrier: str
    caller_id: str
    lines: int
    per_second: int
    agents_least: int
    abandon_cap: float
    ratio: float
    amd: bool
    live_text: bool
    record: bool
    priority: int
    starts_on: date
    ends_on: date
    steps: tuple[CampaignStep, ...] = Field(description="What may be done with it now.")
    created_at: SiteTime
    created_by: str
    updated_at: SiteTime
    updated_by: str
    started_at: SiteTime | None
    ended_at: SiteTime | None
    version: int


class CampaignPageOut(Out):
    """A page of campaigns."""

    items: tuple[CampaignOut, ...]
    next_cursor: str | None


class CampaignCountsOut(Out):
    """A campaign in figures."""

    campaign_id: str
    as_of: SiteTime
    ready: int = Field(description="Tasks that may be dialled as soon as a line is free.")
    later: int = Field(description="Tasks whose time comes before its last day.")
    passed_on: int = Field(description="Tasks that it tried and calls no more: a person does.")
    dialling: int
    talking: int
    ended: Mapping[TaskStatus, int] = Field(description="Tasks that it tried and that came to their end.")
    verdicts: Mapping[Verdict, int]
    attempts: Mapping[Outcome, int] = Field(description="Attempts that are over, by outcome.")
    live: int = Field(description="Calls that a person answered in the last 24 hours.")
    abandoned: int = Field(description="Those of them that found nobody within two seconds.")
    abandoned_share: float
    abandon_cap: float
    refused: Mapping[RefusalCode, int] = Field(description="Calls that were not made, by reason.")
    pace: float | None = Field(description="Tasks that come to their end in an hour of calling.")
    opens: SiteTime | None = Field(description="When calls may be made next, or now.")
    closes: SiteTime | None = Field(description="Until when that window lasts.")
    ends: SiteTime | None = Field(description="When the last task will be done, at this pace.")


class RefusalsQuery(Query):
    """Which calls that were not made to list, the newest at the top."""

    code: RefusalCode | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class RefusedCallOut(Out):
    """A call that was not made."""

    refusal_id: str
    at: SiteTime
    task_id: str | None
    customer_id: str | None
    customer_name: str | None
    code: RefusalCode
    until: SiteTime | None = Field(description="From when on it is worth asking again.")
    detail: str


class RefusedPageOut(Out):
    """A page of refusals."""

    items: tuple[RefusedCallOut, ...]
    next_cursor: str | None


class AttemptsAsked(Query):
    """Which attempts."""

    campaign_id: Key | None = None
    task_id: Key | None = None
    customer_id: Key | None = None
    outcome: Outcome | None = None
    open: bool | None = Field(None, description="Those that are not over, or those that are.")
    since: AskedTime | None = Field(None, description="Began then or later.")
    until: AskedTime | None = Field(None, description="Began before then.")

    @field_validator("until")
    @classmethod
    def _after_since(cls, until: datetime | None, info: ValidationInfo) -> datetime | None:
        since = info.data.get("since")
        if until is not None and since is not None and until <= since:
            raise ValueError("must be later than since")
        return until


class AttemptsQuery(AttemptsAsked):
    """Which attempts to list, the newest at the top."""

    cursor: Cursor | None = None
    limit: Limit = 50


class HeardBeforeOut(Out):
    """What the network's voice said before anybody answered."""

    announcement: Announcement | None = Field(description="What it means; null where that is unclear.")
    text: str = Field(description="As it was recognised.")
    sure: float | None = Field(description="How sure the meaning is, 0 to 1.")


class AttemptOut(Out):
    """An attempt to reach somebody; its id is that of the call."""

    attempt_id: str
    campaign_id: str | None
    campaign: str | None
    task_id: str | None
    kind: CallbackType | None
    customer_id: str | None
    customer_name: str | None
    number: str = Field(description="Masked.")
    trunk: str
    agent: str | None
    state: AttemptState
    outcome: Outcome | None
    began_at: SiteTime
    answered_at: SiteTime | None
    ended_at: SiteTime | None
    connect_seconds: float | None = Field(
        description="How long whoever answered had waited for an agent; above 2 it counts as abandoned."
    )
    cause: int | None = Field(
        description="Why the network ended a call that nobody answered (ITU-T Q.850), if it said so."
    )
    heard: HeardBeforeOut | None = Field(description="Null where nothing was heard, or somebody answered.")


class AttemptPageOut(Out):
    """A page of attempts."""

    items: tuple[AttemptOut, ...]
    next_cursor: str | None
