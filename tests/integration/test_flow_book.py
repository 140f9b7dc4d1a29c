"""Flows as supervisors keep them: proven, heard, published, rolled back; where calls went."""

import io
import math
import wave
from array import array
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

import ivr.flow_book
from ivr.domain.problems import FlowInvalid
from ivr.flow_book import FlowBook
from ivr.ports import SynthesisFailed
from ivr.service import delivered
from ivr.traffic import FlowTally, traffic_of
from kernel.access import Actor, Role
from kernel.audit import AuditRow
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, StaleVersion
from tests.support.fake_agi import FakeChannel, deeds
from tests.support.fake_voice import ToneVoice
from tests.support.menus import flow_book, running_menus
from tests.support.waiting import eventually
from tests.unit.ivr.flows import ENDS, HEAD, MENU

pytestmark = pytest.mark.integration

MANAGER = Actor(user_id="01JD0000000000000000000001", name="陈经理", role=Role.MANAGER)
SUPERVISOR = Actor(user_id="01JD0000000000000000000003", name="王主管", role=Role.SUPERVISOR)
AGENT = Actor(user_id="01JD0000000000000000000002", name="林晓", role=Role.AGENT)
FLOW = HEAD + MENU + ENDS
OTHER = FLOW.replace("您好。", "您好，欢迎来电。")


@pytest.fixture
def voice() -> ToneVoice:
    return ToneVoice()


@pytest.fixture
def book(tmp_path: Path, database: Database, clock: FakeClock, voice: ToneVoice) -> FlowBook:
    return flow_book(tmp_path, database, clock, voice=voice)


async def test_published_and_rolled_back(book: FlowBook, database: Database) -> None:
    assert (await book.publish(MANAGER, "test", FLOW, why="第一版", expected=0)).ended
    await book.publish(MANAGER, "test", OTHER, why=" 开头\n更亲切 ", expected=1)
    found = await book.text(SUPERVISOR, "test")
    assert (found.text, found.last) == (OTHER, 2)
    await book.roll_back(MANAGER, "test", 1, expected=2)
    found = await book.text(SUPERVISOR, "test")
    assert found.text == FLOW
    assert found.version
    assert (found.version.version, found.version.active) == (3, True)
    versions = await book.versions(SUPERVISOR, "test")
    assert [(one.version, one.why, one.published_by, one.active) for one in versions] == [
        (3, "v1", "陈经理", True),
        (2, "开头 更亲切", "陈经理", False),
        (1, "第一版", "陈经理", False),
    ]
    async with database.session() as session:
        rows = (await session.scalars(select(AuditRow).order_by(AuditRow.seq))).all()
    assert [(row.action, row.actor, row.entity_id) for row in rows] == [
        ("ivr.flow_published", "陈经理", f"test/{number}") for number in (1, 2, 3)
    ]


async def test_who_may_what(book: FlowBook) -> None:
    with pytest.raises(Forbidden):
        await book.flows(AGENT)
    with pytest.raises(Forbidden):
        await book.publish(SUPERVISOR, "test", FLOW, why="试试", expected=0)
    with pytest.raises(Forbidden):
        await book.roll_back(SUPERVISOR, "hotline", 1, expected=1)
    assert {one.name for one in await book.flows(SUPERVISOR)} >= {"hotline", "after-queue"}


async def test_nothing_is_published_over_somebody_elses(book: FlowBook) -> None:
    await book.publish(MANAGER, "test", FLOW, why="第一版", expected=0)
    with pytest.raises(StaleVersion):
        await book.publish(MANAGER, "test", OTHER, why="第二版", expected=0)
    assert (await book.text(SUPERVISOR, "test")).text == FLOW


@pytest.mark.parametrize("why", ["", " \n ", "改" * 201], ids=["none", "blank", "long"])
async def test_a_reason_is_needed(book: FlowBook, why: str) -> None:
    with pytest.raises(Invalid) as refused:
        await book.publish(MANAGER, "test", FLOW, why=why, expected=0)
    assert refused.value.field == "why"


async def test_mistakes_have_their_place(book: FlowBook) -> None:
    with pytest.raises(FlowInvalid) as refused:
        await book.check(SUPERVISOR, "test", FLOW.replace("queue: complaint}", "queue: gone}"))
    assert [(one.line > 0, one.node) for one in refused.value.problems] == [(True, "complaint")]
    with pytest.raises(FlowInvalid, match="published as “other”"):
        await book.check(SUPERVISOR, "other", FLOW)
    with pytest.raises(Invalid, match="characters"):
        await book.check(SUPERVISOR, "test", FLOW + "#" * ivr.flow_book.MAX_TEXT)


async def test_what_cannot_be_spoken_leaves_no_version(book: FlowBook, voice: ToneVoice) -> None:
    voice.mute = {"您好，欢迎来电。"}
    with pytest.raises(SynthesisFailed, match="prompt “hello”"):
        await book.publish(MANAGER, "test", OTHER, why="开头", expected=0)
    assert await book.versions(SUPERVISOR, "test") == ()
    voice.mute = set()
    assert (await book.publish(MANAGER, "test", OTHER, why="开头", expected=0)).ended


async def test_much_to_speak_is_told_while_it_goes_on(
    book: FlowBook, voice: ToneVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ivr.flow_book, "AT_ONCE", timedelta(milliseconds=50))
    voice.gate.clear()
    making = await book.publish(MANAGER, "test", FLOW, why="第一版", expected=0)
    assert not making.ended
    shown = book.making(SUPERVISOR, "test")
    assert shown is not None
    assert (shown.done, shown.total > 5, shown.error) == (0, True, "")
    with pytest.raises(Conflict):
        await book.publish(MANAGER, "test", FLOW, why="又一版", expected=0)
    voice.gate.set()
    await eventually(lambda: making.ended)
    assert making.done == making.total
    assert (await book.text(SUPERVISOR, "test")).text == FLOW


