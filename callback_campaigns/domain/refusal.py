"""May this call be made now? Asked inside the transaction that commits the attempt; each «no» has a code.

What lasts comes first, so that the row which is kept says the weightiest reason. What is not known counts
against the call: an unknown calendar, a stale picture of the agents, a number that nobody can read.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from callback_campaigns.domain.frequency import CarrierRules, FrequencyRules, free_at
from callback_campaigns.domain.retry import RetryPolicy, Spacing, Tried, spacing
from callback_campaigns.domain.windows import CallingWindows, CallWish, Closed, Occasion
from kernel.holidays import CalendarYearMissing
from kernel.phone import Phone, PhoneKind


class RefusalCode(StrEnum):
    """Why a call was not made."""

    TASK_NOT_READY = "task_not_ready"
    TASK_CHANGED = "task_changed"
    """Somebody changed the task since it was chosen."""
    DO_NOT_CALL = "do_not_call"
    NO_CONSENT = "no_consent"
    STOPPED = "stopped"
    """Callbacks of this node are stopped for the project (CB-9)."""
    FROZEN = "frozen"
    COMPLAINT_WAITS = "complaint_waits"
    """A complaint of the customer has not been accepted yet: that comes first (CB-4)."""
    NOT_DIALABLE = "not_dialable"
    """Emergency, service, short and foreign numbers are never dialled by the system."""
    BAD_NUMBER = "bad_number"
    REGION_BLOCKED = "region_blocked"
    EXHAUSTED = "exhausted"
    CALENDAR_UNKNOWN = "calendar_unknown"
    OUTSIDE_WINDOW = "outside_window"
    QUESTIONNAIRE_TOO_LONG = "questionnaire_too_long"
    """It would not end inside this window."""
    TASK_FREQUENCY = "task_frequency"
    FREQUENCY = "frequency"
    CARRIER_FREQUENCY = "carrier_frequency"
    SURVEY_QUOTA = "survey_quota"
    OPEN_ATTEMPT = "open_attempt"
    CUSTOMER_ON_CALL = "customer_on_call"
    """They are talking with us already."""
    CAMPAIGN_STOPPED = "campaign_stopped"
    PAUSED = "paused"
    NO_CALLER_ID = "no_caller_id"
    LINK_DOWN = "link_down"
    STALE_STATE = "stale_state"
    NO_AGENTS = "no_agents"
    ABANDONMENT = "abandonment"
    """Agents do not even take the calls that are dialled one for each of them."""
    CONCURRENCY = "concurrency"
    CALLS_PER_SECOND = "calls_per_second"

    @property
    def ends_task(self) -> bool:
        """Whether waiting does not help: somebody has to do something about the task first."""
        return self in _LASTING


_LASTING = frozenset(
    {
        RefusalCode.DO_NOT_CALL,
        RefusalCode.NO_CONSENT,
        RefusalCode.STOPPED,
        RefusalCode.NOT_DIALABLE,
        RefusalCode.BAD_NUMBER,
        RefusalCode.REGION_BLOCKED,
        RefusalCode.EXHAUSTED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why not, and from when it is worth asking again (``None``: nobody knows)."""

    code: RefusalCode
    until: datetime | None = None
    detail: str = ""


