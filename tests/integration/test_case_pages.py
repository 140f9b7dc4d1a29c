"""The pages of cases: who may open them, what a refused form keeps, and that no text is markup."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar
from sqlalchemy import select

from crm.complaint_input import NewComplaint, NewLine
from crm.complaint_views import ComplaintView
from crm.domain.case import Severity
from crm.domain.complaint import ComplaintClass
from crm.handoffs import Dispatch
from crm.tables import Project
from crm.ticket_views import CallbackSource, NewTicket
from kernel.access import Actor, Role
from tests.support.web_stage import PASSWORD, Stage, web_stage
from web.auth import SESSION_COOKIE
from web.crm_part import CRM
from web.tables import UserRow

pytestmark = pytest.mark.integration

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e反" + "长" * 1900
TILE = NewLine(class_=ComplaintClass.WORKMANSHIP, subclass="tile", cause="墙砖空鼓")
PEOPLE = (
    ("manager", "沈静", Role.MANAGER, None),
    ("eng", "陈建国", Role.DEPARTMENT_HEAD, "ENG"),
    ("des", "林晓雯", Role.DEPARTMENT_HEAD, "DES"),
    ("finance", "邓敏", Role.FINANCE, None),
)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        for login, name, role, department in PEOPLE:
            user = await found.accounts.users.create(
                login=login, password=PASSWORD, role=role, display_name=name, department=department
            )
            if role is Role.DEPARTMENT_HEAD:
                await found.accounts.pins.put(user.user_id, login, "2580")
        yield found


async def actor(stage: Stage, login: str) -> Actor:
    async with stage.database.session() as session:
        row = (await session.execute(select(UserRow).where(UserRow.login == login))).scalar_one()
    return Actor(
        user_id=row.user_id, name=row.display_name, role=Role(row.role), department=row.department, ip=""
    )


async def complaint(stage: Stage, *lines: NewLine, **changes: Any) -> ComplaintView:
    assert stage.app is not None
    async with stage.database.session() as session:
        project = (await session.execute(select(Project).order_by(Project.id).limit(1))).scalar_one()
    what: dict[str, Any] = {
        "customer_id": project.customer_id,
        "project_id": project.id,
        "content": "厨房墙砖空鼓",
        "lines": lines or (TILE,),
        "hand_off": Dispatch(),
    }
    services = stage.app[CRM].complaints
    return await services.complaints.register(await actor(stage, "agent"), NewComplaint(**(what | changes)))


@asynccontextmanager
async def signed_in(stage: Stage, login: str) -> AsyncIterator[ClientSession]:
    async with ClientSession(base_url=stage.url, cookie_jar=CookieJar(unsafe=True)) as session:
        session.cookie_jar.update_cookies({SESSION_COOKIE: await stage.session_secret(login)})
        yield session


async def get(stage: Stage, login: str, path: str) -> tuple[int, str]:
    async with signed_in(stage, login) as session, session.get(path) as answer:
        return answer.status, await answer.text()


async def post(
    stage: Stage, login: str, path: str, form: dict[str, str], *, origin: str | None = None
) -> tuple[int, str, str]:
    headers = {"Origin": origin or stage.url}
    async with (
        signed_in(stage, login) as session,
        session.post(path, data=form, headers=headers, allow_redirects=False) as answer,
    ):
        return answer.status, answer.headers.get("Location", ""), await answer.text()


def new_form(view_or_customer: str, **changes: str) -> dict[str, str]:
    form = {
        "customer_id": view_or_customer,
        "content": "卫生间漏水，三天没人管",
        "demand": "马上来人",
        "severity": "2",
        "source": "phone",
        "form": "electronic",
        "hand_off": "1",
        "copy": "1",
        "read_back": "1",
        "lines.0.kind": "1.waterproof",
    }
    return {**form, **changes}


@pytest.mark.parametrize(
    ("login", "path", "status"),
    [
        ("agent", "/cases", 200),
        ("agent", "/my-day", 200),
        ("agent", "/handoffs", 200),
        ("agent", "/cases/new", 200),
        ("eng", "/cases", 200),
        ("eng", "/handoffs", 200),
        ("eng", "/my-day", 403),
        ("eng", "/cases/new", 403),
        ("finance", "/cases", 200),
        ("finance", "/my-day", 403),
        ("finance", "/cases/new", 403),
        ("manager", "/my-day", 200),
    ],
)
async def test_each_role_opens_its_pages(stage: Stage, login: str, path: str, status: int) -> None:
    assert (await get(stage, login, path))[0] == status


async def test_a_department_sees_its_own_cases_and_no_others(stage: Stage) -> None:
    view = await complaint(stage)
    assert (await get(stage, "eng", f"/cases/{view.case_id}"))[0] == 200
    assert (await get(stage, "des", f"/cases/{view.case_id}"))[0] == 404
    assert view.no in (await get(stage, "eng", "/cases"))[1]
    assert view.no not in (await get(stage, "des", "/cases"))[1]
    status, _, _ = await post(
        stage,
        "des",
        f"/cases/{view.case_id}/steps/reject",
        {"line_id": view.lines[0].line_id, "version": "2", "reason": "不是我们"},
    )
    assert status == 404


async def test_a_complaint_is_registered_and_handed_off_in_one_go(stage: Stage) -> None:
    known = await complaint(stage)
    status, location, _ = await post(stage, "agent", "/cases/new", new_form(known.header.customer_id))
    assert (status, location.endswith("?done=registered")) == (303, True)
    _, text = await get(stage, "agent", location)
    assert "已登记，单号 TS" in text
    assert "卫生间漏水，三天没人管" in text
    assert "防水" in text
    assert "待接收" in text


async def test_the_form_sent_twice_makes_one_complaint(stage: Stage) -> None:
    known = await complaint(stage)
    form = new_form(known.header.customer_id)
    first = await post(stage, "agent", "/cases/new", form)
    second = await post(stage, "agent", "/cases/new", form)
    assert first[1] == second[1]


async def test_a_newcomer_is_written_down_with_the_complaint(stage: Stage) -> None:
    form = new_form("", new_name="孙小美", new_salutation="女士", new_phone="13900001111")
    status, location, _ = await post(stage, "agent", "/cases/new", form)
    assert status == 303
    assert "孙小美" in (await get(stage, "agent", location))[1]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"content": ""}, "请填写。"),
        ({"content": "长" * 2001}, "最多 2000 个字。"),
        ({"read_back": ""}, "请先向客户复述一遍"),
        ({"lines.0.kind": ""}, "请选择问题类别。"),
        ({"lines.0.kind": "1.nonsense"}, "请选择问题类别。"),
        ({"lines.0.kind": "6.manner"}, "服务类要写明是哪个部门"),
        ({"want_by": "gestern"}, "时间的格式是"),
        ({"want_by": "2020-01-01T10:00"}, "希望解决的时间要晚于"),
        ({"severity": "9"}, "请选择一项。"),
        ({"source": "hotline_forward"}, "请填写。"),
        ({"customer_id": ""}, "请先选定客户"),
        ({"project_id": "01JZZZZZZZZZZZZZZZZZZZZZ01"}, ""),
    ],
)
async def test_a_refused_form_says_what_is_wrong_and_keeps_what_was_typed(
    stage: Stage, changes: dict[str, str], word: str
) -> None:
    known = await complaint(stage)
    form = new_form(known.header.customer_id, demand="要书面说明<b>", **changes)
    status, _, text = await post(stage, "agent", "/cases/new", form)
    assert 400 <= status < 500
    assert word in text
    assert "要书面说明&lt;b&gt;" in text
    assert 'role="alert"' in text
    assert text.count('data-case="') == 0


async def test_another_line_comes_without_javascript(stage: Stage) -> None:
    known = await complaint(stage)
    form = new_form(known.header.customer_id, add_line="1")
    status, _, text = await post(stage, "agent", "/cases/new", form)
    assert status == 200
    assert 'name="lines.1.kind"' in text
    assert "卫生间漏水，三天没人管" in text


async def test_who_writes_on_an_old_page_is_shown_what_happened_since(stage: Stage) -> None:
    view = await complaint(stage, hand_off=None)
    _, page = await get(stage, "agent", f"/cases/{view.case_id}")
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    assert seen is not None
    assert stage.app is not None
    manager = await actor(stage, "manager")
    await stage.app[CRM].complaints.complaints.set_severity(
        manager, view.case_id, view.version, Severity.SERIOUS, "客户家有老人"
    )
    form = {"version": str(view.version), "seen": seen[1], "severity": "3", "reason": "要求赔偿"}
    status, _, text = await post(stage, "agent", f"/cases/{view.case_id}/steps/severity", form)
    assert status == 412
    assert "别人刚刚改过，下面是最新的情况" in text
    assert "沈静 严重程度变更" in text
    assert "客户家有老人" in text
    assert "要求赔偿" in text
    newest = re.search(r'steps/severity".*?name="version" value="(\d+)"', text, re.S)
    assert newest is not None
    form["version"] = newest[1]
    status, _, _ = await post(stage, "agent", f"/cases/{view.case_id}/steps/severity", form)
    assert status == 303


@pytest.mark.parametrize(
    ("step", "form", "status"),
    [
        ("close", {}, 409),
        ("callback", {"verdict": "satisfied", "problem": "solved"}, 409),
        ("callback", {"verdict": "great"}, 400),
        ("severity", {"severity": "2"}, 400),
        ("not_file", {"reason": "重复"}, 403),
        ("reply_to_source", {"text": "已办"}, 409),
        ("fly", {}, 404),
    ],
)
async def test_steps_that_are_not_allowed_change_nothing(
    stage: Stage, step: str, form: dict[str, str], status: int
) -> None:
    view = await complaint(stage)
    form = {"version": str(view.version), **form}
    found, _, _ = await post(stage, "agent", f"/cases/{view.case_id}/steps/{step}", form)
    assert found == status
    assert stage.app is not None
    after = await stage.app[CRM].complaints.complaints.get(await actor(stage, "agent"), view.case_id)
    assert after.version == view.version


async def test_a_rejected_line_is_routed_to_another_department(stage: Stage) -> None:
    view = await complaint(stage)
    line = view.lines[0]
    path = f"/cases/{view.case_id}/steps"
    own = {"line_id": line.line_id, "version": str(line.version)}
    status, _, _ = await post(stage, "eng", f"{path}/reject", {**own, "reason": "是设计漏画"})
    assert status == 303
    _, day = await get(stage, "agent", "/my-day")
    assert "是设计漏画" in day
    assert stage.app is not None
    view = await stage.app[CRM].complaints.complaints.get(await actor(stage, "agent"), view.case_id)
    own["version"] = str(view.lines[0].version)
    same = {**own, "department": "ENG", "reason": "再看看"}
    assert (await post(stage, "agent", f"{path}/reroute", same))[0] == 400
    other = {**own, "department": "DES", "reason": "图纸的问题", "at_once": "1"}
    assert (await post(stage, "agent", f"{path}/reroute", other))[0] == 303
    _, text = await get(stage, "des", "/cases")
    assert view.no in text


async def test_another_sites_form_is_refused(stage: Stage) -> None:
    known = await complaint(stage)
    form = new_form(known.header.customer_id)
    status, _, _ = await post(stage, "agent", "/cases/new", form, origin="https://evil.example")
    assert status == 403


async def test_hostile_texts_stay_texts(stage: Stage) -> None:
    view = await complaint(
        stage, NewLine(class_=ComplaintClass.DESIGN, cause=HOSTILE[:1000]), content=HOSTILE
    )
    for login, path in (
        ("agent", f"/cases/{view.case_id}"),
        ("agent", "/cases"),
        ("agent", "/handoffs"),
        ("agent", f"/cases/new?customer={view.header.customer_id}"),
        ("des", f"/cases/{view.case_id}"),
    ):
        status, text = await get(stage, login, path)
        assert status == 200
        assert "<script>alert" not in text
        assert "<img src=x" not in text


async def test_filters_and_strange_queries(stage: Stage) -> None:
    view = await complaint(stage)
    for path, found in (
        ("/cases?kind=complaint&state=handed_off", True),
        ("/cases?state=closed", False),
        ("/cases?overdue=1", False),
        ("/cases?department=ENG&severity=1", True),
        ("/cases?department=DES", False),
        ("/cases?kind=nonsense&state=%3Cscript%3E&severity=x", True),
        ("/handoffs?box=nonsense", True),
        ("/handoffs?box=rejected", False),
    ):
        status, text = await get(stage, "agent", path)
        assert status == 200, path
        assert (f'data-case="{view.case_id}"' in text) == found, path
    assert (await get(stage, "agent", "/cases?cursor=nonsense"))[0] == 400
    assert (await get(stage, "agent", "/handoffs?cursor=nonsense"))[0] == 400
    assert (await get(stage, "agent", "/cases/nonsense"))[0] == 404


async def test_a_day_is_ones_own_unless_one_leads(stage: Stage) -> None:
    view = await complaint(stage, hand_off=None)
    agent = await actor(stage, "agent")
    _, mine = await get(stage, "agent", f"/my-day?who={(await actor(stage, 'manager')).user_id}")
    assert view.no in mine
    _, theirs = await get(stage, "supervisor", f"/my-day?who={agent.user_id}")
    assert view.no in theirs
    assert "今天未完成：1" in mine


async def test_a_department_that_does_not_sign_is_chased_once_an_hour(stage: Stage) -> None:
    view = await complaint(stage)
    handoff = view.lines[0].handoffs[0]
    path = f"/handoffs/{handoff.handoff_id}/chase"
    assert "催一下" in (await get(stage, "agent", "/handoffs"))[1]
    assert "催一下" not in (await get(stage, "eng", "/handoffs"))[1]
    status, location, _ = await post(stage, "agent", path, {"box": "waiting"})
    assert (status, location) == (303, "/handoffs?box=waiting&done=chased")
    assert "已经催过部门签收" in (await get(stage, "agent", location))[1]
    assert "催签收" in (await get(stage, "agent", f"/cases/{view.case_id}"))[1]
    assert (await post(stage, "eng", path, {}))[0] == 403
    assert (await post(stage, "agent", "/handoffs/nonsense/chase", {}))[0] == 404
    reject = {"line_id": view.lines[0].line_id, "version": str(view.lines[0].version), "reason": "不是"}
    assert (await post(stage, "eng", f"/cases/{view.case_id}/steps/reject", reject))[0] == 303
    assert (await post(stage, "agent", path, {}))[1] == "/handoffs?box=waiting"


async def test_a_repair_is_registered_routed_and_called_back(stage: Stage) -> None:
    known = await complaint(stage)
    form = {
        "customer_id": known.header.customer_id,
        "project_id": known.header.project_id or "",
        "content": "地漏返水<b>",
        "place": "卫生间",
        "repair_class": "out",
        "route": "captain",
        "reason": "",
        "severity": "1",
        "source": "phone",
        "read_back": "1",
    }
    status, _, text = await post(stage, "agent", "/cases/new/repair", form)
    assert status == 400
    assert "地漏返水&lt;b&gt;" in text
    form["reason"] = "customer_demand"
    status, location, _ = await post(stage, "agent", "/cases/new/repair", form)
    assert status == 303
    path = location.partition("?")[0]
    _, text = await get(stage, "agent", location)
    assert "已登记，单号 BX" in text
    version = re.search(r'name="version" value="(\d+)"', text)
    assert version is not None
    told = {"version": version[1], "way": "phone", "whom": "马师傅"}
    assert (await post(stage, "agent", f"{path}/steps/notify", {**told, "version": "99"}))[0] == 412
    assert (await post(stage, "agent", f"{path}/steps/notify", told))[0] == 303
    assert (await post(stage, "agent", f"{path}/steps/notify", told))[0] in (409, 412)
    assert (await post(stage, "agent", f"{path}/steps/fly", told))[0] == 404
    assert (await get(stage, "des", path))[0] == 404
    assert "地漏返水" in (await get(stage, "agent", "/cases?kind=repair"))[1]


async def test_a_ticket_is_signed_solved_and_asked_about(stage: Stage) -> None:
    known = await complaint(stage)
    assert stage.app is not None
    agent = await actor(stage, "agent")
    source = CallbackSource(
        customer_id=known.header.customer_id,
        project_id=known.header.project_id,
        text="墙面<i>有裂纹</i>",
        question="墙面平整吗",
        answer="不平",
    )
    ticket = await stage.app[CRM].tickets.tickets.open(agent, NewTicket(found=source, departments=("ENG",)))
    path = f"/cases/{ticket.case_id}"
    status, text = await get(stage, "eng", path)
    assert status == 200
    assert "墙面&lt;i&gt;有裂纹" in text
    part = ticket.parts[0]
    own = {"line_id": part.part_id, "version": str(part.version)}
    assert (await post(stage, "eng", f"{path}/steps/sign", {**own, "pin": "2580"}))[0] == 303
    assert (await post(stage, "eng", f"{path}/steps/solve", {**own, "solution": "补好了"}))[0] == 412
    ticket = await stage.app[CRM].tickets.tickets.get(agent, ticket.case_id)
    own["version"] = str(ticket.parts[0].version)
    assert (await post(stage, "des", f"{path}/steps/solve", {**own, "solution": "补好了"}))[0] == 404
    assert (await post(stage, "eng", f"{path}/steps/solve", {**own, "solution": "补好了"}))[0] == 303
    assert ticket.no in (await get(stage, "agent", "/my-day"))[1]
    ticket = await stage.app[CRM].tickets.tickets.get(agent, ticket.case_id)
    said = {"version": str(ticket.version), "said": "satisfied", "note": ""}
    assert (await post(stage, "agent", f"{path}/steps/revisit", {**said, "said": "great"}))[0] == 400
    assert (await post(stage, "agent", f"{path}/steps/revisit", said))[0] == 303
    _, text = await get(stage, "agent", path)
    assert "下一步：结案" in text
    assert "部门签收" in text


async def test_advice_is_for_who_registers_and_its_text_only_text(stage: Stage) -> None:
    form = {"text": "卫生间漏水怎么办<script>", "kind": "1.waterproof"}
    status, _, text = await post(stage, "agent", "/cases/new/advice", form)
    assert status == 200
    assert "<script>" not in text
    assert (await post(stage, "agent", "/cases/new/advice", {"text": "长" * 9000, "kind": "x"}))[0] == 200
    assert (await post(stage, "eng", "/cases/new/advice", form))[0] == 403
