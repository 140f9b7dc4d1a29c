"""Links that show a hand-off's sheet to whoever has them, for a day, without signing in (domain.md §2.3).

What such a link shows is what somebody of the department sees, never a whole number, and nothing about
integrity. It ends with its day, when it is revoked, when the hand-off is sent back, with the case, and when
who made it may not see the hand-off any more.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.complaint_tables import CaseHandoff
from crm.complaint_views import HandoffSheet
from crm.domain.case import mask_numbers
from crm.domain.handoff import HandoffState
from crm.handoff_link_tables import HandoffLinkRow
from crm.handoffs import Handoffs
from crm.journal import Journal
from crm.members import Members
from crm.tables import ServiceCase
from kernel.access import Actor, Permission, Role
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, NotFound
from kernel.ids import is_ulid, new_ulid

LASTS = timedelta(hours=24)
MAX_LIVE = 10
"""Links to one hand-off at a time."""
_SECRET_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class NoLink(Forbidden):
    """There are no links to hand-offs about integrity."""

    code = "no_link"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """A link as it is listed: everything but its secret."""

    link_id: str
    handoff_id: str
    made_at: datetime
    made_by: str
    expires_at: datetime
    revoked_at: datetime | None
    opened: int
    last_opened_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeLink:
    """A link just made. ``token`` is shown once and is not stored."""

    link: LinkView
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSheet:
    """What a link shows, and until when."""

    sheet: HandoffSheet
    expires_at: datetime


class HandoffLinks:
    """Makes, lists, revokes and opens links."""

    def __init__(
        self, database: Database, clock: Clock, journal: Journal, handoffs: Handoffs, members: Members
    ) -> None:
        self._database = database
        self._clock = clock
        self._journal = journal
        self._handoffs = handoffs
        self._members = members

    async def make(self, actor: Actor, handoff_id: str) -> MadeLink:
        """Make a link to a hand-off that the actor sees.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such hand-off, or none that the actor may see.
            NoLink: it is about integrity.
            Conflict: it was sent back, its case is closed, or it has as many links as may be.
        """
        await self._seen(actor, handoff_id)
        now, token = self._clock.now(), secrets.token_urlsafe(_SECRET_BYTES)
        async with self._database.transaction() as session:
            handoff = await session.get(CaseHandoff, handoff_id, with_for_update=True)
            if handoff is None or handoff.confidential:
                raise NoLink("there are no links to hand-offs about integrity", field="handoff_id")
            if not await self._goes_on(session, handoff):
                raise Conflict("it was sent back, or its case is closed", field="handoff_id")
            many = await session.scalar(
                select(func.count()).select_from(HandoffLinkRow).where(*_live(handoff_id, now))
            )
            if (many or 0) >= MAX_LIVE:
                raise Conflict(f"it has {many} links; revoke one first", field="handoff_id")
            row = HandoffLinkRow(
                id=new_ulid(),
                token_hash=_hash(token),
                handoff_id=handoff_id,
                made_at=now,
                made_by=actor.name,
                made_by_id=actor.user_id,
                expires_at=now + LASTS,
            )
            session.add(row)
            await session.flush()
            await self._journal.note(
                session,
                actor,
                "handoff_link.made",
                entity="case_handoff",
                entity_id=handoff_id,
                after={"link_id": row.id, "expires_at": row.expires_at},
            )
            return MadeLink(link=_view(row), token=token)

    async def live(self, actor: Actor, handoff_id: str) -> tuple[LinkView, ...]:
        """Return the links to a hand-off that still open, newest first. Raises Forbidden and NotFound."""
        await self._seen(actor, handoff_id)
        query = (
            select(HandoffLinkRow)
            .where(*_live(handoff_id, self._clock.now()))
            .order_by(HandoffLinkRow.id.desc())
        )
        async with self._database.session() as session:
            return tuple(_view(row) for row in await session.scalars(query))

    async def revoke(self, actor: Actor, link_id: str) -> LinkView:
        """End a link to a hand-off that the actor sees; one that has ended stays as it is.

        Raises:
            Forbidden: the role sees no cases.
            NotFound: no such link, or to nothing that the actor may see.
        """
        actor.need(Permission.CASES_VIEW)
        async with self._database.session() as session:
            found = await session.get(HandoffLinkRow, link_id) if is_ulid(link_id) else None
        if found is None:
            raise NotFound("no such link", field="link_id")
        await self._seen(actor, found.handoff_id)
        async with self._database.transaction() as session:
            row = await session.get_one(HandoffLinkRow, link_id, with_for_update=True)
            if row.revoked_at is None and row.expires_at > self._clock.now():
                row.revoked_at, row.revoked_by = self._clock.now(), actor.name
                await session.flush()
                await self._journal.note(
                    session,
                    actor,
                    "handoff_link.revoked",
                    entity="case_handoff",
                    entity_id=row.handoff_id,
                    after={"link_id": row.id},
                )
            return _view(row)

    async def open(self, token: str, *, ip: str) -> SharedSheet:
        """Return what a link shows; that it was opened, and from where, is noted.

        Raises:
            NotFound: there is no such link, or it has ended; which of them is not said.
        """
        gone = NotFound("this link does not open anything", field="token")
        if _TOKEN.fullmatch(token) is None:
            raise gone
        now = self._clock.now()
        await self._maker_sees(_hash(token), gone)
        async with self._database.transaction() as session:
            query = select(HandoffLinkRow).where(HandoffLinkRow.token_hash == _hash(token))
            row = (await session.execute(query.with_for_update())).scalar_one_or_none()
            if row is None or row.revoked_at is not None or row.expires_at <= now:
                raise gone
            handoff = await session.get_one(CaseHandoff, row.handoff_id)
            if handoff.confidential or not await self._goes_on(session, handoff):
                raise gone
            row.opened, row.last_opened_at = row.opened + 1, now
            # Whoever has the link sees what the people of the department see.
            reader = Actor(
                user_id=row.id,
                name="link",
                role=Role.DEPARTMENT_MEMBER,
                department=handoff.department_code,
                ip=ip,
            )
            handoff_id, expires_at = row.handoff_id, row.expires_at
            await session.flush()
            await self._journal.note(
                session,
                reader,
                "handoff_link.opened",
                entity="case_handoff",
                entity_id=handoff_id,
                after={"link_id": row.id, "made_by": row.made_by},
            )
        sheet = await self._handoffs.sheet(reader, handoff_id, whole_number=False)
        return SharedSheet(sheet=_covered(sheet), expires_at=expires_at)

    async def _maker_sees(self, token_hash: str, gone: NotFound) -> None:
        """Raise ``gone`` unless who made the link still works here and sees the hand-off."""
        async with self._database.session() as session:
            query = select(HandoffLinkRow).where(HandoffLinkRow.token_hash == token_hash)
            row = (await session.execute(query)).scalar_one_or_none()
            maker = await self._members.actor(session, row.made_by_id) if row is not None else None
        if row is None or maker is None:
            raise gone
        try:
            await self._seen(maker, row.handoff_id)
        except (NotFound, Forbidden) as error:
            raise gone from error

    async def _seen(self, actor: Actor, handoff_id: str) -> None:
        await self._handoffs.sheet(actor, handoff_id, whole_number=False)

    async def _goes_on(self, session: AsyncSession, handoff: CaseHandoff) -> bool:
        header = await session.get_one(ServiceCase, handoff.case_id)
        return header.closed_at is None and handoff.state != HandoffState.REJECTED.value


def _live(handoff_id: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    row = HandoffLinkRow
    return (row.handoff_id == handoff_id, row.revoked_at.is_(None), row.expires_at > now)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _covered(sheet: HandoffSheet) -> HandoffSheet:
    """Return a sheet without numbers in its texts, the drawn signature, and where it was signed."""
    return replace(
        sheet,
        strokes=(),
        handoff=replace(
            sheet.handoff,
            note=mask_numbers(sheet.handoff.note),
            reject_reason=None,
            received_ip="",
        ),
        content=mask_numbers(sheet.content),
        demand=mask_numbers(sheet.demand),
        cause=mask_numbers(sheet.cause),
        records=tuple(
            replace(record, who=mask_numbers(record.who), done=mask_numbers(record.done), photos=())
            for record in sheet.records
        ),
    )


def _view(row: HandoffLinkRow) -> LinkView:
    return LinkView(
        link_id=row.id,
        handoff_id=row.handoff_id,
        made_at=row.made_at,
        made_by=row.made_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        opened=row.opened,
        last_opened_at=row.last_opened_at,
    )
