"""What hand-offs tell, of complaints and of tickets alike (domain.md §1.3, §1.4, §2.3)."""

from collections.abc import Iterable

from crm.events_cases import HandOffSent, LineRejected
from crm.events_tickets import TicketHandedOff, TicketRefused
from crm.notices.domain import Forget, NoticeRequest, Party
from crm.notices.links import case_page, handoff_page, unsigned_page
from kernel.access import Role

Step = NoticeRequest | Forget


def head_of(department: str) -> str:
    """Return the head of a department as a notice names it."""
    return f"department:{department}+{Role.DEPARTMENT_HEAD}"


def managers(department: str | None) -> tuple[str, ...]:
    """Return who hears of it where no department may: a confidential matter is the manager's."""
    return () if department else (f"role:{Role.MANAGER}",)


def sent(fact: HandOffSent | TicketHandedOff, subject: str) -> Iterable[Step]:
    """Tell the department to sign, and again if nobody has; ``subject`` forgets that (domain.md §2.3)."""
    told = NoticeRequest(
        code="handoff.sent",
        key=f"handoff.sent|{fact.handoff_id}",
        parameters={
            "no": fact.no,
            "due_at": fact.due_at.isoformat() if fact.due_at else None,
            "department": fact.department,
        },
        link=handoff_page(fact.handoff_id),
        party=Party(owner_department=fact.department, specialist_user_id=fact.specialist_id),
        also=managers(fact.department),
    )
    yield told
    if fact.again_at is not None:
        yield NoticeRequest(
            code="handoff.unsigned",
            key=f"handoff.unsigned|{fact.handoff_id}",
            parameters=told.parameters,
            link=told.link,
            party=told.party,
            also=told.also,
            not_before=fact.again_at,
            subject=subject,
        )
        yield NoticeRequest(
            code="handoff.call",
            key=f"handoff.call|{fact.handoff_id}",
            parameters={**told.parameters, "head": fact.department},
            link=unsigned_page(),
            party=told.party,
            not_before=fact.again_at,
            subject=subject,
        )


def returned(fact: LineRejected | TicketRefused, subject: str) -> Iterable[Step]:
    """Tell the specialist that the department sends it back."""
    yield Forget(subject)
    yield NoticeRequest(
        code="handoff.returned",
        key=f"handoff.returned|{fact.event_id}",
        parameters={"no": fact.no, "department": fact.department, "reason": fact.reason},
        link=case_page(fact.case_id),
        party=Party(specialist_user_id=fact.specialist_id),
    )
