"""Pauses of recordings: rows, the node's keeper on a fake PBX, and the watch that begins them."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import insert, select

from app.recording_pause_part import NumberWatch, asks_for_number
from kernel.access import Actor, Role
from kernel.audit import AuditRow
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, NotFound
from kernel.ids import new_ulid
from speech.events import SpeechHeard
from telephony.ami.actions import AmiActions
from telephony.ami.errors import AmiDown, AmiRejected
from telephony.events import ListeningPaused
from telephony.history import CallHistory
from telephony.pause_keeper import PauseKeeper
from telephony.recording_pauses import PauseEnd, PauseWhy, RecordingPauses
from telephony.tables import CallRow
from telephony.tap_ports import Calls
from web.live_hub import LiveHub
from web.pause_feed import PauseFeed

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)


class Pbx:
    """Two channels of which one is recorded."""

    def __init__(self) -> None:
        self.muted: dict[str, bool] = {"PJSIP/trunk-1": False}
        self.down = False

    async def mixmonitor_mute(self, channel: str, *, muted: bool) -> None:
        if self.down:
            raise AmiDown("no link", sent=False)
        if channel not in self.muted:
            raise AmiRejected("the PBX refused MixMonitorMute", answer="Cannot set mute flag")
        self.muted[channel] = muted


class Line:
    """A call that an agent has."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock, self.bus, self.pbx = database, FakeClock(NOW), Bus(), Pbx()
        self.call_id, self.agent_id = new_ulid(), new_ulid()
        self.call: Any = SimpleNamespace(
            call_id=self.call_id,
            agent_number="1001",
            is_open=True,
            live={
                "1.1": SimpleNamespace(uniqueid="1.1", channel="PJSIP/trunk-1"),
                "1.2": SimpleNamespace(uniqueid="1.2", channel="PJSIP/1001-2"),
            },
        )
        self.pauses = RecordingPauses(database, self.clock, self.bus)
        self.keeper = self.another_process()
        self.agent = Actor(user_id=new_ulid(), name="周晓梅", role=Role.AGENT, department=None, ip="")

    def another_process(self) -> PauseKeeper:
        book = SimpleNamespace(get=lambda call_id: self.call if call_id == self.call_id else None)
        return PauseKeeper(
            "pbx1",
            cast(Calls, book),
            cast(AmiActions, self.pbx),
            self.pauses,
            database=self.database,
            bus=self.bus,
            clock=self.clock,
        )

    async def store(self) -> None:
        values = {
            "call_id": self.call_id,
            "node": "pbx1",
            "direction": "in",
            "from_number": "+8613800138001",
            "to_number": "4008001234",
            "from_name": "",
            "agent_id": self.agent_id,
            "agent_number": "1001",
            "state": "talking",
            "menu_path": [],
            "started_at": NOW - timedelta(minutes=1),
            "talk_ms": 0,
            "hold_ms": 0,
            "adopted": False,
        }
        async with self.database.transaction() as session:
            await session.execute(insert(CallRow).values(values))

    @property
    def silent(self) -> bool:
        return self.pbx.muted["PJSIP/trunk-1"]

    async def begin(self) -> None:
        await self.pauses.pause(self.agent, self.call_id, agent_id=self.agent_id)
        await self.keeper.settle()


@pytest.fixture
async def line(sqlite: Database) -> Line:
    found = Line(sqlite)
    await found.store()
    return found


async def test_a_pause_is_done_shown_and_written_down(line: Line) -> None:
    await line.begin()
    await line.begin()
    assert line.silent
    (pause,) = await line.pauses.of_call(line.agent, line.call_id, agent_id=line.agent_id)
    assert (pause.why, pause.muted_at, pause.is_open) == (PauseWhy.AGENT, NOW, True)
    line.clock.advance(timedelta(seconds=20))
    ended = await line.pauses.resume(line.agent, line.call_id, agent_id=line.agent_id)
    assert ended is not None
    await line.keeper.settle()
    assert not line.silent
    assert await line.pauses.resume(line.agent, line.call_id, agent_id=line.agent_id) is None
    call = await CallHistory(line.database).get(line.call_id)
    assert [(one.seq, one.kind, dict(one.detail)) for one in call.timeline] == [
        (1, "recording_paused", {"who": "周晓梅", "why": "agent"}),
        (2, "recording_resumed", {"who": "周晓梅", "why": "resumed"}),
    ]
    async with line.database.session() as session:
        noted = (await session.scalars(select(AuditRow.action).order_by(AuditRow.seq))).all()
    assert noted == ["recording.paused", "recording.resumed"]


