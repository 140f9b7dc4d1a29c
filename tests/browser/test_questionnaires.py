"""A manager words a question anew, publishes it, and mends a mistake in the text, by keyboard."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import sign_in
from tests.support.chromium import TELEPHONE, Watched
from tests.support.web_stage import PASSWORD, Stage
from web.permissions import Role

pytestmark = pytest.mark.browser


async def test_a_question_is_worded_anew_published_and_mended(
    stage: Stage, page: Page, watched: Watched
) -> None:
    await stage.accounts.users.create(
        login="manager", password=PASSWORD, role=Role.MANAGER, display_name="沈静"
    )
    await sign_in(page, stage, "manager")
    await page.goto(stage.url + "/questionnaires/KG/wording")
    await page.fill("#KG2-ask", "交底讲清楚了吗？")
    await page.locator(".wordings button.primary").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".prompts")).to_contain_text("交底讲清楚了吗？满意请按1")
    await page.fill("#why", "更口语")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_contain_text("v2")

    await page.goto(stage.url + "/questionnaires/KG/edit")
    text = await page.input_value("#text")
    await page.fill("#text", text.replace("to: MAT", "to: XX", 1))
    await expect(page.locator("#problems")).to_contain_text("XX")
    await page.locator("#problems button").first.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#text")).to_be_focused()
    assert "to: XX" in await page.evaluate("String(window.getSelection())")
    await page.locator(".text-form button.primary").click()
    await page.goto(stage.url + "/questionnaires/KG")
    await page.locator("#problems a").first.click()
    await expect(page.locator("#text")).to_be_focused()
    assert "to: XX" in await page.evaluate("String(window.getSelection())")
    await page.fill("#text", text.replace("，没有请按2", ""))
    await expect(page.locator("#problems")).to_contain_text("按键 2 有含义")
    await page.fill("#text", text)
    await expect(page.locator("#checked")).to_have_text("没有错误。")

    await page.set_viewport_size(TELEPHONE)
    for path in ("", "/KG", "/KG/wording", "/KG/edit"):
        await page.goto(f"{stage.url}/questionnaires{path}")
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await page.evaluate(wide) <= 0, path
    assert watched.errors == []
