"""Card numbers in stored calls are taken out of texts and sound, as a call leaves them."""

import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from kernel.access import Actor, Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from speech.after import Priority, want_text
from speech.masking import Masking, mask_texts
from speech.masking_tables import MaskJobRow, SilenceRow
from speech.record import TranscriptRecord
from speech.tables import CorrectionRow, SegmentRow
from speech.transcripts import Segment, store_segments

pytestmark = pytest.mark.integration

CALL_AT = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
BEGAN = 10.0
CARD = "六二二二零二一二三四五六七八九五"
"""6222021234567895: its check digit is right."""
PHONE = "一三八零零一三八零零一"


class Office:
    """A call and its recording: every sample of it is loud."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.clock = FakeClock(CALL_AT + timedelta(minutes=5))
        self.call_id = new_ulid()
        self.masking = Masking(database, self.clock, folder=folder, worker="w1")
        for side in ("-customer", "-agent", ""):
            with wave.open(str(self._path(side)), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8000)
                file.writeframes(b"\x10\x27" * 8000 * 40)

    def _path(self, side: str) -> Path:
        return self.folder / f"{self.call_id}-1.2{side}.wav"

    async def say(self, *texts: tuple[float, str], speaker: str = "customer") -> None:
        """Store texts; a second goes by with five characters."""
        made = [
            Segment(
                segment_id=new_ulid(),
                call_id=self.call_id,
                speaker=speaker,
                agent_number=None,
                start=at,
                end=at + 0.2 * len(said),
                raw=said,
                text=said,
                words=tuple(
                    {"text": one, "start": at + 0.2 * n, "end": at + 0.2 * (n + 1), "confidence": 0.9}
                    for n, one in enumerate(said)
                ),
                created_at=self.clock.now(),
            )
            for at, said in texts
        ]
        async with self.database.transaction() as session:
            await store_segments(session, made)

    async def end(self) -> None:
        """The call is over: its recording's time is known."""
        async with self.database.transaction() as session:
            await want_text(
                session,
                self.call_id,
                priority=Priority.OTHER,
                language="zh",
                call_at=CALL_AT,
                began=BEGAN,
                agent_number="1001",
                now=self.clock.now(),
            )

    async def pass_by(self, seconds: float = 30) -> int:
        self.clock.advance(timedelta(seconds=seconds))
        return await self.masking.run_once()

    async def rows(self) -> list[SegmentRow]:
        async with self.database.session() as session:
            return list(await session.scalars(select(SegmentRow).order_by(SegmentRow.started_ms)))

    def silent(self, side: str) -> list[tuple[float, float]]:
        """Where a file is silent, in seconds of the call."""
        with wave.open(str(self._path(side)), "rb") as file:
            assert file.getnframes() == 8000 * 40
            sound = file.readframes(file.getnframes())
        found: list[tuple[float, float]] = []
        for tenth in range(400):
            if not any(sound[tenth * 1600 : (tenth + 1) * 1600]):
                at = round(BEGAN + tenth / 10, 1)
                if found and found[-1][1] == at:
                    found[-1] = (found[-1][0], round(at + 0.1, 1))
                else:
                    found.append((at, round(at + 0.1, 1)))
        return found


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path)


async def test_a_number_over_two_texts_is_gone_from_text_words_and_sound(office: Office) -> None:
    await office.say((12.0, "我的卡号是" + CARD[:8]), (16.0, CARD[8:] + "对吧"), (20.0, "电话是" + PHONE))
    await office.say((19.0, "好的"), speaker="agent")
    await office.end()
    before = office._path("-customer").stat().st_mtime_ns
    assert await office.pass_by() == 1
    first, second, _, phone = await office.rows()
    assert first.raw == first.text == "我的卡号是〔银行卡号已隐藏〕"
    assert second.raw == "〔银行卡号已隐藏〕对吧"
    assert [word["text"] for word in first.words] == [*"我的卡号是", "〔银行卡号已隐藏〕"]
    assert (first.words[-1]["start"], first.words[-1]["end"]) == (13.0, 14.6)
    assert PHONE in phone.raw, "telephone numbers stay: the office needs them"
    assert office.silent("-customer") == office.silent("") == [(12.8, 14.8), (15.8, 17.8)]
    assert office.silent("-agent") == []
    assert office._path("-customer").stat().st_mtime_ns == before
    async with office.database.session() as session:
        cuts = list(await session.scalars(select(SilenceRow).order_by(SilenceRow.from_ms)))
        assert [(one.kind, one.speaker, one.silenced_at is not None) for one in cuts] == [
            ("bank_card", "customer", True)
        ] * 2
        assert (await session.scalars(select(MaskJobRow))).all() == []


async def test_nothing_of_the_number_is_left_in_the_database(office: Office) -> None:
    """Not in a text that was replaced, not in a correction, not in what the search is to read."""
    await office.say((12.0, "身份证号一一零一零一一九九零零三零七八八五七"))
    (row,) = await office.rows()
    clerk = Actor(user_id=new_ulid(), name="周晓梅", role=Role.SUPERVISOR, department=None, ip="")
    record = TranscriptRecord(office.database, office.clock)
    for version, typed in ((1, "身份证号 110101199003078857 好"), (2, "身份证号 110101199003078857 没错")):
        await record.correct(clerk, office.call_id, row.segment_id, typed, expected=version)
    await office.end()
    assert await office.pass_by() == 1
    async with office.database.session() as session:
        for table in (SegmentRow, CorrectionRow):
            found = (await session.execute(text(f"SELECT * FROM {table.__tablename__}"))).all()
            assert found
            said = repr(found)
            assert "19900307" not in said
            assert "一九九零" not in said
    (row,) = await office.rows()
    assert row.corrected is not None
    assert "没错" in row.corrected
    assert office.silent("-customer") != []


async def test_a_call_that_goes_on_is_silenced_when_it_is_over(office: Office) -> None:
    await office.say((12.0, "卡号" + CARD))
    assert await office.pass_by() == 1
    assert "六二二二" not in (await office.rows())[0].raw
    assert office.silent("") == []
    await office.end()
    assert await office.pass_by(300) == 1
    assert office.silent("") == office.silent("-customer") == [(12.2, 15.8)]
    assert await office.pass_by(3600) == 0


async def test_doing_it_twice_changes_nothing_more(office: Office) -> None:
    await office.say((12.0, "卡号" + CARD))
    async with office.database.transaction() as session:
        assert await mask_texts(session, office.call_id, office.clock) == 1
    async with office.database.transaction() as session:
        assert await mask_texts(session, office.call_id, office.clock) == 0


async def test_a_recording_that_cannot_be_written_is_tried_again(office: Office) -> None:
    await office.say((12.0, "卡号" + CARD))
    await office.end()
    path = office._path("")
    whole = path.read_bytes()
    path.write_bytes(b"no recording")
    assert await office.pass_by() == 1
    path.write_bytes(whole)
    assert await office.pass_by(300) == 1
    assert office.silent("") == [(12.2, 15.8)]
