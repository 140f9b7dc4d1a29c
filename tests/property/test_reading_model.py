"""Reading never fails, changes nothing twice, and its spans tile what was said."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.reading import read
from speech.reading.sensitive import hidden, sensitive

pytestmark = pytest.mark.property

_PIECES = st.sampled_from(
    [
        *"零一二两三四五六七八九十百千万亿幺点分半号楼室月日年元块米第几周来 的了漏水，。3 8\t",
        "百分之",
        "單元",
        "一點",
        "十分",
        "[unk]",
        "A",
        "下午",
    ]
)
texts = st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=24).map("".join))


@settings(max_examples=300, deadline=None)
@given(texts)
def test_spans_tile_both_texts(raw: str) -> None:
    reading = read(raw)
    assert reading.raw == raw
    at = raw_at = 0
    for span in reading.spans:
        assert (span.raw_start, span.start) == (raw_at, at)
        raw_at, at = span.raw_end, span.end
        assert span.raw_end >= span.raw_start and span.end >= span.start
    assert (raw_at, at) == (len(raw), len(reading.text))


@settings(max_examples=300, deadline=None)
@given(texts)
def test_reading_again_changes_nothing(raw: str) -> None:
    once = read(raw).text
    assert read(once).text == once


@settings(max_examples=150, deadline=None)
@given(texts, st.integers(-5, 70), st.integers(-5, 70))
def test_every_part_leads_back_to_what_was_said(raw: str, start: int, end: int) -> None:
    reading = read(raw)
    low, high = reading.raw_range(start, end)
    assert 0 <= low <= high <= len(raw)
    back_low, back_high = reading.text_range(low, high)
    assert 0 <= back_low <= back_high <= len(reading.text)
    if low < high:
        assert back_low <= min(max(start, 0), len(reading.text))


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="0123456789零一幺二三四五六七八九xX叉 卡号身份证是，", max_size=60))
def test_hiding_never_fails_and_keeps_the_rest(text: str) -> None:
    found = sensitive(text)
    shown = hidden(text, found)
    for one in found:
        for place in one.places:
            assert 0 <= place.start < place.end <= len(text)
            assert text[place.start : place.end] not in shown or place.end - place.start < 8
