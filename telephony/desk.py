"""The agents' desk: sign-in, pause, wrap-up and the state they show, for web pages and for the PBX's events.

Every step loads the agent's state machine from SQL under a lock, takes the event, stores it with its log and
commits; only then is anybody told. So two tabs, two processes and the PBX may act on one agent at once, and
a process killed at any instruction leaves a state that the next one goes on from.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.bus import Bus, Lagged
from kernel.clock import Clock
from kernel.db import Database
from kernel.due import DueWorker
from kernel.errors import DeadlineExceeded
from telephony import agent_repository as repository
from telephony import wrap_ups
from telephony.agent_events import RosterChanged
from telephony.agent_seeds import is_code
from telephony.agent_step import Step, take_steps
from telephony.agent_tables import AgentRow, AgentSessionRow, PauseReasonRow, QueueRow, WrapUpRow
from telephony.agent_views import AgentSnapshot, WrapUpView
from telephony.desk_errors import AgentChanged, AgentUnknown, NotSignedIn, PauseReasonUnknown
from telephony.domain.agent_state import AgentPolicy, AgentState
from telephony.domain.agent_steps import (
    AgentEvent,
    CallMoved,
    LiveLeg,
    Pause,
    Resynced,
    SignIn,
    SignOut,
    TabAsleep,
    TabAwake,
    Unpause,
    WrapUpSaved,
    WrapUpTimedOut,
)
from telephony.events import AgentStateChanged, CallMerged
from telephony.members import MemberBook
from telephony.ports import MemberFollower
from telephony.unbroken import unbroken

__all__ = ["AgentChanged", "AgentDesk", "AgentUnknown", "NotSignedIn", "PauseReasonUnknown"]

log = structlog.get_logger(__name__)

T = TypeVar("T")
Steps = Callable[[AgentSnapshot], tuple[AgentEvent, ...]]
Then = Callable[[AsyncSession, AgentSnapshot], Awaitable[None]]

HEARTBEAT_WRITE = timedelta(seconds=10)


class AgentDesk:
    """Use cases of agents. Safe to use from many tasks and processes.

    Args:
        follower: keeps Asterisk's members in line; ``None`` in a process without a link to the PBX, whose
            changes another process hears on the bus and carries out.
        live: whether the PBX is in reach, for :attr:`AgentSnapshot.stale`; the follower's word by default.
        deadline: of one step in the database; longer than its own time to wait for a lock.
        on_facts: called after a commit that left a fact in the outbox.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        bus: Bus,
        *,
        worker: str,
        policy: AgentPolicy | None = None,
        follower: MemberFollower | None = None,
        live: Callable[[], bool] | None = None,
        deadline: timedelta = timedelta(seconds=15),
        on_facts: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus
        self._on_facts = on_facts
        self._policy = policy or AgentPolicy()
        self._follower = follower
        self._deadline = deadline.total_seconds()
        self._live = live or (lambda: follower is None or follower.live)
        # One step at a time in this process, so that what is published keeps the order of the commits.
        self._turn = asyncio.Lock()
        self._published: deque[str] = deque(maxlen=1000)
        self._timers = DueWorker(database, clock, WrapUpRow, self._wrap_ups_due, worker=worker)

    # What a person does

    async def sign_in(self, agent_id: str) -> AgentSnapshot:
        """Start work, or take back a sign-out that waits for a call's end. Doing it twice changes nothing.

        Raises:
            AgentUnknown: no such agent.
        """
        return await self._act(agent_id, SignIn())

    async def sign_out(self, agent_id: str) -> AgentSnapshot:
        """Leave; during a call and its wrap-up this waits for their end (``next_state``).

        Raises:
            AgentUnknown: no such agent.
        """
        return await self._act(agent_id, SignOut())

    async def pause(self, agent_id: str, reason: str) -> AgentSnapshot:
        """Take a break; during a call and its wrap-up this waits for their end (``next_state``).

        Raises:
            AgentUnknown: no such agent.
            NotSignedIn: the agent is signed out.
            PauseReasonUnknown: no reason of this code that a person may pick.
        """
        await self.check_reason(reason)
        return await self._act(agent_id, Pause(reason), signed_in=True)

    async def check_reason(self, reason: str) -> None:
        """Raise PauseReasonUnknown for a reason that a person may not pick."""
        async with self._database.session() as session:
            row = await session.get(PauseReasonRow, reason) if is_code(reason) else None
        if row is None or not row.active or not row.selectable:
            raise PauseReasonUnknown("no such pause reason", field="reason")

    async def direct(
        self, agent_id: str, steps: Steps, *, seen: AgentState | None = None, then: Then | None = None
    ) -> AgentSnapshot:
        """Have somebody else act for an agent who has signed in.

        Args:
            steps: what is to happen, by how the agent is found.
            seen: in which state the agent must be.
            then: called in the transaction, with how the agent was.

        Raises:
            AgentUnknown, NotSignedIn: as they say.
            AgentChanged: the agent is in another state.
        """
        return await self._whole(self._directed(agent_id, steps, seen, then))

    async def _directed(
        self, agent_id: str, steps: Steps, seen: AgentState | None, then: Then | None
    ) -> AgentSnapshot:
        async with self._turn:
            async with self._database.transaction() as session:
                await session.get(AgentSessionRow, agent_id, with_for_update=True)
                await self._require(session, agent_id, signed_in=True)
                (before,) = await repository.snapshots(session, [agent_id])
                if seen is not None and before.state is not seen:
                    raise AgentChanged(f"the agent is {before.state.value} now: look again", field="seen")
                taken = await self._step(session, agent_id, *steps(before))
                (found,) = await repository.snapshots(session, [agent_id])
                if then is not None:
                    await then(session, before)
            self._tell(taken)
        return replace(found, stale=not self._live())

    async def unpause(self, agent_id: str) -> AgentSnapshot:
        """Come back from a break.

        Raises:
            AgentUnknown: no such agent.
            NotSignedIn: the agent is signed out.
        """
        return await self._act(agent_id, Unpause(), signed_in=True)

    async def heartbeat(self, agent_id: str) -> None:
        """Note that the agent's page lives; wakes an agent who was paused because it did not."""
        now = self._clock.now()
        query = select(AgentSessionRow.signed_in, AgentSessionRow.asleep, AgentSessionRow.heartbeat_at)
        async with self._database.session() as session:
            found = (await session.execute(query.where(AgentSessionRow.agent_id == agent_id))).first()
        if found is None or not found.signed_in:
            return
        if found.heartbeat_at is None or now - found.heartbeat_at >= HEARTBEAT_WRITE:
            async with self._database.transaction() as session:
                await session.execute(
                    update(AgentSessionRow)
                    .where(AgentSessionRow.agent_id == agent_id)
                    .values(heartbeat_at=now)
                )
        if found.asleep:
            log.info("agent_page_awake", agent_id=agent_id)
            await self._act(agent_id, TabAwake())

    async def save_wrap_up(
        self,
        agent_id: str,
        call_id: str,
        *,
        disposition: str,
        notes: str = "",
        customer_id: str | None = None,
    ) -> WrapUpView:
        """Save what became of a call, and end its wrap-up. During the call and long after it, too.

        Saving the same again changes nothing; saving something else corrects it and is told again.

        Raises:
            AgentUnknown: no such agent.
            CallNotYours: the agent did not take this call.
            DispositionUnknown, Invalid: the form is not sound.
        """
        return await self._whole(self._save(agent_id, call_id, disposition, notes, customer_id))

    async def _save(
        self, agent_id: str, call_id: str, disposition: str, notes: str, customer_id: str | None
    ) -> WrapUpView:
        async with self._turn:
            async with self._database.transaction() as session:
                person = await self._require(session, agent_id, signed_in=False)
                now = self._clock.now()
                view = await wrap_ups.save(
                    session,
                    person,
                    call_id,
                    disposition=disposition,
                    notes=notes,
                    customer_id=customer_id,
                    now=now,
                )
                steps = await self._step(session, agent_id, WrapUpSaved(call_id))
            self._tell(steps)
        self._on_facts()
        return view

    async def save_draft(
        self, agent_id: str, call_id: str, *, disposition: str | None = None, notes: str = ""
    ) -> None:
        """Keep what the agent has written so far; a page that is opened again goes on from there.

        Raises:
            AgentUnknown: no such agent.
            CallNotYours: the agent did not take this call.
            Invalid: too long.
        """
        async with self._database.transaction() as session:
            person = await self._require(session, agent_id, signed_in=False)
            await wrap_ups.save_draft(
                session, person, call_id, disposition=disposition, notes=notes, now=self._clock.now()
            )

    async def wrap_up(self, agent_id: str, call_id: str) -> WrapUpView | None:
        """Return what the agent wrote about a call; ``None`` when they did not take it."""
        async with self._database.session() as session:
            return await wrap_ups.read(session, agent_id, call_id)

    async def unsaved_wrap_ups(self, agent_id: str, *, limit: int = 20) -> tuple[WrapUpView, ...]:
        """Return the agent's finished calls that still have no disposition, newest first."""
        async with self._database.session() as session:
            return await wrap_ups.unsaved(session, agent_id, limit=limit)

    # What is shown

    async def state(self, agent_id: str) -> AgentSnapshot:
        """Return one agent now.

        Raises:
            AgentUnknown: no such agent.
        """
        async with self._database.session() as session:
            found = await repository.snapshots(session, [agent_id])
        if not found:
            raise AgentUnknown("no such agent", field="agent_id")
        return replace(found[0], stale=not self._live())

    async def states(self) -> tuple[AgentSnapshot, ...]:
        """Return all agents who work here, by number."""
        stale = not self._live()
        async with self._database.session() as session:
            return tuple(replace(item, stale=stale) for item in await repository.snapshots(session))

    async def member_book(self) -> MemberBook:
        """Return how everyone must stand in which queues."""
        async with self._database.session() as session:
            plans = await repository.plans(session, policy=self._policy)
            names = (await session.execute(select(QueueRow.name))).scalars().all()
        return MemberBook(plans=tuple(plans), queues=frozenset(names))

    # What the PBX and the clock do

    async def take(self, events: Iterable[tuple[str, AgentEvent, datetime]]) -> None:
        """Take events of the PBX (agent number, event, when) in one transaction; skip unknown numbers.

        Raises:
            SQLAlchemyError: the database is out of reach; nothing was taken and the batch may be given again.
            DeadlineExceeded: it did not answer in time; a batch given twice leads to the same end.
        """
        await self._whole(self._take(tuple(events)))

    async def _take(self, events: Sequence[tuple[str, AgentEvent, datetime]]) -> None:
        async with self._turn:
            by_number: dict[str, list[tuple[AgentEvent, datetime]]] = defaultdict(list)
            for number, event, at in events:
                by_number[number].append((event, at))
            async with self._database.transaction() as session:
                steps = await take_steps(
                    session, by_number, policy=self._policy, now=self._clock.now(), by_number=True
                )
            self._tell(steps)

    async def resync(self, node: str, live: Mapping[str, tuple[LiveLeg, ...]]) -> None:
        """Take a snapshot of a PBX (agent number → channels): what is not in it has ended.

        Raises:
            SQLAlchemyError: the database is out of reach; nothing was taken.
        """
        query = select(AgentRow.number, AgentSessionRow.legs).join(
            AgentSessionRow, AgentSessionRow.agent_id == AgentRow.agent_id
        )
        async with self._database.session() as session:
            known = {number for number, legs in (await session.execute(query)) if legs}
        now = self._clock.now()
        await self.take((number, Resynced(node, live.get(number, ())), now) for number in known | set(live))

    async def move_call(self, old_call_id: str, new_call_id: str) -> None:
        """Take that a call became part of another one (an attended transfer was completed)."""
        async with self._turn:
            async with self._database.transaction() as session:
                now = self._clock.now()
                takers = await wrap_ups.takers(session, old_call_id)
                moved = [(CallMoved(old_call_id, new_call_id), now)]
                steps = await take_steps(session, dict.fromkeys(takers, moved), policy=self._policy, now=now)
                for agent_id in takers:
                    await wrap_ups.move(session, agent_id, old_call_id, new_call_id, now=now)
            self._tell(steps)

    async def page_silent(self, agent_id: str) -> None:
        """Pause an agent whose page is not heard any more; :meth:`heartbeat` ends it."""
        log.warning("agent_page_silent", agent_id=agent_id)
        await self._act(agent_id, TabAsleep())

    async def run_timers(self) -> None:
        """End wrap-ups whose time is over, until cancelled."""
        await self._timers.run()

    async def run_follow(self) -> None:
        """Carry out what other processes changed and calls that merged, until cancelled.

        One process runs this: the one that follows the PBX.
        """
        async with self._bus.subscribe(AgentStateChanged, RosterChanged, CallMerged, name="desk") as events:
            async for item in events:
                agent_ids: Sequence[str] | None
                match item:
                    case CallMerged():
                        await self._merge(item)
                        continue
                    case AgentStateChanged() if item.event_id in self._published:
                        continue
                    case AgentStateChanged():
                        agent_ids = [item.agent_id]
                    case RosterChanged():
                        agent_ids = item.agent_ids or None
                    case Lagged():
                        agent_ids = None
                    case _:
                        continue
                await self._follow(agent_ids)

    async def end_wrap_ups(self) -> int:
        """End the wrap-ups whose time is over, once; return how many."""
        return await self._timers.run_once()

    # Inside

    async def _merge(self, item: CallMerged) -> None:
        try:
            await self.move_call(item.call_id, item.into_call_id)
        except (SQLAlchemyError, OSError) as error:
            log.warning("merged_call_not_moved", call_id=item.call_id, error=type(error).__name__)

    async def _follow(self, agent_ids: Sequence[str] | None) -> None:
        if self._follower is None:
            return
        try:
            async with self._database.session() as session:
                found = await repository.plans(session, policy=self._policy, agent_ids=agent_ids)
        except (SQLAlchemyError, OSError) as error:
            log.warning("plans_not_read", error=type(error).__name__)
            return
        for plan in found:
            self._follower.follow(plan)

    async def _act(self, agent_id: str, event: AgentEvent, *, signed_in: bool = False) -> AgentSnapshot:
        return await self._whole(self._acted(agent_id, event, signed_in))

    async def _acted(self, agent_id: str, event: AgentEvent, signed_in: bool) -> AgentSnapshot:
        async with self._turn:
            async with self._database.transaction() as session:
                await self._require(session, agent_id, signed_in=signed_in)
                steps = await self._step(session, agent_id, event)
                (found,) = await repository.snapshots(session, [agent_id])
            self._tell(steps)
        return replace(found, stale=not self._live())

    async def _require(self, session: AsyncSession, agent_id: str, *, signed_in: bool) -> AgentRow:
        person = await session.get(AgentRow, agent_id)
        if person is None or not person.active:
            raise AgentUnknown("no such agent", field="agent_id")
        if signed_in:
            query = select(AgentSessionRow.signed_in).where(AgentSessionRow.agent_id == agent_id)
            if not (await session.execute(query)).scalar_one_or_none():
                raise NotSignedIn("sign in first")
        return person

    async def _step(self, session: AsyncSession, agent_id: str, *events: AgentEvent) -> list[Step]:
        now = self._clock.now()
        happened = {agent_id: [(event, now) for event in events]}
        return await take_steps(session, happened, policy=self._policy, now=now)

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Let ``work`` run to its end even when our caller goes away: it may hold the database's lock."""
        try:
            return await unbroken(work, deadline=self._deadline)
        except TimeoutError as error:
            raise DeadlineExceeded("the database did not answer in time") from error

    def _tell(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if self._follower is not None and step.plan is not None:
                self._follower.follow(step.plan)
            if step.changed is not None:
                self._published.append(step.changed.event_id)
                self._bus.publish(step.changed)

    async def _wrap_ups_due(self, rows: Sequence[WrapUpRow]) -> None:
        for due in rows:
            async with self._turn:
                async with self._database.transaction() as session:
                    now = self._clock.now()
                    steps = await self._step(session, due.agent_id, WrapUpTimedOut(due.call_id))
                    row = await session.get(WrapUpRow, (due.call_id, due.agent_id))
                    if row is not None and row.due_at is not None and row.due_at <= now:
                        row.due_at, row.ended_at = None, row.ended_at or now
                self._tell(steps)
