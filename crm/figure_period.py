"""What all figures of cases count by: the period, the store, the department."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from crm.cases import CaseFilter, conditions
from crm.complaint_tables import ComplaintLine
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.case_figures import (
    Figure,
    FigureCode,
    figure,
)
from crm.domain.complaint_line import LineStatus
from crm.limit_tables import LimitTimerRow
from crm.limit_views import TimerState
from crm.tables import ServiceCase

_L = ComplaintLine
_NOT_CARRIED_OUT = (LineStatus.REJECTED.value, LineStatus.UNFOUNDED.value, LineStatus.REROUTED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which records: the period ``[since, until)``, and perhaps one store or one department."""

    since: datetime
    until: datetime
    store: str | None = None
    department: str | None = None


class FigurePart:
    """One reading of figures: the session and what was asked.

    Args:
        zone: the site's: projects have days, not moments.
    """

    def __init__(self, session: AsyncSession, asked: Asked, zone: ZoneInfo) -> None:
        self._session = session
        self._asked = asked
        self._zone = zone

    def cases(
        self, kind: CaseKind, moment: InstrumentedAttribute[Any], *, since: datetime | None = None
    ) -> list[ColumnElement[bool]]:
        """Return the condition for cases of a kind to which something happened in the period."""
        asked = self._asked
        chosen = conditions(CaseFilter(kind=kind, department=asked.department))
        if asked.store is not None:
            chosen.append(ServiceCase.store == asked.store)
        return [*chosen, moment >= (since or asked.since), moment < asked.until]

    def closed_cases(self, kind: CaseKind) -> list[ColumnElement[bool]]:
        """Return the condition for cases that were closed, and filed, in the period."""
        return [*self.cases(kind, ServiceCase.closed_at), ServiceCase.status == CaseStatus.CLOSED.value]

    def within(self, moment: ColumnElement[Any] | InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        """Return that something happened in the period."""
        return and_(moment >= self._asked.since, moment < self._asked.until)

    def before_or_never(self, moment: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        """Return that something had not happened yet when the period began."""
        return or_(moment.is_(None), moment >= self._asked.since)

    async def counts(self, query: Any) -> tuple[int, ...]:
        """Return the sums of a query, nothing as 0."""
        row = (await self._session.execute(query)).one()
        return tuple(int(value or 0) for value in row)

    async def took(self, kind: CaseKind) -> list[timedelta]:
        """Return how long each of the closed cases was open."""
        query = select(ServiceCase.opened_at, ServiceCase.closed_at).where(*self.closed_cases(kind))
        rows = (await self._session.execute(query)).all()
        return [closed - opened for opened, closed in rows if closed is not None]

    def broken(self, kind: CaseKind, *, strict: bool = True) -> ColumnElement[bool]:
        """Return that a limit of the case was broken; strictly also one on a line not carried out."""
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

    async def in_limit(self, code: FigureCode, limit: str) -> Figure:
        """Return how many of the limits that ended in the period were kept."""
        timer = LimitTimerRow
        kept = case((timer.breached_at.is_(None), 1), else_=0)
        query = (
            select(func.sum(kept), func.count())
            .join(ServiceCase, ServiceCase.id == timer.record_id)
            .where(
                timer.code == limit, timer.state == TimerState.STOPPED.value, self.within(timer.stopped_at)
            )
        )
        if self._asked.department is not None:
            query = query.where(timer.department == self._asked.department)
        if self._asked.store is not None:
            query = query.where(ServiceCase.store == self._asked.store)
        return figure(code, *await self.counts(query))


def in_yuan(found: Any) -> Decimal:
    """Return a sum of money, which SQLite adds up in binary."""
    return Decimal(str(found or 0)).quantize(Decimal("0.01"))
