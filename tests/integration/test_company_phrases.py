"""Names of the company's records and words added by hand, on their way into the recogniser's own process."""

import asyncio
import contextlib
import json
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from redis.asyncio import Redis

import app.models  # noqa: F401 - every table
from app.after_text import build_after_call
from app.clip_text import MESSAGE, ClipPart
from app.live_text import build_hints, build_live_text
from app.settings import Settings, load_settings
from app.speech_part import build_recognition
from app.telephony_part import build_telephony
from crm.material_tables import MaterialRow
from crm.repair_point_tables import RepairPoint
from crm.tables import Crew, Customer, Project
from crm.voicemail_tables import VoiceMessageRow
from kernel.access import Actor, Role
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import Database
from kernel.ids import new_ulid
from speech.after import Priority, want_text
from speech.audiosocket import Audio, Hangup, StreamId, encode
from speech.batch import transcribe
from speech.choice import InstalledRecognition
from speech.clips import PAUSE, ClipPriority, want_clip_text
from speech.engines import ENGINES
from speech.model_store import LIST
from speech.phrases import KeptPhrases, PhraseBook
from speech.ports import BYTES_PER_SECOND
from speech.transcripts import Transcripts
from tests.support.echo_engine import KIND
from tests.support.models import installed, models_folder, sentences
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

MANAGER = Actor(user_id=new_ulid(), name="王经理", role=Role.MANAGER)
EXPECTED = ("马可波罗", "张师傅队", "阳光新城", "朝阳区", "东鹏瓷砖")
"""Added by hand, a crew, a community, a district, a material: the order in which a recogniser gets them."""
SECOND = bytes(BYTES_PER_SECOND)
WATERPROOF = next(one for one in sentences() if "闭水试验" in one.text)


@dataclass(frozen=True)
class Company:
    """A company whose records hold names, and who listens to it: an engine that says what it expects."""

    settings: Settings
    database: Database
    clock: SystemClock
    recognition: InstalledRecognition
    hints: KeptPhrases


async def write_names(database: Database, clock: SystemClock) -> None:
    """Have names in the records, some of which nobody says any more."""
    customer = new_ulid()
    async with database.transaction() as session:
        session.add(
            Customer(id=customer, name="李女士", level="A", created_at=clock.now(), updated_at=clock.now())
        )
        await session.flush()
        session.add_all(
            [
                Crew(id=new_ulid(), name="张师傅队", head="张伟"),
                Crew(id=new_ulid(), name="走了的队", head="钱进", status="departed"),
                Project(
                    id=new_ulid(),
                    contract_no="ZX-1",
                    customer_id=customer,
                    address="阳光新城3号楼",
                    community="阳光新城",
                    stage=1,
                ),
                *(
                    RepairPoint(
                        id=new_ulid(),
                        name=name,
                        agreement_no=name,
                        district=district,
                        contact="赵强",
                        phone="13900139000",
                        valid_from=date(2026, 1, 1),
                        active=active,
                        created_at=clock.now(),
                        created_by="王经理",
                        updated_at=clock.now(),
                        updated_by="王经理",
                    )
                    for name, district, active in (
                        ("东维修点", "朝阳区", True),
                        ("西维修点", "朝阳区", True),
                        ("停了的点", "不去的区", False),
                    )
                ),
                *(
                    MaterialRow(
                        id=new_ulid(),
                        code=name,
                        name=name,
                        unit="块",
                        price=Decimal(1),
                        kind="main",
                        active=active,
                        updated_at=clock.now(),
                        updated_by="王经理",
                    )
                    for name, active in (("东鹏瓷砖", True), ("停产的砖", False))
                ),
            ]
        )
    await PhraseBook(database, clock, AuditLog(database, clock)).add(MANAGER, "马可波罗")


@pytest.fixture
async def company(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Company]:
    monkeypatch.setitem(ENGINES, "whisper", KIND)
    model = tmp_path / "models" / "whisper-base"
    model.mkdir(parents=True)
    (model / LIST).write_text(json.dumps({"files": {}}), encoding="utf-8")
    (model / "behave").write_text("well", encoding="utf-8")
    settings = load_settings({}, data_dir=tmp_path, speech={"trade_words": False})
    clock = SystemClock()
    await write_names(sqlite, clock)
    recognition = build_recognition(settings)
    hints = build_hints(settings, sqlite, clock)
    reading = asyncio.create_task(hints.run())
    await eventually(lambda: hints() == EXPECTED, timeout=20, what="the names are read")
    yield Company(settings, sqlite, clock, recognition, hints)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await recognition.aclose()


