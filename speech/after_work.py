"""The work on texts after the calls, as who leads the shift sees it: what waits, what failed, once more."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.sql.elements import ColumnElement

from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import is_ulid
from kernel.paging import Page
from speech.after import JobState, JobView, Priority, job_view
from speech.after_tables import TranscriptJobRow

MAX_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TextJob:
    """A call of which text is wanted, with when the call was and when its text ended or is tried again."""

    view: JobView
    call_at: datetime
    due_at: datetime | None
    finished_at: datetime | None
    tries: int


class TextWork:
    """Reads the work, and has failed texts made once more."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._audit = AuditLog(database, clock)

    async def page(
        self, actor: Actor, state: JobState, *, cursor: str | None = None, limit: int = 50
    ) -> Page[TextJob]:
        """Return a page of the calls in a state, the newest first.

        Raises:
            Forbidden: not for them.
            Invalid: the cursor is not one of ours, or the limit is not in 1…200.
        """
        actor.need(Permission.RECORDINGS_PLAY)
        if not 1 <= limit <= MAX_PAGE:
            raise Invalid(f"between 1 and {MAX_PAGE}", field="limit")
        table = TranscriptJobRow
        chosen: list[ColumnElement[bool]] = [table.state == state.value]
        if cursor is not None:
            chosen.append(tuple_(table.created_at, table.call_id) < read_cursor(cursor))
        query = select(table).where(*chosen).order_by(table.created_at.desc(), table.call_id.desc())
        async with self._database.session() as session:
            rows = (await session.scalars(query.limit(limit + 1))).all()
        more = (
            write_cursor(rows[limit - 1].created_at, rows[limit - 1].call_id) if len(rows) > limit else None
        )
        return Page(tuple(_job(row) for row in rows[:limit]), more)

    async def waiting_by_priority(self, actor: Actor) -> dict[Priority, int]:
        """Return how many wait, by what comes first. Raises Forbidden."""
        actor.need(Permission.RECORDINGS_PLAY)
        table = TranscriptJobRow
        query = select(table.priority, func.count()).where(table.state == JobState.WAITING.value)
        async with self._database.session() as session:
            found = (await session.execute(query.group_by(table.priority))).all()
        return {Priority(priority): count for priority, count in found}

    async def retry(self, actor: Actor, call_id: str) -> TextJob:
        """Have the text of a call made once more; one that waits for another try is tried at once.

        Raises:
            Forbidden: not for them.
            NotFound: no text of this call is wanted.
            Conflict: it is done, or somebody is at it.
        """
        actor.need(Permission.RECORDINGS_PLAY)
        now = self._clock.now()
        async with self._database.transaction() as session:
            query = select(TranscriptJobRow).where(TranscriptJobRow.call_id == call_id).with_for_update()
            row = await session.scalar(query) if is_ulid(call_id) else None
            if row is None:
                raise NotFound("no text of this call is wanted", field="call_id")
            if row.state in {JobState.DONE.value, JobState.NOTHING.value}:
                raise Conflict("its text is done", field="call_id")
            if row.claimed_until is not None and row.claimed_until > now:
                raise Conflict("its text is being made right now", field="call_id")
            row.state, row.reason, row.tries = JobState.WAITING.value, "", 0
            row.due_at, row.claimed_by, row.claimed_until, row.finished_at = now, None, None, None
            row.heard_seconds = 0.0
            await session.flush()
            await self._audit.record(
                "transcript.retried", actor=actor.name, entity="call", entity_id=call_id, session=session
            )
            return _job(row)


def _job(row: TranscriptJobRow) -> TextJob:
    return TextJob(
        view=job_view(row),
        call_at=row.call_at,
        due_at=row.due_at,
        finished_at=row.finished_at,
        tries=row.tries,
    )
