"""Files of repair points' agreements 协议文件: photos and PDFs, kept under their hash as cases' files are."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from crm.attachments import QuotaReached, clean_name
from crm.file_store import FileStore
from crm.journal import Journal
from crm.kept_files import KeptFiles, StoredFile
from crm.pictures import MediaType
from crm.repair_point_tables import PointFile, RepairPoint
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import NotFound
from kernel.ids import is_ulid, new_ulid

MAX_FILES = 40
"""Of a point: some agreements with their pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointFileView:
    """A file of an agreement as lists show it; ``name`` is what the sender called it."""

    file_id: str
    point_id: str
    name: str
    media_type: MediaType
    size: int
    has_thumbnail: bool
    sha256: str
    uploaded_at: datetime
    uploaded_by: str


class PointFiles:
    """Takes, lists and hands out the files of points' agreements. None is ever changed or removed."""

    def __init__(self, database: Database, clock: Clock, journal: Journal, store: FileStore) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self._files = KeptFiles(store)

    async def add(self, actor: Actor, point_id: str, *, content: bytes, name: str) -> PointFileView:
        """Put a photo or a PDF beside a point; the same one twice is kept once.

        Raises:
            Forbidden: the role keeps no staff and points.
            NotFound: no such point.
            BadFile: it is no picture or PDF, damaged, too large, or its name is a path.
            QuotaReached: there are as many as there may be.
        """
        actor.need(Permission.STAFF_EDIT)
        shown = clean_name(name)
        async with self._database.session() as session:
            if not is_ulid(point_id) or await session.get(RepairPoint, point_id) is None:
                raise NotFound("no such repair point", field="point_id")
        kept = await self._files.read(content, allow_pdf=True)
        sha256, thumb = await self._files.keep(kept)
        mine = select(PointFile).where(PointFile.point_id == point_id)
        async with self._database.transaction() as session:
            await session.execute(select(RepairPoint.id).where(RepairPoint.id == point_id).with_for_update())
            known = await session.scalar(mine.where(PointFile.sha256 == sha256).limit(1))
            if known is not None:
                return _view(known)
            if (await session.scalar(select(func.count()).select_from(mine.subquery())) or 0) >= MAX_FILES:
                raise QuotaReached(f"a repair point has {MAX_FILES} files at the most", field="file")
            row = PointFile(
                id=new_ulid(),
                point_id=point_id,
                name=shown,
                media_type=kept.media_type.value,
                size=len(kept.content),
                sha256=sha256,
                thumb_sha256=thumb,
                uploaded_at=self._clock.now(),
                uploaded_by=actor.name,
            )
            session.add(row)
            await session.flush()
            await self._journal.note(
                session,
                actor,
                "repair_point.file_added",
                entity="repair_point",
                entity_id=point_id,
                after={"file_id": row.id, "sha256": sha256},
            )
            return _view(row)

    async def of_point(self, actor: Actor, point_id: str) -> tuple[PointFileView, ...]:
        """Return a point's files, the oldest first; :data:`MAX_FILES` at the most.

        Raises:
            Forbidden: the role does not see what points cost.
        """
        actor.need(Permission.DEPOSITS_VIEW)
        query = select(PointFile).where(PointFile.point_id == point_id).order_by(PointFile.id)
        async with self._database.session() as session:
            return tuple(_view(row) for row in await session.scalars(query.limit(MAX_FILES)))

    async def open(self, actor: Actor, file_id: str, *, thumbnail: bool = False) -> StoredFile:
        """Return where a file lies. Raises Forbidden, NotFound: no such file, or it is lost."""
        actor.need(Permission.DEPOSITS_VIEW)
        async with self._database.session() as session:
            row = await session.get(PointFile, file_id) if is_ulid(file_id) else None
        if row is None:
            raise NotFound("no such file", field="file_id")
        return await self._files.stored(
            row.sha256, row.thumb_sha256, row.media_type, called=f"agreement-{row.id}", thumbnail=thumbnail
        )


def _view(row: PointFile) -> PointFileView:
    return PointFileView(
        file_id=row.id,
        point_id=row.point_id,
        name=row.name,
        media_type=MediaType(row.media_type),
        size=row.size,
        has_thumbnail=row.thumb_sha256 is not None,
        sha256=row.sha256,
        uploaded_at=row.uploaded_at,
        uploaded_by=row.uploaded_by,
    )
