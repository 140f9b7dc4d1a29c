"""Asterisk's dynamic queue members follow our tables, whatever happens to either side.

:class:`MemberSync` knows how every agent must stand (plans, from SQL) and how they stand (a ``QueueStatus``
snapshot, kept fresh by the member events), and does what lies between. It works by level, not by edge: a
plan that could not be brought about, because the link was down or an answer did not come, is brought about
after the next snapshot. So an Asterisk that restarted has its members back without anybody doing anything,
and a member that somebody changed by hand is put right.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from kernel.errors import HuifangError
from telephony.ami.errors import AmiDown
from telephony.domain.agent_state import Stance
from telephony.domain.queue import (
    ActualMember,
    AddMember,
    MemberChange,
    MemberPlan,
    PauseMember,
    RemoveMember,
    SetPenalty,
    UnpauseMember,
    changes,
)
from telephony.domain.signal import Signal
from telephony.ports import MemberActions

log = structlog.get_logger(__name__)

CHANGES = Counter("huifang_member_changes_total", "Changes made to queue members", ["change"])
FAILURES = Counter("huifang_member_failures_total", "Changes of queue members that failed", ["error"])
RESYNCS = Counter("huifang_member_resyncs_total", "Snapshots of all queue members taken")

MEMBER_EVENTS = ("QueueMemberAdded", "QueueMemberRemoved", "QueueMemberPause", "QueueMemberPenalty")
MAX_PASSES = 4
REASON_RESERVED = "reserved"
"""Why Asterisk has an agent paused who is held for one call and is free otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberBook:
    """All plans, and the queues whose members are ours to keep."""

    plans: tuple[MemberPlan, ...]
    queues: frozenset[str]


def interface_of(number: str) -> str:
    """Return the queue interface of an agent number."""
    return f"PJSIP/{number}"


def _rung(plan: MemberPlan) -> bool:
    return plan.stance.present and not plan.stance.paused


def number_of(interface: str) -> str | None:
    """Return the agent number of a queue interface, ``None`` when it is not one of ours."""
    technology, _, number = interface.partition("/")
    return number if technology == "PJSIP" and number.isascii() and number.isdigit() else None


