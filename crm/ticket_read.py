"""Puts problem tickets together as pages and the API show them."""

from collections.abc import Sequence

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE, CaseRegister, CaseView
from crm.domain.case import SPOKEN_STATUS, STATUS_LABELS, CaseKind, CaseStatus
from crm.domain.ticket import (
    PART_LABELS,
    WHY_LABELS,
    ConvertWhy,
    PartStatus,
    PartStep,
    Ticket,
    TicketStep,
    part_steps,
    ticket_steps,
)
from crm.forwarded import owes_reply
from crm.handoffs import Handoffs
from crm.limits import LimitBook, TimerView
from crm.opinion_notices import OpinionNotices
from crm.tables import Department, ServiceCase
from crm.ticket_store import check_receives, check_works, parts_of, to_ticket
from crm.ticket_tables import TicketPart, TicketRow
from crm.ticket_views import EarlierView, PartView, RevisitPage, RevisitView, TicketView
from kernel.access import Actor, Permission
from kernel.cursor import read_cursor, write_cursor
from kernel.errors import Forbidden, NotFound

_CARE = frozenset({PartStep.REROUTE, PartStep.UNFOUNDED})
_RECEIPT = frozenset({PartStep.SIGN, PartStep.REFUSE})
_DECIDED = frozenset({TicketStep.WAIVE})


