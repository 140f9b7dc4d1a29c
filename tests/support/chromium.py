"""A headless Chromium whose console errors fail the test."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    ViewportSize,
    async_playwright,
)

ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
]
DESKTOP: ViewportSize = {"width": 1366, "height": 768}
TELEPHONE: ViewportSize = {"width": 390, "height": 844}


def chromium_path() -> str:
    """Return where Chromium is.

    Raises:
        AssertionError: it is not installed.
    """
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    raise AssertionError("Chromium is not installed: apt-get install chromium")


@asynccontextmanager
async def chromium(*arguments: str) -> AsyncIterator[Browser]:
    """Yield a browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_path(), args=[*ARGUMENTS, *arguments]
        )
        try:
            yield browser
        finally:
            await browser.close()


class Watched:
    """A page and everything that went wrong on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(f"exception: {error}"))
        page.on("dialog", lambda dialog: self.errors.append(f"dialog: {dialog.message}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.type}: {message.text}")

    def expect(self, part: str) -> None:
        """Forget the errors that contain ``part``: the test has caused them."""
        self.errors = [error for error in self.errors if part not in error]


@asynccontextmanager
async def watched_page(context: BrowserContext) -> AsyncIterator[Watched]:
    """Yield a new page; afterwards fail if its console has errors."""
    watched = Watched(await context.new_page())
    yield watched
    assert watched.errors == [], watched.errors


@asynccontextmanager
async def visitor(browser: Browser, **options: Any) -> AsyncIterator[Watched]:
    """Yield the page of somebody who has never been here; ``options`` are those of a browser's context."""
    context = await browser.new_context(locale="zh-CN", **options)
    try:
        async with watched_page(context) as found:
            yield found
    finally:
        await context.close()
