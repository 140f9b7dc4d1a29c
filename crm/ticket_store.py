"""Loads problem tickets for a change and stores what became of them, all in one transaction."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from crm.case_store import Note, tell_everywhere
from crm.cases import CaseRegister, CaseView
from crm.domain.case import CaseKind, CaseStatus, Severity
from crm.domain.ticket import Moved, Part, PartStatus, Ticket, TicketLimit
from crm.events_tickets import RevisitWanted
from crm.journal import Journal, Values
from crm.limits import LimitBook, Owner, RecordRef
from crm.search_feed import CaseExtra, SearchFeed
from crm.tables import ServiceCase
from crm.ticket_tables import TicketPart, TicketRow
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Forbidden, NotFound, StaleVersion
from kernel.events import Event
from kernel.ids import is_ulid
from kernel.outbox import add_fact

ENTITY = "ticket"
PART_ENTITY = "ticket_part"
FAMILY = "TD"
ACCEPT = "TD.T1"


@dataclass(slots=True, kw_only=True)
class OpenedTicket:
    """A ticket that is being changed; what is noted is stored when the change ends well."""

    session: AsyncSession
    actor: Actor
    now: datetime
    header: ServiceCase
    row: TicketRow
    parts: list[TicketPart]
    book: LimitBook
    _notes: list[Note] = field(default_factory=list)

    def domain(self) -> Ticket:
        """Return what the rules depend on."""
        return to_ticket(self.header, self.parts)

    def part(self, part_id: str) -> TicketPart:
        """Return a part. Raises NotFound."""
        for part in self.parts:
            if part.id == part_id:
                return part
        raise NotFound("no such part", field="part_id")

    def note(
        self,
        action: str,
        *,
        part: TicketPart | None = None,
        before: Values | None = None,
        after: Values | None = None,
        why: str = "",
    ) -> None:
        """Write down in the journal what was done."""
        entity, key = (PART_ENTITY, part.id) if part is not None else (ENTITY, self.header.id)
        note = Note(
            action=action, entity=entity, entity_id=key, before=before or {}, after=after or {}, why=why
        )
        self._notes.append(note)

    def tell(self, fact: Event) -> None:
        """Tell other parts, once the change is committed."""
        add_fact(self.session, fact)

    async def move(
        self, moved: Moved, action: str, *, part: TicketPart | None = None, why: str = "", **after: Any
    ) -> None:
        """Store a ticket after a step, with its limits, the wish for a revisit and the journal's note."""
        was = (part.status if part is not None else self.header.status,)
        known = {found.id: found for found in self.parts}
        for found in moved.ticket.parts:
            known[found.part_id].status = found.status.value
        self.header.status = moved.ticket.status.value
        self.header.severity = int(moved.ticket.severity)
        status = part.status if part is not None else self.header.status
        self.note(action, part=part, before={"status": was[0]}, after={"status": status, **after}, why=why)
        await self.session.flush()
        for limit, part_id in moved.limits:
            await self._apply(limit, part_id)
        if moved.revisit_wanted:
            self.row.solved_at = self.now
            self.tell(
                RevisitWanted(
                    at=self.now,
                    case_id=self.header.id,
                    no=self.header.no,
                    customer_id=self.header.customer_id,
                    project_id=self.header.project_id,
                    callback_ref=self.row.callback_ref,
                    question_id=self.row.question_id,
                    specialist_id=self.header.specialist_id,
                )
            )

    async def _apply(self, limit: TicketLimit, part_id: str) -> None:
        record = record_of(self.header, part_id)
        match limit:
            case TicketLimit.VOID:
                await self.book.void(self.session, record, reason=self.header.status, at=self.now)
            case TicketLimit.REFUSED:
                await self.book.stop(self.session, ACCEPT, record, at=self.now)
            case _:
                owner = Owner(
                    department=self.part(part_id).department_code, specialist=self.header.specialist_id
                )
                started = await self.book.happened(
                    self.session, FAMILY, limit.value, record, at=self.now, owner=owner
                )
                for timer in started:
                    self.header.limit_set = timer.policy


