"""The text of a call on its record: read, corrected by people, handed out as a file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from kernel.access import Actor
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid
from speech.after import JobState, JobView, job_view
from speech.after_tables import TranscriptJobRow
from speech.events import AGENT, CUSTOMER, MAX_TEXT, TranscriptCorrected
from speech.masking_jobs import look_through
from speech.said import changed
from speech.tables import CorrectionRow, SegmentRow
from speech.transcripts import Segment, Transcripts, to_segment

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallText:
    """What was said in a call.

    Attributes:
        segments: in the order of time, gaps among them.
        job: the making of text from the recording, if it is wanted or was.
    """

    call_id: str
    segments: tuple[Segment, ...]
    job: JobView | None

    @property
    def is_coming(self) -> bool:
        """Whether more text is on its way."""
        return self.job is not None and self.job.state is JobState.WAITING


class TranscriptRecord:
    """Reads and corrects. Whether somebody may hear the call at all is asked by who calls."""

    def __init__(self, database: Database, clock: Clock, bus: Bus | None = None) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._transcripts = Transcripts(database)
        self._audit = AuditLog(database, clock)

    async def of_call(self, call_id: str) -> CallText:
        """Return what was said in a call; no segments if nothing is known."""
        segments = await self._transcripts.of_call(call_id)
        async with self._database.session() as session:
            job = await session.get(TranscriptJobRow, call_id)
            view = job_view(job) if job is not None else None
        return CallText(call_id=call_id, segments=segments, job=view)

    async def correct(
        self, actor: Actor, call_id: str, segment_id: str, text: str, *, expected: int
    ) -> Segment:
        """Write down what was really said. The recogniser's text stays, and every text before this one.

        The same text again changes nothing.

        Raises:
            NotFound: no such segment in this call.
            Conflict: it is a gap, or a better text took its place.
            Invalid: empty, too long, or with control characters.
            StaleVersion: somebody else corrected it meanwhile.
        """
        wanted = text.strip()
        if not wanted:
            raise Invalid("write what was said; a text is not taken away", field="text")
        if len(wanted) > MAX_TEXT:
            raise Invalid(f"at most {MAX_TEXT} characters", field="text")
        if _CONTROL.search(wanted):
            raise Invalid("there are control characters in it: type it by hand", field="text")
        now = self._clock.now()
        async with self._database.transaction() as session:
            query = select(SegmentRow).where(
                SegmentRow.segment_id == segment_id, SegmentRow.call_id == call_id
            )
            row = await session.scalar(query.with_for_update()) if is_ulid(segment_id) else None
            if row is None:
                raise NotFound("no such text in this call", field="segment_id")
            if row.gap is not None or row.replaced_at is not None:
                raise Conflict("this text is no longer there: reload the page", field="segment_id")
            before = row.corrected if row.corrected is not None else row.text
            if before == wanted:
                return to_segment(row)
            if row.version != expected:
                raise StaleVersion("somebody else corrected it; read it again", field="If-Match")
            row.corrected, row.version = wanted, row.version + 1
            session.add(
                CorrectionRow(
                    correction_id=new_ulid(),
                    segment_id=segment_id,
                    call_id=call_id,
                    before=before,
                    after=wanted,
                    by=actor.name[:80],
                    by_id=actor.user_id,
                    at=now,
                )
            )
            await session.flush()
            await changed(session, (call_id,), at=now)
            await look_through(session, (call_id,), at=now)
            await self._audit.record(
                "transcript.corrected",
                actor=actor.name,
                entity="call",
                entity_id=call_id,
                detail={"segment_id": segment_id},
                session=session,
            )
            made = to_segment(row)
        if self._bus is not None:
            self._bus.publish(TranscriptCorrected(at=now, call_id=call_id))
        return made


def as_file(text: CallText, *, started_at: datetime, names: dict[str, str], gap: str) -> str:
    """Return a call's text as lines to be read: time, speaker, words.

    Args:
        started_at: in the site's zone.
        names: of ``customer`` and ``agent``, as the reader's language has them.
        gap: what stands where sound is missing.
    """
    return "".join(f"{line}\n" for line in _lines(text.segments, started_at, names, gap))


def _lines(segments: Sequence[Segment], started_at: datetime, names: dict[str, str], gap: str) -> list[str]:
    known = {CUSTOMER: names.get(CUSTOMER, CUSTOMER), AGENT: names.get(AGENT, AGENT)}
    return [
        f"{started_at + timedelta(seconds=one.start):%H:%M:%S}  {known.get(one.speaker, one.speaker)}"
        f"{' ' + one.agent_number if one.agent_number else ''}: {one.shown if one.gap is None else gap}"
        for one in segments
    ]
