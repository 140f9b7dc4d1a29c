"""Imports that people start in the browser: uploaded, checked, looked at, then done, in the background.

What a job has got to is kept in memory, because a database that is being written to in one transaction
cannot tell; its file and its outcome are stored, so that a job outlives the process that runs it.
"""

import asyncio
import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import defer

from crm.domain.import_rows import RowProblem
from crm.domain.lines import maybe_line
from crm.importing.events import ImportProgressed
from crm.importing.service import MAX_SHOWN, Importer, ImportReport, Options
from crm.importing.sheet import MAX_BYTES, BadSheet
from crm.office import Office
from crm.people_tables import ImportRow
from kernel.access import Actor, Permission, Role
from kernel.errors import Conflict, HuifangError, NotFound
from kernel.events import Event
from kernel.ids import is_ulid, new_ulid

log = structlog.get_logger(__name__)

MAX_STORED = MAX_SHOWN
MAX_LISTED = 30
TOLD_EVERY = timedelta(milliseconds=200)
"""How often pages hear how far a job is."""


class JobState(StrEnum):
    """Where a job stands."""

    CHECKING = "checking"
    CHECKED = "checked"
    IMPORTING = "importing"
    DONE = "done"
    REFUSED = "refused"
    """The file cannot be read, or nothing was written because of bad rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job.

    Attributes:
        step, done, total: how far it is, while it works.
        problem: why the file was refused.
    """

    job_id: str
    filename: str
    state: JobState
    options: Options
    uploaded_at: datetime
    uploaded_by: str
    finished_at: datetime | None
    report: ImportReport | None
    problem: str | None
    step: str = ""
    done: int = 0
    total: int = 0

    @property
    def works(self) -> bool:
        """Whether it is under way."""
        return self.state in {JobState.CHECKING, JobState.IMPORTING}


