"""What is written and told when a project reaches a stage or its hand-over moves on."""

from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.project import Stage
from crm.domain.stages import Course, Delivery
from crm.events_people import DeliveryMoved, StageReached
from crm.office import Office
from crm.people_tables import StageEventRow
from crm.tables import Project
from kernel.access import Actor
from kernel.outbox import add_fact


def reached(
    session: AsyncSession,
    office: Office,
    actor: Actor,
    row: Project,
    event: StageEventRow,
    stage: Stage,
    on: date,
) -> None:
    """Write down that a project reached a stage, and tell."""
    now = office.now()
    event.project_id, event.stage, event.happened_on = row.id, int(stage), on
    event.recorded_at, event.recorded_by = now, actor.name
    session.add(event)
    add_fact(
        session,
        StageReached(
            at=now,
            project_id=row.id,
            customer_id=row.customer_id,
            contract_no=row.contract_no,
            stage=int(stage),
            happened_on=on,
            planned_on=event.planned_on,
            stage_event_id=event.id,
            recorded_by=actor.name,
        ),
    )


def delivery_moved(session: AsyncSession, office: Office, row: Project, was: Delivery, now: Delivery) -> None:
    """Tell that the hand-over of a project moved on."""
    add_fact(
        session,
        DeliveryMoved(
            at=office.now(),
            project_id=row.id,
            customer_id=row.customer_id,
            contract_no=row.contract_no,
            state_was=was.value,
            state=now.value,
        ),
    )


def planned_day(course: Course, stage: Stage) -> date | None:
    """Return the day for which a stage was planned, where the project knows it."""
    match stage:
        case Stage.CONCEALED:
            return course.concealed_planned
        case Stage.MIDTERM:
            return course.midterm_planned
    return None
