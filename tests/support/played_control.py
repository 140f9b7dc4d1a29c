"""Calls in hand without a PBX, for pages: every step is done at once, and who is asked answers at once."""

from dataclasses import dataclass, field

from kernel.access import Actor
from kernel.bus import Bus
from kernel.clock import Clock
from telephony.domain.hand import ALLOWED, HandState, Step
from telephony.events import HandChanged
from telephony.hand_views import HandNotice, HandView, StepNotPossible, Target, TargetAway

_LEADS = {
    Step.HOLD: HandState.HELD,
    Step.UNHOLD: HandState.TALKING,
    Step.CONSULT: HandState.CONSULTING,
    Step.CONFERENCE: HandState.CONFERENCE,
    Step.CANCEL: HandState.TALKING,
    Step.COMPLETE: HandState.NONE,
    Step.TRANSFER: HandState.NONE,
    Step.HANG_UP: HandState.NONE,
}


@dataclass
class PlayedControl:
    """A :class:`telephony.hand_views.ControlsCalls`.

    Attributes:
        taken: the steps so far, with their targets.
        away: targets whose telephone is busy, or gone.
    """

    bus: Bus
    clock: Clock
    agents: dict[str, str]
    state: HandState = HandState.TALKING
    target: Target | None = None
    notice: HandNotice | None = None
    taken: list[tuple[Step, str]] = field(default_factory=list)
    away: set[str] = field(default_factory=set)

    async def look(self, actor: Actor, call_id: str, agent_number: str) -> HandView:
        return self._view(call_id, agent_number)

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
        if step not in ALLOWED[self.state]:
            raise StepNotPossible("not now", field="step")
        if target is not None and target.value in self.away:
            raise TargetAway("the colleague's telephone is busy", field="target")
        self.taken.append((step, target.value if target is not None else ""))
        swapped = HandState.CONSULTING if self.state is HandState.SWAPPED else HandState.SWAPPED
        self.target = target or self.target
        self.becomes(call_id, agent_number, _LEADS.get(step, swapped))
        return self._view(call_id, agent_number)

    def becomes(
        self, call_id: str, agent_number: str, state: HandState, notice: HandNotice | None = None
    ) -> None:
        """The call stands otherwise, and the page is told."""
        self.state, self.notice = state, notice
        view = self._view(call_id, agent_number)
        self.bus.publish(
            HandChanged(
                at=view.since,
                call_id=call_id,
                node="pbx1",
                agent_number=agent_number,
                agent_id=self.agents.get(agent_number),
                state=state.value,
                steps=tuple(step.value for step in view.steps),
                target=view.target,
                target_label=view.target_label,
                notice=notice.value if notice is not None else None,
            )
        )

    def _view(self, call_id: str, agent_number: str) -> HandView:
        shown = self.target.value if self.target is not None and self.state is not HandState.TALKING else None
        return HandView(
            call_id=call_id,
            agent_number=agent_number,
            state=self.state,
            steps=tuple(step for step in Step if step in ALLOWED[self.state]),
            target=shown,
            target_label=shown or "",
            since=self.clock.now(),
            notice=self.notice,
        )
