"""An administrator adds a user, who signs in once, chooses a password, works, and is sent away."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import sign_in
from tests.support.chromium import DESKTOP, TELEPHONE, Watched, visitor
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser

OWN = "我自己的一个新密码"


async def test_from_the_form_to_being_sent_away(stage: Stage, watched: Watched, browser: Browser) -> None:
    admin = watched.page
    await sign_in(admin, stage, "admin")
    await admin.goto(stage.url + "/admin/users")
    await admin.get_by_role("link", name="新增用户").click()
    await expect(admin.locator("#login")).to_be_focused()
    await admin.keyboard.insert_text("zhaoxm")
    await admin.keyboard.press("Tab")
    await admin.keyboard.insert_text("赵<小>梅")
    await admin.select_option("#role", "supervisor")
    await admin.locator("form.grid button.primary").click()
    password = await admin.locator("#password").inner_text()
    assert len(password) >= 12

    async with visitor(browser, viewport=DESKTOP) as other:
        page = other.page
        await page.goto(stage.url + "/sign-in")
        await page.fill("#login", "zhaoxm")
        await page.fill("#password", password)
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text("我的账户")
        await expect(page.locator(".form-note")).to_contain_text("一次性密码")
        await page.goto(stage.url + "/supervisor")
        await expect(page.locator("h1")).to_have_text("我的账户")  # nothing else before that
        for name, text in (("old_password", password), ("new_password", OWN), ("new_password_again", OWN)):
            await page.fill(f"[name={name}]", text)
        await page.keyboard.press("Enter")
        await expect(page.locator(".form-done")).to_contain_text("密码已修改")
        await page.goto(stage.url + "/supervisor")
        await expect(page.locator("header a.who")).to_have_text("赵<小>梅")

        await admin.get_by_role("link", name="已经告诉本人").click()
        await expect(admin.locator("h1")).to_have_text("赵<小>梅")
        await admin.locator("summary", has_text="停用").click()
        await admin.get_by_role("button", name="停用").click()
        await expect(admin.get_by_role("status").first).to_contain_text("已停用")
        await page.wait_for_url("**/sign-in*", timeout=60_000)  # thrown out without touching anything
        await page.fill("#login", "zhaoxm")
        await page.fill("#password", OWN)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_be_visible()
        other.expect("401")

    await admin.goto(stage.url + "/admin/users?q=赵")
    await expect(admin.locator("#results tbody tr")).to_have_count(1)
    for where in ("/admin/users", "/admin/users/new", "/admin/roles", "/admin/system"):
        await admin.set_viewport_size(TELEPHONE)
        await admin.goto(stage.url + where)
        assert await admin.evaluate("document.documentElement.scrollWidth") == TELEPHONE["width"], where
