"""Improvement measures: set by the manager, done by departments, checked next month (domain.md §1.15)."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.cases import MAX_PAGE, CaseRegister, known_department, tidy_text
from crm.domain import improvement as rules
from crm.domain.case import CaseKind
from crm.domain.complaint import ComplaintClass, check_subclass
from crm.domain.improvement import Measure, MeasureState, MeasureStep
from crm.improvement_tables import ImprovementFile, ImprovementMeasure, ImprovementStep
from crm.improvement_views import (
    Evidence,
    MeasureChange,
    MeasureDetail,
    MeasureEntry,
    MeasureFilter,
    MeasurePage,
    MeasureView,
    NewMeasure,
)
from crm.journal import Journal
from crm.members import Members, member_of
from crm.months import month_of, month_period
from crm.pictures import MediaType
from crm.tables import Department, ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.cursor import read_cursor, write_cursor
from kernel.db import Database
from kernel.errors import Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid

ENTITY = "improvement"
MAX_TEXT = 1000
_ROW = ImprovementMeasure
_OPEN = (MeasureState.OPEN.value, MeasureState.REPORTED.value)


class Improvements:
    """Keeps the measures.

    Args:
        zone: the site's; days and months are its own.
        members: who works in which department; only they can be put in charge.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        cases: CaseRegister,
        journal: Journal,
        members: Members,
        *,
        zone: ZoneInfo,
    ) -> None:
        self._database = database
        self._clock = clock
        self._cases = cases
        self._journal = journal
        self._members = members
        self._zone = zone

    def today(self) -> date:
        """Return the site's day."""
        return self._clock.now().astimezone(self._zone).date()

    async def page(
        self, actor: Actor, wanted: MeasureFilter, *, cursor: str | None = None, limit: int = 50
    ) -> MeasurePage:
        """Return measures by due date: all of them, or those of the own department and one's own.

        Raises:
            Forbidden: the role sees no cases.
            Invalid: no month, or the cursor is not one of ours.
        """
        actor.need(Permission.CASES_VIEW)
        limit, today = max(1, min(limit, MAX_PAGE)), self.today()
        query = _QUERY.where(*self._conditions(actor, wanted, today))
        if cursor is not None:
            at, key = read_cursor(cursor)
            day = at.date()
            query = query.where(or_(_ROW.due_on > day, and_(_ROW.due_on == day, _ROW.id > key)))
        query = query.order_by(_ROW.due_on, _ROW.id).limit(limit + 1)
        async with self._database.session() as session:
            found = [_view(actor, today, *each) for each in (await session.execute(query)).all()]
        last = found[limit - 1] if len(found) > limit else None
        return MeasurePage(
            items=tuple(found[:limit]),
            next_cursor=write_cursor(datetime.combine(last.due_on, time(), UTC), last.measure_id)
            if last is not None
            else None,
        )

    async def get(self, actor: Actor, measure_id: str) -> MeasureDetail:
        """Return a measure with its history and evidence. Raises NotFound, Forbidden."""
        actor.need(Permission.CASES_VIEW)
        async with self._database.session() as session:
            return await self._detail(session, actor, measure_id)

    async def set(self, actor: Actor, new: NewMeasure) -> MeasureDetail:
        """Set a measure: by hand, from a month's cause, or from a complaint.

        Raises:
            Forbidden: the role sets none.
            Invalid: no such department, owner, class, complaint or month; a due date that has passed.
        """
        actor.need(Permission.IMPROVEMENTS_SET)
        problem = tidy_text(new.problem, field="problem", limit=MAX_TEXT)
        measure = tidy_text(new.measure, field="measure", limit=MAX_TEXT)
        now, today = self._clock.now(), self.today()
        month = new.month or month_of(now, self._zone)
        if month_period(month, self._zone)[0] > now:
            raise Invalid("lies ahead", field="month")
        rules.check_due(new.due_on, today)
        if new.class_code is not None:
            check_subclass(new.class_code, new.subclass)
        elif new.subclass is not None:
            raise Invalid("a sub-class of which class", field="subclass")
        await self._check_case(actor, new.case_id)
        async with self._database.transaction() as session:
            await known_department(session, new.department)
            row = _ROW(
                id=new_ulid(),
                month=month,
                problem=problem,
                measure=measure,
                class_code=new.class_code.value if new.class_code is not None else None,
                subclass=new.subclass,
                case_id=new.case_id,
                department=new.department,
                due_on=new.due_on,
                state=MeasureState.OPEN.value,
                round=1,
                created_at=now,
                created_by=actor.name,
            )
            await self._own(session, row, new.owner_id)
            session.add(row)
            await session.flush()
            await self._note(session, actor, row, "set", measure)
            return await self._detail(session, actor, row.id)

    async def change(
        self, actor: Actor, measure_id: str, given: MeasureChange, *, expected: int
    ) -> MeasureDetail:
        """Write an open measure anew. Raises as :meth:`set`, IllegalStep, NotFound, StaleVersion."""
        actor.need(Permission.IMPROVEMENTS_SET)
        problem = tidy_text(given.problem, field="problem", limit=MAX_TEXT)
        text = tidy_text(given.measure, field="measure", limit=MAX_TEXT)
        async with self._database.transaction() as session:
            row = await self._locked(session, actor, measure_id, expected)
            _store(row, rules.change(_measure(row), given.due_on, self.today()))
            row.problem, row.measure = problem, text
            await self._own(session, row, given.owner_id)
            await session.flush()
            await self._note(session, actor, row, "changed", text)
            return await self._detail(session, actor, measure_id)

    async def report(self, actor: Actor, measure_id: str, *, expected: int, evidence: str) -> MeasureDetail:
        """Say what was done, and what shows it; files are put beside it.

        Raises:
            Forbidden: neither the owner, nor the department's head, nor who sets measures.
            IllegalStep, Invalid, NotFound, StaleVersion: as everywhere.
        """
        text = tidy_text(evidence, field="evidence", limit=MAX_TEXT)
        async with self._database.transaction() as session:
            row = await self._locked(session, actor, measure_id, expected)
            if not may_report(actor, row):
                raise Forbidden("only its owner or the department's head reports a measure")
            _store(row, rules.report(_measure(row), actor.user_id, self.today()))
            await session.flush()
            await self._note(session, actor, row, "reported", text)
            return await self._detail(session, actor, measure_id)

    async def check(
        self,
        actor: Actor,
        measure_id: str,
        *,
        expected: int,
        effective: bool,
        text: str,
        due_on: date | None = None,
    ) -> MeasureDetail:
        """Say whether the measure had an effect; without one it begins again, until ``due_on``.

        Raises:
            Forbidden: the role checks none.
            SamePerson: who reported it checks it.
            EffectUnknown: the next month has not begun.
            IllegalStep, Invalid, NotFound, StaleVersion: as everywhere.
        """
        actor.need(Permission.IMPROVEMENTS_CHECK)
        text = tidy_text(text, field="text", limit=MAX_TEXT)
        async with self._database.transaction() as session:
            row = await self._locked(session, actor, measure_id, expected)
            checked = rules.check(
                _measure(row), effective=effective, by=actor.user_id, today=self.today(), due_on=due_on
            )
            step = "effective" if effective else "not_effective"
            self._add_step(session, actor, row, step, text)
            _store(row, checked)
            await session.flush()
            await self._journal_step(session, actor, row, step, text)
            return await self._detail(session, actor, measure_id)

    async def drop(self, actor: Actor, measure_id: str, *, expected: int, reason: str) -> MeasureDetail:
        """Do without a measure, with the reason. Raises Forbidden, IllegalStep, NotFound, StaleVersion."""
        actor.need(Permission.IMPROVEMENTS_SET)
        reason = tidy_text(reason, field="reason", limit=400)
        async with self._database.transaction() as session:
            row = await self._locked(session, actor, measure_id, expected)
            _store(row, rules.drop(_measure(row)))
            await session.flush()
            await self._note(session, actor, row, "dropped", reason)
            return await self._detail(session, actor, measure_id)

    def _conditions(self, actor: Actor, wanted: MeasureFilter, today: date) -> list[ColumnElement[bool]]:
        found = [seen_by(actor)]
        if wanted.is_open is not None:
            found.append(_ROW.state.in_(_OPEN) if wanted.is_open else _ROW.state.not_in(_OPEN))
        if wanted.month is not None:
            month_period(wanted.month, self._zone)
        for column, value in (
            (_ROW.state, wanted.state),
            (_ROW.department, wanted.department),
            (_ROW.month, wanted.month),
            (_ROW.case_id, wanted.case_id),
        ):
            if value is not None:
                found.append(column == value)
        if wanted.overdue:
            first = today.replace(day=1)
            last_month = (first - timedelta(days=1)).replace(day=1)
            found.append(
                or_(
                    and_(_ROW.state == MeasureState.OPEN.value, _ROW.due_on < today),
                    and_(_ROW.state == MeasureState.REPORTED.value, _ROW.reported_on < last_month),
                )
            )
        return found

    async def _check_case(self, actor: Actor, case_id: str | None) -> None:
        if case_id is None:
            return
        case = await self._cases.get(actor, case_id) if is_ulid(case_id) else None
        if case is None or case.kind is not CaseKind.COMPLAINT:
            raise Invalid("no such complaint", field="case_id")

    async def _own(self, session: AsyncSession, row: ImprovementMeasure, owner_id: str | None) -> None:
        row.owner_id = await member_of(self._members, session, owner_id, row.department, field="owner_id")
        owner = await self._members.actor(session, row.owner_id) if row.owner_id is not None else None
        row.owner_name = owner.name if owner is not None else ""

    async def _locked(
        self, session: AsyncSession, actor: Actor, measure_id: str, expected: int
    ) -> ImprovementMeasure:
        actor.need(Permission.CASES_VIEW)
        query = select(_ROW).where(_ROW.id == measure_id, seen_by(actor)).with_for_update()
        row = await session.scalar(query) if is_ulid(measure_id) else None
        if row is None:
            raise NotFound("no such measure", field="measure_id")
        if row.version != expected:
            raise StaleVersion("somebody else changed the measure; read it again", field="If-Match")
        return row

    def _add_step(
        self, session: AsyncSession, actor: Actor, row: ImprovementMeasure, step: str, text: str
    ) -> None:
        session.add(
            ImprovementStep(
                id=new_ulid(),
                measure_id=row.id,
                at=self._clock.now(),
                by=actor.name,
                step=step,
                round=row.round,
                text=text,
            )
        )

    async def _note(
        self, session: AsyncSession, actor: Actor, row: ImprovementMeasure, step: str, text: str
    ) -> None:
        self._add_step(session, actor, row, step, text)
        await self._journal_step(session, actor, row, step, text)

    async def _journal_step(
        self, session: AsyncSession, actor: Actor, row: ImprovementMeasure, step: str, text: str
    ) -> None:
        after = {"state": row.state, "round": row.round, "due_on": row.due_on, "department": row.department}
        await self._journal.note(
            session, actor, f"improvement.{step}", entity=ENTITY, entity_id=row.id, after=after, why=text
        )

    async def _detail(self, session: AsyncSession, actor: Actor, measure_id: str) -> MeasureDetail:
        found = None
        if is_ulid(measure_id):
            query = _QUERY.where(_ROW.id == measure_id, seen_by(actor))
            found = (await session.execute(query)).one_or_none()
        if found is None:
            raise NotFound("no such measure", field="measure_id")
        steps = select(ImprovementStep).where(ImprovementStep.measure_id == measure_id)
        files = select(ImprovementFile).where(ImprovementFile.measure_id == measure_id)
        return MeasureDetail(
            measure=_view(actor, self.today(), *found),
            history=tuple(
                MeasureEntry(at=row.at, by=row.by, step=row.step, round=row.round, text=row.text)
                for row in await session.scalars(steps.order_by(ImprovementStep.id))
            ),
            evidence=tuple(
                evidence_view(row) for row in await session.scalars(files.order_by(ImprovementFile.id))
            ),
        )


