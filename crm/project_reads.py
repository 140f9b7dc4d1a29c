"""Reads projects, inside a session that a service opened; addresses only for who may see them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.payments import Entry, Period, owed
from crm.domain.project import Stage
from crm.domain.stages import Course, Delivery
from crm.people_tables import PaymentRow, StageEventRow, SuspensionRow
from crm.project_views import PaymentView, ProjectRecord, ProjectView, StageEventView, SuspensionView
from crm.tables import CaseParty, Crew, Customer, Project, ServiceCase, Store
from kernel.access import Actor, Permission
from kernel.errors import NotFound
from kernel.ids import is_ulid

ZERO = Decimal("0.00")


async def views(
    session: AsyncSession, actor: Actor, *chosen: ColumnElement[bool], order: Sequence[Any] = (), limit: int
) -> list[ProjectView]:
    """Return projects that fulfil the conditions, as the actor may see them."""
    paid = (
        select(func.sum(PaymentRow.amount))
        .where(PaymentRow.project_id == Project.id)
        .correlate(Project)
        .scalar_subquery()
    )
    query = (
        select(Project, Customer.name, Store.name, Crew.name, Crew.status, paid)
        .join(Customer, Customer.id == Project.customer_id)
        .outerjoin(Store, Store.id == Project.store_id)
        .outerjoin(Crew, Crew.id == Project.crew_id)
        .where(*chosen)
        .order_by(*order)
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    rows = (await session.execute(query)).all()
    seen = await addresses_shown(session, actor, [row[0].id for row in rows])
    return [_view(*row, with_address=row[0].id in seen) for row in rows]


async def addresses_shown(session: AsyncSession, actor: Actor, ids: Sequence[str]) -> set[str]:
    """Return the projects whose address the actor may see.

    Who sees customers sees all. Crews' and departments' people see those with an open case of theirs
    (domain.md §6.4: address only while the order is open).
    """
    if actor.can(Permission.CUSTOMERS_VIEW):
        return set(ids)
    if not actor.department or not ids:
        return set()
    part = exists().where(CaseParty.case_id == ServiceCase.id, CaseParty.department_code == actor.department)
    query = select(ServiceCase.project_id).where(
        ServiceCase.project_id.in_(ids),
        ServiceCase.closed_at.is_(None),
        or_(part, ServiceCase.department_code == actor.department),
    )
    return {found for found in (await session.execute(query)).scalars() if found is not None}


async def record(session: AsyncSession, actor: Actor, project_id: str) -> ProjectRecord:
    """Return a project with its history.

    Raises:
        NotFound: no such project.
    """
    found = await views(session, actor, Project.id == project_id, limit=1) if is_ulid(project_id) else []
    if not found:
        raise NotFound("no such project", field="project_id")
    stages = select(StageEventRow).where(StageEventRow.project_id == project_id)
    stages = stages.order_by(StageEventRow.recorded_at.desc(), StageEventRow.id.desc())
    still = select(SuspensionRow).where(SuspensionRow.project_id == project_id)
    still = still.order_by(SuspensionRow.since.desc(), SuspensionRow.id.desc())
    return ProjectRecord(
        project=found[0],
        stages=tuple(stage_view(row) for row in (await session.execute(stages)).scalars()),
        suspensions=tuple(
            SuspensionView(
                since=row.since, until=row.until, reason=row.reason, by=row.by, resumed_by=row.resumed_by
            )
            for row in (await session.execute(still)).scalars()
        ),
        payments=await payments(session, project_id),
    )


async def payments(session: AsyncSession, project_id: str) -> tuple[PaymentView, ...]:
    """Return the project's payments and reversals, newest first."""
    query = select(PaymentRow).where(PaymentRow.project_id == project_id)
    query = query.order_by(PaymentRow.posted_at.desc(), PaymentRow.id.desc())
    rows = (await session.execute(query)).scalars().all()
    gone = {row.reverses_id for row in rows if row.reverses_id}
    return tuple(payment_view(row, taken_back=row.id in gone) for row in rows)


async def entries(session: AsyncSession, project_id: str) -> tuple[Entry, ...]:
    """Return the project's payments as the rules want them."""
    return tuple(
        Entry(period=item.period, amount=item.amount, due=item.due, reversed=item.reversed)
        for item in await payments(session, project_id)
    )


