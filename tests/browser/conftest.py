"""A server with the demo company, and people in front of browsers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.chromium import DESKTOP, Watched, chromium, watched_page
from tests.support.web_stage import PASSWORD, Stage, web_stage

expect.set_options(timeout=30_000)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        yield found


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@pytest.fixture
async def watched(browser: Browser) -> AsyncIterator[Watched]:
    """A page at an agent's screen size; console errors fail the test."""
    context = await browser.new_context(viewport=DESKTOP, locale="zh-CN")
    async with watched_page(context) as found:
        yield found


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


async def sign_in(page: Page, stage: Stage, login: str) -> None:
    """Fill in the sign-in form."""
    await page.goto(stage.url + "/sign-in")
    await page.fill("#login", login)
    await page.fill("#password", PASSWORD)
    await page.click("form.card button")
    await page.wait_for_url(lambda url: not url.endswith("/sign-in"))


async def on_duty(page: Page, stage: Stage) -> None:
    """Sign the agent in to their queues."""
    await sign_in(page, stage, "agent")
    await page.click("#sign-in")
    await expect(page.locator("#state")).to_have_attribute("data-state", "available")
