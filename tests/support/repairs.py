"""Repairs for tests: the demo company, people of every role, and the way of a repair in short words."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from sqlalchemy import select

from crm.cases import CaseRegister
from crm.domain.complaint import Verdict
from crm.domain.complaint_line import ProblemStatus
from crm.domain.project import Stage
from crm.domain.repair import InTime, NoticeWay, Route, RouteReason, VisitOutcome
from crm.domain.repair_cost import CostBearer, Figures
from crm.journal import Journal
from crm.limits import LimitBook
from crm.repair_input import AskedRoute, CustomerContact, NewAppointment, NewCallback, NewRepair, ToldRepairer
from crm.repair_services import RepairServices
from crm.repair_views import RepairView
from crm.search_whole import whole_feed
from crm.settlement_views import CostView
from crm.tables import Crew, Customer, Department, Project
from kernel.access import Actor, Role
from kernel.audit import AuditLog
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.ids import new_ulid

HOUR = timedelta(hours=1)


def person(name: str, role: Role, department: str | None = None) -> Actor:
    """Return somebody of a role."""
    return Actor(user_id=new_ulid(), name=name, role=role, department=department, ip="192.0.2.7")


SPECIALIST = person("周晓梅", Role.AGENT)
MANAGER = person("陈经理", Role.MANAGER)
CAPTAIN = person("赵队长", Role.CAPTAIN, "CS")
GENERAL_MANAGER = person("钱总", Role.GENERAL_MANAGER)
FINANCE = person("孙会计", Role.FINANCE)
ENGINEER = person("吴主管", Role.DEPARTMENT_HEAD, "ENG")
CREW_LEFT = AskedRoute(route=Route.CAPTAIN, reason=RouteReason.CREW_LEFT)
DEMANDED = AskedRoute(route=Route.CAPTAIN, reason=RouteReason.CUSTOMER_DEMAND, note="客户不愿再见原施工队")


@dataclass(slots=True, kw_only=True)
class Company:
    """A small company whose one customer has one finished home, built by one crew."""

    database: Database
    clock: FakeClock
    services: RepairServices
    book: LimitBook
    customer_id: str = ""
    project_id: str = ""
    crew_id: str = ""
    other_crew_id: str = ""

    async def open(self) -> None:
        """Write it down."""
        now = self.clock.now()
        async with self.database.transaction() as session:
            session.add_all(
                Department(code=code, name=name) for code, name in (("CS", "客服部"), ("ENG", "工程部"))
            )
            crews = [Crew(id=new_ulid(), name=f"{name}施工队", head=name) for name in ("刘", "马")]
            customer = Customer(id=new_ulid(), name="王建军", salutation="先生", level="A", created_at=now)
            session.add_all([*crews, customer])
            await session.flush()
            project = Project(
                id=new_ulid(),
                contract_no="ZX-2024-0001",
                customer_id=customer.id,
                address="望京花园3号楼2单元1201",
                community="望京花园",
                stage=int(Stage.IN_WARRANTY),
                crew_id=crews[0].id,
                warranty_no="BX-0001",
                warranty_until=(now + timedelta(days=300)).date(),
            )
            session.add(project)
            self.customer_id, self.project_id = customer.id, project.id
            self.crew_id, self.other_crew_id = crews[0].id, crews[1].id

    async def set_crew(self, status: str) -> None:
        """Let the crew that built the home be active, suspended or departed."""
        async with self.database.transaction() as session:
            crew = (await session.scalars(select(Crew).where(Crew.id == self.crew_id))).one()
            crew.status = status

    async def change_project(self, **changes: object) -> None:
        """Change the home's project."""
        async with self.database.transaction() as session:
            project = (await session.scalars(select(Project).where(Project.id == self.project_id))).one()
            for name, value in changes.items():
                setattr(project, name, value)

    async def register(self, route: AskedRoute | None = None, **changes: object) -> RepairView:
        """Write a repair down."""
        given: dict[str, object] = {
            "customer_id": self.customer_id,
            "project_id": self.project_id,
            "symptoms": "卫生间地漏返水,楼下邻居顶面渗水",
            "place": "主卫",
            "route": route,
        }
        return await self.services.repairs.register(SPECIALIST, NewRepair(**(given | changes)))  # type: ignore[arg-type]

    async def notified(self, route: AskedRoute = AskedRoute(route=Route.ORIGINAL)) -> RepairView:  # noqa: B008
        """Register, route and tell whoever repairs."""
        return await self.notify(await self.register(route))

    async def notify(self, repair: RepairView) -> RepairView:
        """Tell whoever repairs."""
        told = ToldRepairer(way=NoticeWay.PHONE, whom="刘师傅")
        return await self.services.repairs.notify(
            SPECIALIST, repair.case_id, expected=repair.version, told=told
        )

    async def appointed(self, repair: RepairView, actor: Actor = SPECIALIST) -> RepairView:
        """Contact the customer and agree on a visit in two hours, for two hours."""
        now = self.clock.now()
        agreed = NewAppointment(from_=now + 2 * HOUR, until=now + 4 * HOUR, plan="重做地漏防水")
        contact = CustomerContact(says="周六在家", appointment=agreed)
        return await self.services.work.contact(
            actor, repair.case_id, expected=repair.version, contact=contact
        )

    async def visited(
        self, repair: RepairView, actor: Actor = SPECIALIST, outcome: VisitOutcome = VisitOutcome.FIXED
    ) -> RepairView:
        """Go there and repair it."""
        self.clock.advance(2 * HOUR)
        work, case_id = self.services.work, repair.case_id
        repair = await work.arrive(actor, case_id, expected=repair.version)
        self.clock.advance(HOUR)
        return await work.finish(
            actor, case_id, expected=repair.version, outcome=outcome, result="更换地漏,闭水试验正常"
        )

    async def repaired(self, route: AskedRoute = DEMANDED) -> RepairView:
        """Take a repair by the captain to where it is fixed."""
        repair = await self.notified(route)
        actor = CAPTAIN if route.route is not Route.ORIGINAL else SPECIALIST
        return await self.visited(await self.appointed(repair, actor), actor)

    async def call_back(self, repair: RepairView, problem: ProblemStatus, **changes: object) -> RepairView:
        """Call the customer back."""
        given: dict[str, object] = {"problem": problem}
        if problem is not ProblemStatus.NOT_CONNECTED:
            given |= {
                "verdict": Verdict.SATISFIED if problem is ProblemStatus.SOLVED else Verdict.DISSATISFIED,
                "contacted_in_time": InTime.YES,
                "timely": InTime.YES,
            }
        callback = NewCallback(**(given | changes))  # type: ignore[arg-type]
        return await self.services.repairs.call_back(
            SPECIALIST, repair.case_id, expected=repair.version, callback=callback
        )

    async def cost(self, repair: RepairView, crew: str = "300.00", company: str = "0") -> CostView:
        """Write a sheet of labour only, which the crew and the company bear."""
        labour = Decimal(crew) + Decimal(company)
        return await self.services.settlements.write(
            CAPTAIN,
            repair.case_id,
            expected=0,
            figures=Figures(
                labour=labour,
                total=labour,
                bearers={CostBearer.CREW: Decimal(crew), CostBearer.COMPANY: Decimal(company)},
            ),
        )

    async def reconciled(self, cost: CostView) -> CostView:
        """Sign, file and reconcile a settlement."""
        settlements, month = self.services.settlements, f"{self.clock.now().astimezone(SHANGHAI):%Y-%m}"
        cost = await settlements.sign_service(MANAGER, cost.cost_id, expected=cost.version)
        cost = await settlements.sign_company(GENERAL_MANAGER, cost.cost_id, expected=cost.version)
        cost = await settlements.file(SPECIALIST, cost.cost_id, expected=cost.version)
        return await settlements.reconcile(FINANCE, cost.cost_id, expected=cost.version, month=month)


async def open_company(database: Database, clock: FakeClock, files: Path) -> Company:
    """Return a company that is open for business."""
    journal = Journal(AuditLog(database, clock))
    register = CaseRegister(database, clock, zone=SHANGHAI)
    book = LimitBook(clock)
    services = RepairServices.build(
        database,
        clock,
        register=register,
        journal=journal,
        limits=book,
        feed=whole_feed(),
        zone=SHANGHAI,
        files=files,
    )
    company = Company(database=database, clock=clock, services=services, book=book)
    await company.open()
    return company
