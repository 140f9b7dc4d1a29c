"""What people do about callback tasks: stop, enable, read, note what an attempt brought; merged customers."""

from datetime import date, datetime, timedelta

import pytest

import app.models  # noqa: F401 - every table
from callback_campaigns.domain import task_steps
from callback_campaigns.domain.task import CancelWhy, RetryTimes, TalkEnd, TaskStatus
from callback_campaigns.domain.terms import CallbackType, Origin, Outcome, Verdict
from callback_campaigns.domain.windows import CallWish
from callback_campaigns.task_desk import TaskFilter
from callback_campaigns.tasks import Step
from crm.domain.project import Stage
from crm.events_tickets import RevisitWanted
from crm.tables import Project
from kernel.access import Actor, Permission, Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.support.callback_centre import CallbackCentre, make_centre
from tests.support.people import AGENT, MANAGER
from tests.unit.callback_campaigns.tasks import TIMES, finding
from tests.unit.callback_campaigns.times import at, local

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 15:00"))


@pytest.fixture
def centre(sqlite: Database, clock: FakeClock) -> CallbackCentre:
    return make_centre(sqlite, clock)


async def version_of(centre: CallbackCentre, project_id: str) -> int:
    async with centre.database.session() as session:
        return (await session.get_one(Project, project_id)).version


async def test_CB9_stopped_for_one_project_and_enabled_again(centre: CallbackCentre) -> None:
    project_id = await centre.started()
    other_id = await centre.started("李秀英", "13800138002")
    seen = await version_of(centre, project_id)
    with pytest.raises(Forbidden):
        await centre.callbacks.stop(AGENT, project_id, "KG", reason="客户要求", expected=seen)
    stopped = await centre.callbacks.stop(MANAGER, project_id, "KG", reason="客户要求", expected=seen)
    assert stopped == seen + 1 == await version_of(centre, project_id)
    mine, other = await centre.all()
    assert mine.cancelled_why is CancelWhy.STOPPED
    assert (other.project_id, other.status) == (other_id, TaskStatus.PLANNED)
    with pytest.raises(Conflict):
        await centre.callbacks.stop(MANAGER, project_id, "KG", reason="客户要求", expected=stopped)
    # Who read the project before it was stopped decides nothing, though the other way were possible.
    with pytest.raises(StaleVersion):
        await centre.callbacks.enable(MANAGER, project_id, "KG", reason="可以了", expected=seen)
    enabled = await centre.callbacks.enable(MANAGER, project_id, "KG", reason="可以了", expected=stopped)
    with pytest.raises(Conflict):
        await centre.callbacks.enable(MANAGER, project_id, "KG", reason="可以了", expected=enabled)
    with pytest.raises(StaleVersion):
        await centre.callbacks.stop(MANAGER, project_id, "YB", reason="客户要求", expected=stopped)
    await centre.callbacks.stop(MANAGER, project_id, "YB", reason="客户要求", expected=enabled)
    await centre.desk.reach(project_id, Stage.CONCEALED, date(2026, 3, 2))
    await centre.tell()
    assert len(await centre.all()) == 2


async def test_CB8_an_attempt_that_brought_nothing_is_kept_and_shown(centre: CallbackCentre) -> None:
    await centre.started()
    centre.clock.advance(timedelta(days=1))
    await centre.bring_due()
    (task,) = await centre.all()
    now = centre.clock.now()
    attempt_id = new_ulid()
    async with centre.database.transaction() as session:
        windows = (await centre.tasks.calendar(session)).windows

        def opens(moment: datetime) -> datetime | None:
            return windows.opens(moment, CallWish())

        await centre.tasks.apply(
            session,
            task.task_id,
            "dialled",
            lambda one: task_steps.dialled(one, attempt_id, now=now),
            by="1001",
        )
        await centre.tasks.apply(
            session,
            task.task_id,
            "not_reached",
            lambda one: task_steps.not_reached(
                one, Outcome.BUSY, RetryTimes(opens=opens), now=now, agent="1001", node="pbx1"
            ),
            by="1001",
        )
    detail = await centre.callbacks.get(AGENT, task.task_id)
    assert detail.listed.task.status is TaskStatus.RETRY_WAIT
    assert [(one.attempt_id, one.outcome) for one in detail.invalid] == [(attempt_id, Outcome.BUSY)]
    assert [step.step for step in detail.steps] == ["planned", "due", "dialled", "not_reached"]
    assert detail.listed.task.tried[0].outcome is Outcome.BUSY


