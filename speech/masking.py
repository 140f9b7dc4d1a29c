"""Numbers of identity and bank cards are taken out of what was stored of a call: its texts and its sound.

A number is spoken digit by digit and goes from one text into the next, so each speaker's texts are read as
one. What is found is replaced in the recogniser's text, in the text people read, in the words with their
times, in corrections and in what they replaced; the words' seconds are overwritten with silence in the
recording. Neither is kept anywhere; that something was there, and when, is (:class:`SilenceRow`).
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.clock import Clock
from kernel.db import Database
from kernel.due import DueWorker
from kernel.errors import HuifangError
from kernel.ids import new_ulid
from speech.after_tables import TranscriptJobRow
from speech.masking_tables import MaskJobRow, SilenceRow
from speech.reading import legible
from speech.reading.sensitive import LABELS, PAD_SECONDS, Kind, Sensitive, Timed, Watch, hidden
from speech.recorded import tracks_of
from speech.said import changed
from speech.silencing import silence_tracks
from speech.tables import CorrectionRow, SegmentRow

log = structlog.get_logger(__name__)

FOUND = Counter("huifang_speech_hidden_total", "Stretches of calls that held a card's number", ["kind"])

LEASE = timedelta(minutes=2)
RETRY = timedelta(seconds=20)
MOST_WAIT = timedelta(minutes=30)
MOST_TRIES = 60
"""Of a recording that never comes: about a day."""
MOST_TEXTS = 20_000
_RUN = re.compile(
    r"[0-9０-９零〇一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖][0-9０-９零〇一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖xX\s,，、.\-]{2,}"
)
"""Digits in an earlier or later version of a text that held a part of a number."""


def times_of(raw: str, words: Sequence[dict[str, Any]]) -> tuple[Timed, ...]:
    """Return where a text's words stand in it, with their seconds; words that are not found are left out."""
    found, at = [], 0
    for word in words:
        text = str(word.get("text") or "").strip()
        start = raw.find(text, at) if text else -1
        if start < 0:
            continue
        at = start + len(text)
        found.append(Timed(start=start, end=at, since=float(word["start"]), until=float(word["end"])))
    return tuple(found)


async def mask_texts(session: AsyncSession, call_id: str, clock: Clock) -> int:
    """Take numbers out of what is stored of a call; return how many stretches were found.

    What is done is done in the caller's transaction; done twice it is the same.
    """
    query = (
        select(SegmentRow)
        .where(SegmentRow.call_id == call_id, SegmentRow.gap.is_(None))
        .order_by(SegmentRow.started_ms, SegmentRow.segment_id)
        .limit(MOST_TEXTS)
        .with_for_update()
    )
    rows = (await session.scalars(query)).all()
    # A text and the better one that replaced it say the same: each of the two is read for itself.
    groups: dict[tuple[str, bool], list[SegmentRow]] = {}
    for row in rows:
        groups.setdefault((row.speaker, row.replaced_at is None), []).append(row)
    cuts: dict[tuple[str, int, int], Kind] = {}
    touched: dict[str, Kind] = {}
    for group in groups.values():
        heard = _found(group, lambda row: row.raw)
        typed = _found(group, lambda row: row.corrected or row.raw)
        for row in group:
            in_raw, in_typed = _of(heard, row.segment_id), _of(typed, row.segment_id)
            if in_raw or in_typed:
                cuts.update(_cuts(row, in_raw))
                _hide(row, in_raw, in_typed)
                touched[row.segment_id] = (in_raw or in_typed)[0].kind
    if not touched:
        return 0
    for segment_id, kind in touched.items():
        for old in await session.scalars(select(CorrectionRow).where(CorrectionRow.segment_id == segment_id)):
            old.before, old.after = _without_digits(old.before, kind), _without_digits(old.after, kind)
    now = clock.now()
    for (speaker, since, until), kind in cuts.items():
        FOUND.labels(kind.value).inc()
        session.add(
            SilenceRow(
                silence_id=new_ulid(),
                call_id=call_id,
                speaker=speaker,
                from_ms=since,
                until_ms=until,
                kind=kind.value,
                found_at=now,
            )
        )
    await session.flush()
    await changed(session, (call_id,), at=now)
    return len(cuts)


def _found(rows: Sequence[SegmentRow], text: Callable[[SegmentRow], str]) -> tuple[Sensitive, ...]:
    watch = Watch()
    found: list[Sensitive] = []
    for row in rows:
        said = text(row)
        found += watch.feed(row.segment_id, said, times_of(said, row.words))
    return tuple(found)


def _of(found: Iterable[Sensitive], segment_id: str) -> tuple[Sensitive, ...]:
    return tuple(one for one in found if any(place.piece == segment_id for place in one.places))


def _cuts(row: SegmentRow, found: Sequence[Sensitive]) -> dict[tuple[str, int, int], Kind]:
    """Return the milliseconds of one text's sound that hold numbers: its words', else the whole text's."""
    cuts: dict[tuple[str, int, int], Kind] = {}
    pad = round(PAD_SECONDS * 1000)
    for one in found:
        for place in one.places:
            if place.piece != row.segment_id:
                continue
            since, until = row.started_ms, row.ended_ms
            if place.since is not None and place.until is not None and place.until > place.since:
                since, until = round(place.since * 1000), round(place.until * 1000)
            cuts[row.speaker, max(0, since - pad), until + pad] = one.kind
    if not found:  # a person wrote down what the recogniser had not understood
        kind = Kind.BANK_CARD
        cuts[row.speaker, max(0, row.started_ms - pad), row.ended_ms + pad] = kind
    return cuts


