"""What happens at the points of a limit: its row moves on, breaches, proposals and facts are written."""

from datetime import date, datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.limits import CALENDAR_RETRY, Passed, Rule, Run, StepKind, progress, settle
from crm.events_limits import (
    CalendarYearNotLoaded,
    LimitBreached,
    LimitBreachWithdrawn,
    LimitDeadlineKnown,
    LimitEscalated,
    LimitRed,
    LimitWarned,
)
from crm.limit_tables import AppraisalProposalRow, LimitBreachRow, LimitTimerRow
from kernel.business_time import BusinessClocks
from kernel.ids import new_ulid
from kernel.outbox import add_fact

log = structlog.get_logger(__name__)

POINTS = Counter("huifang_limit_points_total", "Points of limits that were handled", ["code", "step"])
MICROSECOND = timedelta(microseconds=1)
RUNNING, CALENDAR_MISSING, STOPPED = "running", "calendar_missing", "stopped"
"""Words of ``crm.limit_views.TimerState``."""
WITHDRAWN = "huifang_withdrawn"
"""Where a transaction keeps the limits whose breach was taken back, until the journal says by whom."""


def run_of(row: LimitTimerRow) -> Run:
    """Return where the clock of a stored timer stands."""
    return Run(
        since=row.since,
        used=row.used_us * MICROSECOND,
        allowed=row.allowed_us * MICROSECOND,
        deadline=row.deadline_at,
        waits_for=row.calendar_year if row.deadline_at is None else None,
    )


def put_run(row: LimitTimerRow, run: Run) -> None:
    """Store where the clock stands."""
    row.since = run.since
    row.used_us = run.used // MICROSECOND
    row.allowed_us = run.allowed // MICROSECOND
    row.deadline_at = run.deadline
    row.calendar_year = run.waits_for


def is_waiting(row: LimitTimerRow) -> bool:
    """Whether the deadline of a timer, open or over, depends on a year that is not loaded."""
    return row.deadline_at is None and row.calendar_year is not None


def advance(
    session: AsyncSession,
    row: LimitTimerRow,
    rule: Rule,
    clocks: BusinessClocks,
    *,
    now: datetime,
    warn: bool = True,
) -> None:
    """Handle every point up to ``now`` that was not handled yet, in order, and set when the next one is due.

    The row must be locked by the caller's transaction. Besides the row this writes the breach, the proposed
    appraisal entry, and a fact for each point; the state of the record is left alone.

    A limit whose deadline was not known gets it here, as soon as the calendar is loaded; of one that is over
    only what it came to before it was stopped is handled then.

    Args:
        warn: tell of warnings too; not when the limit is being stopped.
    """
    settle_row(session, row, rule, clocks, now)
    over = row.stopped_at is not None
    until = min(now, row.stopped_at) if row.stopped_at is not None else now
    if over and row.state == STOPPED and row.deadline_at is not None and row.deadline_at >= until:
        row.due_at = row.calendar_year = None
        return
    found = progress(rule, run_of(row), row.handled, until, clocks)
    for point in found.passed:
        row.handled |= 1 << point.index
        if point.step.kind is not StepKind.WARN or (warn and not over):
            _do(session, row, rule, point, now)
            POINTS.labels(row.code, point.step.kind.value).inc()
    row.calendar_year = found.calendar_missing
    row.due_at = found.next_at
    if over:
        row.due_at = now + CALENDAR_RETRY if row.calendar_year is not None else None
    row.claimed_by = row.claimed_until = None
    row.tries = 0
    if found.calendar_missing is not None:
        log.debug("limit_waits_for_calendar", year=found.calendar_missing, code=row.code, timer=row.id)


def settle_row(
    session: AsyncSession, row: LimitTimerRow, rule: Rule, clocks: BusinessClocks, now: datetime
) -> None:
    """Give a timer that waits for a calendar its deadline if that is known now."""
    if not is_waiting(row):
        return
    run = settle(rule, run_of(row), clocks)
    put_run(row, run)
    if run.deadline is not None and row.state == CALENDAR_MISSING:
        row.state = RUNNING
        add_fact(session, LimitDeadlineKnown(**_about(row, now)))


