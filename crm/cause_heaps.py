"""Notices that complaints come in a heap: each heap is told of once, and grows as more complaints come."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.alert_rule_tables import CauseCluster, CauseClusterCase, CauseClusterHead
from crm.complaint_tables import ComplaintLine
from crm.domain.alert_rules import ONE_CAUSE, AlertRules, HeapRule, Subject
from crm.domain.case import CaseKind, CaseStatus
from crm.domain.complaint import CLASS_LABELS, SUBCLASSES, ComplaintClass
from crm.domain.complaint_line import LineStatus
from crm.events_alerts import CauseRising
from crm.notices.store import insert_new
from crm.tables import Crew, Department, Project, ServiceCase
from kernel.ids import new_ulid
from kernel.outbox import add_fact

MOST = 50
"""Complaints that a fact names at the most."""


@dataclass(frozen=True, slots=True)
class _Shared:
    """What a complaint may have in common with others."""

    subject: Subject
    key: str
    name: str
    same: ColumnElement[bool] | None


async def look_for_heaps(session: AsyncSession, header: ServiceCase, at: datetime, rules: AlertRules) -> None:
    """Look whether a complaint makes a heap with those before it, or is one more of one.

    Confidential causes are told of to nobody and counted for nothing.
    """
    query = select(ComplaintLine).where(
        ComplaintLine.case_id == header.id,
        ComplaintLine.confidential.is_(False),
        ComplaintLine.status != LineStatus.REROUTED.value,
    )
    lines = (await session.scalars(query)).all()
    project = await session.get(Project, header.project_id) if header.project_id else None
    crew = await session.get(Crew, project.crew_id) if project is not None and project.crew_id else None
    looked: set[str] = set()
    for line in lines:
        department = await session.get_one(Department, line.department_code)
        for shared in _shared(header, line, project, crew, department):
            rule = rules.heaps.get(shared.subject, HeapRule(0, 1))
            key = f"{shared.subject.value}|{shared.key}|{_cause_key(shared.subject, line)}"
            if rule.needed and key not in looked:
                looked.add(key)
                await _look(session, header, line, shared, key, rule, at)


def _shared(
    header: ServiceCase,
    line: ComplaintLine,
    project: Project | None,
    crew: Crew | None,
    department: Department,
) -> Iterator[_Shared]:
    if crew is not None:
        yield _Shared(Subject.CREW, crew.id, crew.name, Project.crew_id == crew.id)
    if line.manufacturer:
        maker = line.manufacturer
        yield _Shared(Subject.MANUFACTURER, maker, maker, ComplaintLine.manufacturer == maker)
    if header.store:
        yield _Shared(Subject.STORE, header.store, header.store, ServiceCase.store == header.store)
    yield _Shared(Subject.CAUSE, "", "", None)
    same = ComplaintLine.department_code == department.code
    yield _Shared(Subject.DEPARTMENT, department.code, department.name, same)
    if project is not None:
        yield _Shared(Subject.PROJECT, project.id, project.contract_no, Project.id == project.id)


def _cause_key(subject: Subject, line: ComplaintLine) -> str:
    return f"{line.class_code}.{line.subclass or ''}" if subject in ONE_CAUSE else ""


async def _look(
    session: AsyncSession,
    header: ServiceCase,
    line: ComplaintLine,
    shared: _Shared,
    key: str,
    rule: HeapRule,
    at: datetime,
) -> None:
    head = await _locked(session, key)
    heap = await session.get(CauseCluster, head.cluster_id) if head.cluster_id else None
    if heap is not None and header.opened_at - heap.last_at < timedelta(days=heap.days):
        if await _joins(session, heap.id, header.id, at):
            heap.cases += 1
            heap.last_at = max(heap.last_at, header.opened_at)
            heap.version += 1
        return
    found = await _alike(session, header, line, shared, rule)
    if len(found) < rule.needed:
        return
    one_cause = shared.subject in ONE_CAUSE
    heap = CauseCluster(
        id=new_ulid(),
        key=key,
        subject_kind=shared.subject.value,
        subject=shared.name[:80],
        class_code=line.class_code if one_cause else None,
        subclass=line.subclass if one_cause else None,
        needed=rule.needed,
        days=rule.days,
        cases=len(found),
        told_at=at,
        last_at=header.opened_at,
    )
    session.add(heap)
    await session.flush()
    head.cluster_id = heap.id
    for case_id in found:
        await _joins(session, heap.id, case_id, at)
    add_fact(
        session,
        CauseRising(
            at=at,
            cause=_cause(line) if one_cause else "",
            cause_key=_cause_key(shared.subject, line),
            subject=shared.name,
            subject_key=f"{shared.subject.value}:{shared.key}",
            count=len(found),
            days=rule.days,
            case_ids=tuple(found),
            heap_id=heap.id,
        ),
    )


async def _locked(session: AsyncSession, key: str) -> CauseClusterHead:
    """Return the latest heap's row, for which others now wait."""
    await insert_new(session, CauseClusterHead, {"key": key, "cluster_id": None})
    query = select(CauseClusterHead).where(CauseClusterHead.key == key).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


async def _joins(session: AsyncSession, cluster_id: str, case_id: str, at: datetime) -> bool:
    """Write down that a complaint is of a heap; tell whether it was not before."""
    if await session.get(CauseClusterCase, (cluster_id, case_id)) is not None:
        return False
    session.add(CauseClusterCase(cluster_id=cluster_id, case_id=case_id, added_at=at))
    await session.flush()
    return True


async def _alike(
    session: AsyncSession, header: ServiceCase, line: ComplaintLine, shared: _Shared, rule: HeapRule
) -> Sequence[str]:
    """Return the complaints of the days before that have it in common, the oldest first."""
    chosen = [
        ServiceCase.kind == CaseKind.COMPLAINT.value,
        ServiceCase.opened_at > header.opened_at - timedelta(days=rule.days),
        ServiceCase.opened_at <= header.opened_at,
        ServiceCase.status != CaseStatus.NOT_FILED.value,
        ComplaintLine.confidential.is_(False),
        ComplaintLine.status != LineStatus.REROUTED.value,
    ]
    if shared.subject in ONE_CAUSE:
        subclass = ComplaintLine.subclass
        chosen += [
            ComplaintLine.class_code == line.class_code,
            subclass == line.subclass if line.subclass else subclass.is_(None),
        ]
    if shared.same is not None:
        chosen.append(shared.same)
    query = (
        select(ServiceCase.id)
        .join(ComplaintLine, ComplaintLine.case_id == ServiceCase.id)
        .outerjoin(Project, Project.id == ServiceCase.project_id)
        .where(*chosen)
        .group_by(ServiceCase.id, ServiceCase.opened_at)
        .order_by(ServiceCase.opened_at.desc(), ServiceCase.id)
        .limit(max(MOST, rule.needed))
    )
    return list(await session.scalars(query))[::-1]


def _cause(line: ComplaintLine) -> str:
    kind = ComplaintClass(line.class_code)
    subclass = SUBCLASSES[kind].get(line.subclass or "", "")
    return f"{CLASS_LABELS[kind]}·{subclass}" if subclass else CLASS_LABELS[kind]
