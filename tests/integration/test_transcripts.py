"""What was heard on its way to the pages and into the database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from speech.buffer import Gap, GapReason
from speech.events import SpeechHeard, SpeechMissed
from speech.listener import StreamListener
from speech.live import LiveText
from speech.ports import Heard, PieceKind, Word
from speech.transcripts import Segment, Transcripts, TranscriptWriter, store_segments
from tests.support.calls import FickleDatabase
from tests.support.fake_recogniser import FakeRecogniser
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

CALL, OTHER = new_ulid(), new_ulid()
MOST_PAGES = 1 << 30
"""Of a SQLite database: as many as the disk has room for."""


def segment(clock: FakeClock, text: str, start: float = 1.0, **changes: Any) -> Segment:
    values: dict[str, Any] = {
        "segment_id": new_ulid(),
        "call_id": CALL,
        "speaker": "customer",
        "agent_number": None,
        "start": start,
        "end": start + 1.5,
        "raw": text,
        "text": text,
        "words": ({"text": text, "start": start, "end": start + 1.5, "confidence": None},),
        "engine": "vosk",
        "model": "vosk-cn",
        "created_at": clock.now(),
    }
    return Segment(**{**values, **changes})


@contextlib.asynccontextmanager
async def running(writer: TranscriptWriter) -> AsyncIterator[None]:
    task = asyncio.create_task(writer.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_segments_are_read_back_as_they_were(database: Database, clock: FakeClock) -> None:
    writer, later = TranscriptWriter(database), segment(clock, "第二句", 9.0)
    first = segment(clock, "第一句：<b>漏水</b>")
    gap = segment(clock, "", 4.0, gap="behind", lost=2.5, words=())
    async with running(writer):
        for one in (later, first, gap):
            writer.add(one)
        writer.add(segment(clock, "别的通话", call_id=OTHER))
        await eventually(lambda: writer.waiting == 0, timeout=20)
    assert await Transcripts(database).of_call(CALL) == (first, gap, later)
    assert await Transcripts(database).of_call(CALL, limit=1) == (later,)


async def test_a_call_that_became_part_of_another_takes_its_words_along(
    sqlite: Database, clock: FakeClock
) -> None:
    writer = TranscriptWriter(sqlite)
    async with running(writer):
        writer.add(segment(clock, "咨询的时候说的"))
        writer.merge(CALL, OTHER)
        await eventually(lambda: writer.waiting == 0, timeout=20)

        async def moved() -> bool:
            return len(await Transcripts(sqlite).of_call(OTHER)) == 1

        await eventually(moved, timeout=20)
    assert await Transcripts(sqlite).of_call(CALL) == ()


async def test_while_the_database_is_away_the_newest_wait_and_none_is_stored_twice(
    sqlite: Database, clock: FakeClock
) -> None:
    fickle = FickleDatabase(sqlite)
    writer = TranscriptWriter(fickle, limit=3, retry_seconds=0.01)
    fickle.gone = fickle.after_commit = True
    async with running(writer):
        writer.add(segment(clock, "提交了但没听说", 0.0))
        await eventually(lambda: fickle.tries > 2, timeout=20)
        fickle.after_commit = False
        for n in range(1, 6):
            writer.add(segment(clock, f"第 {n} 句", float(n)))
        assert writer.waiting == 3
        fickle.gone = False
        await eventually(lambda: writer.waiting == 0, timeout=20)
    stored = [one.text for one in await Transcripts(sqlite).of_call(CALL)]
    assert stored == ["提交了但没听说", "第 3 句", "第 4 句", "第 5 句"]


async def test_on_a_full_disk_text_waits_until_there_is_room(sqlite: Database, clock: FakeClock) -> None:
    room = {"pages": 1}  # no more than there are

    def bound(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {room['pages']}")

    event.listen(sqlite.engine.sync_engine, "begin", bound)
    words = tuple({"text": "漏", "start": n / 10, "end": n / 10, "confidence": None} for n in range(2000))
    try:
        with pytest.raises(OperationalError, match="disk is full"):
            async with sqlite.transaction() as session:
                await store_segments(session, [segment(clock, "放不下", words=words)])
        writer = TranscriptWriter(sqlite, retry_seconds=0.01)
        said = [segment(clock, f"第 {n} 句", float(n), words=words) for n in range(3)]
        async with running(writer):
            for one in said:
                writer.add(one)
            await asyncio.sleep(0.2)
            assert writer.waiting == 3
            room["pages"] = MOST_PAGES
            await eventually(lambda: writer.waiting == 0, timeout=20)
    finally:
        event.remove(sqlite.engine.sync_engine, "begin", bound)
    assert await Transcripts(sqlite).of_call(CALL) == tuple(said)


async def test_what_waits_at_the_end_is_stored(sqlite: Database, clock: FakeClock) -> None:
    writer = TranscriptWriter(sqlite)
    async with running(writer):
        await asyncio.sleep(0)
        writer.add(segment(clock, "最后一句"))
    assert len(await Transcripts(sqlite).of_call(CALL)) == 1


async def test_partial_texts_are_told_and_never_stored(sqlite: Database, clock: FakeClock) -> None:
    writer, bus, listener = TranscriptWriter(sqlite), Bus(), StreamListener()
    await listener.start()
    live = LiveText(
        listener, FakeRecogniser(), writer, bus=bus, clock=clock, read=lambda raw: raw.replace(" ", "")
    )
    assert live.available
    told = bus.subscribe(SpeechHeard, SpeechMissed, name="test")
    stream = live.expect(CALL, "customer", call_age=timedelta(seconds=7))
    known = live._speakers[stream]
    piece = Heard(kind=PieceKind.PARTIAL, text="我 家", start=7.0, end=8.0, engine="vosk", model="vosk-cn")
    live.note(known, piece, 0.2)
    assert writer.waiting == 0
    words = (Word(text="我", start=7.0, end=7.5, confidence=0.8), Word(text="家", start=7.5, end=8.0))
    live.note(
        known,
        Heard(kind=PieceKind.FINAL, text="我 家" * 2000, start=7, end=8, words=words, engine="v", model="m"),
        0.4,
    )
    live.note_gap(known, Gap(9.0, 11.0, GapReason.BEHIND, 2.0))
    live.missed(CALL, "agent", 3.0, 4.0)  # the moment in which a tap begins is no gap
    live.missed(CALL, "agent", 3.0, 30.0, agent_number="1001")
    assert writer.waiting == 3
    partial, final, gap, missed = told.waiting()
    assert isinstance(partial, SpeechHeard)
    assert isinstance(final, SpeechHeard)
    assert (partial.text, partial.kind, partial.segment_id) == ("我家", "partial", "")
    assert (final.kind, len(final.text), final.words[1].confidence) == ("final", 1333, None)
    assert isinstance(gap, SpeechMissed)
    assert isinstance(missed, SpeechMissed)
    assert (gap.reason, missed.reason, missed.speaker) == ("behind", "not_tapped", "agent")
    await live.close_all()
    assert live.speakers == 0
    await listener.stop()
