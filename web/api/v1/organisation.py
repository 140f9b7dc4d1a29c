"""``/api/v1/stores``, ``/departments``, ``/crews``, ``/staff``."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from crm.domain.staff import NumberTrouble
from crm.organisation import Organisation
from crm.organisation_views import CrewStatus, StaffRole
from web.api.operation import Call, operation
from web.api.v1.complaints_schemas import Cursor, Limit
from web.api.v1.people import services
from web.api.v1.people_schemas import Body, Key, Text
from web.api.v1.schemas import NoQuery, Out, Query
from web.api.v1.staff_import import ROUTES as STAFF_IMPORT
from web.idempotency import Idempotency
from web.permissions import Permission

VIEW, EDIT = Permission.PROJECTS_VIEW, Permission.STAFF_EDIT


class StoreIn(Body):
    """What to write down about a store."""

    name: Text | None = None
    address: Text | None = None
    phone: Annotated[str, Field(max_length=40)] | None = None
    active: bool = True


class DepartmentIn(Body):
    """What to write down about a department."""

    name: Text | None = None
    head: Text | None = None
    deputy: Text | None = None
    head_user_id: Key | None = None
    deputy_user_id: Key | None = None
    escalation_contact: Text | None = None
    statistics_code: Text | None = None
    active: bool = True


class NewDepartment(DepartmentIn):
    """A new department; its code never changes."""

    code: Text


class CrewIn(Body):
    """What to write down about a crew; one that departs needs day and reason."""

    name: Text | None = None
    head: Text | None = None
    phone: Annotated[str, Field(max_length=40)] | None = None
    status: CrewStatus = CrewStatus.ACTIVE
    direct: bool = True
    departed_on: date | None = None
    departed_reason: Text | None = None


class StaffIn(Body):
    """What to write down about somebody who works for the company."""

    name: Text | None = None
    role: StaffRole | None = None
    department_code: Text | None = None
    store_id: Key | None = None
    phone: Annotated[str, Field(max_length=40)] | None = None
    user_id: Key | None = None
    agent_no: Annotated[str, Field(max_length=40)] | None = Field(
        None, description="Number of their telephone; that of their user's, where the user has one."
    )
    skills: tuple[Text, ...] = Field((), max_length=12, description="What they can do.")
    active: bool = True


class OrganisationPage(Query):
    """Which page of a list, with the whole first page of most companies."""

    cursor: Cursor | None = None
    limit: Limit = 200


class CrewsQuery(OrganisationPage):
    """Which crews to list."""

    status: Literal["active", "departed", "suspended"] | None = None


class StaffQuery(OrganisationPage):
    """Whom to list."""

    role: Literal["PM", "DSG", "QC", "SPC", "RCP", "DPP"] | None = None
    active: bool | None = True
    skill: Annotated[str, Field(max_length=20)] | None = Field(None, description="Only who has it.")


class StoreOut(Out):
    """A store."""

    store_id: str
    name: str
    address: str | None
    phone: str | None
    active: bool
    version: int


class StoreList(Out):
    """The stores by name: as many as the company has, in one answer."""

    items: tuple[StoreOut, ...]


class DepartmentOut(Out):
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


class DepartmentList(Out):
    """The departments by code: as many as the company has, in one answer."""

    items: tuple[DepartmentOut, ...]


class CrewOut(Out):
    """A crew; ``running`` is how many projects it works on."""

    crew_id: str
    name: str
    head: str
    phone_masked: str | None
    status: str
    direct: bool
    departed_on: date | None
    departed_reason: str | None
    running: int
    version: int


class CrewList(Out):
    """The crews by name."""

    items: tuple[CrewOut, ...]
    next_cursor: str | None


class StaffOut(Out):
    """Somebody who works for the company."""

    staff_id: str
    name: str
    role: str
    department: str | None
    store_id: str | None
    phone_masked: str | None
    user_id: str | None
    agent_no: str | None
    telephone_no: str | None = Field(description="Number that their user's telephone has now.")
    agent_no_trouble: NumberTrouble | None = Field(
        description="How `agent_no` differs from the telephones that there are."
    )
    skills: tuple[str, ...]
    active: bool
    version: int


class StaffList(Out):
    """Who works for the company, by name."""

    items: tuple[StaffOut, ...]
    next_cursor: str | None


def _organisation(call: Call[Any]) -> Organisation:
    return services(call.request).organisation


def _given(call: Call[NoQuery], model: type[BaseModel]) -> dict[str, Any]:
    return call.body(model).model_dump(exclude_unset=True, exclude={"code"})


@operation(query=NoQuery, response=StoreList, permission=VIEW, summary="List stores", tag="organisation")
async def list_stores(call: Call[NoQuery]) -> StoreList:
    """Return the stores."""
    found = await _organisation(call).stores(call.actor)
    return StoreList(items=tuple(StoreOut.model_validate(view) for view in found))


@operation(
    query=NoQuery,
    response=StoreOut,
    permission=EDIT,
    summary="Add a store",
    tag="organisation",
    body=StoreIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def create_store(call: Call[NoQuery]) -> StoreOut:
    """Add a store."""
    view = await _organisation(call).put_store(call.actor, None, _given(call, StoreIn), expected=None)
    return StoreOut.model_validate(view)


@operation(
    query=NoQuery,
    response=StoreOut,
    permission=EDIT,
    summary="Change a store",
    tag="organisation",
    path_parameters=(("store_id", "Id of the store"),),
    body=StoreIn,
    if_match=True,
)
async def change_store(call: Call[NoQuery]) -> StoreOut:
    """Change what is given."""
    key, given = call.request.match_info["store_id"], _given(call, StoreIn)
    view = await _organisation(call).put_store(call.actor, key, given, expected=call.expected)
    return StoreOut.model_validate(view)


@operation(
    query=NoQuery, response=DepartmentList, permission=VIEW, summary="List departments", tag="organisation"
)
async def list_departments(call: Call[NoQuery]) -> DepartmentList:
    """Return the departments."""
    found = await _organisation(call).departments(call.actor)
    return DepartmentList(items=tuple(DepartmentOut.model_validate(view) for view in found))


@operation(
    query=NoQuery,
    response=DepartmentOut,
    permission=EDIT,
    summary="Add a department",
    tag="organisation",
    body=NewDepartment,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def create_department(call: Call[NoQuery]) -> DepartmentOut:
    """Add a department."""
    given = call.body(NewDepartment)
    view = await _organisation(call).put_department(
        call.actor, given.code, _given(call, NewDepartment), expected=None
    )
    return DepartmentOut.model_validate(view)


@operation(
    query=NoQuery,
    response=DepartmentOut,
    permission=EDIT,
    summary="Change a department",
    tag="organisation",
    path_parameters=(("department_code", "Code of the department, such as ENG"),),
    body=DepartmentIn,
    if_match=True,
)
async def change_department(call: Call[NoQuery]) -> DepartmentOut:
    """Change what is given."""
    code, given = call.request.match_info["department_code"], _given(call, DepartmentIn)
    view = await _organisation(call).put_department(call.actor, code, given, expected=call.expected)
    return DepartmentOut.model_validate(view)


@operation(query=CrewsQuery, response=CrewList, permission=VIEW, summary="List crews", tag="organisation")
async def list_crews(call: Call[CrewsQuery]) -> CrewList:
    """Return the crews, departed ones too."""
    status = CrewStatus(call.query.status) if call.query.status else None
    page = await _organisation(call).crew_page(
        call.actor, status=status, cursor=call.query.cursor, limit=call.query.limit
    )
    return CrewList.model_validate(page)


@operation(
    query=NoQuery,
    response=CrewOut,
    permission=EDIT,
    summary="Add a crew",
    tag="organisation",
    body=CrewIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def create_crew(call: Call[NoQuery]) -> CrewOut:
    """Add a crew."""
    view = await _organisation(call).put_crew(call.actor, None, _given(call, CrewIn), expected=None)
    return CrewOut.model_validate(view)


@operation(
    query=NoQuery,
    response=CrewOut,
    permission=EDIT,
    summary="Change a crew",
    tag="organisation",
    path_parameters=(("crew_id", "Id of the crew"),),
    body=CrewIn,
    if_match=True,
)
async def change_crew(call: Call[NoQuery]) -> CrewOut:
    """Change what is given."""
    key, given = call.request.match_info["crew_id"], _given(call, CrewIn)
    view = await _organisation(call).put_crew(call.actor, key, given, expected=call.expected)
    return CrewOut.model_validate(view)


@operation(query=StaffQuery, response=StaffList, permission=VIEW, summary="List staff", tag="organisation")
async def list_staff(call: Call[StaffQuery]) -> StaffList:
    """Return who works for the company."""
    role = StaffRole(call.query.role) if call.query.role else None
    asked = call.query
    page = await _organisation(call).staff_page(
        call.actor,
        role=role,
        active=asked.active,
        skill=asked.skill,
        cursor=asked.cursor,
        limit=asked.limit,
    )
    return StaffList.model_validate(page)


@operation(
    query=NoQuery,
    response=StaffOut,
    permission=EDIT,
    summary="Add somebody",
    tag="organisation",
    body=StaffIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def create_staff(call: Call[NoQuery]) -> StaffOut:
    """Add somebody who works for the company."""
    view = await _organisation(call).put_staff(call.actor, None, _given(call, StaffIn), expected=None)
    return StaffOut.model_validate(view)


@operation(
    query=NoQuery,
    response=StaffOut,
    permission=EDIT,
    summary="Change somebody",
    tag="organisation",
    path_parameters=(("staff_id", "Id of the person"),),
    body=StaffIn,
    if_match=True,
)
async def change_staff(call: Call[NoQuery]) -> StaffOut:
    """Change what is given."""
    key, given = call.request.match_info["staff_id"], _given(call, StaffIn)
    view = await _organisation(call).put_staff(call.actor, key, given, expected=call.expected)
    return StaffOut.model_validate(view)


Route = tuple[str, str, Callable[[web.Request], Awaitable[web.Response]]]
ROUTES: tuple[Route, ...] = (
    ("GET", "/stores", list_stores),
    ("POST", "/stores", create_store),
    ("PATCH", "/stores/{store_id}", change_store),
    ("GET", "/departments", list_departments),
    ("POST", "/departments", create_department),
    ("PATCH", "/departments/{department_code}", change_department),
    ("GET", "/crews", list_crews),
    ("POST", "/crews", create_crew),
    ("PATCH", "/crews/{crew_id}", change_crew),
    ("GET", "/staff", list_staff),
    ("POST", "/staff", create_staff),
    ("PATCH", "/staff/{staff_id}", change_staff),
    *STAFF_IMPORT,
)
