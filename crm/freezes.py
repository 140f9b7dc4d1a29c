"""Freezing and thawing a customer's callbacks (domain.md CB-3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, and_, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm import people_reads
from crm.domain.customer_rules import MAX_REASON
from crm.domain.freeze import (
    FollowUp,
    FreezeScope,
    blocks,
    check_follow_up,
    check_freeze,
    is_frozen,
    widest,
)
from crm.domain.lines import choice, one_line
from crm.events_people import CustomerFrozen, CustomerThawed, ThawAnswered
from crm.office import Office, current_id, customer_for_change
from crm.people_tables import FreezeRow
from crm.people_views import FreezeView
from crm.tables import Customer
from kernel.access import Actor, Permission
from kernel.cursor import read_cursor, write_cursor
from kernel.errors import Conflict, NotFound
from kernel.ids import is_ulid, new_ulid
from kernel.outbox import add_fact

BATCH = 200
MAX_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezePage:
    """A page of freezes; ``next_cursor`` leads on."""

    items: tuple[FreezeView, ...]
    next_cursor: str | None


class Freezes:
    """Freezes and thaws. A customer has at most one freeze of their own in force; a merge may bring two."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def blocks(self, session: AsyncSession, customer_id: str, scope: FreezeScope) -> FreezeView | None:
        """Return the freeze that holds back callbacks of ``scope`` to the customer now, else ``None``."""
        try:
            found = await current_id(session, customer_id)
        except NotFound:
            return None
        today = self._office.today()
        open_ones = await people_reads.freezes(
            session, today, FreezeRow.customer_id == found, FreezeRow.thawed_at.is_(None)
        )
        return next((view for view in open_ones if view.active and blocks(view.scope, scope)), None)

    async def freeze(
        self,
        actor: Actor,
        customer_id: str,
        *,
        scope: str,
        reason: str,
        planned_thaw: date | None,
        expected: int | None,
    ) -> FreezeView:
        """Let callbacks of ``scope`` stand still until ``planned_thaw``, or until somebody thaws.

        Raises:
            Forbidden: the role writes no customers.
            NotFound: no such customer.
            StaleVersion: somebody changed them since.
            Conflict: they are frozen already.
            Invalid: no such scope, no reason, or a day that is not after today.
        """
        actor.need(Permission.CUSTOMERS_EDIT)
        office, today = self._office, self._office.today()
        wanted = choice(FreezeScope, scope, field="scope")
        why = one_line(reason, field="reason", limit=MAX_REASON)
        check_freeze(planned_thaw, today=today)
        async with office.database.transaction() as session:
            customer = await customer_for_change(session, customer_id, expected)
            if await self._in_force(session, customer.id):
                raise Conflict("frozen already; thaw first", field="scope")
            row = FreezeRow(
                id=new_ulid(),
                customer_id=customer.id,
                scope=wanted.value,
                since=office.now(),
                planned_thaw=planned_thaw,
                reason=why,
                by=actor.name,
            )
            session.add(row)
            await session.flush()
            await show_freeze(session, customer, today)
            customer.updated_at, customer.updated_by = office.now(), actor.name
            add_fact(
                session,
                CustomerFrozen(
                    at=office.now(),
                    customer_id=customer.id,
                    freeze_id=row.id,
                    scope=row.scope,
                    planned_thaw=planned_thaw,
                    reason=why,
                ),
            )
            await office.journal.note(
                session,
                actor,
                "customer_frozen",
                entity="customer",
                entity_id=customer.id,
                after={"freeze_id": row.id, "scope": row.scope, "planned_thaw": planned_thaw},
                why=why,
            )
            return people_reads.freeze_view(row, customer.name, today)

    async def thaw(
        self, actor: Actor, customer_id: str, *, reason: str, answer: FollowUp, expected: int | None
    ) -> FreezeView:
        """End the freeze before its day, and say whether a callback is needed now.

        Raises:
            Forbidden: only the manager thaws.
            NotFound, StaleVersion: see :meth:`freeze`.
            Conflict: they are not frozen.
            Invalid: no reason, or an answer that leaves out kind or day.
        """
        actor.need(Permission.CUSTOMERS_MERGE)
        office, today = self._office, self._office.today()
        why = one_line(reason, field="reason", limit=MAX_REASON)
        check_follow_up(answer, today=today)
        async with office.database.transaction() as session:
            customer = await customer_for_change(session, customer_id, expected)
            rows = await self._in_force(session, customer.id)
            if not rows:
                raise Conflict("the customer is not frozen", field="customer_id")
            for row in rows:
                row.thawed_at, row.thawed_by, row.thaw_reason = office.now(), actor.name, why
                self._thawed(session, row, by_itself=False)
                self._answer(session, row, actor, answer)
            await session.flush()
            await show_freeze(session, customer, today)
            customer.updated_at, customer.updated_by = office.now(), actor.name
            await office.journal.note(
                session,
                actor,
                "customer_thawed",
                entity="customer",
                entity_id=customer.id,
                after={"freeze_id": rows[0].id, "callback_needed": answer.needed, "kind": answer.kind},
                why=why,
            )
            return people_reads.freeze_view(rows[0], customer.name, today)

    async def answer(self, actor: Actor, freeze_id: str, answer: FollowUp) -> FreezeView:
        """Say whether a callback is needed after a freeze that ended by itself.

        One way and once: whoever comes second is refused and told so, nothing is overwritten.

        Raises:
            Forbidden: the role writes no customers.
            NotFound: no such freeze.
            Conflict: it is still in force, or was answered already.
            Invalid: the answer leaves out kind or day.
        """
        actor.need(Permission.CUSTOMERS_EDIT)
        office, today = self._office, self._office.today()
        check_follow_up(answer, today=today)
        async with office.database.transaction() as session:
            query = select(FreezeRow).where(FreezeRow.id == freeze_id).with_for_update()
            row = (await session.execute(query)).scalar_one_or_none() if is_ulid(freeze_id) else None
            if row is None:
                raise NotFound("no such freeze", field="freeze_id")
            if is_frozen(row.planned_thaw, row.thawed_at, today=today):
                raise Conflict("it is still in force", field="freeze_id")
            if row.callback_needed is not None:
                raise Conflict("it was answered already", field="freeze_id")
            customer = await session.get_one(Customer, row.customer_id)
            self._answer(session, row, actor, answer)
            await session.flush()
            await office.journal.note(
                session,
                actor,
                "thaw_answered",
                entity="customer",
                entity_id=row.customer_id,
                after={"freeze_id": row.id, "callback_needed": answer.needed, "kind": answer.kind},
            )
            return people_reads.freeze_view(row, customer.name, today)

    async def lift_due(self, actor: Actor) -> int:
        """End freezes whose planned day has come; return how many. Any number of processes may call it."""
        actor.need(Permission.CUSTOMERS_MERGE)
        office, today = self._office, self._office.today()
        due = (FreezeRow.thawed_at.is_(None), FreezeRow.planned_thaw <= today)
        async with office.database.transaction() as session:
            query = select(FreezeRow.customer_id).where(*due).distinct().order_by(FreezeRow.customer_id)
            lifted: list[FreezeRow] = []
            for customer_id in (await session.execute(query.limit(BATCH))).scalars().all():
                customer = await customer_for_change(session, customer_id, None)
                mine = select(FreezeRow).where(FreezeRow.customer_id == customer_id, *due)
                rows = (await session.execute(mine.with_for_update())).scalars().all()
                for row in rows:
                    row.thawed_at = office.now()
                    self._thawed(session, row, by_itself=True)
                if rows:
                    await session.flush()
                    await show_freeze(session, customer, today)
                    customer.updated_at, customer.updated_by = office.now(), actor.name
                lifted += rows
            for row in lifted:
                await office.journal.note(
                    session,
                    actor,
                    "customer_thawed",
                    entity="customer",
                    entity_id=row.customer_id,
                    after={"freeze_id": row.id, "planned_thaw": row.planned_thaw},
                )
        return len(lifted)

    async def page(
        self, actor: Actor, *, unanswered: bool = False, cursor: str | None = None, limit: int = 50
    ) -> FreezePage:
        """Return a page of the freezes in force, the newest first.

        Args:
            unanswered: those instead that ended without the follow-up answered.

        Raises:
            Forbidden: the role sees no customers.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.CUSTOMERS_VIEW)
        limit, today = max(1, min(limit, MAX_PAGE)), self._office.today()
        chosen = [self._asked(unanswered)]
        if cursor is not None:
            at, key = read_cursor(cursor)
            chosen.append(or_(FreezeRow.since < at, and_(FreezeRow.since == at, FreezeRow.id < key)))
        async with self._office.database.session() as session:
            found = await people_reads.freezes(session, today, *chosen, limit=limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        return FreezePage(
            items=found[:limit],
            next_cursor=write_cursor(last.since, last.freeze_id) if last is not None else None,
        )

    async def count(self, actor: Actor, *, unanswered: bool = False) -> int:
        """Return how many there are. Raises as :meth:`page`."""
        actor.need(Permission.CUSTOMERS_VIEW)
        query = select(func.count()).select_from(FreezeRow).where(self._asked(unanswered))
        async with self._office.database.session() as session:
            return (await session.execute(query)).scalar_one()

    def _asked(self, unanswered: bool) -> ColumnElement[bool]:
        ends = FreezeRow.planned_thaw <= self._office.today()
        over = or_(FreezeRow.thawed_at.is_not(None), and_(FreezeRow.planned_thaw.is_not(None), ends))
        return and_(over, FreezeRow.callback_needed.is_(None)) if unanswered else not_(over)

    async def _in_force(self, session: AsyncSession, customer_id: str) -> Sequence[FreezeRow]:
        return await in_force(session, customer_id, self._office.today())

    def _thawed(self, session: AsyncSession, row: FreezeRow, *, by_itself: bool) -> None:
        add_fact(
            session,
            CustomerThawed(
                at=self._office.now(),
                customer_id=row.customer_id,
                freeze_id=row.id,
                scope=row.scope,
                by_itself=by_itself,
            ),
        )

    def _answer(self, session: AsyncSession, row: FreezeRow, actor: Actor, answer: FollowUp) -> None:
        row.callback_needed = answer.needed
        row.callback_kind = answer.kind.value if answer.kind else None
        row.callback_on = answer.on
        row.answered_by = actor.name
        add_fact(
            session,
            ThawAnswered(
                at=self._office.now(),
                customer_id=row.customer_id,
                freeze_id=row.id,
                callback_needed=answer.needed,
                callback_kind=row.callback_kind,
                callback_on=answer.on,
            ),
        )


async def in_force(session: AsyncSession, customer_id: str, today: date) -> Sequence[FreezeRow]:
    """Return the freezes that hold, the newest first."""
    query = select(FreezeRow).where(FreezeRow.customer_id == customer_id, FreezeRow.thawed_at.is_(None))
    rows = (await session.execute(query.order_by(FreezeRow.since.desc()))).scalars().all()
    return [row for row in rows if is_frozen(row.planned_thaw, row.thawed_at, today=today)]


async def show_freeze(session: AsyncSession, customer: Customer, today: date) -> None:
    """Put the freezes in force where the screen-pop reads them."""
    rows = await in_force(session, customer.id, today)
    scope = widest(FreezeScope(row.scope) for row in rows)
    ends = [row.planned_thaw for row in rows]
    customer.frozen_reason = rows[0].reason if rows else None
    customer.frozen_scope = scope.value if scope else None
    known = [end for end in ends if end is not None]
    customer.frozen_until = max(known) if known and len(known) == len(ends) else None
