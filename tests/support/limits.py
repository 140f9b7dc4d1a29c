"""Limits for tests: a book on the fixture's clock, and what it has written."""

from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import select

from crm.limits import LimitBook, Owner, RecordRef, TimerView
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.events import Event, decode
from kernel.outbox import OutboxRow

E = TypeVar("E", bound=Event)

OWNER = Owner(department="ENG", user_id="u-zhao", specialist="u-li")


def at(text: str) -> datetime:
    """Return a moment given in the site's time."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def local(moment: datetime | None) -> str:
    """Return a moment in the site's time, ``Sat 03-21 10:00``; ``-`` for none."""
    return moment.astimezone(SHANGHAI).strftime("%a %m-%d %H:%M") if moment else "-"


class SettableClock(FakeClock):
    """A wall clock that somebody sets, back too; the monotonic one only goes on."""

    def set(self, moment: datetime) -> None:
        """Set the wall clock."""
        self._now = moment.astimezone(UTC)


def complaint(record_id: str, line: str = "") -> RecordRef:
    """Return a complaint as a record."""
    return RecordRef("complaint", record_id, line, f"TS20260320-{record_id[-4:]}")


async def start(
    database: Database, book: LimitBook, code: str, record: RecordRef, when: datetime
) -> TimerView:
    """Start a limit in a transaction of its own."""
    async with database.transaction() as session:
        return await book.start(session, code, record, at=when, owner=OWNER)


async def facts(database: Database, kind: type[E]) -> list[E]:
    """Return the facts of one kind that were written, in the order of their delivery."""
    query = select(OutboxRow.payload).order_by(OutboxRow.created_at, OutboxRow.event_id)
    async with database.session() as session:
        found = [decode(payload) for payload in await session.scalars(query)]
    return [fact for fact in found if isinstance(fact, kind)]