ANY_CARRIER = CarrierRules(name="any")
"""One without rules of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialRules:
    """What the site, the campaign and the carrier ask for."""

    windows: CallingWindows = field(default_factory=CallingWindows)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    frequency: FrequencyRules = field(default_factory=FrequencyRules)
    carrier: CarrierRules = ANY_CARRIER


@dataclass(frozen=True, slots=True, kw_only=True)
class Callee:
    """What is known of the one to be called.

    Attributes:
        phone: ``None`` when the number cannot be read.
        refused: what the do-not-call list says: ``refused``, ``no_consent`` or nothing.
        open_attempt: some campaign has an attempt at this number that is not over.
        calls: when this number was called, by any campaign and person of ours.
        surveys: when this customer answered a survey call.
    """

    phone: Phone | None
    bad_number: bool = False
    refused: str | None = None
    frozen: bool = False
    complaint_waits: bool = False
    stopped: bool = False
    open_attempt: bool = False
    on_call: bool = False
    calls: tuple[datetime, ...] = ()
    surveys: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAsked:
    """The task as it is inside the transaction.

    Attributes:
        ready: it is in a state from which it may be dialled, and due.
        changed: its version is not the one that was chosen.
        survey: counts for the customer's quota of surveys.
    """

    ready: bool = True
    changed: bool = False
    survey: bool = True
    wish: CallWish = field(default_factory=CallWish)
    tried: tuple[Tried, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """The campaign and the lines, now.

    Attributes:
        as_of: of which moment the picture of agents and lines is; ``None`` when there is none.
        lines_used: calls on the trunk, of everybody.
        lines: how many it carries.
        started: calls that the campaign began in the last second.
        trunk_started: calls that the trunk was given in the last second, by everybody.
        trunk_per_second: how many it takes; ``None`` for no limit of its own.
        agents_free: ``None`` when no agent is needed: a survey by the system, or a preview by the agent.
        agents_least: fewer than so many, and nothing is dialled ahead of them.
        over_budget: too many were abandoned.
    """

    running: bool = True
    stopped: bool = False
    caller_id: str | None = None
    link_live: bool = False
    as_of: datetime | None = None
    stale_after: timedelta = timedelta(seconds=5)
    lines_used: int = 0
    lines: int = 0
    started: int = 0
    per_second: int = 1
    trunk_started: int = 0
    trunk_per_second: int | None = None
    agents_free: int | None = None
    agents_signed_in: int = 0
    agents_least: int = 1
    over_budget: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DialCheck:
    """Everything that the answer depends on."""

    now: datetime
    rules: DialRules
    task: TaskAsked
    callee: Callee
    switch: Switch


def may_dial(check: DialCheck) -> Refusal | None:
    """Return the first reason against this call, ``None`` when it may be made."""
    return next(refusals(check), None)


def refusals(check: DialCheck) -> Iterator[Refusal]:
    """Yield every reason against this call, the weightiest first."""
    for ask in _QUESTIONS:
        yield from ask(check)


def _of_task(check: DialCheck) -> Iterator[Refusal]:
    if not check.task.ready:
        yield Refusal(code=RefusalCode.TASK_NOT_READY)
    if check.task.changed:
        yield Refusal(code=RefusalCode.TASK_CHANGED)


def _of_callee(check: DialCheck) -> Iterator[Refusal]:
    callee = check.callee
    if callee.refused is not None:
        no_consent = callee.refused == "no_consent"
        yield Refusal(code=RefusalCode.NO_CONSENT if no_consent else RefusalCode.DO_NOT_CALL)
    if callee.stopped:
        yield Refusal(code=RefusalCode.STOPPED)
    if callee.frozen:
        yield Refusal(code=RefusalCode.FROZEN)
    if callee.complaint_waits:
        yield Refusal(code=RefusalCode.COMPLAINT_WAITS)
    if callee.phone is None:
        yield Refusal(code=RefusalCode.BAD_NUMBER, detail="unreadable")
    elif callee.phone.kind not in {PhoneKind.MOBILE, PhoneKind.LANDLINE}:
        yield Refusal(code=RefusalCode.NOT_DIALABLE, detail=callee.phone.kind.value)
    elif callee.bad_number:
        yield Refusal(code=RefusalCode.BAD_NUMBER)
    elif not check.rules.carrier.serves(callee.phone.e164):
        yield Refusal(code=RefusalCode.REGION_BLOCKED, detail=check.rules.carrier.name)


def _of_hour(check: DialCheck) -> Iterator[Refusal]:
    windows, wish, now = check.rules.windows, check.task.wish, check.now
    if wish.carrier is None:
        wish = replace(wish, carrier=check.rules.carrier.hours)
    try:
        why = windows.closed(now, wish)
        until = windows.opens(now, wish) if why is not None else None
    except CalendarYearMissing as error:
        yield Refusal(code=RefusalCode.CALENDAR_UNKNOWN, detail=error.message[:120])
        return
    if why is Closed.TOO_LATE:
        yield Refusal(code=RefusalCode.QUESTIONNAIRE_TOO_LONG, until=until)
    elif why is not None:
        yield Refusal(code=RefusalCode.OUTSIDE_WINDOW, until=until, detail=why.value)


def _of_frequency(check: DialCheck) -> Iterator[Refusal]:
    rules, now, callee = check.rules, check.now, check.callee
    wish = check.task.wish
    against = spacing(rules.retry, check.task.tried, now)
    if against in {Spacing.CEILING, Spacing.DAYS_FULL} and wish.occasion is Occasion.ROUTINE:
        yield Refusal(code=RefusalCode.EXHAUSTED, detail=against.value if against else "")
    elif against is not None and wish.occasion is Occasion.ROUTINE:
        # A customer who named the time is called then, however lately they were called before.
        yield Refusal(code=RefusalCode.TASK_FREQUENCY, detail=against.value)
    if (free := free_at(rules.frequency.number, callee.calls, now)) is not None:
        yield Refusal(code=RefusalCode.FREQUENCY, until=free)
    if (free := free_at(rules.carrier.rates, callee.calls, now)) is not None:
        yield Refusal(code=RefusalCode.CARRIER_FREQUENCY, until=free, detail=rules.carrier.name)
    if check.task.survey and (free := free_at((rules.frequency.surveys,), callee.surveys, now)) is not None:
        yield Refusal(code=RefusalCode.SURVEY_QUOTA, until=free)


def _of_line(check: DialCheck) -> Iterator[Refusal]:
    if check.callee.open_attempt:
        yield Refusal(code=RefusalCode.OPEN_ATTEMPT)
    if check.callee.on_call:
        yield Refusal(code=RefusalCode.CUSTOMER_ON_CALL)


def _of_campaign(check: DialCheck) -> Iterator[Refusal]:
    switch = check.switch
    if switch.stopped:
        yield Refusal(code=RefusalCode.CAMPAIGN_STOPPED)
    if not switch.running:
        yield Refusal(code=RefusalCode.PAUSED)
    if not switch.caller_id:
        yield Refusal(code=RefusalCode.NO_CALLER_ID)
    if not switch.link_live:
        yield Refusal(code=RefusalCode.LINK_DOWN)
    # A picture from the future is one from before the clock was set back.
    if switch.as_of is None or abs(check.now - switch.as_of) > switch.stale_after:
        yield Refusal(code=RefusalCode.STALE_STATE)


def _of_capacity(check: DialCheck) -> Iterator[Refusal]:
    switch = check.switch
    if switch.agents_free is not None and (
        switch.agents_free < 1 or switch.agents_signed_in < switch.agents_least
    ):
        yield Refusal(code=RefusalCode.NO_AGENTS)
    if switch.over_budget:
        yield Refusal(code=RefusalCode.ABANDONMENT)
    concurrent = check.rules.carrier.concurrent
    lines = switch.lines if concurrent is None else min(switch.lines, concurrent)
    if switch.lines_used >= lines:
        yield Refusal(code=RefusalCode.CONCURRENCY)
    full = switch.trunk_per_second is not None and switch.trunk_started >= switch.trunk_per_second
    if full or switch.started >= switch.per_second:
        yield Refusal(code=RefusalCode.CALLS_PER_SECOND, until=check.now + timedelta(seconds=1))


_QUESTIONS: tuple[Callable[[DialCheck], Iterator[Refusal]], ...] = (
    _of_task,
    _of_callee,
    _of_hour,
    _of_frequency,
    _of_line,
    _of_campaign,
    _of_capacity,
)
