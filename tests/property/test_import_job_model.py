"""Import jobs against a model: uploaded, checked, then written whole or not at all.

The model: jobs are worked on one after another, the oldest first. A file that is no sheet is refused; another
is checked and waits for a person. Started, it writes all its rows, or nothing when one is bad and the good
ones alone were not asked for; then it may be started again. A file that is done cannot be, and rows that are
here already are not written twice. A process that dies in the middle leaves the job to the next one.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import app.models  # noqa: F401 - every table
from crm.importing.jobs import ImportJobs
from crm.importing.service import Importer
from crm.importing.sheet import BadSheet
from crm.projects import ProjectFilter
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, NotFound
from kernel.ids import new_ulid
from tests.support.people import AGENT, MANAGER, Desk, make_desk
from tests.support.state_machines import run_on_sqlite

pytestmark = [pytest.mark.property, pytest.mark.timeout(400)]

TITLES = "客户姓名,电话,合同号,小区"
JOBS = st.integers(0, 3)


@dataclass
class World:
    """One database for all examples: each works with contracts of its own."""

    loop: asyncio.AbstractEventLoop
    clock: FakeClock
    desk: Desk
    examples: int = 0


@dataclass
class Job:
    """What the model knows of a job: its good contracts, and whether a row is bad."""

    contracts: list[int]
    bad: bool
    sheet: bool
    state: str = "checking"
    only_good: bool = False
    wrote: bool | None = None


class JobsOnTheirWay(RuleBasedStateMachine):
    """The real jobs on SQLite beside the model."""

    world: ClassVar[World]

    @initialize()
    def begin(self) -> None:
        self.world.examples += 1
        self.jobs: dict[str, Job] = {}
        self.here: set[int] = set()
        self.service = ImportJobs(self.world.desk.office, Importer(self.world.desk.office))

    def run(self, work: Any) -> Any:
        return self.world.loop.run_until_complete(work)

    def contract(self, number: int) -> str:
        return f"ZX-{self.world.examples}-{number}"

    def pick(self, place: int) -> str:
        return sorted(self.jobs)[place % len(self.jobs)] if self.jobs else new_ulid()

    # What people and processes do

    @rule(
        numbers=st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True),
        bad=st.booleans(),
        sheet=st.booleans(),
    )
    def upload(self, numbers: list[int], bad: bool, sheet: bool) -> None:
        rows = [f"王建军,138001380{number:02},{self.contract(number)},锦秋家园" for number in numbers]
        rows += ["无名氏,12,,"] if bad else []
        content = "\n".join([TITLES, *rows]).encode() if sheet else b"\x00\x01\x02 no sheet"
        with pytest.raises(Forbidden):
            self.run(self.service.upload(AGENT, "客户.csv", content))
        with pytest.raises(BadSheet):
            self.run(self.service.upload(MANAGER, "客户.csv", b""))
        self.world.clock.advance(timedelta(seconds=1))
        view = self.run(self.service.upload(MANAGER, "客户.csv", content))
        self.jobs[view.job_id] = Job(numbers, bad, sheet)

    @rule(place=JOBS, only_good=st.booleans())
    def start(self, place: int, only_good: bool) -> None:
        key = self.pick(place)
        job = self.jobs.get(key)
        try:
            self.run(self.service.start(MANAGER, key, good_rows_only=only_good))
        except NotFound:
            assert job is None
        except Conflict:
            assert job is not None and job.state != "checked"
        else:
            assert job is not None and job.state == "checked"
            job.state, job.only_good = "importing", only_good

    @rule()
    def work(self) -> None:
        waiting = [key for key in sorted(self.jobs) if self.jobs[key].state in {"checking", "importing"}]
        assert self.run(self.service.run_once()) is bool(waiting)
        if not waiting:
            return
        job = self.jobs[waiting[0]]
        if not job.sheet:
            job.state = "refused"
        elif job.state == "checking" or (job.bad and not job.only_good):
            job.state, job.wrote = "checked", False
        else:
            job.state, job.wrote = "done", True
            self.here |= set(job.contracts)

    @rule()
    def the_process_dies_while_it_works(self) -> None:
        """Nothing of the job is written, and another process begins it again."""

        class Dying(Importer):
            async def check(self, *_: Any, **__: Any) -> Any:
                raise asyncio.CancelledError

            run = check

        office = self.world.desk.office
        works = any(job.state in {"checking", "importing"} for job in self.jobs.values())
        try:
            self.run(ImportJobs(office, Dying(office)).run_once())
        except asyncio.CancelledError:
            assert works
        else:
            assert not works

    def teardown(self) -> None:
        """Leave nothing for the processes of other examples."""
        while self.run(self.service.run_once()):
            pass

    # What must be so at any time

    @invariant()
    def what_is_here_is_what_the_model_says(self) -> None:
        async def read() -> None:
            shown = {view.job_id: view for view in await self.service.list(MANAGER)}
            for key, job in self.jobs.items():
                view = shown[key]
                assert view.state.value == job.state
                assert view.works is (job.state in {"checking", "importing"})
                assert (view.finished_at is not None) is (job.state in {"done", "refused"})
                assert (view.problem is not None) is (job.state == "refused")
                if job.wrote is not None:
                    assert view.report is not None and view.report.written is job.wrote
                    assert (view.report.bad, view.report.good) == (int(job.bad), len(job.contracts))
            projects = await self.world.desk.projects.page(MANAGER, ProjectFilter(), limit=200)
            mine = {self.contract(number) for number in range(5)}
            written = [item.contract_no for item in projects.items if item.contract_no in mine]
            assert sorted(written) == sorted(self.contract(number) for number in self.here)

        self.run(read())


def test_import_jobs_go_as_the_model_says() -> None:
    clock = FakeClock(datetime(2026, 3, 2, 2, 0, tzinfo=UTC))

    def world(loop: asyncio.AbstractEventLoop, database: Database) -> World:
        return World(loop, clock, make_desk(database, clock))

    run_on_sqlite(JobsOnTheirWay, world, examples=15, steps=14)
