"""While a customer says a card number nothing is recorded and no text is made: pauses, begun and ended.

A pause is a row, so that it outlives every process; :class:`telephony.pause_keeper.PauseKeeper` brings the
PBX in line with it and ends it when its time is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, NotFound
from kernel.ids import is_ulid, new_ulid
from telephony.events import ListeningPaused, ListeningResumed
from telephony.recording_pause_tables import RecordingPauseRow
from telephony.tables import CallRow

_MAX_HOPS = 5


class PauseWhy(StrEnum):
    """Who or what began it."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    AUTOMATIC = "automatic"
    """A card number was asked for or being said."""


class PauseEnd(StrEnum):
    """How it ended."""

    RESUMED = "resumed"
    TIME = "time"
    TRANSFERRED = "transferred"
    CALL_ENDED = "call_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseView:
    """One pause. ``muted_at`` is ``None`` until the PBX has done it; ``ended_at`` while it lasts."""

    pause_id: str
    call_id: str
    by: str
    why: PauseWhy
    began_at: datetime
    until: datetime
    muted_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None
    ended_why: PauseEnd | None

    @property
    def is_open(self) -> bool:
        """Whether it lasts."""
        return self.ended_at is None


def state_of(pauses: Sequence[PauseView]) -> Literal["running", "pausing", "paused"]:
    """Return how a recording is after all its pauses; ``pausing`` until the PBX has done it."""
    last = pauses[-1] if pauses else None
    if last is None or not last.is_open:
        return "running"
    return "pausing" if last.muted_at is None else "paused"


class RecordingPauses:
    """Begins and ends pauses.

    Args:
        longest: after so long a pause ends by itself.
        automatic: after so long one that nobody asked for does.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        bus: Bus,
        *,
        longest: timedelta = timedelta(minutes=2),
        automatic: timedelta = timedelta(seconds=45),
    ) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus
        self._longest = longest
        self._automatic = automatic
        self._audit = AuditLog(database, clock)

    async def pause(
        self, actor: Actor, call_id: str, *, agent_id: str | None = None, automatic: bool = False
    ) -> PauseView:
        """Begin a pause; one that lasts goes on for as long as a new one would.

        Args:
            agent_id: of the agent who asks, if one does.

        Raises:
            NotFound: no such call.
            Forbidden: neither the call's own agent nor somebody who may hear every call.
            Conflict: the call is over.
        """
        now = self._clock.now()
        try:
            view = await self._begin(actor, call_id, agent_id, now, automatic=automatic)
        except IntegrityError:  # somebody else began one at the same moment
            view = await self._begin(actor, call_id, agent_id, now, automatic=automatic)
        self._bus.publish(ListeningPaused(at=now, call_id=view.call_id, by=actor.name))
        return view

    async def _begin(
        self, actor: Actor, call_id: str, agent_id: str | None, now: datetime, *, automatic: bool
    ) -> PauseView:
        async with self._database.transaction() as session:
            call = await self._call(session, actor, call_id, agent_id, automatic=automatic)
            if call.ended_at is not None:
                raise Conflict("the call is over", field="call_id")
            row = await _open(session, call.call_id)
            until = now + (self._automatic if automatic else self._longest)
            if row is not None:
                row.until = max(row.until, until)
                await session.flush()
                return _view(row)
            why = PauseWhy.AUTOMATIC if automatic else PauseWhy.SUPERVISOR
            if not automatic and agent_id is not None and agent_id == call.agent_id:
                why = PauseWhy.AGENT
            row = RecordingPauseRow(
                pause_id=new_ulid(),
                call_id=call.call_id,
                node=call.node,
                open_call=call.call_id,
                agent_number=call.agent_number,
                by=actor.name[:80],
                by_id=actor.user_id,
                why=why.value,
                began_at=now,
                until=until,
            )
            session.add(row)
            await session.flush()
            await self._note(session, actor.name, "recording.paused", row, why.value)
            return _view(row)

    async def resume(self, actor: Actor, call_id: str, *, agent_id: str | None = None) -> PauseView | None:
        """End a call's pause; return it, ``None`` where there was none.

        Raises:
            NotFound: no such call.
            Forbidden: neither the call's own agent nor somebody who may hear every call.
        """
        async with self._database.transaction() as session:
            call = await self._call(session, actor, call_id, agent_id)
            row = await _open(session, call.call_id)
            if row is None:
                return None
            await self._end(session, row, PauseEnd.RESUMED, actor.name)
            view = _view(row)
        self._bus.publish(ListeningResumed(at=self._clock.now(), call_id=view.call_id, by=actor.name))
        return view

    async def end(self, pause_id: str, why: PauseEnd) -> None:
        """End a pause whose time is over; one that is over already stays as it ended."""
        async with self._database.transaction() as session:
            row = await session.get(RecordingPauseRow, pause_id, with_for_update=True)
            if row is None or row.ended_at is not None:
                return
            await self._end(session, row, why, "")
            call_id = row.call_id
        self._bus.publish(ListeningResumed(at=self._clock.now(), call_id=call_id))

    async def of_call(
        self, actor: Actor, call_id: str, *, agent_id: str | None = None
    ) -> tuple[PauseView, ...]:
        """Return a call's pauses, oldest first. Raises NotFound, Forbidden."""
        async with self._database.session() as session:
            call = await self._call(session, actor, call_id, agent_id)
            return await pauses_of(session, call.call_id)

    async def _end(self, session: AsyncSession, row: RecordingPauseRow, why: PauseEnd, by: str) -> None:
        row.ended_at, row.open_call = self._clock.now(), None
        row.ended_by, row.ended_why = by[:80] or None, why.value
        await session.flush()
        await self._note(session, by or "system", "recording.resumed", row, why.value)

    async def _note(
        self, session: AsyncSession, by: str, action: str, row: RecordingPauseRow, why: str
    ) -> None:
        await self._audit.record(
            action,
            actor=by,
            entity="call",
            entity_id=row.call_id,
            detail={"pause_id": row.pause_id, "why": why},
            session=session,
        )

    async def _call(
        self,
        session: AsyncSession,
        actor: Actor,
        call_id: str,
        agent_id: str | None,
        *,
        automatic: bool = False,
    ) -> CallRow:
        row: CallRow | None = None
        for _ in range(_MAX_HOPS):
            row = await session.get(CallRow, call_id) if is_ulid(call_id) else None
            if row is None or row.merged_into is None:
                break
            call_id = row.merged_into
        if row is None:
            raise NotFound("no such call", field="call_id")
        if automatic or actor.can(Permission.RECORDINGS_PLAY):
            return row
        if agent_id is not None and actor.can(Permission.DESK_USE) and row.agent_id == agent_id:
            return row
        raise Forbidden("agents pause their own calls", field="call_id")


