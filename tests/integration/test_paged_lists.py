"""Lists in an order of their own, page by page: nothing left out, nothing twice, as the whole list is."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from crm.organisation import Organisation
from crm.people_tables import StaffRow
from crm.tables import Crew
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Invalid
from kernel.ids import new_ulid
from kernel.paging import Page
from tests.support.people import MANAGER, make_desk

pytestmark = pytest.mark.integration

NAMES = ("王", "Bravo", "alpha", "王", "一队", "Bravo", "阿强", "100 号")
T = TypeVar("T")


async def walked(ask: Callable[..., Awaitable[Page[T]]], **asked: object) -> tuple[T, ...]:
    """Return all items of a list, page by page."""
    found, cursor = list[T](), None
    for _ in range(20):
        page = await ask(MANAGER, cursor=cursor, **asked)
        found += page.items
        if (cursor := page.next_cursor) is None:
            break
    return tuple(found)


async def test_crews_and_staff_page_by_page(database: Database, clock: FakeClock) -> None:
    organisation = Organisation(make_desk(database, clock).office)
    async with database.transaction() as session:
        for name in NAMES:
            skills = ["水" if name > "C" else "电"]
            session.add(Crew(id=new_ulid(), name=name, head="x"))
            session.add(StaffRow(id=new_ulid(), name=name, role="PM", skills=skills))
    for limit in (1, 3, len(NAMES)):
        assert await walked(organisation.crew_page, limit=limit) == await organisation.crews(MANAGER)
        for skill in (None, "水"):
            staff = await walked(organisation.staff_page, skill=skill, limit=limit)
            assert staff == await organisation.staff(MANAGER, skill=skill)


async def test_a_cursor_of_another_list_is_refused(sqlite: Database, clock: FakeClock) -> None:
    organisation = Organisation(make_desk(sqlite, clock).office)
    for cursor in ("x", new_ulid()):
        with pytest.raises(Invalid) as refused:
            await organisation.crew_page(MANAGER, cursor=cursor, limit=5)
        assert refused.value.field == "cursor"
