"""Stories of repairs: told, visited, fixed, called back; and what they cost, down to the crew's deposit."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from app.demo.company import CREWS
from app.demo.complaints import specialist_of
from app.demo.homes import Home
from app.demo.playing import Scene, Steps
from app.demo.points import to_the_point
from app.demo.stories import Fault
from crm.domain.case import Source
from crm.domain.complaint import Verdict
from crm.domain.complaint_line import ProblemStatus
from crm.domain.deposit import PostingKind
from crm.domain.forwarded import ReplyWay
from crm.domain.repair import InTime, NoticeWay, Route, RouteReason, VisitOutcome
from crm.domain.repair_cost import CostBearer, Figures, Material, MaterialKind
from crm.forwarded import NewReply
from crm.repair_input import AskedRoute, CustomerContact, NewAppointment, NewCallback, NewRepair, ToldRepairer

TRAVEL = Decimal(40)
PAID_IN = (Decimal(8_000), Decimal(6_000), Decimal(420), Decimal(8_000))
"""What the crews have paid in, in the order of CREWS; that of the crew that left is nearly used up."""
WITHHELD = Decimal(4_650)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What is particular about a repair.

    Attributes:
        order: number of the order of the hotline that forwarded it.
        signatures: the cost sheet gets so many and no more.
    """

    fault: Fault
    home: Home
    number: int
    order: str | None = None
    signatures: int = 2

    @property
    def to_captain(self) -> bool:
        """Whether the captain's people do it instead of the crew that built the home."""
        return self.home.crew_departed or self.number % 3 == 1

    @property
    def to_point(self) -> bool:
        """Whether the captain has a repair point do it."""
        return self.to_captain and self.number % 2 == 1


async def repair(scene: Scene, given: Repair) -> Steps:
    """Play a repair to its end, and its settlement when the captain did it."""
    repairs, work, number = scene.crm.repairs.repairs, scene.crm.repairs.work, given.number
    specialist = specialist_of(scene, number)
    reason = RouteReason.CREW_LEFT if given.home.crew_departed else RouteReason.CUSTOMER_DEMAND
    view = await repairs.register(
        specialist,
        NewRepair(
            customer_id=given.home.customer_id,
            project_id=given.home.project_id,
            symptoms=given.fault.symptoms,
            place=given.fault.place,
            item=given.fault.item,
            source=Source.HOTLINE_FORWARD if given.order else Source.PHONE,
            external_no=given.order,
            route=AskedRoute(route=Route.CAPTAIN, reason=reason)
            if given.to_captain
            else AskedRoute(route=Route.ORIGINAL),
        ),
    )
    worker = scene.office.captain if given.to_captain else specialist
    yield scene.hours(0.2, 1.8) if number % 9 else scene.hours(4, 7)
    told = ToldRepairer(way=NoticeWay.PHONE, whom=worker.name if given.to_captain else "施工负责人")
    view = await repairs.notify(specialist, view.case_id, expected=view.version, told=told)
    yield scene.hours(1, 6) if number % 8 else scene.hours(26, 30)
    if given.to_point:
        view = await to_the_point(scene, worker, view)
    visit = scene.at_work(scene.clock.now() + scene.hours(4, 18))
    agreed = NewAppointment(from_=visit, until=visit + timedelta(hours=2), plan=given.fault.plan)
    contact = CustomerContact(says="描述与登记一致，约定时间在家", appointment=agreed)
    view = await work.contact(worker, view.case_id, expected=view.version, contact=contact)
    if given.order:
        yield scene.hours(0.1, 0.5)
        answer = NewReply(way=ReplyWay.PHONE, text="已联系客户并约定上门时间。", told="96156坐席")
        await scene.crm.forwarded.reply(specialist, view.case_id, view.version, answer)
        view = await scene.crm.repairs.reader.get(specialist, view.case_id)
    yield visit - scene.clock.now() + timedelta(minutes=15)
    view = await work.arrive(worker, view.case_id, expected=view.version)
    yield scene.hours(0.5, 1.5)
    view = await work.finish(
        worker, view.case_id, expected=view.version, outcome=VisitOutcome.FIXED, result=given.fault.result
    )
    yield scene.hours(2, 10) if number % 7 else scene.hours(24, 40)
    callback = NewCallback(
        problem=ProblemStatus.SOLVED,
        verdict=Verdict.NEUTRAL if number % 7 == 2 else Verdict.SATISFIED,
        contacted_in_time=InTime.YES,
        timely=InTime.YES,
    )
    view = await repairs.call_back(specialist, view.case_id, expected=view.version, callback=callback)
    yield scene.hours(0.5, 3)
    await repairs.close(specialist, view.case_id, expected=view.version)
    if given.to_captain:
        yield scene.hours(1, 16)
        async for pause in _settled(scene, given, view.case_id):
            yield pause


