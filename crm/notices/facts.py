"""Which facts people hear about: one entry per kind of fact. Facts without an entry are ignored.

An entry turns a fact into a :class:`~crm.notices.domain.NoticeRequest`, or into ``None`` where nobody need
hear of it. Names that a fact has only the id of are looked up here.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from crm.events_limits import LimitBreached, LimitEscalated, LimitFact, LimitRed, LimitWarned
from crm.notices.domain import NoticeRequest, Party
from crm.notices.events import MessageFailed, NoticeWanted
from crm.notices.service import Notices
from crm.tables import Department
from kernel.errors import Invalid
from kernel.events import Event

log = structlog.get_logger(__name__)

Entry = Callable[[AsyncSession, Any], Awaitable[NoticeRequest | None]]


async def _wanted(_: AsyncSession, fact: NoticeWanted) -> NoticeRequest:
    return NoticeRequest(
        code=fact.code,
        key=fact.key or fact.event_id,
        parameters=fact.parameters,
        link=fact.link,
        party=Party(
            owner_user_id=fact.owner_user_id,
            owner_department=fact.owner_department,
            specialist_user_id=fact.specialist_user_id,
        ),
        also=fact.also,
        fact_id=fact.event_id,
        expires_at=fact.expires_at,
    )


async def _message_failed(_: AsyncSession, fact: MessageFailed) -> NoticeRequest | None:
    if fact.code == "message.failed":
        return None  # a channel that cannot tell of its own failure must not try for ever
    return NoticeRequest(
        code="message.failed",
        # Once a day for each kind of trouble, not once for each message.
        key=f"message.failed|{fact.channel}|{fact.error[:80]}|{fact.at:%Y%m%d}",
        parameters={"channel": fact.channel, "error": fact.error},
        link="/notices/outgoing",
        fact_id=fact.event_id,
    )


LINKS = {"complaint": "/complaints/{}", "repair": "/repairs/{}", "ticket": "/tickets/{}"}
"""Kind of a record → its page."""
MESSAGE_FROM_PERCENT = 80
"""Earlier warning points only colour the owner's list (domain.md §0)."""


async def _limit_warned(session: AsyncSession, fact: LimitWarned) -> NoticeRequest | None:
    if fact.percent < MESSAGE_FROM_PERCENT:
        return None
    return await _about_limit(session, fact, "limit.warned", percent=fact.percent)


async def _limit_breached(session: AsyncSession, fact: LimitBreached) -> NoticeRequest:
    return await _about_limit(session, fact, "limit.breached")


async def _limit_red(session: AsyncSession, fact: LimitRed) -> NoticeRequest:
    return await _about_limit(session, fact, "limit.red")


async def _limit_escalated(session: AsyncSession, fact: LimitEscalated) -> NoticeRequest:
    return await _about_limit(session, fact, "limit.escalated")


async def _about_limit(session: AsyncSession, fact: LimitFact, code: str, **further: object) -> NoticeRequest:
    department = await session.get(Department, fact.department) if fact.department else None
    return NoticeRequest(
        code=code,
        # A limit that was moved (a re-opened record, a corrected start) may come to the same point again.
        key=f"{code}|{fact.timer_id}|{fact.due_at:%Y%m%dT%H%M%S}|{further.get('percent', '')}",
        parameters={
            "no": fact.record_no or fact.record_id,
            "limit": fact.code,
            "due_at": fact.due_at.isoformat(),
            "department": department.name if department else fact.department,
            **further,
        },
        link=LINKS[fact.record_kind].format(fact.record_id) if fact.record_kind in LINKS else "",
        party=Party(
            owner_user_id=fact.user_id,
            owner_department=fact.department,
            specialist_user_id=fact.specialist,
        ),
        fact_id=fact.event_id,
    )


ENTRIES: Mapping[type[Event], Entry] = {
    NoticeWanted: _wanted,
    MessageFailed: _message_failed,
    LimitWarned: _limit_warned,
    LimitBreached: _limit_breached,
    LimitRed: _limit_red,
    LimitEscalated: _limit_escalated,
}


class NoticeFacts:
    """The receiver of facts; :attr:`types` are those it has an entry for."""

    def __init__(self, notices: Notices, entries: Mapping[type[Event], Entry] = ENTRIES) -> None:
        self._notices = notices
        self._entries = entries

    @property
    def types(self) -> tuple[type[Event], ...]:
        """Return what to subscribe to."""
        return tuple(self._entries)

    async def take(self, session: AsyncSession, fact: Event) -> None:
        """Give the notice that a fact calls for, in the consumer's transaction.

        A fact that cannot become a notice is logged and let go: it would hold up all that come after it.
        """
        entry = self._entries.get(type(fact))
        if entry is None:
            return
        try:
            request = await entry(session, fact)
            if request is not None:
                await self._notices.give(session, request)
        except Invalid as error:
            log.error("notice_refused", fact=type(fact).__name__, event_id=fact.event_id, error=error.message)