def _hide(row: SegmentRow, in_raw: Sequence[Sensitive], in_typed: Sequence[Sensitive]) -> None:
    """Put labels in the place of numbers. Of what one of two versions shows, the other keeps no digits."""
    kind = (in_raw or in_typed)[0].kind
    if in_raw:
        row.words = _words(row, in_raw)
        row.raw = hidden(row.raw, in_raw, row.segment_id)
    else:
        row.raw = _without_digits(row.raw, kind)
        row.words = []
    row.text = legible(row.raw)
    if row.corrected is not None:
        row.corrected = _without_digits(hidden(row.corrected, in_typed, row.segment_id), kind)
    row.version += 1


def _words(row: SegmentRow, found: Sequence[Sensitive]) -> list[dict[str, Any]]:
    """Return the words with one label for all that make up a number; its seconds stay."""
    places = [(place, one.kind) for one in found for place in one.places if place.piece == row.segment_id]
    kept: list[dict[str, Any]] = []
    at = 0
    for word in row.words:
        text = str(word.get("text") or "").strip()
        start = row.raw.find(text, at) if text else -1
        if start < 0:
            # Where it stands is not known: it must not be what was hidden.
            kept.append({**word, "text": ""})
            continue
        at = start + len(text)
        kind = next((kind for place, kind in places if place.start < at and place.end > start), None)
        if kind is None:
            kept.append(word)
        elif kept and kept[-1]["text"] == LABELS[kind]:
            kept[-1] = {**kept[-1], "end": word["end"]}
        else:
            kept.append({**word, "text": LABELS[kind], "confidence": None})
    return kept


def _without_digits(text: str, kind: Kind) -> str:
    return _RUN.sub(LABELS[kind], text)


class Masking:
    """Looks through every call whose words changed, and makes its recording silent where it must be.

    Give :meth:`run` to the supervisor.

    Args:
        folder: where recordings are.
    """

    def __init__(self, database: Database, clock: Clock, *, folder: Path, worker: str) -> None:
        self._database = database
        self._clock = clock
        self._folder = folder
        self._worker = DueWorker(
            database,
            clock,
            MaskJobRow,
            self._handle,
            worker=worker,
            lease=LEASE,
            poll=timedelta(seconds=2),
            batch=10,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        await self._worker.run()

    async def run_once(self) -> int:
        """Look through the first calls that are due; return how many."""
        return await self._worker.run_once()

    async def _handle(self, rows: Sequence[MaskJobRow]) -> None:
        for row in rows:
            async with self._database.transaction() as session:
                await mask_texts(session, row.call_id, self._clock)
            # The stretches are written down first: killed here, the sound is silenced by the next worker.
            silent = await self._silence(row.call_id)
            await self._end(row, silent=silent)

    async def _silence(self, call_id: str) -> bool:
        """Make the recording silent where it must be; return whether nothing is left to do."""
        async with self._database.session() as session:
            wanted = (
                await session.scalars(
                    select(SilenceRow).where(SilenceRow.call_id == call_id, SilenceRow.silenced_at.is_(None))
                )
            ).all()
            job = await session.get(TranscriptJobRow, call_id)
        if not wanted:
            return True
        if job is None:
            return False  # the call goes on, or was not recorded: then its tries run out
        cuts = [(row.speaker, row.from_ms / 1000, row.until_ms / 1000) for row in wanted]
        try:
            tracks = await asyncio.to_thread(
                tracks_of, self._folder, call_id, began=job.began, started_at=job.call_at.timestamp()
            )
            await asyncio.to_thread(silence_tracks, tracks, cuts)
        except (HuifangError, OSError) as error:
            log.error("recording_not_silenced", call_id=call_id, error=type(error).__name__)
            return False
        async with self._database.transaction() as session:
            done = update(SilenceRow).where(
                SilenceRow.silence_id.in_([row.silence_id for row in wanted]),
            )
            await session.execute(
                done.values(silenced_at=self._clock.now()), execution_options={"synchronize_session": False}
            )
        return True

    async def _end(self, row: MaskJobRow, *, silent: bool) -> None:
        async with self._database.transaction() as session:
            # Words that came meanwhile have moved the moment: then it is looked through once more.
            mine = (MaskJobRow.call_id == row.call_id, MaskJobRow.claimed_until == row.claimed_until)
            if silent or row.tries >= MOST_TRIES:
                if not silent:
                    log.error("recording_never_silenced", call_id=row.call_id)
                change: Any = delete(MaskJobRow).where(*mine)
            else:
                due = self._clock.now() + min(RETRY * 2 ** min(row.tries, 8), MOST_WAIT)
                change = (
                    update(MaskJobRow).where(*mine).values(due_at=due, claimed_by=None, claimed_until=None)
                )
            await session.execute(change, execution_options={"synchronize_session": False})
