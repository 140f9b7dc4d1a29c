"""One step of an agent: load the state machine under its lock, give it events, store what follows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from telephony import agent_repository as repository
from telephony.domain.agent import Agent
from telephony.domain.agent_state import AgentPolicy
from telephony.domain.agent_steps import AgentEvent, Effect, FollowStance, PublishState
from telephony.domain.queue import MemberPlan
from telephony.events import AgentStateChanged


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be told once the step is committed."""

    plan: MemberPlan
    changed: AgentStateChanged | None


async def take_step(
    session: AsyncSession,
    agent_id: str,
    events: Sequence[tuple[AgentEvent, datetime]],
    *,
    policy: AgentPolicy,
    now: datetime,
) -> list[Step]:
    """Take the events of one agent in the caller's transaction; an unknown agent takes none."""
    loaded = await repository.lock_agent(session, agent_id, policy=policy, now=now)
    if loaded is None:
        return []
    person, row, agent = loaded
    changed: AgentStateChanged | None = None
    for event, at in events:
        effects = agent.handle(event, now=at)
        await repository.record_effects(session, agent_id, effects, now=at)
        changed = _changed(agent, effects, at) or changed
    repository.store_machine(row, agent, now=now)
    await session.flush()
    plans = await repository.plans(session, policy=policy, agent_ids=[person.agent_id])
    return [Step(plan, changed) for plan in plans]


def _changed(agent: Agent, effects: Iterable[Effect], at: datetime) -> AgentStateChanged | None:
    if not any(isinstance(effect, FollowStance | PublishState) for effect in effects):
        return None
    status = agent.status
    return AgentStateChanged(
        at=at,
        agent_id=agent.agent_id,
        agent_number=agent.number,
        state=status.state.value,
        reason=status.reason,
        since=status.since,
        call_id=status.call_id,
    )
