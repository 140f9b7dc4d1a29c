"""The text of an ended call: on its page and by API, corrected, handed out, for who may hear the call."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from kernel.access import Actor
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from speech.after import Priority, want_text
from speech.record import TranscriptRecord
from speech.tables import CorrectionRow, SegmentRow
from speech.transcripts import Segment, store_segments
from tests.support.fake_telephony import ringing_call
from tests.support.web_stage import Stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration

HOSTILE = '<img src=x onerror="alert(1)">'


def said(call_id: str, at: float, raw: str, clock: FakeClock, *, gap: str | None = None) -> Segment:
    words: list[dict[str, Any]] = [
        {"text": character, "start": at + index / 5, "end": at + (index + 1) / 5, "confidence": 0.9}
        for index, character in enumerate(raw)
    ]
    return Segment(
        segment_id=new_ulid(),
        call_id=call_id,
        speaker="customer",
        agent_number=None,
        start=at,
        end=at + 2,
        raw=raw,
        text=raw,
        words=tuple(words),
        engine="fake",
        model="fake-lines",
        gap=gap,
        created_at=clock.now(),
    )


async def test_a_correction_keeps_what_the_recogniser_wrote(sqlite: Database, clock: FakeClock) -> None:
    record, actor, call_id = TranscriptRecord(sqlite, clock), Actor.system("李静"), new_ulid()
    one, gap = said(call_id, 12.0, "卫生间楼水", clock), said(call_id, 15.0, "", clock, gap="behind")
    async with sqlite.transaction() as session:
        await store_segments(session, [one, gap])
    made = await record.correct(actor, call_id, one.segment_id, " 卫生间漏水 ", expected=1)
    assert (made.shown, made.text, made.raw, made.version) == ("卫生间漏水", "卫生间楼水", "卫生间楼水", 2)
    assert await record.correct(actor, call_id, one.segment_id, "卫生间漏水", expected=1) == made
    with pytest.raises(StaleVersion):
        await record.correct(actor, call_id, one.segment_id, "厨房漏水", expected=1)
    await record.correct(actor, call_id, one.segment_id, "厨房漏水", expected=2)
    for wrong in ("", "   ", "长" * 2001, "漏\x00水", "漏\u202e水"):
        with pytest.raises(Invalid):
            await record.correct(actor, call_id, one.segment_id, wrong, expected=3)
    with pytest.raises(Conflict):
        await record.correct(actor, call_id, gap.segment_id, "什么", expected=1)
    for call, segment in ((new_ulid(), one.segment_id), (call_id, new_ulid()), (call_id, "x")):
        with pytest.raises(NotFound):
            await record.correct(actor, call, segment, "什么", expected=1)
    async with sqlite.session() as session:
        rows = (await session.scalars(select(CorrectionRow).order_by(CorrectionRow.correction_id))).all()
        audit = (
            await session.scalars(select(AuditRow.entity_id).where(AuditRow.action == "transcript.corrected"))
        ).all()
    assert [(row.before, row.after, row.by) for row in rows] == [
        ("卫生间楼水", "卫生间漏水", "李静"),
        ("卫生间漏水", "厨房漏水", "李静"),
    ]
    assert audit == [call_id, call_id]


async def test_the_page_of_a_call_shows_its_text_and_keeps_what_was_typed(
    tmp_path: Path, sqlite: Database, clock: FakeClock
) -> None:
    stage, now = Stage(sqlite, clock, tmp_path), clock.now()
    await stage.seed()
    await stage.start()
    try:
        own, other, coming = (new_ulid() for _ in range(3))
        agent_id = stage.agents[stage.agent_number]
        for call_id, led in ((own, agent_id), (other, new_ulid()), (coming, agent_id)):
            rang = ringing_call(call_id, "+8613800138000", "", "service", (), now, now)
            stage.history.calls[call_id] = replace(
                rang, agent_id=led, answered_at=now + timedelta(seconds=10), ended_at=now, state="ended"
            )
        first, second = said(own, 12.0, "卫生间楼水", clock), said(own, 15.0, HOSTILE, clock)
        async with sqlite.transaction() as session:
            await store_segments(session, [first, second, said(own, 18.0, "", clock, gap="behind")])
            await want_text(
                session,
                coming,
                priority=Priority.COMPLAINT,
                language="zh",
                call_at=now,
                began=1.0,
                agent_number="1001",
                now=now,
            )
        cookies = {SESSION_COOKIE: await stage.session_secret("agent")}
        async with aiohttp.ClientSession(cookies=cookies, headers={"Origin": stage.url}) as client:

            async def got(path: str) -> tuple[int, str]:
                async with client.get(f"{stage.url}{path}") as answer:
                    return answer.status, await answer.text()

            async def corrected(text: str, version: int) -> tuple[int, str]:
                form = {"segment_id": first.segment_id, "text": text, "version": str(version)}
                async with client.post(f"{stage.url}/calls/{own}", data=form) as answer:
                    return answer.status, await answer.text()

            status, page = await got(f"/calls/{own}")
            assert status == 200
            assert "（这一段没有听到）" in page
            assert HOSTILE not in page
            assert "正在根据录音整理文字" in (await got(f"/calls/{coming}"))[1]
            assert 'id="text"' not in (await got(f"/calls/{other}"))[1]
            status, page = await corrected("卫生间漏水", 1)
            assert (status, "卫生间漏水" in page, "已改" in page) == (200, True, True)
            status, page = await corrected("厨房漏水", 1)
            assert (status, "厨房漏水" in page, "同事刚刚改过" in page) == (409, True, True)
            status, text = await got(f"/calls/{own}/text.txt")
            assert (status, "客户: 卫生间漏水\n" in text) == (200, True)
            for path in (f"/calls/{other}/text.txt", f"/api/v1/calls/{other}/transcript"):
                assert (await got(path))[0] == 403
            assert (await got("/api/v1/transcripts/progress"))[0] == 403
            async with client.get(f"{stage.url}/api/v1/calls/{own}/transcript") as answer:
                told = await answer.json()
            assert (told["state"], told["segments"][0]["shown"], len(told["segments"])) == (
                None,
                "卫生间漏水",
                3,
            )
        cookies = {SESSION_COOKIE: await stage.session_secret("supervisor")}
        async with (
            aiohttp.ClientSession(cookies=cookies) as client,
            client.get(f"{stage.url}/api/v1/transcripts/progress") as answer,
        ):
            assert (await answer.json())["waiting"] == 1
    finally:
        await stage.stop()
    async with sqlite.session() as session:
        row = await session.get_one(SegmentRow, first.segment_id)
    assert (row.text, row.corrected) == ("卫生间楼水", "卫生间漏水")