async def course_of(session: AsyncSession, row: Project) -> Course:
    """Return where the project stands, as the rules want it."""
    reached = select(StageEventRow.stage, StageEventRow.happened_on).where(
        StageEventRow.project_id == row.id, StageEventRow.voided_at.is_(None)
    )
    still = select(SuspensionRow.since).where(
        SuspensionRow.project_id == row.id, SuspensionRow.until.is_(None)
    )
    return Course(
        stage=Stage(row.stage),
        stage_before=Stage(row.stage_before) if row.stage_before is not None else None,
        has_crew=row.crew_id is not None,
        signed_on=row.signed_on,
        started_on=row.started_on,
        finished_on=row.finished_on,
        concealed_planned=row.concealed_planned,
        midterm_planned=row.midterm_planned,
        warranty_until=row.warranty_until,
        delivery=Delivery(row.delivery_state),
        appraised=row.appraised_at is not None,
        suspended_on=(await session.execute(still.limit(1))).scalar_one_or_none(),
        reached={Stage(stage): day for stage, day in (await session.execute(reached)).all()},
    )


def store_course(row: Project, course: Course) -> None:
    """Write where the project stands into its row."""
    row.stage = int(course.stage)
    row.stage_before = int(course.stage_before) if course.stage_before is not None else None
    row.signed_on, row.started_on = course.signed_on, course.started_on
    row.finished_on, row.warranty_until = course.finished_on, course.warranty_until
    row.concealed_planned, row.midterm_planned = course.concealed_planned, course.midterm_planned
    row.delivery_state = course.delivery.value
    if not course.appraised:
        row.appraised_at = row.appraised_by = row.appraisal_points = row.appraisal_note = None


def stage_view(row: StageEventRow) -> StageEventView:
    """Return a stage event as shown."""
    return StageEventView(
        stage_event_id=row.id,
        stage=Stage(row.stage),
        happened_on=row.happened_on,
        planned_on=row.planned_on,
        recorded_at=row.recorded_at,
        recorded_by=row.recorded_by,
        sheet_ref=row.sheet_ref,
        photos=row.photos,
        note=row.note,
        callback_ref=row.callback_ref,
        voided_at=row.voided_at,
        voided_by=row.voided_by,
        void_reason=row.void_reason,
    )


def payment_view(row: PaymentRow, *, taken_back: bool) -> PaymentView:
    """Return a payment as shown."""
    return PaymentView(
        payment_id=row.id,
        period=Period(row.period),
        due=row.due,
        amount=row.amount,
        paid_at=row.paid_at,
        receipt_no=row.receipt_no,
        posted_by=row.posted_by,
        posted_at=row.posted_at,
        reverses=row.reverses_id,
        reversed=taken_back,
        reason=row.reason,
        released_by=row.released_by,
    )


def _view(
    row: Project,
    customer: str,
    store: str | None,
    crew: str | None,
    crew_status: str | None,
    paid: Decimal | None,
    *,
    with_address: bool,
) -> ProjectView:
    stage = Stage(row.stage)
    return ProjectView(
        project_id=row.id,
        contract_no=row.contract_no,
        customer_id=row.customer_id,
        customer_name=customer,
        address=row.address if with_address else None,
        community=row.community if with_address else None,
        building=row.building if with_address else None,
        unit=row.unit if with_address else None,
        room=row.room if with_address else None,
        area_m2=row.area_m2,
        store_id=row.store_id,
        store=store,
        kind=row.kind,
        package=row.package,
        amount=row.amount,
        changes=row.changes,
        owed=owed(row.amount, row.changes),
        paid=Decimal(paid).quantize(ZERO) if paid is not None else ZERO,
        signed_on=row.signed_on,
        contract_starts_on=row.contract_starts_on,
        contract_ends_on=row.contract_ends_on,
        started_on=row.started_on,
        finished_on=row.finished_on,
        project_manager=row.project_manager,
        designer=row.designer,
        inspector=row.inspector,
        sales_person=row.sales_person,
        crew_id=row.crew_id,
        crew=crew,
        crew_status=crew_status,
        gang=row.gang,
        stage=stage,
        rank=Stage(row.stage_before) if stage < 0 and row.stage_before is not None else stage,
        concealed_planned=row.concealed_planned,
        midterm_planned=row.midterm_planned,
        delivery_state=Delivery(row.delivery_state),
        appraised_at=row.appraised_at,
        appraised_by=row.appraised_by,
        appraisal_points=row.appraisal_points,
        appraisal_note=row.appraisal_note,
        warranty_no=row.warranty_no,
        warranty_until=row.warranty_until,
        audit_ref=row.audit_ref,
        archive_no=row.archive_no,
        cancelled_at=row.cancelled_at,
        ended_reason=row.ended_reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        version=row.version,
    )
