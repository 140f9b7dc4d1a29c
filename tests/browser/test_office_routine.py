"""The office's routine in a real browser: a material is picked, a list hears of a new measure."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from crm.domain.repair_cost import MaterialKind
from crm.improvement_views import NewMeasure
from crm.materials import MaterialText
from kernel.clock import FakeClock
from tests.browser.conftest import sign_in
from tests.support.chromium import TELEPHONE, Watched, visitor
from tests.support.office import OfficeStage
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.browser


@pytest_asyncio.fixture(loop_scope="session")
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(datetime.now(UTC).replace(microsecond=0))
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_a_material_picked_brings_its_unit_and_price(office: OfficeStage, browser: Browser) -> None:
    drain = MaterialText(code="F-1", name="地漏", unit="个", price=Decimal(45), kind=MaterialKind.MAIN)
    await office.crm.materials.put(office.who("manager"), None, drain, expected=None)
    repair = await office.repaired()
    async with visitor(browser, viewport=TELEPHONE, has_touch=True) as found:
        page = found.page
        await sign_in(page, office.stage, "captain")
        await page.goto(f"{office.stage.url}/captain/{repair.case_id}/costs")
        await page.fill("#labour", "100")
        await page.fill("#material-0-item", "自购软管")
        await expect(page.locator("#material-0-why")).to_be_visible()
        await page.fill("#material-0-item", "地漏")
        await expect(page.locator("#material-0-why")).to_be_hidden()
        await expect(page.locator("#material-0-price")).to_have_value("45.00")
        await page.fill("#material-0-quantity", "2")
        await expect(page.locator("[data-total]")).to_have_text("190.00")


async def test_the_list_hears_of_a_measure_that_was_set(office: OfficeStage, watched: Watched) -> None:
    page = watched.page
    await sign_in(page, office.stage, "head")
    await page.goto(office.stage.url + "/lists/improvements")
    improvements = office.crm.improvements
    new = NewMeasure(
        problem="墙砖空鼓居首", measure="基层验收拍照", department="ENG", due_on=improvements.today()
    )
    await improvements.set(office.who("manager"), new)
    await expect(page.locator("#measures")).to_contain_text("墙砖空鼓居首")
