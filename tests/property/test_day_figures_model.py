"""Any history gives the same figures live and rebuilt: restarts, lost and doubled news, midnight."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from telephony.agent_tables import AgentRow, AgentStateLogRow
from telephony.events import AgentStateChanged, CallProgressed
from telephony.queue_day import QueueDay
from telephony.rebuild import DayRebuild
from telephony.tables import CallEventRow, CallRow
from tests.support.db import sqlite_database

pytestmark = pytest.mark.property

SHANGHAI = ZoneInfo("Asia/Shanghai")
EVENING = datetime(2026, 3, 2, 15, 20, tzinfo=UTC)
"""Twenty past eleven in Shanghai."""
QUEUES = ("repair", "complaint")
AGENTS = ("jing", "wei")
SHORT = timedelta(seconds=5)
STATES = ("available", "ringing", "on_call", "wrap_up", "paused", "signed_out")

call, queue = st.integers(0, 3), st.sampled_from(QUEUES)
STEPS = st.one_of(
    st.tuples(st.just("tick"), st.integers(1, 900)),
    st.tuples(st.just("queued"), call, queue),
    st.tuples(st.just("answered"), call),
    st.tuples(st.just("left_queue"), call, st.sampled_from(("abandoned", "not_answered"))),
    st.tuples(st.just("ended"), call, st.sampled_from(("ANSWERED", "ABANDONED_QUEUE", "FAILED", "merged"))),
    st.tuples(st.just("agent"), st.sampled_from(AGENTS), st.sampled_from(STATES), call, queue),
    st.tuples(st.just("unheard"), st.booleans()),
    st.tuples(st.just("twice")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("lagged")),
    st.tuples(st.just("save")),
    st.tuples(st.just("line"), queue, st.integers(5, 60)),
)


class World:
    """A day that is counted live over a real database; each example has a PBX node of its own."""

    numbers = itertools.count()

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = FakeClock(EVENING)
        self.node = f"n{next(self.numbers)}"
        self.lines = dict.fromkeys(QUEUES, timedelta(seconds=20))
        self.calls: dict[int, tuple[str, int]] = {}
        self.last: CallProgressed | None = None
        self.unheard = False
        self.day = self.made()

    def made(self) -> QueueDay:
        day = QueueDay(self.database, self.clock, node=self.node, zone=SHANGHAI, short_abandon=SHORT)
        day.set_lines(self.lines)
        return day

    async def start(self) -> None:
        async with self.database.transaction() as session:
            await session.execute(delete(AgentStateLogRow))
        await self.load()

    async def load(self) -> None:
        async with self.database.session() as session:
            await self.day.load(session)

    async def happen(self, step: tuple[object, ...]) -> None:
        match step:
            case ("tick", int(seconds)):
                self.clock.advance(timedelta(seconds=seconds))
            case ("queued", int(number), str(name)):
                await self.row(number, "queued", name, {})
            case ("answered", int(number)):
                await self.row(number, "answered", None, {})
            case ("left_queue", int(number), str(reason)):
                await self.row(number, "left_queue", None, {"reason": reason})
            case ("ended", int(number), "merged"):
                await self.row(number, "ended", None, {"result": "ANSWERED", "reason": "merged"})
            case ("ended", int(number), str(result)):
                await self.row(number, "ended", None, {"result": result, "reason": "hangup", "by": "caller"})
            case ("agent", str(who), str(state), int(number), str(name)):
                await self.agent(who, state, number, name)
            case ("unheard", bool(flag)):
                if self.unheard and not flag:
                    await self.load()  # what was lost on the bus is told as lost
                self.unheard = flag
            case ("twice",) if self.last is not None:
                self.day.take(self.last)
            case ("restart",):
                await self.day.save()
                self.day = self.made()
                await self.load()
            case ("lagged",):
                await self.load()
            case ("save",):
                await self.day.look()
                await self.day.save()
            case ("line", str(name), int(seconds)):
                self.lines = {**self.lines, name: timedelta(seconds=seconds)}
                self.day.set_lines(self.lines)
            case _:
                pass

    async def row(self, number: int, kind: str, name: str | None, detail: dict[str, str]) -> None:
        now = self.clock.now()
        fresh = number not in self.calls
        call_id, seq = self.calls.get(number, (new_ulid(), 0))
        async with self.database.transaction() as session:
            if fresh:
                session.add(stored_call(call_id, self.node, now))
                await session.flush()
            session.add(
                CallEventRow(call_id=call_id, seq=seq + 1, at=now, kind=kind, queue=name, detail=detail)
            )
        self.last = CallProgressed(
            at=now,
            call_id=call_id,
            node=self.node,
            seq=seq + 1,
            kind=kind,
            state="",
            queue=name,
            detail=tuple(detail.items()),
        )
        self.calls[number] = (call_id, seq + 1)
        if kind == "ended":
            del self.calls[number]
        if not self.unheard:
            self.day.take(self.last)

    async def agent(self, who: str, state: str, number: int, name: str) -> None:
        now = self.clock.now()
        busy = state in ("ringing", "on_call", "wrap_up")
        async with self.database.transaction() as session:
            close = AgentStateLogRow.__table__.update()  # type: ignore[attr-defined]
            mine = (AgentStateLogRow.agent_id == who) & AgentStateLogRow.ended_at.is_(None)
            await session.execute(close.where(mine).values(ended_at=now))
            session.add(
                AgentStateLogRow(
                    entry_id=new_ulid(),
                    agent_id=who,
                    state=state,
                    call_id=f"call{number}" if busy else None,
                    queue=name if busy else None,
                    started_at=now,
                )
            )
        if not self.unheard:
            changed = AgentStateChanged(
                at=now, agent_id=who, agent_number=who, state=state, since=now, version=1
            )
            self.day.take(changed)

    async def agree(self) -> None:
        """What was counted as it happened is what the stored events give."""
        if self.unheard:
            await self.load()
        self.clock.advance(timedelta(seconds=1))
        await self.day.look()
        await self.day.save()
        rebuild = DayRebuild(
            self.database,
            self.clock,
            node=self.node,
            zone=SHANGHAI,
            short_abandon=SHORT,
            answer_within=self.lines,
        )
        for day in sorted({EVENING.astimezone(SHANGHAI).date(), rebuild.today()}):
            found = await rebuild.run(day, write=False)
            assert found.differences == ()
            stored = await rebuild.run(day)
            assert stored.total == found.total
        today = await rebuild.run(rebuild.today(), write=False)
        assert today.differences == ()
        for name in QUEUES:
            shown = self.day.counts(name, now=self.clock.now())
            assert shown.offered >= shown.answered + shown.abandoned >= 0
        live = sum(self.day.counts(name, now=self.clock.now()).offered for name in QUEUES)
        assert live == today.total.offered


def stored_call(call_id: str, node: str, now: datetime) -> CallRow:
    return CallRow(
        call_id=call_id,
        node=node,
        direction="in",
        from_number="",
        to_number="",
        from_name="",
        queue="repair",
        state="queued",
        menu_path=[],
        started_at=now,
        talk_ms=0,
        hold_ms=0,
        adopted=False,
        told=True,
    )


def test_figures_are_the_same_live_and_rebuilt() -> None:
    loop = asyncio.new_event_loop()
    opened = sqlite_database()
    database = loop.run_until_complete(opened.__aenter__())

    async def people() -> None:
        async with database.transaction() as session:
            for number, who in enumerate(AGENTS):
                session.add(
                    AgentRow(
                        agent_id=who,
                        number=f"100{number}",
                        name=who,
                        sip_password="x" * 8,
                        created_at=EVENING,
                    )
                )

    async def play(steps: list[tuple[object, ...]]) -> None:
        world = World(database)
        await world.start()
        for step in steps:
            await world.happen(step)
        await world.agree()

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(STEPS, min_size=5, max_size=40))
    @example([("tick", 1), ("queued", 1, "repair"), ("restart",), ("ended", 1, "merged"), ("unheard", True)])
    def histories(steps: list[tuple[object, ...]]) -> None:
        loop.run_until_complete(play(steps))

    try:
        loop.run_until_complete(people())
        histories()
    finally:
        loop.run_until_complete(opened.__aexit__(None, None, None))
        loop.close()
