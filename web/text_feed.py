"""What is being said, beside the call: to the page of its agent, and to supervisors who have the call open.

The feed remembers the newest lines of every call that goes on, and for some minutes of those that ended, so
that a page which opens, or comes back, shows what was said. Partial texts are passed on and not kept.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from crm.events_people import PersonErased
from kernel.bus import Bus, Lagged
from kernel.clock import Clock
from kernel.events import Event
from speech.events import SpeechHeard, SpeechMissed, SpeechState
from speech.transcripts import Segment, Transcripts
from telephony.events import CallEnded, CallMerged
from web.live_hub import LiveHub

OF_AGENT = "words"
"""Topic: what is said in an agent's own call."""
OF_CALL = "text"
"""Topic: what is said in one call."""
LINES = 200
"""Newest lines of a call that are remembered, and shown to a page that opens."""
CALLS = 400
KEPT = timedelta(minutes=10)
"""A call that ended is remembered so long: its agent writes the wrap-up."""

log = structlog.get_logger(__name__)


class Pops(Protocol):
    """What the feed asks of :class:`web.screen_pop.ScreenPops`."""

    def agents_on(self, call_id: str) -> list[str]:
        """Return the agents on whose page the call is."""
        ...

    def call_of(self, agent_id: str) -> str | None:
        """Return the call on an agent's page."""
        ...


class _Call:
    """The lines of a call. Times on the pages are seconds since the call began."""

    def __init__(self) -> None:
        self.lines: deque[dict[str, Any]] = deque(maxlen=LINES)
        self.partials: dict[str, dict[str, Any]] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.ended_at: float | None = None

    def whole(self, call_id: str) -> dict[str, Any]:
        """Return all that a page needs to draw the call's text."""
        lines = sorted(self.lines, key=lambda line: line["start"])
        return {"call_id": call_id, "lines": [*lines, *self.partials.values(), *self.states.values()]}


