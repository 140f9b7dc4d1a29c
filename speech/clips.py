"""Text of short recordings: what customers answered in their own words, and messages they left.

Numbers of cards are hidden in the text and made silent in the recording, before it counts as heard: until
then nobody plays it (:func:`crm.domain.spoken.check_playable`).

Each is a row that is due; what decides a result comes first. One is listened to at a time, by the recogniser
that yields to everything else. Who asked for the text takes it in the transaction that ends the row, so that
it is taken once, whenever we are killed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import Counter
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.db import Database
from kernel.due import DueWorker
from kernel.errors import DeadlineExceeded, HuifangError, NotFound, Unavailable
from speech.batch import transcribe
from speech.clip_tables import ClipJobRow
from speech.events import CUSTOMER, MAX_TEXT
from speech.masking import times_of
from speech.ports import EngineMissing, Heard, ModelDamaged, ModelMissing, Recognition
from speech.reading.sensitive import PAD_SECONDS, Sensitive, Watch, hidden
from speech.recorded import Track, seconds_of, sound
from speech.rules.model import RuleSet
from speech.rules.opinion import Judged, judge
from speech.silencing import silence_clip

log = structlog.get_logger(__name__)

CLIPS = Counter("huifang_speech_clips_total", "Short recordings that were made text", ["kind", "state"])

SETTLE = timedelta(seconds=1)
"""After it was recorded: the file is closed."""
LEASE = timedelta(minutes=3)
RETRY = timedelta(seconds=15)
MOST_TRIES = 6
MODEL_PAUSE = timedelta(minutes=5)
"""Until it is tried again when no model is installed, or it is damaged."""
LATE_PAUSE = timedelta(seconds=5)
"""Until it is tried again when live text is late: that comes first."""
KEPT = timedelta(days=30)
LONGEST = 300.0
"""Seconds of one recording that are listened to."""
PAUSE = "，"
"""Between two utterances: what is said after a pause is a clause of its own."""


class ClipPriority(IntEnum):
    """What is heard first."""

    DECISIVE = 0
    """It says what is wrong, or may decide a result."""
    MESSAGE = 1
    OTHER = 2


class ClipState(StrEnum):
    """How far a recording is."""

    WAITING = "waiting"
    LATER = "later"
    """No recogniser is there; it waits for one, and may be played meanwhile."""
    DONE = "done"
    NOTHING = "nothing"
    """Nobody says anything in it that could be understood."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipText:
    """What became of a recording.

    Attributes:
        raw: as the recogniser wrote it; in it and in ``text`` numbers that nobody may keep are hidden.
        text: made fit to read.
        model: that heard it.
        judged: what it comes to; ``None`` without a text.
    """

    clip_id: str
    kind: str
    state: ClipState
    raw: str = ""
    text: str = ""
    model: str = ""
    judged: Judged | None = None


Keeper = Callable[[AsyncSession, ClipText], Awaitable[None]]
"""Takes the text, in the caller's transaction."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the recordings of a kind are, and who takes their text."""

    folder: Path
    keep: Keeper


async def want_clip_text(
    session: AsyncSession,
    clip_id: str,
    *,
    kind: str,
    path: str,
    priority: ClipPriority,
    language: str,
    said_at: datetime,
    now: datetime,
) -> None:
    """Have text made of a recording soon; asked twice it is made once."""
    if await session.get(ClipJobRow, clip_id) is not None:
        return
    session.add(
        ClipJobRow(
            clip_id=clip_id,
            kind=kind,
            path=path,
            priority=priority.value,
            state=ClipState.WAITING.value,
            language=language,
            said_at=said_at,
            reason="",
            tries=0,
            created_at=now,
            due_at=now + SETTLE,
        )
    )


