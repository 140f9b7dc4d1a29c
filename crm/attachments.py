"""Photos and scans of cases: kept under their hash, seen by whoever may see the case.

Where a complaint has a confidential line, a file is shown to the departments only when it belongs to a line
that they see: what was put into the case as a whole may be about the other one.

A file lies at ``files/ab/abcdef…`` below the data directory, named by what is in it; what the person called
it is only shown. The same file sent twice is stored once and stands in the case once.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, exists, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.attachment_tables import AttachmentRow
from crm.cases import CaseRegister
from crm.complaint_tables import ComplaintLine, LineVisit
from crm.confidential import line_seen
from crm.domain.lines import maybe_line
from crm.file_store import FileStore, name_of
from crm.journal import Journal
from crm.kept_files import KeptFiles, StoredFile
from crm.pictures import BadFile, MediaType
from crm.repair_tables import RepairVisitRow
from crm.tables import ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound
from kernel.ids import is_ulid, new_ulid

MAX_NAME = 80
MAX_FILES = 60
MAX_CASE_BYTES = 200 * 1024 * 1024
_PATH = re.compile(r"[/\\]|%2f|%5c|^\.\.?$|^[a-z]:", re.IGNORECASE)
"""Also as clients that escape names write it."""


class Purpose(StrEnum):
    """What a file is for."""

    PHOTO = "photo"
    SCAN = "scan"
    """Of a paper: hand-off, receipt, confirmation sheet. May be a PDF."""
    SIGNATURE = "signature"
    """Drawn by the customer on the telephone's screen."""


class QuotaReached(Conflict):
    """The case has as many files as it may have."""

    code = "quota_reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentView:
    """A file of a case as lists show it."""

    attachment_id: str
    case_id: str
    purpose: Purpose
    name: str
    media_type: MediaType
    size: int
    width: int | None
    height: int | None
    has_thumbnail: bool
    visit_id: str | None
    line_id: str | None
    sha256: str
    uploaded_at: datetime
    uploaded_by: str