class TicketStore:
    """Opens tickets for change."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        register: CaseRegister,
        journal: Journal,
        limits: LimitBook,
        feed: SearchFeed,
    ) -> None:
        self.database = database
        self.clock = clock
        self.register = register
        self.limits = limits
        self._journal = journal
        self._feed = feed

    @asynccontextmanager
    async def changing(
        self, actor: Actor, case_id: str, *, expected: int | None
    ) -> AsyncIterator[OpenedTicket]:
        """Open a ticket, and store it when the block ends well; nothing is stored when it raises.

        Args:
            expected: version that the actor has seen; ``None`` for a change that depends on none.

        Raises:
            NotFound: no such ticket, or none that the actor may see.
            StaleVersion: somebody changed it since.
        """
        async with (
            self.database.transaction() as session,
            self.changing_in(session, actor, case_id, expected=expected) as opened,
        ):
            yield opened

    @asynccontextmanager
    async def changing_in(
        self, session: AsyncSession, actor: Actor, case_id: str, *, expected: int | None
    ) -> AsyncIterator[OpenedTicket]:
        """Open a ticket in a transaction that somebody else began. Raises as :meth:`changing`."""
        opened = await self._open(session, actor, case_id, expected)
        yield opened
        await self.finish(opened)

    @asynccontextmanager
    async def changing_part(
        self, actor: Actor, part_id: str, *, expected: int
    ) -> AsyncIterator[tuple[OpenedTicket, TicketPart]]:
        """Open the ticket of a part; ``expected`` is the part's version. Raises as :meth:`changing`."""
        async with self.database.transaction() as session:
            query = select(TicketPart.case_id).where(TicketPart.id == part_id)
            case_id = await session.scalar(query) if is_ulid(part_id) else None
            if case_id is None:
                raise NotFound("no such part", field="part_id")
            opened = await self._open(session, actor, case_id, None)
            part = opened.part(part_id)
            if part.version != expected:
                raise StaleVersion("somebody else changed the part; read it again", field="If-Match")
            yield opened, part
            await self.finish(opened)

    async def finish(self, opened: OpenedTicket) -> None:
        """Store what follows from a change: state, limits, search, time line, journal."""
        session, header = opened.session, opened.header
        self.register.move(header, CaseStatus(header.status), at=opened.now)
        flag_modified(header, "updated_at")
        live = [part for part in opened.parts if PartStatus(part.status).is_live]
        if live:
            header.department_code = live[0].department_code
        timers = (await self.limits.timers(session, [header.id]))[header.id]
        due = {timer.record.line_id: timer.due_at for timer in timers if timer.is_open}
        for part in opened.parts:
            part.due_at = due.get(part.id)
        await session.flush()
        await tell_everywhere(
            session,
            opened.actor,
            header,
            opened._notes,
            feed=self._feed,
            journal=self._journal,
            direction="out" if opened.row.callback_ref else "in",
        )

    async def _open(
        self, session: AsyncSession, actor: Actor, case_id: str, expected: int | None
    ) -> OpenedTicket:
        header = await self.register.load(session, actor, case_id, kind=CaseKind.TICKET, expected=expected)
        row = await session.get(TicketRow, case_id)
        if row is None:
            raise NotFound("no such ticket", field="case_id")
        return OpenedTicket(
            session=session,
            actor=actor,
            now=self.clock.now(),
            header=header,
            row=row,
            parts=list(await parts_of(session, [case_id])),
            book=self.limits,
        )


async def parts_of(session: AsyncSession, case_ids: Sequence[str]) -> Sequence[TicketPart]:
    """Return the parts of tickets, in their order."""
    query = (
        select(TicketPart)
        .where(TicketPart.case_id.in_(case_ids))
        .order_by(TicketPart.case_id, TicketPart.position)
    )
    return (await session.execute(query)).scalars().all()


def to_ticket(header: ServiceCase | CaseView, parts: Sequence[TicketPart]) -> Ticket:
    """Return a stored ticket as the rules see it."""
    return Ticket(
        CaseStatus(header.status),
        Severity(header.severity),
        tuple(Part(part.id, part.department_code, PartStatus(part.status)) for part in parts),
    )


def record_of(header: ServiceCase, part_id: str = "") -> RecordRef:
    """Return what the limits of a ticket, or of a part of it, belong to."""
    return RecordRef(CaseKind.TICKET.value, header.id, part_id, header.no)


def check_receives(actor: Actor, part: TicketPart) -> None:
    """Refuse a receipt by anybody but the department's head or deputy.

    Raises:
        Forbidden: the role or the department does not fit.
    """
    actor.need(Permission.CASES_SIGN)
    if actor.department != part.department_code:
        raise Forbidden("only the department's head or deputy signs for it", field="department")


def check_works(actor: Actor, part: TicketPart) -> None:
    """Refuse work on a part by anybody but its department.

    Raises:
        Forbidden: the role or the department does not fit.
    """
    actor.need(Permission.CASES_WORK)
    if not actor.in_department(part.department_code):
        raise Forbidden("the part is another department's", field="department")


async def search_extras(session: AsyncSession, case_ids: Sequence[str]) -> dict[str, CaseExtra]:
    """Return what the search knows of tickets besides their headers."""
    rows = (await session.execute(select(TicketRow).where(TicketRow.case_id.in_(case_ids)))).scalars()
    solutions: dict[str, list[str]] = {}
    for part in await parts_of(session, case_ids):
        solutions.setdefault(part.case_id, []).append(part.solution or "")
    return {
        row.case_id: CaseExtra(
            texts=tuple(text for text in (row.question, row.answer, *solutions.get(row.case_id, ())) if text)
        )
        for row in rows
    }
