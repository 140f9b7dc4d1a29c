"""The search and the time line over HTTP: who finds what, what is refused, which numbers are whole."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from crm.search_feed import SearchFeed
from crm.tables import Customer
from crm.timeline import Channel, add
from kernel.audit import AuditRow
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.web_stage import Stage
from web.auth import SESSION_COOKIE

pytestmark = pytest.mark.integration


@pytest.fixture
async def stage(database: Database, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(database, clock, tmp_path)
    await made.seed()
    await SearchFeed().rebuild(database, lambda *_: None)
    await made.start()
    yield made
    await made.stop()


async def ask(stage: Stage, login: str, path: str, **query: str) -> tuple[int, Any]:
    secret = await stage.session_secret(login)
    async with (
        aiohttp.ClientSession(cookies={SESSION_COOKIE: secret}) as client,
        client.get(stage.url + path, params=query) as answer,
    ):
        return answer.status, json.loads(await answer.text())


async def test_a_customer_is_found_by_name_pinyin_and_address(stage: Stage) -> None:
    for query in ("王建军", "wjj", "wangjianj"):
        status, found = await ask(stage, "agent", "/api/v1/search", q=query)
        assert status == 200
        assert found["items"][0]["title"]["text"] == "王建军" or query != "王建军"
        assert "王建军" in {item["title"]["text"] for item in found["items"]}, query
    status, found = await ask(stage, "agent", "/api/v1/search", q="王建军", kind="project", limit="1")
    assert status == 200 and {item["kind"] for item in found["items"]} == {"project"}


async def test_marks_count_characters(stage: Stage) -> None:
    _, found = await ask(stage, "agent", "/api/v1/search", q="建军", kind="customer")
    title = found["items"][0]["title"]
    (start, end), *_ = title["marks"]
    assert title["text"][start:end] == "建军"


async def test_numbers_are_whole_only_for_those_who_may_see_them(stage: Stage) -> None:
    _, seen_by_agent = await ask(stage, "agent", "/api/v1/search", q="王建军", kind="customer")
    _, seen_by_supervisor = await ask(stage, "supervisor", "/api/v1/search", q="王建军", kind="customer")
    (masked, *_), (whole, *_) = (seen["items"][0]["phones"] for seen in (seen_by_agent, seen_by_supervisor))
    assert "*" in masked and whole.isdigit()
    status, found = await ask(stage, "agent", "/api/v1/search", q=whole)
    assert status == 200 and found["items"][0]["title"]["text"] == "王建军", "a whole number may be asked for"
    _, found = await ask(stage, "agent", "/api/v1/search", q=whole[-4:], kind="customer")
    assert found["items"] == [], "its last digits may not"
    _, found = await ask(stage, "supervisor", "/api/v1/search", q=whole[-4:], kind="customer")
    assert "王建军" in {item["title"]["text"] for item in found["items"]}
    async with stage.database.session() as session:
        shown = select(AuditRow.detail).where(AuditRow.action == "phones_shown")
        assert len((await session.execute(shown)).all()) == 2, "each answer with whole numbers is logged"


@pytest.mark.parametrize(
    "query", ["王", "a", "x" * 201, "王 建军", "一二 三四 五六 七八 九十 aa bb cc dd", "  ", "\0\0"]
)
async def test_what_cannot_be_searched_is_refused_by_name(stage: Stage, query: str) -> None:
    status, problem = await ask(stage, "agent", "/api/v1/search", q=query)
    assert status == 400
    assert '"q"' in json.dumps(problem), problem


HOSTILE = [
    "' OR 1=1 --",
    '" OR "x"*',
    "NEAR(王 建军)",
    "tokens:漏水",
    "漏水\0AND",
    "%_%_",
    "👩‍👩‍👧 漏水",
    "漏水' | !x & (",
    ":* <-> \\\\ '' $$",
    "a\u0301\u0301\u0301b",
    "{search_fts} : ^漏水",
    "-漏水 +建军 ~x @@",
]


@pytest.mark.parametrize("query", HOSTILE)
async def test_hostile_queries_are_only_text(stage: Stage, query: str) -> None:
    status, found = await ask(stage, "supervisor", "/api/v1/search", q=query)
    assert status == 200 and found["items"] == [], found


@pytest.mark.parametrize("cursor", ["x", "3.1", "1.x", "0.-1", "1." + "9" * 30])
async def test_a_cursor_of_another_list_is_refused(stage: Stage, cursor: str) -> None:
    status, problem = await ask(stage, "agent", "/api/v1/search", q="王建军", cursor=cursor)
    assert status == 400 and "cursor" in json.dumps(problem)


async def test_a_time_line_has_every_channel_newest_first(stage: Stage) -> None:
    now = stage.clock.now()
    async with stage.database.transaction() as session:
        customer_id = (
            await session.execute(select(Customer.id).where(Customer.name == "王建军"))
        ).scalar_one()
        for hours, channel in enumerate((Channel.PAYMENT, Channel.VISIT, Channel.CASE)):
            at = now + timedelta(hours=hours)
            for result in ("first", "second"):  # told twice: one entry, as it was said last
                await add(
                    session,
                    customer_id,
                    at=at,
                    channel=channel,
                    direction="internal",
                    ref="R1",
                    result=result,
                )
    path = f"/api/v1/customers/{customer_id}/timeline"
    status, page = await ask(stage, "agent", path, limit="2")
    assert status == 200
    assert [(item["channel"], item["result"]) for item in page["items"]] == [
        ("case", "second"),
        ("visit", "second"),
    ]
    _, rest = await ask(stage, "agent", path, before=page["next_cursor"])
    assert rest["items"][0]["channel"] == "payment" and rest["next_cursor"] is None
    assert {item["channel"] for item in rest["items"][1:]} <= {"call"}
    _, visits = await ask(stage, "agent", path, channel="visit")
    assert [item["ref"] for item in visits["items"]] == ["R1"]
    status, _ = await ask(stage, "agent", path, before="0" * 26)
    assert status == 400
    status, _ = await ask(stage, "agent", "/api/v1/customers/01ARZ3NDEKTSV4RRFFQ69G5FAV/timeline")
    assert status == 404
