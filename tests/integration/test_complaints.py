"""Complaints from registration to closing, on both databases: domain.md §1.3, C0–C8, CN, limits."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from crm.complaint_input import Acceptance, Analysis
from crm.complaint_store import CaseOver
from crm.complaint_views import LineView
from crm.domain.case import CaseStatus
from crm.domain.complaint import NextStep, NotYet, Verdict
from crm.domain.complaint_line import AcceptMode, LineStatus
from crm.domain.line_steps import SamePerson
from crm.domain.machine import IllegalStep
from crm.events_cases import CaseClosed, HandOffSent, HandOffSigned, LineRejected
from crm.handoffs import Dispatch
from crm.limits import TimerState, TimerView
from kernel.access import Role
from kernel.audit import AuditLog
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from tests.support.complaints import (
    DESIGN,
    DESIGNER,
    DRAWN,
    ENG_DEPUTY,
    ENG_WORKER,
    ENGINEER,
    HOUR,
    MANAGER,
    PIN,
    SPECIALIST,
    WORKMANSHIP,
    Desk,
    open_desk,
    person,
)
from tests.support.limits import SettableClock, at, facts, local

pytestmark = pytest.mark.integration


@pytest.fixture
def clock() -> SettableClock:
    """Friday 20 March 2026, 16:30: the worked example's registration."""
    return SettableClock(at("2026-03-20T16:30"))


@pytest.fixture
async def desk(database: Database, clock: SettableClock) -> Desk:
    return await open_desk(database, clock)


def limit(line: LineView, code: str) -> TimerView:
    """Return the newest limit of a code that counts."""
    return [found for found in line.limits if found.code == code and found.state is not TimerState.VOID][-1]


async def test_registering_is_one_call_C0_and_C1(desk: Desk) -> None:
    view = await desk.handed_off(WORKMANSHIP, DESIGN, want_by=desk.now + timedelta(days=7))
    assert view.no == "TS202603200001"
    assert view.header.status is CaseStatus.HANDED_OFF
    assert [line.department for line in view.lines] == ["ENG", "DES"]
    assert [line.status for line in view.lines] == [LineStatus.HANDED_OFF] * 2
    assert [line.handoffs[0].receipt_no for line in view.lines] == [f"{view.no}-01", f"{view.no}-02"]
    assert view.next_step is NextStep.WAIT
    sent = await facts(desk.database, HandOffSent)
    assert [fact.department for fact in sent] == ["ENG", "DES"]
    assert local(sent[0].due_at) == "Sat 03-21 10:00"
    assert local(sent[0].again_at) == "Sat 03-21 09:00", "two service hours after it was sent"


async def test_the_worked_example_of_set_A(desk: Desk, clock: SettableClock) -> None:
    view = await desk.handed_off()
    line = view.lines[0]
    assert local(limit(line, "TS.T1").due_at) == "Sat 03-21 10:00"
    clock.set(at("2026-03-21T09:10"))
    line = await desk.accept(line)
    assert limit(line, "TS.T1").state is TimerState.STOPPED
    assert local(limit(line, "TS.T2").due_at) == "Sun 03-22 09:10"
    clock.set(at("2026-03-21T15:00"))
    line = await desk.services.work.verify(ENGINEER, line.line_id, line.version, facts="属实")
    assert local(limit(line, "TS.T3").due_at) == "Sun 03-22 15:00"
    clock.set(at("2026-03-21T16:00"))
    plan = desk.new_plan(
        visit_from=at("2026-03-23T10:00"), visit_until=at("2026-03-23T12:00"), solve_at=at("2026-03-25T18:00")
    )
    line = await desk.services.work.plan(ENGINEER, line.line_id, line.version, plan)
    assert limit(line, "TS.T3").state is TimerState.STOPPED
    assert local(limit(line, "TS.T4").started_at) == "Mon 03-23 12:00"
    assert local(limit(line, "TS.T4").due_at) == "Wed 03-25 12:00"


