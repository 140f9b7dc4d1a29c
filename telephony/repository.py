"""Reading and writing calls and epochs. Private to the package."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Table, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.ids import new_ulid
from kernel.outbox import add_fact
from telephony.call_record import CallRecord, call_of
from telephony.domain.call import Call, CallState
from telephony.tables import AmiEpochRow, CallEventRow, CallLegRow, CallRow

# Written by others, or once: a call that is saved again leaves them alone.
_KEPT = frozenset({"customer_id", "told"})
_CHUNK = 400


def _table(cls: type[Any]) -> Table:
    table = cls.__table__
    assert isinstance(table, Table)
    return table


@cache
def _upsert(dialect: str, table: Table, columns: tuple[str, ...], *, update_rows: bool) -> Any:
    """Return the statement; made once, because making it costs more than running it."""
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    keys = [column.name for column in table.primary_key]
    if not update_rows:
        return insert.on_conflict_do_nothing(index_elements=keys)
    changed = {name: insert.excluded[name] for name in columns if name not in keys and name not in _KEPT}
    return insert.on_conflict_do_update(index_elements=keys, set_=changed)


async def save_calls(session: AsyncSession, records: Sequence[CallRecord]) -> None:
    """Write calls, legs and time lines, and the facts of ended ones, in the caller's transaction.

    Writing the same record again changes nothing and tells nothing twice.
    """
    if not records:
        return
    dialect = session.get_bind().dialect.name
    calls = [record.call for record in records]
    await session.execute(_upsert(dialect, _table(CallRow), tuple(calls[0]), update_rows=True), calls)
    legs = [leg for record in records for leg in record.legs]
    if legs:
        await session.execute(_upsert(dialect, _table(CallLegRow), tuple(legs[0]), update_rows=True), legs)
    events = [event for record in records for event in record.events]
    if events:
        await session.execute(
            _upsert(dialect, _table(CallEventRow), tuple(events[0]), update_rows=False), events
        )
    await _tell_ended(session, {record.call_id: record for record in records if record.ended is not None})


async def _tell_ended(session: AsyncSession, ended: dict[str, CallRecord]) -> None:
    ids = list(ended)
    for start in range(0, len(ids), _CHUNK):
        fresh = await session.execute(
            update(CallRow)
            .where(CallRow.call_id.in_(ids[start : start + _CHUNK]), CallRow.told.is_(False))
            .values(told=True)
            .returning(CallRow.call_id)
            .execution_options(synchronize_session=False)
        )
        for call_id in sorted(fresh.scalars()):
            fact = ended[call_id].ended
            if fact is not None:
                add_fact(session, fact)


async def load_open_calls(session: AsyncSession, node: str) -> tuple[Call, ...]:
    """Return the calls of ``node`` that have not ended as far as the database knows."""
    found = await session.execute(
        select(_table(CallRow)).where(CallRow.node == node, CallRow.state != CallState.ENDED.value)
    )
    rows = [dict(row) for row in found.mappings()]
    legs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    seqs: dict[str, int] = {}
    ids = [row["call_id"] for row in rows]
    for start in range(0, len(ids), _CHUNK):
        part = ids[start : start + _CHUNK]
        for leg in (
            await session.execute(
                select(_table(CallLegRow)).where(CallLegRow.call_id.in_(part)).order_by(CallLegRow.started_at)
            )
        ).mappings():
            legs[leg["call_id"]].append(dict(leg))
        counted = await session.execute(
            select(CallEventRow.call_id, func.max(CallEventRow.seq))
            .where(CallEventRow.call_id.in_(part))
            .group_by(CallEventRow.call_id)
        )
        seqs.update((call_id, last) for call_id, last in counted)
    return tuple(call_of(row, legs[row["call_id"]], seq=seqs.get(row["call_id"], 0)) for row in rows)


async def finished_channels(session: AsyncSession, node: str, uniqueids: Sequence[str]) -> frozenset[str]:
    """Return which of these channels are stored as ended already."""
    found: set[str] = set()
    for start in range(0, len(uniqueids), _CHUNK):
        rows = await session.execute(
            select(CallLegRow.uniqueid).where(
                CallLegRow.node == node,
                CallLegRow.uniqueid.in_(uniqueids[start : start + _CHUNK]),
                CallLegRow.ended_at.is_not(None),
            )
        )
        found.update(rows.scalars())
    return frozenset(found)


async def last_epoch(session: AsyncSession, node: str) -> AmiEpochRow | None:
    """Return the newest epoch of ``node``."""
    found = await session.execute(
        select(AmiEpochRow).where(AmiEpochRow.node == node).order_by(AmiEpochRow.epoch_id.desc()).limit(1)
    )
    return found.scalar_one_or_none()


def add_epoch(
    session: AsyncSession,
    *,
    node: str,
    epoch: int,
    boot_id: str,
    asterisk_started_at: datetime | None,
    started_at: datetime,
    live_at: datetime,
) -> str:
    """Store the beginning of an epoch; return its id."""
    row = AmiEpochRow(
        epoch_id=new_ulid(),
        node=node,
        epoch=epoch,
        boot_id=boot_id[:64],
        asterisk_started_at=asterisk_started_at,
        started_at=started_at,
        live_at=live_at,
        seen_until=live_at,
    )
    session.add(row)
    return row.epoch_id


async def note_epoch(
    session: AsyncSession,
    epoch_id: str,
    *,
    seen_until: datetime,
    ended_at: datetime | None = None,
    reason: str | None = None,
) -> None:
    """Store until when an epoch was followed, and its end."""
    values: dict[str, Any] = {"seen_until": seen_until}
    if ended_at is not None:
        values |= {"ended_at": ended_at, "end_reason": (reason or "")[:16]}
    await session.execute(
        update(AmiEpochRow)
        .where(AmiEpochRow.epoch_id == epoch_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
