"""The audit log: who did what, when, from where; append-only and hash-chained.

Each record holds the hash of the one before it, and numbers have no gap: a record that is changed, removed
or slipped in breaks the chain at its place (:meth:`AuditLog.verify`). The database refuses updates and
deletes besides (:data:`AUDIT_APPEND_ONLY`). What the chain cannot show is a log that was cut at its end:
for that, note :attr:`AuditVerdict.head` elsewhere.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DDL, BigInteger, Index, Integer, String, event, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import ExecutableDDLElement

from kernel.clock import Clock
from kernel.db import Base, Database, Json, UtcDateTime

GENESIS = "0" * 64
_LOCK = 0x48_46_41_55  # «HFAU»: the PostgreSQL advisory lock that puts writers in one line
_PAGE = 500
_HASH_LENGTH = 64


class AuditRow(Base):
    """One thing somebody did. Rows are only ever added; each carries the hash of the one before."""

    __tablename__ = "audit_record"
    __table_args__ = (Index("ix_audit_record_entity", "entity", "entity_id"),)

    seq: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False
    )
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    actor: Mapped[str] = mapped_column(String(120), index=True)
    ip: Mapped[str] = mapped_column(String(45))
    action: Mapped[str] = mapped_column(String(60), index=True)
    entity: Mapped[str] = mapped_column(String(60))
    entity_id: Mapped[str] = mapped_column(String(120))
    detail: Mapped[dict[str, Any]] = mapped_column(Json)
    prev_hash: Mapped[str] = mapped_column(String(_HASH_LENGTH))
    hash: Mapped[str] = mapped_column(String(_HASH_LENGTH))


AUDIT_APPEND_ONLY: dict[str, tuple[str, ...]] = {
    "sqlite": (
        "CREATE TRIGGER audit_record_no_update BEFORE UPDATE ON audit_record "
        "BEGIN SELECT RAISE(ABORT, 'audit_record is append-only'); END",
        "CREATE TRIGGER audit_record_no_delete BEFORE DELETE ON audit_record "
        "BEGIN SELECT RAISE(ABORT, 'audit_record is append-only'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION audit_record_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'audit_record is append-only'; END $$",
        "CREATE TRIGGER audit_record_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_record "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_record_refuse()",
    ),
}
"""Statements that make the database itself refuse a change; the migrations run the same ones."""

for _dialect, _statements in AUDIT_APPEND_ONLY.items():
    for _statement in _statements:
        _ddl: ExecutableDDLElement = DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
        event.listen(AuditRow.__table__, "after_create", _ddl.execute_if(dialect=_dialect))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One record as stored."""

    seq: int
    at: datetime
    actor: str
    ip: str
    action: str
    entity: str
    entity_id: str
    detail: Mapping[str, Any]
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditVerdict:
    """What :meth:`AuditLog.verify` found.

    Attributes:
        checked: records read.
        head: hash of the last sound record.
        broken_at: number of the first record that does not fit, ``None`` when all do.
        reason: why it does not fit.
    """

    checked: int
    head: str
    broken_at: int | None = None
    reason: str = ""

    @property
    def sound(self) -> bool:
        """Whether the whole chain holds."""
        return self.broken_at is None


class AuditLog:
    """Writes and reads the log."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def record(
        self,
        action: str,
        *,
        actor: str,
        ip: str = "",
        entity: str = "",
        entity_id: str = "",
        detail: Mapping[str, Any] | None = None,
        session: AsyncSession | None = None,
    ) -> int:
        """Add a record and return its number.

        With ``session`` it becomes part of that transaction, and holds the log's line until its end: call
        it last. Without, it commits by itself. ``detail`` is JSON; never put a password or a phone in it.
        """
        row = AuditRow(
            at=self._clock.now(),
            actor=actor[:120],
            ip=ip[:45],
            action=str(action),
            entity=entity[:60],
            entity_id=entity_id[:120],
            detail=dict(detail or {}),
        )
        if session is not None:
            return await self._append(session, row)
        async with self._database.transaction() as own:
            return await self._append(own, row)

    async def recent(self, *, limit: int = 100, before: int | None = None) -> tuple[AuditRecord, ...]:
        """Return records, newest first, older than number ``before``."""
        query = select(AuditRow).order_by(AuditRow.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(AuditRow.seq < before)
        async with self._database.session() as session:
            return tuple(_record(row) for row in await session.scalars(query))

    async def verify(self) -> AuditVerdict:
        """Read the whole log in order and check numbers and hashes."""
        seq, head = 0, GENESIS
        while True:
            query = select(AuditRow).where(AuditRow.seq > seq).order_by(AuditRow.seq).limit(_PAGE)
            async with self._database.session() as session:
                rows = list(await session.scalars(query))
            if not rows:
                return AuditVerdict(checked=seq, head=head)
            for row in rows:
                reason = _fault(row, seq, head)
                if reason:
                    return AuditVerdict(checked=seq, head=head, broken_at=row.seq, reason=reason)
                seq, head = row.seq, row.hash

    async def _append(self, session: AsyncSession, row: AuditRow) -> int:
        if self._database.dialect_name == "postgresql":
            # SQLite's write lock does the same: one writer at a time reads the last record and adds the next.
            await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        newest = select(AuditRow.seq, AuditRow.hash).order_by(AuditRow.seq.desc()).limit(1)
        found = (await session.execute(newest)).one_or_none()
        row.seq, row.prev_hash = (found.seq + 1, found.hash) if found else (1, GENESIS)
        row.hash = _chain_hash(row)
        session.add(row)
        await session.flush()
        return row.seq


def _chain_hash(row: AuditRow) -> str:
    fields = [
        row.seq,
        row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        row.actor,
        row.ip,
        row.action,
        row.entity,
        row.entity_id,
        row.detail,
        row.prev_hash,
    ]
    canonical = json.dumps(fields, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _fault(row: AuditRow, seq: int, head: str) -> str:
    if row.seq != seq + 1:
        return f"record {seq + 1} is missing"
    if row.prev_hash != head:
        return "does not continue the record before it"
    if row.hash != _chain_hash(row):
        return "was changed after it was written"
    return ""


def _record(row: AuditRow) -> AuditRecord:
    return AuditRecord(
        seq=row.seq,
        at=row.at,
        actor=row.actor,
        ip=row.ip,
        action=row.action,
        entity=row.entity,
        entity_id=row.entity_id,
        detail=row.detail,
        prev_hash=row.prev_hash,
        hash=row.hash,
    )
