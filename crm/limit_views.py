"""Limits as lists and cases show them, and what they are started with."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from crm.domain.limits import settle
from crm.limit_rules import PolicyVersion
from crm.limit_steps import run_of
from crm.limit_tables import LimitTimerRow
from kernel.business_time import BusinessClocks, ClockKind


class TimerState(StrEnum):
    """Where a limit stands; only the first three are open."""

    RUNNING = "running"
    CALENDAR_MISSING = "calendar_missing"
    """It runs, and nobody knows until when: the calendar of the year it ends in is not loaded."""
    PAUSED = "paused"
    STOPPED = "stopped"
    VOID = "void"
    """It does not count any more: not filed, routed anew, started by mistake."""


OPEN_STATES = frozenset({TimerState.RUNNING, TimerState.CALENDAR_MISSING, TimerState.PAUSED})


@dataclass(frozen=True, slots=True)
class RecordRef:
    """What a limit belongs to: a record, and the line of it where there are several.

    Attributes:
        kind: ``complaint``, ``repair``, ``ticket``, ``escalation``, ``forwarded`` or another short word.
        no: the number that people know it by, for notices.
    """

    kind: str
    record_id: str
    line_id: str = ""
    no: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who owes what the limit is about, and the specialist in charge of the record."""

    department: str | None = None
    user_id: str | None = None
    specialist: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerView:
    """A limit as lists show it.

    Attributes:
        due_at: the moment of 100 %; ``None`` while paused, or while the calendar is missing.
        calendar_missing: the year whose calendar must be loaded before it is known when it is, or was, due.
        used: share of the time that is used, 0 to 1, on the limit's own clock; stops at the stop, and where
            the calendar ends.
        overdue: it is open and past, or was stopped late. True from the moment on, not when the worker comes.
        breached_at: the breach that was written; ``None`` again when it was withdrawn.
        policy: ``A/1``, set and version.
    """

    timer_id: str
    code: str
    name: str
    clock: ClockKind
    record: RecordRef
    owner: Owner
    state: TimerState
    started_at: datetime
    due_at: datetime | None
    calendar_missing: int | None = None
    used: float
    overdue: bool
    stopped_at: datetime | None
    breached_at: datetime | None
    red_at: datetime | None
    escalated_at: datetime | None
    policy: str

    @property
    def is_open(self) -> bool:
        """Whether it is still owed."""
        return self.state in OPEN_STATES

    @property
    def amber(self) -> bool:
        """Whether lists show it amber: half of its time is used, and it is not overdue."""
        return self.is_open and not self.overdue and self.used >= 0.5


def view_of(row: LimitTimerRow, version: PolicyVersion, clocks: BusinessClocks, now: datetime) -> TimerView:
    """Return a stored limit as lists show it at ``now``, a calendar that has just come included."""
    rule = version.policy.rule(row.code)
    until = min(now, row.stopped_at) if row.stopped_at else now
    run, state = run_of(row), TimerState(row.state)
    if run.waits_for is not None:
        run = settle(rule, run, clocks)
        if run.deadline is not None and state is TimerState.CALENDAR_MISSING:
            state = TimerState.RUNNING
    late = run.deadline is not None and until > run.deadline and state is not TimerState.VOID
    return TimerView(
        timer_id=row.id,
        code=row.code,
        name=rule.name,
        clock=rule.clock,
        record=RecordRef(row.record_kind, row.record_id, row.line_id, row.record_no),
        owner=Owner(department=row.department, user_id=row.user_id, specialist=row.specialist),
        state=state,
        started_at=row.started_at,
        due_at=run.deadline,
        calendar_missing=run.waits_for,
        used=run.share_at(rule, until, clocks),
        overdue=late,
        stopped_at=row.stopped_at,
        breached_at=row.breached_at,
        red_at=row.red_at,
        escalated_at=row.escalated_at,
        policy=f"{version.set_name}/{version.version}",
    )
