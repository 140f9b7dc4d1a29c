"""The do-not-call list: who refused which calls, by customer and by number (domain.md §6.4).

It holds at once, outlives any import, and only the customer may take a refusal back: lifting one needs
their reason and its proof.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from crm import people_reads
from crm.domain.customer_rules import parse_number
from crm.domain.freeze import (
    MARKETING,
    CaseCall,
    ConsentPurpose,
    ContactPurpose,
    RefusalLevel,
    RefusalSource,
    is_last_call,
    refuses,
)
from crm.domain.lines import one_line
from crm.events_people import CallsRefused, RefusalLifted
from crm.office import Office, current_id, customer_for_change
from crm.people_tables import ConsentRow, DoNotCallNumber, DoNotCallRow
from crm.people_views import RefusalView
from crm.tables import Customer, CustomerPhone
from kernel.access import Actor, Permission
from kernel.cursor import read_cursor, write_cursor
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import new_ulid
from kernel.outbox import add_fact
from kernel.phone import Phone

MAX_EVIDENCE = 400
MAX_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why somebody must not be contacted.

    Attributes:
        code: ``refused`` or ``no_consent``.
        entry: the refusal that stands against it.
    """

    code: str
    entry: RefusalView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalFilter:
    """Which entries to list; what is ``None`` does not matter.

    Attributes:
        in_force: ``False``: those that were lifted.
        phone: a whole number; entries that hold for it.
    """

    level: RefusalLevel | None = None
    source: RefusalSource | None = None
    in_force: bool | None = True
    phone: Phone | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRefusal:
    """An entry with the name of its customer; ``None`` when it holds for a number alone."""

    entry: RefusalView
    customer_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalPage:
    """A page of entries, newest first."""

    items: tuple[ListedRefusal, ...]
    next_cursor: str | None


