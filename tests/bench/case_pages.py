"""The pages of ``case_load``: work lists and the search as the server makes them, for who lives in them."""

import logging
from collections.abc import Iterable

import structlog

from crm.service import CustomerDirectory
from kernel.clock import FakeClock
from kernel.db import Database
from tests.bench.case_work import NOW, timed
from tests.support.web import Client, WebHarness
from web.permissions import Role

ROUNDS = 10
LISTS = {
    Role.AGENT: (
        "/my-day",
        "/cases?whose=all",
        "/cases?whose=all&kind=complaint&state=accepted",
        "/cases?whose=all&kind=repair",
        "/handoffs",
        "/customers?q=王秀",
    ),
    Role.MANAGER: (
        "/cases?whose=all",
        "/cases?whose=all&overdue=1",
        "/overdue",
        "/red-list",
        "/escalations",
        "/lists/repeats",
        "/lists/follow-ups",
        "/lists/appraisals",
    ),
    Role.DEPARTMENT_HEAD: ("/inbox", "/cases", "/cases?kind=complaint", "/handoffs", "/overdue"),
}
SEARCHES = ("/search?q=李伟", "/search?q=漏水", "/search?q=朝阳区", "/search?q=0005", "/search?q=ht2022")


class Pages:
    """The application over a company, and browsers that are signed in to it."""

    def __init__(self, database: Database) -> None:
        # The log's lines are no part of what is measured, nor of the bench's output.
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        self._harness = WebHarness(database, FakeClock(NOW))
        self._harness.customers = CustomerDirectory(database)  # type: ignore[assignment]

    async def taken(self) -> dict[str, list[float]]:
        """Every page, several rounds, one after the other: milliseconds by role, ``search`` apart."""
        taken: dict[str, list[float]] = {}
        for role, addresses in LISTS.items():
            async with self._harness.serve() as browser:
                await self._harness.sign_in(browser, role)
                taken[role.value] = await _rounds(browser, addresses)
                taken.setdefault("search", []).extend(await _rounds(browser, SEARCHES))
        return taken


async def _rounds(browser: Client, addresses: Iterable[str]) -> list[float]:
    async def whole(address: str) -> None:
        async with browser.get(address) as answer:
            page = await answer.text()
            assert answer.status == 200, f"{address}: {answer.status} {page[:300]}"

    for address in addresses:
        # Templates are made at their first use.
        await whole(address)
    return [await timed(whole(address)) for _ in range(ROUNDS) for address in addresses]
