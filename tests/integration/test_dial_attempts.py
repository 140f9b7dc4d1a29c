"""Attempts in the database: every check at dial time, one open per number, nobody dialled by doubt."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.dial_attempts import DialAttempts, DialRequest
from callback_campaigns.dial_queries import began_on
from callback_campaigns.domain import attempt as rules
from callback_campaigns.domain.attempt import Attempt, AttemptEffect, AttemptLimits, AttemptState
from callback_campaigns.domain.frequency import Rate
from callback_campaigns.domain.refusal import Refusal, RefusalCode, Switch
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import CallbackType, Outcome
from callback_campaigns.rule_files import shipped_dialling, shipped_plan
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow, DialRefusalRow
from callback_campaigns.tasks import CallbackTasks
from crm.calendar_book import CalendarBook
from crm.domain.customer_rules import PhoneEntry
from crm.tables import Project, ServiceCase, Store
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import NotFound
from kernel.ids import new_ulid
from telephony.tables import CallRow
from tests.support.callback_centre import CallbackCentre, make_centre
from tests.support.dialling import numbers, waiting_customers
from tests.support.people import MANAGER
from tests.unit.callback_campaigns.times import at, local

pytestmark = pytest.mark.integration

NUMBER = "13800138001"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-03-02 15:00"))


async def ready(database: Database, clock: FakeClock, people: int = 1) -> CallbackCentre:
    """Return a centre with a task per customer, all of one family's number, ready on Tuesday at 10:00."""
    centre = make_centre(database, clock)
    for name in ("王建军", "王小明")[:people]:
        customer = await centre.desk.customer(name, NUMBER)
        crew = await centre.desk.crew(f"{name}施工队")
        record = await centre.desk.project(customer.customer_id, f"ZX-{name}", crew_id=crew)
        await centre.start_work(record.project.project_id)
    clock.advance(timedelta(hours=19))
    await centre.bring_due()
    return centre


@pytest.fixture
async def centre(sqlite: Database, clock: FakeClock) -> CallbackCentre:
    return await ready(sqlite, clock)


async def request(centre: CallbackCentre, which: int = 0, **changes: Any) -> DialRequest:
    task = (await centre.all())[which]
    now = centre.clock.now()
    switch = Switch(caller_id="01065558800", link_live=True, as_of=now, lines=10, per_second=50)
    known: dict[str, Any] = {
        "task_id": task.task_id,
        "number": NUMBER,
        "node": "pbx1",
        "trunk": "main",
        "carrier": "own",
        "switch": switch,
    }
    return DialRequest(**(known | changes))


async def begun(centre: CallbackCentre, **changes: Any) -> Attempt:
    made = await centre.attempts.begin(await request(centre, **changes))
    assert isinstance(made, Attempt), made
    return made


async def codes(centre: CallbackCentre) -> list[str]:
    async with centre.database.session() as session:
        query = select(DialRefusalRow.code).order_by(DialRefusalRow.at, DialRefusalRow.id)
        return list(await session.scalars(query))


async def refused(centre: CallbackCentre, **changes: Any) -> RefusalCode:
    answer = await centre.attempts.begin(await request(centre, **changes))
    assert isinstance(answer, Refusal)
    assert await codes(centre) == [answer.code.value]
    async with centre.database.session() as session:
        assert (await session.scalars(select(DialAttemptRow))).all() == []
    return answer.code


async def test_an_attempt_is_committed_before_anything_is_sent(centre: CallbackCentre) -> None:
    attempt = await begun(centre)
    (task,) = await centre.all()
    assert (task.status, task.attempt_id) == (TaskStatus.DIALLING, attempt.attempt_id)
    assert await centre.attempts.open_ones("pbx1") == [attempt]
    assert await centre.attempts.open_ones("pbx2") == []
    assert (attempt.state, attempt.number) == (AttemptState.SENDING, "+8613800138001")


