"""Repairs per crew and those that came back (domain.md §2.4): for the captain, the manager, as a file."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kernel.clock import FakeClock
from tests.support.office import OfficeStage
from tests.support.office_web import get, signed_in
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


async def test_2_4_repairs_per_crew_and_repeats_within_90_days(office: OfficeStage) -> None:
    await office.repair(place="主卫")
    office.clock.advance(timedelta(days=89))
    await office.repair(place="主卫")
    await office.repair(place="厨房")
    async with signed_in(office, "captain") as session:
        asked = {"since": "2026-06-01T00:00:00+08:00", "until": "2026-07-01T00:00:00+08:00"}
        async with session.get("/api/v1/crew-repairs", params=asked) as answer:
            assert answer.status == 200
            (found,) = (await answer.json())["items"]
    assert (found["repairs"], found["repeats"]) == (2, 1)
    assert (found["normal"], found["abnormal"], found["cost"]) == (0, 0, "0.00")
    for login, path in (("captain", "/captain/month?month=2026-06"), ("manager", "/figures?month=2026-06")):
        _, page = await get(office, login, path)
        assert 'id="crew-repairs"' in page
        assert '<td class="n num">2</td><td class="n num">1</td>' in page
    assert "/exports/crew-repairs.csv?month=2026-06" in page
    status, sheet = await get(office, "manager", "/exports/crew-repairs.csv?month=2026-06")
    assert (status, sheet.strip().splitlines()[1].split(",")[1:3]) == (200, ["2", "1"])
    assert (await get(office, "agent", "/exports/crew-repairs.csv"))[0] == 403


async def test_91_days_later_is_no_repeat(office: OfficeStage) -> None:
    await office.repair(place="主卫")
    office.clock.advance(timedelta(days=91))
    await office.repair(place="主卫")
    _, page = await get(office, "manager", "/figures?month=2026-06")
    assert '<td class="n num">1</td><td class="n num">0</td>' in page
