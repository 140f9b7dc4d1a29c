"""The ingest between a manager interface and a database: epochs, gaps, restarts of either side."""

import asyncio
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import Database
from telephony.ami import AmiLink
from telephony.ami.epoch import EpochEnded, EpochStarted
from telephony.domain.call_book import CallBook
from telephony.event_log import EventLog
from telephony.events import AgentRinging, CallEnded, CallOpened, LinkStateChanged
from telephony.history import CallHistory
from telephony.ingest import IngestConfig, TelephonyIngest
from telephony.repository import last_epoch
from tests.support.call_service import QUICK, service
from tests.support.calls import AGENTS, FickleDatabase, call_writer, facts
from tests.support.fake_ami import FakeAmi
from tests.support.fake_pbx import Channel
from tests.support.transcripts import FOLDER
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

CEL = FOLDER.parent / "cel"
CALL = "01JNA0000000000000000000CA"
OTHER = "01JNA0000000000000000000CB"
TRUNK, AGENT = "1772415000.1", "1772415001.2"


def trunk(**changes: Any) -> Channel:
    values: dict[str, Any] = {
        "name": "PJSIP/trunk-main-00000001",
        "uniqueid": TRUNK,
        "linkedid": TRUNK,
        "state": "Ring",
        "exten": "4008001234",
        "number": "13800138000",
        "caller": "王建国",
        "context": "from-trunk",
        "variables": {"HF_CALL": CALL, "HF_DIR": "in"},
    }
    return Channel(**(values | changes))


def agent(**changes: Any) -> Channel:
    values: dict[str, Any] = {
        "name": "PJSIP/1001-00000002",
        "uniqueid": AGENT,
        "linkedid": TRUNK,
        "state": "Ringing",
        "number": "1001",
        "variables": {"HF_CALL": CALL, "HF_DIR": "in"},
    }
    return Channel(**(values | changes))


def both(pbx: FakeAmi) -> dict[str, str]:
    """The headers of an event about caller and agent."""
    return {"Uniqueid": TRUNK, "Linkedid": TRUNK, "DestUniqueid": AGENT, "DestLinkedid": TRUNK}


def call_in(pbx: FakeAmi) -> None:
    pbx.pbx.add_channel(trunk())


def queue(pbx: FakeAmi) -> None:
    pbx.event("QueueCallerJoin", {"Uniqueid": TRUNK, "Linkedid": TRUNK, "Queue": "repair", "Position": "1"})


def ring(pbx: FakeAmi) -> None:
    pbx.pbx.add_channel(agent())
    pbx.event("AgentCalled", {**both(pbx), "Queue": "repair", "Interface": "PJSIP/1001"})


def answer(pbx: FakeAmi) -> None:
    pbx.event("DialEnd", {**both(pbx), "DialStatus": "ANSWER"})
    for uniqueid in (AGENT, TRUNK):
        pbx.pbx.channels[uniqueid].state = "Up"
        pbx.pbx.channels[uniqueid].bridge = "b1"
        pbx.event("BridgeEnter", {"Uniqueid": uniqueid, "Linkedid": TRUNK, "BridgeUniqueid": "b1"})


def talk(pbx: FakeAmi) -> None:
    call_in(pbx)
    queue(pbx)
    ring(pbx)
    answer(pbx)


def forget(pbx: FakeAmi, *uniqueids: str) -> None:
    """Channels end and nobody is told."""
    for uniqueid in uniqueids or tuple(pbx.pbx.channels):
        del pbx.pbx.channels[uniqueid]


