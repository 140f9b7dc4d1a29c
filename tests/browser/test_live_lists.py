"""Lists change while one looks at them: two pages, no reload, nothing typed is lost."""

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import select

from crm import timeline
from crm.tables import CallbackRequest, Customer
from kernel.ids import new_ulid
from tests.browser.conftest import sign_in
from tests.support.chromium import DESKTOP, Watched
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser

MARK = "window.sameDocument = true"


async def test_two_pages_change_without_a_reload(stage: Stage, page: Page, watched: Watched) -> None:
    async with stage.database.session() as session:
        key = (await session.execute(select(Customer.id).where(Customer.name == "王建军"))).scalar_one()
    await sign_in(page, stage, "agent")
    await page.set_viewport_size(DESKTOP)
    await page.goto(f"{stage.url}/customers/{key}#contacts")
    wishes = await page.context.new_page()
    await wishes.goto(f"{stage.url}/callbacks")
    for shown in (page, wishes):
        await shown.evaluate(MARK)

    # Somebody writes a wish; both pages live in the same browser.
    await page.click("#consent summary")
    await page.fill("#consent-evidence", "录音 12 分")
    async with stage.database.transaction() as session:
        session.add(
            CallbackRequest(
                id=new_ulid(),
                call_id=new_ulid(),
                e164="+8613800138001",
                open_key="+8613800138001",
                customer_id=key,
                reason="想问发票",
                requested_at=stage.clock.now(),
            )
        )
        await timeline.add(
            session,
            key,
            at=stage.clock.now(),
            channel=timeline.Channel.MESSAGE,
            direction="out",
            ref=new_ulid(),
            result="sent",
            detail={"channel": "sms", "template": "visit.booked", "no": "BX1"},
        )
    await expect(wishes.locator("#callbacks")).to_contain_text("想问发票")

    # What is typed stays, and the page waits for it.
    await expect(page.locator("#contacts")).not_to_contain_text("上门预约")
    await expect(page.locator("#consent-evidence")).to_have_value("录音 12 分")
    await page.fill("#consent-evidence", "")
    await page.locator("#consent-evidence").blur()
    await expect(page.locator("#contacts")).to_contain_text("上门预约")
    await expect(page.locator("#consent")).to_have_attribute("open", "")

    # The focus stays where it was.
    await page.locator("#facts a.button").focus()
    async with stage.database.transaction() as session:
        (await session.get_one(Customer, key)).problem_reason = "多次改约"
    await expect(page.locator(".flags")).to_contain_text("多次改约")
    assert await page.evaluate("document.activeElement.matches('#facts a.button')")
    for shown in (page, wishes):
        assert await shown.evaluate("window.sameDocument === true"), "the page was loaded again"
