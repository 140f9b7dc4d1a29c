"""The repair-point network: points, spare parts, monthly accounts, quality feedback (domain.md §1.13)."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import known_department, tidy_text
from crm.domain.lines import maybe_line, one_line
from crm.domain.repair_point import (
    CENT,
    LARGEST,
    PartKind,
    amount,
    check_approval,
    check_stock,
    month_of,
    over_budget,
)
from crm.events_tickets import RepairBudgetExceeded
from crm.journal import Journal
from crm.notices.events import NoticeWanted
from crm.notices.handoff_facts import head_of
from crm.point_lists import accounts_query
from crm.repair_point_tables import MonthlyAccount, PartIssue, QualityFeedback, RepairPoint
from crm.repair_point_views import (
    AccountView,
    FeedbackView,
    PartView,
    PointText,
    PointView,
    account_view,
    feedback_view,
    part_view,
    point_view,
)
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid
from kernel.outbox import add_fact
from kernel.phone import Phone

MAX_NOTE = 1000
MAX_LISTED = 500


class RepairPoints:
    """Keeps the network.

    Args:
        zone: the site's; days are its days.
    """

    def __init__(self, database: Database, clock: Clock, journal: Journal, *, zone: ZoneInfo) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self._zone = zone

    # Points

    async def points(
        self, actor: Actor, *, district: str | None = None, valid_only: bool = False
    ) -> tuple[PointView, ...]:
        """Return the points by district and name. Raises Forbidden."""
        actor.need(Permission.PROJECTS_VIEW)
        query = select(RepairPoint).order_by(RepairPoint.district, RepairPoint.name).limit(MAX_LISTED)
        if district is not None:
            query = query.where(RepairPoint.district == district)
        async with self._database.session() as session:
            views = [self._point(row) for row in (await session.execute(query)).scalars()]
        return tuple(view for view in views if view.valid or not valid_only)

    async def put_point(
        self, actor: Actor, point_id: str | None, text: PointText, *, expected: int | None
    ) -> PointView:
        """Write down a point, or correct one.

        Raises:
            Forbidden: the role keeps no staff and points.
            Conflict: another point has the name or the agreement.
            Invalid, NotFound, StaleVersion: as everywhere.
        """
        actor.need(Permission.STAFF_EDIT)
        values = self._read(text)
        async with self._database.transaction() as session:
            if point_id is None:
                row = RepairPoint(
                    id=new_ulid(), created_at=self._clock.now(), created_by=actor.name, **values
                )
                session.add(row)
            else:
                row = await self._load(session, RepairPoint, point_id, expected)
                for key, value in values.items():
                    setattr(row, key, value)
            row.updated_at, row.updated_by = self._clock.now(), actor.name
            try:
                await session.flush()
            except IntegrityError as error:
                raise Conflict("another point has this name or agreement", field="agreement_no") from error
            await self._journal.note(
                session,
                actor,
                "repair_point.put",
                entity="repair_point",
                entity_id=row.id,
                after={"name": row.name, "agreement_no": row.agreement_no, "active": row.active},
            )
            return self._point(row)

    def _read(self, text: PointText) -> dict[str, Any]:
        if text.valid_to is not None and text.valid_to < text.valid_from:
            raise Invalid("ends before it begins", field="valid_to")
        return {
            "name": one_line(text.name, field="name", limit=60),
            "agreement_no": one_line(text.agreement_no, field="agreement_no", limit=40),
            "district": one_line(text.district, field="district", limit=40),
            "address": maybe_line(text.address, field="address", limit=200) or "",
            "contact": one_line(text.contact, field="contact", limit=40),
            "phone": Phone.parse(text.phone[:40]).e164,
            "valid_from": text.valid_from,
            "valid_to": text.valid_to,
            "active": text.active,
            "note": tidy_text(text.note, field="note", limit=MAX_NOTE, required=False),
        }

    # Spare parts

    async def move_part(
        self,
        actor: Actor,
        point_id: str,
        kind: PartKind,
        *,
        part: str,
        quantity: object,
        price: object,
        on_day: date,
        defective: bool = False,
        note: str = "",
    ) -> PartView:
        """Write down spare parts that a point got or gave back; it gives back no more than it has.

        Raises:
            Forbidden: the role does not lead repairs.
            Conflict: the point's agreement does not hold.
            Invalid: an amount or a day that cannot be.
        """
        actor.need(Permission.REPAIRS_WORK)
        name = one_line(part, field="part", limit=60)
        count = amount(quantity, field="quantity", least=CENT)
        each = amount(price, field="price")
        total = count * each
        if total > LARGEST:
            raise Invalid("too much altogether", field="price")
        if on_day > self.today():
            raise Invalid("lies ahead", field="on_day")
        async with self._database.transaction() as session:
            point = await self._load(session, RepairPoint, point_id, None)
            if kind is PartKind.ISSUE and not self._point(point).valid:
                raise Conflict("the point's agreement does not hold today", field="point_id")
            if kind is PartKind.RETURN:
                issued, returned = await self._stock(session, point_id, name)
                check_stock(issued, returned, count)
            row = PartIssue(
                id=new_ulid(),
                point_id=point_id,
                kind=kind.value,
                part=name,
                quantity=count,
                price=each,
                defective=defective,
                on_day=on_day,
                month=on_day.strftime("%Y-%m"),
                note=maybe_line(note, field="note", limit=200) or "",
                at=self._clock.now(),
                by=actor.name,
            )
            session.add(row)
            await session.flush()
            await self._journal.note(
                session,
                actor,
                f"part.{kind.value}",
                entity="repair_point",
                entity_id=point_id,
                after={"part": name, "quantity": count, "price": each},
            )
            return part_view(row)

    async def parts(self, actor: Actor, point_id: str, *, month: str | None = None) -> tuple[PartView, ...]:
        """Return what a point got and gave back, newest first. Raises Forbidden."""
        actor.need(Permission.PROJECTS_VIEW)
        query = select(PartIssue).where(PartIssue.point_id == point_id)
        if month is not None:
            query = query.where(PartIssue.month == month)
        async with self._database.session() as session:
            rows = await session.execute(query.order_by(PartIssue.id.desc()).limit(MAX_LISTED))
            return tuple(part_view(row) for row in rows.scalars())

    async def _stock(self, session: AsyncSession, point_id: str, part: str) -> tuple[Decimal, Decimal]:
        issue = PartIssue.kind == PartKind.ISSUE.value
        query = select(
            func.sum(case((issue, PartIssue.quantity), else_=0)),
            func.sum(case((issue, 0), else_=PartIssue.quantity)),
        ).where(PartIssue.point_id == point_id, PartIssue.part == part)
        issued, returned = (await session.execute(query)).one()
        return Decimal(str(issued or 0)).quantize(CENT), Decimal(str(returned or 0)).quantize(CENT)

    # Monthly accounts

    async def put_account(
        self,
        actor: Actor,
        point_id: str,
        month: str,
        *,
        budget: object,
        actual: object | None,
        expected: int | None,
    ) -> AccountView:
        """Write down a month's budget and what it cost; what was approved has to be approved anew.

        A month that costs more than its budget is told.

        Raises:
            Forbidden: the role does not lead repairs.
            StaleVersion: somebody changed it since; ``expected`` is ``None`` for a month that is not there.
            Invalid: an amount or a month that cannot be.
        """
        actor.need(Permission.REPAIRS_WORK)
        month = month_of(month, self.today())
        planned = amount(budget, field="budget")
        cost = amount(actual, field="actual") if actual is not None else None
        now = self._clock.now()
        async with self._database.transaction() as session:
            point = await self._load(session, RepairPoint, point_id, None)
            query = select(MonthlyAccount).where(
                MonthlyAccount.point_id == point_id, MonthlyAccount.month == month
            )
            row = (await session.execute(query.with_for_update())).scalar_one_or_none()
            if (row.version if row else None) != expected:
                raise StaleVersion("somebody else changed the month; read it again", field="If-Match")
            before = {"budget": row.budget, "actual": row.actual} if row else None
            was_over = over_budget(row.budget, row.actual) if row else Decimal(0)
            if row is None:
                row = MonthlyAccount(id=new_ulid(), point_id=point_id, month=month)
                session.add(row)
            row.budget, row.actual = planned, cost
            row.entered_at, row.entered_by, row.entered_by_id = now, actor.name, actor.user_id
            row.approved_at = row.approved_by = row.approved_why = None
            await session.flush()
            over = over_budget(planned, cost)
            if over and over != was_over and cost is not None:
                add_fact(
                    session,
                    RepairBudgetExceeded(
                        at=now,
                        account_id=row.id,
                        point_id=point_id,
                        point=point.name,
                        month=month,
                        budget=str(planned),
                        actual=str(cost),
                    ),
                )
            await self._journal.note(
                session,
                actor,
                "repair_account.put",
                entity="monthly_repair_account",
                entity_id=row.id,
                before=before,
                after={"budget": planned, "actual": cost, "month": month},
            )
            return (await self._accounts(session, MonthlyAccount.id == row.id))[0]

    async def approve_account(
        self, actor: Actor, account_id: str, expected: int, *, why: str = ""
    ) -> AccountView:
        """Approve a month; never the own entry, and with a reason where it is over the budget.

        Raises:
            Forbidden: only who signs costs for customer service.
            SamePerson, Conflict, Invalid: see :func:`crm.domain.repair_point.check_approval`.
        """
        actor.need(Permission.COSTS_SIGN_SERVICE)
        why = tidy_text(why, field="why", limit=400, required=False)
        async with self._database.transaction() as session:
            row = await self._load(session, MonthlyAccount, account_id, expected)
            if row.approved_at is not None:
                raise Conflict("it was approved", field="account_id")
            check_approval(
                budget=row.budget,
                actual=row.actual,
                entered_by=row.entered_by_id,
                approver=actor.user_id,
                why=why,
            )
            row.approved_at, row.approved_by = self._clock.now(), actor.name
            row.approved_why = why or None
            await session.flush()
            await self._journal.note(
                session,
                actor,
                "repair_account.approve",
                entity="monthly_repair_account",
                entity_id=row.id,
                after={"actual": row.actual, "month": row.month},
                why=why,
            )
            return (await self._accounts(session, MonthlyAccount.id == row.id))[0]

    async def accounts(
        self, actor: Actor, *, month: str | None = None, point_id: str | None = None
    ) -> tuple[AccountView, ...]:
        """Return months of points, newest first. Raises Forbidden."""
        actor.need(Permission.PROJECTS_VIEW)
        chosen = []
        if month is not None:
            chosen.append(MonthlyAccount.month == month)
        if point_id is not None:
            chosen.append(MonthlyAccount.point_id == point_id)
        async with self._database.session() as session:
            return await self._accounts(session, *chosen)

    async def _accounts(self, session: AsyncSession, *chosen: Any) -> tuple[AccountView, ...]:
        newest = (MonthlyAccount.month.desc(), RepairPoint.name)
        query = accounts_query(*chosen).order_by(*newest).limit(MAX_LISTED)
        return tuple(account_view(*row) for row in (await session.execute(query)).all())

    # Quality feedback

    async def feed_back(
        self,
        actor: Actor,
        month: str,
        *,
        product: str,
        problem: str,
        count: int,
        departments: Sequence[str],
        point_id: str | None = None,
    ) -> FeedbackView:
        """Add a row to a month's quality feedback. Raises Forbidden, Invalid, NotFound."""
        actor.need(Permission.REPAIRS_WORK)
        month = month_of(month, self.today())
        if not 0 < count <= 100_000:
            raise Invalid("between 1 and 100000", field="count")
        if not departments or len(departments) > 10:
            raise Invalid("one to ten departments", field="departments")
        async with self._database.transaction() as session:
            for number, code in enumerate(departments):
                await known_department(session, code, field=f"departments.{number}")
            if point_id is not None:
                await self._load(session, RepairPoint, point_id, None)
            row = QualityFeedback(
                id=new_ulid(),
                point_id=point_id,
                month=month,
                product=one_line(product, field="product", limit=60),
                problem=one_line(problem, field="problem", limit=400),
                count=count,
                departments=list(dict.fromkeys(departments)),
                at=self._clock.now(),
                by=actor.name,
            )
            session.add(row)
            await session.flush()
            add_fact(
                session,
                NoticeWanted(
                    at=row.at,
                    code="quality.feedback",
                    key=f"quality.feedback|{row.id}",
                    parameters={"product": row.product, "problem": row.problem, "count": str(count)},
                    link=f"/lists/repair-points?month={month}",
                    also=tuple(head_of(code) for code in row.departments),
                ),
            )
            await self._journal.note(
                session,
                actor,
                "quality_feedback.add",
                entity="quality_feedback",
                entity_id=row.id,
                after={"month": month, "product": row.product, "count": count},
            )
            return feedback_view(row)

    async def feedback(self, actor: Actor, month: str) -> tuple[FeedbackView, ...]:
        """Return a month's quality feedback, the most frequent first. Raises Forbidden."""
        actor.need(Permission.PROJECTS_VIEW)
        query = select(QualityFeedback).where(QualityFeedback.month == month_of(month, self.today()))
        query = query.order_by(QualityFeedback.count.desc(), QualityFeedback.id).limit(MAX_LISTED)
        async with self._database.session() as session:
            return tuple(feedback_view(row) for row in (await session.execute(query)).scalars())

    def today(self) -> date:
        """Return the site's day."""
        return self._clock.now().astimezone(self._zone).date()

    async def _load(self, session: AsyncSession, table: Any, key: str, expected: int | None) -> Any:
        query = select(table).where(table.id == key).with_for_update()
        row = (await session.execute(query)).scalar_one_or_none() if is_ulid(key) else None
        if row is None:
            field = "point_id" if table is RepairPoint else "account_id"
            raise NotFound("no such thing", field=field)
        if expected is not None and row.version != expected:
            raise StaleVersion("somebody else changed it; read it again", field="If-Match")
        return row

    def _point(self, row: RepairPoint) -> PointView:
        return point_view(row, self.today())
