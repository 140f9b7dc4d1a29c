"""Whisper's tokens as text and words, and what it imagines."""

import pytest

from speech.whisper_text import TABLE, Guess, Vocabulary, cut_loop, imagined, loops

pytestmark = pytest.mark.unit


BYTES = {byte: character for character, byte in TABLE.items()}


def token(data: bytes) -> str:
    return "".join(BYTES[byte] for byte in data)


LEAK = "漏".encode()
VOCABULARY = Vocabulary(
    [token(piece) for piece in (LEAK[:2], LEAK[2:], "水".encode(), b" leak", b"ing", "了。".encode(), b" ")]
)


def guess(text: str, **changes: float) -> Guess:
    fields = {"logprob": -0.3, "no_speech": 0.1, "seconds": 3.0, **changes}
    return Guess(text=text, **fields)


def test_a_character_may_be_spread_over_tokens() -> None:
    assert VOCABULARY.text([0, 1, 2]) == "漏水"
    assert VOCABULARY.text([0]) == ""
    assert VOCABULARY.text([0, 1, 50258, 50363]) == "漏"


def test_words_are_chinese_characters_or_stand_between_blanks() -> None:
    tokens = [0, 1, 2, 5, 3, 4]
    words = VOCABULARY.words(tokens, [0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6], [1.0, 0.5, 0.8, 0.9, 0.7, 0.6])

    assert [(w.text, w.start, w.end, w.confidence) for w in words] == [
        ("漏", 0, 2, 0.75),
        ("水", 2, 3, 0.8),
        ("了。", 3, 4, 0.9),
        ("leaking", 4, 6, 0.6),
    ]


@pytest.mark.parametrize(
    ("text", "changes", "why"),
    [
        ("我家卫生间漏水了", {}, None),
        ("谢谢您", {}, None),
        ("好的谢谢你们来看", {}, None),
        ("", {}, "empty"),
        ("。 ，", {}, "empty"),
        ("嗯", {"no_speech": 0.9, "logprob": -0.9}, "no_speech"),
        ("嗯", {"no_speech": 0.9, "logprob": -0.2}, None),
        ("天上的鱼", {"logprob": -1.6}, "unsure"),
        ("请不吝点赞 订阅 转发 打赏支持明镜与点点栏目", {"seconds": 6.0}, "subtitles"),
        ("字幕由Amara.org社区提供", {}, "subtitles"),
        ("謝謝大家觀看", {}, "subtitles"),
        ("我" * 60, {}, "too_fast"),
        ("the water is leaking from the ceiling", {"seconds": 1.5}, None),
    ],
)
def test_what_was_imagined_is_told_from_what_was_heard(
    text: str, changes: dict[str, float], why: str | None
) -> None:
    assert imagined(guess(text, **changes)) == why


def test_a_text_that_runs_in_a_circle_is_cut() -> None:
    assert loops("我们我们我们我们我们我们我们")
    assert not loops("好好好好")
    assert not loops("一三八零零零零零零零零")
    assert cut_loop("请稍等" + "一下" * 9) == "请稍等一下一下"
