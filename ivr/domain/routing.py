"""Where a caller goes who is to wait for a person: decided from what is known of them and the queues. Pure.

The rules are the centre's own (``/routing``); the decision names its reasons, so that anybody can read on the
call's page why it went where it went.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from kernel.business_time import OpeningHours

MAX_PRIORITY = 15
"""Below those whom we called and those who come back from a transfer: they wait for nobody."""
OFFER = "offer"
"""In place of a queue: a message or a callback is offered."""


class Because(StrEnum):
    """Why something was decided; what comes after a colon says more."""

    MENU = "menu"
    """What the caller chose, and nothing else."""
    NO_QUEUE = "no_queue"
    """The queue that was asked for is not there."""
    LEVEL = "level"
    OPEN_CASE = "open_case"
    REPEAT = "repeat"
    LAST_AGENT = "last_agent"
    SKILL = "skill"
    CLOSED = "closed"
    OVERFLOW = "overflow"
    LATE = "late"
    """There was no decision in time."""
    FAILED = "failed"
    """Something broke on the way to a decision."""
    UNRECORDED = "unrecorded"
    """The rules want no recording."""
    MESSAGE = "message"
    """A message that is switched on says so."""
    WAITED = "waited"
    """The dialplan's own word: they waited long enough in another queue."""


class Known(StrEnum):
    """Whom the last agent is rung first for."""

    OPEN_CASE = "open_case"
    REPEAT = "repeat"
    LEVEL_A = "level_A"
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRule:
    """What an open case of a kind changes; ``queue`` only for callers who chose no other one."""

    priority: int = 0
    queue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRule:
    """When a queue takes nobody in, or lets them go on.

    Attributes:
        hours: when its people are there; ``None`` for what the menu says.
        closed: where callers go outside these hours: a queue or :data:`OFFER`.
        waiting: so many wait already and nobody is free: callers go to ``over``; 0 for never.
        longest: who waited so long goes to ``over``.
        over: a queue or :data:`OFFER`.
    """

    hours: OpeningHours | None = None
    closed: str = OFFER
    waiting: int = 0
    longest: timedelta | None = None
    over: str = OFFER


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRules:
    """A version of the rules; 0 is what comes with the product.

    Attributes:
        levels: level of a customer → priority.
        cases: kind of an open case → what it changes.
        repeat_complaints, repeat_window: so many complaints in so long a time are complaining again.
        last_agent_for: whom the agent who talked with them last is rung first for.
        last_agent_window: talks before are forgotten.
        skill_by_language, skill_by_queue: the skill that is wanted.
        first: how long the chosen agent rings before everybody does.
        say_ahead, say_wait: callers are told how many are before them, and how long it may take.
        unrecorded_queues, unrecorded_levels: whose conversations are not recorded.
    """

    version: int = 0
    levels: Mapping[str, int] = field(default_factory=dict)
    cases: Mapping[str, CaseRule] = field(default_factory=dict)
    repeat_complaints: int = 0
    repeat_window: timedelta = timedelta(days=90)
    repeat_priority: int = 0
    last_agent_for: frozenset[Known] = frozenset()
    last_agent_window: timedelta = timedelta(days=14)
    skill_by_language: Mapping[str, str] = field(default_factory=dict)
    skill_by_queue: Mapping[str, str] = field(default_factory=dict)
    first: timedelta = timedelta(seconds=12)
    queues: Mapping[str, QueueRule] = field(default_factory=dict)
    say_ahead: bool = False
    say_wait: bool = False
    unrecorded_queues: frozenset[str] = frozenset()
    unrecorded_levels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueNow:
    """A queue at this moment.

    Attributes:
        free: numbers of agents whom a caller would be connected with at once.
        working: how many are signed in, free or not.
        talk: how long a conversation took lately; ``None`` where there was none.
        longest: how long the queue lets anybody wait; ``None`` for as long as they like.
    """

    waiting: int = 0
    free: frozenset[str] = frozenset()
    working: int = 0
    talk: timedelta | None = None
    longest: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is known of a caller.

    Attributes:
        queue, priority, longest: what the menu decided; ``longest`` is how long they may wait.
        open_cases: kinds of their open cases.
        complaints: how many they made within the rules' window.
        last_agent: number of the agent who talked with them last.
        queues: every queue there is.
        skills: agent number → what they can do.
    """

    queue: str
    priority: int = 0
    longest: timedelta | None = None
    language: str = ""
    level: str = ""
    open_cases: frozenset[str] = frozenset()
    complaints: int = 0
    last_agent: str = ""
    queues: Mapping[str, QueueNow] = field(default_factory=dict)
    skills: Mapping[str, Collection[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Where a caller goes.

    Attributes:
        offer: no waiting; a message or a callback is offered.
        first_agent: rung before everybody else, for ``first``; empty for nobody.
        longest: how long they wait at most; ``None`` as the queue is set.
        over: where they go then; empty for the end of the menu.
        record: whether the conversation is recorded, where the centre records any.
        rules: version of the rules.
    """

    queue: str
    offer: bool = False
    priority: int = 0
    first_agent: str = ""
    first: timedelta = timedelta(0)
    longest: timedelta | None = None
    over: str = ""
    record: bool = True
    because: tuple[str, ...] = ()
    rules: int = 0


def safe(asked: str, priority: int, because: Because, *, longest: timedelta | None = None) -> Decision:
    """Return the decision where none could be made: what the menu chose."""
    bounded = max(0, min(priority, MAX_PRIORITY))
    return Decision(queue=asked, priority=bounded, longest=longest, because=(because.value,))


