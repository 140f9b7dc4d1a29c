"""Repairs that a repair point has, and what points did, counted from the records (domain.md §1.13)."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from crm.domain.complaint_line import ProblemStatus
from crm.domain.repair import Route, RouteReason, VisitOutcome
from crm.domain.repair_point import PartKind
from crm.exports import FileForm
from crm.journal import Journal
from crm.point_figures import PointFigureReader, PointFigures
from crm.point_jobs import JobEnd, PointJobs
from crm.point_ledger import LedgerKind, PointLedger
from crm.repair_input import AskedRoute
from crm.repair_point_views import PointText
from crm.repair_points import RepairPoints
from crm.repair_views import RepairView
from kernel.access import Role
from kernel.audit import AuditLog
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.support.repairs import (
    CAPTAIN,
    DEMANDED,
    FINANCE,
    MANAGER,
    SPECIALIST,
    Company,
    open_company,
    person,
)

pytestmark = pytest.mark.integration

DAY = timedelta(days=1)


class Network:
    """A company with two repair points."""

    def __init__(self, company: Company) -> None:
        database, clock = company.database, company.clock
        journal = Journal(AuditLog(database, clock))
        self.company = company
        self.points = RepairPoints(database, clock, journal, zone=SHANGHAI)
        self.jobs = PointJobs(company.services.store, company.services.reader, zone=SHANGHAI)
        self.figures = PointFigureReader(database, zone=SHANGHAI)
        self.ledger = PointLedger(database, journal, zone=SHANGHAI)

    async def point(self, name: str, until: date | None = None) -> str:
        text = PointText(
            name=name,
            agreement_no=name,
            district="通州区",
            contact="张师傅",
            phone="13811112222",
            valid_from=date(2020, 1, 1),
            valid_to=until,
        )
        return (await self.points.put_point(MANAGER, None, text, expected=None)).point_id

    async def give(self, repair: RepairView, point_id: str, note: str = "") -> RepairView:
        await self.jobs.give(CAPTAIN, repair.case_id, expected=repair.version, point_id=point_id, note=note)
        return await self.company.services.reader.get(CAPTAIN, repair.case_id)

    @property
    def month(self) -> str:
        return f"{self.company.clock.now().astimezone(SHANGHAI):%Y-%m}"

    async def of(self, point_id: str) -> PointFigures:
        (found,) = [one for one in await self.figures.month(CAPTAIN, self.month) if one.point_id == point_id]
        return found


@pytest.fixture
async def network(sqlite: Database, clock: FakeClock, tmp_path: Path) -> Network:
    return Network(await open_company(sqlite, clock, tmp_path))


async def test_what_a_point_did_is_counted_from_the_records(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    network = Network(await open_company(database, clock, tmp_path))
    company = network.company
    mine, other = await network.point("张记"), await network.point("李记")
    repair = await network.give(await company.notified(DEMANDED), mine)
    repair = await company.visited(await company.appointed(repair, CAPTAIN), CAPTAIN)
    await company.cost(repair, crew="200.00", company="100.50")
    repair = await company.services.reader.get(CAPTAIN, repair.case_id)
    repair = await company.call_back(repair, ProblemStatus.SOLVED)
    await company.services.repairs.close(SPECIALIST, repair.case_id, expected=repair.version)
    # The same place again: it came back from the first point, which gets it once more and loses it.
    again = await network.give(await company.notified(DEMANDED), mine)
    with pytest.raises(Invalid):
        await network.give(again, other)
    again = await network.give(again, other, note="张记没有配件")
    again = await company.appointed(again, CAPTAIN)
    clock.advance(timedelta(hours=5))
    await company.visited(again, CAPTAIN, VisitOutcome.UNFINISHED)
    await company.register(DEMANDED, place="厨房")
    await network.points.move_part(
        CAPTAIN, mine, PartKind.ISSUE, part="=角阀", quantity="3", price="20", on_day=network.points.today()
    )
    await network.points.move_part(
        CAPTAIN, mine, PartKind.RETURN, part="=角阀", quantity="1", price="20", on_day=network.points.today()
    )
    await network.points.put_account(CAPTAIN, mine, network.month, budget="500", actual="300", expected=None)

    first, second = await network.of(mine), await network.of(other)
    assert (first.repairs, first.visits, first.appointed, first.on_time) == (2, 1, 1, 1)
    assert (first.costed, first.cost, first.budget, first.actual) == (
        *(1, Decimal("300.50")),
        *(Decimal(500), Decimal(300)),
    )
    assert (first.repeats, first.repeats_warranted, first.parts) == (1, 1, Decimal(40))
    assert (first.closed, first.first_time, first.answered, first.satisfied) == (1, 1, 1, 1)
    assert (second.repairs, second.visits, second.appointed, second.on_time) == (1, 1, 1, 0)
    assert (second.costed, second.repeats, second.budget) == (0, 0, None)
    assert await network.figures.stock(CAPTAIN, mine) == (("=角阀", Decimal(2)),)
    months = await network.figures.of_point(FINANCE, mine, until=network.month)
    assert len(months) == 12 and months[0] == first and months[1].repairs == 0

    found = await network.ledger.take_out(MANAGER, network.month, form=FileForm.CSV)
    rows = [row async for page in found.pages for row in page]
    assert [(row.kind, row.amount) for row in rows] == [
        (LedgerKind.ISSUE, 60),
        (LedgerKind.RETURN, -20),
        (LedgerKind.LABOUR, Decimal("300.50")),
        (LedgerKind.BUDGET, 500),
        (LedgerKind.ACTUAL, 300),
    ]
    assert rows[2].ref == repair.no and rows[4].approved is False
    assert (
        await network.ledger.take_out(MANAGER, network.month, form=FileForm.CSV, point_id=other)
    ).total == 0


async def test_only_what_the_captain_has_in_hand_goes_to_a_point(network: Network, clock: FakeClock) -> None:
    company = network.company
    mine, ended = await network.point("张记"), await network.point("旧点", date(2020, 12, 31))
    theirs = await company.notified()
    with pytest.raises(Conflict) as caught:
        await network.jobs.give(SPECIALIST, theirs.case_id, expected=theirs.version, point_id=mine)
    assert caught.value.field == "route"
    repair = await company.notified(DEMANDED)
    for point_id, error in ((ended, Conflict), (new_ulid(), NotFound), ("nonsense", NotFound)):
        with pytest.raises(error):
            await network.give(repair, point_id)
    with pytest.raises(StaleVersion):
        await network.jobs.give(CAPTAIN, repair.case_id, expected=repair.version - 1, point_id=mine)
    for role in (Role.FINANCE, Role.DEPARTMENT_MEMBER):
        somebody = person("外人", role, "CS")
        with pytest.raises(Forbidden):
            await network.jobs.give(somebody, repair.case_id, expected=repair.version, point_id=mine)
    repair = await network.give(repair, mine)
    with pytest.raises(Conflict):
        await network.give(repair, mine, note="再来一次")
    repair = await company.appointed(repair, CAPTAIN)
    repair = await company.services.work.depart(CAPTAIN, repair.case_id, expected=repair.version)
    with pytest.raises(Conflict) as caught:
        await network.jobs.take_back(CAPTAIN, repair.case_id, expected=repair.version, why="太远")
    assert caught.value.field == "status"


async def test_it_is_taken_back_or_ends_when_the_repair_is_routed_anew(network: Network) -> None:
    company = network.company
    mine = await network.point("张记")
    repair = await network.give(await company.notified(DEMANDED), mine)
    with pytest.raises(Invalid):
        await network.jobs.take_back(CAPTAIN, repair.case_id, expected=repair.version, why=" ")
    (job,) = await network.jobs.take_back(CAPTAIN, repair.case_id, expected=repair.version, why="太远")
    assert (job.ended_how, job.end_reason, job.ended_by) == (JobEnd.TAKEN_BACK, "太远", CAPTAIN.name)
    repair = await company.services.reader.get(CAPTAIN, repair.case_id)
    with pytest.raises(Conflict):
        await network.jobs.take_back(CAPTAIN, repair.case_id, expected=repair.version, why="太远")
    repair = await network.give(repair, mine)
    asked = AskedRoute(
        route=Route.OTHER_CREW, reason=RouteReason.CUSTOMER_DEMAND, crew_id=company.other_crew_id
    )
    await company.services.repairs.route(CAPTAIN, repair.case_id, expected=repair.version, asked=asked)
    latest, _ = await network.jobs.of_case(CAPTAIN, repair.case_id)
    assert (latest.ended_how, latest.end_reason) == (JobEnd.REROUTED, "")


async def test_who_sees_figures_and_takes_the_ledger_out(network: Network) -> None:
    mine = await network.point("张记")
    for somebody in (SPECIALIST, person("何琳", Role.HR)):
        with pytest.raises(Forbidden):
            await network.figures.month(somebody, network.month)
    with pytest.raises(Forbidden):
        await network.ledger.take_out(CAPTAIN, network.month, form=FileForm.XLSX)
    for month in ("2026-13", "", "=1+1"):
        with pytest.raises(Invalid):
            await network.figures.month(MANAGER, month)
    with pytest.raises(NotFound):
        await network.figures.of_point(MANAGER, new_ulid(), until=network.month)
    with pytest.raises(Invalid):
        await network.figures.of_point(MANAGER, mine, until=network.month, months=13)
