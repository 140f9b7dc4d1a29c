"""The live board: queues, agents and calls in progress, from memory, with the age of what it shows.

What waits and who talks is computed from the open calls of the call model at the moment of asking. Today's
counts (:mod:`telephony.queue_day`) are one visit per call and queue, read from the stored time lines at the
start, so that they are true after our own restart, and counted once however often an event comes.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from kernel.bus import Bus, Lagged
from kernel.business_time import SHANGHAI
from kernel.clock import Clock
from kernel.db import Database
from kernel.events import Event
from telephony import agent_repository as repository
from telephony.agent_events import BoardChanged, FiguresRebuilt, RosterChanged
from telephony.agent_views import AgentSnapshot
from telephony.board_limits import latest_limits
from telephony.board_reader import BoardReader
from telephony.board_views import (
    AgentView,
    AlertView,
    BoardView,
    Figures,
    LinkView,
    LiveCallView,
    QueueView,
    TrendPoint,
    board_key,
    encode_board,
)
from telephony.domain.agent_state import RESERVED, AgentState
from telephony.domain.board_limits import FEWEST, LimitWatch, Seen
from telephony.domain.call import Call, CallState
from telephony.domain.day_ledger import CENTRE, Key
from telephony.domain.queue import QueueSettings
from telephony.domain.service_level import Formula, QueueCounts, day_start, occupancy, parts
from telephony.events import (
    AgentReserved,
    AgentRingEnded,
    AgentRinging,
    AgentStateChanged,
    CallAnswered,
    CallEnded,
    CallMerged,
    CallOpened,
    CallProgressed,
    LinkStateChanged,
)
from telephony.queue_day import QueueDay
from telephony.roster import Roster

__all__ = ["Board", "BoardConfig", "BoardReader"]

log = structlog.get_logger(__name__)

HEARD: tuple[type[Event], ...] = (
    CallOpened,
    CallProgressed,
    CallAnswered,
    CallEnded,
    CallMerged,
    AgentReserved,
    AgentRinging,
    AgentRingEnded,
    AgentStateChanged,
    LinkStateChanged,
    RosterChanged,
    FiguresRebuilt,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardConfig:
    """Settings of the board.

    Attributes:
        zone: the site's; a day begins at its midnight.
        shortest_gap: changes are told at most so often.
        longest_gap: other processes get a fresh picture at least so often.
    """

    node: str = "pbx1"
    zone: ZoneInfo = SHANGHAI
    formula: Formula = Formula.NET_OF_SHORT
    short_abandon: timedelta = timedelta(seconds=5)
    shortest_gap: timedelta = timedelta(milliseconds=250)
    longest_gap: timedelta = timedelta(seconds=1)


class Board:
    """The board of one PBX node. Give :meth:`run` to the supervisor; ask :meth:`snapshot` at any time.

    Args:
        open_calls: the calls in progress, from the call model.
        link: how the link to the PBX stands now.
        devices: agent number → Asterisk's word for the phone.
        redis: where the picture is left for other processes; ``None`` to keep it.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        bus: Bus,
        *,
        open_calls: Callable[[], Collection[Call]],
        link: Callable[[], LinkStateChanged],
        devices: Callable[[], Mapping[str, str]] = dict,
        redis: "Redis | None" = None,
        config: BoardConfig | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus
        self._open_calls = open_calls
        self._link = link
        self._devices = devices
        self._redis = redis
        self._config = config or BoardConfig()
        self._roster = Roster(database, clock, bus)
        self.day = QueueDay(
            database,
            clock,
            node=self._config.node,
            zone=self._config.zone,
            short_abandon=self._config.short_abandon,
        )
        self._queues: tuple[QueueSettings, ...] = ()
        self._agents: dict[str, AgentSnapshot] = {}
        self._reserved: dict[str, datetime] = {}
        """Numbers of agents who are kept from the queues, since when."""
        self._states: dict[str, tuple[str, datetime]] = {}
        self._changed = asyncio.Event()
        self._changed.set()
        self._reload = True
        self._recount = True
        self._redis_lost = False
        self._limits = LimitWatch()
        self._alerts: tuple[AlertView, ...] = ()

    # -- asking --------------------------------------------------------------------------------------

    def snapshot(self) -> BoardView:
        """Return the board now. In memory; never waits."""
        now = self._clock.now()
        link = self._link()
        stale = link.state != "live"
        as_of = (link.as_of or link.at) if stale else now
        calls = tuple(self._open_calls())
        waiting: dict[str, list[datetime]] = {}
        for call in calls:
            if call.waiting_in is not None:
                waiting.setdefault(call.waiting_in, []).append(call.queued_at or call.started_at)
        counts = {queue.name: self.day.counts(queue.name, now=now) for queue in self._queues}
        busy = {agent.call_id: agent.number for agent in self._agents.values() if agent.call_id}
        formula = self._config.formula
        return BoardView(
            as_of=as_of,
            stale=stale,
            formula=formula.value,
            total=Figures(
                **_figures(sum(counts.values(), QueueCounts()), formula),
                occupancy=self._occupancy(self._agents, now),
            ),
            queues=tuple(
                self._queue(queue, counts[queue.name], waiting.get(queue.name, []), as_of)
                for queue in self._queues
            ),
            agents=tuple(
                _agent(agent, self._devices(), self._kept(agent)) for agent in self._agents.values()
            ),
            calls=tuple(self._call(call, busy) for call in sorted(calls, key=_age)),
            links=(LinkView(node=link.node, state=link.state, as_of=link.as_of),),
            day_from=day_start(now, self._config.zone).astimezone(UTC),
            handling_as_of=self.day.read_at,
            trend=_trend(self.day.slots(now=now), formula),
            alerts=self._alerts,
            alert_sound=self._limits.limits.sound,
        )

    def _occupancy(self, agent_ids: Collection[str], now: datetime) -> float | None:
        times = [self.day.time_of(agent_id, now=now) for agent_id in agent_ids]
        return occupancy(
            sum((time.busy for time in times), timedelta(0)),
            sum((time.ready for time in times), timedelta(0)),
        )

    def _queue(
        self, queue: QueueSettings, counts: QueueCounts, waiting: list[datetime], as_of: datetime
    ) -> QueueView:
        members = [a for a in self._agents.values() if any(m.queue == queue.name for m in a.queues)]
        return QueueView(
            name=queue.name,
            label_zh=queue.label_zh,
            label_en=queue.label_en,
            waiting=len(waiting),
            longest_since=min(waiting, default=None),
            signed_in=sum(a.state is not AgentState.SIGNED_OUT for a in members),
            available=sum(a.state is AgentState.AVAILABLE and not self._kept(a) for a in members),
            on_call=sum(a.state is AgentState.ON_CALL and a.queue == queue.name for a in members),
            as_of=as_of,
            occupancy=self._occupancy([agent.agent_id for agent in members], self._clock.now()),
            **_figures(counts, self._config.formula),
        )

    def _kept(self, agent: AgentSnapshot) -> datetime | None:
        """Return since when a free agent is kept for a customer who is called back."""
        since = self._reserved.get(agent.number)
        return max(since, agent.since) if since and agent.state is AgentState.AVAILABLE else None

    def _call(self, call: Call, busy: Mapping[str, str]) -> LiveCallView:
        state = call.state.value
        known = self._states.get(call.call_id)
        since = known[1] if known is not None and known[0] == state else _entered(call)
        return LiveCallView(
            call_id=call.call_id,
            node=call.node,
            direction=call.direction.value,
            from_number=call.from_number,
            to_number=call.to_number,
            queue=call.queue,
            state=state,
            agent=call.agent_number or busy.get(call.call_id),
            menu_path=tuple(call.menu_path),
            started_at=call.started_at,
            queued_at=call.queued_at,
            answered_at=call.answered_at,
            since=since,
        )

    def touch(self) -> None:
        """Note that something changed that no event tells of (a phone's state)."""
        self._changed.set()

    # -- following -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow the events and tell the changes, until cancelled."""
        async with (
            self._bus.subscribe(*HEARD, name="board", maxsize=5000) as events,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self._tell())
            async for item in events:
                self.take(item)
                self._changed.set()

    def take(self, item: Event | Lagged) -> None:
        """Take one event of the bus."""
        match item:
            case Lagged() | FiguresRebuilt():
                self._reload = self._recount = True
            case RosterChanged():
                self._reload = True
            case AgentStateChanged():
                self._note_agent(item)
            case AgentReserved(reserved=True):
                self._reserved.setdefault(item.agent_number, item.at)
            case AgentReserved():
                self._reserved.pop(item.agent_number, None)
            case CallProgressed():
                known = self._states.get(item.call_id)
                # a gap is written when we see a call again, not when it came to where it is
                if item.kind != "gap" and (known is None or known[0] != item.state):
                    self._states[item.call_id] = (item.state, item.at)
            case CallEnded() | CallMerged():
                self._states.pop(item.call_id, None)
            case _:
                pass
        if not isinstance(item, Lagged):
            self.day.take(item)

    def _note_agent(self, item: AgentStateChanged) -> None:
        known = self._agents.get(item.agent_id)
        if known is None:
            self._reload = True
        else:
            self._agents[item.agent_id] = known.after(item)

    async def load(self) -> bool:
        """Read from SQL what the events do not tell; tell whether anything was read.

        Without a database what is known stays, and is read once it is back.
        """
        if not self._reload:
            return False
        self._reload, recount, self._recount = False, self._recount, False
        try:
            self._queues = tuple(await self._roster.queues())
            self.day.set_lines({queue.name: queue.answer_within for queue in self._queues})
            async with self._database.session() as session:
                found = await repository.snapshots(session)
                self._limits.set(await latest_limits(session))
                if recount:
                    await self.day.load(session)
            told = self._agents
            self._agents = {agent.agent_id: _newest(agent, told.get(agent.agent_id)) for agent in found}
            alive = {call.call_id for call in self._open_calls()}
            self._states = {key: known for key, known in self._states.items() if key in alive}
        except (SQLAlchemyError, OSError) as error:
            log.warning("board_not_loaded", error=type(error).__name__)
            self._reload, self._recount = True, self._recount or recount
            return False
        return True

    def watch(self) -> bool:
        """Compare the figures with the limits; tell whether an alert began or ended."""
        view = self.snapshot()
        if view.stale:
            self._limits.forget()
            alerts: tuple[AlertView, ...] = ()
        else:
            now = self._clock.now()
            alerts = tuple(
                AlertView(
                    queue=found.queue,
                    kind=found.kind.value,
                    limit=found.limit,
                    value=found.value,
                    since=found.since,
                )
                for found in self._limits.take([_seen(queue, now) for queue in view.queues], now)
            )
        before = {(one.queue, one.kind) for one in self._alerts}
        self._alerts = alerts
        return before != {(one.queue, one.kind) for one in alerts}

    # -- telling -------------------------------------------------------------------------------------

    async def _tell(self) -> None:
        longest = self._config.longest_gap.total_seconds()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(longest):
                    await self._changed.wait()
            changed = self._changed.is_set()
            self._changed.clear()
            loaded = await self.load()
            if self.watch() or loaded or changed:
                self._bus.publish(BoardChanged(at=self._clock.now(), node=self._config.node))
            await self._leave_picture()
            await asyncio.sleep(self._config.shortest_gap.total_seconds())

    async def _leave_picture(self) -> None:
        if self._redis is None:
            return
        raw = encode_board(self.snapshot())
        try:
            async with asyncio.timeout(2):
                await self._redis.set(board_key(self._config.node), raw, ex=60)
        except (RedisError, OSError, TimeoutError) as error:
            if not self._redis_lost:
                log.warning("board_not_shared", error=type(error).__name__)
            self._redis_lost = True
        else:
            self._redis_lost = False


