"""Customers as the office keeps them: written down, corrected, listed (domain.md §4.1)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm import people_reads
from crm.do_not_call import extend_to_numbers
from crm.domain.customer import Level
from crm.domain.customer_rules import (
    MAX_REASON,
    Channel,
    CheckedPhone,
    Known,
    PhoneEntry,
    check_level,
    check_name,
    check_phones,
    check_salutation,
    check_window,
)
from crm.domain.lines import choice, maybe_line
from crm.events_people import LevelSet, NumbersChanged
from crm.office import Office, customer_for_change, known_store
from crm.people_views import CustomerPage, CustomerRecord, CustomerSummary
from crm.tables import Customer, CustomerPhone, Project, Store
from kernel.access import Actor, Permission
from kernel.cursor import read_cursor, write_cursor
from kernel.errors import Forbidden, Invalid
from kernel.ids import new_ulid
from kernel.outbox import add_fact
from kernel.phone import Phone, mask

MAX_PAGE = 200
DEFAULT_LEVEL = Level.B
CHANGEABLE = frozenset(
    {
        "name",
        "salutation",
        "store_id",
        "preferred_channel",
        "preferred_from",
        "preferred_until",
        "elder_mode",
        "problem_reason",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCustomer:
    """What is known of a new customer; ``level`` other than B is the manager's to say."""

    name: str
    phones: Sequence[PhoneEntry]
    salutation: str | None = None
    level: str | None = None
    level_reason: str | None = None
    store_id: str | None = None
    preferred_channel: str = Channel.PHONE.value
    preferred_from: time | None = None
    preferred_until: time | None = None
    elder_mode: bool = False
    problem_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFilter:
    """Which customers to list; what is ``None`` does not matter.

    Attributes:
        name: beginning of a name.
        phone: a whole number.
    """

    name: str | None = None
    phone: Phone | None = None
    level: Level | None = None
    store_id: str | None = None
    frozen: bool | None = None
    do_not_call: bool | None = None
    problem: bool | None = None
    elder_mode: bool | None = None
    ids: Sequence[str] | None = field(default=None)


