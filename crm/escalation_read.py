"""Puts major complaints together as pages and the API show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE, CaseRegister, CaseView
from crm.complaint_tables import Complaint
from crm.confidential import address_for, hide, name_for, texts_hidden
from crm.domain.compensation import (
    Compensation,
    CompensationState,
    LiablePerson,
    check_decider,
)
from crm.domain.complaint_line import Window
from crm.domain.escalation import ESCALATION_LABELS, Escalation, EscalationState, Move, moves_from
from crm.domain.line_steps import SamePerson
from crm.escalation_tables import CompensationRow, EscalationRow, RecoveryRow
from crm.escalation_views import (
    CompensationView,
    EscalationPage,
    EscalationRowView,
    EscalationView,
    RecoveryPage,
    RecoveryRowView,
    RecoveryView,
)
from crm.limits import LimitBook
from crm.tables import CaseParty, Customer, Project, ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database
from kernel.errors import Forbidden, NotFound
from kernel.ids import is_ulid

_NEEDS = {
    Move.REVIEW: Permission.ESCALATIONS_HANDLE,
    Move.AGREE_VISIT: Permission.ESCALATIONS_HANDLE,
    Move.RECORD_VISIT: Permission.ESCALATIONS_HANDLE,
    Move.SETTLE_LIABILITY: Permission.ESCALATIONS_HANDLE,
    Move.PLAN: Permission.ESCALATIONS_HANDLE,
    Move.REQUEST: Permission.COMPENSATION_REQUEST,
    Move.WRITE_VOUCHER: Permission.VOUCHERS_WRITE,
    Move.PAY: Permission.VOUCHERS_WRITE,
    Move.SEND_RECOVERY: Permission.VOUCHERS_WRITE,
    Move.RECOVERED: Permission.RECOVERY_HANDLE,
    Move.CLOSE: Permission.ESCALATIONS_SUBMIT,
}
"""Who moves a major complaint; whoever agrees to money or refuses it is looked at with the amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationFilter:
    """Which major complaints to list; ``is_open`` ``None``: all."""

    states: tuple[EscalationState, ...] = ()
    is_open: bool | None = None
    for_decision: bool = False
    """Those that wait for somebody to agree to money or release it."""