class TicketReader:
    """Reads tickets."""

    def __init__(
        self, register: CaseRegister, handoffs: Handoffs, book: LimitBook, notices: OpinionNotices
    ) -> None:
        self._register = register
        self._handoffs = handoffs
        self._book = book
        self._notices = notices

    async def view(self, session: AsyncSession, actor: Actor, case_id: str) -> TicketView:
        """Return a ticket.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such ticket, or none that the actor may see.
        """
        actor.need(Permission.CASES_VIEW)
        wanted = (ServiceCase.id == case_id, ServiceCase.kind == CaseKind.TICKET.value)
        headers = await self._register.views(session, actor, *wanted, limit=1)
        row = await session.get(TicketRow, case_id) if headers else None
        if row is None:
            raise NotFound("no such ticket", field="case_id")
        header = headers[0]
        parts = await parts_of(session, [case_id])
        timers = (await self._book.timers(session, [case_id]))[case_id]
        ticket = to_ticket(header, parts)
        earlier: Sequence[ServiceCase] = ()
        if actor.can(Permission.CASES_VIEW_ALL):
            earlier = await self._notices.earlier(
                session, row.problem_key, before=header.opened_at, but=case_id
            )
        return TicketView(
            header=header,
            version=header.version,
            status_label=STATUS_LABELS[header.status],
            spoken_status=SPOKEN_STATUS[header.status],
            steps=_steps(actor, header, ticket),
            question=row.question,
            answer=row.answer,
            question_id=row.question_id,
            callback_ref=row.callback_ref,
            recording_ref=row.recording_ref,
            class_code=row.class_code,
            fed_back=row.fed_back,
            earlier=tuple(_earlier(known) for known in earlier),
            parts=await self._parts(session, actor, ticket, parts, timers),
            limits=tuple(timer for timer in timers if not timer.record.line_id),
            notices=await self._notices.of_case(session, actor, case_id),
            solved_at=row.solved_at,
            not_reached=row.not_reached,
            revisited_at=row.revisited_at,
            revisit_ref=row.revisit_ref,
            revisit_note=row.revisit_note,
            verified_at=row.verified_at,
            verified_by=row.verified_by,
            waived_why=row.waived_why,
            converted_to=row.converted_to,
            converted_no=row.converted_no,
            converted_at=row.converted_at,
            converted_by=row.converted_by,
            converted_why=row.converted_why,
            converted_label=WHY_LABELS[ConvertWhy(row.converted_why)] if row.converted_why else None,
            converted_note=row.converted_note,
            reply_owed=owes_reply(header),
            closed_by=row.closed_by,
        )

    async def revisits(
        self, session: AsyncSession, actor: Actor, *, mine: bool, cursor: str | None, limit: int
    ) -> RevisitPage:
        """Return tickets that wait for the revisit, the longest first. Raises Forbidden, Invalid."""
        actor.need(Permission.CASES_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        query = (
            select(TicketRow)
            .join(ServiceCase, ServiceCase.id == TicketRow.case_id)
            .where(ServiceCase.kind == CaseKind.TICKET.value, ServiceCase.status == CaseStatus.SOLVED.value)
        )
        if mine:
            query = query.where(ServiceCase.specialist_id == actor.user_id)
        if cursor is not None:
            at, key = read_cursor(cursor)
            same = and_(TicketRow.solved_at == at, TicketRow.case_id > key)
            query = query.where(or_(TicketRow.solved_at > at, same))
        query = query.order_by(TicketRow.solved_at, TicketRow.case_id).limit(limit + 1)
        rows = (await session.execute(query)).scalars().all()
        ids = [row.case_id for row in rows[:limit]]
        cases = {
            case.case_id: case
            for case in await self._register.views(session, actor, ServiceCase.id.in_(ids), limit=limit)
        }
        items = tuple(
            RevisitView(
                case=cases[row.case_id],
                question=row.question,
                callback_ref=row.callback_ref,
                question_id=row.question_id,
                solved_at=row.solved_at,
                not_reached=row.not_reached,
            )
            for row in rows[:limit]
            if row.case_id in cases and row.solved_at is not None
        )
        last = rows[limit - 1] if len(rows) > limit else None
        more = write_cursor(last.solved_at, last.case_id) if last and last.solved_at else None
        return RevisitPage(items=items, next_cursor=more)

    async def _parts(
        self,
        session: AsyncSession,
        actor: Actor,
        ticket: Ticket,
        rows: Sequence[TicketPart],
        timers: Sequence[TimerView],
    ) -> tuple[PartView, ...]:
        codes = {row.department_code for row in rows}
        found = await session.scalars(select(Department).where(Department.code.in_(codes)))
        departments = {department.code: department for department in found}
        handoffs = await self._handoffs.of_lines(session, actor, [row.id for row in rows])
        shown: list[PartView] = []
        for row, part in zip(rows, ticket.parts, strict=True):
            mine = tuple(timer for timer in timers if timer.record.line_id == row.id)
            department = departments[row.department_code]
            shown.append(
                PartView(
                    part_id=row.id,
                    case_id=row.case_id,
                    position=row.position,
                    version=row.version,
                    department=row.department_code,
                    department_name=department.name,
                    department_head=department.head,
                    status=part.status,
                    status_label=PART_LABELS[part.status],
                    opened_at=row.opened_at,
                    signed_at=row.signed_at,
                    signed_by=row.signed_by,
                    refused_at=row.refused_at,
                    refused_by=row.refused_by,
                    refuse_reason=row.refuse_reason,
                    settled_why=row.settled_why,
                    solved_at=row.solved_at,
                    solved_by=row.solved_by,
                    solution=row.solution,
                    rerouted_from=row.rerouted_from,
                    due_at=row.due_at,
                    overdue=any(timer.overdue and timer.is_open for timer in mine),
                    steps=tuple(step.value for step in part_steps(ticket, part) if _may(actor, step, row)),
                    handoffs=handoffs.get(row.id, ()),
                    limits=mine,
                )
            )
        return tuple(shown)


def _may(actor: Actor, step: PartStep, row: TicketPart) -> bool:
    if step in _CARE:
        return actor.can(Permission.CASES_REGISTER)
    check = check_receives if step in _RECEIPT else check_works
    try:
        check(actor, row)
    except Forbidden:
        return False
    return True


def _steps(actor: Actor, header: CaseView, ticket: Ticket) -> tuple[str, ...]:
    found: list[str] = []
    for step in ticket_steps(ticket):
        needed = Permission.CASES_DECIDE if step in _DECIDED else Permission.CASES_REGISTER
        if actor.can(needed) and not (step is TicketStep.CLOSE and owes_reply(header)):
            found.append(step.value)
    if ticket.status.is_open and actor.can(Permission.CASES_REGISTER):
        found.append("severity")
        if owes_reply(header):
            found.append("reply_to_source")
    return tuple(found)


def _earlier(row: ServiceCase) -> EarlierView:
    status = CaseStatus(row.status)
    return EarlierView(
        case_id=row.id, no=row.no, opened_at=row.opened_at, status=status, status_label=STATUS_LABELS[status]
    )


def live_departments(rows: Sequence[TicketPart]) -> tuple[str, ...]:
    """Return the departments whose parts count."""
    return tuple(row.department_code for row in rows if PartStatus(row.status).is_live)
