"""Pages while a year's calendar is missing: each opens, and says so loudly."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from kernel.clock import FakeClock
from tests.support.limits import at
from tests.support.office import WATER, OfficeStage
from tests.support.office_web import get
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.integration

SAID = "缺少 2099 年日历"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(at("2098-12-31T16:30"))
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        async with stage.database.transaction() as session:
            await found.crm.limits.calendar.load_year(session, 2098, [])
        yield found


async def test_every_page_with_limits_says_that_the_calendar_is_missing(office: OfficeStage) -> None:
    view = await office.new(WATER)
    repair = await office.repair()
    office.clock.advance(timedelta(minutes=20))
    for login, path in (
        ("manager", "/red-list"),
        ("manager", f"/cases/{view.case_id}"),
        ("manager", f"/cases/{repair.case_id}"),
        ("spc", f"/cases/{view.case_id}"),
        ("head", f"/lines/{view.lines[0].line_id}"),
    ):
        status, page = await get(office, login, path)
        assert status == 200, path
        assert SAID in page, path
    status, page = await get(office, "manager", "/overdue?list=not_accepted")
    assert status == 200
    assert "不知道是否超时" in page
    for login, path in (("spc", "/my-day"), ("spc", "/cases"), ("head", "/inbox"), ("manager", "/handoffs")):
        assert (await get(office, login, path))[0] == 200, path
