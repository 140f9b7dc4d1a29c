"""Whoever is erased stands nowhere any more: not in any table, not in any file; held, everything stays.

A call with its recording, text, correction and search, a message, an answer after the tone, a greeting with
the name, the panel of the live text, facts on their way, answers that are kept for a repetition, the logs.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update

from app.erasure import ErasureNews, tidy_files, when_erased
from app.retention import RetentionJob, build_retention
from app.said import build_said
from app.settings import Settings
from app.wiring import record_contact
from crm.data_requests import DataRequestView, RequestKind
from crm.domain.spoken import Spoken, TextProgress
from crm.events_people import PersonErased
from crm.legal_holds import LegalHolds
from crm.tables import CallNote, ServiceCase
from crm.voicemail import LeftMessage, VoiceMail
from ivr.domain.flow import Voice
from ivr.prompts.store import PromptStore
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.events import decode
from kernel.ids import new_ulid
from kernel.outbox import OutboxRow
from kernel.phone import Phone
from speech.after import Priority, want_text
from speech.events import SpeechHeard
from speech.record import TranscriptRecord
from speech.transcripts import Segment, Transcripts, store_segments
from telephony.events import CallEnded
from telephony.tables import CallRow
from tests.support.calls import call_writer, facts, tell_story
from tests.support.clips import record
from tests.support.fake_voice import ToneVoice
from tests.support.people import MANAGER, Desk, make_desk
from tests.support.traces import count_in, count_in_table, found_in_files, found_in_tables, put
from tests.support.waiting import eventually
from web.live_hub import LiveHub
from web.text_feed import OF_CALL, TextFeed

pytestmark = pytest.mark.integration

NAME, NUMBER = "欧阳晴川", "13900139000"
"""The number calls in the recorded story."""
SAID, TYPED, LEFT = "楼下邻居的书房也泡了", "楼下邻居的书房也泡水了", "请欧阳晴川的管家回电"
WORDS = (NAME, NUMBER, SAID, TYPED, LEFT)
TOLD_ELSEWHERE = ("audit_record.",)
"""The journal is kept whole, or its chain breaks; the person is told."""


@dataclass
class Home:
    """An installation in which one person has left traces everywhere."""

    database: Database
    clock: FakeClock
    data: Path
    desk: Desk
    job: RetentionJob
    feed: TextFeed
    bus: Bus
    prompts: PromptStore
    owner: str
    call_id: str = ""

    async def found(self) -> dict[str, set[str]]:
        """Return where the person still stands."""
        tables = await found_in_tables(self.database, WORDS)
        told = [place for place in tables if place.startswith(TOLD_ELSEWHERE)]
        return {place: words for place, words in tables.items() if place not in told}

    async def ask(self) -> DataRequestView:
        """Have the person's wish to be deleted answered."""
        requests = self.job.requests
        made = await requests.receive(MANAGER, self.owner, RequestKind.DELETE, evidence="核对了合同号")
        done = await requests.answer(MANAGER, made.request_id, made.version)
        async with self.database.session() as session:
            told = [decode(row.payload) for row in await session.scalars(select(OutboxRow))]
        async with self.database.transaction() as session:
            for fact in told:
                if isinstance(fact, PersonErased):
                    await ErasureNews(self.bus).on_fact(session, fact)
        return done

    def panel(self) -> Any:
        """Return what the panel of the live text shows of the call."""
        ((_, shown),) = self.feed.snapshot(f"{OF_CALL}:{self.call_id}")
        return shown


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 3, 2, 2, 0, tzinfo=UTC))


