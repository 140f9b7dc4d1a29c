"""Projects as the office keeps them: written down, moved through their stages, suspended, ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm import project_reads
from crm.domain.payments import owed, paid
from crm.domain.project import Stage
from crm.domain.project_rules import (
    PARTS,
    check_days,
    check_fields,
    check_standing,
    whole_address,
)
from crm.office import Office, current_id, known_store, project_for_change
from crm.project_views import ProjectPage, ProjectRecord
from crm.tables import Crew, Project
from kernel.access import Actor, Permission
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import is_ulid, new_ulid

MAX_PAGE = 200
FIRST_STAGES = (Stage.PROPOSAL, Stage.AUDIT, Stage.SIGNED, Stage.REGISTERED)
BY_STAGES = frozenset({"started_on", "finished_on"})
"""Fields that only stages write."""
BY_MANAGER = frozenset({"changes"})


class ContractTaken(Conflict):
    """Another project has this contract number."""

    code = "contract_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFilter:
    """Which projects to list; what is ``None`` does not matter.

    Attributes:
        running: not handed over, not ended.
    """

    customer_id: str | None = None
    contract_no: str | None = None
    stage: Stage | None = None
    running: bool | None = None
    crew_id: str | None = None
    store_id: str | None = None
    project_manager: str | None = None


class Projects:
    """Writes projects down and shows them; their stages are ``crm.stages.ProjectStages``."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def create(
        self, actor: Actor, customer_id: str, fields: Mapping[str, Any], *, stage: Stage = Stage.REGISTERED
    ) -> ProjectRecord:
        """Add a project of a customer, at one of its first stages.

        Raises:
            Forbidden: the role writes no projects.
            NotFound: no such customer.
            ContractTaken: the contract number is taken.
            Invalid: a field breaks a rule; the error names it.
        """
        actor.need(Permission.PROJECTS_EDIT)
        office, now = self._office, self._office.now()
        if stage not in FIRST_STAGES:
            raise Invalid("a new project begins at 10, 15, 20 or 25; register later stages", field="stage")
        values = check_fields(fields)
        self._refuse(actor, values)
        check_days(values, today=office.today())
        check_standing(values, stage)
        values["address"] = whole_address(values)
        if not values["address"]:
            raise Invalid("an address, or at least the community", field="address")
        if not values.get("contract_no"):
            raise Invalid("must not be empty", field="contract_no")
        try:
            async with office.database.transaction() as session:
                owner = await current_id(session, customer_id)
                await known_store(session, values.get("store_id"))
                await _usable_crew(session, values.get("crew_id"))
                row = Project(
                    id=new_ulid(),
                    customer_id=owner,
                    stage=int(stage),
                    created_at=now,
                    created_by=actor.name,
                    updated_at=now,
                    updated_by=actor.name,
                    **values,
                )
                session.add(row)
                return await self._done(session, actor, row, "project_created", {}, values)
        except IntegrityError as error:
            raise ContractTaken("another project has this contract number", field="contract_no") from error

    async def change(
        self, actor: Actor, project_id: str, fields: Mapping[str, Any], *, expected: int | None
    ) -> ProjectRecord:
        """Change fields; stages and what they write have ways of their own.

        Raises:
            Forbidden: the role changes no projects, or approves no changes of the amount.
            NotFound: no such project.
            StaleVersion: somebody changed it since.
            ContractTaken: the contract number is taken.
            Invalid: a field breaks a rule, or the amount falls below what was paid.
        """
        actor.need(Permission.PROJECTS_EDIT)
        office = self._office
        values = check_fields(fields)
        self._refuse(actor, values)
        try:
            async with office.database.transaction() as session:
                row = await project_for_change(session, project_id, expected)
                before = {name: getattr(row, name) for name in values}
                merged = {name: getattr(row, name) for name in _STORED} | values
                check_days(merged, today=office.today())
                if any(name in values for name in PARTS) and "address" not in values:
                    values["address"] = (
                        whole_address({name: merged.get(name) for name in PARTS}) or row.address
                    )
                if values.get("address", row.address) is None:
                    raise Invalid("must not be empty", field="address")
                stage = Stage(row.stage if row.stage > 0 else row.stage_before or row.stage)
                if "crew_id" in values and stage >= Stage.CREW_ASSIGNED and values["crew_id"] is None:
                    raise Invalid("a crew is required from stage 35 on", field="crew_id")
                await known_store(session, values.get("store_id"))
                if values.get("crew_id") != row.crew_id:
                    await _usable_crew(session, values.get("crew_id"))
                if "amount" in values or "changes" in values:
                    limit = owed(merged["amount"], merged["changes"])
                    received = paid(await project_reads.entries(session, row.id))
                    if received > (limit or 0):
                        raise Invalid(f"{received} are paid already", field="amount")
                for name, value in values.items():
                    setattr(row, name, value)
                row.updated_at, row.updated_by = office.now(), actor.name
                return await self._done(session, actor, row, "project_changed", before, values)
        except IntegrityError as error:
            raise ContractTaken("another project has this contract number", field="contract_no") from error

    async def get(self, actor: Actor, project_id: str) -> ProjectRecord:
        """Return a project with its history.

        Raises:
            Forbidden: the role sees no projects.
            NotFound: no such project.
        """
        actor.need(Permission.PROJECTS_VIEW)
        async with self._office.database.session() as session:
            return await project_reads.record(session, actor, project_id)

    async def page(
        self, actor: Actor, wanted: ProjectFilter, *, cursor: str | None = None, limit: int = 50
    ) -> ProjectPage:
        """Return a page of projects, newest first by id.

        Raises:
            Forbidden: the role sees no projects.
            Invalid: the cursor is not one of ours.
        """
        actor.need(Permission.PROJECTS_VIEW)
        limit = max(1, min(limit, MAX_PAGE))
        chosen = _conditions(wanted)
        async with self._office.database.session() as session:
            if wanted.customer_id is not None:
                try:
                    owner = await current_id(session, wanted.customer_id)
                except NotFound:
                    return ProjectPage(items=(), next_cursor=None)
                chosen.append(Project.customer_id == owner)
            if cursor is not None:
                if not is_ulid(cursor):
                    raise Invalid("this cursor is not one of ours; begin with the first page", field="cursor")
                chosen.append(Project.id < cursor)
            found = await project_reads.views(
                session, actor, *chosen, order=(Project.id.desc(),), limit=limit + 1
            )
        more = len(found) > limit
        return ProjectPage(
            items=tuple(found[:limit]), next_cursor=found[limit - 1].project_id if more else None
        )

    def _refuse(self, actor: Actor, values: Mapping[str, Any]) -> None:
        for name in sorted(BY_STAGES & set(values)):
            raise Invalid("register the stage instead", field=name)
        if BY_MANAGER & set(values):
            actor.need(Permission.PROJECTS_CORRECT)

    async def _done(
        self,
        session: AsyncSession,
        actor: Actor,
        row: Project,
        action: str,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
    ) -> ProjectRecord:
        await session.flush()
        await self._office.search.project(session, row.id)
        await self._office.journal.note(
            session, actor, action, entity="project", entity_id=row.id, before=before, after=after
        )
        return await project_reads.record(session, actor, row.id)