async def test_a_recorded_call_is_told_and_stored(database: Database, tmp_path: Path) -> None:
    async with FakeAmi() as pbx, service(database, tmp_path, pbx.config()) as here:
        pbx.raw((FOLDER / "agent_no_answer_next.ami").read_bytes())
        await eventually(lambda: here.of(CallEnded))
        (opened,), (ended,) = here.of(CallOpened), here.of(CallEnded)
        assert opened.call_id == ended.call_id
        call = await here.ended(ended.call_id)
        assert (call.result, call.agent, call.hangup_by) == ("ANSWERED", "1002", "agent")
        assert [ring.agent_number for ring in here.of(AgentRinging)] == ["1001", "1002"]
        assert here.of(AgentRinging)[0].menu_path == ("报修",)
        assert here.of(AgentRinging)[0].agent_id == AGENTS["1001"]
        assert [fact.event_id for fact in await facts(database)] == [ended.event_id]
        kinds = [type(event).__name__ for event in here.heard if not isinstance(event, LinkStateChanged)]
        assert kinds[0] == "CallOpened"
        assert kinds[-1] == "CallEnded"


async def test_sinks_hear_in_order_and_find_the_call(sqlite: Database, tmp_path: Path) -> None:
    async with FakeAmi() as pbx, service(sqlite, tmp_path, pbx.config()) as here:
        heard: list[tuple[str, str | None]] = []

        def broken(item: Any, now: datetime) -> None:
            raise RuntimeError("a listener's fault")

        def sink(item: Any, now: datetime) -> None:
            name = getattr(item, "name", type(item).__name__)
            heard.append((name, here.ingest.call_id_of(TRUNK)))

        here.ingest.add_sink(broken, "AgentCalled")
        here.ingest.add_sink(sink, "AgentCalled", "QueueCallerJoin", "Hangup")
        talk(pbx)
        await here.in_state("talking")
        assert heard == [("QueueCallerJoin", CALL), ("AgentCalled", CALL)]
        pbx.cut()
        await eventually(lambda: [name for name, _ in heard].count("EpochStarted") == 1)
        assert [name for name, _ in heard[2:]] == ["EpochEnded", "EpochStarted"]
        assert here.ingest.call_id_of(TRUNK) == CALL


async def test_a_call_that_ends_in_a_gap_is_closed_when_the_link_is_back(
    database: Database, tmp_path: Path
) -> None:
    async with FakeAmi() as pbx, service(database, tmp_path, pbx.config()) as here:
        talk(pbx)
        await here.in_state("talking")
        await pbx.stop()
        forget(pbx)
        await eventually(lambda: here.ingest.status.state != "live")
        stale = here.ingest.status.as_of
        assert stale is not None
        await pbx.listen()
        call = await here.ended()
        assert (call.result, call.hangup_by, call.end_reason) == ("ANSWERED", "unknown", "gap")
        assert call.ended_at is not None
        assert abs(call.ended_at - stale) < timedelta(seconds=1)
        states = [event.state for event in here.of(LinkStateChanged)]
        assert states[-4:] == ["down", "connecting", "syncing", "live"]


@pytest.mark.parametrize(
    ("steps", "result"), [("c", "IVR_ONLY"), ("cq", "ABANDONED_SHORT"), ("cqr", "ABANDONED_SHORT")]
)
async def test_what_is_known_decides_the_result_of_a_gap(
    sqlite: Database, tmp_path: Path, steps: str, result: str
) -> None:
    async with FakeAmi() as pbx, service(sqlite, tmp_path, pbx.config()) as here:
        for step in steps:
            {"c": call_in, "q": queue, "r": ring}[step](pbx)
        await here.in_state({"c": "offered", "cq": "queued", "cqr": "ringing"}[steps])
        await pbx.stop()
        forget(pbx)
        await pbx.listen()
        call = await here.ended()
        assert (call.result, call.end_reason) == (result, "gap")


async def test_a_call_that_was_answered_in_a_gap_goes_on(sqlite: Database, tmp_path: Path) -> None:
    async with FakeAmi() as pbx, service(sqlite, tmp_path, pbx.config()) as here:
        call_in(pbx)
        queue(pbx)
        ring(pbx)
        await here.in_state("ringing")
        await pbx.stop()
        await eventually(lambda: here.ingest.status.state != "live")
        answer(pbx)
        await pbx.listen()
        await here.in_state("talking")
        assert here.ingest.live_calls()[0].agent == "1001"
        pbx.event("HangupRequest", {"Uniqueid": TRUNK, "Linkedid": TRUNK})
        for uniqueid in (AGENT, TRUNK):
            pbx.pbx.end_channel(uniqueid)
        call = await here.ended()
        assert (call.result, call.hangup_by, call.end_reason) == ("ANSWERED", "caller", "hangup")
        assert "gap" in [entry.kind for entry in call.timeline]


