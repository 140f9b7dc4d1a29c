"""Supervisors listen to calls, whisper, barge in, take over: what they may ask for, and what became of it.

A wish is a row, so that it outlives every process; :class:`telephony.listening_keeper.ListeningKeeper` brings
the PBX in line with it. Each begin, change and end is in the audit log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, NotFound
from kernel.ids import is_ulid, new_ulid
from telephony.domain.listening import ListeningEnd, Mode
from telephony.listening_events import ListeningWished
from telephony.listening_tables import ListeningRow
from telephony.tables import CallRow

_MAX_HOPS = 5
MOST = 200


class NotListenable(Conflict):
    """Nobody of ours is talking in this call."""

    code = "call_not_listenable"


class ListensAlready(Conflict):
    """The supervisor's telephone is on another call's line already."""

    code = "listens_already"


class TakenOver(Conflict):
    """Another supervisor takes this call over, or has done."""

    code = "call_taken_over"


class ListeningOver(Conflict):
    """It is over."""

    code = "listening_over"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningView:
    """A supervisor on a call.

    Attributes:
        wanted: what they asked for; ``None``: to leave.
        now: what the telephone system does; ``None`` until they answer, and while nobody may listen.
    """

    listening_id: str
    call_id: str
    agent_number: str | None
    listener_number: str
    by: str
    by_id: str
    wanted: Mode | None
    now: Mode | None
    began_at: datetime
    answered_at: datetime | None
    taken_at: datetime | None
    ended_at: datetime | None
    ended_why: ListeningEnd | None

    @property
    def is_open(self) -> bool:
        """Whether it lasts."""
        return self.ended_at is None


class Listenings:
    """Takes wishes. Safe to use from many tasks and processes."""

    def __init__(self, database: Database, clock: Clock, bus: Bus) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus
        self._audit = AuditLog(database, clock)

    async def begin(self, actor: Actor, call_id: str, listener_number: str, mode: Mode) -> ListeningView:
        """Have the supervisor's telephone rung and put on a call. One at a time for each.

        Raises:
            Forbidden: the role may not listen.
            NotFound: no such call.
            NotListenable: no agent talks in it, or only the supervisor themselves.
            ListensAlready: they are on a call already.
            TakenOver: somebody else takes it over.
        """
        actor.need(Permission.CALLS_LISTEN)
        try:
            async with self._database.transaction() as session:
                call = await self._call(session, call_id)
                self._check(call, listener_number)
                row = ListeningRow(
                    listening_id=new_ulid(),
                    call_id=call.call_id,
                    node=call.node,
                    agent_number=call.agent_number,
                    listener_number=listener_number,
                    open_listener=listener_number,
                    open_taking=call.call_id if mode is Mode.TAKE_OVER else None,
                    by=actor.name[:80],
                    by_id=actor.user_id[:26],
                    wanted=mode.value,
                    began_at=self._clock.now(),
                )
                session.add(row)
                await session.flush()
                await self._note(session, actor.name, f"call.{mode.value}", row, ip=actor.ip)
                view = view_of(row)
        except IntegrityError as error:
            raise await self._why_not(call_id, listener_number) from error
        self._tell(view)
        return view

    async def _why_not(self, call_id: str, listener_number: str) -> Conflict:
        async with self._database.session() as session:
            query = select(ListeningRow.listening_id).where(ListeningRow.open_listener == listener_number)
            if await session.scalar(query) is not None:
                return ListensAlready("you are listening to a call already: leave it first", field="call_id")
        return TakenOver("another supervisor is taking this call over", field="call_id")

    @staticmethod
    def _check(call: CallRow, listener_number: str) -> None:
        if call.ended_at is not None or call.answered_at is None or call.agent_number is None:
            raise NotListenable("nobody of ours is talking in this call now", field="call_id")
        if call.agent_number == listener_number:
            raise NotListenable("this is your own call", field="call_id")

    async def change(self, actor: Actor, listening_id: str, mode: Mode) -> ListeningView:
        """Go over to another mode, without a new call. Asked for twice it is done once.

        Raises:
            Forbidden: the role may not listen, or it is somebody else's ear.
            NotFound, ListeningOver: there is none, or it is over.
            TakenOver: another supervisor takes the call over.
        """
        try:
            async with self._database.transaction() as session:
                row = await self._own(session, actor, listening_id)
                if row.ended_at is not None or row.wanted is None:
                    raise ListeningOver("this is over", field="listening_id")
                if row.taken_at is not None or row.wanted == mode.value:
                    return view_of(row)
                row.wanted = mode.value
                row.open_taking = row.call_id if mode is Mode.TAKE_OVER else None
                await session.flush()
                await self._note(session, actor.name, f"call.{mode.value}", row, ip=actor.ip)
                view = view_of(row)
        except IntegrityError as error:
            raise TakenOver("another supervisor is taking this call over", field="mode") from error
        self._tell(view)
        return view

    async def leave(self, actor: Actor, listening_id: str) -> ListeningView:
        """End it; one that is over stays as it ended. Raises Forbidden, NotFound."""
        async with self._database.transaction() as session:
            row = await self._own(session, actor, listening_id)
            if row.ended_at is None and row.wanted is not None:
                row.wanted = None
                await session.flush()
            view = view_of(row)
        self._tell(view)
        return view

    async def open_ones(self, actor: Actor) -> tuple[ListeningView, ...]:
        """Return who listens now, oldest first. Raises Forbidden."""
        actor.need(Permission.CALLS_LISTEN)
        query = (
            select(ListeningRow).where(ListeningRow.ended_at.is_(None)).order_by(ListeningRow.listening_id)
        )
        async with self._database.session() as session:
            return tuple(view_of(row) for row in await session.scalars(query.limit(MOST)))

    # What the keeper finds out

    async def keep(self, listening_id: str, **facts: Any) -> ListeningView | None:
        """Write down what the PBX does (``now``, ``rung_at``, ``answered_at``, ``taken_at``)."""
        async with self._database.transaction() as session:
            row = await session.get(ListeningRow, listening_id, with_for_update=True)
            if row is None or row.ended_at is not None:
                return None
            for name, value in facts.items():
                setattr(row, name, value)
            await session.flush()
            return view_of(row)

    async def pressed(self, listening_id: str, mode: Mode) -> None:
        """Take that the supervisor chose a mode with a key of their telephone."""
        async with self._database.transaction() as session:
            row = await session.get(ListeningRow, listening_id, with_for_update=True)
            if row is None or row.ended_at is not None or row.wanted is None or row.wanted == mode.value:
                return
            row.wanted, row.open_taking = mode.value, None
            await session.flush()
            await self._note(session, row.by, f"call.{mode.value}", row, key=True)

    async def not_taken(self, listening_id: str) -> None:
        """Take that a call could not be taken over: the supervisor listens."""
        async with self._database.transaction() as session:
            row = await session.get(ListeningRow, listening_id, with_for_update=True)
            if row is None or row.ended_at is not None or row.wanted != Mode.TAKE_OVER.value:
                return
            row.wanted, row.open_taking = Mode.LISTEN.value, None
            await session.flush()
            await self._note(session, row.by, "call.take_over_failed", row)

    async def end(self, listening_id: str, why: ListeningEnd) -> None:
        """Take that it is over; one that is over already stays as it ended."""
        async with self._database.transaction() as session:
            row = await session.get(ListeningRow, listening_id, with_for_update=True)
            if row is None or row.ended_at is not None:
                return
            row.ended_at, row.ended_why = self._clock.now(), why.value
            row.open_listener = row.open_taking = row.now = None
            await session.flush()
            await self._note(session, row.by, "call.listening_ended", row, why=why.value)

    # Inside

    def _tell(self, view: ListeningView) -> None:
        self._bus.publish(ListeningWished(at=self._clock.now(), listening_id=view.listening_id))

    async def _note(
        self, session: AsyncSession, by: str, action: str, row: ListeningRow, *, ip: str = "", **more: Any
    ) -> None:
        detail: Mapping[str, Any] = {
            "listening_id": row.listening_id,
            "agent": row.agent_number,
            "phone": row.listener_number,
            **more,
        }
        await self._audit.record(
            action, actor=by, ip=ip, entity="call", entity_id=row.call_id, detail=detail, session=session
        )

    @staticmethod
    async def _own(session: AsyncSession, actor: Actor, listening_id: str) -> ListeningRow:
        actor.need(Permission.CALLS_LISTEN)
        row = None
        if is_ulid(listening_id):
            row = await session.get(ListeningRow, listening_id, with_for_update=True)
        if row is None or (row.by_id != actor.user_id and actor.role is not None):
            raise NotFound("you are not listening to such a call", field="listening_id")
        return row

    @staticmethod
    async def _call(session: AsyncSession, call_id: str) -> CallRow:
        for _ in range(_MAX_HOPS):
            row = await session.get(CallRow, call_id) if is_ulid(call_id) else None
            if row is None:
                break
            if row.merged_into is None:
                return row
            call_id = row.merged_into
        raise NotFound("no such call", field="call_id")


async def unsettled(session: AsyncSession, node: str) -> Sequence[ListeningRow]:
    """Return a node's listenings that are not over."""
    query = select(ListeningRow).where(ListeningRow.ended_at.is_(None), ListeningRow.node == node)
    return (await session.scalars(query.order_by(ListeningRow.listening_id).limit(MOST))).all()


def view_of(row: ListeningRow) -> ListeningView:
    """Return a row as the outside sees it."""
    return ListeningView(
        listening_id=row.listening_id,
        call_id=row.call_id,
        agent_number=row.agent_number,
        listener_number=row.listener_number,
        by=row.by,
        by_id=row.by_id,
        wanted=Mode(row.wanted) if row.wanted else None,
        now=Mode(row.now) if row.now else None,
        began_at=row.began_at,
        answered_at=row.answered_at,
        taken_at=row.taken_at,
        ended_at=row.ended_at,
        ended_why=ListeningEnd(row.ended_why) if row.ended_why else None,
    )
