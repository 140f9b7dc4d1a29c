"""Looks at new cases for what somebody should hear of at once: watchwords, a cause on the rise, a group."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.classification import shipped
from crm.complaint_tables import Complaint, ComplaintCall, ComplaintLine
from crm.domain.case import CaseStatus, Severity
from crm.domain.complaint import CLASS_LABELS, SUBCLASSES, ComplaintClass
from crm.domain.watchwords import Words, find_watchword
from crm.events_alerts import CauseRising, GroupComplaint, WatchwordFound
from crm.events_cases import ComplaintRegistered, CustomerCalledAgain
from crm.events_repairs import RepairRegistered
from crm.events_tickets import TicketOpened
from crm.group_complaints import groups_around, largest
from crm.tables import Crew, Project, ServiceCase
from kernel.events import Event
from kernel.outbox import add_fact

RISING_WITHIN = timedelta(days=7)
RISING_FROM = 3
MOST = 50
"""Complaints that a fact names at the most."""

ALERT_FACTS: tuple[type[Event], ...] = (
    ComplaintRegistered,
    CustomerCalledAgain,
    RepairRegistered,
    TicketOpened,
)


async def look_at_case(session: AsyncSession, fact: Event, *, words: Words | None = None) -> None:
    """Look at a case that came in, or about which the customer called again.

    ``words`` are the centre's own; those that come with the product otherwise.
    """
    if not isinstance(fact, ComplaintRegistered | CustomerCalledAgain | RepairRegistered | TicketOpened):
        return
    header = await session.get(ServiceCase, fact.case_id)
    if header is None:
        return
    await _look_for_words(session, header, fact, words)
    if isinstance(fact, ComplaintRegistered):
        await _look_for_rise(session, header, fact)
        await _look_for_group(session, header, fact)


async def _look_for_words(
    session: AsyncSession, header: ServiceCase, fact: Event, words: Words | None
) -> None:
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


async def _look_for_rise(session: AsyncSession, header: ServiceCase, fact: Event) -> None:
    lines = await session.scalars(select(ComplaintLine).where(ComplaintLine.case_id == header.id))
    project = await session.get(Project, header.project_id) if header.project_id else None
    crew = await session.get(Crew, project.crew_id) if project is not None and project.crew_id else None
    told: set[tuple[str, str]] = set()
    for line in lines:
        if line.confidential:
            continue
        subjects: list[tuple[str, str, ColumnElement[bool]]] = []
        if line.manufacturer:
            same = ComplaintLine.manufacturer == line.manufacturer
            subjects.append((f"manufacturer:{line.manufacturer}", line.manufacturer, same))
        if crew is not None:
            subjects.append((f"crew:{crew.id}", crew.name, Project.crew_id == crew.id))
        for key, name, same in subjects:
            cause_key = f"{line.class_code}.{line.subclass or ''}"
            cases = await _same_cause(session, header, line, same)
            if len(cases) >= RISING_FROM and (cause_key, key) not in told:
                told.add((cause_key, key))
                add_fact(
                    session,
                    CauseRising(
                        at=fact.at,
                        cause=_cause(line),
                        cause_key=cause_key,
                        subject=name,
                        subject_key=key,
                        count=len(cases),
                        days=RISING_WITHIN.days,
                        case_ids=tuple(cases),
                    ),
                )


async def _same_cause(
    session: AsyncSession, header: ServiceCase, line: ComplaintLine, same: ColumnElement[bool]
) -> Sequence[str]:
    """Return the complaints of the days before with this cause and subject, the oldest first."""
    subclass = ComplaintLine.subclass == line.subclass if line.subclass else ComplaintLine.subclass.is_(None)
    query = (
        select(ServiceCase.id)
        .join(ComplaintLine, ComplaintLine.case_id == ServiceCase.id)
        .outerjoin(Project, Project.id == ServiceCase.project_id)
        .where(
            ServiceCase.opened_at > header.opened_at - RISING_WITHIN,
            ServiceCase.opened_at <= header.opened_at,
            ServiceCase.status != CaseStatus.NOT_FILED.value,
            ComplaintLine.class_code == line.class_code,
            subclass,
            same,
        )
        .group_by(ServiceCase.id, ServiceCase.opened_at)
        .order_by(ServiceCase.opened_at.desc(), ServiceCase.id)
        .limit(MOST)
    )
    return list(await session.scalars(query))[::-1]


def _cause(line: ComplaintLine) -> str:
    kind = ComplaintClass(line.class_code)
    subclass = SUBCLASSES[kind].get(line.subclass or "", "")
    return f"{CLASS_LABELS[kind]}·{subclass}" if subclass else CLASS_LABELS[kind]
