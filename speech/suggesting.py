"""Follows conversations while they go on and keeps what was found in them, for the forms beside the call.

Fed with final texts (:class:`speech.events.SpeechHeard`); holds the newest conversations in memory only. A
process that begins in the middle of a call reads what was said before from :class:`Transcript`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from speech.reading import read
from speech.reading.sensitive import Watch, hidden
from speech.rules.finder import find
from speech.rules.findings import Finding, Speaker
from speech.rules.model import RuleSet
from speech.rules.suggest import Form, Said, Suggestion, suggest, topics

MAX_CALLS = 300
MAX_SAID = 400
"""Texts of one call that are remembered; of a longer one the first are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """A text that will not change any more."""

    call_id: str
    segment: str
    speaker: Speaker
    text: str
    at: datetime


class Transcript(Protocol):
    """What was said in a call and stored."""

    async def finals(self, call_id: str) -> Sequence[Final]:
        """Return the texts of a call in order; none if there are none."""
        ...


@dataclass(slots=True)
class _Conversation:
    said: "OrderedDict[str, Said]" = field(default_factory=OrderedDict)
    watches: dict[Speaker, Watch] = field(default_factory=dict)
    complete: bool = False


class Suggester:
    """What forms might hold, from what is being said. Belongs to one event loop.

    Args:
        rules: gives the rules in force.
        transcript: what was said before this process listened; without it, nothing was.
    """

    def __init__(
        self,
        rules: Callable[[], Awaitable[RuleSet]],
        *,
        zone: ZoneInfo,
        transcript: Transcript | None = None,
    ) -> None:
        self._rules = rules
        self._zone = zone
        self._transcript = transcript
        self._calls: OrderedDict[str, _Conversation] = OrderedDict()
        self._lock = asyncio.Lock()

    async def hear(self, final: Final) -> bool:
        """Take a text in; return whether something was found in it. A text taken before changes nothing."""
        async with self._lock:
            return self._take(self._conversation(final.call_id), final, await self._rules())

    async def suggestions(self, call_id: str, form: Form) -> tuple[Suggestion, ...]:
        """Return proposals for a form beside a call."""
        return suggest(await self.said(call_id), form)

    async def topics(self, call_id: str) -> tuple[str, ...]:
        """Return what a call is about, the clearest first."""
        return topics(await self.said(call_id))

    async def said(self, call_id: str) -> tuple[Said, ...]:
        """Return what was said in a call, with what was found in it."""
        known = self._calls.get(call_id)
        if (known is None or not known.complete) and self._transcript is not None:
            before = await self._transcript.finals(call_id)
            async with self._lock:
                rules = await self._rules()
                if before or known is not None:
                    known = self._conversation(call_id)
                    for final in before[-MAX_SAID:]:
                        self._take(known, final, rules)
                    known.said = OrderedDict(sorted(known.said.items()))
                    known.complete = True
        return tuple(known.said.values()) if known is not None else ()

    def remembered(self, call_id: str) -> tuple[Said, ...]:
        """Return what is remembered of a call, in order; nothing is read."""
        known = self._calls.get(call_id)
        return tuple(known.said.values()) if known is not None else ()

    async def add(
        self, call_id: str, findings: Iterable[tuple[str, Finding]], texts: Mapping[str, str]
    ) -> bool:
        """Add what somebody else found; return whether there was anything new.

        Args:
            findings: each with its segment; what a rule found there already stays as it is.
            texts: of the segments that were looked at: where one is another by now, nothing is added.
        """
        async with self._lock:
            known, new = self._calls.get(call_id, _Conversation()), False
            for segment, finding in findings:
                said = known.said.get(segment)
                if said is None or said.text != texts.get(segment):
                    continue
                if any((one.kind, one.value) == (finding.kind, finding.value) for one in said.findings):
                    continue
                more = sorted((*said.findings, finding), key=lambda one: (one.start, one.end, one.rule))
                known.said[segment] = replace(said, findings=tuple(more))
                new = True
            return new

    def _conversation(self, call_id: str) -> _Conversation:
        known = self._calls.get(call_id)
        if known is None:
            known = self._calls[call_id] = _Conversation()
        self._calls.move_to_end(call_id)
        while len(self._calls) > MAX_CALLS:
            self._calls.popitem(last=False)
        return known

    def _take(self, conversation: _Conversation, final: Final, rules: RuleSet) -> bool:
        if final.segment in conversation.said:
            return False
        watch = conversation.watches.setdefault(final.speaker, Watch())
        found = watch.feed(final.segment, final.text)
        for segment in {place.piece for one in found for place in one.places} - {final.segment}:
            if segment in conversation.said:
                earlier = conversation.said[segment]
                # A number that began there: what was found in it points into a text that is no more.
                text = hidden(earlier.text, found, segment)
                conversation.said[segment] = replace(earlier, text=text, findings=())
        reading = read(hidden(final.text, found, final.segment))
        conversation.said[final.segment] = Said(
            segment=final.segment,
            speaker=final.speaker,
            text=reading.text,
            findings=find(reading, final.speaker, final.at.astimezone(self._zone), rules),
        )
        while len(conversation.said) > MAX_SAID:
            conversation.said.popitem(last=False)
        return bool(conversation.said[final.segment].findings)
