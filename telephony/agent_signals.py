"""What AMI events say about an agent: pure translation.

As measured on Asterisk 22: a rejection gives ``AgentRingNoAnswer`` as a phone left ringing does, and only
the cause of the ``Hangup`` that follows (17 busy, 21 rejected) tells them apart.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from kernel.ids import is_ulid
from telephony.domain.agent_state import RingEnd, leg_id
from telephony.domain.agent_steps import AgentEvent, Answered, LegEnded, LegUp, LiveLeg, QueueGaveUp, Rang
from telephony.domain.call_ears import TAKEN
from telephony.domain.signal import Signal
from telephony.softphone_keys import TRY_PHONE

AGENT_EVENTS = (
    "AgentCalled",
    "AgentConnect",
    "AgentRingNoAnswer",
    "DialBegin",
    "Newchannel",
    "Newstate",
    "Hangup",
    "UserEvent",
)

CHANNEL = re.compile(r"PJSIP/([0-9]{2,8})-[0-9a-f]+(?:;[12])?")
# ChannelState: 4 the phone calls somebody, 5 it is being called, 6 up.
RINGING, BUSY = {"5"}, {"4", "6"}
CAUSES = {"17": RingEnd.BUSY, "21": RingEnd.REJECTED}

TRY_CONTEXT = "huifang-try"
"""Where the dialplan leads who dials :data:`telephony.softphone_keys.TRY_PHONE`."""

FIRST = "HuifangFirst"
"""Told by the dialplan when the agent answers who is rung before the others of a queue."""

CallOf = Callable[[str], str | None]
WrapUpOf = Callable[[str], timedelta]


def number_of_channel(channel: str) -> str | None:
    """Return the number of the agent whose phone the channel is, ``None`` for any other channel."""
    found = CHANNEL.fullmatch(channel)
    return found[1] if found else None


def call_id_in(variables: Mapping[str, str]) -> str | None:
    """Return the call id that the dialplan minted, ``None`` when there is no sound one."""
    value = variables.get("HF_CALL", "")
    return value if is_ulid(value) else None


def translate(
    event: Signal, *, node: str, call_of: CallOf, wrap_up_of: WrapUpOf
) -> tuple[str, AgentEvent] | None:
    """Return the agent's number and what happened to them, ``None`` when the event tells nothing."""
    prefix = "Dest" if event.name.startswith("Agent") else ""
    number = number_of_channel(event.get(prefix + "Channel"))
    uniqueid = event.get(prefix + "Uniqueid")
    if number is None or not uniqueid or _tries_phone(event):
        return None
    leg = leg_id(node, uniqueid)
    made = _made(event, leg, call_of(uniqueid) or call_id_in(event.chan_variables), wrap_up_of)
    return None if made is None else (number, made)


def _tries_phone(event: Signal) -> bool:
    """Tell whether an agent tries their telephone out: they talk with nobody, and it is no call."""
    return event.get("Exten") == TRY_PHONE or event.get("Context") == TRY_CONTEXT


def _made(event: Signal, leg: str, call_id: str | None, wrap_up_of: WrapUpOf) -> AgentEvent | None:
    queue = event.get("Queue")
    match event.name:
        case "AgentCalled":
            return Rang(leg=leg, call_id=call_id, queue=queue, wrap_up=wrap_up_of(queue))
        case "AgentConnect":
            return Answered(leg=leg, call_id=call_id, queue=queue, wrap_up=wrap_up_of(queue))
        case "AgentRingNoAnswer":
            return QueueGaveUp(leg=leg)
        case "Hangup":
            return LegEnded(leg=leg, ring_end=CAUSES.get(event.get("Cause"), RingEnd.ABANDONED))
        case "UserEvent" if event.get("UserEvent") == FIRST:
            return Answered(leg=leg, call_id=call_id, queue=queue, wrap_up=wrap_up_of(queue))
        case "UserEvent" if event.get("UserEvent") == TAKEN:
            # A supervisor's telephone, which has listened so far, is in the call from now on.
            return LegUp(leg=leg, call_id=call_id)
        case "DialBegin" | "Newchannel" | "Newstate" if event.get("ChannelState") in BUSY:
            return LegUp(leg=leg, call_id=call_id)
        case "Newstate" if event.get("ChannelState") in RINGING:
            return Rang(leg=leg, call_id=call_id, queue=None)
        case _:
            return None


def live_legs(channels: Iterable[Signal], *, node: str, call_of: CallOf) -> dict[str, tuple[LiveLeg, ...]]:
    """Return the agents' channels of a ``CoreShowChannels`` snapshot, by agent number."""
    found: dict[str, tuple[LiveLeg, ...]] = {}
    for event in channels:
        number, uniqueid = number_of_channel(event.get("Channel")), event.get("Uniqueid")
        state = event.get("ChannelState")
        if number is None or not uniqueid:
            continue
        call_id = call_of(uniqueid) or call_id_in(event.chan_variables)
        leg = LiveLeg(
            leg=leg_id(node, uniqueid), call_id=call_id, ringing=state in RINGING, talking=state in BUSY
        )
        found[number] = (*found.get(number, ()), leg)
    return found
