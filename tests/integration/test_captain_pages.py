"""The repair captain's pages and settlements: the way of a repair, wrong sheets, whose it is."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from crm.domain.repair_cost import CostState
from crm.repair_sheets import RepairSheets
from crm.repair_views import RepairView
from kernel.audit import AuditLog
from kernel.clock import FakeClock
from tests.support.office import HOUR, OfficeStage
from tests.support.office_web import Form, get, local, post, signed_in
from tests.support.web_stage import web_stage
from web.pages.office import captain, gathered

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)
STROKES = json.dumps([[[x * 100, 500 + (x % 2) * 300] for x in range(1, 20)]])


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_the_captains_way_from_the_call_to_the_settlement(office: OfficeStage) -> None:
    await office.set_warranty()
    repair = await office.told()
    base = f"/captain/{repair.case_id}"

    async def fresh() -> RepairView:
        return await office.crm.repairs.reader.get(office.who("captain"), repair.case_id)

    async def step(name: str, **form: str) -> None:
        sent = {"version": str((await fresh()).version), **form}
        status, _, page = await post(office, "captain", f"{base}/steps/{name}", sent)
        assert status == 303, page

    _, page = await get(office, "captain", "/captain")
    assert "先联系客户" in page
    now = office.clock.now()
    agreed = {"visit_from": local(now + HOUR), "visit_until": local(now + 3 * HOUR), "plan": "重做地漏"}
    await step("contact", says="下午在家", **agreed)
    await step("depart")
    office.clock.advance(HOUR)
    await step("arrive")
    office.clock.advance(HOUR)
    await step("finish", outcome="fixed", result="已换地漏", strokes=STROKES)
    visited = await fresh()
    assert visited.visits[-1].signature_id is not None
    _, page = await get(office, "captain", base)
    assert "核算费用" in page
    assert visited.visits[-1].signature_id in page
    sheet = {
        "version": "0",
        "labour": "200",
        "travel": "30",
        "material-0-item": "地漏",
        "material-0-kind": "main",
        "material-0-quantity": "2",
        "material-0-price": "35.50",
        "bearers-crew": "300",
    }
    status, _, page = await post(office, "captain", f"{base}/costs", sheet)
    assert status == 400
    assert "加起来必须等于总额" in page
    assert "35.50" in page
    status, location, _ = await post(office, "captain", f"{base}/costs", sheet | {"bearers-crew": "301"})
    assert status == 303
    _, page = await get(office, "manager", location)
    assert "非正常维修" in page
    assert "301.00" in page
    cost = await office.crm.repairs.costs.of_repair(office.who("captain"), repair.case_id)
    path = f"/costs/{cost.cost_id}/steps"
    assert (await post(office, "boss", f"{path}/sign_service", {"version": str(cost.version)}))[0] == 403
    for login, name, extra in (
        ("manager", "sign_service", {}),
        ("boss", "sign_company", {}),
        ("spc", "file", {}),
        ("finance", "reconcile", {"month": "2026-03"}),
        ("finance", "settle", {}),
        ("finance", "close", {}),
    ):
        cost = await office.crm.repairs.costs.of_repair(office.who("manager"), repair.case_id)
        status, _, page = await post(office, login, f"{path}/{name}", {"version": str(cost.version)} | extra)
        assert status == 303, (name, page)
    cost = await office.crm.repairs.costs.of_repair(office.who("manager"), repair.case_id)
    assert cost.state is CostState.CLOSED
    assert cost.total == Decimal("301.00")
    _, page = await get(office, "captain", "/captain/month?month=2026-03")
    assert repair.no in page


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"labour": ""}, "请填写"),
        ({"labour": "12.345"}, "金额写成"),
        ({"labour": "-1"}, "金额写成"),
        ({"material-0-item": "", "material-0-quantity": "1", "material-0-price": "9"}, "请填写"),
        ({"material-0-item": "砖", "material-0-quantity": "NaN", "material-0-price": "9"}, "数量写成"),
        ({"material-0-item": "砖", "material-0-quantity": "1", "material-0-price": "1e99"}, "单价写成"),
        ({"bearers-crew": "0", "bearers-customer": "100"}, "收据号"),
    ],
)
async def test_a_wrong_sheet_is_refused(office: OfficeStage, changes: Form, text: str) -> None:
    await office.set_warranty()
    repair = await office.repaired()
    form = {"version": "0", "labour": "100", "bearers-crew": "100"} | changes
    status, _, page = await post(office, "captain", f"/captain/{repair.case_id}/costs", form)
    assert status == 400
    assert text in page


async def test_repairs_are_the_captains_and_nobody_elses(office: OfficeStage) -> None:
    repair = await office.told()
    for login in ("head", "spc", "manager", "finance", "boss"):
        assert (await get(office, login, f"/captain/{repair.case_id}"))[0] == 403
        answer = await post(office, login, f"/captain/{repair.case_id}/steps/depart", {"version": "1"})
        assert answer[0] == 403
    assert (await get(office, "captain", "/captain/no-such-repair"))[0] == 404
    assert (await post(office, "captain", f"/captain/{repair.case_id}/steps/fly", {}))[0] == 404


async def test_reloading_a_refused_form_leads_to_its_page(office: OfficeStage) -> None:
    repair = await office.told()
    async with (
        signed_in(office, "captain") as session,
        session.get(f"/captain/{repair.case_id}/steps/contact", allow_redirects=False) as answer,
    ):
        assert (answer.status, answer.headers["Location"]) == (303, f"/captain/{repair.case_id}")


async def test_more_repairs_than_a_page_holds_are_all_there_the_most_urgent_first(
    office: OfficeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered, "PAGE", 1)
    monkeypatch.setattr(captain, "READ", 1)
    repairs = []
    for _ in range(3):
        repairs.append(await office.told())
        office.clock.advance(HOUR)
    seen = []
    for begin in range(3):
        _, page = await get(office, "captain", f"/captain?from={begin}")
        seen.append([repair.no for repair in repairs if repair.no in page])
        assert '先联系客户 <span class="num muted">3</span>' in page, "of all, not of this page"
        assert (f"/captain?from={begin + 1}" in page) == (begin < 2)
    assert seen == [[repair.no] for repair in repairs]


async def test_R2_the_sheet_for_whoever_repairs_has_the_reason_in_its_corner(office: OfficeStage) -> None:
    repair = await office.told()
    path = f"/cases/{repair.case_id}/sheet"
    status, page = await get(office, "spc", path)
    assert status == 200
    assert "改派原因" in page and repair.no in page and "售中、售后问题确认单" in page
    # The captain repairs: the head of the crew that built the home has nothing to do with it.
    assert "<th>施工负责人</th><td>–</td>" in page
    assert "****" in page  # customer service hands it to a crew: §6.4
    assert path in (await get(office, "captain", f"/captain/{repair.case_id}"))[1]
    assert path in (await get(office, "spc", f"/cases/{repair.case_id}"))[1]
    # Who repairs calls through the company's number; the whole one is for the asking, and written down.
    log = AuditLog(office.stage.database, office.clock)

    async def shown() -> int:
        return [entry.action for entry in await log.recent()].count("phones_shown")

    _, page = await get(office, "captain", path)
    assert "****" in page and "显示完整号码" in page and 'id="customer-call"' in page
    assert await shown() == 0
    status, _, page = await post(office, "captain", path, {})
    assert status == 200 and "****" not in page and "显示完整号码" not in page
    assert await shown() == 1
    status, _, page = await post(office, "spc", path, {})
    assert "****" in page and await shown() == 1, "who may not read it asks in vain"
    services = office.crm.repairs
    never = RepairSheets(services.store, services.reader, shown="never")
    found = await never.sheet(office.who("captain"), repair.case_id, asked=True)
    assert ("*" in str(found.phone), found.may_ask) == (True, False)
    always = RepairSheets(services.store, services.reader, shown="always")
    assert "*" not in str((await always.sheet(office.who("captain"), repair.case_id)).phone)
    assert (await get(office, "head", path))[0] == 404
    complaint = await office.new()
    assert (await get(office, "spc", f"/cases/{complaint.case_id}/sheet"))[0] == 404