class MemberSync:
    """Keeps the members of one PBX node in line.

    Args:
        load: reads all plans from SQL.
        settle: how long a deviation seen in events may settle before it is put right; our own changes show
            up as events too, late and in halves.
        first_retry, last_retry: seconds between attempts after failures.

    Attributes:
        claims: asked of each agent who becomes free, before the queues may ring them; true holds them.
        on_held: told the number of an agent who is held (true) or let go; must not wait.
    """

    def __init__(
        self,
        actions: MemberActions,
        load: Callable[[], Awaitable[MemberBook]],
        *,
        settle: float = 0.3,
        first_retry: float = 1.0,
        last_retry: float = 30.0,
    ) -> None:
        self._actions = actions
        self._load = load
        self._settle = settle
        self._first_retry = self._retry = first_retry
        self._last_retry = last_retry
        self._plans: dict[str, MemberPlan] = {}
        self._early: dict[str, MemberPlan] = {}
        self._held: set[str] = set()
        self.claims: Callable[[MemberPlan], bool] = lambda plan: False
        self.on_held: Callable[[str, bool], None] = lambda number, held: None
        self._actual: dict[str, dict[str, ActualMember]] = {}
        self._queues: frozenset[str] = frozenset()
        self._dirty: set[str] = set()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._connected = False
        self._resync_wanted = False
        self._live = False

    @property
    def live(self) -> bool:
        """True while the PBX is in reach and its members are known."""
        return self._live

    def actual(self, number: str) -> tuple[ActualMember, ...]:
        """Return how an agent stands in Asterisk's queues, as far as is known."""
        return tuple(self._actual.get(number, {}).values())

    # What is wanted

    def follow(self, plan: MemberPlan) -> None:
        """Bring the agent's members to ``plan`` soon; an older plan than the known one is ignored."""
        known = self._plans.get(plan.number)
        if known is not None and plan.version < known.version:
            return
        self._early.pop(plan.number, None)
        self._plans[plan.number] = plan
        # Asked before the queues may ring them: they answer within milliseconds.
        if known is not None and not _rung(known) and _rung(plan) and self.claims(plan):
            self._hold(plan.number)
        self._mark(plan.number)

    def hold(self, number: str) -> None:
        """Have an agent rung by no queue until :meth:`release`, whatever their plan says."""
        self._hold(number)
        self._mark(number)

    def release(self, number: str) -> None:
        """Let the queues ring an agent again; again does nothing."""
        if number in self._held:
            self._held.discard(number)
            self.on_held(number, False)
            self._mark(number)

    def _hold(self, number: str) -> None:
        if number not in self._held:
            self._held.add(number)
            self.on_held(number, True)

    def is_held(self, number: str) -> bool:
        """Tell whether no queue rings an agent because they are held, and Asterisk knows."""
        members = self._actual.get(number, {})
        return self._live and number in self._held and all(one.paused for one in members.values())

    def _wanted(self, number: str) -> MemberPlan:
        plan = self._plans[number]
        if number in self._held and _rung(plan):
            return replace(plan, stance=replace(plan.stance, paused=True, reason=REASON_RESERVED))
        return plan

    def pause_early(self, number: str, reason: str) -> None:
        """Pause a member before the agent's record says so; the plan that follows confirms or ends it."""
        plan = self._plans.get(number)
        if plan is None or not plan.stance.present or plan.stance.paused:
            return
        self._early[number] = plan
        stance = Stance(present=True, paused=True, reason=reason)
        self._plans[number] = replace(plan, stance=stance)
        self._mark(number)

    def forget_early(self) -> None:
        """Take back early pauses that no plan confirmed (the record could not be written)."""
        while self._early:
            number, plan = self._early.popitem()
            self._plans[number] = plan
            self._mark(number)

    # What is

    def connected(self) -> None:
        """The link is up: take a snapshot and put right what differs."""
        self._connected = True
        self.request_resync()

    def lost(self) -> None:
        """The link is gone: nothing is known of the members any more."""
        self._connected = self._live = False
        self._actual.clear()

    def request_resync(self) -> None:
        """Take a snapshot soon, if there is a link."""
        self._resync_wanted = True
        self._wake.set()

    def note(self, event: Signal) -> None:
        """Take one of :data:`MEMBER_EVENTS`."""
        number, queue = number_of(event.get("Interface")), event.get("Queue")
        if number is None or queue not in self._queues:
            return
        members = self._actual.setdefault(number, {})
        if event.name == "QueueMemberRemoved":
            members.pop(queue, None)
        else:
            members[queue] = _member(event)
        known = number in self._plans
        if self._live and known and changes(self._wanted(number), tuple(members.values())):
            asyncio.get_running_loop().call_later(self._settle, self._mark, number)

    def _mark(self, number: str) -> None:
        self._dirty.add(number)
        self._wake.set()

    # The work

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._wake.wait()
                self._wake.clear()
                if self._resync_wanted and self._connected:
                    await self._resync()
                if not self._live:
                    continue
                for number in [n for n in self._dirty if n not in self._running]:
                    self._dirty.discard(number)
                    self._running[number] = group.create_task(self._bring_alone(number))

    async def _bring_alone(self, number: str) -> None:
        try:
            await self._bring(number)
        finally:
            self._running.pop(number, None)
            if self._dirty:
                self._wake.set()

    async def _resync(self) -> None:
        if self._running:
            await asyncio.wait(tuple(self._running.values()))
        self._resync_wanted = False
        try:
            book = await self._load()
            status = await self._actions.queue_status()
        except AmiDown:
            return
        except (HuifangError, SQLAlchemyError, OSError) as error:
            self._fail("snapshot", error)
            return
        RESYNCS.inc()
        self._queues = book.queues
        for plan in book.plans:
            known = self._plans.get(plan.number)
            if known is None or plan.version >= known.version:
                self._plans[plan.number] = plan
        if not self._connected:
            return
        self._actual = {}
        strangers: list[tuple[str, str]] = []
        for event in status.members:
            self._place(event, strangers)
        # Whoever became free while nobody looked is asked for as well, before the queues may ring them.
        for number, plan in self._plans.items():
            paused = any(member.paused for member in self.actual(number))
            if paused and number not in self._held and _rung(plan) and self.claims(plan):
                self._hold(number)
        self._live = True
        self._dirty.update(self._plans)
        for queue, interface in strangers:
            if not await self._remove_stranger(queue, interface):
                return
        self._retry = self._first_retry

    def _place(self, event: Signal, strangers: list[tuple[str, str]]) -> None:
        queue = event.get("Queue")
        if queue not in self._queues:
            return
        interface = event.get("Location") or event.get("Interface")
        number = number_of(interface)
        if number is not None and number in self._plans:
            self._actual.setdefault(number, {})[queue] = _member(event)
        elif event.get("Membership", "dynamic") == "dynamic":
            strangers.append((queue, interface))
        else:
            log.warning("queue_member_static", queue=queue, interface=interface)

    async def _remove_stranger(self, queue: str, interface: str) -> bool:
        log.warning("queue_member_unknown", queue=queue, interface=interface)
        try:
            await self._actions.queue_remove(queue, interface)
        except HuifangError as error:
            self._fail("remove", error)
            return not isinstance(error, AmiDown)
        CHANGES.labels("remove").inc()
        return True

    async def _bring(self, number: str) -> None:
        for _ in range(MAX_PASSES):
            if number not in self._plans:
                return
            plan = self._wanted(number)
            steps = changes(plan, self.actual(number))
            if not steps or not self._live:
                return
            failed = False
            for step in steps:
                try:
                    await self._do(plan, step)
                except HuifangError as error:
                    failed = True
                    self._fail(_name(step), error)
                    if isinstance(error, AmiDown):
                        return
            if failed:
                return
        self._mark(number)

    async def _do(self, plan: MemberPlan, step: MemberChange) -> None:
        interface = interface_of(plan.number)
        members = self._actual.setdefault(plan.number, {})
        match step:
            case AddMember():
                added = await self._actions.queue_add(
                    step.queue,
                    interface,
                    penalty=step.penalty,
                    paused=step.paused,
                    reason=step.reason,
                    member_name=plan.number,
                    state_interface=interface,
                )
                if not added:
                    self.request_resync()
                members[step.queue] = ActualMember(
                    queue=step.queue, penalty=step.penalty, paused=step.paused, reason=step.reason
                )
            case SetPenalty(queue, penalty):
                await self._actions.queue_penalty(interface, penalty, queue=queue)
                if queue in members:
                    members[queue] = replace(members[queue], penalty=penalty)
            case RemoveMember(queue):
                await self._actions.queue_remove(queue, interface)
                members.pop(queue, None)
            case PauseMember(reason):
                await self._actions.queue_pause(interface, paused=True, reason=reason)
                self._paused(members, True, reason)
            case UnpauseMember():
                await self._actions.queue_pause(interface, paused=False)
                self._paused(members, False, "")
        CHANGES.labels(_name(step)).inc()

    @staticmethod
    def _paused(members: dict[str, ActualMember], paused: bool, reason: str) -> None:
        for queue, member in members.items():
            members[queue] = replace(member, paused=paused, reason=reason)

    def _fail(self, change: str, error: Exception) -> None:
        """Note a failure; unless the link is down, look again later at what Asterisk has."""
        kind = error.code if isinstance(error, HuifangError) else type(error).__name__
        FAILURES.labels(kind).inc()
        log.warning("queue_member_change_failed", change=change, error=kind, detail=str(error)[:200])
        if isinstance(error, AmiDown):
            return
        asyncio.get_running_loop().call_later(self._retry, self.request_resync)
        self._retry = min(self._retry * 2, self._last_retry)


_NAMES: Mapping[type[MemberChange], str] = {
    AddMember: "add",
    RemoveMember: "remove",
    SetPenalty: "penalty",
    PauseMember: "pause",
    UnpauseMember: "unpause",
}


def _name(step: MemberChange) -> str:
    return _NAMES[type(step)]


def _member(event: Signal) -> ActualMember:
    penalty = event.get("Penalty")
    paused = event.get("Paused") == "1"
    return ActualMember(
        queue=event.get("Queue"),
        penalty=int(penalty) if penalty.isascii() and penalty.isdigit() else 0,
        paused=paused,
        reason=event.get("PausedReason") if paused else "",
    )