class DoNotCall:
    """Keeps the list and answers whether a contact is allowed."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def allows(
        self,
        session: AsyncSession,
        e164: str | None,
        customer_id: str | None,
        purpose: ContactPurpose,
        *,
        call: CaseCall | None = None,
    ) -> Refusal | None:
        """Return what stands against contacting this number or customer for ``purpose``, else ``None``.

        Marketing needs the customer's consent besides. Ask inside the transaction that dials.

        Args:
            call: of a call about a case, what it is; where everything was refused, only the last call that
                :func:`is_last_call` knows of is left.
        """
        if customer_id is not None:
            try:
                customer_id = await current_id(session, customer_id)
            except NotFound:
                customer_id = None
        against = _against(e164, customer_id)
        entries = await people_reads.refusals(session, against, in_force=True) if against is not None else ()
        for entry in entries:
            if refuses(entry.level, purpose):
                return Refusal(code="refused", entry=entry)
            if call is not None and entry.level is RefusalLevel.ALL and not is_last_call(call, entry.since):
                return Refusal(code="refused", entry=entry)
        if purpose in MARKETING and not await _consents(session, customer_id, purpose):
            return Refusal(code="no_consent")
        return None

    async def add(
        self,
        actor: Actor,
        *,
        level: int,
        source: str,
        evidence: str,
        customer_id: str | None = None,
        number: str | None = None,
    ) -> RefusalView:
        """Write a refusal down: for the customer with every number of theirs, or for the number alone.

        One that is there already is returned as it is, with the customer's new numbers added to it.

        Raises:
            Forbidden: the role writes no customers.
            Invalid: neither customer nor number, no such level or source, no evidence.
            NotFound: no such customer.
        """
        async with self._office.database.transaction() as session:
            return await self.add_in(
                session,
                actor,
                level=level,
                source=source,
                evidence=evidence,
                customer_id=customer_id,
                number=number,
            )

    async def add_in(
        self,
        session: AsyncSession,
        actor: Actor,
        *,
        level: int,
        source: str,
        evidence: str,
        customer_id: str | None = None,
        number: str | None = None,
    ) -> RefusalView:
        """Do :meth:`add` in the caller's transaction."""
        actor.need(Permission.CUSTOMERS_EDIT)
        office = self._office
        wanted, came = _level(level), _source(source)
        proof = one_line(evidence, field="evidence", limit=MAX_EVIDENCE)
        if customer_id is None and not number:
            raise Invalid("give a customer, a number, or both", field="customer_id")
        listed = {parse_number(number, area=office.default_area, field="number").e164} if number else set()
        row = await customer_for_change(session, customer_id, None) if customer_id else None
        if row is not None:
            listed |= set((await people_reads.numbers(session, [row.id])).get(row.id, ()))
        entry = await self._same(session, row.id if row else None, wanted, listed)
        if entry is not None:
            await _add_numbers(session, entry.id, listed)
            return (await people_reads.refusals(session, DoNotCallRow.id == entry.id, in_force=True))[0]
        now = office.now()
        entry = DoNotCallRow(
            id=new_ulid(),
            customer_id=row.id if row else None,
            level=int(wanted),
            since=now,
            source=came.value,
            evidence=proof,
            by=actor.name,
        )
        session.add(entry)
        await session.flush()
        await _add_numbers(session, entry.id, listed)
        for one in await _holders(session, row.id if row else None, listed):
            one.do_not_call = True
            one.updated_at = now
        add_fact(
            session,
            CallsRefused(
                at=now,
                customer_id=entry.customer_id,
                entry_id=entry.id,
                level=entry.level,
                source=entry.source,
            ),
        )
        await office.journal.note(
            session,
            actor,
            "calls_refused",
            entity="customer" if row else "do_not_call",
            entity_id=row.id if row else entry.id,
            after={"entry_id": entry.id, "level": entry.level, "source": entry.source},
        )
        return (await people_reads.refusals(session, DoNotCallRow.id == entry.id, in_force=True))[0]

    async def lift(self, actor: Actor, entry_id: str, *, reason: str, evidence: str) -> RefusalView:
        """Take a refusal back, because the customer wants it so.

        One way and once: whoever comes second is refused and told so, nothing is overwritten.

        Raises:
            Forbidden: the role writes no customers.
            NotFound: no such entry.
            Conflict: it was lifted already.
            Invalid: no reason, or no proof that the customer said it.
        """
        actor.need(Permission.CUSTOMERS_EDIT)
        why = one_line(reason, field="reason", limit=MAX_EVIDENCE)
        proof = one_line(evidence, field="evidence", limit=MAX_EVIDENCE)
        office = self._office
        async with office.database.transaction() as session:
            known = await people_reads.refusals(session, DoNotCallRow.id == entry_id, in_force=False)
            if not known:
                raise NotFound("no such entry", field="entry_id")
            # The customers first, as everywhere: two changes never wait for each other.
            holders = await _holders(session, known[0].customer_id, set(known[0].numbers))
            query = select(DoNotCallRow).where(DoNotCallRow.id == entry_id).with_for_update()
            entry = (await session.execute(query)).scalar_one()
            if entry.lifted_at is not None:
                raise Conflict("it was lifted already", field="entry_id")
            now = office.now()
            entry.lifted_at, entry.lifted_by = now, actor.name
            entry.lift_reason, entry.lift_evidence = why, proof
            await session.flush()
            (view,) = await people_reads.refusals(session, DoNotCallRow.id == entry.id, in_force=False)
            for one in holders:
                one.do_not_call = await _is_refused(session, one.id)
                one.updated_at = now
            add_fact(
                session,
                RefusalLifted(at=now, customer_id=entry.customer_id, entry_id=entry.id, level=entry.level),
            )
            await office.journal.note(
                session,
                actor,
                "refusal_lifted",
                entity="customer" if entry.customer_id else "do_not_call",
                entity_id=entry.customer_id or entry.id,
                after={"entry_id": entry.id, "level": entry.level, "evidence": proof},
                why=why,
            )
            return view

    async def of_customer(self, actor: Actor, customer_id: str) -> tuple[RefusalView, ...]:
        """Return the customer's entries, lifted ones too.

        Raises:
            Forbidden: the role sees no customers.
            NotFound: no such customer.
        """
        actor.need(Permission.CUSTOMERS_VIEW)
        async with self._office.database.session() as session:
            found = await current_id(session, customer_id)
            listed = (await people_reads.numbers(session, [found])).get(found, [])
            holds = or_(DoNotCallRow.customer_id == found, _lists(listed))
            return await people_reads.refusals(session, holds, in_force=False)

    async def page(
        self, actor: Actor, wanted: RefusalFilter, *, cursor: str | None = None, limit: int = 50
    ) -> RefusalPage:
        """Return a page of the list, newest first.

        Raises:
            Forbidden: the role sees no customers.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.CUSTOMERS_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        query = (
            select(DoNotCallRow.id, DoNotCallRow.since, Customer.name)
            .outerjoin(Customer, Customer.id == DoNotCallRow.customer_id)
            .where(*_listed(wanted))
            .order_by(DoNotCallRow.since.desc(), DoNotCallRow.id.desc())
            .limit(limit + 1)
        )
        if cursor is not None:
            at, key = read_cursor(cursor)
            before = and_(DoNotCallRow.since == at, DoNotCallRow.id < key)
            query = query.where(or_(DoNotCallRow.since < at, before))
        async with self._office.database.session() as session:
            rows = (await session.execute(query)).all()
            shown = rows[:limit]
            chosen = DoNotCallRow.id.in_([row.id for row in shown])
            entries = {
                view.entry_id: view for view in await people_reads.refusals(session, chosen, in_force=False)
            }
        return RefusalPage(
            items=tuple(ListedRefusal(entry=entries[row.id], customer_name=row.name) for row in shown),
            next_cursor=write_cursor(shown[-1].since, shown[-1].id) if len(rows) > limit else None,
        )

    @staticmethod
    async def _same(
        session: AsyncSession, customer_id: str | None, level: RefusalLevel, listed: set[str]
    ) -> DoNotCallRow | None:
        query = select(DoNotCallRow).where(DoNotCallRow.level == int(level), DoNotCallRow.lifted_at.is_(None))
        if customer_id is not None:
            query = query.where(DoNotCallRow.customer_id == customer_id)
        else:
            query = query.where(DoNotCallRow.customer_id.is_(None), _lists(sorted(listed)))
        return (await session.execute(query.limit(1))).scalar_one_or_none()


def _lists(listed: Sequence[str]) -> ColumnElement[bool]:
    return DoNotCallRow.id.in_(select(DoNotCallNumber.entry_id).where(DoNotCallNumber.e164.in_(listed)))


def _listed(wanted: RefusalFilter) -> list[ColumnElement[bool]]:
    chosen: list[ColumnElement[bool]] = []
    if wanted.level is not None:
        chosen.append(DoNotCallRow.level == int(wanted.level))
    if wanted.source is not None:
        chosen.append(DoNotCallRow.source == wanted.source.value)
    if wanted.in_force is not None:
        lifted = DoNotCallRow.lifted_at
        chosen.append(lifted.is_(None) if wanted.in_force else lifted.is_not(None))
    if wanted.phone is not None:
        chosen.append(_lists([wanted.phone.e164]))
    return chosen


def _against(e164: str | None, customer_id: str | None) -> ColumnElement[bool] | None:
    """Entries of the customer, of the number, and of whoever has the number."""
    chosen: list[ColumnElement[bool]] = []
    if customer_id is not None:
        chosen.append(DoNotCallRow.customer_id == customer_id)
    if e164 is not None:
        chosen.append(_lists([e164]))
    return or_(*chosen) if chosen else None


async def _consents(session: AsyncSession, customer_id: str | None, purpose: ContactPurpose) -> bool:
    if customer_id is None:
        return False
    wanted = ConsentPurpose(purpose.value)
    found = exists().where(
        ConsentRow.customer_id == customer_id,
        ConsentRow.purpose == wanted.value,
        ConsentRow.withdrawn_at.is_(None),
    )
    return bool((await session.execute(select(found))).scalar_one())


async def extend_to_numbers(session: AsyncSession, customer_id: str, listed: Sequence[str]) -> bool:
    """Make a customer's refusals hold for all their numbers; tell whether any refusal holds for them."""
    query = select(DoNotCallRow.id).where(
        DoNotCallRow.customer_id == customer_id, DoNotCallRow.lifted_at.is_(None)
    )
    for entry_id in (await session.execute(query)).scalars().all():
        await _add_numbers(session, entry_id, set(listed))
    return await _is_refused(session, customer_id)


