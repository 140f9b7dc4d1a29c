"""Who pressed 4 is not forgotten: the list of callers to be called back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar

from crm.service import CallbackRequests
from kernel.ids import new_ulid
from kernel.phone import Phone
from tests.support.web_stage import Stage, web_stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration

CUSTOMER = "13800138001"
STRANGER = "13999990000"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        yield found


@pytest.fixture
async def agent(stage: Stage) -> AsyncIterator[ClientSession]:
    async with ClientSession(base_url=stage.url, cookie_jar=CookieJar(unsafe=True)) as session:
        session.cookie_jar.update_cookies({SESSION_COOKIE: await stage.session_secret("agent")})
        yield session


async def wish(stage: Stage, number: str, reason: str = "热线请求回电") -> str:
    phone = Phone.parse(number)
    found = await stage.directory.find_by_phone(phone)
    return await CallbackRequests(stage.database, stage.clock).create(
        call_id=new_ulid(),
        phone=phone,
        customer_id=found[0].customer_id if found else None,
        reason=reason,
    )


async def page(agent: ClientSession) -> str:
    async with agent.get("/callbacks") as answer:
        assert answer.status == 200
        return await answer.text()


async def done(stage: Stage, agent: ClientSession, request_id: str) -> int:
    path = f"/callbacks/{request_id}/done"
    async with agent.post(path, headers={"Origin": stage.url}, allow_redirects=False) as answer:
        return answer.status


async def test_nobody_waits(agent: ClientSession) -> None:
    assert "没有人在等回电。" in await page(agent)


async def test_a_wish_is_shown_with_whom_to_call_until_it_is_done(stage: Stage, agent: ClientSession) -> None:
    first = await wish(stage, CUSTOMER)
    await wish(stage, STRANGER, "<b>请求</b>")
    shown = await page(agent)
    assert shown.index("138 0013 8001") < shown.index("139 9999 0000")
    assert "王建军</a>" in shown
    assert "&lt;b&gt;请求" in shown
    assert await done(stage, agent, first) == 303
    left = await page(agent)
    assert "王建军" not in left
    assert "139 9999 0000" in left
    # somebody else was quicker
    assert await done(stage, agent, first) == 303
    assert await done(stage, agent, "nonsense") == 303


async def test_what_was_seen_and_done_is_in_the_audit_log(stage: Stage, agent: ClientSession) -> None:
    request_id = await wish(stage, CUSTOMER)
    await page(agent)
    await done(stage, agent, request_id)
    await done(stage, agent, request_id)
    noted, shown, _ = await stage.accounts.audit.recent(limit=3)
    assert (noted.action, noted.actor, noted.entity_id) == ("callback_done", "agent", request_id)
    assert (shown.action, shown.entity, shown.detail["requests"]) == ("phones_shown", "callback_request", 1)


async def test_the_button_of_another_site_does_nothing(stage: Stage, agent: ClientSession) -> None:
    request_id = await wish(stage, CUSTOMER)
    async with agent.post(
        f"/callbacks/{request_id}/done", headers={"Origin": "https://evil.example"}
    ) as answer:
        assert answer.status == 403
    assert "王建军" in await page(agent)
