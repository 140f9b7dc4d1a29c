"""Callers who gave up in the queue become callbacks: facts of telephony, wishes of the CRM."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app.settings import Settings
from app.wiring import customer_number
from crm.abandoned_callers import note_abandoned, note_reached
from kernel.events import Event
from kernel.outbox import FactHandler
from kernel.phone import Phone
from telephony.domain.call import CallResult, Direction
from telephony.events import CallEnded

ABANDONED_FACTS: tuple[type[Event], ...] = (CallEnded,)


def abandoned_callers(settings: Settings) -> FactHandler:
    """Return what is done with each call that is over."""
    centre = settings.centre
    least = timedelta(seconds=centre.abandoned_callback_seconds)

    async def take(session: AsyncSession, fact: Event) -> None:
        if not isinstance(fact, CallEnded) or fact.direction == Direction.INTERNAL.value:
            return
        number = customer_number(fact)
        phone = Phone.parse_caller(number, default_area=centre.default_area) if number else None
        if phone is None:
            return
        if fact.result == CallResult.ANSWERED.value:
            await note_reached(session, phone=phone, now=fact.ended_at)
            return
        gave_up = fact.result == CallResult.ABANDONED_QUEUE.value and fact.direction == Direction.IN.value
        waited = timedelta(seconds=fact.wait_seconds or 0)
        if centre.abandoned_callback and gave_up and waited >= least:
            await note_abandoned(session, call_id=fact.call_id, phone=phone, now=fact.ended_at)

    return take
