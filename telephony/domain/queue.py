"""Queues, who works in them, and how Asterisk's members are brought in line with our tables.

``queue_member`` in SQL is the truth; Asterisk's dynamic members follow it. :func:`changes` is the whole
rule: it compares what should be with what is, and names the steps between.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta

from telephony.domain.agent_state import Stance


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """A queue as the site set it.

    Attributes:
        strategy: Asterisk's word (``rrmemory``, ``leastrecent``, ``ringall``, …).
        ring_timeout: how long one member's phone rings before the next is tried.
        retry: pause before the next round.
        wrap_up: time for the disposition after a call; zero for none.
        max_wait: a caller who waited so long leaves the queue; zero for no limit.
        answer_within: the X of «service level X».
        weight: queues of a higher weight are served first by members of several.
        live_text: what is said in its calls is shown as text while they go on.
        rating: its customers are asked after a call how it was, where the agent hangs up first.
    """

    name: str
    label_zh: str
    label_en: str
    strategy: str = "rrmemory"
    ring_timeout: timedelta = timedelta(seconds=15)
    retry: timedelta = timedelta(seconds=1)
    wrap_up: timedelta = timedelta(seconds=60)
    max_wait: timedelta = timedelta(minutes=10)
    answer_within: timedelta = timedelta(seconds=20)
    weight: int = 0
    position: int = 0
    live_text: bool = False
    rating: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Membership:
    """An agent works in a queue; members of a lower penalty are rung first."""

    queue: str
    penalty: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPlan:
    """What Asterisk's queues must hold of one agent.

    Attributes:
        version: of the agent's record; an older plan never overwrites a newer one.
    """

    number: str
    name: str
    version: int
    memberships: tuple[Membership, ...] = ()
    stance: Stance = field(default_factory=lambda: Stance(present=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class ActualMember:
    """A member as Asterisk has it."""

    queue: str
    penalty: int
    paused: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddMember:
    """Add the interface to ``queue``. Added paused, where so wished, it never rings in between."""

    queue: str
    penalty: int
    paused: bool
    reason: str


@dataclass(frozen=True, slots=True)
class RemoveMember:
    """Take the interface out of ``queue``."""

    queue: str


@dataclass(frozen=True, slots=True)
class SetPenalty:
    """Change when the interface is rung in ``queue``, compared with its colleagues."""

    queue: str
    penalty: int


@dataclass(frozen=True, slots=True)
class PauseMember:
    """Pause the interface in all its queues."""

    reason: str


@dataclass(frozen=True, slots=True)
class UnpauseMember:
    """Let callers ring the interface again, in all its queues."""


MemberChange = AddMember | RemoveMember | SetPenalty | PauseMember | UnpauseMember


def changes(plan: MemberPlan, actual: Collection[ActualMember]) -> tuple[MemberChange, ...]:
    """Return the steps that bring ``actual`` (one interface's members) to ``plan``, safest order first.

    A pause comes before everything else, an unpause after everything else, so that nobody is rung in a
    half-made state.
    """
    stance = plan.stance
    wanted = {m.queue: m.penalty for m in plan.memberships} if stance.present else {}
    kept = [member for member in actual if member.queue in wanted]
    removals = [RemoveMember(member.queue) for member in actual if member.queue not in wanted]
    penalties = [SetPenalty(m.queue, wanted[m.queue]) for m in kept if m.penalty != wanted[m.queue]]
    present = {member.queue for member in kept}
    additions = [
        AddMember(queue=queue, penalty=penalty, paused=stance.paused, reason=stance.reason)
        for queue, penalty in sorted(wanted.items())
        if queue not in present
    ]
    first: list[MemberChange] = []
    last: list[MemberChange] = []
    if stance.paused and any(not m.paused or m.reason != stance.reason for m in kept):
        first.append(PauseMember(stance.reason))
    if not stance.paused and any(member.paused for member in kept):
        last.append(UnpauseMember())
    return (*first, *removals, *penalties, *additions, *last)
