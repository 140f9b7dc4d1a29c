"""The steps of a cause line: each takes the line and returns it moved, with what that means for its limits.

The table of states stands in :mod:`crm.domain.complaint_line`; here are the guards (domain.md §1.3).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from crm.domain.complaint_line import (
    BEFORE_PLAN,
    AcceptMode,
    Line,
    LineStatus,
    PlanTerms,
    ProblemStatus,
    Step,
    Window,
    steps_from,
)
from crm.domain.machine import IllegalStep, refuse
from kernel.errors import Invalid

LONGEST_VISIT = timedelta(days=3)
FURTHEST = timedelta(days=366)
"""How far ahead a visit, a plan or a solution may be promised."""


class TooEarly(IllegalStep):
    """There is nothing to ask the customer about yet."""

    code = "too_early"


class SamePerson(IllegalStep):
    """Two different people must do this: who asks and who decides, who sends and who signs."""

    code = "same_person"


class Limit(StrEnum):
    """What a step means for the limits of a line; the first five are events of the limit policies."""

    ACCEPTED = "accepted"
    VERIFIED = "verified"
    PLANNED = "planned"
    VISIT_OVER = "visit_over"
    CALLED_BACK = "called_back"
    REFUSED = "refused"
    """T1 ends though nobody accepted: the department says it is not theirs."""
    PLAN_AGAIN = "plan_again"
    """T3 starts afresh."""
    CONTACT_AGAIN = "contact_again"
    """T2 starts afresh."""
    VOID = "void"
    """Nothing is owed any more on this line."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A line after a step, and what that means for its limits, in order, each with its moment."""

    line: Line
    limits: tuple[tuple[Limit, datetime], ...] = ()


def hand_off(line: Line) -> Moved:
    """C0 → C1."""
    return Moved(replace(line, status=_target(line, Step.HAND_OFF)))


def accept(
    line: Line,
    mode: AcceptMode,
    now: datetime,
    *,
    planned_visit_at: datetime | None = None,
    planned_plan_at: datetime | None = None,
    planned_solve_at: datetime | None = None,
) -> Moved:
    """C1 → C2: the head signs, and says how the department goes about it.

    Raises:
        IllegalStep: the line does not wait for a signature.
        Invalid: a planned time that is over, or out of order.
    """
    status = _target(line, Step.ACCEPT)
    for field, at in (
        ("planned_visit_at", planned_visit_at),
        ("planned_plan_at", planned_plan_at),
        ("planned_solve_at", planned_solve_at),
    ):
        _ahead(at, now, field)
    if planned_solve_at is not None:
        for earlier in (planned_visit_at, planned_plan_at):
            if earlier is not None and planned_solve_at < earlier:
                raise Invalid("is solved before it is planned or visited", field="planned_solve_at")
    moved = replace(
        line,
        status=status,
        mode=mode,
        accepted_at=now,
        planned_visit_at=planned_visit_at,
        planned_plan_at=planned_plan_at,
        planned_solve_at=planned_solve_at,
    )
    return Moved(moved, ((Limit.ACCEPTED, now),))


def reject(line: Line, now: datetime) -> Moved:
    """C1 → C2R: the department says it is not theirs, or not so."""
    return Moved(replace(line, status=_target(line, Step.REJECT)), ((Limit.REFUSED, now),))


def reroute(line: Line, now: datetime) -> Moved:
    """C2R: another department gets it, on a new line."""
    return Moved(replace(line, status=_target(line, Step.REROUTE)), ((Limit.VOID, now),))


def close_unfounded(line: Line, now: datetime) -> Moved:
    """C2R: it is not so, and nobody has to do anything."""
    return Moved(replace(line, status=_target(line, Step.UNFOUNDED)), ((Limit.VOID, now),))


def verify(line: Line, called_at: datetime, now: datetime) -> Moved:
    """C2 → C3: somebody of the department has called the customer at ``called_at``."""
    status = _target(line, Step.VERIFY)
    _past(called_at, now, "called_at", after=line.unsolved_at or line.accepted_at)
    moved = replace(line, status=status, verified_at=called_at, needs_contact=False)
    # After a callback that said unsolved the plan is owed already; another call does not put it off.
    counts = line.status is LineStatus.ACCEPTED or line.needs_contact
    return Moved(moved, ((Limit.VERIFIED, called_at),) if counts else ())


def agree_visit(line: Line, visit: Window, now: datetime, *, plan_at: datetime | None = None) -> Moved:
    """Agree on a visit with the customer, or move the one that was agreed."""
    status = _target(line, Step.AGREE_VISIT)
    check_window(visit, now)
    _ahead(plan_at, now, "planned_plan_at")
    if plan_at is not None and plan_at < visit.from_:
        raise Invalid("the plan follows the visit", field="planned_plan_at")
    moved = replace(
        line,
        status=status,
        visit=visit,
        visited_at=None,
        planned_plan_at=plan_at or line.planned_plan_at,
        callback_from=visit.until,
    )
    files = line.status in {LineStatus.VERIFIED, LineStatus.UNSOLVED}
    filed = ((Limit.PLANNED, now),) if files else ()
    return Moved(moved, (*filed, (Limit.VISIT_OVER, visit.until)))


