"""Stories of complaints: how they come in, go through a department, and end; or where they are stuck."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.demo.homes import Home
from app.demo.playing import SIGNED, Scene, Steps
from app.demo.stories import Grievance
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
from crm.complaint_views import ComplaintView, LineView
from crm.domain.case import Severity, Source
from crm.domain.complaint import ComplaintClass, Verdict
from crm.domain.complaint_line import AcceptMode, ProblemStatus
from crm.domain.forwarded import ReplyWay
from crm.domain.line_record import RecordKind
from crm.forwarded import NewReply
from crm.handoffs import Dispatch
from crm.line_records import NewRecord
from kernel.access import Actor

MANAGERS = ("马超群", "刘铁柱", "高志远")
NOTED = (
    NewRecord(kind=RecordKind.TELEPHONE, done="和业主约好先看现场，业主要求项目经理一起到场"),
    NewRecord(kind=RecordKind.MATERIAL, done="所需材料仓库有货，已通知配送到工地"),
)
SOURCES = (Source.PHONE, Source.PHONE, Source.PHONE, Source.WECHAT, Source.STORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What is particular about a complaint.

    Attributes:
        late: the department signs late.
        asleep: and verifies late as well.
        refused: the first department says that it is not theirs.
        unhappy: the customer says after the first round that it is not solved.
        slow: solved later than planned.
        asks: the plan needs the manager's approval.
        order: number of the order of the hotline that forwarded it.
        calls: the customer calls again while nothing is solved.
    """

    grievance: Grievance
    home: Home
    number: int
    late: bool = False
    asleep: bool = False
    refused: bool = False
    unhappy: bool = False
    slow: bool = False
    asks: bool = False
    order: str | None = None
    calls: int = 0

    @classmethod
    def usual(cls, grievance: Grievance, home: Home, number: int) -> "Plot":
        """Return what happens to the complaint of that number: most are done as they should be."""
        return cls(
            grievance=grievance,
            home=home,
            number=number,
            late=number % 7 == 3,
            asleep=number % 14 == 3,
            refused=number % 11 == 5,
            unhappy=number % 9 == 4,
            slow=number % 5 == 0,
            asks=number % 8 == 6,
            calls=1 + number % 2 if number % 13 == 8 else 0,
        )


def specialist_of(scene: Scene, number: int) -> Actor:
    """Return who is in charge of the case of that number."""
    people = scene.office.specialists
    return people[number % len(people)]


