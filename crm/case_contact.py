"""Who may call the customer of a case without seeing the number: who has it in hand (domain.md §2.4).

========== ==============================================================================================
kind       who
========== ==============================================================================================
repair     the captain, once it is routed to them or to another crew than the original one
complaint  the head or deputy of a department with an open line that was handed off to it, and the person
           whom the department put in charge of such a line; nobody of a department sees confidential ones
ticket     the department's people with a part of it that is not settled; a part names nobody in person
========== ==============================================================================================

Customer service has telephones of its own, and sees the case of everybody; it does not need this.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import seen_by
from crm.complaint_tables import ComplaintLine
from crm.domain.case import CaseKind
from crm.domain.complaint_line import LINE_FINAL, LineStatus
from crm.domain.repair_terms import Route
from crm.domain.ticket import PartStatus
from crm.people_tables import StaffRow
from crm.repair_tables import RepairRow
from crm.tables import CustomerPhone, ServiceCase
from crm.ticket_tables import TicketPart
from kernel.access import Actor, Permission
from kernel.errors import Conflict, Forbidden, NotFound
from kernel.ids import is_ulid
from kernel.phone import InvalidPhone, Phone, PhoneKind

CALLABLE = frozenset({PhoneKind.MOBILE, PhoneKind.LANDLINE})
_NOT_IN_HAND = LINE_FINAL | {LineStatus.REGISTERED, LineStatus.REJECTED}
_ROUTED = frozenset({Route.CAPTAIN.value, Route.OTHER_CREW.value})
_PARTS = tuple(status.value for status in (PartStatus.OPEN, PartStatus.IN_HAND, PartStatus.SOLVED))


class CaseIsClosed(Conflict):
    """Nobody of a department calls the customer of a case that is over."""

    code = "case_closed"


class NotInYourHands(Forbidden):
    """Somebody else works on the case."""

    code = "not_your_case"


async def case_in_hand(session: AsyncSession, actor: Actor, case_id: str) -> ServiceCase:
    """Return the case whose customer the actor may call.

    Raises:
        Forbidden: the role works on no cases, or somebody else works on this one.
        NotFound: no such case, or none that the actor may see.
        CaseIsClosed: it is over.
    """
    actor.need(Permission.CASES_WORK)
    query = select(ServiceCase).where(ServiceCase.id == case_id, seen_by(actor))
    header = await session.scalar(query) if is_ulid(case_id) else None
    if header is None:
        raise NotFound("no such case", field="case_id")
    if header.closed_at is not None:
        raise CaseIsClosed("the case is closed", field="case_id")
    if not await _in_hand(session, actor, header):
        raise NotInYourHands("somebody else works on this case", field="case_id")
    return header


async def _in_hand(session: AsyncSession, actor: Actor, header: ServiceCase) -> bool:
    match CaseKind(header.kind):
        case CaseKind.REPAIR:
            if not actor.can(Permission.REPAIRS_WORK) or header.department_code != actor.department:
                return False
            route = select(RepairRow.route).where(RepairRow.case_id == header.id)
            return await session.scalar(route) in _ROUTED
        case CaseKind.COMPLAINT:
            line = ComplaintLine
            query = select(line.status, line.person_id).where(
                line.case_id == header.id,
                line.department_code == (actor.department or ""),
                line.confidential.is_(False),
            )
            rows = await session.execute(query)
            heads = actor.can(Permission.CASES_SIGN)
            return any(
                LineStatus(status) not in _NOT_IN_HAND and (heads or person_id == actor.user_id)
                for status, person_id in rows
            )
        case CaseKind.TICKET:
            part = TicketPart
            parts = select(part.id).where(
                part.case_id == header.id,
                part.department_code == (actor.department or ""),
                part.status.in_(_PARTS),
            )
            return await session.scalar(parts.limit(1)) is not None


async def number_to_call(session: AsyncSession, customer_id: str) -> str | None:
    """Return the number on which a customer is reached best; ``None`` when no telephone of theirs rings."""
    row = CustomerPhone
    query = (
        select(row.e164)
        .where(row.customer_id == customer_id, row.bad_since.is_(None))
        .order_by(row.preferred.desc(), row.position)
    )
    return next((one for one in await session.scalars(query) if _callable(one) is not None), None)


async def own_mobile(session: AsyncSession, user_id: str, *, area: str) -> str | None:
    """Return the telephone of a user in the network: what the record of the staff says (E.164)."""
    row = StaffRow
    query = select(row.phone).where(row.user_id == user_id, row.active, row.phone.is_not(None))
    for number in await session.scalars(query.order_by(row.id)):
        found = _callable(number or "", area)
        if found is not None:
            return found
    return None


def _callable(number: str, area: str = "010") -> str | None:
    try:
        phone = Phone.parse(number, default_area=area)
    except InvalidPhone:
        return None
    return phone.e164 if phone.kind in CALLABLE else None
