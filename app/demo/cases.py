"""What the demo company's month consists of: which stories are played, where, and how far they come."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from app.demo import complaints
from app.demo.complaints import Plot
from app.demo.homes import Home
from app.demo.majors import Major, Until, major
from app.demo.playing import Scene, Turn
from app.demo.points import network
from app.demo.repairs import Repair, deposits, repair
from app.demo.routine import routine
from app.demo.stories import FAULTS, GRIEVANCES, Grievance
from app.demo.tickets import Fate, Finding, look_again, ticket
from crm.domain.complaint import ComplaintClass as C
from crm.domain.project import Stage

ORDERS = ("12345-2026-04173", "96156-2026-0882", "12345-2026-05210")
NOTES = (
    "回访客户，处理结果稳定",
    "现场抽查，无返潮",
    "电话回访，客户满意",
    "客户反映墙面仍有细纹，已转工程部复查",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How many stories of the usual kind are played; what is out of the ordinary is always played."""

    complaints: int = 34
    repairs: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trouble:
    """A major complaint as data; the shares are of manufacturer, crew, customer and company."""

    grievance: Grievance
    process: str
    plan: str
    paid: int
    staff: int
    shares: tuple[int, int, int, int]
    until: Until
    days: float


MAJORS = (
    _Trouble(
        grievance=Grievance(
            C.WORKMANSHIP,
            "waterproof",
            "卫生间防水没做好，把楼下新装修的顶面和衣柜全泡了，楼下要我赔八千。",
            "公司承担楼下损失，卫生间防水全部重做",
            "拆除重做防水，闭水四十八小时，赔付楼下损失",
            "防水层上翻高度不足",
        ),
        process="已到现场查看两次，与楼下业主、物业三方确认损失清单",
        plan="防水全部重做，赔付楼下业主损失4800元",
        paid=4800,
        staff=800,
        shares=(0, 60, 0, 40),
        until=Until.CLOSED,
        days=25,
    ),
    _Trouble(
        grievance=Grievance(
            C.DELAY,
            "progress",
            "工期拖了四十天，我们一家租房多付了一个多月房租，找谁都说快了。",
            "赔偿租房损失并按合同付违约金",
            "增派班组，十日内完工，按合同赔付延期损失",
            "项目经理同时管七个工地，材料计划漏报",
        ),
        process="项目经理三次承诺日期均未兑现，客户已到店两次",
        plan="十日内完工，赔付租房损失与违约金合计6600元",
        paid=6600,
        staff=1600,
        shares=(0, 40, 0, 60),
        until=Until.RECOVERY,
        days=15,
    ),
    _Trouble(
        grievance=Grievance(
            C.MATERIAL,
            "defect",
            "全屋实木地板铺完起拱开裂，厂家说是地面没干就铺，施工队说是地板含水率高。",
            "整屋更换并赔偿误工",
            "整屋更换地板，厂家承担材料，施工队承担人工",
            "地面含水率超标，进场未测",
        ),
        process="厂家与施工队各执一词，已送检含水率",
        plan="整屋更换地板，补偿客户误工及搬运费8600元",
        paid=8600,
        staff=0,
        shares=(50, 30, 0, 20),
        until=Until.VOUCHERED,
        days=8,
    ),
    _Trouble(
        grievance=Grievance(
            C.MATERIAL,
            "smell",
            "新装的衣柜和床味道刺鼻，孩子流鼻血，我自己请人检测甲醛超标一倍。",
            "柜体全部退换，赔偿检测费和治疗费",
            "柜体全部退换，第三方复检合格后再入住",
            "板材批次不合格，入库未抽检",
        ),
        process="客户提供检测报告，材料部已封存同批板材",
        plan="柜体全部退换，赔付检测费、治疗费及过渡住宿费3200元",
        paid=3200,
        staff=400,
        shares=(70, 0, 0, 30),
        until=Until.REQUESTED,
        days=5.2,
    ),
    _Trouble(
        grievance=Grievance(
            C.WORKMANSHIP,
            "water_electric",
            "墙里的水管爆了，水淹到客厅，木地板和沙发都泡了，半夜才联系上人关水。",
            "当天来人，赔地板和沙发",
            "更换管件，打压试验，地板按面积更换",
            "热熔接头虚焊",
        ),
        process="已连夜关水并派抢修，客户情绪激动，要求经理到场",
        plan="",
        paid=0,
        staff=0,
        shares=(0, 0, 0, 0),
        until=Until.VISIT_DUE,
        days=5,
    ),
    _Trouble(
        grievance=Grievance(
            C.DESIGN,
            "drawing_error",
            "橱柜按错误的图纸下了单，烟机和灶台装不进去，厂家说改不了，设计师让我自己加钱换。",
            "重新定制，不加一分钱，并赔偿误期",
            "重新下单，费用由责任方承担",
            "设计师量尺有误，未复尺",
            "DES",
        ),
        process="设计师已承认量尺有误，客户不接受加价",
        plan="",
        paid=0,
        staff=0,
        shares=(0, 0, 0, 0),
        until=Until.SUBMITTED,
        days=1.3,
    ),
)