async def test_CB10_lists_and_records_need_the_permission(centre: CallbackCentre) -> None:
    await centre.started()
    await centre.started("李秀英", "13800138002")
    stranger = Actor(user_id=new_ulid(), name="王", role=Role.HR)
    assert not stranger.can(Permission.CALLBACKS_WORK)
    (first, _) = await centre.all()
    with pytest.raises(Forbidden):
        await centre.callbacks.page(stranger, TaskFilter())
    with pytest.raises(Forbidden):
        await centre.callbacks.get(stranger, first.task_id)
    with pytest.raises(NotFound):
        await centre.callbacks.get(AGENT, new_ulid())
    page = await centre.callbacks.page(AGENT, TaskFilter(kind=CallbackType.START), limit=1)
    assert [item.customer_name for item in page.items] == ["王建军"]
    rest = await centre.callbacks.page(AGENT, TaskFilter(), cursor=page.next_cursor)
    assert [item.customer_name for item in rest.items] == ["李秀英"]
    assert rest.next_cursor is None
    nothing = TaskFilter(
        status=TaskStatus.DONE,
        customer_id=first.customer_id,
        project_id=first.project_id,
        open_only=True,
        until=centre.clock.now(),
    )
    assert (await centre.callbacks.page(AGENT, nothing)).items == ()


async def test_a_step_on_what_somebody_else_changed_is_refused(centre: CallbackCentre) -> None:
    await centre.started()
    (task,) = await centre.all()
    with pytest.raises(StaleVersion):
        async with centre.database.transaction() as session:
            await centre.tasks.apply(
                session,
                task.task_id,
                "cancelled",
                lambda one: task_steps.cancel(one, CancelWhy.BY_HAND, now=centre.clock.now()),
                by="x",
                expected=7,
            )


async def test_the_points_of_a_finished_customer_follow_one_another(centre: CallbackCentre) -> None:
    project_id = await centre.started()
    await centre.desk.reach(project_id, Stage.COMPLETED, date(2026, 3, 2))
    async with centre.database.transaction() as session:
        project = await session.get_one(Project, project_id)
        project.delivery_state, project.appraised_at = "Y", centre.clock.now()
    await centre.desk.reach(project_id, Stage.DELIVERED, date(2026, 3, 2))
    await centre.tell()
    point = (await centre.all())[-1]
    assert (point.kind, point.point) == (CallbackType.FINISHED, "D3")
    async with centre.database.transaction() as session:
        await centre.tasks.apply(
            session,
            point.task_id,
            "cancelled",
            lambda one: task_steps.cancel(one, CancelWhy.BY_HAND, now=centre.clock.now()),
            by="x",
        )
    following = (await centre.all())[-1]
    assert (following.point, local(following.due_at)) == ("M1", "2026-04-02 09:30")


async def test_customers_that_turn_out_to_be_one_keep_their_tasks(centre: CallbackCentre) -> None:
    await centre.started()
    await centre.started("王建均", "13800138002")
    kept, gone = (task.customer_id for task in await centre.all())
    await centre.desk.merging.merge(MANAGER, kept, gone, reason="同一人", expected=None)
    await centre.tell()
    assert {task.customer_id for task in await centre.all()} == {kept}
    (merged,) = await centre.desk.merging.of_customer(MANAGER, kept)
    await centre.desk.merging.undo(MANAGER, merged.merge_id, reason="弄错了")
    await centre.tell()
    assert [task.customer_id for task in await centre.all()] == [kept, gone]


async def test_a_solved_problem_is_asked_about_once_more_by_a_linked_task(centre: CallbackCentre) -> None:
    await centre.started()
    centre.clock.advance(timedelta(days=1))
    await centre.bring_due()
    (task,) = await centre.all()
    now, bad = centre.clock.now(), finding(Verdict.DISSATISFIED, done_at=centre.clock.now())
    steps: list[tuple[str, Step]] = [
        ("dialled", lambda one: task_steps.dialled(one, new_ulid(), now=now)),
        ("answered", task_steps.answered),
        (
            "talked",
            lambda one: task_steps.talked(one, TalkEnd(answered=6, required=6, finding=bad), TIMES, now=now),
        ),
    ]
    async with centre.database.transaction() as session:
        for name, step in steps:
            await centre.tasks.apply(session, task.task_id, name, step, by="1001")
    solved = RevisitWanted(
        at=now,
        case_id=new_ulid(),
        no="TD1",
        customer_id=task.customer_id,
        project_id=task.project_id,
        callback_ref=task.task_id,
        question_id="KG1",
        specialist_id=None,
    )
    for _ in range(2):
        async with centre.database.transaction() as session:
            await centre.tasks.take(session, solved)
    first, again = await centre.all()
    assert (first.status, first.finding, first.revisit_id) == (TaskStatus.DONE, bad, again.task_id)
    assert (again.origin, again.previous_id, again.status) == (
        Origin.REVISIT,
        first.task_id,
        TaskStatus.PLANNED,
    )
