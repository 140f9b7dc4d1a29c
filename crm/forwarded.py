"""Orders that another hotline forwards, whatever case they became (95598 closed loop, domain.md §1.13).

Who registers such a case is the person first asked 首问负责人 and stays responsible for the reply. Every kind
asks :func:`guard` before it is closed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import CaseRegister, CaseView, tidy_text
from crm.complaint_tables import Complaint
from crm.domain.case import CaseKind, Source
from crm.domain.forwarded import (
    NoReplyOwed,
    ReplyWay,
    check_replied,
    check_reply_time,
    reply_owed,
)
from crm.events_tickets import SourceReplied
from crm.forwarded_tables import SourceReply
from crm.journal import Journal
from crm.limit_views import TimerState
from crm.limits import LimitBook, Owner, RecordRef, TimerView
from crm.tables import ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database
from kernel.errors import NotFound
from kernel.ids import new_ulid
from kernel.outbox import add_fact

MAX_REPLY = 2000
MAX_TOLD = 40
MAX_PAGE = 200
LIMIT = "FO.REPLY"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReply:
    """What a forwarding hotline was told.

    Attributes:
        told: who took it there: a name, a staff number.
        replied_at: now unless given.
    """

    way: ReplyWay
    text: str
    told: str = ""
    replied_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyView:
    """A reply."""

    case_id: str
    replied_at: datetime
    replied_by: str
    way: ReplyWay
    told: str
    text: str
    noted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardedView:
    """A forwarded order; ``limit`` is the time for the reply, ``responsible`` the person first asked."""

    case: CaseView
    responsible: str | None
    responsible_id: str | None
    owed: bool
    limit: TimerView | None
    reply: ReplyView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardedPage:
    """A page of forwarded orders."""

    items: tuple[ForwardedView, ...]
    next_cursor: str | None


def owes_reply(header: ServiceCase | CaseView) -> bool:
    """Tell whether the hotline that forwarded a case still waits."""
    return reply_owed(header.source, header.external_no, header.replied_to_source_at)


def guard(header: ServiceCase | CaseView) -> None:
    """Refuse to close a forwarded case without a reply. Raises ReplyOwed."""
    check_replied(header.source, header.external_no, header.replied_to_source_at)


async def received(
    book: LimitBook,
    session: AsyncSession,
    header: ServiceCase,
    *,
    at: datetime,
    demanded: timedelta | None = None,
) -> None:
    """Start the time for the reply of a case that was forwarded; others are left alone.

    Args:
        demanded: what the order itself demands instead of the company's limit.
    """
    if header.source == Source.HOTLINE_FORWARD.value and header.external_no:
        await book.start(session, LIMIT, _record(header), at=at, owner=_owner(header), amount=demanded)


async def replied(book: LimitBook, session: AsyncSession, header: ServiceCase, at: datetime) -> None:
    """The hotline was told: stop the time for the reply."""
    header.replied_to_source_at = at
    await book.stop(session, LIMIT, _record(header), at=at)


async def record_reply(
    book: LimitBook,
    session: AsyncSession,
    actor: Actor,
    header: ServiceCase,
    new: NewReply,
    *,
    now: datetime,
) -> SourceReply:
    """Store what the hotline was told; the caller writes the journal.

    Raises:
        NoReplyOwed: nobody forwarded the case, or it was told already.
        Invalid: no text, or a time that cannot be.
    """
    text = tidy_text(new.text, field="text", limit=MAX_REPLY)
    told = " ".join(tidy_text(new.told, field="told", limit=MAX_TOLD, required=False).split())
    if not owes_reply(header):
        raise NoReplyOwed("no hotline waits for a reply", field="case_id")
    at = new.replied_at or now
    check_reply_time(at, opened_at=header.opened_at, now=now)
    row = SourceReply(
        id=new_ulid(),
        case_id=header.id,
        replied_at=at,
        replied_by=actor.name,
        replied_by_id=actor.user_id,
        way=new.way.value,
        told=told,
        text=text,
        noted_at=now,
    )
    session.add(row)
    if header.kind == CaseKind.COMPLAINT.value:
        complaint = await session.get(Complaint, header.id)
        if complaint is not None:
            complaint.reply_text, complaint.replied_by = text, actor.name
    header.updated_at = now
    await replied(book, session, header, at)
    await session.flush()
    add_fact(
        session,
        SourceReplied(
            at=now,
            case_id=header.id,
            no=header.no,
            kind=header.kind,
            external_no=header.external_no or "",
            way=row.way,
            replied_by=actor.name,
            specialist_id=header.specialist_id,
        ),
    )
    return row


class ForwardedOrders:
    """Replies to forwarding hotlines, and the list of those that wait."""

    def __init__(
        self, database: Database, clock: Clock, register: CaseRegister, journal: Journal, limits: LimitBook
    ) -> None:
        self._database = database
        self._clock = clock
        self._register = register
        self._journal = journal
        self._limits = limits

    async def reply(self, actor: Actor, case_id: str, expected: int, new: NewReply) -> ForwardedView:
        """Note what the hotline was told of a complaint, a repair or a ticket.

        Raises:
            Forbidden: the role registers no cases.
            NotFound: no such case.
            NoReplyOwed: nobody forwarded it, or it was told already.
            StaleVersion: somebody changed the case since.
            Invalid: no text, or a time that cannot be.
        """
        actor.need(Permission.CASES_REGISTER)
        now = self._clock.now()
        async with self._database.transaction() as session:
            kind = await session.scalar(select(ServiceCase.kind).where(ServiceCase.id == case_id))
            if kind is None:
                raise NotFound("no such case", field="case_id")
            header = await self._register.load(
                session, actor, case_id, kind=CaseKind(kind), expected=expected
            )
            row = await record_reply(self._limits, session, actor, header, new, now=now)
            await self._journal.note(
                session,
                actor,
                "source.replied",
                entity=header.kind,
                entity_id=case_id,
                after={"external_no": header.external_no, "way": row.way, "replied_at": row.replied_at},
            )
            return (await self._views(session, actor, ServiceCase.id == case_id, limit=1))[0]

    async def get(self, actor: Actor, case_id: str) -> ForwardedView:
        """Return a forwarded order with its reply.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such case, none that the actor may see, or nobody forwarded it.
        """
        actor.need(Permission.CASES_VIEW)
        async with self._database.session() as session:
            found = await self._views(session, actor, ServiceCase.id == case_id, *_FORWARDED, limit=1)
        if not found:
            raise NotFound("no such forwarded order", field="case_id")
        return found[0]

    async def page(
        self,
        actor: Actor,
        *,
        owed: bool | None = True,
        mine: bool = False,
        cursor: str | None = None,
        limit: int = 50,
    ) -> ForwardedPage:
        """Return forwarded orders, newest first.

        Args:
            owed: those whose hotline waits, those that were told, or all with ``None``.
            mine: only those for which the actor is responsible.

        Raises:
            Forbidden: the role sees no cases.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.CASES_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        chosen = list(_FORWARDED)
        if owed is not None:
            told = ServiceCase.replied_to_source_at
            chosen.append(told.is_(None) if owed else told.is_not(None))
        if mine:
            chosen.append(ServiceCase.specialist_id == actor.user_id)
        if cursor is not None:
            at, key = read_cursor(cursor)
            same = and_(ServiceCase.opened_at == at, ServiceCase.id < key)
            chosen.append(or_(ServiceCase.opened_at < at, same))
        async with self._database.session() as session:
            found = await self._views(session, actor, *chosen, limit=limit + 1)
        more = len(found) > limit
        last = found[limit - 1].case if more else None
        return ForwardedPage(
            items=tuple(found[:limit]),
            next_cursor=write_cursor(last.opened_at, last.case_id) if last else None,
        )

    async def _views(
        self, session: AsyncSession, actor: Actor, *chosen: ColumnElement[bool], limit: int
    ) -> list[ForwardedView]:
        cases = await self._register.views(session, actor, *chosen, limit=limit)
        ids = [case.case_id for case in cases]
        timers = await self._limits.timers(session, ids)
        rows = await session.scalars(select(SourceReply).where(SourceReply.case_id.in_(ids)))
        replies = {row.case_id: _reply(row) for row in rows}
        found: list[ForwardedView] = []
        for case in cases:
            # A ticket's order that became a complaint has one that was void at once as well.
            mine = [
                timer
                for timer in timers[case.case_id]
                if timer.code == LIMIT and timer.state is not TimerState.VOID
            ]
            found.append(
                ForwardedView(
                    case=case,
                    responsible=case.specialist,
                    responsible_id=case.specialist_id,
                    owed=owes_reply(case),
                    limit=mine[-1] if mine else None,
                    reply=replies.get(case.case_id),
                )
            )
        return found


_FORWARDED = (
    ServiceCase.source == Source.HOTLINE_FORWARD.value,
    ServiceCase.external_no.is_not(None),
)


def _record(header: ServiceCase) -> RecordRef:
    return RecordRef(header.kind, header.id, "", header.no)


def _owner(header: ServiceCase) -> Owner:
    return Owner(user_id=header.specialist_id, specialist=header.specialist_id)


def _reply(row: SourceReply) -> ReplyView:
    return ReplyView(
        case_id=row.case_id,
        replied_at=row.replied_at,
        replied_by=row.replied_by,
        way=ReplyWay(row.way),
        told=row.told,
        text=row.text,
        noted_at=row.noted_at,
    )
