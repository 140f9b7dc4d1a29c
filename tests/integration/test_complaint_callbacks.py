"""Callbacks, rounds, plans, waivers and replies of complaints, on both databases: domain.md §1.3, C7, CN."""

from datetime import timedelta

import pytest

from crm.complaint_input import Timeliness
from crm.complaint_store import CaseOver
from crm.complaint_views import LineView
from crm.domain.case import CaseStatus, Severity, Source
from crm.domain.complaint import NextStep, NotYet, Verdict
from crm.domain.complaint_line import LineStatus, ProblemStatus
from crm.domain.line_steps import TooEarly
from crm.domain.machine import IllegalStep
from crm.events_cases import CallbackUnsolved
from crm.limits import TimerState, TimerView
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid
from kernel.ids import new_ulid
from tests.support.complaints import (
    COLLEAGUE,
    DESIGN,
    ENGINEER,
    MANAGER,
    SPECIALIST,
    WORKMANSHIP,
    Desk,
    open_desk,
)
from tests.support.limits import SettableClock, at, facts

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


# Callbacks and rounds


async def test_dissatisfied_is_a_new_round_then_an_escalation(desk: Desk) -> None:
    view = await desk.handed_off()
    await desk.done(view.lines[0])
    view = await desk.call_back(view, verdict=Verdict.DISSATISFIED)
    assert (view.header.round, view.next_step) == (2, NextStep.NEW_ROUND)
    assert view.header.status is CaseStatus.VERIFIED
    assert view.callbacks[-1].leads_to is NextStep.NEW_ROUND
    line = view.lines[0]
    assert (limit(line, "TS.T3").started_at, limit(line, "TS.T3").state) == (desk.now, TimerState.RUNNING)
    assert limit(line, "TS.T4").state is TimerState.STOPPED
    work = desk.services.work
    plan = desk.new_plan(visit_from=None, visit_until=None)
    line = await work.plan(ENGINEER, line.line_id, line.version, plan)
    line = await work.claim_done(ENGINEER, line.line_id, line.version, note="再次返工")
    assert limit(line, "TS.T4").started_at == desk.now
    assert [found.round for found in line.plans] == [1, 2]
    view = await desk.call_back(view, verdict=Verdict.DISSATISFIED, problem=ProblemStatus.IN_HAND)
    assert (view.header.round, view.next_step, view.escalation_why) == (
        2,
        NextStep.ESCALATE,
        "dissatisfied",
    )
    assert len(await facts(desk.database, CallbackUnsolved)) == 2


async def test_compensation_mentioned_makes_an_escalation_necessary(desk: Desk) -> None:
    view = await desk.handed_off()
    await desk.done(view.lines[0])
    view = await desk.call_back(view, compensation_mentioned=True)
    assert view.next_step is NextStep.ESCALATE
    with pytest.raises(NotYet) as owed:
        await desk.close(view)
    assert owed.value.field == "escalation"


async def test_not_reached_moves_nothing(desk: Desk) -> None:
    view = await desk.handed_off()
    await desk.done(view.lines[0])
    view = await desk.call_back(view, verdict=Verdict.NOT_REACHED, problem=None)
    assert (view.next_step, view.not_reached, view.header.status) == (
        NextStep.CALL_AGAIN,
        1,
        CaseStatus.DONE,
    )
    assert limit(view.lines[0], "TS.T4").state is TimerState.RUNNING


async def test_1_3_at_closing_the_callback_must_also_record_timeliness(desk: Desk) -> None:
    view = await desk.handed_off()
    await desk.done(view.lines[0])
    for verdict, problem, timeliness in (
        (Verdict.SATISFIED, ProblemStatus.SOLVED, None),
        (Verdict.DISSATISFIED, ProblemStatus.IN_HAND, None),
        (Verdict.NOT_REACHED, None, Timeliness.LATE),
    ):
        with pytest.raises(Invalid) as silent:
            await desk.call_back(view, verdict=verdict, problem=problem, timeliness=timeliness)
        assert silent.value.field == "timeliness"
    view = await desk.call_back(view, verdict=Verdict.NOT_REACHED, problem=None)
    assert view.callbacks[-1].timeliness is None
    view = await desk.call_back(view, timeliness=Timeliness.LATE)
    assert (view.callbacks[-1].timeliness, view.timeliness) == ("late", "late")


