"""Numbers on which nobody can be reached, as a call showed: nothing dials them before somebody mends them."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.customer_rules import BadNumber
from crm.office import Office, customer_for_change
from crm.tables import CustomerPhone
from kernel.access import Actor
from kernel.phone import mask


async def mark_bad(
    session: AsyncSession, office: Office, actor: Actor, customer_id: str, e164: str, why: BadNumber
) -> None:
    """Write down in the caller's transaction that a customer cannot be reached on a number of theirs.

    Raises:
        NotFound: no such customer.
    """
    row = await customer_for_change(session, customer_id, None)
    mine = (CustomerPhone.customer_id == row.id, CustomerPhone.e164 == e164)
    found = list(await session.scalars(select(CustomerPhone).where(*mine, CustomerPhone.bad_since.is_(None))))
    for phone in found:
        phone.bad_since, phone.bad_reason = office.now(), why.value
        phone.preferred, phone.verified_at = False, None
    if found:
        row.updated_at, row.updated_by = office.now(), actor.name
        await session.flush()
        await office.journal.note(
            session,
            actor,
            "customer_phones",
            entity="customer",
            entity_id=row.id,
            after={"number": mask(e164), "bad": why.value},
        )


async def good_number(session: AsyncSession, customer_id: str) -> bool:
    """Tell whether a customer has a number that nothing speaks against."""
    mine = (CustomerPhone.customer_id == customer_id, CustomerPhone.bad_since.is_(None))
    return await session.scalar(select(CustomerPhone.e164).where(*mine).limit(1)) is not None
