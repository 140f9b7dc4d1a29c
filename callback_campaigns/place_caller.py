"""Calls back the callers whose place in a queue has come to its turn; runs where the link to the PBX is.

It is a place's turn when nobody on the line is before it, as Asterisk itself ranks them. Then an agent is
held back from the queues, their telephone rings first, and the customer's once they are there: nobody who is
called waits for somebody to be free, and there are never more such calls than agents. An agent who becomes
free is held before a queue may ring them (:class:`telephony.members.MemberSync`): whoever came later does not
pass.

All that lasts is in the database (:mod:`callback_campaigns.place_attempts`); whoever is held when this
process is killed is free again, and the next one goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from prometheus_client import Gauge
from sqlalchemy.exc import SQLAlchemyError

from callback_campaigns.dial_attempts import OpenAttempt
from callback_campaigns.domain.attempt import Attempt
from callback_campaigns.domain.queue_place import PlaceState, Waiting, turns
from callback_campaigns.domain.refusal import Refusal, RefusalCode
from callback_campaigns.exchange import DialOrder, Way
from callback_campaigns.place_attempts import OpenPlace, PlaceAttempts
from callback_campaigns.placing import Placing
from callback_campaigns.preview import PreviewConfig
from crm.office import Office
from kernel.bus import Bus, Subscription
from kernel.errors import HuifangError
from kernel.events import Event, event
from telephony.domain.queue import MemberPlan
from telephony.events import CallAnswered

log = structlog.get_logger(__name__)

HELD_FOR = timedelta(seconds=20)
"""An agent who is held back and not called within this is let go."""
PATIENCE = timedelta(seconds=15)
"""For so long whose turn it was still counts while the database or the PBX cannot be asked, and agents who
become free before it was ever known are kept from later callers."""
LONGEST = timedelta(hours=3)
"""So long an agent is held during a call whose end nobody saw."""

PASSING = frozenset(
    {
        RefusalCode.LINK_DOWN,
        RefusalCode.STALE_STATE,
        RefusalCode.CONCURRENCY,
        RefusalCode.CALLS_PER_SECOND,
    }
)
"""What the PBX or the trunk refuse for a moment."""

PASSING_FOR = timedelta(seconds=10)

OPEN = Gauge("huifang_queue_places_open", "Callers' places in queues that wait or are being called")


@event
class PlaceCalled(Event):
    """A caller who kept their place is being called, an agent's telephone first."""

    call_id: str
    queue: str
    agent_number: str
    waited_seconds: float


class Members(Protocol):
    """Who keeps the agents in the queues; see :class:`telephony.members.MemberSync`."""

    claims: Callable[[MemberPlan], bool]

    def hold(self, number: str) -> None:
        """Have an agent rung by no queue until :meth:`release`."""
        ...

    def release(self, number: str) -> None:
        """Let the queues ring them again; again does nothing."""
        ...

    def is_held(self, number: str) -> bool:
        """Tell whether no queue rings them because of us."""
        ...


@dataclass(frozen=True, slots=True)
class FreeAgent:
    """An agent whose telephone could ring now; the first is to take the next call."""

    number: str
    queues: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hall:
    """What is asked of the queues.

    Attributes:
        waiting: who waits on the line, by queue. Raises HuifangError while that is not known.
        free: agents who are free, also such as are held back.
        busy: agents who talk, or write about their last call.
        connected: told that a customer who was called is with the agent: (number, call, queue).
    """

    members: Members
    waiting: Callable[[], Awaitable[Mapping[str, Sequence[Waiting]]]]
    free: Callable[[], Iterable[FreeAgent]]
    busy: Callable[[], Iterable[FreeAgent]]
    connected: Callable[[str, str, str], None]


@dataclass(slots=True)
class _Held:
    queue: str
    since: datetime
    attempt_id: str | None = None


