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
from callback_campaigns.domain.task import CancelWhy, Hold, TaskStatus
from callback_campaigns.domain.terms import CallbackType, Channel, Origin
from callback_campaigns.report_tables import RegularReportRow
from callback_campaigns.task_desk import TaskFilter
from callback_campaigns.task_tables import CallbackStepRow, CallbackTaskRow, DialAttemptRow
from crm.domain.customer import Level
from crm.domain.freeze import CallbackKind, FollowUp
from crm.domain.machine import IllegalStep
from crm.domain.project import Stage
from crm.events_cases import CaseClosed, LineDone, SeverityRaised
from crm.tables import ServiceCase
from kernel.access import Actor
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from kernel.outbox import add_fact
from tests.support.callback_centre import CallbackCentre, make_centre
from tests.support.people import AGENT, MANAGER, make_desk
from tests.support.waiting import eventually
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


async def test_TS_a_complaint_that_became_serious_after_the_plan_is_asked_about_by_people(
    centre: CallbackCentre,
) -> None:
    project_id = await centre.started()
    (start,) = await centre.all()
    case_id, now = new_ulid(), centre.clock.now()
    async with centre.database.transaction() as session:
        session.add(complaint(case_id, start.customer_id, project_id, now))
    async with centre.database.transaction() as session:
        await centre.tasks.take(session, line_done(case_id, "L1", now))
    assert [task.channel for task in await centre.all()] == [Channel.IVR, Channel.IVR]
    raised = SeverityRaised(
        at=now, case_id=case_id, no="TS", severity=2, before=1, reason="called again", specialist_id=None
    )
    async with centre.database.transaction() as session:
        (await session.get_one(ServiceCase, case_id)).severity = 2
        (await session.get_one(CallbackTaskRow, (await centre.all())[1].task_id)).status = "dialling"
    with pytest.raises(IllegalStep, match="being called"):
        async with centre.database.transaction() as session:
            await centre.tasks.take(session, raised)
    async with centre.database.transaction() as session:
        (await session.get_one(CallbackTaskRow, (await centre.all())[1].task_id)).status = "retry_wait"
    for _ in range(2):
        async with centre.database.transaction() as session:
            await centre.tasks.take(session, raised)
    assert [task.channel for task in await centre.all()] == [Channel.IVR, Channel.AGENT]
    async with centre.database.session() as session:
        steps = (await session.scalars(select(CallbackStepRow.step))).all()
    assert steps.count("regraded") == 1


async def test_a_customer_who_becomes_level_A_is_called_by_people_and_first(centre: CallbackCentre) -> None:
    await centre.started()
    (before,) = await centre.all()
    assert (before.level, before.channel) == (Level.B, Channel.IVR)
    await centre.desk.people.set_level(MANAGER, before.customer_id, "A", "别墅客户", expected=None)
    await centre.tell()
    (after,) = await centre.all()
    assert (after.level, after.channel) == (Level.A, Channel.AGENT)
    # Less important again: who is to be called by a person stays so.
    await centre.desk.people.set_level(MANAGER, before.customer_id, "C", "登记有误", expected=None)
    await centre.tell()
    (again,) = await centre.all()
    assert (again.level, again.channel) == (Level.C, Channel.AGENT)


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

        async def waiting() -> bool:
            async with database.session() as session:
                return len((await session.scalars(select(RegularReportRow.code))).all()) == 3

        await eventually(waiting, timeout=20)  # this month's reports
        health = running.base.tasks.health()
        assert health["regular-reports"].crashes == 0
        assert health["callback-facts"].crashes == health["callback-due"].crashes == 0
