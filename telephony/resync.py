"""Snapshots of a PBX for the call model."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from telephony.ami.message import AmiEvent
from telephony.ami.results import QueueStatus
from telephony.domain.call_resync import PbxSnapshot, SeenChannel, SeenWaiting

_CLOCK = re.compile(r"(\d{1,6}):(\d\d):(\d\d)")


class SnapshotActions(Protocol):
    """The AMI actions a snapshot is made of."""

    async def core_show_channels(self) -> Sequence[AmiEvent]:
        """Return a ``CoreShowChannel`` event per channel."""
        ...

    async def queue_status(self) -> QueueStatus:
        """Return the queues with members and waiting callers."""
        ...


async def take_snapshot(actions: SnapshotActions) -> PbxSnapshot:
    """Ask the PBX for all channels and waiting callers.

    ``CoreShowChannel`` carries the channel variables of ``channelvars`` and the bridge, so no further
    question per channel is needed (Asterisk 18 to 22).

    Raises:
        AmiError: the link is down, or no answer in time.
    """
    channels = await actions.core_show_channels()
    queues = await actions.queue_status()
    return PbxSnapshot(
        channels=tuple(_channel(row) for row in channels if row.get("uniqueid")),
        waiting=tuple(_waiting(row) for row in queues.callers if row.get("uniqueid")),
    )


def _channel(row: AmiEvent) -> SeenChannel:
    return SeenChannel(
        uniqueid=row.get("uniqueid"),
        linkedid=row.get("linkedid") or row.get("uniqueid"),
        channel=row.get("channel"),
        state=_number(row.get("channelstate")),
        number=row.get("calleridnum"),
        name=row.get("calleridname"),
        exten=row.get("exten")[:64],
        application=row.get("application")[:64],
        bridge=row.get("bridgeid")[:64],
        age=_age(row.get("duration")),
        variables=row.chan_variables,
    )


def _waiting(row: AmiEvent) -> SeenWaiting:
    return SeenWaiting(
        uniqueid=row.get("uniqueid"),
        queue=row.get("queue"),
        waited=timedelta(seconds=_number(row.get("wait"))),
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _age(text: str) -> timedelta:
    found = _CLOCK.fullmatch(text)
    if found is None:
        return timedelta(0)
    hours, minutes, secs = (int(part) for part in found.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=secs)
