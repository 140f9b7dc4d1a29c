"""Supervisors in the call model: an ear is no call and no leg, until its supervisor takes the call over."""

from datetime import datetime

from telephony.domain.call_resync import CallResync, SeenChannel
from telephony.domain.caller_text import clean_text
from telephony.domain.leg import Leg, LegKind
from telephony.domain.listening import Mode, is_ear
from telephony.domain.signal import ChannelSignal
from telephony.domain.timeline import TimelineKind

HEARD = "HuifangEar"
TAKEN = "HuifangTaken"
_TOLD = frozenset({*(mode.value for mode in Mode), "end"})


class CallEars(CallResync):
    """What channels of supervisors do to the calls they are on."""

    def take_ear(self, event: ChannelSignal, now: datetime) -> bool:
        """Take a user event of such a channel; tell whether it was one."""
        kind = event.get("userevent")
        if kind == HEARD:
            self._heard(event, now)
        elif kind == TAKEN:
            self._taken(event, now)
        return kind in (HEARD, TAKEN)

    def _heard(self, event: ChannelSignal, now: datetime) -> None:
        call, mode = self.get(event.get("call")), event.get("mode")
        if call is not None and call.is_open and mode in _TOLD and is_ear(event.get("uniqueid")):
            by = self.endpoints.read(event.get("channel")).agent_number
            self.row(call, TimelineKind.SUPERVISED, now, agent=by, detail={"mode": mode})

    def _taken(self, event: ChannelSignal, now: datetime) -> None:
        """From here on the supervisor's channel is the call's; whoever of ours was in it gives it away."""
        call, uniqueid = self.get(event.get("call")), event.get("uniqueid")
        if call is None or not call.is_open or not is_ear(uniqueid) or uniqueid in self._legs:
            return
        endpoint = self.endpoints.read(event.get("channel"))
        leg = Leg(
            call=call,
            uniqueid=uniqueid[:64],
            linkedid=event.get("linkedid")[:64],
            channel=clean_text(event.get("channel"), 128),
            kind=LegKind.AGENT,
            agent_number=endpoint.agent_number,
            number=endpoint.agent_number or "",
            started_at=now,
            answered_at=now,
        )
        by = call.agent_number
        for other in call.live.values():
            if other.agent_number is not None:
                other.gave_away = True
        self.join(call, leg)
        call.hangup_by = None
        call.settle(now)
        detail = {"type": "taken_over", "to": endpoint.agent_number or ""}
        self.row(call, TimelineKind.TRANSFERRED, now, leg=leg, agent=by, detail=detail)

    def chan_spy_start(self, event: ChannelSignal, now: datetime) -> None:
        """A supervisor's ear is no call."""
        leg = self._legs.get(event.get("spyeruniqueid"))
        if leg is not None and not leg.call.call_id:
            self.drop(leg.call)

    def _is_machine(self, seen: SeenChannel) -> bool:
        if is_ear(seen.uniqueid) and not seen.variables.get("HF_CALL"):
            return True
        return super()._is_machine(seen)
