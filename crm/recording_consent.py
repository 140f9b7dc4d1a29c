"""Who does not want to be recorded, or to have what they say written down by a machine (domain.md §6.4)."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.freeze import ConsentPurpose
from crm.people_tables import ConsentRow
from crm.tables import CustomerPhone


async def objects_to_recording(session: AsyncSession, e164: str) -> bool:
    """Tell whether a customer with this number has taken their consent to recordings back, and not given
    it again since.
    """
    query = (
        select(ConsentRow.customer_id, ConsentRow.withdrawn_at)
        .join(CustomerPhone, CustomerPhone.customer_id == ConsentRow.customer_id)
        .where(CustomerPhone.e164 == e164, ConsentRow.purpose == ConsentPurpose.RECORDING.value)
        .order_by(ConsentRow.given_at, ConsentRow.id)
    )
    rows = (await session.execute(query)).all()
    newest = {row.customer_id: row.withdrawn_at for row in rows}
    return any(withdrawn is not None for withdrawn in newest.values())
