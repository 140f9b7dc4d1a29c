"""Puts complaints together as pages and the API show them."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import CaseRegister, CaseView
from crm.complaint_rows import allowed, analysis_view, callback_view, line_view, plan_view, visit_view
from crm.complaint_store import case_of, lines_of, may_see, to_line, trusted_in
from crm.complaint_tables import (
    Complaint,
    ComplaintCall,
    ComplaintCallback,
    ComplaintLine,
    LinePlan,
    LineVisit,
)
from crm.complaint_views import (
    CallRefView,
    ComplaintView,
    EscalationBrief,
    LineView,
    PlanView,
    VisitView,
)
from crm.confidential import hide
from crm.domain.case import SPOKEN_STATUS, STATUS_LABELS, CaseKind
from crm.domain.complaint import (
    MAX_LINES,
    NEXT_LABELS,
    Closing,
    NextStep,
    check_closing,
    check_not_filed,
    may_be_asked,
    next_step,
)
from crm.domain.complaint_line import LineStatus
from crm.domain.escalation import ESCALATION_LABELS, EscalationState
from crm.escalation_tables import EscalationRow
from crm.forwarded import owes_reply
from crm.handoffs import Handoffs
from crm.limits import LimitBook, TimerView
from crm.line_record_rows import records_of
from crm.tables import Department, ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.errors import NotFound

EARLIER = timedelta(days=90)


class ComplaintReader:
    """Reads complaints."""

    def __init__(self, clock: Clock, register: CaseRegister, handoffs: Handoffs, book: LimitBook) -> None:
        self._clock = clock
        self._register = register
        self._handoffs = handoffs
        self._book = book

    async def view(self, session: AsyncSession, actor: Actor, case_id: str) -> ComplaintView:
        """Return a complaint.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such complaint, or none that the actor may see.
        """
        actor.need(Permission.CASES_VIEW)
        wanted = (ServiceCase.id == case_id, ServiceCase.kind == CaseKind.COMPLAINT.value)
        headers = await self._register.views(session, actor, *wanted, limit=1)
        row = await session.get(Complaint, case_id) if headers else None
        if row is None:
            raise NotFound("no such complaint", field="case_id")
        header = headers[0]
        lines = list(await lines_of(session, [case_id]))
        timers = (await self._book.timers(session, [case_id]))[case_id]
        escalation = await self.escalation(session, case_id)
        callbacks = await session.scalars(
            select(ComplaintCallback)
            .where(ComplaintCallback.case_id == case_id)
            .order_by(ComplaintCallback.id)
        )
        calls = await session.scalars(
            select(ComplaintCall).where(ComplaintCall.case_id == case_id).order_by(ComplaintCall.id)
        )
        step = self._next(header, row, lines, escalation)
        hidden, trusted = header.texts_hidden, trusted_in(header, row)
        shown = [line for line in lines if may_see(actor, line, trusted)]
        seen = {line.id for line in shown}
        return ComplaintView(
            header=header,
            version=header.version,
            status_label=STATUS_LABELS[header.status],
            spoken_status=SPOKEN_STATUS[header.status],
            next_step=step,
            next_label=NEXT_LABELS[step],
            steps=self._steps(actor, header, row, lines, escalation),
            demand=hide(row.demand, hidden=hidden),
            want_by=row.want_by,
            complained_at=row.complained_at,
            registered_by_id=row.registered_by_id,
            lines=await self._lines(session, actor, shown, timers),
            callbacks=tuple(callback_view(found, seen, hidden=hidden) for found in callbacks),
            calls=tuple(
                CallRefView(
                    at=call.at,
                    call_id=call.call_id,
                    noted_by=call.noted_by,
                    note=hide(call.note, hidden=hidden),
                )
                for call in calls
            ),
            limits=tuple(timer for timer in timers if not timer.record.line_id),
            earlier=await self._earlier(session, header),
            called_back_at=row.called_back_at,
            not_reached=row.not_reached,
            satisfaction=row.satisfaction,
            timeliness=row.timeliness,
            contacted_in_time=row.contacted_in_time,
            waived_at=row.waived_at,
            waived_by=row.waived_by,
            waived_why=hide(row.waived_why, hidden=hidden),
            escalation_owed=row.escalation_owed,
            escalation_why=row.escalation_why,
            escalation=escalation,
            reply_owed=owes_reply(header),
            reply_text=hide(row.reply_text, hidden=hidden),
            replied_by=row.replied_by,
            not_filed_why=hide(row.not_filed_why, hidden=hidden),
            not_filed_by=row.not_filed_by,
            analysis=analysis_view(row, hidden=hidden),
            closed_by=row.closed_by,
        )

    async def line(self, session: AsyncSession, actor: Actor, case_id: str, line_id: str) -> LineView:
        """Return one line of a complaint. Raises as :meth:`view`."""
        view = await self.view(session, actor, case_id)
        found = next((line for line in view.lines if line.line_id == line_id), None)
        if found is None:
            raise NotFound("no such line", field="line_id")
        return found

    async def line_by_id(self, session: AsyncSession, actor: Actor, line_id: str) -> LineView:
        """Return one line. Raises as :meth:`view`."""
        actor.need(Permission.CASES_VIEW)
        return await self.line(session, actor, await case_of(session, line_id), line_id)

    async def _lines(
        self,
        session: AsyncSession,
        actor: Actor,
        shown: Sequence[ComplaintLine],
        timers: Sequence[TimerView],
    ) -> tuple[LineView, ...]:
        ids = [line.id for line in shown]
        codes = {line.department_code for line in shown}
        query = select(Department).where(Department.code.in_(codes))
        departments = {found.code: found for found in await session.scalars(query)}
        plans: dict[str, list[PlanView]] = {}
        for plan in await session.scalars(
            select(LinePlan).where(LinePlan.line_id.in_(ids)).order_by(LinePlan.id)
        ):
            plans.setdefault(plan.line_id, []).append(plan_view(plan))
        visits: dict[str, list[VisitView]] = {}
        for visit in await session.scalars(
            select(LineVisit).where(LineVisit.line_id.in_(ids)).order_by(LineVisit.id)
        ):
            visits.setdefault(visit.line_id, []).append(visit_view(visit))
        records = await records_of(session, ids)
        handoffs = await self._handoffs.of_lines(session, actor, ids)
        now = self._clock.now()
        return tuple(
            line_view(
                actor,
                line,
                departments[line.department_code],
                tuple(plans.get(line.id, ())),
                tuple(visits.get(line.id, ())),
                records.get(line.id, ()),
                handoffs.get(line.id, ()),
                tuple(timer for timer in timers if timer.record.line_id == line.id),
                now,
            )
            for line in shown
        )

    def _next(
        self,
        header: CaseView,
        row: Complaint,
        lines: Sequence[ComplaintLine],
        escalation: EscalationBrief | None,
    ) -> NextStep:
        return next_step(
            [to_line(line) for line in lines],
            is_open=header.closed_at is None,
            called_back=row.called_back_at is not None or row.waived_at is not None,
            not_reached=row.not_reached > 0,
            escalation_owed=row.escalation_owed,
            escalation_open=is_open(escalation),
            reply_owed=owes_reply(header),
        )

    def _steps(
        self,
        actor: Actor,
        header: CaseView,
        row: Complaint,
        lines: Sequence[ComplaintLine],
        escalation: EscalationBrief | None,
    ) -> tuple[str, ...]:
        found: list[str] = []
        rules = [to_line(line) for line in lines]
        live = header.closed_at is None
        if header.texts_hidden:
            # Who does not see all of it only notes what the customer says.
            new = ["called_again", *(["add_line"] if len(lines) < MAX_LINES else [])]
            return tuple(new) if live and actor.can(Permission.CASES_REGISTER) else ()
        cares, decides = actor.can(Permission.CASES_REGISTER), actor.can(Permission.CASES_DECIDE)
        if cares and live:
            found += ["called_again", "severity"]
            found += ["add_line"] if len(lines) < MAX_LINES else []
            found += ["hand_off"] if any(line.status is LineStatus.REGISTERED for line in rules) else []
            asked = any(may_be_asked(line, self._clock.now()) for line in rules)
            settled = not any(line.status.is_open for line in rules)
            found += ["callback"] if asked or settled else []
            found += ["reply_to_source"] if owes_reply(header) else []
            closing = Closing(
                lines=rules,
                called_back=row.called_back_at is not None,
                waived=row.waived_at is not None,
                reply_owed=owes_reply(header),
                escalation_owed=row.escalation_owed,
                escalation_open=is_open(escalation),
            )
            found += ["close"] if allowed(lambda: check_closing(closing)) else []
        if cares:
            found.append("analyse")
        if decides and live:
            found += ["waive"] if row.waived_at is None else []
            free = not owes_reply(header) and allowed(lambda: check_not_filed(rules))
            found += ["not_file"] if free else []
        if actor.can(Permission.ESCALATIONS_SUBMIT) and live and not is_open(escalation):
            found.append("escalate")
        return tuple(found)

    async def escalation(self, session: AsyncSession, case_id: str) -> EscalationBrief | None:
        """Return the newest escalation of a complaint."""
        newest = (
            select(EscalationRow)
            .where(EscalationRow.case_id == case_id)
            .order_by(EscalationRow.id.desc())
            .limit(1)
        )
        row = (await session.execute(newest)).scalar_one_or_none()
        if row is None:
            return None
        state = EscalationState(row.state)
        return EscalationBrief(
            escalation_id=row.id, state=state.value, code=state.code, label=ESCALATION_LABELS[state]
        )

    async def _earlier(self, session: AsyncSession, header: CaseView) -> int:
        query = (
            select(func.count())
            .select_from(ServiceCase)
            .where(
                ServiceCase.customer_id == header.customer_id,
                ServiceCase.kind == CaseKind.COMPLAINT.value,
                ServiceCase.id != header.case_id,
                ServiceCase.opened_at >= header.opened_at - EARLIER,
                ServiceCase.opened_at <= header.opened_at,
            )
        )
        return (await session.execute(query)).scalar_one()


def is_open(escalation: EscalationBrief | None) -> bool:
    """Tell whether a complaint is a major one that is not settled."""
    return escalation is not None and escalation.state != EscalationState.CLOSED.value
