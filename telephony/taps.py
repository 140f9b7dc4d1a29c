"""One tap per speaker: whose voice in which call is brought to a listener, and until when.

A tap is a channel ``AudioSocket/host:port/id`` of its own that runs ``ChanSpy`` on one channel of the call
(``docs/adr/0016-taps.md`` has what was measured). Nothing of it stands in the way of the call: the call's
channels know nothing of it, and it is hung up with the speaker's channel or when its socket closes, whichever
is first, so that none is left when we are killed.

Who is tapped follows from the call model alone: the parties of a bridge in which an agent and a customer are.
So a tap moves with transfers, and nobody is listened to while they wait.
"""

import asyncio
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge

from kernel.bus import Bus, Lagged
from kernel.clock import Clock
from kernel.errors import HuifangError, TooMany
from kernel.ids import new_ulid
from telephony.ami.actions import AmiActions
from telephony.ami.errors import AmiError, AmiNoSuch
from telephony.domain.call import Call
from telephony.domain.leg import Leg, LegKind
from telephony.events import (
    CallAnswered,
    CallEnded,
    CallMerged,
    CallProgressed,
    LinkStateChanged,
    ListeningPaused,
    ListeningResumed,
)
from telephony.tap_ports import Calls, Listeners, Wanted

log = structlog.get_logger(__name__)

TAPS = Gauge("huifang_taps", "Speakers who are tapped", ["node"])
STARTED = Counter("huifang_taps_started_total", "Taps that were asked for, by what became of it", ["outcome"])

PREFIX = "tap-"
"""How the uniqueid of a tap's channel begins."""
OPTIONS = "qouES"
"""Quiet; only what the channel itself says; by its whole name; ends with it; and when nothing is left."""
CUSTOMER, AGENT = "customer", "agent"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@:/+-]{1,120}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TapsConfig:
    """Bounds and patience.

    Attributes:
        most: taps at once on this node; two make a call.
        sweep: how often every call is looked at without a reason.
        linger: a party that has left the bridge is tapped so much longer: transfers pass through moments
            without one.
        tries: taps of one channel that may fail before it is left alone.
        connect: how long the listener may take to be reached.
    """

    most: int = 8
    sweep: timedelta = timedelta(seconds=5)
    linger: timedelta = timedelta(seconds=1)
    tries: int = 3
    connect: timedelta = timedelta(seconds=5)


@dataclass(slots=True, eq=False)
class _Party:
    """A channel that is to be listened to.

    Attributes:
        began: when the call did.
        stream, tap_id: of its tap; ``None`` without one.
        unheard_since: since when it has had none though it should.
        left_at: when it left the bridge.
    """

    call_id: str
    uniqueid: str
    speaker: str
    agent_number: str | None
    began: datetime
    stream: UUID | None = None
    tap_id: str | None = None
    unheard_since: datetime | None = None
    left_at: datetime | None = None
    failures: int = 0