def _figures(given: Repair) -> Figures:
    """Return the cost sheet: what the crew spoilt it bears; what wears out, the customer or the maker."""
    fault, labour = given.fault, Decimal(given.fault.labour)
    material = tuple(
        Material(
            item=item,
            kind=MaterialKind.AUXILIARY,
            quantity=Decimal(1),
            price=Decimal(price),
            unit="个",
            why="按实际采购",
        )
        for item, price in fault.materials
    )
    goods = sum((line.amount for line in material), Decimal(0))
    total = labour + TRAVEL + goods
    if given.home.crew_departed or not given.number % 2:
        bearers, receipt = {CostBearer.CREW: total}, None
    elif goods and given.number % 4 == 1:
        bearers, receipt = {CostBearer.CREW: labour + TRAVEL, CostBearer.MANUFACTURER: goods}, None
    else:
        bearers, receipt = {CostBearer.CUSTOMER: total}, f"SJ-WX-{given.number:03d}"
    return Figures(
        labour=labour, travel=TRAVEL, material=material, total=total, bearers=bearers, receipt_no=receipt
    )


async def _settled(scene: Scene, given: Repair, case_id: str) -> Steps:
    """Reckon, sign, file, compare with the month's books, take the crew's part from its deposit."""
    settlements, office, number = scene.crm.repairs.settlements, scene.office, given.number
    cost = await settlements.write(office.captain, case_id, expected=0, figures=_figures(given))
    cost_id = cost.cost_id
    if given.signatures == 0:
        return
    yield scene.hours(1, 8)
    cost = await settlements.sign_service(office.manager, cost_id, expected=cost.version)
    if given.signatures == 1:
        return
    yield scene.hours(4, 30)
    cost = await settlements.sign_company(office.general_manager, cost_id, expected=cost.version)
    yield scene.hours(1, 6)
    cost = await settlements.file(specialist_of(scene, number), cost_id, expected=cost.version)
    yield scene.hours(20, 70)
    month = scene.clock.now().astimezone(scene.zone).strftime("%Y-%m")
    cost = await settlements.reconcile(office.finance, cost_id, expected=cost.version, month=month)
    yield scene.hours(2, 24)
    cost = await settlements.settle(office.finance, cost_id, expected=cost.version)
    yield scene.hours(4, 30)
    await settlements.close(office.finance, cost_id, expected=cost.version)


async def deposits(scene: Scene, crews: dict[str, str]) -> Steps:
    """Play what goes into the crews' deposits; ``crews`` has their ids by name."""
    finance, book = scene.office.finance, scene.crm.repairs.deposits
    for (name, _, _), amount in zip(CREWS, PAID_IN, strict=True):
        note = "首次缴纳质保金" if amount >= 1000 else "离职结算后余额"
        await book.post(finance, crews[name], kind=PostingKind.INITIAL, amount=amount, note=note)
    yield timedelta(days=11)
    await book.post(
        finance, crews[CREWS[0][0]], kind=PostingKind.WITHHOLD, amount=WITHHELD, note="工程款预留3%"
    )
