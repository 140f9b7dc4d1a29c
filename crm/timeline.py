"""The customer's time line: calls, cases, callbacks, messages, visits, payments, newest first."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from crm.confidential import HIDDEN, texts_hidden
from crm.tables import CallNote, Contact, Customer, ServiceCase
from kernel.access import Actor, Permission
from kernel.db import Database
from kernel.errors import Invalid, NotFound
from kernel.ids import is_ulid, new_ulid

MAX_LIMIT = 200
MAX_REF = 40
MAX_RESULT = 32


class Channel(StrEnum):
    """How the customer and the company met."""

    CALL = "call"
    CASE = "case"
    CALLBACK = "callback"
    MESSAGE = "message"
    VISIT = "visit"
    PAYMENT = "payment"
    VOICEMAIL = "voicemail"
    """A message after the tone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One entry.

    Attributes:
        ref: what it is about: id of the call, the case, the callback, the message, the visit, the payment.
        notes: what the agent wrote about a call.
        detail: what the channel knows besides; never a telephone number.
    """

    entry_id: str
    at: datetime
    channel: str
    direction: str
    ref: str
    result: str | None
    agent: str | None
    queue: str | None
    disposition: str | None
    notes: str | None
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """Entries, newest first; ``next_cursor`` is the ``before`` of the next page."""

    items: tuple[TimelineEntry, ...]
    next_cursor: str | None


async def add(
    session: AsyncSession,
    customer_id: str,
    *,
    at: datetime,
    channel: Channel,
    direction: str,
    ref: str,
    result: str | None = None,
    detail: dict[str, Any] | None = None,
    agent: str | None = None,
) -> None:
    """Put something on a customer's time line, in the caller's transaction.

    The same thing (channel, ref, customer) put there again stays one entry, as it was said last.

    Args:
        direction: ``in``, ``out`` or ``internal``.

    Raises:
        Invalid: the ref is empty or longer than :data:`MAX_REF`.
    """
    if not 0 < len(ref) <= MAX_REF:
        raise Invalid(f"1 to {MAX_REF} characters", field="ref")
    values = {
        "at": at,
        "direction": direction,
        "result": result[:MAX_RESULT] if result else None,
        "agent": agent[:60] if agent else None,
        "detail": detail or {},
    }
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    new = insert(Contact).values(
        id=new_ulid(), customer_id=customer_id, channel=channel.value, ref=ref, **values
    )
    await session.execute(
        new.on_conflict_do_update(index_elements=["channel", "ref", "customer_id"], set_=values)
    )


async def settle(session: AsyncSession, channel: Channel, ref: str, result: str, at: datetime) -> None:
    """Say what became of something that is on time lines already, and when, in the caller's transaction."""
    await session.execute(
        update(Contact)
        .where(Contact.channel == channel.value, Contact.ref == ref)
        .values(result=result[:MAX_RESULT], at=at)
    )


class Timeline:
    """Shows time lines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        actor: Actor,
        customer_id: str,
        *,
        before: str | None = None,
        limit: int = 50,
        channels: Collection[Channel] | None = None,
    ) -> TimelinePage:
        """Return a page, newest first.

        Args:
            before: ``next_cursor`` of the page before.
            channels: only these; all when ``None``.

        Raises:
            Forbidden: the actor may not see customers.
            NotFound: there is no such customer.
            Invalid: ``before`` is no entry of this time line.
        """
        actor.need(Permission.CUSTOMERS_VIEW)
        limit = max(1, min(limit, MAX_LIMIT))
        query = (
            select(Contact, CallNote, texts_hidden(actor))
            .outerjoin(
                ServiceCase,
                and_(Contact.channel == Channel.CASE.value, ServiceCase.id == Contact.ref),
            )
            .outerjoin(
                CallNote,
                and_(Contact.channel == Channel.CALL.value, CallNote.call_id == Contact.ref),
            )
            .where(Contact.customer_id == customer_id)
            # A call from a shared number is on nobody else's once the agent has said whose it was.
            .where(or_(CallNote.customer_id.is_(None), CallNote.customer_id == customer_id))
        )
        if channels is not None:
            query = query.where(Contact.channel.in_([channel.value for channel in channels]))
        async with self._database.session() as session:
            if await session.get(Customer, customer_id) is None:
                raise NotFound("no such customer", field="customer_id")
            if before is not None:
                mark = await session.get(Contact, before) if is_ulid(before) else None
                if mark is None or mark.customer_id != customer_id:
                    raise Invalid("not a cursor of this list", field="before")
                older = or_(Contact.at < mark.at, and_(Contact.at == mark.at, Contact.id < mark.id))
                query = query.where(older)
            query = query.order_by(Contact.at.desc(), Contact.id.desc()).limit(limit + 1)
            rows = (await session.execute(query)).all()
        items = tuple(_entry(contact, note, hidden=bool(hidden)) for contact, note, hidden in rows[:limit])
        return TimelinePage(items, items[-1].entry_id if len(rows) > limit else None)


def _entry(row: Contact, note: CallNote | None, *, hidden: bool) -> TimelineEntry:
    return TimelineEntry(
        entry_id=row.id,
        at=row.at,
        channel=row.channel,
        direction=row.direction,
        ref=row.ref,
        result=row.result,
        agent=row.agent,
        queue=row.queue,
        disposition=note.disposition if note else None,
        notes=note.notes if note else None,
        detail=row.detail | ({"summary": HIDDEN} if hidden and row.detail.get("summary") else {}),
    )
