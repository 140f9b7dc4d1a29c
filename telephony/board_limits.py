"""Keeps the limits of the supervisor's board: versions, the latest of which holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Invalid, NotFound, StaleVersion
from kernel.paging import MAX_PAGE, Page
from telephony.agent_events import RosterChanged
from telephony.agent_tables import QueueRow
from telephony.board_limit_tables import BoardLimitRow
from telephony.domain.board_limits import BoardLimits, LimitKind, QueueLimits, check_limits

MAX_WHY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLimits:
    """Limits to put in force; a queue or a kind that is left out is not watched."""

    queues: Mapping[str, QueueLimits]
    begins_after: timedelta = field(default=timedelta(seconds=5))
    ends_after: timedelta = field(default=timedelta(seconds=30))
    sound: bool = True
    why: str = ""


class BoardLimitBook:
    """Reads and publishes the limits."""

    def __init__(self, database: Database, clock: Clock, bus: Bus) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus
        self._audit = AuditLog(database, clock)

    async def current(self, actor: Actor) -> BoardLimits:
        """Return the limits in force. Raises Forbidden."""
        actor.need(Permission.BOARD_VIEW)
        async with self._database.session() as session:
            return await latest_limits(session)

    async def versions(
        self, actor: Actor, *, cursor: str | None = None, limit: int = 50
    ) -> Page[BoardLimits]:
        """Return a page of what was published, the newest first. Raises Forbidden, Invalid."""
        actor.need(Permission.BOARD_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        query = select(BoardLimitRow).order_by(BoardLimitRow.version.desc()).limit(limit + 1)
        if cursor is not None:
            if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 9):
                raise Invalid("this cursor is not one of ours; begin with the first page", field="cursor")
            query = query.where(BoardLimitRow.version < int(cursor))
        async with self._database.session() as session:
            rows = (await session.scalars(query)).all()
        more = str(rows[limit - 1].version) if len(rows) > limit else None
        return Page(tuple(_limits(row) for row in rows[:limit]), more)

    async def publish(self, actor: Actor, new: NewLimits, *, expected: int) -> BoardLimits:
        """Put limits in force at once.

        Raises:
            Forbidden: the role configures no limits.
            NotFound: there is no such queue.
            Invalid: a limit that cannot be.
            StaleVersion: somebody published meanwhile.
        """
        actor.need(Permission.LIMITS_CONFIGURE)
        check_limits(new.queues, new.begins_after, new.ends_after)
        if len(new.why) > MAX_WHY:
            raise Invalid(f"at most {MAX_WHY} characters", field="why")
        async with self._database.transaction() as session:
            known = set(await session.scalars(select(QueueRow.name).where(QueueRow.active)))
            for queue in new.queues:
                if queue not in known:
                    raise NotFound(f"no queue {queue[:32]}", field="queues")
            before = await latest_limits(session)
            if before.version != expected:
                raise StaleVersion("the limits were changed meanwhile; read them again", field="If-Match")
            row = BoardLimitRow(
                version=before.version + 1,
                queues=_plain(new.queues),
                begins_after_seconds=int(new.begins_after.total_seconds()),
                ends_after_seconds=int(new.ends_after.total_seconds()),
                sound=new.sound,
                why=new.why.strip(),
                created_at=self._clock.now(),
                created_by=actor.name[:80],
            )
            session.add(row)
            try:
                await session.flush()
            except IntegrityError as error:
                raise StaleVersion(
                    "the limits were changed meanwhile; read them again", field="If-Match"
                ) from error
            await self._audit.record(
                "board.limits_set",
                actor=actor.name,
                ip=actor.ip,
                entity="board_limit",
                entity_id=str(row.version),
                detail={"before": _plain(before.queues), "after": row.queues, "why": row.why},
                session=session,
            )
            found = _limits(row)
        # The board reads the limits with the queues.
        self._bus.publish(RosterChanged(at=self._clock.now()))
        return found


async def latest_limits(session: AsyncSession) -> BoardLimits:
    """Return the limits in force; none while nothing was published."""
    row = await session.scalar(select(BoardLimitRow).order_by(BoardLimitRow.version.desc()).limit(1))
    return _limits(row) if row is not None else BoardLimits()


def _limits(row: BoardLimitRow) -> BoardLimits:
    return BoardLimits(
        version=row.version,
        queues={
            queue: {LimitKind(kind): int(limit) for kind, limit in limits.items()}
            for queue, limits in row.queues.items()
        },
        begins_after=timedelta(seconds=row.begins_after_seconds),
        ends_after=timedelta(seconds=row.ends_after_seconds),
        sound=row.sound,
        why=row.why,
        created_at=row.created_at,
        created_by=row.created_by,
    )


def _plain(queues: Mapping[str, QueueLimits]) -> dict[str, dict[str, int]]:
    return {queue: {kind.value: limit for kind, limit in limits.items()} for queue, limits in queues.items()}