class ImportJobs:
    """Takes uploads, and works on them one after another.

    Args:
        permission: who may.
        lists: the files are lists of campaigns, not customers and projects; each kind has its own jobs.
    """

    def __init__(
        self,
        office: Office,
        importer: Importer,
        publish: Callable[[Event], None] | None = None,
        *,
        permission: Permission = Permission.DATA_IMPORT,
        lists: bool = False,
    ) -> None:
        self._office = office
        self._importer = importer
        self._publish = publish
        self._permission = permission
        self._ours = ImportRow.campaign_id.is_not(None) if lists else ImportRow.campaign_id.is_(None)
        self._progress: dict[str, tuple[str, int, int]] = {}
        self._wake = asyncio.Event()

    async def upload(
        self,
        actor: Actor,
        filename: str,
        content: bytes,
        *,
        overwrite: bool = False,
        campaign_id: str | None = None,
    ) -> JobView:
        """Take a file to check.

        Raises:
            Forbidden: the role imports nothing.
            BadSheet: it is empty or too large.
        """
        actor.need(self._permission)
        if not content or len(content) > MAX_BYTES:
            raise BadSheet(f"a file of 1 byte to {MAX_BYTES // 1024 // 1024} MB", field="file")
        name = maybe_line(filename[-120:].replace("\\", "/").rsplit("/", 1)[-1], field="file", limit=120)
        row = ImportRow(
            id=new_ulid(),
            filename=name or "import",
            digest=hashlib.sha256(content).hexdigest(),
            content=content,
            state=JobState.CHECKING.value,
            good_rows_only=False,
            uploaded_at=self._office.now(),
            uploaded_by=actor.name,
            uploader_id=actor.user_id,
            outcome={"overwrite": overwrite, "role": actor.role.value if actor.role else None},
            campaign_id=campaign_id,
        )
        async with self._office.database.transaction() as session:
            session.add(row)
        self._wake.set()
        self._tell(row.id, row.state)
        return self._view(row)

    async def start(self, actor: Actor, job_id: str, *, good_rows_only: bool) -> JobView:
        """Import a file that was checked.

        Raises:
            Forbidden: the role imports nothing.
            NotFound: no such job.
            Conflict: it was not checked, or is done already.
        """
        actor.need(self._permission)
        async with self._office.database.transaction() as session:
            query = select(ImportRow).where(ImportRow.id == job_id, self._ours).with_for_update()
            row = (await session.execute(query)).scalar_one_or_none() if is_ulid(job_id) else None
            if row is None:
                raise NotFound("no such import", field="job_id")
            if row.state != JobState.CHECKED or row.content is None:
                raise Conflict("only a file that was checked can be imported", field="job_id")
            row.state, row.good_rows_only = JobState.IMPORTING.value, good_rows_only
            row.uploaded_by, row.uploader_id = actor.name, actor.user_id
        self._wake.set()
        self._tell(row.id, row.state)
        return self._view(row)

    async def get(self, actor: Actor, job_id: str) -> JobView:
        """Return a job. Raises Forbidden, NotFound."""
        actor.need(self._permission)
        query = select(ImportRow).where(ImportRow.id == job_id, self._ours)
        async with self._office.database.session() as session:
            row = await session.scalar(query) if is_ulid(job_id) else None
        if row is None:
            raise NotFound("no such import", field="job_id")
        return self._view(row)

    async def list(self, actor: Actor, campaign_id: str | None = None) -> Sequence[JobView]:
        """Return the newest jobs, or those of one campaign. Raises Forbidden."""
        actor.need(self._permission)
        chosen = [self._ours] if campaign_id is None else [ImportRow.campaign_id == campaign_id]
        query = select(ImportRow).where(*chosen).order_by(ImportRow.uploaded_at.desc(), ImportRow.id.desc())
        query = query.options(defer(ImportRow.content))
        async with self._office.database.session() as session:
            rows = (await session.execute(query.limit(MAX_LISTED))).scalars().all()
        return [self._view(row) for row in rows]

    async def run(self) -> None:
        """Work until cancelled. A job that a process left behind is begun again: nothing is written twice."""
        while True:
            self._wake.clear()
            while await self.run_once():
                pass
            try:
                await asyncio.wait_for(self._wake.wait(), timeout=10)
            except TimeoutError:
                continue

    async def run_once(self) -> bool:
        """Work on the oldest job that waits; tell whether there was one."""
        waiting = select(ImportRow).where(
            ImportRow.state.in_([JobState.CHECKING.value, JobState.IMPORTING.value]), self._ours
        )
        async with self._office.database.session() as session:
            row = (
                await session.execute(waiting.order_by(ImportRow.uploaded_at).limit(1))
            ).scalar_one_or_none()
        if row is None:
            return False
        try:
            await self._work(row)
        except HuifangError as error:
            await self._finish(row.id, JobState.REFUSED, None, error.message)
        except Exception:  # the border: one broken file must not stop the others
            log.exception("import_failed", job_id=row.id)
            await self._finish(row.id, JobState.REFUSED, None, "an error on our side; it was logged")
        finally:
            self._progress.pop(row.id, None)
        return True

    async def _work(self, row: ImportRow) -> None:
        role = row.outcome.get("role")
        actor = Actor(user_id=row.uploader_id, name=row.uploaded_by, role=Role(role) if role else None)
        options = _options(row)

        clock, loop = self._office.clock, asyncio.get_running_loop()
        told = ("", 0.0)

        def watch(step: str, done: int, total: int) -> None:
            # Called from the threads that read and check as well.
            nonlocal told
            self._progress[row.id] = (step, done, total)
            if step != told[0] or clock.monotonic() - told[1] >= TOLD_EVERY.total_seconds():
                told = (step, clock.monotonic())
                loop.call_soon_threadsafe(self._tell, row.id, row.state)

        content = row.content or b""
        if row.state == JobState.CHECKING:
            report = await self._importer.check(actor, content, row.filename, options, watch)
            await self._finish(row.id, JobState.CHECKED, report, None)
        else:
            report = await self._importer.run(actor, content, row.filename, options, watch)
            state = JobState.DONE if report.written else JobState.CHECKED
            await self._finish(row.id, state, report, None)

    async def _finish(
        self, job_id: str, state: JobState, report: ImportReport | None, problem: str | None
    ) -> None:
        async with self._office.database.transaction() as session:
            row = await session.get_one(ImportRow, job_id, with_for_update=True)
            row.state, row.problem = state.value, problem
            if report is not None:
                row.outcome = row.outcome | {"report": _stored(report)}
            if state in {JobState.DONE, JobState.REFUSED}:
                row.finished_at, row.content = self._office.now(), None
        self._progress.pop(job_id, None)
        self._tell(job_id, state.value)

    def _tell(self, job_id: str, state: str) -> None:
        if self._publish is None:
            return
        step, done, total = self._progress.get(job_id, ("", 0, 0))
        now = self._office.now()
        self._publish(ImportProgressed(at=now, job_id=job_id, state=state, step=step, done=done, total=total))

    def _view(self, row: ImportRow) -> JobView:
        step, done, total = self._progress.get(row.id, ("", 0, 0))
        stored = row.outcome.get("report")
        return JobView(
            job_id=row.id,
            filename=row.filename,
            state=JobState(row.state),
            options=_options(row),
            uploaded_at=row.uploaded_at,
            uploaded_by=row.uploaded_by,
            finished_at=row.finished_at,
            report=_restored(stored) if stored else None,
            problem=row.problem,
            step=step,
            done=done,
            total=total,
        )


def _options(row: ImportRow) -> Options:
    return Options(
        good_rows_only=row.good_rows_only,
        overwrite=bool(row.outcome.get("overwrite")),
        campaign_id=row.campaign_id,
    )


def _stored(report: ImportReport) -> dict[str, Any]:
    fields: dict[str, Any] = dataclasses.asdict(report)
    fields["problems"] = [list(dataclasses.astuple(item)) for item in report.problems[:MAX_STORED]]
    return fields


def _restored(fields: dict[str, Any]) -> ImportReport:
    problems = tuple(
        RowProblem(row=row, column=column, code=code, value=value)
        for row, column, code, value in fields["problems"]
    )
    return ImportReport(**(fields | {"problems": problems}))
