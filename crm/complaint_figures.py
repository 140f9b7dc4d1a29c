"""Figures of complaints, their lines and escalations (domain.md §5.2)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, distinct, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from crm.cases import CaseFilter, conditions
from crm.complaint_input import Timeliness
from crm.complaint_tables import Complaint, ComplaintCallback, ComplaintLine
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.case_figures import (
    REPEAT_WITHIN,
    Complained,
    Figure,
    FigureCode,
    days,
    figure,
    repeaters,
)
from crm.domain.complaint import Verdict
from crm.domain.complaint_line import ProblemStatus
from crm.domain.escalation import EscalationState
from crm.escalation_tables import CompensationRow, EscalationRow
from crm.figure_period import FigurePart, in_yuan
from crm.tables import Project, ServiceCase, Store

_COMPLETED = 80
"""Rank of the stage «completed» (domain.md §4.3); below it a home is being built."""
_ENDED = (-1, -3)
_L = ComplaintLine
_ANSWERED = (ProblemStatus.NOT_CONTACTED, ProblemStatus.NOT_HANDLED, ProblemStatus.IN_HAND)


class ComplaintFigures(FigurePart):
    """Reads them."""

    async def complained(self) -> tuple[int, int]:
        """Return how many customers complained again, and how many complaints there were."""
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
            *self.cases(CaseKind.COMPLAINT, ServiceCase.opened_at, since=since),
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
        """Return how many projects were under construction."""
        return (await self.counts(select(func.count()).select_from(Project).where(*self._built())))[0]

    async def response(
        self, begin: InstrumentedAttribute[Any], end: InstrumentedAttribute[Any]
    ) -> list[timedelta]:
        """Return how long each line took from one event to the next."""
        query = (
            select(begin, end)
            .join(ServiceCase, ServiceCase.id == _L.case_id)
            .where(self.within(end), begin.is_not(None), *self._lines())
        )
        return [max(done - since, timedelta()) for since, done in (await self._session.execute(query)).all()]

    async def closed(self) -> tuple[Figure, ...]:
        """Return what is counted over the complaints closed in the period."""

        def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
            return func.sum(case((condition, 1), else_=0))

        query = (
            select(
                func.count(),
                count(~self.broken(CaseKind.COMPLAINT, strict=False)),
                count(~self.broken(CaseKind.COMPLAINT)),
                count(Complaint.timeliness == Timeliness.TIMELY.value),
                count(Complaint.satisfaction == Verdict.SATISFIED.value),
                count(ServiceCase.round >= 2),
            )
            .join(Complaint, Complaint.case_id == ServiceCase.id)
            .where(*self.closed_cases(CaseKind.COMPLAINT))
        )
        closed, kept, strict, timely, satisfied, reopened = await self.counts(query)
        took = days(await self.took(CaseKind.COMPLAINT))
        return (
            figure(FigureCode.CLOSED_IN_LIMIT, kept, closed),
            figure(FigureCode.CLOSED_IN_LIMIT_STRICT, strict, closed),
            figure(FigureCode.DAYS_TO_SOLVE, took, closed),
            figure(FigureCode.TIMELY_RATE, timely, closed),
            figure(FigureCode.SATISFIED_RATE, satisfied, closed),
            figure(FigureCode.REOPEN_RATE, reopened, closed),
        )

    async def rejection(self) -> Figure:
        """Return how many lines departments sent back."""
        asked = self._asked
        still = and_(self.before_or_never(_L.accepted_at), self.before_or_never(_L.rejected_at))
        waiting = and_(_L.registered_at < asked.since, still, self.before_or_never(ServiceCase.closed_at))
        query = (
            select(func.sum(case((self.within(_L.rejected_at), 1), else_=0)), func.count())
            .join(ServiceCase, ServiceCase.id == _L.case_id)
            .where(or_(self.within(_L.registered_at), waiting), *self._lines())
        )
        return figure(FigureCode.REJECTION_RATE, *await self.counts(query))

    async def handling(self) -> Figure:
        """Return how many of the lines in hand were reported done."""
        handled: Any = func.coalesce(_L.done_at, _L.solved_at)
        query = (
            select(func.sum(case((self.within(handled), 1), else_=0)), func.count())
            .join(ServiceCase, ServiceCase.id == _L.case_id)
            .where(
                _L.accepted_at < self._asked.until,
                or_(handled.is_(None), handled >= self._asked.since),
                self.before_or_never(ServiceCase.closed_at),
                *self._lines(),
            )
        )
        return figure(FigureCode.HANDLING_RATE, *await self.counts(query))

    async def closure_refusal(self) -> Figure:
        """Return how many lines customers did not let close."""
        said = (
            select(ComplaintCallback.lines)
            .join(ServiceCase, ServiceCase.id == ComplaintCallback.case_id)
            .where(self.within(ComplaintCallback.at))
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
        left = and_(_L.solved_at.is_(None), _L.done_at.is_not(None), self.within(ServiceCase.closed_at))
        query = (
            select(func.count())
            .select_from(_L)
            .join(ServiceCase, ServiceCase.id == _L.case_id)
            .where(or_(self.within(_L.solved_at), waits, left), *self._lines())
        )
        others = (await self.counts(query))[0]
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
        """Return what was paid to customers."""
        paid = CompensationRow.paid_at.is_not(None)
        base = self.closed_cases(CaseKind.COMPLAINT)
        money = (
            select(func.count(distinct(ServiceCase.id)), func.sum(CompensationRow.amount))
            .select_from(ServiceCase)
            .join(EscalationRow, EscalationRow.case_id == ServiceCase.id)
            .join(CompensationRow, CompensationRow.escalation_id == EscalationRow.id)
            .where(*base, paid)
        )
        cases, amount = (await self._session.execute(money)).one()
        closed = (await self.counts(select(func.count()).select_from(ServiceCase).where(*base)))[0]
        value = select(func.sum(Project.amount + func.coalesce(Project.changes, 0))).where(*self._built())
        contracts = await self._session.scalar(value)
        return (
            figure(FigureCode.COMPENSATION_RATE, cases, closed),
            figure(FigureCode.COMPENSATION_PER_10000, in_yuan(amount), in_yuan(contracts)),
        )

    async def escalation_visits(self, now: datetime) -> Figure:
        """Return how many visits of escalations were in time."""
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
                self.within(row.reviewed_at),
                row.visit_needed.is_(True),
                row.state != EscalationState.SUBMITTED.value,
                # One whose visit is still to come says nothing yet.
                or_(row.visited_at.is_not(None), row.visit_due_at < now),
                *chosen,
            )
        )
        return figure(FigureCode.ESCALATION_VISIT_IN_LIMIT, *await self.counts(query))

    def _lines(self) -> list[ColumnElement[bool]]:
        asked = self._asked
        chosen: list[ColumnElement[bool]] = []
        if asked.department is not None:
            chosen.append(_L.department_code == asked.department)
        if asked.store is not None:
            chosen.append(ServiceCase.store == asked.store)
        return chosen
