"""Visits, callbacks and closing of repairs on both databases: domain.md §1.5 R5–R7, K0."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from crm.domain.case import CaseStatus, Source
from crm.domain.complaint_line import ProblemStatus
from crm.domain.forwarded import ReplyOwed
from crm.domain.machine import IllegalStep
from crm.domain.repair import InTime, Route, RouteReason, Step, VisitOutcome
from crm.repair_input import AskedRoute, NewAppointment
from crm.repair_read import RepairFilter
from crm.repair_views import RepairList, RepairView
from crm.tables import Contact
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid
from tests.support.repairs import (
    CAPTAIN,
    DEMANDED,
    HOUR,
    MANAGER,
    SPECIALIST,
    Company,
    open_company,
)

pytestmark = pytest.mark.integration

ORIGINAL = AskedRoute(route=Route.ORIGINAL)
NO_CONTACT = AskedRoute(route=Route.CAPTAIN, reason=RouteReason.ORIGINAL_NO_CONTACT)


@pytest.fixture
async def company(database: Database, clock: FakeClock, tmp_path: Path) -> Company:
    return await open_company(database, clock, tmp_path / "files")


def running(repair: RepairView) -> dict[str, str]:
    """Code → due time of the limits that run, in hours from Monday 10:00."""
    return {timer.code: f"{timer.due_at:%m-%d %H:%M}" for timer in repair.timers if timer.is_open}


async def test_a_visit_is_on_the_way_arrived_and_done(company: Company) -> None:
    repair = await company.appointed(await company.notified(DEMANDED), CAPTAIN)
    work = company.services.work
    repair = await work.depart(CAPTAIN, repair.case_id, expected=repair.version)
    with pytest.raises(Conflict, match="nobody has arrived"):
        await work.finish(
            CAPTAIN, repair.case_id, expected=repair.version, outcome=VisitOutcome.FIXED, result="好了"
        )
    repair = await company.visited(repair, CAPTAIN)
    (visit,) = repair.visits
    assert visit.en_route_at and visit.arrived_at and visit.done_at
    assert visit.en_route_at <= visit.arrived_at <= visit.done_at
    assert visit.outcome is VisitOutcome.FIXED and repair.status is CaseStatus.VISITED
    async with company.database.session() as session:
        entry = (await session.scalars(select(Contact).where(Contact.ref == visit.visit_id))).one()
    assert (entry.channel, entry.result, entry.detail["no"]) == ("visit", "fixed", repair.no)


async def test_R5_a_visit_leaves_the_callback_to_come_and_needs_an_arrival(company: Company) -> None:
    repair = await company.repaired()
    assert repair.status is CaseStatus.VISITED and repair.visits[0].arrived_at is not None
    assert "BX.R6" in running(repair) and Step.CLOSE not in repair.steps


async def test_R7_closes_after_the_customers_word_and_never_again(company: Company) -> None:
    repairs = company.services.repairs
    repair = await company.repaired()
    with pytest.raises((IllegalStep, Conflict, Forbidden)):
        await repairs.close(SPECIALIST, repair.case_id, expected=repair.version)
    repair = await company.call_back(repair, ProblemStatus.SOLVED)
    repair = await repairs.close(SPECIALIST, repair.case_id, expected=repair.version)
    assert repair.status is CaseStatus.CLOSED
    with pytest.raises((IllegalStep, Conflict)):
        await repairs.close(SPECIALIST, repair.case_id, expected=repair.version)


async def test_K0_runs_48_hours_from_the_end_of_a_repair_by_others(company: Company) -> None:
    own = await company.repaired(ORIGINAL)
    assert "BX.K0" not in running(own) and not own.cost_owed
    other = await company.repaired(DEMANDED)
    assert other.cost_owed and other.visits[0].done_at is not None
    (k0,) = [timer for timer in other.timers if timer.code == "BX.K0"]
    assert k0.due_at == other.visits[0].done_at + timedelta(hours=48)
    page = await company.services.reader.page(SPECIALIST, RepairFilter(which=RepairList.TO_COST))
    assert [item.no for item in page.items] == [other.no]


async def test_several_visits_are_possible_and_first_time_fix_is_known_in_the_end(company: Company) -> None:
    first = await company.repaired(ORIGINAL)
    first = await company.call_back(first, ProblemStatus.SOLVED)
    assert first.first_time_fix is True
    repair = await company.appointed(await company.notified())
    repair = await company.visited(repair, outcome=VisitOutcome.UNFINISHED)
    assert repair.first_time_fix is None and Step.APPOINT in repair.steps
    now = company.clock.now()
    again = NewAppointment(from_=now + 2 * HOUR, until=now + 3 * HOUR)
    repair = await company.services.work.appoint(
        SPECIALIST, repair.case_id, expected=repair.version, agreed=again
    )
    assert repair.plan == "重做地漏防水", "the plan stays when nobody says another"
    repair = await company.visited(repair)
    repair = await company.call_back(repair, ProblemStatus.SOLVED)
    assert repair.first_time_fix is False and len(repair.visits) == 2


async def test_R6_solved_leads_to_closing_and_ends_the_chain(company: Company) -> None:
    repair = await company.call_back(await company.repaired(), ProblemStatus.SOLVED)
    assert repair.status is CaseStatus.CALLBACK and set(running(repair)) == {"BX.K0"}
    repair = await company.services.repairs.close(SPECIALIST, repair.case_id, expected=repair.version)
    assert repair.status is CaseStatus.CLOSED and repair.case.closed_at is not None
    assert set(running(repair)) == {"BX.K0"}, "the cost is owed still"


async def test_a_callback_that_reaches_nobody_changes_nothing_but_is_kept(company: Company) -> None:
    before = await company.repaired()
    after = await company.call_back(before, ProblemStatus.NOT_CONNECTED)
    assert after.status is before.status and running(after) == running(before)
    assert [call.problem for call in after.callbacks] == [ProblemStatus.NOT_CONNECTED]
    page = await company.services.reader.page(SPECIALIST, RepairFilter(which=RepairList.TO_CALL_BACK))
    assert [item.no for item in page.items] == [after.no]


async def test_only_solved_lets_a_repair_close_and_unsolved_begins_another_round(company: Company) -> None:
    repair = await company.call_back(await company.repaired(), ProblemStatus.IN_HAND, remark="还在渗")
    assert (repair.status, repair.round) == (CaseStatus.ROUTED, 2)
    assert {"BX.R2", "BX.R6"} <= set(running(repair))
    with pytest.raises(IllegalStep):
        await company.services.repairs.close(SPECIALIST, repair.case_id, expected=repair.version)


async def test_K0_counts_from_the_end_of_the_repair_which_unsolved_was_not(company: Company) -> None:
    repair = await company.call_back(await company.repaired(), ProblemStatus.NOT_HANDLED)
    assert "BX.K0" not in running(repair) and not repair.cost_owed
    repair = await company.visited(await company.appointed(await company.notify(repair), CAPTAIN), CAPTAIN)
    (k0,) = [timer for timer in repair.timers if timer.code == "BX.K0" and timer.is_open]
    assert repair.visits[1].done_at == k0.started_at


async def test_a_customer_who_says_that_nobody_called_may_have_another_repairer_at_once(
    company: Company,
) -> None:
    repair = await company.call_back(await company.notified(), ProblemStatus.NOT_CONTACTED)
    assert repair.reroute_proposed
    repair = await company.services.repairs.route(
        SPECIALIST, repair.case_id, expected=repair.version, asked=NO_CONTACT
    )
    assert repair.route is Route.CAPTAIN and not repair.reroute_proposed


async def test_at_the_callback_contact_in_time_satisfaction_and_timeliness_are_recorded(
    company: Company,
) -> None:
    repair = await company.repaired()
    for missing in ("verdict", "contacted_in_time", "timely"):
        with pytest.raises(Invalid) as caught:
            await company.call_back(repair, ProblemStatus.SOLVED, **{missing: None})
        assert caught.value.field == missing
    with pytest.raises(Invalid):
        await company.call_back(repair, ProblemStatus.NOT_CONNECTED, timely=InTime.YES)
    done = await company.call_back(repair, ProblemStatus.SOLVED, contacted_in_time=InTime.UNKNOWN)
    assert done.callbacks[0].contacted_in_time is InTime.UNKNOWN


async def test_solved_without_a_visit_needs_to_say_how(company: Company) -> None:
    repair = await company.appointed(await company.notified())
    with pytest.raises(Invalid) as caught:
        await company.call_back(repair, ProblemStatus.SOLVED)
    assert caught.value.field == "no_visit_reason"
    repair = await company.call_back(repair, ProblemStatus.SOLVED, no_visit_reason="客户自行疏通")
    assert repair.status is CaseStatus.CALLBACK and repair.first_time_fix is False


async def test_only_the_manager_closes_without_the_customers_word(company: Company) -> None:
    repair = await company.notified()
    close = company.services.repairs.close
    with pytest.raises(Forbidden):
        await close(SPECIALIST, repair.case_id, expected=repair.version, waiver="联系不上客户")
    with pytest.raises(IllegalStep):
        await close(MANAGER, repair.case_id, expected=repair.version)
    repair = await close(MANAGER, repair.case_id, expected=repair.version, waiver="联系不上客户")
    assert (repair.status, repair.close_reason) == (CaseStatus.CLOSED, "联系不上客户")
    assert running(repair) == {}


async def test_a_forwarded_order_is_not_closed_before_its_hotline_has_a_reply(company: Company) -> None:
    repair = await company.register(ORIGINAL, source=Source.HOTLINE_FORWARD, external_no="12345-77")
    repair = await company.visited(await company.appointed(await company.notify(repair)))
    repair = await company.call_back(repair, ProblemStatus.SOLVED)
    with pytest.raises(ReplyOwed) as caught:
        await company.services.repairs.close(SPECIALIST, repair.case_id, expected=repair.version)
    assert caught.value.field == "reply_to_source"
