"""Loads complaints for a change and stores what became of them, all in one transaction.

The header is locked first, so that changes of one complaint follow one another; a line has a version of its
own, so that two departments do not stand in each other's way.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from crm.case_store import Note, tell_everywhere
from crm.cases import CaseRegister, CaseView
from crm.complaint_tables import Complaint, ComplaintLine, LinePlan
from crm.confidential import hide, is_trusted
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.complaint import case_status
from crm.domain.complaint_line import AcceptMode, Line, LineStatus, Window
from crm.domain.line_steps import Moved
from crm.journal import Journal, Values
from crm.line_limits import LineLimits
from crm.line_record_tables import LineRecord
from crm.members import Members
from crm.search_feed import CaseExtra, SearchFeed
from crm.tables import ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, NotFound, StaleVersion
from kernel.events import Event
from kernel.ids import is_ulid
from kernel.outbox import add_fact


class CaseOver(Conflict):
    """The complaint is closed, or was not filed."""

    code = "case_over"


ENTITY = "complaint"
LINE_ENTITY = "complaint_line"


@dataclass(slots=True, kw_only=True)
class Opened:
    """A complaint that is being changed. What is noted and told is stored when the change ends well.

    Attributes:
        final: the state that somebody decides on, instead of the one that follows from the lines.
    """

    session: AsyncSession
    actor: Actor
    now: datetime
    header: ServiceCase
    row: Complaint
    lines: list[ComplaintLine]
    limits: LineLimits
    final: CaseStatus | None = None
    _notes: list[Note] = field(default_factory=list)

    def note(
        self,
        action: str,
        *,
        line: ComplaintLine | None = None,
        entity: tuple[str, str] | None = None,
        before: Values | None = None,
        after: Values | None = None,
        why: str = "",
    ) -> None:
        """Write down in the journal what was done."""
        kind, key = entity or ((LINE_ENTITY, line.id) if line is not None else (ENTITY, self.header.id))
        note = Note(
            action=action, entity=kind, entity_id=key, before=before or {}, after=after or {}, why=why
        )
        self._notes.append(note)

    def tell(self, fact: Event) -> None:
        """Tell other parts, once the change is committed."""
        add_fact(self.session, fact)

    def plain(self) -> list[Line]:
        """Return the lines as the rules see them."""
        return [to_line(row) for row in self.lines]

    async def move(
        self, line: ComplaintLine, moved: Moved, action: str, *, why: str = "", **after: Any
    ) -> None:
        """Store a line after a step, with its limits and the journal's note."""
        before = {"status": line.status}
        put_line(line, moved.line)
        flag_modified(line, "status")
        self.note(action, line=line, before=before, after={"status": line.status, **after}, why=why)
        await self.session.flush()
        await self.limits.apply(self.session, self.header, line, moved.limits)

    def check_open(self) -> None:
        """Raise CaseOver once the complaint is closed or not filed."""
        if self.header.closed_at is not None:
            raise CaseOver("the complaint is closed", field="status")

    def sees(self, line: ComplaintLine) -> bool:
        """Tell whether a line is shown to who changes the complaint."""
        return may_see(self.actor, line, trusted_in(self.header, self.row))

    def need_whole(self) -> None:
        """Raise Forbidden where the complaint has a line that the actor does not see."""
        if not all(self.sees(line) for line in self.lines):
            raise Forbidden("its specialist or the manager does that: it is confidential", field="case_id")

    def summary(self) -> str:
        """Return the summary for facts, which reach departments and telephones too."""
        return hide(self.header.summary, hidden=any(line.confidential for line in self.lines))

    def departments(self) -> tuple[str, ...]:
        """Return the departments that have, or had, a part, confidential ones left out."""
        found = dict.fromkeys(line.department_code for line in self.lines if not line.confidential)
        return tuple(found)

    async def plan_of(self, line: ComplaintLine) -> LinePlan:
        """Return the newest plan of a line. Raises NotFound."""
        newest = select(LinePlan).where(LinePlan.line_id == line.id).order_by(LinePlan.id.desc()).limit(1)
        found = (await self.session.execute(newest)).scalar_one_or_none()
        if found is None:
            raise NotFound("the line has no plan", field="line_id")
        return found


