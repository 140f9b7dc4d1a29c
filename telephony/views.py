"""Calls as the outside sees them: frozen, complete, with no database behind them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from telephony.call_quality import QualityView
from telephony.call_ratings import RatingView

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LegView:
    """One channel of a call. ``kind`` is ``caller``, ``agent``, ``outside`` or ``other``."""

    uniqueid: str
    linkedid: str
    channel: str
    kind: str
    agent_number: str | None
    number: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    cause: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One row of a call's time line; ``seq`` counts from 1 without gaps going backwards."""

    seq: int
    at: datetime
    kind: str
    channel: str | None
    agent: str | None
    queue: str | None
    detail: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """One call with its legs and its time line.

    Attributes:
        agent: number of the agent who talked last with the other side, ``None`` where nobody did.
        wait_seconds: from entering the queue (or the ringing of a directly dialled phone) to the answer or
            the end of waiting; ``None`` where nobody waited.
        talk_seconds: conversation without hold.
        language: of the caller, where they chose another than the centre's own.
        end_reason: see :class:`telephony.domain.call.EndReason`; ``None`` while the call lives.
        quality: how the lines were, of one call read by itself.
        rating: what the customer said of it, likewise; ``None`` where nothing.
    """

    call_id: str
    node: str
    direction: str
    from_number: str
    to_number: str
    from_name: str
    customer_id: str | None
    queue: str | None
    agent: str | None
    agent_id: str | None
    state: str
    result: str | None
    menu_path: tuple[str, ...]
    started_at: datetime
    queued_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    wait_seconds: float | None
    talk_seconds: float
    hold_seconds: float
    hangup_by: str | None
    end_reason: str | None
    cause: int | None
    adopted: bool
    language: str | None = None
    legs: tuple[LegView, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    quality: tuple[QualityView, ...] = ()
    rating: RatingView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """What :meth:`telephony.history.CallHistory.page` shows; ``None`` does not filter.

    Attributes:
        since: calls that started then or later.
        until: calls that started before then.
        number: a full or partial number of either side, as people write it.
        agent: an agent number; finds every call the agent talked in.
        text: part of the caller's name, of a menu label or of a number.
    """

    since: datetime | None = None
    until: datetime | None = None
    direction: str | None = None
    queue: str | None = None
    agent: str | None = None
    result: str | None = None
    state: str | None = None
    number: str | None = None
    customer_id: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A part of a list, newest first; ``next_cursor`` is ``None`` on the last one."""

    items: tuple[T, ...]
    next_cursor: str | None = None
