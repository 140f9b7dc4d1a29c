"""Whose number a page shows: looked up by what the page is about, never by digits that were sent.

A page may show a number masked to who is to call it, so a call names the customer's number by its id, the
case, the call or the wish to be called back; whoever may not see that may not call it either.
"""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.windows import Occasion
from crm.case_contact import number_to_call
from crm.cases import seen_by
from crm.domain.case import Severity
from crm.domain.classification import Urgency
from crm.office import current_id
from crm.people_tables import StaffRow
from crm.tables import CallbackRequest, Crew, Customer, CustomerPhone, ServiceCase, Store
from kernel.access import Actor, Permission
from kernel.errors import NotFound
from kernel.ids import is_ulid
from kernel.phone import InvalidPhone, Phone
from telephony.domain.call import Direction
from telephony.tables import CallRow


class NumberKind(StrEnum):
    """What the number is a part of."""

    CUSTOMER = "customer"
    """One of a customer's numbers, by its own id."""
    PERSON = "person"
    """The number on which a customer is reached best, by the customer's id."""
    CASE = "case"
    """The number on which a case's customer is reached best."""
    CALL = "call"
    """The outside number of a call."""
    CALLBACK = "callback"
    """Who asked to be called back, left a message or gave up in the queue."""
    STAFF = "staff"
    CREW = "crew"
    STORE = "store"
    """Our own people: they may be called at any hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberTarget:
    """A number as a page names it: by the id of what it is a part of."""

    kind: NumberKind
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNumber:
    """The number, and what a call to it is about.

    Attributes:
        phone: ``None`` when there is none that can be read: it was withheld, or no number at all.
        customer_id: ``None`` when nobody, or more than one customer, has it.
        queue: in which the customer waited; ``None`` where nobody waited.
        occasion: in which hours they may be called.
        any_hour: something urgent or serious is not left until the morning.
    """

    phone: Phone | None
    customer_id: str | None = None
    case: ServiceCase | None = None
    queue: str | None = None
    occasion: Occasion = Occasion.ROUTINE
    any_hour: bool = False


async def find_number(session: AsyncSession, actor: Actor, target: NumberTarget, *, area: str) -> FoundNumber:
    """Return the number that a page names.

    Raises:
        Forbidden: the role sees no such things.
        NotFound: no such thing, or none that the actor may see.
    """
    match target.kind:
        case NumberKind.CUSTOMER:
            return await _of_customer(session, actor, target.ref)
        case NumberKind.PERSON:
            return await _of_person(session, actor, target.ref)
        case NumberKind.CASE:
            return await _of_case(session, actor, target.ref)
        case NumberKind.CALL:
            return await _of_call(session, actor, target.ref, area)
        case NumberKind.CALLBACK:
            return await _of_callback(session, actor, target.ref)
        case NumberKind.STAFF | NumberKind.CREW | NumberKind.STORE:
            return await _of_our_own(session, actor, target, area)


async def _of_customer(session: AsyncSession, actor: Actor, ref: str) -> FoundNumber:
    actor.need(Permission.CUSTOMERS_VIEW)
    query = select(CustomerPhone.e164, CustomerPhone.customer_id).where(CustomerPhone.ref == ref)
    row = (await session.execute(query)).one_or_none() if is_ulid(ref) else None
    if row is None:
        raise NotFound("no such number", field="ref")
    return FoundNumber(phone=_read(row.e164), customer_id=await current_id(session, row.customer_id))


async def _of_person(session: AsyncSession, actor: Actor, ref: str) -> FoundNumber:
    actor.need(Permission.CUSTOMERS_VIEW)
    if not is_ulid(ref) or await session.get(Customer, ref) is None:
        raise NotFound("no such customer", field="ref")
    customer_id = await current_id(session, ref)
    number = await number_to_call(session, customer_id)
    return FoundNumber(phone=_read(number or ""), customer_id=customer_id)


async def _of_case(session: AsyncSession, actor: Actor, ref: str) -> FoundNumber:
    actor.need(Permission.CASES_VIEW)
    query = select(ServiceCase).where(ServiceCase.id == ref, seen_by(actor))
    case = await session.scalar(query) if is_ulid(ref) else None
    if case is None:
        raise NotFound("no such case", field="ref")
    customer_id = await current_id(session, case.customer_id)
    number = await number_to_call(session, customer_id)
    is_open = case.closed_at is None
    return FoundNumber(
        phone=_read(number or ""),
        customer_id=customer_id,
        case=case,
        occasion=Occasion.REQUESTED if is_open else Occasion.ROUTINE,
        any_hour=is_open and (case.severity >= Severity.SERIOUS or case.urgency != Urgency.NORMAL.value),
    )


async def _of_call(session: AsyncSession, actor: Actor, ref: str, area: str) -> FoundNumber:
    actor.need(Permission.CALLS_VIEW)
    query = select(CallRow).where(CallRow.call_id == ref, CallRow.merged_into.is_(None))
    call = await session.scalar(query) if is_ulid(ref) else None
    if call is None:
        raise NotFound("no such call", field="ref")
    came_in = call.direction == Direction.IN.value
    if call.direction == Direction.INTERNAL.value:
        return FoundNumber(phone=None)
    phone = _read(call.from_number if came_in else call.to_number, area)
    return FoundNumber(
        phone=phone,
        customer_id=call.customer_id or await _only_owner(session, phone),
        queue=call.queue,
        occasion=Occasion.REQUESTED if came_in else Occasion.ROUTINE,
    )


async def _of_callback(session: AsyncSession, actor: Actor, ref: str) -> FoundNumber:
    actor.need(Permission.CALLBACKS_WORK)
    wish = await session.get(CallbackRequest, ref) if is_ulid(ref) else None
    if wish is None:
        raise NotFound("nobody asked to be called back", field="ref")
    phone = _read(wish.e164)
    queue = await session.scalar(select(CallRow.queue).where(CallRow.call_id == wish.call_id))
    return FoundNumber(
        phone=phone,
        customer_id=wish.customer_id or await _only_owner(session, phone),
        queue=queue,
        occasion=Occasion.REQUESTED,
    )


async def _of_our_own(session: AsyncSession, actor: Actor, target: NumberTarget, area: str) -> FoundNumber:
    actor.need(Permission.PROJECTS_VIEW)
    known = {NumberKind.STAFF: StaffRow.phone, NumberKind.CREW: Crew.phone, NumberKind.STORE: Store.phone}
    column = known[target.kind]
    query = select(column).where(column.class_.id == target.ref)
    row = (await session.execute(query)).one_or_none() if is_ulid(target.ref) else None
    if row is None:
        raise NotFound(f"no such {target.kind.value}", field="ref")
    return FoundNumber(phone=_read(row.phone or "", area), occasion=Occasion.REQUESTED, any_hour=True)


async def _only_owner(session: AsyncSession, phone: Phone | None) -> str | None:
    if phone is None:
        return None
    query = (
        select(Customer.id)
        .join(CustomerPhone, CustomerPhone.customer_id == Customer.id)
        .where(CustomerPhone.e164 == phone.e164, Customer.merged_into.is_(None))
        .limit(2)
    )
    found = list(await session.scalars(query))
    return found[0] if len(found) == 1 else None


def _read(number: str, area: str | None = None) -> Phone | None:
    try:
        return Phone.parse(number, default_area=area)
    except InvalidPhone:
        return None
