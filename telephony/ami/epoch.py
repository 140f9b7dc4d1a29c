"""What the stream of a link carries besides events: where knowledge of the PBX begins and ends.

Every AMI connection is an epoch. Between ``EpochStarted`` and ``EpochEnded`` the events are complete and in
order; outside, anything may have happened. The consumer answers ``EpochStarted`` by taking snapshots through
``link.actions``; events that arrive meanwhile wait in the stream and follow the marker.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from telephony.ami.message import AmiEvent


class LinkState(StrEnum):
    """Where the link stands."""

    DOWN = "down"
    CONNECTING = "connecting"
    UP = "up"
    AUTH_FAILED = "auth_failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """One run of Asterisk. ``boot_id`` is its start-up time in the PBX's own words, empty if not told."""

    boot_id: str
    booted_at: datetime | None

    def differs_from(self, other: "Boot") -> bool:
        """Whether Asterisk was started anew between the two."""
        if self.boot_id and other.boot_id:
            return self.boot_id != other.boot_id
        if self.booted_at is not None and other.booted_at is not None:
            # Computed from an uptime in whole seconds on a clock that may be stepped.
            return abs(self.booted_at - other.booted_at) > timedelta(seconds=5)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochStarted:
    """The PBX is fully booted and every event from here on will be seen.

    ``boot_id`` names the run of Asterisk: it differs when Asterisk was restarted and is worth storing.
    ``restarted`` compares it with the epoch before in this process, None in the first one.
    """

    epoch: int
    node: str
    at: datetime
    boot_id: str
    booted_at: datetime | None
    restarted: bool | None
    ami_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochEnded:
    """The link is gone. ``reason``: eof, reset, watchdog, overflow, protocol, closed or failed."""

    epoch: int
    node: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overflowed:
    """The consumer was too slow; ``dropped`` events are missing here and the epoch ends with it."""

    node: str
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMoved:
    """The link changed its state; for banners and alerts."""

    node: str
    at: datetime
    state: LinkState
    reason: str = ""


Item = AmiEvent | EpochStarted | EpochEnded | Overflowed | LinkMoved