async def _is_refused(session: AsyncSession, customer_id: str) -> bool:
    mine = select(CustomerPhone.e164).where(CustomerPhone.customer_id == customer_id)
    by_number = select(DoNotCallNumber.entry_id).where(DoNotCallNumber.e164.in_(mine))
    holds = or_(DoNotCallRow.customer_id == customer_id, DoNotCallRow.id.in_(by_number))
    query = select(DoNotCallRow.id).where(DoNotCallRow.lifted_at.is_(None), holds).limit(1)
    return (await session.execute(query)).first() is not None


async def _add_numbers(session: AsyncSession, entry_id: str, listed: set[str]) -> None:
    if not listed:
        return
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    rows = [{"entry_id": entry_id, "e164": e164} for e164 in sorted(listed)]
    await session.execute(insert(DoNotCallNumber).on_conflict_do_nothing(), rows)


async def _holders(session: AsyncSession, customer_id: str | None, listed: set[str]) -> Sequence[Customer]:
    """Return whom an entry holds for: the customer and whoever shares a number."""
    having = select(CustomerPhone.customer_id).where(CustomerPhone.e164.in_(sorted(listed)))
    query = select(Customer).where(or_(Customer.id == (customer_id or ""), Customer.id.in_(having)))
    return (await session.execute(query.order_by(Customer.id).with_for_update())).scalars().all()


def _level(raw: int) -> RefusalLevel:
    try:
        return RefusalLevel(raw)
    except ValueError as error:
        raise Invalid("1 surveys, 2 marketing, 3 all but open cases", field="level") from error


def _source(raw: str) -> RefusalSource:
    try:
        return RefusalSource(raw)
    except ValueError as error:
        raise Invalid(f"one of {', '.join(item.value for item in RefusalSource)}", field="source") from error
