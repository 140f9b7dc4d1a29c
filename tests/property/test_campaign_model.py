"""Campaigns against an independent model: states, versions, who dials today, which task is whose."""

import asyncio
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from callback_campaigns.domain.campaign import CampaignState, CampaignStep
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.machine import IllegalStep
from crm.tables import Customer
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Invalid, StaleVersion
from kernel.ids import new_ulid
from tests.support.campaigns import SUPERVISOR, CampaignCentre, make_campaigns
from tests.support.limits import at
from tests.support.state_machines import run_on_sqlite

pytestmark = pytest.mark.property

PLACES = st.integers(0, 5)
LEVELS = st.sets(st.sampled_from("ABC"), max_size=2)
STEPS = ("start", "pause", "resume", "stop", "discard")


class World:
    """The services over one database, which all examples share."""

    def __init__(self, loop: asyncio.AbstractEventLoop, database: Database) -> None:
        self.loop = loop
        self.database = database
        self.clock = FakeClock(at("2026-03-03 10:00"))
        self.here: CampaignCentre = loop.run_until_complete(make_campaigns(database, self.clock))
        self.tasks = loop.run_until_complete(self._tasks())

    async def _tasks(self) -> dict[str, str]:
        """Write a ready task of each level; return task → level."""
        found, now = {}, self.clock.now()
        async with self.database.transaction() as session:
            for level in "ABC":
                customer = Customer(id=new_ulid(), name=level, level=level, created_at=now)
                session.add(customer)
                await session.flush()
                task_id = new_ulid()
                session.add(
                    CallbackTaskRow(
                        id=task_id,
                        key=task_id,
                        current_key=task_id,
                        kind="KG",
                        category="site",
                        status="ready",
                        customer_id=customer.id,
                        level=level,
                        channel="agent" if level == "A" else "ivr",
                        origin="manual",
                        origin_ref="",
                        call_at=now,
                        tried=[],
                        created_at=now,
                        tries=0,
                    )
                )
                found[task_id] = level
        return found


@dataclass
class Model:
    """What a campaign should be."""

    mode: str
    levels: set[str]
    priority: int
    last: date
    state: str = "draft"
    version: int = 1

    def takes(self, level: str) -> bool:
        return (not self.levels or level in self.levels) and not (self.mode == "ivr" and level == "A")


LEADS = {
    ("draft", "start"): "running",
    ("draft", "discard"): "ended",
    ("running", "pause"): "paused",
    ("paused", "resume"): "running",
    ("running", "stop"): "ended",  # without calls in progress it is over at once
    ("paused", "stop"): "ended",
}


class Campaigns(RuleBasedStateMachine):
    """The real book on SQLite beside the model."""

    world: ClassVar[World]

    @initialize()
    def begin(self) -> None:
        self.known: dict[str, Model] = {}

    def run(self, work: Any) -> Any:
        return self.world.loop.run_until_complete(work)

    @property
    def today(self) -> date:
        return self.world.here.centre.desk.office.today()

    def pick(self, place: int) -> str | None:
        return sorted(self.known)[place % len(self.known)] if self.known else None

    @rule(
        mode=st.sampled_from(("ivr", "preview")),
        levels=LEVELS,
        priority=st.integers(1, 3),
        days=st.integers(0, 2),
    )
    def create(self, mode: str, levels: set[str], priority: int, days: int) -> None:
        last = self.today + timedelta(days=days)
        wanted = {"mode": mode, "levels": sorted(levels), "priority": priority, "ends_on": last}
        try:
            view = self.run(self.world.here.made(**wanted))
        except Invalid:
            assert (mode, levels) == ("ivr", {"A"})
            return
        assert not (mode == "ivr" and levels == {"A"})
        self.known[view.campaign.campaign_id] = Model(mode, set(levels), priority, last)

    @rule(place=PLACES, step=st.sampled_from(STEPS), stale=st.booleans())
    def take(self, place: int, step: str, stale: bool) -> None:
        key = self.pick(place)
        if key is None:
            return
        model, book = self.known[key], self.world.here.book
        leads = LEADS.get((model.state, step))
        try:
            view = self.run(book.step(SUPERVISOR, key, CampaignStep(step), expected=model.version - stale))
        except StaleVersion:
            assert stale
        except IllegalStep:
            assert leads is None
        except Invalid:
            assert leads == "running"
            assert self.today > model.last
        else:
            assert not stale
            assert leads is not None
            late = leads == "paused" and self.today > model.last
            model.state, model.version = "ended" if late else leads, model.version + 1
            assert (view.campaign.state.value, view.version) == (model.state, model.version)

    @rule(place=PLACES, name=st.text("甲乙丙", min_size=1, max_size=5), levels=LEVELS)
    def change(self, place: int, name: str, levels: set[str]) -> None:
        key = self.pick(place)
        if key is None:
            return
        model, book = self.known[key], self.world.here.book
        before = self.run(book.get(SUPERVISOR, key)).campaign
        given = {"name": name, "levels": sorted(levels)}
        same = before.name == name and model.levels == levels
        try:
            view = self.run(book.change(SUPERVISOR, key, given, expected=model.version))
        except IllegalStep:
            assert model.state == "ended"
            assert not same
        except Invalid:
            assert model.state == "running" or (model.mode == "ivr" and levels == {"A"})
            assert model.levels != levels
        else:
            assert same or model.state != "ended"
            model.levels, model.version = levels, model.version + (not same)
            assert (view.campaign.name, view.version) == (name, model.version)

    @rule()
    def a_night_passes(self) -> None:
        self.world.clock.advance(timedelta(days=1))

    @rule()
    def settle(self) -> None:
        self.run(self.world.here.book.settle())
        for model in self.known.values():
            if model.state in {"running", "paused"} and self.today > model.last:
                model.state, model.version = "ended", model.version + 1

    @invariant()
    def they_agree(self) -> None:
        if not hasattr(self, "known") or not self.known:
            return
        here, now = self.world.here, self.world.clock.now()
        running = [one for one in self.run(here.book.running(now)) if one.campaign_id in self.known]
        expected = sorted(
            (-model.priority, key)
            for key, model in self.known.items()
            if model.state == "running" and self.today <= model.last
        )
        assert [one.campaign_id for one in running] == [key for _, key in expected]
        given: dict[str, str] = {}
        for task_id, level in self.world.tasks.items():
            for _, key in expected:
                if self.known[key].takes(level):
                    given[task_id] = key
                    break
        for one in running:
            mine = {task.task_id for task in self.run(here.book.ready(one, now, 10))}
            assert mine == {task_id for task_id, key in given.items() if key == one.campaign_id}
            assert one.state is CampaignState.RUNNING

    def teardown(self) -> None:
        """Leave nothing that runs for other examples."""
        for key, model in getattr(self, "known", {}).items():
            if model.state in {"running", "paused"}:
                self.run(self.world.here.book.stop(SUPERVISOR, key, expected=None))


def test_campaigns_and_the_model_agree() -> None:
    run_on_sqlite(Campaigns, World, examples=25, steps=25)
