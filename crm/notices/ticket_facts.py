"""What problem tickets, opinion notices and repair points tell (domain.md §1.4, §2.3)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from crm.events_tickets import (
    OpinionNoticeIssued,
    RepairBudgetExceeded,
    TicketConverted,
    TicketHandedOff,
    TicketRefused,
    TicketSigned,
)
from crm.notices.case_facts import UNSIGNED_BEFORE_END
from crm.notices.domain import Forget, NoticeRequest, Party
from crm.notices.links import case_page
from kernel.access import Role
from kernel.events import Event

Step = NoticeRequest | Forget


def _handoff(part_id: str) -> str:
    return f"handoff|ticket|{part_id}"


def _handed_off(fact: TicketHandedOff) -> Iterable[Step]:
    due_at = fact.due_at
    told = NoticeRequest(
        code="handoff.sent",
        key=f"handoff.sent|{fact.handoff_id}",
        parameters={
            "no": fact.no,
            "due_at": due_at.isoformat() if due_at else None,
            "department": fact.department,
        },
        link=case_page(fact.case_id),
        party=Party(owner_department=fact.department, specialist_user_id=fact.specialist_id),
    )
    yield told
    if due_at is not None:
        yield NoticeRequest(
            code="handoff.unsigned",
            key=f"handoff.unsigned|{fact.handoff_id}",
            parameters=told.parameters,
            link=told.link,
            party=told.party,
            not_before=due_at - UNSIGNED_BEFORE_END,
            subject=_handoff(fact.part_id),
        )


def _signed(fact: TicketSigned) -> Iterable[Step]:
    yield Forget(_handoff(fact.part_id))


def _refused(fact: TicketRefused) -> Iterable[Step]:
    yield Forget(_handoff(fact.part_id))
    yield NoticeRequest(
        code="handoff.returned",
        key=f"handoff.returned|{fact.event_id}",
        parameters={"no": fact.no, "department": fact.department, "reason": fact.reason},
        link=case_page(fact.case_id),
        party=Party(specialist_user_id=fact.specialist_id),
    )


def _converted(fact: TicketConverted) -> Iterable[Step]:
    yield NoticeRequest(
        code="ticket.converted",
        key=f"ticket.converted|{fact.case_id}",
        parameters={"no": fact.no, "complaint": fact.complaint_no},
        link=case_page(fact.complaint_id),
        party=Party(specialist_user_id=fact.specialist_id),
    )


def _opinion(fact: OpinionNoticeIssued) -> Iterable[Step]:
    yield NoticeRequest(
        code="opinion.issued",
        key=f"opinion.issued|{fact.notice_id}",
        parameters={"no": fact.case_no, "department": fact.department, "count": fact.fed_back},
        link=case_page(fact.case_id),
        also=(f"department:{fact.department}+{Role.DEPARTMENT_HEAD}",),
    )


def _over_budget(fact: RepairBudgetExceeded) -> Iterable[Step]:
    yield NoticeRequest(
        code="budget.exceeded",
        key=f"budget.exceeded|{fact.account_id}|{fact.actual}",
        parameters={"point": fact.point, "month": fact.month, "budget": fact.budget, "actual": fact.actual},
    )


TICKET_ENTRIES: Mapping[type[Event], Callable[[Any], Iterable[Step]]] = {
    TicketHandedOff: _handed_off,
    TicketSigned: _signed,
    TicketRefused: _refused,
    TicketConverted: _converted,
    OpinionNoticeIssued: _opinion,
    RepairBudgetExceeded: _over_budget,
}
