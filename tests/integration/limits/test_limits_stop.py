"""Limits stopped, paused, moved, handed over: in time, late, in a race."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from crm.domain.limits import LimitConflict
from crm.events_limits import (
    LimitBreached,
    LimitBreachWithdrawn,
    LimitFact,
    LimitRed,
)
from crm.limit_tables import AppraisalProposalRow
from crm.limits import LimitBook, Owner, RecordRef, TimerState
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.limit_work import FRIDAY, HOUR, breaches, drain, only, stop, worker_of
from tests.support.limits import OWNER, SettableClock, at, complaint, facts, local, start

pytestmark = pytest.mark.integration


# Stopping.


async def test_stopped_in_time_there_is_nothing_to_tell(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    case = complaint(new_ulid())
    await start(database, book, "TS.T1", case, FRIDAY)
    view = await stop(database, book, "TS.T1", case, "2026-03-20T17:00")
    assert (view.state, view.overdue) == (TimerState.STOPPED, False)
    clock.advance(timedelta(days=9))
    await drain(worker_of(database, clock))
    assert not await facts(database, LimitFact)
    assert (await only(database, book, case)).used == pytest.approx(1 / 6)


async def test_stopped_at_the_deadline_is_in_time(database: Database, book: LimitBook) -> None:
    case = complaint(new_ulid())
    await start(database, book, "TS.T1", case, FRIDAY)
    view = await stop(database, book, "TS.T1", case, "2026-03-21T10:00")
    assert (view.overdue, view.breached_at) == (False, None)


async def test_stopped_late_the_breach_is_written_though_no_worker_ran(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    case = complaint(new_ulid())
    await start(database, book, "TS.T1", case, FRIDAY)
    clock.set(at("2026-03-21T10:05"))
    view = await stop(database, book, "TS.T1", case, "2026-03-21T10:05")
    assert view.overdue
    await drain(worker_of(database, clock))
    assert [local(breach.breached_at) for breach in await breaches(database)] == ["Sat 03-21 10:00"]
    assert len(await facts(database, LimitBreached)) == 1
    assert not await facts(database, LimitRed)


async def test_written_down_late_but_done_in_time_withdraws_the_breach(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    case = complaint(new_ulid())
    await start(database, book, "TS.T1", case, FRIDAY)
    clock.set(at("2026-03-22T11:00"))
    await drain(worker_of(database, clock))
    view = await stop(database, book, "TS.T1", case, "2026-03-21T09:10")
    assert (view.overdue, view.breached_at, view.red_at) == (False, None, None)
    (breach,) = await breaches(database)
    assert breach.withdrawn_at is not None
    assert len(await facts(database, LimitBreachWithdrawn)) == 1
    async with database.session() as session:
        assert await session.scalar(select(AppraisalProposalRow.state)) == "dropped"


async def test_stop_racing_with_the_breach_gives_one_truth(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    cases = [complaint(new_ulid()) for _ in range(40)]
    for case in cases:
        await start(database, book, "TS.T1", case, FRIDAY)
    clock.set(at("2026-03-21T10:00:01"))
    workers = [worker_of(database, clock, f"w{number}", batch=5) for number in range(2)]
    stops = [stop(database, book, "TS.T1", case, "2026-03-21T10:00:01") for case in cases]
    await asyncio.gather(*(drain(worker) for worker in workers), *stops)
    clock.advance(timedelta(days=9))
    await drain(*workers)
    assert len(await breaches(database)) == len(await facts(database, LimitBreached)) == 40
    assert not await facts(database, LimitRed)
    async with database.session() as session:
        views = await book.timers(session, [case.record_id for case in cases])
    assert all(view.state == TimerState.STOPPED and view.breached_at for (view,) in views.values())


async def test_a_limit_runs_once_for_a_line_and_stop_of_none_is_nothing(
    database: Database, book: LimitBook
) -> None:
    case = complaint(new_ulid(), "line-1")
    await start(database, book, "TS.T1", case, FRIDAY)
    with pytest.raises(LimitConflict, match="runs already"):
        await start(database, book, "TS.T1", case, FRIDAY)
    await start(database, book, "TS.T1", RecordRef(case.kind, case.record_id, "line-2"), FRIDAY)
    async with database.transaction() as session:
        assert await book.stop(session, "TS.T2", case, at=FRIDAY) is None


async def test_a_rolled_back_transaction_leaves_no_limit(database: Database, book: LimitBook) -> None:
    case = complaint(new_ulid())

    async def fails() -> None:
        async with database.transaction() as session:
            await book.start(session, "TS.T1", case, at=FRIDAY, owner=OWNER)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fails()
    async with database.session() as session:
        assert (await book.timers(session, [case.record_id]))[case.record_id] == ()


async def test_a_restart_runs_afresh_and_keeps_what_was_missed(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    repair = RecordRef("repair", new_ulid())
    await start(database, book, "BX.R2", repair, FRIDAY)
    clock.set(at("2026-03-21T11:00"))
    async with database.transaction() as session:
        view = await book.restart(
            session,
            "BX.R2",
            repair,
            at=clock.now(),
            owner=Owner(department="CS", user_id="u-captain"),
            reason="ORIGINAL_NO_CONTACT",
        )
    assert local(view.due_at) == "Sat 03-21 14:00"
    assert len(await breaches(database)) == 1
    async with database.session() as session:
        old, new = (await book.timers(session, [repair.record_id]))[repair.record_id]
    assert (old.state, old.overdue, new.state) == (TimerState.VOID, False, TimerState.RUNNING)


async def test_void_ends_all_limits_of_a_record(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    record_id = new_ulid()
    for line in ("line-1", "line-2"):
        await start(database, book, "TS.T1", complaint(record_id, line), FRIDAY)
    async with database.transaction() as session:
        assert await book.void(session, complaint(record_id, "line-1"), reason="不属实") == 1
        assert await book.void(session, complaint(record_id), reason="不立案") == 1
    clock.advance(timedelta(days=9))
    await drain(worker_of(database, clock))
    assert not await breaches(database)


async def test_pause_and_resume(database: Database, book: LimitBook, clock: SettableClock) -> None:
    case = complaint(new_ulid())
    await start(database, book, "TS.T2", case, FRIDAY)
    clock.advance(6 * HOUR)
    async with database.transaction() as session:
        view = await book.pause(session, "TS.T2", case, at=clock.now(), reason="客户出差")
    assert view is not None
    assert (view.state, view.due_at, view.used) == (TimerState.PAUSED, None, 0.25)
    clock.advance(timedelta(days=9))
    await drain(worker_of(database, clock))
    assert not await facts(database, LimitFact)
    async with database.transaction() as session:
        view = await book.resume(session, "TS.T2", case, at=clock.now())
    assert view is not None
    assert view.due_at == clock.now() + 18 * HOUR
    clock.advance(18 * HOUR)
    await drain(worker_of(database, clock))
    assert len(await breaches(database)) == 1
    async with database.transaction() as session:
        with pytest.raises(LimitConflict, match="is over"):
            await book.pause(session, "TS.T2", case, at=clock.now(), reason="太迟")


async def test_hand_over_and_slot(database: Database, book: LimitBook, clock: SettableClock) -> None:
    repair = RecordRef("repair", new_ulid())
    await start(database, book, "BX.R6", repair, FRIDAY)
    async with database.transaction() as session:
        await book.hand_over(session, repair, Owner(department="CS", user_id="u-new", specialist="u-li"))
        view = await book.set_slot(session, "BX.R6", repair, slot=2 * HOUR)
    assert view is not None
    assert (view.owner.user_id, local(view.due_at)) == ("u-new", "Sun 03-22 18:30")
    async with database.transaction() as session:
        view = await book.set_slot(session, "BX.R6", repair, slot=HOUR)
    assert view is not None
    assert local(view.due_at) == "Sun 03-22 17:30"


async def test_T4_starts_at_the_end_of_the_agreed_visit_that_lies_ahead(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    case = complaint(new_ulid())
    view = await start(database, book, "TS.T4", case, at("2026-03-23T12:00"))
    assert (view.used, view.overdue, local(view.due_at)) == (0, False, "Wed 03-25 12:00")
    async with database.transaction() as session:  # the department says earlier that it is done
        view = await book.restart(session, "TS.T4", case, at=at("2026-03-21T12:00"), owner=OWNER)
    assert local(view.due_at) == "Mon 03-23 12:00"
