"""Evidence of improvement measures: photos and scans, kept under their hash as those of cases are."""

from sqlalchemy import func, select

from crm.attachments import MAX_FILES, QuotaReached, clean_name
from crm.domain.improvement import MeasureState
from crm.domain.machine import refuse
from crm.file_store import FileStore
from crm.improvement_tables import ImprovementFile, ImprovementMeasure
from crm.improvement_views import Evidence
from crm.improvements import ENTITY, evidence_view, may_report, seen_by
from crm.journal import Journal
from crm.kept_files import KeptFiles, StoredFile
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Forbidden, NotFound
from kernel.ids import is_ulid, new_ulid


class ImprovementEvidence:
    """Takes and hands out the files of measures."""

    def __init__(self, database: Database, clock: Clock, journal: Journal, store: FileStore) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self._files = KeptFiles(store)

    async def add(self, actor: Actor, measure_id: str, *, content: bytes, name: str) -> Evidence:
        """Put a photo or a scan beside a measure that is not over; the same one twice is kept once.

        Raises:
            NotFound: no such measure, or none that the actor sees.
            Forbidden: neither the owner, nor the department's head, nor who sets measures.
            IllegalStep: the measure is over.
            BadFile: it is no picture or PDF, damaged, or too large.
            QuotaReached: there are as many as there may be.
        """
        shown = clean_name(name)
        async with self._database.session() as session:
            query = select(ImprovementMeasure).where(ImprovementMeasure.id == measure_id, seen_by(actor))
            _check(actor, await session.scalar(query) if is_ulid(measure_id) else None)
        kept = await self._files.read(content, allow_pdf=True)
        sha256, thumb = await self._files.keep(kept)
        async with self._database.transaction() as session:
            row = _check(actor, await session.scalar(query.with_for_update()))
            mine = select(ImprovementFile).where(ImprovementFile.measure_id == measure_id)
            known = await session.scalar(mine.where(ImprovementFile.sha256 == sha256).limit(1))
            if known is not None:
                return evidence_view(known)
            if (await session.scalar(select(func.count()).select_from(mine.subquery())) or 0) >= MAX_FILES:
                raise QuotaReached(f"a measure has {MAX_FILES} files at the most", field="file")
            file = ImprovementFile(
                id=new_ulid(),
                measure_id=measure_id,
                round=row.round,
                name=shown,
                media_type=kept.media_type.value,
                size=len(kept.content),
                sha256=sha256,
                thumb_sha256=thumb,
                uploaded_at=self._clock.now(),
                uploaded_by=actor.name,
            )
            session.add(file)
            await session.flush()
            await self._journal.note(
                session,
                actor,
                "improvement.evidence",
                entity=ENTITY,
                entity_id=measure_id,
                after={"file_id": file.id, "sha256": sha256},
            )
            return evidence_view(file)

    async def open(self, actor: Actor, file_id: str, *, thumbnail: bool = False) -> StoredFile:
        """Return where a file lies. Raises NotFound: none that the actor sees, or it is lost."""
        actor.need(Permission.CASES_VIEW)
        query = select(ImprovementFile).join(
            ImprovementMeasure, ImprovementMeasure.id == ImprovementFile.measure_id
        )
        async with self._database.session() as session:
            found = query.where(ImprovementFile.id == file_id, seen_by(actor))
            row = await session.scalar(found) if is_ulid(file_id) else None
        if row is None:
            raise NotFound("no such file", field="file_id")
        return await self._files.stored(
            row.sha256, row.thumb_sha256, row.media_type, called=f"evidence-{row.id}", thumbnail=thumbnail
        )


def _check(actor: Actor, row: ImprovementMeasure | None) -> ImprovementMeasure:
    if row is None:
        raise NotFound("no such measure", field="measure_id")
    if not may_report(actor, row):
        raise Forbidden("only its owner or the department's head puts evidence beside a measure")
    state = MeasureState(row.state)
    if state.is_over:
        raise refuse("evidence", state, ())
    return row
