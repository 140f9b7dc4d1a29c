"""Pieces of a segment's text and the moments at which they were said."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.ids import new_ulid
from speech.reading import read
from speech.spoken import SpokenPiece, spoken_pieces
from speech.transcripts import Segment

pytestmark = pytest.mark.unit


def segment(raw: str, words: list[tuple[str, float]], corrected: str | None = None) -> Segment:
    told: list[dict[str, Any]] = [
        {"text": text, "start": at, "end": at + 0.2, "confidence": None} for text, at in words
    ]
    return Segment(
        segment_id=new_ulid(),
        call_id=new_ulid(),
        speaker="customer",
        agent_number=None,
        start=5.0,
        end=9.0,
        raw=raw,
        text=read(raw).text,
        words=tuple(told),
        corrected=corrected,
        created_at=datetime(2026, 3, 2, tzinfo=UTC),
    )


WORDS = [("我家", 5.0), ("卫生间", 5.6), ("漏水", 6.4), ("了", 7.0)]


def test_words_have_their_moments_and_blanks_between_them_are_gone() -> None:
    found = spoken_pieces(segment("我家 卫生间 漏水 了", WORDS))
    assert found == tuple(SpokenPiece(text, at) for text, at in WORDS)


def test_a_number_has_the_moment_of_its_first_word() -> None:
    spoken = [("住", 5.0), ("三", 5.4), ("号", 5.6), ("楼", 5.8), ("一", 6.0), ("零", 6.2), ("二", 6.4)]
    found = spoken_pieces(segment("住三号楼一零二", spoken))
    assert "".join(piece.text for piece in found) == "住3号楼102"
    assert found[-1] == SpokenPiece("102", 6.0)


def test_a_correction_keeps_the_moments_of_what_stayed() -> None:
    found = spoken_pieces(segment("我家 卫生间 漏水 了", WORDS, "我家厨房漏水了"))
    assert [(piece.text, piece.at) for piece in found] == [
        ("我家", 5.0),
        ("厨房", 5.6),
        ("漏水", 6.4),
        ("了", 7.0),
    ]


def test_without_words_the_whole_has_the_moment_of_the_segment() -> None:
    assert spoken_pieces(segment("我家漏水了", [])) == (SpokenPiece("我家漏水了", 5.0),)
    assert spoken_pieces(replace(segment("", []), gap="behind")) == ()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["一", "二", "零", "漏水", "我家", "个", "万", "点", "號", "qq", ","]),
            st.floats(5, 9),
        ),
        max_size=12,
    ),
    st.none() | st.text(min_size=1, max_size=20),
)
def test_pieces_are_the_whole_text(words: list[tuple[str, float]], corrected: str | None) -> None:
    one = segment(" ".join(text for text, _ in words), words, corrected)
    assert "".join(piece.text for piece in spoken_pieces(one)) == one.shown
