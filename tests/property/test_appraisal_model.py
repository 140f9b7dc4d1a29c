"""Appraisal entries against a model: proposed by a missed limit, decided once, taken back with the breach.

The model (domain.md §0, §1.12): an entry counts from the moment a manager who is not the one it is about
confirms it; with a reason it is dropped instead; after either nobody decides again. A breach that is taken
back drops its entry, whatever was decided. The month's list has what counts, and nothing else. What counts
goes to payroll once (§4.5); what is taken back after that stays on the list of what went.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import app.models  # noqa: F401 - every table
from crm.appraisals import AppraisalDecided, Appraisals, AppraisalState, OwnAppraisal
from crm.journal import Journal
from crm.limit_steps import withdraw
from crm.limit_tables import LimitTimerRow
from crm.limit_worker import LimitWorker
from crm.limits import LimitBook, Owner
from kernel.access import Actor, Role
from kernel.audit import AuditLog
from kernel.business_time import SHANGHAI
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.support.limits import SettableClock, at, complaint
from tests.support.state_machines import run_on_sqlite

pytestmark = [pytest.mark.property, pytest.mark.timeout(400)]

MOST = 3
PLACES = st.integers(0, MOST - 1)


def person(name: str, role: Role) -> Actor:
    return Actor(user_id=new_ulid(), name=name, role=role)


MANAGER, OTHER, HR = person("沈静", Role.MANAGER), person("罗经理", Role.MANAGER), person("何琳", Role.HR)
DECIDERS = st.sampled_from([MANAGER, OTHER, HR])


@dataclass
class World:
    """One database for all examples: each works with entries of a department of its own."""

    loop: asyncio.AbstractEventLoop
    clock: SettableClock
    database: Database
    book: LimitBook
    appraisals: Appraisals
    examples: int = 0


@dataclass
class Entry:
    """What the model knows of an entry."""

    about: str | None
    timer_id: str
    state: str = "proposed"
    changes: int = 0
    by: str | None = None
    counts_in: str = ""
    period: str = ""
    sent: bool = False


class EntriesOnTheirWay(RuleBasedStateMachine):
    """The real service on SQLite beside the model."""

    world: ClassVar[World]

    @initialize()
    def begin(self) -> None:
        self.world.examples += 1
        self.world.clock.set(at("2026-03-20T09:00"))
        self.department = f"D{self.world.examples}"
        self.entries: dict[str, Entry] = {}
        self.missed = 0

    def run(self, work: Any) -> Any:
        return self.world.loop.run_until_complete(work)

    def pick(self, place: int) -> str:
        return sorted(self.entries)[place % len(self.entries)] if self.entries else "nothing"

    @rule(about=st.sampled_from([MANAGER.user_id, "u-zhao", None]))
    def a_limit_is_missed(self, about: str | None) -> None:
        world = self.world
        if self.missed == MOST:
            return
        record = complaint(f"{self.department}-{self.missed}")
        self.missed += 1

        async def miss() -> tuple[str, str]:
            owner = Owner(department=self.department, user_id=about)
            async with world.database.transaction() as session:
                timer = await world.book.start(session, "TS.T1", record, at=world.clock.now(), owner=owner)
            world.clock.advance(timedelta(days=9))  # with a week of holidays in it
            await LimitWorker(world.database, world.clock, world.book, worker="w1").run_once()
            page = await world.appraisals.page(MANAGER, department=self.department, limit=200)
            (new,) = [item for item in page.items if item.record_id == record.record_id]
            return new.appraisal_id, timer.timer_id

        appraisal_id, timer_id = self.run(miss())
        self.entries[appraisal_id] = Entry(about, timer_id)

    @rule(
        place=PLACES,
        who=DECIDERS,
        confirm=st.booleans(),
        words=st.sampled_from(["", "  ", "当天停电"]),
        stale=st.booleans(),
    )
    def decide(self, place: int, who: Actor, confirm: bool, words: str, stale: bool) -> None:
        key, appraisals = self.pick(place), self.world.appraisals
        known = self.entries.get(key)
        expected = 1 + (known.changes if known else 0) + (7 if stale else 0)
        if confirm:
            step = appraisals.confirm(who, key, expected=expected, note=words)
        else:
            step = appraisals.dismiss(who, key, expected=expected, reason=words)
        try:
            view = self.run(step)
        except Invalid:
            assert not confirm and not words.strip()
        except OwnAppraisal:
            assert known is not None and known.about == who.user_id
        except Forbidden:
            assert who is HR
        except NotFound:
            assert known is None
        except AppraisalDecided:
            assert known is not None and known.state != "proposed"
        except StaleVersion:
            assert stale
        else:
            assert known is not None and known.state == "proposed" and known.about != who.user_id
            assert who is not HR and not stale and (confirm or words.strip())
            known.state, known.by = "confirmed" if confirm else "dropped", who.name
            known.changes += 1
            known.counts_in = known.period = self.world.clock.now().strftime("%Y-%m") if confirm else ""
            assert view.version == 1 + known.changes

    @rule(place=PLACES)
    def the_breach_is_taken_back(self, place: int) -> None:
        known = self.entries.get(self.pick(place))
        if known is None:
            return

        async def take_back() -> None:
            async with self.world.database.transaction() as session:
                timer = await session.get_one(LimitTimerRow, known.timer_id)
                await withdraw(session, timer, self.world.clock.now())

        self.run(take_back())
        if known.state != "dropped":
            known.state, known.by, known.counts_in = "dropped", "system", ""
            known.changes += 1

    @rule(month=st.sampled_from(["2026-03", "2026-04"]), who=st.sampled_from([HR, MANAGER]))
    def a_month_goes_to_payroll(self, month: str, who: Actor) -> None:
        due = [one for one in self.entries.values() if one.counts_in == month and not one.sent]
        try:
            count = self.run(self.world.appraisals.export(who, month, department=self.department))
        except Forbidden:
            assert who is MANAGER
            return
        assert who is HR and count == len(due)
        for one in due:
            one.sent = True
            one.changes += 1

    @invariant()
    def lists_show_what_the_model_says(self) -> None:
        async def read() -> None:
            appraisals, mine = self.world.appraisals, {"department": self.department, "limit": 200}
            shown = (await appraisals.page(MANAGER, state=None, **mine)).items  # type: ignore[arg-type]
            assert {item.appraisal_id: (item.state, item.decided_by, item.version) for item in shown} == {
                key: (one.state, one.by, 1 + one.changes) for key, one in self.entries.items()
            }
            for state in AppraisalState:
                page = await appraisals.page(MANAGER, state=state, **mine)  # type: ignore[arg-type]
                wanted = {key for key, one in self.entries.items() if one.state == state}
                assert {item.appraisal_id for item in page.items} == wanted
            for month in ("2026-03", "2026-04", "2026-05"):
                page = await appraisals.confirmed(HR, month, **mine)  # type: ignore[arg-type]
                counts = {key for key, one in self.entries.items() if one.counts_in == month}
                assert {item.appraisal_id for item in page.items} == counts
                for sent in (True, False):
                    page = await appraisals.confirmed(HR, month, exported=sent, **mine)  # type: ignore[arg-type]
                    assert {item.appraisal_id for item in page.items} == {
                        key
                        for key, one in self.entries.items()
                        if (
                            one.sent and one.period == month
                            if sent
                            else one.counts_in == month and not one.sent
                        )
                    }

        if self.entries:
            self.run(read())


def test_appraisal_entries_are_decided_as_the_model_says() -> None:
    clock = SettableClock(at("2026-03-20T09:00"))

    def world(loop: asyncio.AbstractEventLoop, database: Database) -> World:
        journal = Journal(AuditLog(database, clock))
        appraisals = Appraisals(database, clock, journal, zone=SHANGHAI)
        return World(loop, clock, database, LimitBook(clock), appraisals)

    run_on_sqlite(EntriesOnTheirWay, world, examples=20, steps=14)
