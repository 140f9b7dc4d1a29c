"""The pages of the lists: who has which, what strange addresses do, that no text is markup."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from crm.complaint_input import NewLine
from crm.domain.case import Source
from crm.domain.complaint import ComplaintClass
from crm.limit_worker import LimitWorker
from kernel.clock import FakeClock
from tests.support.office import DRAWING, HOUR, TILE, OfficeStage
from tests.support.office_web import get, post, signed_in
from tests.support.web_stage import web_stage

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site
HOSTILE = "<script>alert(1)</script>'\">"
INTEGRITY = NewLine(class_=ComplaintClass.INTEGRITY, subclass="private_charge", cause="工人私下收费")
LEADS = {"manager", "boss"}
ROLES = ("spc", "manager", "head", "member", "captain", "boss", "finance", "hr")
OPEN_TO = {
    "/lists/repeats": LEADS,
    "/lists/problem-customers": LEADS,
    "/lists/causes": LEADS | {"head", "captain"},
    "/lists/improvements": set(ROLES),
    "/lists/voices": LEADS | {"spc", "finance", "hr"},
    "/lists/duty": LEADS | {"spc", "finance", "hr"},
    "/lists/materials": set(ROLES) - {"hr"},
    "/lists/deposits": LEADS | {"captain", "finance"},
    "/lists/staffing": LEADS,
    "/lists/forwarded": LEADS | {"spc", "finance", "hr"},
    "/lists/follow-ups": LEADS,
    "/lists/appraisals": LEADS | {"hr"},
    "/lists/repair-points": set(ROLES) - {"hr"},
}
FIRST = {
    "manager": "/lists/repeats",
    "head": "/lists/causes",
    "spc": "/lists/voices",
    "hr": "/lists/appraisals",
    "captain": "/lists/causes",
    "member": "/lists/improvements",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path_factory.mktemp("lists"), clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_lists_open_to_their_roles_alone(office: OfficeStage) -> None:
    for path, roles in OPEN_TO.items():
        for login in ROLES:
            status, _ = await get(office, login, path)
            assert (path, login, status) == (path, login, 200 if login in roles else 403)
    for login, first in FIRST.items():
        async with (
            signed_in(office, login) as session,
            session.get("/lists", allow_redirects=False) as answer,
        ):
            assert answer.headers["Location"] == first


async def test_a_repeat_complaint_links_to_what_came_before(office: OfficeStage) -> None:
    first = await office.new(TILE, at=3)
    office.clock.advance(HOUR)
    again = await office.new(TILE, at=3, content=HOSTILE)
    status, page = await get(office, "manager", "/lists/repeats?class=1")
    assert status == 200
    assert f'href="/cases/{again.case_id}"' in page
    assert f'href="/cases/{first.case_id}" data-same' in page
    assert HOSTILE not in page
    assert first.no not in (await get(office, "manager", "/lists/repeats?class=5"))[1]
    for query in ("days=9999999999&class=99&department=%27--&store=%3Cb%3E", "open=2&days=x"):
        assert (await get(office, "boss", f"/lists/repeats?{query}"))[0] == 200
    assert (await get(office, "boss", "/lists/repeats?cursor=nonsense"))[0] == 400


async def test_a_flagged_customer_with_the_reason_and_who_set_it(office: OfficeStage) -> None:
    people = office.crm.people.customers
    record = await people.get(office.who("manager"), office.projects[3].customer_id)
    await people.change(
        office.who("spc"), record.customer_id, {"problem_reason": HOSTILE}, expected=record.version
    )
    status, page = await get(office, "boss", "/lists/problem-customers?open=1&store=nothing")
    assert status == 200
    assert "周晓梅" in page
    assert "&lt;script&gt;" in page
    assert HOSTILE not in page
    assert (await get(office, "boss", "/lists/problem-customers?cursor=nonsense"))[0] == 400


async def test_heads_see_their_own_causes_whatever_they_ask_for(office: OfficeStage) -> None:
    await office.new(TILE, DRAWING)
    status, page = await get(office, "head", "/lists/causes?department=DES&month=2026-03")
    assert status == 200
    assert "part-ENG" in page
    assert "part-DES" not in page
    status, page = await get(office, "manager", "/lists/causes?department=DES&month=2026-99")
    assert status == 200
    assert 'value="2026-03"' in page
    assert "part-DES" in page
    assert "part-ENG" not in page


# Forwarded orders, follow-ups, appraisals, repair points


async def test_a_hotline_is_told_from_the_list(office: OfficeStage) -> None:
    case = await office.new(TILE, at=4, source=Source.HOTLINE_FORWARD, external_no="95598-0042")
    status, page = await get(office, "spc", "/lists/forwarded")
    assert (status, "95598-0042" in page) == (200, True)
    path = f"/lists/forwarded/{case.case_id}/steps/reply"
    form = {"version": str(case.version), "way": "phone", "told": "工号 12", "text": ""}
    status, _, page = await post(office, "spc", path, form)
    assert status == 400
    assert 'value="工号 12"' in page, "what was written stays"
    form["text"] = "已安排返工，周五完成" + HOSTILE
    assert (await post(office, "head", path, form))[0] == 403
    assert (await post(office, "spc", path, form))[:2] == (303, "/lists/forwarded?done=reply")
    status, _, page = await post(office, "spc", path, form)
    assert status == 412, "the case is not what it was"
    assert 'role="alert"' in page
    status, page = await get(office, "boss", "/lists/forwarded?which=told")
    assert "已安排返工" in page
    assert HOSTILE not in page
    assert (await get(office, "boss", "/lists/forwarded?cursor=nonsense"))[0] == 400


async def test_the_manager_follows_up_what_was_closed(office: OfficeStage) -> None:
    case = await office.new(TILE, at=5)
    await office.done(case)
    called = await office.call_back(case)
    await office.crm.complaints.end.close(office.who("spc"), case.case_id, called.version)
    status, page = await get(office, "manager", "/lists/follow-ups?whose=all&month=nonsense")
    assert (status, case.no in page) == (200, True)
    path = f"/lists/follow-ups/{case.case_id}/steps/note?whose=all"
    status, _, page = await post(office, "manager", path, {"sound": "no", "text": ""})
    assert status == 400, "what is not sound needs a word"
    assert (await post(office, "spc", path, {"sound": "yes"}))[0] == 403
    status, location, _ = await post(office, "manager", path, {"sound": "yes", "text": "业主满意"})
    assert (status, location) == (303, "/lists/follow-ups?whose=all&done=note")
    assert case.no not in (await get(office, "manager", "/lists/follow-ups?whose=all"))[1]


async def test_appraisals_are_decided_by_the_manager_and_read_by_hr(office: OfficeStage) -> None:
    await office.new(TILE, at=6)
    secret = await office.new(INTEGRITY, at=7)
    office.clock.advance(96 * HOUR)
    worker = LimitWorker(office.stage.database, office.clock, office.crm.limits, worker="w1")
    for _ in range(6):
        await worker.run_once()
    items = (await office.crm.appraisals.page(office.who("manager"), limit=200)).items
    hidden = [item for item in items if item.record_no == secret.no]
    kept, dropped = [item for item in items if item.record_no != secret.no][:2]
    for item in hidden:
        await office.crm.appraisals.confirm(
            office.who("manager"), item.appraisal_id, expected=item.version, note="保密"
        )
    assert hidden
    assert kept.record_no in (await get(office, "manager", "/lists/appraisals"))[1]
    path = f"/lists/appraisals/{dropped.appraisal_id}/steps/dismiss"
    form = {"version": str(dropped.version), "reason": ""}
    assert (await post(office, "manager", path, form))[0] == 400
    assert (await post(office, "hr", path, form | {"reason": "误报"}))[0] == 403
    assert (await post(office, "manager", path, form | {"reason": "误报"}))[0] == 303
    path = f"/lists/appraisals/{kept.appraisal_id}/steps/confirm"
    status, location, _ = await post(office, "manager", path, {"version": str(kept.version), "note": "属实"})
    assert (status, location) == (303, "/lists/appraisals?done=confirm")
    status, page = await get(office, "hr", "/lists/appraisals?state=proposed&month=nonsense")
    assert status == 400
    status, page = await get(office, "hr", "/lists/appraisals?state=proposed")
    assert page.count('class="points num"') == 1, "HR sees what counts, whatever it asks for"
    assert "属实" in page
    assert secret.no not in page
    assert secret.no in (await get(office, "boss", "/lists/appraisals?state=confirmed"))[1]
    assert "steps/confirm" not in page


async def test_repair_points_from_the_agreement_to_the_approved_month(office: OfficeStage) -> None:
    new = {
        "name": "通州张记水电维修",
        "agreement_no": "WX-2026-008",
        "district": "通州区",
        "contact": "张师傅",
        "phone": "13811112222",
        "valid_from": "2026-01-01",
        "active": "1",
    }
    assert (await post(office, "captain", "/lists/repair-points/steps/put", new))[0] == 403
    status, _, page = await post(
        office, "manager", "/lists/repair-points/steps/put", new | {"valid_from": "gestern"}
    )
    assert (status, "通州张记水电维修" in page) == (400, True)
    assert (await post(office, "manager", "/lists/repair-points/steps/put", new))[0] == 303
    (point,) = await office.crm.repair_points.points(office.who("captain"))
    here = f"/lists/repair-points/{point.point_id}"
    part = {"kind": "issue", "part": "角阀", "quantity": "20", "price": "25.50", "on_day": "2026-03-01"}
    assert (await post(office, "captain", here + "/steps/move", part))[0] == 303
    back = part | {"kind": "return", "quantity": "21"}
    assert (await post(office, "captain", here + "/steps/move", back))[0] == 400
    month = {"version": "0", "month": "2026-03", "budget": "2000", "actual": "2366.50"}
    path = here + "/steps/account?key=month-new"
    assert (await post(office, "captain", path, month))[0] == 303
    assert (await post(office, "captain", path, month))[0] == 412, "it is there already: with its version"
    (account,) = await office.crm.repair_points.accounts(office.who("captain"))
    approve = f"{here}/accounts/{account.account_id}/steps/approve"
    form = {"version": str(account.version), "why": ""}
    assert (await post(office, "manager", approve, form))[0] == 400, "over the budget: a word why"
    assert (await post(office, "manager", approve, form | {"why": "旺季"}))[0] == 303
    feedback = {"month": "2026-03", "product": "角阀", "count": "三", "department": "MAT", "problem": "滴漏"}
    path = "/lists/repair-points/steps/feedback"
    assert (await post(office, "captain", path, feedback))[0] == 400
    assert (await post(office, "captain", path, feedback | {"count": "3"}))[0] == 303
    status, page = await get(office, "captain", here)
    assert status == 200
    assert "已批准" in page
    assert "角阀 × 20.00" in page
    assert (await get(office, "captain", "/lists/repair-points/" + "0" * 26))[0] == 404
    status, page = await get(office, "finance", "/lists/repair-points?month=nonsense")
    assert (status, "steps/put" in page) == (200, False)
