"""The same agent through a project of level A (domain.md §3.0): by rule, taken, given back, assigned."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select, update

from callback_campaigns.assignment import AssignedElsewhere, check_caller
from callback_campaigns.domain.questionnaire import Answer
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.domain.terms import CallbackType, Channel
from callback_campaigns.task_tables import CallbackTaskRow
from kernel.access import Actor, Role
from kernel.clock import FakeClock
from kernel.ids import new_ulid
from tests.support.callback_calls import ready_task
from tests.support.web_stage import Stage, web_stage
from tests.unit.callback_campaigns.times import at
from web.auth import SESSION_COOKIE
from web.callback_part import CALLBACKS, Callbacks
from web.tables import UserRow

pytestmark = pytest.mark.integration


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path, clock=FakeClock(at("2026-03-02 15:00"))) as found:
        yield found


def part_of(stage: Stage) -> Callbacks:
    assert stage.app is not None
    return stage.app[CALLBACKS]


async def person(stage: Stage, login: str) -> Actor:
    async with stage.database.session() as session:
        row = (await session.scalars(select(UserRow).where(UserRow.login == login))).one()
    return Actor(user_id=row.user_id, name=row.display_name, role=Role(row.role), department=row.department)


async def whose(stage: Stage, task_id: str) -> str | None:
    async with stage.database.session() as session:
        return (await session.get_one(CallbackTaskRow, task_id)).assignee_id


async def led(stage: Stage, task_id: str, agent: Actor) -> None:
    """Have an agent finish a talk about a callback."""
    talks = part_of(stage).talks
    talk = await talks.open(task_id, attempt_id=None, channel=Channel.AGENT, by=agent.name, actor=agent)
    while (asked := talk.next_item) is not None and not asked.optional:
        options = asked.options_for(Channel.AGENT)
        answer = Answer(values=(options[0].value,)) if options else Answer(text="2026-03-02")
        talk = await talks.answer(talk.talk_id, asked.id, answer, by=agent.name, actor=agent)
    await talks.end(talk.talk_id, TalkEnding.FINISHED, by=agent.name, actor=agent)


async def level(stage: Stage, task_id: str) -> str:
    async with stage.database.session() as session:
        return (await session.get_one(CallbackTaskRow, task_id)).level


async def test_level_A_goes_to_who_led_the_last_talk_of_the_project(stage: Stage) -> None:
    agent, first = await person(stage, "agent"), await ready_task(stage)
    assert await level(stage, first) == "A"
    assert await whose(stage, first) is None  # nobody has talked with them yet
    await led(stage, first, agent)
    second = await ready_task(stage, CallbackType.CONCEALED)
    assert await whose(stage, second) == agent.user_id
    # Who left the company is nobody to call.
    async with stage.database.transaction() as session:
        gone = update(UserRow).where(UserRow.user_id == agent.user_id)
        await session.execute(gone.values(active=False))
    assert await whose(stage, await ready_task(stage, CallbackType.MIDTERM)) is None


async def test_somebody_elses_task_is_called_after_taking_it_on_or_by_a_supervisor() -> None:
    mine = Actor(user_id=new_ulid(), name="周晓梅", role=Role.AGENT)
    leads = Actor(user_id=new_ulid(), name="沈静", role=Role.SUPERVISOR)
    for actor, assignee in ((mine, None), (mine, mine.user_id), (leads, mine.user_id)):
        check_caller(actor, assignee)
    with pytest.raises(AssignedElsewhere):
        check_caller(mine, leads.user_id)


async def test_taken_given_back_and_assigned_on_the_page_and_over_rest(stage: Stage) -> None:
    task_id, agent, admin = (
        await ready_task(stage),
        await person(stage, "agent"),
        await person(stage, "admin"),
    )

    async def ask(
        login: str, method: str, path: str, status: int, *, data: object = None, json: object = None
    ) -> str:
        cookies = {SESSION_COOKIE: await stage.session_secret(login)}
        headers = {"Origin": stage.url}
        async with stage.database.session() as session:
            version = (await session.get_one(CallbackTaskRow, task_id)).version
        if json is not None:
            headers["If-Match"] = f'"{version}"'
        fields = None if data is None else {"version": str(version), **dict(data)}  # type: ignore[call-overload]
        async with (
            aiohttp.ClientSession(cookies=cookies, headers=headers) as client,
            client.request(method, stage.url + path, data=fields, json=json, allow_redirects=False) as answer,
        ):
            assert answer.status == status, await answer.text()
            return answer.headers.get("Location") or await answer.text()

    page, rest = f"/callback-tasks/{task_id}", f"/api/v1/callback-tasks/{task_id}/assignee"
    assert await ask("agent", "POST", f"{page}/take", 303, data={}) == f"{page}?done=taken"
    assert await whose(stage, task_id) == agent.user_id
    assert task_id in await ask("agent", "GET", "/callback-tasks?whose=mine", 200)
    assert task_id not in await ask("agent", "GET", "/callback-tasks?whose=nobody", 200)
    await ask("agent", "POST", f"{page}/give-back", 303, data={})
    assert await whose(stage, task_id) is None
    await ask("agent", "POST", f"{page}/assign", 403, data={"user_id": admin.user_id})
    await ask("admin", "POST", f"{page}/assign", 303, data={"user_id": admin.user_id})
    # Not offered to an agent any more, unless they ask for everybody's; the page says whose it is.
    assert task_id not in await ask("agent", "GET", "/callback-tasks", 200)
    assert task_id in await ask("agent", "GET", "/callback-tasks?whose=all", 200)
    assert admin.name in await ask("agent", "GET", page, 200)
    await ask("agent", "PUT", rest, 403, json={"user_id": None})
    await ask("agent", "PUT", rest, 403, json={"user_id": admin.user_id})
    await ask("agent", "PUT", rest, 200, json={"user_id": "me"})
    assert await whose(stage, task_id) == agent.user_id
    await ask("admin", "PUT", rest, 400, json={"user_id": new_ulid()})
    await ask("admin", "PUT", rest, 200, json={"user_id": None})
    listed = await ask("agent", "GET", "/api/v1/callback-tasks?whose=own&open=true", 200)
    assert task_id in listed
