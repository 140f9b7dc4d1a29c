"""The pages over HTTP: who sees which, both languages, hostile names, filters, whole and masked numbers."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import ClientSession, CookieJar
from sqlalchemy import select

from crm import timeline
from crm.service import CallbackRequests
from kernel.audit import AuditRow
from kernel.clock import SystemClock
from tests.support.fake_telephony import ringing_call
from tests.support.people import MANAGER
from tests.support.web_stage import PASSWORD, Stage, web_stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration

HOSTILE = "<script>alert(1)</script>'\"><b>王"
CALL = "01JZZZZZZZZZZZZZZZZZZZZZ01"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        yield found


class Visitor:
    """A browser without scripts."""

    def __init__(self, stage: Stage, session: ClientSession) -> None:
        self._stage = stage
        self.session = session

    async def get(self, path: str, **options: Any) -> tuple[int, str]:
        async with self.session.get(self._stage.url + path, **options) as response:
            return response.status, await response.text()

    async def post(self, path: str, form: dict[str, str], **options: Any) -> tuple[int, str, str]:
        headers = {"Origin": self._stage.url}
        async with self.session.post(
            self._stage.url + path, data=form, headers=headers, allow_redirects=False, **options
        ) as response:
            return response.status, response.headers.get("Location", ""), await response.text()

    async def sign_in(self, login: str) -> None:
        secret = await self._stage.session_secret(login)
        self.session.cookie_jar.update_cookies({SESSION_COOKIE: secret})


@pytest.fixture
async def visitor(stage: Stage) -> AsyncIterator[Visitor]:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        yield Visitor(stage, session)


def add_call(stage: Stage, **changes: Any) -> None:
    now = SystemClock().now()
    call = ringing_call(CALL, "+8613800138001", HOSTILE, "complaint", (HOSTILE,), now, now)
    ended = replace(
        call,
        state="ended",
        result="ANSWERED",
        answered_at=now,
        ended_at=now + timedelta(seconds=30),
        wait_seconds=12.0,
        talk_seconds=30.0,
        hangup_by="caller",
        end_reason="hangup",
    )
    stage.history.calls[CALL] = replace(ended, **changes)


async def test_whoever_is_not_signed_in_is_sent_to_the_form_and_back(visitor: Visitor) -> None:
    status, page = await visitor.get("/calls?queue=repair")
    assert status == 200
    assert 'action="/sign-in"' in page
    assert 'value="/calls?queue=repair"' in page
    status, where, page = await visitor.post(
        "/sign-in", {"login": "supervisor", "password": "falsch", "next": "/calls"}
    )
    assert (status, where) == (401, "")
    assert "登录名或密码不对。" in page
    status, where, _ = await visitor.post(
        "/sign-in", {"login": "supervisor", "password": PASSWORD, "next": "https://evil.example/"}
    )
    assert (status, where) == (303, "/")
    _, page = await visitor.get("/")
    assert 'id="board"' in page


@pytest.mark.parametrize(
    ("login", "seen", "refused"),
    [
        ("agent", ["/agent", "/calls"], ["/supervisor"]),
        ("supervisor", ["/supervisor", "/calls"], ["/agent"]),
        ("admin", ["/supervisor", "/calls"], ["/agent"]),
    ],
)
async def test_everybody_sees_their_own_pages(
    visitor: Visitor, login: str, seen: list[str], refused: list[str]
) -> None:
    await visitor.sign_in(login)
    for path in seen:
        assert (await visitor.get(path))[0] == 200, path
    for path in refused:
        status, page = await visitor.get(path)
        assert status == 403, path
        assert "没有权限" in page


async def test_signing_out_ends_the_session(visitor: Visitor) -> None:
    await visitor.sign_in("agent")
    assert (await visitor.post("/sign-out", {}))[:2] == (303, "/sign-in")
    _, page = await visitor.get("/agent")
    assert 'action="/sign-in"' in page


async def test_an_agent_sees_what_to_say_first_in_the_own_name(visitor: Visitor) -> None:
    await visitor.sign_in("agent")
    _, page = await visitor.get("/agent")
    assert re.search(r'id="call-greeting" data-shown="no">您好，安居装饰客服，我姓[^{]。<', page)


async def test_the_language_stays_with_the_browser_and_the_user(stage: Stage, visitor: Visitor) -> None:
    assert 'lang="zh-CN"' in (await visitor.get("/sign-in"))[1]
    assert (await visitor.post("/language", {"language": "en", "next": "/sign-in"}))[:2] == (303, "/sign-in")
    _, page = await visitor.get("/sign-in")
    assert 'lang="en"' in page
    assert "Sign in" in page
    await visitor.sign_in("agent")
    await visitor.post("/language", {"language": "en", "next": "/agent"})
    assert (await stage.accounts.users.get("agent")).locale == "en"
    _, page = await visitor.get("/agent")
    assert '"等待来电": "Waiting for a call"'.replace("等待来电", "\\u7b49\\u5f85\\u6765\\u7535") in page
    assert (await visitor.post("/language", {"language": "tlh"}))[0] == 400
    status, page = await visitor.get("/nowhere")
    assert status == 404
    assert "No such page" in page


async def test_pages_carry_no_inline_script_or_style(visitor: Visitor) -> None:
    await visitor.sign_in("agent")
    for path in ("/agent", "/calls"):
        _, page = await visitor.get(path)
        assert " style=" not in page
        assert "<style" not in page
        assert " onclick" not in page
        for script in page.split("<script")[1:]:
            opening = script.split(">", 1)[0]
            assert "src=" in opening or 'type="application/json"' in opening


async def test_static_files_are_kept_for_a_year_under_a_name_that_changes(visitor: Visitor) -> None:
    _, page = await visitor.get("/sign-in")
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    async with visitor.session.get(visitor._stage.url + address) as response:
        assert response.status == 200
        assert "immutable" in response.headers["Cache-Control"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_hostile_name_is_shown_as_text_everywhere(stage: Stage, visitor: Visitor) -> None:
    add_call(stage)
    await visitor.sign_in("supervisor")
    for path in ("/calls", f"/calls/{CALL}"):
        status, page = await visitor.get(path)
        assert status == 200
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


async def test_the_form_shows_hostile_filters_as_text(visitor: Visitor) -> None:
    await visitor.sign_in("supervisor")
    _, page = await visitor.get("/calls", params={"number": '"><script>1</script>', "queue": "<b>"})
    assert "<script>1" not in page
    assert "<b>" not in page


async def test_an_agent_sees_masked_numbers_a_supervisor_whole_ones_and_it_is_logged(
    stage: Stage, visitor: Visitor
) -> None:
    add_call(stage)
    await visitor.sign_in("agent")
    for path in ("/calls", f"/calls/{CALL}"):
        _, page = await visitor.get(path)
        assert "138****8001" in page, path
        assert "138 0013 8001" not in page
        assert "13800138001" not in page
    assert await shown(stage) == 0
    await visitor.sign_in("supervisor")
    for count, path in enumerate(("/calls", f"/calls/{CALL}"), start=1):
        _, page = await visitor.get(path)
        assert "138 0013 8001" in page, path
        assert await shown(stage) == count


async def shown(stage: Stage) -> int:
    async with stage.database.session() as session:
        query = select(AuditRow).where(AuditRow.action == "phones_shown")
        return len((await session.execute(query)).scalars().all())


async def test_an_agent_may_look_for_a_whole_number_but_not_feel_it_out(visitor: Visitor) -> None:
    await visitor.sign_in("agent")
    status, page = await visitor.get("/calls?number=1380")
    assert status == 400
    assert "请输入完整的号码。" in page
    assert (await visitor.get("/calls?number=13800138001"))[0] == 200


@pytest.mark.parametrize("day", ["gestern", "2026-02-30", "0001-01-01", "9999-12-31"])
async def test_an_impossible_day_is_explained(visitor: Visitor, day: str) -> None:
    await visitor.sign_in("agent")
    status, page = await visitor.get("/calls", params={"from": day})
    assert status == 400
    assert "日期的格式是" in page


async def test_filters_narrow_and_pages_follow_one_another(stage: Stage, visitor: Visitor) -> None:
    now = SystemClock().now()
    for number in range(60):
        call_id = f"01JZZZZZZZZZZZZZZZZZZZ{number:04}"
        call = ringing_call(call_id, f"+86138001380{number:02}", "", "repair", (), now, now)
        stage.history.calls[call_id] = call
    await visitor.sign_in("supervisor")
    _, page = await visitor.get("/calls?queue=repair")
    assert page.count('<tr class="link">') == 50
    more = page.split('href="/calls?queue=repair&amp;cursor=')[1].split('"')[0]
    _, second = await visitor.get(f"/calls?queue=repair&cursor={more}")
    assert "/calls/01JZZZZZZZZZZZZZZZZZZZ0009" in second
    assert "/calls/01JZZZZZZZZZZZZZZZZZZZ0010" not in second
    _, none = await visitor.get("/calls?queue=complaint")
    assert "没有符合条件的通话" in none


async def test_a_customers_page_shows_card_and_time_line(stage: Stage, visitor: Visitor) -> None:
    (card, *_) = await stage.directory.search("王建军")
    await visitor.sign_in("agent")
    status, page = await visitor.get(f"/customers/{card.customer_id}")
    assert status == 200
    for text in ("王建军", card.projects[0].address, card.projects[0].contract_no, card.phones_masked[0]):
        assert text in page
    assert "已登记投诉" in page
    assert (await visitor.get("/customers/nobody"))[0] == 404


async def test_a_customers_page_shows_what_was_sent_to_them(stage: Stage, visitor: Visitor) -> None:
    (card, *_) = await stage.directory.search("王建军")
    async with stage.database.transaction() as session:
        await timeline.add(
            session,
            card.customer_id,
            at=stage.clock.now(),
            channel=timeline.Channel.MESSAGE,
            direction="out",
            ref=CALL,
            result="failed",
            detail={"channel": "sms", "template": "visit.booked", "case_id": CALL, "no": "BX1"},
        )
    await visitor.sign_in("agent")
    _, page = await visitor.get(f"/customers/{card.customer_id}")
    shown = page.split('id="contacts"')[1].split("</li>")[0]
    for text in ("短信", "上门预约", "没有发出", f'href="/cases/{CALL}"', "BX1"):
        assert text in shown
    _, api = await visitor.get(f"/api/v1/customers/{card.customer_id}/timeline?channel=message")
    assert '"template":"visit.booked"' in api and '"result":"failed"' in api


async def test_what_the_page_sends_is_checked(stage: Stage, visitor: Visitor) -> None:
    await visitor.sign_in("agent")
    headers = {"Origin": stage.url, "Accept": "application/json"}

    async def send(method: str, path: str, body: bytes) -> int:
        async with visitor.session.request(method, stage.url + path, data=body, headers=headers) as response:
            return response.status

    assert await send("POST", "/agent/sign-in", b"{}") == 204
    assert await send("POST", "/agent/pause", b'{"reason":"lunch"}') == 204
    assert await send("POST", "/agent/pause", b'{"reason":"none"}') == 400
    assert await send("POST", "/agent/pause", b"{") == 400
    assert await send("POST", "/agent/pause", b'{"reason":"lunch","x":1}') == 400
    assert await send("POST", "/agent/resume", b"") == 204
    assert await send("POST", "/agent/heartbeat", b"") == 204
    assert await send("POST", "/agent/choice", b'{"call_id":"x","customer_id":null}') == 409
    assert await send("PUT", f"/agent/drafts/{CALL}", b'{"notes":"x"}') == 404
    assert await send("PUT", f"/agent/drafts/{CALL}", b'{"notes":"' + b"x" * 1501 + b'"}') == 400
    assert await send("POST", f"/agent/wrap-ups/{CALL}", b'{"notes":"x"}') == 400
    assert await send("POST", f"/agent/wrap-ups/{CALL}", b'{"disposition":"call_back"}') == 400
    assert await send("POST", f"/agent/wrap-ups/{CALL}", b'{"disposition":"nuisance"}') == 404
    assert await send("PUT", f"/agent/drafts/{CALL}", b'{"follow_up":"tomorrow"}') == 400
    assert await send("POST", "/agent/sign-out", b"") == 204
    await visitor.sign_in("supervisor")
    assert await send("POST", "/agent/sign-in", b"{}") == 403


async def test_another_sites_page_cannot_act_for_the_agent(stage: Stage, visitor: Visitor) -> None:
    await visitor.sign_in("agent")
    headers = {"Origin": "https://evil.example", "Accept": "application/json"}
    for path in ("/agent/sign-in", "/sign-out", "/language"):
        async with visitor.session.post(stage.url + path, headers=headers) as response:
            assert response.status == 403, path


async def test_what_was_said_of_an_unknown_caller_is_kept_with_the_notes(
    stage: Stage, visitor: Visitor
) -> None:
    await visitor.sign_in("agent")
    agent_id = stage.agents[stage.agent_number]
    await stage.desk.sign_in(agent_id)
    call_id = await stage.ring("13911112222")
    await stage.answer(call_id)
    await stage.hang_up(call_id)
    body = {
        "disposition": "answered_enquiry",
        "notes": "想了解报价",
        "newcomer": {"name": "钱多多", "salutation": "女士", "address": "望京1号"},
    }
    headers = {"Origin": stage.url, "Accept": "application/json"}
    for method, path in (("PUT", "drafts"), ("POST", "wrap-ups")):
        async with visitor.session.request(
            method, f"{stage.url}/agent/{path}/{call_id}", json=body, headers=headers
        ) as response:
            assert response.status == 204
    saved = await stage.desk.wrap_up(agent_id, call_id)
    assert saved is not None
    assert saved.notes == "来电人：钱多多女士；地址：望京1号\n想了解报价"
    _, page = await visitor.get(f"/calls/{call_id}")
    assert "钱多多" in page


async def test_a_time_that_was_agreed_puts_the_customer_on_the_list_of_those_to_call(
    stage: Stage, visitor: Visitor
) -> None:
    await visitor.sign_in("agent")
    agent_id = stage.agents[stage.agent_number]
    await stage.desk.sign_in(agent_id)
    call_id = await stage.ring("13911112222")
    await stage.answer(call_id)
    await stage.hang_up(call_id)
    headers = {"Origin": stage.url, "Accept": "application/json"}
    local = stage.clock.now().astimezone(ZoneInfo("Asia/Shanghai"))

    async def save(when: str | None, path: str = "wrap-ups", method: str = "POST") -> int:
        body = {"disposition": "call_back", "notes": "要报价", "follow_up": when}
        async with visitor.session.request(
            method, f"{stage.url}/agent/{path}/{call_id}", json=body, headers=headers
        ) as response:
            return response.status

    def at(**later: int) -> str:
        return f"{local + timedelta(**later):%Y-%m-%dT%H:%M}"

    wrong = (None, "", at(hours=-1), at(days=400), "2026-02-31T10:00")
    assert [await save(when) for when in wrong] == [400] * len(wrong)
    assert await save(at(hours=2), "drafts", "PUT") == 204
    assert await save(at(hours=2)) == 204
    assert await save(at(days=1)) == 204
    saved = await stage.desk.wrap_up(agent_id, call_id)
    assert saved is not None
    assert saved.notes == f"约定回电：{at(days=1).replace('T', ' ')}\n要报价"
    (wish,) = await CallbackRequests(stage.database, stage.clock).list_open(MANAGER)
    assert (wish.phone, wish.call_id, wish.reason) == ("+8613911112222", call_id, "约定回电（李娜）")
    assert wish.wanted_at is not None
    assert f"{wish.wanted_at.astimezone(local.tzinfo):%Y-%m-%dT%H:%M}" == at(days=1), "what was agreed last"
    await visitor.sign_in("supervisor")
    _, page = await visitor.get("/callbacks")
    assert ("139 1111 2222" in page, "约定" in page) == (True, True)
