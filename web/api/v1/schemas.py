"""The API's models. They validate what comes in, shape what goes out, and are the documentation."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializationInfo,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from telephony.call_ratings import Service

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*", re.ASCII)
_LOST_PLUS = re.compile(r" (\d\d:?\d\d)$", re.ASCII)


def _iso_text(value: object) -> object:
    """Read a time from a query string, where an unescaped ``+`` has become a blank."""
    if not isinstance(value, str) or not _ISO.fullmatch(value):
        raise ValueError("an ISO 8601 time with zone, such as 2026-03-02T10:00:00+08:00")
    return _LOST_PLUS.sub(r"+\1", value)


def _site_time(value: datetime, info: SerializationInfo) -> str:
    context: Any = info.context or {}
    zone = context.get("timezone") or ZoneInfo("UTC")
    return value.astimezone(zone).isoformat(timespec="milliseconds")


AskedTime = Annotated[AwareDatetime, BeforeValidator(_iso_text)]
SiteTime = Annotated[
    datetime,
    PlainSerializer(_site_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-02T10:00:00.000+08:00"]}),
]
Seconds = Annotated[float, PlainSerializer(lambda value: round(value, 3), return_type=float)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.@+-]+$")]

Direction = Literal["in", "out", "internal"]
CallStateName = Literal["offered", "menu", "queued", "ringing", "talking", "held", "ended"]
CallResultName = Literal[
    "ANSWERED",
    "NO_ANSWER",
    "BUSY",
    "OFF",
    "EMPTY",
    "REJECTED",
    "ABANDONED_QUEUE",
    "ABANDONED_SHORT",
    "IVR_ONLY",
    "FAILED",
]
HangupBy = Literal["caller", "agent", "system", "unknown"]
AgentStateName = Literal["signed_out", "available", "ringing", "on_call", "wrap_up", "paused"]


class Query(BaseModel):
    """Base of query strings: unknown parameters are errors."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)


class NoQuery(Query):
    """No parameters."""


class Out(BaseModel):
    """Base of answers, made from the packages' views."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class CallsQuery(Query):
    """Which calls to list, newest first."""

    since: AskedTime | None = Field(None, description="Started then or later.")
    until: AskedTime | None = Field(None, description="Started before then.")
    direction: Direction | None = None
    queue: Name | None = Field(None, description="Name of the queue.")
    agent: Name | None = Field(None, description="Number of an agent who talked in the call.")
    result: CallResultName | None = None
    state: CallStateName | None = None
    number: Annotated[str, Field(min_length=2, max_length=24, pattern=r"^\+?[\d -]+$")] | None = Field(
        None,
        description="Number of either side; a part of one is enough for those who may see whole numbers.",
    )
    customer_id: Name | None = None
    cursor: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="`next_cursor` of the page before."
    )
    limit: Annotated[int, Field(ge=1, le=200)] = Field(50, description="Calls on a page.")

    @field_validator("until")
    @classmethod
    def _after_since(cls, until: datetime | None, info: ValidationInfo) -> datetime | None:
        since = info.data.get("since")
        if until is not None and since is not None and until <= since:
            raise ValueError("must be later than since")
        return until


class Leg(Out):
    """One channel of a call."""

    uniqueid: str
    linkedid: str
    channel: str
    kind: str = Field(description="`caller`, `agent`, `outside` or `other`.")
    agent_number: str | None
    number: str
    started_at: SiteTime
    answered_at: SiteTime | None
    ended_at: SiteTime | None
    cause: int | None = Field(description="Q.850 cause of the hang-up.")


class TimelineRow(Out):
    """One step of a call."""

    seq: int
    at: SiteTime
    kind: str
    channel: str | None
    agent: str | None
    queue: str | None
    detail: Mapping[str, str]


class Call(Out):
    """One call."""

    call_id: str = Field(description="ULID.")
    direction: Direction
    from_number: str = Field(description="Masked unless you may see whole numbers.")
    to_number: str
    customer_id: str | None
    queue: str | None
    agent: str | None = Field(description="Number of the agent who talked last.")
    state: CallStateName
    result: CallResultName | None = Field(description="`null` while the call lives.")
    menu_path: tuple[str, ...] = Field(description="What the caller chose, in order.")
    language: str | None = Field(
        description="Of the caller, such as `en`; `null` where they chose none but the centre's own."
    )
    started_at: SiteTime
    queued_at: SiteTime | None
    answered_at: SiteTime | None
    ended_at: SiteTime | None
    wait_seconds: Seconds | None
    talk_seconds: Seconds = Field(description="Conversation without hold.")
    hold_seconds: Seconds
    hangup_by: HangupBy | None
    end_reason: str | None = Field(
        description="`hangup`, or why the end was not seen (`gap`, `pbx_restart`)."
    )
    legs: tuple[Leg, ...]
    node: str = Field(description="The PBX that carries the call.")


class QualitySpread(Out):
    """The lowest, mean and highest value of a measure."""

    low: float
    mean: float
    high: float


class QualityMeasures(Out):
    """What the browser told of the line; `null` for what it did not."""

    rtt_ms: QualitySpread | None = Field(description="There and back, in milliseconds.")
    loss_in: QualitySpread | None = Field(description="Per cent of what was sent to the agent.")
    loss_out: QualitySpread | None = Field(description="Per cent of what the agent sent.")
    jitter_in_ms: QualitySpread | None
    jitter_out_ms: QualitySpread | None


class CallQuality(Out):
    """How the line of an agent's telephone in the browser was."""

    agent: str
    seconds: int = Field(description="How long it was measured.")
    poor_seconds: int = Field(description="How much of that it was poor.")
    measures: QualityMeasures