class Attachments:
    """Takes, lists and hands out the files of cases."""

    def __init__(
        self, database: Database, clock: Clock, *, cases: CaseRegister, journal: Journal, store: FileStore
    ) -> None:
        self._database = database
        self._clock = clock
        self._cases = cases
        self._journal = journal
        self._files = KeptFiles(store)

    async def add(
        self,
        actor: Actor,
        case_id: str,
        *,
        content: bytes,
        name: str,
        purpose: Purpose = Purpose.PHOTO,
        visit_id: str | None = None,
        line_id: str | None = None,
    ) -> AttachmentView:
        """Put a file into a case.

        Args:
            line_id: the line of a complaint that it belongs to; without it a department's only line, or the
                case as a whole.

        Raises:
            Forbidden: the role does not work on cases.
            NotFound: no such case, or none that the actor may see.
            Invalid: no such line of the case, one of another department, or no such visit.
            BadFile: it is no picture (or PDF), damaged, or too large.
            QuotaReached: the case has as many as it may have.
        """
        check_may_add(actor)
        shown = clean_name(name)
        await self._check(actor, case_id)
        kept = await self._files.read(content, allow_pdf=purpose is Purpose.SCAN)
        sha256 = await asyncio.to_thread(name_of, kept.content)
        async with self._database.session() as session:
            await _check_visit(session, case_id, visit_id)
            # Asked again below; but what is refused now is not even written.
            await self._place(session, actor, case_id, sha256, len(kept.content), purpose, line_id)
        sha256, thumb = await self._files.keep(kept)
        async with self._database.transaction() as session:
            locked = select(ServiceCase.id).where(ServiceCase.id == case_id).with_for_update()
            await session.execute(locked)
            line_id, before = await self._place(
                session, actor, case_id, sha256, len(kept.content), purpose, line_id
            )
            if before is not None:
                return _view(before)
            row = AttachmentRow(
                id=new_ulid(),
                case_id=case_id,
                purpose=purpose.value,
                name=shown,
                media_type=kept.media_type.value,
                size=len(kept.content),
                width=kept.width,
                height=kept.height,
                sha256=sha256,
                thumb_sha256=thumb,
                visit_id=visit_id,
                line_id=line_id,
                uploaded_at=self._clock.now(),
                uploaded_by=actor.name,
                uploader_id=actor.user_id,
            )
            session.add(row)
            await self._journal.note(
                session,
                actor,
                "attachment_added",
                entity="case",
                entity_id=case_id,
                after={"attachment_id": row.id, "purpose": purpose, "sha256": sha256},
            )
        return _view(row)

    async def of_case(self, actor: Actor, case_id: str) -> tuple[AttachmentView, ...]:
        """Return the files of a case, oldest first.

        Raises:
            NotFound: no such case, or none that the actor may see.
        """
        await self._check(actor, case_id)
        query = select(AttachmentRow).where(AttachmentRow.case_id == case_id, _shown(actor))
        query = query.order_by(AttachmentRow.id)
        async with self._database.session() as session:
            return tuple(_view(row) for row in await session.scalars(query))

    async def open(self, actor: Actor, attachment_id: str, *, thumbnail: bool = False) -> StoredFile:
        """Return where a file lies.

        Raises:
            NotFound: no such file, none that the actor may see, or it is lost.
        """
        actor.need(Permission.CASES_VIEW)
        async with self._database.session() as session:
            query = select(AttachmentRow).where(AttachmentRow.id == attachment_id, _shown(actor))
            row = await session.scalar(query) if is_ulid(attachment_id) else None
        if row is None:
            raise NotFound("no such file", field="attachment_id")
        await self._check(actor, row.case_id, field="attachment_id")
        return await self._files.stored(
            row.sha256,
            row.thumb_sha256,
            row.media_type,
            called=f"{row.purpose}-{row.id}",
            thumbnail=thumbnail,
            field="attachment_id",
        )

    async def known(self, session: AsyncSession, case_id: str, attachment_id: str, purpose: Purpose) -> str:
        """Return the hash of a case's file. Raises Invalid when it is none, or for something else."""
        row = await session.get(AttachmentRow, attachment_id) if is_ulid(attachment_id) else None
        if row is None or row.case_id != case_id or row.purpose != purpose.value:
            raise Invalid(f"no {purpose.value} of this case", field=f"{purpose.value}_id")
        return row.sha256

    async def _check(self, actor: Actor, case_id: str, *, field: str = "case_id") -> None:
        if not is_ulid(case_id):
            raise NotFound("no such case", field=field)
        await self._cases.get(actor, case_id)

    async def _place(
        self,
        session: AsyncSession,
        actor: Actor,
        case_id: str,
        sha256: str,
        size: int,
        purpose: Purpose,
        line_id: str | None,
    ) -> tuple[str | None, AttachmentRow | None]:
        """Return the line that a file belongs to, and the file if it is there already.

        Raises:
            Invalid: no such line.
            QuotaReached: there is no room for it.
        """
        line_id = await _line_for(session, actor, case_id, line_id)
        before = await self._same(session, case_id, sha256, purpose, line_id)
        if before is None:
            await _check_quota(session, case_id, size)
        return line_id, before

    async def _same(
        self, session: AsyncSession, case_id: str, sha256: str, purpose: Purpose, line_id: str | None
    ) -> AttachmentRow | None:
        query = select(AttachmentRow).where(
            AttachmentRow.case_id == case_id,
            AttachmentRow.sha256 == sha256,
            AttachmentRow.purpose == purpose.value,
            AttachmentRow.line_id.is_not_distinct_from(line_id),
        )
        found: Sequence[AttachmentRow] = (await session.scalars(query.limit(1))).all()
        return found[0] if found else None


