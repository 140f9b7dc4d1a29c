"""Reads whole records of customers, inside a session that a service opened."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.freeze import (
    CallbackKind,
    ConsentBasis,
    ConsentPurpose,
    FreezeScope,
    RefusalLevel,
    RefusalSource,
    is_frozen,
)
from crm.office import current_id
from crm.people_tables import ConsentRow, DoNotCallNumber, DoNotCallRow, FreezeRow
from crm.people_views import ConsentView, CustomerRecord, FreezeView, PhoneView, RefusalView
from crm.tables import Customer, CustomerPhone, Store


async def numbers(session: AsyncSession, ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the numbers of customers, in their order."""
    query = select(CustomerPhone.customer_id, CustomerPhone.e164).where(CustomerPhone.customer_id.in_(ids))
    found: dict[str, list[str]] = {}
    for customer_id, e164 in await session.execute(query.order_by(CustomerPhone.position)):
        found.setdefault(customer_id, []).append(e164)
    return found


async def record(session: AsyncSession, customer_id: str, today: date) -> CustomerRecord:
    """Return a customer with everything written down about them; an old id leads to the present one.

    Raises:
        NotFound: no such customer.
    """
    found = await current_id(session, customer_id)
    query = (
        select(Customer, Store.name)
        .outerjoin(Store, Store.id == Customer.store_id)
        .where(Customer.id == found)
        .execution_options(populate_existing=True)
    )
    row, store = (await session.execute(query)).one()
    by_customer = select(CustomerPhone).where(CustomerPhone.customer_id == found)
    phones = (
        await session.execute(by_customer.order_by(CustomerPhone.position, CustomerPhone.e164))
    ).scalars()
    all_freezes = await freezes(session, today, FreezeRow.customer_id == found)
    consents = select(ConsentRow).where(ConsentRow.customer_id == found)
    given = (
        await session.execute(consents.order_by(ConsentRow.given_at.desc(), ConsentRow.id.desc()))
    ).scalars()
    return CustomerRecord(
        customer_id=row.id,
        asked_id=customer_id,
        name=row.name,
        salutation=row.salutation,
        level=row.level,
        level_reason=row.level_reason,
        level_set_by=row.level_set_by,
        level_set_at=row.level_set_at,
        store_id=row.store_id,
        store=store,
        phones=tuple(phone_view(phone) for phone in phones),
        preferred_channel=row.preferred_channel,
        preferred_from=row.preferred_from,
        preferred_until=row.preferred_until,
        elder_mode=row.elder_mode,
        problem_reason=row.problem_reason,
        freeze=next((freeze for freeze in all_freezes if freeze.active), None),
        freezes=all_freezes,
        refusals=await refusals(session, _holds_for(found, phones_of=found), in_force=True),
        consents=tuple(consent_view(consent) for consent in given),
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        version=row.version,
    )


def phone_view(row: CustomerPhone) -> PhoneView:
    """Return a number as shown."""
    return PhoneView(
        phone_id=row.ref or "",
        number=row.e164,
        kind=row.kind or "other",
        label=row.label,
        preferred=row.preferred,
        verified_at=row.verified_at,
        bad_since=row.bad_since,
        bad_reason=row.bad_reason,
    )


async def freezes(
    session: AsyncSession, today: date, *chosen: ColumnElement[bool], limit: int | None = None
) -> tuple[FreezeView, ...]:
    """Return freezes that fulfil the conditions, newest first."""
    query = (
        select(FreezeRow, Customer.name)
        .join(Customer, Customer.id == FreezeRow.customer_id)
        .where(*chosen)
        .order_by(FreezeRow.since.desc(), FreezeRow.id.desc())
        .limit(limit)
    )
    return tuple(freeze_view(row, name, today) for row, name in (await session.execute(query)).all())


def freeze_view(row: FreezeRow, customer: str, today: date) -> FreezeView:
    """Return a freeze as shown."""
    return FreezeView(
        freeze_id=row.id,
        customer_id=row.customer_id,
        customer_name=customer,
        scope=FreezeScope(row.scope),
        since=row.since,
        planned_thaw=row.planned_thaw,
        reason=row.reason,
        by=row.by,
        active=is_frozen(row.planned_thaw, row.thawed_at, today=today),
        thawed_at=row.thawed_at,
        thawed_by=row.thawed_by,
        thaw_reason=row.thaw_reason,
        callback_needed=row.callback_needed,
        callback_kind=CallbackKind(row.callback_kind) if row.callback_kind else None,
        callback_on=row.callback_on,
        answered_by=row.answered_by,
    )


def _holds_for(customer_id: str, *, phones_of: str) -> ColumnElement[bool]:
    mine = select(CustomerPhone.e164).where(CustomerPhone.customer_id == phones_of)
    by_number = select(DoNotCallNumber.entry_id).where(DoNotCallNumber.e164.in_(mine))
    return (DoNotCallRow.customer_id == customer_id) | DoNotCallRow.id.in_(by_number)


async def refusals(
    session: AsyncSession, chosen: ColumnElement[bool], *, in_force: bool
) -> tuple[RefusalView, ...]:
    """Return entries of the do-not-call list, strictest first."""
    query = select(DoNotCallRow).where(chosen)
    if in_force:
        query = query.where(DoNotCallRow.lifted_at.is_(None))
    order = (DoNotCallRow.level.desc(), DoNotCallRow.since.desc(), DoNotCallRow.id)
    rows = (await session.execute(query.order_by(*order))).scalars().all()
    if not rows:
        return ()
    listed = select(DoNotCallNumber).where(DoNotCallNumber.entry_id.in_([row.id for row in rows]))
    found: dict[str, list[str]] = {}
    for item in (await session.execute(listed.order_by(DoNotCallNumber.e164))).scalars():
        found.setdefault(item.entry_id, []).append(item.e164)
    return tuple(refusal_view(row, found.get(row.id, ())) for row in rows)


def refusal_view(row: DoNotCallRow, listed: Sequence[str]) -> RefusalView:
    """Return an entry as shown."""
    return RefusalView(
        entry_id=row.id,
        customer_id=row.customer_id,
        level=RefusalLevel(row.level),
        since=row.since,
        source=RefusalSource(row.source),
        evidence=row.evidence,
        by=row.by,
        numbers=tuple(listed),
        lifted_at=row.lifted_at,
        lifted_by=row.lifted_by,
        lift_reason=row.lift_reason,
        lift_evidence=row.lift_evidence,
    )


def consent_view(row: ConsentRow) -> ConsentView:
    """Return a consent as shown."""
    return ConsentView(
        consent_id=row.id,
        purpose=ConsentPurpose(row.purpose),
        basis=ConsentBasis(row.basis),
        given_at=row.given_at,
        evidence=row.evidence,
        text_version=row.text_version,
        recorded_by=row.recorded_by,
        withdrawn_at=row.withdrawn_at,
        withdrawn_evidence=row.withdrawn_evidence,
        withdrawn_by=row.withdrawn_by,
    )
