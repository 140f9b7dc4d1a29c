"""Agents' calls from a process that has no link to the PBX: asked over the bus, placed by the one that has.

The asking process waits for the answer with a deadline; a request that is older when it is read is not
carried out any more, because whoever asked was told that nobody heard. What is asked twice is refused the
second time like any other call: the task is another version, or its number is being called.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from callback_campaigns.assignment import AssignedElsewhere
from callback_campaigns.domain.attempt import Attempt, begin
from callback_campaigns.domain.campaign import Campaign
from callback_campaigns.domain.refusal import Refusal, RefusalCode
from callback_campaigns.masked_calls import (
    AlreadyCalling,
    CallsCustomers,
    NoCustomerNumber,
    NoOwnTelephone,
)
from callback_campaigns.number_calls import (
    CallsNumbers,
    NoExtension,
    NotAtWork,
    PhoneAway,
    TooManyCalls,
)
from callback_campaigns.number_targets import NumberKind, NumberTarget
from callback_campaigns.preview import DialRefused
from crm.case_contact import CaseIsClosed, NotInYourHands
from crm.domain.machine import IllegalStep
from kernel.access import Actor, Role
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.errors import Conflict, Forbidden, HuifangError, Invalid, NotFound, StaleVersion, Unavailable
from kernel.events import Event, event
from kernel.ids import new_ulid

log = structlog.get_logger(__name__)

ANSWER_WITHIN = timedelta(seconds=8)
FRESH = timedelta(seconds=5)
"""An older request is not carried out; shorter than the wait for its answer."""
_ERRORS: dict[str, type[HuifangError]] = {
    kind.code: kind
    for kind in (
        *(AssignedElsewhere, Conflict, Forbidden, IllegalStep, Invalid, NotFound, StaleVersion),
        *(AlreadyCalling, CaseIsClosed, NoCustomerNumber, NoOwnTelephone, NotInYourHands),
        *(NoExtension, NotAtWork, PhoneAway, TooManyCalls),
    )
}


class TelephonyAway(Unavailable):
    """No process with the role ``telephony`` answered."""

    code = "telephony_away"


@event
class PreviewAsked(Event):
    """Somebody asks for a call in a process without a link to the PBX ``node``.

    Attributes:
        task_id: what an agent calls back about; empty with the others.
        case_id: the case whose customer is called without their number being shown.
        kind, ref: the number that an agent calls from a page.
    """

    request_id: str
    node: str
    user_id: str
    name: str
    role: str | None
    department: str | None
    task_id: str
    agent_number: str
    number: str | None
    campaign_id: str | None
    expected: int | None
    case_id: str | None = None
    kind: str | None = None
    ref: str = ""


@event
class PreviewAnswered(Event):
    """What became of a :class:`PreviewAsked`: an attempt was begun, or why not."""

    request_id: str
    attempt_id: str | None = None
    number: str = ""
    began_at: datetime | None = None
    error: str = ""
    message: str = ""
    field: str | None = None
    refusal: str = ""
    until: datetime | None = None
    detail: str = ""


class PlacesCalls(Protocol):
    """Places calls on behalf of agents: :class:`callback_campaigns.preview.PreviewCalls`, or over the bus."""

    async def call(
        self,
        actor: Actor,
        task_id: str,
        *,
        agent_number: str,
        number: str | None = None,
        campaign: Campaign | None = None,
        expected: int | None = None,
    ) -> Attempt:
        """Ring the agent, then the customer; see :meth:`callback_campaigns.preview.PreviewCalls.call`."""
        ...


class RunningCampaigns(Protocol):
    """The campaigns that run."""

    async def running(self, now: datetime) -> tuple[Campaign, ...]:
        """Return them."""
        ...


class RemotePreview:
    """Asks the process that has the link. An implementation of :class:`PlacesCalls`."""

    def __init__(self, bus: Bus, clock: Clock, *, node: str, within: timedelta = ANSWER_WITHIN) -> None:
        self._bus = bus
        self._clock = clock
        self._node = node
        self._within = within

    async def call(
        self,
        actor: Actor,
        task_id: str,
        *,
        agent_number: str,
        number: str | None = None,
        campaign: Campaign | None = None,
        expected: int | None = None,
    ) -> Attempt:
        """Ask, and wait for the answer.

        Raises:
            TelephonyAway: nobody answered in time.
            HuifangError: what placing the call raised there.
        """
        campaign_id = campaign.campaign_id if campaign is not None else None
        return await self._ask(
            self._asked(
                actor,
                task_id=task_id,
                agent_number=agent_number,
                number=number,
                campaign_id=campaign_id,
                expected=expected,
            )
        )

    async def call_customer(self, actor: Actor, case_id: str) -> Attempt:
        """Ask for a call to a case's customer; see :class:`callback_campaigns.masked_calls.CallsCustomers`.

        Raises:
            TelephonyAway: nobody answered in time.
            HuifangError: what placing the call raised there.
        """
        return await self._ask(self._asked(actor, case_id=case_id))

    async def call_number(self, actor: Actor, target: NumberTarget) -> Attempt:
        """Ask for a call of a number on a page; see :class:`callback_campaigns.number_calls.CallsNumbers`.

        Raises:
            TelephonyAway: nobody answered in time.
            HuifangError: what placing the call raised there.
        """
        return await self._ask(self._asked(actor, target=target))

    def _asked(
        self,
        actor: Actor,
        *,
        task_id: str = "",
        agent_number: str = "",
        number: str | None = None,
        campaign_id: str | None = None,
        expected: int | None = None,
        case_id: str | None = None,
        target: NumberTarget | None = None,
    ) -> PreviewAsked:
        return PreviewAsked(
            at=self._clock.now(),
            request_id=new_ulid(),
            node=self._node,
            user_id=actor.user_id,
            name=actor.name,
            role=actor.role.value if actor.role is not None else None,
            department=actor.department,
            task_id=task_id,
            agent_number=agent_number,
            number=number,
            campaign_id=campaign_id,
            expected=expected,
            case_id=case_id,
            kind=target.kind.value if target is not None else None,
            ref=target.ref if target is not None else "",
        )

    async def _ask(self, asked: PreviewAsked) -> Attempt:
        async with self._bus.subscribe(PreviewAnswered, name="preview-answers") as answers:
            self._bus.publish(asked)
            try:
                async with asyncio.timeout(self._within.total_seconds()):
                    async for item in answers:
                        if isinstance(item, PreviewAnswered) and item.request_id == asked.request_id:
                            return _attempt(item)
            except TimeoutError:
                log.warning("preview_not_answered", node=self._node)
        raise TelephonyAway(
            f"no process with the role «telephony» of {self._node} answered; start one on the same Redis "
            "(huifang serve --roles telephony), then ask again"
        )


class PreviewDesk:
    """Carries out what other processes ask for. Give :meth:`run` to the supervisor beside the dialler."""

    def __init__(
        self,
        preview: PlacesCalls,
        campaigns: RunningCampaigns,
        bus: Bus,
        clock: Clock,
        *,
        node: str,
        masked: CallsCustomers | None = None,
        numbers: CallsNumbers | None = None,
    ) -> None:
        self._preview = preview
        self._masked = masked
        self._numbers = numbers
        self._campaigns = campaigns
        self._bus = bus
        self._clock = clock
        self._node = node
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Answer until cancelled."""
        async with self._bus.subscribe(PreviewAsked, name="preview-desk") as asked:
            try:
                async for item in asked:
                    if isinstance(item, PreviewAsked) and item.node == self._node:
                        task = asyncio.create_task(self.answer(item))
                        self._tasks.add(task)
                        task.add_done_callback(self._tasks.discard)
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def answer(self, asked: PreviewAsked) -> None:
        """Place one call, and tell what became of it."""
        now = self._clock.now()
        if abs(now - asked.at) > FRESH:
            log.warning("preview_asked_too_late", request=asked.request_id)
            return
        try:
            attempt = await self._place(asked, now)
            said = PreviewAnswered(
                at=now,
                request_id=asked.request_id,
                attempt_id=attempt.attempt_id,
                number=attempt.number,
                began_at=attempt.began_at,
            )
        except DialRefused as error:
            said = PreviewAnswered(
                at=now,
                request_id=asked.request_id,
                error=error.code,
                refusal=error.refusal.code.value,
                until=error.refusal.until,
                detail=error.refusal.detail,
            )
        except HuifangError as error:
            said = PreviewAnswered(
                at=now,
                request_id=asked.request_id,
                error=error.code,
                message=error.message,
                field=error.field,
            )
        self._bus.publish(said)

    async def _place(self, asked: PreviewAsked, now: datetime) -> Attempt:
        actor = Actor(
            user_id=asked.user_id,
            name=asked.name,
            role=Role(asked.role) if asked.role is not None else None,
            department=asked.department,
        )
        if asked.case_id is not None:
            if self._masked is None:
                raise Unavailable("calls to the customers of cases are not placed here")
            return await self._masked.call_customer(actor, asked.case_id)
        if asked.kind is not None:
            if self._numbers is None:
                raise Unavailable("numbers on pages are not called here")
            target = NumberTarget(kind=NumberKind(asked.kind), ref=asked.ref)
            return await self._numbers.call_number(actor, target)
        campaign = None
        if asked.campaign_id is not None:
            running = await self._campaigns.running(now)
            campaign = next((one for one in running if one.campaign_id == asked.campaign_id), None)
            if campaign is None:
                raise NotFound("no such campaign is running", field="campaign_id")
        return await self._preview.call(
            actor,
            asked.task_id,
            agent_number=asked.agent_number,
            number=asked.number,
            campaign=campaign,
            expected=asked.expected,
        )


def _attempt(said: PreviewAnswered) -> Attempt:
    if said.refusal:
        raise DialRefused(
            Refusal(code=RefusalCode(said.refusal), until=said.until, detail=said.detail),
        )
    if said.attempt_id is None or said.began_at is None:
        raise _ERRORS.get(said.error, Unavailable)(said.message, field=said.field)
    return begin(said.attempt_id, said.number, now=said.began_at).attempt
