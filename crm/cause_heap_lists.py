"""Reads complaints that came in a heap, with the cases behind each, and takes that somebody looked at one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select

from crm.alert_rule_tables import CauseCluster, CauseClusterCase
from crm.cases import MAX_PAGE, CaseRegister, CaseView
from crm.domain.alert_rules import Subject
from crm.journal import Journal
from crm.tables import ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database
from kernel.errors import NotFound, StaleVersion
from kernel.ids import is_ulid
from kernel.paging import Page

ENTITY = "cause_heap"
MOST_CASES = 200
"""Cases that the page of a heap shows, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapView:
    """A heap.

    Attributes:
        class_code, subclass: the cause that all have, ``None`` where causes differ.
        needed, days: the rule that it began under.
        last_at: when the last complaint of it came.
        growing: another complaint would be one of it.
    """

    heap_id: str
    subject_kind: Subject
    subject: str
    class_code: int | None
    subclass: str | None
    needed: int
    days: int
    cases: int
    told_at: datetime
    last_at: datetime
    growing: bool
    seen_at: datetime | None
    seen_by: str | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapWithCases:
    """A heap with its complaints, the newest first."""

    heap: HeapView
    cases: tuple[CaseView, ...]


class CauseHeaps:
    """Shows heaps to who leads customer service."""

    def __init__(self, database: Database, clock: Clock, register: CaseRegister, journal: Journal) -> None:
        self._database = database
        self._clock = clock
        self._register = register
        self._journal = journal

    async def page(
        self, actor: Actor, *, unseen: bool = False, cursor: str | None = None, limit: int = 50
    ) -> Page[HeapView]:
        """Return a page of heaps, those first that had a complaint last. Raises Forbidden, Invalid."""
        actor.need(Permission.RED_LIST_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        table = CauseCluster
        query = select(table).order_by(table.last_at.desc(), table.id.desc()).limit(limit + 1)
        if unseen:
            query = query.where(table.seen_at.is_(None))
        if cursor is not None:
            query = query.where(_before(*read_cursor(cursor)))
        async with self._database.session() as session:
            rows = (await session.scalars(query)).all()
        more = write_cursor(rows[limit - 1].last_at, rows[limit - 1].id) if len(rows) > limit else None
        return Page(tuple(self._view(row) for row in rows[:limit]), more)

    async def unseen(self, actor: Actor) -> int:
        """Return how many heaps nobody looked at. Raises Forbidden."""
        actor.need(Permission.RED_LIST_VIEW)
        query = select(func.count()).select_from(CauseCluster).where(CauseCluster.seen_at.is_(None))
        async with self._database.session() as session:
            return await session.scalar(query) or 0

    async def get(self, actor: Actor, heap_id: str) -> HeapWithCases:
        """Return a heap with its cases. Raises Forbidden, NotFound."""
        actor.need(Permission.RED_LIST_VIEW)
        mine = select(CauseClusterCase.case_id).where(CauseClusterCase.cluster_id == heap_id)
        async with self._database.session() as session:
            row = await session.get(CauseCluster, heap_id) if is_ulid(heap_id) else None
            if row is None:
                raise NotFound("no such heap", field="heap_id")
            cases = await self._register.views(session, actor, ServiceCase.id.in_(mine), limit=MOST_CASES)
        return HeapWithCases(heap=self._view(row), cases=tuple(cases))

    async def take_note(self, actor: Actor, heap_id: str, expected: int) -> HeapView:
        """Write down that the manager looked at a heap as it is; again, it does nothing.

        Raises:
            Forbidden: the role decides nothing.
            NotFound: no such heap.
            StaleVersion: another complaint came meanwhile.
        """
        actor.need(Permission.CASES_DECIDE)
        async with self._database.transaction() as session:
            row = await session.get(CauseCluster, heap_id, with_for_update=True) if is_ulid(heap_id) else None
            if row is None:
                raise NotFound("no such heap", field="heap_id")
            if row.version != expected:
                raise StaleVersion("another complaint came meanwhile; read it again", field="If-Match")
            if row.seen_at is None:
                row.seen_at, row.seen_by = self._clock.now(), actor.name
                row.version += 1
                await self._journal.note(
                    session,
                    actor,
                    "alerts.heap_seen",
                    entity=ENTITY,
                    entity_id=row.id,
                    after={"cases": row.cases},
                )
            return self._view(row)

    def _view(self, row: CauseCluster) -> HeapView:
        return HeapView(
            heap_id=row.id,
            subject_kind=Subject(row.subject_kind),
            subject=row.subject,
            class_code=row.class_code,
            subclass=row.subclass,
            needed=row.needed,
            days=row.days,
            cases=row.cases,
            told_at=row.told_at,
            last_at=row.last_at,
            growing=self._clock.now() - row.last_at < timedelta(days=row.days),
            seen_at=row.seen_at,
            seen_by=row.seen_by,
            version=row.version,
        )


def _before(at: datetime, key: str) -> ColumnElement[bool]:
    table = CauseCluster
    return or_(table.last_at < at, and_(table.last_at == at, table.id < key))
