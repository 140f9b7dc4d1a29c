"""A leg: one channel of a call, and who is at its end."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from telephony.domain.call_id import rings_staff, was_asked

if TYPE_CHECKING:
    from telephony.domain.call import Call


class LegKind(StrEnum):
    """Who is at the far end of a channel."""

    CALLER = "caller"
    AGENT = "agent"
    OUTSIDE = "outside"
    OTHER = "other"


# Channel technologies that carry no conversation of their own: taps, recorders, announcers, text messages.
_MACHINES = frozenset(
    {
        "Announcer", "AudioSocket", "CBAnn", "CBRec", "Bridge", "Message", "MulticastRTP", "Recorder",
        "Snoop", "Surrogate", "UnicastRTP", "WebSocket",
    }
)  # fmt: skip
_PHONES = frozenset({"PJSIP", "SIP", "IAX2", "DAHDI", "SCCP"})
_SERIAL = re.compile(r"-[0-9a-f]{8,}(?:;[12])?$")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a channel's name tells: its kind when somebody dials it, and the agent's number."""

    kind: LegKind
    agent_number: str | None
    is_machine: bool


class Endpoints:
    """Reads channel names by the naming of the rendered configuration.

    Args:
        agent_pattern: what an agent's endpoint (and number) looks like.
        trunk_prefix: how the endpoints of trunks begin.
    """

    LIMIT = 4096

    def __init__(self, *, agent_pattern: str = r"\d{3,6}", trunk_prefix: str = "trunk-") -> None:
        self._agent = re.compile(agent_pattern)
        self._trunk_prefix = trunk_prefix
        self._known: dict[str, Endpoint] = {}

    def read(self, channel: str) -> Endpoint:
        """Return the endpoint of a channel name such as ``PJSIP/1001-0000001c``."""
        name = _SERIAL.sub("", channel)
        found = self._known.get(name)
        if found is None:
            found = self._read(name)
            if len(self._known) < self.LIMIT:
                self._known[name] = found
        return found

    def _read(self, name: str) -> Endpoint:
        technology, _, rest = name.partition("/")
        if technology in _MACHINES:
            return Endpoint(LegKind.OTHER, None, True)
        if technology not in _PHONES:
            return Endpoint(LegKind.OTHER, None, False)
        if not rest.startswith(self._trunk_prefix) and self._agent.fullmatch(rest):
            return Endpoint(LegKind.AGENT, rest, False)
        return Endpoint(LegKind.OUTSIDE, None, False)


def agent_of_interface(interface: str) -> str | None:
    """Return the agent number of a queue member's interface (``PJSIP/1001``), ``None`` for others."""
    technology, _, rest = interface.partition("/")
    return rest if technology in _PHONES and rest.isdigit() else None


@dataclass(slots=True, eq=False)
class Leg:
    """One channel of a call.

    Attributes:
        call: the call it belongs to now.
        is_root: the channel the call began with.
        came_in: its far end called us.
        rang: the far end said that it rings.
        ringing: it is being rung now, and the time line says so.
        refused: the cause the far end gave while it was being rung.
        taken: this party took the call (told once).
        leaving: its far end has hung up, though the channel is still there.
        gave_away: this party transferred the call, so that its hang-up ends nothing.
        bridge: the bridge it is in now.
        held: hears music, because the agent put this party on hold from the page.
        told: of somebody who was asked: how far the time line has told of it.
    """

    call: "Call"
    uniqueid: str
    linkedid: str
    channel: str
    kind: LegKind
    agent_number: str | None
    number: str
    started_at: datetime
    is_root: bool = False
    came_in: bool = False
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    cause: int | None = None
    rang: bool = False
    ringing: bool = False
    ring_queue: str | None = None
    refused: int | None = None
    taken: bool = False
    leaving: bool = False
    gave_away: bool = False
    dialled: bool = False
    dial_status: str = ""
    bridge: str = ""
    holding: bool = False
    held: bool = False
    told: str = ""

    @property
    def is_asked(self) -> bool:
        """Whether this party was called because somebody in the call wanted to ask them."""
        return was_asked(self.uniqueid)

    @property
    def is_staff(self) -> bool:
        """Whether one of ours was rung by it for a call to a customer, perhaps on a mobile telephone."""
        return self.is_root and rings_staff(self.uniqueid)
