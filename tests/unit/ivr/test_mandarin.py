"""Characters with several readings, tones that change, and Kokoro's alphabet."""

import pytest

from ivr.prompts.mandarin import check_readings, symbols_of, words_of
from ivr.prompts.phonemes import (
    MAX_TOKENS,
    VOCABULARY,
    NotSpoken,
    of_english_ipa,
    of_pinyin,
    sentences,
    tokens,
)

pytestmark = pytest.mark.unit


def pinyin(text: str) -> str:
    return " ".join(syllable for word in words_of(text) for syllable in word.syllables)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("重做防水", "chong2 zuo4 fang2 shui3"),
        ("重听请按星号键", "chong2 ting1 qing3 an4 xing1 hao4 jian4"),
        ("银行", "yin2 hang2"),
        ("还行", "hai2 xing2"),
        ("维修队长", "wei2 xiu1 dui4 zhang3"),
        ("保修期多长", "bao3 xiu1 qi1 duo1 chang2"),
        ("还没退还定金", "hai2 mei2 tui4 huan2 ding4 jin1"),
        ("做得好", "zuo4 de5 hao3"),
        ("地暖", "di4 nuan3"),
        ("空鼓", "kong1 gu3"),
        ("都没到请按三", "dou1 mei2 dao4 qing3 an4 san1"),
        ("尽快调换", "jin3 kuai4 diao4 huan4"),
        ("应急处理", "ying4 ji2 chu3 li3"),
        ("质量和测量", "zhi4 liang4 he2 ce4 liang2"),
        ("一次", "yi2 ci4"),
        ("一直一起", "yi4 zhi2 yi4 qi3"),
        ("请按一", "qing3 an4 yi1"),
        ("第一次", "di4 yi1 ci4"),
        ("十一月一号", "shi2 yi1 yue4 yi1 hao4"),
        ("一百一十一", "yi4 bai3 yi1 shi2 yi1"),
        ("不是", "bu2 shi4"),
        ("不行", "bu4 xing2"),
        ("单先生", "shan4 xian1 sheng5"),
        ("订单", "ding4 dan1"),
        ("曾女士", "zeng1 nv3 shi4"),
        ("我姓解，", "wo3 xing4 xie4"),
        ("T S", "ti4 ai2 si5"),
    ],
)
def test_readings_of_the_trade(text: str, said: str) -> None:
    assert pinyin(text) == said


def test_every_reading_of_the_table_is_a_syllable_for_each_character() -> None:
    check_readings()


@pytest.mark.parametrize(
    ("syllable", "symbols"),
    [
        ("zhong4", "ꭧʊ↘ŋ"),
        ("nin2", "ni↗n"),
        ("nv3", "ny↓"),
        ("xue2", "ɕɥe↗"),
        ("yuan2", "ɥɛ↗n"),
        ("wo3", "wo↓"),
        ("bo1", "pwo→"),
        ("shi4", "ʂɨ↘"),
        ("er4", "ɚ↘"),
        ("gui4", "kwei↘"),
        ("liu4", "ljou↘"),
        ("de5", "tɤ"),
    ],
)
def test_pinyin_in_kokoros_alphabet(syllable: str, symbols: str) -> None:
    assert of_pinyin(syllable) == symbols
    assert set(symbols) <= VOCABULARY.keys()


@pytest.mark.parametrize("syllable", ["", "xyz4", "bong7", "4"])
def test_what_is_no_syllable_is_refused(syllable: str) -> None:
    with pytest.raises(NotSpoken):
        of_pinyin(syllable)


def test_pauses_and_words_are_kept_apart() -> None:
    assert symbols_of("您好，再见。") == "ni↗n xau↓, ʦai↘ʨjɛ↘n."
    assert symbols_of("再见") == "ʦai↘ʨjɛ↘n,"


def test_english_in_kokoros_alphabet() -> None:
    assert of_english_ipa("pɹˈɛs wˈʌn fɚ sˈe^ɪlz", british=False) == "pɹˈɛs wˈʌn fəɹ sˈAlz"
    assert of_english_ipa("ɡˈə^ʊ", british=True) == "ɡˈQ"


def test_long_texts_are_cut_at_pauses() -> None:
    long = symbols_of("请您稍后再拨，" * 60 + "再见。谢谢")
    parts = sentences(long)
    assert max(map(len, parts)) <= MAX_TOKENS
    assert "".join(parts).replace(" ", "") == long.replace(" ", "")
    assert all(tokens(part) for part in parts)


@pytest.mark.parametrize("text", ["", "，。", "🙂", "٣"])
def test_a_text_without_a_sound_is_refused(text: str) -> None:
    with pytest.raises(NotSpoken):
        sentences(symbols_of(text))
