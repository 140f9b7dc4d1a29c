"""Gives notices, and lets people read theirs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.notices.domain import (
    KEY_LENGTH,
    Channel,
    NoticeRequest,
    Severity,
    Target,
    check_code,
    own_page,
    recipients,
    targets_of,
    tidy_parameters,
)
from crm.notices.events import NoticesChanged
from crm.notices.later import put_later
from crm.notices.messages import MessageQueue
from crm.notices.rules import shipped
from crm.notices.store import insert_new, once_committed
from crm.notices.tables import Notice, NoticeRead, NoticeRecipient, NoticeRule
from crm.tables import Department
from kernel.access import Actor, Role
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Invalid, NotFound
from kernel.ids import is_ulid, new_ulid

MOST_COUNTED = 100
"""A bell shows «99+» from there on; counting further would only cost."""
Which = Literal["all", "unread", "urgent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    """A notice as one person sees it; its words are made from code and parameters by whoever shows it."""

    notice_id: str
    code: str
    parameters: dict[str, str]
    link: str
    severity: Severity
    created_at: datetime
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class NoticePage:
    """Some of a person's notices, newest first, and where the next ones begin."""

    items: tuple[NoticeView, ...]
    next_cursor: str | None


class Notices:
    """Gives notices. What it writes is in the caller's transaction.

    Args:
        bus: told of new ones once they are committed.
    """

    def __init__(self, clock: Clock, bus: Bus, messages: MessageQueue) -> None:
        self._clock = clock
        self._bus = bus
        self._messages = messages

    async def give(self, session: AsyncSession, request: NoticeRequest) -> str | None:
        """Show a notice and queue its messages; return its id, ``None`` where there is nothing to do.

        Nothing is done when the key was given before, the rule is off, it means nobody, or it is for later.

        Raises:
            Invalid: a malformed code, key, link or recipient, or a code that no rule knows.
        """
        code, link = check_code(request.code), own_page(request.link)
        if not 1 <= len(request.key) <= KEY_LENGTH:
            raise Invalid(f"key: 1 to {KEY_LENGTH} characters", field="key")
        if request.not_before is not None and request.not_before > self._clock.now():
            await put_later(session, request)
            return None
        rule = await _rule(session, code)
        if not rule.active:
            return None
        meant = recipients((*rule.recipients, *request.also), request.party)
        targets = await _with_named_heads(session, meant)
        if not targets:
            return None
        notice_id, now = new_ulid(), self._clock.now()
        values = {
            "notice_id": notice_id,
            "code": code,
            "parameters": tidy_parameters(request.parameters),
            "link": link,
            "severity": rule.severity.value,
            "source_fact_id": request.fact_id,
            "dedupe_key": request.key,
            "created_at": now,
            "expires_at": request.expires_at,
        }
        if not await insert_new(session, Notice, values):
            return None
        for target in targets:
            await insert_new(session, NoticeRecipient, {"target": target.key, "notice_id": notice_id})
        await self._messages.send_to_people(session, request, targets, rule.channels, rule.severity)
        changed = NoticesChanged(at=now, targets=tuple(target.key for target in targets))
        once_committed(session, lambda: self._bus.publish(changed))
        return notice_id


@dataclass(frozen=True, slots=True)
class _Rule:
    recipients: tuple[str, ...]
    channels: tuple[Channel, ...]
    severity: Severity
    active: bool


async def _rule(session: AsyncSession, code: str) -> _Rule:
    """Return the rule in force: the stored one, or the shipped one while none is stored."""
    row = await session.get(NoticeRule, code)
    if row is not None:
        channels = tuple(Channel(item) for item in row.channels)
        return _Rule(tuple(row.recipients), channels, Severity(row.severity), row.active)
    known = shipped().notices.get(code)
    if known is None:
        raise Invalid(f"no rule for the code {code}", field="code")
    return _Rule(known.recipients, known.channels, known.severity, True)


async def _with_named_heads(session: AsyncSession, targets: Sequence[Target]) -> tuple[Target, ...]:
    """Add whom a department names as its head and deputy, where its head is meant.

    Their role may be another: customer service is led by the manager, and the captain is the deputy.
    """
    found = {target.key: target for target in targets}
    codes = [one.department for one in targets if one.department and one.role is Role.DEPARTMENT_HEAD]
    if codes:
        query = select(Department.head_user_id, Department.deputy_user_id).where(Department.code.in_(codes))
        named = [user_id for row in (await session.execute(query)).all() for user_id in row if user_id]
        found |= {one.key: one for one in map(Target, named)}
    return tuple(found.values())