async def test_nobody_answers_and_the_task_waits_for_its_next_try(centre: CallbackCentre) -> None:
    attempt = await begun(centre)
    now = centre.clock.now()
    await centre.attempts.move(attempt.attempt_id, lambda one: rules.rang(one, now=now))
    moved = await centre.attempts.move(
        attempt.attempt_id, lambda one: rules.ended(one, Outcome.NO_ANSWER, now=now)
    )
    assert moved.effects == (AttemptEffect.SETTLE,)
    (task,) = await centre.all()
    assert (task.status, local(task.due_at)) == (TaskStatus.RETRY_WAIT, "2026-03-03 14:00")
    detail = await centre.callbacks.get(MANAGER, task.task_id)
    assert [one.attempt_id for one in detail.invalid] == [attempt.attempt_id]
    await centre.attempts.move(attempt.attempt_id, lambda one: rules.ended(one, Outcome.BUSY, now=now))
    assert await centre.all() == [task]


async def test_killed_after_the_commit_it_is_looked_for_and_counts_and_is_not_sent_again(
    centre: CallbackCentre,
) -> None:
    attempt = await begun(centre)
    # A new process finds the row, and nothing of the kind in the PBX.
    (left,) = await centre.attempts.open_ones("pbx1")
    now, limits = centre.clock.now(), AttemptLimits()
    await centre.attempts.move(left.attempt_id, lambda one: rules.doubt(one, now=now))
    centre.clock.advance(limits.settle)
    later = centre.clock.now()
    moved = await centre.attempts.move(left.attempt_id, lambda one: rules.not_found(one, limits, now=later))
    assert moved.attempt.outcome is Outcome.UNKNOWN
    (task,) = await centre.all()
    assert task.status is TaskStatus.RETRY_WAIT
    assert [one.outcome for one in task.tried] == [Outcome.UNKNOWN]
    assert isinstance(await centre.attempts.begin(await request(centre)), Refusal)
    assert attempt.attempt_id == left.attempt_id


async def test_somebody_answers_and_the_talk_is_for_whoever_talks(centre: CallbackCentre) -> None:
    attempt = await begun(centre)
    now = centre.clock.now()
    await centre.attempts.move(attempt.attempt_id, lambda one: rules.answered(one, now=now))
    assert [task.status for task in await centre.all()] == [TaskStatus.TALKING]
    await centre.attempts.move(attempt.attempt_id, lambda one: rules.ended(one, Outcome.ANSWERED, now=now))
    assert [task.status for task in await centre.all()] == [TaskStatus.TALKING]
    assert await centre.attempts.open_ones("pbx1") == []


async def test_6_4_after_a_refusal_of_everything_one_call_about_safety_by_a_human_is_left(
    centre: CallbackCentre, clock: FakeClock
) -> None:
    (task,) = await centre.all()
    case_id = new_ulid()

    async def change(**values: Any) -> None:
        async with centre.desk.office.database.transaction() as session:
            mine = ServiceCase.id == case_id
            await session.execute(update(ServiceCase).where(mine).values(**values))

    async with centre.desk.office.database.transaction() as session:
        session.add(
            ServiceCase(
                id=case_id,
                no="BX202603030001",
                kind="repair",
                customer_id=task.customer_id,
                status="registered",
                summary="插座冒火花",
                severity=2,
                source="phone",
                opened_at=clock.now(),
            )
        )
        await session.flush()
        row = CallbackTaskRow.id == task.task_id
        await session.execute(update(CallbackTaskRow).where(row).values(category="case", case_id=case_id))
    await centre.desk.do_not_call.add(MANAGER, level=3, source="agent", evidence="不要再打", number=NUMBER)

    async def answer(agent: str | None = "1001") -> RefusalCode | Attempt:
        found = await centre.attempts.begin(await request(centre, agent=agent))
        return found.code if isinstance(found, Refusal) else found

    assert await answer(agent=None) is RefusalCode.DO_NOT_CALL, "not by a machine"
    await change(severity=1)
    assert await answer() is RefusalCode.DO_NOT_CALL, "only about safety"
    await change(severity=2, closed_at=clock.now())
    assert await answer() is RefusalCode.DO_NOT_CALL, "only while it is open"
    await change(closed_at=None)
    attempt = await answer()
    assert isinstance(attempt, Attempt)
    nobody = Outcome.NO_ANSWER
    await centre.attempts.move(attempt.attempt_id, lambda one: rules.ended(one, nobody, now=clock.now()))
    clock.advance(timedelta(hours=4))
    await centre.bring_due()
    assert await answer() is RefusalCode.DO_NOT_CALL, "once"


