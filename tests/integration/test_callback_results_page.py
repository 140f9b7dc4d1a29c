"""The pages of callbacks' figures and of a customer's form: who sees them, what they say, what ends them."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar
from sqlalchemy import select

from callback_campaigns.domain.figures import CallbackFigure, GroupBy
from callback_campaigns.forms import make_link
from callback_campaigns.talk_tables import CallbackAnswerRow
from callback_campaigns.task_tables import CallbackTaskRow
from crm.tables import Project
from kernel.ids import new_ulid
from tests.support.web_stage import PASSWORD, Stage, web_stage
from web.auth import SESSION_COOKIE
from web.callback_part import CALLBACKS
from web.pages.callback_results import BY, GROUPS, LABELS, PARTS
from web.permissions import Role

pytestmark = pytest.mark.integration

PEOPLE = (("manager", Role.MANAGER, 200), ("eng", Role.DEPARTMENT_HEAD, 403), ("agent", Role.AGENT, 403))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        for login, role, _ in PEOPLE[:2]:
            department = "ENG" if role is Role.DEPARTMENT_HEAD else None
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
    assert sorted(placed) == sorted(CallbackFigure)
    assert set(LABELS) == set(PARTS) == set(CallbackFigure)
    assert set(BY) == set(GroupBy)


async def unreached(stage: Stage) -> str:
    """Return a task whose customer was not reached."""
    now, task_id = datetime.now(UTC), new_ulid()
    async with stage.database.transaction() as session:
        project = (await session.scalars(select(Project).order_by(Project.id))).first()
        assert project is not None
        session.add(
            CallbackTaskRow(
                id=task_id,
                key=task_id,
                kind="KG",
                category="site",
                status="unreached",
                customer_id=project.customer_id,
                project_id=project.id,
                level="B",
                channel="ivr",
                origin="auto_event",
                origin_ref="x",
                call_at=now,
                window_end=now,
                tried=[],
                result_code="not_reached",
                created_at=now,
                ended_at=now,
                tries=0,
            )
        )
    return task_id


async def test_the_form_and_what_the_figures_make_of_it(stage: Stage) -> None:
    assert stage.app is not None
    office = stage.app[CALLBACKS].forms.office
    task_id = await unreached(stage)
    async with stage.database.transaction() as session:
        token = await make_link(session, office, task_id)
        assert await make_link(session, office, task_id) is None
    headers = {"Origin": stage.url}
    async with ClientSession(base_url=stage.url) as customer:
        async with customer.get(f"/f/{token}") as answer:
            page = await answer.text()
            assert (answer.status, answer.headers["X-Robots-Tag"][:7]) == (200, "noindex")
        shown = re.findall(r'name="shown" value="(\w+)"', page)
        # Three answers, one of them bad; the browser asks for the others, whoever sends them does not.
        chosen = {"v-KG1": "nobody_came", "v-KG2": "satisfied", "v-KG5": "no_charge", "t-KG10": "没人来交底"}
        sent = [*(("shown", name) for name in shown), *chosen.items()]
        async with customer.post(
            f"/f/{token}", data=[*sent, ("v-KG4", "strange")], headers=headers
        ) as answer:
            assert (answer.status, "请检查后再提交" in await answer.text()) == (400, True)
        rest = [("v-KG3", "checked"), ("v-KG4", "neutral"), ("v-KG6", "explained"), ("v-KG7", "4")]
        async with customer.post(f"/f/{token}", data=[*sent, *rest], headers=headers) as answer:
            assert (answer.status, "已经转给责任部门" in await answer.text()) == (200, True)
        for path in (f"/f/{token}", f"/f/{'x' * 32}", "/f/short"):
            async with customer.get(path) as answer:
                assert (answer.status, "问卷已经结束" in await answer.text()) == (404, True)
    async with stage.database.session() as session:
        task = await session.get_one(CallbackTaskRow, task_id)
        answers = (await session.scalars(select(CallbackAnswerRow))).all()
    assert (task.status, task.verdict, task.channel) == ("done", "dissatisfied", "sms_form")
    assert len(answers) == 8

    for login, _, status in PEOPLE:
        assert (await get(stage, login, "/callback-results"))[0] == status
    for by in GroupBy:
        status, text = await get(stage, "manager", f"/callback-results?by={by}&months=3")
        assert (status, "样本少" in text) == (200, by in {GroupBy.PM, GroupBy.CREW}), by
    for strange in ("?month=9999-99&months=7&by=x&store=x&kind=x", "?month=2026-13"):
        assert (await get(stage, "manager", f"/callback-results{strange}"))[0] == 200
    status, text = await get(stage, "manager", "/callback-results.csv?by=kind")
    assert (status, "开工回访,1,0,0.0 %" in text) == (200, True)
    assert (await get(stage, "manager", "/callback-results.pdf"))[0] == 404
    since, until = "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"
    status, text = await get(stage, "manager", f"/api/v1/callback-results?since={since}&until={until}&by=pm")
    assert (status, '"few":true' in text.replace(" ", "")) == (200, True)
