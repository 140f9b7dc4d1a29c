"""What is known of a customer and their project when questions are chosen (domain.md §3.0 to §3.8)."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.domain.questionnaire import Do
from callback_campaigns.domain.questionnaire_conditions import FactValue
from callback_campaigns.domain.task import Task
from callback_campaigns.domain.terms import Channel
from callback_campaigns.questionnaire_book import QuestionnaireBook
from callback_campaigns.talk_store import answers_of, to_set
from callback_campaigns.talk_tables import CallbackTalkRow, CallbackTalkSetRow
from callback_campaigns.task_tables import CallbackTaskRow
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.freeze import ConsentPurpose, RefusalLevel
from crm.domain.repair_terms import Route
from crm.people_tables import ConsentRow, DoNotCallRow
from crm.repair_tables import RepairRow
from crm.tables import Customer, Project, ServiceCase

PLAN_POINTS = {"D3": "d3", "M1": "m1", "M3": "m3", "M6": "m6", "W30": "warranty"}
YEARLY = "Y"
SEASON = "S"
UNASKED = "phone"
"""How everybody is reached until they say otherwise."""
MARKETING = (ConsentPurpose.MARKETING_CALL.value, ConsentPurpose.MARKETING_SMS.value)
UNACCEPTED = (CaseStatus.REGISTERED.value, CaseStatus.HANDED_OFF.value)


async def facts_of(session: AsyncSession, task: Task, *, today: date) -> dict[str, FactValue]:
    """Return the facts that conditions of questions and rules ask for."""
    facts: dict[str, FactValue] = {}
    project = await session.get(Project, task.project_id) if task.project_id else None
    if project is not None and project.started_on is not None:
        facts["days_since_start"] = (today - project.started_on).days
    if point := plan_point(task.point):
        facts["plan_point"] = point
    if task.case_id is not None:
        case = await session.get(ServiceCase, task.case_id)
        if case is not None and case.severity is not None:
            facts["severity"] = case.severity
        repair = await session.get(RepairRow, task.case_id)
        facts["repaired_by_captain"] = repair is not None and repair.route == Route.CAPTAIN.value
    for name, kind in (("earlier_ticket", CaseKind.TICKET), ("earlier_repair", CaseKind.REPAIR)):
        facts[name] = await _had(session, task, kind)
    customer = await session.get_one(Customer, task.customer_id)
    said = customer.preferred_channel
    facts["contact_preference"] = said if said != UNASKED else "unknown"
    facts["marketing_consent"] = await _marketing(session, task.customer_id)
    return facts


def plan_point(code: str) -> str | None:
    """Return a point of a plan as questionnaires call it."""
    if code.startswith(YEARLY) and code[1:].isdigit():
        return "yearly"
    if code.startswith(SEASON) and code[1:].isdigit():
        return "season"
    # One of several ends of a warranty has its year and month besides.
    return PLAN_POINTS.get(code.partition("-")[0])


async def carried_to(
    session: AsyncSession, book: QuestionnaireBook, task: Task, code: str
) -> Sequence[tuple[str, int, str]]:
    """Return what earlier callbacks of the project left to be asked again: code, number and item.

    Of material that had not arrived, or a test that had not been made, the next callback asks once more.
    """
    if task.project_id is None:
        return ()
    query = (
        select(CallbackTalkSetRow)
        .join(CallbackTaskRow, CallbackTaskRow.id == CallbackTalkSetRow.task_id)
        .join(CallbackTalkRow, CallbackTalkRow.id == CallbackTalkSetRow.talk_id)
        .where(
            CallbackTaskRow.project_id == task.project_id,
            CallbackTaskRow.id != task.task_id,
            CallbackTalkSetRow.kept,
        )
        .order_by(CallbackTalkRow.ended_at)
    )
    found: dict[str, tuple[str, int, str]] = {}
    for row in (await session.scalars(query)).all():
        one = await to_set(book, row)
        answers = await answers_of(session, [row.task_id])
        again = {
            effect.item_id
            for effect in one.judged(Channel.AGENT, answers).effects
            if effect.do is Do.REASK and effect.detail == code
        }
        for name in one.mine(answers):
            found.pop(name, None)  # asked once more since, and answered
        found |= {name: (row.code, row.number, name) for name in sorted(again)}
    return tuple(found.values())


async def complaints_unaccepted(session: AsyncSession, customer_id: str) -> int:
    """Return how many complaints of a customer nobody has accepted yet (CB-4)."""
    query = select(func.count()).where(
        ServiceCase.customer_id == customer_id,
        ServiceCase.kind == CaseKind.COMPLAINT.value,
        ServiceCase.status.in_(UNACCEPTED),
    )
    return await session.scalar(query) or 0


async def _had(session: AsyncSession, task: Task, kind: CaseKind) -> bool:
    query = select(ServiceCase.id).where(
        ServiceCase.customer_id == task.customer_id, ServiceCase.kind == kind.value
    )
    if task.project_id is not None:
        query = query.where(ServiceCase.project_id == task.project_id)
    if task.case_id is not None:
        query = query.where(ServiceCase.id != task.case_id)
    return await session.scalar(query.limit(1)) is not None


async def _marketing(session: AsyncSession, customer_id: str) -> str:
    query = select(ConsentRow.withdrawn_at).where(
        ConsentRow.customer_id == customer_id, ConsentRow.purpose.in_(MARKETING)
    )
    withdrawn = (await session.scalars(query)).all()
    if None in withdrawn:
        return "given"
    no = select(DoNotCallRow.id).where(
        DoNotCallRow.customer_id == customer_id,
        DoNotCallRow.lifted_at.is_(None),
        DoNotCallRow.level >= int(RefusalLevel.MARKETING),
    )
    # Whoever said no is not asked again (JG8), whether or not they had said yes before.
    return "refused" if withdrawn or await session.scalar(no.limit(1)) is not None else "unknown"
