"""Reads the figures of domain.md §5.2 from complaints, lines, limits, repairs and deposits.

Every figure counts records by the event that its definition names: registered, accepted, closed, paid in the
period. Where the definition leaves something open:

======================== =====================================================================================
figure                   reading «interp»
======================== =====================================================================================
complaint rate           complaints that were not filed are left out; a project is under construction from its
                         start to its completion, stand-stills included
closed within limit      no breach of a T-limit on a line that was carried out; strictly: on no line at all,
                         rejected and rerouted ones included
rejection rate           lines that were new, or waited for a receipt when the period began
handling rate            lines in hand at some time of the period; handled are those reported done in it
closure-refusal rate     lines that waited to be closed at some time of the period
compensation             paid for complaints closed in the period; contract value of the projects under
                         construction in it
escalation visit         escalations reviewed in the period whose visit is over or overdue
deposit coverage         of all crews: the balance at the period's end, the deductions of the year before it
======================== =====================================================================================

With a department, cases are those it has a part in, lines and limits its own ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, distinct, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from crm.cases import CaseFilter, conditions
from crm.complaint_input import Timeliness
from crm.complaint_tables import Complaint, ComplaintCallback, ComplaintLine
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.case_figures import (
    DEPOSIT_YEAR,
    REPEAT_WITHIN,
    Complained,
    Figure,
    FigureCode,
    Spread,
    check_period,
    days,
    figure,
    repeaters,
    spread,
)
from crm.domain.complaint import Verdict
from crm.domain.complaint_line import LineStatus, ProblemStatus
from crm.domain.deposit import PostingKind
from crm.domain.escalation import EscalationState
from crm.escalation_tables import CompensationRow, EscalationRow
from crm.limit_tables import LimitTimerRow
from crm.limit_views import TimerState
from crm.repair_tables import DepositPostingRow, RepairCostRow, RepairRow
from crm.tables import Project, ServiceCase, Store
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database

MAX_STORE = 60
_COMPLETED = 80
"""Rank of the stage «completed» (domain.md §4.3); below it a home is being built."""
_ENDED = (-1, -3)
_L = ComplaintLine
_ANSWERED = (ProblemStatus.NOT_CONTACTED, ProblemStatus.NOT_HANDLED, ProblemStatus.IN_HAND)
_NOT_CARRIED_OUT = (LineStatus.REJECTED.value, LineStatus.UNFOUNDED.value, LineStatus.REROUTED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which records: the period ``[since, until)``, and perhaps one store or one department."""

    since: datetime
    until: datetime
    store: str | None = None
    department: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFigures:
    """The figures, in the order of :class:`FigureCode`, and how long the first answers took."""

    asked: Asked
    as_of: datetime
    figures: tuple[Figure, ...]
    responses: tuple[Spread, ...]

    def of(self, code: FigureCode) -> Figure:
        """Return one of the figures."""
        return next(found for found in self.figures if found.code is code)


class CaseFiguresReader:
    """Computes figures for those who see the red list: the manager and the general manager.

    Args:
        zone: the site's: projects have days, not moments.
    """

    def __init__(self, database: Database, clock: Clock, *, zone: ZoneInfo) -> None:
        self._database = database
        self._clock = clock
        self._zone = zone

    async def read(self, actor: Actor, asked: Asked) -> CaseFigures:
        """Return all figures of a period.

        Raises:
            Forbidden: the role does not see the red list.
            Invalid: the period ends before it begins, or is too long.
        """
        actor.need(Permission.RED_LIST_VIEW)
        check_period(asked.since, asked.until)
        async with self._database.session() as session:
            part = _Part(session, asked, self._zone)
            complained, building = await part.complained(), await part.under_construction()
            accepted = await part.response(_L.handed_off_at, _L.accepted_at)
            verified = await part.response(_L.accepted_at, _L.verified_at)
            figures = [
                figure(FigureCode.COMPLAINT_RATE, complained[1], building),
                await part.in_limit(FigureCode.ACCEPTED_IN_LIMIT, "TS.T1"),
                await part.in_limit(FigureCode.VERIFIED_IN_LIMIT, "TS.T2"),
                *await part.closed(),
                await part.rejection(),
                await part.handling(),
                await part.closure_refusal(),
                *await part.compensation(),
                figure(FigureCode.REPEAT_COMPLAINT, *complained),
                await part.escalation_visits(self._clock.now()),
                *await part.repairs_closed(),
                *await part.repairs_opened(),
                await part.deposit_coverage(),
            ]
        order = {code: place for place, code in enumerate(FigureCode)}
        return CaseFigures(
            asked=asked,
            as_of=self._clock.now(),
            figures=tuple(sorted(figures, key=lambda found: order[found.code])),
            responses=(spread("accept", accepted), spread("verify", verified)),
        )


