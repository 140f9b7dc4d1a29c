"""Forgets what nobody needs any more."""

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy import delete, or_, select
from sqlalchemy.exc import SQLAlchemyError

from crm.notices.domain import KEPT
from crm.notices.tables import MessageRate, Notice, NoticeRead, NoticeRecipient, OutgoingMessage
from kernel.clock import Clock
from kernel.db import Database

log = structlog.get_logger(__name__)

EVERY = timedelta(hours=1)
AT_ONCE = 500


class NoticeTidier:
    """Removes notices and finished messages after :data:`crm.notices.domain.KEPT`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def run(self) -> None:
        """Tidy once an hour until cancelled."""
        while True:
            try:
                while await self.run_once() >= AT_ONCE:
                    await asyncio.sleep(0)
            except (SQLAlchemyError, OSError) as error:
                log.warning("notices_tidy_failed", error=type(error).__name__)
            await asyncio.sleep(EVERY.total_seconds())

    async def run_once(self) -> int:
        """Remove a portion; return how many notices and messages it had."""
        now = self._clock.now()
        old = now - KEPT
        gone = or_(Notice.created_at < old, Notice.expires_at < old)
        finished = (OutgoingMessage.created_at < old, OutgoingMessage.due_at.is_(None))
        async with self._database.transaction() as session:
            notices = (await session.scalars(select(Notice.notice_id).where(gone).limit(AT_ONCE))).all()
            for table in (NoticeRecipient, NoticeRead, Notice):
                await session.execute(delete(table).where(table.notice_id.in_(notices)))
            query = select(OutgoingMessage.message_id).where(*finished).limit(AT_ONCE)
            messages = (await session.scalars(query)).all()
            await session.execute(delete(OutgoingMessage).where(OutgoingMessage.message_id.in_(messages)))
            await session.execute(
                delete(MessageRate).where(MessageRate.booked_until < now - timedelta(days=1))
            )
        return max(len(notices), len(messages))
