"""Which facts of customers, projects and cases plan callbacks, and which hold, release or cancel them."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.plan_rules import CaseOf, TriggerKind, When
from callback_campaigns.domain.planning import Trigger
from crm.domain.project import Stage
from crm.domain.repair_terms import VisitOutcome
from crm.domain.stages import ENDED
from crm.events_cases import CaseClosed, LineDone, SeverityRaised
from crm.events_people import (
    CustomerFrozen,
    CustomerThawed,
    LevelSet,
    NumbersChanged,
    ProjectEnded,
    ProjectResumed,
    ProjectSuspended,
    StageCorrected,
    StageReached,
    ThawAnswered,
)
from crm.events_repairs import RepairClosed, RepairVisitFinished
from crm.events_tickets import RevisitWanted
from crm.people_tables import StageEventRow
from crm.tables import Project, ServiceCase
from kernel.events import Event

TASK_FACTS: tuple[type[Event], ...] = (
    *(StageReached, StageCorrected, ProjectSuspended, ProjectResumed, ProjectEnded),
    *(CustomerFrozen, CustomerThawed, ThawAnswered, NumbersChanged),
    *(LineDone, CaseClosed, RepairVisitFinished, RepairClosed, RevisitWanted, SeverityRaised, LevelSet),
)
FIXED = VisitOutcome.FIXED.value


@dataclass(frozen=True, slots=True)
class About:
    """Whom a fact is about, where it names a case only."""

    customer_id: str
    project_id: str | None


def trigger_of(fact: Event, *, today: date, about: About | None) -> Trigger | None:
    """Return the event that a fact is for the plan, ``None`` for a fact that plans nothing."""
    match fact:
        case StageReached():
            return Trigger(
                when=When(TriggerKind.STAGE, int(Stage(fact.stage))),
                ref=fact.stage_event_id,
                at=fact.at,
                on=fact.happened_on,
                customer_id=fact.customer_id,
                project_id=fact.project_id,
            )
        case ProjectEnded():
            return Trigger(
                when=When(TriggerKind.PROJECT_ENDED),
                ref=fact.event_id,
                at=fact.at,
                on=today,
                customer_id=fact.customer_id,
                project_id=fact.project_id,
            )
        case LineDone() | RepairVisitFinished() if about is not None:
            if isinstance(fact, RepairVisitFinished) and fact.outcome != FIXED:
                return None
            kind = CaseOf.COMPLAINT if isinstance(fact, LineDone) else CaseOf.REPAIR
            return Trigger(
                when=When(TriggerKind.CASE_RESOLVED, case=kind),
                ref=f"{fact.case_id}:{fact.event_id}",
                at=fact.at,
                on=today,
                customer_id=about.customer_id,
                project_id=about.project_id,
                case_id=fact.case_id,
            )
        case _:
            return None


def stage_trigger(project: Project, row: StageEventRow) -> Trigger:
    """Return the trigger that the fact of a stage event was."""
    return Trigger(
        when=When(TriggerKind.STAGE, row.stage),
        ref=row.id,
        at=row.recorded_at,
        on=row.happened_on,
        customer_id=project.customer_id,
        project_id=project.id,
    )


async def is_past(session: AsyncSession, trigger: Trigger) -> bool:
    """Tell whether what happened counts no more: a fact that was refused comes again after later ones."""
    match trigger.when.kind:
        case TriggerKind.STAGE:
            event = await session.get(StageEventRow, trigger.ref)
            project = await session.get(Project, trigger.project_id) if trigger.project_id else None
            ended = project is not None and project.stage in ENDED
            return ended or (event is not None and event.voided_at is not None)
        case TriggerKind.CASE_RESOLVED:
            case = await session.get(ServiceCase, trigger.case_id) if trigger.case_id else None
            return case is not None and case.closed_at is not None
        case _:
            return False
