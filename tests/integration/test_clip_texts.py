"""Text of short recordings: once, what decides first, and nothing lost whatever fails."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import HuifangError
from kernel.ids import new_ulid
from speech.clip_tables import ClipJobRow
from speech.clips import ClipPriority, ClipState, ClipText, Shelf, want_clip_text
from speech.ports import ModelMissing, RecogniserBusy, Transcriber
from speech.rules.opinion import Opinion
from tests.support.clips import clip_texts, record
from tests.support.fake_transcriber import FakeRecognition, FakeTranscriber
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration


class Shop:
    """Who records, and takes the texts."""

    def __init__(self, database: Database, folder: Path, *lines: str) -> None:
        self.database, self.folder = database, folder
        self.clock = FakeClock(at("2026-03-02 15:00"))
        self.recognition = FakeRecognition(FakeTranscriber(lines or ("卫生间漏水很不满意",)))
        self.kept: list[ClipText] = []
        self.broken = False
        self.texts = clip_texts(database, self.clock, self.recognition, {"answer": Shelf(folder, self._keep)})

    async def _keep(self, session: AsyncSession, text: ClipText) -> None:
        if self.broken:
            raise OSError("killed here")
        self.kept.append(text)

    async def want(self, name: str, priority: ClipPriority = ClipPriority.OTHER) -> str:
        clip_id = new_ulid()
        record(self.folder / name)
        for _ in range(2):
            async with self.database.transaction() as session:
                await want_clip_text(
                    session,
                    clip_id,
                    kind="answer",
                    path=name,
                    priority=priority,
                    language="zh",
                    said_at=self.clock.now(),
                    now=self.clock.now(),
                )
        self.clock.advance(timedelta(seconds=2))
        return clip_id

    async def job(self, clip_id: str) -> ClipJobRow:
        async with self.database.session() as session:
            return await session.get_one(ClipJobRow, clip_id)


def raising(trouble: HuifangError) -> Callable[..., Transcriber]:
    def choose(language: str, *, background: bool = False) -> Transcriber:
        raise trouble

    return choose


@pytest.fixture
def shop(sqlite: Database, tmp_path: Path) -> Shop:
    return Shop(sqlite, tmp_path)


async def test_text_and_what_it_comes_to_on_both_databases(database: Database, tmp_path: Path) -> None:
    shop = Shop(database, tmp_path)
    clip_id = await shop.want("t/KG1.wav")
    assert await shop.texts.run_once() == 1
    assert await shop.texts.run_once() == 0
    (text,) = shop.kept
    assert (text.clip_id, text.text, text.state) == (clip_id, "卫生间漏水很不满意", ClipState.DONE)
    assert text.judged is not None
    assert (text.judged.opinion, text.judged.class_code) == (Opinion.DISSATISFIED, 1)
    assert (await shop.job(clip_id)).due_at is None


async def test_what_decides_a_result_is_heard_first(shop: Shop) -> None:
    await shop.want("t/KG10.wav")
    first = await shop.want("t/KG1.wav", ClipPriority.DECISIVE)
    await shop.texts.run_once()
    assert [text.clip_id for text in shop.kept] == [first]


async def test_killed_while_it_is_kept_it_is_done_again_and_kept_once(shop: Shop) -> None:
    clip_id = await shop.want("t/KG1.wav")
    shop.broken = True
    with pytest.raises(OSError, match="killed here"):
        await shop.texts.run_once()
    assert (await shop.job(clip_id)).state == ClipState.WAITING.value
    shop.broken = False
    shop.clock.advance(timedelta(minutes=4))
    assert await shop.texts.run_once() == 1
    assert await shop.texts.run_once() == 0
    assert len(shop.kept) == 1


async def test_a_busy_recogniser_or_a_missing_model_is_waited_for(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip_id = await shop.want("t/KG1.wav")
    for trouble, wait in ((RecogniserBusy("all busy"), 60), (ModelMissing("install one"), 301)):
        with monkeypatch.context() as patched:
            patched.setattr(shop.recognition, "choose", raising(trouble))
            assert await shop.texts.run_once() == 1
        assert (await shop.job(clip_id)).reason == trouble.code
        shop.clock.advance(timedelta(seconds=wait))
    await shop.texts.run_once()
    assert [text.state for text in shop.kept] == [ClipState.LATER, ClipState.DONE]


async def test_the_number_of_a_card_is_neither_in_the_text_nor_in_the_sound(
    sqlite: Database, tmp_path: Path
) -> None:
    shop = Shop(sqlite, tmp_path, "退款退到卡号6222021234567890128")
    await shop.want("t/KG1.wav")
    path = tmp_path / "t/KG1.wav"
    before = path.read_bytes()
    assert any(before[44:])
    await shop.texts.run_once()
    (text,) = shop.kept
    assert (text.text, "6222" in text.raw) == ("退款退到卡号〔银行卡号已隐藏〕", False)
    after = path.read_bytes()
    assert len(after) == len(before)
    assert not any(after[44:]), "all that was said is silent, since its words have no times"


async def test_a_recording_that_cannot_be_made_silent_is_tried_again(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(sqlite, tmp_path, "退款退到卡号6222021234567890128")
    clip_id = await shop.want("t/KG1.wav")

    def full(path: Path, cuts: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("speech.clips.silence_clip", full)
        await shop.texts.run_once()
    assert (shop.kept, (await shop.job(clip_id)).reason) == ([], "unavailable")
    shop.clock.advance(timedelta(minutes=1))
    await shop.texts.run_once()
    assert [text.state for text in shop.kept] == [ClipState.DONE]


async def test_a_recording_that_is_gone_or_damaged_fails_and_says_so(shop: Shop) -> None:
    gone, damaged = await shop.want("t/1.wav"), await shop.want("t/2.wav")
    (shop.folder / "t/1.wav").unlink()
    (shop.folder / "t/2.wav").write_bytes(b"RIFF....WAVE")
    await shop.texts.run_once()
    await shop.texts.run_once()
    assert {text.clip_id: text.state for text in shop.kept} == dict.fromkeys(
        (gone, damaged), ClipState.FAILED
    )


async def test_a_path_never_leads_out_of_the_folder(shop: Shop) -> None:
    clip_id = await shop.want("t/1.wav")
    record(shop.folder.parent / "secret.wav")
    async with shop.database.transaction() as session:
        await session.execute(delete(ClipJobRow))
        await want_clip_text(
            session,
            clip_id,
            kind="answer",
            path="../secret.wav",
            priority=ClipPriority.OTHER,
            language="zh",
            said_at=shop.clock.now(),
            now=shop.clock.now(),
        )
    shop.clock.advance(timedelta(seconds=2))
    await shop.texts.run_once()
    assert [text.state for text in shop.kept] == [ClipState.FAILED]


async def test_live_text_comes_first(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    clip_id = await shop.want("t/1.wav")
    monkeypatch.setattr(shop.texts, "_late", lambda: True)
    await shop.texts.run_once()
    assert shop.kept == []
    assert (await shop.job(clip_id)).tries == 0


async def test_numbers_of_cards_are_not_kept(sqlite: Database, tmp_path: Path) -> None:
    shop = Shop(sqlite, tmp_path, "我的卡号是6222021234567890128你们退给我")
    await shop.want("t/1.wav")
    await shop.texts.run_once()
    (text,) = shop.kept
    assert "隐藏" in text.text
    assert "6222" not in text.text + text.raw