class ClipTexts:
    """Makes text of short recordings. Give :meth:`run` to the supervisor.

    Args:
        shelves: by kind.
        read: makes what a recogniser wrote fit to read.
        rules: those in force.
        late: whether live text is late at the moment.
    """

    def __init__(
        self,
        database: Database,
        recognition: Recognition,
        shelves: Mapping[str, Shelf],
        *,
        clock: Clock,
        zone: ZoneInfo,
        worker: str,
        rules: Callable[[], Awaitable[RuleSet]],
        read: Callable[[str], str] = str,
        phrases: Callable[[], Sequence[str]] = tuple,
        late: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._recognition = recognition
        self._shelves = shelves
        self._clock = clock
        self._zone = zone
        self._rules = rules
        self._read = read
        self._phrases = phrases
        self._late = late
        self._worker = DueWorker(
            database,
            clock,
            ClipJobRow,
            self._handle,
            worker=worker,
            lease=LEASE,
            batch=1,
            first=(ClipJobRow.priority,),
        )

    async def run(self) -> None:
        """Work until cancelled."""
        await self._worker.run()

    async def run_once(self) -> int:
        """Do the first recording that is due; return how many there were: none or one."""
        return await self._worker.run_once()

    async def _handle(self, rows: Sequence[ClipJobRow]) -> None:
        for row in rows:
            if self._late():
                # Nothing was tried: waiting for others must not use up the tries.
                await self._again(row, self._clock.now() + LATE_PAUSE, "", tries=row.tries - 1)
                continue
            try:
                text = await self._heard(row)
            except HuifangError as error:
                await self._put_off(row, error)
            except TimeoutError:
                await self._put_off(row, DeadlineExceeded("the recogniser took too long"))
            except OSError as error:
                log.warning("clip_not_read", clip_id=row.clip_id, error=type(error).__name__)
                await self._put_off(row, Unavailable("the recording cannot be read or written"))
            else:
                await self._end(row, text)

    async def _heard(self, row: ClipJobRow) -> ClipText:
        shelf = self._shelves[row.kind]
        path = (shelf.folder / row.path).resolve()
        if not path.is_relative_to(shelf.folder.resolve()) or not path.is_file():
            raise NotFound("the recording is gone", field="path")
        transcriber = self._recognition.choose(row.language, background=True)
        seconds = await asyncio.to_thread(seconds_of, path)
        track = Track(speaker=CUSTOMER, path=path, began=0.0, seconds=seconds)
        audio = sound(track, 0.0, min(seconds, LONGEST))
        async with asyncio.timeout(LEASE.total_seconds() * 0.8):
            pieces = [
                piece async for piece in transcribe(transcriber, audio, row.language, phrases=self._phrases())
            ]
        numbers = _numbers(pieces)
        if cuts := _cuts(pieces, numbers):
            await asyncio.to_thread(silence_clip, path, cuts)
        raw = _joined(pieces, numbers)[:MAX_TEXT]
        if not raw:
            return ClipText(clip_id=row.clip_id, kind=row.kind, state=ClipState.NOTHING)
        text = self._read(raw)[:MAX_TEXT]
        at = row.said_at.astimezone(self._zone)
        rules = await self._rules()
        judged = await asyncio.to_thread(judge, text, at, rules, heard=_certainty(pieces))
        return ClipText(
            clip_id=row.clip_id,
            kind=row.kind,
            state=ClipState.DONE if text else ClipState.NOTHING,
            raw=raw,
            text=text,
            model=pieces[0].model,
            judged=judged if text else None,
        )

    async def _put_off(self, row: ClipJobRow, error: HuifangError) -> None:
        now = self._clock.now()
        if error.retryable and row.tries < MOST_TRIES:
            await self._again(row, now + RETRY * 2 ** min(row.tries, 8), error.code)
        elif isinstance(error, ModelMissing | ModelDamaged | EngineMissing):
            await self._again(row, now + MODEL_PAUSE, error.code, tries=0)
            await self._say_later(row)
        else:
            await self._failed(row, error.code)

    async def _again(self, row: ClipJobRow, due: datetime, reason: str, *, tries: int | None = None) -> None:
        changed: dict[str, object] = {
            "due_at": due,
            "claimed_by": None,
            "claimed_until": None,
            "reason": reason[:40],
        }
        if tries is not None:
            changed["tries"] = max(0, tries)
        async with self._database.transaction() as session:
            await session.execute(
                update(ClipJobRow).where(ClipJobRow.clip_id == row.clip_id).values(changed),
                execution_options={"synchronize_session": False},
            )

    async def _say_later(self, row: ClipJobRow) -> None:
        later = ClipText(clip_id=row.clip_id, kind=row.kind, state=ClipState.LATER)
        async with self._database.transaction() as session:
            await self._shelves[row.kind].keep(session, later)

    async def _failed(self, row: ClipJobRow, reason: str) -> None:
        log.warning("no_text_of_clip", clip_id=row.clip_id, kind=row.kind, error=reason)
        await self._end(row, ClipText(clip_id=row.clip_id, kind=row.kind, state=ClipState.FAILED), reason)

    async def _end(self, row: ClipJobRow, text: ClipText, reason: str = "") -> None:
        """Hand the text over and end the row, both or neither."""
        now = self._clock.now()
        async with self._database.transaction() as session:
            waits = select(ClipJobRow).where(
                ClipJobRow.clip_id == row.clip_id, ClipJobRow.state == ClipState.WAITING.value
            )
            job = await session.scalar(waits.with_for_update())
            if job is None:
                return  # somebody else was faster while our lease was over
            job.state, job.reason, job.finished_at = text.state.value, reason[:40], now
            job.due_at = job.claimed_by = job.claimed_until = None
            await self._shelves[row.kind].keep(session, text)
            old = delete(ClipJobRow).where(ClipJobRow.finished_at < now - KEPT)
            await session.execute(old, execution_options={"synchronize_session": False})
        CLIPS.labels(row.kind, text.state.value).inc()


def _numbers(pieces: Sequence[Heard]) -> tuple[Sensitive, ...]:
    """Return the numbers of cards that are said; one may go from one utterance into the next."""
    watch, found = Watch(), list[Sensitive]()
    for at, piece in enumerate(pieces):
        words = [asdict(word) for word in piece.words]
        found += watch.feed(str(at), piece.text, times_of(piece.text, words))
    return tuple(found)


def _cuts(pieces: Sequence[Heard], numbers: Sequence[Sensitive]) -> list[tuple[float, float]]:
    """Return the seconds of sound that hold numbers: their words', else the whole utterance's."""
    cuts = []
    for place in (place for one in numbers for place in one.places):
        piece = pieces[int(place.piece)]
        since, until = piece.start, piece.end
        if place.since is not None and place.until is not None and place.until > place.since:
            since, until = place.since, place.until
        cuts.append((max(0.0, since - PAD_SECONDS), until + PAD_SECONDS))
    return cuts


def _joined(pieces: Sequence[Heard], numbers: Sequence[Sensitive]) -> str:
    texts = (hidden(piece.text, numbers, str(at)).strip() for at, piece in enumerate(pieces))
    return PAUSE.join(text for one in texts if (text := one.strip("，。")))


def _certainty(pieces: Sequence[Heard]) -> float | None:
    """Return how certain the recogniser is of its words, if it says."""
    known = [word.confidence for piece in pieces for word in piece.words if word.confidence is not None]
    return sum(known) / len(known) if known else None
