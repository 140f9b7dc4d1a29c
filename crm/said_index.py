"""The index of what was said in calls: one row a call, kept in the transaction of who changes it.

What is found is the text as people read it: a correction counts, what it replaced does not.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.search_text import FIELD, audience_token, marked, normalise, tokens_of
from crm.said_tables import SaidCall
from crm.search import EDITION, EPOCH

CUSTOMER, AGENT = "\ue006", "\ue007"
"""First characters of the tokens of what each speaker said."""
MAX_SAID = 150_000
"""Characters of one speaker in one call that are searched: ten hours of talking."""
_SPREAD_BITS = 22
_GAP = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What was said in a call, and what it can be narrowed to.

    Attributes:
        customer, agent: their sentences, in order.
        agent_id: whose call it is: that agent finds it, besides who may hear every call.
        agent_numbers: who of us talked in it.
    """

    call_id: str
    started_at: datetime
    customer: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    agent_id: str | None = None
    agent_numbers: tuple[str, ...] = ()
    queue: str | None = None
    campaign_id: str | None = None

    @property
    def marks(self) -> tuple[str, ...]:
        """What the call can be narrowed to."""
        named = (
            *((owner_mark(self.agent_id),) if self.agent_id else ()),
            *(agent_mark(number) for number in self.agent_numbers),
            *((queue_mark(self.queue),) if self.queue else ()),
            *((campaign_mark(self.campaign_id),) if self.campaign_id else ()),
        )
        return tuple(dict.fromkeys("".join(mark.split()) for mark in named))[:8]


def owner_mark(agent_id: str) -> str:
    """Return the mark of an agent's own calls."""
    return f"owner:{agent_id}"


def agent_mark(number: str) -> str:
    """Return the mark of the calls that an agent talked in."""
    return f"agent:{number}"


def queue_mark(queue: str) -> str:
    """Return the mark of a queue's calls."""
    return f"queue:{queue}"


def campaign_mark(campaign_id: str) -> str:
    """Return the mark of a campaign's calls."""
    return f"campaign:{campaign_id}"


class SaidIndex:
    """Keeps the index; every method works in the caller's transaction."""

    async def put(self, session: AsyncSession, conversation: Conversation) -> None:
        """Make a call findable as it is now; one in which nothing was said is removed."""
        row = _row(conversation)
        if not row["customer"] and not row["agent"]:
            await self.remove(session, (conversation.call_id,))
            return
        old = await self._old(session, conversation.call_id)
        if old is not None:
            if all(getattr(old, name) == value for name, value in row.items()):
                return
            await self._remove(session, old)
        number = await _free_id(session, _wanted_id(conversation))
        await session.execute(insert(SaidCall).values(id=number, **row))
        await _index(session, number, _tokens(row["marks"], row["customer"], row["agent"]))

    async def remove(self, session: AsyncSession, call_ids: Iterable[str]) -> None:
        """Make calls unfindable; nothing happens to those that are not there."""
        for call_id in call_ids:
            old = await self._old(session, call_id)
            if old is not None:
                await self._remove(session, old)

    async def clear(self, session: AsyncSession) -> None:
        """Forget everything."""
        await session.execute(delete(SaidCall).execution_options(synchronize_session=False))
        await session.execute(_SQLITE_CLEAR if _on_sqlite(session) else _POSTGRES_CLEAR)

    async def count(self, session: AsyncSession) -> int:
        """Return how many calls can be found."""
        return (await session.execute(select(func.count()).select_from(SaidCall))).scalar_one()

    async def known(self, session: AsyncSession, call_ids: Sequence[str]) -> set[str]:
        """Return those of the calls that can be found."""
        return set(await session.scalars(select(SaidCall.call_id).where(SaidCall.call_id.in_(call_ids))))

    async def outdated(self, session: AsyncSession, limit: int) -> Sequence[str]:
        """Return calls that another edition of the tokenizer indexed."""
        query = select(SaidCall.call_id).where(SaidCall.edition != EDITION).limit(limit)
        return (await session.scalars(query)).all()

    async def _old(self, session: AsyncSession, call_id: str) -> Any:
        table = SaidCall.__table__
        query = select(table).where(table.c.call_id == call_id)
        if not _on_sqlite(session):
            query = query.with_for_update()
        return (await session.execute(query)).first()

    async def _remove(self, session: AsyncSession, old: Any) -> None:
        if not _on_sqlite(session):
            await session.execute(_POSTGRES_DELETE, {"id": old.id})
        elif old.edition == EDITION:
            # Without content, FTS5 must be told the tokens that go; those of another edition stay, and the
            # check of each hit passes over them.
            tokens = " ".join(_tokens(old.marks, old.customer, old.agent))
            await session.execute(_SQLITE_DELETE, {"id": old.id, "tokens": tokens})
        gone = delete(SaidCall).where(SaidCall.id == old.id)
        await session.execute(gone.execution_options(synchronize_session=False))