async def seed_rules(session: AsyncSession) -> int:
    """Store the shipped rules that the database does not have yet; return how many. Edited ones stay."""
    added = 0
    for rule in shipped().notices.values():
        values: dict[str, Any] = {
            "code": rule.code,
            "recipients": list(rule.recipients),
            "channels": [channel.value for channel in rule.channels],
            "severity": rule.severity.value,
            "active": True,
            "version": 1,
        }
        added += await insert_new(session, NoticeRule, values)
    return added


class NoticeBoard:
    """A person's notices. Everybody reads their own; there is no way to anybody else's."""

    def __init__(self, database: Database, clock: Clock, bus: Bus) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus

    async def unread(self, actor: Actor) -> int:
        """Return how many are unread, at most :data:`MOST_COUNTED`."""
        mine = select(Notice.notice_id).where(*self._mine(actor), ~_is_read(actor)).limit(MOST_COUNTED)
        async with self._database.session() as session:
            return (await session.execute(select(func.count()).select_from(mine.subquery()))).scalar_one()

    async def page(
        self, actor: Actor, *, which: Which = "all", cursor: str | None = None, limit: int = 50
    ) -> NoticePage:
        """Return notices, newest first.

        Raises:
            Invalid: the cursor is none of ours.
        """
        if cursor is not None and not is_ulid(cursor):
            raise Invalid("cursor: not one of ours", field="cursor")
        query = self._query(actor)
        if which == "unread":
            query = query.where(~_is_read(actor))
        elif which == "urgent":
            query = query.where(Notice.severity == Severity.URGENT.value)
        if cursor is not None:
            query = query.where(Notice.notice_id < cursor)
        query = query.order_by(Notice.notice_id.desc()).limit(limit + 1)
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        items = tuple(_view(notice, read_at) for notice, read_at in rows[:limit])
        return NoticePage(items, items[-1].notice_id if len(rows) > limit else None)

    async def mark_read(self, actor: Actor, notice_id: str) -> NoticeView:
        """Note that the person has read one; once is enough.

        Raises:
            NotFound: there is none of theirs with that id.
        """
        async with self._database.transaction() as session:
            row = (
                await session.execute(self._query(actor).where(Notice.notice_id == notice_id))
            ).one_or_none()
            if row is None:
                raise NotFound("no such notice", field="notice_id")
            notice, read_at = row
            if read_at is None:
                read_at = self._clock.now()
                values = {"user_id": actor.user_id, "notice_id": notice_id, "read_at": read_at}
                await insert_new(session, NoticeRead, values)
                once_committed(session, self._tell(actor))
        return _view(notice, read_at)

    async def mark_all_read(self, actor: Actor, *, up_to: str | None = None) -> int:
        """Note that the person has read all; return how many were unread.

        Args:
            up_to: id of the newest that was shown; what has come since stays unread.
        """
        now = self._clock.now()
        async with self._database.transaction() as session:
            query = select(Notice.notice_id).where(*self._mine(actor), ~_is_read(actor))
            if up_to is not None:
                query = query.where(Notice.notice_id <= up_to)
            unread = (await session.scalars(query)).all()
            for notice_id in unread:
                values = {"user_id": actor.user_id, "notice_id": notice_id, "read_at": now}
                await insert_new(session, NoticeRead, values)
            if unread:
                once_committed(session, self._tell(actor))
        return len(unread)

    def _tell(self, actor: Actor) -> Callable[[], None]:
        """Return what tells the person's other pages."""
        changed = NoticesChanged(at=self._clock.now(), targets=(Target(user_id=actor.user_id).key,))
        return lambda: self._bus.publish(changed)

    def _query(self, actor: Actor) -> Select[Notice, datetime | None]:
        read = (NoticeRead.notice_id == Notice.notice_id) & (NoticeRead.user_id == actor.user_id)
        return select(Notice, NoticeRead.read_at).outerjoin(NoticeRead, read).where(*self._mine(actor))

    def _mine(self, actor: Actor) -> Sequence[ColumnElement[bool]]:
        targets = targets_of(actor.user_id, actor.role, actor.department)
        named = select(NoticeRecipient.notice_id).where(NoticeRecipient.target.in_(targets))
        return (
            Notice.notice_id.in_(named),
            or_(Notice.expires_at.is_(None), Notice.expires_at > self._clock.now()),
        )


def _is_read(actor: Actor) -> ColumnElement[bool]:
    return (
        select(literal(1))
        .where(NoticeRead.notice_id == Notice.notice_id, NoticeRead.user_id == actor.user_id)
        .correlate(Notice)
        .exists()
    )


def _view(notice: Notice, read_at: datetime | None) -> NoticeView:
    return NoticeView(
        notice_id=notice.notice_id,
        code=notice.code,
        parameters=dict(notice.parameters),
        link=notice.link,
        severity=Severity(notice.severity),
        created_at=notice.created_at,
        read_at=read_at,
    )
