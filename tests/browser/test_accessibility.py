"""Every page as somebody sees it who may: nothing that axe-core finds, nothing in the console."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page

from app.demo.seed import demo_users
from tests.browser.conftest import sign_in
from tests.support.chromium import DESKTOP, visitor
from tests.support.web_stage import PASSWORD, Stage
from web.permissions import Role

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parents[1] / "support" / "vendor" / "axe" / "axe.min.js").read_text("utf-8")
LOOK = """async () => {
  for (const box of document.querySelectorAll("details:not(.menu)")) box.open = true;
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((one) => one.html.slice(0, 150)).join(" ")}`);
}"""
LINKS = """() => [...document.querySelectorAll("a[href]:not([download])")]
  .map((one) => new URL(one.getAttribute("href"), location).href)"""
NO_PAGES = (
    "/static/",
    "/api/",
    "/live",
    "/wallboard/live",
    "/readyz",
    "/metrics",
    "/agent/",
    "/sign-out",
    "/cases/new/",
)
LEAST = 60
"""Kinds of pages there are at least: a walk that loses its way must not pass."""


class Walk:
    """Goes from link to link, and to every address that has no names in it: to one page of each kind."""

    def __init__(self, stage: Stage) -> None:
        assert stage.app is not None
        self._url = stage.url
        kinds = (one for one in stage.app.router.resources() if not one.canonical.startswith(NO_PAGES))
        self._kinds = tuple(kinds)
        self._plain = [stage.url + one.canonical for one in self._kinds if "{" not in one.canonical]
        self.seen: set[str] = set()
        self.findings: dict[str, list[str]] = {}

    def _kind(self, address: str) -> str | None:
        """Return which kind of page an address is of; ``None`` where it is none of ours."""
        found = urlsplit(address)
        if f"{found.scheme}://{found.netloc}" != self._url:
            return None
        for resource in self._kinds:
            known = resource.get_info()
            if known.get("path") == found.path or (
                "pattern" in known and known["pattern"].fullmatch(found.path)
            ):
                return resource.canonical
        return None

    async def go(self, page: Page) -> None:
        """Look at everything that this user can reach and nobody has looked at before."""
        ahead, refused = [self._url + "/", *self._plain], set[str]()
        for address in ahead:  # grows meanwhile
            kind = self._kind(address)
            if kind is None or kind in self.seen or address in refused:
                continue
            answer = await page.context.request.get(address, max_redirects=0)
            if answer.status != 200 or not answer.headers.get("content-type", "").startswith("text/html"):
                refused.add(address)
                if 300 <= answer.status < 400:
                    ahead.append(self._url + answer.headers["location"])
                continue
            self.seen.add(kind)
            ahead += await self._look(page, address)

    async def _look(self, page: Page, address: str) -> list[str]:
        await page.goto(address)
        await page.evaluate(AXE)
        if found := await page.evaluate(LOOK):
            self.findings[address.removeprefix(self._url)] = found
        return [link.partition("#")[0] for link in await page.evaluate(LINKS)]


async def test_every_page_is_for_everybody(stage: Stage, browser: Browser) -> None:
    people = {Role.AGENT: "agent", Role.SUPERVISOR: "supervisor", Role.ADMINISTRATOR: "admin"}
    for person in await demo_users(stage.database):
        role = Role(person.role)
        if role not in people:
            people[role] = person.login
            await stage.accounts.users.create(
                login=person.login,
                password=PASSWORD,
                role=role,
                display_name=person.name,
                department=person.department,
            )
    walk = Walk(stage)
    async with visitor(browser, viewport=DESKTOP) as stranger:
        await walk.go(stranger.page)
    call = await stage.ring("13800138001")
    await stage.answer(call)
    await stage.hang_up(call)
    for login in people.values():
        async with visitor(browser, viewport=DESKTOP) as watched:
            await sign_in(watched.page, stage, login)
            await walk.go(watched.page)
    assert walk.findings == {}
    assert len(walk.seen) >= LEAST
