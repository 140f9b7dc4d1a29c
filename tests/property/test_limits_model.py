"""Limits against a model that counts minute by minute and knows nothing of the code: domain.md §0, §1.3.

The week is one over New Year's Eve, and the calendar of the new year comes some time later, or never.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from crm.domain.limits import LimitConflict
from crm.events_limits import LimitBreachWithdrawn, LimitDeadlineKnown, LimitFact, LimitWarned
from crm.limit_tables import LimitBreachRow
from crm.limit_worker import LimitWorker
from crm.limits import LimitBook, Owner, RecordRef
from kernel.business_time import SHANGHAI
from kernel.db import Database
from kernel.holidays import CalendarDay, CalendarKind, CalendarYearMissing
from tests.support.db import sqlite_database
from tests.support.limits import SettableClock, at, facts

pytestmark = pytest.mark.property

MINUTE = timedelta(minutes=1)
BEGIN = at("2098-12-28T09:00")
NEW_YEAR = at("2099-01-01T00:00")
CLOSED = {date(2099, 1, 1), date(2099, 1, 2)}
ALLOWED = {"TS.T1": 180, "TS.T2": 1440}
OWNER = Owner(department="ENG")


def in_service(moment: datetime) -> bool:
    local = moment.astimezone(SHANGHAI)
    minute = local.hour * 60 + local.minute
    return 510 <= minute < 1080 and local.date() not in CLOSED


def ends_in_the_new_year(now: datetime, left: int) -> bool:
    """Whether so many minutes of service are not over by the end of the old year, ``now`` being a minute."""
    while left and now < NEW_YEAR:
        left -= in_service(now)
        now += MINUTE
    return left > 0


@dataclass
class Model:
    """One limit, counted by the minute.

    ``waits`` while its deadline is not known; ``used_known`` is what was used when the calendar ended.
    """

    record: RecordRef
    code: str
    used: int = 0
    state: str = "running"
    deadline: datetime | None = None
    service_after: int = 0
    wall_after: int = 0
    points: list[tuple[str, datetime]] = field(default_factory=list)
    told: list[tuple[str, datetime]] = field(default_factory=list)
    withdrawn: bool = False
    waits: bool = False
    used_known: int = 0
    stopped: datetime | None = None

    @property
    def shown_state(self) -> str:
        return "calendar_missing" if self.state == "running" and self.waits else self.state

    def look_ahead(self, now: datetime, *, loaded: bool) -> None:
        """Find out whether it waits for the calendar, when it begins to run."""
        left = ALLOWED[self.code] - self.used
        self.waits = not loaded and self.code == "TS.T1" and ends_in_the_new_year(now, left)

    def minute(self, moment: datetime) -> None:
        """Live through the minute that begins at ``moment``."""
        end = moment + MINUTE
        if self.state == "running" and self.deadline is None:
            if self.code == "TS.T2" or in_service(moment):
                self.used += 1
                if moment < NEW_YEAR:
                    self.used_known = self.used
                allowed = ALLOWED[self.code]
                for percent in (50, 80):
                    if self.used * 100 == allowed * percent:
                        self.points.append((f"LimitWarned{percent}", end))
                if self.used == allowed:
                    self.deadline = end
                    self.points.append(("LimitBreached", end))
        elif self.state == "running":
            self.wall_after += 1
            self.service_after += in_service(moment)
            if self.service_after == 180 and in_service(moment):
                self.points.append(("LimitRed", end))
            if self.wall_after == 1440:
                self.points.append(("LimitEscalated", end))

    def tell(self, until: datetime, *, loaded: bool, warn: bool = True) -> None:
        """Tell what is due by ``until``; points beyond it stay, and those that nobody can know yet."""

        def known(point: tuple[str, datetime]) -> bool:
            # The red list's moment is on the service clock, whatever the limit's own is.
            return not self.waits and (loaded or point[0] != "LimitRed" or point[1] < NEW_YEAR)

        due = [point for point in self.points if point[1] <= until and known(point)]
        self.points = [point for point in self.points if point not in due]
        self.told += [point for point in due if warn or not point[0].startswith("LimitWarned")]

    def end(self, state: str, when: datetime, *, loaded: bool) -> None:
        self.points = [point for point in self.points if point[1] <= when]
        if (self.deadline is not None and when > self.deadline) or state == "void":
            self.points = [point for point in self.points if not point[0].startswith("LimitWarned")]
            self.tell(when, loaded=loaded)
        else:
            self.withdrawn = any(name == "LimitBreached" for name, _ in self.told)
            self.points = []
        self.state, self.stopped = state, when

    def load(self) -> None:
        """The calendar of the new year has come."""
        self.waits = False


# Long enough, mostly, for something to have come due.
waits = st.one_of(
    st.integers(1, 120), st.sampled_from([144, 180, 181, 360, 600, 720, 1152, 1440, 1441, 1620, 2880, 4500])
)


class Limits(RuleBasedStateMachine):
    """The database and its workers on one side, the models on the other."""

    records = Bundle("records")

    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.opened = sqlite_database()
        self.database: Database = self.run(self.opened.__aenter__())
        self.clock = SettableClock(BEGIN)
        self.book = LimitBook(self.clock)
        self.models: list[Model] = []
        self.loaded = False
        self.run(self.load_year(2098, set()))

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    async def do(self, method: str, *arguments: Any, **options: Any) -> Any:
        async with self.database.transaction() as session:
            return await getattr(self.book, method)(session, *arguments, **options)

    async def load_year(self, year: int, closed: set[date]) -> None:
        days = [CalendarDay(date=day, kind=CalendarKind.HOLIDAY, name="元旦") for day in sorted(closed)]
        async with self.database.transaction() as session:
            await self.book.calendar.load_year(session, year, days)

    @precondition(lambda self: not self.loaded and self.clock.now() > BEGIN + timedelta(days=3))
    @rule(sure=st.integers(0, 3))
    def the_calendar_comes(self, sure: int) -> None:
        if not sure:
            return
        self.run(self.load_year(2099, CLOSED))
        self.loaded = True
        for model in self.models:
            model.load()

    async def drain(self, name: str) -> None:
        worker = LimitWorker(self.database, self.clock, LimitBook(self.clock), worker=name, batch=2)
        while await worker.run_once():
            pass

    @precondition(lambda self: len(self.models) < 8)
    @rule(target=records, code=st.sampled_from(sorted(ALLOWED)))
    def start(self, code: str) -> Model:
        model = Model(RecordRef("complaint", f"record-{len(self.models)}"), code)
        view = self.run(self.do("start", code, model.record, at=self.clock.now(), owner=OWNER))
        model.look_ahead(self.clock.now(), loaded=self.loaded)
        assert view.state == model.shown_state
        self.models.append(model)
        return model

    @rule(minutes=waits)
    def time_passes(self, minutes: int) -> None:
        for _ in range(minutes):
            for model in self.models:
                model.minute(self.clock.now())
            self.clock.advance(MINUTE)

    @rule(names=st.sampled_from([("one",), ("two",), ("one", "two")]), minutes=waits)
    def workers_come(self, names: tuple[str, ...], minutes: int) -> None:
        self.time_passes(minutes)

        async def work() -> None:
            await asyncio.gather(*(self.drain(name) for name in names))

        self.run(work())
        self.tell_all()

    def tell_all(self) -> None:
        for model in self.models:
            if model.state == "running":
                model.tell(self.clock.now(), loaded=self.loaded)
            elif model.stopped is not None:
                model.tell(model.stopped, loaded=self.loaded)

    @rule(model=records, minutes=waits, ago=st.one_of(st.just(0), st.integers(0, 240)))
    def stop(self, model: Model, minutes: int, ago: int) -> None:
        self.time_passes(minutes)
        when = self.clock.now() - ago * MINUTE
        found = self.run(self.do("stop", model.code, model.record, at=when))
        assert (found is None) == (model.state not in {"running", "paused"})
        if found is not None:
            model.end("stopped", when, loaded=self.loaded)

    @precondition(lambda self: any(model.deadline and model.state == "running" for model in self.models))
    @rule(which=st.integers(0, 7), beside=st.sampled_from([-30, 0, 1, 200]))
    def write_down_late(self, which: int, beside: int) -> None:
        """Somebody writes down what happened about the deadline, perhaps long after the breach."""
        late = [model for model in self.models if model.deadline and model.state == "running"]
        model = late[which % len(late)]
        assert model.deadline is not None
        when = min(model.deadline + beside * MINUTE, self.clock.now())
        self.run(self.do("stop", model.code, model.record, at=when))
        model.end("stopped", when, loaded=self.loaded)

    @precondition(lambda self: len(self.models) > 3)
    @rule(model=records)
    def void(self, model: Model) -> None:
        ended = self.run(self.do("void", model.record, reason="不立案"))
        assert ended == (model.state in {"running", "paused"})
        if ended:
            model.end("void", self.clock.now(), loaded=self.loaded)

    @rule(model=records, minutes=waits)
    def pause(self, model: Model, minutes: int) -> None:
        self.time_passes(minutes)
        work = self.do("pause", model.code, model.record, at=self.clock.now(), reason="等客户")
        if model.state == "paused" or (model.state == "running" and model.deadline is not None):
            with pytest.raises((LimitConflict, CalendarYearMissing) if model.waits else LimitConflict):
                self.run(work)
        elif model.waits and model.state == "running" and self.clock.now() >= NEW_YEAR:
            with pytest.raises(CalendarYearMissing):
                self.run(work)
        elif self.run(work) is not None:
            assert model.state == "running"
            model.tell(self.clock.now(), loaded=self.loaded)
            model.state, model.waits = "paused", False

    @precondition(lambda self: any(model.state == "paused" for model in self.models))
    @rule(model=records)
    def resume(self, model: Model) -> None:
        work = self.do("resume", model.code, model.record, at=self.clock.now())
        if model.state == "running":
            with pytest.raises(LimitConflict):
                self.run(work)
        elif self.run(work) is not None:
            assert model.state == "paused"
            model.state = "running"
            model.look_ahead(self.clock.now(), loaded=self.loaded)

    @invariant()
    def shown_as_it_is(self) -> None:
        async def views() -> Any:
            async with self.database.session() as session:
                return await self.book.timers(session, [model.record.record_id for model in self.models])

        if not getattr(self, "models", None):
            return
        found = self.run(views())
        for model in self.models:
            (view,) = found[model.record.record_id]
            assert view.state == model.shown_state
            assert (view.calendar_missing is not None) == model.waits
            if model.state in {"running", "paused"}:
                used = model.used_known if model.waits else model.used
                assert view.used == pytest.approx(used / ALLOWED[model.code], abs=1e-9)
                late = model.deadline is not None and self.clock.now() > model.deadline
                assert view.overdue == (late and not model.waits)
                if model.waits:
                    assert view.due_at is None
                elif model.deadline is not None:
                    assert view.due_at == model.deadline

    def teardown(self) -> None:
        if not hasattr(self, "database"):
            return
        try:
            self.run(self.compare())
        finally:
            self.run(self.opened.__aexit__(None, None, None))
            self.runner.close()

    async def compare(self) -> None:
        await self.drain("last")
        told: dict[str, list[tuple[str, datetime]]] = {}
        withdrawn = set()
        for fact in await facts(self.database, LimitFact):
            if isinstance(fact, LimitBreachWithdrawn):
                withdrawn.add(fact.record_id)
            if isinstance(fact, LimitBreachWithdrawn | LimitDeadlineKnown):
                continue
            name = type(fact).__name__ + (str(fact.percent) if isinstance(fact, LimitWarned) else "")
            told.setdefault(fact.record_id, []).append((name, fact.at))
        async with self.database.session() as session:
            rows = (await session.execute(LimitBreachRow.__table__.select())).all()
        self.tell_all()
        for model in self.models:
            key = model.record.record_id
            assert sorted(told.get(key, [])) == sorted(model.told)
            assert (key in withdrawn) == model.withdrawn
            breached = any(name == "LimitBreached" for name, _ in model.told)
            assert sum(row.record_id == key for row in rows) == breached


Limits.TestCase.settings = settings(
    max_examples=50,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestLimits = Limits.TestCase
