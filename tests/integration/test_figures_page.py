"""The page of the month's figures: who sees it, what stands on it, what a strange address does."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar

from crm.domain.case_figures import FigureCode
from tests.support.web_stage import PASSWORD, Stage, web_stage
from web.auth import SESSION_COOKIE
from web.pages.figures import GROUPS, LABELS, PARTS
from web.permissions import Role

pytestmark = pytest.mark.integration

PEOPLE = (
    ("manager", Role.MANAGER, None, 200),
    ("boss", Role.GENERAL_MANAGER, None, 200),
    ("eng", Role.DEPARTMENT_HEAD, "ENG", 403),
    ("finance", Role.FINANCE, None, 403),
    ("agent", Role.AGENT, None, 403),
)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        for login, role, department, _ in PEOPLE:
            if login != "agent":
                await found.accounts.users.create(
                    login=login, password=PASSWORD, role=role, display_name=login, department=department
                )
        yield found


async def get(stage: Stage, login: str, path: str) -> tuple[int, str]:
    async with ClientSession(base_url=stage.url, cookie_jar=CookieJar(unsafe=True)) as session:
        session.cookie_jar.update_cookies({SESSION_COOKIE: await stage.session_secret(login)})
        async with session.get(path) as answer:
            return answer.status, await answer.text()


def test_every_figure_has_its_words_and_its_place() -> None:
    placed = [code for _, codes in GROUPS for code in codes]
    assert sorted(placed) == sorted(FigureCode)
    assert set(LABELS) == set(PARTS) == set(FigureCode)


async def test_5_2_the_audit_late_rate_is_said_to_be_missing(stage: Stage) -> None:
    assert "图纸（合同）审核超期率" in (await get(stage, "boss", "/figures"))[1]


async def test_the_figures_are_for_the_manager_and_the_general_manager(stage: Stage) -> None:
    for login, _, _, status in PEOPLE:
        assert (await get(stage, login, "/figures"))[0] == status, login


async def test_each_figure_stands_beside_its_numerator_and_denominator(stage: Stage) -> None:
    status, text = await get(stage, "boss", "/figures?month=2020-02")
    assert status == 200
    assert len(re.findall(r'class="of num muted">[^<]*÷', text)) == len(FigureCode)
    assert text.count("–") >= len(FigureCode) - 2, "nothing happened then: dashes, never 0 or 100"
    assert 'value="2020-02"' in text


@pytest.mark.parametrize(
    "query", ["month=2026-13", "month=<script>", "store=<b>x</b>", "department=%27--", "month=" + "9" * 3000]
)
async def test_a_strange_address_shows_the_present_month(stage: Stage, query: str) -> None:
    status, text = await get(stage, "boss", f"/figures?{query}")
    assert status == 200
    assert f'value="{stage.clock.now():%Y}' in text
    assert "<b>x</b>" not in text