def clean_name(raw: str) -> str:
    """Return a name to show, on one line and not too long.

    Raises:
        Invalid: it is far too long to be a name.
        BadFile: it is a path.
    """
    if len(raw) > 1000:
        raise Invalid(f"a name is {MAX_NAME} characters at the most", field="name")
    if _PATH.search(raw):
        raise BadFile("the file's name is a path: send its name alone", field="file")
    kept = "".join(char for char in raw if char not in '<>:"|?*\u202a\u202b\u202c\u202d\u202e')
    return maybe_line(kept[:MAX_NAME], field="name", limit=MAX_NAME) or "file"


def _shown(actor: Actor) -> ColumnElement[bool]:
    """Return the condition that a file of a case that the actor sees is shown to them."""
    whole = ComplaintLine.case_id == AttachmentRow.case_id
    return or_(
        ~exists().where(whole, not_(line_seen(actor))),
        exists().where(ComplaintLine.id == AttachmentRow.line_id, line_seen(actor)),
        AttachmentRow.uploader_id == actor.user_id,
    )


async def _line_for(session: AsyncSession, actor: Actor, case_id: str, line_id: str | None) -> str | None:
    """Return the line that a file belongs to: people of a department name their own. Raises Invalid."""
    query = select(ComplaintLine).where(ComplaintLine.case_id == case_id, line_seen(actor))
    lines = (await session.scalars(query)).all()
    mine = [line.id for line in lines if line.department_code == actor.department]
    everything = actor.can(Permission.CASES_VIEW_ALL)
    if line_id is not None:
        if line_id not in ({line.id for line in lines} if everything else mine):
            raise Invalid("no such line of this case, or another department's", field="line_id")
        return line_id
    return mine[0] if len(mine) == 1 and not everything else None


def may_add(actor: Actor) -> bool:
    """Tell whether the actor's role puts files into cases."""
    return any(
        actor.can(permission)
        for permission in (Permission.CASES_REGISTER, Permission.CASES_WORK, Permission.REPAIRS_WORK)
    )


def check_may_add(actor: Actor) -> None:
    """Raise Forbidden unless :func:`may_add`."""
    if not may_add(actor):
        raise Forbidden("needs a permission to work on cases", permission=Permission.CASES_WORK.value)


async def _check_visit(session: AsyncSession, case_id: str, visit_id: str | None) -> None:
    """Refuse a visit that is none of the case's. Raises Invalid."""
    if visit_id is None:
        return
    repair = select(RepairVisitRow.id).where(RepairVisitRow.case_id == case_id)
    line = select(LineVisit.id).join(ComplaintLine, ComplaintLine.id == LineVisit.line_id)
    known = repair.where(RepairVisitRow.id == visit_id).union_all(
        line.where(ComplaintLine.case_id == case_id, LineVisit.id == visit_id)
    )
    if await session.scalar(known) is None:
        raise Invalid("no such visit of this case", field="visit_id")


async def _check_quota(session: AsyncSession, case_id: str, size: int) -> None:
    query = select(func.count(), func.coalesce(func.sum(AttachmentRow.size), 0)).where(
        AttachmentRow.case_id == case_id
    )
    count, total = (await session.execute(query)).one()
    if count >= MAX_FILES:
        raise QuotaReached(f"a case has {MAX_FILES} files at the most", field="file")
    if total + size > MAX_CASE_BYTES:
        raise QuotaReached(
            f"a case's files are {MAX_CASE_BYTES // 1024 // 1024} MB at the most", field="file"
        )


def _view(row: AttachmentRow) -> AttachmentView:
    return AttachmentView(
        attachment_id=row.id,
        case_id=row.case_id,
        purpose=Purpose(row.purpose),
        name=row.name,
        media_type=MediaType(row.media_type),
        size=row.size,
        width=row.width,
        height=row.height,
        has_thumbnail=row.thumb_sha256 is not None,
        visit_id=row.visit_id,
        line_id=row.line_id,
        sha256=row.sha256,
        uploaded_at=row.uploaded_at,
        uploaded_by=row.uploaded_by,
    )