@pytest.fixture
async def home(database: Database, clock: FakeClock, tmp_path: Path) -> Home:
    desk, data, bus = make_desk(database, clock), tmp_path / "data", Bus()
    settings = Settings(data_dir=data, database_url=database.engine.url.render_as_string(hide_password=False))
    owner = (await desk.customer(NAME, NUMBER)).customer_id
    pops: Any = SimpleNamespace(agents_on=lambda _: [], call_of=lambda _: None)
    feed = TextFeed(bus=bus, clock=clock, hub=LiveHub(clock), pops=pops, transcripts=Transcripts(database))
    prompts = PromptStore(data / "prompts" / "survey", ToneVoice())
    await prompts.open()
    home = Home(
        database, clock, data, desk, build_retention(settings, database, clock), feed, bus, prompts, owner
    )
    await _call(home, tmp_path)
    await _text(home)
    await _answer(home)
    await prompts.spoken(f"{NAME}女士，您好", Voice(), deadline=timedelta(seconds=20))
    log = data / "asterisk" / "log" / "cel-custom" / "huifang.csv"
    log.parent.mkdir(parents=True)
    log.write_text(f'"CHAN_START","1772416800.1","PJSIP/trunk-main-1","+86{NUMBER}"\n' * 3, encoding="utf-8")
    await put(
        database,
        "api_answer",
        {"UtcDateTime": clock.now()},
        user_id=new_ulid(),
        token=new_ulid(),
        state="done",
        answer=f'{{"name":"{NAME}"}}',
        status=201,
    )
    async with database.transaction() as session:
        # The relay has sent them: they stay for a day.
        await session.execute(update(OutboxRow).values(due_at=None))
    return home


async def _call(home: Home, folder: Path) -> None:
    """Let them call, and be recorded; the agent notes who it was."""
    writer = call_writer(home.database, folder)
    home.call_id = tell_story(writer, "attended_transfer")
    await writer.flush()
    async with home.database.transaction() as session:
        for fact in await facts(home.database):
            assert isinstance(fact, CallEnded)
            await record_contact(session, fact)
        note = CallNote(
            call_id=home.call_id,
            disposition="enquiry",
            notes=SAID,
            customer_id=home.owner,
            noted_at=home.clock.now(),
        )
        session.add(note)
    for name in ("", "-customer", "-agent"):
        record(home.data / "recordings" / f"{home.call_id}-1772416800.1{name}.wav")


async def _text(home: Home) -> None:
    """Let what they said become text: on the page, in the record, corrected, and in the search."""
    said = {"call_id": home.call_id, "speaker": "customer", "start": 1.0, "end": 3.0}
    segment = Segment(
        segment_id=new_ulid(),
        agent_number=None,
        raw=SAID,
        text=SAID,
        words=({"text": SAID, "start": 1.0, "end": 3.0},),
        engine="fake",
        model="fake-lines",
        created_at=home.clock.now(),
        **said,  # type: ignore[arg-type]
    )
    async with home.database.transaction() as session:
        await store_segments(session, (segment,))
        await want_text(
            session,
            home.call_id,
            priority=Priority.OTHER,
            language="zh",
            call_at=home.clock.now(),
            began=0.0,
            agent_number=None,
            now=home.clock.now(),
        )
    record_of = TranscriptRecord(home.database, home.clock)
    await record_of.correct(MANAGER, home.call_id, segment.segment_id, TYPED, expected=1)
    home.clock.advance(timedelta(minutes=5))
    await build_said(home.database, home.clock, worker="w1").run_once()
    home.feed._take(
        SpeechHeard(
            at=home.clock.now(),
            segment_id=segment.segment_id,
            kind="final",
            text=SAID,
            delay_seconds=0.2,
            **said,  # type: ignore[arg-type]
        )
    )


async def _answer(home: Home) -> None:
    """Let them leave a message, and answer a callback in their own words."""
    database, now = home.database, home.clock.now()
    mail = VoiceMail(home.desk.office)
    record(home.data / "messages" / home.call_id / "m.wav")
    left = LeftMessage(
        call_id=home.call_id,
        path=f"{home.call_id}/m.wav",
        seconds=2.0,
        at=now,
        phone=Phone.parse(NUMBER),
        customer_id=home.owner,
    )
    message_id = await mail.keep(left)
    async with database.transaction() as session:
        await mail.keep_text(session, message_id, Spoken(state=TextProgress.DONE, raw=LEFT, text=LEFT))
    plain = {"UtcDateTime": now, "Integer": 1, "Float": 1.0, "Boolean": False, "JSON": []}
    task, talk = new_ulid(), new_ulid()
    await put(database, "callback_task", plain, id=task, key=task, customer_id=home.owner, tried=[])
    await put(database, "callback_talk", plain, id=talk, task_id=task, customer_id=home.owner)
    record(home.data / "answers" / talk / "Q1.wav")
    ids = {"id": new_ulid(), "talk_id": talk, "task_id": task, "path": f"{talk}/Q1.wav"}
    await put(database, "callback_voice", plain, transcript=SAID, said_first=SAID, said_raw=SAID, **ids)


