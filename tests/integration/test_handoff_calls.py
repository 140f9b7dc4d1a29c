"""New hand-off: SMS + call if unsigned at 2 h (domain.md §2.3): the specialist calls, and says so."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from crm.people_tables import StaffRow
from crm.tables import Department
from kernel.access import Role
from kernel.clock import FakeClock
from kernel.errors import Conflict, Forbidden, NotFound
from kernel.ids import new_ulid
from tests.support.office import DRAWING, TILE, OfficeStage
from tests.support.office_web import get, post
from tests.support.web_stage import PASSWORD, web_stage
from web.tables import UserRow

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
    # Without a telephone of their own nothing is dialled: the number is there, and a word why.
    assert 'href="tel:1201"' not in page and "分机 1201" in page and 'id="no-telephone"' in page
    async with office.stage.database.transaction() as session:
        mine = update(UserRow).where(UserRow.login == "spc")
        await session.execute(mine.values(agent_id=office.stage.agents[max(office.stage.agents)]))
    page = (await get(office, "spc", "/my-day"))[1]
    assert 'href="tel:1201"' in page and 'id="no-telephone"' not in page
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


async def test_2_3_the_deputy_is_called_as_the_head_is_and_sees_the_same(office: OfficeStage) -> None:
    deputy = await office.stage.accounts.users.create(
        login="deputy",
        password=PASSWORD,
        role=Role.DEPARTMENT_HEAD,
        display_name="李副主管",
        department="ENG",
    )
    async with office.stage.database.transaction() as session:
        named = update(Department).where(Department.code == "ENG")
        await session.execute(named.values(deputy="李副主管", deputy_user_id=deputy.user_id))
        session.add(
            StaffRow(
                id=new_ulid(),
                name="李副主管",
                role="DPH",
                department_code="ENG",
                phone="+8613900005678",
                user_id=deputy.user_id,
            )
        )
    view = await office.new(TILE)
    assert "过 2 小时未签收" not in (await get(office, "deputy", "/inbox"))[1]
    office.clock.advance(timedelta(hours=2))
    page = (await get(office, "spc", "/my-day"))[1]
    assert page.count("仍未签收") == 1 and "副手 李副主管" in page and "139****5678" in page
    await office.crm.complaints.handoff_calls.called(office.who("spc"), view.lines[0].handoffs[0].handoff_id)
    pages = [(await get(office, login, "/inbox"))[1] for login in ("head", "deputy")]
    assert all("过 2 小时未签收" in page and "电话催收" in page for page in pages)
