"""Reads settlements of repairs: one, pages of them, and what is compared with each crew at a month's end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE, seen_by
from crm.deposits import balance_of, owed_by, posting_views
from crm.domain import repair_cost as rules
from crm.domain.deposit import NOTHING, read_month
from crm.domain.repair_cost import CostBearer, CostKind, CostState, MaterialKind
from crm.repair_store import crew_names
from crm.repair_tables import CostBearerRow, DepositPostingRow, ReceivableRow, RepairCostRow
from crm.settlement_views import CostPage, CostView, CrewMonth, MaterialView, SignatureView
from crm.tables import ServiceCase
from kernel.access import Actor, Permission
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database
from kernel.errors import NotFound

MOST_OF_A_MONTH = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFilter:
    """Which settlements to list; what is ``None`` does not matter."""

    states: tuple[CostState, ...] = ()
    kind: CostKind | None = None
    month: str | None = None
    crew_id: str | None = None


class CostReader:
    """Shows settlements to whoever may see their repairs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, actor: Actor, cost_id: str) -> CostView:
        """Return one settlement."""
        return await self._one(actor, RepairCostRow.id == cost_id, "cost_id")

    async def of_repair(self, actor: Actor, case_id: str) -> CostView:
        """Return the settlement of a repair."""
        return await self._one(actor, RepairCostRow.case_id == case_id, "case_id")

    async def page(
        self, actor: Actor, wanted: CostFilter, *, cursor: str | None = None, limit: int = 50
    ) -> CostPage:
        """Return a page of settlements, the newest sheet first.

        Raises:
            Forbidden: the role sees no cases.
            Invalid: the cursor is not one of ours, the month is none.
        """
        actor.need(Permission.CASES_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        chosen: list[ColumnElement[bool]] = []
        if wanted.states:
            chosen.append(RepairCostRow.state.in_([state.value for state in wanted.states]))
        if wanted.kind is not None:
            chosen.append(RepairCostRow.kind == wanted.kind.value)
        if wanted.month is not None:
            chosen.append(RepairCostRow.month == read_month(wanted.month))
        if wanted.crew_id is not None:
            chosen.append(RepairCostRow.crew_id == wanted.crew_id)
        if cursor is not None:
            at, cost_id = read_cursor(cursor)
            same = and_(RepairCostRow.costed_at == at, RepairCostRow.id < cost_id)
            chosen.append(or_(RepairCostRow.costed_at < at, same))
        async with self._database.session() as session:
            rows = await self._rows(session, actor, chosen, limit + 1)
            items = await _views(session, rows[:limit])
        last = rows[limit - 1][0] if len(rows) > limit else None
        return CostPage(
            items=tuple(items),
            next_cursor=write_cursor(last.costed_at, last.id) if last is not None else None,
        )

    async def month(self, actor: Actor, month: str, *, crew_id: str | None = None) -> tuple[CrewMonth, ...]:
        """Return what is compared with each crew at the end of a month, by the crews' names.

        Raises:
            Forbidden: the role sees no deposits.
            Invalid: no such month.
        """
        actor.need(Permission.DEPOSITS_VIEW)
        wanted = read_month(month)
        chosen = [or_(RepairCostRow.month == wanted, RepairCostRow.state == CostState.FILED.value)]
        if crew_id is not None:
            chosen.append(RepairCostRow.crew_id == crew_id)
        async with self._database.session() as session:
            costs = await _views(
                session, await self._rows(session, Actor.system("month"), chosen, MOST_OF_A_MONTH)
            )
            posted = select(DepositPostingRow.crew_id).where(DepositPostingRow.month == wanted).distinct()
            crews: set[str | None] = {cost.crew_id for cost in costs}
            if crew_id is None:
                crews |= set((await session.scalars(posted)).all())
            else:
                crews.add(crew_id)
            names = await crew_names(session, list(crews))
            ordered = sorted(crews, key=lambda key: (key is None, names.get(key or "", ""), key or ""))
            return tuple([await _crew_month(session, key, names, costs, wanted) for key in ordered])

    async def _one(self, actor: Actor, chosen: ColumnElement[bool], field: str) -> CostView:
        actor.need(Permission.CASES_VIEW)
        async with self._database.session() as session:
            found = await _views(session, await self._rows(session, actor, [chosen], 1))
        if not found:
            raise NotFound("no such settlement", field=field)
        return found[0]

    async def _rows(
        self, session: AsyncSession, actor: Actor, chosen: Sequence[ColumnElement[bool]], limit: int
    ) -> Sequence[tuple[RepairCostRow, str]]:
        query = (
            select(RepairCostRow, ServiceCase.no)
            .join(ServiceCase, ServiceCase.id == RepairCostRow.case_id)
            .where(seen_by(actor), *chosen)
            .order_by(RepairCostRow.costed_at.desc(), RepairCostRow.id.desc())
            .limit(limit)
        )
        return [(row, no) for row, no in (await session.execute(query)).all()]


async def _views(session: AsyncSession, rows: Sequence[tuple[RepairCostRow, str]]) -> list[CostView]:
    ids = [row.id for row, _ in rows]
    if not ids:
        return []
    bearers: dict[str, dict[CostBearer, Decimal]] = {}
    for part in await session.scalars(select(CostBearerRow).where(CostBearerRow.cost_id.in_(ids))):
        bearers.setdefault(part.cost_id, {})[CostBearer(part.bearer)] = part.amount
    names = await crew_names(session, [row.crew_id for row, _ in rows])
    posted = await _amounts(session, DepositPostingRow, ids)
    owed = await _amounts(session, ReceivableRow, ids)
    return [
        CostView(
            cost_id=row.id,
            case_id=row.case_id,
            no=no,
            crew_id=row.crew_id,
            crew=names.get(row.crew_id or ""),
            state=CostState(row.state),
            kind=CostKind(row.kind),
            labour=row.labour,
            travel=row.travel,
            material=tuple(_material(line) for line in row.material),
            total=row.total,
            bearers={bearer: bearers.get(row.id, {}).get(bearer, NOTHING) for bearer in CostBearer},
            receipt_no=row.receipt_no,
            author=row.author,
            costed_at=row.costed_at,
            service=_shown(row.service_name, row.service_at),
            company=_shown(row.company_name, row.company_at),
            filed=_shown(row.filed_by, row.filed_at),
            month=row.month,
            reconciled=_shown(row.reconciled_by, row.reconciled_at),
            settled=_shown(row.settled_by, row.settled_at),
            closed=_shown(row.closed_by, row.closed_at),
            posted=-posted.get(row.id, NOTHING),
            owed=owed.get(row.id, NOTHING),
            reason=row.reason,
            revision=row.revision,
            steps=tuple(sorted(rules.STEPS[CostState(row.state)])),
            version=row.version,
        )
        for row, no in rows
    ]


async def _amounts(session: AsyncSession, table: Any, ids: Sequence[str]) -> dict[str, Decimal]:
    rows = await session.execute(select(table.cost_id, table.amount).where(table.cost_id.in_(ids)))
    return {row.cost_id: row.amount for row in rows}


def _material(line: dict[str, str]) -> MaterialView:
    return MaterialView(
        item=line["item"],
        kind=MaterialKind(line["kind"]),
        unit=line["unit"],
        quantity=Decimal(line["quantity"]),
        price=Decimal(line["price"]),
        amount=Decimal(line["amount"]),
        code=line.get("code", ""),
        why=line.get("why", ""),
    )


def _shown(name: str | None, at: datetime | None) -> SignatureView | None:
    return SignatureView(name=name or "", at=at) if at else None


async def _crew_month(
    session: AsyncSession,
    crew_id: str | None,
    names: dict[str, str],
    costs: Sequence[CostView],
    month: str,
) -> CrewMonth:
    mine = [cost for cost in costs if cost.crew_id == crew_id]
    booked = [cost for cost in mine if cost.month == month]
    opening = closing = owed = NOTHING
    rows: Sequence[DepositPostingRow] = ()
    if crew_id is not None:
        opening = await balance_of(session, crew_id, before_month=month)
        query = select(DepositPostingRow).where(
            DepositPostingRow.crew_id == crew_id, DepositPostingRow.month == month
        )
        rows = (await session.scalars(query.order_by(DepositPostingRow.seq))).all()
        closing = opening + sum((row.amount for row in rows), NOTHING)
        owed = await owed_by(session, crew_id)
    return CrewMonth(
        crew_id=crew_id,
        crew=names.get(crew_id or ""),
        waiting=tuple(cost for cost in mine if cost.state is CostState.FILED),
        settlements=tuple(booked),
        normal=_sum(cost.total for cost in booked if cost.kind is CostKind.NORMAL),
        abnormal=_sum(cost.total for cost in booked if cost.kind is CostKind.ABNORMAL),
        crew_part=_sum(cost.bearers[CostBearer.CREW] for cost in booked),
        opening=opening,
        postings=tuple(await posting_views(session, rows, closing=closing)),
        closing=closing,
        owed=owed,
    )


def _sum(amounts: Any) -> Decimal:
    total: Decimal = sum(amounts, NOTHING)
    return total
