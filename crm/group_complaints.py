"""Finds group complaints 群诉 in the cases of a community: proposed as major ones (domain.md §1.3)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.classification import shipped
from crm.complaint_tables import ComplaintLine
from crm.domain.case import CaseKind, CaseStatus, Severity, Source
from crm.domain.complaint import SERIOUS_CAUSES, ComplaintClass, proposed_severity
from crm.domain.complaint_line import LineStatus
from crm.domain.group import Group, Neighbour, groups
from crm.tables import Project, ServiceCase
from kernel.access import Actor, Permission
from kernel.clock import Clock
from kernel.db import Database
from kernel.errors import NotFound
from kernel.ids import is_ulid

MOST = 500
"""Complaints of a community that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Which severity is proposed for a complaint, and why.

    Attributes:
        reasons: ``source``, ``cause`` and ``group``, as far as they speak for more than a general one.
        group: the largest group that it would be one of.
    """

    severity: Severity
    reasons: tuple[str, ...]
    group: Group | None


class GroupComplaints:
    """Looks for groups, for customer service: whose the other complaints are is not for departments."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def around(self, actor: Actor, project_id: str | None) -> Mapping[ComplaintClass, Group]:
        """Return class → the group that a complaint about this home would be one of now.

        Raises:
            Forbidden: the role registers no cases.
            NotFound: no such project.
        """
        actor.need(Permission.CASES_REGISTER)
        if project_id is None:
            return {}
        async with self._database.session() as session:
            project = await session.get(Project, project_id) if is_ulid(project_id) else None
            if project is None:
                raise NotFound("no such project", field="project_id")
            return await groups_around(session, project, self._clock.now())

    async def of_case(self, actor: Actor, project_id: str | None, case_id: str) -> Group | None:
        """Return the largest group that a complaint is one of, at the time when it was registered or since.

        ``None`` for who does not see all cases.
        """
        if not actor.can(Permission.CASES_VIEW_ALL) or project_id is None:
            return None
        lines = select(ComplaintLine.class_code).where(
            ComplaintLine.case_id == case_id, ComplaintLine.status != LineStatus.REROUTED.value
        )
        async with self._database.session() as session:
            project = await session.get(Project, project_id)
            codes = {ComplaintClass(code) for code in await session.scalars(lines)}
            found = await groups_around(session, project, self._clock.now()) if project else {}
        return largest(found, codes)

    async def propose(
        self,
        actor: Actor,
        source: Source,
        causes: Collection[tuple[ComplaintClass, str | None]],
        *,
        project_id: str | None = None,
    ) -> Proposal:
        """Return what is proposed for a complaint before it is registered. Raises as :meth:`around`."""
        found = largest(await self.around(actor, project_id), {class_ for class_, _ in causes})
        reasons: list[str] = []
        severity = proposed_severity(source)
        if severity is not Severity.GENERAL:
            reasons.append("source")
        if set(causes) & SERIOUS_CAUSES:
            severity = max(severity, Severity.SERIOUS)
            reasons.append("cause")
        if found is not None:
            severity = Severity.MAJOR
            reasons.append("group")
        return Proposal(severity=severity, reasons=tuple(reasons), group=found)


def largest(found: Mapping[ComplaintClass, Group], classes: Collection[ComplaintClass]) -> Group | None:
    """Return the largest of the groups about one of the classes."""
    mine = [group for class_, group in found.items() if class_ in classes]
    return max(mine, key=lambda group: group.customers, default=None)


async def groups_around(
    session: AsyncSession, project: Project, now: datetime
) -> Mapping[ComplaintClass, Group]:
    """Return class → the group of a project's community; none where the community is not known."""
    if not project.community:
        return {}
    rule = shipped().group
    query = (
        select(
            ServiceCase.id,
            ServiceCase.no,
            ServiceCase.customer_id,
            ServiceCase.opened_at,
            ComplaintLine.class_code,
        )
        .join(Project, Project.id == ServiceCase.project_id)
        .join(ComplaintLine, ComplaintLine.case_id == ServiceCase.id)
        .where(
            ServiceCase.kind == CaseKind.COMPLAINT.value,
            ServiceCase.opened_at > now - rule.within,
            ServiceCase.status != CaseStatus.NOT_FILED.value,
            Project.community == project.community,
            ComplaintLine.status != LineStatus.REROUTED.value,
            ComplaintLine.confidential.is_(False),
        )
        .order_by(ServiceCase.opened_at.desc(), ServiceCase.id.desc())
        .limit(MOST)
    )
    rows = (await session.execute(query)).all()
    neighbours = [
        Neighbour(case_id=key, no=no, customer_id=who, class_=ComplaintClass(code), opened_at=at)
        for key, no, who, at, code in rows
    ]
    return groups(neighbours, project.customer_id, rule, now)