_STORED = (
    "contract_no",
    "address",
    *PARTS,
    "signed_on",
    "contract_starts_on",
    "contract_ends_on",
    "started_on",
    "finished_on",
    "concealed_planned",
    "midterm_planned",
    "warranty_until",
    "crew_id",
    "amount",
    "changes",
)


async def _usable_crew(session: AsyncSession, crew_id: str | None) -> None:
    """Raises Invalid when a crew is unknown, departed or suspended."""
    if crew_id is None:
        return
    crew = await session.get(Crew, crew_id) if is_ulid(crew_id) else None
    if crew is None:
        raise Invalid("no such crew", field="crew_id")
    if crew.status != "active":
        raise Invalid(f"this crew is {crew.status}; choose one that works", field="crew_id")


def _conditions(wanted: ProjectFilter) -> list[ColumnElement[bool]]:
    chosen: list[ColumnElement[bool]] = []
    for column, value in (
        (Project.crew_id, wanted.crew_id),
        (Project.store_id, wanted.store_id),
        (Project.project_manager, wanted.project_manager),
    ):
        if value is not None:
            chosen.append(column == value)
    if wanted.contract_no is not None:
        chosen.append(Project.contract_no.startswith(wanted.contract_no, autoescape=True))
    if wanted.stage is not None:
        chosen.append(Project.stage == int(wanted.stage))
    if wanted.running is not None:
        inside = (Project.stage > 0) & (Project.stage < Stage.DELIVERED) | (Project.stage == Stage.SUSPENDED)
        chosen.append(inside if wanted.running else ~inside)
    return chosen
