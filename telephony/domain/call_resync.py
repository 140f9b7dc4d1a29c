"""Bringing the call model in line with what the PBX says there is.

Used where events may be missing: at the beginning of every epoch, after a restart of Asterisk or of ours, and
now and then to be sure.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from telephony.domain.call import Call, EndReason, Phase
from telephony.domain.call_id import attempted_call
from telephony.domain.call_told import CallTold
from telephony.domain.caller_text import caller_name, caller_number, clean_text
from telephony.domain.leg import Leg, LegKind
from telephony.domain.timeline import TimelineKind

_RINGING = 5
_WAITS, _MUSIC = "BridgeWait", "customer"  # the application, and the extension of it where a customer waits
_UP = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenChannel:
    """One channel of a snapshot.

    Attributes:
        state: Asterisk's channel state (4 ring, 5 ringing, 6 up).
        age: how long the PBX has had it.
    """

    uniqueid: str
    linkedid: str
    channel: str
    state: int
    number: str
    name: str
    exten: str
    application: str
    bridge: str
    age: timedelta
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenWaiting:
    """One caller in a queue."""

    uniqueid: str
    queue: str
    waited: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxSnapshot:
    """All channels and all waiting callers of a node at one moment."""

    channels: tuple[SeenChannel, ...]
    waiting: tuple[SeenWaiting, ...]


class CallResync(CallTold):
    """The moves that need no events."""

    def restore(self, call: Call) -> None:
        """Take back an open call that was read from the database."""
        self._calls[call.call_id] = call
        for linkedid in call.linkedids:
            self._linked[linkedid] = call
        for leg in call.live.values():
            self._legs[leg.uniqueid] = leg
            if leg.bridge:
                self._bridges.setdefault(leg.bridge, {})[leg.uniqueid] = leg

    def missing(self, snapshot: PbxSnapshot) -> frozenset[str]:
        """Return the legs we know that the snapshot does not."""
        seen = {channel.uniqueid for channel in snapshot.channels}
        return frozenset(uniqueid for uniqueid in self._legs if uniqueid not in seen)

    def unknown(self, snapshot: PbxSnapshot) -> frozenset[str]:
        """Return the channels of a snapshot that could be calls and that we do not know."""
        return frozenset(
            seen.uniqueid
            for seen in snapshot.channels
            if seen.uniqueid not in self._legs and not self._is_machine(seen)
        )

    def _is_machine(self, seen: SeenChannel) -> bool:
        return self.endpoints.read(seen.channel).is_machine or seen.application in ("ChanSpy", "ExtenSpy")

    def apply(
        self, snapshot: PbxSnapshot, now: datetime, *, since: datetime, spared: Collection[str] = ()
    ) -> None:
        """Take over what a snapshot shows.

        Args:
            since: until when the events were complete; what is gone ended then, as far as we know.
            spared: legs that the snapshot does not show but whose end is on its way as an event.
        """
        known = tuple(self._calls.values())
        gone = [self._legs[uniqueid] for uniqueid in self.missing(snapshot) if uniqueid not in spared]
        touched = self._take_channels(snapshot, now)
        self._lose_unseen(gone, since)
        self._take_waiting(snapshot, now)
        self._look(touched, snapshot, now)
        for call in known:
            if call.is_open:
                facts = {"since": since.isoformat(), "until": now.isoformat()}
                self.row(call, TimelineKind.GAP, now, detail=facts)

    def _take_channels(self, snapshot: PbxSnapshot, now: datetime) -> list[Call]:
        touched: dict[int, Call] = {}
        for seen in sorted(snapshot.channels, key=_birth):
            leg = self._legs.get(seen.uniqueid) or self._adopt(seen, now)
            if leg is None:
                continue
            if seen.state == _UP and leg.answered_at is None:
                leg.answered_at = now
            if leg.bridge != seen.bridge:
                self.leave_bridge(leg)
                leg.bridge = seen.bridge
            if leg.linkedid != seen.linkedid:
                leg.linkedid = seen.linkedid
            touched[id(leg.call)] = leg.call
        crowd = Counter(seen.bridge for seen in snapshot.channels)
        for seen in snapshot.channels:
            leg = self._legs.get(seen.uniqueid)
            if leg is None:
                continue
            other = self._linked.get(leg.linkedid)
            if other is None:
                self._link(leg.call, leg.linkedid)
            elif other is not leg.call:
                touched[id(leg.call)] = self.merge(leg.call, other, now)
            if seen.bridge:
                self._meet_seen(leg, seen, others=crowd[seen.bridge], now=now)
        return list(touched.values())

    def _meet_seen(self, leg: Leg, seen: SeenChannel, *, others: int, now: datetime) -> None:
        if seen.application == _WAITS and others == 1:
            # By itself: nobody has fetched it yet, or again.
            if seen.exten == _MUSIC:
                self.put_on_hold(leg, now)
            self.wait_in(leg, seen.bridge, now)
        else:
            self.meet(leg, seen.bridge, now)

    def _look(self, calls: list[Call], snapshot: PbxSnapshot, now: datetime) -> None:
        """Rings that ended or began unseen."""
        states = {seen.uniqueid: seen.state for seen in snapshot.channels}
        for call in calls:
            if call.is_open:
                self._look_at(call, states, now)

    def _look_at(self, call: Call, states: Mapping[str, int], now: datetime) -> None:
        root = call.root
        if root is not None and _is_customer(root):
            self._look_at_placed(root, states.get(root.uniqueid), now)
        for leg in list(call.live.values()):
            state = states.get(leg.uniqueid)
            if leg.ringing and state == _UP and not leg.bridge:
                self.stop_ringing(leg, "", now, reason="answered")
            elif state == _RINGING and not leg.ringing and not leg.is_root and leg.agent_number is not None:
                leg.dialled = leg.rang = True
                call.last_dialled = leg
                self.start_ringing(leg, call.waiting_in, now)
        call.settle(now)
        self.changed(call)

    def _look_at_placed(self, root: Leg, state: int | None, now: datetime) -> None:
        """A call that the dialler placed: answered is who is up, whatever we missed."""
        root.dialled = True
        root.call.last_dialled = root.call.last_dialled or root
        if state == _UP:
            self.take(root, now)
        elif state == _RINGING:
            root.rang = True

    def _adopt(self, seen: SeenChannel, now: datetime) -> Leg | None:
        """A channel whose beginning we did not see."""
        if self._is_machine(seen):
            return None
        endpoint = self.endpoints.read(seen.channel)
        started = now - seen.age
        call = self._linked.get(seen.linkedid)
        kind = endpoint.kind
        came_in = seen.exten not in ("", "s") and not seen.application.startswith("App")
        if call is None:
            if kind is LegKind.OUTSIDE and came_in:
                kind = LegKind.CALLER
            call = self.begin(seen.linkedid, seen.exten, caller_name(seen.name), started)
            call.adopted = True
        leg = Leg(
            call=call,
            uniqueid=seen.uniqueid[:64],
            linkedid=seen.linkedid[:64],
            channel=clean_text(seen.channel, 128),
            kind=kind,
            agent_number=endpoint.agent_number,
            number=caller_number(seen.number, default_area=self.rules.default_area),
            started_at=started,
            came_in=came_in,
        )
        self.join(call, leg)
        leg.dialled = not leg.is_root
        if not call.call_id and seen.variables.get("HF_CALL"):
            self.promote(call, started, seen.variables)
        return leg

    def _take_waiting(self, snapshot: PbxSnapshot, now: datetime) -> None:
        waiting = {seen.uniqueid: seen for seen in snapshot.waiting}
        in_queue: set[str] = set()
        for uniqueid, seen in waiting.items():
            leg = self._legs.get(uniqueid)
            if leg is None:
                continue
            call = self.promote(leg.call, now)
            in_queue.add(call.call_id)
            if call.waiting_in is None:
                call.queue = call.waiting_in = clean_text(seen.queue, 64)
                call.queued_at = call.queued_at or now - seen.waited
                call.left_queue_at = None
                call.settle(now)
                self.row(call, TimelineKind.QUEUED, now, leg=leg, queue=call.queue)
        for call in tuple(self._calls.values()):
            if call.waiting_in is not None and call.call_id not in in_queue and call.live:
                root = call.root
                if root is not None and root.ended_at is None and root.uniqueid in self._legs:
                    if call.phase is Phase.NONE and not any(leg.bridge for leg in call.live.values()):
                        self.leave_queue(call, now)
                    else:
                        call.waiting_in = None
                        call.settle(now)

    def close_lost(self, uniqueids: Collection[str], now: datetime) -> None:
        """End legs whose hang-up was never told."""
        self._lose_unseen([self._legs[uniqueid] for uniqueid in uniqueids if uniqueid in self._legs], now)

    def adopt(self, channels: tuple[SeenChannel, ...], now: datetime) -> None:
        """Take over channels whose beginning was never told."""
        snapshot = PbxSnapshot(channels=channels, waiting=())
        self._look(self._take_channels(snapshot, now), snapshot, now)

    def _lose_unseen(self, legs: list[Leg], at: datetime) -> None:
        lost = {leg.uniqueid for leg in legs}
        for call in {id(leg.call): leg.call for leg in legs}.values():
            if lost.issuperset(call.live) and call.call_id:
                call.end_reason = EndReason.GAP
                if call.waiting_in is not None:
                    # Seen waiting last: gave up, as far as anybody can tell.
                    call.gave_up_waiting, call.waiting_in = True, None
                    call.left_queue_at = max(at, call.last_at or at)
        for leg in legs:
            self.lose(leg, max(at, leg.call.last_at or at), None)

    def reboot(self, at: datetime) -> None:
        """Asterisk was started anew at ``at``: no channel of before exists."""
        for call in (*self._calls.values(), *self._latent.values()):
            if not call.call_id:
                self.drop(call)
                continue
            call.end_reason = EndReason.PBX_RESTART
            for leg in list(call.live.values()):
                self.lose(leg, max(at, call.last_at or at), None)
            if call.is_open:
                self.end(call, max(at, call.last_at or at))
        self._bridges.clear()


def _is_customer(root: Leg) -> bool:
    """Tell whether a call that the dialler placed began with the customer's telephone."""
    return root.agent_number is None and not root.is_staff and attempted_call(root.uniqueid) is not None


def _birth(seen: SeenChannel) -> tuple[bool, timedelta, str]:
    """The channel that its chain is named after comes first, then the older."""
    return (seen.uniqueid != seen.linkedid, -seen.age, seen.uniqueid)
