"""``/route``: asked by the dialplan before a caller enters a queue; answered within 200 ms.

What is not decided in time, or not at all, goes where the menu said: nobody hears silence for a rule. The
dialplan has a limit of its own for the day when we do not answer.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

import structlog
from prometheus_client import Counter, Histogram

from crm.caller_standing import CallerStanding, Standing
from ivr.domain.languages import LANGUAGE_VARIABLE
from ivr.domain.routing import (
    Asked,
    Because,
    Decision,
    QueueNow,
    RoutingRules,
    decide,
    expected_wait,
    is_recorded,
    safe,
)
from ivr.line_messages import Then
from ivr.line_words import LineWords, Words
from kernel.clock import Clock
from kernel.phone import Phone
from telephony.agi import AgiSession
from telephony.agi.server import Handler
from telephony.queue_now import QueueMoments

log = structlog.get_logger(__name__)

DEADLINE = timedelta(milliseconds=200)
LATE_TOLD_SECONDS = 60.0
SKILLS_KNOWN_FOR = timedelta(seconds=5)

ROUTED = Counter("huifang_routing_decisions_total", "Callers sent to a queue", ["outcome"])
ROUTING_SECONDS = Histogram(
    "huifang_routing_decision_seconds",
    "From the dialplan's question to the decision",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
)


class RulesInForce(Protocol):
    """The rules (:class:`ivr.routing_book.RoutingNow`)."""

    @property
    def rules(self) -> RoutingRules:
        """The rules for the next caller."""
        ...


class CallerKnowledge(Protocol):
    """What is known of a caller and of the queues."""

    async def gather(self, asked: Asked, phone: Phone | None, rules: RoutingRules) -> Asked:
        """Return ``asked`` with everything that the rules look at."""
        ...

    async def talk(self, queue: str) -> timedelta | None:
        """Return how long conversations of a queue took lately."""
        ...


class Knowledge:
    """Implements :class:`CallerKnowledge` with the records."""

    def __init__(self, standing: CallerStanding, queues: QueueMoments, clock: Clock) -> None:
        self._standing = standing
        self._queues = queues
        self._clock = clock
        self._skills: Mapping[str, frozenset[str]] = {}
        self._skills_until = 0.0

    async def gather(self, asked: Asked, phone: Phone | None, rules: RoutingRules) -> Asked:
        """Return ``asked`` with everything that the rules look at."""
        now = self._clock.now()
        standing, last = Standing(), ""
        if phone is not None:
            standing = await self._standing.of(phone, since=now - rules.repeat_window)
            if rules.last_agent_for:
                last = await self._queues.last_agent(phone, since=now - rules.last_agent_window)
        moments = await self._queues.all(now)
        return Asked(
            queue=asked.queue,
            priority=asked.priority,
            longest=asked.longest,
            language=asked.language,
            level=standing.level,
            open_cases=standing.open_kinds,
            complaints=standing.complaints,
            last_agent=last,
            queues={
                name: QueueNow(waiting=one.waiting, free=one.free, working=one.working, longest=one.longest)
                for name, one in moments.items()
            },
            skills=await self._skilled(rules),
        )

    async def talk(self, queue: str) -> timedelta | None:
        """Return how long conversations of a queue took lately."""
        return await self._queues.talk(queue, self._clock.now())

    async def _skilled(self, rules: RoutingRules) -> Mapping[str, frozenset[str]]:
        if not rules.skill_by_language and not rules.skill_by_queue:
            return {}
        if self._clock.monotonic() >= self._skills_until:
            self._skills = await self._standing.skills()
            self._skills_until = self._clock.monotonic() + SKILLS_KNOWN_FOR.total_seconds()
        return self._skills


class CallRouter:
    """Answers the dialplan's question where a caller goes.

    Args:
        default_queue: where a caller goes whose queue is not there.
        default_area: area code of local numbers.
        deadline: for the whole decision.
        words: what callers are told before they wait; nothing without it.
    """

    def __init__(
        self,
        rules: RulesInForce,
        knowledge: CallerKnowledge,
        clock: Clock,
        *,
        default_queue: str,
        default_area: str | None = None,
        deadline: timedelta = DEADLINE,
        words: LineWords | None = None,
    ) -> None:
        self._rules = rules
        self._knowledge = knowledge
        self._clock = clock
        self._default = default_queue
        self._area = default_area
        self._deadline = deadline
        self._words = words
        self._late_told_until = 0.0

    def routes(self) -> Mapping[str, Handler]:
        """Return the handlers for :class:`telephony.agi.AgiServer`."""
        return {"route": self.route, "recorded": self.recorded}

    async def route(self, session: AgiSession) -> None:
        """``/route``, with queue, priority and longest wait of the menu: decide, and tell the time line."""
        given = (*session.environment.arguments, "", "", "")
        call_id = await session.get_variable("HF_CALL") or ""
        asked = Asked(
            queue=given[0],
            priority=_number(given[1]) or 0,
            longest=timedelta(seconds=_number(given[2])) if _number(given[2]) else None,
            language=await session.get_variable(LANGUAGE_VARIABLE) or "",
        )
        phone = Phone.parse_caller(session.environment.caller_number, default_area=self._area)
        started = asyncio.get_running_loop().time()
        decision, known = await self.decide(asked, phone)
        took = asyncio.get_running_loop().time() - started
        ROUTING_SECONDS.observe(took)
        words = await self._to_say(decision, known)
        if words.then is not Then.QUEUE:
            decision = replace(
                decision,
                offer=words.then is Then.OFFER,
                first_agent="",
                because=(*decision.because, Because.MESSAGE.value),
            )
        await _tell(session, decision, words)
        await session.user_event(
            "HuifangRouted",
            Call=call_id,
            Asked=asked.queue,
            Queue=decision.queue,
            Offer="yes" if decision.offer else "",
            # «Priority» is the dialplan's own in each event.
            Points=str(decision.priority),
            Agent=decision.first_agent,
            Over=decision.over,
            Because=" ".join(decision.because),
            Rules=str(decision.rules),
            Took=f"{took * 1000:.0f}",
        )

    async def recorded(self, session: AgiSession) -> None:
        """``/recorded``, with the queue that a call goes on to: tell whether it is recorded there.

        Where nobody can say in time nothing changes.
        """
        queue = (*session.environment.arguments, "")[0]
        phone = Phone.parse_caller(session.environment.caller_number, default_area=self._area)
        rules = self._rules.rules
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                known = await self._knowledge.gather(Asked(queue=queue), phone, rules)
        except Exception as error:  # a border: whatever breaks, the call goes on as it was
            log.warning("recording_rule_not_known", queue=queue[:40], error=type(error).__name__)
            return
        record = is_recorded(queue, known.level, rules)
        await session.set_variable("HF_RECORD", "" if record else "no")

    def _tell_late(self, queue: str) -> None:
        """Say it once a minute: in a rush every caller is late, and the log must not grow with them."""
        now = self._clock.monotonic()
        if now >= self._late_told_until:
            self._late_told_until = now + LATE_TOLD_SECONDS
            log.warning("routing_late", queue=queue, deadline_seconds=self._deadline.total_seconds())

    async def decide(self, asked: Asked, phone: Phone | None) -> tuple[Decision, Asked]:
        """Return where the caller goes, in time, whatever happens; and what was known."""
        rules = self._rules.rules
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                known = await self._knowledge.gather(asked, phone, rules)
                decision = decide(known, rules, now=self._clock.now(), default_queue=self._default)
        except TimeoutError:
            ROUTED.labels("late").inc()
            self._tell_late(asked.queue)
            because = Because.LATE
        except Exception as error:  # a border: whatever breaks, the caller goes to a person
            ROUTED.labels("failed").inc()
            log.error("routing_failed", queue=asked.queue, error=type(error).__name__, exc_info=True)
            because = Because.FAILED
        else:
            kind = "offer" if decision.offer else "first_agent" if decision.first_agent else "queue"
            ROUTED.labels(kind).inc()
            return decision, known
        return safe(asked.queue or self._default, asked.priority, because, longest=asked.longest), asked

    async def _to_say(self, decision: Decision, known: Asked) -> Words:
        """Return what the caller is told: how long they will wait only where it is known and they will."""
        if self._words is None:
            return Words()
        rules, there = self._rules.rules, known.queues.get(decision.queue)
        ahead, wait = None, None
        if there is not None and not there.free and not decision.offer:
            # Whoever goes before others has fewer before them than wait.
            ahead = there.waiting if rules.say_ahead and not decision.priority else None
            if rules.say_wait:
                talk = await self._talk(decision.queue)
                wait = expected_wait(replace(there, talk=talk), there.waiting)
        return self._words.for_caller(
            decision.queue, known.language, self._clock.now(), ahead=ahead, wait=wait
        )

    async def _talk(self, queue: str) -> timedelta | None:
        try:
            async with asyncio.timeout(self._deadline.total_seconds() / 2):
                return await self._knowledge.talk(queue)
        except Exception as error:  # a border: the caller is not told, and goes on
            log.warning("routing_wait_not_known", queue=queue, error=type(error).__name__)
            return None


async def _tell(session: AgiSession, decision: Decision, words: Words) -> None:
    """Set what the dialplan goes by; ``HF_ROUTE`` last, for without it nothing was decided."""
    variables = {
        "HF_QUEUE": decision.queue,
        "HF_QUEUE_PRIO": str(decision.priority) if decision.priority else "",
        "HF_QUEUE_TIMEOUT": str(int(decision.longest.total_seconds())) if decision.longest else "",
        "HF_OVER": decision.over,
        "HF_PREFER": decision.first_agent,
        "HF_PREFER_SECONDS": str(int(decision.first.total_seconds())) if decision.first_agent else "",
        "HF_RECORD": "" if decision.record else "no",
        "HF_SAY": "&".join(map(str, words.files)),
    }
    for name, value in variables.items():
        if value or name != "HF_QUEUE":
            await session.set_variable(name, value)
    last = Then.HANGUP if words.then is Then.HANGUP else Then.OFFER if decision.offer else Then.QUEUE
    await session.set_variable("HF_ROUTE", last.value)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