class People:
    """Writes customers down and shows them."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def create(self, actor: Actor, new: NewCustomer) -> CustomerRecord:
        """Add a customer.

        Raises:
            Forbidden: the role writes no customers, or sets no level.
            Invalid: a field breaks a rule; the error names it.
        """
        actor.need(Permission.CUSTOMERS_EDIT)
        office, now = self._office, self._office.now()
        phones = check_phones(new.phones, (), area=office.default_area)
        level, reason = DEFAULT_LEVEL, None
        if new.level is not None and (new.level != DEFAULT_LEVEL or new.level_reason):
            if not actor.can(Permission.CUSTOMERS_MERGE):
                raise Forbidden("the manager sets the level", field="level")
            level, reason = check_level(new.level, new.level_reason)
        values = self._checked(
            {
                "name": new.name,
                "salutation": new.salutation,
                "preferred_channel": new.preferred_channel,
                "elder_mode": new.elder_mode,
                "problem_reason": new.problem_reason,
            }
        )
        check_window(new.preferred_from, new.preferred_until)
        async with office.database.transaction() as session:
            row = Customer(
                id=new_ulid(),
                level=level.value,
                level_reason=reason,
                level_set_by=actor.name if reason else None,
                level_set_at=now if reason else None,
                store_id=await known_store(session, new.store_id),
                preferred_from=new.preferred_from,
                preferred_until=new.preferred_until,
                do_not_call=False,
                created_at=now,
                created_by=actor.name,
                updated_at=now,
                updated_by=actor.name,
                **values,
            )
            session.add(row)
            await session.flush()
            session.add_all(_phone_row(row.id, position, phone, now) for position, phone in enumerate(phones))
            await session.flush()
            await self._refuse_with_numbers(session, row, phones)
            await office.search.customer(session, row.id)
            await office.journal.note(
                session,
                actor,
                "customer_created",
                entity="customer",
                entity_id=row.id,
                after={"name": row.name},
            )
            return await people_reads.record(session, row.id, office.today())

    async def change(
        self, actor: Actor, customer_id: str, changes: dict[str, Any], *, expected: int | None
    ) -> CustomerRecord:
        """Change fields of :data:`CHANGEABLE`.

        Raises:
            Forbidden: the role changes no customers.
            NotFound: no such customer.
            StaleVersion: somebody changed them since.
            Invalid: a field is unknown or breaks a rule.
        """
        return await self.save(actor, customer_id, changes, None, expected=expected)

    async def set_phones(
        self, actor: Actor, customer_id: str, entries: Sequence[PhoneEntry], *, expected: int | None
    ) -> CustomerRecord:
        """Put these numbers in the place of the customer's; known ones may be named by their id.

        Raises:
            Forbidden, NotFound, StaleVersion: see :meth:`change`.
            Invalid: see ``check_phones``.
        """
        return await self.save(actor, customer_id, {}, entries, expected=expected)

    async def save(
        self,
        actor: Actor,
        customer_id: str,
        changes: dict[str, Any],
        entries: Sequence[PhoneEntry] | None,
        *,
        expected: int | None,
    ) -> CustomerRecord:
        """Change fields and numbers at once: both, or neither.

        Raises:
            Forbidden, NotFound, StaleVersion, Invalid: see :meth:`change` and :meth:`set_phones`.
        """
        actor.need(Permission.CUSTOMERS_EDIT)
        unknown = sorted(set(changes) - CHANGEABLE)
        if unknown:
            raise Invalid("not a field that can be changed here", field=unknown[0])
        values = self._checked(changes)
        async with self._office.database.transaction() as session:
            row = await customer_for_change(session, customer_id, expected)
            before = {name: getattr(row, name) for name in values}
            after = dict(values)
            if "store_id" in values:
                await known_store(session, values["store_id"])
            check_window(
                values.get("preferred_from", row.preferred_from),
                values.get("preferred_until", row.preferred_until),
            )
            for name, value in values.items():
                setattr(row, name, value)
            if entries is not None:
                had, has = await self._put_phones(session, row, entries)
                before, after = before | had, after | has
            action = "customer_changed" if values else "customer_phones"
            return await self._done(session, actor, row, action, before, after)

    async def _put_phones(
        self, session: AsyncSession, row: Customer, entries: Sequence[PhoneEntry]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Store the numbers; return what the journal keeps of those before and after."""
        now = self._office.now()
        query = select(CustomerPhone).where(CustomerPhone.customer_id == row.id)
        old = {phone.e164: phone for phone in (await session.execute(query)).scalars()}
        known = [Known(phone_id=phone.ref or "", e164=phone.e164) for phone in old.values()]
        wanted = check_phones(entries, known, area=self._office.default_area)
        before = _quality(old.values())
        for e164, phone in old.items():
            if all(item.e164 != e164 for item in wanted):
                await session.delete(phone)
        for position, item in enumerate(wanted):
            found = old.get(item.e164)
            if found is None:
                session.add(_phone_row(row.id, position, item, now))
            else:
                _update_phone(found, position, item, now)
        await session.flush()
        await self._refuse_with_numbers(session, row, wanted)
        add_fact(session, NumbersChanged(at=now, customer_id=row.id))
        return before, _quality((await session.execute(query)).scalars())

    async def set_level(
        self, actor: Actor, customer_id: str, level: str, reason: str, *, expected: int | None
    ) -> CustomerRecord:
        """Set the level, with the reason.

        Raises:
            Forbidden, NotFound, StaleVersion: see :meth:`change`.
            Invalid: no such level, or no reason.
        """
        actor.need(Permission.CUSTOMERS_MERGE)
        checked, why = check_level(level, reason)
        async with self._office.database.transaction() as session:
            row = await customer_for_change(session, customer_id, expected)
            before = {"level": row.level, "level_reason": row.level_reason}
            row.level, row.level_reason = checked.value, why
            row.level_set_by, row.level_set_at = actor.name, self._office.now()
            after = {"level": row.level, "level_reason": why}
            if before["level"] != row.level:
                add_fact(session, LevelSet(at=self._office.now(), customer_id=row.id, level=row.level))
            return await self._done(session, actor, row, "customer_level", before, after)

    async def get(self, actor: Actor, customer_id: str) -> CustomerRecord:
        """Return a customer; an old id leads to the one they were merged into.

        Raises:
            Forbidden: the role sees no customers.
            NotFound: no such customer.
        """
        actor.need(Permission.CUSTOMERS_VIEW)
        async with self._office.database.session() as session:
            return await people_reads.record(session, customer_id, self._office.today())

    async def page(
        self, actor: Actor, wanted: CustomerFilter, *, cursor: str | None = None, limit: int = 50
    ) -> CustomerPage:
        """Return a page of customers, newest first; those that were merged away are not among them.

        Raises:
            Forbidden: the role sees no customers.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.CUSTOMERS_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        projects = (
            select(func.count())
            .where(Project.customer_id == Customer.id)
            .correlate(Customer)
            .scalar_subquery()
        )
        query = (
            select(Customer, Store.name, projects)
            .outerjoin(Store, Store.id == Customer.store_id)
            # Written so that no index answers it: hardly anybody is merged, and the order counts.
            .where(func.coalesce(Customer.merged_into, "") == "", *_conditions(wanted))
            .order_by(Customer.created_at.desc(), Customer.id.desc())
            .limit(limit + 1)
        )
        if cursor is not None:
            at, key = read_cursor(cursor)
            query = query.where(
                or_(Customer.created_at < at, and_(Customer.created_at == at, Customer.id < key))
            )
        async with self._office.database.session() as session:
            rows = (await session.execute(query)).all()
            phones = await people_reads.numbers(session, [row.id for row, _, _ in rows])
        items = tuple(
            _summary(row, store, phones.get(row.id, ()), count) for row, store, count in rows[:limit]
        )
        more = len(rows) > limit
        last = rows[limit - 1][0] if more else None
        return CustomerPage(
            items=items, next_cursor=write_cursor(last.created_at, last.id) if last is not None else None
        )

    def _checked(self, changes: dict[str, Any]) -> dict[str, Any]:
        values = dict(changes)
        if "name" in values:
            values["name"] = check_name(values["name"] or "")
        if "salutation" in values:
            values["salutation"] = check_salutation(values["salutation"])
        if "preferred_channel" in values:
            values["preferred_channel"] = choice(
                Channel, values["preferred_channel"] or "", field="preferred_channel"
            ).value
        if "problem_reason" in values:
            values["problem_reason"] = maybe_line(
                values["problem_reason"], field="problem_reason", limit=MAX_REASON
            )
        if "elder_mode" in values:
            values["elder_mode"] = bool(values["elder_mode"])
        return values

    async def _refuse_with_numbers(
        self, session: AsyncSession, row: Customer, phones: Iterable[CheckedPhone]
    ) -> None:
        """A number on the do-not-call list marks who has it; a customer's refusal covers a new number."""
        row.do_not_call = await extend_to_numbers(session, row.id, [phone.e164 for phone in phones])

    async def _done(
        self,
        session: AsyncSession,
        actor: Actor,
        row: Customer,
        action: str,
        before: dict[str, Any],
        after: dict[str, Any],
    ) -> CustomerRecord:
        row.updated_at, row.updated_by = self._office.now(), actor.name
        await session.flush()
        await self._office.search.customer(session, row.id)
        await self._office.journal.note(
            session, actor, action, entity="customer", entity_id=row.id, before=before, after=after
        )
        return await people_reads.record(session, row.id, self._office.today())


