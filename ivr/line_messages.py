"""Messages that a supervisor switches on for some hours: an emergency, a holiday, a line out of order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from ivr.ports import QueueNames
from ivr.tables import LineMessageRow
from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import is_ulid, new_ulid

ENTITY = "line_message"
MAX_ZH = 200
MAX_EN = 400
MOST_AT_ONCE = 20
LONGEST = timedelta(days=31)
SHOWN = 50


class MessageKind(StrEnum):
    """Why callers are told something; the first of these is told where several are in force."""

    EMERGENCY = "emergency"
    CLOSED = "closed"
    HOLIDAY = "holiday"
    NOTICE = "notice"


class Then(StrEnum):
    """What follows the message."""

    QUEUE = "queue"
    OFFER = "offer"
    """A message or a callback."""
    HANGUP = "hangup"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message to switch on; ``queue`` empty for all callers."""

    kind: MessageKind
    text_zh: str
    text_en: str = ""
    queue: str = ""
    then: Then = Then.QUEUE
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LineMessage:
    """A message, in force or over."""

    message_id: str
    kind: MessageKind
    queue: str
    text_zh: str
    text_en: str
    then: Then
    starts_at: datetime
    ends_at: datetime
    created_by: str
    ended_at: datetime | None
    ended_by: str | None

    def is_on(self, now: datetime) -> bool:
        """Whether callers are told it."""
        return self.ended_at is None and self.starts_at <= now < self.ends_at


class LineMessages:
    """Switches messages on and off; each act is in the journal."""

    def __init__(self, database: Database, clock: Clock, audit: AuditLog, *, queues: QueueNames) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._queues = queues

    async def recent(self, actor: Actor) -> tuple[LineMessage, ...]:
        """Return the latest messages, the newest first. Raises Forbidden."""
        actor.need(Permission.LINE_MESSAGES_SWITCH)
        query = select(LineMessageRow).order_by(LineMessageRow.id.desc()).limit(SHOWN)
        async with self._database.session() as session:
            return tuple(_shown(row) for row in await session.scalars(query))

    async def in_force(self) -> tuple[LineMessage, ...]:
        """Return the messages callers are told now; nobody asks but the service itself."""
        now = self._clock.now()
        async with self._database.session() as session:
            return tuple(_shown(row) for row in await _on(session, now))

    async def switch_on(self, actor: Actor, new: NewMessage) -> LineMessage:
        """Have callers told something from now on.

        Raises:
            Forbidden: the role switches no messages.
            Invalid: a text, a time or a queue that cannot be.
            Conflict: so many are on already that nobody would listen.
        """
        actor.need(Permission.LINE_MESSAGES_SWITCH)
        now = self._clock.now()
        zh, en = _text(new.text_zh, "text_zh", MAX_ZH), _text(new.text_en, "text_en", MAX_EN, needed=False)
        if not now < new.ends_at <= now + LONGEST:
            raise Invalid(f"later than now, and at most {LONGEST.days} days ahead", field="ends_at")
        if new.queue and new.queue not in await self._queues.queue_names():
            raise Invalid(f"no queue {new.queue[:32]}", field="queue")
        async with self._database.transaction() as session:
            if len(await _on(session, now)) >= MOST_AT_ONCE:
                raise Conflict(f"at most {MOST_AT_ONCE} at once: switch one off first")
            row = LineMessageRow(
                id=new_ulid(),
                kind=new.kind.value,
                queue=new.queue or None,
                text_zh=zh,
                text_en=en,
                then=new.then.value,
                starts_at=now,
                ends_at=new.ends_at,
                created_by=actor.name[:80],
            )
            session.add(row)
            await self._note(session, actor, "line_message.switched_on", row)
            return _shown(row)

    async def switch_off(self, actor: Actor, message_id: str) -> LineMessage:
        """Tell callers no longer; what is off already stays as it is.

        Raises:
            Forbidden: the role switches no messages.
            NotFound: no such message.
        """
        actor.need(Permission.LINE_MESSAGES_SWITCH)
        now = self._clock.now()
        async with self._database.transaction() as session:
            row = (
                await session.get(LineMessageRow, message_id, with_for_update=True)
                if is_ulid(message_id)
                else None
            )
            if row is None:
                raise NotFound("no such message", field="message_id")
            if row.ended_at is None and row.ends_at > now:
                row.ended_at, row.ended_by = now, actor.name[:80]
                await self._note(session, actor, "line_message.switched_off", row)
            return _shown(row)

    async def _note(self, session: AsyncSession, actor: Actor, action: str, row: LineMessageRow) -> None:
        await self._audit.record(
            action,
            actor=actor.name,
            ip=actor.ip,
            entity=ENTITY,
            entity_id=row.id,
            detail={
                "user_id": actor.user_id,
                "kind": row.kind,
                "queue": row.queue or "",
                "then": row.then,
                "text": row.text_zh,
                "ends_at": row.ends_at.isoformat(),
            },
            session=session,
        )


async def _on(session: AsyncSession, now: datetime) -> Sequence[LineMessageRow]:
    query = (
        select(LineMessageRow)
        .where(LineMessageRow.ends_at > now, LineMessageRow.starts_at <= now)
        .where(or_(LineMessageRow.ended_at.is_(None), LineMessageRow.ended_at > now))
        .order_by(LineMessageRow.id)
        .limit(MOST_AT_ONCE + 1)
    )
    return (await session.scalars(query)).all()


def _text(given: str, field: str, most: int, *, needed: bool = True) -> str:
    text = " ".join(given.split())
    if len(text) > most or (needed and not text) or not text.isprintable():
        raise Invalid(f"{'1' if needed else '0'} to {most} characters", field=field)
    return text


def _shown(row: LineMessageRow) -> LineMessage:
    return LineMessage(
        message_id=row.id,
        kind=MessageKind(row.kind),
        queue=row.queue or "",
        text_zh=row.text_zh,
        text_en=row.text_en,
        then=Then(row.then),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        created_by=row.created_by,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
    )