def time_id(at: datetime) -> int:
    """Return the smallest id that a call of this moment can have."""
    return max(0, int((at - EPOCH).total_seconds())) << _SPREAD_BITS


def _wanted_id(conversation: Conversation) -> int:
    spread = zlib.crc32(conversation.call_id.encode()) & ((1 << _SPREAD_BITS) - 1)
    return time_id(conversation.started_at) + spread


def _row(conversation: Conversation) -> dict[str, Any]:
    marks = " ".join(conversation.marks)
    return {
        "call_id": conversation.call_id,
        "started_at": conversation.started_at,
        "edition": EDITION,
        "marks": f" {marks} " if marks else "",
        "customer": _stored(conversation.customer),
        "agent": _stored(conversation.agent),
    }


def _stored(sentences: Iterable[str]) -> str:
    left, kept = MAX_SAID, []
    for sentence in sentences:
        if left <= 0:
            break
        cut = normalise(sentence)[:left]
        left -= len(cut)
        if cut:
            kept.append(marked(cut))
    return FIELD.join(kept)


def _tokens(marks: str, customer: str, agent: str) -> list[str]:
    found = dict.fromkeys(audience_token(mark).text for mark in marks.split())
    for speaker, said in ((CUSTOMER, customer), (AGENT, agent)):
        found.update(dict.fromkeys(speaker + token for token in tokens_of(said)))
    return list(found)


async def _free_id(session: AsyncSession, wanted: int) -> int:
    column = SaidCall.id
    while True:
        query = select(column).where(column >= wanted, column < wanted + _GAP)
        used = set((await session.execute(query)).scalars())
        for number in range(wanted, wanted + _GAP):
            if number not in used:
                return number
        wanted += _GAP


async def _index(session: AsyncSession, number: int, tokens: list[str]) -> None:
    if _on_sqlite(session):
        await session.execute(_SQLITE_INSERT, {"id": number, "tokens": " ".join(tokens)})
    else:
        await session.execute(_POSTGRES_INSERT, {"id": number, "tokens": tokens})


def _on_sqlite(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "sqlite"


_SQLITE_INSERT = text("INSERT INTO said_fts(rowid, tokens) VALUES (:id, :tokens)")
_SQLITE_DELETE = text("INSERT INTO said_fts(said_fts, rowid, tokens) VALUES ('delete', :id, :tokens)")
_SQLITE_CLEAR = text("INSERT INTO said_fts(said_fts) VALUES ('delete-all')")
_POSTGRES_INSERT = text(
    "INSERT INTO said_fts(id, tokens) VALUES (:id, array_to_tsvector(CAST(:tokens AS text[])))"
)
_POSTGRES_DELETE = text("DELETE FROM said_fts WHERE id = :id")
_POSTGRES_CLEAR = text("DELETE FROM said_fts")
