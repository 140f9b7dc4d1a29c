"""Calls to the customer of a case by whoever works on it, who does not see the number (domain.md §2.4).

Their own telephone rings first: the extension that is registered for them, else their mobile telephone from
the record of the staff. Once it is answered the customer's rings; both displays show the company's number.
All checks of the dialler hold but those of callbacks: a freeze of callbacks, and a complaint that nobody has
accepted, are no reason not to work on a case. An urgent or serious case is called about at any hour.

The attempt is committed before its one Originate is written, and nothing ever makes a second one of it
(architecture.md §3); whoever was not put through presses the button again.
"""

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Protocol

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.campaigns import Lines
from callback_campaigns.dial_attempts import OpenAttempt, put_attempt
from callback_campaigns.dial_queries import OPEN, began_on, called, case_call, hold_trunk
from callback_campaigns.domain import attempt as rules
from callback_campaigns.domain.attempt import Attempt
from callback_campaigns.domain.dial_rules import DialFile
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
from callback_campaigns.domain.windows import CallingWindows, CallWish, Occasion, Span
from callback_campaigns.exchange import DialOrder, Exchange, Way
from callback_campaigns.placing import Placing
from callback_campaigns.preview import DialRefused, PreviewConfig
from callback_campaigns.task_tables import DialAttemptRow
from callback_campaigns.tasks import CallbackTasks
from crm.case_contact import case_in_hand, number_to_call, own_mobile
from crm.case_watch import touched
from crm.do_not_call import DoNotCall
from crm.domain.case import Severity
from crm.domain.classification import Urgency
from crm.domain.freeze import ContactPurpose
from crm.members import AgentNumbers
from crm.office import Office, current_id
from crm.tables import ServiceCase
from kernel.access import Actor
from kernel.errors import Conflict, Unavailable
from kernel.ids import new_ulid
from kernel.phone import Phone
from telephony.domain.call_id import STAFF

log = structlog.get_logger(__name__)

OWN_RING = timedelta(seconds=25)
"""So long one's own telephone rings; the customer's does not before it is answered."""
CALLED = "customer_called"
"""What the journal of a case says of such a call, after the kind of the case."""
ANY_HOUR = (Span(time.min, time.max),)


class NoOwnTelephone(Conflict):
    """Whoever asks has no telephone that could be rung."""

    code = "no_own_telephone"


class NoCustomerNumber(Conflict):
    """The customer has no number that a telephone can be reached on."""

    code = "no_customer_number"


class AlreadyCalling(Conflict):
    """Whoever asks is in a call of ours already."""

    code = "already_calling"


