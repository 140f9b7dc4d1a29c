"""What somebody says after the tone: content, not content, to be called, or nobody knows."""

from datetime import UTC, datetime

import pytest

from speech.rules.opinion import SURE, Opinion, judge

pytestmark = pytest.mark.unit

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

PROBLEMS = {
    "卫生间又漏水了，报修好几次没人来": 1,
    "我对施工质量很不满意": None,
    "不是很满意吧": None,
    "项目经理态度特别差，打电话也不接": 6,
    "工期拖了一个月，到现在还没完工": 2,
    "都挺好的，就是瓷砖空鼓": 1,
    "再不解决我就打12315": None,
}
CONTENT = (
    "没有意见，挺好的",
    "非常满意，谢谢你们",
    "没什么问题",
    "没有不满意的地方，都挺好",
    "没有漏水，师傅很负责",
    "师傅干活认真，不错",
)
CALLS = ("请让你们经理给我打个电话", "麻烦尽快联系我", "你们给我回个电话吧")
NOBODY_KNOWS = ("喂，喂，听得到吗", "嗯嗯", "", "这个我想一下", "有人按门铃")


@pytest.mark.parametrize("said", PROBLEMS, ids=str)
def test_a_problem_is_a_problem_and_its_class_is_known(said: str) -> None:
    found = judge(said, AT)
    assert found.opinion is Opinion.DISSATISFIED, found
    assert found.sure >= SURE, found
    assert found.class_code == PROBLEMS[said]
    assert found.labels


@pytest.mark.parametrize("said", CONTENT, ids=str)
def test_praise_is_no_problem(said: str) -> None:
    found = judge(said, AT)
    assert found.opinion is Opinion.SATISFIED, found
    assert found.sure >= SURE


@pytest.mark.parametrize("said", CALLS, ids=str)
def test_who_wants_a_call_gets_one(said: str) -> None:
    found = judge(said, AT)
    assert (found.opinion, found.wants_call) == (Opinion.CALL, True)


@pytest.mark.parametrize("said", NOBODY_KNOWS, ids=["calling", "hm", "empty", "thinking", "door"])
def test_what_says_nothing_is_for_a_person(said: str) -> None:
    assert judge(said, AT).opinion is Opinion.UNCLEAR


def test_a_threat_makes_it_serious_and_a_wish_to_be_called_is_kept_beside_it() -> None:
    found = judge("卫生间漏水没人管，让你们经理给我打电话，不然我找电视台曝光", AT)
    assert (found.opinion, found.severity, found.wants_call) == (Opinion.DISSATISFIED, 2, True)


def test_words_that_were_probably_misheard_are_for_a_person() -> None:
    assert judge("凑合吧，不好", AT).sure < SURE
    assert judge("很不满意", AT, heard=0.3).sure < SURE