class ComplaintStore:
    """Opens complaints for change."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        register: CaseRegister,
        journal: Journal,
        limits: LineLimits,
        feed: SearchFeed,
        *,
        members: Members,
    ) -> None:
        self.database = database
        self.clock = clock
        self.register = register
        self.limits = limits
        self.journal = journal
        self.members = members
        self._feed = feed

    @asynccontextmanager
    async def changing(self, actor: Actor, case_id: str, *, expected: int | None) -> AsyncIterator[Opened]:
        """Open a complaint, and store it when the block ends well; nothing is stored when it raises.

        Args:
            expected: version that the actor has seen; ``None`` for a change that depends on none.

        Raises:
            NotFound: no such complaint, or none that the actor may see.
            StaleVersion: somebody changed it since.
        """
        async with (
            self.database.transaction() as session,
            self.changing_in(session, actor, case_id, expected=expected) as opened,
        ):
            yield opened

    @asynccontextmanager
    async def changing_in(
        self, session: AsyncSession, actor: Actor, case_id: str, *, expected: int | None = None
    ) -> AsyncIterator[Opened]:
        """Open a complaint in a transaction that somebody else began. Raises as :meth:`changing`."""
        opened = await self._open(session, actor, case_id, expected)
        yield opened
        await self.finish(opened)

    @asynccontextmanager
    async def changing_line(
        self, actor: Actor, line_id: str, *, expected: int | None
    ) -> AsyncIterator[tuple[Opened, ComplaintLine]]:
        """Open the complaint of a line; ``expected`` is the line's version. Raises as :meth:`changing`."""
        async with self.database.transaction() as session:
            case_id = await case_of(session, line_id)
            opened = await self._open(session, actor, case_id, None)
            line = next(line for line in opened.lines if line.id == line_id)
            if not opened.sees(line):
                raise NotFound("no such line", field="line_id")
            if expected is not None and line.version != expected:
                raise StaleVersion("somebody else changed the line; read it again", field="If-Match")
            yield opened, line
            await self.finish(opened)

    async def finish(self, opened: Opened) -> None:
        """Store what follows from a change: state, limits, search, time line, journal."""
        session, header, row = opened.session, opened.header, opened.row
        before = CaseStatus(header.status)
        called_back = row.called_back_at is not None or row.waived_at is not None
        status = opened.final or case_status(opened.plain(), called_back=called_back)
        self.register.move(header, status, at=opened.now)
        flag_modified(header, "updated_at")
        active = [line for line in opened.lines if LineStatus(line.status).is_open and not line.confidential]
        if active:
            header.department_code = active[0].department_code
        if status is not before:
            opened.note("complaint.status", before={"status": before}, after={"status": status})
        if status in {CaseStatus.CLOSED, CaseStatus.NOT_FILED}:
            await self.limits.end(session, header, status.value, opened.now)
        await self.limits.note_due(session, header.id, opened.lines)
        await session.flush()
        await tell_everywhere(
            session, opened.actor, header, opened._notes, feed=self._feed, journal=self.journal
        )

    async def _open(self, session: AsyncSession, actor: Actor, case_id: str, expected: int | None) -> Opened:
        header = await self.register.load(session, actor, case_id, kind=CaseKind.COMPLAINT, expected=expected)
        row = await session.get(Complaint, case_id)
        if row is None:
            # Registered before complaints had lines: there is nothing to work on.
            raise NotFound("no such complaint", field="case_id")
        return Opened(
            session=session,
            actor=actor,
            now=self.clock.now(),
            header=header,
            row=row,
            lines=list(await lines_of(session, [case_id])),
            limits=self.limits,
        )


async def lines_of(session: AsyncSession, case_ids: Sequence[str]) -> Sequence[ComplaintLine]:
    """Return the lines of complaints, in their order."""
    query = (
        select(ComplaintLine)
        .where(ComplaintLine.case_id.in_(case_ids))
        .order_by(ComplaintLine.case_id, ComplaintLine.position)
    )
    return (await session.execute(query)).scalars().all()


async def case_of(session: AsyncSession, line_id: str) -> str:
    """Return the complaint of a line. Raises NotFound."""
    query = select(ComplaintLine.case_id).where(ComplaintLine.id == line_id)
    found = await session.scalar(query) if is_ulid(line_id) else None
    if found is None:
        raise NotFound("no such line", field="line_id")
    return found


def trusted_in(header: ServiceCase | CaseView, row: Complaint) -> frozenset[str | None]:
    """Return who of customer service sees a complaint's confidential lines: its specialist, its writer."""
    return frozenset({header.specialist_id, row.registered_by_id})


def may_see(actor: Actor, line: ComplaintLine, trusted: Collection[str | None]) -> bool:
    """Tell whether a line is shown to the actor; ``trusted`` as :func:`trusted_in` says."""
    return not line.confidential or is_trusted(actor, trusted)


