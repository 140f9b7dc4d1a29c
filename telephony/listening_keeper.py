"""Brings the PBX in line with what supervisors asked for: rings them, puts them on a call, lets them take it.

Level, not edge: every look compares the wishes (rows), the ears (channels) and the calls, and does what lies
between; what fails is looked at again a second later. Where a telephone was rung once it is never rung again.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.exc import SQLAlchemyError

from kernel.bus import Bus, Lagged
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import HuifangError
from telephony.ami.actions import AmiActions
from telephony.ami.epoch import EpochEnded, EpochStarted
from telephony.ami.errors import AmiDown, AmiError, AmiNoSuch
from telephony.ami.message import AmiEvent
from telephony.ami.results import CallerId, OriginateAccepted
from telephony.domain.call import Call
from telephony.domain.call_ears import HEARD
from telephony.domain.leg import Leg, LegKind
from telephony.domain.listening import (
    EAR,
    KEYS,
    SILENCE,
    Close,
    Ear,
    HangUp,
    Heard,
    ListeningEnd,
    Mode,
    Move,
    Order,
    Ring,
    Take,
    decide,
    is_ear,
)
from telephony.events import (
    CallAnswered,
    CallEnded,
    CallMerged,
    CallProgressed,
    LinkStateChanged,
    ListeningPaused,
    ListeningResumed,
)
from telephony.listening_events import ListeningChanged, ListeningWished
from telephony.listening_tables import ListeningRow
from telephony.listenings import Listenings, unsettled
from telephony.recording_pauses import paused_calls
from telephony.tap_ports import Calls

log = structlog.get_logger(__name__)

LISTENING = Gauge("huifang_listening", "Supervisors who are on calls", ["node"])
ORDERS = Counter("huifang_listening_orders_total", "Orders for supervisors on calls", ["order", "outcome"])

EVENTS = ("Hangup", "UserEvent")
_CONTEXT, _TAKES = "huifang-ear", "huifang-take"
_MODE_OF = {key: mode for mode, key in KEYS.items()}
_HEARD = (
    ListeningWished,
    ListeningPaused,
    ListeningResumed,
    CallAnswered,
    CallProgressed,
    CallMerged,
    CallEnded,
    LinkStateChanged,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperConfig:
    """Patience.

    Attributes:
        every: how often everything is looked at without a reason.
        ring: how long a supervisor's telephone rings.
        settle: so long an order may take to be seen before it is given again.
        meet: so long two who are to be connected may take to get to their places.
    """

    every: timedelta = timedelta(seconds=1)
    ring: timedelta = timedelta(seconds=25)
    settle: timedelta = timedelta(seconds=3)
    meet: timedelta = timedelta(seconds=3)


@dataclass(slots=True)
class _Ear:
    """A supervisor's channel as the PBX told of it last; ``patient_until``: an order is on its way."""

    channel: str
    ear: Ear
    patient_until: float = 0.0


