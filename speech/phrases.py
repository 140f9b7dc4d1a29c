"""Words of the company's own that recognisers should expect: crews, districts, materials, added ones."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.bus import Bus, Subscription
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import is_ulid, new_ulid
from kernel.list_watch import ListChanged
from speech.ports import MAX_PHRASE_CHARS, MAX_PHRASES, checked_phrases
from speech.rule_tables import PhraseRow

log = structlog.get_logger(__name__)

READ_WITHIN_SECONDS = 10
GATHER_SECONDS = 0.5
"""An import changes many rows in a moment; they are read once."""
MAX_OWN = 300
LANGUAGES = ("zh", "en")
ENTITY = "speech_phrase"


class Phrases(Protocol):
    """Where a recogniser's hints come from."""

    async def for_language(self, language: str) -> tuple[str, ...]:
        """Return the hints for a language, each once, as many as a recogniser takes."""
        ...


class Names(Protocol):
    """Names that the company's records hold."""

    async def names(self) -> Sequence[str]:
        """Return names of crews, districts and materials, the likeliest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseView:
    """A word that was added by hand."""

    phrase_id: str
    language: str
    text: str
    added_at: datetime
    added_by: str


class PhraseBook:
    """Keeps the words added by hand, and gives them out together with the names of the records."""

    def __init__(
        self, database: Database, clock: Clock, audit: AuditLog, *, names: Names | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._names = names

    async def for_language(self, language: str) -> tuple[str, ...]:
        """Return the hints for a language: words added by hand first. For services; no person asks."""
        query = select(PhraseRow.text).where(PhraseRow.language == language).order_by(PhraseRow.text)
        async with self._database.session() as session:
            own = list(await session.scalars(query.limit(MAX_OWN)))
        names = await self._names.names() if self._names is not None and language == "zh" else ()
        fit = [name.strip() for name in (*own, *names)]
        fit = [name for name in fit if 2 <= len(name) <= MAX_PHRASE_CHARS and name.isprintable()]
        return checked_phrases(tuple(dict.fromkeys(fit))[:MAX_PHRASES])

    async def of_hand(self, actor: Actor) -> tuple[PhraseView, ...]:
        """Return the words added by hand. Raises Forbidden."""
        actor.need(Permission.SPEECH_RULES_VIEW)
        async with self._database.session() as session:
            rows = await session.scalars(select(PhraseRow).order_by(PhraseRow.text).limit(MAX_OWN))
            return tuple(_view(row) for row in rows)

    async def add(self, actor: Actor, text: str, *, language: str = "zh") -> PhraseView:
        """Add a word.

        Raises:
            Forbidden: the role writes no rules.
            Invalid: too short or too long, with a control character, or another language.
            Conflict: it is there already, or there are :data:`MAX_OWN`.
        """
        actor.need(Permission.SPEECH_RULES_EDIT)
        text = " ".join(text.split())
        if not 2 <= len(text) <= MAX_PHRASE_CHARS or not text.isprintable():
            raise Invalid(f"a word has 2 to {MAX_PHRASE_CHARS} characters", field="text")
        if language not in LANGUAGES:
            raise Invalid(f"language: one of {', '.join(LANGUAGES)}", field="language")
        row = PhraseRow(
            id=new_ulid(), language=language, text=text, added_at=self._clock.now(), added_by=actor.name
        )
        shown = _view(row)
        try:
            async with self._database.transaction() as session:
                if (await session.scalar(select(func.count()).select_from(PhraseRow)) or 0) >= MAX_OWN:
                    raise Conflict(f"there are {MAX_OWN} words: take one out first", field="text")
                session.add(row)
                await session.flush()
                await self._audit.record(
                    "speech_phrase.added",
                    actor=actor.name,
                    ip=actor.ip,
                    entity=ENTITY,
                    entity_id=shown.phrase_id,
                    detail={"user_id": actor.user_id, "text": text, "language": language},
                    session=session,
                )
        except IntegrityError as error:
            raise Conflict("this word is there already", field="text") from error
        return shown

    async def remove(self, actor: Actor, phrase_id: str) -> None:
        """Take a word out. Raises Forbidden, NotFound."""
        actor.need(Permission.SPEECH_RULES_EDIT)
        async with self._database.transaction() as session:
            row = await session.get(PhraseRow, phrase_id) if is_ulid(phrase_id) else None
            if row is None:
                raise NotFound("no such word", field="phrase_id")
            detail = {"user_id": actor.user_id, "text": row.text}
            await session.execute(delete(PhraseRow).where(PhraseRow.id == phrase_id))
            await self._audit.record(
                "speech_phrase.removed",
                actor=actor.name,
                ip=actor.ip,
                entity=ENTITY,
                entity_id=phrase_id,
                detail=detail,
                session=session,
            )


class KeptPhrases:
    """The hints as they were a moment ago, for whoever opens a stream and cannot wait for a database.

    Args:
        every_seconds: read again at the latest after so long.
        bus: tells when one of ``lists`` (:class:`kernel.list_watch.ListChanged`) changed: then at once.
    """

    def __init__(
        self,
        phrases: Phrases,
        *,
        language: str = "zh",
        every_seconds: float = 60.0,
        bus: Bus | None = None,
        lists: Collection[str] = (),
    ) -> None:
        self._phrases = phrases
        self._language = language
        self._every = every_seconds
        self._bus = bus
        self._lists = frozenset(lists)
        self._known: tuple[str, ...] = ()

    def __call__(self) -> tuple[str, ...]:
        """Return the hints; none before they were read for the first time."""
        return self._known

    async def run(self) -> None:
        """Read them again and again until cancelled; without the database the old ones stay."""
        if self._bus is None:
            while True:
                await self._read()
                await asyncio.sleep(self._every)
        async with self._bus.subscribe(ListChanged, name="speech_hints", maxsize=100) as changes:
            while True:
                await self._read()
                await self._changed(changes)

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(READ_WITHIN_SECONDS):
                self._known = await self._phrases.for_language(self._language)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("speech_hints_not_read", error=type(error).__name__)

    async def _changed(self, changes: Subscription) -> None:
        """Return when there may be other words."""
        try:
            async with asyncio.timeout(self._every):
                while True:
                    item = await changes.get()
                    if not isinstance(item, ListChanged) or item.name in self._lists:
                        break
                await asyncio.sleep(GATHER_SECONDS)
        except TimeoutError:
            pass
        changes.waiting()


def _view(row: PhraseRow) -> PhraseView:
    return PhraseView(
        phrase_id=row.id, language=row.language, text=row.text, added_at=row.added_at, added_by=row.added_by
    )
