"""What customers said is listened to: listed, heard, passed on to a department; forgotten by nobody."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar
from sqlalchemy import select, update

from callback_campaigns.domain.questionnaire import Answer
from callback_campaigns.domain.terms import CallbackType, Channel
from callback_campaigns.talk_tables import CallbackVoiceRow
from crm.notices.events import NoticeWanted
from crm.ticket_tables import TicketRow
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.events import decode
from kernel.ids import new_ulid
from kernel.outbox import OutboxRow
from tests.support.callback_calls import dial, ready_task
from tests.support.web_stage import Stage, web_stage
from tests.unit.callback_campaigns.times import at
from web.auth import SESSION_COOKIE
from web.callback_part import CALLBACKS

pytestmark = pytest.mark.integration


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path, clock=FakeClock(at("2026-03-02 15:00"))) as found:
        yield found


@pytest.fixture
async def agent(stage: Stage) -> AsyncIterator[ClientSession]:
    jar, headers = CookieJar(unsafe=True), {"Origin": stage.url}
    async with ClientSession(base_url=stage.url, cookie_jar=jar, headers=headers) as session:
        session.cookie_jar.update_cookies({SESSION_COOKIE: await stage.session_secret("agent")})
        yield session


async def said(stage: Stage, kind: CallbackType = CallbackType.START, item_id: str = "KG10") -> str:
    """Return what a customer said after the tone, and wrote besides."""
    assert stage.app is not None
    talks, task_id = stage.app[CALLBACKS].talks, await ready_task(stage, kind, name="李秀英")
    call_id = await dial(stage, task_id, state="answered", agent=None)
    talk = await talks.open(task_id, attempt_id=call_id, channel=Channel.IVR, by="ivr")
    await talks.voice(talk.talk_id, item_id, f"{talk.talk_id}/{item_id}.wav", 9.5)
    async with stage.database.session() as session:
        return (await session.scalars(select(CallbackVoiceRow.id))).one()


async def read(agent: ClientSession, path: str) -> str:
    async with agent.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text()


async def post(agent: ClientSession, path: str, **fields: str) -> tuple[int, str]:
    async with agent.post(path, data=fields, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", "")


async def test_a_recording_is_heard_once_and_that_is_written_down(stage: Stage, agent: ClientSession) -> None:
    voice_id = await said(stage)
    page = await read(agent, "/callback-voices?unheard=1")
    assert f'data-said="{voice_id}"' in page
    assert "还没听" in page
    for _ in range(2):
        given = await post(agent, f"/callback-voices/{voice_id}/heard")
        assert given == (303, "/callback-voices?done=heard")
    assert voice_id not in await read(agent, "/callback-voices?unheard=1")
    assert "李娜" in await read(agent, "/callback-voices")
    assert voice_id not in await read(agent, f"/callback-voices?store={new_ulid()}")
    async with stage.database.session() as session:
        noted = select(AuditRow.actor).where(AuditRow.action == "callback.voice_heard")
        assert list(await session.scalars(noted)) == ["李娜"]


async def test_what_was_said_goes_to_a_department_once(stage: Stage, agent: ClientSession) -> None:
    voice_id = await said(stage)
    path = f"/callback-voices/{voice_id}/ticket"
    assert (await post(agent, path, department="ENG", words=" "))[0] == 400
    assert (await post(agent, path, department="nobody", words="水管没接"))[0] == 400
    places = {(await post(agent, path, department="ENG", words="水管没接"))[1] for _ in range(2)}
    assert len(places) == 1
    assert places.pop().startswith("/cases/")
    async with stage.database.session() as session:
        ticket = (await session.scalars(select(TicketRow))).one()
        voice = await session.get_one(CallbackVoiceRow, voice_id)
    assert (ticket.answer, ticket.recording_ref) == ("水管没接", voice.path)
    assert voice.heard_by == "李娜"


async def test_answers_in_words_are_on_the_list_too(stage: Stage, agent: ClientSession) -> None:
    assert stage.app is not None
    talks, task_id = stage.app[CALLBACKS].talks, await ready_task(stage)
    talk = await talks.open(task_id, attempt_id=None, channel=Channel.SMS_FORM, by="form")
    await talks.answer(talk.talk_id, "KG10", Answer(text="希望早点开工"), by="form")
    assert "希望早点开工" in await read(agent, "/callback-voices?kind=text")


async def test_what_is_about_integrity_is_not_on_everybody_s_list(stage: Stage, agent: ClientSession) -> None:
    voice_id = await said(stage, CallbackType.COMPLETION, "WG9")
    assert voice_id not in await read(agent, "/callback-voices")
    assert (await post(agent, f"/callback-voices/{voice_id}/heard"))[0] == 403
    assert (await post(agent, f"/callback-voices/{new_ulid()}/heard"))[0] == 404


async def test_a_recording_that_nobody_hears_is_told_of_after_four_hours(stage: Stage) -> None:
    voice_id = await said(stage)
    assert stage.app is not None
    sweep = stage.app[CALLBACKS].sweep

    async def told() -> set[str]:
        await sweep.run_once()
        async with stage.database.session() as session:
            facts = [decode(payload) for payload in await session.scalars(select(OutboxRow.payload))]
        return {fact.key for fact in facts if isinstance(fact, NoticeWanted)}

    assert f"callback.unheard|{voice_id}" not in await told()
    async with stage.database.transaction() as session:
        earlier = stage.clock.now() - timedelta(hours=4, minutes=1)
        await session.execute(update(CallbackVoiceRow).values(at=earlier))
    assert f"callback.unheard|{voice_id}" in await told()
