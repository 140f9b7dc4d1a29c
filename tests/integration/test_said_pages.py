"""Who said it, on pages and by API: by permission, marked, with the moment; the work on texts."""

import os
import re
from array import array
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from crm.complaint_input import NewLine
from crm.domain.complaint import ComplaintClass
from crm.said_index import Conversation, SaidIndex
from kernel.clock import FakeClock
from kernel.ids import new_ulid
from speech.after import JobState, Priority, want_text
from speech.after_tables import TranscriptJobRow
from speech.transcripts import Segment, store_segments
from telephony.audio import write_wav
from telephony.recordings import note
from tests.support.fake_telephony import ringing_call
from tests.support.office import TILE, OfficeStage
from tests.support.office_web import get, post, signed_in
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)
BRIBE = NewLine(class_=ComplaintClass.INTEGRITY, subclass="private_charge", cause="监理收了红包")
HOSTILE = "<b onclick=x>漏水</b>"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def talked(office: OfficeStage, *texts: str, own: bool = True, ago: float = 1) -> str:
    """Let a call have been in which a customer said these."""
    stage, began = office.stage, office.clock.now() - timedelta(days=ago)
    call_id = new_ulid()
    agent_id = stage.agents[stage.agent_number] if own else new_ulid()
    rang = ringing_call(call_id, "+8613800138000", "", "complaint", (), began, began)
    stage.history.calls[call_id] = replace(
        rang,
        agent_id=agent_id,
        agent="1001",
        started_at=began,
        answered_at=began + timedelta(seconds=10),
        ended_at=began + timedelta(minutes=3),
        state="ended",
    )
    said = [
        Segment(
            segment_id=new_ulid(),
            call_id=call_id,
            speaker="customer",
            agent_number=None,
            start=12.0 + 4 * n,
            end=15.0 + 4 * n,
            raw=text,
            text=text,
            words=tuple(
                {
                    "text": letter,
                    "start": 12.0 + 4 * n + i / 5,
                    "end": 12.2 + 4 * n + i / 5,
                    "confidence": 0.9,
                }
                for i, letter in enumerate(text)
            ),
            engine="fake",
            model="fake-lines",
            created_at=began,
        )
        for n, text in enumerate(texts)
    ]
    conversation = Conversation(
        call_id=call_id, started_at=began, customer=texts, agent_id=agent_id, agent_numbers=("1001",)
    )
    async with stage.database.transaction() as session:
        await store_segments(session, said)
        await SaidIndex().put(session, conversation)
    return call_id


async def test_calls_are_found_read_and_hidden_by_permission(office: OfficeStage) -> None:
    own = await talked(office, "您好", "我家卫生间漏水", HOSTILE, "又漏水", "还漏水")
    other = await talked(office, "厨房漏水了", own=False, ago=2)
    secret = await talked(office, "监理收红包，还漏水", own=False, ago=3)
    await office.new(BRIBE, call_id=secret)
    about = await office.new(TILE, call_id=other)

    async with signed_in(office, "supervisor") as session:
        async with session.get("/api/v1/said", params={"q": "漏水"}) as answer:
            found = await answer.json()
        assert [one["call"]["call_id"] for one in found["items"]] == [own, other]
        first = found["items"][0]
        assert (first["more"], len(first["lines"])) == (1, 3)
        line = first["lines"][0]
        assert (line["text"]["text"], line["text"]["marks"]) == ("我家卫生间漏水", [[5, 7]])
        assert line["at"] == pytest.approx(6.0 + 5 / 5)  # in the recording, which begins with the answer
        since = (office.clock.now() - timedelta(days=1.5)).isoformat()
        async with session.get("/api/v1/said", params={"q": "漏水", "since": since}) as answer:
            assert len((await answer.json())["items"]) == 1
        async with session.get("/api/v1/said", params={"q": "漏水", "speaker": "agent"}) as answer:
            assert (await answer.json())["items"] == []
        for wrong in (
            {"q": "漏"},
            {"q": "漏水", "x": "1"},
            {"q": "漏水", "cursor": "a"},
            {"q": "漏水", "limit": "0"},
        ):
            async with session.get("/api/v1/said", params=wrong) as answer:
                assert answer.status == 422 or answer.status == 400, wrong
        async with session.get("/api/v1/search", params={"q": "漏水", "limit": "1"}) as answer:
            found = await answer.json()
        kinds = [found["items"][0]["kind"]]
        while found["next_cursor"]:
            params = {"q": "漏水", "limit": "1", "cursor": found["next_cursor"]}
            async with session.get("/api/v1/search", params=params) as answer:
                found = await answer.json()
            kinds += [one["kind"] for one in found["items"]]
        assert kinds.count("said") == 2
        assert kinds == sorted(kinds, key=lambda kind: kind == "said")

    # The manager sees what is confidential; whoever else leads neither finds, reads nor hears it.
    assert f"/calls/{secret}?at=" in (await get(office, "manager", "/said?q=红包"))[1]
    status, page = await get(office, "supervisor", "/said?q=红包")
    assert (status, secret in page) == (200, False)
    for path in (f"/api/v1/calls/{secret}/transcript", f"/calls/{secret}/text.txt"):
        assert (await get(office, "supervisor", path))[0] == 403
    assert (await get(office, "supervisor", f"/calls/{secret}/recording.wav"))[0] == 403
    assert "红包" not in (await get(office, "supervisor", f"/calls/{secret}"))[1]

    status, page = await get(office, "agent", "/said?q=漏水&from=2026-01-01")
    assert (status, own in page, other in page) == (200, True, False)
    assert "<mark>漏水</mark>" in page
    assert HOSTILE not in page
    assert 'data-kind="said"' in (await get(office, "agent", "/search?q=又漏水"))[1]
    assert 'data-kind="said"' not in (await get(office, "agent", "/search?q=厨房漏水了"))[1]
    assert "138****8000" in page
    assert (await get(office, "supervisor", "/said?q=漏"))[0] == 400
    assert (await get(office, "supervisor", "/said?q=漏水&from=x"))[0] == 400
    assert (await get(office, "captain", "/said"))[0] == 403

    # On the page of the case the text of its call is folded, for who may read it.
    case = f"/cases/{about.case_id}"
    assert f'id="said-in-{other}"' in (await get(office, "supervisor", case))[1]
    for login in ("agent", "head"):
        assert f'id="said-in-{other}"' not in (await get(office, login, case))[1]


