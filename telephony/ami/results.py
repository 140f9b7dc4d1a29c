"""What actions take and give back, typed: a refusal can never look like a success."""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum

from telephony.ami.message import AmiEvent


class OriginateReason(StrEnum):
    """Why an Originate ended as it did (the ``Reason`` of OriginateResponse)."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    CONGESTED = "congested"
    FAILED = "failed"


# Asterisk reports the last control frame it saw (frame.h, ``AST_CONTROL_*``).
_REASONS = {
    "0": OriginateReason.FAILED,
    "1": OriginateReason.NO_ANSWER,
    "3": OriginateReason.NO_ANSWER,
    "4": OriginateReason.ANSWERED,
    "5": OriginateReason.BUSY,
    "8": OriginateReason.CONGESTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginateResult:
    """The end of an Originate: the far side answered, or it did not and why."""

    channel_id: str
    success: bool
    reason: OriginateReason
    action_id: str

    @classmethod
    def from_event(cls, event: AmiEvent) -> "OriginateResult":
        """Read an ``OriginateResponse`` event."""
        success = event.get("response").lower() == "success"
        reason = _REASONS.get(event.get("reason"), OriginateReason.FAILED)
        if success is not (reason is OriginateReason.ANSWERED):
            reason = OriginateReason.ANSWERED if success else OriginateReason.FAILED
        return cls(
            channel_id=event.get("uniqueid"), success=success, reason=reason, action_id=event.action_id
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginateAccepted:
    """The PBX has queued the call; ``result()`` waits for how it ends."""

    channel_id: str
    action_id: str
    outcome: "asyncio.Future[OriginateResult]" = field(repr=False)

    async def result(self) -> OriginateResult:
        """Wait for the OriginateResponse.

        Cancelling the wait leaves the call alone; several may wait.

        Raises:
            AmiDown: the link was lost before; look for the channel by its id.
            AmiTimeout: it did not come within the Originate's own timeout and some seconds.
        """
        return await asyncio.shield(self.outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerId:
    """Name and number shown to the called party."""

    number: str
    name: str = ""

    def header(self) -> str:
        """Return ``"name" <number>`` with what would end the quotes taken out."""
        name = self.name.translate(str.maketrans("", "", '"\\<>'))
        number = self.number.translate(str.maketrans("", "", '"\\<>'))
        return f'"{name}" <{number}>' if name else f"<{number}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreStatus:
    """Which run of Asterisk this is, and how much it has carried."""

    boot_id: str
    current_calls: int
    processed_calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSettings:
    """What kind of Asterisk this is."""

    asterisk_version: str
    ami_version: str
    system_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """A snapshot of queues: parameters, members and waiting callers."""

    queues: tuple[AmiEvent, ...]
    members: tuple[AmiEvent, ...]
    callers: tuple[AmiEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeDetail:
    """One bridge and the channels in it."""

    bridge_id: str
    bridge: AmiEvent
    channels: tuple[AmiEvent, ...]
