"""An agent calls the number on a page: by the keyboard, once however often pressed, and hears why not."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from crm.domain.case import Severity
from kernel.clock import FakeClock
from tests.browser.conftest import sign_in
from tests.support.chromium import Watched
from tests.support.masked import MaskedWorld
from tests.support.office import OfficeStage
from tests.support.waiting import eventually
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.browser

ANSWERS, BUSY = "+8613811112220", "+8613811112221"
"""The last digit is what they do when it rings (tests/support/network.py)."""


@pytest_asyncio.fixture(loop_scope="session")
async def world(tmp_path: Path) -> AsyncIterator[MaskedWorld]:
    clock = FakeClock(datetime.now(UTC).replace(microsecond=0))
    async with web_stage(tmp_path, clock=clock) as stage:
        office = OfficeStage(stage, clock)
        await office.open()
        found = MaskedWorld(office)
        found.exchange.registered = {stage.agent_number}
        yield found


async def test_the_agent_calls_from_a_page_and_is_told_how_it_goes_on(
    world: MaskedWorld, watched: Watched
) -> None:
    repair = await world.office.told(1, severity=Severity.SERIOUS)  # serious: at whatever hour this runs
    await world.only_phone(repair.case.customer_id, ANSWERS)
    page, stage = watched.page, world.office.stage
    await sign_in(page, stage, "agent")
    await page.goto(f"{stage.url}/cases/{repair.case_id}")
    button, said = page.get_by_role("button", name="呼叫 138****2220"), page.locator("#toast")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(said).to_have_text("请先签入，并结束通话或小结，再拨打")
    await expect(button).to_have_attribute("aria-disabled", "false")
    watched.expect("409")
    await stage.desk.sign_in(stage.agents[stage.agent_number])
    await button.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await button.dblclick()
    await expect(said).to_have_text("正在呼叫您的电话，请接听")
    await eventually(lambda: len(world.exchange.calls) == 1, what="it is placed")
    await world.go_on()
    await expect(said).to_have_text("正在接通对方")
    await world.go_on()
    await world.go_on()
    await expect(said).to_have_text("通话中")
    await world.over()
    assert sum(world.exchange.placed.values()) == 1
    await world.only_phone(repair.case.customer_id, BUSY)
    await page.goto(f"{stage.url}/cases/{repair.case_id}")
    await page.get_by_role("button", name="呼叫 138****2221").click()
    await expect(said).to_have_text("正在呼叫您的电话，请接听")
    await eventually(lambda: len(world.exchange.calls) == 1, what="it is placed")
    await world.over()
    await expect(said).to_have_text("对方的电话正忙")
    await expect(said).to_have_attribute("role", "status")