class EscalationReader:
    """Reads major complaints.

    Args:
        threshold: above it the general manager decides.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        register: CaseRegister,
        book: LimitBook,
        *,
        threshold: Decimal,
    ) -> None:
        self._database = database
        self._clock = clock
        self._register = register
        self._book = book
        self.threshold = threshold

    async def get(self, actor: Actor, escalation_id: str) -> EscalationView:
        """Return a major complaint.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such thing, or none that the actor may see.
        """
        actor.need(Permission.CASES_VIEW)
        async with self._database.session() as session:
            row = await session.get(EscalationRow, escalation_id) if is_ulid(escalation_id) else None
            if row is None:
                raise NotFound("no such major complaint", field="escalation_id")
            headers = await self._register.views(session, actor, ServiceCase.id == row.case_id, limit=1)
            if not headers:
                raise NotFound("no such major complaint", field="escalation_id")
            complaint = await session.get(Complaint, row.case_id)
            money = await self._money(session, actor, headers[0], row.id) if _sees_money(actor) else ()
            limits = (await self._book.timers(session, [row.id]))[row.id]
        state, hidden = EscalationState(row.state), headers[0].texts_hidden
        steps = _steps(actor, row, money[-1] if money else None)
        return EscalationView(
            escalation_id=row.id,
            header=headers[0],
            version=row.version,
            state=state,
            code=state.code,
            label=ESCALATION_LABELS[state],
            steps=steps,
            cause=hide(row.cause, hidden=hidden),
            process_so_far=hide(row.process_so_far, hidden=hidden),
            demand=hide(row.demand, hidden=hidden),
            submitted_at=row.submitted_at,
            submitted_by=row.submitted_by,
            submitted_by_id=row.submitted_by_id,
            reviewed_at=row.reviewed_at,
            reviewed_by=row.reviewed_by,
            review_note=hide(row.review_note, hidden=hidden),
            visit_needed=row.visit_needed,
            visit_due_at=row.visit_due_at,
            visit_overdue=_visit_overdue(row, self._clock.now()),
            visit_from=row.visit_from,
            visit_until=row.visit_until,
            visit_with=hide(row.visit_with, hidden=hidden),
            visited_at=row.visited_at,
            visit_record=hide(row.visit_record, hidden=hidden),
            shares={party: Decimal(share) for party, share in row.shares.items()} if row.shares else None,
            persons=tuple(_person(found) for found in row.persons)
            if _sees_money(actor) and not hidden
            else (),
            liability_with=row.liability_with,
            liability_note=hide(row.liability_note, hidden=hidden),
            liability_at=row.liability_at,
            liability_by=row.liability_by,
            plan=hide(row.plan, hidden=hidden),
            costs=row.costs,
            planned_at=row.planned_at,
            planned_by=row.planned_by,
            compensations=money,
            limits=limits,
            called_back=complaint is not None
            and (complaint.called_back_at is not None or complaint.waived_at is not None),
            closed_at=row.closed_at,
            closed_by=row.closed_by,
            outcome=hide(row.outcome, hidden=hidden),
        )

    async def page(
        self, actor: Actor, wanted: EscalationFilter, *, cursor: str | None = None, limit: int = 50
    ) -> EscalationPage:
        """Return a page, newest first.

        Raises:
            Forbidden: the role sees no cases.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.CASES_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        keys = select(EscalationRow.id)
        if wanted.states:
            keys = keys.where(EscalationRow.state.in_([state.value for state in wanted.states]))
        if wanted.is_open is not None:
            closed = EscalationRow.closed_at
            keys = keys.where(closed.is_(None) if wanted.is_open else closed.is_not(None))
        if wanted.for_decision:
            waits = (CompensationState.REQUESTED.value, CompensationState.VOUCHERED.value)
            keys = keys.where(
                exists().where(
                    CompensationRow.escalation_id == EscalationRow.id, CompensationRow.state.in_(waits)
                )
            )
        if not actor.can(Permission.CASES_VIEW_ALL):
            party = CaseParty.department_code == (actor.department or "")
            keys = keys.where(exists().where(CaseParty.case_id == EscalationRow.case_id, party))
        if cursor is not None:
            at, key = read_cursor(cursor)
            same = and_(EscalationRow.submitted_at == at, EscalationRow.id < key)
            keys = keys.where(or_(EscalationRow.submitted_at < at, same))
        newest = (EscalationRow.submitted_at.desc(), EscalationRow.id.desc())
        # What a page shows is read for its rows alone.
        page = keys.order_by(*newest).limit(limit + 1).subquery()
        query = (
            select(EscalationRow, ServiceCase, Customer.name, Project.address, texts_hidden(actor))
            .join(page, page.c.id == EscalationRow.id)
            .join(ServiceCase, ServiceCase.id == EscalationRow.case_id)
            .join(Customer, Customer.id == ServiceCase.customer_id)
            .outerjoin(Project, Project.id == ServiceCase.project_id)
            .order_by(*newest)
        )
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
            ids = [row.EscalationRow.id for row in rows[:limit]]
            money = await _newest_money(session, ids) if _sees_money(actor) else {}
        now = self._clock.now()
        items = tuple(_row(actor, row, money, now) for row in rows[:limit])
        more = len(rows) > limit
        return EscalationPage(
            items=items,
            next_cursor=write_cursor(items[-1].submitted_at, items[-1].escalation_id) if more else None,
        )

    async def recoveries(
        self,
        actor: Actor,
        *,
        month: str | None = None,
        is_open: bool | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> RecoveryPage:
        """Return the staff's shares that went to HR. Raises Forbidden, and Invalid for a strange cursor."""
        actor.need(Permission.RECOVERY_HANDLE)
        limit = max(1, min(limit, MAX_PAGE))
        query = (
            select(RecoveryRow, CompensationRow, EscalationRow, ServiceCase.no)
            .join(CompensationRow, CompensationRow.id == RecoveryRow.compensation_id)
            .join(EscalationRow, EscalationRow.id == CompensationRow.escalation_id)
            .join(ServiceCase, ServiceCase.id == EscalationRow.case_id)
            .where(RecoveryRow.sent_at.is_not(None))
        )
        if month is not None:
            query = query.where(RecoveryRow.payroll_month == month)
        if is_open is not None:
            done = RecoveryRow.done_at
            query = query.where(done.is_(None) if is_open else done.is_not(None))
        if cursor is not None:
            at, key = read_cursor(cursor)
            same = and_(RecoveryRow.sent_at == at, RecoveryRow.id > key)
            query = query.where(or_(RecoveryRow.sent_at > at, same))
        query = query.order_by(RecoveryRow.sent_at, RecoveryRow.id).limit(limit + 1)
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        more = len(rows) > limit
        last = rows[limit - 1].RecoveryRow if more else None
        return RecoveryPage(
            items=tuple(_recovery_row(row) for row in rows[:limit]),
            next_cursor=write_cursor(last.sent_at, last.id) if last is not None else None,
        )

    async def _money(
        self, session: AsyncSession, actor: Actor, header: CaseView, escalation_id: str
    ) -> tuple[CompensationView, ...]:
        query = select(CompensationRow).where(CompensationRow.escalation_id == escalation_id)
        rows = list(await session.scalars(query.order_by(CompensationRow.id)))
        shares: dict[str, list[RecoveryRow]] = {}
        people = select(RecoveryRow).where(RecoveryRow.compensation_id.in_([row.id for row in rows]))
        for share in await session.scalars(people.order_by(RecoveryRow.position)):
            shares.setdefault(share.compensation_id, []).append(share)
        hidden = header.texts_hidden
        return tuple(self._compensation(actor, row, shares.get(row.id, ()), hidden=hidden) for row in rows)

    def _compensation(
        self, actor: Actor, row: CompensationRow, shares: Sequence[RecoveryRow], *, hidden: bool
    ) -> CompensationView:
        waits = row.state in {CompensationState.REQUESTED.value, CompensationState.VOUCHERED.value}
        return CompensationView(
            compensation_id=row.id,
            state=row.state,
            kind=row.kind,
            amount=row.amount,
            bearers={bearer: Decimal(part) for bearer, part in row.bearers.items()},
            recovery=tuple(_recovery(share) for share in shares),
            reason=hide(row.reason, hidden=hidden),
            over_threshold=row.amount > self.threshold,
            may_decide=waits and self._may_decide(actor, row),
            requested_at=row.requested_at,
            requested_by=row.requested_by,
            requested_by_id=row.requested_by_id,
            reviewed_at=row.reviewed_at,
            reviewed_by=row.reviewed_by,
            voucher_no=row.voucher_no,
            voucher_at=row.voucher_at,
            voucher_by=row.voucher_by,
            approved_at=row.approved_at,
            approved_by=row.approved_by,
            refused_at=row.refused_at,
            refused_by=row.refused_by,
            refused_why=hide(row.refused_why, hidden=hidden),
            paid_at=row.paid_at,
            paid_by=row.paid_by,
            receipt_no=row.receipt_no,
        )

    def _may_decide(self, actor: Actor, row: CompensationRow) -> bool:
        if not actor.can(Permission.COMPENSATION_REVIEW):
            return False
        try:
            check_decider(to_compensation(row), actor.user_id, actor.role, self.threshold)
        except (SamePerson, Forbidden):
            return False
        return True


def to_escalation(row: EscalationRow) -> Escalation:
    """Return a stored major complaint as the rules see it."""
    visit = None
    if row.visit_from is not None and row.visit_until is not None:
        visit = Window(from_=row.visit_from, until=row.visit_until)
    return Escalation(
        state=EscalationState(row.state),
        reviewed_at=row.reviewed_at,
        visit_needed=row.visit_needed,
        visit=visit,
        visited_at=row.visited_at,
        costs=row.costs,
        recovery_open=row.recovery_open,
    )


def to_compensation(row: CompensationRow) -> Compensation:
    """Return a stored request as the rules see it."""
    return Compensation(
        state=CompensationState(row.state),
        amount=row.amount,
        requested_by=row.requested_by_id,
        entered_by=frozenset(row.entered_by),
        approved_at=row.approved_at,
    )


def _sees_money(actor: Actor) -> bool:
    return actor.can(Permission.CASES_VIEW_ALL)


def _steps(actor: Actor, row: EscalationRow, money: CompensationView | None) -> tuple[str, ...]:
    found: list[str] = []
    for move in moves_from(to_escalation(row)):
        needed = _NEEDS.get(move)
        decides = money is not None and money.may_decide
        fits = decides if needed is None else actor.can(needed)
        if move is Move.WRITE_VOUCHER:
            fits = fits and money is not None and money.state == CompensationState.REVIEWED
        found += [move.value] if fits else []
    if row.state == EscalationState.COST_REVIEW.value and actor.can(Permission.COMPENSATION_REQUEST):
        found.append("change")
    return tuple(found)


def _visit_overdue(row: EscalationRow, now: datetime) -> bool:
    return row.visit_due_at is not None and row.visited_at is None and row.visit_due_at < now


async def _newest_money(session: AsyncSession, ids: Sequence[str]) -> dict[str, CompensationRow]:
    query = select(CompensationRow).where(CompensationRow.escalation_id.in_(ids))
    found: dict[str, CompensationRow] = {}
    for row in await session.scalars(query.order_by(CompensationRow.id)):
        found[row.escalation_id] = row
    return found


def _row(actor: Actor, found: Any, money: dict[str, CompensationRow], now: datetime) -> EscalationRowView:
    row, header, customer, address, hidden = found
    state, newest = EscalationState(row.state), money.get(row.id)
    return EscalationRowView(
        escalation_id=row.id,
        case_id=row.case_id,
        no=header.no,
        customer_name=name_for(actor, header, customer),
        address=address_for(actor, header, address),
        summary=hide(header.summary, hidden=bool(hidden)),
        state=state,
        code=state.code,
        label=ESCALATION_LABELS[state],
        submitted_at=row.submitted_at,
        submitted_by=row.submitted_by,
        visit_due_at=row.visit_due_at,
        visit_overdue=_visit_overdue(row, now),
        amount=newest.amount if newest else None,
        compensation_state=newest.state if newest else None,
        specialist=header.specialist_name,
        version=row.version,
    )


def _recovery_row(found: Any) -> RecoveryRowView:
    row, money, escalation, no = found
    return RecoveryRowView(
        recovery_id=row.id,
        escalation_id=escalation.id,
        escalation_version=escalation.version,
        case_id=escalation.case_id,
        no=no,
        name=row.name,
        staff_id=row.staff_id,
        amount=row.amount,
        payroll_month=row.payroll_month,
        sent_at=row.sent_at,
        approved_by=money.approved_by,
        done_at=row.done_at,
        done_by=row.done_by,
    )


def _recovery(row: RecoveryRow) -> RecoveryView:
    return RecoveryView(
        recovery_id=row.id,
        name=row.name,
        staff_id=row.staff_id,
        amount=row.amount,
        payroll_month=row.payroll_month,
        sent_at=row.sent_at,
        done_at=row.done_at,
        done_by=row.done_by,
        done_note=row.done_note,
    )


def _person(found: Any) -> LiablePerson:
    percent, amount = found.get("percent"), found.get("amount")
    return LiablePerson(
        name=found["name"],
        staff_id=found.get("staff_id"),
        percent=Decimal(percent) if percent else None,
        amount=Decimal(amount) if amount else None,
    )
