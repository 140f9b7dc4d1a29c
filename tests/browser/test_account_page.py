"""A new password by keyboard alone, in a real browser, at both sizes of screen."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import sign_in
from tests.support.chromium import TELEPHONE, Watched
from tests.support.web_stage import PASSWORD, Stage

pytestmark = pytest.mark.browser

NEW = "另一个全新的密码"


async def type_passwords(page: Page, old: str, new: str) -> None:
    """From the first field on, by keyboard."""
    await page.locator("#old_password").focus()
    for text in (old, new, new):
        await page.keyboard.insert_text(text)
        await page.keyboard.press("Tab")
    await expect(page.locator("form.fields button")).to_be_focused()
    await page.keyboard.press("Enter")


async def test_a_new_password_by_keyboard(stage: Stage, watched: Watched) -> None:
    page = watched.page
    await sign_in(page, stage, "supervisor")
    name = page.locator("header a.who")
    await name.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("我的账户")
    await type_passwords(page, "falsch", NEW)
    await expect(page.get_by_role("alert")).to_have_text("现在的密码不对。")
    await expect(page.locator("#old_password")).to_be_focused()
    watched.expect("422")
    await page.set_viewport_size(TELEPHONE)
    await expect(name).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == TELEPHONE["width"]
    await type_passwords(page, PASSWORD, NEW)
    await expect(page.locator(".form-done")).to_contain_text("密码已修改")
    await page.locator("form[action='/sign-out'] button").click()
    await page.fill("#login", "supervisor")
    await page.fill("#password", NEW)
    await page.keyboard.press("Enter")
    await expect(page.locator("header a.who")).to_be_visible()
