"""Freezing and thawing against a model that keeps one open freeze per customer in plain Python.

The model: a customer has at most one freeze of their own in force; it ends when somebody thaws it, or by
itself once the site's day is the planned one, whether the sweep has come by or not. A thaw by hand answers
the question whether to call back at once; one that ended by itself is answered once, later.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import app.models  # noqa: F401 - every table
from crm.domain.freeze import CallbackKind, FollowUp, FreezeScope
from crm.tables import Customer
from kernel.access import Actor
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, StaleVersion
from tests.support.people import AGENT, MANAGER, ZONE, Desk, make_desk
from tests.support.state_machines import run_on_sqlite

pytestmark = [pytest.mark.property, pytest.mark.timeout(400)]

PEOPLE = 2
people = st.integers(0, PEOPLE - 1)
scopes = st.sampled_from(["site", "case", "all"])
until = st.one_of(st.none(), st.integers(-1, 4))
answers = st.sampled_from(
    [
        ("no", None, None),
        ("yes", "TS", 0),
        ("yes", "JG", 3),
        ("yes", None, 3),
        ("yes", "BX", None),
        ("yes", "BX", -1),
        ("no", "BX", None),
    ]
)


@dataclass
class World:
    """One database for all examples: each works with customers of its own."""

    loop: asyncio.AbstractEventLoop
    clock: FakeClock
    desk: Desk


@dataclass
class Freeze:
    """What the model knows of a freeze."""

    who: int
    scope: str
    planned: date | None
    ended: str = ""
    """Empty while nobody thawed it: ``hand``, or ``itself`` once the sweep wrote it down."""
    answered: bool = False


class FreezeMachine(RuleBasedStateMachine):
    """Real services on SQLite beside the model."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.desk = self.world.clock, self.world.desk
        self.freezes: dict[str, Freeze] = {}
        self.ids = [
            self.run(self.desk.customer(f"冻{n}", f"1390013900{n}")).customer_id for n in range(PEOPLE)
        ]

    def run(self, work: Any) -> Any:
        return self.world.loop.run_until_complete(work)

    @property
    def today(self) -> date:
        return self.clock.now().astimezone(ZONE).date()

    def version(self, who: int) -> int:
        return int(self.run(self.desk.people.get(MANAGER, self.ids[who])).version)

    # The model's own view of what holds

    def holds(self, freeze: Freeze) -> bool:
        return not freeze.ended and (freeze.planned is None or self.today < freeze.planned)

    def open_of(self, who: int) -> list[str]:
        return [key for key, item in self.freezes.items() if item.who == who and self.holds(item)]

    def waiting(self) -> set[str]:
        return {key for key, item in self.freezes.items() if not self.holds(item) and not item.answered}

    def day(self, offset: int | None) -> date | None:
        return None if offset is None else self.today + timedelta(days=offset)

    def answer_of(self, answer: tuple[str, str | None, int | None]) -> tuple[FollowUp, bool]:
        needed, kind, offset = answer
        given = FollowUp(
            needed=needed == "yes", kind=CallbackKind(kind) if kind else None, on=self.day(offset)
        )
        if needed == "yes":
            return given, kind is not None and offset is not None and offset >= 0
        return given, kind is None and offset is None

    # What people and time do

    @rule(who=people, scope=scopes, planned=until, stale=st.booleans())
    def freeze(self, who: int, scope: str, planned: int | None, stale: bool) -> None:
        frozen, bad_day = bool(self.open_of(who)), planned is not None and planned <= 0
        expected = self.version(who) - (1 if stale else 0)
        try:
            view = self.run(
                self.desk.freezes.freeze(
                    AGENT,
                    self.ids[who],
                    scope=scope,
                    reason="正在协商",
                    planned_thaw=self.day(planned),
                    expected=expected,
                )
            )
        except Invalid:
            assert bad_day
        except StaleVersion:
            assert stale
        except Conflict:
            assert frozen
        else:
            assert not frozen and not bad_day and not stale
            assert view.active
            self.freezes[view.freeze_id] = Freeze(who, scope, self.day(planned))

    @rule(who=people, answer=answers, by_manager=st.booleans())
    def thaw(self, who: int, answer: tuple[str, str | None, int | None], by_manager: bool) -> None:
        given, good = self.answer_of(answer)
        actor: Actor = MANAGER if by_manager else AGENT
        held = self.open_of(who)
        try:
            self.run(
                self.desk.freezes.thaw(
                    actor, self.ids[who], reason="谈好了", answer=given, expected=self.version(who)
                )
            )
        except Forbidden:
            assert not by_manager
        except Invalid:
            assert not good
        except Conflict:
            assert not held
        else:
            assert by_manager and good and held
            for key in held:
                self.freezes[key].ended, self.freezes[key].answered = "hand", True

    @rule(answer=answers, data=st.data())
    def answer(self, answer: tuple[str, str | None, int | None], data: st.DataObject) -> None:
        if not self.freezes:
            return
        given, good = self.answer_of(answer)
        key = data.draw(st.sampled_from(sorted(self.freezes)))
        known = self.freezes[key]
        try:
            self.run(self.desk.freezes.answer(AGENT, key, given))
        except Invalid:
            assert not good
        except Conflict:
            assert self.holds(known) or known.answered
        else:
            assert good and not self.holds(known) and not known.answered
            known.answered = True

    @rule(hours=st.integers(1, 60))
    def time_passes(self, hours: int) -> None:
        self.clock.advance(timedelta(hours=hours))

    @rule(twice=st.booleans())
    def sweep(self, twice: bool) -> None:
        due = [item for item in self.freezes.values() if not item.ended and not self.holds(item)]
        actor = Actor.system("timers")
        assert self.run(self.desk.freezes.lift_due(actor)) == len(due)
        if twice:
            assert self.run(self.desk.freezes.lift_due(actor)) == 0
        for item in due:
            item.ended = "itself"

    def teardown(self) -> None:
        """Leave nothing open for the sweeps of other examples."""
        self.run(self.desk.freezes.lift_due(Actor.system("timers")))
        for who in range(PEOPLE):
            if self.open_of(who):
                done = FollowUp(needed=False)
                self.run(
                    self.desk.freezes.thaw(MANAGER, self.ids[who], reason="完", answer=done, expected=None)
                )

    # What must be so at any time

    @invariant()
    def what_holds_is_what_the_model_holds(self) -> None:
        async def read() -> None:
            mine = set(self.ids)
            page = await self.desk.freezes.page(MANAGER, limit=200)
            open_ones = [view for view in page.items if view.customer_id in mine]
            expected = {key for key, item in self.freezes.items() if self.holds(item)}
            assert {view.freeze_id for view in open_ones} == expected
            asked = (await self.desk.freezes.page(MANAGER, unanswered=True, limit=200)).items
            assert {view.freeze_id for view in asked if view.customer_id in mine} == self.waiting()
            async with self.desk.office.database.session() as session:
                for who, customer_id in enumerate(self.ids):
                    held = [self.freezes[key] for key in self.open_of(who)]
                    assert len(held) <= 1
                    for asked_for in FreezeScope:
                        stands = any(
                            item.scope == "all" or asked_for.value in {item.scope, "all"} for item in held
                        )
                        blocked = await self.desk.freezes.blocks(session, customer_id, asked_for)
                        assert (blocked is not None) is stands
                    row = await session.get_one(Customer, customer_id)
                    overdue = [item for item in self.freezes.values() if item.who == who and not item.ended]
                    if len(overdue) == len(held):  # else the sweep has yet to come by
                        shown = (held[0].scope, held[0].planned) if held else (None, None)
                        assert (row.frozen_scope, row.frozen_until) == shown

        self.run(read())


def test_freezes_hold_and_end_as_the_model_says() -> None:
    clock = FakeClock(datetime(2026, 3, 2, tzinfo=UTC))

    def world(loop: asyncio.AbstractEventLoop, database: Database) -> World:
        return World(loop, clock, make_desk(database, clock))

    run_on_sqlite(FreezeMachine, world, examples=20, steps=16)
