"""Figures of repairs and of the crews' deposits (domain.md §5.2)."""

from sqlalchemy import and_, case, func, select

from crm.domain.case import CaseKind
from crm.domain.case_figures import (
    DEPOSIT_YEAR,
    Figure,
    FigureCode,
    days,
    figure,
)
from crm.domain.deposit import PostingKind
from crm.figure_period import FigurePart, in_yuan
from crm.repair_tables import DepositPostingRow, RepairCostRow, RepairRow
from crm.tables import ServiceCase


class RepairFigures(FigurePart):
    """Reads them."""

    async def repairs_closed(self) -> tuple[Figure, ...]:
        """Return what is counted over the repairs closed in the period."""
        kept = case((~self.broken(CaseKind.REPAIR), 1), else_=0)
        once = case((and_(RepairRow.solved.is_(True), RepairRow.worked_visits == 1), 1), else_=0)
        query = (
            select(func.count(), func.sum(kept), func.sum(once))
            .select_from(ServiceCase)
            .join(RepairRow, RepairRow.case_id == ServiceCase.id)
            .where(*self.closed_cases(CaseKind.REPAIR))
        )
        closed, in_limit, first = await self.counts(query)
        return (
            figure(FigureCode.REPAIR_CLOSED_IN_LIMIT, in_limit, closed),
            figure(FigureCode.REPAIR_DAYS_TO_SOLVE, days(await self.took(CaseKind.REPAIR)), closed),
            figure(FigureCode.REPAIR_FIRST_TIME_FIX, first, closed),
        )

    async def repairs_opened(self) -> tuple[Figure, ...]:
        """Return what is counted over the repairs opened and the costs made in the period."""
        opened = (
            select(func.sum(case((RepairRow.original_crew_left, 1), else_=0)), func.count())
            .select_from(ServiceCase)
            .join(RepairRow, RepairRow.case_id == ServiceCase.id)
            .where(*self.cases(CaseKind.REPAIR, ServiceCase.opened_at))
        )
        costs = (
            select(func.sum(RepairCostRow.total), func.count())
            .select_from(ServiceCase)
            .join(RepairCostRow, RepairCostRow.case_id == ServiceCase.id)
            .where(*self.cases(CaseKind.REPAIR, RepairCostRow.costed_at))
        )
        total, count = (await self._session.execute(costs)).one()
        return (
            figure(FigureCode.DEPARTED_CREW_SHARE, *await self.counts(opened)),
            figure(FigureCode.COST_PER_REPAIR, in_yuan(total), count),
        )

    async def deposit_coverage(self) -> Figure:
        """Return how long the deposits of all crews last."""
        until, posting = self._asked.until, DepositPostingRow
        year = and_(posting.kind == PostingKind.DEDUCT.value, posting.at >= until - DEPOSIT_YEAR)
        deducted = func.sum(case((year, -posting.amount), else_=0))
        query = select(func.sum(posting.amount), deducted).where(posting.at < until)
        balance, taken = (await self._session.execute(query)).one()
        return figure(FigureCode.DEPOSIT_COVERAGE, in_yuan(balance), in_yuan(taken))
