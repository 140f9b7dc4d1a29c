"""An office on a stage: people of every role with logins, and cases on every point of their way."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select, update

from crm.compensations import NewCompensation
from crm.complaint_input import (
    Acceptance,
    NewCallback,
    NewComplaint,
    NewLine,
    NewPlan,
    NewVisit,
    Timeliness,
)
from crm.complaint_views import ComplaintView, LineView
from crm.domain.case import Severity
from crm.domain.compensation import Bearer, LiableParty, LiablePerson, RecoveryShare
from crm.domain.complaint import ComplaintClass, Verdict
from crm.domain.complaint_line import AcceptMode, ProblemStatus
from crm.domain.handoff import SignatureKind, Signed
from crm.domain.project import Stage as HomeStage
from crm.domain.repair import NoticeWay, Route, RouteReason, VisitOutcome
from crm.escalation_views import EscalationView
from crm.escalations import Liability, NewEscalation
from crm.handoffs import Dispatch
from crm.repair_input import AskedRoute, CustomerContact, NewAppointment, NewRepair, ToldRepairer
from crm.repair_views import RepairView
from crm.tables import Department, Project
from kernel.access import Actor, Role
from kernel.clock import FakeClock
from tests.support.web_stage import PASSWORD, Stage
from web.crm_part import CRM, CrmServices

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DRAWN = Signed(
    kind=SignatureKind.DRAWN,
    strokes=(
        ((600, 500), (900, 320), (1200, 900), (1500, 300)),
        ((1700, 400), (2100, 420), (1900, 300), (1900, 1200)),
        ((2400, 600), (2900, 520), (2600, 1100), (3000, 1000)),
    ),
)
PEOPLE = (
    ("spc", "周晓梅", Role.AGENT, None),
    ("manager", "沈静", Role.MANAGER, None),
    ("head", "陈建国", Role.DEPARTMENT_HEAD, "ENG"),
    ("member", "刘铁柱", Role.DEPARTMENT_MEMBER, "ENG"),
    ("designer", "林晓雯", Role.DEPARTMENT_HEAD, "DES"),
    ("materials", "吴志强", Role.DEPARTMENT_HEAD, "MAT"),
    ("captain", "马师傅", Role.CAPTAIN, "CS"),
    ("boss", "赵总", Role.GENERAL_MANAGER, None),
    ("finance", "邓敏", Role.FINANCE, None),
    ("hr", "何琳", Role.HR, None),
)
TILE = NewLine(class_=ComplaintClass.WORKMANSHIP, subclass="tile", cause="厨房墙砖空鼓，约有三平方米")
WATER = NewLine(
    class_=ComplaintClass.WORKMANSHIP, subclass="waterproof", cause="主卫闭水试验漏水，楼下顶面渗水"
)
DRAWING = NewLine(
    class_=ComplaintClass.DESIGN, subclass="drawing_error", cause="图纸漏画燃气表位置，橱柜装不上"
)
DELIVERY = NewLine(class_=ComplaintClass.MATERIAL, subclass="defect", cause="实木地板色差大，与样板不符")


@dataclass
class OfficeStage:
    """The stage with its people, and short words for what they do."""

    stage: Stage
    clock: FakeClock
    people: dict[str, Actor] = field(default_factory=dict)
    projects: list[Any] = field(default_factory=list)

    @property
    def crm(self) -> CrmServices:
        """The services as the pages have them."""
        assert self.stage.app is not None
        return self.stage.app[CRM]

    async def open(self) -> None:
        """Create the people; know the projects."""
        for login, name, role, department in PEOPLE:
            user = await self.stage.accounts.users.create(
                login=login, password=PASSWORD, role=role, display_name=name, department=department
            )
            self.people[login] = Actor(
                user_id=user.user_id, name=name, role=role, department=department, ip="10.1.2.3"
            )
            if role is Role.DEPARTMENT_HEAD:
                await self.stage.accounts.pins.put(user.user_id, login, "2580")
        async with self.stage.database.transaction() as session:
            known = set((await session.scalars(select(Department.code))).all())
            session.add_all(
                Department(code=code, name=name)
                for code, name in (
                    ("ENG", "工程部"),
                    ("DES", "设计部"),
                    ("MAT", "材料部"),
                    ("CS", "客服监察部"),
                )
                if code not in known
            )
            self.projects = list((await session.scalars(select(Project).order_by(Project.id))).all())

    def who(self, login: str) -> Actor:
        """Return somebody by their login."""
        return self.people[login]

    async def new(self, *lines: NewLine, at: int = 0, hand_off: bool = True, **more: Any) -> ComplaintView:
        """Register a complaint of the customer of project ``at``, handed off at once."""
        project = self.projects[at % len(self.projects)]
        what: dict[str, Any] = {
            "customer_id": project.customer_id,
            "project_id": project.id,
            "content": "客户来电：" + "；".join(line.cause for line in lines or (TILE,)) + "。要求尽快处理。",
            "demand": "返工并说明什么时候能修好",
            "lines": lines or (TILE,),
            "hand_off": Dispatch() if hand_off else None,
        }
        return await self.crm.complaints.complaints.register(self.who("spc"), NewComplaint(**(what | more)))

    async def fresh(self, view: ComplaintView) -> ComplaintView:
        """Return a complaint as it is now."""
        return await self.crm.complaints.complaints.get(self.who("manager"), view.case_id)

    async def line(self, view: ComplaintView, place: int = 0) -> LineView:
        """Return one of its lines as it is now."""
        return (await self.fresh(view)).lines[place]

    def head_of(self, line: LineView) -> Actor:
        """Return who signs for a line."""
        return self.who({"ENG": "head", "DES": "designer", "MAT": "materials"}[line.department])

    async def accept(self, view: ComplaintView, place: int = 0, **more: Any) -> LineView:
        """Sign for a line."""
        line = await self.line(view, place)
        how: dict[str, Any] = {"signature": DRAWN, "mode": AcceptMode.PLAN_FIRST, "person": "刘铁柱"}
        return await self.crm.complaints.work.accept(
            self.head_of(line), line.line_id, line.version, Acceptance(**(how | more))
        )

    async def verify(self, view: ComplaintView, place: int = 0) -> LineView:
        """Sign, and call the customer."""
        line = await self.accept(view, place)
        self.clock.advance(HOUR)
        return await self.crm.complaints.work.verify(
            self.head_of(line), line.line_id, line.version, facts="已和业主通话，空鼓约三平方米，业主周末在家"
        )

    async def plan(self, view: ComplaintView, place: int = 0, **terms: Any) -> LineView:
        """Sign, call, plan."""
        line = await self.verify(view, place)
        now = self.clock.now()
        what: dict[str, Any] = {
            "plan": "铲除空鼓砖，重做基层后补贴，同批次瓷砖由材料部调拨",
            "visit_from": now + 2 * HOUR,
            "visit_until": now + 4 * HOUR,
            "solve_at": now + 2 * DAY,
        }
        return await self.crm.complaints.work.plan(
            self.head_of(line), line.line_id, line.version, NewPlan(**(what | terms))
        )

    async def visit(self, view: ComplaintView, place: int = 0) -> LineView:
        """Sign, call, plan, go there."""
        line = await self.plan(view, place)
        self.clock.advance(5 * HOUR)
        now = self.clock.now()
        visit = NewVisit(
            arrived_at=now - 2 * HOUR,
            left_at=now - HOUR,
            who="刘铁柱、张师傅",
            record="已铲除并重贴，养护三天",
        )
        return await self.crm.complaints.work.record_visit(
            self.head_of(line), line.line_id, line.version, visit
        )

    async def done(self, view: ComplaintView, place: int = 0) -> LineView:
        """All of it, until it is reported as done."""
        line = await self.visit(view, place)
        return await self.crm.complaints.work.claim_done(
            self.head_of(line), line.line_id, line.version, note="返工完毕，业主当场看过"
        )

    async def call_back(self, view: ComplaintView, **said: Any) -> ComplaintView:
        """Call the customer back."""
        found = await self.fresh(view)
        what: dict[str, Any] = {"verdict": Verdict.SATISFIED, "problem": ProblemStatus.SOLVED}
        if said.get("verdict") is not Verdict.NOT_REACHED:
            what["timeliness"] = Timeliness.UNKNOWN
        return await self.crm.complaints.end.call_back(
            self.who("spc"), found.case_id, found.version, NewCallback(**(what | said))
        )

    # Major complaints

    async def escalate(self, view: ComplaintView) -> EscalationView:
        """E0."""
        found = await self.fresh(view)
        return await self.crm.complaints.escalations.submit(
            self.who("spc"),
            found.case_id,
            found.version,
            NewEscalation(
                cause="防水没有做到位，楼下顶面泡坏",
                process_so_far="工程部返工两次仍然渗水，楼下业主要求赔偿",
                demand="赔偿楼下装修损失 3500 元，并延长防水保修",
            ),
        )

    async def reviewed(self, view: ComplaintView, *, visit: bool = False) -> EscalationView:
        """E1."""
        found = await self.escalate(view)
        return await self.crm.complaints.escalations.review(
            self.who("manager"), found.escalation_id, found.version, visit_needed=visit, note="已和双方通话"
        )

    async def liable(self, view: ComplaintView) -> EscalationView:
        """E3."""
        found = await self.reviewed(view)
        return await self.crm.complaints.escalations.settle_liability(
            self.who("manager"),
            found.escalation_id,
            found.version,
            Liability(
                shares={LiableParty.CREW: Decimal("70.00"), LiableParty.COMPANY: Decimal("30.00")},
                with_head="陈建国",
                persons=(LiablePerson(name="刘铁柱", percent=Decimal("10.00")),),
                note="防水涂刷次数不够",
            ),
        )

    async def requested(self, view: ComplaintView, amount: str = "3500.00") -> EscalationView:
        """E5: the compensation waits for the general manager."""
        found = await self.liable(view)
        found = await self.crm.complaints.escalations.plan(
            self.who("manager"),
            found.escalation_id,
            found.version,
            plan="重做防水，赔偿楼下损失",
            costs=True,
        )
        whole = Decimal(amount)
        return await self.crm.complaints.compensations.request(
            self.who("manager"),
            found.escalation_id,
            found.version,
            NewCompensation(
                amount=whole,
                bearers={Bearer.CREW: whole - 800, Bearer.COMPANY: Decimal(500), Bearer.STAFF: Decimal(300)},
                reason="楼下顶面和墙面重做",
                recovery=(RecoveryShare(name="刘铁柱", amount=Decimal(300)),),
            ),
        )

    async def vouchered(self, view: ComplaintView) -> EscalationView:
        """E6 with a voucher."""
        found = await self.requested(view)
        money = self.crm.complaints.compensations
        found = await money.review(self.who("boss"), found.escalation_id, found.version, agreed=True)
        return await money.write_voucher(
            self.who("finance"),
            found.escalation_id,
            found.version,
            voucher_no=f"ZC-{view.no[-8:]}",
            amount=found.compensations[-1].amount,
        )

    async def paid(self, view: ComplaintView) -> EscalationView:
        """E9: the staff's share is with HR."""
        found = await self.vouchered(view)
        money = self.crm.complaints.compensations
        found = await money.approve(self.who("boss"), found.escalation_id, found.version, approved=True)
        found = await money.pay(
            self.who("finance"),
            found.escalation_id,
            found.version,
            receipt_no=f"SJ-{view.no[-8:]}",
            paid_at=None,
        )
        return await money.send_recovery(self.who("finance"), found.escalation_id, found.version)

    # Repairs

    async def repair(self, at: int = 0, **more: Any) -> RepairView:
        """Register a repair and route it to the captain."""
        project = self.projects[at % len(self.projects)]
        what: dict[str, Any] = {
            "customer_id": project.customer_id,
            "project_id": project.id,
            "symptoms": "卫生间地漏返水，楼下邻居顶面渗水",
            "place": "主卫",
            "severity": Severity.GENERAL,
            "route": AskedRoute(
                route=Route.CAPTAIN, reason=RouteReason.CUSTOMER_DEMAND, note="不愿见原施工队"
            ),
        }
        return await self.crm.repairs.repairs.register(self.who("spc"), NewRepair(**(what | more)))

    async def told(self, at: int = 0, **more: Any) -> RepairView:
        """A repair of which the captain was told."""
        found = await self.repair(at, **more)
        return await self.crm.repairs.repairs.notify(
            self.who("spc"),
            found.case_id,
            expected=found.version,
            told=ToldRepairer(way=NoticeWay.PHONE, whom="马师傅"),
        )

    async def appointed(self, at: int = 0, *, ahead: timedelta = 2 * HOUR, **more: Any) -> RepairView:
        """A repair with an appointment."""
        found = await self.told(at, **more)
        now = self.clock.now()
        agreed = NewAppointment(from_=now + ahead, until=now + ahead + 2 * HOUR, plan="重做地漏防水")
        return await self.crm.repairs.work.contact(
            self.who("captain"),
            found.case_id,
            expected=found.version,
            contact=CustomerContact(says="白天都在家，先打电话", appointment=agreed),
        )

    async def repaired(self, at: int = 0, **more: Any) -> RepairView:
        """A repair that is done, so that its costs are owed."""
        found = await self.appointed(at, **more)
        self.clock.advance(2 * HOUR)
        captain, work = self.who("captain"), self.crm.repairs.work
        found = await work.arrive(captain, found.case_id, expected=found.version)
        self.clock.advance(HOUR)
        return await work.finish(
            captain,
            found.case_id,
            expected=found.version,
            outcome=VisitOutcome.FIXED,
            result="更换地漏，闭水试验正常",
        )

    async def set_warranty(self) -> None:
        """Let every home have been handed over, so that what breaks is repaired."""
        async with self.stage.database.transaction() as session:
            await session.execute(update(Project).values(stage=int(HomeStage.IN_WARRANTY)))
