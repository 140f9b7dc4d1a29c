"""A call: what is known of it, and how its state follows from its legs."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from telephony.domain.leg import Leg
from telephony.domain.timeline import TimelineKind, TimelineRow

MAX_ROWS = 500
MAX_LEGS = 200
MAX_MENU = 50
_NO_TIME = timedelta(0)


class Direction(StrEnum):
    """Who called whom."""

    IN = "in"
    OUT = "out"
    INTERNAL = "internal"


class CallState(StrEnum):
    """Where a call stands."""

    OFFERED = "offered"
    MENU = "menu"
    QUEUED = "queued"
    RINGING = "ringing"
    TALKING = "talking"
    HELD = "held"
    ENDED = "ended"


class CallResult(StrEnum):
    """How a call ended (domain.md §4.2)."""

    ANSWERED = "ANSWERED"
    NO_ANSWER = "NO_ANSWER"
    BUSY = "BUSY"
    OFF = "OFF"
    EMPTY = "EMPTY"
    REJECTED = "REJECTED"
    ABANDONED_QUEUE = "ABANDONED_QUEUE"
    ABANDONED_SHORT = "ABANDONED_SHORT"
    IVR_ONLY = "IVR_ONLY"
    FAILED = "FAILED"


class HangupBy(StrEnum):
    """Who ended a call.

    In calls with the outside, ``caller`` is the outside party, also where we called it. In internal calls
    ``caller`` is who dialled and ``agent`` who was dialled.
    """

    CALLER = "caller"
    AGENT = "agent"
    SYSTEM = "system"
    UNKNOWN = "unknown"


class EndReason(StrEnum):
    """Why a call ended, beyond who hung up."""

    HANGUP = "hangup"
    QUEUE_TIMEOUT = "queue_timeout"
    NO_AGENT = "no_agent"
    QUEUE_FULL = "queue_full"
    GAP = "gap"
    PBX_RESTART = "pbx_restart"
    MERGED = "merged"
    MACHINE = "machine"
    """What answered our call was no person."""


class Phase(StrEnum):
    """Which of the clocks of a conversation runs."""

    NONE = "none"
    TALK = "talk"
    HOLD = "hold"


@dataclass(slots=True, eq=False)
class Call:
    """One call on one PBX node.

    Attributes:
        exten: what the first channel dialled.
        call_id: empty while only a channel is known and nothing says that it is a call.
        live: the legs that have not hung up, by uniqueid.
        queue: the queue it was put into last.
        waiting_in: the queue it waits in now.
        left_queue_at: when it left the last queue without an agent.
        language: of the caller, where they chose another than the centre's own.
        machine: we called, and a machine answered.
        nobody_there: we called, and had nobody for the person who answered.
        wait: fixed at the first answer or when the waiting ended.
        handled: it was held or somebody was asked from an agent's page, at least once.
        seq: number of the last time-line row.
        phase_since: since when the present phase runs.
    """

    node: str
    direction: Direction
    from_number: str
    to_number: str
    from_name: str
    started_at: datetime
    call_id: str = ""
    state: CallState = CallState.OFFERED
    result: CallResult | None = None
    queue: str | None = None
    waiting_in: str | None = None
    queue_status: str = ""
    gave_up_waiting: bool = False
    machine: bool = False
    nobody_there: bool = False
    handled: bool = False
    agent_number: str | None = None
    menu_path: list[str] = field(default_factory=list)
    language: str = ""
    in_menu: bool = False
    queued_at: datetime | None = None
    left_queue_at: datetime | None = None
    dialled_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    wait: timedelta | None = None
    talk: timedelta = _NO_TIME
    hold: timedelta = _NO_TIME
    phase: Phase = Phase.NONE
    phase_since: datetime | None = None
    hangup_by: HangupBy | None = None
    end_reason: EndReason | None = None
    cause: int | None = None
    adopted: bool = False
    merged_into: str | None = None
    legs: dict[str, Leg] = field(default_factory=dict)
    live: dict[str, Leg] = field(default_factory=dict)
    root: Leg | None = None
    last_dialled: Leg | None = None
    exten: str = ""
    linkedids: set[str] = field(default_factory=set)
    rows: list[TimelineRow] = field(default_factory=list)
    seq: int = 0
    last_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """It is a call and it has not ended."""
        return bool(self.call_id) and self.ended_at is None

    @property
    def connected_at(self) -> datetime | None:
        """When the first of ours took it whose telephone did not begin it."""
        taken = (
            leg.answered_at
            for leg in self.legs.values()
            if leg.taken and not leg.is_root and leg.agent_number is not None
        )
        return min((at for at in taken if at is not None), default=None)

    def add_row(
        self,
        kind: TimelineKind,
        at: datetime,
        *,
        leg: Leg | None = None,
        agent: str | None = None,
        queue: str | None = None,
        detail: dict[str, str] | None = None,
    ) -> TimelineRow | None:
        """Append to the time line; ``None`` when it is full (the end always fits)."""
        if self.seq >= MAX_ROWS and kind is not TimelineKind.ENDED:
            return None
        self.last_at = at if self.last_at is None else max(self.last_at, at)
        self.seq += 1
        row = TimelineRow(
            self.seq,
            self.last_at,
            kind,
            leg.channel if leg is not None else None,
            agent if agent is not None or leg is None else leg.agent_number,
            queue,
            detail or {},
        )
        self.rows.append(row)
        return row

    def continue_after(self, seq: int) -> None:
        """Number the rows so far on from ``seq``: that many are stored of this call already."""
        self.rows = [replace(row, seq=row.seq + seq) for row in self.rows]
        self.seq += seq

    def connected(self) -> bool:
        """Two of its legs are in one bridge, or the called person hears an application."""
        seen: set[str] = set()
        for leg in self.live.values():
            if leg.bridge:
                if leg.bridge in seen:
                    return True
                seen.add(leg.bridge)
        root = self.root
        # A call placed to the outside and answered there is a conversation, also with a recorded voice.
        return (
            self.direction is Direction.OUT
            and root is not None
            and root.taken
            and root.agent_number is None
            and root.ended_at is None
        )

    def settle(self, now: datetime) -> None:
        """Bring clocks and state in line with the legs."""
        if self.ended_at is not None:
            self._shift(Phase.NONE, now)
            self.state = CallState.ENDED
            return
        if any(leg.held for leg in self.live.values()):
            self._shift(Phase.HOLD, now)
        elif not self.connected():
            self._shift(Phase.NONE, now)
        elif any(leg.holding for leg in self.live.values()):
            self._shift(Phase.HOLD, now)
        else:
            self._shift(Phase.TALK, now)
        self.state = self._state()

    def _shift(self, phase: Phase, now: datetime) -> None:
        if phase is self.phase:
            return
        if self.phase_since is not None:
            spent = max(now - self.phase_since, _NO_TIME)
            if self.phase is Phase.TALK:
                self.talk += spent
            elif self.phase is Phase.HOLD:
                self.hold += spent
        self.phase, self.phase_since = phase, now

    def _state(self) -> CallState:
        if self.phase is Phase.TALK:
            return CallState.TALKING
        if self.phase is Phase.HOLD:
            return CallState.HELD
        if any(leg.taken and not leg.gave_away and not leg.is_root for leg in self.live.values()):
            # Answered, and the bridge is on its way.
            return CallState.TALKING
        if any(leg.ringing for leg in self.live.values()):
            return CallState.RINGING
        if self.waiting_in is not None:
            return CallState.QUEUED
        root = self.root
        if self.in_menu or (
            self.direction is Direction.IN and root is not None and root.answered_at is not None
        ):
            return CallState.MENU
        return CallState.OFFERED

    def talk_until(self, now: datetime) -> timedelta:
        """Conversation without hold, up to ``now``."""
        running = self.phase is Phase.TALK and self.phase_since is not None
        return self.talk + (
            max(now - self.phase_since, _NO_TIME) if running and self.phase_since else _NO_TIME
        )

    def hold_until(self, now: datetime) -> timedelta:
        """Time on hold, up to ``now``."""
        running = self.phase is Phase.HOLD and self.phase_since is not None
        return self.hold + (
            max(now - self.phase_since, _NO_TIME) if running and self.phase_since else _NO_TIME
        )

    def wait_until(self, now: datetime) -> timedelta | None:
        """How long the caller has waited (or waited, once that is over)."""
        if self.wait is not None:
            return self.wait
        since = self.queued_at or self.dialled_at
        if since is None:
            return None
        return max((self.left_queue_at or self.ended_at or now) - since, _NO_TIME)
