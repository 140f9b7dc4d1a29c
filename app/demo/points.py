"""The demo company's repair point: its agreement, its parts, what its months cost, when it is visited."""

from datetime import date, datetime, time, timedelta

from app.demo.playing import Scene, Steps
from crm.domain.repair_point import PartKind
from crm.point_visits import VisitKind
from crm.repair_point_views import PointText
from crm.repair_views import RepairView
from kernel.access import Actor

POINT = PointText(
    name="通州张记水电维修部",
    agreement_no="WX-2026-003",
    district="通州区",
    address="通州区梨园北街21号底商",
    contact="张国富",
    phone="01069550321",
    valid_from=date(2025, 7, 1),
    note="水电、五金小修，两小时内上门；夜间抢修另计。",
)
AGREEMENT_LINES = (
    "Repair point agreement WX-2026-003",
    "Plumbing, wiring and fittings, small repairs",
    "Settled monthly against the list of repairs",
)
PARTS = (
    ("角阀", "20", "25.50", 1),
    ("防臭地漏芯", "15", "45.00", 3),
    ("驱动电源", "6", "68.00", 6),
    ("密封圈", "40", "3.50", 9),
)
"""What it got: how many, at what price, so many days after the month began."""


async def network(scene: Scene) -> Steps:
    """Write the point down and keep its books through the month."""
    crm, manager, captain = scene.crm, scene.office.manager, scene.office.captain
    points = crm.repair_points
    point = await points.put_point(manager, None, POINT, expected=None)
    agreement = pdf_of(AGREEMENT_LINES)
    await crm.point_files.add(manager, point.point_id, content=agreement, name="特约维修协议.pdf")
    first = scene.clock.now().astimezone(scene.zone).strftime("%Y-%m")
    await points.put_account(captain, point.point_id, first, budget="3000", actual=None, expected=None)
    began = scene.clock.now().astimezone(scene.zone).date()

    def day(number: int) -> datetime:
        # Not by the dice: what else happens in the month stays as it was.
        return datetime.combine(began + timedelta(days=number), time(10), scene.zone)

    for part, quantity, price, days in PARTS:
        yield day(days)
        await points.move_part(
            captain,
            point.point_id,
            PartKind.ISSUE,
            part=part,
            quantity=quantity,
            price=price,
            on_day=points.today(),
        )
    yield day(12)
    await points.move_part(
        captain,
        point.point_id,
        PartKind.RETURN,
        part="角阀",
        quantity="2",
        price="25.50",
        on_day=points.today(),
        defective=True,
        note="阀芯漏水，退材料部",
    )
    month = f"{points.today():%Y-%m}"
    await points.feed_back(
        captain,
        month,
        product="角阀",
        problem="阀芯漏水，同一批次两件",
        count=2,
        departments=["MAT", "ENG"],
        point_id=point.point_id,
    )
    audit = await crm.point_visits.plan(
        captain,
        point.point_id,
        VisitKind.AUDIT,
        planned_on=points.today() + timedelta(days=3),
        topic="核对配件台账和旧件",
    )
    yield day(15)
    await crm.point_visits.finish(
        captain,
        audit.visit_id,
        audit.version,
        done_on=points.today(),
        result="配件账实相符，旧件齐全。",
        sound=True,
    )
    await crm.point_visits.plan(
        captain,
        point.point_id,
        VisitKind.TRAINING,
        planned_on=points.today() + timedelta(days=25),
        topic="防水局部维修做法培训",
    )
    yield day(26)
    await _reckon(scene, point.point_id, first)
    if first != (month := f"{points.today():%Y-%m}"):
        await points.put_account(captain, point.point_id, month, budget="3000", actual=None, expected=None)


async def _reckon(scene: Scene, point_id: str, month: str) -> None:
    """Enter what a month has cost so far, as the records have it; the manager approves it."""
    points = scene.crm.repair_points
    (figures,) = await scene.crm.point_figures.of_point(scene.office.captain, point_id, until=month, months=1)
    (account,) = await points.accounts(scene.office.captain, month=month, point_id=point_id)
    cost = figures.cost + figures.parts
    entered = await points.put_account(
        scene.office.captain, point_id, month, budget="3000", actual=cost, expected=account.version
    )
    await points.approve_account(
        scene.office.manager,
        entered.account_id,
        entered.version,
        why="集中报修，按实际结算" if entered.over else "",
    )


async def to_the_point(scene: Scene, worker: Actor, view: RepairView) -> RepairView:
    """Give a repair of the captain's to the point, where there is one."""
    found = await scene.crm.repair_points.points(worker, valid_only=True)
    if not found:
        return view
    await scene.crm.point_jobs.give(worker, view.case_id, expected=view.version, point_id=found[0].point_id)
    return await scene.crm.repairs.reader.get(worker, view.case_id)


def pdf_of(lines: tuple[str, ...]) -> bytes:
    """Return a page with some lines as a PDF that every reader opens."""
    said = " ".join(f"({line}) Tj 0 -28 Td" for line in lines)
    text = f"BT /F1 16 Tf 72 760 Td {said} ET".encode("ascii")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    made = bytearray(b"%PDF-1.4\n")
    places = []
    for number, held in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, held)
    begins = len(made)
    made += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    made += b"".join(b"%010d 00000 n \n" % place for place in places)
    made += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, begins)
    return bytes(made)
