"""What the agents' side of telephony needs from outside."""

from collections.abc import Sequence
from typing import Protocol

from telephony.ami.results import QueueStatus
from telephony.domain.queue import MemberPlan
from telephony.domain.signal import Signal


class MemberActions(Protocol):
    """The AMI actions about queue members and the snapshots that tell what is.

    Every method ends within its own deadline and raises a subclass of
    :class:`kernel.errors.HuifangError`: the link is down (nothing was sent), no answer in time (whether it
    acted is not known), or refused.
    """

    async def queue_add(
        self,
        queue: str,
        interface: str,
        *,
        penalty: int = 0,
        paused: bool = False,
        reason: str = "",
        member_name: str = "",
        state_interface: str = "",
    ) -> bool:
        """Add a dynamic member; return False when it was one already (and is left as it was)."""
        ...

    async def queue_remove(self, queue: str, interface: str) -> bool:
        """Remove a dynamic member; return False when it was none."""
        ...

    async def queue_penalty(self, interface: str, penalty: int, *, queue: str | None = None) -> None:
        """Change a member's penalty."""
        ...

    async def queue_pause(
        self, interface: str, *, paused: bool, queue: str | None = None, reason: str = ""
    ) -> None:
        """Pause or unpause a member in one queue, or in all of them."""
        ...

    async def queue_status(self) -> QueueStatus:
        """Return all queues with their members and callers."""
        ...

    async def core_show_channels(self) -> Sequence[Signal]:
        """Return a ``CoreShowChannel`` event per channel."""
        ...

    async def device_state_list(self) -> Sequence[Signal]:
        """Return a ``DeviceStateChange`` event per device."""
        ...


class CallFinder(Protocol):
    """Which call a channel belongs to."""

    def call_id_of(self, uniqueid: str) -> str | None:
        """Return the call's id, ``None`` for a channel that is no call's."""
        ...


class MemberFollower(Protocol):
    """Keeps Asterisk's members in line with plans."""

    @property
    def live(self) -> bool:
        """True while the PBX is in reach and its members are known."""
        ...

    def follow(self, plan: MemberPlan) -> None:
        """Bring the members to ``plan`` soon; never blocks. Without a link, when it is back."""
        ...
