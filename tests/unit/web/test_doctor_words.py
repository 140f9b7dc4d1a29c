"""The doctor in the language of the reader: every finding is known, and every mend."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sentences import sentences
from web.i18n import SOURCE_LANGUAGE, use_language
from web.pages.doctor_words import found_of, mend_of, name_of

pytestmark = pytest.mark.unit

CHECKS = sorted((Path(__file__).parents[3] / "app/doctor").glob("*.py"))
SAYS = ("good", "warning", "error", "finding")
CHINESE = re.compile(r"[\u4e00-\u9fff：]")
BARE = frozenset({"7", "7, 7"})
"""A version with its place, say: there is nothing to translate."""


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    use_language(SOURCE_LANGUAGE)
    yield
    use_language(SOURCE_LANGUAGE)


def texts(number: int) -> set[str]:
    return {text for file in CHECKS for text in sentences(file, dict.fromkeys(SAYS, (number,)))}


def test_every_finding_is_known() -> None:
    found = texts(1) - BARE
    assert len(found) > 60
    assert [text for text in sorted(found) if not CHINESE.search(found_of(text))] == []
    use_language("en")
    assert [text for text in found if found_of(text) != text] == []


def test_every_mend_is_known() -> None:
    mends = texts(2) - BARE
    assert len(mends) > 30
    assert [text for text in sorted(mends) if not CHINESE.search(mend_of(text))] == []


def test_what_was_looked_at_is_told() -> None:
    assert [name_of(name) for name in ("clock", "Redis", "recordings")] == ["时钟", "Redis", "录音"]
    assert (
        found_of("3 have lost their files (2026-11-01 03:30 UTC): a.wav, b.wav, c.wav")
        == "有 3 条录音丢了文件（2026-11-01 03:30 UTC）：a.wav, b.wav, c.wav。"
    )
    assert mend_of("start the centre: «huifang up» (make run)") == "启动中心：«huifang up» (make run)"
