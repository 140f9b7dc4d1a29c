"""Settlements and crews' deposits on both databases: domain.md §1.5 K0–K6, §4.4 RepairCost and Deposit."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DBAPIError

from crm.domain.deposit import Overdrawn, PostingKind
from crm.domain.line_steps import SamePerson
from crm.domain.machine import IllegalStep
from crm.domain.repair import VisitOutcome
from crm.domain.repair_cost import CostBearer, CostKind, CostState, Figures, Material, MaterialKind
from crm.events_repairs import CostSheetMoved, DepositPosted, DepositShort
from crm.repair_tables import DepositPostingRow, ReceivableRow, RepairCostRow
from crm.settlement_read import CostFilter
from crm.settlement_views import CostView
from crm.settlements import NotRepaired
from kernel.access import Actor, Role
from kernel.audit import AuditLog
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from tests.support.limits import facts
from tests.support.repairs import (
    CAPTAIN,
    DEMANDED,
    ENGINEER,
    FINANCE,
    GENERAL_MANAGER,
    MANAGER,
    SPECIALIST,
    Company,
    open_company,
    person,
)

pytestmark = pytest.mark.integration

ZERO = Decimal("0.00")
YUAN = Decimal("1.00")


@pytest.fixture
async def company(database: Database, clock: FakeClock, tmp_path: Path) -> Company:
    return await open_company(database, clock, tmp_path / "files")


def figures(**changes: Any) -> Figures:
    """An abnormal repair that crew and customer pay: 200 + 3 × 45.50 + 30 = 366.50."""
    given: dict[str, Any] = {
        "labour": Decimal("200.00"),
        "travel": Decimal("30"),
        "material": (
            Material(
                item="聚氨酯防水涂料",
                kind=MaterialKind.AUXILIARY,
                quantity=Decimal(3),
                price=Decimal("45.50"),
                unit="桶",
            ),
        ),
        "total": Decimal("366.50"),
        "bearers": {CostBearer.CREW: Decimal("266.50"), CostBearer.CUSTOMER: Decimal(100)},
        "receipt_no": "SJ-0815",
    }
    return Figures(**(given | changes))


async def pay_in(company: Company, amount: str) -> None:
    await company.services.deposits.post(
        FINANCE, company.crew_id, kind=PostingKind.INITIAL, amount=Decimal(amount), note="首次缴纳质保金"
    )


async def settle(company: Company, cost: CostView) -> CostView:
    return await company.services.settlements.settle(FINANCE, cost.cost_id, expected=cost.version)


async def test_K0_the_server_reckons_and_material_makes_it_abnormal(company: Company) -> None:
    repair = await company.repaired()
    cost = await company.services.settlements.write(CAPTAIN, repair.case_id, expected=0, figures=figures())
    assert (cost.state, cost.kind, cost.total) == (CostState.COSTED, CostKind.ABNORMAL, Decimal("366.50"))
    assert cost.material[0].amount == Decimal("136.50")
    assert cost.bearers[CostBearer.CREW] == Decimal("266.50") and cost.crew == "刘施工队"
    seen = await company.services.reader.get(CAPTAIN, repair.case_id)
    assert not seen.cost_owed and [timer.code for timer in seen.timers if timer.is_open] == ["BX.R6"]


async def test_a_sheet_of_labour_only_is_normal(company: Company) -> None:
    cost = await company.cost(await company.repaired())
    assert cost.kind is CostKind.NORMAL


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"total": Decimal("366.51")}, "total"),
        ({"bearers": {CostBearer.CREW: Decimal("366.49")}}, "bearers"),
        (
            {"bearers": {CostBearer.COMPANY: Decimal("400"), CostBearer.CREW: Decimal("-33.50")}},
            "bearers.crew",
        ),
        ({"receipt_no": None}, "receipt_no"),
        ({"labour": Decimal("200.005")}, "labour"),
        ({"labour": Decimal("NaN")}, "labour"),
        ({"travel": Decimal(-30)}, "travel"),
        ({"labour": Decimal("1e30")}, "labour"),
    ],
)
async def test_amounts_that_do_not_add_up_are_refused_by_name(
    company: Company, changes: dict[str, Any], field: str
) -> None:
    repair = await company.repaired()
    with pytest.raises(Invalid) as caught:
        await company.services.settlements.write(
            CAPTAIN, repair.case_id, expected=0, figures=figures(**changes)
        )
    assert caught.value.field == field
    async with company.database.session() as session:
        assert await session.scalar(select(func.count()).select_from(RepairCostRow)) == 0


async def test_nothing_is_reckoned_before_something_is_repaired(company: Company) -> None:
    repair = await company.appointed(await company.notified(DEMANDED), CAPTAIN)
    with pytest.raises(NotRepaired):
        await company.cost(repair)
    repair = await company.visited(repair, CAPTAIN, VisitOutcome.NOT_HOME)
    with pytest.raises(NotRepaired):
        await company.cost(repair)


async def test_there_is_one_settlement_for_each_record(company: Company) -> None:
    repair = await company.repaired()
    await company.cost(repair)
    with pytest.raises(StaleVersion):
        await company.cost(repair)
    other = await company.repaired()
    results = await asyncio.gather(*(company.cost(other) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(result, CostView) for result in results) == 1
    assert sum(isinstance(result, StaleVersion) for result in results) == 3


async def test_K0_to_K6_is_signed_filed_reconciled_settled_and_closed(company: Company) -> None:
    await pay_in(company, "20000.00")
    cost = await company.reconciled(await company.cost(await company.repaired()))
    assert (cost.state, cost.month) == (CostState.RECONCILED, "2026-03")
    assert cost.service is not None and cost.service.name == "陈经理"
    assert cost.company is not None and cost.company.name == "钱总"
    cost = await settle(company, cost)
    assert (cost.state, cost.posted, cost.owed) == (CostState.SETTLED, Decimal("300.00"), ZERO)
    cost = await company.services.settlements.close(FINANCE, cost.cost_id, expected=cost.version)
    assert cost.state is CostState.CLOSED and cost.steps == ()
    account = await company.services.deposits.account(FINANCE, company.crew_id)
    assert account.balance == Decimal("19700.00")
    assert [(posting.kind, posting.amount) for posting in account.postings] == [
        (PostingKind.DEDUCT, Decimal("-300.00")),
        (PostingKind.INITIAL, Decimal("20000.00")),
    ]
    states = [fact.state for fact in await facts(company.database, CostSheetMoved)]
    assert states == ["cs_signed", "company_signed", "filed", "reconciled", "settled", "closed"]


async def test_the_signer_is_not_the_author(company: Company) -> None:
    repair = await company.repaired()
    settlements = company.services.settlements
    cost = await settlements.write(MANAGER, repair.case_id, expected=0, figures=figures())
    with pytest.raises(SamePerson):
        await settlements.sign_service(MANAGER, cost.cost_id, expected=cost.version)
    other = person("李经理", Role.MANAGER)
    cost = await settlements.sign_service(other, cost.cost_id, expected=cost.version)
    promoted = Actor(user_id=other.user_id, name=other.name, role=Role.GENERAL_MANAGER)
    with pytest.raises(SamePerson):
        await settlements.sign_company(promoted, cost.cost_id, expected=cost.version)


@pytest.mark.parametrize(
    "actor", [SPECIALIST, CAPTAIN, FINANCE, ENGINEER, person("管理员", Role.ADMINISTRATOR)]
)
async def test_nobody_else_signs(company: Company, actor: Actor) -> None:
    cost = await company.cost(await company.repaired())
    settlements = company.services.settlements
    with pytest.raises(Forbidden):
        await settlements.sign_service(actor, cost.cost_id, expected=cost.version)
    with pytest.raises(Forbidden):
        await settlements.sign_company(actor, cost.cost_id, expected=cost.version)


async def test_no_signature_is_passed_over(company: Company) -> None:
    cost = await company.cost(await company.repaired())
    settlements = company.services.settlements
    for step in (
        settlements.sign_company(GENERAL_MANAGER, cost.cost_id, expected=cost.version),
        settlements.file(SPECIALIST, cost.cost_id, expected=cost.version),
        settlements.reconcile(FINANCE, cost.cost_id, expected=cost.version, month="2026-03"),
        settlements.settle(FINANCE, cost.cost_id, expected=cost.version),
        settlements.close(FINANCE, cost.cost_id, expected=cost.version),
    ):
        with pytest.raises(IllegalStep) as caught:
            await step
        assert caught.value.field == "status"


async def test_a_change_after_K1_takes_it_back_to_K0_with_a_reason(company: Company) -> None:
    repair = await company.repaired()
    cost = await company.reconciled(await company.cost(repair))
    write = company.services.settlements.write
    with pytest.raises(Invalid) as caught:
        await write(CAPTAIN, repair.case_id, expected=cost.version, figures=figures())
    assert caught.value.field == "reason"
    cost = await write(CAPTAIN, repair.case_id, expected=cost.version, figures=figures(), reason="漏记材料费")
    assert (cost.state, cost.service, cost.company, cost.month) == (CostState.COSTED, None, None, None)
    assert (cost.reason, cost.revision, cost.total) == ("漏记材料费", 2, Decimal("366.50"))
    cost = await settle(company, await company.reconciled(cost))
    with pytest.raises(IllegalStep):
        await write(CAPTAIN, repair.case_id, expected=cost.version, figures=figures(), reason="再改")


async def test_whoever_is_to_sign_may_send_it_back(company: Company) -> None:
    cost = await company.cost(await company.repaired())
    settlements = company.services.settlements
    cost = await settlements.sign_service(MANAGER, cost.cost_id, expected=cost.version)
    with pytest.raises(Forbidden):
        await settlements.send_back(MANAGER, cost.cost_id, expected=cost.version, reason="单价过高")
    cost = await settlements.send_back(
        GENERAL_MANAGER, cost.cost_id, expected=cost.version, reason="单价过高"
    )
    assert (cost.state, cost.service, cost.reason) == (CostState.COSTED, None, "单价过高")


@pytest.mark.parametrize("month", ["2026-04", "2026-02", "2026-13", "203-1", "2026-3"])
async def test_a_month_that_is_ahead_or_before_the_filing_or_none_is_refused(
    company: Company, month: str
) -> None:
    cost = await company.cost(await company.repaired())
    settlements = company.services.settlements
    cost = await settlements.sign_service(MANAGER, cost.cost_id, expected=cost.version)
    cost = await settlements.sign_company(GENERAL_MANAGER, cost.cost_id, expected=cost.version)
    cost = await settlements.file(SPECIALIST, cost.cost_id, expected=cost.version)
    with pytest.raises(Invalid) as caught:
        await settlements.reconcile(FINANCE, cost.cost_id, expected=cost.version, month=month)
    assert caught.value.field == "month"


async def test_a_deposit_that_does_not_suffice_gives_what_is_there_and_a_receivable(company: Company) -> None:
    await pay_in(company, "120.50")
    cost = await settle(company, await company.reconciled(await company.cost(await company.repaired())))
    assert (cost.posted, cost.owed) == (Decimal("120.50"), Decimal("179.50"))
    account = await company.services.deposits.account(FINANCE, company.crew_id)
    assert (account.balance, account.owed) == (ZERO, Decimal("179.50"))
    (short,) = await facts(company.database, DepositShort)
    assert (short.due, short.posted, short.owed) == ("300.00", "120.50", "179.50")
    (receivable,) = (await company.services.deposits.receivables(FINANCE)).items
    assert receivable.no == cost.no
    clear = company.services.deposits.clear
    with pytest.raises(Forbidden):
        await clear(MANAGER, receivable.receivable_id, expected=receivable.version, note="现金收讫")
    done = await clear(FINANCE, receivable.receivable_id, expected=receivable.version, note="现金收讫")
    assert done.cleared_by == "孙会计"
    assert (await company.services.deposits.account(FINANCE, company.crew_id)).owed == ZERO


async def test_without_any_deposit_all_of_it_is_owed_and_nothing_is_posted(company: Company) -> None:
    cost = await settle(company, await company.reconciled(await company.cost(await company.repaired())))
    assert (cost.posted, cost.owed) == (ZERO, Decimal("300.00"))
    assert (await company.services.deposits.account(FINANCE, company.crew_id)).postings == ()


@pytest.mark.parametrize("bearer", [bearer for bearer in CostBearer if bearer is not CostBearer.CREW])
async def test_what_others_bear_leaves_the_deposit_alone(
    sqlite: Database, clock: FakeClock, tmp_path: Path, bearer: CostBearer
) -> None:
    company = await open_company(sqlite, clock, tmp_path / "files")
    await pay_in(company, "500")
    repair = await company.repaired()
    borne = Figures(
        labour=Decimal(300), total=Decimal(300), bearers={bearer: Decimal(300)}, receipt_no="SJ-7"
    )
    cost = await company.services.settlements.write(CAPTAIN, repair.case_id, expected=0, figures=borne)
    cost = await settle(company, await company.reconciled(cost))
    assert (cost.posted, cost.owed) == (ZERO, ZERO)
    assert (await company.services.deposits.account(FINANCE, company.crew_id)).balance == Decimal(500)


async def test_settlements_at_once_never_overdraw_a_deposit(company: Company) -> None:
    await pay_in(company, "700.00")
    ready = [await company.reconciled(await company.cost(await company.repaired())) for _ in range(4)]
    done = await asyncio.gather(*(settle(company, cost) for cost in ready))
    assert sorted(cost.posted for cost in done) == [ZERO, Decimal(100), Decimal(300), Decimal(300)]
    account = await company.services.deposits.account(FINANCE, company.crew_id)
    assert (account.balance, account.owed) == (ZERO, Decimal("500.00"))
    assert [posting.seq for posting in account.postings] == [4, 3, 2, 1]


async def test_a_settlement_is_settled_once_whoever_tries(company: Company) -> None:
    await pay_in(company, "1000.00")
    cost = await company.reconciled(await company.cost(await company.repaired()))
    results = await asyncio.gather(*(settle(company, cost) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(result, CostView) for result in results) == 1
    assert sum(isinstance(result, StaleVersion) for result in results) == 4
    account = await company.services.deposits.account(FINANCE, company.crew_id)
    assert account.balance == Decimal("700.00")
    async with company.database.session() as session:
        assert await session.scalar(select(func.count()).select_from(ReceivableRow)) == 0


async def test_releases_and_deductions_at_once_never_overdraw(company: Company) -> None:
    await pay_in(company, "300.00")
    cost = await company.reconciled(await company.cost(await company.repaired()))
    release = company.services.deposits.post(
        FINANCE, company.crew_id, kind=PostingKind.RELEASE, amount=Decimal(200), note="到期退还"
    )
    await asyncio.gather(settle(company, cost), release, return_exceptions=True)
    account = await company.services.deposits.account(FINANCE, company.crew_id)
    assert account.balance >= ZERO
    assert account.balance == sum((posting.amount for posting in account.postings), ZERO)


async def test_postings_cannot_be_changed_even_in_the_database(company: Company) -> None:
    await pay_in(company, "100.00")
    for statement in (
        update(DepositPostingRow).values(amount=Decimal(9)),
        delete(DepositPostingRow),
        text("UPDATE deposit_posting SET note = 'x'"),
    ):
        with pytest.raises(DBAPIError, match="never changes"):
            async with company.database.transaction() as session:
                await session.execute(statement)


@pytest.mark.parametrize(
    ("kind", "amount", "error"),
    [
        (PostingKind.DEDUCT, "10", Invalid),
        (PostingKind.INITIAL, "0", Invalid),
        (PostingKind.INITIAL, "-5", Invalid),
        (PostingKind.WITHHOLD, "1.005", Invalid),
        (PostingKind.RELEASE, "100.01", Overdrawn),
        (PostingKind.ADJUST, "-100.01", Overdrawn),
        (PostingKind.ADJUST, "0", Invalid),
    ],
)
async def test_postings_by_hand_that_cannot_be_are_refused(
    company: Company, kind: PostingKind, amount: str, error: type[Exception]
) -> None:
    await pay_in(company, "100.00")
    with pytest.raises(error):
        await company.services.deposits.post(
            FINANCE, company.crew_id, kind=kind, amount=Decimal(amount), note="试"
        )
    account = await company.services.deposits.account(FINANCE, company.crew_id)
    assert account.balance == Decimal("100.00") and len(account.postings) == 1


@pytest.mark.parametrize("actor", [SPECIALIST, CAPTAIN, MANAGER, GENERAL_MANAGER, ENGINEER])
async def test_only_finance_posts_and_settles(company: Company, actor: Actor) -> None:
    with pytest.raises(Forbidden):
        await company.services.deposits.post(
            actor, company.crew_id, kind=PostingKind.INITIAL, amount=YUAN, note="x"
        )
    cost = await company.reconciled(await company.cost(await company.repaired()))
    with pytest.raises(Forbidden):
        await company.services.settlements.settle(actor, cost.cost_id, expected=cost.version)


async def test_somebody_elses_settlement_is_not_found(company: Company) -> None:
    cost = await company.cost(await company.repaired())
    stranger = person("材料主管", Role.DEPARTMENT_HEAD, "MAT")
    with pytest.raises(NotFound):
        await company.services.costs.get(stranger, cost.cost_id)
    assert (await company.services.costs.page(stranger, CostFilter())).items == ()
    assert len((await company.services.costs.page(CAPTAIN, CostFilter())).items) == 1


async def test_the_months_list_compares_settlements_and_postings_with_each_crew(company: Company) -> None:
    await pay_in(company, "1000.00")
    first = await company.reconciled(await company.cost(await company.repaired()))
    await settle(company, first)
    waiting = await company.cost(await company.repaired(), crew="80.00")
    settlements = company.services.settlements
    waiting = await settlements.sign_service(MANAGER, waiting.cost_id, expected=waiting.version)
    waiting = await settlements.sign_company(GENERAL_MANAGER, waiting.cost_id, expected=waiting.version)
    await settlements.file(SPECIALIST, waiting.cost_id, expected=waiting.version)
    (crew,) = await company.services.costs.month(FINANCE, "2026-03")
    assert crew.crew == "刘施工队"
    assert (crew.crew_part, crew.normal, crew.abnormal) == (Decimal(300), Decimal(300), ZERO)
    assert [cost.no for cost in crew.waiting] == [waiting.no]
    assert (crew.opening, crew.closing) == (ZERO, Decimal("700.00"))
    assert [posting.balance for posting in crew.postings] == [Decimal(1000), Decimal(700)]
    company.clock.advance(timedelta(days=31))
    (later,) = await company.services.costs.month(FINANCE, "2026-04", crew_id=company.crew_id)
    assert (later.opening, later.closing, later.settlements) == (Decimal(700), Decimal(700), ())


async def test_all_of_it_is_in_the_journal_and_in_facts(company: Company) -> None:
    await pay_in(company, "1000.00")
    cost = await settle(company, await company.reconciled(await company.cost(await company.repaired())))
    audit = AuditLog(company.database, company.clock)
    actions = {record.action for record in await audit.recent(limit=50) if record.entity == "repair_cost"}
    assert actions == {
        "cost.signed_service",
        "cost.signed_company",
        "cost.filed",
        "cost.reconciled",
        "cost.settled",
    }
    assert (await audit.verify()).sound
    posted = await facts(company.database, DepositPosted)
    assert [(fact.kind, fact.balance) for fact in posted] == [("initial", "1000.00"), ("deduct", "700.00")]
    assert posted[1].case_id == cost.case_id


async def test_receivables_are_read_page_by_page(company: Company) -> None:
    wanted = []
    for _ in range(3):
        cost = await settle(company, await company.reconciled(await company.cost(await company.repaired())))
        wanted.append(cost.no)
    found, cursor = [], None
    for _ in wanted:
        page = await company.services.deposits.receivables(FINANCE, cursor=cursor, limit=1)
        found += [item.no for item in page.items]
        cursor = page.next_cursor
    assert (found, cursor) == (wanted, None)