async def test_a_process_that_ends_publishes_nothing_half(
    book: FlowBook, voice: ToneVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ivr.flow_book, "AT_ONCE", timedelta(milliseconds=50))
    voice.gate.clear()
    making = await book.publish(MANAGER, "test", FLOW, why="第一版", expected=0)
    await book.close()
    assert (making.ended, bool(making.error)) == (True, True)
    assert await book.versions(SUPERVISOR, "test") == ()


async def test_a_prompt_is_heard_with_an_example(book: FlowBook, voice: ToneVoice) -> None:
    sound = await book.hear(SUPERVISOR, "hotline", delivered("hotline"), "callback_caller")
    with wave.open(io.BytesIO(sound)) as file:
        assert file.getframerate() == 8000
        assert file.getnframes() > 8000
    assert voice.said == [
        "我们将拨打您的来电号码，",
        "幺三八,零零幺三,八零零零",
        "确认请按1，使用其他号码请按2。",
    ]
    with pytest.raises(NotFound):
        await book.hear(SUPERVISOR, "hotline", delivered("hotline"), "gone")


async def test_where_calls_went(tmp_path: Path, database: Database, clock: FakeClock) -> None:
    tally = FlowTally(database, clock, zone=SHANGHAI)
    async with running_menus(tmp_path, database, clock, tally=tally) as menus:
        for keys in ("1", "1", "9", "8~", "X"):
            await menus.call(FakeChannel(deeds(keys)))
        await tally.write()
        # Counted twice is added up, by another process too.
        await menus.call(FakeChannel(deeds("1")))
        await tally.write()
    day = clock.now().astimezone(SHANGHAI).date()
    ways = await traffic_of(database, "hotline", since=day)
    assert ways["", "caller"] == 6
    assert ways["main", "complaint"] == 3
    assert ways["main", "english"] == 1
    assert ways["main", "*fallback"] == 1
    assert sum(calls for (_, to), calls in ways.items() if to == "*gone") == 1
    assert await traffic_of(database, "hotline", since=day + timedelta(days=1)) == {}
    book = flow_book(tmp_path / "book", database, clock)
    assert {one.name: one.calls for one in await book.flows(SUPERVISOR)}["hotline"] == 6
    clock.advance(timedelta(days=7))
    assert await book.traffic(SUPERVISOR, "hotline") == {}


async def test_what_cannot_be_stored_is_stored_later(sqlite: Database, clock: FakeClock) -> None:
    tally = FlowTally(sqlite, clock, zone=SHANGHAI)
    tally.add("hotline", 1, [("", "caller"), ("caller", "*gone")])
    broken = sqlite.transaction
    try:
        sqlite.transaction = _down  # type: ignore[method-assign,assignment]
        await tally.write()
    finally:
        sqlite.transaction = broken  # type: ignore[method-assign]
    await tally.write()
    day = clock.now().astimezone(SHANGHAI).date()
    assert await traffic_of(sqlite, "hotline", since=day) == {("", "caller"): 1, ("caller", "*gone"): 1}


def _down() -> None:
    raise OSError("the database is away")


def tone(seconds: float, rate: int = 16000) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        samples = (round(9000 * math.sin(2 * math.pi * 600 * at / rate)) for at in range(int(seconds * rate)))
        file.writeframes(array("h", samples).tobytes())
    return out.getvalue()


async def test_a_prompt_in_ones_own_voice(book: FlowBook, voice: ToneVoice) -> None:
    await book.publish(MANAGER, "test", FLOW, why="第一版", expected=0)
    made = await book.record(MANAGER, "test", FLOW, "hello", tone(1.5))
    voice.said.clear()
    with wave.open(io.BytesIO(await book.hear(SUPERVISOR, "test", made, "hello"))) as file:
        assert 1.3 < file.getnframes() / file.getframerate() < 1.8
    assert voice.said == []
    await book.publish(MANAGER, "test", made, why="真人录音", expected=1)
    # Going back takes the recording along; it is still there for going forth again.
    await book.roll_back(MANAGER, "test", 1, expected=2)
    with wave.open(io.BytesIO(await book.hear(SUPERVISOR, "test", FLOW, "hello"))) as file:
        assert file.getnframes() / file.getframerate() < 0.5
    await book.roll_back(MANAGER, "test", 2, expected=3)
    assert await book.record(MANAGER, "test", made, "hello", None) == FLOW


async def test_what_cannot_be_recorded(book: FlowBook) -> None:
    hotline = delivered("hotline")
    with pytest.raises(Forbidden):
        await book.record(SUPERVISOR, "test", FLOW, "hello", tone(1))
    with pytest.raises(NotFound):
        await book.record(MANAGER, "hotline", hotline, "stock_wrong", tone(1))
    with pytest.raises(Invalid, match="variables"):
        await book.record(MANAGER, "hotline", hotline, "case_progress", tone(1))
    for bad in (b"", b"RIFF", tone(0), wave_of_silence(), tone(121, rate=8000)):
        with pytest.raises(Invalid) as refused:
            await book.record(MANAGER, "test", FLOW, "hello", bad)
        assert refused.value.field == "sound"
    gone = FLOW.replace("hello: 您好。", "hello: {text: 您好。, recording: r000000000000000}")
    with pytest.raises(FlowInvalid, match="its recording is gone"):
        await book.publish(MANAGER, "test", gone, why="录音", expected=0)
    assert "r000000000000000" not in await book.record(MANAGER, "test", gone, "hello", tone(1))


def wave_of_silence() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    return out.getvalue()
