"""Callback tasks over a database for tests: services, real facts, a clock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import select

import app.models  # noqa: F401 - every table
from callback_campaigns.dial_attempts import DialAttempts
from callback_campaigns.domain.task import Task
from callback_campaigns.rule_files import shipped_dialling, shipped_plan
from callback_campaigns.task_desk import CallbackDesk
from callback_campaigns.task_store import to_task
from callback_campaigns.task_tables import CallbackTaskRow
from callback_campaigns.tasks import CallbackTasks
from crm.calendar_book import CalendarBook
from crm.domain.project import Stage
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.due import DueWorker
from kernel.events import Event, decode
from kernel.outbox import OutboxRow
from tests.support.people import Desk, make_desk


@dataclass
class CallbackCentre:
    """The services, and everything that was told so far."""

    database: Database
    clock: FakeClock
    desk: Desk
    tasks: CallbackTasks
    callbacks: CallbackDesk
    attempts: DialAttempts
    told: set[str] = field(default_factory=set)

    async def tell(self, *, again: bool = False) -> list[Event]:
        """Give the tasks every fact that is new, or all of them once more."""
        async with self.database.session() as session:
            rows = (await session.scalars(select(OutboxRow).order_by(OutboxRow.event_id))).all()
        facts = [decode(row.payload) for row in rows if again or row.event_id not in self.told]
        for fact in facts:
            async with self.database.transaction() as session:
                await self.tasks.take(session, fact)
            self.told.add(fact.event_id)
        return facts

    async def all(self) -> Sequence[Task]:
        """Return every task, in the order in which they were made."""
        async with self.database.session() as session:
            rows = await session.scalars(select(CallbackTaskRow).order_by(CallbackTaskRow.id))
            return [to_task(row) for row in rows]

    async def bring_due(self) -> None:
        """Let the worker look once."""
        worker = DueWorker(self.database, self.clock, CallbackTaskRow, self.tasks.bring_due, worker="w")
        await worker.run_once()

    async def started(self, name: str = "王建军", number: str = "13800138001") -> str:
        """Return a project whose start of work was registered today and told."""
        customer = await self.desk.customer(name, number)
        crew = await self.desk.crew(f"{name}施工队")
        record = await self.desk.project(customer.customer_id, f"ZX-{number}", crew_id=crew)
        project_id: str = record.project.project_id
        await self.start_work(project_id)
        return project_id

    async def start_work(self, project_id: str) -> None:
        """Register the start of work for today, and tell."""
        await self.desk.reach(
            project_id,
            Stage.STARTED,
            self.desk.office.today(),
            concealed_planned=date(2026, 4, 1),
            midterm_planned=date(2026, 5, 1),
        )
        await self.tell()


def make_centre(database: Database, clock: FakeClock) -> CallbackCentre:
    """Return the services over a database."""
    desk, dialling = make_desk(database, clock), shipped_dialling()
    tasks = CallbackTasks(desk.office, shipped_plan(), dialling, CalendarBook(clock))
    return CallbackCentre(
        database,
        clock,
        desk,
        tasks,
        CallbackDesk(desk.office, tasks),
        DialAttempts(desk.office, tasks, desk.do_not_call, dialling),
    )
