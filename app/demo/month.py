"""Plays a month of the demo company through the real services: complaints and repairs in every state.

A clock that is set by hand goes through the month; each story takes its steps on it until the present is
reached, and stays where it is then. So what is open is open for the reason that it began lately, or that
somebody is late, and every limit, receipt and record is the one that the services wrote.
"""

import heapq
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select, update

from app.demo.company import CREWS, DemoCustomer
from app.demo.people import Office, open_office
from app.demo.seed import seed_homes
from app.demo.stories import FAULTS, GIVEN, GRIEVANCES, HOMES, SURNAMES, Fault, Grievance
from crm.complaint_input import (
    Acceptance,
    Analysis,
    NewCallback,
    NewComplaint,
    NewLine,
    NewPlan,
    NewVisit,
    Timeliness,
)
from crm.complaint_views import ComplaintView
from crm.domain.case import Severity, Source
from crm.domain.complaint import ComplaintClass, Verdict
from crm.domain.complaint_line import AcceptMode, ProblemStatus
from crm.domain.handoff import SignatureKind, Signed
from crm.domain.project import Stage
from crm.domain.repair import InTime, NoticeWay, Route, RouteReason, VisitOutcome
from crm.handoffs import Dispatch
from crm.repair_input import AskedRoute, CustomerContact, NewAppointment, NewRepair, ToldRepairer
from crm.repair_input import NewCallback as RepairCallback
from crm.tables import Crew, Project
from kernel.access import Actor
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.outbox import OutboxRow
from web.crm_part import CrmServices, build_crm
from web.deps import WebSettings

DAYS = 30
COMPLAINTS = 46
REPAIRS = 28
HOMES_WANTED = 36
OPENS, CLOSES = time(8, 30), time(18, 0)
STROKES = (((300, 900), (420, 700), (520, 980), (640, 660), (760, 940), (880, 720), (990, 960), (1100, 800)),)

Steps = AsyncIterator[timedelta]
Progress = Callable[[int, int], None]
"""Gets the days that are played and how many there are."""


class StoryClock:
    """A clock that is set by hand, forward only."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """Return the time it was set to."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds of the time it was set to."""
        return self._now.timestamp()

    def set(self, at: datetime) -> None:
        """Go to ``at``; it never goes back."""
        self._now = max(self._now, at)


@dataclass(frozen=True, slots=True)
class Home:
    """A project with a customer, to complain about."""

    customer_id: str
    project_id: str
    stage: int
    crew_departed: bool


@dataclass(order=True, slots=True)
class _Turn:
    at: datetime
    number: int
    steps: Steps = field(compare=False)


def more_customers(count: int = HOMES_WANTED) -> list[DemoCustomer]:
    """Return further customers, the same ones each time."""
    dice = random.Random(2026)  # noqa: S311 - a play, the same one each time
    stages = (
        Stage.STARTED,
        Stage.CONCEALED,
        Stage.MIDTERM,
        Stage.COMPLETED,
        Stage.DELIVERED,
        Stage.IN_WARRANTY,
    )
    made = []
    for number in range(count):
        store, district, homes = HOMES[number % len(HOMES)]
        stage = stages[number % len(stages)]
        man = number % 2 == 0
        made.append(
            DemoCustomer(
                name=SURNAMES[number] + GIVEN[number % len(GIVEN)],
                salutation="先生" if man else "女士",
                level="ABBBC"[number % 5],
                level_reason="普通家装" if number % 5 else "合同金额达到A级标准",
                phones=(f"138013802{number:02d}",),
                store=store,
                contract_no=f"ZX-2026-1{number:03d}",
                address=(
                    f"{district}{dice.choice(homes)}{dice.randint(1, 28)}号楼"
                    f"{dice.randint(1, 4)}单元{dice.randint(2, 26)}{dice.randint(1, 4):02d}室"
                ),
                stage=stage,
                crew=number % len(CREWS),
                manager=("刘铁柱", "马超群", "高志远")[number % 3],
                designer=("许菲", "唐宁")[number % 2],
                amount=dice.randrange(45, 420) * 1000,
                warranty_years=2 if stage >= Stage.DELIVERED else 0,
            )
        )
    return made


