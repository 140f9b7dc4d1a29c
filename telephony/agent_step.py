"""Steps of agents: load the state machines under their locks, give them events, store what follows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from telephony.agent_records import Held, hold_agents, store_agents
from telephony.agent_repository import memberships
from telephony.domain.agent import Agent
from telephony.domain.agent_state import AgentPolicy
from telephony.domain.agent_steps import AgentEvent, Answered, Effect, FollowStance, PublishState, StartWrapUp
from telephony.domain.queue import MemberPlan, Membership
from telephony.events import AgentStateChanged

Happened = Sequence[tuple[AgentEvent, datetime]]


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be told of one agent once the steps are committed.

    Attributes:
        plan: how the agent must stand in the queues now, where that may have changed.
    """

    plan: MemberPlan | None
    changed: AgentStateChanged | None


async def take_steps(
    session: AsyncSession,
    events: Mapping[str, Happened],
    *,
    policy: AgentPolicy,
    now: datetime,
    by_number: bool = False,
) -> list[Step]:
    """Take the events of some agents in the caller's transaction.

    Args:
        events: agent id (or number, with ``by_number``) → events in order. Unknown agents take none; those
            who work here no more are found by id only, so that what they began can end.
    """
    await session.flush()
    held = await hold_agents(session, events, by_number=by_number, policy=policy, now=now)
    told: dict[str, datetime] = {}
    moved: set[str] = set()
    for item in held:
        agent = item.agent
        for event, at in events[item.number if by_number else agent.agent_id]:
            effects = agent.handle(event, now=at)
            item.record(effects, at=at)
            if any(isinstance(effect, FollowStance | StartWrapUp | PublishState) for effect in effects):
                told[agent.agent_id] = at
            if isinstance(event, Answered) or _moves(effects):
                # An answer was met with an early pause: the plan confirms it or takes it back.
                moved.add(agent.agent_id)
    versions = await store_agents(session, held, now=now)
    queues = await memberships(session, moved) if moved else {}
    return [
        Step(
            _plan(item, queues.get(agent_id, ()), versions[agent_id]) if agent_id in moved else None,
            _changed(item.agent, versions[agent_id], told[agent_id]) if agent_id in told else None,
        )
        for item in held
        if (agent_id := item.agent.agent_id) in moved or agent_id in told
    ]


def _moves(effects: Iterable[Effect]) -> bool:
    return any(isinstance(effect, FollowStance) for effect in effects)


def _plan(held: Held, queues: tuple[Membership, ...], version: int) -> MemberPlan:
    if not held.active:
        return MemberPlan(number=held.number, name=held.name, version=version)
    return MemberPlan(
        number=held.number,
        name=held.name,
        version=version,
        memberships=queues,
        stance=held.agent.stance,
    )


def _changed(agent: Agent, version: int, at: datetime) -> AgentStateChanged:
    status, wrap_up = agent.status, agent.wrap_up
    return AgentStateChanged(
        at=at,
        agent_id=agent.agent_id,
        agent_number=agent.number,
        state=status.state.value,
        reason=status.reason,
        since=status.since,
        call_id=status.call_id,
        queue=status.queue,
        next_state=status.next_state.value if status.next_state else None,
        next_reason=status.next_reason,
        wrap_up_call_id=wrap_up.call_id if wrap_up else None,
        wrap_up_until=wrap_up.until if wrap_up else None,
        version=version,
    )
