"""The questions that callbacks in figures are made of: of tasks, of attempts, of answers.

A year may hold half a million attempts: each question passes once over an index that holds all it asks for.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    and_,
    case,
    cast,
    func,
    select,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.attempt import AttemptState
from callback_campaigns.domain.figures import (
    DELAYS,
    LATER,
    ROLES,
    CallbackFigure,
    GroupBy,
    Mean,
    Rate,
    delay_of,
    grades,
    months_between,
    rate,
)
from callback_campaigns.domain.plan_rules import PlanRules, TriggerKind
from callback_campaigns.domain.task import TaskStatus
from callback_campaigns.domain.terms import CallbackType, Verdict
from callback_campaigns.talk_tables import CallbackAnswerRow
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from crm.limit_tables import LimitTimerRow
from crm.office import Office
from crm.people_tables import StageEventRow
from crm.tables import Crew, Customer, Department, Project, Store
from crm.ticket_tables import TicketRow

DONE = TaskStatus.DONE.value
HAS_RESULT = (DONE, TaskStatus.PARTIAL.value)
NOT_COUNTED = (TaskStatus.FROZEN.value, TaskStatus.CANCELLED.value)
GRADED = ("G4", "SAT3")
PRESENCE = "pm_presence"
TICKET_LIMITS = ("TD.T1", "TD.T2")
_T, _A, _D = CallbackTaskRow, CallbackAnswerRow, DialAttemptRow


@dataclass(frozen=True, slots=True, kw_only=True)
class FiguresAsked:
    """Which records: the period ``[since, until)``, and perhaps one store or one kind."""

    since: datetime
    until: datetime
    store_id: str | None = None
    kind: CallbackType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """One line of a breakdown.

    Attributes:
        results, satisfied: callbacks with a result and those that are satisfied; of people none.
        mean: of the scores: of verdicts, or of the items that count for the person.
    """

    name: str
    results: int
    satisfied: int
    mean: Mean

    @property
    def satisfaction(self) -> Rate:
        """Satisfied ÷ results."""
        return rate(self.satisfied, self.results)


@dataclass(frozen=True, slots=True)
class OfKind:
    """What callbacks of a kind came to that ended in the period: done or partial, and those that are done."""

    kind: str
    results: int
    satisfied: int
    total: int
    scored: int
    done: int


class FigureParts:
    """One reading: the session and what was asked."""

    def __init__(self, session: AsyncSession, asked: FiguresAsked, office: Office, plan: PlanRules) -> None:
        self._session = session
        self._asked = asked
        self._zone = office.zone
        self._dialect = office.database.dialect_name
        self._now = office.now()
        self._plan = plan

    async def coverage(self) -> dict[CallbackFigure, Rate]:
        in_time = case((and_(_T.status == DONE, _T.ended_at <= _T.window_end), 1), else_=0)
        done = case((_T.status == DONE, 1), else_=0)
        query = self._tasks(
            select(func.sum(done), func.sum(in_time), func.count()),
            self._over(_T.window_end),
            _T.status.not_in(NOT_COUNTED),
        )
        made, timely, whole = await self._counts(query)
        return {CallbackFigure.COVERAGE: rate(made, whole), CallbackFigure.ON_TIME: rate(timely, whole)}

    async def results(self) -> tuple[OfKind, ...]:
        """Return what ended in the period, by kind; each is a part of an index of its own."""
        good = case((_T.verdict == Verdict.SATISFIED.value, 1), else_=0)
        done = case((_T.status == DONE, 1), else_=0)
        sums = (func.count(), func.sum(good), func.sum(_T.score), func.count(_T.score), func.sum(done))
        found = []
        for kind in CallbackType:
            if self._asked.kind in {None, kind}:
                query = self._tasks(select(*sums), *self._with_result(), _T.kind == kind.value)
                found.append(OfKind(kind.value, *await self._counts(query)))
        return tuple(found)

    async def required(self, results: Sequence[OfKind]) -> Rate:
        """Return what was done of what the sampling ratios ask for, of kinds that stages make due."""
        event, done = StageEventRow, {one.kind: one.done for one in results}
        query = select(event.stage, func.count()).where(
            event.voided_at.is_(None), self._within(event.recorded_at)
        )
        if self._asked.store_id is not None:
            query = query.join(Project, Project.id == event.project_id)
            query = query.where(Project.store_id == self._asked.store_id)
        found = (await self._session.execute(query.group_by(event.stage))).all()
        reached = {int(stage): int(count) for stage, count in found}
        wanted, actual = Decimal(0), 0
        for kind, rule in self._plan.types.items():
            if rule.when.kind is not TriggerKind.STAGE or rule.points or not rule.enabled:
                continue
            if self._asked.kind not in {None, kind}:
                continue
            share = Decimal(rule.sampling.numerator) / Decimal(rule.sampling.denominator)
            wanted += reached.get(int(rule.when.stage or 0), 0) * share
            actual += done.get(kind.value, 0)
        return rate(actual, wanted)

    async def attempts(self) -> dict[CallbackFigure, Rate]:
        reached = case((_D.outcome == "answered", 1), else_=0)
        ended = _D.state == AttemptState.ENDED.value
        calls: Any = select(func.sum(reached), func.count()).select_from(_D)
        if self._asked.kind is not None or self._asked.store_id is not None:
            calls = self._asked_for(calls.join(_T, _T.id == _D.task_id))
        calls = calls.where(_D.task_id.is_not(None), self._within(_D.began_at), ended)
        answered, whole = await self._counts(calls)
        # All attempts of each task, in the order of an index: nothing is sorted to count a task once.
        tried = func.max(case((self._within(_D.began_at), 1), else_=0))
        each = (
            select(_D.task_id.label("task_id"), func.count().label("calls"), tried.label("tried"))
            .where(_D.task_id.is_not(None))
            .group_by(_D.task_id)
            .subquery()
        )
        is_done = _T.status == DONE
        now_done = and_(is_done, self._within(_T.ended_at))
        sums = (
            func.sum(each.c.tried),
            func.sum(case((is_done, each.c.tried), else_=0)),
            func.sum(case((now_done, each.c.calls), else_=0)),
            func.sum(case((now_done, 1), else_=0)),
        )
        query = self._asked_for(select(*sums).select_from(each).join(_T, _T.id == each.c.task_id))
        attempted, done, made, finished = await self._counts(query)
        return {
            CallbackFigure.CONTACT: rate(answered, whole),
            CallbackFigure.COMPLETION: rate(done, attempted),
            CallbackFigure.ATTEMPTS_PER_DONE: rate(made, finished),
        }

    async def said(self) -> dict[CallbackFigure, Rate]:
        """Return what is told by the answers themselves."""
        here = _A.measure == PRESENCE
        sums = (
            func.count(_A.score),
            func.sum(case((_A.score == 100, 1), else_=0)),
            func.sum(case((and_(here, _A.counts), 1), else_=0)),
            func.sum(case((here, 1), else_=0)),
        )
        scored, top, there, asked = await self._counts(self._answers(select(*sums)))
        graded = (_A.kind.in_(GRADED), _A.code == CallbackType.COMPLETION.value)
        by_value = self._answers(select(_A.value, func.count()), *graded).group_by(_A.value)
        values = {str(value): int(count) for value, count in (await self._session.execute(by_value)).all()}
        good, passed = grades(values)
        return {
            CallbackFigure.SATISFACTION: rate(top, scored),
            CallbackFigure.GOOD: good,
            CallbackFigure.PASSED: passed,
            CallbackFigure.PM_PRESENCE: rate(there, asked),
        }

    async def presence_by_manager(self) -> tuple[tuple[str, Rate], ...]:
        there = func.sum(case((_A.counts, 1), else_=0))
        query = self._answers(select(_A.project_manager, there, func.count()), _A.measure == PRESENCE)
        query = query.group_by(_A.project_manager).order_by(_A.project_manager)
        found = (await self._session.execute(query)).all()
        return tuple((name or "", rate(int(number or 0), int(whole))) for name, number, whole in found)

    async def solved(self) -> Rate:
        """Return how many tickets of dissatisfied customers they call solved, of those that were due."""
        ends = (
            select(LimitTimerRow.record_id, func.max(LimitTimerRow.deadline_at).label("at"))
            .where(LimitTimerRow.code.in_(TICKET_LIMITS))
            .group_by(LimitTimerRow.record_id)
            .subquery()
        )
        by_customer = and_(TicketRow.verified_at.is_not(None), TicketRow.waived_why.is_(None))
        good = case((by_customer, 1), else_=0)
        query = (
            self._tasks(select(func.sum(good), func.count()), _T.verdict == Verdict.DISSATISFIED.value)
            .join(TicketRow, TicketRow.callback_ref == _T.id)
            .join(ends, ends.c.record_id == TicketRow.case_id)
            .where(self._over(ends.c.at))
        )
        return rate(*await self._counts(query))

    async def delays(self) -> dict[str, int]:
        """Return callbacks by done date − due date; the due date is the one they were first planned for."""
        days = self._day(_T.ended_at) - self._day(_T.planned_for)
        query = self._tasks(
            select(days, func.count()),
            self._within(_T.ended_at),
            _T.status == DONE,
            _T.planned_for.is_not(None),
        ).group_by(days)
        counted: Counter[str] = Counter()
        for late, number in (await self._session.execute(query)).all():
            counted[delay_of(int(late))] += number
        return {name: counted[name] for name in (*(name for name, _ in DELAYS), LATER)}

    def _day(self, moment: Any) -> Any:
        """Return the number of the site's day of a moment; databases count days from different ones."""
        if self._dialect == "sqlite":
            offset = self._asked.since.astimezone(self._zone).utcoffset() or timedelta(0)
            minutes = int(offset.total_seconds()) // 60
            return cast(func.julianday(moment, f"{minutes:+d} minutes") + 0.5, Integer)
        return type_coerce(cast(func.timezone(self._zone.key, moment), Date), Integer)

    async def by_answer(self, by: GroupBy) -> tuple[GroupRow, ...]:
        return await (self._by_person(by) if by in ROLES else self._by_department())

    async def _by_person(self, by: GroupBy) -> tuple[GroupRow, ...]:
        column: Any = {
            GroupBy.PM: _A.project_manager,
            GroupBy.DESIGNER: _A.designer,
            GroupBy.INSPECTOR: _A.inspector,
            GroupBy.CREW: Crew.name,
        }[by]
        counted = self._answers(
            select(column, func.sum(_A.score), func.count()),
            _scored(),
            _A.rated.like(f"%,{ROLES[by]},%"),
        )
        if by is GroupBy.CREW:
            counted = counted.outerjoin(Crew, Crew.id == _A.crew_id)
        found = (await self._session.execute(counted.group_by(column).order_by(column))).all()
        return tuple(_of_items(name, total, number) for name, total, number in found)

    async def _by_department(self) -> tuple[GroupRow, ...]:
        query = self._answers(
            select(_A.department, func.sum(_A.score), func.count(), func.max(Department.name)),
            _scored(),
            _A.department.is_not(None),
        ).outerjoin(Department, Department.code == _A.department)
        found = (await self._session.execute(query.group_by(_A.department).order_by(_A.department))).all()
        return tuple(_of_items(name or code, total, number) for code, total, number, name in found)

    async def by_result(self, by: GroupBy, results: Sequence[OfKind]) -> tuple[GroupRow, ...]:
        if by is GroupBy.KIND:
            kinds = ((one.kind, one.results, one.satisfied, one.total, one.scored) for one in results)
            return tuple(_of_results(*row) for row in kinds if row[1])
        good = func.sum(case((_T.verdict == Verdict.SATISFIED.value, 1), else_=0))
        sums = (func.count(), good, func.sum(_T.score), func.count(_T.score))
        if by is GroupBy.MONTH:
            found: list[tuple[Any, ...]] = []
            for month, since, until in months_between(self._asked.since, self._asked.until, self._zone):
                part = (_T.status.in_(HAS_RESULT), _T.ended_at >= since, _T.ended_at < until)
                found.append((month, *await self._counts(self._tasks(select(*sums), *part))))
            return tuple(_of_results(*row) for row in found if row[1])
        query = self._asked_for(select(Store.name, *sums).select_from(_T), by_store=True)
        query = query.outerjoin(Store, Store.id == func.coalesce(Project.store_id, Customer.store_id))
        query = query.where(*self._with_result()).group_by(Store.name)
        rows = {row[0] or "": row for row in (await self._session.execute(query)).all()}
        return tuple(_of_results(name, *rows[name][1:]) for name in sorted(rows))

    def _tasks(self, query: Any, *chosen: ColumnElement[bool]) -> Any:
        """Return a query over tasks that were asked for."""
        return self._asked_for(query.select_from(_T)).where(*chosen)

    def _asked_for(self, query: Any, *, by_store: bool = False) -> Any:
        if by_store or self._asked.store_id is not None:
            query = query.join(Customer, Customer.id == _T.customer_id)
            query = query.outerjoin(Project, Project.id == _T.project_id)
        # All kinds are named, too: the indexes begin with it.
        kinds = CallbackType if self._asked.kind is None else (self._asked.kind,)
        query = query.where(_T.kind.in_([kind.value for kind in kinds]))
        if self._asked.store_id is not None:
            store = func.coalesce(Project.store_id, Customer.store_id)
            query = query.where(store == self._asked.store_id)
        return query

    def _answers(self, query: Any, *chosen: ColumnElement[bool]) -> Any:
        """Return a query over answers that hold, of those that were asked for."""
        query = query.select_from(_A).where(_A.replaced_at.is_(None), self._within(_A.at), *chosen)
        if self._asked.kind is not None:
            query = query.where(_A.code == self._asked.kind.value)
        if self._asked.store_id is not None:
            query = query.where(_A.store_id == self._asked.store_id)
        return query

    def _with_result(self) -> tuple[ColumnElement[bool], ...]:
        return (_T.status.in_(HAS_RESULT), self._within(_T.ended_at))

    def _over(self, moment: Any) -> ColumnElement[bool]:
        """Return whether a time that somebody had ran out in the period; what still runs is not late."""
        return and_(self._within(moment), moment <= self._now)

    def _within(self, moment: Any) -> ColumnElement[bool]:
        return and_(moment >= self._asked.since, moment < self._asked.until)

    async def _counts(self, query: Any) -> tuple[int, ...]:
        row = (await self._session.execute(query)).one()
        return tuple(int(value or 0) for value in row)


def _scored() -> ColumnElement[bool]:
    return _A.score.is_not(None)


def _of_items(name: str | None, total: Any, number: Any) -> GroupRow:
    return GroupRow(name=name or "", results=0, satisfied=0, mean=Mean(int(total or 0), int(number)))


def _of_results(name: str, results: Any, satisfied: Any, total: Any, number: Any) -> GroupRow:
    mean = Mean(int(total or 0), int(number or 0))
    return GroupRow(name=name, results=int(results), satisfied=int(satisfied or 0), mean=mean)
