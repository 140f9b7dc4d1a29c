"""How good a call's line was, as the agent's browser measured it: kept with the call.

Delay, loss and jitter are what tells «I cannot hear you» of a customer from that of a headset.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from sqlalchemy import exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, NotFound
from kernel.ids import is_ulid, new_ulid
from telephony.call_quality_tables import CallQualityRow
from telephony.tables import CallLegRow, CallRow

MOST = 20
"""Stretches of one agent in one call; a page that is loaded again begins another."""
_MAX_HOPS = 5


@dataclass(frozen=True, slots=True)
class Spread:
    """Of one measure: its lowest, mean and highest value."""

    low: float
    mean: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What was measured; ``None`` where the browser did not tell.

    Attributes:
        rtt_ms: there and back, in milliseconds.
        loss_in: per cent of the packets to the agent that did not come; ``loss_out``: of those from them.
        jitter_in_ms: of what the agent hears, in milliseconds; ``jitter_out_ms``: of what they say.
    """

    rtt_ms: Spread | None = None
    loss_in: Spread | None = None
    loss_out: Spread | None = None
    jitter_in_ms: Spread | None = None
    jitter_out_ms: Spread | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityView:
    """How one agent's line was in one call."""

    agent: str
    seconds: int
    poor_seconds: int
    measures: Measures


class CallQualities:
    """Keeps what browsers measured."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def keep(
        self,
        call_id: str,
        *,
        agent_id: str,
        agent_number: str,
        stretch: str,
        seconds: int,
        poor_seconds: int,
        measures: Measures,
    ) -> None:
        """Keep what a page has measured so far; the same stretch told again replaces what it told before.

        Raises:
            NotFound: the call is not on record, or not yet.
            Forbidden: the agent has no part in it.
            Conflict: too many stretches.
        """
        spreads = {name: [s["low"], s["mean"], s["high"]] for name, s in asdict(measures).items() if s}
        for last in (False, True):
            try:
                async with self._database.transaction() as session:
                    call_id = await _own_call(session, call_id, agent_number)
                    row = await self._row(session, call_id, agent_id, agent_number, stretch)
                    row.seconds, row.poor_seconds, row.measures = seconds, poor_seconds, spreads
                    row.noted_at = self._clock.now()
                    session.add(row)
                return
            except IntegrityError:  # the same was told twice at the same moment
                if last:
                    raise

    async def _row(
        self, session: AsyncSession, call_id: str, agent_id: str, agent_number: str, stretch: str
    ) -> CallQualityRow:
        table = CallQualityRow
        mine = (table.call_id == call_id, table.agent_id == agent_id)
        found = await session.scalar(select(table).where(*mine, table.stretch == stretch).with_for_update())
        if found is not None:
            return found
        if (await session.scalar(select(func.count()).where(*mine)) or 0) >= MOST:
            raise Conflict("this call has been measured in too many pieces", field="stretch")
        return table(
            quality_id=new_ulid(),
            call_id=call_id,
            agent_id=agent_id,
            agent_number=agent_number,
            stretch=stretch,
        )


async def qualities_of(session: AsyncSession, call_id: str) -> tuple[QualityView, ...]:
    """Return how the lines of a call were, in the order in which they were first told."""
    table = CallQualityRow
    query = select(table).where(table.call_id == call_id).order_by(table.quality_id).limit(100)
    return tuple(
        QualityView(
            agent=row.agent_number,
            seconds=row.seconds,
            poor_seconds=row.poor_seconds,
            measures=_measures(row.measures),
        )
        for row in await session.scalars(query)
    )


def _measures(stored: dict[str, list[float]]) -> Measures:
    known = {field.name for field in fields(Measures)}
    return Measures(**{name: _spread(three) for name, three in stored.items() if name in known})


def _spread(three: Sequence[float]) -> Spread:
    low, mean, high = three
    return Spread(low, mean, high)


async def _own_call(session: AsyncSession, call_id: str, agent_number: str) -> str:
    """Return the id of the call, or of the one it became part of."""
    row: CallRow | None = None
    for _ in range(_MAX_HOPS):
        row = await session.get(CallRow, call_id) if is_ulid(call_id) else None
        if row is None or row.merged_into is None:
            break
        call_id = row.merged_into
    if row is None:
        raise NotFound("no such call on record", field="call_id")
    theirs = exists().where(CallLegRow.call_id == row.call_id, CallLegRow.agent_number == agent_number)
    if row.agent_number != agent_number and not await session.scalar(select(theirs)):
        raise Forbidden("agents measure their own calls", field="call_id")
    return row.call_id