def note_missing(session: AsyncSession, year: int, clocks: BusinessClocks, now: datetime) -> None:
    """Tell that a year's calendar is needed and not loaded; the notice of it comes once a day."""
    today = now.astimezone(clocks.hours.zone).date()
    left = max(0, (date(year, 1, 1) - today).days)
    add_fact(session, CalendarYearNotLoaded(at=now, year=year, day=today.isoformat(), days_left=left))


def _do(session: AsyncSession, row: LimitTimerRow, rule: Rule, point: Passed, now: datetime) -> None:
    about = _about(row, point.at)
    match point.step.kind:
        case StepKind.WARN:
            add_fact(session, LimitWarned(percent=point.step.percent, **about))
        case StepKind.BREACH:
            row.breached_at = point.at
            session.add(_breach(row, point.at, now))
            add_fact(session, LimitBreached(**about))
        case StepKind.RED:
            row.red_at = point.at
            add_fact(session, LimitRed(**about))
        case StepKind.ESCALATE:
            row.escalated_at = point.at
            points = point.step.chain.points if point.step.chain else 0
            proposal = _proposal(row, rule, points, now) if points else None
            if proposal is not None:
                session.add(proposal)
            add_fact(session, LimitEscalated(appraisal_id=proposal.id if proposal else None, **about))


def _about(row: LimitTimerRow, at: datetime) -> dict[str, Any]:
    return {
        "at": at,
        "timer_id": row.id,
        "code": row.code,
        "record_kind": row.record_kind,
        "record_id": row.record_id,
        "line_id": row.line_id,
        "record_no": row.record_no,
        "department": row.department,
        "user_id": row.user_id,
        "specialist": row.specialist,
        "started_at": row.started_at,
        "due_at": row.deadline_at,
    }


async def sign_withdrawn(session: AsyncSession, actor: str, action: str) -> None:
    """Write down who took breaches back in this transaction, and with what; the journal calls it."""
    timers = session.info.pop(WITHDRAWN, ())
    if timers:
        mine = update(LimitBreachRow).where(LimitBreachRow.timer_id.in_(timers))
        await session.execute(mine.values(withdrawn_by=actor[:80], withdrawn_why=action[:60]))


async def withdraw(session: AsyncSession, row: LimitTimerRow, now: datetime) -> None:
    """Take a breach back: what ended the limit happened in time and is written down late.

    The appraisal entry goes with it, confirmed or not: what it was for has not been.
    """
    breach = update(LimitBreachRow).where(LimitBreachRow.timer_id == row.id)
    await session.execute(breach.values(withdrawn_at=now))
    proposal = update(AppraisalProposalRow).where(
        AppraisalProposalRow.timer_id == row.id, AppraisalProposalRow.state != "dropped"
    )
    await session.execute(
        proposal.values(
            state="dropped",
            decided_by="system",
            decided_at=now,
            note="按时完成，补录后撤销超时",
            version=AppraisalProposalRow.version + 1,
        )
    )
    session.info.setdefault(WITHDRAWN, []).append(row.id)
    row.breached_at = row.red_at = row.escalated_at = None
    add_fact(session, LimitBreachWithdrawn(**_about(row, now)))


def _breach(row: LimitTimerRow, at: datetime, now: datetime) -> LimitBreachRow:
    return LimitBreachRow(
        id=new_ulid(),
        timer_id=row.id,
        policy_id=row.policy_id,
        code=row.code,
        record_kind=row.record_kind,
        record_id=row.record_id,
        line_id=row.line_id,
        record_no=row.record_no,
        department=row.department,
        user_id=row.user_id,
        specialist=row.specialist,
        breached_at=at,
        noted_at=now,
    )


def _proposal(row: LimitTimerRow, rule: Rule, points: int, now: datetime) -> AppraisalProposalRow:
    return AppraisalProposalRow(
        id=new_ulid(),
        timer_id=row.id,
        code=row.code,
        record_kind=row.record_kind,
        record_id=row.record_id,
        line_id=row.line_id,
        record_no=row.record_no,
        department=row.department,
        user_id=row.user_id,
        points=points,
        reason=f"{rule.name}超时({row.code})",
        state="proposed",
        proposed_at=now,
    )
