"""Complaints from registration to closing, on both databases: domain.md §1.3, C0–C8, CN, limits."""

from datetime import timedelta

import pytest

from crm.complaint_input import Analysis
from crm.complaint_store import CaseOver
from crm.complaint_views import LineView
from crm.domain.case import CaseStatus
from crm.domain.complaint import NextStep
from crm.domain.complaint_line import LineStatus
from crm.events_cases import CaseClosed, HandOffSent
from crm.handoffs import Dispatch
from crm.limits import TimerState, TimerView
from kernel.audit import AuditLog
from kernel.db import Database
from tests.support.complaints import (
    DESIGN,
    DESIGNER,
    ENGINEER,
    SPECIALIST,
    WORKMANSHIP,
    Desk,
    open_desk,
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
