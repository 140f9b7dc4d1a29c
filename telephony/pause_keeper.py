"""Keeps the PBX's recordings in line with pauses: silent while one lasts, and never for longer.

A silenced recording goes on in time, in all its files: what is said later stands where it belongs. Whatever
fails is tried again a moment later; a recording that cannot be made to go on stays silent, never the other
way about.
"""

import asyncio
from datetime import datetime, timedelta

import structlog
from prometheus_client import Gauge
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import HuifangError
from telephony.ami.actions import AmiActions
from telephony.ami.errors import AmiError, AmiRejected
from telephony.domain.call import Call
from telephony.events import CallMerged, ListeningPaused, ListeningResumed
from telephony.recording_pause_tables import RecordingPauseRow
from telephony.recording_pauses import PauseEnd, RecordingPauses, unsettled
from telephony.tap_ports import Calls

log = structlog.get_logger(__name__)

PAUSED = Gauge("huifang_recordings_paused", "Calls whose recording is paused", ["node"])
EVERY = timedelta(seconds=1)
SOON = timedelta(minutes=5)
"""A call that is not known for so long after its pause began is over."""


class PauseKeeper:
    """Give :meth:`run` to the supervisor; one of a node."""

    def __init__(
        self,
        node: str,
        calls: Calls,
        actions: AmiActions,
        pauses: RecordingPauses,
        *,
        database: Database,
        bus: Bus,
        clock: Clock,
    ) -> None:
        self._node = node
        self._calls = calls
        self._actions = actions
        self._pauses = pauses
        self._database = database
        self._bus = bus
        self._clock = clock
        self._muted: dict[str, set[str]] = {}

    async def run(self) -> None:
        """Work until cancelled: at once when something is asked for, and every second."""
        heard = (ListeningPaused, ListeningResumed, CallMerged)
        async with self._bus.subscribe(*heard, name="pause_keeper", maxsize=1000) as changes:
            item: object = None
            while True:
                try:
                    if isinstance(item, CallMerged):
                        await self._merge(item)
                    item = None
                    await self.settle()
                except (SQLAlchemyError, OSError, HuifangError) as error:
                    log.warning("pauses_not_kept", node=self._node, error=type(error).__name__)
                try:
                    async with asyncio.timeout(EVERY.total_seconds()):
                        item = await changes.get()
                except TimeoutError:
                    pass

    async def _merge(self, event: CallMerged) -> None:
        """Take that a call became part of another: its pause is over, so that no two last."""
        table = RecordingPauseRow
        async with self._database.session() as session:
            rows = [row for row in await unsettled(session, self._node) if row.call_id == event.call_id]
        for row in rows:
            await self._pauses.end(row.pause_id, PauseEnd.TRANSFERRED)
        async with self._database.transaction() as session:
            moved = update(table).where(table.call_id == event.call_id).values(call_id=event.into_call_id)
            await session.execute(moved, execution_options={"synchronize_session": False})

    async def settle(self) -> None:
        """Bring every pause and the PBX in line with each other once."""
        async with self._database.session() as session:
            rows = await unsettled(session, self._node)
        now = self._clock.now()
        lasting = 0
        for row in rows:
            call = self._calls.get(row.call_id)
            if call is None and now - row.began_at < SOON and now < row.until:
                continue  # not known yet
            lasting += row.ended_at is None
            why = self._over(row, call, now)
            if why is not None and row.ended_at is None:
                await self._pauses.end(row.pause_id, why)
            if call is None or not call.is_open:
                await self._settled(row, now)
            elif row.ended_at is not None or why is not None:
                if await self._mute(row, call, muted=False):
                    await self._settled(row, now)
            elif await self._mute(row, call, muted=True) and row.muted_at is None:
                await self._note(row, muted_at=self._clock.now())
                # Told again: pages say «paused» only when it is so.
                self._bus.publish(ListeningPaused(at=now, call_id=row.call_id, by=row.by))
        PAUSED.labels(self._node).set(lasting)

    def _over(self, row: RecordingPauseRow, call: Call | None, now: datetime) -> PauseEnd | None:
        if call is None or not call.is_open:
            return PauseEnd.CALL_ENDED
        if call.agent_number != row.agent_number and row.agent_number is not None:
            return PauseEnd.TRANSFERRED
        return PauseEnd.TIME if now >= row.until else None

    async def _mute(self, row: RecordingPauseRow, call: Call, *, muted: bool) -> bool:
        """Silence the recording on each channel of a call, or let it go on; return whether all are done."""
        done = self._muted.setdefault(row.pause_id, set())
        for leg in tuple(call.live.values()):
            if muted and leg.uniqueid in done:
                continue
            try:
                await self._actions.mixmonitor_mute(leg.channel, muted=muted)
            except AmiRejected:
                continue  # nothing is recorded on this channel; one of another channel is enough
            except AmiError as error:
                log.warning("recording_not_muted", call_id=row.call_id, muted=muted, error=error.code)
                return False
            done.add(leg.uniqueid)
        return True

    async def _settled(self, row: RecordingPauseRow, now: datetime) -> None:
        self._muted.pop(row.pause_id, None)
        await self._note(row, settled_at=now)

    async def _note(self, row: RecordingPauseRow, **values: datetime) -> None:
        async with self._database.transaction() as session:
            mine = update(RecordingPauseRow).where(RecordingPauseRow.pause_id == row.pause_id)
            await session.execute(mine.values(**values), execution_options={"synchronize_session": False})
