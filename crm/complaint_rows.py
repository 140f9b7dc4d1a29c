"""What the rows of complaints look like, and what an actor may do with a line."""

from collections.abc import Callable, Collection
from datetime import datetime

from crm.complaint_store import check_receives, check_works, to_line
from crm.complaint_tables import Complaint, ComplaintCallback, ComplaintLine, LinePlan, LineVisit
from crm.complaint_views import (
    AnalysisView,
    CallbackView,
    HandoffView,
    LineView,
    PlanView,
    RecordView,
    VisitView,
)
from crm.confidential import hide
from crm.domain.backdated import is_backdated
from crm.domain.complaint import CLASS_LABELS, SUBCLASSES, ComplaintClass, NextStep
from crm.domain.complaint_line import LINE_LABELS, AcceptMode, LineStatus, Step, steps_from
from crm.limits import TimerView
from crm.line_record_rows import may_record
from crm.tables import Department
from kernel.access import Actor, Permission
from kernel.errors import Conflict, Forbidden

_CARE = frozenset({Step.HAND_OFF, Step.REROUTE, Step.UNFOUNDED, Step.CALLED_BACK})
_RECEIPT = frozenset({Step.ACCEPT, Step.REJECT})


def line_steps(actor: Actor, row: ComplaintLine) -> tuple[str, ...]:
    """Return what the actor may do with a line now."""
    line = to_line(row)
    found: list[str] = []
    for step in steps_from(line):
        if step in _CARE:
            fits = actor.can(Permission.CASES_REGISTER) and step is not Step.CALLED_BACK
        elif step is Step.DECIDE:
            fits = actor.can(Permission.CASES_DECIDE) and line.planner != actor.user_id
        elif step in _RECEIPT:
            fits = allowed(lambda: check_receives(actor, row))
        else:
            fits = _works(actor, row)
        found += [step.value] if fits else []
    if line.status.is_open and line.mode is not None and _works(actor, row):
        found.append("assign")
    if may_record(actor, row):
        found.append("record")
    return tuple(found)


def _works(actor: Actor, row: ComplaintLine) -> bool:
    return allowed(lambda: check_works(actor, row))


def allowed(check: Callable[[], object]) -> bool:
    """Tell whether a check lets something pass."""
    try:
        check()
    except (Conflict, Forbidden):
        return False
    return True


def line_view(
    actor: Actor,
    row: ComplaintLine,
    department: Department,
    plans: tuple[PlanView, ...],
    visits: tuple[VisitView, ...],
    records: tuple[RecordView, ...],
    handoffs: tuple[HandoffView, ...],
    limits: tuple[TimerView, ...],
    now: datetime,
) -> LineView:
    """Return a line as pages show it to the actor."""
    status, class_ = LineStatus(row.status), ComplaintClass(row.class_code)
    due = [timer.due_at for timer in limits if timer.is_open and timer.due_at is not None]
    planned = row.planned_solve_at if status not in {LineStatus.DONE} and status.is_open else None
    late = any(timer.overdue and timer.is_open for timer in limits)
    return LineView(
        line_id=row.id,
        case_id=row.case_id,
        position=row.position,
        version=row.version,
        status=status,
        status_label=LINE_LABELS[status],
        class_code=row.class_code,
        class_label=CLASS_LABELS[class_],
        subclass=row.subclass,
        subclass_label=SUBCLASSES[class_].get(row.subclass or ""),
        cause=row.cause,
        department=row.department_code,
        department_name=department.name,
        department_head=department.head,
        confidential=row.confidential,
        person=row.person,
        person_id=row.person_id,
        manufacturer=row.manufacturer,
        rerouted_from=row.rerouted_from,
        mode=AcceptMode(row.mode) if row.mode else None,
        registered_at=row.registered_at,
        handed_off_at=row.handed_off_at,
        accepted_at=row.accepted_at,
        accepted_by=row.accepted_by,
        rejected_at=row.rejected_at,
        rejected_by=row.rejected_by,
        reject_reason=row.reject_reason,
        settled_why=row.settled_why,
        verified_at=row.verified_at,
        verified_by=row.verified_by,
        verified_noted_at=row.verified_noted_at,
        verified_backdated=is_backdated(row.verified_at, row.verified_noted_at),
        facts=row.facts,
        planned_visit_at=row.planned_visit_at,
        planned_plan_at=row.planned_plan_at,
        planned_solve_at=row.planned_solve_at,
        visit_from=row.visit_from,
        visit_until=row.visit_until,
        visited_at=row.visited_at,
        callback_from=row.callback_from,
        needs_contact=row.needs_contact,
        done_at=row.done_at,
        done_by=row.done_by,
        done_note=row.done_note,
        unsolved_at=row.unsolved_at,
        solved_at=row.solved_at,
        due_at=min(due, default=None),
        overdue=late or (planned is not None and planned < now),
        steps=line_steps(actor, row),
        plans=plans,
        visits=visits,
        records=records,
        handoffs=handoffs,
        limits=limits,
    )


def plan_view(row: LinePlan) -> PlanView:
    """Return a plan."""
    return PlanView(
        plan_id=row.id,
        round=row.round,
        made_at=row.made_at,
        made_by=row.made_by,
        plan=row.plan,
        visit_from=row.visit_from,
        visit_until=row.visit_until,
        solve_at=row.solve_at,
        pay_customer=row.pay_customer,
        penalty=row.penalty,
        needs_approval=row.needs_approval,
        approved=row.approved,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        decided_why=row.decided_why,
    )


def visit_view(row: LineVisit) -> VisitView:
    """Return a visit."""
    return VisitView(
        visit_id=row.id,
        round=row.round,
        arrived_at=row.arrived_at,
        left_at=row.left_at,
        who=row.who,
        record=row.record,
        photos=tuple(row.photos),
        noted_at=row.noted_at,
        noted_by=row.noted_by,
        backdated=is_backdated(row.left_at, row.noted_at),
    )


def callback_view(row: ComplaintCallback, seen: Collection[str], *, hidden: bool) -> CallbackView:
    """Return a callback; of the lines only those that are ``seen``."""
    return CallbackView(
        callback_id=row.id,
        round=row.round,
        at=row.at,
        by=row.by,
        call_id=row.call_id,
        verdict=row.verdict,
        lines={line_id: problem for line_id, problem in row.lines.items() if line_id in seen},
        satisfaction=row.satisfaction,
        timeliness=row.timeliness,
        contacted_in_time=row.contacted_in_time,
        compensation_mentioned=row.compensation_mentioned,
        note=hide(row.note, hidden=hidden),
        leads_to=NextStep(row.leads_to),
    )


def analysis_view(row: Complaint, *, hidden: bool) -> AnalysisView | None:
    """Return the analysis, ``None`` while there is none."""
    if row.analysed_at is None:
        return None
    return AnalysisView(
        root_cause=hide(row.root_cause or "", hidden=hidden),
        preventive_step=hide(row.preventive_step or "", hidden=hidden),
        owner=row.analysis_owner or "",
        at=row.analysed_at,
        by=row.analysed_by or "",
    )
