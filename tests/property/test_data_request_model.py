"""Requests about one's own data against a model (domain.md §6.4): taken down, answered or refused once.

The model: a person asks for a thing once at a time; each request has the next number of the site's day and a
limit; it is answered, or refused with the reason, by whoever handles privacy and has seen its newest state.
After that nothing changes it. A deletion where no law keeps anything takes everything at once.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import app.models  # noqa: F401 - every table
from crm.data_requests import DataRequests, RequestKind, RequestState
from crm.domain.retention import shipped_retention
from crm.limits import LimitBook
from crm.retention import Retention
from crm.tables import Customer
from kernel.access import Actor
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.support.limits import SettableClock
from tests.support.people import AGENT, MANAGER, Desk, make_desk
from tests.support.state_machines import run_on_sqlite

pytestmark = [pytest.mark.property, pytest.mark.timeout(400)]

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
PROOF = "来电号码与登记一致，核对了合同号"
PLACES = st.integers(0, 4)
PEOPLE = st.sampled_from([MANAGER, AGENT])
TEXTS = st.sampled_from(["已出示", "  "])


@dataclass
class World:
    """One database for all examples: each works with a customer of its own."""

    loop: asyncio.AbstractEventLoop
    clock: SettableClock
    desk: Desk
    requests: DataRequests
    examples: int = 0


@dataclass
class Story:
    """What the model knows of a request."""

    kind: RequestKind
    state: str = "open"
    answer: str | None = None
    changes: int = 0


class RequestsOnTheirWay(RuleBasedStateMachine):
    """The real service on SQLite beside the model."""

    world: ClassVar[World]

    @initialize()
    def begin(self) -> None:
        world = self.world
        world.examples += 1
        world.clock.set(START)
        number = f"138{world.examples:08}"
        self.customer: str = self.run(world.desk.customer("王建军", number)).customer_id
        self.known: dict[str, Story] = {}
        self.versions: dict[str, int] = {}
        self.erased = False

    def run(self, work: Any) -> Any:
        return self.world.loop.run_until_complete(work)

    def pick(self, place: int) -> str:
        return sorted(self.known)[place % len(self.known)] if self.known else new_ulid()

    @rule(
        who=PEOPLE,
        kind=st.sampled_from(RequestKind),
        wish=st.sampled_from(["姓名有误", ""]),
        proof=st.booleans(),
    )
    def receive(self, who: Actor, kind: RequestKind, wish: str, proof: bool) -> None:
        same = any(one.kind is kind and one.state == "open" for one in self.known.values())
        evidence = PROOF if proof else " "
        try:
            view = self.run(
                self.world.requests.receive(who, self.customer, kind, evidence=evidence, wish=wish)
            )
        except Forbidden:
            assert who is AGENT
        except Invalid:
            assert not proof or (kind.value == "correct" and not wish)
        except Conflict:
            assert same
        else:
            assert who is MANAGER and proof and not same and (wish or kind.value != "correct")
            assert view.due_at is not None and view.due_at > self.world.clock.now()
            assert view.no not in self.numbers()
            self.known[view.request_id] = Story(kind)
            self.versions[view.request_id] = view.version

    def numbers(self) -> list[str]:
        return [self.run(self.world.requests.get(MANAGER, key)).no for key in self.known]

    @rule(place=PLACES, who=PEOPLE, refuse=st.booleans(), text=TEXTS, stale=st.booleans())
    def end(self, place: int, who: Actor, refuse: bool, text: str, stale: bool) -> None:
        key, requests = self.pick(place), self.world.requests
        story = self.known.get(key)
        expected = self.versions.get(key, 1) + (5 if stale else 0)
        ending = requests.refuse if refuse else requests.answer
        deletes = story is not None and story.kind.value == "delete" and not refuse
        try:
            view = self.run(ending(who, key, expected, text))
        except Forbidden:
            assert who is AGENT
        except NotFound:
            assert story is None
        except StaleVersion:
            assert stale
        except Conflict:
            assert story is not None and story.state != "open"
        except Invalid:
            assert not text.strip() and not deletes
        else:
            assert who is MANAGER and story is not None and story.state == "open" and not stale
            assert text.strip() or deletes
            story.state = "refused" if refuse else "answered"
            story.answer, self.versions[key] = view.answer, view.version
            assert text.strip() in (view.answer or "")
            if deletes:
                assert view.erased_on is not None and view.kept_until is None
                self.erased = True

    @rule(days=st.integers(1, 12))
    def time_passes(self, days: int) -> None:
        self.world.clock.advance(timedelta(days=days))

    @invariant()
    def what_is_kept_is_what_the_model_says(self) -> None:
        async def read() -> None:
            for key, story in self.known.items():
                view = await self.world.requests.get(MANAGER, key)
                assert (view.state.value, view.answer, view.version) == (
                    story.state,
                    story.answer,
                    self.versions[key],
                )
                late = view.due_at is not None and view.due_at < self.world.clock.now()
                assert view.overdue is (late and story.state == "open")
            for state in RequestState:
                page = await self.world.requests.page(MANAGER, state=state, limit=200)
                mine = {item.request_id for item in page.items if item.customer_id == self.customer}
                assert mine == {key for key, story in self.known.items() if story.state == state.value}
            async with self.world.desk.office.database.session() as session:
                name = (await session.get_one(Customer, self.customer)).name
                assert ("王" in name) is not self.erased

        if self.versions:
            self.run(read())


def test_requests_are_answered_as_the_model_says() -> None:
    clock = SettableClock(START)

    def world(loop: asyncio.AbstractEventLoop, database: Database) -> World:
        desk = make_desk(database, clock)
        requests = DataRequests(desk.office, LimitBook(clock), Retention(desk.office, shipped_retention()))
        return World(loop, clock, desk, requests)

    run_on_sqlite(RequestsOnTheirWay, world, examples=10, steps=14)
