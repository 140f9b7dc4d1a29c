"""Which facts people hear about: one entry per kind of fact. Facts without an entry are ignored.

An entry turns a fact into a :class:`~crm.notices.domain.NoticeRequest`, or into ``None`` where nobody need
hear of it. What the texts call ``no``, ``customer`` and ``department`` is looked up here, so that facts need
carry no more than ids.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from crm.notices.domain import NoticeRequest, Party
from crm.notices.events import MessageFailed, NoticeWanted
from crm.notices.service import Notices
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


ENTRIES: Mapping[type[Event], Entry] = {NoticeWanted: _wanted, MessageFailed: _message_failed}


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
