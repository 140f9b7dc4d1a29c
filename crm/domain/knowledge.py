"""Knowledge articles: areas, the markup of answers, which of them fit a conversation (domain.md §1.15).

An answer is plain text. Blank lines part its paragraphs; a line that begins with ``- `` or ``1. `` is an item
of a list, one that begins with ``## `` a heading, ``**…**`` is set bold. Everything else stays as it was
typed: there is no way to write a link, a picture or HTML.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import pairwise

from kernel.errors import Invalid

MAX_KEYWORDS = 20
MAX_KEYWORD = 20
MIN_SHARED = 4
"""So many pairs of characters must the question share with what is said, where no keyword is in it."""


class Area(StrEnum):
    """What an article is about (domain.md §1.15, FAQ areas)."""

    USE = "use"
    PRICE = "price"
    AFTER_SALE = "after_sale"
    COMPLAINTS = "complaints"


AREA_LABELS = {
    Area.USE: "施工与使用",
    Area.PRICE: "价格与付款",
    Area.AFTER_SALE: "售后与保修",
    Area.COMPLAINTS: "投诉与建议",
}


class BlockKind(StrEnum):
    """What a block of an answer is."""

    PARAGRAPH = "paragraph"
    HEADING = "heading"
    BULLETS = "bullets"
    NUMBERS = "numbers"


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text on one line. It is shown as text, whatever stands in it."""

    text: str
    bold: bool = False


Line = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a heading or a list; ``lines`` are its lines or items."""

    kind: BlockKind
    lines: tuple[Line, ...]


_BOLD = re.compile(r"\*\*([^*\s][^*\n]{0,198})\*\*")
_MARKS = (
    (BlockKind.HEADING, re.compile(r"##\s+(.+)")),
    (BlockKind.BULLETS, re.compile(r"[-•]\s+(.+)")),
    (BlockKind.NUMBERS, re.compile(r"\d{1,2}[.、]\s*(.+)")),
)


def blocks_of(answer: str) -> tuple[Block, ...]:
    """Return an answer as blocks of text; nothing in it can become anything but text."""
    found: list[tuple[BlockKind, list[Line]]] = []
    fresh = True
    for raw in answer.split("\n"):
        line = raw.strip()
        if not line:
            fresh = True
            continue
        kind, text = _read_line(line)
        if found and not fresh and found[-1][0] is kind and kind is not BlockKind.HEADING:
            found[-1][1].append(_spans(text))
        elif found and found[-1][0] is kind and kind in {BlockKind.BULLETS, BlockKind.NUMBERS}:
            # A blank line between two items does not begin another list.
            found[-1][1].append(_spans(text))
        else:
            found.append((kind, [_spans(text)]))
        fresh = False
    return tuple(Block(kind, tuple(lines)) for kind, lines in found)


def _read_line(line: str) -> tuple[BlockKind, str]:
    for kind, pattern in _MARKS:
        match = pattern.fullmatch(line)
        if match is not None:
            return kind, match[1]
    return BlockKind.PARAGRAPH, line


def _spans(text: str) -> Line:
    spans: list[Span] = []
    end = 0
    for match in _BOLD.finditer(text):
        if match.start() > end:
            spans.append(Span(text[end : match.start()]))
        spans.append(Span(match[1], bold=True))
        end = match.end()
    if end < len(text) or not spans:
        spans.append(Span(text[end:]))
    return tuple(spans)


def plain_of(answer: str) -> str:
    """Return an answer without its marks, as one reads it out."""
    return "\n".join(
        "".join(span.text for span in line) for block in blocks_of(answer) for line in block.lines
    )


def tidy_keywords(raw: Iterable[str]) -> tuple[str, ...]:
    """Return keywords without blanks and repetitions, in their order.

    Raises:
        Invalid: too many, or one that is too short to mean anything or too long.
    """
    found: dict[str, None] = {}
    for number, word in enumerate(raw):
        if number >= MAX_KEYWORDS * 2:
            raise Invalid(f"at most {MAX_KEYWORDS} keywords", field="keywords")
        if len(word) > MAX_KEYWORD * 4:
            raise Invalid(f"each at most {MAX_KEYWORD} characters", field="keywords")
        text = "".join(char for char in word if char.isprintable() and not char.isspace())
        if not text:
            continue
        if not 2 <= len(text) <= MAX_KEYWORD:
            raise Invalid(f"each between 2 and {MAX_KEYWORD} characters", field="keywords")
        found[text] = None
    if len(found) > MAX_KEYWORDS:
        raise Invalid(f"at most {MAX_KEYWORDS} keywords", field="keywords")
    return tuple(found)


def check_validity(valid_from: date, valid_to: date | None) -> None:
    """Refuse an article that is never valid. Raises Invalid."""
    if valid_to is not None and valid_to < valid_from:
        raise Invalid("ends before it begins", field="valid_to")


def is_valid(valid_from: date, valid_to: date | None, today: date) -> bool:
    """Tell whether an article holds today; the last day counts."""
    return valid_from <= today and (valid_to is None or today <= valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What is known of an article when one is chosen for a conversation."""

    article_id: str
    question: str
    keywords: Sequence[str]
    area: Area
    classes: Sequence[int]
    votes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What is known of a conversation.

    Attributes:
        text: what has been written down so far.
        menu_path: labels that the caller has chosen in the menu.
        class_code: class of the complaint (``ComplaintClass``), where one is being written.
        area: where the conversation clearly belongs.
    """

    text: str = ""
    menu_path: Sequence[str] = ()
    class_code: int | None = None
    area: Area | None = None


def fits(article: Candidate, told: Conversation) -> float:
    """Return how well an article fits; 0 when it has nothing to do with it.

    Keywords count most, the longer the more: «卫生间漏水» says more than «漏水». The case's class and
    the words of the menu help, useful votes only decide between equals.
    """
    text = told.text.casefold()
    menu = " ".join(told.menu_path).casefold()
    words = [word.casefold() for word in article.keywords]
    score = sum(2.0 + len(word) for word in words if word in text)
    score += sum(1.0 + len(word) / 2 for word in words if word in menu)
    shared = len(_pairs(article.question) & _pairs(text))
    if shared >= MIN_SHARED:
        score += shared / 2
    if told.class_code is not None and told.class_code in article.classes:
        score += 3.0
    if told.area is article.area:
        score += 1.0
    return score + min(article.votes, 50) / 100 if score else 0.0


def _pairs(text: str) -> set[str]:
    kept = [char for char in text.casefold() if char.isalnum()]
    return {"".join(pair) for pair in pairwise(kept)}


def choose(articles: Iterable[Candidate], told: Conversation, limit: int) -> list[str]:
    """Return the ids of the articles that fit best, the best first."""
    scored = [(fits(article, told), article.votes, article.article_id) for article in articles]
    scored = [found for found in scored if found[0] > 0]
    scored.sort(key=lambda found: (-found[0], -found[1], found[2]))
    return [article_id for _, _, article_id in scored[:limit]]