async def test_TS1_not_contacted_starts_T2_again_and_asks_for_a_call(desk: Desk) -> None:
    view = await desk.handed_off()
    await desk.done(view.lines[0])
    view = await desk.call_back(view, problem=ProblemStatus.NOT_CONTACTED)
    line = view.lines[0]
    assert line.needs_contact
    assert limit(line, "TS.T2").state is TimerState.RUNNING
    with pytest.raises(IllegalStep):
        await desk.services.work.plan(ENGINEER, line.line_id, line.version, desk.new_plan())
    line = await desk.services.work.verify(ENGINEER, line.line_id, line.version, facts="已致歉")
    assert limit(line, "TS.T3").state is TimerState.RUNNING


async def test_a_callback_asks_about_the_lines_that_are_done(desk: Desk) -> None:
    view = await desk.handed_off(WORKMANSHIP, DESIGN)
    with pytest.raises(TooEarly):
        await desk.call_back(view)
    await desk.done(view.lines[0])
    with pytest.raises(Invalid) as silent:
        await desk.call_back(view, problem=None)
    assert silent.value.field == "problem"
    with pytest.raises(Invalid) as strange:
        await desk.call_back(view, lines=((SPECIALIST.user_id, ProblemStatus.SOLVED),))
    assert strange.value.field == "lines"
    with pytest.raises(IllegalStep):
        await desk.call_back(view, lines=((view.lines[1].line_id, ProblemStatus.SOLVED),))
    view = await desk.call_back(view)
    assert [line.status for line in view.lines] == [LineStatus.CLOSED, LineStatus.HANDED_OFF]
    assert view.next_step is NextStep.WAIT
    with pytest.raises(NotYet) as early:
        await desk.close(view)
    assert early.value.field == "lines"


async def test_the_callback_that_was_cancelled_by_a_later_line_is_owed_again(desk: Desk) -> None:
    view = await desk.handed_off()
    await desk.done(view.lines[0])
    view = await desk.call_back(view)
    view = await desk.services.complaints.add_line(SPECIALIST, view.case_id, view.version, DESIGN)
    assert (view.header.status, view.called_back_at) == (CaseStatus.REGISTERED, None)


# The customer calls again


async def test_a_second_call_within_30_days_raises_the_severity(desk: Desk) -> None:
    call_id = new_ulid()
    view = await desk.handed_off(call_id=call_id)
    complaints = desk.services.complaints
    same = await complaints.called_again(COLLEAGUE, view.case_id, call_id=call_id)
    assert (same.header.call_count, same.header.severity) == (1, 1)
    desk.clock.advance(timedelta(days=29))
    again = await complaints.called_again(COLLEAGUE, view.case_id, note="催办")
    assert (again.header.call_count, again.header.severity) == (2, Severity.SERIOUS)
    assert [call.noted_by for call in again.calls] == ["周晓梅", "李娜"]
    with pytest.raises(Forbidden):
        await complaints.set_severity(SPECIALIST, view.case_id, again.version, Severity.GENERAL, "缓和")
    lower = await complaints.set_severity(
        MANAGER, view.case_id, again.version, Severity.GENERAL, "客户已缓和"
    )
    assert lower.header.severity == 1


async def test_a_call_after_30_days_counts_but_raises_nothing(desk: Desk) -> None:
    view = await desk.handed_off()
    desk.clock.advance(timedelta(days=31))
    again = await desk.services.complaints.called_again(SPECIALIST, view.case_id)
    assert (again.header.call_count, again.header.severity) == (2, 1)


# Not filed, waived, replied