def plan(line: Line, terms: PlanTerms, by: str, now: datetime) -> Moved:
    """C3 → C4: a plan, with the visit that it needs; to the manager first where it needs approval.

    Raises:
        IllegalStep: the state, or the way of accepting, asks for no plan now.
        Invalid: no visit though nobody was there yet, or times that cannot be.
    """
    status = _target(line, Step.PLAN)
    if terms.visit is not None:
        check_window(terms.visit, now)
        if terms.solve_at < terms.visit.from_:
            raise Invalid("is solved before the visit", field="solve_at")
    elif line.mode is not AcceptMode.NO_PLAN and line.visited_at is None and not line.visit_to_come:
        raise Invalid("nobody was there yet: agree on a visit", field="visit_from")
    _ahead(terms.solve_at, now, "solve_at")
    review = terms.needs_approval or bool(terms.pay_customer)
    moved = replace(
        line,
        status=LineStatus.PLAN_REVIEW if review else status,
        planned_solve_at=terms.solve_at,
        visit=terms.visit or line.visit,
        visited_at=None if terms.visit is not None else line.visited_at,
        planner=by,
    )
    if terms.visit is not None and not review:
        moved = replace(moved, callback_from=terms.visit.until)
    limits: list[tuple[Limit, datetime]] = []
    if line.status in BEFORE_PLAN:
        limits.append((Limit.PLANNED, now))
    if terms.visit is not None and not review:
        limits.append((Limit.VISIT_OVER, terms.visit.until))
    return Moved(moved, tuple(limits))


def decide_plan(line: Line, by: str, now: datetime, *, approved: bool) -> Moved:
    """Let a plan go ahead, or send it back; never the own plan.

    Raises:
        SamePerson: who made the plan decides on it.
    """
    status = _target(line, Step.DECIDE)
    if line.planner == by:
        raise SamePerson("who made the plan does not approve it", field="approved")
    if not approved:
        moved = replace(line, status=LineStatus.PLAN_REFUSED)
        return Moved(moved, ((Limit.PLAN_AGAIN, now),))
    moved = replace(line, status=status)
    if line.visit is None or line.visited_at is not None:
        return Moved(moved)
    over = max(line.visit.until, now)
    return Moved(replace(moved, callback_from=over), ((Limit.VISIT_OVER, over),))


def visit(line: Line, arrived_at: datetime, left_at: datetime, now: datetime) -> Moved:
    """C4 → C5: somebody was there."""
    status = _target(line, Step.VISIT)
    _past(arrived_at, now, "arrived_at", after=line.unsolved_at or line.verified_at)
    if left_at < arrived_at:
        raise Invalid("leaves before arriving", field="left_at")
    _past(left_at, now, "left_at")
    return Moved(replace(line, status=status, visited_at=arrived_at))


def claim_done(line: Line, now: datetime) -> Moved:
    """C5 → C6: the department says that it is solved; only the customer can say that it is."""
    status = _target(line, Step.DONE)
    moved = replace(line, status=status, done_at=now)
    limits: list[tuple[Limit, datetime]] = []
    if line.status in {LineStatus.VERIFIED, LineStatus.UNSOLVED}:
        limits.append((Limit.PLANNED, now))
    if line.callback_from is None or line.callback_from > now:
        # Otherwise the callback is owed since the end of the visit.
        moved = replace(moved, callback_from=now)
        limits.append((Limit.VISIT_OVER, now))
    return Moved(moved, tuple(limits))


def called_back(line: Line, said: ProblemStatus, now: datetime) -> Moved:
    """C7: what the customer says of this line's problem.

    Raises:
        IllegalStep: there is nothing to ask about yet.
        TooEarly: the agreed visit is not over and the department does not say it is done.
    """
    status = _target(line, Step.CALLED_BACK)
    if line.status is not LineStatus.DONE and (line.visit is None or line.visit.until > now):
        raise TooEarly(
            "the agreed visit is not over and the department has not reported it done", field="lines"
        )
    match said:
        case ProblemStatus.NOT_CONNECTED:
            return Moved(line)
        case ProblemStatus.SOLVED:
            moved = replace(line, status=status, solved_at=now, callback_from=None)
            # The customer says that it is solved: what the department still owed is settled with it.
            return Moved(moved, ((Limit.CALLED_BACK, now), (Limit.VOID, now)))
        case _:
            missing = said is ProblemStatus.NOT_CONTACTED
            moved = replace(
                line,
                status=LineStatus.UNSOLVED,
                unsolved_at=now,
                needs_contact=missing,
                done_at=None,
                callback_from=None,
            )
            again = (Limit.CONTACT_AGAIN, now) if missing else (Limit.PLAN_AGAIN, now)
            return Moved(moved, ((Limit.CALLED_BACK, now), again))


def waive(line: Line, now: datetime) -> Moved:
    """Close a line that is done without asking the customer; the manager's decision."""
    if line.status is not LineStatus.DONE:
        raise refuse("waive", line.status, ())
    return Moved(replace(line, status=LineStatus.CLOSED), ((Limit.VOID, now),))


def check_window(window: Window, now: datetime) -> None:
    """Refuse a visit that cannot be. Raises Invalid, which names the field."""
    if window.until <= window.from_:
        raise Invalid("ends before it begins", field="visit_until")
    if window.until <= now:
        raise Invalid("is over already", field="visit_until")
    if window.until - window.from_ > LONGEST_VISIT:
        raise Invalid(f"at most {LONGEST_VISIT.days} days", field="visit_until")
    _ahead(window.until, now, "visit_until")


def _target(line: Line, step: Step) -> LineStatus:
    allowed = steps_from(line)
    if step not in allowed:
        raise refuse(step.value, line.status, allowed)
    return allowed[step]


def _ahead(at: datetime | None, now: datetime, field: str) -> None:
    if at is None:
        return
    if at <= now:
        raise Invalid("is over already", field=field)
    if at - now > FURTHEST:
        raise Invalid("is too far ahead", field=field)


def _past(at: datetime, now: datetime, field: str, *, after: datetime | None = None) -> None:
    if at > now:
        raise Invalid("lies ahead", field=field)
    if after is not None and at < after:
        raise Invalid("is before what it follows", field=field)
