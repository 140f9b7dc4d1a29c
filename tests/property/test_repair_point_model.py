"""Repair points against a model in cents: parts that came and went, and monthly accounts (domain.md §1.13).

The model: parts go out only while the agreement holds, and a point gives back no more of a part than it has.
A month of a point has one account; whoever changes it has read the last version, and what was approved has to
be approved anew. Somebody else than who entered it approves it, with a reason where it is over the budget;
each sum over the budget is told once.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import app.models  # noqa: F401 - every table
from crm.domain.line_steps import SamePerson
from crm.domain.repair_point import PartKind
from crm.events_tickets import RepairBudgetExceeded
from crm.journal import Journal
from crm.repair_point_views import PointText
from crm.repair_points import RepairPoints
from kernel.access import Actor, Role
from kernel.audit import AuditLog
from kernel.business_time import SHANGHAI
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, StaleVersion
from kernel.ids import new_ulid
from tests.support.limits import SettableClock, at, facts
from tests.support.state_machines import run_on_sqlite

pytestmark = [pytest.mark.property, pytest.mark.timeout(400)]

BEGIN = at("2026-03-02T09:00")
PARTS = st.sampled_from(["角阀", "软管"])
PLACES = st.integers(0, 1)
COUNTS = st.sampled_from([1, 3, 10])
CENTS = st.sampled_from([0, 50, 2550])
MONTHS = st.sampled_from(["2026-03", "2026-04"])


def person(name: str, role: Role) -> Actor:
    return Actor(user_id=new_ulid(), name=name, role=role)


MANAGER, OTHER = person("沈静", Role.MANAGER), person("罗经理", Role.MANAGER)
CAPTAIN, HR = person("马师傅", Role.CAPTAIN), person("何琳", Role.HR)
# The captain stands in for the manager, too.
BOTH = Actor(user_id=CAPTAIN.user_id, name=CAPTAIN.name, role=Role.MANAGER)
PEOPLE = st.sampled_from([CAPTAIN, BOTH, OTHER, HR])


@dataclass
class World:
    """One database for all examples: each has points of its own."""

    loop: asyncio.AbstractEventLoop
    clock: SettableClock
    database: Database
    network: RepairPoints


@dataclass
class Month:
    """What the model knows of an account."""

    key: str
    budget: int
    actual: int | None
    by: str
    version: int = 1
    approved: str | None = None

    @property
    def over(self) -> int:
        return max((self.actual or 0) - self.budget, 0)


@dataclass
class Point:
    """What the model knows of a point; ``moved`` has quantity, price in cents and month of every piece."""

    key: str
    until: date
    active: bool = True
    version: int = 1
    moved: list[tuple[str, int, int, str]] = field(default_factory=list)
    months: dict[str, Month] = field(default_factory=dict)

    def has(self, part: str) -> int:
        return sum(count for name, count, _, _ in self.moved if name == part)


class PartsAndAccounts(RuleBasedStateMachine):
    """The real service on SQLite beside the model."""

    world: ClassVar[World]

    @initialize()
    def begin(self) -> None:
        self.world.clock.set(BEGIN)
        self.points = [self.sign_up(date(2026, 3, 20)), self.sign_up(date(2026, 12, 31))]
        self.told: list[tuple[str, str]] = []

    def run(self, work: Any) -> Any:
        return self.world.loop.run_until_complete(work)

    def today(self) -> date:
        return self.world.network.today()

    def text(self, key: str, until: date, *, active: bool = True) -> PointText:
        return PointText(
            name=f"维修点{key}",
            agreement_no=key,
            district="通州区",
            contact="张师傅",
            phone="13811112222",
            valid_from=date(2026, 1, 1),
            valid_to=until,
            active=active,
        )

    def sign_up(self, until: date) -> Point:
        key = new_ulid()
        view = self.run(self.world.network.put_point(MANAGER, None, self.text(key, until), expected=None))
        return Point(view.point_id, until)

    @rule(place=PLACES, active=st.booleans(), stale=st.booleans())
    def it_is_corrected(self, place: int, active: bool, stale: bool) -> None:
        point = self.points[place]
        text, expected = self.text(point.key, point.until, active=active), point.version - stale
        try:
            view = self.run(self.world.network.put_point(MANAGER, point.key, text, expected=expected))
        except StaleVersion:
            assert stale
        else:
            assert not stale
            point.active, point.version = active, view.version

    @rule(days=st.sampled_from([1, 12, 25]))
    def time_passes(self, days: int) -> None:
        self.world.clock.advance(timedelta(days=days))

    @rule(place=PLACES, kind=st.sampled_from(PartKind), part=PARTS, count=COUNTS, cents=CENTS, who=PEOPLE)
    def parts_move(self, place: int, kind: PartKind, part: str, count: int, cents: int, who: Actor) -> None:
        point, today = self.points[place], self.today()
        holds = point.active and today <= point.until
        move = self.world.network.move_part(
            who,
            point.key,
            kind,
            part=part,
            quantity=count,
            price=Decimal(cents) / 100,
            on_day=today,
        )
        try:
            view = self.run(move)
        except Forbidden:
            assert who.role is not Role.CAPTAIN
        except Conflict:
            assert kind is PartKind.ISSUE and not holds
        except Invalid as error:
            refused = error.field
            assert kind is PartKind.RETURN and count > point.has(part) and refused == "quantity"
        else:
            assert who.role is Role.CAPTAIN
            assert holds if kind is PartKind.ISSUE else count <= point.has(part)
            assert view.total == Decimal(count * cents) / 100
            signed = count if kind is PartKind.ISSUE else -count
            point.moved.append((part, signed, cents, view.month))

    @rule(
        place=PLACES,
        month=MONTHS,
        budget=st.sampled_from([0, 1000, 3000]),
        actual=st.sampled_from([None, 0, 999, 3001]),
        who=PEOPLE,
        stale=st.booleans(),
    )
    def an_account_is_entered(
        self, place: int, month: str, budget: int, actual: int | None, who: Actor, stale: bool
    ) -> None:
        point = self.points[place]
        known = point.months.get(month)
        version = known.version if known else None
        expected = version if not stale else (version or 0) + 1
        put = self.world.network.put_account(
            who, point.key, month, budget=budget, actual=actual, expected=expected
        )
        try:
            view = self.run(put)
        except Forbidden:
            assert who.role is not Role.CAPTAIN
        except StaleVersion:
            assert stale
        else:
            assert who.role is Role.CAPTAIN and not stale
            new = Month(view.account_id, budget, actual, who.user_id, view.version)
            if new.over and new.over != (known.over if known else 0):
                self.told.append((view.account_id, f"{actual}.00"))
            assert (known is None) or view.account_id == known.key, "a month has one account"
            point.months[month] = new

    @rule(
        place=PLACES,
        month=MONTHS,
        who=PEOPLE,
        why=st.sampled_from(["", " ", "报修集中"]),
        stale=st.booleans(),
    )
    def it_is_approved(self, place: int, month: str, who: Actor, why: str, stale: bool) -> None:
        known = self.points[place].months.get(month)
        if known is None:
            return
        approve = self.world.network.approve_account(who, known.key, known.version + stale, why=why)
        try:
            view = self.run(approve)
        except Forbidden:
            assert who.role is not Role.MANAGER
        except StaleVersion:
            assert stale
        except SamePerson:
            assert who.user_id == known.by
        except Conflict:
            assert known.approved is not None or known.actual is None
        except Invalid as error:
            refused = error.field
            assert known.over and not why.strip() and refused == "why"
        else:
            assert who.role is Role.MANAGER and who.user_id != known.by and not stale
            assert known.approved is None and known.actual is not None
            assert why.strip() or not known.over
            known.approved, known.version = who.name, view.version

    @invariant()
    def the_books_are_the_models(self) -> None:
        if not hasattr(self, "points"):
            return
        for point in self.points:
            self.run(self.compare(point))

    async def compare(self, point: Point) -> None:
        network = self.world.network
        shown = await network.parts(MANAGER, point.key)
        sign = {PartKind.ISSUE: 1, PartKind.RETURN: -1}
        assert [(one.part, sign[one.kind] * one.quantity) for one in reversed(shown)] == [
            (part, Decimal(count)) for part, count, _, _ in point.moved
        ]
        assert all(point.has(part) >= 0 for part in ("角阀", "软管"))
        accounts = {one.month: one for one in await network.accounts(MANAGER, point_id=point.key)}
        assert set(accounts) == set(point.months)
        for month, known in point.months.items():
            one = accounts[month]
            used = sum(count * cents for _, count, cents, when in point.moved if when == month)
            assert one.budget == known.budget and one.over == known.over
            assert one.actual == known.actual
            assert (one.approved_by, one.version) == (known.approved, known.version)
            assert one.parts == Decimal(used) / 100

    def teardown(self) -> None:
        """Each sum over a budget was told, once."""
        if not hasattr(self, "points"):
            return
        mine = {point.key for point in self.points}
        told = [
            one for one in self.run(facts(self.world.database, RepairBudgetExceeded)) if one.point_id in mine
        ]
        assert sorted((one.account_id, one.actual) for one in told) == sorted(self.told)


def test_parts_and_accounts_are_as_the_model_says() -> None:
    """Whatever is tried in whatever order."""
    clock = SettableClock(BEGIN)

    def world(loop: asyncio.AbstractEventLoop, database: Database) -> World:
        journal = Journal(AuditLog(database, clock))
        return World(loop, clock, database, RepairPoints(database, clock, journal, zone=SHANGHAI))

    run_on_sqlite(PartsAndAccounts, world, examples=12, steps=18)
