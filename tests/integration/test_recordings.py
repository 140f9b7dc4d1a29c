"""Recordings: heard in pieces, seen, taken away with a reason, and compared with their files every night."""

import io
import wave
from array import array
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select

from app.doctor.findings import Level
from app.doctor.recordings import recording_findings
from kernel.audit import AuditRow
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from telephony.audio import write_wav
from telephony.events import CallEnded
from telephony.recording_check import RecordingCheck, last_check
from telephony.recording_tables import RecordingRow
from telephony.recordings import Recordings, name_of, recordings_of
from telephony.retention import CallShelf
from telephony.tables import CallLegRow, CallRow
from tests.support.fake_telephony import ringing_call
from tests.support.web_stage import Stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration

CUSTOMER = array("h", [5000] * 8000)
AGENT = array("h", [-3000] * 4000)


def record(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    write_wav(folder / f"{name}.wav", CUSTOMER)
    write_wav(folder / f"{name}-customer.wav", CUSTOMER)
    write_wav(folder / f"{name}-agent.wav", AGENT)


@dataclass(slots=True)
class Scene:
    stage: Stage
    folder: Path
    call_id: str

    async def ask(self, login: str, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        cookies = {SESSION_COOKIE: await self.stage.session_secret(login)}
        url = f"{self.stage.url}/calls/{self.call_id}{path}"
        async with aiohttp.ClientSession(cookies=cookies) as client, client.get(url, headers=headers) as got:
            return got.status, await got.read(), dict(got.headers)

    async def take(self, login: str, **form: str) -> tuple[int, bytes, dict[str, str]]:
        cookies = {SESSION_COOKIE: await self.stage.session_secret(login)}
        url = f"{self.stage.url}/calls/{self.call_id}/recording"
        headers = {"Origin": self.stage.url}
        async with (
            aiohttp.ClientSession(cookies=cookies) as client,
            client.post(url, data=form, headers=headers) as got,
        ):
            return got.status, await got.read(), dict(got.headers)


@pytest.fixture
async def scene(tmp_path: Path, sqlite: Database, clock: FakeClock) -> AsyncIterator[Scene]:
    stage, now, call_id = Stage(sqlite, clock, tmp_path), clock.now(), new_ulid()
    await stage.seed()
    await stage.start()
    agent_id = stage.agents[stage.agent_number]
    rang = ringing_call(call_id, "+8613800138000", "", "service", (), now, now)
    stage.history.calls[call_id] = replace(
        rang, agent_id=agent_id, answered_at=now, ended_at=now + timedelta(seconds=90), state="ended"
    )
    record(tmp_path / "recordings", f"{call_id}-1.1")
    try:
        yield Scene(stage, tmp_path / "recordings", call_id)
    finally:
        await stage.stop()


async def test_a_recording_is_handed_out_whole_and_in_pieces(scene: Scene) -> None:
    status, whole, headers = await scene.ask("agent", "/recording.wav")
    assert (status, headers["Accept-Ranges"], headers["Content-Length"]) == (200, "bytes", str(len(whole)))
    with wave.open(io.BytesIO(whole)) as reader:
        assert (reader.getnchannels(), reader.getnframes()) == (2, len(CUSTOMER))
        sound = array("h", reader.readframes(5000))
    assert (sound[0], sound[1], sound[-2], sound[-1]) == (5000, -3000, 5000, 0)
    size = len(whole)
    for asked, since, until in (
        ("bytes=0-", 0, size),
        ("bytes=10-99", 10, 100),
        ("bytes=1001-3000", 1001, 3001),
        ("bytes=-50", size - 50, size),
        (f"bytes=500-{size * 2}", 500, size),
    ):
        status, piece, headers = await scene.ask("agent", "/recording.wav", Range=asked)
        assert (status, piece) == (206, whole[since:until]), asked
        assert headers["Content-Range"] == f"bytes {since}-{until - 1}/{size}"
    for asked in (f"bytes={size}-", "bytes=nonsense", "bytes=9-3"):
        status, _, headers = await scene.ask("agent", "/recording.wav", Range=asked)
        assert (status, headers["Content-Range"]) == (416, f"bytes */{size}"), asked
    async with scene.stage.database.session() as session:
        played = select(AuditRow.entity_id).where(AuditRow.action == "call.recording_played")
        assert list(await session.scalars(played)) == [scene.call_id]  # one hearing, in however many pieces


async def test_the_waveform_has_a_lane_for_each_speaker(scene: Scene) -> None:
    status, picture, headers = await scene.ask("supervisor", "/waveform.svg")
    text = picture.decode()
    assert (status, headers["Content-Type"].partition(";")[0]) == (200, "image/svg+xml")
    customer, agent = (part.partition('"')[0] for part in text.split(' d="')[1:])
    assert (customer.count("M"), agent.count("M")) == (500, 500)
    tall = [stroke for stroke in agent.split("M")[1:] if "V75.3" not in stroke]
    assert len(tall) == 250  # then the agent says nothing more
    status, _, _ = await scene.ask("supervisor", "/waveform.svg?part=7")
    assert status == 404


async def test_who_takes_a_recording_away_says_what_for(scene: Scene) -> None:
    status, _, _ = await scene.take("supervisor", reason="客户申请复核")
    assert status == 403
    status, _, _ = await scene.take("admin", reason=" ")
    assert status == 400
    status, taken, headers = await scene.take("admin", reason="  客户申请\n复核 ")
    assert (status, headers["Content-Disposition"]) == (200, f'attachment; filename="{scene.call_id}.wav"')
    assert taken == (await scene.ask("admin", "/recording.wav"))[1]
    async with scene.stage.database.session() as session:
        rows = await session.scalars(select(AuditRow).where(AuditRow.action == "call.recording_downloaded"))
        (row,) = rows
        assert (row.entity_id, row.detail["why"]) == (scene.call_id, "客户申请 复核")


async def test_a_call_with_two_recordings_and_one_that_is_broken(scene: Scene) -> None:
    record(scene.folder, f"{scene.call_id}-1.2")
    (scene.folder / f"{scene.call_id}-1.2-agent.wav").unlink()
    (scene.folder / f"{scene.call_id}-1.3.wav").write_bytes(b"RIFF")
    status, page, _ = await scene.ask("agent", "")
    text = page.decode()
    assert (status, text.count("<audio"), text.count("waveform.svg")) == (200, 2, 1)
    status, mixed, _ = await scene.ask("agent", "/recording.wav?part=1")
    with wave.open(io.BytesIO(mixed)) as reader:
        assert (status, reader.getnchannels()) == (200, 1)


# What is known, and what is there


async def call_row(database: Database, clock: FakeClock, call_id: str, uniqueid: str = "hf/1.1") -> None:
    now = clock.now()
    async with database.transaction() as session:
        session.add(
            CallRow(
                call_id=call_id,
                node="main",
                direction="in",
                from_number="+8613800138000",
                to_number="4000",
                from_name="",
                state="ended",
                menu_path=[],
                talk_ms=1000,
                hold_ms=0,
                started_at=now,
                ended_at=now,
            )
        )
        await session.flush()
        session.add(
            CallLegRow(
                node="main",
                call_id=call_id,
                uniqueid=uniqueid,
                linkedid=uniqueid,
                channel="PJSIP/trunk-1",
                kind="caller",
                number="",
                started_at=now,
                taken=True,
                resume={},
            )
        )


def ended(clock: FakeClock, call_id: str) -> CallEnded:
    now = clock.now()
    return CallEnded(
        at=now,
        menu_path=(),
        call_id=call_id,
        node="main",
        direction="in",
        result="ANSWERED",
        queue=None,
        agent_id=None,
        agent_number=None,
        from_number="",
        to_number="",
        started_at=now,
        queued_at=None,
        answered_at=now,
        ended_at=now,
        wait_seconds=None,
        talk_seconds=1.0,
        hangup_by="caller",
    )


async def test_both_ways_are_compared(tmp_path: Path, sqlite: Database, clock: FakeClock) -> None:
    folder, call_id, other = tmp_path / "recordings", new_ulid(), new_ulid()
    await call_row(sqlite, clock, call_id)
    await call_row(sqlite, clock, other, "2.2")
    record(folder, name_of(call_id, "hf/1.1"))
    notes = Recordings(clock, folder=folder, node="main")
    for _ in range(2):  # facts may come twice
        async with sqlite.transaction() as session:
            await notes.on_fact(session, ended(clock, call_id))
    check = RecordingCheck(sqlite, clock, folder=folder, node="main", zone=SHANGHAI)
    assert await last_check(sqlite) is None
    well = await check.run_once()
    assert (well.recordings, well.adopted, well.missing, well.strangers) == (1, 0, 0, 0)
    assert well.size == sum(file.stat().st_size for file in folder.iterdir())
    assert [one.level for one in recording_findings(well, clock.now())] == [Level.OK]

    record(folder, name_of(other, "2.2"))  # nobody noted it
    record(folder, f"{new_ulid()}-3.3")  # of no call, but a moment old: it may be going on
    (folder / "notes.txt").write_text("x")
    for path in folder.glob(f"{call_id}*"):
        path.rename(tmp_path / path.name)
    clock.advance(timedelta(hours=1))
    found = await check.run_once()
    assert (found.adopted, found.missing, found.strangers) == (1, 1, 1)
    assert (found.missing_names, found.stranger_names) == ((name_of(call_id, "hf/1.1"),), ("notes.txt",))
    clock.advance(timedelta(days=30_000))  # the files themselves are of today
    assert (await check.run_once()).strangers == 2
    lost = await last_check(sqlite)
    assert lost is not None
    assert [one.level for one in recording_findings(lost, clock.now())] == [Level.ERROR, Level.WARNING]
    late = recording_findings(well, clock.now())
    assert [one.level for one in late] == [Level.WARNING]

    async with sqlite.session() as session:
        query = select(RecordingRow.missing_since).where(RecordingRow.call_id == call_id)
        assert await session.scalar(query) is not None
    for path in tmp_path.glob("*.wav"):
        path.rename(folder / path.name)  # brought back
    assert (await check.run_once()).missing == 0
    async with sqlite.session() as session:
        assert await session.scalar(query) is None


async def test_a_folder_that_is_gone_is_no_empty_one(
    tmp_path: Path, sqlite: Database, clock: FakeClock
) -> None:
    call_id, folder = new_ulid(), tmp_path / "recordings"
    await call_row(sqlite, clock, call_id)
    record(folder, name_of(call_id, "hf/1.1"))
    check = RecordingCheck(sqlite, clock, folder=folder, node="main", zone=SHANGHAI)
    assert (await check.run_once()).adopted == 1
    folder.rename(tmp_path / "away")
    assert (await check.run_once()).missing == 1


async def test_what_is_erased_is_not_missed(tmp_path: Path, sqlite: Database, clock: FakeClock) -> None:
    call_id, folder = new_ulid(), tmp_path / "recordings"
    await call_row(sqlite, clock, call_id)
    record(folder, name_of(call_id, "hf/1.1"))
    check = RecordingCheck(sqlite, clock, folder=folder, node="main", zone=SHANGHAI)
    await check.run_once()
    assert len(await recordings_of(sqlite, folder, call_id)) == 1
    async with sqlite.transaction() as session:
        await CallShelf(folder).erase(session, [call_id])
    report = await check.run_once()
    assert (report.recordings, report.missing, report.strangers) == (0, 0, 0)
    assert await recordings_of(sqlite, folder, call_id) == ()
