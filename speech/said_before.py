"""What was said in a call and stored: for a process that begins to listen in the middle of it."""

from sqlalchemy import select

from kernel.db import Database
from speech.rules.findings import Speaker
from speech.suggesting import MAX_SAID, Final
from speech.tables import SegmentRow


class StoredTranscript:
    """Reads stored texts (:class:`speech.suggesting.Transcript`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def finals(self, call_id: str) -> tuple[Final, ...]:
        """Return the last texts of a call, in order."""
        query = (
            select(SegmentRow.segment_id, SegmentRow.speaker, SegmentRow.text, SegmentRow.created_at)
            .where(SegmentRow.call_id == call_id, SegmentRow.gap.is_(None))
            .order_by(SegmentRow.started_ms.desc(), SegmentRow.segment_id.desc())
            .limit(MAX_SAID)
        )
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        return tuple(
            Final(
                call_id=call_id,
                segment=row.segment_id,
                speaker=Speaker(row.speaker),
                text=row.text,
                at=row.created_at,
            )
            for row in reversed(rows)
            if row.speaker in set(Speaker) and row.text
        )
