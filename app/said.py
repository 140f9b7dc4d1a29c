"""The search in what was said: joins the words of speech, the calls of telephony and the index of crm.

None of them knows the others; what makes a call findable is read here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.task_tables import DialAttemptRow
from crm.said_index import Conversation, SaidIndex
from kernel.clock import Clock
from kernel.db import Database
from speech.said import AT_ONCE, CHUNK, ChangedCalls, calls_with_words, changed, spoken_in, waiting
from telephony.tables import CallRow

MOST_OUTDATED = 1_000_000


@dataclass(frozen=True, slots=True)
class SaidCount:
    """How many calls have words, how many of them can be found, and how many wait to be read."""

    calls: int
    found: int
    waiting: int

    @property
    def complete(self) -> bool:
        """Whether every call can be found that does not wait, and nothing else."""
        return self.calls == self.found


def build_said(database: Database, clock: Clock, *, worker: str) -> ChangedCalls:
    """Return what keeps the index; give its ``run`` to the supervisor."""
    return ChangedCalls(database, clock, read_calls, worker=worker)


async def read_calls(session: AsyncSession, call_ids: Sequence[str]) -> set[str]:
    """Index calls as they are now; return those that are not over, or not written down yet."""
    index, spoken = SaidIndex(), await spoken_in(session, call_ids)
    later = set()
    conversations = await _conversations(session, [one for one in call_ids if one in spoken])
    for call_id in call_ids:
        if call_id not in spoken:
            await index.remove(session, (call_id,))
        elif call_id not in conversations:
            later.add(call_id)
        else:
            call, campaign_id = conversations[call_id]
            said = spoken[call_id]
            numbers = dict.fromkeys([call.agent_number, *said.agent_numbers])
            conversation = Conversation(
                call_id=call_id,
                started_at=call.started_at,
                customer=tuple(said.customer),
                agent=tuple(said.agent),
                agent_id=call.agent_id,
                agent_numbers=tuple(one for one in numbers if one),
                queue=call.queue,
                campaign_id=campaign_id,
            )
            await index.put(session, conversation)
    return later


async def rebuild(database: Database, progress: Callable[[int, int], None]) -> None:
    """Forget the index and read every call again; others may write meanwhile."""
    async with database.transaction() as session:
        await SaidIndex().clear(session)
    async with database.session() as session:
        total = await _calls(session)
    done, last = 0, ""
    progress(0, total)
    while True:
        async with database.transaction() as session:
            ids = await calls_with_words(session, last)
            await changed(session, await read_calls(session, ids), at=AT_ONCE)
        if not ids:
            return
        done, last = done + len(ids), ids[-1]
        progress(done, total)


async def refresh(database: Database) -> int:
    """Have those calls read again that an older version indexed; return how many."""
    async with database.transaction() as session:
        old = await SaidIndex().outdated(session, MOST_OUTDATED)
        for start in range(0, len(old), CHUNK):
            await changed(session, old[start : start + CHUNK], at=AT_ONCE)
    return len(old)


async def check(database: Database) -> SaidCount:
    """Count what there is and what can be found."""
    calls = pending = 0
    last = ""
    async with database.session() as session:
        while ids := await calls_with_words(session, last):
            spoken, last = await spoken_in(session, ids), ids[-1]
            waits = await waiting(session, ids)
            calls += len(set(spoken) - waits)
            pending += len(waits)
            found_too = waits and await SaidIndex().known(session, sorted(waits))
            calls += len(found_too or ())
        return SaidCount(calls=calls, found=await SaidIndex().count(session), waiting=pending)


async def _calls(session: AsyncSession) -> int:
    total, last = 0, ""
    while ids := await calls_with_words(session, last, limit=5_000):
        total, last = total + len(ids), ids[-1]
    return total


async def _conversations(
    session: AsyncSession, call_ids: Sequence[str]
) -> dict[str, tuple[CallRow, str | None]]:
    """Return the calls that are over, each with its campaign."""
    query = (
        select(CallRow, DialAttemptRow.campaign_id)
        .outerjoin(DialAttemptRow, DialAttemptRow.id == CallRow.call_id)
        .where(CallRow.call_id.in_(call_ids), CallRow.ended_at.is_not(None))
    )
    return {row.call_id: (row, campaign_id) for row, campaign_id in (await session.execute(query)).all()}