async def pauses_of(session: AsyncSession, call_id: str) -> tuple[PauseView, ...]:
    """Return a call's pauses, oldest first."""
    query = (
        select(RecordingPauseRow)
        .where(RecordingPauseRow.call_id == call_id)
        .order_by(RecordingPauseRow.began_at, RecordingPauseRow.pause_id)
        .limit(200)
    )
    return tuple(_view(row) for row in await session.scalars(query))


async def unsettled(session: AsyncSession, node: str) -> Sequence[RecordingPauseRow]:
    """Return a node's pauses that last, or that its PBX does not know the end of."""
    table = RecordingPauseRow
    query = select(table).where(table.settled_at.is_(None), table.node == node).limit(1000)
    return (await session.scalars(query)).all()


async def open_pauses(session: AsyncSession) -> tuple[PauseView, ...]:
    """Return the pauses that last, of all calls, oldest first."""
    table = RecordingPauseRow
    query = select(table).where(table.open_call.is_not(None)).order_by(table.began_at, table.pause_id)
    return tuple(_view(row) for row in await session.scalars(query.limit(500)))


async def paused_calls(session: AsyncSession) -> frozenset[str]:
    """Return the calls that are paused."""
    query = select(RecordingPauseRow.open_call).where(RecordingPauseRow.open_call.is_not(None))
    return frozenset(one for one in await session.scalars(query) if one is not None)


async def _open(session: AsyncSession, call_id: str) -> RecordingPauseRow | None:
    query = select(RecordingPauseRow).where(RecordingPauseRow.open_call == call_id).with_for_update()
    found: RecordingPauseRow | None = await session.scalar(query)
    return found


def _view(row: RecordingPauseRow) -> PauseView:
    return PauseView(
        pause_id=row.pause_id,
        call_id=row.call_id,
        by=row.by,
        why=PauseWhy(row.why),
        began_at=row.began_at,
        until=row.until,
        muted_at=row.muted_at,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        ended_why=PauseEnd(row.ended_why) if row.ended_why else None,
    )
