"""The figures of domain.md §5.2 over real complaints and repairs, on both databases."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from crm.case_figures import CaseFigures, CaseFiguresReader
from crm.compensations import NewCompensation
from crm.complaint_input import NewLine, Timeliness
from crm.complaint_tables import Complaint, ComplaintLine
from crm.complaint_views import ComplaintView
from crm.domain.case_figures import Figure, FigureCode
from crm.domain.compensation import Bearer, LiableParty
from crm.domain.complaint import Verdict
from crm.domain.complaint_line import ProblemStatus
from crm.domain.deposit import PostingKind
from crm.escalation_views import EscalationView
from crm.escalations import Liability, NewEscalation
from crm.figure_period import Asked
from crm.handoffs import Dispatch
from crm.repair_tables import RepairRow
from crm.tables import CaseParty, Crew, Project, ServiceCase
from crm.ticket_tables import TicketPart, TicketRow
from kernel.access import GRANTS, Actor, Permission, Role
from kernel.business_time import SHANGHAI
from kernel.db import Database
from kernel.errors import Forbidden, Invalid
from tests.support.complaints import (
    BOSS,
    DESIGN,
    DESIGNER,
    ENGINEER,
    FINANCE,
    HOUR,
    MANAGER,
    SPECIALIST,
    Desk,
    open_desk,
    person,
)
from tests.support.limits import SettableClock, at
from tests.support.repairs import Company, open_company
from tests.support.web import PASSWORD, WebHarness, no_pages, same_origin
from web.auth import SESSION_COOKIE, Visitor
from web.deps import WebSettings

pytestmark = pytest.mark.integration

DAY = timedelta(days=1)


@pytest.fixture
def clock() -> SettableClock:
    """Friday 20 March 2026, 09:00."""
    return SettableClock(at("2026-03-20T09:00"))


@pytest.fixture
async def desk(database: Database, clock: SettableClock) -> Desk:
    desk = await open_desk(database, clock)
    await forget_cases(database)
    return desk


@pytest.fixture
async def company(database: Database, clock: SettableClock, tmp_path: Path) -> Company:
    company = await open_company(database, clock, tmp_path)
    await forget_cases(database)
    return company


async def forget_cases(database: Database) -> None:
    """Let the demo company have no cases yet: what is counted is what the test does."""
    async with database.transaction() as session:
        for table in (RepairRow, ComplaintLine, Complaint, TicketPart, TicketRow, CaseParty, ServiceCase):
            await session.execute(delete(table))


async def read(desk: Desk | Company, since: datetime | None = None, **asked: Any) -> CaseFigures:
    reader = CaseFiguresReader(desk.database, desk.clock, zone=SHANGHAI)
    begin = since or at("2026-03-01T00:00")
    return await reader.read(MANAGER, Asked(since=begin, until=begin + 60 * DAY, **asked))


def parts(found: Figure) -> tuple[Decimal | int, Decimal | int]:
    return found.numerator, found.denominator


async def one(desk: Desk | Company, code: FigureCode, **asked: Any) -> tuple[Decimal | int, Decimal | int]:
    return parts((await read(desk, **asked)).of(code))


async def solved(desk: Desk, **said: Any) -> None:
    view = await desk.handed_off()
    await desk.done(view.lines[0])
    await desk.call_back(view, **said)
    await desk.close(view)


async def test_without_any_case_every_rate_is_a_dash(desk: Desk) -> None:
    found = await read(desk)
    assert [figure.code for figure in found.figures] == list(FigureCode)
    empty = [figure for figure in found.figures if not figure.denominator]
    assert len(empty) >= len(FigureCode) - 3
    assert all(figure.value is None for figure in empty)
    assert [spread.count for spread in found.responses] == [0, 0]


async def test_complaint_rate_complaining_customers_over_projects_under_construction(desk: Desk) -> None:
    async with desk.database.transaction() as session:
        await session.execute(update(Project).values(stage=90, finished_on=at("2026-01-10T00:00").date()))
        built = update(Project).where(Project.id == desk.project_id)
        await session.execute(
            built.values(stage=60, started_on=at("2026-02-01T00:00").date(), finished_on=None)
        )
    await desk.new()
    await desk.new()
    assert await one(desk, FigureCode.COMPLAINT_RATE) == (1, 1)
    unfiled = await desk.new()
    await desk.services.end.not_file(MANAGER, unfiled.case_id, unfiled.version, "同一件事")
    assert await one(desk, FigureCode.COMPLAINT_RATE) == (1, 1)
    assert await one(desk, FigureCode.COMPLAINT_RATE, store="没有这个店") == (0, 0)


async def test_repeat_complaint_counts_customers(desk: Desk) -> None:
    await desk.new()
    assert await one(desk, FigureCode.REPEAT_COMPLAINT) == (0, 1)
    desk.clock.advance(DAY)
    await desk.new(DESIGN)
    assert await one(desk, FigureCode.REPEAT_COMPLAINT) == (1, 1)


async def test_repeat_complaint_same_class_same_project_after_long(desk: Desk, clock: SettableClock) -> None:
    await desk.new()
    clock.advance(200 * DAY)
    await desk.new(DESIGN)
    assert parts((await read(desk, clock.now() - DAY)).of(FigureCode.REPEAT_COMPLAINT)) == (0, 1)
    await desk.new()
    assert parts((await read(desk, clock.now() - DAY)).of(FigureCode.REPEAT_COMPLAINT)) == (1, 1)


async def test_first_response_time_and_share_within_limit(desk: Desk, clock: SettableClock) -> None:
    quick, slow = await desk.handed_off(), await desk.handed_off(DESIGN)
    clock.advance(timedelta(hours=1))
    await desk.verified(quick.lines[0])
    clock.advance(timedelta(hours=4))
    await desk.accept(slow.lines[0], DESIGNER)
    found = await read(desk)
    accept, verify = found.responses
    assert (accept.count, accept.mean) == (2, timedelta(hours=3))
    assert (verify.count, verify.median) == (1, timedelta())
    assert parts(found.of(FigureCode.ACCEPTED_IN_LIMIT)) == (1, 2)
    assert parts(found.of(FigureCode.VERIFIED_IN_LIMIT)) == (1, 1)
    assert await one(desk, FigureCode.ACCEPTED_IN_LIMIT, department="ENG") == (1, 1)
    assert await one(desk, FigureCode.ACCEPTED_IN_LIMIT, department="DES") == (0, 1)


async def test_closed_within_limit_days_timely_and_satisfied(desk: Desk) -> None:
    await solved(desk, timeliness=Timeliness.TIMELY)
    await solved(desk, verdict=Verdict.NEUTRAL, timeliness=Timeliness.LATE)
    found = await read(desk)
    assert parts(found.of(FigureCode.CLOSED_IN_LIMIT)) == (2, 2)
    assert parts(found.of(FigureCode.CLOSED_IN_LIMIT_STRICT)) == (2, 2)
    assert parts(found.of(FigureCode.TIMELY_RATE)) == (1, 2)
    assert parts(found.of(FigureCode.SATISFIED_RATE)) == (1, 2)
    assert parts(found.of(FigureCode.REOPEN_RATE)) == (0, 2)
    assert found.of(FigureCode.DAYS_TO_SOLVE).value == Decimal("1.13")


async def test_closed_within_limit_strict_counts_lines_that_were_rerouted_too(
    desk: Desk, clock: SettableClock
) -> None:
    view = await desk.handed_off()
    line = view.lines[0]
    clock.advance(timedelta(hours=5))  # T1 of the first line is broken
    line = await desk.services.work.reject(ENGINEER, line.line_id, line.version, "不是工程的事")
    new = await desk.services.complaints.reroute(SPECIALIST, line.line_id, line.version, "DES", "转设计")
    found = await desk.get(view)
    await desk.services.complaints.hand_off(SPECIALIST, view.case_id, found.version, Dispatch())
    await desk.done(new, DESIGNER)
    await desk.call_back(view)
    await desk.close(view)
    figures = await read(desk)
    assert parts(figures.of(FigureCode.CLOSED_IN_LIMIT)) == (1, 1)
    assert parts(figures.of(FigureCode.CLOSED_IN_LIMIT_STRICT)) == (0, 1)
    assert parts(figures.of(FigureCode.REJECTION_RATE)) == (1, 2)


async def test_handling_rate_and_closure_refusal_rate(desk: Desk) -> None:
    view = await desk.handed_off()
    await desk.accept((await desk.handed_off(DESIGN)).lines[0], DESIGNER)
    await desk.done(view.lines[0])
    assert await one(desk, FigureCode.HANDLING_RATE) == (1, 2)
    assert await one(desk, FigureCode.CLOSURE_REFUSAL_RATE) == (0, 1)
    await desk.call_back(view, verdict=Verdict.DISSATISFIED, problem=ProblemStatus.NOT_HANDLED)
    assert await one(desk, FigureCode.HANDLING_RATE) == (0, 2)
    assert await one(desk, FigureCode.CLOSURE_REFUSAL_RATE) == (1, 1)
    assert await one(desk, FigureCode.CLOSURE_REFUSAL_RATE, department="DES") == (0, 0)


async def test_repair_first_time_fix_departed_crew_cost_and_deposit(company: Company) -> None:
    async with company.database.transaction() as session:
        await session.execute(update(Crew).values(status="departed"))
    repair = await company.repaired()
    repair = await company.call_back(repair, ProblemStatus.SOLVED)
    await company.services.repairs.close(SPECIALIST, repair.case_id, expected=repair.version)
    await company.services.deposits.post(
        FINANCE, company.crew_id, kind=PostingKind.INITIAL, amount=Decimal(500), note="首次缴纳质保金"
    )
    cost = await company.reconciled(await company.cost(repair, "300.00", "66.50"))
    await company.services.settlements.settle(FINANCE, cost.cost_id, expected=cost.version)
    found = await read(company)
    assert found.of(FigureCode.REPAIR_DAYS_TO_SOLVE).value == Decimal("0.13")  # three hours
    assert parts(found.of(FigureCode.DEPOSIT_COVERAGE)) == (200, 300)
    assert parts(found.of(FigureCode.REPAIR_FIRST_TIME_FIX)) == (1, 1)
    assert parts(found.of(FigureCode.REPAIR_CLOSED_IN_LIMIT))[1] == 1
    assert parts(found.of(FigureCode.DEPARTED_CREW_SHARE)) == (1, 1)
    assert found.of(FigureCode.COST_PER_REPAIR).value == Decimal("366.50")


@pytest.fixture
async def light_desk(sqlite: Database, clock: SettableClock) -> Desk:
    """A desk on SQLite, for figures whose query is plain."""
    desk = await open_desk(sqlite, clock)
    await forget_cases(sqlite)
    return desk


async def major(desk: Desk, *lines: NewLine, visit: bool) -> tuple[ComplaintView, EscalationView]:
    """Register a complaint that becomes a major one, and let the manager look into it."""
    view = await desk.handed_off(*lines)
    stated = NewEscalation(
        cause="墙砖空鼓反复返工", process_so_far="两次上门未解决", demand="返工并赔偿三千元"
    )
    found = await desk.services.escalations.submit(SPECIALIST, view.case_id, view.version, stated)
    found = await desk.services.escalations.review(
        MANAGER, found.escalation_id, found.version, visit_needed=visit
    )
    return view, found


async def go_there(desk: Desk, found: EscalationView) -> EscalationView:
    """Agree on a visit in an hour and note that it took place."""
    escalations, begin = desk.services.escalations, desk.now + HOUR
    found = await escalations.agree_visit(
        MANAGER,
        found.escalation_id,
        found.version,
        visit_from=begin,
        visit_until=begin + HOUR,
        visit_with="陈建国",
    )
    desk.clock.advance(2 * HOUR)
    return await escalations.record_visit(
        MANAGER, found.escalation_id, found.version, visited_at=begin, record="现场核实"
    )


async def test_escalation_visits_within_two_working_days(light_desk: Desk, clock: SettableClock) -> None:
    desk, code = light_desk, FigureCode.ESCALATION_VISIT_IN_LIMIT
    _, in_time = await major(desk, visit=True)
    _, late = await major(desk, DESIGN, visit=True)
    await major(desk, visit=False)
    assert await one(desk, code) == (0, 0)  # none is due yet
    await go_there(desk, in_time)
    assert await one(desk, code) == (1, 1)
    clock.set(at("2026-03-24T18:01"))  # the end of the second working day is past
    assert await one(desk, code) == (1, 2)
    await go_there(desk, late)
    assert await one(desk, code) == (1, 2)
    assert await one(desk, code, store="没有这个店") == (0, 0)


async def test_compensation_rate_and_yuan_per_10000_of_contracts(light_desk: Desk) -> None:
    desk, services = light_desk, light_desk.services
    async with desk.database.transaction() as session:
        await session.execute(update(Project).values(stage=90, finished_on=at("2026-01-10T00:00").date()))
        built = update(Project).where(Project.id == desk.project_id)
        begun = at("2026-02-01T00:00").date()
        await session.execute(
            built.values(
                stage=60, started_on=begun, finished_on=None, amount=Decimal(190000), changes=Decimal(10000)
            )
        )
    view, found = await major(desk, visit=False)
    which = found.escalation_id
    shares = {LiableParty.COMPANY: Decimal(100)}
    found = await services.escalations.settle_liability(
        MANAGER, which, found.version, Liability(shares=shares, with_head="陈建国")
    )
    found = await services.escalations.plan(MANAGER, which, found.version, plan="返工并赔付", costs=True)
    asked = NewCompensation(
        amount=Decimal(3000), bearers={Bearer.COMPANY: Decimal(3000)}, reason="返工影响入住"
    )
    found = await services.compensations.request(MANAGER, which, found.version, asked)
    found = await services.compensations.review(BOSS, which, found.version, agreed=True)
    found = await services.compensations.write_voucher(
        FINANCE, which, found.version, voucher_no="PZ-1", amount=Decimal(3000)
    )
    found = await services.compensations.approve(BOSS, which, found.version, approved=True)
    found = await services.compensations.pay(FINANCE, which, found.version, receipt_no="SJ-1", paid_at=None)
    assert await one(desk, FigureCode.COMPENSATION_RATE) == (0, 0)  # the case is still open
    await desk.done(view.lines[0])
    await desk.call_back(view)
    found = await services.escalations.get(MANAGER, which)
    await services.escalations.close(SPECIALIST, which, found.version, outcome="客户满意")
    await desk.close(view)
    await solved(desk)
    figures = await read(desk)
    assert parts(figures.of(FigureCode.COMPENSATION_RATE)) == (1, 2)
    assert parts(figures.of(FigureCode.COMPENSATION_PER_10000)) == (3000, 200000)
    assert figures.of(FigureCode.COMPENSATION_PER_10000).value == Decimal("150.00")


async def test_reopen_rate_counts_cases_of_a_second_round(light_desk: Desk) -> None:
    desk = light_desk
    view = await desk.handed_off()
    await desk.done(view.lines[0])
    line = (await desk.call_back(view, verdict=Verdict.DISSATISFIED)).lines[0]
    work = desk.services.work
    again = desk.new_plan(visit_from=None, visit_until=None)
    line = await work.plan(ENGINEER, line.line_id, line.version, again)
    await work.claim_done(ENGINEER, line.line_id, line.version, note="再次返工")
    await desk.call_back(view)
    await desk.close(view)
    await solved(desk)
    assert await one(desk, FigureCode.REOPEN_RATE) == (1, 2)


async def test_only_those_of_the_period_count(desk: Desk) -> None:
    await solved(desk)
    assert parts((await read(desk, at("2026-06-01T00:00"))).of(FigureCode.CLOSED_IN_LIMIT)) == (0, 0)


@pytest.mark.parametrize("role", list(Role))
async def test_figures_are_for_those_who_see_the_red_list(sqlite: Database, role: Role) -> None:
    clock = SettableClock(at("2026-03-20T09:00"))
    reader = CaseFiguresReader(sqlite, clock, zone=SHANGHAI)
    asked = Asked(since=clock.now() - DAY, until=clock.now())
    someone: Actor = person("某人", role, "ENG")
    if Permission.RED_LIST_VIEW in GRANTS[role]:
        assert (await reader.read(someone, asked)).figures
        with pytest.raises(Invalid):
            await reader.read(someone, Asked(since=clock.now(), until=clock.now()))
    else:
        with pytest.raises(Forbidden):
            await reader.read(someone, asked)


async def test_figures_over_http(desk: Desk) -> None:
    await solved(desk)
    harness = WebHarness(desk.database, desk.clock, WebSettings())
    async with harness.serve(no_pages) as client:
        await harness.user(Role.GENERAL_MANAGER, login="boss")
        await harness.user(Role.AGENT, login="agent")

        async def ask(login: str, query: str) -> tuple[int, Any]:
            signed = await harness.accounts.authenticator.sign_in(login, PASSWORD, visitor=Visitor())
            headers = same_origin(client) | {"Cookie": f"{SESSION_COOKIE}={signed.session.secret}"}
            answer = await client.request("GET", f"/api/v1/case-figures?{query}", headers=headers)
            return answer.status, json.loads(await answer.text())

        march = "since=2026-03-01T00:00:00%2B08:00&until=2026-04-01T00:00:00%2B08:00"
        status, body = await ask("boss", march)
        assert status == 200, body
        figures = {figure["code"]: figure for figure in body["figures"]}
        assert figures["satisfied_rate"]["value"] == "100.00"
        assert (figures["satisfied_rate"]["numerator"], figures["satisfied_rate"]["denominator"]) == (
            "1",
            "1",
        )
        assert figures["repair_first_time_fix"]["value"] is None
        assert figures["deposit_coverage"]["whole_company"] is True
        assert (await ask("agent", march))[0] == 403
        status, body = await ask("boss", "since=2026-03-01T00:00:00Z&until=2026-02-01T00:00:00Z")
        assert (status, body["errors"][0]["field"]) == (400, "until")
