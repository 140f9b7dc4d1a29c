"""A manager keeps the queues by keyboard: a time is changed, an agent comes in and goes."""

import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import sign_in
from tests.support.chromium import TELEPHONE, Watched
from tests.support.web_stage import Stage

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("HUIFANG_TEST_SHOTS", "")


async def test_by_keyboard(stage: Stage, watched: Watched) -> None:
    page = watched.page
    name = next(one.name for one in await stage.roster.agents() if one.number == stage.agent_number)
    await sign_in(page, stage, "admin")
    await page.goto(stage.url + "/admin/queues")
    await shoot(page, "queues")
    await page.locator("a[href='/admin/queues/repair']").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#ring_timeout")).to_be_visible()
    await page.locator("#ring_timeout").focus()
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text("1")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("振铃 3 到 120 秒。")
    await expect(page.locator("#ring_timeout")).to_be_focused()
    watched.expect("400")
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text("21")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").first).to_contain_text("几秒后生效")
    await expect(page.locator("#ring_timeout")).to_have_value("21")

    add = page.get_by_role("button", name=f"加入 {name}")
    if not await add.count():
        await page.get_by_role("button", name=f"移出 {name}").click()
        await expect(page.get_by_role("status").first).to_contain_text("马上生效")
    await shoot(page, "queue")
    await page.locator("summary", has_text="加入坐席").focus()
    if not await add.is_visible():
        await page.keyboard.press("Enter")
    await add.focus()
    await page.keyboard.press("Enter")
    level = page.get_by_label(f"{name} 的级别")
    await expect(level).to_have_value("0")
    await level.focus()
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text("4")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").first).to_contain_text("马上生效")
    await expect(level).to_have_value("4")
    for where in ("/admin/queues", "/admin/queues/repair", "/admin/queues/new"):
        await page.set_viewport_size(TELEPHONE)
        await page.goto(stage.url + where)
        assert await page.evaluate("document.documentElement.scrollWidth") == TELEPHONE["width"], where
        await shoot(page, "queues_narrow" if where.endswith("queues") else "queue_narrow")


async def shoot(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look."""
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
