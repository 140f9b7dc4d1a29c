"""An exchange that passes the suite of the real one (tests/contract/test_exchange.py), and fails at will.

Behind it is a network of people whose habits follow from the last digit of their number, as SIPp plays them
(tests/support/network.py). It tells on the bus what telephony would tell, keeps the records that telephony
would keep, and counts every call that reached the network: what it counted is the truth.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from callback_campaigns.dial_events import DialFailed
from callback_campaigns.dial_outcomes import CallOver
from callback_campaigns.domain.attempt import AttemptState
from callback_campaigns.exchange import DialOrder, ExchangeAway, People, Picture, Sending, Way
from kernel.bus import Bus
from kernel.events import Event
from telephony.events import CallAnswered, CallEnded, CallOpened, CallProgressed, LinkStateChanged
from tests.support.network import BUSY, DECLINES, EMPTY, NO_WAY, OFF, SILENT

NODE = "pbx1"
ENDS: Mapping[str, tuple[str, int, bool]] = {
    # last digit: result, cause, whether the telephone rings
    BUSY: ("BUSY", 17, False),
    DECLINES: ("REJECTED", 21, False),
    EMPTY: ("EMPTY", 1, False),
    OFF: ("OFF", 19, False),
    SILENT: ("NO_ANSWER", 19, True),
    NO_WAY: ("FAILED", 34, False),
}


class Fault(StrEnum):
    """What may happen to one Originate."""

    NONE = "none"
    REFUSED = "refused"
    """The exchange says no."""
    NO_LINK = "no_link"
    """There is nothing to write to."""
    LOST = "lost"
    """Written into a socket that is gone: it never arrives, and nobody knows."""
    UNANSWERED = "unanswered"
    """It arrives, the call is made, and the answer is lost."""
    NO_CHANNEL = "no_channel"
    """Taken, and no channel can be made of it."""


@dataclass(slots=True)
class FakeCall:
    """A call in the network."""

    order: DialOrder
    began: datetime
    rings: bool = False
    answered: datetime | None = None
    taken: datetime | None = None
    own_answered: bool = False

    @property
    def state(self) -> AttemptState:
        """Where it stands, in an attempt's words."""
        if self.answered is not None:
            return AttemptState.ANSWERED
        return AttemptState.RINGING if self.rings or self.own_answered else AttemptState.SENT


