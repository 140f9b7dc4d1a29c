"""Customers say after a call how it was: whom to ask, and where the keys they press are kept.

The questions are the menus of these names in the flow after the queue; nothing that fails here keeps a
customer on the line.
"""

import asyncio
from datetime import timedelta

import structlog

from ivr.ports import RatingBook
from kernel.ids import is_ulid
from kernel.phone import Phone

log = structlog.get_logger(__name__)

TALKED = "CONTINUE"
"""What the queue says when the agent hung up first: the customer is still there."""
SERVICE, SOLVED = "rate_service", "rate_solved"
SERVICE_KEYS = frozenset("123")
YES, NO = "1", "2"


class RatingKeeper:
    """Asks and keeps, with a deadline. Without a book nobody is asked."""

    def __init__(self, book: RatingBook | None, *, deadline: timedelta) -> None:
        self._book = book
        self._deadline = deadline.total_seconds()

    async def asks(self, status: str, queue: str, phone: Phone | None) -> bool:
        """Tell whether this customer is to be asked."""
        if self._book is None or status != TALKED or not queue:
            return False
        try:
            async with asyncio.timeout(self._deadline):
                return await self._book.asks(queue, phone)
        except Exception as error:  # a border: the call simply ends
            log.warning("ivr_rating_not_asked", queue=queue[:32], error=type(error).__name__)
            return False

    async def note(self, call_id: str, node: str, key: str) -> None:
        """Keep the answer to a question; other menus are none."""
        if self._book is None or not is_ulid(call_id):
            return
        try:
            async with asyncio.timeout(self._deadline):
                if node == SERVICE and key in SERVICE_KEYS:
                    await self._book.note_service(call_id, int(key))
                elif node == SOLVED and key in {YES, NO}:
                    await self._book.note_solved(call_id, solved=key == YES)
        except Exception as error:  # a border: the answer is on the time line all the same
            log.error("ivr_rating_not_kept", call_id=call_id, error=type(error).__name__)
