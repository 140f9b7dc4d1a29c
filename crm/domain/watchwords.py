"""Words in a customer's text that the manager should read at once: press and regulators. Pure.

A word found is a reason to look, never a decision.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class About(StrEnum):
    """What a word speaks of."""

    MEDIA = "media"
    REGULATOR = "regulator"


WORDS: dict[About, tuple[str, ...]] = {
    About.MEDIA: (
        *("记者", "媒体", "电视台", "报社", "曝光", "上热搜", "发抖音", "发微博", "发小红书", "发朋友圈"),
        *("网上发", "发到网上", "直播"),
    ),
    About.REGULATOR: (
        *("12315", "12345", "12358", "96156", "市长热线", "消协", "消费者协会", "工商局", "市场监管"),
        *("住建委", "住建局", "质监", "信访", "起诉", "法院", "律师函", "仲裁", "举报"),
    ),
}


@dataclass(frozen=True, slots=True)
class Found:
    """A word that was found."""

    about: About
    word: str


def find_watchword(texts: Iterable[str]) -> Found | None:
    """Return the first word that a case's texts contain, regulators before the press."""
    whole = "\n".join(unicodedata.normalize("NFKC", text) for text in texts)
    # People write numbers with blanks and hyphens in them: 123-15.
    digits = "".join(char for char in whole if char not in " -\u2013\u2014")
    for about in (About.REGULATOR, About.MEDIA):
        for word in WORDS[about]:
            if word in (digits if word.isdigit() else whole):
                return Found(about, word)
    return None
