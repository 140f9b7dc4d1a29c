"""The live board: what is counted, what waits, who works; after a restart, without the PBX, from Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app.runtime.redis_server import RedisServer
from kernel.bus import Bus, Lagged
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.events import Event
from kernel.ids import new_ulid
from kernel.supervise import end_tasks
from telephony.agent_events import BoardChanged
from telephony.board import Board, BoardConfig, BoardReader
from telephony.board_views import QueueView, board_key, decode_board, encode_board
from telephony.domain.agent_steps import Answered, LegEnded, LegUp
from telephony.domain.call import Call, CallState, Direction
from telephony.domain.service_level import Formula
from telephony.events import AgentReserved, CallMerged, CallProgressed, LinkStateChanged
from telephony.tables import CallEventRow, CallRow
from tests.support.agents import Centre, centre
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

SECOND = timedelta(seconds=1)
FAST = timedelta(milliseconds=10)


@dataclass
class Here:
    """A board over a centre whose calls and link the test decides."""

    base: Centre
    clock: FakeClock
    board: Board
    calls: list[Call] = field(default_factory=list)
    state: str = "live"
    as_of: datetime | None = None

    def link(self) -> LinkStateChanged:
        return LinkStateChanged(at=self.clock.now(), node="pbx1", state=self.state, as_of=self.as_of)

    def queue(self, name: str = "repair") -> QueueView:
        (found,) = [queue for queue in self.board.snapshot().queues if queue.name == name]
        return found

    def take(self, *told: Event | tuple[Event, ...]) -> None:
        for events in told:
            for event in events if isinstance(events, tuple) else (events,):
                self.board.take(event)


def make(
    base: Centre, clock: FakeClock, *, redis: "Redis | None" = None, formula: Formula | None = None
) -> Here:
    config = BoardConfig(shortest_gap=FAST, longest_gap=FAST * 5, formula=formula or Formula.NET_OF_SHORT)
    here: Here
    board = Board(
        base.database,
        clock,
        base.bus,
        open_calls=lambda: here.calls,
        link=lambda: here.link(),
        devices=lambda: {"1001": "NOT_INUSE", "1002": "UNAVAILABLE"},
        redis=redis,
        config=config,
    )
    here = Here(base, clock, board)
    return here


@pytest.fixture
async def here(sqlite: Database, clock: FakeClock) -> Here:
    made = make(await centre(sqlite, clock), clock)
    await made.board.load()
    return made


@asynccontextmanager
async def running(*boards: Board | BoardReader) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(board.run()) for board in boards]
    try:
        yield
    finally:
        assert await end_tasks(tasks) == ()


def waiting_call(clock: FakeClock, *, queue: str = "repair", ago: float = 0) -> Call:
    since = clock.now() - timedelta(seconds=ago)
    return Call(
        node="pbx1",
        direction=Direction.IN,
        from_number="+8613800138000",
        to_number="01065558800",
        from_name="<b>王</b>",
        started_at=since - 5 * SECOND,
        call_id=new_ulid(),
        state=CallState.QUEUED,
        queue=queue,
        waiting_in=queue,
        queued_at=since,
        menu_path=["报修"],
    )


def progressed(
    call_id: str,
    seq: int,
    at: datetime,
    kind: str,
    queue: str | None = None,
    detail: tuple[tuple[str, str], ...] = (),
) -> CallProgressed:
    return CallProgressed(
        at=at, call_id=call_id, node="pbx1", seq=seq, kind=kind, state="queued", queue=queue, detail=detail
    )


def queued(call_id: str, at: datetime, queue: str = "repair") -> CallProgressed:
    return progressed(call_id, 1, at, "queued", queue)


def answered(call_id: str, at: datetime, wait: float, queue: str = "repair") -> tuple[Event, ...]:
    came = queued(call_id, at - timedelta(seconds=wait), queue)
    return came, progressed(call_id, 2, at, "answered", queue)


def ended(
    call_id: str, at: datetime, wait: float, result: str, queue: str | None = "repair"
) -> tuple[Event, ...]:
    detail = (("result", result), ("reason", "hangup"), ("by", "caller"))
    over = progressed(call_id, 3, at, "ended", detail=detail)
    if queue is None or result == "ANSWERED":
        return (over,)
    return queued(call_id, at - timedelta(seconds=wait), queue), over


def events_of(call: CallRow) -> list[CallEventRow]:
    """The rows of its time line that its columns stand for."""
    made: list[tuple[str, datetime, dict[str, str]]] = []
    if call.queued_at is not None:
        made.append(("queued", call.queued_at, {}))
    if call.answered_at is not None and call.queued_at is not None:
        made.append(("answered", call.answered_at, {}))
    if call.result is not None and call.queued_at is not None:
        at = call.queued_at + timedelta(milliseconds=call.wait_ms or 0)
        reason = "merged" if call.merged_into else "hangup"
        made.append(("ended", call.answered_at or at, {"result": call.result, "reason": reason}))
    return [
        CallEventRow(call_id=call.call_id, seq=seq, at=at, kind=kind, queue=call.queue, detail=detail)
        for seq, (kind, at, detail) in enumerate(made, 1)
    ]


def row(at: datetime, *, queue: str | None = "repair", wait: float = 3, **changes: object) -> CallRow:
    values: dict[str, object] = {
        "call_id": new_ulid(),
        "node": "pbx1",
        "direction": "in",
        "from_number": "+8613800138000",
        "to_number": "01065558800",
        "from_name": "",
        "queue": queue,
        "state": "ended",
        "result": "ANSWERED",
        "menu_path": [],
        "started_at": at - 10 * SECOND,
        "queued_at": at if queue else None,
        "answered_at": at + timedelta(seconds=wait),
        "ended_at": at + timedelta(seconds=wait + 60),
        "wait_ms": int(wait * 1000),
        "talk_ms": 60_000,
        "hold_ms": 0,
        "adopted": False,
        "told": True,
    }
    return CallRow(**(values | changes))


async def store(session: AsyncSession, *calls: CallRow) -> None:
    session.add_all(calls)
    await session.flush()
    session.add_all(event for call in calls for event in events_of(call))


async def test_an_empty_centre_has_no_figures_and_no_zeroes_in_their_place(here: Here) -> None:
    view = here.board.snapshot()
    assert [queue.name for queue in view.queues] == ["complaint", "repair", "service"]
    for figures in (view.total, *view.queues):
        assert (figures.service_level, figures.asa_seconds) == (None, None)
        assert (figures.offered, figures.counted) == (0, 0)
    assert view.calls == ()
    assert view.as_of == here.clock.now()
    assert not view.stale


async def test_who_waits_and_for_how_long(here: Here) -> None:
    here.calls += [waiting_call(here.clock, ago=7), waiting_call(here.clock, ago=30)]
    talking = waiting_call(here.clock, ago=90)
    talking.waiting_in, talking.state = None, CallState.TALKING
    here.calls.append(talking)
    queue = here.queue()
    assert (queue.waiting, queue.longest_since) == (2, here.clock.now() - 30 * SECOND)
    assert here.queue("service").waiting == 0
    view = here.board.snapshot()
    assert [call.call_id for call in view.calls] == [c.call_id for c in (talking, *here.calls[1::-1])]
    assert view.calls[0].menu_path == ("报修",)


async def test_agents_by_queue_with_their_phones(here: Here) -> None:
    async with running(here.board):
        await here.base.desk.sign_in(here.base.jing)
        await eventually(lambda: here.queue().available == 1)
        assert (here.queue("service").signed_in, here.queue("complaint").signed_in) == (1, 0)
        await here.base.desk.pause(here.base.jing, "lunch")
        await eventually(lambda: here.queue().available == 0)
        jing, wei = here.board.snapshot().agents
        assert (jing.name, jing.state, jing.reason, jing.queues, jing.device) == (
            "李静",
            "paused",
            "lunch",
            ("repair", "service"),
            "NOT_INUSE",
        )
        assert (wei.state, wei.device) == ("signed_out", "UNAVAILABLE")


def kept(here: Here, *, reserved: bool) -> AgentReserved:
    return AgentReserved(
        at=here.clock.now(), node="pbx1", agent_number="1001", agent_id=here.base.jing, reserved=reserved
    )


async def test_who_is_kept_for_a_customer_is_not_free(here: Here) -> None:
    async with running(here.board):
        await here.base.desk.sign_in(here.base.jing)
        await eventually(lambda: here.queue().available == 1)
        here.clock.advance(60 * SECOND)
        here.take(kept(here, reserved=True))
        agent = here.board.snapshot().agents[0]
        assert (agent.state, agent.since, here.queue().available) == ("reserved", here.clock.now(), 0)
        here.take(kept(here, reserved=True))
        await here.base.pbx(LegUp(leg="pbx1/1", call_id=new_ulid()))
        await eventually(lambda: here.board.snapshot().agents[0].state == "on_call")
        here.take(kept(here, reserved=False))
        await here.base.pbx(LegEnded(leg="pbx1/1"))
        await eventually(lambda: here.board.snapshot().agents[0].state == "available")


async def test_a_pause_that_waits_for_the_calls_end_is_shown(here: Here) -> None:
    async with running(here.board):
        await here.base.desk.sign_in(here.base.jing)
        await here.base.pbx(LegUp(leg="pbx1/1", call_id=new_ulid()))
        await here.base.desk.pause(here.base.jing, "lunch")
        await eventually(lambda: here.board.snapshot().agents[0].next_state == "paused")
        assert here.board.snapshot().agents[0].state == "on_call"


async def test_the_day_is_counted_from_events(here: Here) -> None:
    now = here.clock.now()
    here.take(queued("A", now), queued("B", now), queued("C", now), queued("D", now))
    assert here.queue().offered == 4
    here.take(
        answered("A", now + 10 * SECOND, 10),
        answered("B", now + 30 * SECOND, 30),
        ended("A", now + 99 * SECOND, 10, "ANSWERED"),
        ended("C", now + 3 * SECOND, 3, "ABANDONED_SHORT"),
        ended("D", now + 40 * SECOND, 40, "ABANDONED_QUEUE"),
        ended("E", now, 0, "IVR_ONLY", queue=None),
    )
    queue = here.queue()
    assert (queue.offered, queue.answered, queue.abandoned, queue.short_abandoned) == (4, 2, 2, 1)
    assert (queue.within, queue.counted, queue.asa_seconds) == (1, 3, 20.0)
    assert queue.service_level == pytest.approx(1 / 3)
    assert here.board.snapshot().total.service_level == pytest.approx(1 / 3)


async def test_another_formula(sqlite: Database, clock: FakeClock) -> None:
    here = make(await centre(sqlite, clock), clock, formula=Formula.OF_ANSWERED)
    await here.board.load()
    now = clock.now()
    here.take(answered("A", now, 10), answered("B", now, 30), ended("C", now, 9, "ABANDONED_QUEUE"))
    assert (here.queue().within, here.queue().counted) == (1, 2)
    assert here.board.snapshot().formula == "of_answered"


async def test_after_our_restart_today_is_read_from_the_calls(database: Database, clock: FakeClock) -> None:
    base = await centre(database, clock)
    now, midnight = clock.now(), datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
    async with database.transaction() as session:
        calls = [
            row(now - 60 * SECOND, wait=3),
            row(now - 60 * SECOND, wait=33),
            row(now - 60 * SECOND, wait=4, result="ABANDONED_SHORT", answered_at=None),
            row(now - 60 * SECOND, wait=40, result="ABANDONED_QUEUE", answered_at=None),
            row(now - 60 * SECOND, wait=40, result="NO_ANSWER", answered_at=None),
            row(now, result=None, ended_at=None, state="queued", answered_at=None),
            row(now, queue=None),
            row(midnight - SECOND),
            row(midnight, queue="service"),
            row(now, merged_into=new_ulid()),
        ]
        await store(session, *calls)
    here = make(base, clock)
    await here.board.load()
    queue = here.queue()
    assert (queue.offered, queue.answered, queue.abandoned, queue.short_abandoned) == (6, 2, 2, 1)
    assert (queue.within, queue.counted, queue.asa_seconds) == (1, 3, 18.0)
    assert here.queue("service").answered == 1
    view = here.board.snapshot()
    assert view.total.offered == 7
    assert [(point.at, point.offered) for point in view.trend] == [
        (midnight, 1),
        (now - timedelta(minutes=30), 5),
        (now, 1),
    ]
    assert view.day_from == midnight


async def test_what_is_read_and_told_is_counted_once(here: Here) -> None:
    stored = row(here.clock.now(), wait=3)
    async with here.base.database.transaction() as session:
        await store(session, stored)
    here.take(ended(stored.call_id, here.clock.now(), 3, "ANSWERED"))
    here.board.take(Lagged(9))
    await here.board.load()
    here.take(ended(stored.call_id, here.clock.now(), 3, "ANSWERED"))
    assert (here.queue().offered, here.queue().answered) == (1, 1)


async def test_handling_time_and_occupancy_are_read_from_the_agents_log(here: Here) -> None:
    jing, call_id = here.base.jing, new_ulid()
    async with running(here.board):
        await here.base.desk.sign_in(jing)
        here.clock.advance(timedelta(minutes=1))
        await here.base.pbx(
            Answered(leg="pbx1/1", call_id=call_id, queue="repair", wrap_up=timedelta(minutes=1))
        )
        await eventually(lambda: here.board.snapshot().agents[0].state == "on_call")
        here.clock.advance(timedelta(minutes=3))
        await here.board.day.look()
        assert here.board.snapshot().total.occupancy == pytest.approx(3 / 4)
        assert here.queue().occupancy == pytest.approx(3 / 4)
        assert here.queue("complaint").occupancy is None
        assert here.queue().aht_seconds is None
        await here.base.pbx(LegEnded(leg="pbx1/1"))
        await eventually(lambda: here.board.snapshot().agents[0].state != "on_call")
        await here.board.day.look()
    assert (here.queue().handled, here.queue().aht_seconds) == (1, 180.0)
    assert here.board.snapshot().handling_as_of == here.clock.now()


async def test_midnight_begins_a_new_day(here: Here) -> None:
    here.take(answered("A", here.clock.now(), 1))
    here.clock.advance(timedelta(hours=14))
    assert here.queue().offered == 0


async def test_without_the_pbx_the_picture_says_how_old_it_is(here: Here) -> None:
    seen = here.clock.now()
    here.state, here.as_of = "down", seen
    here.clock.advance(timedelta(minutes=2))
    view = here.board.snapshot()
    assert view.stale
    assert view.as_of == seen
    assert {queue.as_of for queue in view.queues} == {seen}
    assert [(link.node, link.state) for link in view.links] == [("pbx1", "down")]


async def test_since_when_a_call_is_in_its_state(here: Here) -> None:
    call = waiting_call(here.clock)
    here.calls.append(call)
    here.take(queued(call.call_id, here.clock.now()))
    here.clock.advance(9 * SECOND)
    assert here.board.snapshot().calls[0].since == here.clock.now() - 9 * SECOND
    here.take(CallMerged(at=here.clock.now(), call_id=call.call_id, into_call_id=new_ulid(), node="pbx1"))
    assert here.board.snapshot().calls[0].since == call.queued_at


async def test_a_call_seen_again_after_a_gap_keeps_its_age(here: Here) -> None:
    call = waiting_call(here.clock, ago=40)
    call.state, call.answered_at = CallState.TALKING, here.clock.now() - 30 * SECOND
    here.calls.append(call)
    now = here.clock.now()
    here.take(CallProgressed(at=now, call_id=call.call_id, node="pbx1", seq=7, kind="gap", state="talking"))
    assert here.board.snapshot().calls[0].since == call.answered_at


async def test_changes_are_told_but_not_each_of_them(here: Here) -> None:
    told = here.base.bus.subscribe(BoardChanged, name="test")
    async with running(here.board):
        await told.get()
        for number in range(500):
            here.base.bus.publish(queued(f"C{number}", here.clock.now()))
        await eventually(lambda: here.queue().offered == 500)
        await told.get()
    told.close()
    assert len([event async for event in told]) < 20


async def test_a_database_that_is_away_leaves_what_is_known(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.take(answered("A", here.clock.now(), 1))

    def gone() -> object:
        raise OperationalError("away", None, Exception("away"))

    monkeypatch.setattr(here.base.database, "session", gone)
    here.board.take(Lagged(1))
    await here.board.load()
    assert here.queue().answered == 1
    assert len(here.board.snapshot().agents) == 2
    monkeypatch.undo()
    await here.board.load()
    assert here.queue().answered == 1


async def test_another_process_reads_the_same_picture(
    sqlite: Database, clock: FakeClock, redis: Redis, redis_server: RedisServer
) -> None:
    base = await centre(sqlite, clock)
    here = make(base, clock, redis=redis)
    reader = BoardReader(redis, clock, base.bus)
    assert reader.snapshot().stale
    assert not reader.live
    async with running(here.board, reader):
        here.calls.append(waiting_call(clock))
        base.bus.publish(queued(here.calls[0].call_id, clock.now()))
        await eventually(lambda: [c.call_id for c in reader.snapshot().calls] == [here.calls[0].call_id])
        assert reader.snapshot() == here.board.snapshot()
        assert reader.live
        await redis_server.stop()
        clock.advance(6 * SECOND)
        assert reader.snapshot().stale
        assert here.board.snapshot().stale is False
        await redis_server.start()
        await eventually(lambda: reader.live, timeout=10)


async def test_a_picture_of_another_version_is_left_alone(redis: Redis, clock: FakeClock) -> None:
    reader = BoardReader(redis, clock, Bus())
    await redis.set(board_key("pbx1"), b'{"as_of": 1}')
    await reader.refresh()
    assert reader.snapshot().stale


async def test_the_picture_survives_the_wire(here: Here) -> None:
    here.calls.append(waiting_call(here.clock, ago=3))
    here.take(answered("A", here.clock.now(), 2))
    view = here.board.snapshot()
    assert decode_board(encode_board(view)) == view
    assert decode_board(encode_board(replace(view, stale=True))).stale
