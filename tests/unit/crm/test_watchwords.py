"""Words of the press and of regulators in what a customer says."""

import pytest

from crm.domain.watchwords import About, find_watchword

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "about", "word"),
    [
        ("再不解决我就打12315", About.REGULATOR, "12315"),
        ("我已经打了 123-45 热线", About.REGULATOR, "12345"),
        ("１２３１５都受理了", About.REGULATOR, "12315"),
        ("已经请律师准备起诉", About.REGULATOR, "起诉"),
        ("我侄子是记者,明天就来拍", About.MEDIA, "记者"),
        ("再拖我就发到网上,让大家看看", About.MEDIA, "发到网上"),
    ],
)
def test_a_word_is_found(text: str, about: About, word: str) -> None:
    found = find_watchword(["墙砖空鼓", text])
    assert found is not None
    assert (found.about, found.word) == (about, word)


def test_a_regulator_counts_before_the_press() -> None:
    found = find_watchword(["记者和12315都联系了"])
    assert found is not None and found.about is About.REGULATOR


@pytest.mark.parametrize("text", ["", "厨房墙砖空鼓", "定金12,000元,12月3日付", "电话138 0013 8001"])
def test_ordinary_words_are_none(text: str) -> None:
    assert find_watchword([text]) is None