async def test_a_sentence_is_heard_in_the_recording_it_is_in(office: OfficeStage) -> None:
    call_id = await talked(office, "我家卫生间漏水", "又漏水", "还漏水")
    stage, folder = office.stage, office.stage.files / "recordings"
    folder.mkdir(parents=True)
    answered = stage.history.calls[call_id].answered_at
    assert answered is not None
    async with stage.database.transaction() as session:
        # It is passed on 8 s after the answer, to a queue that is recorded anew.
        for name, begins, seconds in ((f"{call_id}-1.1", 0, 8), (f"{call_id}-1.1_2", 8, 20)):
            write_wav(folder / f"{name}.wav", array("h", [0] * 8000 * seconds))
            ended = answered.timestamp() + begins + seconds
            os.utime(folder / f"{name}.wav", (ended, ended))
            await note(session, {name: call_id}, node="main", now=office.clock.now())
    status, page = await get(office, "supervisor", "/said?q=漏水")
    heard = re.findall(r'data-play="/calls/(.+?)/recording.wav\?part=(\d)" data-at="([\d.]+)"', page)
    assert status == 200
    assert [(where, part) for where, part, _ in heard] == [(call_id, "0"), (call_id, "0"), (call_id, "1")]
    assert [float(at) for *_, at in heard] == pytest.approx([3.0, 6.2, 2.2])


async def test_who_leads_sees_the_work_on_texts_and_has_it_done_again(office: OfficeStage) -> None:
    stage, now = office.stage, office.clock.now()
    failed, waits, busy = (new_ulid() for _ in range(3))
    async with stage.database.transaction() as session:
        for call_id in (failed, waits, busy):
            await want_text(
                session,
                call_id,
                priority=Priority.COMPLAINT,
                language="zh",
                call_at=now,
                began=1.0,
                agent_number="1001",
                now=now,
            )
        await session.flush()
        done = {"state": "failed", "reason": "audio_invalid", "due_at": None, "finished_at": now, "tries": 6}
        ended = update(TranscriptJobRow).where(TranscriptJobRow.call_id == failed).values(done)
        await session.execute(ended)
        listens = {"claimed_until": now + timedelta(minutes=1), "audio_seconds": 60.0, "heard_seconds": 15.0}
        await session.execute(
            update(TranscriptJobRow).where(TranscriptJobRow.call_id == busy).values(listens)
        )
    status, page = await get(office, "supervisor", "/transcripts")
    assert (status, "录音不是能识别的声音" in page, "25%" in page) == (200, True, True)
    assert f"/transcripts/{failed}/retry" in page
    assert (await get(office, "agent", "/transcripts"))[0] == 403
    assert (await post(office, "agent", f"/transcripts/{failed}/retry", {}))[0] == 403
    assert (await post(office, "supervisor", f"/transcripts/{failed}/retry", {}))[1].endswith("done=again")
    for call_id, problem in ((busy, "busy"), (new_ulid(), "gone"), ("x", "gone")):
        told = await post(office, "supervisor", f"/transcripts/{call_id}/retry", {})
        assert told[1].endswith(f"problem={problem}")
    async with stage.database.session() as session:
        row = await session.get_one(TranscriptJobRow, failed)
    assert (row.state, row.reason, row.tries, row.finished_at) == (JobState.WAITING.value, "", 0, None)
    headers = {"Origin": stage.url}
    async with signed_in(office, "supervisor") as session:
        async with session.get("/api/v1/transcripts", params={"state": "waiting", "limit": "2"}) as answer:
            listed = await answer.json()
        assert (len(listed["items"]), listed["items"][0]["priority"]) == (2, "complaint")
        async with session.post(f"/api/v1/transcripts/{waits}/retry", headers=headers) as answer:
            assert (answer.status, (await answer.json())["state"]) == (200, "waiting")
        async with session.post(f"/api/v1/transcripts/{busy}/retry", headers=headers) as answer:
            assert answer.status == 409
