"""Pages and API of routing and of messages to callers: who sees and changes what; mistakes stay typed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.web_stage import Stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration


@pytest.fixture
async def stage(sqlite: Database, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(sqlite, clock, tmp_path)
    await made.seed()
    await made.start()
    yield made
    await made.stop()


async def ask(
    stage: Stage, login: str, method: str, path: str, *, body: Any = None, form: Any = None
) -> tuple[int, Any]:
    secret = await stage.session_secret(login)
    async with (
        aiohttp.ClientSession(cookies={SESSION_COOKIE: secret}, headers={"Origin": stage.url}) as client,
        client.request(method, f"{stage.url}{path}", json=body, data=form, allow_redirects=False) as answer,
    ):
        if answer.content_type.endswith("json"):
            return answer.status, await answer.json()
        return answer.status, await answer.text()


async def test_rules_over_api_and_page(stage: Stage) -> None:
    status, rules = await ask(stage, "admin", "GET", "/api/v1/routing-rules")
    assert (status, rules["version"], "levels" in rules["text"]) == (200, 0, True)
    assert (await ask(stage, "agent", "GET", "/routing"))[0] == 403
    new = {"text": "levels: {A: 9}", "why": "试行", "expected": 0}
    assert (await ask(stage, "supervisor", "POST", "/api/v1/routing-rules", body=new))[0] == 403
    status, wrong = await ask(
        stage, "admin", "POST", "/api/v1/routing-rules", body=new | {"text": "levels: {A: 99}"}
    )
    assert (status, wrong["code"], "line 1" in wrong["detail"]) == (400, "routing_rules_invalid", True)
    assert (await ask(stage, "admin", "POST", "/api/v1/routing-rules", body=new))[0] == 201
    assert (await ask(stage, "admin", "POST", "/api/v1/routing-rules", body=new))[0] == 412
    status, listed = await ask(stage, "supervisor", "GET", "/api/v1/routing-rules/versions")
    assert [one["why"] for one in listed["items"]] == ["试行"]
    form = {"text": "levels: {B: 99}", "why": "再试", "version": "1"}
    status, page = await ask(stage, "admin", "POST", "/routing", form=form)
    assert (status, "levels: {B: 99}" in page, "whole number from 0 to 15" in page) == (400, True, True)
    assert (await ask(stage, "admin", "POST", "/routing", form=form | {"version": "0", "text": "{}"}))[
        0
    ] == 409
    assert (await ask(stage, "admin", "POST", "/routing", form=form | {"text": "levels: {B: 2}"}))[0] == 303
    status, page = await ask(stage, "supervisor", "GET", "/routing")
    assert (status, "B 级客户" in page, "<textarea" in page) == (200, True, False)


async def test_messages_over_api_and_page(stage: Stage) -> None:
    ends = stage.clock.now().isoformat()[:11] + "23:59:00Z"
    new = {"kind": "emergency", "text_zh": "停电，请稍后再拨。", "then": "offer", "ends_at": ends}
    assert (await ask(stage, "agent", "POST", "/api/v1/line-messages", body=new))[0] == 403
    status, made = await ask(stage, "supervisor", "POST", "/api/v1/line-messages", body=new)
    assert (status, made["on"], made["queue"]) == (201, True, "")
    status, page = await ask(stage, "supervisor", "GET", "/line-messages")
    assert (status, "停电，请稍后再拨。" in page) == (200, True)
    status, page = await ask(
        stage, "supervisor", "POST", "/line-messages", form={"text_zh": "<b>x</b>", "ends_at": "昨天"}
    )
    assert (status, "&lt;b&gt;x" in page, "<b>x</b>" in page) == (400, True, False)
    assert (await ask(stage, "agent", "GET", "/line-messages"))[0] == 403
    off = f"/line-messages/{made['message_id']}/off"
    assert (await ask(stage, "supervisor", "POST", off, form={}))[0] == 303
    assert (await ask(stage, "supervisor", "POST", "/line-messages/nothing/off", form={}))[0] == 404
    status, listed = await ask(stage, "supervisor", "GET", "/api/v1/line-messages")
    assert [(one["on"], bool(one["ended_by"])) for one in listed["items"]] == [(False, True)]
