"""A campaign from its form to a pause, with the dialler's pulse on the monitor."""

import pytest
from playwright.async_api import Page, expect

from callback_campaigns.events import CampaignPulse
from tests.browser.conftest import sign_in
from tests.support.chromium import DESKTOP, Watched
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser


async def test_written_started_watched_and_paused(stage: Stage, page: Page, watched: Watched) -> None:
    await sign_in(page, stage, "supervisor")
    await page.set_viewport_size(DESKTOP)
    await page.goto(f"{stage.url}/campaigns/new")
    await page.fill("#name", "竣工客户回访")
    await page.check("input[name=mode][value=progressive]")
    await page.check("input[name=kinds][value=JG]")
    await page.keyboard.press("Enter")

    # Agents take these calls, and no queue was chosen: the form says so at the field, and keeps the rest.
    await expect(page.locator("#error-queue")).to_be_visible()
    await expect(page.locator("#name")).to_have_value("竣工客户回访")
    watched.expect("status of 400")
    await page.select_option("#queue", "complaint")
    await page.click("button[accesskey=s]")
    await expect(page.locator("h1 .chip")).to_have_text("草稿")

    await page.focus("#step-start summary")
    await page.keyboard.press("Enter")
    await page.click("#step-start form button")
    await expect(page.locator("h1 .chip")).to_have_text("进行中")
    await expect(page.locator("#pulse-age")).to_have_text("还没有拨号器的消息")

    key = page.url.rsplit("/", 1)[1]
    stage.bus.publish(
        CampaignPulse(
            at=stage.clock.now(),
            campaign_id=key,
            dialling=3,
            talking=5,
            agents_free=2,
            lines_used=8,
            abandoned_share=0.034,
            cap=0.03,
            decision="budget_used",
            as_of=stage.clock.now(),
        )
    )
    await expect(page.locator("[data-pulse=talking]")).to_have_text("5")
    await expect(page.locator("[data-pulse=abandoned_share]")).to_have_text("3.4%")
    await expect(page.locator("[data-pulse=decision]")).to_have_text("放弃率额度用完，先逐个拨打")
    await expect(page.locator("#pulse-age")).to_have_text("实时")

    await page.click("#step-pause summary")
    await page.fill("#reason-pause", "午休")
    await page.click("#step-pause form button")
    await expect(page.locator("h1 .chip")).to_have_text("已暂停")
    await page.goto(f"{stage.url}/campaigns")
    await expect(page.locator("tbody")).to_contain_text("竣工客户回访")
