"""The pages of knowledge articles: found, read, voted for, written; hostile texts, roles, old versions."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from app.demo.articles import seed_articles
from crm.domain.knowledge import Area
from crm.knowledge_views import ArticleText, ArticleView
from kernel.access import Actor
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from tests.support.web_stage import Stage
from web.auth import SESSION_COOKIE
from web.crm_part import CRM

pytestmark = pytest.mark.integration

FORM = {
    "area": "use",
    "question": "保修卡在哪里?",
    "answer": "在**门店**领取",
    "keywords": "保修卡，领取",
    "classes": "8",
    "valid_from": "2026-03-02",
}


@pytest.fixture
async def stage(sqlite: Database, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(sqlite, clock, tmp_path)
    await made.seed()
    await made.start()
    yield made
    await made.stop()


async def ask(
    stage: Stage, login: str, method: str, path: str, form: dict[str, str] | None = None
) -> tuple[int, str, str]:
    secret = await stage.session_secret(login)
    async with (
        aiohttp.ClientSession(cookies={SESSION_COOKIE: secret}, headers={"Origin": stage.url}) as client,
        client.request(method, stage.url + path, data=form, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text(), answer.headers.get("Location", "")


async def written(stage: Stage, **changes: Any) -> ArticleView:
    assert stage.app is not None
    what: dict[str, Any] = {
        "area": Area.USE,
        "question": "漏水先做什么?",
        "answer": "关阀",
        "keywords": ("漏水",),
    }
    text = ArticleText(**(what | changes))
    return await stage.app[CRM].knowledge.write(Actor.system("tests"), text)


async def test_an_article_is_written_read_and_corrected(stage: Stage) -> None:
    status, _, place = await ask(stage, "supervisor", "POST", "/knowledge/new", FORM)
    assert status == 303 and re.fullmatch(r"/knowledge/\w{26}", place)
    status, page, _ = await ask(stage, "agent", "GET", place)
    assert status == 200 and "<strong>门店</strong>" in page and "保修卡 · 领取" in page and "售后" in page
    assert f"{place}/edit" not in page
    status, page, _ = await ask(stage, "supervisor", "GET", f"{place}/edit")
    assert 'name="version" value="1"' in page and "在**门店**领取" in page
    changed = FORM | {"answer": "门店领取", "why": "简短", "version": "1"}
    assert (await ask(stage, "supervisor", "POST", f"{place}/edit", changed))[0] == 303
    status, page, _ = await ask(stage, "supervisor", "POST", f"{place}/edit", changed)
    assert status == 409 and "别人刚刚修改了这篇文章" in page
    _, page, _ = await ask(stage, "agent", "GET", place)
    assert "简短" in page and "v2" in page and "v1" in page


async def test_articles_are_found_as_customers_say_it(stage: Stage, clock: FakeClock) -> None:
    await seed_articles(stage.database, clock, zone=SHANGHAI)
    _, page, _ = await ask(stage, "agent", "GET", "/knowledge")
    assert page.count('class="title wrap"') >= 25
    _, page, _ = await ask(stage, "agent", "GET", "/knowledge?q=甲醛")
    assert "异味" in page and page.count('class="title wrap"') == 1
    _, page, _ = await ask(stage, "agent", "GET", "/knowledge?area=price")
    assert "合同款分几次付" in page and "跳闸" not in page
    status, page, _ = await ask(stage, "agent", "GET", "/knowledge?q=水")
    assert status == 200 and "请写至少两个字的词" in page
    _, page, _ = await ask(stage, "agent", "GET", "/knowledge?q=没有这样的词")
    assert "没有找到" in page


@pytest.mark.parametrize(
    "hostile",
    ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{ 7*7 }}", '"><b x="', "javascript:x"],
)
async def test_hostile_text_is_shown_as_text(stage: Stage, hostile: str) -> None:
    article = await written(stage, question=f"问{hostile}", answer=f"- {hostile}\n\n**{hostile}**")
    for path in (f"/knowledge/{article.article_id}", f"/knowledge/{article.article_id}/edit", "/knowledge"):
        _, page, _ = await ask(stage, "supervisor", "GET", path)
        assert "<script>alert" not in page and "<img src=x" not in page and "问49" not in page
        assert '"><b x="' not in page


async def test_a_vote_counts_once_and_can_be_taken_back(stage: Stage) -> None:
    article = await written(stage)
    path = f"/knowledge/{article.article_id}"
    for _ in range(2):
        assert (await ask(stage, "agent", "POST", f"{path}/vote", {"useful": "yes"}))[0] == 303
    _, page, _ = await ask(stage, "agent", "GET", path)
    assert 'aria-pressed="true"' in page and '<span class="num">1</span>' in page
    await ask(stage, "agent", "POST", f"{path}/vote", {"useful": "no"})
    assert 'aria-pressed="false"' in (await ask(stage, "agent", "GET", path))[1]


async def test_a_withdrawn_article_says_so(stage: Stage) -> None:
    article = await written(stage)
    path = f"/knowledge/{article.article_id}"
    status, page, _ = await ask(stage, "supervisor", "POST", f"{path}/withdraw", {"version": "1", "why": " "})
    assert status == 400 and "请写明原因" in page
    stale = {"version": "7", "why": "过时"}
    assert (await ask(stage, "supervisor", "POST", f"{path}/withdraw", stale))[0] == 409
    assert (await ask(stage, "supervisor", "POST", f"{path}/withdraw", {"version": "1", "why": "过时"}))[
        0
    ] == 303
    _, page, _ = await ask(stage, "agent", "GET", path)
    assert "已经撤下" in page
    assert "漏水先做什么" not in (await ask(stage, "agent", "GET", "/knowledge"))[1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"question": " "}, "请写问题"),
        ({"answer": ""}, "请写答案"),
        ({"keywords": "水"}, "关键词最多"),
        ({"valid_from": "gestern"}, "有效的日期"),
        ({"valid_to": "2026-03-01"}, "失效日期不能早于"),
        ({"area": "nope"}, "请选择类别"),
        ({"classes": "99"}, "请选择投诉分类"),
    ],
)
async def test_a_form_that_cannot_be_comes_back_as_it_was(
    stage: Stage, changes: dict[str, str], says: str
) -> None:
    status, page, _ = await ask(stage, "supervisor", "POST", "/knowledge/new", FORM | changes)
    assert status == 400 and says in page
    assert "保修卡，领取" in page or "keywords" in changes


async def test_who_may_not(stage: Stage) -> None:
    article = await written(stage)
    for method, path in (
        ("GET", "/knowledge/new"),
        ("POST", "/knowledge/new"),
        ("GET", f"/knowledge/{article.article_id}/edit"),
        ("POST", f"/knowledge/{article.article_id}/withdraw"),
    ):
        assert (await ask(stage, "agent", method, path, FORM if method == "POST" else None))[0] == 403
    assert (await ask(stage, "agent", "GET", "/knowledge/nope"))[0] == 404
