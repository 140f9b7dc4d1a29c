"""What ``case_load`` measures besides finding: work lists, a new complaint, and the worker of limits."""

import random
import time
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, text

from crm.cases import CaseFilter, CaseRegister
from crm.complaint_input import NewComplaint, NewLine
from crm.complaint_services import ComplaintServices
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.complaint import ComplaintClass
from crm.journal import Journal
from crm.limit_lists import OverdueList
from crm.limit_tables import LimitTimerRow
from crm.limit_worker import LimitWorker
from crm.limits import LimitBook, Owner, RecordRef
from crm.search_whole import whole_feed
from crm.tables import Project
from kernel.access import Actor, Role
from kernel.audit import AuditLog
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid
from tests.bench.case_data import DEPARTMENTS, FIRST_DAY, ROOMS, THINGS, TROUBLES

NOW = datetime(2026, 3, 2, 2, tzinfo=FIRST_DAY.tzinfo)
ROUNDS = 20
OPEN_LIMITS = 100_000
DUE_AT_ONCE = 500


def person(role: Role, department: str | None = None) -> Actor:
    """Return somebody of the company."""
    return Actor(user_id=new_ulid(), name="某人", role=role, department=department)


AGENT, MANAGER = person(Role.AGENT), person(Role.MANAGER)
HEADS = [person(Role.DEPARTMENT_HEAD, code) for code, _ in DEPARTMENTS]


class Office:
    """The services of complaints over a company."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clock = FakeClock(NOW)
        self._register = CaseRegister(database, self._clock, zone=SHANGHAI)
        self._limits = LimitBook(self._clock)
        self._complaints = ComplaintServices.build(
            database,
            self._clock,
            register=self._register,
            journal=Journal(AuditLog(database, self._clock)),
            limits=self._limits,
            feed=whole_feed(),
        )

    async def work_lists(self) -> list[float]:
        """Pages of fifty for customer service: open ones, a state's, closed ones, what is late."""
        wanted = (
            CaseFilter(is_open=True),
            CaseFilter(kind=CaseKind.COMPLAINT, statuses=(CaseStatus.ACCEPTED, CaseStatus.ON_SITE)),
            CaseFilter(kind=CaseKind.REPAIR, is_open=True),
            CaseFilter(is_open=False),
        )
        overdue = self._complaints.overdue
        taken: list[float] = []
        for _ in range(ROUNDS):
            taken += [await timed(self._register.page(AGENT, each)) for each in wanted]
            taken += [await timed(overdue.overdue_page(MANAGER, which)) for which in OverdueList]
            taken.append(await timed(overdue.overdue_lists(MANAGER)))
        return taken

    async def work_lists_of_heads(self) -> list[float]:
        """The same for the departments, each of which sees its own alone."""
        overdue = self._complaints.overdue
        taken: list[float] = []
        for _ in range(ROUNDS):
            for wanted in (CaseFilter(is_open=True), CaseFilter(is_open=False)):
                taken += [await timed(self._register.page(head, wanted)) for head in HEADS]
            taken += [await timed(overdue.overdue_page(HEADS[0], which)) for which in OverdueList]
            taken.append(await timed(overdue.overdue_lists(HEADS[0])))
        return taken

    async def registrations(self, times: int = 100) -> list[float]:
        """A complaint of two causes with limits, journal, facts and index, one after the other."""
        rng = random.Random(11)
        async with self._database.session() as session:
            owners = (await session.execute(select(Project.customer_id, Project.id).limit(times))).all()
        taken = []
        for customer_id, project_id in owners:
            said = f"{rng.choice(ROOMS)}{rng.choice(THINGS)}{rng.choice(TROUBLES)},要求尽快处理"
            new = NewComplaint(
                customer_id=customer_id,
                project_id=project_id,
                content=said,
                lines=(
                    NewLine(class_=ComplaintClass.WORKMANSHIP, subclass="tile", cause=said),
                    NewLine(class_=ComplaintClass.DESIGN, subclass="drawing_error", cause="图纸有误"),
                ),
            )
            taken.append(await timed(self._complaints.complaints.register(AGENT, new)))
            self._clock.advance(timedelta(minutes=1))
        return taken

    async def limits(self) -> dict[str, float]:
        """The worker's rounds with so many limits open: when none is due, and when there is a batch."""
        await self._open_limits()
        worker = LimitWorker(self._database, self._clock, self._limits, worker="bench", batch=DUE_AT_ONCE)
        await worker.run_once()
        idle = [await timed(worker.run_once()) for _ in range(50)]
        async with self._database.session() as session:
            first = await session.scalar(select(func.min(LimitTimerRow.due_at)))
        assert first is not None
        self._clock.advance(first - self._clock.now() + timedelta(seconds=1))
        started, handled, rounds = time.perf_counter(), 0, 0
        while rounds < 10 and (done := await worker.run_once()):
            handled, rounds = handled + done, rounds + 1
        seconds = time.perf_counter() - started
        return {
            "idle_round_ms": sorted(idle)[len(idle) // 2],
            "batch_ms": seconds * 1000 / max(1, rounds),
            "handled_per_s": handled / seconds,
        }

    async def _open_limits(self) -> None:
        """Open one limit by the book, and so many like it for other records."""
        async with self._database.transaction() as session:
            await session.execute(delete(LimitTimerRow))
            record = RecordRef("complaint", new_ulid(), "1")
            await self._limits.start(
                session, "TS.T1", record, at=self._clock.now(), owner=Owner(department="ENG")
            )
            table = LimitTimerRow.__table__
            row = dict((await session.execute(select(table))).mappings().one())
            rows: list[dict[str, Any]] = []
            for n in range(OPEN_LIMITS - 1):
                key = new_ulid()
                # Limits do not all come due in the same second.
                later = timedelta(seconds=n // DUE_AT_ONCE)
                rows.append(
                    {
                        **row,
                        "id": new_ulid(),
                        "record_id": key,
                        "open_key": key,
                        "due_at": row["due_at"] + later,
                        "deadline_at": row["deadline_at"] + later,
                    }
                )
                if len(rows) == 5000:
                    await session.execute(insert(LimitTimerRow), rows)
                    rows = []
            if rows:
                await session.execute(insert(LimitTimerRow), rows)
            # As the server does by itself after so many rows; the tests' one does not.
            await session.execute(text("ANALYZE limit_timer"))


async def timed(work: Awaitable[Any]) -> float:
    """Return how many milliseconds something took."""
    started = time.perf_counter()
    await work
    return (time.perf_counter() - started) * 1000
