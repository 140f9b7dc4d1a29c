"""Staff 员工: the number of their telephone, what they can do, and whole sheets of them (domain.md §4.1)."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.doctor.findings import Level
from app.doctor.staff import staff_findings
from crm.domain.staff import NumberTrouble, Telephones
from crm.importing.staff import StaffImport, StaffReport
from crm.organisation import NameTaken, Organisation, OtherNumber
from crm.organisation_views import StaffRole, StaffView
from kernel.access import Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid
from kernel.ids import new_ulid
from telephony.agent_tables import AgentRow
from tests.support.people import AGENT, MANAGER, actor, make_desk
from web.members import UserMembers
from web.tables import UserRow

pytestmark = pytest.mark.integration

USER = new_ulid()
TITLES = "姓名,岗位,部门,电话,工号,技能,在职"


class OneNumber:
    """Knows the telephone of one user."""

    async def number_of(self, session: AsyncSession, user_id: str) -> str | None:
        return "1001" if user_id == USER else None

    async def telephones(self, session: AsyncSession) -> Telephones:
        return Telephones({USER: "1001"}, frozenset({"1001", "1003"}))


@pytest.fixture
def organisation(sqlite: Database, clock: FakeClock) -> Organisation:
    return Organisation(make_desk(sqlite, clock).office, OneNumber())


@pytest.fixture
def imports(sqlite: Database, clock: FakeClock, organisation: Organisation) -> StaffImport:
    return StaffImport(make_desk(sqlite, clock).office, organisation)


async def put(organisation: Organisation, name: str, **given: Any) -> StaffView:
    return await organisation.put_staff(MANAGER, None, {"name": name, "role": "SPC"} | given, expected=None)


async def sheet(imports: StaffImport, *rows: str, write: bool = True) -> StaffReport:
    content = "\n".join((TITLES, *rows)).encode()
    return await imports.run(MANAGER, content, "员工.csv", write=write)


async def test_a_number_is_that_of_the_users_telephone(organisation: Organisation) -> None:
    filled = await put(organisation, "周晓梅", user_id=USER)
    assert filled.agent_no == "1001"
    with pytest.raises(OtherNumber) as caught:
        await organisation.put_staff(MANAGER, filled.staff_id, {"agent_no": "1002"}, expected=1)
    assert caught.value.field == "agent_no"
    with pytest.raises(OtherNumber):
        await put(organisation, "李娜", user_id=USER, agent_no="1009")
    assert (await put(organisation, "李娜", agent_no="１００９")).agent_no == "1009", "no user, any number"


async def test_a_number_is_somebodys_until_they_leave(organisation: Organisation) -> None:
    first = await put(organisation, "周晓梅", agent_no="1001")
    with pytest.raises(NameTaken) as caught:
        await put(organisation, "李娜", agent_no="1001")
    assert caught.value.field == "agent_no" and "周晓梅" in caught.value.message
    await organisation.put_staff(MANAGER, first.staff_id, {"active": False}, expected=1)
    await put(organisation, "李娜", agent_no="1001")
    with pytest.raises(NameTaken):
        await organisation.put_staff(MANAGER, first.staff_id, {"active": True}, expected=2)
    for wrong in ("1", "10a1", "=1001", "1" * 17):
        with pytest.raises(Invalid) as refused:
            await put(organisation, "王芳", agent_no=wrong)
        assert refused.value.field == "agent_no"


async def test_people_are_found_by_what_they_can_do(organisation: Organisation) -> None:
    found = await put(organisation, "周晓梅", skills=["投诉", "英语", "投诉"])
    assert found.skills == ("投诉", "英语")
    await put(organisation, "李娜", skills=["报修"])
    assert [one.name for one in await organisation.staff(AGENT, skill="英语")] == ["周晓梅"]
    for wrong, field in (
        ([f"s{n}" for n in range(13)], "skills"),
        (["长" * 21], "skills.0"),
        (["a,b"], "skills.0"),
    ):
        with pytest.raises(Invalid) as caught:
            await put(organisation, "王芳", skills=wrong)
        assert caught.value.field == field


async def test_a_sheet_of_staff_is_written_whole_and_again_changes_nothing(
    organisation: Organisation, imports: StaffImport
) -> None:
    await organisation.put_department(MANAGER, "CS", {"name": "客服监察部"}, expected=None)
    rows = ("周晓梅,客服专员,客服监察部,13800138001,1001,投诉、英语,是", "刘铁柱,PM,CS,,,,")
    checked = await sheet(imports, *rows, write=False)
    assert (checked.new, checked.bad, checked.written) == (2, 0, False)
    assert await organisation.staff(AGENT) == ()
    done = await sheet(imports, *rows)
    assert (done.new, done.changed, done.written) == (2, 0, True)
    listed = {one.name: one for one in await organisation.staff(AGENT)}
    assert (listed["周晓梅"].agent_no, listed["周晓梅"].skills) == ("1001", ("投诉", "英语"))
    assert (listed["刘铁柱"].role, listed["刘铁柱"].department) == (StaffRole.PM, "CS")
    again = await sheet(imports, *rows)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 2)
    moved = await sheet(imports, "周晓梅,客服专员,,,1001,投诉、报修,")
    assert (moved.new, moved.changed) == (0, 1)
    assert (await organisation.staff(AGENT, skill="报修"))[0].phone_masked == "138****8001", "the rest stays"


async def test_a_bad_row_stops_the_sheet_and_is_named(
    organisation: Organisation, imports: StaffImport
) -> None:
    await put(organisation, "周晓梅", agent_no="1001")
    report = await sheet(
        imports,
        "李娜,客服专员,,,1002,,",
        "王芳,客服专员,,,1001,,",
        "赵强,国王,不存在,123,1a,,",
        "李娜,客服专员,,,1002,,",
        "=cmd(),SPC,,,,,",
    )
    assert (report.written, report.bad) == (False, 4)
    found = {(one.row, one.code) for one in report.problems}
    assert found >= {
        (3, "agent_no_taken"),
        (4, "not_a_choice"),
        (4, "unknown_department"),
        (4, "not_a_phone"),
        (4, "not_an_agent_no"),
        (5, "staff_twice"),
        (6, "formula"),
    }
    assert [one.name for one in await organisation.staff(AGENT)] == ["周晓梅"]
    missing = await imports.run(MANAGER, "姓名\n李娜".encode(), "x.csv", write=True)
    assert [one.code for one in missing.problems] == ["missing_column"]
    with pytest.raises(Forbidden):
        await imports.run(AGENT, b"x", "x.csv", write=True)
    with pytest.raises(Forbidden):
        await imports.run(actor(Role.HR), b"x", "x.csv", write=True)


async def test_the_users_of_the_web_shell_have_telephones(sqlite: Database, clock: FakeClock) -> None:
    now, agent_id = clock.now(), new_ulid()
    async with sqlite.transaction() as session:
        session.add(
            AgentRow(
                agent_id=agent_id,
                number="1007",
                name="周晓梅",
                sip_password="x" * 20,
                active=True,
                created_at=now,
            )
        )
        session.add(
            UserRow(
                user_id=USER,
                login="zhouxm",
                display_name="周晓梅",
                password_hash="x",
                role="agent",
                agent_id=agent_id,
                created_at=now,
                password_changed_at=now,
            )
        )
        await session.flush()
        assert await UserMembers().number_of(session, USER) == "1007"
        assert await UserMembers().number_of(session, new_ulid()) is None


async def test_a_number_that_is_no_more_the_telephones_is_shown(sqlite: Database, clock: FakeClock) -> None:
    organisation = Organisation(make_desk(sqlite, clock).office, UserMembers())
    async with sqlite.transaction() as session:
        for number in ("1001", "1002", "1003"):
            agent = AgentRow(
                agent_id=f"agent{number}",
                number=number,
                name=number,
                sip_password="x" * 12,
                created_at=clock.now(),
            )
            session.add(agent)
            session.add(
                UserRow(
                    user_id=new_ulid(),
                    login=f"u{number}",
                    display_name=number,
                    role="agent",
                    password_hash="x",
                    agent_id=f"agent{number}",
                    created_at=clock.now(),
                    password_changed_at=clock.now(),
                )
            )
    async with sqlite.session() as session:
        users = {row.login: row.user_id for row in await session.scalars(select(UserRow))}
    mine = await put(organisation, "周晓梅", user_id=users["u1001"])
    await put(organisation, "王芳", agent_no="1002")
    await put(organisation, "马师傅", agent_no="1109")
    left = await put(organisation, "老李", agent_no="1110", active=False)
    assert (mine.agent_no, mine.telephone_no, mine.agent_no_trouble) == ("1001", "1001", None)
    assert left.agent_no_trouble is None
    async with sqlite.transaction() as session:
        (await session.get_one(AgentRow, "agent1001")).number = "1008"
    found = {one.name: one for one in await organisation.staff(MANAGER)}
    assert {name: one.agent_no_trouble for name, one in found.items()} == {
        "周晓梅": NumberTrouble.OTHER,
        "王芳": NumberTrouble.TAKEN,
        "马师傅": NumberTrouble.UNKNOWN,
    }
    assert found["周晓梅"].telephone_no == "1008"
    async with sqlite.session() as session:
        (finding,) = await staff_findings(session)
    assert finding.level is Level.WARNING and "周晓梅 1001 (1008 now)" in finding.message
    await organisation.put_staff(MANAGER, mine.staff_id, {"agent_no": "1008"}, expected=1)
    mended = {one.name: one.agent_no_trouble for one in await organisation.staff(MANAGER)}
    assert mended["周晓梅"] is None
