"""Hold, consult, three-way, transfer: what agents do with a call from their pages, over AMI.

The same for a browser's telephone and one on the desk, because nothing is asked of the telephone: channels
are sent to places of the dialplan (``extensions_hands.conf``) and connected there (``docs/adr/0018``). Where
a call stands is read off the call model each time (:mod:`telephony.domain.hand`); what is kept here is only
who is being asked, for a word on the page. One step at a time: a second one is told so.
"""

import asyncio
from contextlib import suppress

import structlog
from prometheus_client import Counter

from kernel.access import Actor, Permission
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.errors import Invalid
from kernel.ids import new_ulid
from telephony.ami.actions import AmiActions
from telephony.ami.errors import AmiError, AmiNoSuch
from telephony.ami.results import CallerId, OriginateAccepted, OriginateReason
from telephony.call_news import AgentIdOf
from telephony.domain.call import Call
from telephony.domain.call_book import CallBook
from telephony.domain.call_id import ASKED
from telephony.domain.hand import AFTER, Hand, HandState, Join, Place, Step, hand_of, plan
from telephony.hand_keeper import ControlConfig, HandKeeper, Known, TakenOver, nobody_told, parties_of
from telephony.hand_views import (
    Destination,
    Destinations,
    HandNotice,
    HandView,
    NoSuchCall,
    NotYourCall,
    SomebodyLeft,
    StepNotDone,
    StepNotPossible,
    StepUnderWay,
    Target,
    TargetKind,
)

log = structlog.get_logger(__name__)

STEPS = Counter("huifang_call_steps_total", "Steps of agents with calls in hand", ["step", "outcome"])

_REASONS = {
    OriginateReason.BUSY: HandNotice.BUSY,
    OriginateReason.NO_ANSWER: HandNotice.NO_ANSWER,
    OriginateReason.CONGESTED: HandNotice.UNREACHABLE,
    OriginateReason.FAILED: HandNotice.UNREACHABLE,
}


