"""An agent calls a number that a page shows: their own telephone rings first, then the customer's.

Both displays show the company's number, as with the calls to the customers of cases
(:mod:`callback_campaigns.masked_calls`): the attempt is committed before its one Originate is written, and
nothing ever makes a second one of it. Nobody has a way round a refusal, a supervisor neither. When the
customer is there, the call is one of a queue's for its agent: the same wrap-up follows.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Protocol

import structlog
from prometheus_client import Counter
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.campaigns import Lines
from callback_campaigns.dial_attempts import OpenAttempt, put_attempt
from callback_campaigns.dial_events import DialFailed
from callback_campaigns.dial_queries import OPEN, began_on, called, case_call, hold_trunk, is_bad
from callback_campaigns.domain import attempt as rules
from callback_campaigns.domain.attempt import Attempt
from callback_campaigns.domain.dial_rules import DialFile
from callback_campaigns.domain.frequency import Rate, free_at
from callback_campaigns.domain.refusal import (
    Callee,
    DialCheck,
    DialRules,
    Refusal,
    RefusalCode,
    Switch,
    TaskAsked,
    may_dial,
)
from callback_campaigns.domain.windows import CallingWindows, CallWish, Span
from callback_campaigns.exchange import DialOrder, Exchange, Way
from callback_campaigns.masked_calls import CALLED, AlreadyCalling, NoCustomerNumber
from callback_campaigns.number_targets import FoundNumber, NumberTarget, find_number
from callback_campaigns.placing import Placing
from callback_campaigns.preview import DialRefused, PreviewConfig
from callback_campaigns.task_tables import DialAttemptRow
from callback_campaigns.tasks import CallbackTasks
from crm.case_watch import touched
from crm.do_not_call import DoNotCall
from crm.domain.freeze import ContactPurpose
from crm.members import AgentNumbers
from crm.office import Office
from kernel.access import Actor, Permission
from kernel.bus import Bus
from kernel.errors import Conflict, TooMany, Unavailable
from kernel.ids import new_ulid
from kernel.phone import Phone
from telephony.agent_tables import AgentRow, AgentSessionRow, QueueMemberRow, QueueRow
from telephony.domain.agent_state import AgentState
from telephony.domain.call_id import STAFF
from telephony.events import CallAnswered, CallEnded

log = structlog.get_logger(__name__)

DIALLED = "call.dialled"
"""What the journal says of such a call that is about no case."""
AT_WORK = frozenset({AgentState.AVAILABLE.value, AgentState.PAUSED.value})
AN_HOUR = timedelta(hours=1)
ANY_HOUR = (Span(time.min, time.max),)
FOLLOWED = 1_000
"""So many calls are remembered whose customer is not there yet; far more than telephones ring at a time."""
ASKED = Counter(
    "huifang_number_calls_total", "Calls of numbers that pages show, by what became of the wish", ["how"]
)


class NotAtWork(Conflict):
    """The agent is signed out, or in a call or its wrap-up."""

    code = "agent_not_free"


class NoExtension(Conflict):
    """Whoever asks is no agent."""

    code = "not_an_agent"


class PhoneAway(Conflict):
    """The agent's telephone is not there: its page is not open, or the one on the desk is off."""

    code = "phone_away"


class TooManyCalls(TooMany):
    """The agent called as many numbers within an hour as one may."""

    code = "calls_too_often"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRules:
    """What a site allows.

    Attributes:
        per_hour: numbers that an agent calls within an hour at most.
        refused_prefixes: beginnings of national numbers that are not called: what costs extra.
    """

    per_hour: int = 60
    refused_prefixes: tuple[str, ...] = ()

    def refuses(self, phone: Phone) -> bool:
        """Tell whether a number is not called, whoever asks; what kinds may be called is checked besides."""
        return bool(self.refused_prefixes) and phone.national.startswith(self.refused_prefixes)


