"""What is taken out of a record when it is made anonymous: every text that may speak of people.

Numbers, states, times, amounts, classes and departments stay: they are the figures. Receipts and postings
never change; they name who works here, not the customer.
"""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from crm.said_index import SaidIndex
from crm.search import Kind, SearchIndex
from kernel.personal import Personal, Record


async def erase_cases(
    session: AsyncSession, case_ids: Sequence[str], index: SearchIndex, personal: Personal
) -> None:
    """Take out what cases say of people; their files go with the rows that name them."""
    await personal.empty(session, Record.CASE, case_ids)
    for case_id in case_ids:
        for kind in (Kind.COMPLAINT, Kind.REPAIR, Kind.TICKET):
            await index.remove(session, kind, case_id)


async def erase_consents(session: AsyncSession, ids: Sequence[str], personal: Personal) -> None:
    """Take the proofs out of consents that ended."""
    await personal.empty(session, Record.CONSENT, ids)


async def erase_call_notes(
    session: AsyncSession, call_ids: Sequence[str], index: SearchIndex, personal: Personal
) -> None:
    """Take calls off the time lines and out of the search, and out of the notes what agents wrote."""
    await personal.empty(session, Record.CALL, call_ids)
    await SaidIndex().remove(session, call_ids)
    for call_id in call_ids:
        await index.remove(session, Kind.CALL_NOTE, call_id)
