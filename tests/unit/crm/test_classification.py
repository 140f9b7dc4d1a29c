"""Nature and urgency of what customers say (domain.md §1.15): a suggestion from words, and its norms."""

from datetime import timedelta

import pytest

from crm.classification import PATH, read_tables, shipped, suggest_class
from crm.domain.classification import Nature, Urgency, classify
from kernel.access import Actor, Role
from kernel.errors import ConfigurationError, Forbidden, Invalid

pytestmark = pytest.mark.unit

SAID = {
    "我要投诉,你们项目经理三天不接电话": (Nature.COMPLAINT, Urgency.NORMAL),
    "工期一拖再拖,说好上个月完工的,我很不满意": (Nature.COMPLAINT, Urgency.NORMAL),
    "没让我签字就增项,多收了我八千块": (Nature.COMPLAINT, Urgency.NORMAL),
    "再不解决我就找媒体曝光": (Nature.COMPLAINT, Urgency.URGENT),
    "我已经打了12345,要个说法": (Nature.COMPLAINT, Urgency.URGENT),
    "师傅态度恶劣还骂人": (Nature.COMPLAINT, Urgency.NORMAL),
    "材料以次充好,我要求赔偿": (Nature.COMPLAINT, Urgency.NORMAL),
    "设计师不按图纸做,推卸责任": (Nature.COMPLAINT, Urgency.NORMAL),
    "约好今天上门又没人来,气死了": (Nature.COMPLAINT, Urgency.NORMAL),
    "停工半个月没人管": (Nature.COMPLAINT, Urgency.NORMAL),
    "你们师傅私收我两千块钱": (Nature.COMPLAINT, Urgency.NORMAL),
    "工地工人跟邻居吵架,物业投诉到我这里": (Nature.COMPLAINT, Urgency.NORMAL),
    "卫生间门坏了,派人修一下": (Nature.REPAIR, Urgency.NORMAL),
    "阳台墙面裂缝了,想报修": (Nature.REPAIR, Urgency.NORMAL),
    "厨房水龙头滴水": (Nature.REPAIR, Urgency.NORMAL),
    "卫生间漏水两天了": (Nature.REPAIR, Urgency.URGENT),
    "地漏堵了": (Nature.REPAIR, Urgency.NORMAL),
    "客厅地砖空鼓好几块": (Nature.REPAIR, Urgency.NORMAL),
    "柜门关不上,铰链松动": (Nature.REPAIR, Urgency.NORMAL),
    "地暖不热,家里有老人": (Nature.REPAIR, Urgency.URGENT),
    "水管爆了满地都是水": (Nature.REPAIR, Urgency.EMERGENCY),
    "水管爆管了止不住": (Nature.REPAIR, Urgency.EMERGENCY),
    "卫生间渗水,漏到楼下了": (Nature.REPAIR, Urgency.EMERGENCY),
    "天花板漏水滴到插座上": (Nature.REPAIR, Urgency.EMERGENCY),
    "插座冒火花,有焦味": (Nature.REPAIR, Urgency.EMERGENCY),
    "热水器漏电,碰一下麻手": (Nature.REPAIR, Urgency.EMERGENCY),
    "一开灯就跳闸,没有冒烟": (Nature.REPAIR, Urgency.NORMAL),
    "厨房有煤气味": (Nature.REPAIR, Urgency.EMERGENCY),
    "燃气管接头好像在漏,味道很大": (Nature.REPAIR, Urgency.EMERGENCY),
    "我建议你们装一个进度查询": (Nature.SUGGESTION, Urgency.NORMAL),
    "表扬一下李师傅,做得很好": (Nature.SUGGESTION, Urgency.NORMAL),
    "希望贵公司周末也能接电话": (Nature.SUGGESTION, Urgency.NORMAL),
    "要是能发照片就好了,提点意见": (Nature.SUGGESTION, Urgency.NORMAL),
    "我想预约量房": (Nature.ORDER, Urgency.NORMAL),
    "我要装修,朝阳区九十平": (Nature.ORDER, Urgency.NORMAL),
    "帮我把上门改时间到周六": (Nature.ORDER, Urgency.NORMAL),
    "尾款付了,帮我开发票": (Nature.ORDER, Urgency.NORMAL),
    "保修卡丢了要补办": (Nature.ORDER, Urgency.NORMAL),
    "请问保修几年": (Nature.CONSULTATION, Urgency.NORMAL),
    "中期款什么时候付": (Nature.CONSULTATION, Urgency.NORMAL),
    "想了解一下全包多少钱": (Nature.CONSULTATION, Urgency.NORMAL),
    "过保了维修费怎么收费": (Nature.CONSULTATION, Urgency.NORMAL),
    "你好": (Nature.CONSULTATION, Urgency.NORMAL),
}


@pytest.mark.parametrize(("said", "wanted"), SAID.items())
def test_what_customers_say(said: str, wanted: tuple[Nature, Urgency]) -> None:
    found = classify(said, shipped())
    assert (found.nature, found.urgency) == wanted, (found.found, found.hazard_words)


def test_there_are_forty_sentences() -> None:
    assert len(SAID) >= 40


@pytest.mark.parametrize(
    ("said", "hazard"), [("水管爆了", "water"), ("冒火花", "electric"), ("煤气味", "gas")]
)
def test_an_emergency_is_danger_by_water_electricity_or_gas(said: str, hazard: str) -> None:
    found = classify(f"家里{said}", shipped())
    assert (found.urgency, found.hazards) == (Urgency.EMERGENCY, (hazard,))


@pytest.mark.parametrize("said", ["没有漏电,就是灯不亮", "没冒烟", "不是短路", "没闻到煤气味吧,没有煤气味"])
def test_a_danger_that_is_denied_is_none(said: str) -> None:
    found = classify(said, shipped())
    assert "electric" not in found.hazards


def test_blanks_between_characters_do_not_hide_a_danger() -> None:
    assert classify("插 座 冒 火 花", shipped()).urgency is Urgency.EMERGENCY


def test_the_times_of_answer_are_data_and_shorter_the_more_urgent() -> None:
    norms = shipped().norms
    for nature in Nature:
        slow, fast, now = (norms[nature, urgency] for urgency in Urgency)
        assert slow.answer > fast.answer > now.answer == timedelta(minutes=5)
        assert slow.solve > fast.solve > now.solve
    assert classify("水管爆管", shipped()).norm == norms[Nature.REPAIR, Urgency.EMERGENCY]


def test_who_is_unsure_says_so() -> None:
    assert classify("我要投诉", shipped()).sure
    assert not classify("你好", shipped()).sure
    assert not classify("修", shipped()).sure


def test_only_who_registers_cases_asks_and_not_with_a_megabyte() -> None:
    agent = Actor(user_id="u", name="李娜", role=Role.AGENT)
    assert suggest_class(agent, "漏水").nature is Nature.REPAIR
    with pytest.raises(Invalid) as caught:
        suggest_class(agent, "水" * 1_000_000)
    assert caught.value.field == "text"
    with pytest.raises(Forbidden):
        suggest_class(Actor(user_id="u", name="x", role=Role.HR), "漏水")


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("order: [complaint, ", "order: ["),
        ("  suggestion:\n    3", "  wishes:\n    3"),
        ("urgent: {answer: 15, solve: 8}, ", ""),
        ("natures:", "natures: ["),
    ],
)
def test_a_table_that_is_not_whole_is_refused(was: str, now: str) -> None:
    source = PATH.read_text(encoding="utf-8")
    assert was in source
    with pytest.raises(ConfigurationError, match=r"classification\.yaml"):
        read_tables(source.replace(was, now, 1))
