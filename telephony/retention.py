"""Takes numbers and names out of calls that are not to be kept any more; their figures stay.

Their recordings go. What is left of a call in Asterisk's own log of channels is made illegible as well.
"""

import asyncio
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import Delete, Update, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from telephony.domain.timeline import TimelineKind
from telephony.recording_tables import RecordingRow
from telephony.tables import CallEventRow, CallLegRow, CallRow

INWARD, OUTWARD = "in", "out"
_FIGURES = (TimelineKind.LEFT_QUEUE.value, TimelineKind.ENDED.value)
ID_LENGTH = 26
"""Of a call's id, with which the name of each of its recordings begins."""


class CallShelf:
    """The stored calls, as whoever decides how long they stay looks at them.

    Args:
        recordings: the folder of the recorded calls; ``None`` where none are kept.
    """

    def __init__(self, recordings: Path | None = None) -> None:
        self._recordings = recordings

    async def older(
        self, session: AsyncSession, before: datetime, after: str, limit: int
    ) -> Sequence[tuple[str, str | None, datetime]]:
        """Return id, customer and moment of calls that still name somebody, in the order of their ids."""
        query = (
            select(CallRow.call_id, CallRow.customer_id, CallRow.started_at)
            .where(
                CallRow.call_id > after,
                CallRow.started_at < before,
                CallRow.ended_at.is_not(None),
                or_(
                    (CallRow.direction == INWARD) & (CallRow.from_number != ""),
                    (CallRow.direction == OUTWARD) & (CallRow.to_number != ""),
                ),
            )
            .order_by(CallRow.call_id)
            .limit(limit)
        )
        return [(row.call_id, row.customer_id, row.started_at) for row in await session.execute(query)]

    async def erase(self, session: AsyncSession, call_ids: Sequence[str]) -> None:
        """Take numbers and names out of calls, their legs and their time lines; delete their recordings.

        Recordings go first: were they left behind by a crash, nothing would name them any more.

        Raises:
            OSError: a recording cannot be deleted.
        """
        if self._recordings is not None:
            await asyncio.to_thread(drop_recordings, self._recordings, frozenset(call_ids))
        mine = CallRow.call_id.in_(call_ids)
        changes: tuple[Update | Delete, ...] = (
            delete(RecordingRow).where(RecordingRow.call_id.in_(call_ids)),
            update(CallRow)
            .where(mine, CallRow.direction == INWARD)
            .values(from_number="", from_name="", customer_id=None),
            update(CallRow)
            .where(mine, CallRow.direction == OUTWARD)
            .values(to_number="", from_name="", customer_id=None),
            update(CallLegRow)
            .where(CallLegRow.call_id.in_(call_ids), CallLegRow.agent_number.is_(None))
            .values(number=""),
            # How a caller left a queue and a call ended names nobody, and the figures are computed from it.
            update(CallEventRow)
            .where(CallEventRow.call_id.in_(call_ids), CallEventRow.kind.not_in(_FIGURES))
            .values(detail={}),
        )
        for change in changes:
            await session.execute(change, execution_options={"synchronize_session": False})


def drop_recordings(folder: Path, call_ids: Collection[str]) -> int:
    """Delete whatever was recorded of calls, and return how many files it was. Blocks. Raises OSError."""
    gone = 0
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name[:ID_LENGTH] in call_ids and entry.is_file(follow_symlinks=False):
                Path(entry.path).unlink(missing_ok=True)
                gone += 1
    return gone
