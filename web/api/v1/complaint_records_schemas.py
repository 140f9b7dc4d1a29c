"""The models of handle records of complaint lines."""

from pydantic import Field

from crm.domain.line_record import RecordKind
from web.api.v1.complaints_schemas import ComplaintBody, Cursor, Id, Limit, Text
from web.api.v1.schemas import AskedTime, Out, Query, SiteTime


class LineRecordsQuery(Query):
    """Which page of a line's records."""

    cursor: Cursor | None = None
    limit: Limit = 50


class LineRecordIn(ComplaintBody):
    """What was done."""

    kind: RecordKind
    done: Text
    done_at: AskedTime | None = Field(
        None, description="Now unless given; not before the department accepted."
    )
    who: str | None = Field(
        None, min_length=1, max_length=40, description="Who did it; the caller unless given."
    )
    photos: tuple[Id, ...] = Field((), max_length=20, description="Pictures of the case.")


class LineRecordOut(Out):
    """A handle record 处理记录; it never changes."""

    record_id: str
    line_id: str
    round: int
    kind: RecordKind
    done_at: SiteTime
    who: str
    done: str
    photos: tuple[str, ...]
    noted_at: SiteTime
    noted_by: str
    backdated: bool = Field(description="It was written down later than it was done.")


class LineRecordList(Out):
    """A page of records."""

    items: tuple[LineRecordOut, ...]
    next_cursor: str | None