class ListeningKeeper:
    """Give :meth:`sink` to the ingest for :data:`EVENTS`, and :meth:`run` to the supervisor; one of a node.

    Args:
        live: whether the PBX is followed now, and its calls are known.
    """

    def __init__(
        self,
        node: str,
        calls: Calls,
        actions: AmiActions,
        listenings: Listenings,
        *,
        live: Callable[[], bool],
        database: Database,
        bus: Bus,
        clock: Clock,
        config: KeeperConfig | None = None,
    ) -> None:
        self._node = node
        self._calls = calls
        self._actions = actions
        self._listenings = listenings
        self._live = live
        self._database = database
        self._bus = bus
        self._clock = clock
        self._config = config or KeeperConfig()
        self._ears: dict[str, _Ear] = {}
        self._ringing: dict[str, asyncio.Task[None]] = {}
        self._outcomes: dict[str, ListeningEnd] = {}
        self._pressed: list[tuple[str, Mode]] = []
        self._told: dict[str, tuple[str | None, bool]] = {}
        self._hushed: set[str] = set()
        self._unknown = True
        self._wake = asyncio.Event()

    # -- what the PBX tells --------------------------------------------------------------------------

    def sink(self, item: Any, now: datetime) -> None:
        """Take one item of the stream. Never waits."""
        match item:
            case EpochStarted() | EpochEnded():
                self._unknown = True
                self._wake.set()
            case AmiEvent(name="Hangup") if is_ear(item.get("uniqueid")):
                self._ears.pop(_id_of(item.get("uniqueid")), None)
                self._wake.set()
            case AmiEvent(name="UserEvent") if item.get("userevent") == HEARD:
                self._note(item)
            case _:
                pass

    def _note(self, event: AmiEvent) -> None:
        uniqueid, mode = event.get("uniqueid"), _mode(event.get("mode"))
        if not is_ear(uniqueid) or event.get("mode") == "end":
            return
        listening_id = _id_of(uniqueid)
        known = self._ears.get(listening_id)
        expected = known is None or self._clock.monotonic() < known.patient_until
        if not expected and mode is not None and known is not None and mode is not known.ear.mode:
            self._pressed.append((listening_id, mode))
        self._ears[listening_id] = _Ear(event.get("channel"), Ear(True, mode, event.get("spied")))
        self._wake.set()

    # -- the work ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled: at once when something changes, and every second."""
        async with (
            self._bus.subscribe(*_HEARD, name="listening", maxsize=5000) as events,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self._keep())
            async for item in events:
                match item:
                    case ListeningPaused():
                        self._hushed.add(item.call_id)
                    case ListeningResumed():
                        self._hushed.discard(item.call_id)
                    case Lagged():
                        self._unknown = True
                    case _:
                        pass
                self._wake.set()

    async def _keep(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._config.every.total_seconds()):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self.settle()
            except (SQLAlchemyError, OSError, HuifangError) as error:
                log.warning("listening_not_kept", node=self._node, error=type(error).__name__)

    async def settle(self) -> None:
        """Bring every wish and the PBX in line with each other once."""
        if not self._live():
            return
        if self._unknown:
            await self._recover()
        while self._pressed:
            await self._listenings.pressed(*self._pressed.pop(0))
        async with self._database.session() as session:
            rows = await unsettled(session, self._node)
        for row in rows:
            await self._settle(row)
        LISTENING.labels(self._node).set(sum(row.rung_at is not None for row in rows))
        for listening_id in self._told.keys() - {row.listening_id for row in rows}:
            del self._told[listening_id]
        await self._hang_up_strangers({row.listening_id for row in rows})

    async def _recover(self) -> None:
        """Look which ears there are: what was told meanwhile was told to nobody."""
        found: dict[str, _Ear] = {}
        for row in await self._actions.core_show_channels():
            if is_ear(row.get("uniqueid")) and row.get("channelstate") == "6":
                found[_id_of(row.get("uniqueid"))] = _Ear(row.get("channel"), _seen(row))
        async with self._database.session() as session:
            self._hushed = set(await paused_calls(session))
        self._ears, self._unknown = found, False

    async def _hang_up_strangers(self, known: set[str]) -> None:
        for listening_id in self._ears.keys() - known:
            log.warning("ear_left_over", node=self._node)
            await self._hang_up(listening_id)

    async def _settle(self, row: ListeningRow) -> None:
        call, listening_id = self._calls.get(row.call_id), row.listening_id
        heard = heard_of(call, hushed=row.call_id in self._hushed, ear=EAR + listening_id)
        ear = self._ears.get(listening_id)
        wanted = Mode(row.wanted) if row.wanted else None
        if ear is None and listening_id in self._ringing:
            if wanted is None or not heard.is_open:
                await self._hang_up(listening_id)
            return
        if ear is not None:
            await self._tell(row, ear)
            if self._clock.monotonic() < ear.patient_until and wanted is not None and heard.is_open:
                return
        order = decide(wanted, row.rung_at is not None, ear.ear if ear is not None else None, heard)
        if order is not None:
            await self._carry_out(row, ear, order, call)

    async def _carry_out(self, row: ListeningRow, ear: _Ear | None, order: Order, call: Call | None) -> None:
        name, outcome = type(order).__name__.lower(), "failed"
        try:
            match order:
                case Ring(spied):
                    await self._ring(row, spied)
                case Move(mode, spied) if ear is not None:
                    await self._move(ear, mode, spied)
                case Take(customer) if ear is not None and call is not None:
                    await self._take(row, ear, call, customer)
                case HangUp():
                    await self._hang_up(row.listening_id)
                case Close(why):
                    await self._close(row, self._outcomes.pop(row.listening_id, why))
                case _:
                    pass
            outcome = "done"
        except AmiNoSuch:
            outcome = "gone"  # the next look sees it
        except AmiDown:
            raise
        except AmiError as error:
            log.warning("listening_order_failed", order=name, call_id=row.call_id, error=error.code)
        finally:
            ORDERS.labels(name, outcome).inc()

    async def _ring(self, row: ListeningRow, spied: str) -> None:
        listening_id, now = row.listening_id, self._clock.now()
        if await self._listenings.keep(listening_id, rung_at=now) is None:
            return
        try:
            accepted = await self._actions.originate(
                f"PJSIP/{row.listener_number}",
                channel_id=EAR + listening_id,
                context=_CONTEXT,
                exten=KEYS.get(Mode(row.wanted or Mode.LISTEN), SILENCE),
                variables={
                    "HF_LISTENS": row.call_id,
                    "HF_EAR": row.listener_number,
                    "HF_SPIED": spied,
                },
                caller_id=CallerId(number=row.agent_number or row.listener_number),
                ring_timeout=self._config.ring,
            )
        except AmiError:
            await self._close(row, ListeningEnd.FAILED)
            raise
        task = asyncio.create_task(self._await_answer(listening_id, accepted))
        self._ringing[listening_id] = task
        self._bus.publish(self._changed(row))

    async def _await_answer(self, listening_id: str, accepted: OriginateAccepted) -> None:
        try:
            result = await accepted.result()
            if not result.success:
                self._outcomes[listening_id] = ListeningEnd.NOT_ANSWERED
        except AmiError as error:
            log.warning("ear_without_answer", error=error.code)
            self._unknown = True
        finally:
            self._ringing.pop(listening_id, None)
            self._wake.set()

    async def _move(self, ear: _Ear, mode: Mode | None, spied: str) -> None:
        ear.patient_until = self._clock.monotonic() + self._config.settle.total_seconds()
        if spied:
            await self._actions.setvar("HF_SPIED", spied, channel=ear.channel)
        exten = KEYS[mode] if mode is not None else SILENCE
        await self._actions.redirect(ear.channel, context=_CONTEXT, exten=exten)

    async def _take(self, row: ListeningRow, ear: _Ear, call: Call, customer: str) -> None:
        """The supervisor first, then the customer, then the two together; whoever else was there goes."""
        try:
            await self._actions.redirect(ear.channel, context=_TAKES, exten="supervisor")
            mine = EAR + row.listening_id
            await self._waits(call, mine)
            await self._actions.redirect(call.live[customer].channel, context=_TAKES, exten="customer")
            for leg in tuple(call.live.values()):
                if leg.uniqueid not in (mine, customer):
                    await self._end_channel(leg.channel)
            await self._waits(call, customer, alone=True)
            await self._actions.bridge(call.live[customer].channel, call.live[mine].channel)
        except (AmiError, KeyError, TimeoutError) as error:
            log.warning("call_not_taken_over", call_id=row.call_id, error=type(error).__name__)
            await self._listenings.not_taken(row.listening_id)
            await self._hang_up(row.listening_id)
            return
        ear.ear = Ear(True, Mode.TAKE_OVER)
        await self._listenings.keep(row.listening_id, taken_at=self._clock.now(), now=Mode.TAKE_OVER.value)
        self._bus.publish(self._changed(row))

    async def _waits(self, call: Call, uniqueid: str, *, alone: bool = False) -> None:
        """Wait until a channel is in its room. Raises TimeoutError, KeyError for one that has gone."""
        async with asyncio.timeout(self._config.meet.total_seconds()):
            while True:
                leg = call.live.get(uniqueid)
                if leg is None and alone:
                    raise KeyError(uniqueid)
                if leg is not None and leg.bridge and not _together(leg, call):
                    return
                await asyncio.sleep(0.02)

    async def _hang_up(self, listening_id: str) -> None:
        with suppress(AmiNoSuch):
            await self._actions.hangup(EAR + listening_id)
            return
        self._ears.pop(listening_id, None)

    async def _end_channel(self, channel: str) -> None:
        with suppress(AmiNoSuch):
            await self._actions.hangup(channel)

    async def _close(self, row: ListeningRow, why: ListeningEnd) -> None:
        if row.taken_at is not None:
            why = ListeningEnd.TAKEN_OVER
        await self._listenings.end(row.listening_id, why)
        self._bus.publish(self._changed(row))

    async def _tell(self, row: ListeningRow, ear: _Ear) -> None:
        mode = ear.ear.mode.value if ear.ear.mode is not None else None
        if self._told.get(row.listening_id) == (mode, True):
            return
        facts: dict[str, Any] = {"now": mode}
        if row.answered_at is None:
            facts["answered_at"] = self._clock.now()
        await self._listenings.keep(row.listening_id, **facts)
        self._told[row.listening_id] = (mode, True)
        self._bus.publish(self._changed(row))

    def _changed(self, row: ListeningRow) -> ListeningChanged:
        return ListeningChanged(at=self._clock.now(), listening_id=row.listening_id, call_id=row.call_id)


