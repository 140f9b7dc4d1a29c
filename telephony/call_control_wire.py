"""Steps with calls from a process that has no link to the PBX: asked over the bus, taken by the one that has.

The asking process waits for the answer with a deadline; a request that is older when it is read is not
carried out any more, because whoever asked was told that nobody heard. A step that is asked twice is refused
the second time: the call does not stand so any more.
"""

import asyncio
from datetime import datetime, timedelta

import structlog

from kernel.access import Actor, Role
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.errors import Forbidden, HuifangError, Invalid, Unavailable
from kernel.events import Event, event
from kernel.ids import new_ulid
from telephony.domain.hand import HandState, Step
from telephony.hand_views import (
    ControlsCalls,
    HandNotice,
    HandView,
    NoSuchCall,
    NotYourCall,
    OutsideRefused,
    OutsideTooOften,
    SomebodyLeft,
    StepNotDone,
    StepNotPossible,
    StepUnderWay,
    Target,
    TargetAway,
    TargetKind,
    TargetUnknown,
)

log = structlog.get_logger(__name__)

ANSWER_WITHIN = timedelta(seconds=8)
FRESH = timedelta(seconds=5)
"""An older request is not carried out; shorter than the wait for its answer."""
_ERRORS: dict[str, type[HuifangError]] = {
    kind.code: kind
    for kind in (
        *(Forbidden, Invalid, NoSuchCall, NotYourCall, OutsideRefused, OutsideTooOften, SomebodyLeft),
        *(StepNotDone, StepNotPossible, StepUnderWay, TargetAway, TargetUnknown),
    )
}


class ControlAway(Unavailable):
    """No process with the role ``telephony`` answered."""

    code = "telephony_away"


@event
class StepAsked(Event):
    """Somebody takes a step with a call in a process without a link to the PBX ``node``.

    Attributes:
        step: empty to look only.
    """

    request_id: str
    node: str
    user_id: str
    name: str
    role: str | None
    department: str | None
    call_id: str
    agent_number: str
    step: str = ""
    target_kind: str = ""
    target: str = ""
    expected: str = ""


@event
class StepAnswered(Event):
    """Where the call of a :class:`StepAsked` stands now, or why nothing was done."""

    request_id: str
    call_id: str = ""
    agent_number: str = ""
    state: str = ""
    steps: tuple[str, ...] = ()
    target: str | None = None
    target_label: str = ""
    since: datetime | None = None
    notice: str = ""
    error: str = ""
    message: str = ""
    field: str | None = None


class RemoteControl:
    """Asks the process that has the link: a :class:`telephony.hand_views.ControlsCalls`."""

    def __init__(self, bus: Bus, clock: Clock, *, node: str, within: timedelta = ANSWER_WITHIN) -> None:
        self._bus = bus
        self._clock = clock
        self._node = node
        self._within = within

    async def look(self, actor: Actor, call_id: str, agent_number: str) -> HandView:
        """Return the call as the agent has it.

        Raises:
            ControlAway: nobody answered in time.
            HuifangError: what looking raised there.
        """
        return await self._ask(self._asked(actor, call_id, agent_number))

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
        """Have a step taken.

        Raises:
            ControlAway: nobody answered in time.
            HuifangError: what taking it raised there.
        """
        return await self._ask(self._asked(actor, call_id, agent_number, step, target, expected))

    def _asked(
        self,
        actor: Actor,
        call_id: str,
        agent_number: str,
        step: Step | None = None,
        target: Target | None = None,
        expected: HandState | None = None,
    ) -> StepAsked:
        return StepAsked(
            at=self._clock.now(),
            request_id=new_ulid(),
            node=self._node,
            user_id=actor.user_id,
            name=actor.name,
            role=actor.role.value if actor.role is not None else None,
            department=actor.department,
            call_id=call_id,
            agent_number=agent_number,
            step=step.value if step is not None else "",
            target_kind=target.kind.value if target is not None else "",
            target=target.value if target is not None else "",
            expected=expected.value if expected is not None else "",
        )

    async def _ask(self, asked: StepAsked) -> HandView:
        async with self._bus.subscribe(StepAnswered, name="step-answers") as answers:
            self._bus.publish(asked)
            try:
                async with asyncio.timeout(self._within.total_seconds()):
                    async for item in answers:
                        if isinstance(item, StepAnswered) and item.request_id == asked.request_id:
                            return _view(item)
            except TimeoutError:
                log.warning("call_step_not_answered", node=self._node)
        raise ControlAway(
            f"no process with the role «telephony» of {self._node} answered; start one on the same Redis "
            "(huifang serve --roles telephony), then try again"
        )


class ControlDesk:
    """Carries out what other processes ask for. Give :meth:`run` to the supervisor beside the control's."""

    def __init__(self, control: ControlsCalls, bus: Bus, clock: Clock, *, node: str) -> None:
        self._control = control
        self._bus = bus
        self._clock = clock
        self._node = node
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Answer until cancelled."""
        async with self._bus.subscribe(StepAsked, name="call-steps") as asked:
            try:
                async for item in asked:
                    if isinstance(item, StepAsked) and item.node == self._node:
                        task = asyncio.create_task(self.answer(item))
                        self._tasks.add(task)
                        task.add_done_callback(self._tasks.discard)
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def answer(self, asked: StepAsked) -> None:
        """Take one step, and tell what became of it."""
        now = self._clock.now()
        if abs(now - asked.at) > FRESH:
            log.warning("call_step_asked_too_late", request=asked.request_id)
            return
        try:
            said = _answer(asked, await self._take(asked), now)
        except HuifangError as error:
            said = StepAnswered(
                at=now,
                request_id=asked.request_id,
                error=error.code,
                message=error.message,
                field=error.field,
            )
        self._bus.publish(said)

    async def _take(self, asked: StepAsked) -> HandView:
        actor = Actor(
            user_id=asked.user_id,
            name=asked.name,
            role=Role(asked.role) if asked.role is not None else None,
            department=asked.department,
        )
        if not asked.step:
            return await self._control.look(actor, asked.call_id, asked.agent_number)
        target = None
        if asked.target_kind:
            target = Target(kind=TargetKind(asked.target_kind), value=asked.target)
        return await self._control.act(
            actor,
            asked.call_id,
            asked.agent_number,
            Step(asked.step),
            target=target,
            expected=HandState(asked.expected) if asked.expected else None,
        )


def _answer(asked: StepAsked, view: HandView, now: datetime) -> StepAnswered:
    return StepAnswered(
        at=now,
        request_id=asked.request_id,
        call_id=view.call_id,
        agent_number=view.agent_number,
        state=view.state.value,
        steps=tuple(step.value for step in view.steps),
        target=view.target,
        target_label=view.target_label,
        since=view.since,
        notice=view.notice.value if view.notice is not None else "",
    )


def _view(said: StepAnswered) -> HandView:
    if said.error or said.since is None:
        raise _ERRORS.get(said.error, Unavailable)(said.message, field=said.field)
    return HandView(
        call_id=said.call_id,
        agent_number=said.agent_number,
        state=HandState(said.state),
        steps=tuple(Step(step) for step in said.steps),
        target=said.target,
        target_label=said.target_label,
        since=said.since,
        notice=HandNotice(said.notice) if said.notice else None,
    )
