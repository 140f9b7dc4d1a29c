"""A head notes down on a telephone what was done; the specialist who has the case open sees it come."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from kernel.clock import FakeClock
from tests.browser.conftest import sign_in
from tests.support.chromium import DESKTOP, TELEPHONE, Watched, visitor
from tests.support.office import TILE, OfficeStage
from tests.support.office_web import photo
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.browser


@pytest_asyncio.fixture(loop_scope="session")
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(datetime.now(UTC).replace(microsecond=0))
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def phone(browser: Browser) -> AsyncIterator[Watched]:
    async with visitor(browser, viewport=TELEPHONE, has_touch=True) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def desk(browser: Browser) -> AsyncIterator[Watched]:
    async with visitor(browser, viewport=DESKTOP) as found:
        yield found


async def test_4_4_a_note_from_the_telephone_comes_to_the_open_case(
    office: OfficeStage, phone: Watched, desk: Watched
) -> None:
    view = await office.new(TILE)
    line = await office.accept(view)
    case = desk.page
    await sign_in(case, office.stage, "spc")
    await case.goto(f"{office.stage.url}/cases/{view.case_id}")
    await expect(case.locator(".record")).to_have_count(0)
    page = phone.page
    await sign_in(page, office.stage, "head")
    card = page.locator(".card.tap", has_text=view.no)
    await card.get_by_role("link", name="记一笔处理").tap()
    await page.wait_for_url(f"**/lines/{line.line_id}?note#records")
    await page.locator("#record label", has_text="材料").tap()
    await page.fill("#record-done", "同批次瓷砖周五到货<i>")
    await page.set_input_files(
        "#record-photos", {"name": "tile.jpg", "mimeType": "image/jpeg", "buffer": photo()}
    )
    await expect(page.locator("#record [data-chosen]")).to_have_text("已选 1 张")
    await page.get_by_role("button", name="保存记录").tap()
    await expect(page.locator("[data-saved]")).to_contain_text("已记下处理情况")
    await expect(page.locator("#records .record")).to_contain_text("材料 同批次瓷砖周五到货<i>")
    await expect(case.locator(".record")).to_contain_text("同批次瓷砖周五到货<i>")  # by itself
    await expect(case.locator(".record .thumbs img")).to_have_count(1)