class Taps:
    """Keeps the taps of one node in line with its calls. Run :meth:`run` in the supervisor.

    Args:
        wanted: which calls; asked for each call and each of its queues once.
    """

    def __init__(
        self,
        node: str,
        calls: Calls,
        actions: AmiActions,
        listeners: Listeners,
        wanted: Wanted,
        *,
        bus: Bus,
        clock: Clock,
        config: TapsConfig | None = None,
    ) -> None:
        self._node = node
        self._calls = calls
        self._actions = actions
        self._listeners = listeners
        self._wanted = wanted
        self._bus = bus
        self._clock = clock
        self._config = config or TapsConfig()
        self._parties: dict[str, _Party] = {}
        self._answers: dict[str, tuple[str | None, bool]] = {}
        self._paused: set[str] = set()
        self._due: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._sweep_zombies = False
        self._stopped = False

    @property
    def tapped(self) -> int:
        """Speakers who are tapped now."""
        return sum(1 for party in self._parties.values() if party.stream is not None)

    async def run(self) -> None:
        """Tap until cancelled; then end every tap."""
        self._stopped = False
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow())
                group.create_task(self._keep())
        finally:
            self.stop()

    def hold(self, call_ids: Iterable[str]) -> None:
        """Listen to none of these calls until they are resumed: they were paused before we began."""
        self._paused.update(call_ids)

    def stop(self) -> None:
        """End every tap and begin none any more."""
        self._stopped = True
        for party in tuple(self._parties.values()):
            self._drop(party)

    # -- what is to be done --------------------------------------------------------------------------

    async def _follow(self) -> None:
        heard = (
            CallAnswered,
            CallProgressed,
            CallMerged,
            CallEnded,
            LinkStateChanged,
            ListeningPaused,
            ListeningResumed,
        )
        async with self._bus.subscribe(*heard, name="taps", maxsize=5000) as events:
            self._look_at_all()
            async for item in events:
                match item:
                    case Lagged():
                        self._look_at_all()
                    case CallMerged() if item.node == self._node:
                        self._merge(item)
                    case LinkStateChanged(state="live") if item.node == self._node:
                        self._sweep_zombies = True
                        self._look_at_all()
                    case ListeningPaused():
                        self._pause(item.call_id)
                    case ListeningResumed():
                        if item.call_id in self._paused:
                            self._paused.discard(item.call_id)
                            self._listeners.paused(item.call_id, paused=False)
                            self._look_at(item.call_id)
                    case CallAnswered() | CallProgressed() | CallEnded() if item.node == self._node:
                        self._look_at(item.call_id)
                    case _:
                        pass

    def _look_at(self, call_id: str) -> None:
        self._due[call_id] = None
        self._wake.set()

    def _look_at_all(self) -> None:
        for call in self._calls.open_calls():
            self._due[call.call_id] = None
        for party in self._parties.values():
            self._due[party.call_id] = None
        self._wake.set()

    def _merge(self, event: CallMerged) -> None:
        for party in self._parties.values():
            if party.call_id == event.call_id:
                party.call_id = event.into_call_id
        self._listeners.merge(event.call_id, event.into_call_id)
        self._forget(event.call_id)
        self._look_at(event.into_call_id)

    def _pause(self, call_id: str) -> None:
        if self._calls.get(call_id) is None:
            return  # another node's
        self._paused.add(call_id)
        for party in self._of(call_id):
            self._drop(party)
        self._listeners.paused(call_id, paused=True)

    async def _keep(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._pause_seconds()):
                    await self._wake.wait()
            except TimeoutError:
                self._look_at_all()
            self._wake.clear()
            if self._sweep_zombies:
                self._sweep_zombies = False
                await self._hang_up_zombies()
            due, self._due = self._due, {}
            for call_id in due:
                await self._settle(call_id)
            TAPS.labels(self._node).set(self.tapped)

    def _pause_seconds(self) -> float:
        leaving = any(party.left_at is not None for party in self._parties.values())
        return (self._config.linger if leaving else self._config.sweep).total_seconds()

    # -- one call ------------------------------------------------------------------------------------

    def _of(self, call_id: str) -> list[_Party]:
        return [party for party in self._parties.values() if party.call_id == call_id]

    def _forget(self, call_id: str) -> None:
        self._answers.pop(call_id, None)
        self._paused.discard(call_id)

    async def _settle(self, call_id: str) -> None:
        """Bring one call's taps in line with what it is now."""
        call, now = self._calls.get(call_id), self._clock.now()
        if call is None or not call.is_open:
            for party in self._of(call_id):
                self._leave(party, now)
            self._forget(call_id)
            return
        legs = {} if call_id in self._paused else speakers(call)
        if legs and not await self._is_wanted(call):
            legs = {}
        now = self._clock.now()
        for party in self._of(call_id):
            if party.uniqueid in legs:
                party.left_at = None
                continue
            alive = party.uniqueid in call.live and call_id not in self._paused
            party.left_at = party.left_at or now
            if not alive or now - party.left_at >= self._config.linger:
                self._leave(party, now)
        for uniqueid, (leg, speaker) in legs.items():
            if uniqueid not in self._parties:
                self._parties[uniqueid] = _Party(
                    call.call_id, uniqueid, speaker, leg.agent_number, call.started_at, unheard_since=now
                )
            party = self._parties[uniqueid]
            party.call_id, party.began = call.call_id, call.started_at
            if party.stream is None:
                await self._tap(party, leg, call)

    async def _is_wanted(self, call: Call) -> bool:
        known = self._answers.get(call.call_id)
        if known is not None and known[0] == call.queue:
            return known[1]
        queue = call.queue
        try:
            wanted = await self._wanted(call)
        except HuifangError as error:
            log.warning("tap_rule_not_read", call_id=call.call_id, error=error.code)
            return False
        self._answers[call.call_id] = (queue, wanted)
        return wanted

    async def _tap(self, party: _Party, leg: Leg, call: Call) -> None:
        if self._stopped or party.failures >= self._config.tries or not self._listeners.ready:
            return
        if self.tapped >= self._config.most:
            STARTED.labels("no_place").inc()
            return
        if _NAME.fullmatch(leg.channel) is None:
            party.failures = self._config.tries
            log.warning("tap_channel_refused", call_id=call.call_id)
            return
        now = self._clock.now()
        try:
            place = self._listeners.expect(
                call.call_id,
                party.speaker,
                agent_number=party.agent_number,
                call_age=now - call.started_at,
                on_end=partial(self._ended, party.uniqueid),
                language=call.language,
            )
        except TooMany:
            STARTED.labels("no_place").inc()
            return
        party.stream, party.tap_id = place.stream, PREFIX + new_ulid()
        try:
            await self._actions.originate(
                f"AudioSocket/{place.address}/{place.stream}",
                channel_id=party.tap_id,
                application="ChanSpy",
                data=f"{leg.channel},{OPTIONS}",
                ring_timeout=self._config.connect,
                codecs="slin",
            )
        except AmiError as error:
            STARTED.labels("failed").inc()
            log.warning("tap_not_started", call_id=call.call_id, speaker=party.speaker, error=error.code)
            self._listeners.close(place.stream)  # tells _ended
            return
        STARTED.labels("started").inc()
        self._note_unheard(party, now)

    def _ended(self, uniqueid: str, reason: str) -> None:
        """Take that a stream is over. Where its speaker goes on, that is a fault, and another one follows."""
        party = self._parties.get(uniqueid)
        if party is None or party.stream is None:
            return
        party.stream = party.tap_id = None
        party.unheard_since = self._clock.now()
        if reason != "idle":  # a telephone on hold sends nothing
            party.failures += 1
        if reason != "hangup":
            log.warning("tap_ended", call_id=party.call_id, speaker=party.speaker, reason=reason)
        # The hang-up of the speaker's own channel comes in a moment, on another way: the sweep sees.

    def _leave(self, party: _Party, now: datetime) -> None:
        """A party is to be listened to no longer."""
        if party.call_id not in self._paused:
            self._note_unheard(party, now)
        self._drop(party)

    def _drop(self, party: _Party) -> None:
        self._parties.pop(party.uniqueid, None)
        stream, party.stream, party.tap_id = party.stream, None, None
        if stream is not None:
            self._listeners.close(stream)

    def _note_unheard(self, party: _Party, now: datetime) -> None:
        since, party.unheard_since = party.unheard_since, None
        if since is not None:
            start, end = ((at - party.began).total_seconds() for at in (since, now))
            self._listeners.missed(party.call_id, party.speaker, start, end, agent_number=party.agent_number)

    # -- what a killed one of us left ----------------------------------------------------------------

    async def _hang_up_zombies(self) -> None:
        """Hang up taps that are not ours: they should have ended with their sockets."""
        try:
            for row in await self._actions.core_show_channels():
                uniqueid = row.get("uniqueid")
                ours = {party.tap_id for party in self._parties.values()}
                if uniqueid.startswith(PREFIX) and uniqueid not in ours:
                    log.warning("tap_left_over", node=self._node)
                    await self._hang_up(uniqueid)
        except AmiError as error:
            log.warning("taps_not_counted", node=self._node, error=error.code)

    async def _hang_up(self, uniqueid: str) -> None:
        with suppress(AmiNoSuch):
            await self._actions.hangup(uniqueid)


_CUSTOMERS = frozenset({LegKind.CALLER, LegKind.OUTSIDE})


def _is_ours(leg: Leg) -> bool:
    """Whether one of ours speaks: an agent, or whoever works on a case and was rung outside for that."""
    return leg.kind is LegKind.AGENT or leg.is_staff


def speakers(call: Call) -> dict[str, tuple[Leg, str]]:
    """Return the legs of a call who speak with each other, an agent and a customer at least, by uniqueid."""
    bridges: dict[str, list[Leg]] = {}
    for leg in call.live.values():
        if leg.bridge and not leg.leaving:
            bridges.setdefault(leg.bridge, []).append(leg)
    found: dict[str, tuple[Leg, str]] = {}
    for legs in bridges.values():
        if any(map(_is_ours, legs)) and any(leg.kind in _CUSTOMERS and not _is_ours(leg) for leg in legs):
            for leg in legs:
                if _is_ours(leg):
                    found[leg.uniqueid] = (leg, AGENT)
                elif leg.kind is not LegKind.OTHER:
                    found[leg.uniqueid] = (leg, CUSTOMER)
    return found
