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
from crm.notices import handoff_facts
from crm.notices.domain import Forget, NoticeRequest, Party
from crm.notices.handoff_facts import Step
from crm.notices.links import case_page
from kernel.events import Event


def _handoff(part_id: str) -> str:
    return f"handoff|ticket|{part_id}"


def _handed_off(fact: TicketHandedOff) -> Iterable[Step]:
    return handoff_facts.sent(fact, _handoff(fact.part_id))


def _signed(fact: TicketSigned) -> Iterable[Step]:
    yield Forget(_handoff(fact.part_id))


def _refused(fact: TicketRefused) -> Iterable[Step]:
    return handoff_facts.returned(fact, _handoff(fact.part_id))


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
        also=(handoff_facts.head_of(fact.department),),
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
