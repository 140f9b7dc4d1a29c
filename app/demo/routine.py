"""Stories of the office's own routine: what is improved, noted down, watched over.

They pause until a moment, not for a while: so they throw no dice, and the other stories stay as they are.
"""

from collections.abc import Sequence
from datetime import timedelta

from app.demo.playing import Scene, Steps, Turn
from crm.domain.complaint import ComplaintClass
from crm.improvement_views import NewMeasure

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def routine(scene: Scene) -> Sequence[Turn]:
    """Return the stories, each with the time of its beginning."""
    return [Turn(scene.clock.now() + 2 * HOUR, 2, measures(scene))]


async def measures(scene: Scene) -> Steps:
    """Play the month's improvement measures: one reported, one in hand, one that is late."""
    improvements, office = scene.crm.improvements, scene.office
    tiles = await improvements.set(
        office.manager,
        NewMeasure(
            problem="墙砖空鼓连续两个月居投诉首位",
            measure="贴砖前基层验收拍照,质检员签字后才能铺贴;每周抽查两户",
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
            measure="到货前三天由材料部电话确认,改期当天通知",
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
        evidence="在施工地已全部按新办法验收,抽查六户无空鼓",
    )
    await improvements.set(
        office.manager,
        NewMeasure(
            problem="图纸漏画燃气表和地暖分水器",
            measure="出图前按核对表逐项检查,核对表随图存档",
            department="DES",
            due_on=improvements.today() + 30 * DAY,
            class_code=ComplaintClass.DESIGN,
            subclass="drawing_error",
        ),
    )