async def test_after_the_deletion_they_stand_nowhere(home: Home) -> None:
    before, files = await home.found(), found_in_files([home.data], WORDS)
    everywhere = {
        *("customer.name", "customer_phone.e164", "call.from_number", "call_note.notes"),
        *("transcript_segment.raw", "transcript_segment.words", "transcript_segment.corrected"),
        *("transcript_correction.after", "said_call.customer", "search_document.phones"),
        *("voice_message.transcript", "callback_voice.transcript", "outbox.payload", "api_answer.answer"),
    }
    assert everywhere <= set(before), everywhere - set(before)
    assert "asterisk/log/cel-custom/huifang.csv" in files
    assert [line["text"] for line in home.panel()["lines"]] == [SAID]
    assert len(list(home.data.rglob("*.wav"))) == 6

    forgets = when_erased(home.bus, lambda _: home.prompts.forget_spoken(), name="survey")
    tasks = [asyncio.create_task(forgets), asyncio.create_task(home.feed.run())]
    await asyncio.sleep(0)
    try:
        done = await home.ask()
        await eventually(lambda: not home.panel()["lines"] and not list(home.data.rglob("*.wav")))
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    assert (done.kept_until, done.held) == (None, ())
    if home.database.dialect_name == "sqlite":
        assert set(await home.found()) == {"search_fts_data.block"}, "FTS5 keeps tokens until it merges"
    assert await tidy_files(home.database)
    assert await home.found() == {}
    assert found_in_files([home.data], WORDS) == {}
    if home.database.dialect_name == "sqlite":
        file = Path(str(home.database.engine.url.database))
        assert file.with_name(file.name + "-wal").stat().st_size == 0
        kept = await count_in_table(home.database, "audit_record", WORDS)
        assert count_in(file.read_bytes(), WORDS) == kept > 0, "nothing is left where rows were"
    async with home.database.session() as session:
        row = await session.get_one(CallRow, home.call_id)
        assert (row.from_number, row.customer_id, row.result) == ("", None, "ANSWERED"), "figures stay"


async def test_while_a_case_is_held_everything_stays_and_it_is_said_why(home: Home) -> None:
    case_id = new_ulid()
    async with home.database.transaction() as session:
        values = {"kind": "complaint", "status": "closed", "severity": 1, "source": "phone"}
        at = home.clock.now()
        session.add(
            ServiceCase(
                id=case_id,
                no="TS202603020001",
                customer_id=home.owner,
                summary="漏水",
                content="漏水",
                opened_at=at,
                closed_at=at,
                **values,
            )
        )
    holds = LegalHolds(home.desk.office)
    await holds.hold(MANAGER, case_id, "法院来函")
    before, files = await home.found(), sorted(home.data.rglob("*"))
    done = await home.ask()
    assert [(one.no, one.reason) for one in done.held] == [("TS202603020001", "法院来函")]
    assert "TS202603020001" in (done.answer or "")
    assert await home.found() == before
    assert sorted(home.data.rglob("*")) == files
    assert await home.job.requests.erase_kept() == 0, "as long as it is held"

    home.clock.advance(timedelta(hours=1))
    await holds.release(MANAGER, case_id, "官司结束")
    await home.job.requests.erase_kept()
    later = await home.job.requests.get(MANAGER, done.request_id)
    assert (later.held, later.erased_on) == ((), None), "the case itself is kept for its time"
    assert "call_note.notes" not in await home.found(), "the ordinary call went"
    home.clock.advance(timedelta(days=4000))
    await home.job.run_once()
    assert await home.found() == {}
