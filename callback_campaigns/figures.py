"""Reads callbacks in figures (domain.md §5.1): of the whole period, and by whom or what they are about.

A record belongs to the store and the people that it named when it was made; see ``CallbackAnswerRow``.
"""

from collections import Counter
from collections.abc import Mapping
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
    literal_column,
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
from kernel.access import Actor, Permission
from kernel.errors import Invalid

LONGEST = timedelta(days=400)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackFigures:
    """All figures of a period."""

    as_of: datetime
    figures: Mapping[CallbackFigure, Rate]
    mean_score: Mean
    delays: Mapping[str, int]
    by: GroupBy
    groups: tuple[GroupRow, ...]
    presence: tuple[tuple[str, Rate], ...]


class FiguresReader:
    """Reads the figures."""

    def __init__(self, office: Office, plan: PlanRules) -> None:
        self._office = office
        self._plan = plan

    async def read(self, actor: Actor, asked: FiguresAsked, *, by: GroupBy = GroupBy.KIND) -> CallbackFigures:
        """Return the figures.

        Raises:
            Forbidden: the role sees no figures of the company.
            Invalid: the period ends before it begins, or is too long.
        """
        actor.need(Permission.RED_LIST_VIEW)
        if not asked.since < asked.until <= asked.since + LONGEST:
            raise Invalid(f"after since, and at most {LONGEST.days} days later", field="until")
        async with self._office.database.session() as session:
            part = _Part(session, asked, self._office, self._plan)
            figures = {
                **await part.coverage(),
                CallbackFigure.REQUIRED_RATIO: await part.required(),
                **await part.attempts(),
                **await part.said(),
                CallbackFigure.STAGE_SATISFACTION: await part.stage(),
                CallbackFigure.SOLVED: await part.solved(),
            }
            return CallbackFigures(
                as_of=self._office.now(),
                figures={code: figures[code] for code in CallbackFigure},
                mean_score=await part.mean_score(),
                delays=await part.delays(),
                by=by,
                groups=await part.groups(by),
                presence=await part.presence_by_manager(),
            )


