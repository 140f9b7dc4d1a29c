"""Limits worked on by several processes: workers, and what they wrote."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select

from crm.events_limits import (
    LimitFact,
)
from crm.limit_tables import LimitBreachRow
from crm.limit_worker import LimitWorker
from crm.limits import LimitBook, RecordRef, TimerView
from kernel.db import Database
from tests.support.limits import SettableClock, at, local

HOUR = timedelta(hours=1)
FRIDAY = at("2026-03-20T16:30")


def worker_of(database: Database, clock: SettableClock, name: str = "w1", *, batch: int = 500) -> LimitWorker:
    # A book of its own: another process.
    return LimitWorker(database, clock, LimitBook(clock), worker=name, batch=batch)


async def drain(*workers: LimitWorker) -> None:
    for worker in workers:
        while await worker.run_once():
            pass


async def stop(database: Database, book: LimitBook, code: str, record: RecordRef, when: str) -> TimerView:
    async with database.transaction() as session:
        found = await book.stop(session, code, record, at=at(when))
    assert found is not None
    return found


async def only(database: Database, book: LimitBook, record: RecordRef) -> TimerView:
    async with database.session() as session:
        (found,) = (await book.timers(session, [record.record_id]))[record.record_id]
    return found


async def breaches(database: Database) -> Sequence[LimitBreachRow]:
    async with database.session() as session:
        return (await session.scalars(select(LimitBreachRow))).all()


def kinds(found: Sequence[LimitFact]) -> list[str]:
    return [f"{type(fact).__name__} {local(fact.at)}" for fact in found]
