"""Withholding and releasing by rules against a model in whole yuan (domain.md §1.5).

The model: a completed project whose contract has an amount gives its percentage once, up to the cap; 25
months after its completion it is paid out as far as the floor allows, the rest as soon as it does; a
completion that was voided gives back what is still kept, as far as the account holds it.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import update

import app.models  # noqa: F401 - every table
from crm.deposit_rule_tables import DepositRuleRow
from crm.deposit_rules import DepositRules
from crm.deposits import Deposits, balance_of
from crm.domain.deposit import PostingKind
from crm.domain.deposit_rule import DepositRule, release_on, rule_on
from crm.domain.project import Stage
from crm.journal import Journal
from crm.people_tables import StageEventRow
from crm.tables import Crew, Customer, Project
from kernel.access import Actor
from kernel.audit import AuditLog
from kernel.db import Database
from kernel.ids import new_ulid
from tests.support.limits import SettableClock
from tests.support.state_machines import run_on_sqlite

pytestmark = [pytest.mark.property, pytest.mark.timeout(400)]

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
FINANCE = Actor.system("finance")
RULE = DepositRule(
    valid_from=date(2026, 1, 1),
    percent=Decimal(10),
    cap=Decimal(1000),
    initial=Decimal(500),
    release_months=25,
    floor=Decimal(300),
)
AMOUNTS = st.sampled_from([None, 0, 1000, 4000, 9000])


@dataclass
class World:
    """One database for all examples: each has a crew and projects of its own."""

    loop: asyncio.AbstractEventLoop
    clock: SettableClock
    database: Database
    deposits: Deposits
    rules: DepositRules


@dataclass
class Site:
    """What the model knows of a project; ``kept`` is missing while nothing was withheld."""

    amount: int | None
    event: str | None = None
    completed: date | None = None
    kept: int | None = None
    of: date | None = None
    place: int = 0


def make_world(loop: asyncio.AbstractEventLoop, database: Database) -> World:
    """Put the rule in force."""
    clock = SettableClock(START)
    journal = Journal(AuditLog(database, clock))
    deposits = Deposits(database, clock, journal, zone=ZONE)

    async def set_rule() -> None:
        async with database.transaction() as session:
            values = {name: getattr(RULE, name) for name in DepositRule.__slots__}
            session.add(DepositRuleRow(created_at=START, created_by="财务", **values))

    loop.run_until_complete(set_rule())
    rules = DepositRules(database, clock, journal, deposits, zone=ZONE)
    return World(loop, clock, database, deposits, rules)


class KeptAndPaidOut(RuleBasedStateMachine):
    """The real service on SQLite beside the model."""

    world: ClassVar[World]

    @initialize()
    def begin(self) -> None:
        self.world.clock.set(START)
        self.crew, self.customer = new_ulid(), new_ulid()
        self.sites: dict[str, Site] = {}
        self.held = 0
        self.put(
            Crew(id=self.crew, name=f"施工队{self.crew}", head="王队长"),
            Customer(id=self.customer, name="王建军", level="B", created_at=START, updated_at=START),
        )

    def run(self, work: Any) -> Any:
        return self.world.loop.run_until_complete(work)

    def put(self, *rows: Any) -> None:
        async def put() -> None:
            async with self.world.database.transaction() as session:
                for row in rows:
                    session.add(row)
                    await session.flush()

        self.run(put())

    def change(self, statement: Any) -> None:
        async def change() -> None:
            async with self.world.database.transaction() as session:
                await session.execute(statement)

        self.run(change())

    def today(self) -> date:
        return self.world.rules.today()

    def pick(self, place: int) -> tuple[str, Site] | None:
        return list(self.sites.items())[place % len(self.sites)] if self.sites else None

    @rule(amount=AMOUNTS)
    def a_project_begins(self, amount: int | None) -> None:
        key = new_ulid()
        self.put(
            Project(
                id=key,
                contract_no=key,
                customer_id=self.customer,
                address="幸福里 1-1-101",
                stage=int(Stage.MIDTERM),
                crew_id=self.crew,
                amount=None if amount is None else Decimal(amount),
            )
        )
        self.sites[key] = Site(amount)

    @rule(place=st.integers(0, 4), amount=AMOUNTS)
    def its_amount_is_written(self, place: int, amount: int | None) -> None:
        if (picked := self.pick(place)) is not None:
            value = None if amount is None else Decimal(amount)
            self.change(update(Project).where(Project.id == picked[0]).values(amount=value))
            picked[1].amount = amount

    @rule(place=st.integers(0, 4))
    def it_is_completed(self, place: int) -> None:
        picked = self.pick(place)
        if picked is None or picked[1].event is not None:
            return
        picked[1].event, picked[1].completed = new_ulid(), self.today()
        self.put(
            StageEventRow(
                id=picked[1].event,
                project_id=picked[0],
                stage=int(Stage.COMPLETED),
                happened_on=self.today(),
                recorded_at=self.world.clock.now(),
                recorded_by="陈建国",
            )
        )

    @rule(place=st.integers(0, 4))
    def that_was_wrong(self, place: int) -> None:
        picked = self.pick(place)
        if picked is None or picked[1].event is None:
            return
        event = update(StageEventRow).where(StageEventRow.id == picked[1].event)
        self.change(event.values(voided_at=self.world.clock.now()))
        picked[1].event = picked[1].completed = None

    @rule(days=st.sampled_from([1, 300, 800]))
    def time_passes(self, days: int) -> None:
        self.world.clock.set(self.world.clock.now() + timedelta(days=days))

    @rule(amount=st.sampled_from([-500, -100, 50, 700]))
    def finance_posts(self, amount: int) -> None:
        if self.held + amount < 0:
            return
        post = self.world.deposits.post(
            FINANCE, self.crew, kind=PostingKind.ADJUST, amount=Decimal(amount), note="调整"
        )
        self.run(post)
        self.held += amount

    @rule()
    def the_rules_are_carried_out(self) -> None:
        self.run(self.world.rules.run(FINANCE))
        for site in self.sites.values():
            if site.kept is not None and site.of != site.completed:
                self.held -= min(site.kept, self.held)
                site.kept = site.of = None
        ripe = [
            (release_on(RULE, site.of), key, site)
            for key, site in self.sites.items()
            if site.of is not None and release_on(RULE, site.of) <= self.today()
        ]
        done = [
            (site.completed, key, site)
            for key, site in self.sites.items()
            if site.completed is not None and site.kept is None and site.amount is not None
        ]
        allowed = self.held > int(RULE.floor)
        for completed, _, site in sorted(done, key=lambda one: one[:2]):
            assert site.amount is not None
            site.of = completed
            site.kept = max(min(site.amount // 10, int(RULE.cap) - self.held), 0)
            self.held += site.kept
        for _, _, site in sorted(ripe, key=lambda one: one[:2]) if allowed else ():
            assert site.kept is not None
            paid = max(min(site.kept, self.held - int(RULE.floor)), 0)
            site.kept -= paid
            self.held -= paid

    @rule()
    def again_it_withholds_nothing(self) -> None:
        self.the_rules_are_carried_out()
        posted = self.run(self.world.rules.run(FINANCE))
        self.held -= int(posted.released_sum)
        assert (posted.withheld, posted.undone) == (0, 0)
        self.forget(int(posted.released_sum))

    def forget(self, paid: int) -> None:
        """Take what a second run paid out off the oldest ripe projects."""
        ripe = [
            (release_on(RULE, site.of), key, site)
            for key, site in self.sites.items()
            if site.of is not None and release_on(RULE, site.of) <= self.today()
        ]
        for _, _, site in sorted(ripe, key=lambda one: one[:2]):
            part = min(site.kept or 0, paid)
            site.kept = (site.kept or 0) - part
            paid -= part
        assert paid == 0

    @invariant()
    def the_balance_is_the_models(self) -> None:
        async def held() -> Decimal:
            async with self.world.database.session() as session:
                return await balance_of(session, self.crew)

        if hasattr(self, "crew"):
            assert self.run(held()) == self.held >= 0

    @invariant()
    def what_is_kept_is_shown(self) -> None:
        if hasattr(self, "crew"):
            shown = next(
                one for one in self.run(self.world.rules.crews(FINANCE)).items if one.crew_id == self.crew
            )
            assert shown.withheld == sum(site.kept or 0 for site in self.sites.values())


def test_what_is_withheld_is_paid_out_once() -> None:
    """Whatever is tried in whatever order."""
    run_on_sqlite(KeptAndPaidOut, make_world, examples=25, steps=25)


def test_the_models_rule_is_in_force() -> None:
    assert rule_on([RULE, replace(RULE, valid_from=date(2030, 1, 1))], START.date()) == RULE
