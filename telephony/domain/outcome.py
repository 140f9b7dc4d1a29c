"""How a call's result, and who ended it, follow from what was seen (domain.md §4.2, §5.3)."""

from datetime import timedelta

from telephony.domain.call import Call, CallResult, Direction, EndReason, HangupBy
from telephony.domain.leg import Leg, LegKind

# Q.850 causes, as Asterisk maps SIP statuses to them.
_EMPTY = frozenset({1, 2, 3, 22, 28})
_BUSY = 17
_REJECTED = 21
_OFF = 20
_ALERTED = 19
_NO_RESPONSE = 18

# QUEUESTATUS of the Queue application → why the caller left without an agent.
QUEUE_REASONS = {
    "TIMEOUT": EndReason.QUEUE_TIMEOUT,
    "FULL": EndReason.QUEUE_FULL,
    "JOINEMPTY": EndReason.NO_AGENT,
    "LEAVEEMPTY": EndReason.NO_AGENT,
    "JOINUNAVAIL": EndReason.NO_AGENT,
    "LEAVEUNAVAIL": EndReason.NO_AGENT,
}


def result_of(call: Call, *, short_abandon: timedelta) -> CallResult:
    """Return the result of a call that has ended.

    A caller who hangs up in the queue within ``short_abandon`` is a short abandon. A caller whom the queue
    gave back (nobody signed in, time over) was not answered, whatever he did afterwards.
    """
    if call.machine:
        return CallResult.NO_ANSWER
    if call.nobody_there:
        return CallResult.ABANDONED_QUEUE
    if call.answered_at is not None:
        return CallResult.ANSWERED
    if call.end_reason is EndReason.PBX_RESTART:
        return CallResult.FAILED
    if call.queued_at is not None:
        if not call.gave_up_waiting:
            return CallResult.NO_ANSWER
        wait = call.wait or timedelta(0)
        return CallResult.ABANDONED_SHORT if wait <= short_abandon else CallResult.ABANDONED_QUEUE
    if call.queue is not None:
        # Sent to a queue that took nobody in.
        return CallResult.NO_ANSWER
    if call.last_dialled is not None:
        return _dialled(call.last_dialled)
    root = call.root
    if call.direction is Direction.IN or call.menu_path:
        return CallResult.IVR_ONLY
    if call.direction is Direction.OUT and root is not None and root.agent_number is None:
        customer = _customer_of(call, root)
        return _dialled(customer) if customer is not None else CallResult.FAILED
    return CallResult.FAILED


def _dialled(leg: Leg) -> CallResult:
    cause = leg.refused if leg.refused is not None else leg.cause
    if cause == _REJECTED:
        return CallResult.REJECTED
    if cause == _BUSY or leg.dial_status == "BUSY":
        # A desk phone has no other way to say no; a public network says busy for an engaged line.
        return CallResult.REJECTED if leg.rang and leg.kind is LegKind.AGENT else CallResult.BUSY
    if cause in _EMPTY:
        return CallResult.EMPTY
    if cause == _OFF or (cause == _ALERTED and not leg.rang and leg.refused is not None):
        return CallResult.OFF
    if leg.dial_status in ("CONGESTION", "CHANUNAVAIL"):
        return CallResult.FAILED
    if cause is None or cause in (0, 16, 26, _ALERTED, _NO_RESPONSE, 127) or leg.rang:
        return CallResult.NO_ANSWER
    return CallResult.FAILED


def ring_end_reason(leg: Leg, status: str, *, caller_gone: bool) -> str:
    """Return why a phone stopped ringing without an answer."""
    if leg.refused is not None:
        if leg.refused == _REJECTED or (leg.refused == _BUSY and leg.rang):
            return "rejected"
        if leg.refused == _BUSY:
            return "busy"
        return "no_answer"
    if caller_gone or status == "CANCEL":
        return "abandoned"
    return "no_answer"


def party(call: Call, leg: Leg) -> HangupBy:
    """Return whom a hang-up of ``leg``'s far end counts for."""
    if call.direction is Direction.INTERNAL:
        return HangupBy.CALLER if leg.is_root else HangupBy.AGENT
    return HangupBy.AGENT if leg.kind is LegKind.AGENT or leg.is_staff else HangupBy.CALLER


def _customer_of(call: Call, root: Leg) -> Leg | None:
    """Return the leg to the customer of a call that we placed; ``None`` where only one of ours was rung."""
    if not root.is_staff:
        return root
    return next((leg for leg in call.legs.values() if leg is not root), None)


def _customer_not_called(call: Call) -> bool:
    """One of ours was to be rung first, and nobody was called after that."""
    root = call.root
    return root is not None and root.is_staff and _customer_of(call, root) is None


def why_ended(call: Call) -> EndReason:
    """Return why a call ended that was seen to end.

    A caller whom the queue gave back lost his call there, whatever came after; where the PBX does not tell
    the queue's own reason (``QUEUESTATUS`` among the ``channelvars``) it is that nobody answered.
    """
    if call.machine:
        return EndReason.MACHINE
    if call.nobody_there or _customer_not_called(call):
        return EndReason.NO_AGENT
    if call.answered_at is not None or call.queue is None or call.gave_up_waiting:
        return EndReason.HANGUP
    return QUEUE_REASONS.get(call.queue_status, EndReason.NO_AGENT)


def who_ended(call: Call) -> HangupBy:
    """Return who ended a call in which nobody was seen to hang up."""
    if call.end_reason is EndReason.GAP:
        return HangupBy.UNKNOWN
    dialled = call.last_dialled
    if call.answered_at is None and dialled is not None and dialled.refused in (_BUSY, _REJECTED):
        return party(call, dialled)
    return HangupBy.SYSTEM
