"""Effects of the call model as events for the bus and the outbox; open calls as views."""

from collections.abc import Callable
from datetime import datetime

from kernel.events import Event
from kernel.ids import new_ulid
from telephony.call_record import seconds
from telephony.domain.call import Call, CallResult, EndReason, HangupBy
from telephony.domain.effects import (
    Answered,
    Changed,
    Effect,
    Ended,
    Merged,
    Opened,
    Progressed,
    RingEnded,
    RingStarted,
)
from telephony.events import (
    AgentRingEnded,
    AgentRinging,
    CallAnswered,
    CallEnded,
    CallMerged,
    CallOpened,
    CallProgressed,
)
from telephony.views import CallView, LegView, TimelineEntry

AgentIdOf = Callable[[str], str | None]


class CallNews:
    """Makes events of effects, from memory alone.

    Args:
        agent_id_of: agent number → id, ``None`` where unknown.
    """

    def __init__(self, agent_id_of: AgentIdOf) -> None:
        self._agent_id_of = agent_id_of

    def _agent_id(self, number: str | None) -> str | None:
        return self._agent_id_of(number) if number is not None else None

    def event(self, effect: Effect) -> Event | None:
        """Return the event that tells ``effect``, ``None`` for what is only saved."""
        match effect:
            case Progressed(call, row):
                return CallProgressed(
                    at=row.at,
                    call_id=call.call_id,
                    node=call.node,
                    seq=row.seq,
                    kind=row.kind.value,
                    state=call.state.value,
                    channel=row.channel,
                    agent_number=row.agent,
                    agent_id=self._agent_id(row.agent),
                    queue=row.queue,
                    detail=tuple(row.detail.items()),
                )
            case Changed():
                return None
            case RingStarted(call, leg, queue, at):
                return self._ringing(call, leg.agent_number or "", queue, at)
            case RingEnded(call, leg, reason, at):
                return AgentRingEnded(
                    at=at,
                    call_id=call.call_id,
                    node=call.node,
                    agent_id=self._agent_id(leg.agent_number),
                    agent_number=leg.agent_number or "",
                    reason=reason,
                    queue=leg.ring_queue,
                )
            case Answered(call, agent_number, at):
                return CallAnswered(
                    at=at,
                    call_id=call.call_id,
                    node=call.node,
                    queue=call.queue,
                    agent_number=agent_number,
                    agent_id=self._agent_id(agent_number),
                    answered_at=at,
                    wait_seconds=seconds(call.wait),
                )
            case Opened(call):
                return CallOpened(
                    at=call.started_at,
                    call_id=call.call_id,
                    node=call.node,
                    direction=call.direction.value,
                    from_number=call.from_number,
                    to_number=call.to_number,
                    from_name=call.from_name,
                    started_at=call.started_at,
                    adopted=call.adopted,
                )
            case Merged(call, into, at):
                return CallMerged(at=at, call_id=call.call_id, into_call_id=into.call_id, node=call.node)
            case Ended(call):
                return self.ended(call)

    def _ringing(self, call: Call, number: str, queue: str | None, at: datetime) -> AgentRinging:
        return AgentRinging(
            at=at,
            call_id=call.call_id,
            node=call.node,
            direction=call.direction.value,
            agent_id=self._agent_id(number),
            agent_number=number,
            queue=queue,
            from_number=call.from_number,
            to_number=call.to_number,
            caller_name=call.from_name,
            menu_path=tuple(call.menu_path),
            queued_at=call.queued_at,
            wait_seconds=seconds(call.wait_until(at)),
            started_at=call.started_at,
        )

    def ended(self, call: Call) -> CallEnded:
        """Return the fact of a call's end."""
        at = call.ended_at or call.started_at
        return CallEnded(
            event_id=new_ulid(),
            at=at,
            call_id=call.call_id,
            node=call.node,
            direction=call.direction.value,
            result=(call.result or CallResult.FAILED).value,
            queue=call.queue,
            agent_id=self._agent_id(call.agent_number),
            agent_number=call.agent_number,
            from_number=call.from_number,
            to_number=call.to_number,
            from_name=call.from_name,
            menu_path=tuple(call.menu_path),
            started_at=call.started_at,
            queued_at=call.queued_at,
            answered_at=call.answered_at,
            ended_at=at,
            wait_seconds=seconds(call.wait_until(at)),
            talk_seconds=seconds(call.talk) or 0.0,
            hold_seconds=seconds(call.hold) or 0.0,
            hangup_by=(call.hangup_by or HangupBy.UNKNOWN).value,
            end_reason=(call.end_reason or EndReason.HANGUP).value,
            cause=call.cause,
            connected_at=call.connected_at,
        )

    def view(self, call: Call, now: datetime) -> CallView:
        """Return an open call as it is now, with legs and time line, without the database."""
        return CallView(
            call_id=call.call_id,
            node=call.node,
            direction=call.direction.value,
            from_number=call.from_number,
            to_number=call.to_number,
            from_name=call.from_name,
            customer_id=None,
            queue=call.queue,
            agent=call.agent_number,
            agent_id=self._agent_id(call.agent_number),
            state=call.state.value,
            result=call.result.value if call.result is not None else None,
            menu_path=tuple(call.menu_path),
            language=call.language or None,
            started_at=call.started_at,
            queued_at=call.queued_at,
            answered_at=call.answered_at,
            ended_at=call.ended_at,
            wait_seconds=seconds(call.wait_until(now)),
            talk_seconds=seconds(call.talk_until(now)) or 0.0,
            hold_seconds=seconds(call.hold_until(now)) or 0.0,
            hangup_by=None,
            end_reason=None,
            cause=call.cause,
            adopted=call.adopted,
            legs=tuple(
                LegView(
                    uniqueid=leg.uniqueid,
                    linkedid=leg.linkedid,
                    channel=leg.channel,
                    kind=leg.kind.value,
                    agent_number=leg.agent_number,
                    number=leg.number,
                    started_at=leg.started_at,
                    answered_at=leg.answered_at,
                    ended_at=leg.ended_at,
                    cause=leg.cause,
                )
                for leg in call.legs.values()
            ),
            timeline=tuple(
                TimelineEntry(
                    seq=row.seq,
                    at=row.at,
                    kind=row.kind.value,
                    channel=row.channel,
                    agent=row.agent,
                    queue=row.queue,
                    detail=row.detail,
                )
                for row in call.rows
            ),
        )