def record(path: Path) -> None:
    """Write two seconds of sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(SECOND * 2)


def said(text: str) -> tuple[str, ...]:
    """Return what the engine says that it expects: after the second that it was given."""
    return tuple(text.split("秒", 1)[1].split())


async def test_live_text_expects_them(company: Company) -> None:
    bus = Bus()
    telephony = build_telephony(
        company.settings,
        clock=company.clock,
        database=company.database,
        bus=bus,
        redis=Redis(),
        worker="w1",
        on_facts=lambda: None,
    )
    part = build_live_text(
        company.settings,
        telephony,
        company.recognition,
        clock=company.clock,
        database=company.database,
        bus=bus,
    )
    tasks = [asyncio.create_task(work) for work in (part.writer.run(), part.hints.run())]
    await part.listener.start()
    await eventually(lambda: part.hints() == EXPECTED, timeout=20, what="the names are read")
    call_id = new_ulid()
    stream = part.live.expect(call_id, "customer", call_age=timedelta(0))
    _, writer = await asyncio.open_connection("127.0.0.1", part.listener.port)
    writer.write(encode(StreamId(stream)))
    for _ in range(60):
        writer.write(encode(Audio(SECOND[:320])))
        await asyncio.sleep(0.02)
    writer.write(encode(Hangup()))

    async def stored() -> bool:
        return any("1秒" in one.raw for one in await Transcripts(company.database).of_call(call_id))

    await eventually(stored, timeout=20, what="the text is stored")
    found = [one.raw for one in await Transcripts(company.database).of_call(call_id) if "秒" in one.raw]
    assert said(found[0]) == EXPECTED
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    await part.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_text_after_the_call_expects_them(company: Company) -> None:
    call_id, call_at = new_ulid(), datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
    record(company.settings.data_dir / "recordings" / f"{call_id}-1.2-customer.wav")
    after = build_after_call(
        company.settings,
        company.recognition,
        clock=company.clock,
        database=company.database,
        bus=Bus(),
        worker="w1",
        late=lambda: False,
        phrases=company.hints,
    )
    async with company.database.transaction() as session:
        await want_text(
            session,
            call_id,
            priority=Priority.OTHER,
            language="zh",
            call_at=call_at,
            began=0.0,
            agent_number="1001",
            now=call_at,
        )

    async def listened() -> bool:
        await after.run_once()
        return bool(await Transcripts(company.database).of_call(call_id))

    # On a busy machine a recogniser may be given up as lost; the next one has the recording again.
    await eventually(listened, timeout=150, what="the recording has a text")
    found = [one.raw for one in await Transcripts(company.database).of_call(call_id)]
    # It hears the recording thoroughly, and says so last.
    assert [said(raw) for raw in found] == [(*EXPECTED, "thorough")] * 2


async def test_messages_and_spoken_answers_expect_them(company: Company) -> None:
    part = ClipPart(
        company.settings,
        company.recognition,
        database=company.database,
        clock=company.clock,
        worker="w1",
        late=lambda: False,
        phrases=company.hints,
    )
    message_id, now = new_ulid(), company.clock.now()
    record(company.settings.data_dir / "messages" / "KM1.wav")
    async with company.database.transaction() as session:
        session.add(VoiceMessageRow(id=message_id, call_id=new_ulid(), path="KM1.wav", seconds=2.0, at=now))
        await want_clip_text(
            session,
            message_id,
            kind=MESSAGE,
            path="KM1.wav",
            priority=ClipPriority.MESSAGE,
            language="zh",
            said_at=now,
            now=now - timedelta(minutes=1),
        )
    assert await part.texts.run_once() == 1
    async with company.database.session() as session:
        row = await session.get_one(VoiceMessageRow, message_id)
    assert [said(one) for one in row.said_raw.split(PAUSE)] == [(*EXPECTED, "thorough")] * 2


async def test_a_real_recogniser_writes_a_companys_word_where_it_wrote_what_sounds_like_it() -> None:
    await installed("whisper-base")
    settings = load_settings({}, speech={"models_dir": str(models_folder()), "trade_words": False})
    recognition = build_recognition(settings)
    try:
        texts = []
        for phrases in ((), ("闭水试验",)):
            pieces = transcribe(
                recognition.choose("zh"),
                WATERPROOF.pcm,
                "zh",
                phrases=phrases,
                background=False,
                patience=timedelta(seconds=120),
            )
            texts.append("".join([piece.text async for piece in pieces]))
        assert ["闭水试验" in text for text in texts] == [False, True], texts
    finally:
        await recognition.aclose()