class _Part:
    """One reading of the figures: the session and what was asked."""

    def __init__(self, session: AsyncSession, asked: Asked, zone: ZoneInfo) -> None:
        self._session = session
        self._asked = asked
        self._zone = zone

    # What records count

    def _cases(
        self, kind: CaseKind, moment: InstrumentedAttribute[Any], *, since: datetime | None = None
    ) -> list[ColumnElement[bool]]:
        asked = self._asked
        chosen = conditions(CaseFilter(kind=kind, department=asked.department))
        if asked.store is not None:
            chosen.append(ServiceCase.store == asked.store)
        return [*chosen, moment >= (since or asked.since), moment < asked.until]

    def _lines(self) -> list[ColumnElement[bool]]:
        asked = self._asked
        chosen: list[ColumnElement[bool]] = []
        if asked.department is not None:
            chosen.append(_L.department_code == asked.department)
        if asked.store is not None:
            chosen.append(ServiceCase.store == asked.store)
        return chosen

    def _within(self, moment: ColumnElement[Any] | InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        return and_(moment >= self._asked.since, moment < self._asked.until)

    def _before_or_never(self, moment: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        """Return that something had not happened yet when the period began."""
        return or_(moment.is_(None), moment >= self._asked.since)

    async def _counts(self, query: Any) -> tuple[int, ...]:
        row = (await self._session.execute(query)).one()
        return tuple(int(value or 0) for value in row)

    # Complaints

    async def complained(self) -> tuple[int, int]:
        other, other_line = aliased(ServiceCase), aliased(_L)
        same = (
            exists()
            .where(
                _L.case_id == ServiceCase.id,
                other_line.class_code == _L.class_code,
                other_line.case_id == other.id,
                other.id != ServiceCase.id,
                other.project_id == ServiceCase.project_id,
                other.opened_at < ServiceCase.opened_at,
                other.status != CaseStatus.NOT_FILED.value,
            )
            .correlate(ServiceCase)
        )
        since = self._asked.since - REPEAT_WITHIN
        query = select(ServiceCase.customer_id, ServiceCase.opened_at, same).where(
            *self._cases(CaseKind.COMPLAINT, ServiceCase.opened_at, since=since),
            ServiceCase.status != CaseStatus.NOT_FILED.value,
        )
        rows = (await self._session.execute(query)).all()
        found = [Complained(customer, at, bool(again)) for customer, at, again in rows]
        return repeaters(found, self._asked.since, self._asked.until)

    def _built(self) -> list[ColumnElement[bool]]:
        asked = self._asked
        first = asked.since.astimezone(self._zone).date()
        last = (asked.until - timedelta(microseconds=1)).astimezone(self._zone).date()
        going_on = and_(
            Project.finished_on.is_(None), Project.stage < _COMPLETED, Project.stage.not_in(_ENDED)
        )
        ended = and_(Project.stage.in_(_ENDED), Project.cancelled_at >= asked.since)
        chosen = [Project.started_on <= last, or_(Project.finished_on >= first, going_on, ended)]
        if asked.store is not None:
            chosen.append(Project.store_id.in_(select(Store.id).where(Store.name == asked.store)))
        return chosen

    async def under_construction(self) -> int:
        return (await self._counts(select(func.count()).select_from(Project).where(*self._built())))[0]

    async def response(
        self, begin: InstrumentedAttribute[Any], end: InstrumentedAttribute[Any]
    ) -> list[timedelta]:
        query = (
            select(begin, end)
            .join(ServiceCase, ServiceCase.id == _L.case_id)
            .where(self._within(end), begin.is_not(None), *self._lines())
        )
        return [max(done - since, timedelta()) for since, done in (await self._session.execute(query)).all()]

    async def in_limit(self, code: FigureCode, limit: str) -> Figure:
        """Return how many of the limits that ended in the period were kept."""
        timer = LimitTimerRow
        kept = case((timer.breached_at.is_(None), 1), else_=0)
        query = (
            select(func.sum(kept), func.count())
            .join(ServiceCase, ServiceCase.id == timer.record_id)
            .where(
                timer.code == limit, timer.state == TimerState.STOPPED.value, self._within(timer.stopped_at)
            )
        )
        if self._asked.department is not None:
            query = query.where(timer.department == self._asked.department)
        if self._asked.store is not None:
            query = query.where(ServiceCase.store == self._asked.store)
        return figure(code, *await self._counts(query))

    def _broken(self, kind: CaseKind, *, strict: bool = True) -> ColumnElement[bool]:
        timer = LimitTimerRow
        chosen = [
            timer.record_id == ServiceCase.id,
            timer.record_kind == kind.value,
            timer.breached_at.is_not(None),
            timer.code.like("TS.T%" if kind is CaseKind.COMPLAINT else "BX.R%"),
        ]
        if self._asked.department is not None:
            chosen.append(timer.department == self._asked.department)
        if not strict:
            undone = exists().where(_L.id == timer.line_id, _L.status.in_(_NOT_CARRIED_OUT))
            chosen.append(~undone.correlate(timer))
        return exists().where(*chosen).correlate(ServiceCase)

    async def closed(self) -> tuple[Figure, ...]:
        """Return what is counted over the complaints closed in the period."""

        def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
            return func.sum(case((condition, 1), else_=0))

        query = (
            select(
                func.count(),
                count(~self._broken(CaseKind.COMPLAINT, strict=False)),
                count(~self._broken(CaseKind.COMPLAINT)),
                count(Complaint.timeliness == Timeliness.TIMELY.value),
                count(Complaint.satisfaction == Verdict.SATISFIED.value),
                count(ServiceCase.round >= 2),
            )
            .join(Complaint, Complaint.case_id == ServiceCase.id)
            .where(*self._closed_cases(CaseKind.COMPLAINT))
        )
        closed, kept, strict, timely, satisfied, reopened = await self._counts(query)
        took = days(await self._took(CaseKind.COMPLAINT))
        return (
            figure(FigureCode.CLOSED_IN_LIMIT, kept, closed),
            figure(FigureCode.CLOSED_IN_LIMIT_STRICT, strict, closed),
            figure(FigureCode.DAYS_TO_SOLVE, took, closed),
            figure(FigureCode.TIMELY_RATE, timely, closed),
            figure(FigureCode.SATISFIED_RATE, satisfied, closed),
            figure(FigureCode.REOPEN_RATE, reopened, closed),
        )

    def _closed_cases(self, kind: CaseKind) -> list[ColumnElement[bool]]:
        return [*self._cases(kind, ServiceCase.closed_at), ServiceCase.status == CaseStatus.CLOSED.value]

    async def _took(self, kind: CaseKind) -> list[timedelta]:
        query = select(ServiceCase.opened_at, ServiceCase.closed_at).where(*self._closed_cases(kind))
        rows = (await self._session.execute(query)).all()
        return [closed - opened for opened, closed in rows if closed is not None]

    async def rejection(self) -> Figure:
        asked = self._asked
        still = and_(self._before_or_never(_L.accepted_at), self._before_or_never(_L.rejected_at))
        waiting = and_(_L.registered_at < asked.since, still, self._before_or_never(ServiceCase.closed_at))
        query = (
            select(func.sum(case((self._within(_L.rejected_at), 1), else_=0)), func.count())
            .join(ServiceCase, ServiceCase.id == _L.case_id)
            .where(or_(self._within(_L.registered_at), waiting), *self._lines())
        )
        return figure(FigureCode.REJECTION_RATE, *await self._counts(query))

    async def handling(self) -> Figure:
        handled: Any = func.coalesce(_L.done_at, _L.solved_at)
        query = (
            select(func.sum(case((self._within(handled), 1), else_=0)), func.count())
            .join(ServiceCase, ServiceCase.id == _L.case_id)
            .where(
                _L.accepted_at < self._asked.until,
                or_(handled.is_(None), handled >= self._asked.since),
                self._before_or_never(ServiceCase.closed_at),
                *self._lines(),
            )
        )
        return figure(FigureCode.HANDLING_RATE, *await self._counts(query))

    async def closure_refusal(self) -> Figure:
        said = (
            select(ComplaintCallback.lines)
            .join(ServiceCase, ServiceCase.id == ComplaintCallback.case_id)
            .where(self._within(ComplaintCallback.at))
        )
        if self._asked.store is not None:
            said = said.where(ServiceCase.store == self._asked.store)
        answers = (await self._session.scalars(said)).all()
        mine = await self._line_ids(answers)
        refused = sum(
            1
            for lines in answers
            for line_id, problem in lines.items()
            if problem in _ANSWERED and (mine is None or line_id in mine)
        )
        until = self._asked.until
        waits = and_(
            _L.done_at < until,
            or_(_L.solved_at.is_(None), _L.solved_at >= until),
            or_(ServiceCase.closed_at.is_(None), ServiceCase.closed_at >= until),
        )
        # What is closed without a callback leaves with its case.
        left = and_(_L.solved_at.is_(None), _L.done_at.is_not(None), self._within(ServiceCase.closed_at))
        query = (
            select(func.count())
            .select_from(_L)
            .join(ServiceCase, ServiceCase.id == _L.case_id)
            .where(or_(self._within(_L.solved_at), waits, left), *self._lines())
        )
        others = (await self._counts(query))[0]
        return figure(FigureCode.CLOSURE_REFUSAL_RATE, refused, refused + others)

    async def _line_ids(self, answers: Sequence[dict[str, Any]]) -> set[str] | None:
        if self._asked.department is None:
            return None
        named = sorted({line_id for lines in answers for line_id in lines})
        found: set[str] = set()
        for start in range(0, len(named), 500):
            query = select(_L.id).where(
                _L.id.in_(named[start : start + 500]), _L.department_code == self._asked.department
            )
            found |= set(await self._session.scalars(query))
        return found

    async def compensation(self) -> tuple[Figure, ...]:
        paid = CompensationRow.paid_at.is_not(None)
        base = self._closed_cases(CaseKind.COMPLAINT)
        money = (
            select(func.count(distinct(ServiceCase.id)), func.sum(CompensationRow.amount))
            .select_from(ServiceCase)
            .join(EscalationRow, EscalationRow.case_id == ServiceCase.id)
            .join(CompensationRow, CompensationRow.escalation_id == EscalationRow.id)
            .where(*base, paid)
        )
        cases, amount = (await self._session.execute(money)).one()
        closed = (await self._counts(select(func.count()).select_from(ServiceCase).where(*base)))[0]
        value = select(func.sum(Project.amount + func.coalesce(Project.changes, 0))).where(*self._built())
        contracts = await self._session.scalar(value)
        return (
            figure(FigureCode.COMPENSATION_RATE, cases, closed),
            figure(FigureCode.COMPENSATION_PER_10000, _money(amount), _money(contracts)),
        )

    async def escalation_visits(self, now: datetime) -> Figure:
        row = EscalationRow
        kept = case((row.visited_at <= row.visit_due_at, 1), else_=0)
        chosen = conditions(CaseFilter(department=self._asked.department))
        if self._asked.store is not None:
            chosen.append(ServiceCase.store == self._asked.store)
        query = (
            select(func.sum(kept), func.count())
            .select_from(row)
            .join(ServiceCase, ServiceCase.id == row.case_id)
            .where(
                self._within(row.reviewed_at),
                row.visit_needed.is_(True),
                row.state != EscalationState.SUBMITTED.value,
                # One whose visit is still to come says nothing yet.
                or_(row.visited_at.is_not(None), row.visit_due_at < now),
                *chosen,
            )
        )
        return figure(FigureCode.ESCALATION_VISIT_IN_LIMIT, *await self._counts(query))

    # Repairs

    async def repairs_closed(self) -> tuple[Figure, ...]:
        kept = case((~self._broken(CaseKind.REPAIR), 1), else_=0)
        once = case((and_(RepairRow.solved.is_(True), RepairRow.worked_visits == 1), 1), else_=0)
        query = (
            select(func.count(), func.sum(kept), func.sum(once))
            .select_from(ServiceCase)
            .join(RepairRow, RepairRow.case_id == ServiceCase.id)
            .where(*self._closed_cases(CaseKind.REPAIR))
        )
        closed, in_limit, first = await self._counts(query)
        return (
            figure(FigureCode.REPAIR_CLOSED_IN_LIMIT, in_limit, closed),
            figure(FigureCode.REPAIR_DAYS_TO_SOLVE, days(await self._took(CaseKind.REPAIR)), closed),
            figure(FigureCode.REPAIR_FIRST_TIME_FIX, first, closed),
        )

    async def repairs_opened(self) -> tuple[Figure, ...]:
        opened = (
            select(func.sum(case((RepairRow.original_crew_left, 1), else_=0)), func.count())
            .select_from(ServiceCase)
            .join(RepairRow, RepairRow.case_id == ServiceCase.id)
            .where(*self._cases(CaseKind.REPAIR, ServiceCase.opened_at))
        )
        costs = (
            select(func.sum(RepairCostRow.total), func.count())
            .select_from(ServiceCase)
            .join(RepairCostRow, RepairCostRow.case_id == ServiceCase.id)
            .where(*self._cases(CaseKind.REPAIR, RepairCostRow.costed_at))
        )
        total, count = (await self._session.execute(costs)).one()
        return (
            figure(FigureCode.DEPARTED_CREW_SHARE, *await self._counts(opened)),
            figure(FigureCode.COST_PER_REPAIR, _money(total), count),
        )

    async def deposit_coverage(self) -> Figure:
        until, posting = self._asked.until, DepositPostingRow
        year = and_(posting.kind == PostingKind.DEDUCT.value, posting.at >= until - DEPOSIT_YEAR)
        deducted = func.sum(case((year, -posting.amount), else_=0))
        query = select(func.sum(posting.amount), deducted).where(posting.at < until)
        balance, taken = (await self._session.execute(query)).one()
        return figure(FigureCode.DEPOSIT_COVERAGE, _money(balance), _money(taken))


def _money(found: Any) -> Decimal:
    """Return a sum of money, which SQLite adds up in binary."""
    return Decimal(str(found or 0)).quantize(Decimal("0.01"))