_QUERY: Any = (
    select(_ROW, Department.name, ServiceCase.no)
    .join(Department, Department.code == _ROW.department)
    .outerjoin(ServiceCase, ServiceCase.id == _ROW.case_id)
)


def seen_by(actor: Actor) -> ColumnElement[bool]:
    """Return the condition that somebody sees a measure."""
    if actor.can(Permission.RED_LIST_VIEW):
        return _ROW.id.is_not(None)
    return or_(_ROW.owner_id == actor.user_id, _ROW.department == (actor.department or ""))


def may_report(actor: Actor, row: ImprovementMeasure) -> bool:
    """Tell whether somebody may say that a measure is done, and put evidence beside it."""
    heads = actor.can(Permission.CASES_SIGN) and actor.department == row.department
    return heads or actor.user_id == row.owner_id or actor.can(Permission.IMPROVEMENTS_SET)


def evidence_view(row: ImprovementFile) -> Evidence:
    """Return a file as lists show it."""
    return Evidence(
        file_id=row.id,
        round=row.round,
        name=row.name,
        media_type=MediaType(row.media_type),
        size=row.size,
        has_thumbnail=row.thumb_sha256 is not None,
        uploaded_at=row.uploaded_at,
        uploaded_by=row.uploaded_by,
    )


def _measure(row: ImprovementMeasure) -> Measure:
    return Measure(
        state=MeasureState(row.state),
        due_on=row.due_on,
        round=row.round,
        reported_on=row.reported_on,
        reported_by=row.reported_by_id,
    )


