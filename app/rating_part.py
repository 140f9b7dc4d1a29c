"""Who is asked after a call how it was, and where the answers are kept."""

from crm.do_not_call import DoNotCall
from crm.domain.freeze import ContactPurpose
from kernel.clock import Clock
from kernel.db import Database
from kernel.phone import Phone
from telephony.call_ratings import CallRatings, Service


class Ratings:
    """Implements :class:`ivr.ports.RatingBook`: who refused surveys is not asked."""

    def __init__(self, database: Database, clock: Clock, refusals: DoNotCall) -> None:
        self._database = database
        self._kept = CallRatings(database, clock)
        self._refusals = refusals

    async def asks(self, queue: str, phone: Phone | None) -> bool:
        """Tell whether a customer of the queue, who calls from this number, is asked."""
        async with self._database.session() as session:
            if not await self._kept.wanted(session, queue):
                return False
            number = phone.e164 if phone is not None else None
            against = await self._refusals.allows(session, number, None, ContactPurpose.SURVEY)
            return against is None

    async def note_service(self, call_id: str, service: int) -> None:
        """Keep what was said of the service."""
        await self._kept.note_service(call_id, Service(service))

    async def note_solved(self, call_id: str, *, solved: bool) -> None:
        """Keep whether the question was answered."""
        await self._kept.note_solved(call_id, solved=solved)