def _newest(read: AgentSnapshot, told: AgentSnapshot | None) -> AgentSnapshot:
    """Return what was read, with what was told since it was."""
    if told is None or told.version <= read.version:
        return read
    return replace(told, name=read.name, queues=read.queues)


def _age(call: Call) -> tuple[datetime, str]:
    return call.started_at, call.call_id


def _entered(call: Call) -> datetime:
    """Return since when a call is in its state, as far as it knows itself."""
    begun = {CallState.TALKING: call.answered_at, CallState.QUEUED: call.queued_at}
    return begun.get(call.state) or call.started_at


def _agent(agent: AgentSnapshot, devices: Mapping[str, str], kept: datetime | None) -> AgentView:
    return AgentView(
        agent_id=agent.agent_id,
        number=agent.number,
        name=agent.name,
        state=RESERVED if kept else agent.state.value,
        reason=agent.reason,
        since=kept or agent.since,
        call_id=agent.call_id,
        queue=agent.queue,
        next_state=agent.next_state.value if agent.next_state else None,
        queues=tuple(membership.queue for membership in agent.queues),
        device=devices.get(agent.number),
    )


def _figures(counts: QueueCounts, formula: Formula) -> dict[str, Any]:
    within, counted = parts(counts, formula)
    average, handling = counts.average_answer(), counts.average_handling()
    return {
        "offered": counts.offered,
        "answered": counts.answered,
        "abandoned": counts.abandoned,
        "short_abandoned": counts.abandoned_short,
        "within": within,
        "counted": counted,
        "service_level": within / counted if counted else None,
        "asa_seconds": average.total_seconds() if average is not None else None,
        "handled": counts.handled,
        "aht_seconds": handling.total_seconds() if handling is not None else None,
    }


def _trend(slots: Mapping[Key, QueueCounts], formula: Formula) -> tuple[TrendPoint, ...]:
    """Return the half hours of all queues together."""
    sums: dict[datetime, QueueCounts] = {}
    for (slot, queue), counts in slots.items():
        if queue != CENTRE:
            sums[slot] = sums.get(slot, QueueCounts()) + counts
    found = []
    for slot, counts in sums.items():
        within, counted = parts(counts, formula)
        found.append(
            TrendPoint(
                at=slot,
                offered=counts.offered,
                answered=counts.answered,
                abandoned=counts.abandoned,
                short_abandoned=counts.abandoned_short,
                within=within,
                counted=counted,
            )
        )
    return tuple(found)


def _seen(queue: QueueView, now: datetime) -> Seen:
    level = None
    if queue.service_level is not None and queue.counted >= FEWEST:
        level = queue.service_level * 100
    return Seen(
        queue=queue.name,
        waiting=queue.waiting,
        longest=max(now - (queue.longest_since or now), timedelta(0)),
        level=level,
        signed_in=queue.signed_in,
        free=queue.available,
    )
