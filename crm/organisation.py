"""The company's own: stores, departments with head and deputy, staff, crews (domain.md §4.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm.domain.customer_rules import MAX_REASON, parse_number
from crm.domain.lines import choice, maybe_line, one_line
from crm.domain.project import Stage
from crm.office import Office, known_store
from crm.people_tables import StaffRow
from crm.tables import Crew, Department, Project, Store
from kernel.access import Actor, Permission
from kernel.db import Base
from kernel.errors import Conflict, Invalid, NotFound, StaleVersion
from kernel.ids import is_ulid, new_ulid
from kernel.phone import mask

CODE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
T = TypeVar("T", bound=Base)


class CrewStatus(StrEnum):
    """Whether a crew works for us."""

    ACTIVE = "active"
    DEPARTED = "departed"
    SUSPENDED = "suspended"


class StaffRole(StrEnum):
    """What somebody does (domain.md §0)."""

    PM = "PM"
    DSG = "DSG"
    QC = "QC"
    SPC = "SPC"
    RCP = "RCP"
    DPP = "DPP"


class NameTaken(Conflict):
    """Another one has this name or code."""

    code = "name_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreView:
    """A store."""

    store_id: str
    name: str
    address: str | None
    phone: str | None
    active: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentView:
    """A department with those who may sign for it."""

    code: str
    name: str
    head: str | None
    deputy: str | None
    head_user_id: str | None
    deputy_user_id: str | None
    escalation_contact: str | None
    statistics_code: str | None
    active: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewView:
    """A crew; ``running`` is how many projects it works on. Its number is masked."""

    crew_id: str
    name: str
    head: str
    phone_masked: str | None
    status: CrewStatus
    direct: bool
    departed_on: date | None
    departed_reason: str | None
    running: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffView:
    """Somebody who works for the company. Their number is masked."""

    staff_id: str
    name: str
    role: StaffRole
    department: str | None
    store_id: str | None
    phone_masked: str | None
    user_id: str | None
    active: bool
    version: int


class Organisation:
    """Keeps the company's own lists. Nothing is deleted: what is no more is set inactive, or departed."""

    def __init__(self, office: Office) -> None:
        self._office = office

    # Stores

    async def stores(self, actor: Actor) -> tuple[StoreView, ...]:
        """Return the stores by name. Raises Forbidden."""
        actor.need(Permission.PROJECTS_VIEW)
        async with self._office.database.session() as session:
            rows = (await session.execute(select(Store).order_by(Store.name))).scalars().all()
        return tuple(_store(row) for row in rows)

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
            return _store(row)

    # Departments

    async def departments(self, actor: Actor) -> tuple[DepartmentView, ...]:
        """Return the departments by code. Raises Forbidden."""
        actor.need(Permission.PROJECTS_VIEW)
        async with self._office.database.session() as session:
            rows = (await session.execute(select(Department).order_by(Department.code))).scalars().all()
        return tuple(_department(row) for row in rows)

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
            return _department(row)

    # Crews

    async def crews(self, actor: Actor, *, status: CrewStatus | None = None) -> tuple[CrewView, ...]:
        """Return the crews by name, with how much work each has. Raises Forbidden."""
        actor.need(Permission.PROJECTS_VIEW)
        running = (
            select(func.count())
            .where(Project.crew_id == Crew.id, Project.stage > 0, Project.stage < int(Stage.DELIVERED))
            .correlate(Crew)
            .scalar_subquery()
        )
        query = select(Crew, running).order_by(Crew.name, Crew.id)
        if status is not None:
            query = query.where(Crew.status == status.value)
        async with self._office.database.session() as session:
            rows = (await session.execute(query)).all()
        return tuple(_crew(row, count) for row, count in rows)

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
            return _crew(row, 0)

    # Staff

    async def staff(
        self, actor: Actor, *, role: StaffRole | None = None, active: bool | None = True
    ) -> tuple[StaffView, ...]:
        """Return who works for the company, by name. Raises Forbidden."""
        actor.need(Permission.PROJECTS_VIEW)
        query = select(StaffRow).order_by(StaffRow.name, StaffRow.id)
        if role is not None:
            query = query.where(StaffRow.role == role.value)
        if active is not None:
            query = query.where(StaffRow.active.is_(active))
        async with self._office.database.session() as session:
            rows = (await session.execute(query)).scalars().all()
        return tuple(_staff(row) for row in rows)

    async def put_staff(
        self, actor: Actor, staff_id: str | None, given: Mapping[str, Any], *, expected: int | None
    ) -> StaffView:
        """Add somebody (``staff_id`` None), or change what is given.

        Raises:
            Forbidden, NotFound, StaleVersion, Invalid: as their names say.
        """
        actor.need(Permission.STAFF_EDIT)
        values = _picked(given, {"name", "role", "department_code", "store_id", "phone", "user_id", "active"})
        if "name" in values:
            values["name"] = one_line(values["name"] or "", field="name", limit=40)
        if "role" in values:
            values["role"] = choice(StaffRole, values["role"] or "", field="role").value
        if "phone" in values:
            values["phone"] = self._number(values["phone"])
        if values.get("user_id") is not None and not is_ulid(values["user_id"]):
            raise Invalid("not the id of a user", field="user_id")
        async with self._office.database.transaction() as session:
            await known_store(session, values.get("store_id"))
            code = values.get("department_code")
            if code is not None and await session.get(Department, code) is None:
                raise Invalid("no such department", field="department_code")
            row = await self._row(
                session, StaffRow, staff_id, expected, "staff_id", values, {"id": new_ulid()}
            )
            if row.role is None:
                raise Invalid("say what they do", field="role")
            await self._store(session, actor, "staff", row.id, row, values)
            return _staff(row)

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
            field = "code" if entity == "department" else "name"
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


def _store(row: Store) -> StoreView:
    return StoreView(
        store_id=row.id,
        name=row.name,
        address=row.address,
        phone=row.phone,
        active=row.active,
        version=row.version,
    )


def _department(row: Department) -> DepartmentView:
    return DepartmentView(
        code=row.code,
        name=row.name,
        head=row.head,
        deputy=row.deputy,
        head_user_id=row.head_user_id,
        deputy_user_id=row.deputy_user_id,
        escalation_contact=row.escalation_contact,
        statistics_code=row.statistics_code,
        active=row.active,
        version=row.version,
    )


def _crew(row: Crew, running: int) -> CrewView:
    return CrewView(
        crew_id=row.id,
        name=row.name,
        head=row.head,
        phone_masked=mask(row.phone) if row.phone else None,
        status=CrewStatus(row.status),
        direct=row.direct,
        departed_on=row.departed_on,
        departed_reason=row.departed_reason,
        running=running,
        version=row.version,
    )


def _staff(row: StaffRow) -> StaffView:
    return StaffView(
        staff_id=row.id,
        name=row.name,
        role=StaffRole(row.role),
        department=row.department_code,
        store_id=row.store_id,
        phone_masked=mask(row.phone) if row.phone else None,
        user_id=row.user_id,
        active=row.active,
        version=row.version,
    )