class CallRating(Out):
    """What the customer said right after the call."""

    service: Service | None = Field(description="1 content, 2 so-so, 3 not content.")
    solved: bool | None = Field(description="Whether their question was answered.")
    rated_at: SiteTime


class CallDetail(Call):
    """One call with its time line."""

    timeline: tuple[TimelineRow, ...]
    quality: tuple[CallQuality, ...] = Field(
        description="Of each stretch that an agent spoke in the browser; empty for SIP telephones."
    )
    rating: CallRating | None = Field(
        None, description="`null` where the customer was not asked, or said nothing."
    )


class CallList(Out):
    """A page of calls."""

    items: tuple[Call, ...]
    next_cursor: str | None = Field(description="Pass as `cursor` for the next page; `null` on the last.")


class Project(Out):
    """A renovation project."""

    project_id: str
    contract_no: str
    address: str
    stage: int
    stage_label: str
    crew: str | None
    crew_status: str | None
    project_manager: str | None
    designer: str | None
    inspector: str | None
    warranty_until: str | None


class Case(Out):
    """An open complaint or repair."""

    case_id: str
    no: str
    kind: str
    kind_label: str
    status: str
    status_label: str
    summary: str
    department: str | None
    opened_at: SiteTime


class Contact(Out):
    """One entry of the customer's time line."""

    contact_id: str
    at: SiteTime
    channel: str
    direction: str
    ref: str = Field(description="The call's `call_id` when the channel is `call`.")
    result: str | None
    agent: str | None
    queue: str | None
    disposition: str | None
    notes: str | None


class Customer(Out):
    """A customer with what an agent needs to know."""

    customer_id: str
    name: str
    salutation: str | None
    greeting: str
    level: str
    level_reason: str | None
    store: str | None
    phones_masked: tuple[str, ...]
    projects: tuple[Project, ...]
    open_cases: tuple[Case, ...]
    recent_contacts: tuple[Contact, ...] = Field(description="The last three, newest first.")
    do_not_call: bool
    frozen_reason: str | None
    problem_reason: str | None


class ProblemField(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class ProblemDetails(BaseModel):
    """RFC 9457: the one shape of errors."""

    type: str = Field(examples=["urn:huifang:problem:invalid"])
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked for.")
    code: str = Field(description="Stable word for programs.", examples=["invalid"])
    request_id: str = Field(description="Also in the header X-Request-Id and in our log.")
    errors: tuple[ProblemField, ...] = Field((), description="The fields at fault, where there are some.")
    refusal: str | None = Field(
        None,
        description="With `dial_refused`: the rule that stands against the call.",
        examples=["frequency"],
    )
    until: str | None = Field(None, description="With `dial_refused`: when the call may be made, if known.")


class AgentsQuery(Query):
    """Which agents to list."""

    state: AgentStateName | None = None
    queue: Name | None = Field(None, description="Agents who work in this queue.")


class AgentMembership(Out):
    """A queue the agent works in."""

    queue: str
    penalty: int = Field(description="Members of a lower penalty are rung first.")


class Agent(Out):
    """One agent now."""

    agent_id: str
    number: str
    name: str
    state: AgentStateName
    reason: str | None = Field(description="Code of the pause reason.")
    since: SiteTime = Field(description="When the state began.")
    call_id: str | None = Field(description="The call that rings, is talked in or waits for its disposition.")
    queue: str | None = Field(description="The queue of that call.")
    next_state: AgentStateName | None = Field(description="What was asked for after the present call.")
    wrap_up_until: SiteTime | None
    signed_in_at: SiteTime | None
    queues: tuple[AgentMembership, ...]
    stale: bool = Field(description="The PBX is out of reach: this is how it was.")


class AgentList(Out):
    """The agents, by number."""

    items: tuple[Agent, ...]
    as_of: SiteTime


class QueueFigures(Out):
    """Today's figures; `null` where there is nothing to divide by."""

    offered: int = Field(description="Callers who came into the queue.")
    answered: int
    abandoned: int = Field(description="Gave up waiting, the short ones too.")
    short_abandoned: int
    within: int = Field(description="The part of the service level: `within` ÷ `counted`.")
    counted: int
    service_level: float | None = Field(description="Share from 0 to 1, by `formula`.")
    asa_seconds: Seconds | None = Field(description="Average speed of answer.")
    handled: int = Field(description="Calls of agents that were over.")
    aht_seconds: Seconds | None = Field(description="Average handling time: conversation, hold, wrap-up.")
    occupancy: float | None = Field(
        description="Share of their working time that agents spent on calls; of a queue: of its agents."
    )


class QueueTrendPoint(Out):
    """Half an hour of today, all queues together."""

    at: SiteTime
    offered: int
    answered: int
    abandoned: int
    short_abandoned: int
    within: int
    counted: int


class Queue(QueueFigures):
    """One queue now, and its day so far."""

    name: str
    label_zh: str
    label_en: str
    waiting: int
    longest_since: SiteTime | None = Field(description="Since when the first caller waits.")
    longest_wait_seconds: Seconds | None
    signed_in: int
    available: int = Field(description="Agents who could be rung now.")
    on_call: int
    as_of: SiteTime = Field(description="Until when these figures are true.")


class QueueList(Out):
    """The queues and the sum of their day."""

    items: tuple[Queue, ...]
    total: QueueFigures
    formula: str = Field(description="Which service level this is.")
    as_of: SiteTime
    stale: bool = Field(description="The PBX is out of reach: this is how it was at `as_of`.")
    day_from: SiteTime | None = Field(description="Midnight of the site, with which the day began.")
    handling_as_of: SiteTime | None = Field(description="Until when handling time and occupancy are true.")
    trend: tuple[QueueTrendPoint, ...] = Field(description="Half hours in which somebody came, in order.")
