"""What the company's own lists look like to pages and the API."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from crm.domain.staff import NumberTrouble, Telephones
from crm.people_tables import StaffRow
from crm.tables import Crew, Department, Store
from kernel.phone import mask


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


STAFF_ROLE_LABELS = {
    StaffRole.PM: "项目经理",
    StaffRole.DSG: "设计师",
    StaffRole.QC: "质检",
    StaffRole.SPC: "客服专员",
    StaffRole.RCP: "维修队长",
    StaffRole.DPP: "部门经办人",
}


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
    """Somebody who works for the company. Their number is masked.

    Attributes:
        agent_no: the number of their telephone, where they take calls 工号.
        telephone_no: the number that their user's telephone has now.
        agent_no_trouble: how ``agent_no`` differs from the telephones that there are; of who left, nothing.
        skills: what they can do, in the centre's own words.
    """

    staff_id: str
    name: str
    role: StaffRole
    department: str | None
    store_id: str | None
    phone_masked: str | None
    user_id: str | None
    agent_no: str | None
    telephone_no: str | None
    agent_no_trouble: NumberTrouble | None
    skills: tuple[str, ...]
    active: bool
    version: int


def store_view(row: Store) -> StoreView:
    """Return a store as it is shown."""
    return StoreView(
        store_id=row.id,
        name=row.name,
        address=row.address,
        phone=row.phone,
        active=row.active,
        version=row.version,
    )


def department_view(row: Department) -> DepartmentView:
    """Return a department as it is shown."""
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


def crew_view(row: Crew, running: int) -> CrewView:
    """Return a crew as it is shown."""
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


def staff_view(row: StaffRow, telephones: Telephones) -> StaffView:
    """Return somebody who works for the company as they are shown."""
    return StaffView(
        staff_id=row.id,
        name=row.name,
        role=StaffRole(row.role),
        department=row.department_code,
        store_id=row.store_id,
        phone_masked=mask(row.phone) if row.phone else None,
        user_id=row.user_id,
        agent_no=row.agent_no,
        telephone_no=telephones.of_user.get(row.user_id or ""),
        agent_no_trouble=telephones.trouble(row.agent_no, row.user_id) if row.active else None,
        skills=tuple(row.skills or ()),
        active=row.active,
        version=row.version,
    )
