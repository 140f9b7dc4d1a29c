"""Rules, company words and what they propose, as handlers reach them: ``request.app[SPEECH_RULES]``."""

from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from crm.spoken_names import SpokenNames
from kernel.audit import AuditLog
from kernel.clock import Clock
from speech.phrases import PhraseBook
from speech.rule_book import RuleBook
from speech.rules.model import RuleSet
from speech.said_before import StoredTranscript
from speech.suggesting import Suggester
from web.deps import DEPS

KNOWN_FOR = timedelta(seconds=20)
"""For so long the rules in force are taken to be the same: a sentence waits for no database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRules:
    """The services around what is said."""

    book: RuleBook
    phrases: PhraseBook
    suggester: Suggester
    now: "RulesNow"


SPEECH_RULES: web.AppKey[SpeechRules] = web.AppKey("SPEECH_RULES", SpeechRules)


def setup(app: web.Application) -> None:
    """Build the services from what the web shell was given."""
    deps = app[DEPS]
    audit = AuditLog(deps.database, deps.clock)
    book = RuleBook(deps.database, deps.clock, audit)
    now = RulesNow(book, deps.clock)
    app[SPEECH_RULES] = SpeechRules(
        book=book,
        now=now,
        phrases=PhraseBook(deps.database, deps.clock, audit, names=SpokenNames(deps.database)),
        suggester=Suggester(
            now.get,
            zone=deps.settings.timezone,
            transcript=StoredTranscript(deps.database),
        ),
    )


class RulesNow:
    """The rules in force, asked for again every few seconds."""

    def __init__(self, book: RuleBook, clock: Clock) -> None:
        self._book = book
        self._clock = clock
        self._known: RuleSet | None = None
        self._until = 0.0

    async def get(self) -> RuleSet:
        """Return the rules in force."""
        now = self._clock.monotonic()
        if self._known is None or now >= self._until:
            self._known = await self._book.in_force()
            self._until = now + KNOWN_FOR.total_seconds()
        return self._known