class TextFeed:
    """One task for all pages; nothing is encoded for a call that nobody looks at."""

    def __init__(self, *, bus: Bus, clock: Clock, hub: LiveHub, pops: Pops, transcripts: Transcripts) -> None:
        self._bus = bus
        self._clock = clock
        self._hub = hub
        self._pops = pops
        self._transcripts = transcripts
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._shown: dict[str, str | None] = {}
        hub.provide(OF_AGENT, self.snapshot)
        hub.provide(OF_CALL, self.snapshot)

    # What pages ask for

    async def prepare(self, topics: Iterable[str]) -> None:
        """Have what was said so far in memory before a page connects."""
        for topic in topics:
            kind, _, key = topic.partition(":")
            call_id = key if kind == OF_CALL else self._pops.call_of(key) if kind == OF_AGENT else None
            if call_id is not None and call_id not in self._calls:
                await self._read(call_id)

    def snapshot(self, topic: str) -> list[tuple[str, object]]:
        """Return the event that draws all that was said."""
        self._forget_old()
        kind, _, key = topic.partition(":")
        call_id = key if kind == OF_CALL else self._pops.call_of(key)
        if kind == OF_AGENT:
            self._shown[key] = call_id
        known = self._calls.get(call_id) if call_id is not None else None
        return [(f"{OF_CALL}_all", known.whole(call_id) if known and call_id else _nothing(call_id))]

    async def _read(self, call_id: str) -> None:
        try:
            segments = await self._transcripts.of_call(call_id, limit=LINES)
        except (SQLAlchemyError, OSError) as error:
            log.warning("call_text_not_read", error=type(error).__name__)
            return
        if segments and call_id not in self._calls:
            self._call(call_id).lines.extend(_stored(segment) for segment in segments)

    # Events

    async def run(self) -> None:
        """Follow the bus until cancelled."""
        heard = (SpeechHeard, SpeechMissed, SpeechState, CallMerged, CallEnded, PersonErased)
        async with self._bus.subscribe(*heard, name="text_feed", maxsize=5000) as events:
            async for item in events:
                if isinstance(item, Lagged):
                    self._hub.resync(OF_AGENT)
                    self._hub.resync(OF_CALL)
                else:
                    self._take(item)

    def _take(self, event: Event) -> None:
        match event:
            case SpeechHeard():
                self._heard(event)
            case SpeechMissed():
                call = self._call(event.call_id)
                call.partials.pop(event.speaker, None)
                line = _gap(event)
                call.lines.append(line)
                self._publish(event.call_id, line)
            case SpeechState():
                call = self._call(event.call_id)
                if event.state in {"ended", "paused"}:
                    call.partials.pop(event.speaker, None)
                line = call.states[event.speaker] = _state(event)
                self._publish(event.call_id, line)
            case CallMerged() if event.call_id in self._calls:
                self._calls[event.into_call_id] = self._calls.pop(event.call_id)
            case CallEnded() if event.call_id in self._calls:
                self._calls[event.call_id].ended_at = self._clock.monotonic()
                self._forget_old()
            case PersonErased():
                self._erase(event.call_ids)
            case _:
                pass

    def _heard(self, event: SpeechHeard) -> None:
        call, line = self._call(event.call_id), _line(event)
        if event.kind == "final":
            call.partials.pop(event.speaker, None)
            call.lines.append(line)
        else:
            call.partials[event.speaker] = line
        self._publish(event.call_id, line)

    def _publish(self, call_id: str, line: dict[str, Any]) -> None:
        self._hub.publish(f"{OF_CALL}:{call_id}", OF_CALL, line)
        for agent_id in self._pops.agents_on(call_id):
            topic = f"{OF_AGENT}:{agent_id}"
            if self._shown.get(agent_id) != call_id:  # another call is on the page now: all of it
                for name, payload in self.snapshot(topic):
                    self._hub.publish(topic, name, payload)
            else:
                self._hub.publish(topic, OF_CALL, line)

    # Memory

    def _call(self, call_id: str) -> _Call:
        known = self._calls.get(call_id)
        if known is None:
            known = self._calls[call_id] = _Call()
            while len(self._calls) > CALLS:
                self._calls.popitem(last=False)
        return known

    def _erase(self, call_ids: Iterable[str]) -> None:
        """Forget what was said in calls of somebody who was erased; open pages draw anew, without it."""
        for call_id in call_ids:
            self._calls.pop(call_id, None)
        self._hub.wipe(OF_CALL)
        self._hub.wipe(OF_AGENT)

    def _forget_old(self) -> None:
        limit = self._clock.monotonic() - KEPT.total_seconds()
        for call_id, call in tuple(self._calls.items()):
            if call.ended_at is not None and call.ended_at < limit:
                del self._calls[call_id]


def _nothing(call_id: str | None) -> dict[str, Any]:
    return {"call_id": call_id, "lines": []}


def _line(event: SpeechHeard) -> dict[str, Any]:
    return {
        "call_id": event.call_id,
        "kind": event.kind,
        "id": event.segment_id,
        "speaker": event.speaker,
        "text": event.text,
        "start": round(event.start, 2),
        "delay": round(event.delay_seconds, 2),
    }


def _gap(event: SpeechMissed) -> dict[str, Any]:
    return {
        "call_id": event.call_id,
        "kind": "gap",
        "id": event.segment_id,
        "speaker": event.speaker,
        "start": round(event.start, 2),
        "seconds": round(max(event.end - event.start, event.lost_seconds), 1),
        "reason": event.reason,
    }


def _state(event: SpeechState) -> dict[str, Any]:
    return {
        "call_id": event.call_id,
        "kind": "state",
        "speaker": event.speaker,
        "state": event.state,
        "delay": event.delay_seconds,
    }


def _stored(segment: Segment) -> dict[str, Any]:
    base = {
        "call_id": segment.call_id,
        "id": segment.segment_id,
        "speaker": segment.speaker,
        "start": round(segment.start, 2),
    }
    if segment.gap is not None:
        seconds = round(max(segment.end - segment.start, segment.lost), 1)
        return {**base, "kind": "gap", "seconds": seconds, "reason": segment.gap}
    return {**base, "kind": "final", "text": segment.text, "delay": None}
