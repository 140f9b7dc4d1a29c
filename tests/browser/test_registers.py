"""The lists of the office in a real browser: filtered in place, walked by keyboard, merged, on telephones."""

import pytest
from playwright.async_api import Page, expect

from crm.domain.customer_rules import PhoneEntry
from crm.people import NewCustomer
from tests.browser.conftest import sign_in
from tests.support.chromium import TELEPHONE, Watched
from tests.support.people import MANAGER
from tests.support.web_stage import PASSWORD, Stage
from web.crm_part import CRM
from web.permissions import Role

pytestmark = pytest.mark.browser


async def test_the_lists_from_the_filter_to_the_merge_by_keyboard(
    stage: Stage, page: Page, watched: Watched
) -> None:
    assert stage.app is not None
    twin = NewCustomer(name="王先生", phones=[PhoneEntry(number="13800138001")])
    await stage.app[CRM].people.customers.create(MANAGER, twin)
    await stage.accounts.users.create(
        login="manager", password=PASSWORD, role=Role.MANAGER, display_name="沈静"
    )
    await sign_in(page, stage, "manager")
    await page.goto(stage.url + "/customers")
    await page.get_by_label("已冻结").check()
    await expect(page.locator("#results .row-link")).to_have_count(1)
    assert "frozen=1" in page.url, "the filter is in the address"
    await page.get_by_label("已冻结").uncheck()
    await expect(page.locator("#results .row-link").nth(1)).to_be_visible()
    await page.locator("#main").focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowUp")
    await expect(page.locator("#results .row-link").first).to_be_focused()
    await page.goto(stage.url + "/duplicates")
    await page.locator("#main").focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("对照两位客户")
    await page.get_by_label("保留这一位").first.check()
    await page.fill("#merge-reason", "同一人")
    await page.keyboard.press("Enter")
    await expect(page.locator("#facts h1")).to_contain_text("王")
    await page.goto(stage.url + "/duplicates")
    await page.locator("#merges summary").click()
    await page.locator("#merges input[name=reason]").fill("认错了人")
    await page.keyboard.press("Enter")
    await expect(page.locator("#facts h1")).to_contain_text("王")
    await page.set_viewport_size(TELEPHONE)
    for path in ("/customers", "/duplicates", "/freezes", "/do-not-call", "/organisation/crews", "/import"):
        await page.goto(stage.url + path)
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await page.evaluate(wide) <= 0, path
    assert watched.errors == []
