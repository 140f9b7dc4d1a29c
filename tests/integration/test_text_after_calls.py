"""Text after the call, from recordings on the disk, with a transcriber that has no model."""

import asyncio
import os
import wave
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from kernel.personal import Record
from speech.after import AfterCall, JobState, Priority, Progress, progress_of, want_text
from speech.after_tables import TranscriptJobRow
from speech.personal_places import PERSONAL
from speech.ports import ModelDamaged, ModelMissing
from speech.tables import SegmentRow
from speech.transcripts import Segment, Transcripts, store_segments
from tests.support.fake_transcriber import FakeRecognition, FakeTranscriber
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

CALL_AT = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
BEGAN = 12.0
"""The agent was there twelve seconds after the call began."""
LINES = ("我家卫生间漏水了", "好的我们明天上门")


class Office:
    """A place where calls were recorded."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.clock = FakeClock(CALL_AT + timedelta(minutes=5))
        self.transcriber = FakeTranscriber(LINES)
        self.recognition = FakeRecognition(self.transcriber)
        self.is_late = False
        self.after = AfterCall(
            database,
            self.recognition,
            clock=self.clock,
            bus=Bus(),
            folder=folder,
            worker="w1",
            late=lambda: self.is_late,
        )

    def record(self, call_id: str, speaker: str, words: Sequence[float], *, seconds: float = 10.0) -> Path:
        """Write a recording in which somebody speaks for half a second at some moments."""
        sound = bytearray(round(seconds * 16_000))
        for at in words:
            for sample in range(round(at * 8000), round((at + 0.5) * 8000)):
                sound[2 * sample : 2 * sample + 2] = (8000 if sample % 20 < 10 else -8000).to_bytes(
                    2, "little", signed=True
                )
        path = self.folder / f"{call_id}-1.2-{speaker}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(bytes(sound))
        end = (CALL_AT + timedelta(seconds=BEGAN + seconds)).timestamp()
        os.utime(path, (end, end))
        return path

    async def want(self, call_id: str, priority: Priority = Priority.OTHER) -> None:
        async with self.database.transaction() as session:
            await want_text(
                session,
                call_id,
                priority=priority,
                language="zh",
                call_at=CALL_AT,
                began=BEGAN,
                agent_number="1001",
                now=self.clock.now(),
            )
        self.clock.advance(timedelta(seconds=6))

    async def heard(self, call_id: str) -> list[tuple[str, str, float]]:
        said = await Transcripts(self.database).of_call(call_id)
        return [(one.speaker, one.text, round(one.start, 1)) for one in said]

    async def progress(self) -> Progress:
        return await progress_of(self.database, since=CALL_AT, now=self.clock.now())

    async def job(self, call_id: str) -> TranscriptJobRow:
        async with self.database.session() as session:
            return await session.get_one(TranscriptJobRow, call_id)

    async def store(self, *segments: Segment) -> None:
        async with self.database.transaction() as session:
            await store_segments(session, segments)

    def said(
        self,
        call_id: str,
        start: float,
        text: str = "听见",
        *,
        gap: str | None = None,
        model: str = "fake-lines",
    ) -> Segment:
        return Segment(
            segment_id=new_ulid(),
            call_id=call_id,
            speaker="customer",
            agent_number=None,
            start=start,
            end=start + 1.0,
            raw="" if gap else text,
            text="" if gap else text,
            model="" if gap else model,
            gap=gap,
            created_at=self.clock.now(),
        )


@pytest.fixture
async def office(sqlite: Database, tmp_path: Path) -> Office:
    return Office(sqlite, tmp_path)


async def test_a_call_that_nobody_listened_to_is_text_afterwards(office: Office) -> None:
    call_id = new_ulid()
    office.record(call_id, "customer", [1.0])
    office.record(call_id, "agent", [4.0])
    await office.want(call_id)
    await office.want(call_id)
    assert await office.after.run_once() == 1
    assert await office.after.run_once() == 0
    assert await office.heard(call_id) == [("customer", LINES[0], 13.0), ("agent", LINES[1], 16.0)]
    job = await office.job(call_id)
    assert (job.state, job.audio_seconds, job.heard_seconds) == (JobState.DONE, 20.0, 20.0)
    async with office.database.session() as session:
        rows = (await session.scalars(select(SegmentRow).order_by(SegmentRow.started_ms))).all()
    assert [(row.source, row.agent_number, row.words[0]["start"]) for row in rows] == [
        ("after", None, 13.0),
        ("after", "1001", 16.0),
    ]


async def test_only_the_gaps_of_a_call_are_listened_to_again(office: Office) -> None:
    call_id = new_ulid()
    office.record(call_id, "customer", [1.0, 6.0])
    office.record(call_id, "agent", [])
    await office.store(
        office.said(call_id, 13.0, "活的"),
        office.said(call_id, 17.5, gap="overflow"),
        office.said(call_id, 18.4, gap="overflow"),
    )
    await office.want(call_id)
    assert await office.after.run_once() == 1
    assert await office.heard(call_id) == [("customer", "活的", 13.0), ("customer", LINES[0], 18.0)]
    assert (await office.job(call_id)).audio_seconds == pytest.approx(10 + 2.3)
    assert len(office.transcriber.opened) == 2


async def test_what_a_lesser_model_heard_is_replaced_and_what_a_person_corrected_stays(
    office: Office,
) -> None:
    call_id = new_ulid()
    office.record(call_id, "customer", [1.0, 6.0])
    lesser, corrected = (
        office.said(call_id, 12.9, "小模型", model="small"),
        office.said(call_id, 17.8, "改过", model="small"),
    )
    await office.store(lesser, corrected)
    async with office.database.transaction() as session:
        (await session.get_one(SegmentRow, corrected.segment_id)).corrected = "漏水"
    await office.want(call_id)
    assert await office.after.run_once() == 1
    assert await office.heard(call_id) == [("customer", LINES[0], 13.0), ("customer", "改过", 17.8)]
    async with office.database.session() as session:
        kept = await session.get_one(SegmentRow, lesser.segment_id)
    assert (kept.text, kept.replaced_at) == ("小模型", office.clock.now())


async def test_complaints_come_first_then_callbacks(office: Office) -> None:
    asked = [Priority.OTHER, Priority.CALLBACK, Priority.COMPLAINT, Priority.OTHER]
    calls = [new_ulid() for _ in asked]
    for call_id, priority in zip(calls, asked, strict=True):
        office.record(call_id, "customer", [1.0], seconds=2.0)
        await office.want(call_id, priority)
    progress = await office.progress()
    assert (progress.waiting, progress.done, progress.working) == (4, 0, ())
    done: list[str] = []
    for _ in calls:
        assert await office.after.run_once() == 1
        done += [call_id for call_id in calls if call_id not in done and await office.heard(call_id)]
    assert done == [calls[2], calls[1], calls[0], calls[3]]
    progress = await office.progress()
    assert (progress.waiting, progress.done, progress.oldest_at) == (0, 4, None)


async def test_without_a_recording_there_is_nothing_to_do(office: Office) -> None:
    call_id = new_ulid()
    await office.want(call_id)
    assert await office.after.run_once() == 1
    assert (await office.job(call_id)).state == JobState.NOTHING


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no recording at all" * 10])
async def test_a_damaged_recording_fails_with_its_reason(office: Office, content: bytes) -> None:
    call_id = new_ulid()
    (office.folder / f"{call_id}-1.2-customer.wav").write_bytes(content)
    await office.want(call_id)
    assert await office.after.run_once() == 1
    job = await office.job(call_id)
    assert (job.state, job.reason, job.due_at) == (JobState.FAILED, "audio_invalid", None)
    assert (await office.progress()).failed == 1


async def test_a_recording_that_was_cut_off_is_heard_as_far_as_it_goes(office: Office) -> None:
    """A full disk, or Asterisk killed: the head was never completed."""
    call_id = new_ulid()
    path = office.record(call_id, "customer", [1.0, 8.0])
    path.write_bytes(path.read_bytes()[: 44 + 5 * 16_000 + 1])
    await office.want(call_id)
    assert await office.after.run_once() == 1
    assert [text for _, text, _ in await office.heard(call_id)] == [LINES[0]]


async def test_a_recogniser_that_dies_is_tried_again_and_nothing_is_there_twice(office: Office) -> None:
    call_id = new_ulid()
    office.transcriber.lines = ("漏水",)
    office.record(call_id, "customer", [1.0])
    office.record(call_id, "agent", [4.0], seconds=3600.0)
    await office.want(call_id)
    working = asyncio.create_task(office.after.run_once())
    await eventually(lambda: len(office.transcriber.opened) == 2, timeout=20, what="the second speaker")
    office.transcriber.lose_all()
    await working
    job = await office.job(call_id)
    assert (job.state, job.reason) == (JobState.WAITING, "recogniser_lost")
    assert await office.after.run_once() == 0
    office.record(call_id, "agent", [4.0])
    office.clock.advance(timedelta(minutes=2))
    assert await office.after.run_once() == 1
    assert await office.heard(call_id) == [("customer", "漏水", 13.0), ("agent", "漏水", 16.0)]


async def test_of_a_call_that_is_erased_meanwhile_nothing_is_kept(office: Office) -> None:
    call_id = new_ulid()
    office.record(call_id, "customer", [1.0])
    office.record(call_id, "agent", [4.0], seconds=3600.0)
    await office.want(call_id)
    working = asyncio.create_task(office.after.run_once())
    await eventually(lambda: len(office.transcriber.opened) == 2, timeout=20, what="the second speaker")
    async with office.database.transaction() as session:
        await PERSONAL.empty(session, Record.CALL, [call_id])
    await working
    assert await office.heard(call_id) == []


@pytest.mark.parametrize("error", [ModelMissing("none"), ModelDamaged("broken")])
async def test_without_a_model_calls_wait_for_it(office: Office, error: ModelMissing | ModelDamaged) -> None:
    call_id = new_ulid()
    office.record(call_id, "customer", [1.0])
    await office.want(call_id)
    office.transcriber.refuses = error
    for _ in range(10):
        assert await office.after.run_once() == 1
        assert (await office.job(call_id)).state == JobState.WAITING
        office.clock.advance(timedelta(minutes=10))
    assert (await office.progress()).reason == error.code
    office.transcriber.refuses = None
    assert await office.after.run_once() == 1
    assert (await office.job(call_id)).state == JobState.DONE


async def test_it_stops_while_live_text_is_late_and_keeps_its_claim(office: Office) -> None:
    call_id = new_ulid()
    office.record(call_id, "customer", [1.0])
    await office.want(call_id)
    office.is_late = True
    working = asyncio.create_task(office.after.run_once())
    await eventually(lambda: bool(office.transcriber.opened), timeout=20, what="it was begun")
    (stream,) = office.transcriber.opened
    office.clock.advance(timedelta(minutes=3))

    async def renewed() -> bool:
        # It may have begun to count only after the three minutes.
        office.clock.advance(timedelta(seconds=20))
        return await _claimed(office, call_id)

    await eventually(renewed, timeout=20, what="the claim is renewed")
    assert stream.fed_pieces == 0
    assert [one.call_id for one in (await office.progress()).working] == [call_id]
    office.is_late = False
    assert await working == 1
    assert (await office.job(call_id)).state == JobState.DONE


async def _claimed(office: Office, call_id: str) -> bool:
    until = (await office.job(call_id)).claimed_until
    return until is not None and until > office.clock.now()


async def test_what_was_finished_long_ago_is_forgotten(office: Office) -> None:
    old, new = new_ulid(), new_ulid()
    await office.want(old)
    assert await office.after.run_once() == 1
    office.clock.advance(timedelta(days=31))
    await office.want(new)
    assert await office.after.run_once() == 1
    async with office.database.session() as session:
        assert (await session.scalars(select(TranscriptJobRow.call_id))).all() == [new]