def heard_of(call: Call | None, *, hushed: bool, ear: str) -> Heard:
    """Return what there is to be heard in a call; ``ear``: the supervisor's own channel, which is not."""
    if call is None or not call.is_open:
        return Heard(False)
    legs = [leg for leg in call.live.values() if leg.uniqueid != ear and leg.answered_at and not leg.leaving]
    ours = [leg for leg in legs if leg.agent_number is not None and not leg.gave_away]
    agent = next((leg for leg in ours if not _was_asked(leg)), ours[0] if ours else None)
    others = [leg for leg in legs if leg is not agent and leg.kind is not LegKind.OTHER]
    others = [leg for leg in others if not _was_asked(leg)]
    outside = next((leg for leg in others if leg.agent_number is None), others[0] if others else None)
    return Heard(
        True,
        hushed,
        agent.uniqueid if agent is not None else None,
        outside.uniqueid if outside is not None else None,
    )


def _together(leg: Leg, call: Call) -> bool:
    return any(one.bridge == leg.bridge for one in call.live.values() if one is not leg)


def _was_asked(leg: Leg) -> bool:
    return leg.uniqueid.startswith("ask-")


def _id_of(uniqueid: str) -> str:
    return uniqueid.removeprefix(EAR)


def _mode(text: str) -> Mode | None:
    return Mode(text) if text in {mode.value for mode in KEYS} else None


def _seen(row: AmiEvent) -> Ear:
    """Return what an ear in a snapshot does."""
    if row.get("context") == _TAKES:
        return Ear(True, Mode.TAKE_OVER)
    if row.get("application") != "ChanSpy":
        return Ear(True)
    return Ear(True, _MODE_OF.get(row.get("exten")), row.get("applicationdata").partition(",")[0])
