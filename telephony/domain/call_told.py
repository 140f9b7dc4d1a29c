"""What the dialplan itself tells of a call: menus, machines, holds, where a customer was sent."""

from datetime import datetime

from telephony.domain.call import MAX_MENU, Call
from telephony.domain.call_moves import CallMoves
from telephony.domain.caller_text import clean_text
from telephony.domain.leg import Leg
from telephony.domain.signal import ChannelSignal
from telephony.domain.timeline import STAFF_THERE, TimelineKind


class CallTold(CallMoves):
    """The events that our dialplan sends (``UserEvent``), apart from Asterisk's own."""

    def told(self, event: ChannelSignal, leg: Leg | None, call: Call, now: datetime) -> None:
        """Take one. ``leg``: the channel that sent it, where that is known."""
        kind = event.get("userevent")
        if kind in ("HuifangHeld", "HuifangMoved"):
            if leg is not None and kind == "HuifangHeld":
                self.put_on_hold(leg, now)
            elif leg is not None:
                self.sent(leg, clean_text(event.get("kind"), 16), clean_text(event.get("to"), 64), now)
            return
        if kind == "HuifangRouted":
            self._routed(event, leg, call, now)
            return
        told = ("node", "key", "label", "said", "understood", "confidence")
        detail = {key: clean_text(event.get(key), 80) for key in told}
        if kind == "HuifangMenu":
            call.in_menu = True
            if detail["label"] and len(call.menu_path) < MAX_MENU:
                call.menu_path.append(detail["label"])
        elif kind == "HuifangLanguage":
            call.language = _language(event.get("language"))
            detail = {"node": "language", "label": call.language}
        elif kind == "HuifangFallback":
            detail = {"node": "fallback", "key": "", "label": ""}
        elif kind == "HuifangMachine":
            call.machine, detail = True, {"node": "machine", "label": clean_text(event.get("cause"), 80)}
        elif kind == "HuifangNobody":
            call.nobody_there, detail = True, {"node": "nobody"}
        elif kind == "HuifangStaff":
            # One of ours is on the line: from now on the customer is called.
            detail = {"node": STAFF_THERE}
        else:
            return
        call.settle(now)
        self.row(call, TimelineKind.MENU, now, leg=leg, detail={k: v for k, v in detail.items() if v})

    def _routed(self, event: ChannelSignal, leg: Leg | None, call: Call, now: datetime) -> None:
        """It was decided where the caller goes. For whom one agent is rung first waits already."""
        queue, first = clean_text(event.get("queue"), 64), clean_text(event.get("agent"), 16)
        told = ("asked", "offer", "over", "because", "rules", "took")
        detail = {key: clean_text(event.get(key), 120) for key in told}
        detail |= {"first": first, "priority": clean_text(event.get("points"), 8)}
        detail = {key: value for key, value in detail.items() if value}
        self.row(call, TimelineKind.ROUTED, now, leg=leg, queue=queue or None, detail=detail)
        if not first or not queue or call.waiting_in == queue:
            return
        call.queue = call.waiting_in = queue
        call.queued_at = call.queued_at or now
        call.left_queue_at, call.gave_up_waiting, call.hangup_by = None, False, None
        call.settle(now)
        self.row(call, TimelineKind.QUEUED, now, leg=leg, queue=queue)


def _language(text: str) -> str:
    """Return the code of a language, empty for anything else."""
    return text if text.isascii() and text.isalpha() and len(text) <= 8 else ""
