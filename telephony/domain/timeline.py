"""The rows of a call's time line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class TimelineKind(StrEnum):
    """What happened."""

    OFFERED = "offered"
    MENU = "menu"
    QUEUED = "queued"
    RINGING = "ringing"
    RING_ENDED = "ring_ended"
    ANSWERED = "answered"
    HELD = "held"
    UNHELD = "unheld"
    TRANSFERRED = "transferred"
    LEFT_QUEUE = "left_queue"
    ENDED = "ended"
    GAP = "gap"
    SUPERVISED = "supervised"
    """A supervisor listens, whispers, barges in, or has left again; ``mode`` says which."""
    CONSULTED = "consulted"
    CONFERENCE = "conference"
    ROUTED = "routed"


STAFF_THERE = "staff"
"""The ``node`` of a row of the kind menu: one of ours, rung first, is on the line."""


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One happening; ``seq`` rises strictly within a call, ``at`` never falls."""

    seq: int
    at: datetime
    kind: TimelineKind
    channel: str | None = None
    agent: str | None = None
    queue: str | None = None
    detail: Mapping[str, str] = field(default_factory=dict)
