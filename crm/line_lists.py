"""What a department has on its hands: its open lines of complaints, the oldest first (domain.md §2.3)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from crm.complaint_tables import CaseHandoff, ComplaintLine
from crm.confidential import handoff_seen, line_seen
from crm.domain.complaint_line import LINE_FINAL, LineStatus
from crm.limit_views import TimerState, TimerView
from crm.limits import LimitBook
from crm.tables import Customer, Department, Project, ServiceCase
from kernel.access import Actor, Permission
from kernel.db import Database
from kernel.errors import NotFound
from kernel.ids import is_ulid

MAX_LINES = 200
_NOT_THEIRS = frozenset({LineStatus.REGISTERED, LineStatus.HANDED_OFF, LineStatus.REJECTED})
_AT_WORK = tuple(sorted(status.value for status in set(LineStatus) - LINE_FINAL - _NOT_THEIRS))


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLine:
    """A line that a department has accepted and that is not closed; ``limit`` is the one that ends first."""

    line_id: str
    case_id: str
    no: str
    status: LineStatus
    department: str
    department_name: str
    person: str | None
    class_code: int
    subclass: str | None
    cause: str
    customer_name: str
    address: str | None
    severity: int
    round: int
    registered_at: datetime
    visit_from: datetime | None
    visit_until: datetime | None
    planned_solve_at: datetime | None
    limit: TimerView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPlan:
    """A plan that waits for the manager's decision."""

    line_id: str
    case_id: str
    no: str
    department_name: str
    cause: str
    customer_name: str
    severity: int
    planned_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffPlace:
    """What was handed off: a line of a complaint, or the part of a ticket."""

    case_id: str
    line_id: str
    is_complaint: bool


class LineLists:
    """Reads the lists; people of a department see their own department's lines."""

    def __init__(self, database: Database, book: LimitBook) -> None:
        self._database = database
        self._book = book

    async def open_lines(self, actor: Actor) -> tuple[OpenLine, ...]:
        """Return the open lines that the actor's department has accepted, the oldest first; 200 at the most.

        Raises:
            Forbidden: the role does not work on lines.
        """
        actor.need(Permission.CASES_WORK)
        query = (
            select(ComplaintLine, ServiceCase, Customer.name, Project.address, Department.name)
            .join(ServiceCase, ServiceCase.id == ComplaintLine.case_id)
            .join(Customer, Customer.id == ServiceCase.customer_id)
            .join(Department, Department.code == ComplaintLine.department_code)
            .outerjoin(Project, Project.id == ServiceCase.project_id)
            .where(ComplaintLine.status.in_(_AT_WORK), ServiceCase.closed_at.is_(None), line_seen(actor))
            .order_by(ComplaintLine.registered_at, ComplaintLine.id)
            .limit(MAX_LINES)
        )
        if not actor.can(Permission.CASES_VIEW_ALL):
            own = ComplaintLine.department_code == (actor.department or "")
            query = query.where(own)
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
            timers = await self._book.timers(session, sorted({row[1].id for row in rows}))
        return tuple(
            OpenLine(
                line_id=line.id,
                case_id=header.id,
                no=header.no,
                status=LineStatus(line.status),
                department=line.department_code,
                department_name=department,
                person=line.person,
                class_code=line.class_code,
                subclass=line.subclass,
                cause=line.cause,
                customer_name=customer,
                address=address,
                severity=header.severity,
                round=header.round,
                registered_at=line.registered_at,
                visit_from=line.visit_from,
                visit_until=line.visit_until,
                planned_solve_at=line.planned_solve_at,
                limit=_first(timers.get(header.id, ()), line),
            )
            for line, header, customer, address, department in rows
        )

    async def place_of(self, actor: Actor, handoff_id: str) -> HandoffPlace:
        """Return what a hand-off is about.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such hand-off, or none that the actor may see.
        """
        actor.need(Permission.CASES_VIEW)
        query = (
            select(CaseHandoff.case_id, CaseHandoff.line_id, ComplaintLine.id)
            .outerjoin(ComplaintLine, ComplaintLine.id == CaseHandoff.line_id)
            .where(handoff_seen(actor))
        )
        if not actor.can(Permission.CASES_VIEW_ALL):
            query = query.where(CaseHandoff.department_code == (actor.department or ""))
        async with self._database.session() as session:
            found = (await session.execute(query.where(CaseHandoff.id == handoff_id))).one_or_none()
        if found is None or not is_ulid(handoff_id):
            raise NotFound("no such hand-off", field="handoff_id")
        case_id, line_id, complaint = found
        return HandoffPlace(case_id=case_id, line_id=line_id, is_complaint=complaint is not None)

    async def waiting_plans(self, actor: Actor) -> tuple[WaitingPlan, ...]:
        """Return the lines whose plan waits for a decision, the oldest first; 200 at the most.

        Raises:
            Forbidden: the role does not decide on plans.
        """
        actor.need(Permission.CASES_DECIDE)
        query = (
            select(ComplaintLine, ServiceCase, Customer.name, Department.name)
            .join(ServiceCase, ServiceCase.id == ComplaintLine.case_id)
            .join(Customer, Customer.id == ServiceCase.customer_id)
            .join(Department, Department.code == ComplaintLine.department_code)
            .where(ComplaintLine.status == LineStatus.PLAN_REVIEW.value, ServiceCase.closed_at.is_(None))
            .order_by(ComplaintLine.registered_at, ComplaintLine.id)
            .limit(MAX_LINES)
        )
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        return tuple(
            WaitingPlan(
                line_id=line.id,
                case_id=header.id,
                no=header.no,
                department_name=department,
                cause=line.cause,
                customer_name=customer,
                severity=header.severity,
                planned_at=line.planned_solve_at,
            )
            for line, header, customer, department in rows
        )


def _first(timers: tuple[TimerView, ...], line: ComplaintLine) -> TimerView | None:
    """Return what the department owes first; the callback is customer service's to make."""
    running = [
        (timer.due_at, timer.timer_id, timer)
        for timer in timers
        if timer.record.line_id == line.id
        and timer.owner.department == line.department_code
        and timer.state is TimerState.RUNNING
        and timer.due_at is not None
    ]
    return min(running)[2] if running else None
