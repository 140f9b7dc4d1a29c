"""What may happen to a call, apart from how the PBX tells it."""

from datetime import datetime

from telephony.domain.call import Call, Direction, Phase
from telephony.domain.call_id import attempted_call
from telephony.domain.call_table import CallTable
from telephony.domain.effects import Answered, Changed, Progressed, RingEnded, RingStarted
from telephony.domain.leg import Leg, LegKind
from telephony.domain.outcome import ring_end_reason
from telephony.domain.timeline import TimelineKind


class CallMoves(CallTable):
    """The moves of calls and legs; each keeps state, clocks and time line in line."""

    def row(
        self,
        call: Call,
        kind: TimelineKind,
        now: datetime,
        *,
        leg: Leg | None = None,
        agent: str | None = None,
        queue: str | None = None,
        detail: dict[str, str] | None = None,
    ) -> None:
        row = call.add_row(kind, now, leg=leg, agent=agent, queue=queue, detail=detail)
        self._out.append(Progressed(call, row) if row is not None else Changed(call))

    def start_ringing(self, leg: Leg, queue: str | None, now: datetime) -> None:
        call = leg.call
        if leg.ringing or leg.taken or not call.call_id:
            return
        leg.ringing = True
        leg.ring_queue = queue or call.waiting_in
        call.settle(now)
        self._out.append(RingStarted(call, leg, leg.ring_queue, now))
        self.row(call, TimelineKind.RINGING, now, leg=leg, queue=leg.ring_queue)

    def stop_ringing(self, leg: Leg, status: str, now: datetime, *, reason: str = "") -> None:
        if not leg.ringing:
            return
        leg.ringing = False
        call = leg.call
        root = call.root
        gone = call.hangup_by is not None or (root is not None and root.ended_at is not None)
        reason = reason or ring_end_reason(leg, status or leg.dial_status, caller_gone=gone)
        call.settle(now)
        if leg.agent_number is not None:
            self._out.append(RingEnded(call, leg, reason, now))
        self.row(call, TimelineKind.RING_ENDED, now, leg=leg, queue=leg.ring_queue, detail={"reason": reason})

    def take(self, leg: Leg, now: datetime) -> None:
        """A person took the call."""
        call = leg.call
        if leg.taken or not call.call_id:
            return
        self.stop_ringing(leg, "", now, reason="answered")
        leg.taken = True
        leg.answered_at = leg.answered_at or now
        call.waiting_in = None
        self._talk_again(call)
        agent = leg.agent_number
        if agent is None and call.direction is Direction.OUT and call.root is not None:
            agent = call.root.agent_number
        if agent is not None:
            call.agent_number = agent
        if call.answered_at is None:
            call.answered_at = now
            call.wait = call.wait_until(now)
        call.settle(now)
        self._out.append(Answered(call, agent, now))
        self.row(call, TimelineKind.ANSWERED, now, leg=leg, agent=agent, queue=leg.ring_queue)

    def meet(self, leg: Leg, bridge: str, now: datetime) -> None:
        """A channel entered a bridge: whoever is in it is in the same call."""
        if not bridge:
            return
        leg.bridge = bridge
        inside = self._bridges.setdefault(bridge, {})
        inside[leg.uniqueid] = leg
        call = leg.call
        for other in list(inside.values()):
            call = self.merge(call, other.call, now)
        if len(inside) > 1:
            call = self.promote(call, now)
        before = call.phase
        self._fetch(call, inside, now)
        call.settle(now)
        if not call.call_id:
            return
        if any(other.held for other in call.live.values()):
            self._consulting(call, inside, now)
        elif call.phase is not Phase.NONE:
            if before is not Phase.TALK:
                self._talk_again(call)
            self._handed_over(call, inside, now)
            for other in list(inside.values()):
                if not other.is_root and not other.gave_away and other.kind is not LegKind.OTHER:
                    self.take(other, now)
        self.changed(call)

    def wait_in(self, leg: Leg, bridge: str, now: datetime) -> None:
        """A channel waits by itself, with music or without: it hears nobody."""
        leg.bridge = bridge
        leg.call.settle(now)
        self.changed(leg.call)

    # -- what is done by hand from an agent's page ---------------------------------------------------

    def put_on_hold(self, leg: Leg, now: datetime) -> None:
        """The customer hears music."""
        call = leg.call
        if leg.held or not call.call_id:
            return
        leg.held = call.handled = True
        call.settle(now)
        self.row(call, TimelineKind.HELD, now, leg=leg, agent=self._by(call))

    def sent(self, leg: Leg, kind: str, to: str, now: datetime) -> None:
        """The customer was sent somewhere else; whoever of ours talked with them gave them away."""
        call = leg.call
        leg.held, call.handled = False, True
        by = self._by(call)
        for other in call.live.values():
            if other.agent_number is not None and other is not leg:
                other.gave_away = True
        call.hangup_by = None
        call.settle(now)
        detail = {"type": "returned" if kind == "back" else "blind", "kind": kind, "to": to}
        self.row(call, TimelineKind.TRANSFERRED, now, leg=leg, agent=by, detail=detail)

    def _by(self, call: Call) -> str | None:
        """Return whose call it is."""
        ours = [leg for leg in call.live.values() if leg.agent_number is not None and leg.answered_at]
        first = next((leg for leg in ours if not leg.is_asked), ours[0] if ours else None)
        return first.agent_number if first is not None else call.agent_number

    def _fetch(self, call: Call, inside: dict[str, Leg], now: datetime) -> None:
        """Who was on hold is with somebody again."""
        for leg in inside.values():
            if leg.held and len(inside) > 1:
                leg.held = False
                self.row(call, TimelineKind.UNHELD, now, leg=leg, agent=self._by(call))

    def _consulting(self, call: Call, inside: dict[str, Leg], now: datetime) -> None:
        """Somebody is asked while the customer waits: that is nobody's conversation with the customer."""
        asked = next((leg for leg in inside.values() if leg.is_asked and not leg.told), None)
        if asked is not None and len(inside) > 1:
            asked.told = "consulted"
            detail = {"with": asked.agent_number or asked.number}
            self.row(call, TimelineKind.CONSULTED, now, leg=asked, agent=self._by(call), detail=detail)

    def _handed_over(self, call: Call, inside: dict[str, Leg], now: datetime) -> None:
        """Who was asked talks with the customer: as a third, or from now on instead of who asked."""
        asked = next((leg for leg in inside.values() if leg.is_asked and leg.told != "transferred"), None)
        if asked is None or not any(leg is not asked and not leg.is_asked for leg in inside.values()):
            return
        to = asked.agent_number or asked.number
        owner = next(
            (
                leg
                for leg in call.live.values()
                if leg.agent_number is not None and leg.answered_at and leg is not asked and not leg.gave_away
            ),
            None,
        )
        if owner is not None and owner.uniqueid in inside:
            if len(inside) > 2 and asked.told != "conference":
                asked.told = "conference"
                row = TimelineKind.CONFERENCE
                self.row(call, row, now, leg=asked, agent=owner.agent_number, detail={"with": to})
            return
        by = owner.agent_number if owner is not None else call.agent_number
        asked.told = "transferred"
        if owner is not None:
            owner.gave_away = True
        call.hangup_by = None
        detail = {"type": "attended", "to": to}
        self.row(call, TimelineKind.TRANSFERRED, now, leg=asked, agent=by, detail=detail)

    def left_by(self, leg: Leg, bridge: str, now: datetime) -> None:
        """Of three one has gone: the others go on, and it is told whose call it is."""
        call, inside = leg.call, self._bridges.get(bridge, {})
        if leg.agent_number is None or len(inside) < 2:
            return
        self._handed_over(call, inside, now)
        if call.agent_number == leg.agent_number:
            left = next((one.agent_number for one in inside.values() if one.agent_number is not None), None)
            call.agent_number = left or call.agent_number

    @staticmethod
    def _talk_again(call: Call) -> None:
        """Whoever hung up before this conversation did not end it; who did while it was being joined, did."""
        if not any(leg.leaving for leg in call.live.values()):
            call.hangup_by = None

    def leave_queue(self, call: Call, now: datetime) -> None:
        queue, call.waiting_in = call.waiting_in, None
        taken = any(leg.taken and not leg.gave_away for leg in call.live.values())
        if taken:
            call.settle(now)
            self.changed(call)
            return
        call.left_queue_at = now
        call.gave_up_waiting = call.hangup_by is not None
        if call.answered_at is None and call.gave_up_waiting:
            call.wait = call.wait_until(now)
        call.settle(now)
        reason = "abandoned" if call.gave_up_waiting else "not_answered"
        self.row(call, TimelineKind.LEFT_QUEUE, now, leg=call.root, queue=queue, detail={"reason": reason})

    def lose(self, leg: Leg, now: datetime, cause: int | None) -> None:
        """A channel is gone; with the last one the call ends."""
        call = leg.call
        leg.cause = cause
        self.stop_ringing(leg, "", now)
        leg.ended_at = max(now, leg.started_at)
        leg.holding = leg.held = False
        bridge = leg.bridge
        self.leave_bridge(leg)
        self._legs.pop(leg.uniqueid, None)
        call.live.pop(leg.uniqueid, None)
        if call.live:
            self.left_by(leg, bridge, now)
            if leg.is_root and call.waiting_in is not None:
                self.leave_queue(call, now)
            call.settle(now)
            self.changed(call)
            return
        if not call.call_id:
            root = call.root
            trial = call.exten.startswith("*")  # an agent tries their telephone out, and talks with nobody
            if root is None or trial or not (root.came_in or attempted_call(root.uniqueid)):
                self.drop(call)
                return
            call = self.promote(call, now)
        if not call.live:
            self.end(call, now)
