"""What callers say is understood by its sound, and doubted where it should be."""

import pytest

from ivr.domain.flow import Menu
from ivr.domain.wishes import SURE, PhraseRefused, Wish, Wishes, answer, phrase_sounds, repeats, unlike
from tests.unit.ivr.flows import hotline

pytestmark = pytest.mark.unit


def main_menu() -> Wishes:
    node = hotline().nodes["main"]
    assert isinstance(node, Menu)
    assert node.wishes is not None
    return node.wishes


WISHES = main_menu()


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("我要投诉", "1"),
        ("你们的工人态度太差了", "1"),
        ("家里漏水了", "2"),
        ("我家的厕所一直漏水，请派人来看看", "2"),
        ("问一下进度", "3"),
        ("我想问一下我上次报修的那个什么时候能来修", "3"),
        ("麻烦给我回个电话", "4"),
        ("找人工", "0"),
        ("没听清，再说一遍", "*"),
    ],
)
def test_a_wish_is_taken_at_its_word(said: str, key: str) -> None:
    found = WISHES.understand(said, 0.8)
    assert found is not None
    assert (found.option, found.sure) == (key, True)


@pytest.mark.parametrize(
    ("said", "key"), [("我要头速", "1"), ("暴修", "2"), ("问一下金都", "3"), ("人公", "0")]
)
def test_words_that_only_sound_right_are_right(said: str, key: str) -> None:
    found = WISHES.understand(said, 0.8)
    assert found is not None
    assert (found.option, found.sure) == (key, True)


@pytest.mark.parametrize("said", ["", "喂你好", "今天天气不错", "谢谢观看", "hello", "123"])
def test_what_means_nothing_here_is_not_understood(said: str) -> None:
    assert WISHES.understand(said, 0.9) is None


def test_words_of_two_wishes_and_an_unsure_recogniser_are_a_question() -> None:
    two = WISHES.understand("我要投诉，找人工", 0.9)
    unsure = WISHES.understand("我要投诉", 0.2)
    for found in (two, unsure):
        assert found is not None
        assert not found.sure


def test_what_is_denied_is_not_wished() -> None:
    found = WISHES.understand("我不是投诉，我要报修", 0.9)
    assert found is not None
    assert (found.option, found.sure) == ("2", True)
    assert WISHES.understand("不要投诉", 0.9) is None
    asked = WISHES.understand("能不能投诉", 0.9)
    assert asked is not None
    assert asked.option == "1"


def test_a_hint_that_would_win_is_what_the_caller_is_asked_about() -> None:
    wishes = Wishes({"1": Wish(("投诉",)), "3": Wish(("进度",), ("上次",), ("1",))})
    found = wishes.understand("我上次投诉过", 0.9)
    assert found is not None
    assert (found.option, found.sure) == ("3", False)


def test_the_longer_phrase_wins_and_over_decides() -> None:
    wishes = Wishes({"1": Wish(("投诉",)), "2": Wish(("投诉进度",)), "3": Wish(("催一下",), (), ("1",))})
    longer, over = wishes.understand("我问投诉进度"), wishes.understand("我的投诉催一下")
    assert longer is not None
    assert over is not None
    assert (longer.option, longer.sure) == ("2", True)
    assert (over.option, over.sure) == ("3", True)


def test_a_very_long_story_is_looked_at_only_to_a_bound() -> None:
    assert WISHES.understand("好" * 5000 + "投诉") is None


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("是的", True),
        ("对", True),
        ("嗯，对的", True),
        ("没错", True),
        ("四的", True),
        ("不是", False),
        ("不对", False),
        ("不", False),
        ("错了", False),
        ("我家厨房的水管昨天开始漏水", None),
        ("", None),
    ],
)
def test_yes_and_no(said: str, wanted: bool | None) -> None:
    assert answer(said) is wanted


def test_a_telephone_that_brings_the_prompt_back_says_nothing() -> None:
    prompt = "投诉请按1，报修请按2，查询办理进度请按3"
    assert repeats("投诉请按1报修请按", prompt)
    assert not repeats("我要投诉", prompt)
    assert not repeats("我家的厨房漏水要报修", prompt)


def test_syllables_that_people_do_not_tell_apart_differ_little() -> None:
    assert unlike("shi", "shi") == 0
    assert unlike("shi", "si") == unlike("lin", "ling") == 0.1
    assert unlike("ma", "du") > 1


@pytest.mark.parametrize("text", ["诉", "投" * 21, "VIP服务", "按1", "投 诉"])
def test_phrases_that_nobody_can_be_understood_by_are_refused(text: str) -> None:
    with pytest.raises(PhraseRefused):
        phrase_sounds(text)


def test_sure_is_what_a_hint_that_fits_is() -> None:
    found = WISHES.understand("漏水")
    assert found is not None
    assert found.confidence >= SURE
