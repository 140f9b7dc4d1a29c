"""Repeat complaints: the same customer again, or the same cause on the same project (domain.md §2.2, §5.2).

A complaint repeats when the customer complained in the 90 days before it, or when the same class came up on
the same project at any time before. Complaints that were not filed neither repeat nor are repeated.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, DateTime, and_, distinct, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlalchemy.sql.expression import FunctionElement

from crm.cases import MAX_PAGE, CaseFilter, CaseRegister, CaseView, conditions
from crm.complaint_tables import ComplaintLine
from crm.confidential import line_seen
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.case_figures import REPEAT_WITHIN, check_period
from crm.domain.complaint import ComplaintClass
from crm.domain.complaint_line import LineStatus
from crm.tables import ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database

MAX_EARLIER = 10
"""Earlier complaints named beside one; how many there are is said besides."""
_L = ComplaintLine


class _WithinBefore(FunctionElement[datetime]):
    """The moment :data:`REPEAT_WITHIN` before a time in a column; arithmetic differs between databases."""

    type = DateTime()
    inherit_cache = True
    name = "within_before"


@compiles(_WithinBefore, "postgresql")
def _on_postgresql(element: _WithinBefore, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} - interval '{REPEAT_WITHIN.days} days')"


@compiles(_WithinBefore, "sqlite")
def _on_sqlite(element: _WithinBefore, compiler: Any, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    return f"strftime('%Y-%m-%d %H:%M:%f', {column}, '-{REPEAT_WITHIN.days} days')"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatFilter:
    """Which repeat complaints: registered in ``[since, until)``; what is ``None`` does not matter."""

    since: datetime
    until: datetime
    department: str | None = None
    store: str | None = None
    class_: ComplaintClass | None = None
    is_open: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierComplaint:
    """A complaint that came before; ``same_class``: of a class of the later one, on its project."""

    case_id: str
    no: str
    status: CaseStatus
    opened_at: datetime
    classes: tuple[ComplaintClass, ...]
    same_class: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatComplaint:
    """A complaint that repeats, what it repeats (the newest first, at most ten), and how many those are.

    Attributes:
        same_class: some of them is about the same class on the same project.
    """

    case: CaseView
    classes: tuple[ComplaintClass, ...]
    causes: tuple[str, ...]
    earlier: tuple[EarlierComplaint, ...]
    times: int
    same_class: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatPage:
    """A page of repeat complaints, newest first; ``next_cursor`` leads on."""

    items: tuple[RepeatComplaint, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatCount:
    """How many repeat complaints have a line of a class."""

    class_: ComplaintClass
    count: int


class RepeatComplaints:
    """Shows the list to those who see the red list: the manager and the general manager."""

    def __init__(self, database: Database, clock: Clock, register: CaseRegister) -> None:
        self._database = database
        self._clock = clock
        self._register = register

    async def page(
        self, actor: Actor, wanted: RepeatFilter, *, cursor: str | None = None, limit: int = 50
    ) -> RepeatPage:
        """Return a page of the complaints that repeat, newest first.

        Raises:
            Forbidden: the role does not see the red list.
            Invalid: the period cannot be, or the cursor is not one of ours.
        """
        actor.need(Permission.RED_LIST_VIEW)
        chosen = _chosen(actor, wanted)
        limit = max(1, min(limit, MAX_PAGE))
        if cursor is not None:
            at, case_id = read_cursor(cursor)
            same = and_(ServiceCase.opened_at == at, ServiceCase.id < case_id)
            chosen.append(or_(ServiceCase.opened_at < at, same))
        async with self._database.session() as session:
            found = await self._register.views(session, actor, *chosen, limit=limit + 1)
            items = await _with_earlier(session, actor, found[:limit])
        last = found[limit - 1] if len(found) > limit else None
        return RepeatPage(
            items=items, next_cursor=write_cursor(last.opened_at, last.case_id) if last else None
        )

    async def count(self, actor: Actor, wanted: RepeatFilter) -> int:
        """Return how many there are. Raises as :meth:`page`."""
        actor.need(Permission.RED_LIST_VIEW)
        query = select(func.count()).select_from(ServiceCase).where(*_chosen(actor, wanted))
        async with self._database.session() as session:
            return int(await session.scalar(query) or 0)

    async def by_class(self, actor: Actor, wanted: RepeatFilter) -> tuple[RepeatCount, ...]:
        """Return how many of them are about which class, the most first. Raises as :meth:`page`."""
        actor.need(Permission.RED_LIST_VIEW)
        many = func.count(distinct(_L.case_id))
        query = (
            select(_L.class_code, many)
            .join(ServiceCase, ServiceCase.id == _L.case_id)
            .where(*_chosen(actor, wanted), *_lines(actor))
            .group_by(_L.class_code)
            .order_by(many.desc(), _L.class_code)
        )
        async with self._database.session() as session:
            rows = (await session.execute(query)).all()
        return tuple(RepeatCount(class_=ComplaintClass(code), count=count) for code, count in rows)


def _lines(actor: Actor) -> tuple[ColumnElement[bool], ...]:
    """Return which lines say what a complaint is about: those carried on, and not hidden from the actor."""
    return (_L.status != LineStatus.REROUTED.value, line_seen(actor))


def _chosen(actor: Actor, wanted: RepeatFilter) -> list[ColumnElement[bool]]:
    check_period(wanted.since, wanted.until)
    chosen = conditions(
        CaseFilter(
            kind=CaseKind.COMPLAINT,
            is_open=wanted.is_open,
            department=wanted.department,
            opened_since=wanted.since,
            opened_until=wanted.until,
        )
    )
    if wanted.store is not None:
        chosen.append(ServiceCase.store == wanted.store)
    if wanted.class_ is not None:
        about = exists().where(
            _L.case_id == ServiceCase.id, _L.class_code == wanted.class_.value, *_lines(actor)
        )
        chosen.append(about.correlate(ServiceCase))
    return [
        *chosen,
        ServiceCase.status != CaseStatus.NOT_FILED.value,
        # Said once more outside: a complaint without a project is not compared with every other one.
        or_(_again(), and_(ServiceCase.project_id.is_not(None), _same_class())),
    ]


def _again() -> ColumnElement[bool]:
    other = aliased(ServiceCase)
    return (
        exists()
        .where(
            other.customer_id == ServiceCase.customer_id,
            other.kind == CaseKind.COMPLAINT.value,
            other.status != CaseStatus.NOT_FILED.value,
            other.opened_at < ServiceCase.opened_at,
            other.opened_at >= _WithinBefore(ServiceCase.opened_at),
        )
        .correlate(ServiceCase)
    )


def _same_class() -> ColumnElement[bool]:
    other, line, other_line = aliased(ServiceCase), aliased(_L), aliased(_L)
    return (
        exists()
        .where(
            line.case_id == ServiceCase.id,
            other.project_id == ServiceCase.project_id,
            other.opened_at < ServiceCase.opened_at,
            other.status != CaseStatus.NOT_FILED.value,
            other_line.case_id == other.id,
            other_line.class_code == line.class_code,
            line.status != LineStatus.REROUTED.value,
            other_line.status != LineStatus.REROUTED.value,
        )
        .correlate(ServiceCase)
    )


async def _with_earlier(
    session: AsyncSession, actor: Actor, cases: Sequence[CaseView]
) -> tuple[RepeatComplaint, ...]:
    if not cases:
        return ()
    before = (
        await session.execute(
            select(
                ServiceCase.id,
                ServiceCase.no,
                ServiceCase.status,
                ServiceCase.opened_at,
                ServiceCase.customer_id,
                ServiceCase.project_id,
            )
            .where(
                or_(
                    ServiceCase.customer_id.in_({case.customer_id for case in cases}),
                    ServiceCase.project_id.in_({case.project_id for case in cases if case.project_id}),
                ),
                ServiceCase.kind == CaseKind.COMPLAINT.value,
                ServiceCase.status != CaseStatus.NOT_FILED.value,
            )
            .order_by(ServiceCase.opened_at.desc(), ServiceCase.id.desc())
        )
    ).all()
    classes: dict[str, set[ComplaintClass]] = defaultdict(set)
    causes: dict[str, list[str]] = defaultdict(list)
    ids = sorted({row.id for row in before} | {case.case_id for case in cases})
    for start in range(0, len(ids), 500):
        lines = select(_L.case_id, _L.class_code, _L.cause).where(
            _L.case_id.in_(ids[start : start + 500]), *_lines(actor)
        )
        for case_id, code, cause in await session.execute(lines.order_by(_L.position)):
            classes[case_id].add(ComplaintClass(code))
            causes[case_id].append(cause)
    found = []
    for case in cases:
        mine = classes[case.case_id]
        earlier = []
        for row in before:
            if row.opened_at >= case.opened_at:
                continue
            same = row.project_id is not None and row.project_id == case.project_id
            same_class = same and bool(mine & classes[row.id])
            again = row.customer_id == case.customer_id and row.opened_at >= case.opened_at - REPEAT_WITHIN
            if same_class or again:
                earlier.append(
                    EarlierComplaint(
                        case_id=row.id,
                        no=row.no,
                        status=CaseStatus(row.status),
                        opened_at=row.opened_at,
                        classes=tuple(sorted(classes[row.id])),
                        same_class=same_class,
                    )
                )
        found.append(
            RepeatComplaint(
                case=case,
                classes=tuple(sorted(mine)),
                causes=tuple(causes[case.case_id]),
                earlier=tuple(earlier[:MAX_EARLIER]),
                times=len(earlier),
                same_class=any(one.same_class for one in earlier),
            )
        )
    return tuple(found)
