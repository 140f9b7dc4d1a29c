"""Who may be put in charge of a line."""

from dataclasses import replace

import pytest

from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Invalid
from kernel.ids import new_ulid
from tests.support.complaints import DESIGNER, ENG_WORKER, ENGINEER, WORKMANSHIP, open_desk
from tests.support.web import WebHarness
from web.members import UserMembers
from web.permissions import Role

pytestmark = pytest.mark.integration


async def test_only_a_user_of_the_department_is_put_in_charge(sqlite: Database, clock: FakeClock) -> None:
    desk = await open_desk(sqlite, clock)
    view = await desk.handed_off()
    line = await desk.accept(view.lines[0])
    work = desk.services.work
    for stranger in (DESIGNER.user_id, new_ulid(), "刘铁柱"):
        with pytest.raises(Invalid) as refused:
            await work.assign(ENGINEER, line.line_id, line.version, "刘铁柱", person_id=stranger)
        assert refused.value.field == "person_id"
    assert (await desk.line(line)).person_id is None
    line = await work.assign(ENGINEER, line.line_id, line.version, "刘铁柱", person_id=ENG_WORKER.user_id)
    assert line.person_id == ENG_WORKER.user_id
    # So it is where a line is made and where it is signed for.
    with pytest.raises(Invalid) as refused:
        await desk.new(replace(WORKMANSHIP, person="林晓雯", person_id=DESIGNER.user_id))
    assert refused.value.field == "lines.0.person_id"
    other = (await desk.handed_off()).lines[0]
    with pytest.raises(Invalid) as refused:
        await desk.accept(other, person_id=DESIGNER.user_id)
    assert refused.value.field == "person_id"


async def test_members_are_the_active_users_of_a_department(sqlite: Database, clock: FakeClock) -> None:
    harness = WebHarness(sqlite, clock)
    login = await harness.user(Role.DEPARTMENT_MEMBER, department="ENG")
    users = harness.accounts.users
    user_id = (await users.get(login)).user_id
    async with sqlite.session() as session:
        assert await UserMembers().works_in(session, user_id, "ENG")
        assert not await UserMembers().works_in(session, user_id, "DES")
    await users.change(login, active=False)
    async with sqlite.session() as session:
        assert not await UserMembers().works_in(session, user_id, "ENG")