class PlaceCaller:
    """Calls places back for one PBX. Give :meth:`run` to the supervisor."""

    def __init__(
        self,
        office: Office,
        attempts: PlaceAttempts,
        placing: Placing,
        hall: Hall,
        config: PreviewConfig,
        *,
        bus: Bus,
        tick: timedelta = timedelta(seconds=1),
    ) -> None:
        self._office = office
        self._attempts = attempts
        self._placing = placing
        self._hall = hall
        self._config = config
        self._bus = bus
        self._tick = tick.total_seconds()
        self._held: dict[str, _Held] = {}
        self._ahead: set[str] = set()
        self._turns: dict[str, list[OpenPlace]] | None = None
        """Whose turn it is by queue; ``None`` while that is not known."""
        self._unsure: dict[str, frozenset[str]] = {}
        self._known_at = office.clock.monotonic()
        self._wake = asyncio.Event()
        hall.members.claims = self._claims

    async def run(self) -> None:
        """Work until cancelled; may simply be started again."""
        self._forget()
        async with (
            self._bus.subscribe(CallAnswered, name="queue-places") as answered,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self._follow(answered))
            try:
                while True:
                    try:
                        await self.round()
                    except (SQLAlchemyError, OSError, TimeoutError, HuifangError) as error:
                        log.warning("queue_places_wait", reason=type(error).__name__)
                        self._failed()
                    self._wake.clear()
                    try:
                        async with asyncio.timeout(self._tick):
                            await self._wake.wait()
                    except TimeoutError:
                        continue
            finally:
                self._forget()
                self._let_go(everybody=True)

    async def _follow(self, answered: Subscription) -> None:
        """Say at once whose customer is with whom: they may hang up the next moment."""
        async for item in answered:
            if isinstance(item, CallAnswered):
                self._connected(item)

    def _forget(self) -> None:
        self._turns, self._known_at = None, self._office.clock.monotonic()

    def _failed(self) -> None:
        """Go by what was known for a while; then let everybody go: who waits on the line is served."""
        if not self._patient():
            self._turns = None
            self._let_go(everybody=True)

    def _patient(self) -> bool:
        """Whether what is known, or will be in a moment, is waited for."""
        return self._office.clock.monotonic() - self._known_at < PATIENCE.total_seconds()

    async def round(self) -> int:
        """Look once at places and agents; return how many calls were begun."""
        opened = await self._attempts.settle()
        OPEN.set(len(opened))
        calling = {one.place.attempt_id for one in opened if one.place.state is PlaceState.CALLING}
        for number, held in list(self._held.items()):
            if held.attempt_id is not None and held.attempt_id not in calling:
                self._release(number)
        now = self._office.now()
        if not any(one.place.waits(now) for one in opened):
            self._turns = {}
        else:
            self._turns = self._whose(opened, await self._hall.waiting(), now)
        self._known_at = self._office.clock.monotonic()
        self._let_go()
        free = {agent.number: agent for agent in self._hall.free()}
        for agent in free.values():
            self._hold(agent.number, agent.queues)
        self._hold_ahead()
        self._sure()
        begun = 0
        for number, held in list(self._held.items()):
            if held.attempt_id is None and number in free and self._hall.members.is_held(number):
                begun += await self._call(number, held)
        return begun

    def _whose(
        self, opened: Sequence[OpenPlace], waiting: Mapping[str, Sequence[Waiting]], now: datetime
    ) -> dict[str, list[OpenPlace]]:
        known = {one.place.place_id: one for one in opened}
        found = {}
        for queue in {one.place.queue for one in opened}:
            mine = [one.place for one in opened if one.place.queue == queue]
            found[queue] = [known[one.place_id] for one in turns(mine, waiting.get(queue, ()), now)]
        return found

    # -- agents ------------------------------------------------------------------------------------------

    def _claims(self, plan: MemberPlan) -> bool:
        """Take an agent who becomes free for a place whose turn it is, or may be; never waits."""
        queues = frozenset(one.queue for one in plan.memberships)
        if self._turns is None:
            held = self._patient()
            if held:
                self._unsure[plan.number] = queues
        else:
            held = self._hold(plan.number, queues)
        if held:
            self._wake.set()
        return held

    def _sure(self) -> None:
        """Take those who were kept until it is known whose turn it is, or let them go."""
        while self._unsure:
            number, queues = self._unsure.popitem()
            if not self._hold(number, queues) and number not in self._ahead:
                self._hall.members.release(number)

    def _hold(self, number: str, queues: frozenset[str]) -> bool:
        if number in self._held:
            return True
        wanted = [
            (places[taken].place.rank, queue)
            for queue in queues
            if len(places := self._of(queue)) > (taken := self._taken(queue))
        ]
        if not wanted:
            return False
        self._held[number] = _Held(queue=min(wanted)[1], since=self._office.now())
        self._hall.members.hold(number)
        return True

    def _hold_ahead(self) -> None:
        """Keep those who talk from being rung at their hang-up, before anybody here has heard of it."""
        wanted = {
            agent.number for agent in self._hall.busy() if any(self._of(queue) for queue in agent.queues)
        }
        for number in wanted - self._ahead - self._held.keys():
            self._hall.members.hold(number)
        for number in self._ahead - wanted - self._held.keys():
            self._hall.members.release(number)
        self._ahead = wanted

    def _of(self, queue: str) -> list[OpenPlace]:
        """Return the places of a queue whose turn it is, as far as is known."""
        return (self._turns or {}).get(queue, [])

    def _taken(self, queue: str) -> int:
        """Return how many agents are held for a queue and have called nobody yet."""
        return sum(held.queue == queue and held.attempt_id is None for held in self._held.values())

    def _let_go(self, *, everybody: bool = False) -> None:
        """Release whoever is held for nobody any more; with ``everybody`` also who is about to call."""
        if everybody:
            self._hold_ahead()
            self._sure()
        now = self._office.now()
        for number, held in list(self._held.items()):
            age = abs(now - held.since)
            idle = held.attempt_id is None
            if (idle and (everybody or not self._of(held.queue) or age > HELD_FOR)) or age > LONGEST:
                self._release(number)

    def _release(self, number: str) -> None:
        self._held.pop(number, None)
        self._hall.members.release(number)

    # -- calls -------------------------------------------------------------------------------------------

    async def _call(self, number: str, held: _Held) -> int:
        places = self._of(held.queue)
        if not places:
            self._release(number)
            return 0
        opened = places.pop(0)
        made = await self._attempts.begin(opened, number)
        if isinstance(made, Refusal):
            if made.code is RefusalCode.TASK_NOT_READY:
                self._release(number)  # somebody else has moved it
                return 0
            # What passes in a moment is waited for: the agent let go, and who came later would be served.
            if made.code not in PASSING or self._office.now() - held.since >= PASSING_FOR:
                await self._attempts.refuse(opened, made)
                self._release(number)
            return 0
        held.attempt_id = made.attempt_id
        self._place(made, opened, number)
        return 1

    def _place(self, attempt: Attempt, opened: OpenPlace, number: str) -> None:
        config, now = self._config, self._office.now()
        waited = max(timedelta(0), now - opened.place.joined_at)
        self._bus.publish(
            PlaceCalled(
                at=now,
                call_id=attempt.attempt_id,
                queue=opened.place.queue,
                agent_number=number,
                waited_seconds=waited.total_seconds(),
            )
        )
        self._placing.place(
            OpenAttempt(attempt=attempt, task_id=None, campaign_id=None, trunk=config.trunk, agent=number),
            DialOrder(
                attempt_id=attempt.attempt_id,
                number=attempt.number,
                trunk=config.trunk,
                caller_id=config.caller_id,
                way=Way.MASKED,
                ring=config.ring,
                agent_number=number,
            ),
            now=self._office.clock.monotonic(),
        )

    def _connected(self, answered: CallAnswered) -> None:
        for number, held in self._held.items():
            if held.attempt_id == answered.call_id:
                self._hall.connected(number, answered.call_id, held.queue)
