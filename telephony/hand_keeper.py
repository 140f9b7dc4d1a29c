"""Follows calls in hand: tells the pages, and puts right what somebody left who has gone by themselves."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Counter

from kernel.bus import Bus
from kernel.clock import Clock
from kernel.errors import HuifangError
from telephony.ami.actions import AmiActions
from telephony.ami.errors import AmiNoSuch
from telephony.ami.message import AmiEvent
from telephony.call_news import AgentIdOf
from telephony.domain.call import Call
from telephony.domain.call_book import CallBook
from telephony.domain.call_id import ASKED
from telephony.domain.hand import (
    Hand,
    HandState,
    HangUp,
    Join,
    Order,
    Part,
    Party,
    Place,
    Send,
    hand_of,
    owner_of,
    remedy,
)
from telephony.domain.leg import LegKind
from telephony.events import HandChanged
from telephony.hand_views import HandNotice, HandView

log = structlog.get_logger(__name__)

REMEDIES = Counter("huifang_call_remedies_total", "Calls in hand that were put right after somebody left")

EVENTS = (
    "BridgeEnter",
    "BridgeLeave",
    "DialEnd",
    "Hangup",
    "Hold",
    "Newstate",
    "Unhold",
    "UserEvent",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlConfig:
    """Patience, and how the outside is called.

    Attributes:
        done_within: so long after its last order a step must be seen to be done.
        grace: so long a call may look wrong before it is put right: people and events come one by one.
        ring: how long a colleague's telephone rings who is asked.
        outside_ring: so the telephone of somebody outside.
        trunk, caller_id: over which line, and under which number.
    """

    trunk: str
    caller_id: str
    done_within: timedelta = timedelta(seconds=4)
    grace: timedelta = timedelta(milliseconds=800)
    ring: timedelta = timedelta(seconds=25)
    outside_ring: timedelta = timedelta(seconds=45)


_CAUSES = {
    "17": HandNotice.BUSY,
    "18": HandNotice.NO_ANSWER,
    "19": HandNotice.NO_ANSWER,
    "20": HandNotice.UNREACHABLE,
    "21": HandNotice.REJECTED,
}
_STILL_ASKING = {
    HandState.CALLING: {HandState.HELD, HandState.WAITING},
    HandState.CONSULTING: {HandState.HELD, HandState.WAITING, HandState.CALLING},
}
"""What a call may look like while those who asked and were asked are on the way; the customer is kept waiting
for the asking, and for nothing else, until they are seen elsewhere."""
TakenOver = Callable[[str, str, str, str, datetime], None]
WAITING = frozenset({Place.MUSIC, Place.ASIDE, Place.DESK, Place.DESK_RINGING, Place.ROOM_STAFF})


def nobody_told(number: str, uniqueid: str, call_id: str, queue: str, now: datetime) -> None:
    """Stand in for :data:`TakenOver` where nobody wants to know."""


@dataclass(slots=True)
class Known:
    """What is remembered of a call in hand, for the pages."""

    before: HandState = HandState.NONE
    told: dict[str, HandView] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    notice: HandNotice | None = None
    refused: HandNotice | None = None
    asking: str | None = None
    wrong_since: float | None = None


class HandKeeper:
    """Give :meth:`sink` to the ingest for :data:`EVENTS`, and :meth:`run` to the supervisor.

    Args:
        taken_over: told of an agent who has a queue's customer now whom they did not get from the queue:
            number, channel, call, queue, when.
    """

    def __init__(
        self,
        book: CallBook,
        actions: AmiActions,
        *,
        agent_id_of: AgentIdOf,
        bus: Bus,
        clock: Clock,
        config: ControlConfig,
        taken_over: TakenOver,
    ) -> None:
        self._book = book
        self._actions = actions
        self._agent_id_of = agent_id_of
        self._taken_over = taken_over
        self._bus = bus
        self._clock = clock
        self._config = config
        self._known: dict[str, Known] = {}
        self._busy: set[str] = set()
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()

    async def _carry_out(self, call: Call, orders: tuple[Order, ...]) -> None:
        """Do what a plan says, in order; whoever was sent to a place is seen there before the next order."""
        for order in orders:
            match order:
                case Send(party, to):
                    context, _, exten = to.partition(",")
                    await self._actions.redirect(party.channel, context=context, exten=exten)
                    if to in WAITING:
                        await self._seen(call, party)
                case Part(one, to_one, other, to_other):
                    context, _, exten = to_one.partition(",")
                    extra_context, _, extra_exten = to_other.partition(",")
                    await self._actions.redirect(
                        one.channel,
                        context=context,
                        exten=exten,
                        extra_channel=other.channel,
                        extra_context=extra_context,
                        extra_exten=extra_exten,
                    )
                    await self._seen(call, one)
                    await self._seen(call, other)
                case Join(one, other):
                    # Ours first: left alone the next moment, they wait for what comes. The customer only when
                    # it is done: who has talked to nobody goes back to the queue, and is not let go.
                    ours = [party for party in (one, other) if party.is_staff]
                    await self._mark_joined(ours)
                    await self._actions.bridge(one.channel, other.channel)
                    await self._mark_joined([party for party in (one, other) if party not in ours])
                    await self._together(call, one, other)
                case HangUp(party):
                    with suppress(AmiNoSuch):
                        await self._actions.hangup(party.channel)

    async def _mark_joined(self, parties: Sequence[Party]) -> None:
        for party in parties:
            with suppress(AmiNoSuch):
                await self._actions.setvar("HF_WITH", "yes", channel=party.channel)

    async def _seen(self, call: Call, party: Party) -> None:
        """Wait until a channel that was sent somewhere is there, or gone."""

        def there() -> bool:
            leg = call.live.get(party.uniqueid)
            return leg is None or bool(leg.bridge and leg.bridge != party.bridge)

        await self._until_seen(there)

    async def _together(self, call: Call, one: Party, other: Party) -> None:
        """Wait until two who were connected are seen together, or one is gone.

        The PBX answers before it tells: who looked now would connect them again.
        """

        def there() -> bool:
            legs = [call.live.get(party.uniqueid) for party in (one, other)]
            bridges = {leg.bridge if leg is not None else None for leg in legs}
            return None in bridges or (len(bridges) == 1 and "" not in bridges)

        await self._until_seen(there)

    async def _until_seen(self, there: Callable[[], bool]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._config.done_within.total_seconds() / 2):
                while not there():
                    self._moved.clear()
                    await self._moved.wait()

    def sink(self, item: Any, now: datetime) -> None:
        """Take one item of the stream. Never waits."""
        if not isinstance(item, AmiEvent):
            for call in self._book.open_calls():
                self._touch(call.call_id)
            return
        call_id = self._book.call_id_of(item.get("uniqueid") or item.get("destuniqueid"))
        if call_id is not None:
            self._remember(call_id)
            self._touch(call_id)
        elif item.name == "Hangup":
            self._note_refusal(item)
            self._dirty.update(self._known)
            self._wake.set()
        self._moved.set()

    def _remember(self, call_id: str) -> None:
        """Note a consultation as it begins: it may be over before anybody looks."""
        known, call = self._known.get(call_id), self._book.get(call_id)
        if known is None or call is None:
            return
        if _of_owner(parties_of(call)).state is HandState.CONSULTING:
            known.before = HandState.CONSULTING

    def _note_refusal(self, event: AmiEvent) -> None:
        why = _CAUSES.get(event.get("cause"))
        if event.get("uniqueid").startswith(ASKED) and why is not None:
            for known in self._known.values():
                if event.get("uniqueid") in known.labels:
                    known.refused = why

    def _touch(self, call_id: str) -> None:
        self._dirty.add(call_id)
        self._moved.set()
        self._wake.set()

    async def run(self) -> None:
        """Tell pages, and put right what nobody asked for, until cancelled."""
        while True:
            wrong = any(known.wrong_since is not None for known in self._known.values())
            with suppress(TimeoutError):
                async with asyncio.timeout(self._config.grace.total_seconds() / 4 if wrong else None):
                    await self._wake.wait()
            self._wake.clear()
            dirty, self._dirty = self._dirty, set()
            dirty.update(call_id for call_id, known in self._known.items() if known.wrong_since is not None)
            for call_id in dirty:
                await self._follow(call_id)

    async def _follow(self, call_id: str) -> None:
        call = self._book.get(call_id)
        if call is None or not call.is_open:
            self._known.pop(call_id, None)
            return
        special = call.handled or any(leg.holding for leg in call.live.values())
        if not special and call_id not in self._known:
            return  # nothing to tell that the pages do not know
        known = self._known.setdefault(call.call_id, Known())
        if call.handled and call.call_id not in self._busy:
            await self._put_right(call, known)
        self._tell(call, known)
        self._note_taken_over(call, known)

    def _note_taken_over(self, call: Call, known: Known) -> None:
        """A customer of a queue has another agent now, who is to write down what became of the call."""
        for leg in call.live.values():
            new = leg.taken and leg.ring_queue is None and leg.uniqueid not in known.taken
            if new and leg.agent_number is not None and call.handled and call.queue is not None:
                known.taken.add(leg.uniqueid)
                now = self._clock.now()
                self._taken_over(leg.agent_number, leg.uniqueid, call.call_id, call.queue, now)

    async def _put_right(self, call: Call, known: Known) -> None:
        parties = parties_of(call)
        hand = _of_owner(parties)
        orders = remedy(parties, known.before)
        now = self._clock.monotonic()
        if not orders:
            known.wrong_since = None
            if hand.state not in _STILL_ASKING.get(known.before, ()):
                known.before = hand.state
            return
        known.wrong_since = now if known.wrong_since is None else known.wrong_since
        # Who has just answered is not kept waiting for anything; all else may be on its way.
        answered = hand.state is HandState.CALLING
        if not answered and now - known.wrong_since < self._config.grace.total_seconds():
            return
        before, known.before = known.before, HandState.WAITING
        if before is HandState.CONSULTING and hand.target is None:
            known.notice = HandNotice.HUNG_UP
        self._busy.add(call.call_id)
        try:
            await self._carry_out(call, orders)
            REMEDIES.inc()
        except HuifangError as error:
            if known.before is HandState.WAITING:
                known.before = before  # it is to be put right still
            log.warning("call_not_put_right", call_id=call.call_id, error=error.code)
        finally:
            known.wrong_since = None
            self._busy.discard(call.call_id)

    def _tell(self, call: Call, known: Known) -> None:
        parties = parties_of(call)
        numbers = {one.agent_number for one in parties if one.agent_number is not None and one.up}
        for number in sorted(numbers | set(known.told)):
            view = self._view(call, number, hand_of(parties, number))
            before = known.told.get(number)
            if before is not None and _same(before, view):
                continue
            known.told[number] = view
            self._bus.publish(
                HandChanged(
                    at=view.since,
                    call_id=call.call_id,
                    node=call.node,
                    agent_number=number,
                    agent_id=self._agent_id_of(number),
                    state=view.state.value,
                    steps=tuple(step.value for step in view.steps),
                    target=view.target,
                    target_label=view.target_label,
                    notice=view.notice.value if view.notice is not None else None,
                )
            )

    def _view(self, call: Call, number: str, hand: Hand) -> HandView:
        known = self._known.get(call.call_id) or Known()
        target = hand.target
        leg = call.live.get(target.uniqueid) if target is not None else None
        shown = (leg.agent_number or leg.number) if leg is not None else None
        view = HandView(
            call_id=call.call_id,
            agent_number=number,
            state=hand.state,
            steps=hand.steps,
            target=shown,
            target_label=known.labels.get(target.uniqueid, shown or "") if target is not None else "",
            since=self._clock.now(),
            notice=known.notice,
        )
        before = known.told.get(number)
        return before if before is not None and _same(before, view) else view


def parties_of(call: Call) -> tuple[Party, ...]:
    """Return the people in a call, as the rules want them, oldest first."""
    legs = sorted(call.live.values(), key=lambda leg: (not leg.is_root, leg.started_at))
    return tuple(
        Party(
            uniqueid=leg.uniqueid,
            channel=leg.channel,
            agent_number=leg.agent_number,
            asked=leg.is_asked,
            up=leg.answered_at is not None,
            held=leg.held,
            bridge=leg.bridge,
            holding=leg.holding,
        )
        for leg in legs
        if leg.kind is not LegKind.OTHER
    )


def _of_owner(parties: tuple[Party, ...]) -> Hand:
    owner = owner_of(parties)
    return hand_of(parties, owner.agent_number or "") if owner is not None else Hand(HandState.NONE)


def _same(one: HandView, other: HandView) -> bool:
    keys = ("state", "steps", "target", "target_label", "notice")
    return all(getattr(one, key) == getattr(other, key) for key in keys)
