"""A call writer over a database that may go away, fed with recorded stories."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.db import Database
from kernel.events import decode
from kernel.outbox import OutboxRow
from telephony.call_news import CallNews
from telephony.domain.effects import Effect, Ended
from telephony.events import CallEnded
from telephony.spool import CallSpool
from telephony.writer import CallWriter
from tests.support.transcripts import play

AGENTS = {number: f"01JNA00000000000000000{number}" for number in ("1001", "1002", "1003")}


class FickleDatabase(Database):
    """A database that a test takes away and gives back.

    ``after_commit`` makes the loss come when everything is written but nobody was told.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database.engine)
        self.gone = False
        self.after_commit = False
        self.tries = 0

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        if self.gone:
            raise OperationalError("connect", None, ConnectionRefusedError("gone"))
        async with super().session() as session:
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        self.tries += 1
        if self.gone and not self.after_commit:
            raise OperationalError("connect", None, ConnectionRefusedError("gone"))
        async with super().transaction() as session:
            yield session
        if self.gone:
            raise OperationalError("commit", None, ConnectionResetError("gone"))


def call_writer(
    database: Database, folder: Path, *, max_bytes: int = 10_000_000, limit: int = 20_000
) -> CallWriter:
    """A writer with its spool in ``folder``."""
    spool = CallSpool(folder / "spool" / "calls.jsonl", max_bytes=max_bytes)
    return CallWriter(
        database, spool, agent_id_of=AGENTS.get, interval=timedelta(milliseconds=1), limit=limit
    )


def tell(writer: CallWriter, effects: list[Effect]) -> None:
    """Note what the ingest would note."""
    news = CallNews(AGENTS.get)
    for effect in effects:
        if isinstance(effect, Ended):
            writer.note_ended(effect.call, news.ended(effect.call))
        else:
            writer.note(effect.call)


def tell_story(writer: CallWriter, name: str) -> str:
    """Note a recorded story; return the call id it ended with."""
    _, effects = play(name)
    tell(writer, effects)
    return [effect.call.call_id for effect in effects if isinstance(effect, Ended)][-1]


async def facts(database: Database) -> list[CallEnded]:
    """The facts of ended calls that are in the outbox."""
    async with database.session() as session:
        rows = (await session.execute(select(OutboxRow).order_by(OutboxRow.created_at))).scalars()
        found = [decode(row.payload) for row in rows]
    return [fact for fact in found if isinstance(fact, CallEnded)]
