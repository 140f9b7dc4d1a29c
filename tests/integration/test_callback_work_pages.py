"""Callbacks as work: the list, the call from the page, appointments, the next one; the same over REST."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar
from sqlalchemy import select, update

from callback_campaigns.domain import attempt as attempts
from callback_campaigns.domain.questionnaire import Answer, answer_by_key
from callback_campaigns.domain.refusal import Refusal, RefusalCode
from callback_campaigns.domain.terms import CallbackType, Channel
from callback_campaigns.preview import DialRefused
from callback_campaigns.questionnaire_sets import shipped
from callback_campaigns.talk_tables import CallbackAnswerRow, CallbackTalkRow
from callback_campaigns.task_tables import CallbackTaskRow
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.ids import new_ulid
from tests.support.callback_calls import NUMBER, dial, ready_task
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
    headers = {"Origin": stage.url}
    async with ClientSession(
        base_url=stage.url, cookie_jar=CookieJar(unsafe=True), headers=headers
    ) as session:
        session.cookie_jar.update_cookies({SESSION_COOKIE: await stage.session_secret("agent")})
        yield session


async def read(agent: ClientSession, path: str, status: int = 200) -> str:
    async with agent.get(path) as answer:
        assert answer.status == status, await answer.text()
        return await answer.text()


async def post(agent: ClientSession, path: str, **fields: str) -> tuple[int, str]:
    async with agent.post(path, data=fields, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location") or await answer.text()


async def ask(
    agent: ClientSession, method: str, path: str, status: int, body: dict[str, Any], **headers: str
) -> Any:
    async with agent.request(method, f"/api/v1{path}", json=body, headers=headers) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def version(stage: Stage, task_id: str) -> str:
    async with stage.database.session() as session:
        return str((await session.get_one(CallbackTaskRow, task_id)).version)


async def test_the_list_shows_what_the_filter_asks_for(stage: Stage, agent: ClientSession) -> None:
    task_id = await ready_task(stage)
    assert task_id in await read(agent, "/callback-tasks")
    assert task_id in await read(agent, "/callback-tasks?kind=KG&level=A&channel=agent&tried=no")
    for other in ("kind=YB", "level=C", "channel=ivr", "tried=yes", "status=done", f"store={new_ulid()}"):
        assert task_id not in await read(agent, f"/callback-tasks?{other}"), other
    # What nobody can ask for is left out, and a stale page begins anew.
    assert task_id in await read(agent, "/callback-tasks?kind=%00&store=x&status=nonsense")
    assert "这一页已经过期" in await read(agent, "/callback-tasks?cursor=x", status=400)


async def test_a_call_rings_the_agent_who_asks_for_it(stage: Stage, agent: ClientSession) -> None:
    task_id, path = await ready_task(stage), "/callback-tasks/{}/call"
    now = await version(stage, task_id)
    status, text = await post(agent, path.format(task_id), version=now)
    assert (status, "请先签入" in text) == (409, True)
    assert stage.placed.asked == []

    await stage.desk.sign_in(stage.agents[stage.agent_number])
    assert await post(agent, path.format(task_id), version=now) == (
        303,
        f"/callback-tasks/{task_id}?called=1",
    )
    assert stage.placed.asked == [
        {
            "task_id": task_id,
            "agent_number": stage.agent_number,
            "campaign": None,
            "expected": int(now),
        }
    ]


async def test_a_refused_call_says_why_and_until_when(stage: Stage, agent: ClientSession) -> None:
    task_id = await ready_task(stage)
    await stage.desk.sign_in(stage.agents[stage.agent_number])
    until = stage.clock.now() + timedelta(hours=18, minutes=30)
    stage.placed.answer = DialRefused(Refusal(code=RefusalCode.FREQUENCY, until=until))
    status, text = await post(agent, f"/callback-tasks/{task_id}/call", version=await version(stage, task_id))
    assert status == 409
    assert "现在不能拨打：这个号码近期来电过多。最早 03-03 09:30 可以拨。" in text


async def test_an_appointment_and_the_next_callback_are_set_on_the_page(
    stage: Stage, agent: ClientSession
) -> None:
    task_id = await ready_task(stage)
    page = f"/callback-tasks/{task_id}"
    status, text = await post(
        agent, f"{page}/appoint", at="2026-03-02T23:30", version=await version(stage, task_id)
    )
    assert (status, "这个时间不行" in text) == (409, True)
    given = await post(agent, f"{page}/appoint", at="2026-03-03T10:30", version=await version(stage, task_id))
    assert given == (303, f"{page}?done=appointed")
    assert "已预约" in await read(agent, page)

    status, where = await post(agent, f"{page}/next", kind="JG", on="2026-06-01")
    assert status == 303
    assert "竣工客户回访" in await read(agent, where)
    status, text = await post(agent, f"{page}/next", kind="JG", on="2026-02-01")
    assert (status, "这个时间不行" in text) == (409, True)


async def test_a_talk_without_a_call_is_written_down(stage: Stage, agent: ClientSession) -> None:
    task_id = await ready_task(stage)
    assert await post(agent, f"/callback-tasks/{task_id}/talk") == (303, f"/callback-tasks/{task_id}#runner")
    assert 'data-item="KG1"' in await read(agent, f"/callback-tasks/{task_id}")


async def test_the_questionnaire_of_a_call_opens_once_it_is_answered(
    stage: Stage, agent: ClientSession
) -> None:
    async with agent.get(f"/agent/questionnaires/{new_ulid()}") as answer:
        assert answer.status == 204  # a call about nothing that we ask
    call_id = await dial(stage, await ready_task(stage), state="answered")
    assert "接通后就可以开始提问" in await read(agent, f"/agent/questionnaires/{call_id}")
    for _ in range(2):
        async with agent.post(f"/agent/questionnaires/{call_id}", json={}) as answer:
            assert answer.status == 200
            text = await answer.text()
    assert 'data-item="KG1"' in text
    async with stage.database.session() as session:
        talk = (await session.scalars(select(CallbackTalkRow.id))).all()
    assert len(talk) == 1


async def test_a_talk_does_not_begin_before_the_customer_answers(stage: Stage, agent: ClientSession) -> None:
    task_id = await ready_task(stage)
    call_id = await dial(stage, task_id)
    async with agent.post(f"/agent/questionnaires/{call_id}", json={}) as answer:
        assert "接通后就可以开始提问" in await answer.text()
    body = {"attempt_id": call_id}
    await ask(agent, "POST", f"/callback-tasks/{task_id}/talks", 409, body)
    async with stage.database.session() as session:
        assert (await session.scalars(select(CallbackTalkRow.id))).all() == []
        assert (await session.get_one(CallbackTaskRow, task_id)).status == "dialling"


async def surveyed(stage: Stage) -> tuple[str, str]:
    """Return a task and its call, in which the machine has asked one question."""
    assert stage.app is not None
    talks = stage.app[CALLBACKS].talks
    task_id = await ready_task(stage, CallbackType.START, name="李秀英")
    call_id = await dial(stage, task_id, state="answered", agent=None)
    talk = await talks.open(task_id, attempt_id=call_id, channel=Channel.IVR, by="ivr")
    await talks.answer(talk.talk_id, "KG1", Answer(values=("both_came",)), by="ivr")
    return task_id, call_id


async def test_who_looks_at_a_survey_does_not_take_it_over(stage: Stage, agent: ClientSession) -> None:
    task_id, call_id = await surveyed(stage)
    async with agent.post(f"/agent/questionnaires/{call_id}", json={}) as answer:
        assert "语音回访正在进行，这里只能看" in await answer.text()
    assert "语音回访正在进行，这里只能看" in await read(agent, f"/callback-tasks/{task_id}")
    refused = await ask(agent, "POST", f"/callback-tasks/{task_id}/talks", 403, {"attempt_id": call_id})
    assert refused["code"] == "not_your_talk"
    async with stage.database.session() as session:
        (talk,) = (await session.scalars(select(CallbackTalkRow))).all()
    assert (talk.channel, talk.by_id) == ("ivr", None)
    path = f"/callback-talks/{talk.id}"
    await ask(agent, "PUT", f"{path}/answers/KG2", 403, {"values": ["satisfied"]})
    await ask(agent, "POST", f"{path}/end", 403, {"how": "to_agent"})


async def test_what_the_survey_asked_is_gone_on_with_by_whoever_is_in_the_call(
    stage: Stage, agent: ClientSession
) -> None:
    task_id, call_id = await surveyed(stage)
    await stage.desk.sign_in(stage.agents[stage.agent_number])
    await stage.ring(NUMBER, call_id=call_id)
    await stage.answer(call_id)
    async with agent.post(f"/agent/questionnaires/{call_id}", json={}) as answer:
        text = await answer.text()
    assert "客户在语音回访中要求人工" in text
    assert 'value="both_came" data-key="1" checked' in text
    # It is theirs now: a colleague reads, a supervisor may put it right.
    page = f"/callback-tasks/{task_id}"
    async with stage.database.transaction() as session:
        await session.execute(update(CallbackTalkRow).values(by_id=new_ulid(), by="张敏"))
    assert "另一位同事正在进行这次回访" in await read(agent, page)
    cookies = {SESSION_COOKIE: await stage.session_secret("supervisor")}
    async with ClientSession(base_url=stage.url, cookies=cookies) as supervisor:
        assert 'id="runner-end"' in await read(supervisor, page)


async def test_a_talk_is_led_over_rest(stage: Stage, agent: ClientSession) -> None:
    task_id = await ready_task(stage)
    talk = await ask(agent, "POST", f"/callback-tasks/{task_id}/talks", 201, {})
    path = f"/callback-talks/{talk['talk_id']}"
    assert talk["next_item"] == talk["items"][0]
    talk = await ask(
        agent, "PUT", f"{path}/answers/KG1", 200, {"values": ["nobody_came"], "reason": "没人来"}
    )
    assert [(one["item"], one["bad"]) for one in talk["answers"]] == [("KG1", True)]
    await ask(agent, "PUT", f"{path}/answers/KG1", 400, {"values": ["no such"]})
    talk = await ask(agent, "PUT", f"{path}/skips/KG2", 200, {})
    assert talk["skipped"] == ["KG2"]
    talk = await ask(agent, "POST", f"{path}/end", 200, {"how": "broken_off"})
    assert talk["ended"] == "broken_off"
    await ask(agent, "PUT", f"{path}/answers/KG1", 409, {"values": ["both_came"]})


async def test_WG_a_finished_callback_has_its_completion_sheet(stage: Stage, agent: ClientSession) -> None:
    task_id = await ready_task(stage)
    async with stage.database.transaction() as session:
        (await session.get_one(CallbackTaskRow, task_id)).kind = "WG"
    sheet = f"/callback-tasks/{task_id}/sheet"
    await read(agent, sheet, 404)
    talk = await ask(agent, "POST", f"/callback-tasks/{task_id}/talks", 201, {})
    path = f"/callback-talks/{talk['talk_id']}"
    for item in shipped("WG").items:
        given: dict[str, Any] = {"text": "没有了"}
        if item.kind.has_options:
            given = {"values": [answer_by_key(item, "1", Channel.AGENT).values[0]]}
        await ask(agent, "PUT", f"{path}/answers/{item.id}", 200, given)
    await ask(agent, "PUT", f"{path}/answers/WG1", 200, {"values": ["poor"], "reason": "瓷砖空鼓"})
    assert sheet not in await read(agent, f"/callback-tasks/{task_id}"), "it is not over"
    await ask(agent, "POST", f"{path}/end", 200, {"how": "finished"})
    assert sheet in await read(agent, f"/callback-tasks/{task_id}")
    page = await read(agent, sheet)
    for said in ("完工回访单", "差（瓷砖空鼓）", "不满意", "客户签字"):
        assert said in page


async def test_an_answer_about_integrity_is_for_who_wrote_it_and_the_managers(
    stage: Stage, agent: ClientSession
) -> None:
    task_id = await ready_task(stage, CallbackType.COMPLETION)
    talk = await ask(agent, "POST", f"/callback-tasks/{task_id}/talks", 201, {})
    path = f"/callback-talks/{talk['talk_id']}"
    said = {"values": ["private_work"], "reason": "项目经理私下接活"}
    await ask(agent, "PUT", f"{path}/answers/WG9", 200, said)
    assert "项目经理私下接活" in await read(agent, f"/callback-tasks/{task_id}")
    async with stage.database.transaction() as session:
        # By now a colleague wrote it down.
        await session.execute(update(CallbackAnswerRow).values(by_id=new_ulid()))
        opened = select(AuditRow).where(AuditRow.action == "callback_opened", AuditRow.entity_id == task_id)
        assert len((await session.scalars(opened)).all()) == 2  # CB-10: the talk showed what was said before
    page = await read(agent, f"/callback-tasks/{task_id}")
    assert "项目经理私下接活" not in page
    assert "这一题的回答涉及廉洁问题" in page
    async with agent.get(f"/api/v1{path}") as answer:
        assert (await answer.json())["answers"] == []


async def test_a_call_over_rest_is_placed_once_for_its_key(stage: Stage, agent: ClientSession) -> None:
    task_id = await ready_task(stage)
    await stage.desk.sign_in(stage.agents[stage.agent_number])
    made = attempts.begin(new_ulid(), "+8613800138001", now=stage.clock.now()).attempt
    stage.placed.answer = made
    path, match = f"/callback-tasks/{task_id}/call", {"If-Match": f'"{await version(stage, task_id)}"'}
    await ask(agent, "POST", path, 428, {}, **match)
    for _ in range(2):
        placed = await ask(agent, "POST", path, 201, {}, **match, **{"Idempotency-Key": "one-call"})
        assert (placed["attempt_id"], placed["number"]) == (made.attempt_id, "138****8001")
    assert len(stage.placed.asked) == 1