async def register(scene: Scene, plot: Plot) -> tuple[ComplaintView, Actor]:
    """Let a specialist register the complaint and hand it off; return it and the department's head."""
    grievance, number = plot.grievance, plot.number
    source = Source.HOTLINE_FORWARD if plot.order else SOURCES[number % len(SOURCES)]
    view = await scene.crm.complaints.complaints.register(
        specialist_of(scene, number),
        NewComplaint(
            customer_id=plot.home.customer_id,
            project_id=plot.home.project_id,
            content=grievance.content,
            demand=grievance.demand,
            source=source,
            external_no=plot.order,
            severity=Severity.SERIOUS if grievance.subclass == "safety" else Severity.GENERAL,
            want_by=scene.clock.now() + timedelta(days=3),
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
    head = scene.office.head_of(view.lines[0].department)
    assert head is not None, "the demo's departments have heads"
    return view, head


async def accept(
    scene: Scene,
    head: Actor,
    line: LineView,
    number: int,
    *,
    visit_at: datetime | None = None,
    plan_at: datetime | None = None,
) -> LineView:
    """Let the department's head sign for a line."""
    return await scene.crm.complaints.work.accept(
        head,
        line.line_id,
        line.version,
        Acceptance(
            signature=SIGNED,
            mode=AcceptMode.PLAN_FIRST if visit_at is None else AcceptMode.VISIT_FIRST,
            person=MANAGERS[number % len(MANAGERS)],
            planned_visit_at=visit_at,
            planned_plan_at=plan_at,
        ),
    )


async def complaint(scene: Scene, plot: Plot) -> Steps:
    """Play a complaint to its end."""
    complaints, work = scene.crm.complaints.complaints, scene.crm.complaints.work
    grievance, number = plot.grievance, plot.number
    specialist = specialist_of(scene, number)
    view, head = await register(scene, plot)
    case_id, line = view.header.case_id, view.lines[0]
    yield scene.hours(5, 8) if plot.late else scene.hours(0.2, 2.2)
    if plot.refused:
        line = await work.reject(
            head, line.line_id, line.version, reason="经核对不是本部门责任，请转相关部门"
        )
        yield scene.hours(0.3, 1)
        other = "MAT" if line.department == "ENG" else "ENG"
        line = await complaints.reroute(
            specialist, line.line_id, line.version, other, "部门退回后改派", hand_off=Dispatch()
        )
        head = scene.office.head_of(other) or head
        yield scene.hours(0.3, 2)
    line = await accept(scene, head, line, number)
    yield scene.hours(30, 40) if plot.asleep else scene.hours(1, 8)
    line = await work.verify(head, line.line_id, line.version, facts=f"已电话核实:{grievance.cause}")
    if number % 3 == 0:
        await scene.crm.complaints.records.add(head, line.line_id, NOTED[number % len(NOTED)])
    for call in range(plot.calls):
        yield scene.hours(1, 5)
        await complaints.called_again(specialist, case_id, note=f"客户第{call + 2}次来电，催问处理进度")
    unhappy, asks = plot.unhappy, plot.asks
    if plot.order:
        yield scene.hours(0.5, 2)
        view = await complaints.get(specialist, case_id)
        told = NewReply(way=ReplyWay.ORDER_SYSTEM, text="已核实并联系客户，正在处理。", told="工单系统")
        await scene.crm.forwarded.reply(specialist, case_id, view.version, told)
    while True:
        yield scene.hours(1, 14)
        # What others did to the complaint meanwhile does not touch the line.
        line = await _plan(scene, head, line, grievance, asks=asks)
        if asks:
            yield scene.hours(3, 20)
            line = await work.decide_plan(scene.office.manager, line.line_id, line.version, approved=True)
        asks = False
        async for pause in _on_site(scene, head, line, slow=plot.slow):
            yield pause
        view = await complaints.get(specialist, case_id)
        view = await call_back(scene, specialist, view, satisfied=not unhappy, slow=plot.slow)
        if not unhappy:
            break
        line, unhappy = view.lines[-1], False
    yield scene.hours(0.5, 4)
    await close(scene, specialist, view, grievance, head)


async def close(
    scene: Scene, specialist: Actor, view: ComplaintView, grievance: Grievance, head: Actor
) -> None:
    """Let the specialist close the complaint, with the analysis."""
    analysis = Analysis(root_cause=grievance.cause, preventive_step="班前交底并抽查", owner=head.name)
    await scene.crm.complaints.end.close(specialist, view.header.case_id, view.version, analysis=analysis)


async def _plan(scene: Scene, head: Actor, line: LineView, grievance: Grievance, *, asks: bool) -> LineView:
    visit = scene.at_work(scene.clock.now() + scene.hours(22, 40))
    return await scene.crm.complaints.work.plan(
        head,
        line.line_id,
        line.version,
        NewPlan(
            plan=grievance.plan,
            visit_from=visit,
            visit_until=visit + timedelta(hours=2),
            solve_at=visit + timedelta(hours=6),
            needs_approval=asks,
        ),
    )


async def _on_site(scene: Scene, head: Actor, line: LineView, *, slow: bool) -> Steps:
    """Go there as planned, work, say that it is done, and let the day of the callback come."""
    work = scene.crm.complaints.work
    assert line.visit_from is not None, "the plan names a visit"
    yield line.visit_from - scene.clock.now() + timedelta(hours=1)
    now = scene.clock.now()
    arrived = now - timedelta(minutes=45)
    seen = NewVisit(arrived_at=arrived, left_at=now, who="项目经理、班组长", record="已到现场，按方案施工")
    line = await work.record_visit(head, line.line_id, line.version, seen)
    yield scene.hours(60, 90) if slow else scene.hours(1, 10)
    await work.claim_done(head, line.line_id, line.version, note="已按方案处理完毕，客户在场")
    yield scene.hours(2, 20)


async def call_back(
    scene: Scene, specialist: Actor, view: ComplaintView, *, satisfied: bool, slow: bool = False
) -> ComplaintView:
    """Let the specialist ask the customer whether it is solved."""
    return await scene.crm.complaints.end.call_back(
        specialist,
        view.header.case_id,
        view.version,
        NewCallback(
            verdict=Verdict.SATISFIED if satisfied else Verdict.DISSATISFIED,
            problem=ProblemStatus.SOLVED if satisfied else ProblemStatus.IN_HAND,
            # Who waited long is content rather than glad.
            satisfaction=Verdict.NEUTRAL if slow and satisfied else None,
            timeliness=Timeliness.LATE if slow else Timeliness.TIMELY,
            note="客户对处理结果表示满意" if satisfied else "客户反映还没有完全解决",
        ),
    )


# What is stuck. Each begins when its limit is over by so much at the end.


async def unsigned(scene: Scene, plot: Plot) -> Steps:
    """Play a complaint that nobody signs for."""
    await register(scene, plot)
    yield scene.until


async def unverified(scene: Scene, plot: Plot) -> Steps:
    """Play a complaint whose department signs at once and then forgets the customer."""
    view, head = await register(scene, plot)
    yield scene.clock.now() + timedelta(minutes=20)
    await accept(scene, head, view.lines[0], plot.number)
    yield scene.until


async def unvisited(scene: Scene, plot: Plot) -> Steps:
    """Play a complaint whose department does not go there when it said it would, nor plans in time."""
    view, head = await register(scene, plot)
    now = scene.clock.now()
    yield now + timedelta(minutes=30)
    visit = now + timedelta(hours=20)
    line = await accept(
        scene, head, view.lines[0], plot.number, visit_at=visit, plan_at=visit + timedelta(hours=3)
    )
    yield now + timedelta(hours=1)
    await scene.crm.complaints.work.verify(head, line.line_id, line.version, facts="已联系客户，约定上门查看")
    yield scene.until


async def undecided(scene: Scene, plot: Plot) -> Steps:
    """Play a complaint whose plan waits for the manager."""
    view, head = await register(scene, plot)
    now = scene.clock.now()
    yield now + timedelta(minutes=40)
    line = await accept(scene, head, view.lines[0], plot.number)
    yield now + timedelta(hours=2)
    work = scene.crm.complaints.work
    line = await work.verify(head, line.line_id, line.version, facts=f"已电话核实:{plot.grievance.cause}")
    yield now + timedelta(hours=5)
    await _plan(scene, head, line, plot.grievance, asks=True)
    yield scene.until


async def unsolved(scene: Scene, plot: Plot) -> Steps:
    """Play a complaint whose department was there and does not finish by the day it promised."""
    view, head = await register(scene, plot)
    now, work = scene.clock.now(), scene.crm.complaints.work
    yield now + timedelta(minutes=30)
    line = await accept(scene, head, view.lines[0], plot.number)
    yield now + timedelta(hours=2)
    line = await work.verify(head, line.line_id, line.version, facts=f"已电话核实:{plot.grievance.cause}")
    yield now + timedelta(hours=3)
    line = await _plan(scene, head, line, plot.grievance, asks=False)
    assert line.visit_from is not None, "the plan names a visit"
    yield line.visit_from + timedelta(hours=1)
    seen = NewVisit(
        arrived_at=line.visit_from,
        left_at=scene.clock.now(),
        who="班组长",
        record="材料不齐，约客户改日再来",
    )
    await work.record_visit(head, line.line_id, line.version, seen)
    yield scene.until
