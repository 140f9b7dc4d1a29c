"""Freezes and pairs that may be one person: every page of them, each once."""

from datetime import UTC, datetime

import pytest

from crm.domain.freeze import FreezeScope
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Invalid
from tests.support.people import AGENT, MANAGER, Desk, make_desk

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 3, 2, 8, 0, tzinfo=UTC))


@pytest.fixture
def desk(sqlite: Database, clock: FakeClock) -> Desk:
    return make_desk(sqlite, clock)


async def test_freezes_come_in_pages(desk: Desk) -> None:
    for number in range(5):
        customer = await desk.customer("王建军", f"1380013800{number}")
        await desk.freezes.freeze(
            AGENT,
            customer.customer_id,
            scope=FreezeScope.ALL,
            reason="家中有事",
            planned_thaw=None,
            expected=None,
        )
    found: list[str] = []
    cursor: str | None = None
    sizes = []
    while True:
        page = await desk.freezes.page(AGENT, cursor=cursor, limit=2)
        found += [one.freeze_id for one in page.items]
        sizes.append(len(page.items))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sizes == [2, 2, 1]
    assert len(set(found)) == 5 == await desk.freezes.count(AGENT)
    assert await desk.freezes.count(AGENT, unanswered=True) == 0
    with pytest.raises(Invalid):
        await desk.freezes.page(AGENT, cursor="nonsense")


async def test_pairs_come_in_pages(desk: Desk) -> None:
    for number in range(3):
        for _ in range(2):
            await desk.customer("王建军", f"1380013800{number}")
    found = []
    skip: int | None = 0
    while skip is not None:
        page = await desk.merging.candidates(MANAGER, skip=skip, limit=2)
        found += [(one.first_id, one.second_id) for one in page.items]
        skip = page.next_skip
    assert len(found) == len(set(found)) == 3
