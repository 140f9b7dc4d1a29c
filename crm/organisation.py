"""The company's own: stores, departments with head and deputy, staff, crews (domain.md §4.1)."""

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.customer_rules import MAX_REASON, parse_number
from crm.domain.lines import choice, maybe_line, one_line
from crm.domain.project import Stage
from crm.domain.staff import agent_number, skill_words
from crm.members import AgentNumbers, NoNumbers
from crm.office import Office, known_store
from crm.organisation_views import (
    CrewStatus,
    CrewView,
    DepartmentView,
    StaffRole,
    StaffView,
    StoreView,
    crew_view,
    department_view,
    staff_view,
    store_view,
)
from crm.people_tables import StaffRow
from crm.tables import Crew, Department, Project, Store
from kernel.access import Actor, Permission
from kernel.db import Base
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid
from kernel.paging import MAX_PAGE, By, Page, cut, ordered

CODE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
T = TypeVar("T", bound=Base)


class NameTaken(Conflict):
    """Another one has this name or code."""

    code = "name_taken"


class OtherNumber(Invalid):
    """The telephone of somebody's user has another number."""

    code = "other_number"


class Organisation:
    """Keeps the company's own lists. Nothing is deleted: what is no more is set inactive, or departed.

    Args:
        numbers: knows the telephones of users.
    """

    def __init__(self, office: Office, numbers: AgentNumbers | None = None) -> None:
        self._office = office
        self._numbers = numbers or NoNumbers()

    # Stores

    async def stores(self, actor: Actor) -> tuple[StoreView, ...]:
        """Return the stores by name. Raises Forbidden."""
        actor.need(Permission.PROJECTS_VIEW)
        async with self._office.database.session() as session:
            rows = (await session.execute(select(Store).order_by(Store.name))).scalars().all()
        return tuple(store_view(row) for row in rows)

    async def put_store(
        self, actor: Actor, store_id: str | None, given: Mapping[str, Any], *, expected: int | None
    ) -> StoreView:
        """Add a store (``store_id`` None), or change what is given.

        Raises:
            Forbidden, NotFound, StaleVersion, NameTaken, Invalid: as their names say.
        """
        actor.need(Permission.STAFF_EDIT)
        values = _picked(given, {"name", "address", "phone", "active"})
        if "name" in values:
            values["name"] = one_line(values["name"] or "", field="name", limit=60)
        if "address" in values:
            values["address"] = maybe_line(values["address"], field="address", limit=200)
        if "phone" in values:
            values["phone"] = self._number(values["phone"])
        async with self._office.database.transaction() as session:
            row = await self._row(session, Store, store_id, expected, "store_id", values, {"id": new_ulid()})
            await self._store(session, actor, "store", row.id, row, values)
            return store_view(row)

    # Departments

    async def departments(self, actor: Actor) -> tuple[DepartmentView, ...]:
        """Return the departments by code. Raises Forbidden."""
        actor.need(Permission.PROJECTS_VIEW)
        async with self._office.database.session() as session:
            rows = (await session.execute(select(Department).order_by(Department.code))).scalars().all()
        return tuple(department_view(row) for row in rows)

    async def put_department(
        self, actor: Actor, code: str, given: Mapping[str, Any], *, expected: int | None
    ) -> DepartmentView:
        """Add a department (``expected`` None), or change what is given.

        Raises:
            Forbidden, NotFound, StaleVersion, NameTaken, Invalid: as their names say.
        """
        actor.need(Permission.STAFF_EDIT)
        names = {
            "head": 40,
            "deputy": 40,
            "escalation_contact": 120,
            "statistics_code": 16,
        }
        values = _picked(given, {"name", "head_user_id", "deputy_user_id", "active", *names})
        if "name" in values:
            values["name"] = one_line(values["name"] or "", field="name", limit=60)
        for name, limit in names.items():
            if name in values:
                values[name] = maybe_line(values[name], field=name, limit=limit)
        for name in ("head_user_id", "deputy_user_id"):
            if values.get(name) is not None and not is_ulid(values[name]):
                raise Invalid("not the id of a user", field=name)
        if not 0 < len(code) <= 16 or not set(code) <= CODE:
            raise Invalid("1 to 16 capital letters, digits, - and _", field="code")
        async with self._office.database.transaction() as session:
            known = None if expected is None else code
            row = await self._row(session, Department, known, expected, "code", values, {"code": code})
            if row.head_user_id is not None and row.head_user_id == row.deputy_user_id:
                raise Invalid("the deputy is somebody else than the head", field="deputy_user_id")
            await self._store(session, actor, "department", row.code, row, values)
            return department_view(row)

    # Crews

    async def crews(self, actor: Actor, *, status: CrewStatus | None = None) -> tuple[CrewView, ...]:
        """Return the crews by name, with how much work each has. Raises Forbidden."""
        return tuple(await self._crews(actor, status, None, None))

    async def crew_page(
        self, actor: Actor, *, status: CrewStatus | None = None, cursor: str | None = None, limit: int
    ) -> Page[CrewView]:
        """Return a page of the crews. Raises Forbidden, Invalid."""
        limit = max(1, min(limit, MAX_PAGE))
        return cut(await self._crews(actor, status, cursor, limit + 1), limit, lambda view: view.crew_id)

    async def _crews(
        self, actor: Actor, status: CrewStatus | None, cursor: str | None, most: int | None
    ) -> list[CrewView]:
        actor.need(Permission.PROJECTS_VIEW)
        running = (
            select(func.count())
            .where(Project.crew_id == Crew.id, Project.stage > 0, Project.stage < int(Stage.DELIVERED))
            .correlate(Crew)
            .scalar_subquery()
        )
        query = select(Crew, running).limit(most)
        if status is not None:
            query = query.where(Crew.status == status.value)
        async with self._office.database.session() as session:
            query = await ordered(session, query, Crew, (By(Crew.name), By(Crew.id)), cursor=cursor)
            rows = (await session.execute(query)).all()
        return [crew_view(row, count) for row, count in rows]

    async def put_crew(
        self, actor: Actor, crew_id: str | None, given: Mapping[str, Any], *, expected: int | None
    ) -> CrewView:
        """Add a crew (``crew_id`` None), or change what is given; one that departs needs day and reason.

        Raises:
            Forbidden, NotFound, StaleVersion, Invalid: as their names say.
        """
        actor.need(Permission.STAFF_EDIT)
        values = _picked(
            given, {"name", "head", "phone", "status", "direct", "departed_on", "departed_reason"}
        )
        for name, limit in (("name", 60), ("head", 40)):
            if name in values:
                values[name] = one_line(values[name] or "", field=name, limit=limit)
        if "phone" in values:
            values["phone"] = self._number(values["phone"])
        if "status" in values:
            values["status"] = choice(CrewStatus, values["status"] or "", field="status").value
        if "departed_reason" in values:
            values["departed_reason"] = maybe_line(
                values["departed_reason"], field="departed_reason", limit=MAX_REASON
            )
        async with self._office.database.transaction() as session:
            row = await self._row(session, Crew, crew_id, expected, "crew_id", values, {"id": new_ulid()})
            if not row.head:
                raise Invalid("say who heads the crew", field="head")
            row.status = row.status or CrewStatus.ACTIVE.value
            if row.status == CrewStatus.DEPARTED:
                if row.departed_on is None or row.departed_on > self._office.today():
                    raise Invalid("say when it left; not in the future", field="departed_on")
                if row.departed_reason is None:
                    raise Invalid("say why it left", field="departed_reason")
            else:
                row.departed_on = row.departed_reason = None
            await self._store(session, actor, "crew", row.id, row, values)
            return crew_view(row, 0)

    # Staff

    async def staff(
        self,
        actor: Actor,
        *,
        role: StaffRole | None = None,
        active: bool | None = True,
        skill: str | None = None,
    ) -> tuple[StaffView, ...]:
        """Return who works for the company, by name; with ``skill`` those who have it. Raises Forbidden."""
        return tuple(await self._staff(actor, role, active, skill, None))

    async def staff_page(
        self,
        actor: Actor,
        *,
        role: StaffRole | None = None,
        active: bool | None = True,
        skill: str | None = None,
        cursor: str | None = None,
        limit: int,
    ) -> Page[StaffView]:
        """Return a page of who works for the company. Raises Forbidden, Invalid."""
        limit = max(1, min(limit, MAX_PAGE))
        found = await self._staff(actor, role, active, skill, cursor)
        return cut(found[: limit + 1], limit, lambda view: view.staff_id)

    async def _staff(
        self, actor: Actor, role: StaffRole | None, active: bool | None, skill: str | None, cursor: str | None
    ) -> list[StaffView]:
        actor.need(Permission.PROJECTS_VIEW)
        query = select(StaffRow)
        if role is not None:
            query = query.where(StaffRow.role == role.value)
        if active is not None:
            query = query.where(StaffRow.active.is_(active))
        order = (By(StaffRow.name), By(StaffRow.id))
        async with self._office.database.session() as session:
            query = await ordered(session, query, StaffRow, order, cursor=cursor)
            rows = (await session.execute(query)).scalars().all()
            telephones = await self._numbers.telephones(session)
        # Some hundred people at most; the databases look into lists in ways of their own.
        mine = (row for row in rows if skill is None or skill in (row.skills or ()))
        return [staff_view(row, telephones) for row in mine]

    async def put_staff(
        self, actor: Actor, staff_id: str | None, given: Mapping[str, Any], *, expected: int | None
    ) -> StaffView:
        """Add somebody (``staff_id`` None), or change what is given.

        Raises:
            Forbidden, NotFound, StaleVersion, Invalid: as their names say.
        """
        actor.need(Permission.STAFF_EDIT)
        async with self._office.database.transaction() as session:
            return await self.put_staff_in(session, actor, staff_id, given, expected=expected)

    async def put_staff_in(
        self,
        session: AsyncSession,
        actor: Actor,
        staff_id: str | None,
        given: Mapping[str, Any],
        *,
        expected: int | None,
    ) -> StaffView:
        """Do :meth:`put_staff` in the caller's transaction."""
        values = self._staff_values(given)
        await known_store(session, values.get("store_id"))
        code = values.get("department_code")
        if code is not None and await session.get(Department, code) is None:
            raise Invalid("no such department", field="department_code")
        fresh = {"id": new_ulid(), "skills": []}
        row = await self._row(session, StaffRow, staff_id, expected, "staff_id", values, fresh)
        if row.role is None:
            raise Invalid("say what they do", field="role")
        await self._check_number(session, row, values)
        await self._store(session, actor, "staff", row.id, row, values)
        return staff_view(row, await self._numbers.telephones(session))

    def _staff_values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        known = {"name", "role", "department_code", "store_id", "phone", "user_id", "active"}
        values = _picked(given, known | {"agent_no", "skills"})
        if "name" in values:
            values["name"] = one_line(values["name"] or "", field="name", limit=40)
        if "role" in values:
            values["role"] = choice(StaffRole, values["role"] or "", field="role").value
        if "phone" in values:
            values["phone"] = self._number(values["phone"])
        if "agent_no" in values:
            values["agent_no"] = agent_number(values["agent_no"])
        if "skills" in values:
            values["skills"] = list(skill_words(values["skills"] or ()))
        if values.get("user_id") is not None and not is_ulid(values["user_id"]):
            raise Invalid("not the id of a user", field="user_id")
        return values

    async def _check_number(self, session: AsyncSession, row: StaffRow, values: dict[str, Any]) -> None:
        """Give somebody the number of their user's telephone; refuse another one, or that of a colleague."""
        with session.no_autoflush:
            if row.user_id is not None and {"user_id", "agent_no"} & set(values):
                number = await self._numbers.number_of(session, row.user_id)
                if number is not None and row.agent_no is None:
                    row.agent_no = values["agent_no"] = number
                elif number is not None and row.agent_no != number:
                    raise OtherNumber(f"their telephone has the number {number}", field="agent_no")
            if row.agent_no is None or row.active is False:
                return
            query = select(StaffRow.name).where(
                StaffRow.agent_no == row.agent_no, StaffRow.active, StaffRow.id != row.id
            )
            taken = await session.scalar(query.limit(1))
        if taken is not None:
            raise NameTaken(f"it is the number of {taken}", field="agent_no")

    def _number(self, raw: str | None) -> str | None:
        return parse_number(raw, area=self._office.default_area, field="phone").e164 if raw else None

    async def _row(
        self,
        session: AsyncSession,
        table: type[T],
        key: str | None,
        expected: int | None,
        field: str,
        values: Mapping[str, Any],
        fresh: Mapping[str, Any],
    ) -> T:
        """Return the row to change with the values set, or a new one. Only the session knows of it yet."""
        if key is None:
            if not values.get("name"):
                raise Invalid("must not be empty", field="name")
            row = table(**fresh)
        else:
            found = await session.get(table, key, with_for_update=True)
            if found is None:
                raise NotFound("no such thing", field=field)
            if expected is not None and getattr(found, "version", None) != expected:
                raise StaleVersion("it was changed by somebody else; read it again", field="If-Match")
            row = found
        for name, value in values.items():
            setattr(row, name, value)
        return row

    async def _store(
        self, session: AsyncSession, actor: Actor, entity: str, key: str, row: Base, values: Mapping[str, Any]
    ) -> None:
        session.add(row)
        try:
            await session.flush()
        except IntegrityError as error:
            field = {"department": "code", "staff": "agent_no"}.get(entity, "name")
            raise NameTaken("another one has this name or code", field=field) from error
        shown = {name: value for name, value in values.items() if name != "phone"}
        await self._office.journal.note(
            session, actor, f"{entity}_changed", entity=entity, entity_id=key, after=shown
        )


def _picked(given: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    unknown = sorted(set(given) - known)
    if unknown:
        raise Invalid("not a field that can be changed", field=unknown[0])
    return dict(given)