@dataclass
class FakeExchange:
    """One PBX and the network behind it.

    Attributes:
        by_itself: calls go on by themselves, quickly; otherwise :meth:`go_on` moves them.
        offered: how often each number was called, as the network counted.
        placed: how often each attempt was.
        deaf: events reach nobody, as when the link is cut; the calls go on.
        faults: what happens to the next Originates.
        registered: extensions that have a telephone.
        own_answers: whether the telephone of ours answers that rings before a customer's (Way.MASKED).
    """

    bus: Bus
    clock: Any
    by_itself: bool = True
    offered: Counter[str] = field(default_factory=Counter)
    placed: Counter[str] = field(default_factory=Counter)
    log: list[tuple[str, datetime]] = field(default_factory=list)
    calls: dict[str, FakeCall] = field(default_factory=dict)
    ended: dict[str, CallEnded] = field(default_factory=dict)
    records: dict[str, CallEnded] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    agents: People = field(default_factory=People)
    registered: set[str] = field(default_factory=set)
    own_answers: bool = True
    deaf: bool = False
    silent_since: datetime | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def node(self) -> str:
        """Return its name in the centre."""
        return NODE

    # -- as the dialler sees it ----------------------------------------------------------------------

    async def originate(self, order: DialOrder) -> Sending:
        """Place a call, unless a fault is in the way."""
        fault = self.faults.pop(0) if self.faults else Fault.NONE
        if self.deaf and fault is Fault.NONE:
            fault = Fault.NO_LINK
        match fault:
            case Fault.REFUSED | Fault.NO_LINK:
                return Sending.NOT_SENT
            case Fault.LOST:
                return Sending.DOUBT
            case Fault.NO_CHANNEL:
                self._tell(DialFailed(at=self.clock.now(), attempt_id=order.attempt_id, node=NODE))
                return Sending.SENT
        self._place(order)
        return Sending.DOUBT if fault is Fault.UNANSWERED else Sending.SENT

    def picture(self) -> Picture:
        """Return how well it is known."""
        return Picture(live=not self.deaf, as_of=self.silent_since or self.clock.now())

    async def freshen(self, older_than: timedelta) -> None:
        """It is always fresh, or silent."""

    def used(self, trunk: str) -> int:
        """Return the calls on a trunk."""
        return sum(call.order.trunk == trunk for call in self.calls.values())

    def on_call(self, number: str) -> bool:
        """Tell whether somebody with this number is in a call."""
        return any(
            number in (call.order.number, call.order.agent_number, call.order.own_number)
            for call in self.calls.values()
        )

    def reachable(self, extension: str) -> bool:
        """Tell whether it has a telephone."""
        return extension in self.registered

    def knows(self, attempt_id: str) -> bool:
        """Tell whether the call was seen."""
        return not self.deaf and (attempt_id in self.calls or attempt_id in self.ended)

    def seen(self, attempt_id: str) -> AttemptState | None:
        """Return where a call stands."""
        call = self.calls.get(attempt_id)
        return call.state if call is not None and not self.deaf else None

    async def look(self) -> frozenset[str]:
        """Return the attempts that have a channel."""
        if self.deaf:
            raise ExchangeAway("the PBX is not followed now")
        return frozenset(self.calls)

    def people(self, queue: str) -> People:
        """Return the agents."""
        return self.agents

    async def over(self, call_id: str) -> CallOver | None:
        """Return the record of a call that has ended."""
        found = self.records.get(call_id)
        return CallOver.of(found) if found is not None else None

    # -- the network ---------------------------------------------------------------------------------

    def _place(self, order: DialOrder) -> None:
        now = self.clock.now()
        if order.way is not Way.MASKED:
            self.offered[order.number] += 1
        self.placed[order.attempt_id] += 1
        self.log.append((order.number, now))
        self.calls[order.attempt_id] = FakeCall(order, now)
        self._tell(
            CallOpened(
                at=now,
                call_id=order.attempt_id,
                node=NODE,
                direction="out",
                from_number=order.caller_id,
                to_number=order.number,
                started_at=now,
            )
        )
        if self.by_itself:
            task = asyncio.create_task(self._by_itself(order.attempt_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _by_itself(self, call_id: str) -> None:
        while call_id in self.calls:
            await asyncio.sleep(0.02)
            self.go_on(call_id)

    def go_on(self, call_id: str) -> None:
        """Let the next thing happen in a call: it rings, is answered, ends."""
        call = self.calls.get(call_id)
        if call is None:
            return
        result, cause, rings = ENDS.get(call.order.number[-1], ("ANSWERED", 16, True))
        if call.order.way is Way.MASKED and not call.own_answered:
            if not self.own_answers:
                self.end(call_id, "FAILED", 19, reason="no_agent")
                return
            call.own_answered = True
            self.offered[call.order.number] += 1
            self._row(call_id, "menu", node="staff")
        elif rings and not call.rings:
            call.rings = True
            self._row(call_id, "ringing")
        elif result == "ANSWERED" and call.answered is None:
            call.answered = self.clock.now()
            self._tell(
                CallAnswered(
                    at=call.answered,
                    call_id=call_id,
                    node=NODE,
                    queue=None,
                    agent_number=call.order.agent_number if call.order.way is Way.PREVIEW else None,
                    agent_id=None,
                    answered_at=call.answered,
                    wait_seconds=None,
                )
            )
        elif result == "ANSWERED" and call.order.way is Way.PERSON and not self.agents.free:
            self._row(call_id, "menu", node="nobody")
            self.end(call_id, "ABANDONED_QUEUE", 16, reason="no_agent")
        else:
            person = result == "ANSWERED" and call.order.way is Way.PERSON
            self.end(call_id, result, cause, agent="1001" if person else None)

    def take(self, call_id: str, agent: str = "1001") -> None:
        """Let an agent take the call."""
        call = self.calls[call_id]
        call.taken = self.clock.now()
        self._tell(
            CallAnswered(
                at=call.taken,
                call_id=call_id,
                node=NODE,
                queue=call.order.queue,
                agent_number=agent,
                agent_id=None,
                answered_at=call.taken,
                wait_seconds=None,
            )
        )

    def end(
        self,
        call_id: str,
        result: str,
        cause: int | None,
        *,
        reason: str = "hangup",
        agent: str | None = None,
    ) -> None:
        """End a call; its record is kept whether or not anybody hears of it."""
        call, now = self.calls.pop(call_id), self.clock.now()
        fact = CallEnded(
            at=now,
            call_id=call_id,
            node=NODE,
            direction="out",
            result=result,
            queue=call.order.queue,
            agent_id=None,
            agent_number=agent or call.order.agent_number,
            from_number=call.order.caller_id,
            to_number=call.order.number,
            menu_path=(),
            started_at=call.began,
            queued_at=None,
            answered_at=call.answered,
            ended_at=now,
            wait_seconds=None,
            talk_seconds=1.0 if call.answered is not None else 0.0,
            hangup_by="system",
            end_reason=reason,
            cause=cause,
            connected_at=call.taken,
        )
        self.ended[call_id] = self.records[call_id] = fact
        self._tell(fact)

    # -- failures ------------------------------------------------------------------------------------

    def cut(self) -> None:
        """The link is gone; the calls go on."""
        if not self.deaf:
            self._say("down")
            self.deaf = True

    def mend(self) -> None:
        """The link is back."""
        if self.deaf:
            self.deaf = False
            self._say("live")

    def restart(self) -> None:
        """The PBX is started again: every call is gone, and nobody saw how it ended."""
        self.cut()
        for call_id in list(self.calls):
            self.end(call_id, "FAILED", None, reason="pbx_restart")
        self.mend()

    async def close(self) -> None:
        """End the network."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _row(self, call_id: str, kind: str, **detail: str) -> None:
        state = "talking" if self.calls[call_id].answered else "ringing"
        self._tell(
            CallProgressed(
                at=self.clock.now(),
                call_id=call_id,
                node=NODE,
                seq=1,
                kind=kind,
                state=state,
                detail=tuple(detail.items()),
            )
        )

    def _say(self, state: str) -> None:
        self._tell(LinkStateChanged(at=self.clock.now(), node=NODE, state=state))

    def _tell(self, event: Event) -> None:
        if not self.deaf:
            self.bus.publish(event)
