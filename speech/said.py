"""What was said, for whoever makes it findable: which calls changed, and their sentences as people read them.

Whoever writes a text notes its call in the same transaction (:func:`changed`); some seconds after the last
words the call is read once (:class:`ChangedCalls`). A correction is read at once.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.db import Database
from kernel.due import DueWorker
from speech.events import AGENT
from speech.said_tables import SaidJobRow
from speech.tables import SegmentRow

QUIET = timedelta(seconds=20)
"""After the last words of a call that goes on, until it is read."""
AT_ONCE = datetime(2000, 1, 1, tzinfo=UTC)
"""A moment that is always over."""
BATCH = 20
CHUNK = 200
MOST_LINES = 10_000
"""Sentences of one speaker in one call that are read."""
_SHOWN = func.coalesce(SegmentRow.corrected, SegmentRow.text).label("shown")
_KEPT = (SegmentRow.gap.is_(None), SegmentRow.replaced_at.is_(None))


@dataclass(slots=True)
class Spoken:
    """What was said in a call, sentence by sentence in the order of time."""

    customer: list[str] = field(default_factory=list)
    agent: list[str] = field(default_factory=list)
    agent_numbers: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence as people read it; ``start`` in seconds since the call began."""

    segment_id: str
    speaker: str
    start: float
    text: str


async def changed(session: AsyncSession, call_ids: Iterable[str], *, at: datetime) -> None:
    """Note that what was said in calls is to be read again at a moment, in the caller's transaction."""
    rows = [
        {"call_id": one, "due_at": at, "claimed_by": None, "claimed_until": None, "tries": 0}
        for one in sorted(set(call_ids))
    ]
    if not rows:
        return
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = sqlite.insert(SaidJobRow) if on_sqlite else postgresql.insert(SaidJobRow)
    anew = {name: insert.excluded[name] for name in ("due_at", "claimed_by", "claimed_until", "tries")}
    await session.execute(insert.on_conflict_do_update(index_elements=["call_id"], set_=anew), rows)


async def spoken_in(session: AsyncSession, call_ids: Sequence[str]) -> dict[str, Spoken]:
    """Return what was said in calls; one of which nothing is known has no entry."""
    found: dict[str, Spoken] = {}
    query = (
        select(SegmentRow.call_id, SegmentRow.speaker, SegmentRow.agent_number, _SHOWN)
        .where(SegmentRow.call_id.in_(call_ids), *_KEPT)
        .order_by(SegmentRow.call_id, SegmentRow.started_ms, SegmentRow.segment_id)
    )
    for row in await session.execute(query):
        if not row.shown:
            continue
        said = found.setdefault(row.call_id, Spoken())
        sentences = said.agent if row.speaker == AGENT else said.customer
        if len(sentences) < MOST_LINES:
            sentences.append(row.shown)
        if row.agent_number and row.agent_number not in said.agent_numbers:
            said.agent_numbers.append(row.agent_number)
    return found


async def sentences_of(
    session: AsyncSession, call_ids: Sequence[str], *, speaker: str | None = None
) -> dict[str, list[Sentence]]:
    """Return the sentences of calls in the order of time, of one speaker or both."""
    query = (
        select(SegmentRow.call_id, SegmentRow.segment_id, SegmentRow.speaker, SegmentRow.started_ms, _SHOWN)
        .where(SegmentRow.call_id.in_(call_ids), *_KEPT)
        .order_by(SegmentRow.call_id, SegmentRow.started_ms, SegmentRow.segment_id)
    )
    if speaker is not None:
        query = query.where(SegmentRow.speaker == speaker)
    found: dict[str, list[Sentence]] = {}
    for row in await session.execute(query):
        if row.shown:
            sentence = Sentence(row.segment_id, row.speaker, row.started_ms / 1000, row.shown)
            found.setdefault(row.call_id, []).append(sentence)
    return found


async def calls_with_words(session: AsyncSession, after: str, limit: int = CHUNK) -> Sequence[str]:
    """Return the next calls of which something is known, in the order of their ids."""
    query = (
        select(SegmentRow.call_id)
        .where(SegmentRow.call_id > after)
        .distinct()
        .order_by(SegmentRow.call_id)
        .limit(limit)
    )
    return (await session.scalars(query)).all()


async def waiting(session: AsyncSession, call_ids: Sequence[str]) -> set[str]:
    """Return those of the calls that are still to be read."""
    query = select(SaidJobRow.call_id).where(SaidJobRow.call_id.in_(call_ids))
    return set(await session.scalars(query))


Reader = Callable[[AsyncSession, Sequence[str]], Awaitable[Iterable[str]]]
"""Gets calls to read; returns those that are not over yet, which are read later."""


class ChangedCalls:
    """Has every call read whose words changed. Give :meth:`run` to the supervisor."""

    def __init__(self, database: Database, clock: Clock, read: Reader, *, worker: str) -> None:
        self._database = database
        self._clock = clock
        self._read = read
        self._worker = DueWorker(
            database,
            clock,
            SaidJobRow,
            self._handle,
            worker=worker,
            lease=timedelta(minutes=1),
            poll=timedelta(seconds=1),
            batch=BATCH,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        await self._worker.run()

    async def run_once(self) -> int:
        """Read the first calls that are due; return how many."""
        return await self._worker.run_once()

    async def _handle(self, rows: Sequence[SaidJobRow]) -> None:
        async with self._database.transaction() as session:
            later = set(await self._read(session, [row.call_id for row in rows]))
            for row in rows:
                # Words that came meanwhile have moved the moment: then it is read once more.
                mine = (SaidJobRow.call_id == row.call_id, SaidJobRow.claimed_until == row.claimed_until)
                if row.call_id in later:
                    wait = self._clock.now() + QUIET * min(2 ** min(row.tries, 8), 180)
                    values = {"due_at": wait, "claimed_by": None, "claimed_until": None}
                    change = update(SaidJobRow).where(*mine).values(values)
                    await session.execute(change, execution_options={"synchronize_session": False})
                else:
                    gone = delete(SaidJobRow).where(*mine)
                    await session.execute(gone, execution_options={"synchronize_session": False})