FINDINGS = (
    (
        Finding(
            question="隐蔽工程验收时项目经理是否到场?",
            answer="没有到场",
            text="隐蔽工程回访:客户称水电验收时项目经理没有到场，由工长代签。",
            departments=("ENG",),
            solution="项目经理已补做验收并当面说明",
        ),
        Fate.CLOSED,
        19.0,
        3,
    ),
    (
        Finding(
            question="主材是否按约定时间到货?",
            answer="没有",
            text="中期回访:客户称瓷砖比约定时间晚到六天，没有人提前通知。",
            departments=("MAT",),
            solution="已向客户致歉，余货改为固定时间配送",
        ),
        Fate.CLOSED,
        13.0,
        0,
    ),
    (
        Finding(
            question="设计师是否到现场交底?",
            answer="电话交底",
            text="开工回访:客户称设计师没有到现场交底，插座位置与需求不符。",
            departments=("DES", "ENG"),
            solution="设计师与工长到场重新交底，插座移位两处",
        ),
        Fate.CONVERTED,
        2.2,
        0,
    ),
    (
        Finding(
            question="工地卫生是否满意?",
            answer="不满意",
            text="中期回访:客户反映工地垃圾两天一清，楼道里有灰。",
            departments=("ENG",),
            solution="改为每日清运，楼道已清洁",
        ),
        Fate.VERIFIED,
        5.0,
        0,
    ),
    (
        Finding(
            question="店面承诺的赠品是否到位?",
            answer="还没有",
            text="开工回访:客户称签约时答应的净水器没有登记。",
            departments=("STO",),
            solution="店面已补登记，随橱柜一起送货",
        ),
        Fate.SOLVED,
        4.0,
        0,
    ),
    (
        Finding(
            question="施工人员是否佩戴工牌、文明施工?",
            answer="不清楚",
            text="隐蔽工程回访:客户反映工地换了两拨工人，没有人介绍。",
            departments=("ENG",),
        ),
        Fate.IN_HAND,
        0.8,
        0,
    ),
    (
        Finding(
            question="门窗安装是否满意?",
            answer="有划痕",
            text="中期回访:客户反映卧室门套有划痕，安装工说是运输造成的。",
            departments=("ENG",),
        ),
        Fate.REFUSED,
        1.6,
        0,
    ),
    (
        Finding(
            question="对项目经理的服务是否满意?",
            answer="一般",
            text="隐蔽工程回访:客户称增项没有提前书面确认。",
            departments=("ENG",),
        ),
        Fate.OPEN,
        0.4,
        0,
    ),
)
"""What is found, what becomes of it, how many days before the end, and how many too many it takes."""


def stories(scene: Scene, homes: Sequence[Home], crews: dict[str, str], amount: Amount) -> list[Turn]:
    """Return every story with the time of its beginning; each has a home of its own, some come again."""
    building = [home for home in homes if home.stage < Stage.COMPLETED]
    finished = [home for home in homes if home.stage >= Stage.COMPLETED]
    turns = [
        Turn(scene.clock.now(), 0, deposits(scene, crews)),
        Turn(scene.clock.now(), 1, look_again(scene, NOTES)),
        Turn(scene.clock.now(), 6, network(scene)),
        *routine(scene),
    ]
    turns += _usual(scene, building, finished, amount)
    turns += _unusual(scene, building[-40:])
    turns += _costs(scene, [home for home in finished if home.crew_departed][-3:])
    return turns


