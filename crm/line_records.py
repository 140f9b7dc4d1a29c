"""Handle records of complaint lines 处理记录: who did what while a department works (domain.md §4.4).

They are only ever added. Whoever sees the line reads them; its department adds to them, and customer service,
which hears on the telephone what was done; of a confidential line the manager alone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm import timeline
from crm.cases import MAX_PAGE, tidy_text
from crm.complaint_input import MAX_NAME, MAX_RECORD, name_of, read_photos
from crm.complaint_read import ComplaintReader
from crm.complaint_store import ComplaintStore, Opened, to_line
from crm.complaint_views import RecordView
from crm.domain.backdated import noted_late
from crm.domain.line_record import AT_CUSTOMERS, RecordKind, check_record
from crm.line_photos import check_photos
from crm.line_record_rows import check_records, record_view
from crm.line_record_tables import LineRecord
from crm.timeline import Channel
from kernel.access import Actor
from kernel.cursor import read_cursor, write_cursor
from kernel.errors import Conflict
from kernel.ids import new_ulid

MAX_RECORDS = 200
"""Of one line; more than that is no line of one matter any more."""


AGAIN = timedelta(minutes=2)
"""The same words of the same person within this time are one record sent twice."""


class TooManyRecords(Conflict):
    """The line has as many records as it may have."""

    code = "quota_reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """What was done.

    Attributes:
        done_at: now unless given.
        who: who did it; who writes it down unless given.
        photos: ids of pictures of the case.
    """

    kind: RecordKind
    done: str
    done_at: datetime | None = None
    who: str | None = None
    photos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    """A page of records, what was written last first; ``next_cursor`` leads on."""

    items: tuple[RecordView, ...]
    next_cursor: str | None


class LineRecords:
    """Shows handle records and adds to them."""

    def __init__(self, store: ComplaintStore, reader: ComplaintReader) -> None:
        self._store = store
        self._reader = reader

    async def page(
        self, actor: Actor, line_id: str, *, cursor: str | None = None, limit: int = 50
    ) -> RecordPage:
        """Return a page of a line's records, newest first.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such line, or none that the actor may see.
            Invalid: the cursor is not one of ours.
        """
        limit = max(1, min(limit, MAX_PAGE))
        query = select(LineRecord).where(LineRecord.line_id == line_id)
        if cursor is not None:
            _, key = read_cursor(cursor)
            query = query.where(LineRecord.id < key)
        query = query.order_by(LineRecord.id.desc()).limit(limit + 1)
        async with self._store.database.session() as session:
            await self._reader.line_by_id(session, actor, line_id)
            rows = (await session.scalars(query)).all()
        items = tuple(record_view(row) for row in rows[:limit])
        more = len(rows) > limit
        return RecordPage(
            items=items, next_cursor=write_cursor(items[-1].noted_at, items[-1].record_id) if more else None
        )

    async def add(self, actor: Actor, line_id: str, new: NewRecord) -> RecordView:
        """Write down what was done. Nothing else of the line changes, so no version is asked for.

        The same record sent again by the same person within :data:`AGAIN` is not written twice.

        Raises:
            Forbidden: neither customer service nor the line's department; the manager's, if confidential.
            NotFound: no such line, or none that the actor may see.
            IllegalStep: the department has not accepted, or the line is closed.
            Invalid: no text, a time that cannot be, or a picture of something else.
            TooManyRecords: the line has as many as it may have.
        """
        done = tidy_text(new.done, field="done", limit=MAX_RECORD)
        who = name_of(new.who, "who") or actor.name[:MAX_NAME]
        photos = read_photos(new.photos)
        async with self._store.changing_line(actor, line_id, expected=None) as (opened, line):
            check_records(actor, line)
            opened.check_open()
            at = new.done_at or opened.now
            check_record(to_line(line), at, opened.now)
            before = await _sent_before(opened, line_id, new.kind, done, photos)
            if before is not None:
                return record_view(before)
            await _check_room(opened.session, line_id)
            await check_photos(opened.session, opened.header.id, line_id, photos)
            row = LineRecord(
                id=new_ulid(),
                line_id=line_id,
                round=opened.header.round,
                kind=new.kind.value,
                done_at=at,
                who=who,
                done=done,
                photos=photos,
                noted_at=opened.now,
                noted_by=actor.name,
            )
            opened.session.add(row)
            await opened.session.flush()
            opened.note(
                "complaint.record_add",
                line=line,
                after={"kind": new.kind, "record_id": row.id, **noted_late(new.done_at, opened.now)},
            )
            if new.kind in AT_CUSTOMERS and not line.confidential:
                await _put_on_timeline(opened, row)
        return record_view(row)


async def _sent_before(
    opened: Opened, line_id: str, kind: RecordKind, done: str, photos: list[str]
) -> LineRecord | None:
    query = select(LineRecord).where(
        LineRecord.line_id == line_id,
        LineRecord.noted_by == opened.actor.name,
        LineRecord.noted_at > opened.now - AGAIN,
    )
    for row in await opened.session.scalars(query):
        if (row.kind, row.done, list(row.photos)) == (kind.value, done, photos):
            return row
    return None


async def _check_room(session: AsyncSession, line_id: str) -> None:
    count = select(func.count()).select_from(LineRecord).where(LineRecord.line_id == line_id)
    if (await session.scalar(count) or 0) >= MAX_RECORDS:
        raise TooManyRecords(f"a line has {MAX_RECORDS} records at the most", field="done")


async def _put_on_timeline(opened: Opened, row: LineRecord) -> None:
    await timeline.add(
        opened.session,
        opened.header.customer_id,
        at=row.done_at,
        channel=Channel.VISIT,
        direction="out",
        ref=row.id,
        agent=row.who,
        detail={"no": opened.header.no, "case_id": opened.header.id},
    )
