"""A complaint desk for tests: the demo company, its people, and complaints on their way."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.demo.seed import seed_company
from crm.cases import CaseRegister
from crm.complaint_input import (
    Acceptance,
    NewCallback,
    NewComplaint,
    NewLine,
    NewPlan,
    NewVisit,
    Timeliness,
)
from crm.complaint_services import ComplaintServices
from crm.complaint_views import ComplaintView, LineView
from crm.domain.complaint import ComplaintClass, Verdict
from crm.domain.complaint_line import AcceptMode, ProblemStatus
from crm.domain.handoff import SignatureKind, Signed
from crm.handoffs import Dispatch
from crm.journal import Journal
from crm.limits import LimitBook
from crm.search_feed import SearchFeed
from crm.tables import Project
from kernel.access import Actor, Role
from kernel.audit import AuditLog
from kernel.business_time import SHANGHAI
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Invalid
from kernel.ids import new_ulid
from tests.support.db import filled

HOUR = timedelta(hours=1)
PIN = Signed(kind=SignatureKind.PIN, pin="2580")
DRAWN = Signed(
    kind=SignatureKind.DRAWN,
    strokes=(((10, 10), (40, 80), (90, 20), (130, 85)), ((20, 50), (60, 55), (99, 58), (140, 60))),
)


def person(name: str, role: Role, department: str | None = None) -> Actor:
    """Return somebody of the company."""
    return Actor(user_id=new_ulid(), name=name, role=role, department=department, ip="10.1.2.3")


SPECIALIST = person("周晓梅", Role.AGENT)
COLLEAGUE = person("李娜", Role.AGENT)
MANAGER = person("沈静", Role.MANAGER)
ENGINEER = person("陈建国", Role.DEPARTMENT_HEAD, "ENG")
ENG_DEPUTY = person("孙伟", Role.DEPARTMENT_HEAD, "ENG")
ENG_WORKER = person("刘铁柱", Role.DEPARTMENT_MEMBER, "ENG")
DESIGNER = person("林晓雯", Role.DEPARTMENT_HEAD, "DES")
MATERIALS = person("吴志强", Role.DEPARTMENT_HEAD, "MAT")
CAPTAIN = person("马师傅", Role.CAPTAIN, "CS")
BOSS = person("赵总", Role.GENERAL_MANAGER)
FINANCE = person("邓敏", Role.FINANCE)
HR = person("何琳", Role.HR)
ADMIN = person("管理员", Role.ADMINISTRATOR)
PEOPLE = (ENGINEER, ENG_DEPUTY, ENG_WORKER, DESIGNER, MATERIALS, CAPTAIN)

WORKMANSHIP = NewLine(class_=ComplaintClass.WORKMANSHIP, subclass="tile", cause="厨房墙砖空鼓，约有三平方米")
DESIGN = NewLine(class_=ComplaintClass.DESIGN, subclass="drawing_error", cause="图纸漏画燃气表位置")
INTEGRITY = NewLine(class_=ComplaintClass.INTEGRITY, subclass="private_charge", cause="工人私下收费")


@dataclass
class Desk:
    """The services over a database, and shortcuts that walk a complaint along."""

    database: Database
    clock: FakeClock
    services: ComplaintServices
    book: LimitBook
    journal: Journal
    register: CaseRegister
    customer_id: str = ""
    project_id: str = ""

    @property
    def now(self) -> datetime:
        """What the clock shows."""
        return self.clock.now()

    async def new(self, *lines: NewLine, by: Actor = SPECIALIST, **changes: Any) -> ComplaintView:
        """Register a complaint; one about workmanship unless other causes are given."""
        what: dict[str, Any] = {
            "customer_id": self.customer_id,
            "project_id": self.project_id,
            "content": "厨房墙砖大面积空鼓，敲击有空响，要求返工",
            "demand": "全部返工并延长保修",
            "lines": lines or (WORKMANSHIP,),
        }
        return await self.services.complaints.register(by, NewComplaint(**(what | changes)))

    async def handed_off(self, *lines: NewLine, **changes: Any) -> ComplaintView:
        """Register a complaint and hand it off in the same call."""
        return await self.new(*lines, hand_off=Dispatch(), **changes)

    async def get(self, view: ComplaintView | str) -> ComplaintView:
        """Return a complaint as the manager sees it now."""
        case_id = view if isinstance(view, str) else view.case_id
        return await self.services.complaints.get(MANAGER, case_id)

    async def line(self, line: LineView) -> LineView:
        """Return a line as it is now."""
        return await self.services.work.get(MANAGER, line.line_id)

    async def accept(
        self, line: LineView, by: Actor = ENGINEER, mode: AcceptMode = AcceptMode.PLAN_FIRST, **planned: Any
    ) -> LineView:
        """Sign for a line."""
        how = Acceptance(signature=PIN, mode=mode, **planned)
        return await self.services.work.accept(by, line.line_id, (await self.line(line)).version, how)

    async def verified(self, line: LineView, by: Actor = ENGINEER, **how: Any) -> LineView:
        """Sign and call the customer."""
        line = await self.accept(line, by, **how)
        return await self.services.work.verify(by, line.line_id, line.version, facts="业主确认空鼓属实")

    async def planned(self, line: LineView, by: Actor = ENGINEER, **terms: Any) -> LineView:
        """Sign, call, and plan a visit of two hours that begins in a day."""
        line = await self.verified(line, by)
        return await self.services.work.plan(by, line.line_id, line.version, self.new_plan(**terms))

    def new_plan(self, **terms: Any) -> NewPlan:
        """Return a plan with a visit in a day and a solution in three."""
        day = timedelta(days=1)
        what: dict[str, Any] = {
            "plan": "铲除空鼓砖，重做基层后补贴",
            "visit_from": self.now + day,
            "visit_until": self.now + day + 2 * HOUR,
            "solve_at": self.now + 3 * day,
        }
        return NewPlan(**(what | terms))

    async def done(self, line: LineView, by: Actor = ENGINEER) -> LineView:
        """Walk a line from the hand-off to «reported done», a visit included."""
        line = await self.planned(line, by)
        self.clock.advance(timedelta(days=1, hours=3))
        visit = NewVisit(
            arrived_at=self.now - 2 * HOUR, left_at=self.now - HOUR, who="刘铁柱", record="已铲除重贴"
        )
        line = await self.services.work.record_visit(by, line.line_id, line.version, visit)
        return await self.services.work.claim_done(by, line.line_id, line.version, note="返工完毕")

    async def call_back(self, view: ComplaintView | str, **said: Any) -> ComplaintView:
        """Call the customer back; satisfied and solved unless said otherwise."""
        found = await self.get(view)
        what: dict[str, Any] = {"verdict": Verdict.SATISFIED, "problem": ProblemStatus.SOLVED}
        if said.get("verdict") is not Verdict.NOT_REACHED:
            what["timeliness"] = Timeliness.UNKNOWN
        return await self.services.end.call_back(
            SPECIALIST, found.case_id, found.version, NewCallback(**(what | said))
        )

    async def close(self, view: ComplaintView | str) -> ComplaintView:
        """Close a complaint."""
        found = await self.get(view)
        return await self.services.end.close(SPECIALIST, found.case_id, found.version)


class KnownMembers:
    """Everybody of this module is an active user of their department."""

    async def works_in(self, session: AsyncSession, user_id: str, department: str) -> bool:
        return any((known.user_id, known.department) == (user_id, department) for known in PEOPLE)

    async def actor(self, session: AsyncSession, user_id: str) -> Actor | None:
        return next((known for known in PEOPLE if known.user_id == user_id), None)

    async def check_pin(self, user_id: str, pin: str) -> None:
        if pin != PIN.pin:
            raise Invalid("another PIN", field="signature.pin")


async def open_desk(database: Database, clock: FakeClock) -> Desk:
    """Seed the demo company and return a desk over it."""
    now = clock.now()
    await filled(database, f"company {now.isoformat()}", partial(seed_company, database, now=now))
    register = CaseRegister(database, clock, zone=SHANGHAI)
    journal, book = Journal(AuditLog(database, clock)), LimitBook(clock)
    services = ComplaintServices.build(
        database,
        clock,
        register=register,
        journal=journal,
        limits=book,
        feed=SearchFeed(),
        members=KnownMembers(),
    )
    async with database.session() as session:
        project = (await session.execute(select(Project).order_by(Project.id).limit(1))).scalar_one()
    return Desk(
        database=database,
        clock=clock,
        services=services,
        book=book,
        journal=journal,
        register=register,
        customer_id=project.customer_id,
        project_id=project.id,
    )
