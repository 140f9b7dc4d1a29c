"""Customers flagged as problems 重点客户: why, by whom, since when, how it came about (domain.md §2.2).

The flag is a field of the customer; who set it stands in the audit log, which is never rewritten.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, and_, case, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE
from crm.domain.case import CaseKind
from crm.tables import Customer, ServiceCase, Store
from kernel.access import Actor, Permission
from kernel.audit import AuditRow
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database, UtcDateTime

MAX_CHANGES = 10
_FIELD = "problem_reason"
_ABOUT_FLAG = (
    AuditRow.entity == "customer",
    # In a text of the record the quotes are escaped: only the field's own name looks like this.
    cast(AuditRow.detail, Text).like(f'%"{_FIELD}":%'),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagChange:
    """Somebody set the flag, changed the reason, or took it away (``reason`` is ``None`` then)."""

    at: datetime
    by: str
    reason: str | None
    before: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemCustomer:
    """A flagged customer.

    Attributes:
        set_at: when the flag was set or its reason last changed; when the customer was written down for one
            that came flagged from an import.
        set_by: who did.
        history: the newest change first, at most ten.
    """

    customer_id: str
    name: str
    salutation: str | None
    level: str
    store: str | None
    reason: str
    set_at: datetime
    set_by: str | None
    open_cases: int
    complaints: int
    last_case_at: datetime | None
    history: tuple[FlagChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemCustomerPage:
    """A page of flagged customers, the newest flag first; ``next_cursor`` leads on."""

    items: tuple[ProblemCustomer, ...]
    next_cursor: str | None


class ProblemCustomers:
    """Shows the list to those who see the red list: the manager and the general manager."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        actor: Actor,
        *,
        store: str | None = None,
        with_open_cases: bool = False,
        cursor: str | None = None,
        limit: int = 50,
    ) -> ProblemCustomerPage:
        """Return a page of flagged customers.

        Args:
            store: name of the customer's store.
            with_open_cases: only those with a case that is still open.

        Raises:
            Forbidden: the role does not see the red list.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.RED_LIST_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        newest = (
            select(func.max(AuditRow.at))
            .where(AuditRow.entity_id == Customer.id, *_ABOUT_FLAG)
            .correlate(Customer)
            .scalar_subquery()
        )
        set_at = func.coalesce(newest, Customer.created_at, type_=UtcDateTime())
        query = (
            select(Customer, Store.name, set_at)
            .outerjoin(Store, Store.id == Customer.store_id)
            .where(Customer.problem_reason.is_not(None), Customer.merged_into.is_(None))
        )
        if store is not None:
            query = query.where(Store.name == store)
        if with_open_cases:
            still = select(ServiceCase.customer_id).where(ServiceCase.closed_at.is_(None))
            query = query.where(Customer.id.in_(still))
        if cursor is not None:
            at, key = read_cursor(cursor)
            query = query.where(or_(set_at < at, and_(set_at == at, Customer.id < key)))
        query = query.order_by(set_at.desc(), Customer.id.desc()).limit(limit + 1)
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
            shown = rows[:limit]
            ids = [row[0].id for row in shown]
            changes = await _changes(session, ids)
            counts = await _counts(session, ids)
        last = rows[limit - 1] if len(rows) > limit else None
        return ProblemCustomerPage(
            items=tuple(_view(*row, changes[row[0].id], counts.get(row[0].id)) for row in shown),
            next_cursor=write_cursor(last[2], last[0].id) if last else None,
        )


async def _changes(session: AsyncSession, ids: Sequence[str]) -> dict[str, list[FlagChange]]:
    found: dict[str, list[FlagChange]] = defaultdict(list)
    query = select(AuditRow).where(AuditRow.entity_id.in_(ids), *_ABOUT_FLAG).order_by(AuditRow.seq.desc())
    for row in await session.scalars(query):
        if len(found[row.entity_id]) < MAX_CHANGES:
            found[row.entity_id].append(
                FlagChange(
                    at=row.at,
                    by=row.actor,
                    reason=row.detail.get("after", {}).get(_FIELD),
                    before=row.detail.get("before", {}).get(_FIELD),
                )
            )
    return found


async def _counts(session: AsyncSession, ids: Sequence[str]) -> dict[str, Any]:
    query = (
        select(
            ServiceCase.customer_id,
            func.sum(case((ServiceCase.closed_at.is_(None), 1), else_=0)).label("open_cases"),
            func.sum(case((ServiceCase.kind == CaseKind.COMPLAINT.value, 1), else_=0)).label("complaints"),
            func.max(ServiceCase.opened_at).label("last_case_at"),
        )
        .where(ServiceCase.customer_id.in_(ids))
        .group_by(ServiceCase.customer_id)
    )
    return {row.customer_id: row for row in (await session.execute(query)).all()}


def _view(
    row: Customer, store: str | None, set_at: datetime, changes: list[FlagChange], counts: Any
) -> ProblemCustomer:
    return ProblemCustomer(
        customer_id=row.id,
        name=row.name,
        salutation=row.salutation,
        level=row.level,
        store=store,
        reason=row.problem_reason or "",
        set_at=set_at,
        set_by=changes[0].by if changes else row.created_by,
        open_cases=int(counts.open_cases) if counts else 0,
        complaints=int(counts.complaints) if counts else 0,
        last_case_at=counts.last_case_at if counts else None,
        history=tuple(changes),
    )