def _usual(scene: Scene, building: Sequence[Home], finished: Sequence[Home], amount: Amount) -> list[Turn]:
    turns = []
    for number in range(amount.complaints):
        # Now and then somebody complains who did before.
        place = number if number % 15 != 14 else number - 11
        plot = Plot.usual(GRIEVANCES[number % len(GRIEVANCES)], building[place * 11 % len(building)], number)
        turns.append(
            Turn(_begin(scene, number, amount.complaints), 100 + number, complaints.complaint(scene, plot))
        )
    for number in range(amount.repairs):
        given = Repair(
            fault=FAULTS[number % len(FAULTS)],
            home=finished[number * 7 % len(finished)],
            number=number,
            order=ORDERS[1] if number == amount.repairs // 2 else None,
        )
        turns.append(Turn(_begin(scene, number, amount.repairs), 300 + number, repair(scene, given)))
    return turns


def _begin(scene: Scene, number: int, count: int) -> datetime:
    # The last ones fall into the last hours, whatever time of day it is.
    start = scene.clock.now()
    share: float = 1 - (1 - (number + 0.5) / count) ** 1.6
    at = start + (scene.until - start) * share + timedelta(minutes=scene.dice.randint(-40, 40))
    working = scene.at_work(at)
    return working if working < scene.until else at


def _unusual(scene: Scene, homes: Sequence[Home]) -> list[Turn]:
    """Return major complaints, forwarded ones, tickets, and what is late by so much at the end."""
    free = iter(homes)
    turns = []
    for number, trouble in enumerate(MAJORS, 60):
        plot = Plot(grievance=trouble.grievance, home=next(free), number=number)
        given = Major(
            plot=plot,
            process=trouble.process,
            plan=trouble.plan,
            paid=Decimal(trouble.paid),
            staff=Decimal(trouble.staff),
            shares=trouble.shares,
            until=trouble.until,
        )
        turns.append(Turn(_days_ago(scene, trouble.days), number, major(scene, given)))
    for number, (finding, fate, days, slow) in enumerate(FINDINGS, 70):
        steps = ticket(scene, finding, next(free), number, fate, days=slow)
        turns.append(Turn(_days_ago(scene, days), number, steps))
    for number, (order, days) in enumerate(((ORDERS[0], 12.0), (ORDERS[2], 0.9)), 80):
        plot = Plot(grievance=GRIEVANCES[number % 7], home=next(free), number=number, order=order)
        turns.append(Turn(_days_ago(scene, days), number, complaints.complaint(scene, plot)))
    hour, day = timedelta(hours=1), timedelta(days=1)
    late = (
        # One on each step of the chain: late, on the manager's red list, with the general manager.
        (complaints.unsigned, scene.worked_ago(4 * hour)),
        (complaints.unsigned, scene.worked_ago(8 * hour)),
        (complaints.unverified, scene.worked_ago(1 * hour) - day),
        (complaints.unverified, scene.worked_ago(4.5 * hour) - day),
        (complaints.unverified, scene.worked_ago(4.5 * hour, at_least=27 * hour) - day),
        (complaints.unvisited, scene.worked_ago(2 * hour) - day),
        (complaints.unsolved, scene.worked_ago(2 * hour, at_least=50 * hour) - 2 * day),
        (complaints.undecided, scene.worked_ago(9 * hour, at_least=24 * hour)),
    )
    for number, (story, at) in enumerate(late, 90):
        grievance = GRIEVANCES[(number * 5 + 2) % len(GRIEVANCES)]
        if number == 91:
            grievance = replace(grievance, demand="今天必须有人来，不然我就打12315")
        plot = Plot(grievance=grievance, home=next(free), number=number)
        turns.append(Turn(at, number, story(scene, plot)))
    return turns


def _costs(scene: Scene, homes: Sequence[Home]) -> list[Turn]:
    """Return repairs whose costs wait for the first or the second signature, or exceed the deposit."""
    turns = []
    for number, (home, signatures, days) in enumerate(
        zip(homes, (0, 1, 2), (3.0, 4.0, 20.0), strict=True), 43
    ):
        given = Repair(fault=FAULTS[-1 - number % 3], home=home, number=number, signatures=signatures)
        turns.append(Turn(_days_ago(scene, days), 340 + number, repair(scene, given)))
    return turns


def _days_ago(scene: Scene, days: float) -> datetime:
    """Return an office moment about so many days before the end."""
    return scene.worked_ago(timedelta(hours=1), at_least=timedelta(days=days))
