"""What the pacing is told, what it may do, and what it answers.

All times here are seconds on one monotonic clock: a wall clock that jumps must not look like a long call.
"""

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """How a campaign dials (features.md C2); preview and agentless dialling need no pacing."""

    PROGRESSIVE = "progressive"
    POWER = "power"
    PREDICTIVE = "predictive"


class Reason(StrEnum):
    """Why a decision is what it is."""

    PROGRESSIVE = "progressive"
    """The campaign's own mode: one dial for each free agent that has none yet."""
    POWER = "power"
    """More than one dial for a free agent, as the answer ratio and the budget permit."""
    PREDICTIVE = "predictive"
    """Also for agents who will be free when the person answers."""
    BUDGET_USED = "budget_used"
    """Progressive: another abandoned call might exceed the cap."""
    LITTLE_DATA = "little_data"
    """Progressive: the centre's own times are not known well enough."""
    FEW_AGENTS = "few_agents"
    """Progressive: fewer agents than the campaign asks for."""
    TRIAL = "trial"
    """Progressive, a few at a time: agents let calls ring in vain; it is tried out whether they answer."""
    STATE_AGEING = "state_ageing"
    """Progressive: the PBX has not been heard for a while."""
    STATE_STALE = "state_stale"
    """Nothing: the PBX has not been heard for too long."""
    NO_AGENTS = "no_agents"
    """Nothing: nobody is there."""
    NO_LINES = "no_lines"
    """Nothing: trunks, calls per second or lines per agent permit no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a campaign permits."""

    cap: float = 0.03
    """Share of live answers that may go without a person within two seconds."""
    window_seconds: float = 86_400.0
    """The rolling window in which the cap is held."""
    savings: float = 60.0
    """Abandoned calls that may be saved up: what any busy spell may exceed the cap by, in calls."""
    min_agents: int = 8
    """Fewer agents than this are dialled for progressively."""
    min_talks: int = 30
    """Ended conversations to be seen before one is foreseen; also one for each agent."""
    min_answers: int = 30
    """Live answers to be seen before one is foreseen."""
    lines_per_agent: float = 3.0
    """Dials in progress for each agent who is there, at most."""
    grace_seconds: float = 1.0
    """How long a person waits at most once known to be one: two seconds, less their detection."""
    ageing_seconds: float = 3.0
    """Silence of the PBX after which nothing is foreseen any more."""
    stale_seconds: float = 10.0
    """Silence of the PBX after which nobody is dialled."""

    def __post_init__(self) -> None:
        if not 0 < self.cap < 1:
            raise ValueError("cap: a share between 0 and 1")
        if self.stale_seconds < self.ageing_seconds:
            raise ValueError("stale_seconds: not less than ageing_seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The centre at one moment. Only agents who take this campaign's calls are counted."""

    now: float
    heard_at: float
    """When the PBX was last heard (an event or an answered ping)."""
    free: int
    """Agents who could be connected this moment."""
    ringing: int = 0
    """Agents whose telephone rings for a call."""
    talking_since: tuple[float, ...] = ()
    wrapping_since: tuple[float, ...] = ()
    dialling_since: tuple[float, ...] = ()
    """Dials in progress: neither a person nor a failure is known yet."""
    waiting: int = 0
    """People who have answered and have nobody yet."""
    lines_free: int = 1_000
    """Further dials that the trunks have lines for."""
    starts_left: int = 1_000
    """Further dials that the calls-per-second limits permit now."""

    @property
    def agents(self) -> int:
        """How many agents are there."""
        return self.free + self.ringing + len(self.talking_since) + len(self.wrapping_since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How many to dial now, and why."""

    dial: int
    reason: Reason
    credit: float
    """Abandoned calls that the budget had left."""
    risk: float = 0.0
    """Estimated chance that the last of these dials, when answered, finds no agent."""