class CallControl(HandKeeper):
    """Takes steps; see :class:`telephony.hand_keeper.HandKeeper` for what must be run beside.

    Args:
        destinations: knows whom a customer can be sent to.
    """

    def __init__(
        self,
        book: CallBook,
        actions: AmiActions,
        destinations: Destinations,
        *,
        agent_id_of: AgentIdOf,
        bus: Bus,
        clock: Clock,
        config: ControlConfig,
        taken_over: TakenOver = nobody_told,
    ) -> None:
        super().__init__(
            book,
            actions,
            agent_id_of=agent_id_of,
            bus=bus,
            clock=clock,
            config=config,
            taken_over=taken_over,
        )
        self._destinations = destinations
        self._stepping: set[str] = set()
        self._asking: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Follow calls in hand until cancelled."""
        try:
            await super().run()
        finally:
            for task in tuple(self._asking):
                task.cancel()
            await asyncio.gather(*self._asking, return_exceptions=True)

    # -- what agents ask for -------------------------------------------------------------------------

    async def look(self, actor: Actor, call_id: str, agent_number: str) -> HandView:
        """Return the call as the agent has it.

        Raises:
            Forbidden: the role takes no calls.
            NoSuchCall: it is not in progress.
        """
        actor.need(Permission.DESK_USE)
        call = self._call(call_id)
        return self._view(call, agent_number, hand_of(parties_of(call), agent_number))

    async def act(
        self,
        actor: Actor,
        call_id: str,
        agent_number: str,
        step: Step,
        *,
        target: Target | None = None,
        expected: HandState | None = None,
    ) -> HandView:
        """Take a step, and return where the call stands when it is done.

        Args:
            agent_number: of the agent whose call it is.
            target: who is asked, or where the customer goes; with these two steps only.
            expected: where the agent saw the call: elsewhere nothing is done.

        Raises:
            Forbidden: the role takes no calls.
            NoSuchCall, NotYourCall: it is over, or the agent is not in it.
            StepUnderWay: somebody is at it this moment.
            StepNotPossible: the call does not stand so.
            Invalid: a target is missing.
            SomebodyLeft: hung up meanwhile.
            StepNotDone, AmiError: the PBX did not do it.
            HuifangError: what :meth:`Destinations.find` raises.
        """
        actor.need(Permission.DESK_USE)
        outcome = "refused"
        try:
            view = await self._act(call_id, agent_number, step, target, expected)
            outcome = "done"
            return view
        except (AmiError, StepNotDone):
            outcome = "failed"
            raise
        finally:
            STEPS.labels(step.value, outcome).inc()

    async def _act(
        self, call_id: str, number: str, step: Step, target: Target | None, expected: HandState | None
    ) -> HandView:
        call = self._call(call_id)
        if call.call_id in self._stepping:
            raise StepUnderWay("another step of this call is being taken; please look again", field="step")
        self._stepping.add(call.call_id)
        try:
            await self._in_turn(call.call_id)  # what puts the call right is done in a moment
        except BaseException:
            self._stepping.discard(call.call_id)
            raise
        try:
            hand = self._hand(call, number, step, expected)
            found = await self._find(step, target, number)
            if found is not None:
                hand = self._hand(call, number, step, expected)  # finding took a moment
            known = self._known.setdefault(call.call_id, Known())
            known.notice = known.refused = known.asking = None
            if step in {Step.HOLD, Step.CONSULT}:
                known.before = hand.state  # an asking before this one is over
            to = _place(found) if found is not None and step is Step.TRANSFER else ""
            await self._carry_out(call, plan(step, hand, to=to))
            if step is Step.CONSULT and found is not None:
                await self._ask(call, number, found, known)
            await self._until(call, number, step)
            return self._view(call, number, hand_of(parties_of(call), number))
        except AmiNoSuch as error:
            raise SomebodyLeft("somebody has hung up meanwhile", field="step") from error
        finally:
            self._stepping.discard(call.call_id)
            self._busy.discard(call.call_id)
            self._touch(call.call_id)

    def _call(self, call_id: str) -> Call:
        call = self._book.get(call_id)
        if call is None:
            raise NoSuchCall("no such call is in progress", field="call_id")
        return call

    def _hand(self, call: Call, number: str, step: Step, expected: HandState | None) -> Hand:
        hand = hand_of(parties_of(call), number)
        if hand.state is HandState.NONE:
            raise NotYourCall("agents lead their own calls", field="call_id")
        if step not in hand.steps or (expected is not None and expected is not hand.state):
            raise StepNotPossible(
                f"«{step.value}» cannot be done while the call is {hand.state.value}", field="step"
            )
        return hand

    async def _find(self, step: Step, target: Target | None, number: str) -> Destination | None:
        if step not in {Step.TRANSFER, Step.CONSULT}:
            return None
        if target is None:
            raise Invalid("say where to: an agent, a queue, a flow or a number", field="target")
        return await self._destinations.find(target, agent_number=number, ask=step is Step.CONSULT)

    async def _until(self, call: Call, number: str, step: Step) -> None:
        """Wait until the call model shows what the step leads to, or that somebody has gone."""
        try:
            async with asyncio.timeout(self._config.done_within.total_seconds()):
                while call.is_open:
                    self._moved.clear()
                    if hand_of(parties_of(call), number).state in AFTER[step]:
                        return
                    await self._moved.wait()
        except TimeoutError:
            state = hand_of(parties_of(call), number).state
            log.warning("call_step_not_done", call_id=call.call_id, step=step.value, state=state.value)
            raise StepNotDone(
                "the telephone system has not done it yet; please look at the call again", field="step"
            ) from None

    # -- asking somebody -----------------------------------------------------------------------------

    async def _ask(self, call: Call, number: str, found: Destination, known: Known) -> None:
        outside = found.kind is TargetKind.OUTSIDE
        config, channel_id = self._config, ASKED + new_ulid()
        known.labels[channel_id], known.asking = found.label, channel_id
        place = f"PJSIP/{found.value}@trunk-{config.trunk}" if outside else f"PJSIP/{found.value}"
        context, _, exten = Place.ASKED.partition(",")
        try:
            accepted = await self._actions.originate(
                place,
                channel_id=channel_id,
                context=context,
                exten=exten,
                variables={"__HF_CALL": call.call_id, "__HF_DIR": call.direction.value},
                caller_id=CallerId(number=config.caller_id if outside else number),
                ring_timeout=config.outside_ring if outside else config.ring,
                account=call.call_id,
            )
        except AmiError:
            with suppress(AmiError):
                await self._fetch_back(call, number)
            raise
        task = asyncio.create_task(self._await_answer(call, number, accepted))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _await_answer(self, call: Call, number: str, accepted: OriginateAccepted) -> None:
        """Have the agent back with the customer when nobody answers, and say why."""
        try:
            result = await accepted.result()
        except AmiError as error:
            log.warning("asked_without_answer", call_id=call.call_id, error=error.code)
            return
        if result.success:
            self._touch(call.call_id)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(1):  # the channel's own end says more, and comes now
                while accepted.channel_id in call.live:
                    self._moved.clear()
                    await self._moved.wait()
        known = self._known.setdefault(call.call_id, Known())
        if known.asking != accepted.channel_id:
            return  # the agent did not want to wait for it
        known.notice = known.refused or _REASONS.get(result.reason, HandNotice.UNREACHABLE)
        await self._in_turn(call.call_id)
        try:
            if known.asking == accepted.channel_id:
                await self._fetch_back(call, number)
        except AmiError as error:
            log.warning("customer_not_fetched", call_id=call.call_id, error=error.code)
        finally:
            self._busy.discard(call.call_id)
            self._touch(call.call_id)

    async def _fetch_back(self, call: Call, number: str) -> None:
        hand = hand_of(parties_of(call), number)
        if hand.customer is None or hand.mine is None or not hand.customer.held:
            return
        if hand.state in {HandState.HELD, HandState.CALLING} and (hand.target is None or not hand.target.up):
            await self._carry_out(call, (Join(hand.customer, hand.mine),))

    async def _in_turn(self, call_id: str) -> None:
        """Wait until no step is under way, and begin one."""
        while call_id in self._busy:
            self._moved.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await self._moved.wait()
        self._busy.add(call_id)


def _place(found: Destination) -> str:
    return f"huifang-to-{found.kind.value},{found.value}"
