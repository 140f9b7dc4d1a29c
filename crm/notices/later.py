"""Notices that are given later: reminders, which whatever they remind of takes back."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict

import structlog
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from crm.notices.domain import KEY_LENGTH, NoticeRequest, Party, tidy_parameters
from crm.notices.store import insert_new
from crm.notices.tables import LaterNotice
from kernel.clock import Clock
from kernel.db import Database
from kernel.due import DueWorker
from kernel.errors import Invalid

log = structlog.get_logger(__name__)

Give = Callable[[AsyncSession, NoticeRequest], Awaitable[object]]


async def put_later(session: AsyncSession, request: NoticeRequest) -> None:
    """Store a notice until its time; the same key once."""
    values = {
        "dedupe_key": request.key,
        "subject": request.subject[:KEY_LENGTH],
        "code": request.code,
        "parameters": tidy_parameters(request.parameters),
        "link": request.link,
        "party": asdict(request.party),
        "also": list(request.also),
        "source_fact_id": request.fact_id,
        "due_at": request.not_before,
        "tries": 0,
    }
    await insert_new(session, LaterNotice, values)


async def forget(session: AsyncSession, subject: str) -> None:
    """Take back what was to be given about a subject."""
    await session.execute(delete(LaterNotice).where(LaterNotice.subject == subject))


class LaterWorker:
    """Gives the notices whose time has come, each once, whatever number of processes run."""

    def __init__(self, database: Database, clock: Clock, give: Give, *, worker: str) -> None:
        self._database = database
        self._give = give
        self._worker = worker
        self._due = DueWorker(database, clock, LaterNotice, self._handle, worker=worker)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._due.run()

    async def run_once(self) -> int:
        """Give one batch; return its size."""
        return await self._due.run_once()

    async def _handle(self, rows: Sequence[LaterNotice]) -> None:
        for row in rows:
            async with self._database.transaction() as session:
                held = await session.get(LaterNotice, row.dedupe_key, with_for_update=True)
                if held is None or held.claimed_by != self._worker:
                    continue  # forgotten meanwhile, or another has it
                try:
                    await self._give(session, _request(held))
                except Invalid as error:
                    log.error("later_notice_refused", code=held.code, error=error.message)
                await session.delete(held)


def _request(row: LaterNotice) -> NoticeRequest:
    return NoticeRequest(
        code=row.code,
        key=row.dedupe_key,
        parameters=row.parameters,
        link=row.link,
        party=Party(**row.party),
        also=tuple(row.also),
        fact_id=row.source_fact_id,
    )