def _phone_row(customer_id: str, position: int, phone: CheckedPhone, now: datetime) -> CustomerPhone:
    return CustomerPhone(
        customer_id=customer_id,
        e164=phone.e164,
        position=position,
        label=phone.label,
        ref=new_ulid(),
        kind=phone.kind.value,
        preferred=phone.preferred,
        verified_at=now if phone.verified else None,
        bad_since=now if phone.bad else None,
        bad_reason=phone.bad.value if phone.bad else None,
    )


def _update_phone(row: CustomerPhone, position: int, phone: CheckedPhone, now: datetime) -> None:
    row.position = position
    row.label = phone.label
    row.kind = phone.kind.value
    row.ref = row.ref or new_ulid()
    row.preferred = phone.preferred
    row.verified_at = (row.verified_at or now) if phone.verified else None
    if phone.bad is None:
        row.bad_since = row.bad_reason = None
    else:
        row.bad_since = row.bad_since or now
        row.bad_reason = phone.bad.value


def _quality(phones: Iterable[CustomerPhone]) -> dict[str, Any]:
    """What the journal keeps of numbers: masked, with their quality."""
    return {
        f"phone {phone.ref}": f"{mask(phone.e164)} {'preferred ' if phone.preferred else ''}"
        f"{'verified ' if phone.verified_at else ''}{phone.bad_reason or ''}".strip()
        for phone in phones
    }


def _conditions(wanted: CustomerFilter) -> list[ColumnElement[bool]]:
    chosen: list[ColumnElement[bool]] = []
    if wanted.name:
        chosen.append(Customer.name.startswith(wanted.name, autoescape=True))
    if wanted.phone is not None:
        has = exists().where(
            CustomerPhone.customer_id == Customer.id, CustomerPhone.e164 == wanted.phone.e164
        )
        chosen.append(has)
    if wanted.level is not None:
        chosen.append(Customer.level == wanted.level.value)
    if wanted.store_id is not None:
        chosen.append(Customer.store_id == wanted.store_id)
    if wanted.ids is not None:
        chosen.append(Customer.id.in_(wanted.ids))
    for column, asked in ((Customer.frozen_reason, wanted.frozen), (Customer.problem_reason, wanted.problem)):
        if asked is not None:
            chosen.append(column.is_not(None) if asked else column.is_(None))
    for flag, asked in ((Customer.do_not_call, wanted.do_not_call), (Customer.elder_mode, wanted.elder_mode)):
        if asked is not None:
            chosen.append(flag.is_(asked))
    return chosen


def _summary(row: Customer, store: str | None, phones: Sequence[str], projects: int) -> CustomerSummary:
    return CustomerSummary(
        customer_id=row.id,
        name=row.name,
        salutation=row.salutation,
        level=row.level,
        store=store,
        phones_masked=tuple(mask(phone) for phone in phones),
        projects=projects,
        do_not_call=row.do_not_call,
        frozen=row.frozen_reason is not None,
        problem=row.problem_reason is not None,
        elder_mode=row.elder_mode,
        created_at=row.created_at,
        version=row.version,
    )
