"""Pictures of a case that somebody names beside what was done on a line."""

from collections.abc import Sequence

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from crm.attachment_tables import AttachmentRow
from kernel.errors import Invalid


async def check_photos(session: AsyncSession, case_id: str, line_id: str, photos: Sequence[str]) -> None:
    """Take pictures for a line's; those that belonged to the case as a whole become the line's.

    Raises:
        Invalid: one is not of this case, or of another line.
    """
    if not photos:
        return
    ours = or_(AttachmentRow.line_id.is_(None), AttachmentRow.line_id == line_id)
    query = select(AttachmentRow.id).where(
        AttachmentRow.case_id == case_id, AttachmentRow.id.in_(photos), ours
    )
    if set(await session.scalars(query)) != set(photos):
        raise Invalid("no picture of this line, nor of the case as a whole", field="photos")
    whole = update(AttachmentRow).where(AttachmentRow.id.in_(photos), AttachmentRow.line_id.is_(None))
    await session.execute(whole.values(line_id=line_id))
