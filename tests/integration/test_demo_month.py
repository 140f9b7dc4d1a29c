"""The demo company's month: believable, whole, and written by the real services. It is played once."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select, text

from app.demo.cases import Amount
from app.demo.homes import HOMES_WANTED, more_homes
from app.demo.month import DAYS, Ground, fill_month
from app.demo.people import OFFICE, Office, open_office
from app.demo.seed import demo_users, seed_company
from crm.cases import CaseFilter
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.case_figures import FigureCode
from crm.figure_period import Asked
from crm.tables import Customer, Department
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database, create_database
from tests.support.web import PASSWORD, cheap_passwords
from web.auth import build_accounts
from web.crm_part import CrmServices, build_crm
from web.deps import WebSettings
from web.pages.case_shown import ACTIONS
from web.permissions import Role

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

NOW = datetime(2026, 4, 22, 7, 0, tzinfo=UTC)
FEW = Amount(complaints=8, repairs=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A company after its month."""

    database: Database
    crm: CrmServices
    office: Office
    progress: list[tuple[int, int]]

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        async with self.database.session() as session:
            return [tuple(row) for row in (await session.execute(text(query))).all()]

    async def counts(self, table: str, column: str = "state") -> Counter[str]:
        """Return how many rows of a table have each state."""
        rows = await self.rows(f"SELECT {column}, count(*) FROM {table} GROUP BY 1")
        return Counter({str(state): number for state, number in rows})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Played]:
    folder: Path = tmp_path_factory.mktemp("month")
    database = create_database(f"sqlite+aiosqlite:///{folder / 'month.db'}", alone=True)
    await database.create_all()
    await seed_company(database, now=NOW)
    clock, progress = FakeClock(NOW), list[tuple[int, int]]()
    users = build_accounts(database, clock, passwords=cheap_passwords()).users
    for person in await demo_users(database):
        await users.create(
            login=person.login,
            password=PASSWORD,
            role=Role(person.role),
            display_name=person.name,
            agent_id=person.agent_id,
            department=person.department,
        )
    refused = await fill_month(
        database,
        WebSettings(files_dir=folder / "files"),
        until=NOW,
        homes=120,
        amount=FEW,
        progress=lambda done, total: progress.append((done, total)),
    )
    assert refused == 0
    crm = build_crm(Ground(settings=WebSettings(), database=database, clock=clock, bus=Bus()))
    try:
        yield Played(database=database, crm=crm, office=await open_office(database), progress=progress)
    finally:
        await database.dispose()


async def test_the_further_homes_are_the_same_each_time_and_all_different() -> None:
    made = more_homes()
    assert made == more_homes()
    names = {home.name for home in made}
    assert len(names) == len({home.phone for home in made}) == len({home.contract_no for home in made})
    assert len(names) == HOMES_WANTED


async def test_every_department_that_gets_complaints_has_somebody_who_may_sign(played: Played) -> None:
    signers = {user.department for user in OFFICE if user.role in (Role.DEPARTMENT_HEAD, Role.CAPTAIN)}
    assert signers == {"ENG", "DES", "MAT", "STO", "CS"}
    async with played.database.session() as session:
        heads = {row.code: row.head_user_id for row in await session.scalars(select(Department))}
    assert heads["ENG"] and heads["CS"]


async def test_4_1_a_level_with_a_reason_says_who_set_it_and_when(played: Played) -> None:
    async with played.database.session() as session:
        given = (await session.scalars(select(Customer).where(Customer.level_reason.is_not(None)))).all()
    assert {row.level for row in given} >= {"A", "B"}
    assert all(row.level_set_by == "孟岚" and row.level_set_at is not None for row in given)


async def test_every_day_is_played_and_told_of(played: Played) -> None:
    assert played.progress[-1] == (DAYS, DAYS)
    assert all(earlier <= later for earlier, later in pairwise(played.progress))


async def test_cases_of_each_kind_are_on_every_part_of_their_way(played: Played) -> None:
    rows = await played.rows("SELECT kind, status FROM service_case WHERE opened_by IS NOT NULL")
    found = Counter((str(kind), CaseStatus(str(status))) for kind, status in rows)
    assert {kind for kind, _ in found} == {"complaint", "repair", "ticket"}
    assert sum(number for (_, status), number in found.items() if not status.is_open) > len(rows) / 3
    assert len({status for kind, status in found if kind == "complaint"}) >= 5
    assert len({status for kind, status in found if kind == "ticket"}) >= 5
    assert max(await played.counts("service_case", "round")) > "1"


async def test_major_complaints_stand_at_several_stages(played: Played) -> None:
    assert len(await played.counts("escalation")) >= 5
    assert set(await played.counts("compensation")) == {"requested", "vouchered", "paid"}
    (open_recoveries,) = await played.rows(
        "SELECT count(*) FROM recovery WHERE done_at IS NULL AND sent_at > ''"
    )
    assert open_recoveries[0] == 1


