"""The company's words put where others that sound the same were written."""

import pytest

from speech.homophones import Homophones
from speech.ports import PieceKind, Word
from speech.trade_words import TRADE_WORDS
from speech.wire import Said

pytestmark = pytest.mark.unit

PHRASES = ("张工长", "工地", "报修", "保修", "朝阳区建国路", "空鼓", "A4纸", "长")


def said(text: str, confidence: float | None = 0.5, words: tuple[str, ...] | None = None) -> Said:
    made = tuple(
        Word(text=one, start=float(n), end=n + 1.0, confidence=confidence)
        for n, one in enumerate(words or tuple(text))
    )
    return Said(kind=PieceKind.FINAL, text=text, start=0.0, end=9.0, words=made)


@pytest.mark.parametrize(
    ("written", "confidence", "read"),
    [
        ("章公长没来公地", 0.5, "张工长没来工地"),
        ("章公长没来公地", 0.97, "章公长没来公地"),  # it was sure
        ("我要报修", 0.3, "我要报修"),  # a word of ours is not taken for another of ours
        ("空谷很严重", 0.5, "空鼓很严重"),
        ("空姑很严重", 0.8, "空姑很严重"),  # two characters, another tone, not unsure enough
        ("潮阳区进国路八号", 0.7, "潮阳区进国路八号"),  # sounds like it, but not the same
        ("潮阳区见国录八号", 0.7, "朝阳区建国路八号"),
        ("公，地", 0.2, "公，地"),
        ("hello 公地。", 0.2, "hello 工地。"),
        ("", 0.2, ""),
    ],
)
def test_what_sounds_the_same_becomes_the_companys_word(written: str, confidence: float, read: str) -> None:
    found = Homophones(PHRASES).put(said(written, confidence))

    assert found.text == read
    assert "".join(word.text for word in found.words) == read
    assert [word.start for word in found.words] == [float(n) for n in range(len(written))]


def test_words_with_blanks_between_keep_their_times() -> None:
    found = Homophones(PHRASES).put(said("章 公长 来 了", words=("章", "公长", "来", "了")))

    assert found.text == "张 工长 来 了"
    assert [word.text for word in found.words] == ["张", "工长", "来", "了"]


def test_without_words_it_is_taken_for_unsure() -> None:
    partial = Said(kind=PieceKind.PARTIAL, text="公地上", start=0.0, end=1.0)

    assert Homophones(PHRASES).put(partial).text == "工地上"
    assert Homophones(()).put(partial) is partial


def test_the_words_of_the_trade_leave_each_other_alone() -> None:
    expects = Homophones(TRADE_WORDS)

    for word in TRADE_WORDS:
        assert expects.put(said(word, 0.1)).text == word
    assert len(set(TRADE_WORDS)) == len(TRADE_WORDS)
