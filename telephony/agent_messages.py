"""Words of a supervisor to an agent or to all, shown on the page until they say that they have read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.access import Actor, Permission
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import Conflict, Invalid, NotFound, TooMany
from kernel.ids import is_ulid, new_ulid
from telephony.agent_message_tables import AgentMessageReceiptRow, AgentMessageRow
from telephony.agent_tables import AgentRow, AgentSessionRow

LONGEST = 300
SHOWN = timedelta(hours=24)
"""An older message is shown to nobody any more."""
KEPT = timedelta(days=30)
PER_HOUR = 60
MOST_SHOWN = 20
MOST_SENT = 50


class NobodyAtWork(Conflict):
    """No agent has signed in: nobody would read it."""

    code = "nobody_at_work"


class TooManyMessages(TooMany):
    """So many messages within an hour are read by nobody."""

    code = "too_many_messages"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """A message as its agent sees it."""

    message_id: str
    text: str
    by: str
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """An agent a message is for; ``confirmed_at`` is ``None`` until they have read it."""

    agent_id: str
    number: str
    name: str
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMessage(MessageView):
    """A message as supervisors see it."""

    to_all: bool
    receipts: tuple[Receipt, ...]


class AgentMessages:
    """Sends and confirms. Safe to use from many tasks and processes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._audit = AuditLog(database, clock)

    async def send(self, actor: Actor, text: str, *, agent_id: str | None = None) -> SentMessage:
        """Send to one agent, at work or not, or to all who are at work.

        Raises:
            Forbidden: the role may not direct agents.
            Invalid: empty, or too long.
            NotFound: no such agent.
            NobodyAtWork, TooManyMessages: as they say.
        """
        actor.need(Permission.AGENTS_DIRECT)
        text = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
        if not 0 < len(text) <= LONGEST:
            raise Invalid(f"a message has 1 to {LONGEST} characters", field="text")
        now = self._clock.now()
        async with self._database.transaction() as session:
            await self._check_rate(session, actor, now)
            people = await self._readers(session, agent_id)
            row = AgentMessageRow(
                message_id=new_ulid(),
                text=text,
                by=actor.name[:80],
                by_id=actor.user_id[:26],
                to_all=agent_id is None,
                sent_at=now,
            )
            session.add(row)
            await session.flush()
            session.add_all(
                AgentMessageReceiptRow(message_id=row.message_id, agent_id=one.agent_id) for one in people
            )
            await session.execute(delete(AgentMessageRow).where(AgentMessageRow.sent_at < now - KEPT))
            await session.flush()
            await self._audit.record(
                "agent.message_sent",
                actor=actor.name,
                ip=actor.ip,
                entity="agent_message",
                entity_id=row.message_id,
                detail={"agents": [one.number for one in people], "to_all": row.to_all},
                session=session,
            )
            receipts = tuple(
                Receipt(agent_id=one.agent_id, number=one.number, name=one.name, confirmed_at=None)
                for one in people
            )
            return _sent(row, receipts)

    async def unread(self, agent_id: str) -> tuple[MessageView, ...]:
        """Return what an agent has not confirmed, oldest first."""
        query = (
            select(AgentMessageRow)
            .join(AgentMessageReceiptRow, AgentMessageReceiptRow.message_id == AgentMessageRow.message_id)
            .where(
                AgentMessageReceiptRow.agent_id == agent_id,
                AgentMessageReceiptRow.confirmed_at.is_(None),
                AgentMessageRow.sent_at > self._clock.now() - SHOWN,
            )
            .order_by(AgentMessageRow.message_id)
            .limit(MOST_SHOWN)
        )
        async with self._database.session() as session:
            rows = await session.scalars(query)
            return tuple(
                MessageView(message_id=row.message_id, text=row.text, by=row.by, sent_at=row.sent_at)
                for row in rows
            )

    async def confirm(self, actor: Actor, agent_id: str, message_id: str) -> None:
        """Take that an agent has read a message; the first time counts.

        Raises:
            Forbidden: the role takes no calls.
            NotFound: there is no such message for the agent.
        """
        actor.need(Permission.DESK_USE)
        async with self._database.transaction() as session:
            row = None
            if is_ulid(message_id):
                key = (message_id, agent_id)
                row = await session.get(AgentMessageReceiptRow, key, with_for_update=True)
            if row is None:
                raise NotFound("no such message", field="message_id")
            if row.confirmed_at is not None:
                return
            row.confirmed_at = self._clock.now()
            await session.flush()
            await self._audit.record(
                "agent.message_read",
                actor=actor.name,
                ip=actor.ip,
                entity="agent_message",
                entity_id=message_id,
                session=session,
            )

    async def sent(self, actor: Actor) -> tuple[SentMessage, ...]:
        """Return the newest messages with who has read them. Raises Forbidden."""
        actor.need(Permission.AGENTS_DIRECT)
        newest = select(AgentMessageRow).order_by(AgentMessageRow.message_id.desc()).limit(MOST_SENT)
        async with self._database.session() as session:
            rows = (await session.scalars(newest)).all()
            query = (
                select(AgentMessageReceiptRow, AgentRow.number, AgentRow.name)
                .join(AgentRow, AgentRow.agent_id == AgentMessageReceiptRow.agent_id)
                .where(AgentMessageReceiptRow.message_id.in_([row.message_id for row in rows]))
                .order_by(AgentRow.number)
            )
            receipts: dict[str, list[Receipt]] = {}
            for row, number, name in await session.execute(query):
                one = Receipt(agent_id=row.agent_id, number=number, name=name, confirmed_at=row.confirmed_at)
                receipts.setdefault(row.message_id, []).append(one)
        return tuple(_sent(row, tuple(receipts.get(row.message_id, ()))) for row in rows)

    async def _check_rate(self, session: AsyncSession, actor: Actor, now: datetime) -> None:
        query = select(func.count()).where(
            AgentMessageRow.by_id == actor.user_id[:26], AgentMessageRow.sent_at > now - timedelta(hours=1)
        )
        if (await session.scalar(query) or 0) >= PER_HOUR:
            raise TooManyMessages(f"at most {PER_HOUR} messages an hour: wait a while", field="text")

    @staticmethod
    async def _readers(session: AsyncSession, agent_id: str | None) -> Sequence[AgentRow]:
        query = select(AgentRow).where(AgentRow.active).order_by(AgentRow.number)
        if agent_id is not None:
            people = (await session.scalars(query.where(AgentRow.agent_id == agent_id))).all()
            if not people:
                raise NotFound("no such agent", field="agent_id")
            return people
        joined = query.join(AgentSessionRow, AgentSessionRow.agent_id == AgentRow.agent_id)
        people = (await session.scalars(joined.where(AgentSessionRow.signed_in))).all()
        if not people:
            raise NobodyAtWork("no agent has signed in: nobody would read it", field="agent_id")
        return people


def _sent(row: AgentMessageRow, receipts: tuple[Receipt, ...]) -> SentMessage:
    return SentMessage(
        message_id=row.message_id,
        text=row.text,
        by=row.by,
        sent_at=row.sent_at,
        to_all=row.to_all,
        receipts=receipts,
    )