async def test_CB4_nobody_is_called_about_a_case_while_a_complaint_waits_to_be_accepted(
    centre: CallbackCentre, clock: FakeClock
) -> None:
    (task,) = await centre.all()
    async with centre.desk.office.database.transaction() as session:
        complaint = ServiceCase(
            id=new_ulid(),
            no="TS202603030001",
            kind="complaint",
            customer_id=task.customer_id,
            status="handed_off",
            summary="墙面开裂",
            source="phone",
            opened_at=clock.now(),
        )
        session.add(complaint)
        await session.flush()
        row = CallbackTaskRow.id == task.task_id
        about = {"category": "case", "case_id": complaint.id}
        await session.execute(update(CallbackTaskRow).where(row).values(**about))
    assert await refused(centre) is RefusalCode.COMPLAINT_WAITS
    async with centre.desk.office.database.transaction() as session:
        await session.execute(update(ServiceCase).values(status="accepted"))
    assert isinstance(await centre.attempts.begin(await request(centre)), Attempt)


async def test_do_not_call_is_asked_at_dial_time(centre: CallbackCentre) -> None:
    await centre.desk.do_not_call.add(MANAGER, level=1, source="agent", evidence="电话中说明", number=NUMBER)
    assert await refused(centre) is RefusalCode.DO_NOT_CALL


async def test_a_freeze_holds_before_its_fact_has_come(centre: CallbackCentre) -> None:
    (task,) = await centre.all()
    await centre.desk.freezes.freeze(
        MANAGER, task.customer_id, scope="all", reason="协商中", planned_thaw=None, expected=None
    )
    assert await refused(centre) is RefusalCode.FROZEN


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"number": "110"}, RefusalCode.NOT_DIALABLE),
        ({"number": "?"}, RefusalCode.BAD_NUMBER),
        ({"version": 77}, RefusalCode.TASK_CHANGED),
        ({"on_call": True}, RefusalCode.CUSTOMER_ON_CALL),
        ({"switch": Switch(running=False)}, RefusalCode.PAUSED),
    ],
)
async def test_each_refusal_is_a_row_with_its_code(
    centre: CallbackCentre, changes: dict[str, Any], code: RefusalCode
) -> None:
    assert await refused(centre, **changes) is code


async def test_outside_the_window_nobody_is_called(centre: CallbackCentre) -> None:
    centre.clock.advance(timedelta(hours=2, minutes=30))
    assert await refused(centre) is RefusalCode.OUTSIDE_WINDOW


async def test_after_a_call_the_number_is_left_alone_for_a_while(centre: CallbackCentre) -> None:
    attempt = await begun(centre)
    now = centre.clock.now()
    await centre.attempts.move(attempt.attempt_id, lambda one: rules.not_sent(one, now=now))
    centre.clock.advance(timedelta(minutes=16))
    await centre.bring_due()
    answer = await centre.attempts.begin(await request(centre))
    assert isinstance(answer, Refusal)
    assert (answer.code, local(answer.until)) == (RefusalCode.FREQUENCY, "2026-03-03 10:30")