async def test_the_same_in_set_B(desk: Desk, clock: SettableClock) -> None:
    async with desk.database.transaction() as session:
        await desk.book.policies.choose(session, "B", by="test")
    view = await desk.handed_off()
    assert view.header.limit_set == "B/1"
    line = view.lines[0]
    assert local(limit(line, "TS.T4").due_at) == "Sun 03-22 16:30"
    assert limit(line, "TS.T4").owner.user_id == SPECIALIST.user_id
    clock.set(at("2026-03-21T09:10"))
    line = await desk.accept(line)
    assert local(limit(line, "TS.T2").due_at) == "Sun 03-22 09:10"
    assert local(limit(line, "TS.T3").due_at) == "Sun 03-22 09:10"
    clock.set(at("2026-03-21T15:00"))
    line = await desk.services.work.verify(ENGINEER, line.line_id, line.version, facts="属实")
    assert local(limit(line, "TS.T3").due_at) == "Sun 03-22 09:10"
    rejected = (await desk.handed_off(DESIGN)).lines[0]
    clock.set(at("2026-03-21T16:00"))
    rejected = await desk.services.work.reject(DESIGNER, rejected.line_id, rejected.version, "与设计无关")
    new = await desk.services.complaints.reroute(
        SPECIALIST, rejected.line_id, rejected.version, "ENG", "属于施工"
    )
    assert local(limit(new, "TS.T4").due_at) == "Mon 03-23 15:00"  # of C0, not of the re-routing
    assert local(limit(new, "TS.T1").started_at) == "Sat 03-21 16:00"


async def test_T1_runs_from_registration_C0_although_the_hand_off_is_late(
    desk: Desk, clock: SettableClock
) -> None:
    view = await desk.new()
    clock.set(at("2026-03-21T09:50"))
    view = await desk.services.complaints.hand_off(SPECIALIST, view.case_id, view.version, Dispatch())
    assert local(view.lines[0].handoffs[0].due_at) == "Sat 03-21 10:00"
    clock.set(at("2026-03-21T10:01"))
    line = await desk.line(view.lines[0])
    assert line.overdue
    assert limit(line, "TS.T1").state is TimerState.RUNNING


async def test_a_complaint_goes_all_the_way_to_C8(desk: Desk) -> None:
    view = await desk.handed_off()
    await desk.done(view.lines[0])
    view = await desk.get(view)
    assert (view.header.status, view.next_step) == (CaseStatus.DONE, NextStep.CALL_BACK)
    view = await desk.call_back(view)
    assert (view.header.status, view.next_step) == (CaseStatus.CALLBACK, NextStep.CLOSE)
    assert view.lines[0].status is LineStatus.CLOSED
    assert view.lines[0].solved_at == desk.now
    analysis = Analysis(root_cause="基层未处理", preventive_step="贴砖前验收基层", owner="陈建国")
    view = await desk.services.end.close(SPECIALIST, view.case_id, view.version, analysis=analysis)
    assert view.header.status is CaseStatus.CLOSED
    assert view.header.closed_at == desk.now
    assert view.satisfaction == "satisfied"
    assert view.analysis is not None
    assert view.analysis.owner == "陈建国"
    assert not [timer for line in view.lines for timer in line.limits if timer.is_open]
    (closed,) = await facts(desk.database, CaseClosed)
    assert (closed.case_id, closed.not_filed) == (view.case_id, False)
    with pytest.raises(CaseOver):
        await desk.services.complaints.called_again(SPECIALIST, view.case_id)
    records = await AuditLog(desk.database, desk.clock).recent()
    assert {"complaint.register", "complaint.accept", "complaint.plan", "complaint.close"} <= {
        record.action for record in records
    }


# Receipts


async def test_the_receipt_says_who_when_and_from_where_and_never_changes(desk: Desk) -> None:
    view = await desk.handed_off()
    line, handoff_id = view.lines[0], view.lines[0].handoffs[0].handoff_id
    how = Acceptance(signature=DRAWN, mode=AcceptMode.VISIT_FIRST, person="刘铁柱")
    line = await desk.services.work.accept(ENGINEER, line.line_id, line.version, how)
    assert (line.status, line.person, line.accepted_by) == (LineStatus.ACCEPTED, "刘铁柱", "陈建国")
    sheet = await desk.services.handoffs.sheet(ENGINEER, handoff_id)
    receipt = sheet.handoff
    assert (receipt.state, receipt.received_by, receipt.received_ip) == ("signed", "陈建国", "10.1.2.3")
    assert receipt.received_at == desk.now
    assert sheet.sound
    assert len(sheet.strokes) == 2
    assert sheet.contract_no is not None
    assert sheet.phone is not None
    assert "*" not in sheet.phone  # who is to call the customer sees the number
    assert "*" in str((await desk.services.handoffs.sheet(SPECIALIST, handoff_id)).phone)
    for statement in (
        "UPDATE case_handoff SET received_by = 'x'",
        "UPDATE case_handoff SET state = 'waiting'",
        "DELETE FROM case_handoff",
    ):
        with pytest.raises(DBAPIError):
            async with desk.database.transaction() as session:
                await session.execute(text(statement))
    async with desk.database.transaction() as session:
        await session.execute(text("UPDATE complaint_line SET cause = 'x'"))
    assert not (await desk.services.handoffs.sheet(ENGINEER, handoff_id)).sound
    (signed,) = await facts(desk.database, HandOffSigned)
    assert (signed.received_by, signed.mode) == ("陈建国", "visit_first")


