"""The lists in a real browser: by keyboard, as a file, and a hand-off's link on a telephone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from kernel.clock import FakeClock
from tests.browser.conftest import sign_in
from tests.support.chromium import TELEPHONE, Watched, visitor
from tests.support.office import HOUR, TILE, OfficeStage
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.browser


@pytest_asyncio.fixture(loop_scope="session")
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(datetime.now(UTC).replace(microsecond=0))
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_what_repeats_by_keyboard_and_as_a_file(office: OfficeStage, watched: Watched) -> None:
    await office.new(TILE, at=3)
    office.clock.advance(HOUR)
    again = await office.new(TILE, at=3)
    page = watched.page
    await sign_in(page, office.stage, "manager")
    await page.goto(office.stage.url + "/lists/repeats")
    await page.keyboard.press("ArrowDown")
    await expect(page.locator(".case-link").first).to_be_focused()
    async with page.expect_download() as download:
        await page.click("text=导出 CSV")
    content = Path(await (await download.value).path()).read_text("utf-8-sig")
    assert again.no in content
    await page.locator(".case-link").first.focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/cases/{again.case_id}")


async def test_a_link_made_on_a_telephone_opens_on_another(office: OfficeStage, browser: Browser) -> None:
    line = (await office.new(TILE)).lines[0]
    async with visitor(browser, viewport=TELEPHONE, has_touch=True) as found:
        page = found.page
        await sign_in(page, office.stage, "head")
        await page.goto(f"{office.stage.url}/handoffs/{line.handoffs[0].handoff_id}/sheet")
        await page.click("text=生成链接")
        url = await page.input_value("#made-link")
        await page.click("[data-copy]")
        await expect(page.locator("[data-copy]")).not_to_have_text("复制")
    async with visitor(browser, viewport=TELEPHONE) as found:
        page = found.page
        await page.goto(url)
        await expect(page.locator(".shared-note")).to_contain_text("只读链接")
        await expect(page.locator(".sheet")).to_contain_text(line.handoffs[0].receipt_no)
        assert await page.evaluate("document.documentElement.scrollWidth") <= TELEPHONE["width"]
        assert await page.locator("form").count() == 0
