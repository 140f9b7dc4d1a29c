"""Which calls belong to a case."""

from sqlalchemy import select, union
from sqlalchemy.ext.asyncio import AsyncSession

from crm.complaint_tables import ComplaintCall, ComplaintCallback
from crm.repair_tables import RepairCallbackRow
from crm.tables import ServiceCase


async def calls_of_case(session: AsyncSession, case_id: str) -> set[str]:
    """Return the call that a case began with, those about it, and its callbacks."""
    query = union(
        select(ServiceCase.call_id).where(ServiceCase.id == case_id),
        select(ComplaintCall.call_id).where(ComplaintCall.case_id == case_id),
        select(ComplaintCallback.call_id).where(ComplaintCallback.case_id == case_id),
        select(RepairCallbackRow.call_id).where(RepairCallbackRow.case_id == case_id),
    )
    return {str(one) for one in await session.scalars(query) if one}