def decide(asked: Asked, rules: RoutingRules, *, now: datetime, default_queue: str) -> Decision:
    """Decide; the queue of the decision is one of ``asked.queues``, or the default one."""
    because: list[str] = []
    queue = asked.queue
    if queue not in asked.queues:
        queue = default_queue
        because.append(Because.NO_QUEUE.value)
    priority, repeats = asked.priority, False
    if rules.levels.get(asked.level):
        priority += rules.levels[asked.level]
        because.append(f"{Because.LEVEL}:{asked.level}")
    kind = _weightiest(asked.open_cases, rules.cases)
    if kind:
        rule = rules.cases[kind]
        priority += rule.priority
        if rule.queue in asked.queues and asked.queue == default_queue:
            queue = rule.queue
        because.append(f"{Because.OPEN_CASE}:{kind}")
    if rules.repeat_complaints and asked.complaints >= rules.repeat_complaints:
        repeats = True
        priority += rules.repeat_priority
        because.append(f"{Because.REPEAT}:{asked.complaints}")
    queue, offer = _open_queue(queue, asked, rules, now, because)
    longest, over = _patience(queue, asked, rules)
    agent = ""
    if not offer:
        agent, why = _first_agent(queue, asked, rules, repeats=repeats)
        because += [why] if why else []
    record = is_recorded(queue, asked.level, rules)
    if not record:
        because.append(Because.UNRECORDED.value)
    return Decision(
        queue=queue,
        offer=offer,
        priority=max(0, min(priority, MAX_PRIORITY)),
        first_agent=agent,
        first=rules.first if agent else timedelta(0),
        longest=longest,
        over=over,
        record=record,
        because=tuple(because) or (Because.MENU.value,),
        rules=rules.version,
    )


def is_recorded(queue: str, level: str, rules: RoutingRules) -> bool:
    """Tell whether conversations of a queue with a customer of a level are recorded, where any are."""
    return queue not in rules.unrecorded_queues and level not in rules.unrecorded_levels


def _weightiest(open_cases: frozenset[str], rules: Mapping[str, CaseRule]) -> str:
    """Return the kind of open case that changes most; of equal ones, the same every time."""
    kinds = sorted(kind for kind in open_cases if kind in rules)
    return max(kinds, key=lambda kind: rules[kind].priority, default="")


def _open_queue(
    queue: str, asked: Asked, rules: RoutingRules, now: datetime, because: list[str]
) -> tuple[str, bool]:
    """Return the queue that takes the caller in, and whether none does: one step on, never in a circle."""
    rule = rules.queues.get(queue, QueueRule())
    if rule.hours is not None and not rule.hours.is_open(now):
        because.append(f"{Because.CLOSED}:{queue}")
        target = rule.closed
    elif _full(queue, asked, rules):
        because.append(f"{Because.OVERFLOW}:{queue}")
        target = rule.over
    else:
        return queue, False
    if target not in asked.queues:
        return queue, True
    other = rules.queues.get(target, QueueRule())
    shut = other.hours is not None and not other.hours.is_open(now)
    if target == queue or shut or _full(target, asked, rules):
        return queue, True
    return target, False


def _patience(queue: str, asked: Asked, rules: RoutingRules) -> tuple[timedelta | None, str]:
    """Return how long they wait at most (``None``: as the queue is set), and where they go then."""
    rule, there = rules.queues.get(queue, QueueRule()), asked.queues.get(queue, QueueNow())
    usual = asked.longest or there.longest
    if rule.longest is None or (usual and usual <= rule.longest):
        return asked.longest, ""
    return rule.longest, rule.over if rule.over in asked.queues and rule.over != queue else ""


def _full(queue: str, asked: Asked, rules: RoutingRules) -> bool:
    rule, there = rules.queues.get(queue, QueueRule()), asked.queues.get(queue, QueueNow())
    return bool(rule.waiting) and not there.free and there.waiting >= rule.waiting


def _first_agent(queue: str, asked: Asked, rules: RoutingRules, *, repeats: bool) -> tuple[str, str]:
    """Return whom to ring before everybody else, and why; only who is free and works in the queue."""
    free = asked.queues.get(queue, QueueNow()).free
    there = {
        Known.EVERYBODY: True,
        Known.OPEN_CASE: bool(asked.open_cases),
        Known.REPEAT: repeats,
        Known.LEVEL_A: asked.level == "A",
    }
    if asked.last_agent in free and any(there[known] for known in rules.last_agent_for):
        return asked.last_agent, Because.LAST_AGENT.value
    skill = rules.skill_by_language.get(asked.language) or rules.skill_by_queue.get(queue)
    if not skill:
        return "", ""
    able = sorted(number for number in free if skill in asked.skills.get(number, ()))
    return (able[0], f"{Because.SKILL}:{skill}") if able else ("", "")


def expected_wait(queue: QueueNow, ahead: int) -> timedelta | None:
    """Return how long somebody will wait with so many before them; ``None`` where nobody can say.

    Each of the agents who work becomes free once in the length of a conversation: who is the n-th to wait
    waits for the n-th of these.
    """
    if queue.free:
        return timedelta(0)
    if not queue.working or queue.talk is None or queue.talk <= timedelta(0):
        return None
    return queue.talk * (max(0, ahead) + 1) / queue.working