async def test_a_hangup_during_the_snapshot_is_no_gap(sqlite: Database, tmp_path: Path) -> None:
    async with FakeAmi() as pbx:
        ami = pbx.config(list_timeout=timedelta(milliseconds=200))
        async with service(sqlite, tmp_path, ami) as here:
            talk(pbx)
            await here.in_state("talking")
            pbx.behaviour.silent.add("CoreShowChannels")
            asked = len(pbx.seen("CoreShowChannels"))
            pbx.cut()
            await pbx.asked("CoreShowChannels", count=asked + 1)
            pbx.event("HangupRequest", {"Uniqueid": AGENT, "Linkedid": TRUNK})
            for uniqueid in (AGENT, TRUNK):
                pbx.pbx.end_channel(uniqueid)
            pbx.behaviour.silent.clear()
            call = await here.ended()
            assert (call.hangup_by, call.end_reason, call.cause) == ("agent", "hangup", 16)


async def test_a_restart_of_asterisk_closes_every_call(database: Database, tmp_path: Path) -> None:
    async with FakeAmi() as pbx, service(database, tmp_path, pbx.config()) as here:
        talk(pbx)
        other = trunk(
            uniqueid="1772415009.7",
            linkedid="1772415009.7",
            name="PJSIP/trunk-main-00000007",
            variables={"HF_CALL": OTHER, "HF_DIR": "in"},
        )
        pbx.pbx.add_channel(other)
        await here.in_state("talking")
        await here.in_state("offered", OTHER)
        pbx.restart()
        for call_id, result in ((CALL, "ANSWERED"), (OTHER, "FAILED")):
            call = await here.ended(call_id)
            assert (call.result, call.hangup_by, call.end_reason) == (result, "system", "pbx_restart")
        await eventually(lambda: here.ingest.status.state == "live")
        assert here.ingest.live_calls() == ()


async def test_a_restart_of_ours_finds_the_call_again(database: Database, tmp_path: Path) -> None:
    async with FakeAmi() as pbx:
        async with service(database, tmp_path, pbx.config()) as first:
            talk(pbx)
            await first.in_state("talking")
        async with service(database, tmp_path, pbx.config()) as second:
            await second.in_state("talking")
            pbx.event("HangupRequest", {"Uniqueid": AGENT, "Linkedid": TRUNK})
            for uniqueid in (AGENT, TRUNK):
                pbx.pbx.end_channel(uniqueid)
            call = await second.ended()
            assert (call.result, call.agent, call.hangup_by) == ("ANSWERED", "1001", "agent")
            assert second.of(CallOpened) == []
            seqs = [entry.seq for entry in call.timeline]
            assert seqs == list(range(1, len(seqs) + 1))
        assert [fact.call_id for fact in await facts(database)] == [CALL]


async def test_what_ended_while_we_were_away_is_closed_at_the_last_time_it_was_seen(
    sqlite: Database, tmp_path: Path
) -> None:
    async with FakeAmi() as pbx:
        async with service(sqlite, tmp_path, pbx.config()) as first:
            talk(pbx)
            await first.in_state("talking")
            last = SystemClock().now()
        forget(pbx)
        await asyncio.sleep(0.3)  # the time of being away, not a wait for something
        async with service(sqlite, tmp_path, pbx.config()) as second:
            call = await second.ended()
            assert call.end_reason == "gap"
            assert call.ended_at is not None
            assert abs(call.ended_at - last) < timedelta(milliseconds=250)


