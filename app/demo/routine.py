"""Stories of the office's own routine: what is improved, noted down, watched over.

They pause until a moment, not for a while: so they throw no dice, and the other stories stay as they are.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from app.demo.playing import Scene, Steps, Turn
from crm.domain.complaint import ComplaintClass
from crm.domain.deposit_rule import DepositRule
from crm.domain.duty import PatrolSlot, Shift
from crm.domain.repair_cost import MaterialKind
from crm.domain.voice import VoiceKind
from crm.improvement_views import NewMeasure
from crm.materials import MaterialText
from crm.voices import NewVoice

SAID = (
    ("", "希望能在手机上看到每天的施工照片，不用总打电话问"),
    ("", "建议把增项价格表提前给客户，签字前心里有数"),
    ("宜居装饰", "邻居在宜居装饰签的约，整包每平方米便宜一百二，送全屋窗帘"),
    ("", "水电验收能不能约周末，平时要上班"),
    ("美家天下", "美家天下在小区做样板间，承诺延期一天赔三百"),
    ("", "安装前一天发短信提醒就好了，总怕忘"),
)
"""What customers said: of which competitor, if of any, and what."""

LOGGED = (
    "夜里一点业主报阳台漏水，电话教其关总阀，早上转维修队长",
    "热线停电十分钟，已切备用电源，无漏接",
    "12345 转来一件，已当场登记并转工程部",
)

MATERIALS = (
    ("F-001", "地漏(铜)", "个", 45, MaterialKind.AUXILIARY),
    ("F-002", "角阀(全铜)", "个", 32, MaterialKind.AUXILIARY),
    ("F-003", "柔性防水涂料20kg", "桶", 268, MaterialKind.AUXILIARY),
    ("F-004", "瓷砖胶C2 25kg", "袋", 38, MaterialKind.AUXILIARY),
    ("Z-001", "抛釉砖 800×800", "片", 58, MaterialKind.MAIN),
    ("Z-002", "实木复合地板15mm", "平方米", 189, MaterialKind.MAIN),
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def routine(scene: Scene) -> Sequence[Turn]:
    """Return the stories, each with the time of its beginning."""
    start = scene.clock.now() + 2 * HOUR
    return [
        Turn(start, 2, measures(scene)),
        Turn(start, 3, voices(scene)),
        Turn(start, 4, duty(scene)),
        Turn(start, 5, catalogue(scene)),
    ]


async def measures(scene: Scene) -> Steps:
    """Play the month's improvement measures: one reported, one in hand, one that is late."""
    improvements, office = scene.crm.improvements, scene.office
    tiles = await improvements.set(
        office.manager,
        NewMeasure(
            problem="墙砖空鼓连续两个月居投诉首位",
            measure="贴砖前基层验收拍照，质检员签字后才能铺贴;每周抽查两户",
            department="ENG",
            due_on=improvements.today() + 14 * DAY,
            class_code=ComplaintClass.WORKMANSHIP,
            subclass="tile",
        ),
    )
    await improvements.set(
        office.manager,
        NewMeasure(
            problem="主材晚到没有人提前通知客户",
            measure="到货前三天由材料部电话确认，改期当天通知",
            department="MAT",
            due_on=improvements.today() + 20 * DAY,
            class_code=ComplaintClass.DELAY,
        ),
    )
    yield scene.clock.now() + 12 * DAY
    await improvements.report(
        office.heads["ENG"],
        tiles.measure.measure_id,
        expected=tiles.measure.version,
        evidence="在施工地已全部按新办法验收，抽查六户无空鼓",
    )
    await improvements.set(
        office.manager,
        NewMeasure(
            problem="图纸漏画燃气表和地暖分水器",
            measure="出图前按核对表逐项检查，核对表随图存档",
            department="DES",
            due_on=improvements.today() + 30 * DAY,
            class_code=ComplaintClass.DESIGN,
            subclass="drawing_error",
        ),
    )


async def voices(scene: Scene) -> Steps:
    """Play what specialists note of suggestions and competitors."""
    start = scene.clock.now()
    for number, (competitor, text) in enumerate(SAID):
        kind = VoiceKind.COMPETITOR if competitor else VoiceKind.SUGGESTION
        who = scene.office.specialists[number % len(scene.office.specialists)]
        await scene.crm.voices.note(who, NewVoice(kind=kind, text=text, competitor=competitor or None))
        yield start + (number + 1) * 4 * DAY


async def duty(scene: Scene) -> Steps:
    """Play a month of duty: the roster a week ahead, two patrols a day, now and then a line in the log."""
    book, office = scene.crm.duty, scene.office
    people = office.specialists
    morning = scene.clock.now().astimezone(scene.zone).replace(hour=9, minute=30, second=0, microsecond=0)
    number = 0
    while morning < scene.until + 7 * DAY:
        yield max(morning, scene.clock.now())
        today = book.today()
        for place, shift in enumerate((Shift.EARLY, Shift.LATE, Shift.NIGHT)):
            many = 1 if shift is Shift.NIGHT else 3
            chosen = [people[(number + place * 3 + more) % len(people)].user_id for more in range(many)]
            await book.plan(office.supervisor, today + 7 * DAY, shift, chosen, expected=0)
        await book.patrol(people[number % len(people)], PatrolSlot.MORNING, sound=True)
        if number % 6 == 2:
            await book.log(people[number % len(people)], LOGGED[number % len(LOGGED)])
        yield morning + 6 * HOUR
        if number % 9 != 4:
            sound = number % 7 != 3
            found = "" if sound else "二号楼样板间门口堆放垃圾，已请工程部当天清运"
            await book.patrol(
                people[(number + 1) % len(people)], PatrolSlot.AFTERNOON, sound=sound, found=found
            )
        number, morning = number + 1, morning + DAY


async def catalogue(scene: Scene) -> Steps:
    """Write down the catalogue of materials and the rule for deposits."""
    for code, name, unit, price, kind in MATERIALS:
        text = MaterialText(code=code, name=name, unit=unit, price=Decimal(price), kind=kind)
        await scene.crm.materials.put(scene.office.heads["MAT"], None, text, expected=None)
    rules = scene.crm.repairs.deposit_rules
    rule = DepositRule(
        valid_from=rules.today(),
        percent=Decimal(3),
        cap=Decimal(20_000),
        initial=Decimal(8_000),
        release_months=25,
        floor=Decimal(2_000),
    )
    await rules.set(scene.office.manager, rule)
    yield scene.until
