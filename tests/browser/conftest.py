"""A server with the demo company, and people in front of browsers.

One Chromium serves all tests of a process, so they share its event loop: asynchronous fixtures of this
folder take ``loop_scope="session"``.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.support.chromium import DESKTOP, Watched, chromium, visitor
from tests.support.web_stage import PASSWORD, Stage, web_stage

expect.set_options(timeout=30_000)


HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(loop_scope="session")
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with web_stage(tmp_path) as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def watched(browser: Browser) -> AsyncIterator[Watched]:
    """A page at an agent's screen size; console errors fail the test."""
    async with visitor(browser, viewport=DESKTOP) as found:
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