async def play_month(
    crm: CrmServices,
    database: Database,
    clock: StoryClock,
    office: Office,
    *,
    until: datetime,
    zone: ZoneInfo,
    progress: Progress | None = None,
) -> int:
    """Play the stories up to ``until``; return how many cases there are.

    Args:
        clock: the one that ``crm`` was built over; it stands at the month's beginning.
    """
    homes = await _homes(database)
    dice = random.Random(7)  # noqa: S311 - a play, the same one each time
    cast = _Cast(crm, clock, office, zone, dice)
    start = clock.now()
    turns = cast.stories(homes, start, until)
    count = len(turns)
    heapq.heapify(turns)
    while turns:
        turn = heapq.heappop(turns)
        if turn.at >= until:
            break
        clock.set(turn.at)
        if progress is not None:
            progress((turn.at - start) // timedelta(days=1), DAYS)
        try:
            pause = await anext(turn.steps)
        except StopAsyncIteration:
            continue
        heapq.heappush(turns, _Turn(cast.at_work(turn.at + pause), turn.number, turn.steps))
    if progress is not None:
        progress(DAYS, DAYS)
    return count


async def _homes(database: Database) -> list[Home]:
    query = (
        select(Project.customer_id, Project.id, Project.stage, Crew.status)
        .outerjoin(Crew, Crew.id == Project.crew_id)
        .where(Project.contract_no.like("ZX-2026-1%"))
        .order_by(Project.contract_no)
    )
    async with database.session() as session:
        rows = (await session.execute(query)).all()
    return [Home(row.customer_id, row.id, row.stage, row.status == "departed") for row in rows]


class _Cast:
    """Who plays, and the two kinds of stories."""

    def __init__(
        self, crm: CrmServices, clock: StoryClock, office: Office, zone: ZoneInfo, dice: random.Random
    ) -> None:
        self._crm = crm
        self._clock = clock
        self._office = office
        self._zone = zone
        self._dice = dice

    def stories(self, homes: Sequence[Home], start: datetime, until: datetime) -> list[_Turn]:
        """Return every story with the time of its beginning, more of them towards the present."""
        building = [home for home in homes if home.stage < Stage.DELIVERED]
        finished = [home for home in homes if home.stage >= Stage.DELIVERED]
        turns = []
        for number in range(COMPLAINTS):
            grievance = GRIEVANCES[number % len(GRIEVANCES)]
            steps = self._complaint(grievance, building[number % len(building)], number)
            turns.append(_Turn(self._begin(start, until, number, COMPLAINTS), number, steps))
        for number in range(REPAIRS):
            steps = self._repair(FAULTS[number % len(FAULTS)], finished[number % len(finished)], number)
            turns.append(_Turn(self._begin(start, until, number, REPAIRS), 1000 + number, steps))
        return turns

    def _begin(self, start: datetime, until: datetime, number: int, count: int) -> datetime:
        # The last ones fall into the last hours, whatever time of day it is.
        share: float = 1 - (1 - (number + 0.5) / count) ** 1.6
        return start + (until - start) * share + timedelta(minutes=self._dice.randint(-40, 40))

    def at_work(self, at: datetime) -> datetime:
        """Return the time, moved on to the next morning when the office is closed."""
        local = at.astimezone(self._zone)
        if local.time() >= CLOSES:
            local = datetime.combine(local.date() + timedelta(days=1), OPENS, self._zone)
        elif local.time() < OPENS:
            local = datetime.combine(local.date(), OPENS, self._zone)
        return local + timedelta(minutes=self._dice.randint(0, 20))

    def _hours(self, low: float, high: float) -> timedelta:
        return timedelta(hours=self._dice.uniform(low, high))

    # A complaint

    async def _complaint(self, grievance: Grievance, home: Home, number: int) -> Steps:
        complaints, work, end = (
            self._crm.complaints.complaints,
            self._crm.complaints.work,
            self._crm.complaints.end,
        )
        specialist = self._office.specialists[number % len(self._office.specialists)]
        view = await complaints.register(
            specialist,
            NewComplaint(
                customer_id=home.customer_id,
                project_id=home.project_id,
                content=grievance.content,
                demand=grievance.demand,
                source=(Source.PHONE, Source.PHONE, Source.PHONE, Source.WECHAT, Source.STORE)[number % 5],
                severity=Severity.SERIOUS if grievance.subclass == "safety" else Severity.GENERAL,
                want_by=self._clock.now() + timedelta(days=3),
                lines=(
                    NewLine(
                        class_=ComplaintClass(grievance.class_),
                        subclass=grievance.subclass,
                        cause=grievance.cause,
                        department=grievance.department,
                    ),
                ),
                hand_off=Dispatch(),
            ),
        )
        line = view.lines[0]
        head = self._office.head_of(line.department)
        if head is None:
            return
        late = number % 7 == 3
        yield self._hours(4, 6) if late else self._hours(0.2, 2.2)
        if number % 11 == 5:
            line = await work.reject(
                head, line.line_id, line.version, reason="经核对不是本部门责任,请转相关部门"
            )
            yield self._hours(0.3, 1)
            other = "MAT" if line.department == "ENG" else "ENG"
            line = await complaints.reroute(
                specialist, line.line_id, line.version, other, "部门退回后改派", hand_off=Dispatch()
            )
            head = self._office.head_of(other) or head
            yield self._hours(0.3, 2)
        line = await work.accept(
            head,
            line.line_id,
            line.version,
            Acceptance(
                signature=Signed(kind=SignatureKind.DRAWN, strokes=STROKES),
                mode=AcceptMode.PLAN_FIRST,
                person=("马超群", "刘铁柱", "高志远")[number % 3],
            ),
        )
        yield self._hours(30, 40) if late and number % 2 else self._hours(1, 8)
        line = await work.verify(head, line.line_id, line.version, facts=f"已电话核实:{grievance.cause}")
        unhappy = number % 9 == 4
        while True:
            yield self._hours(1, 14)
            async for pause in self._solve(head, line.line_id, grievance, slow=number % 5 == 0):
                yield pause
            view = await complaints.get(specialist, view.header.case_id)
            view = await self._call_back(specialist, view, satisfied=not unhappy, slow=number % 5 == 0)
            if not unhappy:
                break
            unhappy = False
        yield self._hours(0.5, 4)
        await end.close(
            specialist,
            view.header.case_id,
            view.version,
            analysis=Analysis(root_cause=grievance.cause, preventive_step="班前交底并抽查", owner=head.name),
        )

    async def _solve(self, head: Actor, line_id: str, grievance: Grievance, *, slow: bool) -> Steps:
        """Plan, go there, work, say that it is done, and let the day of the callback come."""
        work = self._crm.complaints.work
        line = await work.get(head, line_id)
        visit = self.at_work(self._clock.now() + self._hours(18, 40))
        line = await work.plan(
            head,
            line_id,
            line.version,
            NewPlan(
                plan=grievance.plan,
                visit_from=visit,
                visit_until=visit + timedelta(hours=2),
                solve_at=visit + timedelta(hours=6),
            ),
        )
        yield visit - self._clock.now() + timedelta(hours=1)
        now = self._clock.now()
        arrived = now - timedelta(minutes=45)
        seen = NewVisit(arrived_at=arrived, left_at=now, who="项目经理、班组长", record="已到现场,按方案施工")
        line = await work.record_visit(head, line_id, line.version, seen)
        yield self._hours(60, 90) if slow else self._hours(1, 10)
        await work.claim_done(head, line_id, line.version, note="已按方案处理完毕,客户在场")
        yield self._hours(2, 20)

    async def _call_back(
        self, specialist: Actor, view: ComplaintView, *, satisfied: bool, slow: bool
    ) -> ComplaintView:
        verdict = Verdict.SATISFIED if satisfied else Verdict.DISSATISFIED
        problem = ProblemStatus.SOLVED if satisfied else ProblemStatus.IN_HAND
        return await self._crm.complaints.end.call_back(
            specialist,
            view.header.case_id,
            view.version,
            NewCallback(
                verdict=verdict,
                problem=problem,
                timeliness=Timeliness.LATE if slow else Timeliness.TIMELY,
                note="客户对处理结果表示满意" if satisfied else "客户反映还没有完全解决",
            ),
        )

    # A repair

    async def _repair(self, fault: Fault, home: Home, number: int) -> Steps:
        repairs, work = self._crm.repairs.repairs, self._crm.repairs.work
        specialist = self._office.specialists[number % len(self._office.specialists)]
        to_captain = home.crew_departed or number % 4 == 1
        reason = RouteReason.CREW_LEFT if home.crew_departed else RouteReason.CUSTOMER_DEMAND
        route = (
            AskedRoute(route=Route.CAPTAIN, reason=reason) if to_captain else AskedRoute(route=Route.ORIGINAL)
        )
        view = await repairs.register(
            specialist,
            NewRepair(
                customer_id=home.customer_id,
                project_id=home.project_id,
                symptoms=fault.symptoms,
                place=fault.place,
                route=route,
            ),
        )
        worker = self._office.captain if to_captain else specialist
        yield self._hours(0.2, 1.8) if number % 6 else self._hours(4, 7)
        told = ToldRepairer(way=NoticeWay.PHONE, whom=worker.name if to_captain else "施工负责人")
        view = await repairs.notify(specialist, view.case_id, expected=view.version, told=told)
        yield self._hours(1, 6) if number % 8 else self._hours(26, 30)
        visit = self.at_work(self._clock.now() + self._hours(4, 18))
        agreed = NewAppointment(from_=visit, until=visit + timedelta(hours=2), plan=fault.plan)
        contact = CustomerContact(says="描述与登记一致,约定时间在家", appointment=agreed)
        view = await work.contact(worker, view.case_id, expected=view.version, contact=contact)
        yield visit - self._clock.now() + timedelta(minutes=15)
        view = await work.arrive(worker, view.case_id, expected=view.version)
        yield self._hours(0.5, 1.5)
        view = await work.finish(
            worker, view.case_id, expected=view.version, outcome=VisitOutcome.FIXED, result=fault.result
        )
        yield self._hours(2, 10) if number % 7 else self._hours(24, 40)
        callback = RepairCallback(
            problem=ProblemStatus.SOLVED,
            verdict=Verdict.NEUTRAL if number % 7 == 2 else Verdict.SATISFIED,
            contacted_in_time=InTime.YES,
            timely=InTime.YES,
        )
        view = await repairs.call_back(specialist, view.case_id, expected=view.version, callback=callback)
        yield self._hours(0.5, 3)
        await repairs.close(specialist, view.case_id, expected=view.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the services of the month stand on."""

    settings: WebSettings
    database: Database
    clock: Clock
    bus: Bus


async def fill_month(
    database: Database, settings: WebSettings, *, until: datetime, progress: Progress | None = None
) -> int:
    """Give the demo company its further customers and its last month; return how many cases there are.

    Needs the company and its users. What it wrote can be found by the search.
    """
    clock = StoryClock(until - timedelta(days=DAYS))
    await seed_homes(database, more_customers(), now=clock.now())
    office = await open_office(database)
    crm = build_crm(Ground(settings=settings, database=database, clock=clock, bus=Bus()))
    count = await play_month(
        crm, database, clock, office, until=until, zone=settings.timezone, progress=progress
    )
    async with database.transaction() as session:
        # Everybody has long been told of what happened before yesterday.
        told = OutboxRow.created_at < until - timedelta(days=1)
        await session.execute(update(OutboxRow).where(told).values(due_at=None))
    await crm.feed.rebuild(database)
    return count