def check_works(actor: Actor, line: ComplaintLine) -> None:
    """Refuse work on a line by anybody but its department; a confidential one is the manager's.

    Raises:
        Forbidden: the role or the department does not fit.
    """
    if line.confidential:
        _need_manager(actor)
        return
    actor.need(Permission.CASES_WORK)
    if not actor.in_department(line.department_code):
        raise Forbidden("the line is another department's", field="department")


def check_receives(actor: Actor, line: ComplaintLine) -> None:
    """Refuse a receipt by anybody but the department's head or deputy; a confidential one is the manager's.

    Raises:
        Forbidden: the role or the department does not fit.
    """
    if line.confidential:
        _need_manager(actor)
        return
    actor.need(Permission.CASES_SIGN)
    if actor.department != line.department_code:
        raise Forbidden("only the department's head or deputy signs for it", field="department")


def _need_manager(actor: Actor) -> None:
    """Refuse everybody but the manager: the general manager does not decide cases, the administrator does
    not see them.
    """
    actor.need(Permission.CASES_DECIDE)
    actor.need(Permission.CASES_CONFIDENTIAL)


async def search_extras(session: AsyncSession, case_ids: Sequence[str]) -> dict[str, CaseExtra]:
    """Return what the search knows of complaints besides their headers."""
    rows = (await session.execute(select(Complaint).where(Complaint.case_id.in_(case_ids)))).scalars()
    lines: dict[str, list[ComplaintLine]] = {}
    for line in await lines_of(session, case_ids):
        lines.setdefault(line.case_id, []).append(line)
    noted: dict[str, list[str]] = {}
    told = select(ComplaintLine.case_id, LineRecord.done).join(
        LineRecord, LineRecord.line_id == ComplaintLine.id
    )
    told = told.where(ComplaintLine.case_id.in_(case_ids), ComplaintLine.confidential.is_(False))
    for case_id, done in await session.execute(told.order_by(LineRecord.id)):
        noted.setdefault(case_id, []).append(done)
    kept = select(ServiceCase.id, ServiceCase.specialist_id).where(ServiceCase.id.in_(case_ids))
    keepers = {row.id: row.specialist_id for row in await session.execute(kept)}
    found: dict[str, CaseExtra] = {}
    for row in rows:
        mine = lines.get(row.case_id, [])
        # What a department may not see it must not find either.
        shown = [line for line in mine if not line.confidential]
        texts = [row.demand, *(line.cause for line in shown)]
        texts += [line.manufacturer or "" for line in shown]
        texts += noted.get(row.case_id, ())
        keeper = keepers.get(row.case_id)
        found[row.case_id] = CaseExtra(
            texts=tuple(text for text in texts if text),
            names=tuple(line.person for line in shown if line.person),
            users=(row.registered_by_id, *([keeper] if keeper else [])),
            confidential=len(shown) < len(mine),
        )
    return found


def to_line(row: ComplaintLine) -> Line:
    """Return a stored line as the rules see it."""
    visit = None
    if row.visit_from is not None and row.visit_until is not None:
        visit = Window(from_=row.visit_from, until=row.visit_until)
    return Line(
        line_id=row.id,
        status=LineStatus(row.status),
        mode=AcceptMode(row.mode) if row.mode else None,
        accepted_at=row.accepted_at,
        verified_at=row.verified_at,
        planned_visit_at=row.planned_visit_at,
        planned_plan_at=row.planned_plan_at,
        planned_solve_at=row.planned_solve_at,
        visit=visit,
        visited_at=row.visited_at,
        callback_from=row.callback_from,
        needs_contact=row.needs_contact,
        planner=row.planner,
        done_at=row.done_at,
        unsolved_at=row.unsolved_at,
        solved_at=row.solved_at,
    )


def put_line(row: ComplaintLine, line: Line) -> None:
    """Store what a step made of a line."""
    row.status = line.status.value
    row.mode = line.mode.value if line.mode else None
    row.accepted_at = line.accepted_at
    row.verified_at = line.verified_at
    row.planned_visit_at = line.planned_visit_at
    row.planned_plan_at = line.planned_plan_at
    row.planned_solve_at = line.planned_solve_at
    row.visit_from = line.visit.from_ if line.visit else None
    row.visit_until = line.visit.until if line.visit else None
    row.visited_at = line.visited_at
    row.callback_from = line.callback_from
    row.needs_contact = line.needs_contact
    row.planner = line.planner
    row.done_at = line.done_at
    row.unsolved_at = line.unsolved_at
    row.solved_at = line.solved_at
