"""Callers who gave up in the queue are called back: one open wish per number, gone when they were reached."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm.tables import CallbackRequest, Customer, CustomerPhone
from kernel.ids import new_ulid
from kernel.phone import Phone

REASON = "排队中挂机"


async def note_abandoned(session: AsyncSession, *, call_id: str, phone: Phone, now: datetime) -> bool:
    """Note that somebody who gave up is to be called back; return whether that is new.

    Whoever waits for a callback already keeps that wish, and who is not to be called is not.
    """
    if not phone.dialable:
        return False
    waiting = select(CallbackRequest.id).where(CallbackRequest.open_key == phone.e164)
    if await session.scalar(waiting) is not None:
        return False
    owners = (
        select(Customer.id, Customer.do_not_call)
        .join(CustomerPhone, CustomerPhone.customer_id == Customer.id)
        .where(CustomerPhone.e164 == phone.e164, Customer.merged_into.is_(None))
        .limit(10)
    )
    found = (await session.execute(owners)).all()
    if any(row.do_not_call for row in found):
        return False
    try:
        async with session.begin_nested():
            session.add(
                CallbackRequest(
                    id=new_ulid(),
                    e164=phone.e164,
                    customer_id=found[0].id if len(found) == 1 else None,
                    call_id=call_id,
                    reason=REASON,
                    requested_at=now,
                    open_key=phone.e164,
                )
            )
    except IntegrityError:
        return False  # somebody stored a wish of this number between our look and our write
    return True


async def note_reached(session: AsyncSession, *, phone: Phone, now: datetime) -> int:
    """Close what was noted for a number that somebody has talked with since; return how many it were."""
    done = (
        update(CallbackRequest)
        .where(
            CallbackRequest.open_key == phone.e164,
            CallbackRequest.reason == REASON,
            CallbackRequest.requested_at <= now,
        )
        .values(done_at=now, open_key=None)
        .returning(CallbackRequest.id)
    )
    return len((await session.execute(done)).all())
