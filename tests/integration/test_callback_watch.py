"""Alerts of callbacks (domain.md §2.1, §1.1) and the call for a feedback form that never came (CB-11)."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from callback_campaigns.callback_watch import CallbackWatch
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import CallbackType
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.project import Stage
from crm.notices.events import NoticeWanted
from crm.tables import Project
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.events import decode
from kernel.ids import new_ulid
from kernel.outbox import OutboxRow
from tests.support.callback_centre import CallbackCentre, make_centre
from tests.support.people import AGENT
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.integration


@pytest.fixture
def centre(sqlite: Database) -> CallbackCentre:
    return make_centre(sqlite, FakeClock(at("2026-03-02 15:00")))


def watch(centre: CallbackCentre) -> CallbackWatch:
    return CallbackWatch(centre.desk.office, centre.tasks)


async def notices(centre: CallbackCentre, code: str) -> Sequence[NoticeWanted]:
    async with centre.database.session() as session:
        rows = (await session.scalars(select(OutboxRow).order_by(OutboxRow.event_id))).all()
    facts = [decode(row.payload) for row in rows]
    return [fact for fact in facts if isinstance(fact, NoticeWanted) and fact.code == code]


async def for_agents(centre: CallbackCentre, assignee: str | None = None) -> str:
    """Return a callback that an agent is to make."""
    await centre.started()
    (task,) = await centre.all()
    async with centre.database.transaction() as session:
        row = await session.get_one(CallbackTaskRow, task.task_id)
        row.channel, row.assignee_id = "agent", assignee
    return task.task_id


async def test_callback_due_is_told_once_to_the_specialists_when_it_is_nobodys(
    centre: CallbackCentre,
) -> None:
    task_id = await for_agents(centre)
    centre.clock.advance(timedelta(days=1))
    for _ in range(2):
        await centre.bring_due()
    (told,) = await notices(centre, "callback.due")
    assert (told.owner_user_id, told.also) == (None, ("role:agent",))
    assert told.link == f"/callback-tasks/{task_id}"


async def test_callback_due_is_told_to_whose_it_is_and_not_where_the_system_asks(
    centre: CallbackCentre,
) -> None:
    me = new_ulid()
    await for_agents(centre, me)
    await centre.started("李秀英", "13800138002")  # level B: the system asks
    centre.clock.advance(timedelta(days=1))
    await centre.bring_due()
    assert [told.owner_user_id for told in await notices(centre, "callback.due")] == [me]


async def test_an_appointment_is_told_ten_minutes_before_and_once(centre: CallbackCentre) -> None:
    me = new_ulid()
    task_id = await for_agents(centre, me)
    await centre.callbacks.appoint(AGENT, task_id, at("2026-03-03 10:30"), expected=None)
    centre.clock.advance(at("2026-03-03 10:15") - centre.clock.now())
    assert await watch(centre).run_once() == 0
    centre.clock.advance(timedelta(minutes=6))
    assert [await watch(centre).run_once() for _ in range(3)] == [1, 0, 0]
    (told,) = await notices(centre, "callback.soon")
    assert told.owner_user_id == me


async def test_MIDTERM_registered_while_YB_is_open_warns_engineering(centre: CallbackCentre) -> None:
    project_id = await centre.started()
    await centre.desk.reach(project_id, Stage.CONCEALED, date(2026, 3, 2))
    await centre.tell()
    assert await notices(centre, "callback.open") == []
    await centre.desk.reach(project_id, Stage.MIDTERM, date(2026, 3, 2))
    await centre.tell()
    (told,) = await notices(centre, "callback.open")
    assert "department:ENG" in told.also and told.parameters["title"] == "隐蔽工程回访"
    assert told.link == f"/projects/{project_id}"


async def in_warranty(centre: CallbackCentre) -> str:
    project_id = await centre.started()
    await centre.desk.reach(project_id, Stage.COMPLETED, date(2026, 3, 2))
    async with centre.database.transaction() as session:
        project = await session.get_one(Project, project_id)
        project.delivery_state, project.appraised_at = "Y", centre.clock.now()
    await centre.desk.reach(project_id, Stage.DELIVERED, date(2026, 3, 2))
    await centre.desk.reach(project_id, Stage.IN_WARRANTY, date(2026, 3, 2), warranty_until=date(2028, 3, 2))
    await centre.tell()
    return project_id


async def periodic(centre: CallbackCentre) -> list[TaskStatus]:
    return [task.status for task in await centre.all() if task.kind is CallbackType.PERIODIC]


async def test_CB11_a_warranty_without_a_feedback_form_is_called_about_once(centre: CallbackCentre) -> None:
    await in_warranty(centre)
    await watch(centre).run_once()
    assert await periodic(centre) == []  # the customer has a week of their own
    centre.clock.advance(timedelta(days=8))
    for _ in range(3):
        await watch(centre).run_once()
    assert await periodic(centre) == [TaskStatus.PLANNED]
    centre.clock.advance(timedelta(days=30))
    await watch(centre).run_once()
    assert len(await periodic(centre)) == 1


async def test_CB11_who_answered_as_a_finished_customer_is_not_called_for_the_form(
    centre: CallbackCentre,
) -> None:
    await in_warranty(centre)
    async with centre.database.transaction() as session:
        query = select(CallbackTaskRow).where(CallbackTaskRow.kind == CallbackType.FINISHED.value)
        (row,) = (await session.scalars(query)).all()
        row.status, row.current_key = TaskStatus.DONE.value, None
    centre.clock.advance(timedelta(days=8))
    assert await watch(centre).run_once() == 0
    assert await periodic(centre) == []
