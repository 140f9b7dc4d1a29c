"""Merges customers that turned out to be one person, and takes it back.

Whatever names the customer in any table of the CRM moves to the one who is kept; the record of what moved is
stored, so that an undo puts exactly that back. What came after the merge stays with the one who was kept.
The old id goes on leading to the kept customer.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from crm import people_reads
from crm.do_not_call import extend_to_numbers
from crm.domain.customer_rules import MAX_REASON
from crm.domain.duplicates import similar_names
from crm.domain.lines import one_line
from crm.events_people import CustomersMerged, MergeUndone
from crm.freezes import show_freeze
from crm.merge_moves import move_phones, move_rows, plain_value, return_phones, return_rows
from crm.office import Office, current_id
from crm.people_tables import MergeRow
from crm.people_views import CustomerRecord
from crm.tables import Customer, CustomerPhone
from kernel.access import Actor, Permission
from kernel.cursor import read_cursor, write_cursor
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid
from kernel.outbox import add_fact

MAX_PAGE = 200
FILLED = (
    "salutation",
    "store_id",
    "preferred_from",
    "preferred_until",
    "problem_reason",
    "elder_mode",
)
"""Fields that the kept customer takes over where they have nothing of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Two customers on one number whose names are alike; the number is masked."""

    first_id: str
    first_name: str
    second_id: str
    second_name: str
    phone_masked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeView:
    """A merge. ``moved`` counts the rows of each table."""

    merge_id: str
    kept_id: str
    gone_id: str
    at: datetime
    by: str
    reason: str
    moved: dict[str, int]
    undone_at: datetime | None
    undone_by: str | None
    undo_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMerge:
    """A merge with the names that both customers have now."""

    merge: MergeView
    kept_name: str
    gone_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePage:
    """A page of merges, newest first."""

    items: tuple[ListedMerge, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidatePage:
    """A page of pairs; ``next_skip`` leads on."""

    items: tuple[Candidate, ...]
    next_skip: int | None


class Merging:
    """Finds duplicates, merges, takes back."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def candidates(self, actor: Actor, *, skip: int = 0, limit: int = 100) -> CandidatePage:
        """Return pairs of customers who share a number and are called alike, in a stable order.

        Args:
            skip: pairs of the pages before; a cursor would have to name a number.

        Raises:
            Forbidden: the role merges no customers.
        """
        actor.need(Permission.CUSTOMERS_MERGE)
        shared = (
            select(CustomerPhone.e164)
            .group_by(CustomerPhone.e164)
            .having(func.count(CustomerPhone.customer_id).between(2, 20))
            .order_by(CustomerPhone.e164)
        )
        query = (
            select(CustomerPhone, Customer.name)
            .join(Customer, Customer.id == CustomerPhone.customer_id)
            .where(CustomerPhone.e164.in_(shared), Customer.merged_into.is_(None))
            .order_by(CustomerPhone.e164, CustomerPhone.customer_id)
        )
        groups: dict[str, list[tuple[str, str, str]]] = {}
        async with self._office.database.session() as session:
            for phone, name in (await session.execute(query)).all():
                view = people_reads.phone_view(phone)
                groups.setdefault(phone.e164, []).append((phone.customer_id, name, view.masked))
        found: dict[tuple[str, str], Candidate] = {}
        for members in groups.values():
            for index, (first, first_name, masked) in enumerate(members):
                for second, second_name, _ in members[index + 1 :]:
                    if similar_names(first_name, second_name):
                        found.setdefault(
                            (first, second),
                            Candidate(
                                first_id=first,
                                first_name=first_name,
                                second_id=second,
                                second_name=second_name,
                                phone_masked=masked,
                            ),
                        )
            if len(found) > skip + limit:
                break
        pairs = tuple(found.values())
        following = skip + limit if len(pairs) > skip + limit else None
        return CandidatePage(items=pairs[skip : skip + limit], next_skip=following)

    async def merge(
        self,
        actor: Actor,
        kept_id: str,
        gone_id: str,
        *,
        reason: str,
        expected: int | None,
        gone_expected: int | None = None,
    ) -> CustomerRecord:
        """Make ``gone_id`` one with ``kept_id``, who keeps everything of both.

        Raises:
            Forbidden: the role merges no customers.
            NotFound: no such customer.
            Invalid: they are the same, or no reason.
            Conflict: one of them was merged away already.
            StaleVersion: one of them was changed since it was read.
        """
        actor.need(Permission.CUSTOMERS_MERGE)
        why = one_line(reason, field="reason", limit=MAX_REASON)
        if kept_id == gone_id:
            raise Invalid("a customer cannot be merged with themselves", field="gone_id")
        office, now = self._office, self._office.now()
        async with office.database.transaction() as session:
            kept, gone = await self._both(session, kept_id, gone_id)
            for row, version in ((kept, expected), (gone, gone_expected)):
                if version is not None and row.version != version:
                    raise StaleVersion(
                        "the customer was changed by somebody else; read it again", field="If-Match"
                    )
            if kept.merged_into or gone.merged_into:
                field = "kept_id" if kept.merged_into else "gone_id"
                raise Conflict("this customer was merged with another one already", field=field)
            moved: dict[str, Any] = {"rows": await move_rows(session, kept_id, gone_id)}
            moved["phones"] = await move_phones(session, kept_id, gone_id)
            moved["filled"] = self._fill(kept, gone)
            gone.merged_into = kept_id
            gone.do_not_call, gone.frozen_reason = False, None
            gone.frozen_scope, gone.frozen_until = None, None
            merge = MergeRow(
                id=new_ulid(),
                kept_id=kept_id,
                gone_id=gone_id,
                at=now,
                by=actor.name,
                reason=why,
                moved=moved,
            )
            session.add(merge)
            for row in (kept, gone):
                row.updated_at, row.updated_by = now, actor.name
            await self._settle(session, kept)
            fact = CustomersMerged(at=now, kept_id=kept_id, gone_id=gone_id, merge_id=merge.id)
            add_fact(session, fact)
            await office.search.customer(session, gone_id)
            await office.search.customer(session, kept_id)
            await office.journal.note(
                session,
                actor,
                "customers_merged",
                entity="customer",
                entity_id=kept_id,
                after={"merge_id": merge.id, "gone_id": gone_id, "moved": _counts(moved)},
                why=why,
            )
            return await people_reads.record(session, kept_id, office.today())

    async def undo(self, actor: Actor, merge_id: str, *, reason: str) -> CustomerRecord:
        """Make two customers of one again; return the one who had gone.

        One way and once: whoever comes second is refused and told so, nothing is overwritten.

        Raises:
            Forbidden: the role merges no customers.
            NotFound: no such merge.
            Conflict: it was undone already, or the kept customer was merged away meanwhile: undo that first.
            Invalid: no reason.
        """
        actor.need(Permission.CUSTOMERS_MERGE)
        why = one_line(reason, field="reason", limit=MAX_REASON)
        office, now = self._office, self._office.now()
        async with office.database.transaction() as session:
            known = await session.get(MergeRow, merge_id) if is_ulid(merge_id) else None
            if known is None:
                raise NotFound("no such merge", field="merge_id")
            kept, gone = await self._both(session, known.kept_id, known.gone_id)
            query = select(MergeRow).where(MergeRow.id == merge_id).with_for_update()
            merge = (await session.execute(query.execution_options(populate_existing=True))).scalar_one()
            if merge.undone_at is not None:
                raise Conflict("it was undone already", field="merge_id")
            if kept.merged_into is not None:
                raise Conflict("undo the later merge of this customer first", field="merge_id")
            await return_rows(session, merge)
            await return_phones(session, merge)
            self._unfill(kept, merge.moved["filled"])
            gone.merged_into = None
            merge.undone_at, merge.undone_by, merge.undo_reason = now, actor.name, why
            for row in (kept, gone):
                row.updated_at, row.updated_by = now, actor.name
                await self._settle(session, row)
            add_fact(session, MergeUndone(at=now, kept_id=kept.id, gone_id=gone.id, merge_id=merge.id))
            await office.search.customer(session, gone.id)
            await office.search.customer(session, kept.id)
            await office.journal.note(
                session,
                actor,
                "merge_undone",
                entity="customer",
                entity_id=kept.id,
                after={"merge_id": merge.id, "gone_id": gone.id},
                why=why,
            )
            return await people_reads.record(session, gone.id, office.today())

    async def of_customer(self, actor: Actor, customer_id: str) -> tuple[MergeView, ...]:
        """Return the merges that a customer came out of or went into, newest first.

        Raises:
            Forbidden: the role merges no customers.
            NotFound: no such customer.
        """
        actor.need(Permission.CUSTOMERS_MERGE)
        async with self._office.database.session() as session:
            found = await current_id(session, customer_id)
            query = select(MergeRow).where((MergeRow.kept_id == found) | (MergeRow.gone_id == found))
            rows = (
                (await session.execute(query.order_by(MergeRow.at.desc(), MergeRow.id.desc())))
                .scalars()
                .all()
            )
        return tuple(_view(row) for row in rows)

    async def page(self, actor: Actor, *, cursor: str | None = None, limit: int = 50) -> MergePage:
        """Return a page of all merges, undone ones too, newest first.

        Raises:
            Forbidden: the role merges no customers.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.CUSTOMERS_MERGE)
        limit = max(1, min(limit, MAX_PAGE))
        kept, gone = aliased(Customer), aliased(Customer)
        query = (
            select(MergeRow, kept.name, gone.name)
            .join(kept, kept.id == MergeRow.kept_id)
            .join(gone, gone.id == MergeRow.gone_id)
            .order_by(MergeRow.at.desc(), MergeRow.id.desc())
            .limit(limit + 1)
        )
        if cursor is not None:
            at, key = read_cursor(cursor)
            query = query.where(or_(MergeRow.at < at, and_(MergeRow.at == at, MergeRow.id < key)))
        async with self._office.database.session() as session:
            rows = (await session.execute(query)).all()
        shown = rows[:limit]
        last = shown[-1][0] if len(rows) > limit else None
        return MergePage(
            items=tuple(
                ListedMerge(merge=_view(row), kept_name=kept_name, gone_name=gone_name)
                for row, kept_name, gone_name in shown
            ),
            next_cursor=write_cursor(last.at, last.id) if last is not None else None,
        )

    @staticmethod
    async def _both(session: AsyncSession, kept_id: str, gone_id: str) -> tuple[Customer, Customer]:
        """Lock both, in one order: two merges never wait for each other."""
        ids = [one for one in (kept_id, gone_id) if is_ulid(one)]
        query = select(Customer).where(Customer.id.in_(ids)).order_by(Customer.id).with_for_update()
        found = {row.id: row for row in (await session.execute(query)).scalars()}
        for one, field in ((kept_id, "kept_id"), (gone_id, "gone_id")):
            if one not in found:
                raise NotFound("no such customer", field=field)
        return found[kept_id], found[gone_id]

    @staticmethod
    def _fill(kept: Customer, gone: Customer) -> dict[str, list[Any]]:
        filled: dict[str, list[Any]] = {}
        for name in FILLED:
            before, value = getattr(kept, name), getattr(gone, name)
            if not before and value:
                setattr(kept, name, value)
                filled[name] = [plain_value(before), plain_value(value)]
        return filled

    @staticmethod
    def _unfill(kept: Customer, filled: dict[str, list[Any]]) -> None:
        """Take back what is still as the merge left it; what somebody changed since stays."""
        for name, (before, value) in filled.items():
            if plain_value(getattr(kept, name)) == value:
                setattr(kept, name, before)

    async def _settle(self, session: AsyncSession, row: Customer) -> None:
        """Bring the flags that the screen-pop reads in line with freezes and refusals."""
        await session.flush()
        listed = (await people_reads.numbers(session, [row.id])).get(row.id, [])
        row.do_not_call = await extend_to_numbers(session, row.id, listed)
        await show_freeze(session, row, self._office.today())
        await session.flush()


def _counts(moved: dict[str, Any]) -> dict[str, int]:
    return {name.split(".")[0]: len(keys) for name, keys in moved["rows"].items()} | {
        "customer_phone": len(moved["phones"])
    }


def _view(row: MergeRow) -> MergeView:
    return MergeView(
        merge_id=row.id,
        kept_id=row.kept_id,
        gone_id=row.gone_id,
        at=row.at,
        by=row.by,
        reason=row.reason,
        moved=_counts(row.moved),
        undone_at=row.undone_at,
        undone_by=row.undone_by,
        undo_reason=row.undo_reason,
    )
