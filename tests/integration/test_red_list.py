"""The manager's red list, page by page (domain.md §0)."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest

from crm.limit_worker import LimitWorker
from crm.limits import LimitBook
from kernel.clock import FakeClock
from tests.support.office import HOUR, TILE, OfficeStage
from tests.support.office_web import get
from tests.support.web_stage import web_stage
from web.pages.office import overdue

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_the_red_list_goes_on_to_the_next_page(
    office: OfficeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overdue, "SHOWN_RED", 1)
    views = [await office.new(TILE, at=place) for place in range(3)]
    office.clock.advance(30 * HOUR)
    worker = LimitWorker(
        office.stage.database, office.clock, LimitBook(office.clock), worker="test", batch=50
    )
    while await worker.run_once():
        pass
    path, found = "/red-list?department=ENG", list[str]()
    while path:
        status, page = await get(office, "manager", path)
        assert status == 200
        assert '<span class="num muted">3</span>' in page
        found += [view.no for view in views if view.no in page]
        following = re.search(r'href="([^"]+)">下一页', page)
        path = unescape(following[1]) if following else ""
    assert sorted(found) == sorted(view.no for view in views)
    status, page = await get(office, "manager", "/red-list?cursor=garbage")
    assert status == 400
    assert "这一页已经过期" in page
