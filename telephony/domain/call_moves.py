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
        call.settle(now)
        if not call.call_id:
            return
        if call.phase is not Phase.NONE:
            if before is Phase.NONE:
                self._talk_again(call)
            for other in list(inside.values()):
                if not other.is_root and not other.gave_away and other.kind is not LegKind.OTHER:
                    self.take(other, now)
        self.changed(call)

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
        leg.holding = False
        self.leave_bridge(leg)
        self._legs.pop(leg.uniqueid, None)
        call.live.pop(leg.uniqueid, None)
        if call.live:
            if leg.is_root and call.waiting_in is not None:
                self.leave_queue(call, now)
            call.settle(now)
            self.changed(call)
            return
        if not call.call_id:
            root = call.root
            if root is None or not (root.came_in or attempted_call(root.uniqueid)):
                self.drop(call)
                return
            call = self.promote(call, now)
        if not call.live:
            self.end(call, now)