def _store(row: ImprovementMeasure, measure: Measure) -> None:
    row.state, row.due_on, row.round = measure.state.value, measure.due_on, measure.round
    row.reported_on, row.reported_by_id = measure.reported_on, measure.reported_by


def _view(
    actor: Actor, today: date, row: ImprovementMeasure, department: str, case_no: str | None
) -> MeasureView:
    measure = _measure(row)
    may = {
        MeasureStep.CHANGE: actor.can(Permission.IMPROVEMENTS_SET),
        MeasureStep.REPORT: may_report(actor, row),
        MeasureStep.CHECK: actor.can(Permission.IMPROVEMENTS_CHECK)
        and actor.user_id != row.reported_by_id
        and today >= (rules.check_from(measure) or today),
        MeasureStep.DROP: actor.can(Permission.IMPROVEMENTS_SET),
    }
    return MeasureView(
        measure_id=row.id,
        month=row.month,
        problem=row.problem,
        measure=row.measure,
        class_code=ComplaintClass(row.class_code) if row.class_code is not None else None,
        subclass=row.subclass,
        case_id=row.case_id,
        case_no=case_no,
        department=row.department,
        department_name=department,
        owner_id=row.owner_id,
        owner=row.owner_name,
        due_on=row.due_on,
        state=measure.state,
        round=row.round,
        reported_on=row.reported_on,
        check_from=rules.check_from(measure),
        overdue=rules.is_overdue(measure, today),
        steps=tuple(step for step in rules.steps_of(measure) if may[step]),
        created_at=row.created_at,
        created_by=row.created_by,
        version=row.version,
    )
