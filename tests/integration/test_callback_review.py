"""What customers said is listened to: listed, heard, passed on to a department; forgotten by nobody."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar
from sqlalchemy import select, update

from callback_campaigns.answer_text import AnswerTexts
from callback_campaigns.domain.questionnaire import Answer
from callback_campaigns.domain.terms import CallbackType, Channel
from callback_campaigns.talk_tables import CallbackAnswerRow, CallbackVoiceRow
from crm.domain.spoken import Opinion, Spoken, TextProgress
from crm.notices.events import NoticeWanted
from crm.ticket_tables import TicketRow
from kernel.access import Role
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.events import decode
from kernel.ids import new_ulid
from kernel.outbox import OutboxRow
from tests.support.callback_calls import dial, ready_task
from tests.support.web_stage import PASSWORD, Stage, web_stage
from tests.unit.callback_campaigns.times import at
from web.auth import SESSION_COOKIE
from web.callback_part import CALLBACKS
from web.crm_part import CRM

pytestmark = pytest.mark.integration

CARD = "6222021234567890128"


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


async def become_manager(stage: Stage, agent: ClientSession) -> None:
    await stage.accounts.users.create(
        login="manager", password=PASSWORD, role=Role.MANAGER, display_name="孟岚"
    )
    agent.cookie_jar.update_cookies({SESSION_COOKIE: await stage.session_secret("manager")})


async def test_a_recording_is_heard_once_and_that_is_written_down(stage: Stage, agent: ClientSession) -> None:
    voice_id = await said(stage)
    page = await read(agent, "/callback-voices?unheard=1")
    assert f'data-said="{voice_id}"' in page
    assert "没听" in page
    for _ in range(2):
        given = await post(agent, f"/callback-voices/{voice_id}/heard")
        assert given == (303, "/callback-voices?heard=unheard&done=heard")
    assert voice_id not in await read(agent, "/callback-voices")
    assert "李娜" in await read(agent, "/callback-voices?heard=all")
    assert voice_id not in await read(agent, f"/callback-voices?heard=all&store={new_ulid()}")
    async with stage.database.session() as session:
        noted = select(AuditRow.actor).where(AuditRow.action == "callback.voice_heard")
        assert list(await session.scalars(noted)) == ["李娜"]


async def test_what_was_said_is_classified_and_goes_to_a_department_in_one_step(
    stage: Stage, agent: ClientSession
) -> None:
    voice_id = await said(stage)
    path = f"/callback-voices/{voice_id}/class"
    ticket = {"class_code": "1", "department": "ENG", "words": "水管没接", "version": "1"}
    for wrong in ({"words": " "}, {"department": "nobody"}, {"class_code": "0"}, {"class_code": "11"}):
        assert (await post(agent, path, **ticket | wrong))[0] == 400
    for _ in range(2):
        assert await post(agent, path, **ticket) == (303, "/callback-voices?heard=unheard&done=ticket")
    async with stage.database.session() as session:
        found = (await session.scalars(select(TicketRow))).one()
        voice = await session.get_one(CallbackVoiceRow, voice_id)
    assert (found.answer, found.recording_ref, found.class_code) == ("水管没接", voice.path, 1)
    assert (voice.heard_by, voice.class_code, voice.classed_by) == ("李娜", 1, "李娜")
    assert f'href="/cases/{found.case_id}"' in await read(agent, "/callback-voices?heard=heard&class=1")


async def test_another_class_needs_a_reason_and_the_state_that_was_read(
    stage: Stage, agent: ClientSession
) -> None:
    voice_id = await said(stage)
    path = f"/api/v1/callback-voices/{voice_id}/class"

    async def put(version: int, **body: object) -> tuple[int, dict[str, Any]]:
        async with agent.post(path, json=body, headers={"If-Match": f'"{version}"'}) as answer:
            return answer.status, await answer.json()

    status, first = await put(1, class_code=0)
    assert (status, first["class_code"], first["heard_by"]) == (200, 0, "李娜")
    assert (await put(1, class_code=4, why="客户说瓷砖不对"))[1]["code"] == "stale_version"
    version = int(first["version"])
    assert (await put(version, class_code=4))[0] == 400
    status, again = await put(version, class_code=4, why="客户说瓷砖不对")
    assert (status, again["class_code"], again["note"]) == (200, 4, "客户说瓷砖不对")
    async with stage.database.session() as session:
        noted = select(AuditRow).where(AuditRow.action == "callback.voice_classified").order_by(AuditRow.seq)
        rows = [row.detail for row in await session.scalars(noted)]
    assert [(row.get("before"), row["after"], row.get("why")) for row in rows] == [
        (None, {"class": 0}, None),
        ({"class": 0}, {"class": 4}, "客户说瓷砖不对"),
    ]


async def test_lists_and_counts_agree_in_the_page_the_api_and_the_file(
    stage: Stage, agent: ClientSession
) -> None:
    voice_id = await said(stage)
    async with agent.get("/api/v1/callback-voices?heard=unheard") as answer:
        found = await answer.json()
    assert [one["said_id"] for one in found["items"]] == [voice_id]
    assert (found["unheard"], found["heard"], found["items"][0]["asked"][:2]) == (1, 0, "对我")
    async with agent.post(f"/api/v1/callback-voices/{voice_id}/heard") as answer:
        assert (answer.status, answer.headers["ETag"]) == (200, '"2"')
    async with agent.get("/api/v1/callback-voices?heard=unheard") as answer:
        found = await answer.json()
    assert (found["items"], found["unheard"], found["heard"]) == ([], 0, 1)
    assert (await agent.get("/callback-voices.csv")).status == 403
    await become_manager(stage, agent)
    async with agent.get("/callback-voices.csv?heard=all") as answer:
        lines = (await answer.text()).splitlines()
    assert len(lines) == 2
    assert "李秀英" in lines[1]


async def test_a_script_gets_the_row_alone(stage: Stage, agent: ClientSession) -> None:
    voice_id = await said(stage)
    headers = {"X-Part": "row"}
    path = f"/callback-voices/{voice_id}/class"
    async with agent.post(path, data={"class_code": "7", "version": "1"}, headers=headers) as answer:
        part = await answer.text()
    assert (answer.status, part.count("data-said="), "<html" in part) == (200, 1, False)
    assert 'data-class="7"' in part
    async with agent.post(path, data={"class_code": "2", "version": "3"}, headers=headers) as answer:
        part = await answer.text()
    assert answer.status == 400
    assert 'role="alert"' in part


async def test_answers_in_words_are_on_the_list_too(stage: Stage, agent: ClientSession) -> None:
    assert stage.app is not None
    talks, task_id = stage.app[CALLBACKS].talks, await ready_task(stage)
    talk = await talks.open(task_id, attempt_id=None, channel=Channel.SMS_FORM, by="form")
    await talks.answer(talk.talk_id, "KG10", Answer(text="希望早点开工"), by="form")
    assert "希望早点开工" in await read(agent, "/callback-voices?kind=text")
    async with stage.database.session() as session:
        said_id = (await session.scalars(select(CallbackAnswerRow.id))).one()
    assert (await post(agent, f"/callback-voices/{said_id}/heard?kind=text"))[0] == 303
    assert "希望早点开工" not in await read(agent, "/callback-voices?kind=text")


async def test_what_turns_out_to_be_about_integrity_is_for_the_managers_then(
    stage: Stage, agent: ClientSession
) -> None:
    voice_id = await said(stage)
    path = f"/callback-voices/{voice_id}/class"
    given = {"class_code": "9", "department": "ENG", "words": "师傅私下收钱"}
    assert (await post(agent, path, **given))[0] == 400
    assert (await post(agent, path, **given | {"department": "CS"}))[0] == 303
    assert voice_id in await read(agent, "/callback-voices?heard=all")  # it was they who found it
    agent.cookie_jar.update_cookies({SESSION_COOKIE: await stage.session_secret("supervisor")})
    assert voice_id not in await read(agent, "/callback-voices?heard=all")
    assert (await post(agent, path, class_code="1"))[0] == 403
    await become_manager(stage, agent)
    assert voice_id in await read(agent, "/callback-voices?heard=all")


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


async def understood(stage: Stage, voice_id: str, spoken: Spoken) -> None:
    """Give a recording its text."""
    assert stage.app is not None
    office = stage.app[CRM].people.office
    async with stage.database.transaction() as session:
        await AnswerTexts(office).keep(session, voice_id, spoken)


async def test_the_text_stands_beside_the_player_and_is_put_right(stage: Stage, agent: ClientSession) -> None:
    voice_id = await said(stage)
    leak = Spoken(
        state=TextProgress.DONE,
        text="卫生间楼水了",
        opinion=Opinion.DISSATISFIED,
        sure=0.6,
        topics=("防水",),
    )
    await understood(stage, voice_id, leak)
    page = await read(agent, "/callback-voices?opinion=unclear")
    assert "卫生间楼水了" in page
    assert "听不准，请人听" in page
    assert voice_id not in await read(agent, "/callback-voices?opinion=dissatisfied")
    path = f"/callback-voices/{voice_id}/text"
    assert (await post(agent, path, text=" ", version="1"))[0] == 400
    given = await post(agent, path, text=f"卫生间漏水了<b>，退到{CARD}", version="1")
    assert given == (303, "/callback-voices?heard=unheard&done=text")
    assert (await post(agent, path, text="又是别的", version="1"))[0] == 412
    page = await read(agent, "/callback-voices")
    assert "卫生间漏水了&lt;b&gt;，退到〔银行卡号已隐藏〕" in page
    assert "卫生间楼水了" in page  # what the recogniser wrote stays readable
    async with agent.get("/api/v1/callback-voices?opinion=unclear") as answer:
        (one,) = (await answer.json())["items"]
    assert (one["text"], one["transcript"]["first"]) == (
        "卫生间漏水了<b>，退到〔银行卡号已隐藏〕",
        "卫生间楼水了",
    )
    assert (one["transcript"]["corrected_by"], one["transcript"]["sure"]) == ("李娜", 0.6)
    async with agent.post(
        f"/api/v1/callback-voices/{voice_id}/text",
        json={"text": f"卫生间漏水了，卡号{CARD}"},
        headers={"If-Match": f'"{one["version"]}"'},
    ) as answer:
        assert (answer.status, (await answer.json())["text"]) == (200, "卫生间漏水了，卡号〔银行卡号已隐藏〕")
    # Told late once more, the recogniser takes nothing back.
    await understood(stage, voice_id, leak)
    assert "卫生间漏水了" in await read(agent, "/callback-voices")
