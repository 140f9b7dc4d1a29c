"""The ledger of repair points, a file for each month: parts, repairs and their cost (domain.md §1.13).

The lines of a repair sum to its cost; spare parts that came back count against those that went out. What
the month's account says stands below, apart from the sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.repair_point import CENT, PartKind
from crm.exports import MAX_ROWS, Export, FileForm, begin_export
from crm.journal import Journal
from crm.months import month_period
from crm.point_figures import had_it
from crm.repair_point_tables import MonthlyAccount, PartIssue, PointJob, RepairPoint
from crm.repair_tables import RepairCostRow, RepairRow
from crm.tables import ServiceCase
from kernel.access import Actor, Permission
from kernel.db import Database
from kernel.errors import NotFound


class LedgerKind(StrEnum):
    """What a row is about."""

    ISSUE = "issue"
    RETURN = "return"
    LABOUR = "labour"
    TRAVEL = "travel"
    MATERIAL = "material"
    BUDGET = "budget"
    ACTUAL = "actual"


_ORDER = {kind: place for place, kind in enumerate(LedgerKind)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """A row; ``on_day`` is missing where it is about the whole month.

    Attributes:
        ref: number of the repair.
        item: the part, the material, or the place that was repaired.
        approved: of what a month cost: somebody approved it.
    """

    point: str
    agreement_no: str
    on_day: date | None
    kind: LedgerKind
    ref: str
    item: str
    quantity: Decimal | None
    price: Decimal | None
    amount: Decimal
    defective: bool
    approved: bool | None
    note: str
    by: str


class PointLedger:
    """Hands out a month's ledger.

    Args:
        zone: the site's; days and months are its own.
    """

    def __init__(self, database: Database, journal: Journal, *, zone: ZoneInfo) -> None:
        self._database = database
        self._journal = journal
        self._zone = zone

    async def take_out(
        self, actor: Actor, month: str, *, form: FileForm, point_id: str | None = None
    ) -> Export[LedgerRow]:
        """Return a month's ledger, of all points or of one, by point and day.

        Raises:
            Forbidden: the role takes no data out, or does not see what points cost.
            Invalid: no month.
            NotFound: no such point.
            TooManyRows: it is longer than a file may be; nothing was noted.
        """
        actor.need(Permission.EXPORT)
        actor.need(Permission.DEPOSITS_VIEW)
        month_period(month, self._zone)
        async with self._database.session() as session:
            if point_id is not None and await session.get(RepairPoint, point_id) is None:
                raise NotFound("no such repair point", field="point_id")
            rows = [
                *await self._parts(session, month, point_id),
                *await self._repairs(session, month, point_id),
                *await self._accounts(session, month, point_id),
            ]
        rows.sort(key=lambda row: (row.point, row.on_day or date.max, row.ref, _ORDER[row.kind]))

        async def read(_: str | None) -> tuple[Sequence[LedgerRow], str | None]:
            return rows, None

        asked = {"month": month, "point_id": point_id}
        return await begin_export(
            self._database, self._journal, actor, "repair-point-ledger", form, len(rows), asked, read
        )

    async def _parts(self, session: AsyncSession, month: str, point_id: str | None) -> list[LedgerRow]:
        query = (
            select(PartIssue, RepairPoint.name, RepairPoint.agreement_no)
            .join(RepairPoint, RepairPoint.id == PartIssue.point_id)
            .where(PartIssue.month == month)
            .order_by(PartIssue.id)
            .limit(MAX_ROWS + 1)
        )
        if point_id is not None:
            query = query.where(PartIssue.point_id == point_id)
        return [
            LedgerRow(
                point=name,
                agreement_no=agreement_no,
                on_day=part.on_day,
                kind=LedgerKind(part.kind),
                ref="",
                item=part.part,
                quantity=part.quantity,
                price=part.price,
                amount=_signed(part),
                defective=part.defective,
                approved=None,
                note=part.note,
                by=part.by,
            )
            for part, name, agreement_no in (await session.execute(query)).all()
        ]

    async def _repairs(self, session: AsyncSession, month: str, point_id: str | None) -> list[LedgerRow]:
        since, until = month_period(month, self._zone)
        query = (
            select(RepairCostRow, RepairRow.place, ServiceCase.no, RepairPoint.name, RepairPoint.agreement_no)
            .join(RepairRow, RepairRow.case_id == RepairCostRow.case_id)
            .join(ServiceCase, ServiceCase.id == RepairCostRow.case_id)
            .join(PointJob, PointJob.case_id == RepairCostRow.case_id)
            .join(RepairPoint, RepairPoint.id == PointJob.point_id)
            .where(RepairCostRow.costed_at >= since, RepairCostRow.costed_at < until)
            .where(had_it(RepairCostRow.costed_at))
            .order_by(RepairCostRow.costed_at, RepairCostRow.id)
            .limit(MAX_ROWS + 1)
        )
        if point_id is not None:
            query = query.where(PointJob.point_id == point_id)
        found: list[LedgerRow] = []
        for cost, place, no, name, agreement_no in (await session.execute(query)).all():
            for kind, item, quantity, price, amount in _lines(cost, place):
                found.append(
                    LedgerRow(
                        point=name,
                        agreement_no=agreement_no,
                        on_day=cost.costed_at.astimezone(self._zone).date(),
                        kind=kind,
                        ref=no,
                        item=item,
                        quantity=quantity,
                        price=price,
                        amount=amount,
                        defective=False,
                        approved=None,
                        note="",
                        by=cost.author,
                    )
                )
        return found

    async def _accounts(self, session: AsyncSession, month: str, point_id: str | None) -> list[LedgerRow]:
        query = (
            select(MonthlyAccount, RepairPoint.name, RepairPoint.agreement_no)
            .join(RepairPoint, RepairPoint.id == MonthlyAccount.point_id)
            .where(MonthlyAccount.month == month)
            .limit(MAX_ROWS + 1)
        )
        if point_id is not None:
            query = query.where(MonthlyAccount.point_id == point_id)
        found: list[LedgerRow] = []
        for account, name, agreement_no in (await session.execute(query)).all():
            sums = ((LedgerKind.BUDGET, account.budget), (LedgerKind.ACTUAL, account.actual))
            for kind, amount in sums:
                if amount is None:
                    continue
                of_actual = kind is LedgerKind.ACTUAL
                found.append(
                    LedgerRow(
                        point=name,
                        agreement_no=agreement_no,
                        on_day=None,
                        kind=kind,
                        ref="",
                        item="",
                        quantity=None,
                        price=None,
                        amount=amount,
                        defective=False,
                        approved=account.approved_at is not None if of_actual else None,
                        note=(account.approved_why or "") if of_actual else "",
                        by=(account.approved_by if of_actual else None) or account.entered_by,
                    )
                )
        return found


def _signed(part: PartIssue) -> Decimal:
    worth = (part.quantity * part.price).quantize(CENT)
    return worth if part.kind == PartKind.ISSUE.value else -worth


_Line = tuple[LedgerKind, str, Decimal | None, Decimal | None, Decimal]


def _lines(cost: RepairCostRow, place: str) -> list[_Line]:
    """Return what a repair's cost is made of; lines of nothing are left out, labour is always there."""
    found: list[_Line] = [(LedgerKind.LABOUR, place, None, None, cost.labour)]
    if cost.travel:
        found.append((LedgerKind.TRAVEL, place, None, None, cost.travel))
    for line in cost.material:
        quantity, price = Decimal(line["quantity"]), Decimal(line["price"])
        found.append((LedgerKind.MATERIAL, line["item"], quantity, price, Decimal(line["amount"])))
    return found
