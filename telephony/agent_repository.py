"""Loading and storing of agents, queues and what agents write about calls.

Functions work on the caller's session, so that several of them make one transaction.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.ids import new_ulid
from telephony.agent_tables import (
    AgentRow,
    AgentSessionRow,
    AgentStateLogRow,
    QueueMemberRow,
    QueueRow,
    WrapUpRow,
)
from telephony.agent_views import AgentSnapshot
from telephony.domain.agent import Agent
from telephony.domain.agent_state import AgentPolicy, AgentState, Leg, Status, WrapUp
from telephony.domain.agent_steps import Effect, EndWrapUp, OpenWrapUp, PublishState, StartWrapUp
from telephony.domain.queue import MemberPlan, Membership

# The machine and its row


async def lock_agent(
    session: AsyncSession, agent_id: str, *, policy: AgentPolicy, now: datetime
) -> tuple[AgentRow, AgentSessionRow, Agent] | None:
    """Load an agent for a step, locked against other steps until the transaction ends.

    Returns ``None`` when there is no such agent.
    """
    person = await session.get(AgentRow, agent_id)
    if person is None:
        return None
    # What the session has read before is from before the lock.
    row = await session.get(AgentSessionRow, agent_id, with_for_update=True, populate_existing=True)
    if row is None:
        await _first_session(session, agent_id, now)
        row = await session.get_one(AgentSessionRow, agent_id, with_for_update=True)
    return person, row, to_machine(person, row, policy)


async def _first_session(session: AsyncSession, agent_id: str, now: datetime) -> None:
    """Insert the agent's session unless another process has just done so."""
    values: dict[str, Any] = {
        "agent_id": agent_id,
        "version": 0,
        "signed_in": False,
        "leaving": False,
        "asleep": False,
        "legs": [],
        "no_answers": 0,
        "state": AgentState.SIGNED_OUT.value,
        "since": now,
    }
    insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else pg_insert
    await session.execute(insert(AgentSessionRow).values(values).on_conflict_do_nothing())


def to_machine(person: AgentRow, row: AgentSessionRow, policy: AgentPolicy) -> Agent:
    """Build the state machine of a stored session."""
    wrap_up: WrapUp | None = None
    if row.wrap_up_call_id is not None and row.wrap_up_until is not None:
        wrap_up = WrapUp(call_id=row.wrap_up_call_id, queue=row.wrap_up_queue, until=row.wrap_up_until)
    status = Status(
        state=AgentState(row.state),
        reason=row.reason,
        call_id=row.call_id,
        queue=row.queue,
        since=row.since,
        next_state=AgentState(row.next_state) if row.next_state else None,
        next_reason=row.next_reason,
    )
    return Agent(
        agent_id=row.agent_id,
        number=person.number,
        status=status,
        signed_in=row.signed_in,
        leaving=row.leaving,
        pause_reason=row.pause_reason,
        asleep=row.asleep,
        legs=tuple(_leg_from(item) for item in row.legs),
        wrap_up=wrap_up,
        no_answers=row.no_answers,
        policy=policy,
    )


def _leg_from(item: dict[str, Any]) -> Leg:
    return Leg(
        leg=item["leg"],
        call_id=item["call_id"],
        queue=item["queue"],
        talking=item["talking"],
        since=datetime.fromisoformat(item["since"]),
        wrap_up=timedelta(seconds=item["wrap_up_seconds"]),
        saved=item["saved"],
        unanswered=item["unanswered"],
    )


def _leg_to(leg: Leg) -> dict[str, Any]:
    return {
        "leg": leg.leg,
        "call_id": leg.call_id,
        "queue": leg.queue,
        "talking": leg.talking,
        "since": leg.since.isoformat(),
        "wrap_up_seconds": leg.wrap_up.total_seconds(),
        "saved": leg.saved,
        "unanswered": leg.unanswered,
    }


def store_machine(row: AgentSessionRow, agent: Agent, *, now: datetime) -> None:
    """Write the machine back into its row; the caller's transaction commits it."""
    status, wrap_up = agent.status, agent.wrap_up
    if agent.signed_in and not row.signed_in:
        row.signed_in_at, row.heartbeat_at = now, None
    elif not agent.signed_in:
        row.signed_in_at = row.heartbeat_at = None
    row.version += 1
    row.signed_in, row.leaving, row.asleep = agent.signed_in, agent.leaving, agent.asleep
    row.pause_reason, row.no_answers = agent.pause_reason, agent.no_answers
    row.legs = [_leg_to(leg) for leg in agent.legs]
    row.wrap_up_call_id = wrap_up.call_id if wrap_up else None
    row.wrap_up_queue = wrap_up.queue if wrap_up else None
    row.wrap_up_until = wrap_up.until if wrap_up else None
    row.state, row.reason, row.since = status.state.value, status.reason, status.since
    row.call_id, row.queue = status.call_id, status.queue
    row.next_state = status.next_state.value if status.next_state else None
    row.next_reason = status.next_reason


