"""Limits in the database, worked on by any number of processes: domain.md §0 (clocks, chain), §1.3."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm.events_limits import (
    LimitBreached,
    LimitEscalated,
    LimitFact,
    LimitRed,
    LimitWarned,
)
from crm.limit_tables import AppraisalProposalRow, LimitTimerRow
from crm.limits import LimitBook, TimerState, TimerView
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.limit_work import FRIDAY, breaches, drain, kinds, only, worker_of
from tests.support.limits import OWNER, SettableClock, at, complaint, facts, local, start

pytestmark = pytest.mark.integration


# The worked example, set A, from registration to callback.


async def test_the_worked_example_of_set_A(database: Database, book: LimitBook, clock: SettableClock) -> None:
    case = complaint(new_ulid(), "line-1")
    seen: list[TimerView] = []
    async with database.transaction() as session:
        for event, when in (
            ("registered", "2026-03-20T16:30"),
            ("accepted", "2026-03-21T09:10"),
            ("verified", "2026-03-21T15:00"),
            ("planned", "2026-03-22T11:00"),
            ("visit_over", "2026-03-23T12:00"),
        ):
            seen += await book.happened(session, "TS", event, case, at=at(when), owner=OWNER)
    assert [(view.code, local(view.due_at)) for view in seen] == [
        ("TS.T1", "Sat 03-21 10:00"),
        ("TS.T2", "Sun 03-22 09:10"),
        ("TS.T3", "Sun 03-22 15:00"),
        ("TS.T4", "Wed 03-25 12:00"),
    ]
    clock.set(at("2026-03-24T12:00"))
    async with database.session() as session:
        views = (await book.timers(session, [case.record_id]))[case.record_id]
    assert [(view.state, view.overdue) for view in views] == [("stopped", False)] * 3 + [("running", False)]
    assert (views[3].used, views[3].amber, views[3].policy) == (0.5, True, "A/1")
    assert not await breaches(database)


async def test_set_B_counts_T3_from_acceptance_and_T4_from_registration(
    database: Database, clock: SettableClock
) -> None:
    book, case = LimitBook(clock, default_set="B"), complaint(new_ulid())
    async with database.transaction() as session:
        first = await book.happened(session, "TS", "registered", case, at=FRIDAY, owner=OWNER)
        second = await book.happened(session, "TS", "accepted", case, at=at("2026-03-21T09:10"), owner=OWNER)
    assert [(view.code, local(view.due_at)) for view in (*first, *second)] == [
        ("TS.T1", "Sat 03-21 10:00"),
        ("TS.T4", "Sun 03-22 16:30"),
        ("TS.T2", "Sun 03-22 09:10"),
        ("TS.T3", "Sun 03-22 09:10"),
    ]


# The chain.


async def test_every_point_of_the_chain_is_told_once_in_its_time(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    case = complaint(new_ulid(), "line-1")
    await start(database, book, "TS.T1", case, FRIDAY)
    worker = worker_of(database, clock)
    for _ in range(8 * 36):
        clock.advance(timedelta(minutes=10))
        await worker.run_once()
    assert kinds(await facts(database, LimitFact)) == [
        "LimitWarned Fri 03-20 18:00",
        "LimitWarned Sat 03-21 09:24",
        "LimitBreached Sat 03-21 10:00",
        "LimitRed Sat 03-21 13:00",
        "LimitEscalated Sun 03-22 10:00",
    ]
    (breach,) = await breaches(database)
    assert (breach.department, breach.specialist, local(breach.breached_at)) == (
        "ENG",
        "u-li",
        "Sat 03-21 10:00",
    )
    (warned, _) = await facts(database, LimitWarned)
    assert (warned.percent, warned.record_kind, warned.record_id, warned.line_id) == (
        50,
        "complaint",
        case.record_id,
        "line-1",
    )
    assert (warned.record_no, warned.department, warned.user_id) == (case.no, "ENG", "u-zhao")
    assert warned.due_at == at("2026-03-21T10:00")
    (escalated,) = await facts(database, LimitEscalated)
    async with database.session() as session:
        (proposal,) = (await session.scalars(select(AppraisalProposalRow))).all()
    assert proposal.id == escalated.appraisal_id
    assert (proposal.points, proposal.state, proposal.user_id) == (-2, "proposed", "u-zhao")
    view = await only(database, book, case)
    assert (view.state, view.overdue, view.used) == (TimerState.RUNNING, True, 1.0)
    assert [local(moment) for moment in (view.breached_at, view.red_at, view.escalated_at)] == [
        "Sat 03-21 10:00",
        "Sat 03-21 13:00",
        "Sun 03-22 10:00",
    ]


async def test_points_missed_while_the_service_was_down_come_in_order_each_once(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    await start(database, book, "TS.T1", complaint(new_ulid()), FRIDAY)
    clock.advance(timedelta(days=9))
    await drain(worker_of(database, clock, "w1"), worker_of(database, clock, "w2"))
    names = [type(fact).__name__ for fact in await facts(database, LimitFact)]
    assert names == ["LimitWarned", "LimitWarned", "LimitBreached", "LimitRed", "LimitEscalated"]


async def test_many_workers_racing_write_each_breach_once(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    async with database.transaction() as session:
        for _ in range(120):
            await book.start(session, "TS.T1", complaint(new_ulid()), at=FRIDAY, owner=OWNER)
    clock.advance(timedelta(days=9))
    workers = [worker_of(database, clock, f"w{number}", batch=7) for number in range(4)]
    await asyncio.gather(*(drain(worker) for worker in workers))
    await drain(*workers)
    assert len({breach.timer_id for breach in await breaches(database)}) == 120
    for kind, count in ((LimitWarned, 240), (LimitBreached, 120), (LimitRed, 120), (LimitEscalated, 120)):
        assert len(await facts(database, kind)) == count
    async with database.session() as session:
        assert await session.scalar(select(func.count()).where(LimitTimerRow.due_at.is_not(None))) == 0


async def test_a_worker_killed_between_claim_and_commit_loses_and_doubles_nothing(
    database: Database, book: LimitBook, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start(database, book, "TS.T1", complaint(new_ulid()), FRIDAY)
    clock.set(at("2026-03-21T10:00"))
    killed = worker_of(database, clock, "killed")

    # All is written and nothing committed when it dies.
    commits = AsyncSession.commit
    count = 0

    async def commit(session: AsyncSession) -> None:
        nonlocal count
        count += 1
        if count == 2:
            await session.flush()
            raise asyncio.CancelledError
        await commits(session)

    monkeypatch.setattr(AsyncSession, "commit", commit)
    with pytest.raises(asyncio.CancelledError):
        await killed.run_once()
    monkeypatch.undo()
    assert not await breaches(database)

    other = worker_of(database, clock, "other")
    await drain(other)
    assert not await breaches(database)  # still claimed
    clock.advance(timedelta(seconds=31))
    await drain(other)
    assert len(await breaches(database)) == 1
    assert len(await facts(database, LimitFact)) == 3


async def test_a_worker_that_comes_back_too_late_finds_its_rows_taken(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    await start(database, book, "TS.T1", complaint(new_ulid()), FRIDAY)
    clock.set(at("2026-03-21T10:00"))
    slow, quick = worker_of(database, clock, "slow"), worker_of(database, clock, "quick")
    handle = slow._handle

    async def late(rows: Sequence[LimitTimerRow]) -> None:
        clock.advance(timedelta(seconds=31))
        await drain(quick)
        await handle(rows)

    slow._due._handler = late
    await slow.run_once()
    assert len(await breaches(database)) == 1
    assert len(await facts(database, LimitFact)) == 3


async def test_wall_clock_set_forward_and_back_doubles_and_loses_nothing(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    await start(database, book, "TS.T1", complaint(new_ulid()), FRIDAY)
    worker = worker_of(database, clock)
    clock.set(at("2026-03-21T09:30"))
    await drain(worker)
    clock.set(at("2026-03-20T16:35"))
    await drain(worker)
    clock.set(at("2026-03-22T11:00"))
    await drain(worker)
    clock.set(at("2026-03-20T16:35"))
    await drain(worker)
    clock.set(at("2026-03-29T11:00"))
    await drain(worker)
    assert len(await facts(database, LimitFact)) == 5
    assert len(await breaches(database)) == 1


async def test_a_claim_from_before_the_clock_was_set_back_does_not_hold(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    await start(database, book, "TS.T1", complaint(new_ulid()), FRIDAY)
    async with database.transaction() as session:
        claimed = {"claimed_by": "gone", "claimed_until": at("2026-03-25T12:00")}
        await session.execute(update(LimitTimerRow).values(**claimed))
    clock.set(at("2026-03-21T10:00"))
    await drain(worker_of(database, clock))
    assert len(await breaches(database)) == 1