class _Part:
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

    async def required(self) -> Rate:
        """Return what was done of what the sampling ratios ask for, of kinds that stages make due."""
        wanted, actual = Decimal(0), 0
        for kind, rule in self._plan.types.items():
            if rule.when.kind is not TriggerKind.STAGE or rule.points or not rule.enabled:
                continue
            if self._asked.kind not in {None, kind}:
                continue
            event, chosen = StageEventRow, [StageEventRow.voided_at.is_(None)]
            query = (
                select(func.count())
                .select_from(event)
                .join(Project, Project.id == event.project_id)
                .where(event.stage == rule.when.stage, self._within(event.recorded_at), *chosen)
            )
            if self._asked.store_id is not None:
                query = query.where(Project.store_id == self._asked.store_id)
            (total,) = await self._counts(query)
            share = Decimal(rule.sampling.numerator) / Decimal(rule.sampling.denominator)
            wanted += total * share
            done = self._tasks(
                select(func.count()), self._within(_T.ended_at), _T.status == DONE, _T.kind == kind.value
            )
            actual += (await self._counts(done))[0]
        return rate(actual, wanted)

    async def attempts(self) -> dict[CallbackFigure, Rate]:
        reached = case((_D.outcome == "answered", 1), else_=0)
        ended = _D.state == AttemptState.ENDED.value
        query = self._of_tasks(select(func.sum(reached), func.count()), self._within(_D.began_at), ended)
        answered, whole = await self._counts(query)
        tried = self._of_tasks(
            select(func.count(func.distinct(_T.id)), func.count(func.distinct(_done_id()))),
            self._within(_D.began_at),
        )
        attempted, done = await self._counts(tried)
        per_done = self._of_tasks(
            select(func.count(), func.count(func.distinct(_T.id))),
            self._within(_T.ended_at),
            _T.status == DONE,
        )
        calls, finished = await self._counts(per_done)
        return {
            CallbackFigure.CONTACT: rate(answered, whole),
            CallbackFigure.COMPLETION: rate(done, attempted),
            CallbackFigure.ATTEMPTS_PER_DONE: rate(calls, finished),
        }

    async def said(self) -> dict[CallbackFigure, Rate]:
        """Return what is told by the answers themselves, in one reading of them."""
        graded = and_(_A.kind.in_(GRADED), _A.code == CallbackType.COMPLETION.value)
        here = _A.measure == PRESENCE
        query = self._answers(
            select(
                case((graded, _A.value), else_="").label("graded_as"),
                func.count(_A.score),
                func.sum(case((_A.score == 100, 1), else_=0)),
                func.sum(case((and_(here, _A.counts), 1), else_=0)),
                func.sum(case((here, 1), else_=0)),
                func.sum(case((graded, 1), else_=0)),
            )
        ).group_by(literal_column("graded_as"))
        values: dict[str, int] = {}
        scored = top = there = asked = 0
        for value, *numbers in (await self._session.execute(query)).all():
            some = [int(number or 0) for number in numbers]
            scored, top, there, asked = scored + some[0], top + some[1], there + some[2], asked + some[3]
            values[str(value)] = some[4]
        good, passed = grades({value: number for value, number in values.items() if number})
        return {
            CallbackFigure.SATISFACTION: rate(top, scored),
            CallbackFigure.GOOD: good,
            CallbackFigure.PASSED: passed,
            CallbackFigure.PM_PRESENCE: rate(there, asked),
        }

    async def stage(self) -> Rate:
        good = case((_T.verdict == Verdict.SATISFIED.value, 1), else_=0)
        query = self._tasks(select(func.sum(good), func.count()), *self._with_result())
        return rate(*await self._counts(query))

    async def mean_score(self) -> Mean:
        query = self._tasks(select(func.sum(_T.score), func.count(_T.score)), *self._with_result())
        return Mean(*await self._counts(query))

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

    async def groups(self, by: GroupBy) -> tuple[GroupRow, ...]:
        if by in ROLES:
            return await self._by_person(by)
        if by is GroupBy.DEPARTMENT:
            return await self._by_department()
        return await self._by_result(by)

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

    async def _by_result(self, by: GroupBy) -> tuple[GroupRow, ...]:
        good = func.sum(case((_T.verdict == Verdict.SATISFIED.value, 1), else_=0))
        sums = (func.count(), good, func.sum(_T.score), func.count(_T.score))
        if by is GroupBy.MONTH:
            found: list[tuple[Any, ...]] = []
            for month, since, until in months_between(self._asked.since, self._asked.until, self._zone):
                part = (_T.status.in_(HAS_RESULT), _T.ended_at >= since, _T.ended_at < until)
                found.append((month, *await self._counts(self._tasks(select(*sums), *part))))
            return tuple(_of_results(*row) for row in found if row[1])
        column: Any = Store.name if by is GroupBy.STORE else _T.kind
        query = self._asked_for(select(column, *sums).select_from(_T), by_store=by is GroupBy.STORE)
        if by is GroupBy.STORE:
            query = query.outerjoin(Store, Store.id == func.coalesce(Project.store_id, Customer.store_id))
        query = query.where(*self._with_result()).group_by(column)
        rows = {row[0] or "": row for row in (await self._session.execute(query)).all()}
        names = [kind.value for kind in CallbackType] if by is GroupBy.KIND else sorted(rows)
        return tuple(_of_results(name, *rows[name][1:]) for name in names if name in rows)

    def _tasks(self, query: Any, *chosen: ColumnElement[bool]) -> Any:
        """Return a query over tasks that were asked for."""
        return self._asked_for(query.select_from(_T)).where(*chosen)

    def _of_tasks(self, query: Any, *chosen: ColumnElement[bool]) -> Any:
        """Return a query over the attempts of tasks that were asked for."""
        joined = query.select_from(_D).join(_T, _T.id == _D.task_id)
        return self._asked_for(joined).where(*chosen)

    def _asked_for(self, query: Any, *, by_store: bool = False) -> Any:
        if by_store or self._asked.store_id is not None:
            query = query.join(Customer, Customer.id == _T.customer_id)
            query = query.outerjoin(Project, Project.id == _T.project_id)
        if self._asked.kind is not None:
            query = query.where(_T.kind == self._asked.kind.value)
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


def _done_id() -> ColumnElement[Any]:
    return case((_T.status == DONE, _T.id))


def _of_items(name: str | None, total: Any, number: Any) -> GroupRow:
    return GroupRow(name=name or "", results=0, satisfied=0, mean=Mean(int(total or 0), int(number)))


def _of_results(name: str, results: Any, satisfied: Any, total: Any, number: Any) -> GroupRow:
    mean = Mean(int(total or 0), int(number or 0))
    return GroupRow(name=name, results=int(results), satisfied=int(satisfied or 0), mean=mean)