async def record_effects(
    session: AsyncSession, agent_id: str, effects: Iterable[Effect], *, now: datetime
) -> None:
    """Write what the effects say about wrap-up rows and the state log."""
    for effect in effects:
        match effect:
            case OpenWrapUp(call_id, queue):
                await taken_call(session, call_id, agent_id, queue, now)
            case StartWrapUp(call_id, queue, deadline):
                row = await taken_call(session, call_id, agent_id, queue, now)
                row.started_at, row.ended_at = now, None
                row.due_at, row.claimed_by, row.claimed_until = deadline, None, None
            case EndWrapUp(call_id):
                row = await taken_call(session, call_id, agent_id, None, now)
                row.due_at, row.ended_at = None, now
            case PublishState(status, True):
                await _log_state(session, agent_id, status, now)
            case _:
                pass


async def taken_call(
    session: AsyncSession, call_id: str, agent_id: str, queue: str | None, now: datetime
) -> WrapUpRow:
    """Return the row of a call that the agent took, made now if need be."""
    row = await session.get(WrapUpRow, (call_id, agent_id))
    if row is None:
        row = WrapUpRow(call_id=call_id, agent_id=agent_id, queue=queue, taken_at=now, notes="", tries=0)
        session.add(row)
    elif row.queue is None:
        row.queue = queue
    return row


async def _log_state(session: AsyncSession, agent_id: str, status: Status, now: datetime) -> None:
    await session.execute(
        update(AgentStateLogRow)
        .where(AgentStateLogRow.agent_id == agent_id, AgentStateLogRow.ended_at.is_(None))
        .values(ended_at=now)
    )
    session.add(
        AgentStateLogRow(
            entry_id=new_ulid(),
            agent_id=agent_id,
            state=status.state.value,
            reason=status.reason,
            call_id=status.call_id,
            queue=status.queue,
            started_at=now,
        )
    )


# Reading


async def snapshots(session: AsyncSession, agent_id: str | None = None) -> list[AgentSnapshot]:
    """Return the active agents (or one), by number."""
    query = (
        select(AgentRow, AgentSessionRow)
        .outerjoin(AgentSessionRow, AgentSessionRow.agent_id == AgentRow.agent_id)
        .order_by(AgentRow.number)
    )
    query = query.where(AgentRow.agent_id == agent_id if agent_id else AgentRow.active)
    queues = await _memberships(session, agent_id)
    return [
        _snapshot(person, row, queues.get(person.agent_id, ()))
        for person, row in (await session.execute(query))
    ]


def _snapshot(person: AgentRow, row: AgentSessionRow | None, queues: tuple[Membership, ...]) -> AgentSnapshot:
    return AgentSnapshot(
        agent_id=person.agent_id,
        number=person.number,
        name=person.name,
        state=AgentState(row.state) if row else AgentState.SIGNED_OUT,
        reason=row.reason if row else None,
        since=row.since if row else person.created_at,
        call_id=row.call_id if row else None,
        queue=row.queue if row else None,
        next_state=AgentState(row.next_state) if row and row.next_state else None,
        next_reason=row.next_reason if row else None,
        wrap_up_call_id=row.wrap_up_call_id if row else None,
        wrap_up_until=row.wrap_up_until if row else None,
        queues=queues,
        signed_in_at=row.signed_in_at if row else None,
        version=row.version if row else 0,
    )


async def plans(
    session: AsyncSession, *, policy: AgentPolicy, agent_ids: Sequence[str] | None = None
) -> list[MemberPlan]:
    """Return how all agents (or some) must stand in their queues; inactive agents in none."""
    query = select(AgentRow, AgentSessionRow).outerjoin(
        AgentSessionRow, AgentSessionRow.agent_id == AgentRow.agent_id
    )
    if agent_ids is not None:
        query = query.where(AgentRow.agent_id.in_(agent_ids))
    one = agent_ids[0] if agent_ids is not None and len(agent_ids) == 1 else None
    queues = await _memberships(session, one)
    found: list[MemberPlan] = []
    for person, row in await session.execute(query):
        plan = MemberPlan(number=person.number, name=person.name, version=row.version if row else 0)
        if row is not None and person.active:
            plan = MemberPlan(
                number=person.number,
                name=person.name,
                version=row.version,
                memberships=queues.get(person.agent_id, ()),
                stance=to_machine(person, row, policy).stance,
            )
        found.append(plan)
    return found


async def _memberships(session: AsyncSession, agent_id: str | None) -> dict[str, tuple[Membership, ...]]:
    query = (
        select(QueueMemberRow)
        .join(QueueRow, QueueRow.name == QueueMemberRow.queue)
        .where(QueueRow.active)
        .order_by(QueueRow.position, QueueRow.name)
    )
    if agent_id is not None:
        query = query.where(QueueMemberRow.agent_id == agent_id)
    found: dict[str, tuple[Membership, ...]] = {}
    for row in (await session.execute(query)).scalars():
        known = found.get(row.agent_id, ())
        found[row.agent_id] = (*known, Membership(row.queue, row.penalty))
    return found


async def agent_ids_by_number(session: AsyncSession) -> dict[str, str]:
    """Return number → agent id of the active agents."""
    rows = await session.execute(select(AgentRow.number, AgentRow.agent_id).where(AgentRow.active))
    return dict(rows.all())