async def test_unknown_tasks_attempts_and_carriers(centre: CallbackCentre) -> None:
    with pytest.raises(NotFound):
        await centre.attempts.begin(await request(centre, task_id=new_ulid()))
    with pytest.raises(NotFound):
        await centre.attempts.begin(await request(centre, carrier="nobody"))
    for unknown in (new_ulid(), "x"):
        with pytest.raises(NotFound):
            await centre.attempts.move(unknown, lambda one: rules.doubt(one, now=one.since))


async def test_two_diallers_at_once_call_a_family_once(database: Database, clock: FakeClock) -> None:
    centre = await ready(database, clock, people=2)
    wanted = [await request(centre, 0), await request(centre, 1)]
    answers = await asyncio.gather(*(centre.attempts.begin(one) for one in (*wanted, *wanted)))
    assert sum(isinstance(answer, Attempt) for answer in answers) == 1
    # The same reason for the same task is one row.
    assert 2 <= len(await codes(centre)) <= 3
    statuses = sorted(task.status for task in await centre.all())
    assert statuses == [TaskStatus.DIALLING, TaskStatus.READY]


async def test_two_processes_never_give_a_trunk_one_call_too_many(
    database: Database, clock: FakeClock
) -> None:
    now = at("2026-03-03 10:00")
    clock.advance(now - clock.now())
    tasks = await waiting_customers(database, clock, numbers("0", 12))
    processes = (make_centre(database, clock), make_centre(database, clock))

    async def switch(session: AsyncSession) -> Switch:
        return Switch(
            caller_id="01065558800",
            link_live=True,
            as_of=now,
            lines=99,
            per_second=99,
            trunk_per_second=3,
            trunk_started=await began_on(session, "main", clock.now()),
        )

    async def claims() -> int:
        waiting = [
            process.attempts.begin(
                DialRequest(
                    task_id=task, number=number, node="pbx1", trunk="main", carrier="own", switch=switch
                )
            )
            for index, (number, task) in enumerate(tasks.items())
            for process in [processes[index % 2]]
        ]
        return sum(isinstance(made, Attempt) for made in await asyncio.gather(*waiting))

    assert await claims() == 3
    clock.advance(timedelta(seconds=1))
    assert await claims() == 3


async def test_a_call_that_an_agent_dialled_by_hand_counts_for_the_number(centre: CallbackCentre) -> None:
    now = centre.clock.now()
    calls = [
        CallRow(
            call_id=new_ulid(),
            node="pbx1",
            direction=direction,
            from_number="1001",
            to_number=number,
            from_name="",
            state="ended",
            menu_path=[],
            started_at=now - timedelta(minutes=ago),
            talk_ms=0,
            hold_ms=0,
        )
        for direction, number, ago in (
            ("out", "+86" + NUMBER, 10),
            ("out", "+86" + NUMBER, 40),
            ("in", "+86" + NUMBER, 5),
            ("out", "+8613800138002", 5),
        )
    ]
    async with centre.database.transaction() as session:
        session.add_all(calls)
    answer = await centre.attempts.begin(await request(centre))
    assert isinstance(answer, Refusal)
    assert (answer.code, local(answer.until)) == (RefusalCode.FREQUENCY, "2026-03-03 10:20")


async def test_what_the_system_is_refused_leaves_the_list_and_one_row(centre: CallbackCentre) -> None:
    centre.clock.advance(timedelta(hours=12))
    for code in ("outside_window", "task_not_ready", "task_not_ready"):
        answer = await centre.attempts.begin(await request(centre, by_system=True))
        assert isinstance(answer, Refusal)
        assert answer.code.value == code
    (task,) = await centre.all()
    assert (task.status, local(task.due_at)) == (TaskStatus.PLANNED, "2026-03-04 09:30")
    assert sorted(await codes(centre)) == ["outside_window", "task_not_ready"]


async def test_what_a_campaign_lacks_is_one_row_and_no_task_of_it_moves(centre: CallbackCentre) -> None:
    campaign = new_ulid()
    for _ in range(3):
        await centre.attempts.held_back(campaign, Refusal(code=RefusalCode.LINK_DOWN))
    assert await codes(centre) == ["link_down"]


