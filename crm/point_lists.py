"""Lists of the repair network, page by page: points, spare parts, monthly accounts, quality feedback."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, case, func, or_, select

from crm.domain.repair_point import PartKind, month_of
from crm.repair_point_tables import MonthlyAccount, PartIssue, QualityFeedback, RepairPoint
from crm.repair_point_views import (
    AccountView,
    FeedbackView,
    PartView,
    PointView,
    account_view,
    feedback_view,
    part_view,
    point_view,
)
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import NotFound
from kernel.ids import is_ulid
from kernel.paging import MAX_PAGE, By, Page, cut, ordered

POINTS = (By(RepairPoint.district), By(RepairPoint.name), By(RepairPoint.id))
PARTS = (By(PartIssue.id, falling=True),)
ACCOUNTS = (By(MonthlyAccount.month, falling=True), By(MonthlyAccount.id))
FEEDBACK = (By(QualityFeedback.count, falling=True), By(QualityFeedback.id))


def accounts_query(*chosen: Any) -> Select[Any]:
    """Return months of points, each with the point's name and what its spare parts cost."""
    sign = case((PartIssue.kind == PartKind.ISSUE.value, 1), else_=-1)
    used = (
        select(func.sum(sign * PartIssue.quantity * PartIssue.price))
        .where(PartIssue.point_id == MonthlyAccount.point_id, PartIssue.month == MonthlyAccount.month)
        .scalar_subquery()
    )
    joined = select(MonthlyAccount, RepairPoint.name, used).join(
        RepairPoint, RepairPoint.id == MonthlyAccount.point_id
    )
    return joined.where(*chosen)


class PointLists:
    """Every page needs that projects are seen, raises Forbidden, and Invalid for a cursor of another list."""

    def __init__(self, database: Database, clock: Clock, *, zone: ZoneInfo) -> None:
        self._database = database
        self._clock = clock
        self._zone = zone

    async def points(
        self,
        actor: Actor,
        *,
        district: str | None = None,
        valid_only: bool = False,
        cursor: str | None = None,
        limit: int,
    ) -> Page[PointView]:
        """Return points by district and name."""
        query, today = select(RepairPoint), self._today()
        if district is not None:
            query = query.where(RepairPoint.district == district)
        if valid_only:
            lasts = or_(RepairPoint.valid_to.is_(None), RepairPoint.valid_to >= today)
            query = query.where(RepairPoint.active, RepairPoint.valid_from <= today, lasts)
        rows = await self._rows(actor, query, RepairPoint, POINTS, cursor, limit)
        return cut([point_view(row, today) for (row,) in rows], _size(limit), lambda view: view.point_id)

    async def point(self, actor: Actor, point_id: str) -> PointView:
        """Return one point. Raises NotFound."""
        actor.need(Permission.PROJECTS_VIEW)
        async with self._database.session() as session:
            row = await session.get(RepairPoint, point_id) if is_ulid(point_id) else None
            if row is None:
                raise NotFound("no such repair point", field="point_id")
            return point_view(row, self._today())

    async def names(self, actor: Actor, point_ids: Collection[str]) -> dict[str, str]:
        """Return id → name of points."""
        actor.need(Permission.PROJECTS_VIEW)
        query = select(RepairPoint.id, RepairPoint.name).where(RepairPoint.id.in_(point_ids))
        async with self._database.session() as session:
            rows = (await session.execute(query)).all() if point_ids else ()
        return {str(key): str(name) for key, name in rows}

    async def month_of(self, actor: Actor, month: str, point_ids: Collection[str]) -> dict[str, AccountView]:
        """Return id → the month of points, of those that have it."""
        actor.need(Permission.PROJECTS_VIEW)
        query = accounts_query(MonthlyAccount.month == month, MonthlyAccount.point_id.in_(point_ids))
        async with self._database.session() as session:
            rows = (await session.execute(query)).all() if point_ids else ()
        return {view.point_id: view for view in (account_view(*row) for row in rows)}

    async def month_sums(self, actor: Actor, month: str) -> tuple[Decimal, Decimal]:
        """Return what all points together were to cost in a month, and did."""
        actor.need(Permission.PROJECTS_VIEW)
        sums = select(func.sum(MonthlyAccount.budget), func.sum(MonthlyAccount.actual))
        async with self._database.session() as session:
            row = (await session.execute(sums.where(MonthlyAccount.month == month))).one()
        return row[0] or Decimal(0), row[1] or Decimal(0)

    async def parts(
        self,
        actor: Actor,
        point_id: str,
        *,
        month: str | None = None,
        cursor: str | None = None,
        limit: int,
    ) -> Page[PartView]:
        """Return what a point got and gave back, newest first."""
        query = select(PartIssue).where(PartIssue.point_id == point_id)
        if month is not None:
            query = query.where(PartIssue.month == month)
        rows = await self._rows(actor, query, PartIssue, PARTS, cursor, limit)
        return cut([part_view(row) for (row,) in rows], _size(limit), lambda view: view.issue_id)

    async def accounts(
        self,
        actor: Actor,
        *,
        month: str | None = None,
        point_id: str | None = None,
        cursor: str | None = None,
        limit: int,
    ) -> Page[AccountView]:
        """Return months of points, newest first."""
        query = accounts_query()
        if month is not None:
            query = query.where(MonthlyAccount.month == month)
        if point_id is not None:
            query = query.where(MonthlyAccount.point_id == point_id)
        rows = await self._rows(actor, query, MonthlyAccount, ACCOUNTS, cursor, limit)
        return cut([account_view(*row) for row in rows], _size(limit), lambda view: view.account_id)

    async def feedback(
        self, actor: Actor, month: str, *, cursor: str | None = None, limit: int
    ) -> Page[FeedbackView]:
        """Return a month's quality feedback, the most frequent first."""
        query = select(QualityFeedback).where(QualityFeedback.month == month_of(month, self._today()))
        rows = await self._rows(actor, query, QualityFeedback, FEEDBACK, cursor, limit)
        return cut([feedback_view(row) for (row,) in rows], _size(limit), lambda view: view.feedback_id)

    async def _rows(
        self,
        actor: Actor,
        query: Select[Any],
        table: Any,
        order: tuple[By, ...],
        cursor: str | None,
        limit: int,
    ) -> list[Any]:
        actor.need(Permission.PROJECTS_VIEW)
        async with self._database.session() as session:
            query = await ordered(session, query, table, order, cursor=cursor)
            return list((await session.execute(query.limit(_size(limit) + 1))).all())

    def _today(self) -> date:
        return self._clock.now().astimezone(self._zone).date()


def _size(limit: int) -> int:
    return max(1, min(limit, MAX_PAGE))
