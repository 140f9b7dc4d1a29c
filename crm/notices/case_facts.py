"""What complaints and major complaints tell (domain.md §1.3, §1.3b, §2.1–2.3)."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from crm.events_cases import (
    CallbackUnsolved,
    CompensationDecided,
    CompensationRequested,
    ConfidentialRegistered,
    CustomerCalledAgain,
    EscalationOwed,
    EscalationSubmitted,
    HandOffChased,
    HandOffSent,
    HandOffSigned,
    LineAssigned,
    LineDone,
    LineRejected,
    PlanApprovalWanted,
    PlanDecided,
    RecoverySent,
    VisitPlanned,
)
from crm.events_repairs import RepairAppointed
from crm.notices import handoff_facts
from crm.notices.domain import Forget, NoticeRequest, Party
from crm.notices.handoff_facts import Step
from crm.notices.links import case_page, escalation_page, handoff_page, line_page
from kernel.events import Event

VISIT_AHEAD = timedelta(hours=1)

MINUTES_AHEAD = timedelta(minutes=10)
"""The specialist is told once more, just before (domain.md §2.1)."""


def just_before(fact: VisitPlanned | RepairAppointed, subject: str) -> NoticeRequest:
    """Return the reminder ten minutes before a visit, for the specialist."""
    return NoticeRequest(
        code="appointment.now",
        key=f"now|{subject}|{fact.visit_from:%Y%m%dT%H%M}",
        parameters={"no": fact.no, "at": fact.visit_from.isoformat(), "customer": fact.customer_id},
        link=case_page(fact.case_id),
        party=Party(specialist_user_id=fact.specialist_id),
        not_before=fact.visit_from - MINUTES_AHEAD,
        subject=subject,
    )


def _confidential(fact: ConfidentialRegistered) -> Iterable[Step]:
    yield NoticeRequest(
        code="complaint.confidential",
        # Two such lines of one registration are told of once.
        key=f"complaint.confidential|{fact.case_id}|{fact.at:%Y%m%dT%H%M%S}",
        parameters={"no": fact.no},
        link=case_page(fact.case_id),
    )


def _handoff(case_id: str, line_id: str) -> str:
    return f"handoff|{case_id}|{line_id}"


def _called_again(fact: CustomerCalledAgain) -> Iterable[Step]:
    yield NoticeRequest(
        code="case.called_again",
        key=f"called_again|{fact.case_id}|{fact.call_count}",
        parameters={"no": fact.no, "customer": fact.customer_id, "level": fact.severity},
        link=case_page(fact.case_id),
        party=Party(specialist_user_id=fact.specialist_id),
        also=tuple(handoff_facts.head_of(department) for department in fact.departments),
    )


def _handoff_sent(fact: HandOffSent) -> Iterable[Step]:
    return handoff_facts.sent(fact, _handoff(fact.case_id, fact.line_id))


def _handoff_chased(fact: HandOffChased) -> Iterable[Step]:
    yield NoticeRequest(
        code="handoff.chased",
        # Chasing again within the hour tells nobody anything new.
        key=f"handoff.chased|{fact.handoff_id}|{fact.at:%Y%m%d%H}",
        parameters={
            "no": fact.no,
            "due_at": fact.due_at.isoformat() if fact.due_at else None,
            "department": fact.department,
        },
        link=handoff_page(fact.handoff_id),
        party=Party(owner_department=fact.department, specialist_user_id=fact.specialist_id),
        also=handoff_facts.managers(fact.department),
        subject=_handoff(fact.case_id, fact.line_id),
    )


def _handoff_signed(fact: HandOffSigned) -> Iterable[Step]:
    yield Forget(_handoff(fact.case_id, fact.line_id))


def _rejected(fact: LineRejected) -> Iterable[Step]:
    return handoff_facts.returned(fact, _handoff(fact.case_id, fact.line_id))


def _assigned(fact: LineAssigned) -> Iterable[Step]:
    if fact.person_id is not None:
        yield NoticeRequest(
            code="line.assigned",
            key=f"line.assigned|{fact.event_id}",
            parameters={"no": fact.no, "department": fact.department},
            link=line_page(fact.line_id),
            party=Party(owner_user_id=fact.person_id),
        )


def _visit_planned(fact: VisitPlanned) -> Iterable[Step]:
    subject = f"visit|{fact.case_id}|{fact.line_id}"
    yield Forget(subject)
    yield NoticeRequest(
        code="appointment.soon",
        key=f"{subject}|{fact.visit_from:%Y%m%dT%H%M}",
        parameters={"no": fact.no, "at": fact.visit_from.isoformat(), "department": fact.department},
        link=case_page(fact.case_id),
        party=Party(
            owner_user_id=fact.person_id,
            owner_department=fact.department,
            specialist_user_id=fact.specialist_id,
        ),
        not_before=fact.visit_from - VISIT_AHEAD,
        subject=subject,
    )
    yield just_before(fact, subject)


def _plan_waits(fact: PlanApprovalWanted) -> Iterable[Step]:
    yield NoticeRequest(
        code="plan.waits",
        key=f"plan.waits|{fact.event_id}",
        parameters={"no": fact.no, "by": fact.made_by, "department": fact.department},
        link=case_page(fact.case_id),
    )


def _plan_decided(fact: PlanDecided) -> Iterable[Step]:
    yield NoticeRequest(
        code="plan.approved" if fact.approved else "plan.refused",
        key=f"plan.decided|{fact.event_id}",
        parameters={"no": fact.no, "reason": fact.reason},
        link=line_page(fact.line_id),
        party=Party(owner_user_id=fact.person_id, owner_department=fact.department),
    )


def _done(fact: LineDone) -> Iterable[Step]:
    yield Forget(f"visit|{fact.case_id}|{fact.line_id}")
    yield NoticeRequest(
        code="line.done",
        key=f"line.done|{fact.event_id}",
        parameters={"no": fact.no, "department": fact.department},
        link=case_page(fact.case_id),
        party=Party(specialist_user_id=fact.specialist_id),
    )


def _unsolved(fact: CallbackUnsolved) -> Iterable[Step]:
    yield NoticeRequest(
        code="callback.unsolved",
        key=f"callback.unsolved|{fact.event_id}",
        parameters={"no": fact.no, "round": fact.round, "department": fact.department},
        link=line_page(fact.line_id),
        party=Party(owner_user_id=fact.person_id, owner_department=fact.department),
        also=handoff_facts.managers(fact.department),
    )


def _escalation_owed(fact: EscalationOwed) -> Iterable[Step]:
    yield NoticeRequest(
        code="escalation.owed",
        key=f"escalation.owed|{fact.case_id}|{fact.event_id}",
        parameters={"no": fact.no},
        link=case_page(fact.case_id),
        party=Party(specialist_user_id=fact.specialist_id),
    )


def _escalation_submitted(fact: EscalationSubmitted) -> Iterable[Step]:
    yield NoticeRequest(
        code="complaint.major",
        key=f"complaint.major|{fact.escalation_id}",
        parameters={"no": fact.no},
        link=escalation_page(fact.escalation_id),
        party=Party(specialist_user_id=fact.specialist_id),
    )


def _compensation_requested(fact: CompensationRequested) -> Iterable[Step]:
    yield NoticeRequest(
        code="compensation.waits",
        key=f"compensation.waits|{fact.compensation_id}|{fact.event_id}",
        parameters={"no": fact.no, "amount": fact.amount, "by": fact.requested_by},
        link=escalation_page(fact.escalation_id),
    )


def _compensation_decided(fact: CompensationDecided) -> Iterable[Step]:
    yield NoticeRequest(
        code="compensation.decided",
        key=f"compensation.decided|{fact.event_id}",
        parameters={"no": fact.no, "amount": fact.amount, "state": fact.state, "by": fact.by},
        link=escalation_page(fact.escalation_id),
        party=Party(owner_user_id=fact.requested_by_id),
    )


def _recovery(fact: RecoverySent) -> Iterable[Step]:
    yield NoticeRequest(
        code="recovery.sent",
        key=f"recovery.sent|{fact.event_id}",
        parameters={"no": fact.no, "month": fact.month, "people": fact.people, "amount": fact.amount},
        link=escalation_page(fact.escalation_id),
    )


CASE_ENTRIES: Mapping[type[Event], Callable[[Any], Iterable[Step]]] = {
    ConfidentialRegistered: _confidential,
    CustomerCalledAgain: _called_again,
    HandOffChased: _handoff_chased,
    HandOffSent: _handoff_sent,
    HandOffSigned: _handoff_signed,
    LineRejected: _rejected,
    LineAssigned: _assigned,
    VisitPlanned: _visit_planned,
    PlanApprovalWanted: _plan_waits,
    PlanDecided: _plan_decided,
    LineDone: _done,
    CallbackUnsolved: _unsolved,
    EscalationOwed: _escalation_owed,
    EscalationSubmitted: _escalation_submitted,
    CompensationRequested: _compensation_requested,
    CompensationDecided: _compensation_decided,
    RecoverySent: _recovery,
}
