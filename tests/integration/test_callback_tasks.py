"""Callback tasks in the database: planned from the facts of a real project, once; held, thawed, cancelled."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

import app.models  # noqa: F401 - every table
from app.container import Role as Part
from app.container import open_centre
from app.runtime.redis_server import RedisServer
from app.settings import load_settings
from app.store import bring_up_to_date
from callback_campaigns.domain import task_steps
from callback_campaigns.domain.task import CancelWhy, Hold, RetryTimes, TalkEnd, TaskStatus
from callback_campaigns.domain.terms import CallbackType, Origin, Outcome, Verdict
from callback_campaigns.domain.windows import CallWish
from callback_campaigns.task_desk import TaskFilter
from callback_campaigns.task_tables import CallbackStepRow, CallbackTaskRow, DialAttemptRow
from callback_campaigns.tasks import Step
from crm.domain.freeze import CallbackKind, FollowUp
from crm.domain.project import Stage
from crm.events_cases import CaseClosed, LineDone
from crm.events_tickets import RevisitWanted
from crm.tables import Project, ServiceCase
from kernel.access import Actor, Permission, Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, NotFound, StaleVersion
from kernel.ids import new_ulid
from kernel.outbox import add_fact
from tests.support.callback_centre import CallbackCentre, make_centre
from tests.support.people import AGENT, MANAGER, make_desk
from tests.support.waiting import eventually
from tests.unit.callback_campaigns.tasks import TIMES, finding
from tests.unit.callback_campaigns.times import at, local

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 15:00"))


@pytest.fixture
def centre(sqlite: Database, clock: FakeClock) -> CallbackCentre:
    return make_centre(sqlite, clock)


def complaint(case_id: str, customer_id: str, project_id: str | None, now: datetime) -> ServiceCase:
    return ServiceCase(
        id=case_id,
        no="TS202603020001",
        kind="complaint",
        status="callback",
        customer_id=customer_id,
        project_id=project_id,
        summary="卫生间漏水",
        severity=1,
        opened_at=now,
    )


def line_done(case_id: str, line_id: str, now: datetime) -> LineDone:
    return LineDone(at=now, case_id=case_id, no="TS", line_id=line_id, department="ENG", specialist_id=None)


async def test_a_stage_makes_its_callback_once_however_often_it_is_told(centre: CallbackCentre) -> None:
    project_id = await centre.started()
    (task,) = await centre.all()
    assert (task.kind, task.status, task.project_id) == (
        CallbackType.START,
        TaskStatus.PLANNED,
        project_id,
    )
    assert local(task.due_at) == "2026-03-03 09:30"
    await centre.tell(again=True)
    assert await centre.all() == [task]


async def test_a_task_becomes_ready_when_it_is_due(centre: CallbackCentre) -> None:
    await centre.started()
    await centre.bring_due()
    assert [task.status for task in await centre.all()] == [TaskStatus.PLANNED]
    centre.clock.advance(timedelta(hours=18, minutes=30))
    await centre.bring_due()
    assert [task.status for task in await centre.all()] == [TaskStatus.READY]
    centre.clock.advance(timedelta(days=3))
    await centre.bring_due()


async def test_a_correction_cancels_what_the_voided_stage_planned(centre: CallbackCentre) -> None:
    project_id = await centre.started()
    await centre.desk.stages.correct(
        MANAGER, project_id, Stage.CREW_ASSIGNED, reason="登记错了", expected=None
    )
    await centre.tell()
    (task,) = await centre.all()
    assert task.cancelled_why is CancelWhy.STAGE_CORRECTED
    await centre.desk.reach(
        project_id,
        Stage.STARTED,
        date(2026, 3, 2),
        concealed_planned=date(2026, 4, 1),
        midterm_planned=date(2026, 5, 1),
    )
    await centre.tell()
    _, again = await centre.all()
    assert again.status is TaskStatus.PLANNED


async def test_what_is_told_late_plans_nothing_that_has_passed(centre: CallbackCentre) -> None:
    project_id = await centre.started()
    await centre.desk.stages.correct(
        MANAGER, project_id, Stage.CREW_ASSIGNED, reason="登记错了", expected=None
    )
    await centre.tell()
    planned = await centre.all()
    # The fact of the stage comes once more, as one does whose receiver had refused it.
    async with centre.database.transaction() as session:
        for table in (CallbackStepRow, CallbackTaskRow):
            await session.execute(delete(table))
    await centre.tell(again=True)
    assert (len(planned), await centre.all()) == (1, [])


async def test_CB3_a_freeze_holds_back_and_after_the_thaw_the_answer_decides(centre: CallbackCentre) -> None:
    await centre.started()
    (task,) = await centre.all()
    freezes = centre.desk.freezes
    await freezes.freeze(
        MANAGER, task.customer_id, scope="site", reason="协商中", planned_thaw=None, expected=None
    )
    await centre.tell()
    assert [one.status for one in await centre.all()] == [TaskStatus.FROZEN]
    answer = FollowUp(needed=True, kind=CallbackKind.START, on=date(2026, 3, 10))
    await freezes.thaw(MANAGER, task.customer_id, reason="谈好了", answer=answer, expected=None)
    await centre.tell()
    (back,) = await centre.all()
    assert (back.status, local(back.due_at)) == (TaskStatus.PLANNED, "2026-03-10 09:30")
    await centre.tell(again=True)
    assert await centre.all() == [back]


async def test_CB3_a_thaw_on_its_day_asks_and_another_callback_may_be_wanted(centre: CallbackCentre) -> None:
    await centre.started()
    (task,) = await centre.all()
    freezes = centre.desk.freezes
    frozen = await freezes.freeze(
        MANAGER,
        task.customer_id,
        scope="all",
        reason="家中有事",
        planned_thaw=date(2026, 3, 5),
        expected=None,
    )
    await centre.tell()
    centre.clock.advance(timedelta(days=4))
    await freezes.lift_due(Actor.system("timers"))
    await centre.tell()
    (asked,) = await centre.all()
    assert (asked.status, asked.holds) == (TaskStatus.FROZEN, frozenset({Hold.QUESTION}))
    wanted = FollowUp(needed=True, kind=CallbackKind.VISIT, on=date(2026, 3, 9))
    await freezes.answer(AGENT, frozen.freeze_id, wanted)
    await centre.tell()
    old, visit = await centre.all()
    assert old.cancelled_why is CancelWhy.NOT_NEEDED
    assert (visit.kind, visit.origin, local(visit.due_at)) == (
        CallbackType.VISIT,
        Origin.THAW,
        "2026-03-09 09:30",
    )


async def test_a_standstill_holds_and_a_cancelled_contract_ends(centre: CallbackCentre) -> None:
    project_id = await centre.started()
    stages = centre.desk.stages
    today = centre.desk.office.today()
    await stages.suspend(MANAGER, project_id, since=today, reason="停工", expected=None)
    await centre.tell()
    assert [task.holds for task in await centre.all()] == [frozenset({Hold.PROJECT})]
    await stages.resume(MANAGER, project_id, until=today, expected=None)
    await centre.tell()
    assert [task.status for task in await centre.all()] == [TaskStatus.PLANNED]
    await stages.end(MANAGER, project_id, stage=Stage.CANCELLED, reason="退单", expected=None)
    await centre.tell()
    start, churned = await centre.all()
    assert start.cancelled_why is CancelWhy.PROJECT_ENDED
    assert (churned.kind, churned.status) == (CallbackType.CHURNED, TaskStatus.PLANNED)


async def test_CB1_a_case_resolved_again_takes_the_place_of_its_callback(
    centre: CallbackCentre,
) -> None:
    project_id = await centre.started()
    (start,) = await centre.all()
    case_id, now = new_ulid(), centre.clock.now()
    async with centre.database.transaction() as session:
        session.add(complaint(case_id, start.customer_id, project_id, now))
    for line in ("L1", "L2"):
        async with centre.database.transaction() as session:
            await centre.tasks.take(session, line_done(case_id, line, now))
    _, first, second = await centre.all()
    assert (first.cancelled_why, first.replaced_by) == (CancelWhy.REPLACED, second.task_id)
    assert (second.previous_id, second.status) == (first.task_id, TaskStatus.PLANNED)
    assert local(second.window_end) == "2026-03-04 15:00"
    closed = CaseClosed(
        at=now,
        case_id=case_id,
        no="TS",
        customer_id=start.customer_id,
        round=1,
        satisfaction="satisfied",
        departments=("ENG",),
        specialist_id=None,
    )
    async with centre.database.transaction() as session:
        await centre.tasks.take(session, closed)
    assert [task.cancelled_why for task in await centre.all()][-1] is CancelWhy.CASE_CLOSED


async def test_CB9_stopped_for_one_project_and_enabled_again(centre: CallbackCentre) -> None:
    project_id = await centre.started()
    other_id = await centre.started("李秀英", "13800138002")
    with pytest.raises(Forbidden):
        await centre.callbacks.stop(AGENT, project_id, "KG", reason="客户要求")
    await centre.callbacks.stop(MANAGER, project_id, "KG", reason="客户要求")
    mine, other = await centre.all()
    assert mine.cancelled_why is CancelWhy.STOPPED
    assert (other.project_id, other.status) == (other_id, TaskStatus.PLANNED)
    with pytest.raises(Conflict):
        await centre.callbacks.stop(MANAGER, project_id, "KG", reason="客户要求")
    await centre.callbacks.enable(MANAGER, project_id, "KG", reason="可以了")
    with pytest.raises(Conflict):
        await centre.callbacks.enable(MANAGER, project_id, "KG", reason="可以了")
    await centre.callbacks.stop(MANAGER, project_id, "YB", reason="客户要求")
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
        project.delivery_state = "Y"
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


def attempt(number: str, state: str) -> DialAttemptRow:
    attempt_id, now = new_ulid(), at("2026-03-02 10:00")
    return DialAttemptRow(
        id=attempt_id,
        channel_id=f"att-{attempt_id}",
        number=number,
        node="pbx1",
        trunk="main",
        state=state,
        survey=True,
        began_at=now,
        since=now,
    )


async def test_one_open_attempt_per_number_across_all_campaigns(database: Database) -> None:
    async with database.transaction() as session:
        session.add_all(
            [
                attempt("+8613800138001", "ended"),
                attempt("+8613800138001", "ended"),
                attempt("+8613800138001", "looking"),
                attempt("+8613800138002", "sending"),
            ]
        )
    with pytest.raises(IntegrityError):
        async with database.transaction() as session:
            session.add(attempt("+8613800138001", "sending"))


async def test_the_same_facts_plan_the_same_on_both_databases(database: Database, clock: FakeClock) -> None:
    centre = make_centre(database, clock)
    await centre.started()
    await centre.tell(again=True)
    assert len(await centre.all()) == 1
    assert len((await centre.callbacks.page(AGENT, TaskFilter(open_only=True))).items) == 1


async def test_a_running_centre_plans_and_brings_due_by_itself(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    settings = load_settings({}, data_dir=tmp_path / "data", redis_url=redis_server.url, web={"port": 0})
    await bring_up_to_date(settings)
    async with open_centre(settings, frozenset({Part.WEB})) as running:
        database, clock = running.base.database, running.base.clock
        customer = await make_desk(database, clock).customer()
        async with database.transaction() as session:
            case_id, now = new_ulid(), clock.now()
            session.add(complaint(case_id, customer.customer_id, None, now))
            # A case is called about on any day, so that no calendar is asked.
            add_fact(session, line_done(case_id, "L1", now))

        async def found() -> Sequence[CallbackTaskRow]:
            async with database.session() as session:
                return (await session.scalars(select(CallbackTaskRow))).all()

        await eventually(found, timeout=20)
        (task,) = await found()
        assert (task.kind, task.case_id) == ("TS", case_id)
        health = running.base.tasks.health()
        assert health["callback-facts"].crashes == health["callback-due"].crashes == 0
