"""Customers and projects for tests: the services over a database, people of every role, a few records."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from crm.consents import Consents
from crm.do_not_call import DoNotCall
from crm.domain.customer_rules import PhoneEntry
from crm.domain.project import Stage
from crm.freezes import Freezes
from crm.journal import Journal
from crm.merging import Merging
from crm.office import Office
from crm.organisation import Organisation
from crm.payments import Payments
from crm.people import NewCustomer, People
from crm.people_views import CustomerRecord
from crm.project_views import ProjectRecord
from crm.projects import Projects
from crm.stages import NewStage, ProjectStages
from kernel.access import Actor, Role
from kernel.audit import AuditLog
from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import new_ulid

ZONE = ZoneInfo("Asia/Shanghai")


def actor(role: Role | None, *, name: str = "", department: str | None = None) -> Actor:
    """Return a person of a role; ``None`` is the system."""
    if role is None:
        return Actor.system("tests")
    return Actor(user_id=new_ulid(), name=name or role.value, role=role, department=department)


AGENT = actor(Role.AGENT, name="周晓梅")
MANAGER = actor(Role.MANAGER, name="沈静")
FINANCE = actor(Role.FINANCE, name="邓敏", department="FIN")


@dataclass(frozen=True)
class Desk:
    """The services over one database."""

    office: Office
    people: People
    freezes: Freezes
    do_not_call: DoNotCall
    consents: Consents
    projects: Projects
    stages: ProjectStages
    payments: Payments
    organisation: Organisation
    merging: Merging

    async def customer(self, name: str = "王建军", *numbers: str, **more: Any) -> CustomerRecord:
        """Write a customer down."""
        phones = [PhoneEntry(number=number) for number in numbers or ("13800138001",)]
        return await self.people.create(MANAGER, NewCustomer(name=name, phones=phones, **more))

    async def crew(self, name: str = "赵师傅施工队") -> str:
        """Write a crew down and return its id."""
        view = await self.organisation.put_crew(
            MANAGER, None, {"name": name, "head": "赵永福"}, expected=None
        )
        return view.crew_id

    async def project(self, customer_id: str, contract_no: str = "ZX-1", **fields: Any) -> ProjectRecord:
        """Write a project down."""
        given = {
            "contract_no": contract_no,
            "community": "锦秋家园",
            "building": "6",
            "room": "1203",
            "amount": "100000",
            "signed_on": date(2026, 1, 5),
        }
        return await self.projects.create(MANAGER, customer_id, given | fields)

    async def reach(self, project_id: str, stage: Stage, on: date, **more: Any) -> ProjectRecord:
        """Register a stage."""
        step = NewStage(stage=stage, happened_on=on, **more)
        return await self.stages.register(MANAGER, project_id, step, expected=None)


def make_desk(database: Database, clock: Clock) -> Desk:
    """Return the services over a database."""
    office = Office(database=database, clock=clock, journal=Journal(AuditLog(database, clock)), zone=ZONE)
    stages = ProjectStages(office)
    return Desk(
        office=office,
        people=People(office),
        freezes=Freezes(office),
        do_not_call=DoNotCall(office),
        consents=Consents(office),
        projects=Projects(office),
        stages=stages,
        payments=Payments(office, stages),
        organisation=Organisation(office),
        merging=Merging(office),
    )