async def test_a_restart_of_asterisk_while_we_were_away(sqlite: Database, tmp_path: Path) -> None:
    async def followed() -> bool:
        async with sqlite.session() as session:
            return await last_epoch(session, "pbx1") is not None

    async with FakeAmi() as pbx:
        async with service(sqlite, tmp_path, pbx.config()) as first:
            talk(pbx)
            await first.in_state("talking")
            await eventually(followed)
        pbx.pbx.restart()
        async with service(sqlite, tmp_path, pbx.config()) as second:
            assert (await second.ended()).end_reason == "pbx_restart"


async def test_calls_in_progress_are_adopted(sqlite: Database, tmp_path: Path) -> None:
    async with FakeAmi() as pbx:
        talk(pbx)
        nameless = trunk(uniqueid="1772415009.7", linkedid="1772415009.7", state="Up", variables={})
        tap = Channel(name="AudioSocket/127.0.0.1:9092-00000009", uniqueid="9.9", linkedid="9.9")
        pbx.pbx.channels |= {nameless.uniqueid: nameless, "9.9": tap}
        async with service(sqlite, tmp_path, pbx.config()) as here:
            (call,) = here.ingest.live_calls()
            assert (call.call_id, call.adopted, call.state) == (CALL, True, "talking")
            assert (call.agent, call.from_number, call.direction) == ("1001", "+8613800138000", "in")
            for uniqueid in (AGENT, TRUNK, "1772415009.7", "9.9"):
                pbx.pbx.end_channel(uniqueid)
            assert (await here.ended()).result == "ANSWERED"
            await eventually(lambda: len(here.of(CallEnded)) == 2)


async def test_a_lost_hangup_and_a_lost_beginning_are_mended(sqlite: Database, tmp_path: Path) -> None:
    config = IngestConfig(reconcile=timedelta(milliseconds=50), suspicion=timedelta(milliseconds=20))
    async with FakeAmi() as pbx, service(sqlite, tmp_path, pbx.config(), config) as here:
        talk(pbx)
        await here.in_state("talking")
        forget(pbx)
        found = trunk(
            uniqueid="1772415009.7", linkedid="1772415009.7", variables={"HF_CALL": OTHER, "HF_DIR": "in"}
        )
        pbx.pbx.channels[found.uniqueid] = found
        assert (await here.ended()).end_reason == "gap"
        await here.in_state("offered", OTHER)


async def test_the_phone_rings_on_the_page_without_a_database(sqlite: Database, tmp_path: Path) -> None:
    fickle = FickleDatabase(sqlite)
    async with FakeAmi() as pbx, service(fickle, tmp_path, pbx.config()) as here:
        fickle.gone = True
        talk(pbx)
        await here.in_state("talking")
        (ring,) = here.of(AgentRinging)
        assert (ring.agent_number, ring.queue, ring.caller_name) == ("1001", "repair", "王建国")
        for uniqueid in (AGENT, TRUNK):
            pbx.pbx.end_channel(uniqueid)
        await eventually(lambda: (tmp_path / "spool" / "calls.jsonl").exists())
        fickle.gone = False
        call_in(pbx)
        assert (await here.ended()).result == "ANSWERED"


