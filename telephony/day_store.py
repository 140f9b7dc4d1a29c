"""Reads what the days' figures are made of, and reads and writes the figures. Private to the package."""

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Table, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from telephony.agent_tables import AgentStateLogRow
from telephony.day_tables import QueueSlotRow
from telephony.domain.day_ledger import Key
from telephony.domain.handling import Stretch
from telephony.domain.service_level import QueueCounts, Thresholds
from telephony.domain.visits import COUNTED, VisitRow, visit_row
from telephony.tables import CallEventRow, CallRow

LONGEST_CALL = timedelta(hours=4)
"""Calls are found by their start; whoever comes to a queue may have called so long before."""
PAGE = 400
CallRows = dict[str, list[VisitRow]]

_MS = timedelta(milliseconds=1)
_TIMES = ("answered_wait", "handling", "busy", "ready")
_NUMBERS = (
    "offered",
    "answered",
    "answered_in",
    "abandoned",
    "abandoned_in",
    "abandoned_short",
    "handled",
)


async def call_rows(
    session: AsyncSession, node: str, since: datetime, until: datetime | None = None
) -> AsyncIterator[CallRows]:
    """Yield the rows of the calls that may have come to a queue in a span of time, some calls at a time."""
    query = select(CallRow.call_id, CallRow.started_at, CallRow.result).where(
        CallRow.node == node,
        CallRow.queue.is_not(None),
        CallRow.started_at >= since - LONGEST_CALL,
    )
    if until is not None:
        query = query.where(CallRow.started_at < until)
    query = query.order_by(CallRow.started_at, CallRow.call_id).limit(PAGE)
    after: tuple[datetime, str] | None = None
    while True:
        page = query
        if after is not None:
            page = query.where(
                or_(
                    CallRow.started_at > after[0],
                    (CallRow.started_at == after[0]) & (CallRow.call_id > after[1]),
                )
            )
        found = (await session.execute(page)).all()
        if not found:
            return
        results = {row.call_id: row.result or "" for row in found}
        yield await _events(session, results)
        after = (found[-1].started_at, found[-1].call_id)


async def count_calls(session: AsyncSession, node: str, since: datetime, until: datetime) -> int:
    """Return how many calls :func:`call_rows` goes through."""
    query = select(func.count()).where(
        CallRow.node == node,
        CallRow.queue.is_not(None),
        CallRow.started_at >= since - LONGEST_CALL,
        CallRow.started_at < until,
    )
    return await session.scalar(query) or 0


async def _events(session: AsyncSession, results: Mapping[str, str]) -> CallRows:
    event = CallEventRow
    query = select(event.call_id, event.seq, event.at, event.kind, event.queue, event.detail).where(
        event.call_id.in_(list(results)), event.kind.in_(sorted(COUNTED))
    )
    found: CallRows = {call_id: [] for call_id in results}
    for row in await session.execute(query):
        result = results[row.call_id]
        made = visit_row(row.seq, row.at, row.kind, row.queue, row.detail or {}, result=result)
        if made is not None:
            found[row.call_id].append(made)
    return found


async def stretches(
    session: AsyncSession, since: datetime, until: datetime | None = None, *, also: Collection[str] = ()
) -> list[Stretch]:
    """Return the stretches of the agents' days that began in a span of time, in order.

    Args:
        also: ids of others that are wanted whenever they began.
    """
    row = AgentStateLogRow
    wanted = row.started_at >= since
    if until is not None:
        wanted = wanted & (row.started_at < until)
    if also:
        wanted = or_(wanted, row.entry_id.in_(list(also)))
    query = select(
        row.started_at, row.entry_id, row.agent_id, row.state, row.call_id, row.queue, row.ended_at
    ).where(wanted)
    return sorted((Stretch(*found) for found in await session.execute(query)), key=lambda one: one[:2])


async def stored_slots(
    session: AsyncSession, node: str, since: datetime, until: datetime | None = None
) -> dict[Key, tuple[QueueCounts, Thresholds]]:
    """Return the stored half hours of a span of time with the thresholds they were counted under."""
    query = select(QueueSlotRow).where(QueueSlotRow.node == node, QueueSlotRow.slot_at >= since)
    if until is not None:
        query = query.where(QueueSlotRow.slot_at < until)
    return {
        (row.slot_at, row.queue): (
            QueueCounts(
                **{name: getattr(row, name) for name in _NUMBERS},
                **{name: getattr(row, f"{name}_ms") * _MS for name in _TIMES},
            ),
            Thresholds(answer_within=row.answer_within_ms * _MS, short_abandon=row.short_abandon_ms * _MS),
        )
        for row in (await session.execute(query)).scalars()
    }


async def save_slots(
    session: AsyncSession,
    node: str,
    slots: Mapping[Key, tuple[QueueCounts, Thresholds]],
    *,
    now: datetime,
) -> None:
    """Write half hours in place of what is stored of them, in the caller's transaction."""
    rows = [
        {"node": node, "slot_at": slot, "queue": queue, "written_at": now}
        | {name: getattr(counts, name) for name in _NUMBERS}
        | {f"{name}_ms": millis(getattr(counts, name)) for name in _TIMES}
        | {"answer_within_ms": millis(lines.answer_within), "short_abandon_ms": millis(lines.short_abandon)}
        for (slot, queue), (counts, lines) in slots.items()
    ]
    if rows:
        await session.execute(_upsert(session.get_bind().dialect.name), rows)


async def drop_slots(session: AsyncSession, node: str, since: datetime, until: datetime) -> None:
    """Delete the half hours of a span of time, in the caller's transaction."""
    slot = QueueSlotRow
    await session.execute(
        delete(slot).where(slot.node == node, slot.slot_at >= since, slot.slot_at < until),
        execution_options={"synchronize_session": False},
    )


def millis(value: timedelta) -> int:
    """Return whole milliseconds."""
    return round(value / _MS)


@cache
def _upsert(dialect: str) -> Any:
    table = QueueSlotRow.__table__
    assert isinstance(table, Table)
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    keys = [column.name for column in table.primary_key]
    changed = {
        column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys
    }
    return insert.on_conflict_do_update(index_elements=keys, set_=changed)