async def test_pages_are_told_of_each_change_once(line: Line) -> None:
    hub, told = LiveHub(line.clock), list[tuple[str, str, Any]]()
    mine, theirs = line.agent_id, new_ulid()
    pops = SimpleNamespace(
        agents_on=lambda call_id: [mine] if call_id == line.call_id else [],
        call_of=lambda agent_id: line.call_id if agent_id == mine else None,
    )
    feed = PauseFeed(bus=line.bus, hub=hub, pops=pops, database=line.database)
    cast(Any, hub).publish = lambda *event: told.append(event)
    await line.pauses.pause(line.agent, line.call_id, agent_id=mine)
    await feed.look()
    await feed.look()
    assert [event[:2] for event in told] == [("pauses", "pauses"), (f"recording:{mine}", "recording")]
    assert told[0][2]["pauses"] == [
        {
            "call_id": line.call_id,
            "state": "pausing",
            "by": "周晓梅",
            "why": "agent",
            "since": NOW.isoformat(),
        }
    ]
    await line.keeper.settle()
    await feed.prepare(["board"])
    await feed.prepare(["pauses"])
    assert told[-1][2] == {"call_id": line.call_id, "state": "paused"}
    assert feed.snapshot(f"recording:{theirs}") == [("recording", {"call_id": None, "state": "running"})]
    await line.pauses.resume(line.agent, line.call_id, agent_id=mine)
    await feed.look()
    assert told[-1][2]["state"] == "running"
    assert feed.snapshot("pauses") == [("pauses", {"pauses": []})]


async def test_it_ends_by_itself_and_outlives_a_kill(line: Line) -> None:
    await line.begin()
    line.pbx.muted["PJSIP/trunk-1"] = False  # whatever happened: another process makes it silent again
    line.keeper = line.another_process()
    await line.keeper.settle()
    assert line.silent
    line.clock.advance(timedelta(minutes=2))
    line.pbx.down = True
    await line.keeper.settle()
    assert line.silent
    line.pbx.down = False
    await line.another_process().settle()
    assert not line.silent
    (pause,) = await line.pauses.of_call(line.agent, line.call_id, agent_id=line.agent_id)
    assert pause.ended_why is PauseEnd.TIME


@pytest.mark.parametrize("how", ["transferred", "call_ended"])
async def test_another_agent_or_the_end_ends_it(line: Line, how: str) -> None:
    await line.begin()
    if how == "transferred":
        line.call.agent_number = "1002"
    else:
        line.call.is_open = False
    await line.keeper.settle()
    (pause,) = await line.pauses.of_call(line.agent, line.call_id, agent_id=line.agent_id)
    assert pause.ended_why == how
    assert line.silent == (how == "call_ended"), "an ended call has no channel to speak to"


async def test_the_link_is_down_while_it_is_asked_for(line: Line) -> None:
    """It is not shown as paused before it is."""
    line.pbx.down = True
    await line.begin()
    (pause,) = await line.pauses.of_call(line.agent, line.call_id, agent_id=line.agent_id)
    assert pause.muted_at is None
    line.pbx.down = False
    await line.keeper.settle()
    assert line.silent


async def test_who_may(line: Line) -> None:
    other = new_ulid()
    with pytest.raises(Forbidden):
        await line.pauses.pause(line.agent, line.call_id, agent_id=other)
    with pytest.raises(NotFound):
        await line.pauses.pause(line.agent, new_ulid(), agent_id=line.agent_id)
    boss = Actor(user_id=new_ulid(), name="班长", role=Role.SUPERVISOR, department=None, ip="")
    assert (await line.pauses.pause(boss, line.call_id)).why is PauseWhy.SUPERVISOR
    async with line.database.transaction() as session:
        (await session.get_one(CallRow, line.call_id)).ended_at = NOW
    with pytest.raises(Conflict):
        await line.pauses.pause(boss, line.call_id)


@pytest.mark.parametrize(
    ("speaker", "text", "begins"),
    [
        pytest.param("agent", "麻烦您报一下银行卡号", True, id="asked"),
        pytest.param("agent", "您的身份证号码是多少", True, id="asked-id"),
        pytest.param("customer", "卡号是六二二二零二", True, id="begun"),
        pytest.param("customer", "我的电话是一三八零零一三八零零一", False, id="telephone"),
        pytest.param("agent", "门卡不能用是吗", False, id="another-card"),
    ],
)
async def test_a_number_being_said_pauses_by_itself(
    line: Line, speaker: str, text: str, begins: bool
) -> None:
    watch = NumberWatch(line.pauses, line.bus, line.clock)
    async with line.bus.subscribe(ListeningPaused, name="test") as told:
        for kind in ("partial", "final"):
            await watch.hear(
                SpeechHeard(
                    at=NOW,
                    call_id=line.call_id,
                    speaker=speaker,
                    kind=kind,
                    segment_id=new_ulid() if kind == "final" else "",
                    text=text,
                    start=1.0,
                    end=3.0,
                    delay_seconds=0.2,
                    engine="fake",
                    model="fake",
                )
            )
        if begins:
            assert isinstance(await told.get(), ListeningPaused)
    found = await line.pauses.of_call(line.agent, line.call_id, agent_id=line.agent_id)
    assert [one.why for one in found] == [PauseWhy.AUTOMATIC] * begins


def test_what_asks_for_a_number() -> None:
    assert asks_for_number("请提供一下您的身份证号")
    assert not asks_for_number("我看一下您的工单号")
