"""Quality deposits by rules: posted once per project, never edited (domain.md §1.5)."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import pytest_asyncio
from sqlalchemy import select, update

from crm.deposit_rules import DepositRules
from crm.domain.deposit import PostingKind
from crm.domain.deposit_rule import DepositRule
from crm.domain.project import Stage
from crm.people_tables import StageEventRow
from crm.tables import Crew, Project
from kernel.clock import FakeClock
from kernel.errors import Conflict, Forbidden, Invalid
from kernel.ids import new_ulid
from tests.support.office import OfficeStage
from tests.support.office_web import get, post, signed_in
from tests.support.web_stage import web_stage
from web.pages.lists import deposits

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

HERE = "/lists/deposits"
RULE = DepositRule(
    valid_from=date(2026, 3, 10),
    percent=Decimal(3),
    cap=Decimal(20_000),
    initial=Decimal(10_000),
    release_months=25,
    floor=Decimal(1_000),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OfficeStage]:
    clock = FakeClock(datetime(2026, 3, 10, 1, 0, tzinfo=UTC))
    async with web_stage(tmp_path_factory.mktemp("deposits"), clock=clock) as stage:
        found = OfficeStage(stage, clock)
        await found.open()
        yield found


def book(office: OfficeStage) -> DepositRules:
    return office.crm.repairs.deposit_rules


async def complete(office: OfficeStage, place: int, on: date, crew_id: str) -> str:
    """Have a project of 100,000 be completed by a crew."""
    project_id = str(office.projects[place].id)
    async with office.stage.database.transaction() as session:
        values = {"crew_id": crew_id, "amount": Decimal(100_000)}
        await session.execute(update(Project).where(Project.id == project_id).values(values))
        session.add(
            StageEventRow(
                id=new_ulid(),
                project_id=project_id,
                stage=int(Stage.COMPLETED),
                happened_on=on,
                recorded_at=office.clock.now(),
                recorded_by="陈建国",
            )
        )
    return project_id


async def test_1_5_withheld_once_and_released_once_as_postings(office: OfficeStage) -> None:
    rules, finance, deposits = book(office), office.who("finance"), office.crm.repairs.deposits
    async with office.stage.database.session() as session:
        crew_id = str((await session.scalars(select(Crew.id).order_by(Crew.id))).first())
    await complete(office, 0, date(2026, 3, 9), crew_id)
    assert await rules.run(finance) == await rules.run(finance), "no rule, nothing to do"
    await rules.set(office.who("manager"), RULE)
    project_id = await complete(office, 1, date(2026, 3, 10), crew_id)
    posted = await rules.run(finance)
    assert (posted.withheld, posted.withheld_sum, posted.released) == (1, Decimal("3000.00"), 0)
    assert (await rules.run(finance)).withheld == 0
    account = await deposits.account(finance, crew_id)
    assert [(one.kind, one.amount, one.project_id) for one in account.postings] == [
        (PostingKind.WITHHOLD, Decimal("3000.00"), project_id)
    ]
    (crew,) = [one for one in (await rules.crews(office.who("captain"))).items if one.crew_id == crew_id]
    assert (crew.balance, crew.projects, crew.missing) == (Decimal("3000.00"), 1, Decimal("10000.00"))
    assert crew.next_release == date(2028, 4, 10)
    later = FakeClock(office.clock.now() + timedelta(days=763))
    ripe = DepositRules(office.stage.database, later, office.crm.journal, deposits, zone=rules._zone)
    posted = await ripe.run(finance)
    assert (posted.released, posted.released_sum) == (1, Decimal("2000.00")), "the floor stays"
    assert (await ripe.run(finance)).released == 0
    account = await deposits.account(finance, crew_id)
    assert account.balance == Decimal("1000.00")
    assert len(account.postings) == 2


async def test_1_5_the_rest_of_a_release_follows_when_the_account_holds_more(office: OfficeStage) -> None:
    finance, deposits = office.who("finance"), office.crm.repairs.deposits
    async with office.stage.database.session() as session:
        crew_id = str((await session.scalars(select(Crew.id).order_by(Crew.id))).first())
    later = FakeClock(office.clock.now() + timedelta(days=764))
    ripe = DepositRules(office.stage.database, later, office.crm.journal, deposits, zone=book(office)._zone)
    (crew,) = [one for one in (await ripe.crews(finance)).items if one.crew_id == crew_id]
    assert (crew.projects, crew.withheld) == (1, Decimal("1000.00")), "2,000 of 3,000 were paid out"
    await deposits.post(finance, crew_id, kind=PostingKind.INITIAL, amount=Decimal(400), note="补交")
    assert (await ripe.run(finance)).released_sum == Decimal("400.00")
    await deposits.post(finance, crew_id, kind=PostingKind.INITIAL, amount=Decimal(9000), note="补交")
    assert (await ripe.run(finance)).released_sum == Decimal("600.00"), "what was withheld, and no more"
    assert (await ripe.run(finance)).released == 0


async def test_1_5_withheld_of_amount_and_changes_once_they_are_known(office: OfficeStage) -> None:
    rules, finance = book(office), office.who("finance")
    async with office.stage.database.session() as session:
        crew_id = str((await session.scalars(select(Crew.id).order_by(Crew.id.desc()))).first())
    project_id = await complete(office, 2, date(2026, 3, 10), crew_id)
    project = update(Project).where(Project.id == project_id)
    async with office.stage.database.transaction() as session:
        await session.execute(project.values(amount=None))
    assert (await rules.run(finance)).withheld == 0
    async with office.stage.database.transaction() as session:
        await session.execute(project.values(amount=Decimal(100_000), changes=Decimal(20_000)))
    assert (await rules.run(finance)).withheld_sum == Decimal("3600.00")


async def test_1_5_a_voided_completion_is_given_back_and_the_next_withheld(office: OfficeStage) -> None:
    rules, finance, deposits = book(office), office.who("finance"), office.crm.repairs.deposits
    project_id = str(office.projects[2].id)
    async with office.stage.database.transaction() as session:
        event = update(StageEventRow).where(StageEventRow.project_id == project_id)
        event = event.where(StageEventRow.stage == int(Stage.COMPLETED))
        await session.execute(event.values(voided_at=office.clock.now()))
        crew_id = await session.scalar(select(Project.crew_id).where(Project.id == project_id))
    assert crew_id is not None
    before = (await deposits.account(finance, crew_id)).balance
    assert (await rules.run(finance)).undone == 1
    account = await deposits.account(finance, crew_id)
    assert account.balance == before - Decimal("3600.00")
    last = account.postings[0]
    assert (last.kind, last.amount, last.project_id) == (PostingKind.ADJUST, Decimal("-3600.00"), project_id)
    assert (await rules.run(finance)).undone == 0
    await complete(office, 2, date(2026, 3, 11), crew_id)
    assert (await rules.run(finance)).withheld_sum == Decimal("3600.00"), "with its changes"


async def test_who_may_and_what_cannot_be(office: OfficeStage) -> None:
    rules = book(office)
    for login in ("manager", "captain", "boss"):
        with pytest.raises(Forbidden):
            await rules.run(office.who(login))
    with pytest.raises(Forbidden):
        await rules.set(office.who("finance"), RULE)
    with pytest.raises(Conflict):
        await rules.set(office.who("manager"), RULE)
    for wrong in (
        {"valid_from": date(2026, 3, 9)},
        {"percent": Decimal("3.001")},
        {"floor": Decimal(30_000)},
    ):
        values = {name: getattr(RULE, name) for name in DepositRule.__slots__} | {
            "valid_from": date(2026, 4, 1)
        }
        with pytest.raises(Invalid) as refused:
            await rules.set(office.who("manager"), DepositRule(**(values | wrong)))
        assert refused.value.field in wrong


async def test_page_and_api(office: OfficeStage, monkeypatch: pytest.MonkeyPatch) -> None:
    _, page = await get(office, "manager", HERE)
    assert f'action="{HERE}/steps/rule"' in page
    assert f'action="{HERE}/steps/run"' not in page
    monkeypatch.setattr(deposits, "CREWS", 1)
    _, first = await get(office, "manager", HERE)
    (onward,) = re.findall(HERE + r"\?cursor=\w+", first)
    _, second = await get(office, "manager", onward)
    crews = [re.findall(r'tap-head"><b>([^<]+)', one) for one in (first, second)]
    assert [len(one) for one in crews] == [1, 1] and crews[0] != crews[1]
    form = {
        "version": "0",
        "valid_from": "2026-05-01",
        "percent": "5",
        "cap": "60000",
        "initial": "10000",
        "release_months": "25",
        "floor": "5000",
    }
    assert (await post(office, "manager", f"{HERE}/steps/rule", form))[0] == 303
    assert (await post(office, "manager", f"{HERE}/steps/rule", form))[0] == 409
    assert (await post(office, "manager", f"{HERE}/steps/run", {"version": "0"}))[0] == 403
    assert (await post(office, "finance", f"{HERE}/steps/run", {"version": "0"}))[0] == 303
    async with signed_in(office, "finance") as session:
        async with session.get("/api/v1/deposit-rules") as answer:
            assert [one["percent"] for one in (await answer.json())["items"]] == ["5.00", "3.00"]
        async with session.get("/api/v1/crew-deposits") as answer:
            whole = await answer.json()
        names = [one["crew"] for one in whole["items"]]
        assert names and whole["next_cursor"] is None
        seen, cursor = list[str](), ""
        for _ in names:
            async with session.get(f"/api/v1/crew-deposits?limit=1{cursor}") as answer:
                page = await answer.json()
            seen += [one["crew"] for one in page["items"]]
            cursor = f"&cursor={page['next_cursor']}"
        assert (seen, cursor) == (names, "&cursor=None")
        async with session.post("/api/v1/deposit-rules/run", headers={"Origin": office.stage.url}) as answer:
            assert (await answer.json())["withheld"] == 0
