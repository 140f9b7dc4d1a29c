"""Decided on pages: callbacks stopped and enabled (CB-9), cancelled, tried from another telephone (CB-8)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from crm.tables import CustomerPhone
from kernel.clock import FakeClock
from tests.support.callback_calls import ready_task
from tests.support.web_stage import PASSWORD, Stage, web_stage
from tests.unit.callback_campaigns.times import at
from web.auth import SESSION_COOKIE
from web.permissions import Role

pytestmark = pytest.mark.integration


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path, clock=FakeClock(at("2026-03-02 15:00"))) as found:
        await found.accounts.users.create(
            login="manager", password=PASSWORD, role=Role.MANAGER, display_name="孟岚"
        )
        yield found


async def row_of(stage: Stage, task_id: str) -> CallbackTaskRow:
    async with stage.database.session() as session:
        return await session.get_one(CallbackTaskRow, task_id)


async def ask(stage: Stage, login: str, method: str, path: str, status: int, **sent: Any) -> str:
    cookies = {SESSION_COOKIE: await stage.session_secret(login)}
    headers = {"Origin": stage.url} | sent.pop("headers", {})
    async with (
        aiohttp.ClientSession(cookies=cookies, headers=headers) as client,
        client.request(method, stage.url + path, allow_redirects=False, **sent) as answer,
    ):
        assert answer.status == status, await answer.text()
        return answer.headers.get("Location") or await answer.text()


async def test_CB8_an_attempt_from_another_telephone_counts_and_is_shown(stage: Stage) -> None:
    task_id = await ready_task(stage)
    page, row = f"/callback-tasks/{task_id}", await row_of(stage, task_id)
    assert "记一次没打通" in await ask(stage, "agent", "GET", page, 200)
    version = str(row.version)
    given = {"version": version, "outcome": "answered", "reason": "手机拨打"}
    assert "wrong=invalid" in await ask(stage, "agent", "POST", f"{page}/tried", 303, data=given)
    given["outcome"] = "no_answer"
    assert "done=tried" in await ask(stage, "agent", "POST", f"{page}/tried", 303, data=given)
    row = await row_of(stage, task_id)
    assert (row.status, len(row.tried)) == ("retry_wait", 1)
    assert "手机拨打" in await ask(stage, "agent", "GET", page, 200)
    # It stands beside all other attempts, and counts for the number.
    async with stage.database.session() as session:
        (made,) = await session.scalars(select(DialAttemptRow).where(DialAttemptRow.task_id == task_id))
        (theirs,) = await session.scalars(
            select(CustomerPhone.e164).where(CustomerPhone.customer_id == row.customer_id)
        )
    assert (made.outcome, made.state, made.trunk, made.number) == ("no_answer", "ended", "", theirs)
    # Pressed twice it is one attempt: the task is another version by then.
    assert "wrong=" in await ask(stage, "agent", "POST", f"{page}/tried", 303, data=given)
    body, rest = {"outcome": "busy", "reason": "手机拨打"}, f"/api/v1{page}/attempts"
    etag = {"If-Match": f'"{row.version}"'}
    await ask(stage, "agent", "POST", rest, 409, json=body, headers=etag)  # not due again yet
    assert len((await row_of(stage, task_id)).tried) == 1


async def test_the_manager_cancels_on_the_page(stage: Stage) -> None:
    task_id = await ready_task(stage)
    page, version = f"/callback-tasks/{task_id}", str((await row_of(stage, task_id)).version)
    data = {"version": version, "reason": "客户已回电说明"}
    assert f'action="{page}/cancel"' not in await ask(stage, "agent", "GET", page, 200)
    await ask(stage, "agent", "POST", f"{page}/cancel", 403, data=data)
    assert f'action="{page}/cancel"' in await ask(stage, "manager", "GET", page, 200)
    nothing = {"version": version, "reason": ""}
    assert "wrong=invalid" in await ask(stage, "manager", "POST", f"{page}/cancel", 303, data=nothing)
    assert "done=cancelled" in await ask(stage, "manager", "POST", f"{page}/cancel", 303, data=data)
    assert (await row_of(stage, task_id)).cancelled_why == "by_hand"


async def shown(stage: Stage, project: str) -> str:
    page = await ask(stage, "manager", "GET", project, 200)
    return page.split('name="version" value="', 1)[1].split('"', 1)[0]


async def test_CB9_stopped_and_enabled_on_the_projects_page(stage: Stage) -> None:
    task_id = await ready_task(stage)
    project = f"/projects/{(await row_of(stage, task_id)).project_id}"
    data = {"version": await shown(stage, project), "kind": "KG", "reason": "客户要求不打"}
    assert "callback-stop" not in await ask(stage, "agent", "GET", project, 200)
    await ask(stage, "agent", "POST", f"{project}/callback-stop", 403, data=data)
    await ask(stage, "manager", "POST", f"{project}/callback-stop", 303, data=data)
    assert (await row_of(stage, task_id)).cancelled_why == "stopped"
    text = await ask(stage, "manager", "GET", project, 200)
    assert "客户要求不打" in text and "callback-enable" in text
    # A page from before says that it is old and keeps what was typed; the form goes out again as it is now.
    old = await ask(stage, "manager", "POST", f"{project}/callback-enable", 400, data=data)
    assert "别人" in old and 'value="客户要求不打"' in old
    data["version"] = await shown(stage, project)
    await ask(stage, "manager", "POST", f"{project}/callback-enable", 303, data=data)
    assert "客户要求不打" not in await ask(stage, "manager", "GET", project, 200)
