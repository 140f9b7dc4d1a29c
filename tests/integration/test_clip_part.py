"""Messages and spoken answers: listened to in their caller's language, without the numbers of cards."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

import app.models  # noqa: F401 - every table
from app.clip_text import CLIP_FACTS, ClipPart
from app.settings import load_settings
from callback_campaigns.talk_tables import CallbackVoiceRow
from crm.voicemail import LeftMessage, VoiceMail
from crm.voicemail_tables import VoiceMessageRow
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.events import decode
from kernel.ids import new_ulid
from kernel.outbox import OutboxRow
from speech.clip_tables import ClipJobRow
from speech.ports import Recognition
from telephony.audio import loudness, read_wav
from telephony.tables import CallRow
from tests.support.clips import record
from tests.support.fake_transcriber import FakeRecognition, FakeTranscriber
from tests.support.people import make_desk
from tests.support.stored_talks import store_talk
from tests.support.surveys import survey_centre

pytestmark = pytest.mark.integration

CARD = "退款退到卡号6222021234567890128"
HIDDEN = "退款退到卡号〔银行卡号已隐藏〕"


def clip_part(database: Database, clock: FakeClock, folder: Path, recognition: Recognition) -> ClipPart:
    return ClipPart(
        load_settings({}, data_dir=folder),
        recognition,
        database=database,
        clock=clock,
        worker="w1",
        late=lambda: False,
        phrases=tuple,
    )


async def take_facts(part: ClipPart, database: Database, clock: FakeClock) -> None:
    """Have it take what was recorded, as its consumer does."""
    async with database.session() as session:
        rows = (await session.scalars(select(OutboxRow).order_by(OutboxRow.event_id))).all()
    for fact in (decode(row.payload) for row in rows):
        if isinstance(fact, CLIP_FACTS):
            async with database.transaction() as session:
                await part.on_fact(session, fact)
    clock.advance(timedelta(seconds=2))


async def leave_message(database: Database, clock: FakeClock, folder: Path, language: str | None) -> None:
    """Leave a message in a call whose caller chose a language."""
    call_id = new_ulid()
    await store_talk(database, clock, call_id, agent=None)
    async with database.transaction() as session:
        await session.execute(update(CallRow).values(language=language))
    record(folder / "messages" / "KM1.wav")
    left = LeftMessage(call_id=call_id, path="KM1.wav", seconds=2.0, at=clock.now())
    await VoiceMail(make_desk(database, clock).office).keep(left)


@pytest.mark.parametrize(
    ("chosen", "known", "language"),
    [
        pytest.param("en", ("zh", "en"), "en", id="english"),
        pytest.param("en", ("zh",), "zh", id="nobody-knows-english"),
        pytest.param(None, ("zh", "en"), "zh", id="not-chosen"),
    ],
)
async def test_a_message_is_listened_to_in_its_callers_language(
    sqlite: Database,
    clock: FakeClock,
    tmp_path: Path,
    chosen: str | None,
    known: tuple[str, ...],
    language: str,
) -> None:
    await leave_message(sqlite, clock, tmp_path, chosen)
    recognition = FakeRecognition(FakeTranscriber(languages=frozenset(known)))
    await take_facts(clip_part(sqlite, clock, tmp_path, recognition), sqlite, clock)
    async with sqlite.session() as session:
        assert (await session.scalars(select(ClipJobRow.language))).one() == language


async def test_a_card_number_in_a_message_is_in_neither_text_nor_sound(
    sqlite: Database, clock: FakeClock, tmp_path: Path
) -> None:
    await leave_message(sqlite, clock, tmp_path, None)
    path = tmp_path / "messages" / "KM1.wav"
    part = clip_part(sqlite, clock, tmp_path, FakeRecognition(FakeTranscriber((CARD,))))
    await take_facts(part, sqlite, clock)
    assert loudness(read_wav(path)) > 0
    assert await part.texts.run_once() == 1
    async with sqlite.session() as session:
        row = (await session.scalars(select(VoiceMessageRow))).one()
    assert (row.transcript, "6222" in row.said_raw + row.said_first) == (HIDDEN, False)
    assert loudness(read_wav(path)) == 0


async def test_a_card_number_in_a_spoken_answer_is_in_neither_text_nor_sound(
    sqlite: Database, clock: FakeClock, tmp_path: Path
) -> None:
    async with survey_centre(tmp_path, sqlite, clock) as site:
        await site.survey(await site.called(), "13vX")
        async with sqlite.session() as session:
            voice = (await session.scalars(select(CallbackVoiceRow))).one()
        path = site.answers / voice.path
        record(path)
        part = clip_part(sqlite, clock, site.answers.parent, FakeRecognition(FakeTranscriber((CARD,))))
        await take_facts(part, sqlite, clock)
        assert await part.texts.run_once() == 1
        async with sqlite.session() as session:
            row = (await session.scalars(select(CallbackVoiceRow))).one()
        assert (row.transcript, "6222" in row.said_raw + row.said_first) == (HIDDEN, False)
        assert loudness(read_wav(path)) == 0
