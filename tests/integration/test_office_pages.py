"""The office's pages: who may open them, what refused forms keep, four eyes, and that no text is markup."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import FormData

from crm.domain.complaint import Verdict
from crm.domain.complaint_line import LineStatus, ProblemStatus
from crm.domain.escalation import EscalationState
from crm.limit_worker import LimitWorker
from crm.limits import LimitBook
from kernel.clock import FakeClock
from tests.support.office import DRAWING, HOUR, TILE, WATER, OfficeStage
from tests.support.office_web import Form, get, get_type, local, photo, post, signed_in
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e反" + "长" * 1500
STROKES = json.dumps([[[x * 100, 500 + (x % 2) * 300] for x in range(1, 20)]])


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


# Who may open what

ROLES = ("spc", "manager", "head", "member", "captain", "boss", "finance", "hr")
OPEN_TO = {
    "/inbox": {"head", "member", "captain"},
    "/overdue": set(ROLES),
    "/red-list": {"manager", "boss"},
    "/escalations": set(ROLES),
    "/approvals": set(ROLES),
    "/captain": {"captain"},
    "/captain/month": {"captain", "manager", "boss", "finance"},
}


@pytest.mark.parametrize("path", OPEN_TO)
async def test_pages_open_to_their_roles_alone(office: OfficeStage, path: str) -> None:
    for login in ROLES:
        status, _ = await get(office, login, path)
        assert (login, status) == (login, 200 if login in OPEN_TO[path] else 403)


@pytest.mark.parametrize(
    ("login", "first"),
    [
        ("head", "/inbox"),
        ("member", "/inbox"),
        ("captain", "/captain"),
        ("boss", "/approvals"),
        ("finance", "/approvals"),
        ("hr", "/approvals"),
        ("manager", "/supervisor"),
        ("spc", "/my-day"),
    ],
)
async def test_home_leads_each_role_to_its_work(office: OfficeStage, login: str, first: str) -> None:
    async with signed_in(office, login) as session, session.get("/", allow_redirects=False) as answer:
        assert answer.headers["Location"] == first


async def test_other_departments_see_neither_line_nor_sheet(office: OfficeStage) -> None:
    view = await office.new(TILE)
    line = view.lines[0]
    sheet = f"/handoffs/{line.handoffs[0].handoff_id}/sheet"
    for path in (f"/lines/{line.line_id}", sheet, f"/handoffs/{line.handoffs[0].handoff_id}"):
        assert (await get(office, "designer", path))[0] == 404
        assert (await get(office, "head", path))[0] in {200, 303}
    status, page = await get(office, "designer", "/inbox")
    assert status == 200
    assert view.no not in page


# Signing


async def test_the_head_signs_with_a_drawing_and_the_sheet_shows_it(office: OfficeStage) -> None:
    line = (await office.new(TILE)).lines[0]
    form = {"version": str(line.version), "mode": "visit_first", "person": "刘铁柱", "strokes": STROKES}
    status, location, _ = await post(office, "head", f"/lines/{line.line_id}/steps/accept", form)
    assert (status, location) == (303, f"/lines/{line.line_id}?done=accept")
    status, page = await get(office, "head", location)
    assert "已签收" in page
    assert "电话核实" in page
    status, sheet = await get(office, "head", f"/handoffs/{line.handoffs[0].handoff_id}/sheet")
    assert "<path" in sheet
    assert "与系统留存一致" in sheet
    assert line.handoffs[0].receipt_no in sheet


async def test_a_pin_signs_as_well_and_is_kept_nowhere(office: OfficeStage) -> None:
    line = (await office.new(TILE)).lines[0]
    form = {"version": str(line.version), "mode": "no_plan", "pin": "2580"}
    status, _, _ = await post(office, "head", f"/lines/{line.line_id}/steps/accept", form)
    assert status == 303
    _, sheet = await get(office, "head", f"/handoffs/{line.handoffs[0].handoff_id}/sheet?download")
    assert "2580" not in sheet
    assert "<style>" in sheet


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"mode": "visit_first"}, "请在框里签上名字"),
        ({"mode": "visit_first", "pin": "12"}, "签收密码不对"),
        ({"mode": "visit_first", "pin": "2581"}, "签收密码不对"),
        ({"mode": "visit_first", "strokes": "no json"}, "请在框里签上名字"),
        ({"mode": "visit_first", "strokes": '[[["a","b"]]]'}, "请在框里签上名字"),
        ({"mode": "visit_first", "strokes": '{"a": 1}'}, "请在框里签上名字"),
        ({"mode": "sideways", "pin": "2580"}, "请选择一项"),
        ({"pin": "2580"}, "请选择一项"),
        ({"mode": "plan_first", "pin": "2580", "planned_visit_at": "yesterday"}, "时间的格式是"),
    ],
)
async def test_a_bad_signature_is_refused_and_the_form_keeps_the_rest(
    office: OfficeStage, form: Form, field: str
) -> None:
    line = (await office.new(TILE)).lines[0]
    sent = {"version": str(line.version), "person": "刘铁柱与张师傅"} | form
    status, _, page = await post(office, "head", f"/lines/{line.line_id}/steps/accept", sent)
    assert status == 400
    assert field in page
    assert "刘铁柱与张师傅" in page
    assert 'role="alert"' in page
    assert (await office.crm.complaints.work.get(office.who("head"), line.line_id)).accepted_at is None


async def test_only_heads_sign(office: OfficeStage) -> None:
    line = (await office.new(TILE)).lines[0]
    status, page = await get(office, "member", f"/lines/{line.line_id}")
    assert status == 200
    assert "steps/accept" not in page
    form = {"version": str(line.version), "mode": "visit_first", "pin": "2580"}
    for login in ("member", "spc", "manager", "boss"):
        status, _, _ = await post(office, login, f"/lines/{line.line_id}/steps/accept", form)
        assert status == 403
    status, _, _ = await post(office, "designer", f"/lines/{line.line_id}/steps/accept", form)
    assert status == 404


async def test_rejecting_leads_back_to_the_inbox(office: OfficeStage) -> None:
    line = (await office.new(TILE)).lines[0]
    path = f"/lines/{line.line_id}/steps/reject"
    status, _, page = await post(office, "head", path, {"version": str(line.version), "reason": " "})
    assert status == 400
    assert "请填写" in page
    form = {"version": str(line.version), "reason": "不是我们施工的部位"}
    status, location, _ = await post(office, "head", path, form)
    assert (status, location) == (303, "/inbox?done=reject")
    assert (await office.crm.complaints.work.get(office.who("manager"), line.line_id)).reject_reason


async def test_a_stale_form_says_so_and_keeps_the_text(office: OfficeStage) -> None:
    view = await office.new(TILE)
    line = await office.accept(view)
    form = {"version": str(line.version - 1), "facts": "业主说只有厨房空鼓"}
    status, _, page = await post(office, "member", f"/lines/{line.line_id}/steps/verify", form)
    assert status == 412
    assert "别人刚刚改过" in page
    assert "业主说只有厨房空鼓" in page


async def test_a_step_that_is_over_shows_what_was_written(office: OfficeStage) -> None:
    view = await office.new(TILE)
    line = await office.verify(view)
    form = {"version": str(line.version), "mode": "visit_first", "pin": "2580", "person": "张三丰"}
    status, _, page = await post(office, "head", f"/lines/{line.line_id}/steps/accept", form)
    assert status == 409
    assert "您刚才写的" in page
    assert "张三丰" in page


async def test_a_visit_takes_photos_and_refuses_what_is_none(office: OfficeStage) -> None:
    view = await office.new(TILE)
    line = await office.plan(view)
    office.clock.advance(5 * HOUR)
    now = office.clock.now()

    def form(content: bytes, name: str) -> FormData:
        data = FormData()
        for key, value in {
            "version": str(line.version),
            "arrived_at": local(now - 2 * HOUR),
            "left_at": local(now - HOUR),
            "who": "刘铁柱",
            "record": "现场敲铲，空鼓属实",
        }.items():
            data.add_field(key, value)
        data.add_field("photos", content, filename=name, content_type="image/jpeg")
        return data

    path = f"/lines/{line.line_id}/steps/visit"
    status, _, page = await post(office, "member", path, form(b"GIF89a no photo", "照片.jpg"))
    assert status == 400
    assert "照片打不开" in page
    assert "现场敲铲，空鼓属实" in page
    status, location, _ = await post(office, "member", path, form(photo(), "<b>厨房.jpg"))
    assert status == 303
    _, page = await get(office, "member", location)
    assert "/case-files/" in page
    assert "<b>厨房" not in page
    visited = await office.crm.complaints.work.get(office.who("member"), line.line_id)
    picture = visited.visits[0].photos[0]
    assert (await get_type(office, "member", f"/case-files/{picture}?small")) == (200, "image/jpeg")
    assert (await get_type(office, "designer", f"/case-files/{picture}"))[0] == 404


async def test_nothing_that_people_wrote_is_markup(office: OfficeStage) -> None:
    view = await office.new(TILE, content=HOSTILE, demand=HOSTILE[:900])
    line = await office.accept(view, person="<b>刘</b>")
    await office.escalate(view)
    paths = {
        "head": ("/inbox", f"/lines/{line.line_id}", f"/handoffs/{line.handoffs[0].handoff_id}/sheet"),
        "manager": ("/escalations", "/approvals", f"/escalations/new?case={view.case_id}"),
    }
    for login, pages in paths.items():
        for path in pages:
            status, page = await get(office, login, path)
            assert status in {200, 303}, path
            assert "<script>alert" not in page
            assert "<img src=x" not in page
            assert "<b>刘" not in page


# Late


async def test_six_lists_by_department_and_person(office: OfficeStage) -> None:
    late = await office.new(TILE, at=1)
    other = await office.new(DRAWING, at=2)
    office.clock.advance(5 * HOUR)
    status, page = await get(office, "manager", "/overdue")
    assert status == 200
    assert "未及时接收" in page
    assert late.no in page
    assert other.no in page
    _, page = await get(office, "manager", "/overdue?list=not_accepted&department=DES")
    assert late.no not in page
    assert other.no in page
    _, page = await get(office, "head", "/overdue")
    assert other.no not in page
    status, page = await get(office, "manager", "/overdue?cursor=garbage")
    assert status == 400
    assert "这一页已经过期" in page
    assert (await get(office, "manager", "/overdue?list=<script>&department='"))[0] == 200


async def test_the_red_list_has_what_was_broken_three_service_hours_ago(office: OfficeStage) -> None:
    view = await office.new(TILE)
    office.clock.advance(4 * HOUR)
    await sweep(office)
    _, page = await get(office, "manager", "/red-list")
    assert view.no not in page
    office.clock.advance(26 * HOUR)
    await sweep(office)
    _, page = await get(office, "manager", "/red-list")
    assert view.no in page
    assert "工程部" in page
    _, page = await get(office, "boss", "/red-list?department=DES")
    assert view.no not in page


async def sweep(office: OfficeStage) -> None:
    book = LimitBook(office.clock)
    worker = LimitWorker(office.stage.database, office.clock, book, worker="test", batch=50)
    while await worker.run_once():
        pass


# Major complaints


async def test_a_complaint_is_handed_up_with_what_it_already_says(office: OfficeStage) -> None:
    view = await office.new(WATER)
    path = f"/escalations/new?case={view.case_id}"
    status, page = await get(office, "spc", path)
    assert status == 200
    assert WATER.cause in page
    form = {"version": str(view.version), "cause": "渗水", "process_so_far": "", "demand": "赔偿"}
    status, _, page = await post(office, "spc", path, form)
    assert status == 400
    assert "渗水" in page
    form["process_so_far"] = "返工两次"
    status, location, _ = await post(office, "spc", path, form)
    assert status == 303
    _, page = await get(office, "manager", location)
    assert "了解情况" in page
    assert (await get(office, "head", path))[0] == 403
    assert (await post(office, "head", path, form))[0] == 403


async def test_shares_must_be_exactly_a_hundred(office: OfficeStage) -> None:
    found = await office.reviewed(await office.new(WATER))
    path = f"/escalations/{found.escalation_id}/steps/settle_liability"
    form = {
        "version": str(found.version),
        "shares-crew": "69.99",
        "shares-company": "30.00",
        "with_head": "陈建国",
    }
    status, _, page = await post(office, "manager", path, form)
    assert status == 400
    assert "必须正好是 100.00" in page
    assert "69.99" in page
    status, _, page = await post(office, "manager", path, form | {"shares-crew": "70.005"})
    assert status == 400
    status, _, _ = await post(office, "manager", path, form | {"shares-crew": "70"})
    assert status == 303
    status, _, _ = await post(office, "spc", path, form | {"shares-crew": "70"})
    assert status == 403


async def test_bearers_add_up_and_the_staffs_part_has_names(office: OfficeStage) -> None:
    found = await office.liable(await office.new(WATER))
    base = f"/escalations/{found.escalation_id}/steps"
    plan = {"version": str(found.version), "plan": "赔偿楼下", "costs": "yes"}
    assert (await post(office, "manager", f"{base}/plan", plan))[0] == 303
    form = {
        "version": str(found.version + 1),
        "amount": "1500",
        "kind": "cash",
        "bearers-crew": "1000",
        "bearers-staff": "400",
        "reason": "楼下顶面",
    }
    status, _, page = await post(office, "manager", f"{base}/request", form)
    assert status == 400
    assert "加起来必须等于总额" in page
    status, _, page = await post(office, "manager", f"{base}/request", form | {"bearers-staff": "500"})
    assert status == 400
    assert "员工个人" in page
    named = {"bearers-staff": "500", "recovery-0-name": "刘铁柱", "recovery-0-amount": "500"}
    assert (await post(office, "manager", f"{base}/request", form | named))[0] == 303


async def test_four_eyes_on_money_are_explained(office: OfficeStage) -> None:
    found = await office.requested(await office.new(WATER))
    _, page = await get(office, "manager", f"/escalations/{found.escalation_id}")
    assert "四眼原则" in page
    assert "steps/decide" not in page
    path = f"/escalations/{found.escalation_id}/steps/decide"
    form = {"version": str(found.version), "agreed": "yes"}
    for login in ("manager", "finance", "head", "hr", "spc"):
        assert (await post(office, login, path, form))[0] == 403
    _, page = await get(office, "boss", "/approvals")
    assert found.header.no in page
    assert "3500.00" in page
    status, _, page = await post(office, "boss", path, form | {"agreed": "no"})
    assert status == 400
    assert (await post(office, "boss", path, form))[0] == 303
    now = await office.crm.complaints.escalations.get(office.who("boss"), found.escalation_id)
    assert now.state is EscalationState.VOUCHER


async def test_money_goes_its_way_through_the_pages(office: OfficeStage) -> None:
    view = await office.new(WATER)
    await office.done(view)
    found = await office.requested(view)
    ident = found.escalation_id

    async def step(login: str, name: str, **form: str) -> None:
        now = await office.crm.complaints.escalations.get(office.who("manager"), ident)
        sent = {"version": str(now.version), **form}
        status, _, page = await post(office, login, f"/escalations/{ident}/steps/{name}", sent)
        assert status == 303, page

    await step("boss", "decide", agreed="yes")
    _, page = await get(office, "finance", "/approvals")
    assert "写支出凭证" in page
    await step("finance", "write_voucher", voucher_no="ZC-1", amount="3500")
    await step("boss", "decide", agreed="yes")
    await step("finance", "pay", receipt_no="SJ-1")
    await step("finance", "send_recovery")
    _, page = await get(office, "hr", "/approvals")
    assert "刘铁柱" in page
    now = await office.crm.complaints.escalations.get(office.who("hr"), ident)
    share = now.compensations[-1].recovery[0].recovery_id
    _, page = await get(office, "spc", f"/escalations/{ident}")
    assert "人力资源部还没有落实：刘铁柱" in page
    await step("hr", "recovered", recovery_id=share, note="三月工资")
    await office.call_back(view, verdict=Verdict.SATISFIED, problem=ProblemStatus.SOLVED)
    now = await office.crm.complaints.escalations.get(office.who("spc"), ident)
    form = {"version": str(now.version), "outcome": "已赔付，客户满意"}
    status, _, page = await post(office, "spc", f"/escalations/{ident}/steps/close", form)
    assert status == 303, page
    now = await office.crm.complaints.escalations.get(office.who("spc"), ident)
    assert now.state is EscalationState.CLOSED


async def test_departments_see_no_money(office: OfficeStage) -> None:
    found = await office.requested(await office.new(WATER))
    status, page = await get(office, "head", f"/escalations/{found.escalation_id}")
    assert status == 200
    assert "3500" not in page.replace("3500 元", "")
    assert (await get(office, "designer", f"/escalations/{found.escalation_id}"))[0] == 404


async def test_forms_from_elsewhere_are_refused(office: OfficeStage) -> None:
    line = (await office.new(TILE)).lines[0]
    async with (
        signed_in(office, "head") as session,
        session.post(
            f"/lines/{line.line_id}/steps/accept",
            data={"version": str(line.version), "mode": "no_plan", "pin": "2580"},
            headers={"Origin": "https://evil.example"},
        ) as answer,
    ):
        assert answer.status == 403
    found = await office.crm.complaints.work.get(office.who("head"), line.line_id)
    assert found.status is LineStatus.HANDED_OFF