class CallsCustomers(Protocol):
    """Places such calls: :class:`MaskedCalls`, or over the bus."""

    async def call_customer(self, actor: Actor, case_id: str) -> Attempt:
        """Ring whoever asks, then the customer; see :meth:`MaskedCalls.call_customer`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """The telephone that rings first: one of the two."""

    extension: str | None = None
    mobile: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    attempt: Attempt
    own: _Own


class MaskedCalls:
    """Places such calls, in the process that has the link to the PBX."""

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

    async def call_customer(self, actor: Actor, case_id: str) -> Attempt:
        """Ring whoever asks, then the customer; return the attempt, whose id is the call's.

        Raises:
            Forbidden: the role works on no cases, or somebody else works on this one.
            NotFound: no such case, or none that the actor may see.
            CaseIsClosed: it is over.
            NoOwnTelephone: no extension of theirs is registered, and no mobile telephone is known.
            NoCustomerNumber: the customer has none that rings.
            AlreadyCalling: whoever asks is in a call already.
            Unavailable: the exchange is not in reach.
            DialRefused: a rule stands against it.
        """
        await self._exchange.freshen(self._config.stale_after / 2)
        attempt_id = new_ulid()
        try:
            async with self._office.database.transaction() as session:
                made = await self._begin(session, actor, case_id, attempt_id)
        except IntegrityError:
            # Another process was faster with the same number.
            made = Refusal(code=RefusalCode.OPEN_ATTEMPT)
        if isinstance(made, Refusal):
            log.info("masked_call_refused", case=case_id, code=made.code.value)
            if made.code in {RefusalCode.LINK_DOWN, RefusalCode.STALE_STATE}:
                raise Unavailable("the telephone system is not in reach; please try again in a moment")
            raise DialRefused(made, field="case_id")
        config, attempt = self._config, made.attempt
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
                agent_number=made.own.extension,
                own_number=made.own.mobile,
            ),
            now=self._office.clock.monotonic(),
        )
        return attempt

    async def _begin(
        self, session: AsyncSession, actor: Actor, case_id: str, attempt_id: str
    ) -> _Begun | Refusal:
        await hold_trunk(session, self._config.trunk)
        header, now = await case_in_hand(session, actor, case_id), self._office.now()
        own = await self._own(session, actor)
        customer_id = await current_id(session, header.customer_id)
        number = await number_to_call(session, customer_id)
        if number is None:
            raise NoCustomerNumber("the customer has no number that rings", field="case_id")
        check = await self._check(session, header, customer_id, number, own, now)
        refusal = may_dial(check)
        if refusal is not None:
            return refusal
        attempt = rules.begin(attempt_id, number, now=now).attempt
        row = DialAttemptRow(
            id=attempt_id,
            channel_id=attempt.channel_id + STAFF,
            customer_id=customer_id,
            number=number,
            node=self._exchange.node,
            trunk=self._config.trunk,
            carrier=self._config.carrier,
            agent=actor.name[:80],
            survey=False,
            began_at=now,
            case_id=header.id,
            user_id=actor.user_id,
        )
        put_attempt(row, attempt)
        session.add(row)
        touched(session, header)
        await session.flush()
        await self._office.journal.note(
            session,
            actor,
            f"{header.kind}.{CALLED}",
            entity=header.kind,
            entity_id=header.id,
            after={"call_id": attempt_id},
        )
        return _Begun(attempt=attempt, own=own)

    async def _own(self, session: AsyncSession, actor: Actor) -> _Own:
        """Return the telephone of whoever asks, free to be rung."""
        opened = select(DialAttemptRow.id).where(DialAttemptRow.user_id == actor.user_id, OPEN)
        if await session.scalar(opened.limit(1)) is not None:
            raise AlreadyCalling("a call that you asked for is not over", field="case_id")
        extension = await self._numbers.number_of(session, actor.user_id)
        mobile = None
        if extension is None or not self._exchange.reachable(extension):
            extension = None
            mobile = await own_mobile(session, actor.user_id, area=self._office.default_area)
        own = extension or mobile
        if own is None:
            raise NoOwnTelephone(
                "no telephone of yours can be rung: have your mobile number written into your record of the "
                "staff, with your user account",
                field="user_id",
            )
        if self._exchange.on_call(own):
            raise AlreadyCalling("your telephone is in a call", field="case_id")
        return _Own(extension=extension, mobile=mobile)

    async def _check(
        self,
        session: AsyncSession,
        header: ServiceCase,
        customer_id: str,
        number: str,
        own: _Own,
        now: datetime,
    ) -> DialCheck:
        config = self._config
        dial = await self._rules(session, header)
        rates = (*dial.frequency.number, *dial.carrier.rates)
        looked_back = max((rate.per for rate in rates), default=timedelta(0))
        calls, is_open = await called(session, number, now - looked_back)
        against = await self._refusals.allows(
            session,
            number,
            customer_id,
            ContactPurpose.CASE,
            call=await case_call(session, header.id, in_person=True),
        )
        picture, known = self._exchange.picture(), self._lines.trunks.get(config.trunk)
        # One's own mobile telephone takes a line besides the customer's.
        used = self._exchange.used(config.trunk) + (1 if own.mobile is not None else 0)
        return DialCheck(
            now=now,
            rules=dial,
            task=TaskAsked(survey=False, wish=CallWish(occasion=Occasion.REQUESTED)),
            callee=Callee(
                phone=Phone.parse(number),
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
                lines_used=used,
                lines=known.lines if known is not None else 0,
                trunk_started=await began_on(session, config.trunk, now),
                trunk_per_second=known.per_second if known is not None else 0,
            ),
        )

    async def _rules(self, session: AsyncSession, header: ServiceCase) -> DialRules:
        """Return the rules for a person's call about this case."""
        calendar = (await self._tasks.calendar(session)).windows.calendar
        dial = self._dialling.rules(self._config.carrier, calendar, self._office.zone)
        dial = replace(dial, frequency=replace(dial.frequency, number=dial.frequency.cases))
        if header.severity < Severity.SERIOUS and header.urgency == Urgency.NORMAL.value:
            return dial
        any_hour = replace(dial.windows.rules, requested=ANY_HOUR, reserve=timedelta(0))
        return replace(dial, windows=CallingWindows(any_hour, calendar, self._office.zone))
