"""The first steps: what cannot be read goes, blanks between characters go, traditional becomes simplified."""

import re
import unicodedata
from functools import cache

from opencc import OpenCC

from speech.reading.model import Cell, Change, changed

UNKNOWN = "…"
"""Stands for a word that the recogniser did not know."""

_UNKNOWN = re.compile(r"\[unk\]|<unk>", re.IGNORECASE)
_BLANKS = re.compile(r" +")
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
_WIDE_SPACE = 0x3000
_TURNS = 8
"""Conversions of one text at the most, until nothing changes: no real one needs more than two."""

_CJK = (
    (0x2E80, 0x303F),  # radicals, punctuation
    (0x3100, 0x312F),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFE30, 0xFE4F),
    (0xFF00, 0xFFEF),  # wide punctuation
    (0x20000, 0x3134F),
)


@cache
def _converter() -> OpenCC:
    return OpenCC("t2s")


def readable(raw: str) -> list[Cell]:
    """Return the characters of ``raw`` that can be read: no controls, wide letters and digits made narrow."""
    cells = [Cell(_readable(char), at, at + 1) for at, char in enumerate(raw)]
    text = "".join(cell.text for cell in cells)
    return changed(cells, [Change(m.start(), m.end(), UNKNOWN) for m in _UNKNOWN.finditer(text)])


def _readable(char: str) -> str:
    if char in "\t\n\r\v\f\x85\u2028\u2029":
        return " "
    category = unicodedata.category(char)
    if category in _HIDDEN:
        return ""
    if category == "Zs" or ord(char) == _WIDE_SPACE:
        return " "
    if 0xFF01 <= ord(char) <= 0xFF5E:
        narrow = chr(ord(char) - 0xFEE0)
        if narrow.isalnum():
            return narrow
    return char


def joined(cells: list[Cell]) -> list[Cell]:
    """Return the cells without blanks at the ends or beside Chinese characters; elsewhere one is left."""
    text = "".join(cell.text for cell in cells)
    changes = []
    for found in _BLANKS.finditer(text):
        left = text[found.start() - 1 : found.start()]
        right = text[found.end() : found.end() + 1]
        new = "" if not left or not right or is_chinese(left) or is_chinese(right) else " "
        if new != found.group():
            changes.append(Change(found.start(), found.end(), new))
    return changed(cells, changes)


def is_chinese(char: str) -> bool:
    """Whether no blank stands beside this character in a Chinese text."""
    return any(low <= ord(char) <= high for low, high in _CJK) or char in "…—“”‘’·"


def simplified(cells: list[Cell]) -> list[Cell]:
    """Return the cells in simplified characters, each where it was."""
    text = "".join(cell.text for cell in cells)
    new = simplify(text)
    if new == text:
        return cells
    changes = [Change(at, at + 1, char) for at, char in enumerate(new) if char != text[at]]
    return changed(cells, changes)


def simplify(text: str) -> str:
    """Return a text in simplified characters, character for character."""
    for _ in range(_TURNS):
        new = _converter().convert(text)
        if len(new) != len(text):
            # A word that becomes longer or shorter would move all after it: one at a time, then.
            new = "".join(_single(char) for char in text)
        if new == text:
            break
        text = new
    return text


def _single(char: str) -> str:
    new: str = _converter().convert(char)
    return new if len(new) == 1 else char
