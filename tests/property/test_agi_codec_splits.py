"""The AGI codec gives the same answer wherever TCP cuts the bytes."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.agi.codec import AgiEnvironment, AgiReply, HangupNotice, ReplyDecoder, encode_command
from telephony.agi.errors import AgiValueRefused

pytestmark = pytest.mark.property

TRANSCRIPT = (
    "100 result=0 Trying...\n"
    "200 result=1 (张三的公司)\n"
    "520-Invalid command syntax.  Proper usage follows:\n用法：STREAM FILE\n520 End of proper usage.\n"
    "200 result=1 (两行\n的值)\n"
    "200 result=49 endpos=1600\n"
    "HANGUP\n"
    "511 Command Not Permitted on a dead channel or intercept routine\n"
).encode()


def decode(pieces: list[bytes]) -> list[object]:
    decoder = ReplyDecoder()
    found: list[object] = []
    for piece in pieces:
        found += ["HANGUP" if isinstance(item, HangupNotice) else item for item in decoder.feed(piece)]
    return found


def test_every_single_split_gives_the_same_replies() -> None:
    whole = decode([TRANSCRIPT])
    assert len(whole) == 7
    for cut in range(len(TRANSCRIPT)):
        assert decode([TRANSCRIPT[:cut], TRANSCRIPT[cut:]]) == whole


@given(st.lists(st.integers(0, len(TRANSCRIPT)), max_size=30))
def test_any_number_of_splits_gives_the_same_replies(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(TRANSCRIPT)]
    pieces = [TRANSCRIPT[a:b] for a, b in itertools.pairwise(edges)]
    assert decode(pieces) == decode([TRANSCRIPT])


@given(st.binary(max_size=2000))
def test_garbage_never_raises_and_never_invents_text_beyond_its_size(raw: bytes) -> None:
    for item in ReplyDecoder().feed(raw):
        assert isinstance(item, AgiReply | HangupNotice)
    environment = AgiEnvironment.parse(raw)
    assert all("\n" not in value for value in environment.values())
    assert len(environment.caller_name) <= 128


def asterisk_parse(line: str) -> list[str]:
    """``parse_args`` of res_agi.c, line by line."""
    words: list[str] = []
    current: list[str] | None = None
    quoted = escaped = False
    for char in line:
        if char == '"' and not escaped:
            quoted = not quoted
            if quoted and current is None:
                current = []
        elif char in " \t" and not quoted and not escaped:
            if current is not None:
                words.append("".join(current))
                current = None
        elif char == "\\" and not escaped:
            escaped = True
            if current is None:
                current = []
        else:
            current = [*(current or []), char]
            escaped = False
    if current is not None:
        words.append("".join(current))
    return words


@given(st.lists(st.text(max_size=40), min_size=1, max_size=6))
def test_asterisk_reads_back_exactly_the_words_we_sent(words: list[str]) -> None:
    try:
        line = encode_command(*words)
    except AgiValueRefused:
        return
    assert asterisk_parse(line) == words
    assert "\n" not in line
    assert "\r" not in line