async def test_a_fault_of_ours_costs_a_resynchronisation_and_nothing_else(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, bus = SystemClock(), Bus()
    async with FakeAmi() as pbx:
        link = AmiLink(pbx.config(), clock=clock, node="pbx1")
        book = CallBook("pbx1")
        ingest = TelephonyIngest(
            link,
            book,
            bus=bus,
            writer=call_writer(sqlite, tmp_path),
            database=sqlite,
            clock=clock,
            agent_id_of=AGENTS.get,
            config=QUICK,
        )
        async with link:
            work = asyncio.create_task(ingest.run())
            await asyncio.wait_for(ingest.wait_live(), 20)
            monkeypatch.setattr(book, "handle", None)
            talk(pbx)
            with pytest.raises(ExceptionGroup):
                await asyncio.wait_for(work, 20)
            monkeypatch.undo()
            work = asyncio.create_task(ingest.run())
            await eventually(lambda: [call.state for call in ingest.live_calls()] == ["talking"])
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def test_a_wrong_password_is_said(sqlite: Database, tmp_path: Path) -> None:
    async with FakeAmi() as pbx, service(sqlite, tmp_path, pbx.config(secret="no"), live=False) as here:
        await eventually(lambda: here.ingest.status.state == "auth_failed")


async def test_markers_carry_the_epoch(sqlite: Database, tmp_path: Path) -> None:
    async with FakeAmi() as pbx, service(sqlite, tmp_path, pbx.config()) as here:
        marks: list[Any] = []
        here.ingest.add_sink(lambda item, now: marks.append(item))
        pbx.restart()
        await eventually(lambda: len(marks) == 2)
        assert isinstance(marks[0], EpochEnded)
        assert isinstance(marks[1], EpochStarted)
        assert marks[1].restarted is True


def logged_now(name: str) -> str:
    """A logged story as if it began now."""
    story = (CEL / f"{name}.csv").read_text()
    stamps = re.compile(r'(?<=,")(\d{10}\.\d{6})(?=")')
    shift = SystemClock().now().timestamp() - float(min(stamps.findall(story)))
    return stamps.sub(lambda found: f"{float(found.group()) + shift:.6f}", story)


async def test_a_gap_is_filled_from_the_log_of_the_pbx(database: Database, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    async with FakeAmi() as pbx, service(database, tmp_path, pbx.config(), event_log=EventLog(log)) as here:
        await pbx.stop()
        await eventually(lambda: here.ingest.status.state != "live")
        log.write_text(logged_now("blind_transfer"))
        await pbx.listen()
        await eventually(lambda: here.of(CallEnded))
        call = await here.ended(here.of(CallEnded)[0].call_id)
        assert (call.result, call.agent, call.hangup_by) == ("ANSWERED", "1002", "caller")
        assert here.of(AgentRinging) == []
        # The next gap finds the same lines again.
        pbx.cut()
        await eventually(lambda: [e.state for e in here.of(LinkStateChanged)].count("live") == 3)
        assert len((await CallHistory(database).page()).items) == 1
        assert len(here.of(CallEnded)) == 1


async def test_without_a_database_the_log_is_left_for_later(sqlite: Database, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    fickle = FickleDatabase(sqlite)
    async with FakeAmi() as pbx, service(fickle, tmp_path, pbx.config(), event_log=EventLog(log)) as here:
        fickle.gone = True
        log.write_text(logged_now("abandoned"))
        pbx.cut()
        await eventually(lambda: [e.state for e in here.of(LinkStateChanged)].count("live") == 2)
        assert here.of(CallOpened) == []


async def test_the_database_is_away_when_we_start(sqlite: Database, tmp_path: Path) -> None:
    fickle = FickleDatabase(sqlite)
    gone = trunk(
        uniqueid="1772415009.7", linkedid="1772415009.7", variables={"HF_CALL": OTHER, "HF_DIR": "in"}
    )
    async with FakeAmi() as pbx:
        async with service(fickle, tmp_path, pbx.config()) as first:
            talk(pbx)
            pbx.pbx.add_channel(gone)
            await first.in_state("talking")
            await first.in_state("offered", OTHER)
        forget(pbx, gone.uniqueid)
        fickle.gone = True
        config = IngestConfig(retry=timedelta(milliseconds=20), suspicion=timedelta(milliseconds=20))
        async with service(fickle, tmp_path, pbx.config(), config) as second:
            await second.in_state("talking")
            fickle.gone = False
            assert (await second.ended(OTHER)).end_reason == "gap"
            for uniqueid in (AGENT, TRUNK):
                pbx.pbx.end_channel(uniqueid)
            call = await second.ended()
            kinds = [entry.kind for entry in call.timeline]
            assert kinds[:6] == ["offered", "queued", "ringing", "ring_ended", "answered", "offered"]
            assert kinds[-1] == "ended"
            assert [entry.seq for entry in call.timeline] == list(range(1, len(kinds) + 1))
