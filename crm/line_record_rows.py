"""Handle records as their line shows them, and who may add one."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.complaint_store import check_works, to_line
from crm.complaint_tables import ComplaintLine
from crm.complaint_views import RecordView
from crm.domain.backdated import is_backdated
from crm.domain.line_record import RecordKind, may_be_recorded
from crm.line_record_tables import LineRecord
from kernel.access import Actor, Permission
from kernel.errors import Forbidden


def check_records(actor: Actor, line: ComplaintLine) -> None:
    """Refuse records of a line by anybody but customer service and the line's department.

    Raises:
        Forbidden: the role or the department does not fit.
    """
    if not line.confidential and actor.can(Permission.CASES_REGISTER):
        return
    check_works(actor, line)


def may_record(actor: Actor, line: ComplaintLine) -> bool:
    """Tell whether the actor may add a record to a line now."""
    try:
        check_records(actor, line)
    except Forbidden:
        return False
    return may_be_recorded(to_line(line))


async def records_of(session: AsyncSession, line_ids: Sequence[str]) -> dict[str, tuple[RecordView, ...]]:
    """Return line → its records, in the order in which they were written."""
    query = select(LineRecord).where(LineRecord.line_id.in_(line_ids)).order_by(LineRecord.id)
    found: dict[str, list[RecordView]] = {}
    for row in await session.scalars(query):
        found.setdefault(row.line_id, []).append(record_view(row))
    return {line_id: tuple(records) for line_id, records in found.items()}


def record_view(row: LineRecord) -> RecordView:
    """Return a record as pages show it."""
    return RecordView(
        record_id=row.id,
        line_id=row.line_id,
        round=row.round,
        kind=RecordKind(row.kind),
        done_at=row.done_at,
        who=row.who,
        done=row.done,
        photos=tuple(row.photos),
        noted_at=row.noted_at,
        noted_by=row.noted_by,
        backdated=is_backdated(row.done_at, row.noted_at),
    )
