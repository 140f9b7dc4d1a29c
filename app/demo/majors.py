"""Stories of major complaints: handed up, looked into on site, liability shared, paid, taken back."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import IntEnum

from app.demo.complaints import MANAGERS, Plot, accept, call_back, close, register, specialist_of
from app.demo.playing import Scene, Steps
from crm.compensations import NewCompensation
from crm.complaint_input import NewPlan, NewVisit
from crm.domain.compensation import (
    Bearer,
    CompensationKind,
    LiableParty,
    LiablePerson,
    RecoveryShare,
)
from crm.escalation_views import EscalationView
from crm.escalations import Liability, NewEscalation
from kernel.access import Actor


class Until(IntEnum):
    """How far a major complaint comes before the present."""

    SUBMITTED = 0
    VISIT_DUE = 1
    VISITED = 2
    PLANNED = 4
    REQUESTED = 5
    VOUCHERED = 6
    PAID = 8
    RECOVERY = 9
    CLOSED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Major:
    """What a major complaint is about, and how its cost is borne.

    Attributes:
        paid: what the customer gets; the crew and the company bear it, and a project manager ``staff``.
    """

    plot: Plot
    process: str
    plan: str
    paid: Decimal
    staff: Decimal
    shares: tuple[int, int, int, int]
    """Of manufacturer, crew, customer and company, in percent."""
    until: Until


async def major(scene: Scene, given: Major) -> Steps:
    """Play a major complaint as far as it comes."""
    plot, office = given.plot, scene.office
    specialist, work = specialist_of(scene, plot.number), scene.crm.complaints.work
    escalations = scene.crm.complaints.escalations
    view, head = await register(scene, plot)
    case_id = view.header.case_id
    yield scene.hours(0.3, 1.5)
    line = await accept(scene, head, view.lines[0], plot.number)
    yield scene.hours(1, 3)
    line = await work.verify(head, line.line_id, line.version, facts=f"已到现场核实:{plot.grievance.cause}")
    yield scene.hours(1, 2)
    view = await scene.crm.complaints.complaints.called_again(
        specialist, case_id, note="客户要求赔偿，情绪激动"
    )
    new = NewEscalation(
        cause=plot.grievance.cause, process_so_far=given.process, demand=plot.grievance.demand
    )
    found = await escalations.submit(specialist, case_id, view.version, new)
    if given.until is Until.SUBMITTED:
        yield scene.until
    yield scene.hours(1, 4)
    found = await escalations.review(
        office.manager, found.escalation_id, found.version, visit_needed=True, note="已致电客户，安抚并约上门"
    )
    if given.until is Until.VISIT_DUE:
        yield scene.until
    yield scene.hours(0.5, 2)
    visit = scene.at_work(scene.clock.now() + timedelta(hours=22))
    found = await escalations.agree_visit(
        office.manager,
        found.escalation_id,
        found.version,
        visit_from=visit,
        visit_until=visit + timedelta(hours=2),
        visit_with=f"{head.name}、客户本人",
    )
    line = await work.plan(
        head,
        line.line_id,
        line.version,
        NewPlan(
            plan=plot.grievance.plan,
            visit_from=visit,
            visit_until=visit + timedelta(hours=2),
            solve_at=visit + timedelta(days=2),
        ),
    )
    yield visit + timedelta(hours=2)
    found = await escalations.record_visit(
        office.manager,
        found.escalation_id,
        found.version,
        visited_at=visit + timedelta(minutes=90),
        record=f"与{head.name}、客户三方现场查看，情况属实，已拍照留存",
    )
    seen = NewVisit(
        arrived_at=visit,
        left_at=visit + timedelta(minutes=100),
        who=f"{head.name}、客服经理",
        record="三方现场查看并拍照，方案已当面说明",
    )
    line = await work.record_visit(head, line.line_id, line.version, seen)
    if given.until is Until.VISITED:
        yield scene.until
    yield scene.hours(2, 6)
    found = await _settle(scene, given, found, head)
    yield scene.hours(2, 8)
    found = await escalations.plan(
        office.manager, found.escalation_id, found.version, plan=given.plan, costs=True
    )
    if given.until is Until.PLANNED:
        yield scene.until
    yield scene.hours(2, 8)
    await work.claim_done(head, line.line_id, line.version, note="返工完毕，客户在场验收")
    yield scene.hours(1, 8)
    view = await scene.crm.complaints.complaints.get(specialist, case_id)
    await call_back(scene, specialist, view, satisfied=True)
    async for pause in _money(scene, given, found):
        yield pause
    found = await escalations.get(specialist, found.escalation_id)
    await escalations.close(
        specialist, found.escalation_id, found.version, outcome="赔付到位，返工验收合格，客户满意"
    )
    view = await scene.crm.complaints.complaints.get(specialist, case_id)
    await close(scene, specialist, view, plot.grievance, head)


async def _settle(scene: Scene, given: Major, found: EscalationView, head: Actor) -> EscalationView:
    shares = dict(zip(LiableParty, (Decimal(share) for share in given.shares), strict=True))
    persons = (LiablePerson(name=MANAGERS[given.plot.number % 3], amount=given.staff),) if given.staff else ()
    return await scene.crm.complaints.escalations.settle_liability(
        scene.office.manager,
        found.escalation_id,
        found.version,
        Liability(shares=shares, with_head=head.name, persons=persons, note="现场界定，责任双方已确认"),
    )


async def _money(scene: Scene, given: Major, found: EscalationView) -> Steps:
    """Ask for the money, agree, write the voucher, release, pay, take the staff's part back."""
    office, money, key = scene.office, scene.crm.complaints.compensations, found.escalation_id
    number = given.plot.number
    crew = ((given.paid - given.staff) / 2).quantize(Decimal(1))
    yield scene.hours(1, 4)
    found = await money.request(
        office.manager,
        key,
        found.version,
        NewCompensation(
            amount=given.paid,
            bearers={
                bearer: amount
                for bearer, amount in (
                    (Bearer.CREW, crew),
                    (Bearer.COMPANY, given.paid - given.staff - crew),
                    (Bearer.STAFF, given.staff),
                )
                if amount
            },
            reason=given.plan,
            kind=CompensationKind.CASH,
            recovery=(RecoveryShare(name=MANAGERS[number % 3], amount=given.staff),) if given.staff else (),
        ),
    )
    if given.until is Until.REQUESTED:
        yield scene.until
    yield scene.hours(4, 22)
    found = await money.review(office.general_manager, key, found.version, agreed=True)
    yield scene.hours(2, 6)
    found = await money.write_voucher(
        office.finance, key, found.version, voucher_no=f"PZ-{number:03d}-2026", amount=given.paid
    )
    if given.until is Until.VOUCHERED:
        yield scene.until
    yield scene.hours(4, 22)
    found = await money.approve(office.general_manager, key, found.version, approved=True)
    yield scene.hours(4, 20)
    found = await money.pay(
        office.finance, key, found.version, receipt_no=f"SJ-{number:03d}-2026", paid_at=None
    )
    if given.staff:
        yield scene.hours(1, 3)
        found = await money.send_recovery(office.finance, key, found.version)
        if given.until is Until.RECOVERY:
            yield scene.until
        yield scene.hours(20, 40)
        for share in found.compensations[-1].recovery:
            found = await money.recovered(
                office.hr, key, found.version, share.recovery_id, note="已从当月工资中扣回"
            )
    yield scene.hours(1, 3)