async def test_the_switch_is_asked_inside_the_transaction(centre: CallbackCentre) -> None:
    async def paused(session: object) -> Switch:
        return Switch(running=False, caller_id="01065558800", link_live=True, as_of=centre.clock.now())

    assert await refused(centre, switch=paused, by_system=True) is RefusalCode.PAUSED
    (task,) = await centre.all()
    assert task.status is TaskStatus.READY


async def test_the_longest_questionnaire_is_the_one_of_the_projects_own_store(
    centre: CallbackCentre,
) -> None:
    plan, dialling = shipped_plan(), shipped_dialling()
    slow = replace(plan.types[CallbackType.START], longest=timedelta(minutes=20))
    theirs = replace(plan, stores={"东城店": {CallbackType.START: slow}})
    office = centre.desk.office
    tasks = CallbackTasks(office, theirs, dialling, CalendarBook(centre.clock))
    attempts = DialAttempts(office, tasks, centre.desk.do_not_call, dialling)
    centre.clock.advance(at("2026-03-03 11:45") - centre.clock.now())
    store_id = new_ulid()
    async with centre.database.transaction() as session:
        session.add(Store(id=store_id, name="东城店"))
        await session.flush()
        await session.execute(update(Project).values(store_id=store_id))
    answer = await attempts.begin(await request(centre))
    assert isinstance(answer, Refusal)
    assert answer.code is RefusalCode.QUESTIONNAIRE_TOO_LONG


async def test_a_rate_over_a_week_is_kept(centre: CallbackCentre) -> None:
    dialling = shipped_dialling()
    weekly = replace(dialling.frequency, number=(Rate(1, timedelta(days=7)),))
    attempts = DialAttempts(
        centre.desk.office, centre.tasks, centre.desk.do_not_call, replace(dialling, frequency=weekly)
    )
    attempt, now = await begun(centre), centre.clock.now()
    await centre.attempts.move(attempt.attempt_id, lambda one: rules.ended(one, Outcome.NO_ANSWER, now=now))
    centre.clock.advance(timedelta(days=3))
    await centre.bring_due()
    answer = await attempts.begin(await request(centre))
    assert isinstance(answer, Refusal)
    assert (answer.code, answer.until) == (RefusalCode.FREQUENCY, attempt.began_at + timedelta(days=7))


async def empty(centre: CallbackCentre, number: str) -> None:
    attempt, now = await begun(centre, number=number), centre.clock.now()
    await centre.attempts.move(attempt.attempt_id, lambda one: rules.ended(one, Outcome.EMPTY, now=now))


async def test_an_empty_number_is_marked_and_another_one_is_called_instead(centre: CallbackCentre) -> None:
    (task,) = await centre.all()
    customers, known = centre.desk.people, [PhoneEntry(number=NUMBER)]
    two = [*known, PhoneEntry(number="13800138002")]
    await customers.set_phones(MANAGER, task.customer_id, two, expected=None)
    await empty(centre, NUMBER)
    (task,) = await centre.all()
    assert task.status is TaskStatus.READY
    centre.clock.advance(timedelta(hours=4))
    answer = await centre.attempts.begin(await request(centre, number=NUMBER))
    assert isinstance(answer, Refusal)
    assert answer.code is RefusalCode.BAD_NUMBER  # nor is it dialled about anything else
    await empty(centre, "13800138002")
    (task,) = await centre.all()
    assert task.status is TaskStatus.BAD_NUMBER
    # The store finds the right one.
    await centre.tell()
    new = [PhoneEntry(number="13800138003")]
    await customers.set_phones(MANAGER, task.customer_id, new, expected=None)
    await centre.tell()
    (task,) = await centre.all()
    assert (task.status, task.due_at) == (TaskStatus.READY, centre.clock.now())
