"""New hand-off: SMS + call if unsigned at 2 h (domain.md §2.3): the specialist calls, and says so."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from crm.people_tables import StaffRow
from crm.tables import Department
from kernel.clock import FakeClock
from kernel.errors import Conflict, Forbidden, NotFound
from kernel.ids import new_ulid
from tests.support.office import DRAWING, TILE, OfficeStage
from tests.support.office_web import get, post
from tests.support.web_stage import web_stage

pytestmark = pytest.mark.integration

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)  # a Tuesday, 09:00 at the site
TELEPHONE = "+8613900001234"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(START)
    async with web_stage(tmp_path, clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        async with stage.database.transaction() as session:
            department = (await session.scalars(select(Department).where(Department.code == "ENG"))).one()
            department.head, department.head_user_id = "陈建国", found.who("head").user_id
            session.add(
                StaffRow(
                    id=new_ulid(),
                    name="陈建国",
                    role="DPH",
                    department_code="ENG",
                    phone=TELEPHONE,
                    agent_no="1201",
                    user_id=found.who("head").user_id,
                )
            )
        yield found


async def test_2_3_unsigned_at_2_h_is_a_call_to_make_until_it_is_signed_or_noted(office: OfficeStage) -> None:
    view = await office.new(TILE, DRAWING)
    engineering, design = (line.handoffs[0].handoff_id for line in view.lines)
    assert "电话催收" not in (await get(office, "spc", "/my-day"))[1]
    office.clock.advance(timedelta(hours=2))
    page = (await get(office, "spc", "/my-day"))[1]
    assert page.count("仍未签收") == 2
    assert "陈建国" in page and "139****1234" in page and "13900001234" not in page
    assert 'href="tel:1201"' in page
    led = (await get(office, "manager", f"/my-day?who={office.who('spc').user_id}"))[1]
    assert f'href="tel:{TELEPHONE}"' in led

    await office.accept(view, 1)
    assert (await get(office, "spc", "/my-day"))[1].count("仍未签收") == 1
    status, where, _ = await post(office, "spc", f"/handoffs/{engineering}/called", {})
    assert (status, where) == (303, "/my-day#unsigned")
    assert "仍未签收" not in (await get(office, "spc", "/my-day"))[1]
    noted = (await office.fresh(view)).lines[0].handoffs[0]
    assert (noted.called_at, noted.called_by) == (office.clock.now(), office.who("spc").name)
    assert "已电话催收" in (await get(office, "spc", "/handoffs"))[1]
    assert "电话催收" in (await get(office, "spc", f"/cases/{view.case_id}"))[1]

    calls = office.crm.complaints.handoff_calls
    for handoff_id in (engineering, design):
        with pytest.raises(Conflict):
            await calls.called(office.who("spc"), handoff_id)
    with pytest.raises(Forbidden):
        await calls.called(office.who("head"), engineering)
    with pytest.raises(NotFound):
        await calls.called(office.who("spc"), new_ulid())