class CallsNumbers(Protocol):
    """Places such calls: :class:`NumberCalls`, or over the bus."""

    async def call_number(self, actor: Actor, target: NumberTarget) -> Attempt:
        """Ring the agent, then the customer; see :meth:`NumberCalls.call_number`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Caller:
    """The agent: their telephone, and the queue whose call it is for them."""

    number: str
    queue: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    attempt: Attempt
    caller: _Caller


class NumberCalls:
    """Places such calls in the process that has the link to the PBX. Give :meth:`run` to the supervisor.

    Args:
        connected: told that a customer who was called is with the agent: (number, call, queue).
    """

    def __init__(
        self,
        office: Office,
        tasks: CallbackTasks,
        dialling: DialFile,
        do_not_call: DoNotCall,
        numbers: AgentNumbers,
        lines: Lines,
        exchange: Exchange,
        placing: Placing,
        config: PreviewConfig,
        allowed: NumberRules,
        *,
        bus: Bus,
        connected: Callable[[str, str, str], None],
    ) -> None:
        self._office = office
        self._tasks = tasks
        self._dialling = dialling
        self._refusals = do_not_call
        self._numbers = numbers
        self._lines = lines
        self._exchange = exchange
        self._placing = placing
        self._config = config
        self._rules = allowed
        self._bus = bus
        self._connected = connected
        self._begun: dict[str, tuple[str, str]] = {}

    async def run(self) -> None:
        """Have the wrap-up of a queue follow the calls whose customer answers; until cancelled.

        A call that was asked for before this process was started is an agent's call without one.
        """
        async with self._bus.subscribe(CallAnswered, CallEnded, DialFailed, name="number-calls") as heard:
            async for item in heard:
                self.hear(item)

    def hear(self, item: object) -> None:
        """Take what telephony tells; never waits."""
        match item:
            case CallAnswered() if item.call_id in self._begun:
                number, queue = self._begun.pop(item.call_id)
                self._connected(number, item.call_id, queue)
            case CallEnded():
                self._begun.pop(item.call_id, None)
            case DialFailed():
                self._begun.pop(item.attempt_id, None)
            case _:
                pass

    async def call_number(self, actor: Actor, target: NumberTarget) -> Attempt:
        """Ring the agent who asks, then the customer; return the attempt, whose id is the call's.

        Raises:
            Forbidden: the role calls no numbers, or sees not what the number is a part of.
            NotFound: no such thing, or none that the actor may see.
            NoExtension, NotAtWork, PhoneAway: the agent's own telephone cannot be rung now.
            AlreadyCalling: the agent is in a call already.
            NoCustomerNumber: it is no number that could be called.
            TooManyCalls: the agent called too many within an hour.
            Unavailable: the exchange is not in reach.
            DialRefused: a rule stands against it.
        """
        actor.need(Permission.CALLS_DIAL)
        await self._exchange.freshen(self._config.stale_after / 2)
        attempt_id = new_ulid()
        try:
            async with self._office.database.transaction() as session:
                made = await self._begin(session, actor, target, attempt_id)
        except IntegrityError:
            # Another process was faster with the same number.
            made = Refusal(code=RefusalCode.OPEN_ATTEMPT)
        if isinstance(made, Refusal):
            ASKED.labels("refused").inc()
            log.info("number_call_refused", about=target.kind.value, code=made.code.value)
            if made.code in {RefusalCode.LINK_DOWN, RefusalCode.STALE_STATE}:
                raise Unavailable("the telephone system is not in reach; please try again in a moment")
            raise DialRefused(made, field="ref")
        ASKED.labels("placed").inc()
        self._place(made, actor)
        return made.attempt

    def _place(self, made: _Begun, actor: Actor) -> None:
        config, attempt = self._config, made.attempt
        if made.caller.queue is not None:
            self._begun[attempt.attempt_id] = (made.caller.number, made.caller.queue)
            while len(self._begun) > FOLLOWED:
                del self._begun[next(iter(self._begun))]
        self._placing.place(
            OpenAttempt(
                attempt=attempt, task_id=None, campaign_id=None, trunk=config.trunk, agent=actor.name
            ),
            DialOrder(
                attempt_id=attempt.attempt_id,
                number=attempt.number,
                trunk=config.trunk,
                caller_id=config.caller_id,
                way=Way.MASKED,
                ring=config.ring,
                agent_number=made.caller.number,
                at_once=True,
            ),
            now=self._office.clock.monotonic(),
        )

    async def _begin(
        self, session: AsyncSession, actor: Actor, target: NumberTarget, attempt_id: str
    ) -> _Begun | Refusal:
        await hold_trunk(session, self._config.trunk)
        found = await find_number(session, actor, target, area=self._office.default_area)
        caller, now = await self._caller(session, actor, found), self._office.now()
        if found.phone is None:
            raise NoCustomerNumber("there is no number here that could be called", field="ref")
        await self._check_rate(session, actor, now)
        if self._rules.refuses(found.phone):
            return Refusal(code=RefusalCode.NOT_DIALABLE, detail="prefix")
        refusal = may_dial(await self._check(session, found, found.phone, now))
        if refusal is not None:
            return refusal
        attempt = rules.begin(attempt_id, found.phone.e164, now=now).attempt
        row = DialAttemptRow(
            id=attempt_id,
            channel_id=attempt.channel_id + STAFF,
            customer_id=found.customer_id,
            number=attempt.number,
            node=self._exchange.node,
            trunk=self._config.trunk,
            carrier=self._config.carrier,
            agent=actor.name[:80],
            survey=False,
            began_at=now,
            case_id=found.case.id if found.case is not None else None,
            user_id=actor.user_id,
        )
        put_attempt(row, attempt)
        session.add(row)
        if found.case is not None:
            touched(session, found.case)
        await session.flush()
        await self._note(session, actor, target, found, attempt_id)
        return _Begun(attempt=attempt, caller=caller)

    async def _note(
        self, session: AsyncSession, actor: Actor, target: NumberTarget, found: FoundNumber, attempt_id: str
    ) -> None:
        if found.case is not None:
            kind, about = found.case.kind, found.case.id
            await self._office.journal.note(
                session,
                actor,
                f"{kind}.{CALLED}",
                entity=kind,
                entity_id=about,
                after={"call_id": attempt_id},
            )
            return
        await self._office.journal.note(
            session,
            actor,
            DIALLED,
            entity="call",
            entity_id=attempt_id,
            after={"of": target.kind.value, "ref": target.ref, "customer_id": found.customer_id},
        )

    async def _caller(self, session: AsyncSession, actor: Actor, found: FoundNumber) -> _Caller:
        """Return the agent who asks, if their telephone can be rung."""
        extension = await self._numbers.number_of(session, actor.user_id)
        if extension is None:
            raise NoExtension("whoever calls numbers is an agent with a telephone", field="user_id")
        opened = select(DialAttemptRow.id).where(DialAttemptRow.user_id == actor.user_id, OPEN)
        if await session.scalar(opened.limit(1)) is not None or self._exchange.on_call(extension):
            raise AlreadyCalling("your telephone is in a call", field="user_id")
        of_agent = (
            select(AgentSessionRow.state, AgentSessionRow.agent_id)
            .join(AgentRow, AgentRow.agent_id == AgentSessionRow.agent_id)
            .where(AgentRow.number == extension, AgentRow.active)
        )
        state = (await session.execute(of_agent)).one_or_none()
        if state is None or state.state not in AT_WORK:
            raise NotAtWork("sign in first, and end the call or its wrap-up", field="user_id")
        if not self._exchange.reachable(extension):
            raise PhoneAway("your telephone is not connected", field="user_id")
        return _Caller(number=extension, queue=await self._queue(session, state.agent_id, found.queue))

    async def _queue(self, session: AsyncSession, agent_id: str, wanted: str | None) -> str | None:
        """Return the queue that the customer waited in, else the agent's first."""
        row = QueueRow
        if wanted is not None:
            known = select(row.name).where(row.name == wanted, row.active)
            if (queue := await session.scalar(known)) is not None:
                return queue
        mine = (
            select(row.name)
            .join(QueueMemberRow, QueueMemberRow.queue == row.name)
            .where(QueueMemberRow.agent_id == agent_id, row.active)
            .order_by(QueueMemberRow.penalty, row.position, row.name)
            .limit(1)
        )
        return await session.scalar(mine)

    async def _check_rate(self, session: AsyncSession, actor: Actor, now: datetime) -> None:
        row, limit = DialAttemptRow, Rate(self._rules.per_hour, AN_HOUR)
        query = (
            select(row.began_at)
            .where(row.user_id == actor.user_id, row.began_at > now - AN_HOUR)
            .order_by(row.began_at.desc())
            .limit(limit.limit)
        )
        if free_at((limit,), list(await session.scalars(query)), now) is not None:
            raise TooManyCalls(
                "too many numbers called within an hour; please try again later", field="user_id"
            )

    async def _check(
        self, session: AsyncSession, found: FoundNumber, phone: Phone, now: datetime
    ) -> DialCheck:
        config, number = self._config, phone.e164
        dial = await self._dial_rules(session, found)
        rates = (*dial.frequency.number, *dial.carrier.rates)
        looked_back = max((rate.per for rate in rates), default=timedelta(0))
        calls, is_open = await called(session, number, now - looked_back)
        about = None
        if found.case is not None and found.case.closed_at is None:
            about = await case_call(session, found.case.id, in_person=True)
        purpose = ContactPurpose.CASE if about is not None else ContactPurpose.SERVICE
        against = await self._refusals.allows(session, number, found.customer_id, purpose, call=about)
        picture, known = self._exchange.picture(), self._lines.trunks.get(config.trunk)
        bad = found.customer_id is not None and await is_bad(session, found.customer_id, number)
        return DialCheck(
            now=now,
            rules=dial,
            task=TaskAsked(survey=False, wish=CallWish(occasion=found.occasion)),
            callee=Callee(
                phone=phone,
                bad_number=bad,
                refused=against.code if against is not None else None,
                open_attempt=is_open,
                on_call=self._exchange.on_call(number),
                calls=calls,
            ),
            switch=Switch(
                caller_id=config.caller_id,
                link_live=picture.live,
                as_of=picture.as_of,
                stale_after=config.stale_after,
                lines_used=self._exchange.used(config.trunk),
                lines=known.lines if known is not None else 0,
                trunk_started=await began_on(session, config.trunk, now),
                trunk_per_second=known.per_second if known is not None else 0,
            ),
        )

    async def _dial_rules(self, session: AsyncSession, found: FoundNumber) -> DialRules:
        """Return the rules for a person's call, about something open or not."""
        calendar = (await self._tasks.calendar(session)).windows.calendar
        dial = self._dialling.rules(self._config.carrier, calendar, self._office.zone)
        dial = replace(dial, frequency=replace(dial.frequency, number=dial.frequency.cases))
        if not found.any_hour:
            return dial
        any_hour = replace(dial.windows.rules, requested=ANY_HOUR, reserve=timedelta(0))
        return replace(dial, windows=CallingWindows(any_hour, calendar, self._office.zone))
