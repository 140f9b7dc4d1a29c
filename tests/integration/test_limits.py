"""Limits in the database, worked on by any number of processes: domain.md §0 (clocks, chain), §1.3."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from crm.domain.limits import LimitConflict, NoSuchLimit
from crm.events_limits import (
    LimitBreached,
    LimitBreachWithdrawn,
    LimitEscalated,
    LimitFact,
    LimitRed,
    LimitWarned,
)
from crm.limit_rules import shipped_text
from crm.limit_tables import AppraisalProposalRow, LimitBreachRow, LimitTimerRow
from crm.limit_worker import LimitWorker
from crm.limits import LimitBook, Owner, RecordRef, TimerState, TimerView
from kernel.db import Database
from kernel.errors import ConfigurationError, Conflict, Invalid
from kernel.holidays import CalendarDay, CalendarKind, WorkCalendar
from kernel.ids import new_ulid
from tests.support.limits import OWNER, SettableClock, at, complaint, facts, local, start

pytestmark = pytest.mark.integration

HOUR = timedelta(hours=1)
FRIDAY = at("2026-03-20T16:30")


@pytest.fixture
def clock() -> SettableClock:
    """Friday 20 March 2026, 16:30: the worked example's registration."""
    return SettableClock(FRIDAY)


@pytest.fixture
def book(clock: SettableClock) -> LimitBook:
    return LimitBook(clock)


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


# Policies.

STRICTER = shipped_text("A").replace("amount: 24h, start: accepted", "amount: 12h, start: accepted")


async def test_a_policy_change_touches_no_record_that_has_begun(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    old = complaint(new_ulid())
    before = await start(database, book, "TS.T1", old, FRIDAY)
    async with database.transaction() as session:
        monday = at("2026-03-23T00:00")
        version = await book.policies.load(
            session, STRICTER, source="limits.yaml", effective_from=monday, by="王经理"
        )
    assert (version.set_name, version.version) == ("A", 2)
    clock.set(at("2026-03-23T09:00"))
    new = complaint(new_ulid())
    assert (await only(database, LimitBook(clock), old)).due_at == before.due_at
    kept = await start(database, book, "TS.T2", old, clock.now())
    fresh = await start(database, book, "TS.T2", new, clock.now())
    assert (kept.policy, local(kept.due_at)) == ("A/1", "Tue 03-24 09:00")
    assert (fresh.policy, local(fresh.due_at)) == ("A/2", "Mon 03-23 21:00")
    backdated = await start(database, book, "TS.T2", complaint(new_ulid()), at("2026-03-22T09:00"))
    assert backdated.policy == "A/1"


async def test_another_set_counts_from_its_date_for_new_records(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    old = complaint(new_ulid())
    await start(database, book, "TS.T1", old, FRIDAY)
    async with database.transaction() as session:
        await book.policies.choose(session, "B", effective_from=at("2026-03-21T00:00"), by="王经理")
    assert (await start(database, book, "TS.T1", complaint(new_ulid()), FRIDAY)).policy == "A/1"
    clock.set(at("2026-03-21T09:00"))
    assert (await start(database, book, "TS.T1", complaint(new_ulid()), clock.now())).policy == "B/1"
    assert (await start(database, book, "TS.T2", old, clock.now())).policy == "A/1"
    async with database.transaction() as session:
        with pytest.raises(Conflict):
            await book.policies.choose(session, "A", effective_from=FRIDAY, by="王经理")
        with pytest.raises(NoSuchLimit):
            await book.policies.choose(session, "C", effective_from=clock.now(), by="王经理")


async def test_a_policy_cannot_begin_in_the_past_and_a_wrong_file_is_not_stored(
    database: Database, book: LimitBook
) -> None:
    async with database.transaction() as session:
        with pytest.raises(Invalid, match="is past"):
            await book.policies.load(
                session, STRICTER, source="limits.yaml", effective_from=FRIDAY - HOUR, by="王经理"
            )
        with pytest.raises(ConfigurationError, match=r"limits\.yaml: TS\.T1\.amount: "):
            await book.policies.load(
                session,
                STRICTER.replace("amount: 3h", "amount: soon", 1),
                source="limits.yaml",
                effective_from=FRIDAY,
                by="王经理",
            )
        assert [version.version for version in await book.policies.versions(session)] == [1, 1]


@pytest.mark.parametrize("change", ["UPDATE limit_policy SET title = 'x'", "DELETE FROM limit_policy"])
async def test_the_database_itself_keeps_a_policy_as_it_is(
    database: Database, book: LimitBook, change: str
) -> None:
    await start(database, book, "TS.T1", complaint(new_ulid()), FRIDAY)
    with pytest.raises(DBAPIError, match="never changes"):
        async with database.transaction() as session:
            await session.execute(text(change))


async def test_two_processes_storing_the_shipped_set_at_once(
    database: Database, clock: SettableClock
) -> None:
    async def one() -> TimerView:
        return await start(database, LimitBook(clock), "TS.T1", complaint(new_ulid()), FRIDAY)

    assert {view.policy for view in await asyncio.gather(*(one() for _ in range(6)))} == {"A/1"}
    async with database.session() as session:
        assert len({row async for row in await session.stream_scalars(select(LimitTimerRow.policy_id))}) == 1


# The calendar.


async def test_an_override_moves_what_is_started_after_it(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    day = CalendarDay(date=date(2026, 3, 21), kind=CalendarKind.HOLIDAY, name="停业", source="公司通知")
    before = await start(database, book, "TS.T1", complaint(new_ulid()), FRIDAY)
    async with database.transaction() as session:
        await book.calendar.put_day(session, day)
        await book.calendar.put_day(session, day)
    after = await start(database, book, "TS.T1", complaint(new_ulid()), FRIDAY)
    assert (local(before.due_at), local(after.due_at)) == ("Sat 03-21 10:00", "Sun 03-22 10:00")


async def test_a_limit_that_cannot_be_understood_stops_no_other(
    database: Database, book: LimitBook, clock: SettableClock
) -> None:
    await start(database, book, "TS.T1", complaint(new_ulid()), FRIDAY)
    await start(database, book, "TS.T1", complaint("broken"), FRIDAY)
    async with database.transaction() as session:
        broken = update(LimitTimerRow).where(LimitTimerRow.record_id == "broken")
        await session.execute(broken.values(code="TS.T9"))
    clock.set(at("2026-03-21T10:00"))
    await drain(worker_of(database, clock))
    assert len(await breaches(database)) == 1


async def test_a_calendar_that_ends_soon_is_complained_of_in_time(
    database: Database, clock: SettableClock
) -> None:
    last = max(year for year in range(2026, 2060) if WorkCalendar().knows(year))
    worker = worker_of(database, clock)
    clock.set(at(f"{last}-12-01T09:00"))
    with capture_logs() as logs:
        assert await worker.check_calendar() == 31
        assert not logs
        clock.set(at(f"{last}-12-20T09:00"))
        assert await worker.check_calendar() == 12
    assert [(entry["event"], entry["year"], entry["days_left"]) for entry in logs] == [
        ("calendar_year_missing", last + 1, 12)
    ]
    async with database.transaction() as session:
        await LimitBook(clock).calendar.load_year(session, last + 1, [])
    clock.advance(timedelta(minutes=2))
    assert await worker.check_calendar() == 377
