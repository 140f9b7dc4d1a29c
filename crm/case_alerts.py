"""Looks at new cases for what somebody should hear of at once: watchwords, a cause on the rise, a group."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.alert_rules import rules_at
from crm.cause_heaps import look_for_heaps
from crm.classification import shipped
from crm.complaint_tables import Complaint, ComplaintCall, ComplaintLine
from crm.domain.case import Severity
from crm.domain.complaint import CLASS_LABELS, ComplaintClass
from crm.domain.watchwords import Words, find_watchword
from crm.events_alerts import GroupComplaint, WatchwordFound
from crm.events_cases import ComplaintRegistered, CustomerCalledAgain
from crm.events_repairs import RepairRegistered
from crm.events_tickets import TicketOpened
from crm.group_complaints import groups_around, largest
from crm.tables import Project, ServiceCase
from kernel.events import Event
from kernel.outbox import add_fact

ALERT_FACTS: tuple[type[Event], ...] = (
    ComplaintRegistered,
    CustomerCalledAgain,
    RepairRegistered,
    TicketOpened,
)


async def look_at_case(session: AsyncSession, fact: Event, *, words: Words | None = None) -> None:
    """Look at a case that came in, or about which the customer called again.

    ``words`` are the centre's own, until the manager sets others; without any, those of the product.
    """
    if not isinstance(fact, ComplaintRegistered | CustomerCalledAgain | RepairRegistered | TicketOpened):
        return
    header = await session.get(ServiceCase, fact.case_id)
    if header is None:
        return
    rules = await rules_at(session, fact.at, words)
    await _look_for_words(session, header, fact, rules.words)
    if isinstance(fact, ComplaintRegistered):
        await look_for_heaps(session, header, fact.at, rules)
        await _look_for_group(session, header, fact)


async def _look_for_words(session: AsyncSession, header: ServiceCase, fact: Event, words: Words) -> None:
    texts = [header.content or header.summary]
    demand = await session.scalar(select(Complaint.demand).where(Complaint.case_id == header.id))
    texts.append(demand or "")
    notes = select(ComplaintCall.note).where(ComplaintCall.case_id == header.id)
    texts += list(await session.scalars(notes))
    found = find_watchword(texts, words)
    if found is not None:
        add_fact(
            session,
            WatchwordFound(
                at=fact.at,
                case_id=header.id,
                no=header.no,
                about=found.about.value,
                word=found.word,
                specialist_id=header.specialist_id,
            ),
        )


async def _look_for_group(session: AsyncSession, header: ServiceCase, fact: Event) -> None:
    """Tell of a complaint that makes a group, or is one more of it, unless it is a major one already."""
    project = await session.get(Project, header.project_id) if header.project_id else None
    if project is None or header.severity >= Severity.MAJOR:
        return
    codes = await session.scalars(select(ComplaintLine.class_code).where(ComplaintLine.case_id == header.id))
    found = largest(
        await groups_around(session, project, header.opened_at), {ComplaintClass(code) for code in codes}
    )
    if found is not None:
        add_fact(
            session,
            GroupComplaint(
                at=fact.at,
                case_id=header.id,
                no=header.no,
                community=project.community or "",
                cause=CLASS_LABELS[found.class_],
                customers=found.customers,
                days=shipped().group.within.days,
                specialist_id=header.specialist_id,
            ),
        )