async def test_the_signer_is_the_departments_head_and_not_the_sender(desk: Desk) -> None:
    both = person("周晓梅", Role.DEPARTMENT_HEAD, "ENG")
    line = (await desk.handed_off()).lines[0]
    for stranger in (DESIGNER, ENG_WORKER, SPECIALIST, MANAGER):
        with pytest.raises((Forbidden, NotFound)):
            await desk.accept(line, stranger)
    sender = replace(both, user_id=SPECIALIST.user_id)
    with pytest.raises(SamePerson):
        await desk.accept(line, sender)
    assert (await desk.accept(line, ENG_DEPUTY)).accepted_by == "孙伟"


async def test_two_heads_sign_at_once_and_one_wins(desk: Desk) -> None:
    line = (await desk.handed_off()).lines[0]
    how = Acceptance(signature=PIN, mode=AcceptMode.PLAN_FIRST)
    work = desk.services.work
    done = await asyncio.gather(
        *(work.accept(head, line.line_id, line.version, how) for head in (ENGINEER, ENG_DEPUTY)),
        return_exceptions=True,
    )
    (lost,) = [found for found in done if isinstance(found, BaseException)]
    assert isinstance(lost, StaleVersion)
    (signed,) = await facts(desk.database, HandOffSigned)
    line = await desk.line(line)
    assert [handoff.received_by for handoff in line.handoffs] == [signed.received_by]
    assert len([found for found in line.limits if found.code == "TS.T2"]) == 1


async def test_a_departments_part_does_not_hold_up_anothers(desk: Desk) -> None:
    view = await desk.handed_off(WORKMANSHIP, DESIGN)
    first, second = view.lines
    how = Acceptance(signature=PIN, mode=AcceptMode.PLAN_FIRST)
    work = desk.services.work
    await asyncio.gather(
        work.accept(ENGINEER, first.line_id, first.version, how),
        work.accept(DESIGNER, second.line_id, second.version, how),
    )
    assert (await desk.get(view)).header.status is CaseStatus.ACCEPTED


async def test_rejected_is_unsigned_and_goes_to_another_department_C2R(desk: Desk) -> None:
    view = await desk.handed_off()
    line = view.lines[0]
    line = await desk.services.work.reject(ENGINEER, line.line_id, line.version, "材料问题，不是施工")
    (receipt,) = line.handoffs
    assert (receipt.state, receipt.signature_hash, receipt.reject_reason) == (
        "rejected",
        None,
        "材料问题，不是施工",
    )
    assert limit(line, "TS.T1").state is TimerState.STOPPED
    (told,) = await facts(desk.database, LineRejected)
    assert told.specialist_id == SPECIALIST.user_id
    view = await desk.get(view)
    assert (view.header.status, view.next_step) == (CaseStatus.REJECTED, NextStep.REROUTE)
    complaints = desk.services.complaints
    with pytest.raises(Invalid) as same:
        await complaints.reroute(SPECIALIST, line.line_id, line.version, "ENG", "再看看")
    assert same.value.field == "department"
    desk.clock.advance(HOUR)
    new = await complaints.reroute(
        SPECIALIST, line.line_id, line.version, "MAT", "瓷砖质量", hand_off=Dispatch()
    )
    assert (new.rerouted_from, new.department, new.position) == (line.line_id, "MAT", 2)
    assert limit(new, "TS.T1").started_at == desk.now
    view = await desk.get(view)
    assert [found.status for found in view.lines] == [LineStatus.REROUTED, LineStatus.HANDED_OFF]
    with pytest.raises(IllegalStep):
        await complaints.close_unfounded(SPECIALIST, line.line_id, view.lines[0].version, "x")


async def test_unfounded_lines_still_need_the_callback(desk: Desk) -> None:
    view = await desk.handed_off()
    line = view.lines[0]
    line = await desk.services.work.reject(ENGINEER, line.line_id, line.version, "现场无空鼓")
    line = await desk.services.complaints.close_unfounded(SPECIALIST, line.line_id, line.version, "复查属实")
    assert (line.status, line.settled_why) == (LineStatus.UNFOUNDED, "复查属实")
    with pytest.raises(NotYet) as early:
        await desk.close(view)
    assert early.value.field == "callback"
    view = await desk.call_back(view, problem=None, verdict=Verdict.NEUTRAL)
    assert view.next_step is NextStep.CLOSE
    assert (await desk.close(view)).header.status is CaseStatus.CLOSED
