"""Customer opinion notices 客户意见反馈告知单: a problem that comes back goes one level up (CB-6)."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE, tidy_text
from crm.confidential import address_for, name_for
from crm.domain.case import CaseKind
from crm.domain.ticket import PartStatus, notice_owed
from crm.events_limits import LimitBreached
from crm.events_tickets import OpinionNoticeIssued
from crm.journal import Journal
from crm.limits import LimitBook
from crm.tables import Customer, Department, Project, ServiceCase
from crm.ticket_store import OpenedTicket
from crm.ticket_tables import OpinionNotice, TicketPart, TicketRow
from crm.ticket_views import NoticePage, NoticeView
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database
from kernel.errors import Conflict, NotFound, StaleVersion
from kernel.events import Event
from kernel.ids import is_ulid, new_ulid
from kernel.outbox import add_fact

ENTITY = "opinion_notice"
MAX_ANSWER = 2000
LOOK_BACK = timedelta(days=365)
TOP = "总经理"
"""To whom it goes where a department names nobody above its head."""


class NoticeWhy(StrEnum):
    """What made the notice due."""

    AGAIN = "again"
    """It was fed back again while the time before was missed."""
    LATE = "late"
    """Fed back again, and a limit was missed this time."""
    UNSOLVED = "unsolved"
    """Fed back again, and the customer says that it is still not solved."""


NOTICE_LABELS = {
    NoticeWhy.AGAIN: "再次反馈，上次未按时解决",
    NoticeWhy.LATE: "再次反馈，本次又超时",
    NoticeWhy.UNSOLVED: "再次反馈，客户仍表示未解决",
}


class OpinionNotices:
    """Issues notices, shows them, and takes the answer of the level above."""

    def __init__(self, database: Database, clock: Clock, journal: Journal, limits: LimitBook) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self._limits = limits

    async def earlier(
        self, session: AsyncSession, key: str, *, before: datetime, but: str
    ) -> Sequence[ServiceCase]:
        """Return the headers of tickets about the same problem within a year, oldest first."""
        query = (
            select(ServiceCase)
            .join(TicketRow, TicketRow.case_id == ServiceCase.id)
            .where(
                TicketRow.problem_key == key,
                ServiceCase.id != but,
                ServiceCase.opened_at >= before - LOOK_BACK,
                ServiceCase.opened_at <= before,
            )
            .order_by(ServiceCase.opened_at, ServiceCase.id)
        )
        return (await session.execute(query)).scalars().all()

    async def was_late(self, session: AsyncSession, case_ids: Iterable[str]) -> bool:
        """Tell whether a limit of any of these tickets was missed."""
        timers = await self._limits.timers(session, case_ids)
        return any(timer.overdue or timer.breached_at for found in timers.values() for timer in found)

    async def issue(
        self,
        session: AsyncSession,
        actor: Actor,
        header: ServiceCase,
        row: TicketRow,
        departments: Iterable[str],
        why: NoticeWhy,
    ) -> tuple[OpinionNotice, ...]:
        """Issue a notice for each department that has none yet about this ticket.

        In the caller's transaction; the caller writes it into its own journal.
        """
        have = select(OpinionNotice.department_code).where(OpinionNotice.case_id == header.id)
        known = set((await session.execute(have)).scalars())
        made: list[OpinionNotice] = []
        for code in dict.fromkeys(departments):
            if code in known:
                continue
            department = await session.get(Department, code)
            if department is None:
                continue
            notice = OpinionNotice(
                id=new_ulid(),
                no=f"{header.no}-G{len(known) + 1:02d}",
                case_id=header.id,
                department_code=code,
                addressed_to=department.escalation_contact or TOP,
                fed_back=row.fed_back,
                why=why.value,
                sheet=await self._sheet(session, header, row, department),
                issued_at=self._clock.now(),
                issued_by=actor.name,
            )
            session.add(notice)
            known.add(code)
            made.append(notice)
            add_fact(
                session,
                OpinionNoticeIssued(
                    at=notice.issued_at,
                    notice_id=notice.id,
                    no=notice.no,
                    case_id=header.id,
                    case_no=header.no,
                    department=code,
                    addressed_to=notice.addressed_to,
                    fed_back=row.fed_back,
                ),
            )
        await session.flush()
        return tuple(made)

    async def issue_for(self, opened: OpenedTicket, why: NoticeWhy) -> None:
        """Issue notices about a ticket that is being changed, for every department that has a part."""
        departments = [part.department_code for part in opened.parts if PartStatus(part.status).is_live]
        for notice in await self.issue(
            opened.session, opened.actor, opened.header, opened.row, departments, why
        ):
            opened.note(
                "ticket.opinion_notice", after={"notice": notice.no, "department": notice.department_code}
            )

    async def on_breach(self, session: AsyncSession, fact: Event) -> None:
        """A limit was missed: of a ticket about a problem that was fed back before, a notice goes up.

        Handles facts in the consumer's transaction; other facts are left alone.
        """
        if not isinstance(fact, LimitBreached) or fact.record_kind != CaseKind.TICKET.value:
            return
        actor = Actor.system("opinion_notices")
        query = select(ServiceCase).where(ServiceCase.id == fact.record_id).with_for_update()
        header = (await session.execute(query)).scalar_one_or_none()
        row = await session.get(TicketRow, fact.record_id)
        if header is None or row is None or not notice_owed(row.fed_back, late=True):
            return
        part = await session.get(TicketPart, fact.line_id) if fact.line_id else None
        department = part.department_code if part is not None else fact.department
        departments = [department] if department else []
        for notice in await self.issue(session, actor, header, row, departments, NoticeWhy.LATE):
            await self.note(session, actor, notice)

    async def note(self, session: AsyncSession, actor: Actor, notice: OpinionNotice) -> None:
        """Write into the journal that a notice was issued."""
        await self._journal.note(
            session,
            actor,
            "opinion_notice.issued",
            entity=ENTITY,
            entity_id=notice.id,
            after={"no": notice.no, "department": notice.department_code, "to": notice.addressed_to},
        )

    async def get(self, actor: Actor, notice_id: str) -> NoticeView:
        """Return a notice, with all that its printed page shows.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such notice, or another department's.
        """
        actor.need(Permission.CASES_VIEW)
        async with self._database.session() as session:
            found = await self._views(session, actor, OpinionNotice.id == notice_id, limit=1)
        if not found:
            raise NotFound("no such notice", field="notice_id")
        return found[0]

    async def page(
        self, actor: Actor, *, answered: bool | None = None, cursor: str | None = None, limit: int = 50
    ) -> NoticePage:
        """Return notices, newest first. Raises Forbidden, Invalid."""
        actor.need(Permission.CASES_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        chosen: list[ColumnElement[bool]] = []
        if answered is not None:
            at = OpinionNotice.answered_at
            chosen.append(at.is_not(None) if answered else at.is_(None))
        if cursor is not None:
            moment, key = read_cursor(cursor)
            same = and_(OpinionNotice.issued_at == moment, OpinionNotice.id < key)
            chosen.append(or_(OpinionNotice.issued_at < moment, same))
        async with self._database.session() as session:
            found = await self._views(session, actor, *chosen, limit=limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        return NoticePage(
            items=tuple(found[:limit]),
            next_cursor=write_cursor(last.issued_at, last.notice_id) if last else None,
        )

    async def of_case(self, session: AsyncSession, actor: Actor, case_id: str) -> tuple[NoticeView, ...]:
        """Return the notices about a ticket that the actor may see, newest first."""
        chosen = OpinionNotice.case_id == case_id
        return tuple(await self._views(session, actor, chosen, limit=MAX_PAGE))

    async def answer(self, actor: Actor, notice_id: str, expected: int, text: str) -> NoticeView:
        """Write down what the level above decides.

        Raises:
            Forbidden: the role does not see the red list.
            Conflict: it was answered.
            StaleVersion: somebody changed it since.
        """
        actor.need(Permission.RED_LIST_VIEW)
        text = tidy_text(text, field="text", limit=MAX_ANSWER)
        async with self._database.transaction() as session:
            query = select(OpinionNotice).where(OpinionNotice.id == notice_id).with_for_update()
            row = (await session.execute(query)).scalar_one_or_none() if is_ulid(notice_id) else None
            if row is None:
                raise NotFound("no such notice", field="notice_id")
            if row.version != expected:
                raise StaleVersion("somebody else changed it; read it again", field="If-Match")
            if row.answered_at is not None:
                raise Conflict("it was answered", field="text")
            row.answered_at, row.answered_by, row.answer = self._clock.now(), actor.name, text
            await session.flush()
            await self._journal.note(
                session,
                actor,
                "opinion_notice.answered",
                entity=ENTITY,
                entity_id=notice_id,
                after={"answer": text[:200]},
            )
        return await self.get(actor, notice_id)

    async def _sheet(
        self, session: AsyncSession, header: ServiceCase, row: TicketRow, department: Department
    ) -> dict[str, Any]:
        customer = await session.get(Customer, header.customer_id)
        project = await session.get(Project, header.project_id) if header.project_id else None
        times = [
            *await self.earlier(session, row.problem_key, before=header.opened_at, but=header.id),
            header,
        ]
        timers = await self._limits.timers(session, [known.id for known in times])
        return {
            "customer": customer.name if customer else "",
            "contract_no": project.contract_no if project else None,
            "address": project.address if project else None,
            "department_head": department.head,
            "question": row.question,
            "answer": row.answer,
            "content": header.content or header.summary,
            "specialist": header.specialist_name,
            "times": [
                {"no": known.no, "at": known.opened_at.isoformat(), "status": known.status} for known in times
            ],
            "missed": [
                {"no": timer.record.no, "name": timer.name, "due_at": timer.due_at.isoformat()}
                for found in timers.values()
                for timer in found
                if timer.due_at is not None and (timer.overdue or timer.breached_at)
            ],
        }

    async def _views(
        self, session: AsyncSession, actor: Actor, *chosen: ColumnElement[bool], limit: int
    ) -> list[NoticeView]:
        query = (
            select(OpinionNotice, ServiceCase, Department.name)
            .join(ServiceCase, ServiceCase.id == OpinionNotice.case_id)
            .join(Department, Department.code == OpinionNotice.department_code)
            .where(*chosen)
            .order_by(OpinionNotice.issued_at.desc(), OpinionNotice.id.desc())
            .limit(limit)
        )
        if not actor.can(Permission.CASES_VIEW_ALL):
            query = query.where(OpinionNotice.department_code == (actor.department or ""))
        return [_view(actor, *row) for row in (await session.execute(query)).all()]


def _view(actor: Actor, row: OpinionNotice, header: ServiceCase, department: str) -> NoticeView:
    sheet = dict(row.sheet)
    sheet["customer"] = name_for(actor, header, sheet["customer"])
    sheet["address"] = address_for(actor, header, sheet["address"])
    return NoticeView(
        notice_id=row.id,
        no=row.no,
        case_id=row.case_id,
        case_no=header.no,
        department=row.department_code,
        department_name=department,
        addressed_to=row.addressed_to,
        fed_back=row.fed_back,
        why=row.why,
        why_label=NOTICE_LABELS[NoticeWhy(row.why)],
        issued_at=row.issued_at,
        issued_by=row.issued_by,
        answered_at=row.answered_at,
        answered_by=row.answered_by,
        answer=row.answer,
        version=row.version,
        sheet=sheet,
    )
