"""The catalogue of materials, and the cost sheet that picks from it (domain.md §2.4)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import pytest_asyncio

from crm.domain.repair_cost import CostBearer, CostKind, Figures, Material, MaterialKind
from crm.materials import MaterialText
from kernel.clock import FakeClock
from kernel.errors import Conflict, Forbidden, Invalid, StaleVersion
from tests.support.office import OfficeStage
from tests.support.office_web import get, post, signed_in
from tests.support.web_stage import web_stage

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

HERE = "/lists/materials"
DRAIN = MaterialText(
    code="F-001", name="地漏(铜)", unit="个", price=Decimal("45.00"), kind=MaterialKind.AUXILIARY
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(datetime(2026, 3, 10, 1, 0, tzinfo=UTC))
    async with web_stage(tmp_path_factory.mktemp("materials"), clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_2_4_the_manager_engineering_and_materials_keep_the_catalogue(office: OfficeStage) -> None:
    materials = office.crm.materials
    made = await materials.put(office.who("head"), None, DRAIN, expected=None)
    for login in ("designer", "captain", "spc", "boss"):
        with pytest.raises(Forbidden):
            await materials.put(office.who(login), None, replace(DRAIN, code="X"), expected=None)
    with pytest.raises(Conflict):
        await materials.put(office.who("manager"), None, replace(DRAIN, code="F-002"), expected=None)
    with pytest.raises(StaleVersion):
        await materials.put(office.who("manager"), made.material_id, DRAIN, expected=9)
    with pytest.raises(Invalid) as refused:
        await materials.put(
            office.who("materials"), None, replace(DRAIN, price=Decimal("1.234")), expected=None
        )
    assert refused.value.field == "price"
    await materials.put(
        office.who("materials"), None, replace(DRAIN, code="F-002", name="角阀"), expected=None
    )
    page = await materials.page(office.who("captain"), limit=1)
    rest = await materials.page(office.who("captain"), limit=1, cursor=page.next_cursor)
    assert [item.code for item in (*page.items, *rest.items)] == ["F-001", "F-002"]


async def test_2_4_a_sheet_picks_and_keeps_the_price_of_that_moment(office: OfficeStage) -> None:
    repair, captain = await office.repaired(), office.who("captain")
    costs, materials = office.crm.repairs.settlements, office.crm.materials
    line = Material(item=DRAIN.name, kind=MaterialKind.MAIN, quantity=Decimal(2), price=DRAIN.price)
    figures = Figures(
        labour=Decimal(100),
        total=Decimal(190),
        bearers={CostBearer.COMPANY: Decimal(190)},
        material=(line,),
    )
    with pytest.raises(Invalid) as refused:
        await costs.write(
            captain,
            repair.case_id,
            expected=0,
            figures=replace(figures, material=(replace(line, item="堵头"),)),
        )
    assert refused.value.field == "material.0.why"
    sheet = await costs.write(captain, repair.case_id, expected=0, figures=figures)
    assert [(one.code, one.unit, one.kind) for one in sheet.material] == [("F-001", "个", "auxiliary")]
    assert sheet.kind is CostKind.ABNORMAL
    listed = (await materials.page(captain, limit=1)).items[0]
    await materials.put(
        office.who("head"), listed.material_id, replace(DRAIN, price=Decimal(60)), expected=listed.version
    )
    again = await costs.write(captain, repair.case_id, expected=sheet.version, figures=figures)
    assert again.material[0].price == Decimal("45.00")
    labour_only = replace(
        figures, material=(), total=Decimal(100), bearers={CostBearer.COMPANY: Decimal(100)}
    )
    normal = await costs.write(captain, repair.case_id, expected=again.version, figures=labour_only)
    assert normal.kind is CostKind.NORMAL


async def test_pages_and_api(office: OfficeStage) -> None:
    repair = await office.repaired(1)
    _, page = await get(office, "captain", f"/captain/{repair.case_id}/costs")
    assert '<datalist id="catalogue">' in page
    assert 'value="地漏(铜)"' in page
    form = {
        "version": "0",
        "labour": "100",
        "total": "145.00",
        "material-0-item": "自购软管",
        "material-0-kind": "auxiliary",
        "material-0-quantity": "1",
        "material-0-unit": "根",
        "material-0-price": "45",
        "bearers-company": "145",
    }
    status, _, page = await post(office, "captain", f"/captain/{repair.case_id}/costs", form)
    assert status in {400, 422}
    assert "目录里没有的写明原因" in page
    status, place, _ = await post(
        office, "captain", f"/captain/{repair.case_id}/costs", form | {"material-0-why": "店里买的"}
    )
    assert status == 303
    assert "店里买的" in (await get(office, "manager", place))[1]
    new = {"version": "0", "code": "Z-001", "name": "<b>砖</b>", "unit": "片", "price": "58", "kind": "main"}
    assert (await post(office, "manager", f"{HERE}/new/steps/put", new | {"active": "1"}))[0] == 303
    assert (await post(office, "designer", f"{HERE}/new/steps/put", new | {"code": "Z-2"}))[0] == 403
    _, page = await get(office, "captain", HERE)
    assert "&lt;b&gt;砖" in page
    assert "/steps/put" not in page
    async with signed_in(office, "manager") as session:
        sent = {"code": "Z-002", "name": "地板", "unit": "平", "price": "189.00", "kind": "main"}
        headers = {"Origin": office.stage.url}
        async with session.post("/api/v1/materials", json=sent, headers=headers) as answer:
            made = await answer.json()
            assert (answer.status, answer.headers["ETag"]) == (201, '"1"')
        path = f"/api/v1/materials/{made['material_id']}"
        async with session.put(path, json=sent, headers=headers) as answer:
            assert answer.status == 428
        async with session.get("/api/v1/materials?active_only=true&limit=2") as answer:
            assert len((await answer.json())["items"]) == 2
