"""Follows attempts that were sent: by what their calls do, and after any failure by looking for them.

An attempt's id is its call's id: what telephony tells of the call, live and as a fact, settles the attempt.
Whenever something may have been missed (the link was lost, events were dropped, we were started again) every
open attempt is in doubt, and stays so until a fresh snapshot or the record of the call says more
(architecture.md §3). Nothing here ever places a call.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.attempt_moves import AttemptMoves, Step
from callback_campaigns.dial_attempts import DialAttempts, OpenAttempt
from callback_campaigns.dial_events import DialFailed
from callback_campaigns.dial_outcomes import CallOver, EarlyMedia, NobodyListens, outcome_of
from callback_campaigns.domain import attempt as rules
from callback_campaigns.domain.attempt import (
    Attempt,
    AttemptEffect,
    AttemptLimits,
    AttemptMoved,
    AttemptState,
)
from callback_campaigns.domain.terms import Outcome
from callback_campaigns.exchange import Exchange, ExchangeAway
from kernel.bus import Bus, Lagged
from kernel.clock import Clock
from kernel.events import Event
from telephony.domain.timeline import STAFF_THERE, TimelineKind
from telephony.events import CallAnswered, CallEnded, CallMerged, CallProgressed, LinkStateChanged
from telephony.history import CallHistory, CallNotFound

log = structlog.get_logger(__name__)

HEARD: tuple[type[Event], ...] = (
    CallProgressed,
    CallAnswered,
    CallMerged,
    CallEnded,
    DialFailed,
    LinkStateChanged,
)
_SAID = {"machine": Outcome.MACHINE, "nobody": Outcome.ABANDONED}

OPEN = Gauge("huifang_dial_attempts_open", "Attempts that are not over", ["state"])
OVER = Counter("huifang_dial_attempts_total", "Attempts that ended", ["outcome"])
DOUBTED = Counter("huifang_dial_doubts_total", "Attempts that had to be looked for")


class CallRecords(Protocol):
    """The records of calls that are over."""

    async def over(self, call_id: str) -> CallOver | None:
        """Return how a call ended, ``None`` when none of that id has."""
        ...


class StoredCalls:
    """The records in the database."""

    def __init__(self, history: CallHistory) -> None:
        self._history = history

    async def over(self, call_id: str) -> CallOver | None:
        """Return how a call ended, ``None`` when none of that id has."""
        try:
            return CallOver.stored(await self._history.get(call_id))
        except CallNotFound:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperConfig:
    """Patience.

    Attributes:
        look: pause between two looks for attempts in doubt.
        sweep: how often all open attempts are compared with how long their states can last.
        limits: how long that is.
    """

    look: timedelta = timedelta(seconds=1)
    sweep: timedelta = timedelta(seconds=5)
    limits: AttemptLimits = field(default_factory=AttemptLimits)


class AttemptKeeper:
    """Keeps the attempts of one PBX true. Give :meth:`run` and ``moves.run`` to the supervisor.

    Attributes:
        on_over: told of each attempt that has ended, once that is stored.
    """

    def __init__(
        self,
        attempts: DialAttempts,
        exchange: Exchange,
        records: CallRecords,
        *,
        bus: Bus,
        clock: Clock,
        early: EarlyMedia | None = None,
        config: KeeperConfig | None = None,
    ) -> None:
        self.moves = AttemptMoves(attempts, on_moved=self._moved)
        self._attempts = attempts
        self._exchange = exchange
        self._records = records
        self._bus = bus
        self._clock = clock
        self._early = early or NobodyListens()
        self._config = config or KeeperConfig()
        self.on_over: Callable[[Attempt], None] = lambda attempt: None
        self._open: dict[str, OpenAttempt] = {}
        self._merged: dict[str, str] = {}
        self._looking = asyncio.Event()

    # -- what others ask and tell --------------------------------------------------------------------

    def open_attempts(self) -> tuple[OpenAttempt, ...]:
        """Return the attempts that are not over, as far as they are stored."""
        return tuple(self._open.values())

    def follows(self, attempt_id: str) -> bool:
        """Tell whether an attempt is known and not over."""
        return attempt_id in self._open

    def began(self, opened: OpenAttempt) -> None:
        """An attempt was committed: follow it from now on, before its Originate is written."""
        self._open[opened.attempt.attempt_id] = opened

    def sent(self, attempt_id: str) -> None:
        """The exchange took it."""
        self._put(attempt_id, rules.sent)

    def not_sent(self, attempt_id: str) -> None:
        """It is certain that no call was made of it."""
        self._put(attempt_id, rules.not_sent)

    def doubt(self, attempt_id: str) -> None:
        """Nobody knows what became of it."""
        self._put(attempt_id, rules.doubt)

    async def take(self, session: AsyncSession, fact: Event) -> None:
        """Settle an attempt by the fact of its call's end; a consumer of the outbox. Twice is once."""
        if isinstance(fact, CallEnded):
            over, now = CallOver.of(fact), self._clock.now()
            await self._attempts.move_in(session, fact.call_id, self._end_of(over, now))

    # -- following -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow until cancelled; may simply be started again."""
        async with self._bus.subscribe(*HEARD, name="dialler", maxsize=20_000) as heard:
            await self._resume()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._look_again_and_again())
                group.create_task(self._sweep_again_and_again())
                async for event in heard:
                    if isinstance(event, Lagged):
                        log.warning("dialler_lagged", dropped=event.dropped)
                        self._doubt_all()
                    else:
                        self.hear(event)

    async def _resume(self) -> None:
        """What was open when we were not there is in doubt."""
        for one in await self._attempts.in_progress(self._exchange.node):
            self._open.setdefault(one.attempt.attempt_id, one)
        self._doubt_all()

    def _doubt_all(self) -> None:
        for attempt_id in self._open:
            DOUBTED.inc()
            self.doubt(attempt_id)

    def hear(self, event: Event) -> None:
        """Take what telephony tells; never waits."""
        match event:
            case LinkStateChanged() if event.node == self._exchange.node:
                if event.state == "live":
                    self._looking.set()
                elif event.state in {"down", "auth_failed"}:
                    self._doubt_all()
            case CallMerged() if event.call_id in self._open:
                self._merged[event.into_call_id] = event.call_id
            case CallEnded():
                attempt_id = self._merged.pop(event.call_id, event.call_id)
                if attempt_id in self._open:
                    self.moves.put(attempt_id, self._end_of(CallOver.of(event), self._clock.now()))
            case DialFailed() if event.attempt_id in self._open:
                self._ended(event.attempt_id, Outcome.FAILED)
            case CallAnswered() if event.call_id in self._open:
                at, taken = event.answered_at, event.agent_number is not None
                self.moves.put(event.call_id, lambda one: rules.answered(one, now=at))
                if taken:
                    self.moves.put(event.call_id, lambda one: rules.connected(one, at=at))
            case CallProgressed() if event.call_id in self._open:
                self._progressed(event)
            case _:
                pass

    def _progressed(self, event: CallProgressed) -> None:
        # A row with an agent is about his telephone, not the customer's.
        if event.kind == TimelineKind.RINGING.value and event.agent_number is None:
            self._put(event.call_id, rules.rang)
        elif event.kind == TimelineKind.MENU.value:
            node = dict(event.detail).get("node", "")
            if node == STAFF_THERE:
                # Now it is the customer's telephone that is called.
                self._put(event.call_id, rules.rang)
            outcome = _SAID.get(node)
            if outcome is not None:
                self._put(event.call_id, rules.answered)
                self._ended(event.call_id, outcome)

    def _ended(self, attempt_id: str, outcome: Outcome) -> None:
        now = self._clock.now()
        self.moves.put(attempt_id, lambda one: rules.ended(one, outcome, now=now))

    def _end_of(self, over: CallOver, now: datetime) -> Step:
        """Return the step that a call's end is for its attempt."""
        heard = self._early.heard(over.call_id)
        outcome = outcome_of(over, heard)
        return lambda one: rules.ended(
            one,
            outcome,
            now=now,
            taken=over.taken,
            connect_seconds=over.connect_seconds,
            cause=over.cause,
            heard=heard,
        )

    def _put(self, attempt_id: str, step: Callable[..., AttemptMoved]) -> None:
        now = self._clock.now()
        self.moves.put(attempt_id, lambda one: step(one, now=now))

    def _moved(self, moved: AttemptMoved) -> None:
        attempt = moved.attempt
        known = self._open.get(attempt.attempt_id)
        if attempt.state is AttemptState.ENDED:
            self._open.pop(attempt.attempt_id, None)
            self.on_over(attempt)
        elif known is not None:
            self._open[attempt.attempt_id] = OpenAttempt(
                attempt=attempt,
                task_id=known.task_id,
                campaign_id=known.campaign_id,
                trunk=known.trunk,
                agent=known.agent,
            )
        if AttemptEffect.SETTLE in moved.effects and attempt.outcome is not None:
            OVER.labels(attempt.outcome.value).inc()
        if attempt.state is AttemptState.LOOKING:
            self._looking.set()

    # -- looking -------------------------------------------------------------------------------------

    async def _look_again_and_again(self) -> None:
        while True:
            await self._looking.wait()
            await asyncio.sleep(self._config.look.total_seconds())
            self._looking.clear()
            if any(one.attempt.state is AttemptState.LOOKING for one in self._open.values()):
                try:
                    await self.look()
                except ExchangeAway as error:
                    log.info("dialler_cannot_look", reason=error.message)
                except (SQLAlchemyError, OSError, TimeoutError) as error:
                    log.warning("dialler_cannot_look", reason=type(error).__name__)
                self._looking.set()

    async def look(self) -> None:
        """Look once for all attempts in doubt. Raises ExchangeAway when nothing can be known now."""
        await self.moves.stored()
        doubted = [one.attempt for one in self._open.values() if one.attempt.state is AttemptState.LOOKING]
        if not doubted:
            return
        there = await self._exchange.look()
        for attempt in doubted:
            await self._find(attempt, there)

    async def _find(self, attempt: Attempt, there: frozenset[str]) -> None:
        attempt_id, now = attempt.attempt_id, self._clock.now()
        state = self._exchange.seen(attempt_id)
        if state is None and attempt_id in there:
            state = AttemptState.SENT
        if state is not None:
            found = state
            self.moves.put(attempt_id, lambda one: rules.found(one, found, now=now))
            return
        over = await self._records.over(attempt_id)
        if over is not None:
            self.moves.put(attempt_id, self._end_of(over, now))
        elif not self._on_its_way(attempt, now):
            self.moves.put(attempt_id, lambda one: rules.not_found(one, self._config.limits, now=now))

    def _on_its_way(self, attempt: Attempt, now: datetime) -> bool:
        """The call was seen to end, and its record is being written."""
        return (
            self._exchange.knows(attempt.attempt_id) and abs(now - attempt.since) < self._config.limits.settle
        )

    async def _sweep_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(self._config.sweep.total_seconds())
            try:
                await self.sweep()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("dialler_sweep_failed", reason=type(error).__name__)

    async def sweep(self) -> None:
        """Compare all open attempts, also those that another process began, with what their states allow."""
        now = self._clock.now()
        found = await self._attempts.in_progress(self._exchange.node)
        for one in found:
            self._open.setdefault(one.attempt.attempt_id, one)
            if rules.overdue(one.attempt, self._config.limits, now=now).effects:
                DOUBTED.inc()
                self.moves.put(
                    one.attempt.attempt_id,
                    lambda attempt: rules.overdue(attempt, self._config.limits, now=now),
                )
            elif one.attempt.state is AttemptState.LOOKING:
                self._looking.set()
        if not len(self.moves):
            stored = {one.attempt.attempt_id: one for one in found}
            for attempt_id in [one for one in self._open if one not in stored]:
                # Begun since the list was read, or ended by somebody else.
                if abs(now - self._open[attempt_id].attempt.began_at) > self._config.sweep:
                    del self._open[attempt_id]
            for state in AttemptState:
                OPEN.labels(state.value).set(sum(one.attempt.state is state for one in found))
