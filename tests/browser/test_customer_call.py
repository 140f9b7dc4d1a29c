"""The captain calls a customer from the telephone: by the keyboard, live, and while notes are being typed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from crm.domain.case import Severity
from kernel.clock import FakeClock
from tests.browser.conftest import sign_in
from tests.support.chromium import TELEPHONE, Watched, visitor
from tests.support.masked import MaskedWorld
from tests.support.office import OfficeStage
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.browser


@pytest_asyncio.fixture(loop_scope="session")
async def world(tmp_path: Path) -> AsyncIterator[MaskedWorld]:
    clock = FakeClock(datetime.now(UTC).replace(microsecond=0))
    async with web_stage(tmp_path, clock=clock) as stage:
        office = OfficeStage(stage, clock)
        await office.open()
        found = MaskedWorld(office)
        await found.give_telephone("captain")
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def phone(browser: Browser) -> AsyncIterator[Watched]:
    async with visitor(browser, viewport=TELEPHONE, has_touch=True) as found:
        yield found


async def test_2_4_the_captain_calls_and_sees_how_it_goes_on(world: MaskedWorld, phone: Watched) -> None:
    repair = await world.office.told(1, severity=Severity.SERIOUS)  # serious: at whatever hour this runs
    await world.only_phone(repair.case.customer_id, "+8613811112220")
    page, stage = phone.page, world.office.stage
    await sign_in(page, stage, "captain")
    await page.goto(f"{stage.url}/captain/{repair.case_id}")
    button = page.get_by_role("button", name="给客户打电话")
    await button.focus()
    await page.keyboard.press("Enter")
    state = page.locator("#customer-call .call-state")
    await expect(state).to_contain_text("正在呼叫您的电话，请接听")
    await expect(button).to_have_count(0)
    await page.fill("#step-contact-says", "客户下午在家")  # the caret stays in it
    await world.go_on()
    await expect(state).to_contain_text("正在接通客户")
    await world.go_on()
    await world.go_on()
    await expect(state).to_contain_text("通话中")
    await world.over()
    await expect(state).to_contain_text("已结束")
    await expect(button).to_be_visible()
    await expect(page.locator("#step-contact-says")).to_have_value("客户下午在家")
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
