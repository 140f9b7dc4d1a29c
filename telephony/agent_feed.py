"""From the PBX's event stream to the agents: one ordered worker per node.

The sink translates at once, in the order of the socket, and never waits; the worker hands what has gathered
to the desk in one transaction. An epoch begins with a snapshot of the channels, so that an agent whose call
ended while nobody listened is not left ringing or talking.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from kernel.errors import DeadlineExceeded, HuifangError
from telephony.agent_signals import AGENT_EVENTS, live_legs, translate
from telephony.ami.epoch import EpochEnded, EpochStarted, Overflowed
from telephony.ami.message import AmiEvent
from telephony.desk import AgentDesk
from telephony.domain.agent_state import REASON_WRAP_UP, leg_id
from telephony.domain.agent_steps import AgentEvent, Answered, LegEnded
from telephony.members import MEMBER_EVENTS, MemberSync, number_of
from telephony.ports import CallFinder, MemberActions

log = structlog.get_logger(__name__)

DROPPED = Counter("huifang_agent_feed_dropped_total", "PBX events about agents that were not taken in time")

DEVICE_EVENT = "DeviceStateChange"
BATCH = 200
ENDED = 200
"""So many ends of agents' channels are remembered."""


class AgentFeed:
    """Give :meth:`sink` to the ingest for :attr:`names`, and :meth:`run` to the supervisor.

    Args:
        calls: which call a channel belongs to.
        load_wrap_ups: reads queue → length of wrap-up.
        on_device: called when a phone's state changed.
        limit: how many events may wait; beyond it the oldest go and a snapshot replaces them.
        reconcile: how often a snapshot is taken without any reason.
        gather: pause between two transactions; what comes meanwhile shares the next one. A transaction of one
            event costs as much as one of twenty.
    """

    names = (*AGENT_EVENTS, *MEMBER_EVENTS, DEVICE_EVENT)

    def __init__(
        self,
        desk: AgentDesk,
        members: MemberSync,
        actions: MemberActions,
        calls: CallFinder,
        load_wrap_ups: Callable[[], Awaitable[Mapping[str, timedelta]]],
        *,
        node: str,
        on_device: Callable[[], None] = lambda: None,
        limit: int = 10_000,
        reconcile: timedelta = timedelta(minutes=5),
        retry: timedelta = timedelta(seconds=1),
        gather: timedelta = timedelta(milliseconds=50),
    ) -> None:
        self._desk = desk
        self._members = members
        self._actions = actions
        self._calls = calls
        self._load_wrap_ups = load_wrap_ups
        self._node = node
        self._on_device = on_device
        self._limit = limit
        self._reconcile = reconcile.total_seconds()
        self._retry = retry.total_seconds()
        self._gather = gather.total_seconds()
        self._wrap_ups: Mapping[str, timedelta] = {}
        self._devices: dict[str, str] = {}
        self._moved: set[str] = set()
        self._waiting: deque[tuple[str, AgentEvent, datetime]] = deque()
        self._ended: deque[LegEnded] = deque(maxlen=ENDED)
        self._wake = asyncio.Event()
        self._up = False
        self._resync = False
        self._writable = True

    @property
    def devices(self) -> Mapping[str, str]:
        """Agent number → Asterisk's state of the phone (``NOT_INUSE``, ``INUSE``, ``UNAVAILABLE``, …)."""
        return self._devices

    def sink(self, item: Any, now: datetime) -> None:
        """Take one item of the stream. Never waits, never raises for what a peer sent."""
        match item:
            case EpochStarted():
                self._up = self._resync = True
                self._wake.set()
            case EpochEnded() | Overflowed():
                self._up = False
                self._members.lost()
                self._devices.clear()
                self._on_device()
            case AmiEvent(name=name) if name in MEMBER_EVENTS:
                self._members.note(item)
            case AmiEvent(name="DeviceStateChange"):
                self._note_device(item)
            case AmiEvent():
                self._take(item, now)

    def handed_over(self, number: str, uniqueid: str, call_id: str, queue: str, now: datetime) -> None:
        """Take that an agent has a queue's customer from elsewhere: the same wrap-up as after any other."""
        leg = leg_id(self._node, uniqueid)
        self._put(number, Answered(leg=leg, call_id=call_id, queue=queue, wrap_up=self._wrap_up(queue)), now)
        # Told late: without the end once more the agent would talk for ever.
        ended = next((one for one in reversed(self._ended) if one.leg == leg), None)
        if ended is not None:
            self._put(number, ended, now)

    def reload(self) -> None:
        """Read the queues' settings again, with the next snapshot."""
        self._resync = True
        self._wake.set()

    def _take(self, event: AmiEvent, now: datetime) -> None:
        found = translate(event, node=self._node, call_of=self._calls.call_id_of, wrap_up_of=self._wrap_up)
        if found is None:
            return
        if isinstance(found[1], LegEnded):
            self._ended.append(found[1])
        self._put(*found, now)

    def _put(self, number: str, made: AgentEvent, now: datetime) -> None:
        if isinstance(made, Answered) and made.wrap_up > timedelta(0) and self._writable:
            # At once, not after the database: at hang-up the queue must find the member paused.
            self._members.pause_early(number, REASON_WRAP_UP)
        if len(self._waiting) >= self._limit:
            self._waiting.popleft()
            self._resync = True
            DROPPED.inc()
        self._waiting.append((number, made, now))
        self._wake.set()

    def _wrap_up(self, queue: str) -> timedelta:
        return self._wrap_ups.get(queue, timedelta(0))

    def _note_device(self, event: AmiEvent) -> None:
        number = number_of(event.get("Device"))
        if number is not None:
            self._moved.add(number)
        if number is not None and self._devices.get(number) != event.get("State"):
            self._devices[number] = event.get("State")
            self._on_device()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._reconcile):
                    await self._wake.wait()
            except TimeoutError:
                self._resync = True
            self._wake.clear()
            if self._waiting:
                await self._drain()
            if self._waiting:
                # More than a batch, or the database is away: a snapshot would overtake what happened before.
                self._wake.set()
            elif self._resync and self._up:
                await self._snapshot()
            await asyncio.sleep(self._gather)

    async def read_wrap_ups(self) -> None:
        """Read how long wrap-ups are, for the calls that end from now on. Raises SQLAlchemyError, OSError."""
        self._wrap_ups = await self._load_wrap_ups()

    async def _drain(self) -> None:
        batch = [self._waiting[i] for i in range(min(len(self._waiting), BATCH))]
        try:
            await self._desk.take(batch)
        except (SQLAlchemyError, DeadlineExceeded, OSError) as error:
            self._lost_database(error)
            await asyncio.sleep(self._retry)
            return
        self._writable = True
        for taken in batch:
            if self._waiting and self._waiting[0] is taken:
                self._waiting.popleft()

    def _lost_database(self, error: Exception) -> None:
        if self._writable:
            log.error("agent_steps_not_stored", error=type(error).__name__)
        self._writable = False
        # Nothing would end these pauses: the record of the call's end cannot be written either.
        self._members.forget_early()

    async def _snapshot(self) -> None:
        self._resync = False
        try:
            await self.read_wrap_ups()
            channels = await self._actions.core_show_channels()
            self._moved.clear()
            devices = await self._actions.device_state_list()
            await self._desk.resync(
                self._node, live_legs(channels, node=self._node, call_of=self._calls.call_id_of)
            )
        except (HuifangError, SQLAlchemyError, OSError) as error:
            log.warning("agents_not_resynchronised", node=self._node, error=type(error).__name__)
            asyncio.get_running_loop().call_later(self._retry, self.reload)
            return
        for device in devices:
            number = number_of(device.get("Device"))
            # What was told since it was asked is newer than the list.
            if number is not None and number not in self._moved:
                self._devices[number] = device.get("State")
        self._on_device()
        if self._up:
            self._members.connected()