async def test_the_office_keeps_its_routine(played: Played) -> None:
    assert await played.counts("improvement_measure") == {"open": 2, "reported": 1}
    assert await played.counts("customer_voice", "kind") == {"suggestion": 4, "competitor": 2}
    assert (await played.counts("patrol", "slot"))["afternoon"] > 20
    assert await played.counts("duty_shift", "shift") == dict.fromkeys(("early", "late", "night"), 31)


async def test_repair_costs_reach_the_deposits_and_one_is_short(played: Played) -> None:
    assert {"costed", "cs_signed"} <= set(await played.counts("repair_cost"))
    assert set(await played.counts("deposit_posting", "kind")) == {"initial", "withhold", "deduct"}
    assert await played.rows("SELECT 1 FROM crew_receivable")


async def test_late_cases_stand_on_each_step_of_the_chain(played: Played) -> None:
    rows = await played.rows(
        "SELECT red_at IS NOT NULL, escalated_at IS NOT NULL, count(*) FROM limit_timer"
        " WHERE breached_at IS NOT NULL AND stopped_at IS NULL GROUP BY 1, 2"
    )
    assert {(bool(red), bool(escalated)) for red, escalated, _ in rows} == {
        (False, False),
        (True, False),
        (True, True),
    }
    lists = await played.crm.complaints.overdue.overdue_lists(played.office.manager)
    assert all(found.total for found in lists), "none of the six lists is empty"


async def test_callers_who_ask_again_and_forwarded_orders_are_there(played: Played) -> None:
    assert max(row[0] for row in await played.rows("SELECT call_count FROM service_case")) > 1
    assert await played.rows("SELECT 1 FROM source_reply")
    assert await played.rows("SELECT 1 FROM case_follow_up")


async def test_the_figures_make_sense(played: Played) -> None:
    asked = Asked(since=NOW - timedelta(days=DAYS), until=NOW)
    figures = await played.crm.figures.read(played.office.manager, asked)
    for code in (FigureCode.SATISFIED_RATE, FigureCode.ACCEPTED_IN_LIMIT):
        figure = figures.of(code)
        assert figure.numerator * 2 > figure.denominator > 0, code
    assert figures.of(FigureCode.COMPENSATION_RATE).numerator == 1


async def test_the_months_complaints_per_hundred_homes_are_those_of_a_decent_company() -> None:
    building = sum(home.stage < 80 for home in more_homes())
    assert 5 <= 100 * (Amount().complaints + 17) / building <= 10


async def test_nothing_lies_ahead_and_the_log_is_sound(played: Played) -> None:
    rows = await played.rows("SELECT max(opened_at), max(updated_at) FROM service_case")
    assert all(str(value) <= f"{NOW:%Y-%m-%d %H:%M:%S}.999" for value in rows[0])
    verdict = await AuditLog(played.database, FakeClock(NOW)).verify()
    assert verdict.sound and verdict.checked > 200


async def test_every_case_of_the_demo_can_be_opened_and_found(played: Played) -> None:
    manager = played.office.manager
    cases = (await played.crm.cases.page(manager, CaseFilter(), limit=200)).items
    assert len(cases) > 40
    for case in cases[::4]:
        if case.kind is CaseKind.COMPLAINT:
            assert (await played.crm.complaints.complaints.get(manager, case.case_id)).lines
        elif case.kind is CaseKind.REPAIR:
            assert (await played.crm.repairs.reader.get(manager, case.case_id)).case_id == case.case_id
        else:
            assert (await played.crm.tickets.tickets.get(manager, case.case_id)).parts
    async with played.database.session() as session:
        assert all(found.complete for found in await played.crm.feed.check(session))


async def test_warranties_say_what_has_run_out_and_what_was_left_out(played: Played) -> None:
    flags = await played.counts("warranty", "flag")
    assert set(flags) == {"pre", "full", "partial"}
    repairs = [json.loads(stored) for (stored,) in await played.rows("SELECT warranty FROM repair_order")]
    known = [one for one in repairs if one.get("items")]
    assert known and all(one["item"] for one in known)
    facts = await played.rows("SELECT payload FROM outbox")
    told = [payload for (payload,) in facts if b"StageReached" in payload]
    assert told, "callbacks about warranties that end soon are planned when the centre starts"


async def test_the_repair_point_has_an_agreement_books_and_repairs(played: Played) -> None:
    manager, points = played.office.manager, played.crm.repair_points
    (point,) = await points.points(manager)
    (agreement,) = await played.crm.point_files.of_point(manager, point.point_id)
    assert agreement.name.endswith(".pdf")
    months = await played.crm.point_figures.of_point(manager, point.point_id, until=f"{points.today():%Y-%m}")
    assert sum(one.repairs for one in months) > 0 and sum(one.visits for one in months) > 0
    assert sum(one.parts for one in months) > 0
    approved = [one for one in await points.accounts(manager) if one.approved_by]
    assert approved and approved[0].actual is not None


async def test_every_line_of_a_cases_history_is_in_words(played: Played) -> None:
    entities = ("complaint", "complaint_line", "repair", "ticket", "ticket_part")
    rows = await played.rows("SELECT DISTINCT entity, action FROM audit_record")
    noted = {action for entity, action in rows if entity in entities}
    assert len(noted) > 25
    assert noted - set(ACTIONS) == set()
