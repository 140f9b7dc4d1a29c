"""What agents write about their calls: validation and storage, on the caller's session."""

import re
import unicodedata
from dataclasses import fields
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import Invalid, NotFound
from kernel.ids import is_ulid
from kernel.outbox import add_fact
from telephony.agent_records import table_of
from telephony.agent_seeds import is_code
from telephony.agent_tables import AgentRow, AgentSessionRow, WrapUpRow
from telephony.agent_views import WrapUpView
from telephony.dispositions import read_tree
from telephony.domain.disposition import Need
from telephony.events import DispositionSaved

MAX_NOTES = 2000
TURNERS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
CUSTOMER_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


# What pages ask for at every call: plain columns, and made once.
WRAP_UP = table_of(WrapUpRow)
_VIEWS = select(*(WRAP_UP.c[field.name] for field in fields(WrapUpView))).where(
    WRAP_UP.c.agent_id == bindparam("agent_id")
)
_ONE = _VIEWS.where(WRAP_UP.c.call_id == bindparam("call_id"))
_UNSAVED = (
    _VIEWS.where(WRAP_UP.c.saved_at.is_(None), WRAP_UP.c.started_at.is_not(None))
    .order_by(WRAP_UP.c.taken_at.desc())
    .limit(bindparam("at_most"))
)


class CallNotYours(NotFound):
    """There is no such call, or another agent's."""

    code = "call_not_yours"


class DispositionUnknown(Invalid):
    """No such disposition, or none that is offered for the call."""

    code = "disposition_unknown"


async def save(
    session: AsyncSession,
    person: AgentRow,
    call_id: str,
    *,
    disposition: str,
    notes: str,
    customer_id: str | None,
    now: datetime,
) -> WrapUpView:
    """Store the disposition and tell the fact, unless the same is stored already.

    Raises:
        CallNotYours: the agent did not take this call.
        DispositionUnknown: none that is offered for a call of this queue.
        Invalid: the form is not sound.
    """
    notes = clean_notes(notes)
    if customer_id is not None and CUSTOMER_ID.fullmatch(customer_id) is None:
        raise Invalid("not a customer's id", field="customer_id")
    row = await _own(session, person, call_id)
    if row.saved_at is not None and (row.disposition, row.notes, row.customer_id) == (
        disposition,
        notes,
        customer_id,
    ):
        return view(row)
    tree = await read_tree(session)
    if not tree.offered(disposition, row.queue or ""):
        raise DispositionUnknown("no disposition for this call", field="disposition")
    if Need.NOTES in tree.needs(disposition) and not notes:
        raise Invalid("this disposition wants notes", field="notes")
    row.disposition, row.notes, row.customer_id, row.saved_at = disposition, notes, customer_id, now
    row.draft_disposition = row.draft_notes = None
    add_fact(
        session,
        DispositionSaved(
            at=now,
            call_id=call_id,
            agent_id=person.agent_id,
            agent_number=person.number,
            disposition=disposition,
            notes=notes,
            customer_id=customer_id,
        ),
    )
    return view(row)


async def save_draft(
    session: AsyncSession,
    person: AgentRow,
    call_id: str,
    *,
    disposition: str | None,
    notes: str,
    now: datetime,
) -> None:
    """Store what is not saved yet; an empty draft removes it.

    Raises:
        CallNotYours: the agent did not take this call.
        DispositionUnknown, Invalid: too long, or no code.
    """
    if disposition and not is_code(disposition):
        raise DispositionUnknown("no such disposition", field="disposition")
    row = await _own(session, person, call_id)
    row.draft_disposition = disposition or None
    row.draft_notes = clean_notes(notes) or None


async def read(session: AsyncSession, agent_id: str, call_id: str) -> WrapUpView | None:
    """Return what the agent wrote about a call; ``None`` when they did not take it."""
    found = (await session.execute(_ONE, {"agent_id": agent_id, "call_id": call_id})).one_or_none()
    return None if found is None else WrapUpView(**found._mapping)


async def unsaved(session: AsyncSession, agent_id: str, *, limit: int) -> tuple[WrapUpView, ...]:
    """Return queue calls over and without disposition, newest first."""
    found = await session.execute(_UNSAVED, {"agent_id": agent_id, "at_most": limit})
    return tuple(WrapUpView(**row._mapping) for row in found)


async def takers(session: AsyncSession, call_id: str) -> list[str]:
    """Return the ids of the agents who took or are being rung by a call, in order."""
    rows = select(WrapUpRow.agent_id).where(WrapUpRow.call_id == call_id)
    sessions = select(AgentSessionRow.agent_id).where(AgentSessionRow.call_id == call_id)
    found = {*(await session.execute(rows)).scalars(), *(await session.execute(sessions)).scalars()}
    return sorted(found)


async def move(session: AsyncSession, agent_id: str, old: str, new: str, *, now: datetime) -> None:
    """Give the row of a call that became part of another one the other's id; what was saved wins."""
    row = await session.get(WrapUpRow, (old, agent_id))
    if row is None:
        return
    target = await session.get(WrapUpRow, (new, agent_id))
    if target is None:
        target = WrapUpRow(call_id=new, agent_id=agent_id, queue=row.queue, taken_at=now, notes="", tries=0)
        session.add(target)
    if target.saved_at is None and row.saved_at is not None:
        target.disposition, target.notes = row.disposition, row.notes
        target.customer_id, target.saved_at = row.customer_id, row.saved_at
    target.taken_at = min(target.taken_at, row.taken_at)
    target.started_at = target.started_at or row.started_at
    target.ended_at = target.ended_at or row.ended_at
    target.due_at = target.due_at or row.due_at
    target.draft_disposition = target.draft_disposition or row.draft_disposition
    target.draft_notes = target.draft_notes or row.draft_notes
    await session.delete(row)


async def _own(session: AsyncSession, person: AgentRow, call_id: str) -> WrapUpRow:
    row = (
        await session.get(WrapUpRow, (call_id, person.agent_id), with_for_update=True)
        if is_ulid(call_id)
        else None
    )
    if row is None:
        raise CallNotYours("this call is not one of yours", field="call_id")
    return row


def _unwanted(character: str) -> bool:
    """Tell control characters and those that turn the direction of the text around."""
    return unicodedata.category(character) in {"Cc", "Cs"} or character in TURNERS


def clean_notes(notes: str) -> str:
    """Return the notes without characters that no person types.

    Raises:
        Invalid: too long.
    """
    text = notes.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(c for c in text if c in "\n\t" or not _unwanted(c)).strip()
    if len(text) > MAX_NOTES:
        raise Invalid(f"notes have at most {MAX_NOTES} characters", field="notes")
    return text


def view(row: WrapUpRow) -> WrapUpView:
    """Return the row as the outside sees it."""
    return WrapUpView(
        call_id=row.call_id,
        agent_id=row.agent_id,
        queue=row.queue,
        taken_at=row.taken_at,
        ended_at=row.ended_at,
        disposition=row.disposition,
        notes=row.notes,
        customer_id=row.customer_id,
        saved_at=row.saved_at,
        draft_disposition=row.draft_disposition,
        draft_notes=row.draft_notes,
    )
