"""The live board as data: what a supervisor sees of queues, agents and calls, each figure with its age."""

from dataclasses import dataclass
from datetime import datetime

import pydantic

from kernel.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Today's figures, of a queue or of all. ``None`` where there is nothing to divide by.

    Attributes:
        service_level: share from 0 to 1 by the board's formula; ``within`` ÷ ``counted``.
        asa_seconds: average speed of answer.
        handled: calls of agents that were over; ``aht_seconds`` their average handling time: conversation,
            hold and wrap-up.
        occupancy: share from 0 to 1 of their working time that agents spent on calls; of a queue: of those
            who work in it now, whichever queue their calls came through.
    """

    offered: int
    answered: int
    abandoned: int
    short_abandoned: int
    within: int
    counted: int
    service_level: float | None
    asa_seconds: float | None
    handled: int = 0
    aht_seconds: float | None = None
    occupancy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendPoint:
    """Half an hour of today, all queues together; ``within`` ÷ ``counted`` is its service level."""

    at: datetime
    offered: int
    answered: int
    abandoned: int
    short_abandoned: int
    within: int
    counted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView(Figures):
    """One queue.

    Attributes:
        longest_since: since when the caller at the head waits; ``None`` when nobody does.
        available: members who could be rung now.
    """

    name: str
    label_zh: str
    label_en: str
    waiting: int
    longest_since: datetime | None
    signed_in: int
    available: int
    on_call: int
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    """One agent.

    Attributes:
        state: a :class:`telephony.domain.agent_state.AgentState`, or :data:`~.agent_state.RESERVED`.
        device: Asterisk's word for the phone: ``UNAVAILABLE`` is not registered.
    """

    agent_id: str
    number: str
    name: str
    state: str
    reason: str | None
    since: datetime
    call_id: str | None
    queue: str | None
    next_state: str | None
    queues: tuple[str, ...]
    device: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCallView:
    """One call in progress. Numbers are whole; whoever shows them masks them by role.

    Attributes:
        agent: number of the agent who talks or is being rung.
        since: since when the call is in this state.
    """

    call_id: str
    node: str
    direction: str
    from_number: str
    to_number: str
    queue: str | None
    state: str
    agent: str | None
    menu_path: tuple[str, ...]
    started_at: datetime
    queued_at: datetime | None
    answered_at: datetime | None
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """How the link to a PBX node stands; ``as_of``: until when what we know of the node is true."""

    node: str
    state: str
    as_of: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """A limit of a queue that is crossed; ``kind`` and ``limit`` as :mod:`telephony.domain.board_limits`."""

    queue: str
    kind: str
    limit: int
    value: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardView:
    """Everything at one moment.

    Attributes:
        as_of: until when the live figures are true.
        stale: the PBX is out of reach; what is shown was true at ``as_of``.
        formula: which service level this is (:class:`telephony.domain.service_level.Formula`).
        day_from: midnight of the site, with which the day that is counted began.
        handling_as_of: until when handling time and occupancy are true.
        trend: today's half hours in which somebody came, all queues together.
        alerts: limits that are crossed, the oldest first; ``alert_sound``: one that begins may ring.
    """

    as_of: datetime
    stale: bool
    formula: str
    total: Figures
    queues: tuple[QueueView, ...]
    agents: tuple[AgentView, ...]
    calls: tuple[LiveCallView, ...]
    links: tuple[LinkView, ...]
    day_from: datetime | None = None
    handling_as_of: datetime | None = None
    trend: tuple[TrendPoint, ...] = ()
    alerts: tuple[AlertView, ...] = ()
    alert_sound: bool = False


NO_FIGURES = Figures(
    offered=0,
    answered=0,
    abandoned=0,
    short_abandoned=0,
    within=0,
    counted=0,
    service_level=None,
    asa_seconds=None,
)

_adapter = pydantic.TypeAdapter(BoardView)


def board_key(node: str) -> str:
    """Return the key in Redis under which a node's board lies."""
    return f"hf:board:{node}"


def encode_board(view: BoardView) -> bytes:
    """Return the board as JSON."""
    raw: bytes = _adapter.dump_json(view)
    return raw


def decode_board(raw: bytes | str) -> BoardView:
    """Return the board that :func:`encode_board` wrote.

    Raises:
        Invalid: it is not one, or one of another version.
    """
    try:
        return _adapter.validate_json(raw)
    except pydantic.ValidationError as error:
        raise Invalid(f"not a board: {error.error_count()} errors") from error