async def test_CN_is_the_managers_alone_with_reason(desk: Desk) -> None:
    view = await desk.handed_off()
    end = desk.services.end
    with pytest.raises(Forbidden):
        await end.not_file(SPECIALIST, view.case_id, view.version, "咨询")
    with pytest.raises(Invalid) as silent:
        await end.not_file(MANAGER, view.case_id, view.version, "  ")
    assert silent.value.field == "reason"
    found = await end.not_file(MANAGER, view.case_id, view.version, "客户咨询工期，不构成投诉")
    assert (found.header.status, found.not_filed_by) == (CaseStatus.NOT_FILED, "沈静")
    assert not any(timer.is_open for line in found.lines for timer in line.limits)
    with pytest.raises(CaseOver):
        await desk.accept(found.lines[0])


async def test_the_manager_may_waive_the_callback_with_reason(desk: Desk) -> None:
    view = await desk.handed_off()
    end = desk.services.end
    with pytest.raises(NotYet):
        await end.waive_callback(MANAGER, view.case_id, view.version, "客户出国")
    await desk.done(view.lines[0])
    view = await desk.get(view)
    with pytest.raises(Forbidden):
        await end.waive_callback(SPECIALIST, view.case_id, view.version, "客户出国")
    view = await end.waive_callback(MANAGER, view.case_id, view.version, "客户出国，书面确认")
    assert (view.waived_by, view.lines[0].status) == ("沈静", LineStatus.CLOSED)
    assert (await desk.close(view)).header.status is CaseStatus.CLOSED


async def test_a_forwarded_order_closes_after_the_reply_to_its_source(desk: Desk) -> None:
    with pytest.raises(Invalid) as missing:
        await desk.new(source=Source.HOTLINE_FORWARD)
    assert missing.value.field == "external_no"
    view = await desk.handed_off(source=Source.HOTLINE_FORWARD, external_no="12345-20260320-77")
    assert [timer.code for timer in view.limits] == ["FO.REPLY"]
    await desk.done(view.lines[0])
    view = await desk.call_back(view)
    assert view.next_step is NextStep.REPLY_TO_SOURCE
    with pytest.raises(NotYet) as owed:
        await desk.close(view)
    assert owed.value.field == "reply_to_source"
    view = await desk.services.end.reply_to_source(SPECIALIST, view.case_id, view.version, "已返工，客户满意")
    assert not view.limits[0].is_open
    with pytest.raises(Conflict):
        await desk.services.end.reply_to_source(SPECIALIST, view.case_id, view.version, "再次")
    assert (await desk.close(view)).header.status is CaseStatus.CLOSED


# Plans


async def test_a_plan_that_pays_waits_for_the_manager_and_then_for_an_escalation(desk: Desk) -> None:
    view = await desk.handed_off()
    line = await desk.planned(view.lines[0], pay_customer="500", penalty="0")
    assert line.status is LineStatus.PLAN_REVIEW
    view = await desk.get(view)
    assert view.next_step is NextStep.APPROVE_PLAN
    work = desk.services.work
    with pytest.raises(Forbidden):
        await work.decide_plan(ENGINEER, line.line_id, line.version, approved=True)
    with pytest.raises(Invalid) as silent:
        await work.decide_plan(MANAGER, line.line_id, line.version, approved=False)
    assert silent.value.field == "reason"
    line = await work.decide_plan(MANAGER, line.line_id, line.version, approved=True)
    assert (line.status, line.plans[-1].approved, line.plans[-1].decided_by) == (
        LineStatus.PLANNED,
        True,
        "沈静",
    )
    view = await desk.get(view)
    assert (view.escalation_owed, view.escalation_why) == (True, "plan_pays_customer")


async def test_amounts_of_plans_have_two_decimals(desk: Desk) -> None:
    line = await desk.verified((await desk.handed_off()).lines[0])
    for field in ("pay_customer", "penalty"):
        with pytest.raises(Invalid) as refused:
            await desk.services.work.plan(
                ENGINEER, line.line_id, line.version, desk.new_plan(**{field: "0.001"})
            )
        assert refused.value.field == field
    assert (await desk.line(line)).version == line.version
