"""Texts of prompts: literal speech with slots for what is known only during the call.

``{greeting?},您好`` — a slot is a variable's name; ``?`` lets it be left out when it is empty or cannot be
spoken in time; ``{callback_number:digits}`` reads it digit by digit,
``{case_count:count}`` as a count before its measure word (两项).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

MAX_TEXT = 500
_SLOT = re.compile(r"\{([a-z][a-z0-9_]*)(?::([a-z0-9]+))?(\?)?\}")
_SPEAKABLE = re.compile(r"\w")
_EDGE = re.compile(r"^[\s,.;:!?，。；：、！？]+|\s+$")


class SlotFormat(StrEnum):
    """How a value is read."""

    TEXT = "text"
    DIGITS = "digits"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Literal:
    """Words that never change; their audio is made when the flow is published."""

    text: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a variable."""

    variable: str
    format: SlotFormat = SlotFormat.TEXT
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt's text, cut into pieces."""

    pieces: tuple[Literal | Slot, ...]

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots in order."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Slot))


class BadTemplate(ValueError):
    """The text cannot be read; the message says why, for the author of the flow."""


def parse_template(text: str, constants: Mapping[str, str]) -> Template:
    """Cut ``text`` into pieces and put the constants in.

    Raises:
        BadTemplate: too long, stray braces, an unknown format, or nothing to say.
    """
    if len(text) > MAX_TEXT:
        raise BadTemplate(f"text has {len(text)} characters, the limit is {MAX_TEXT}")
    filled = _SLOT.sub(lambda slot: constants.get(slot[1], slot[0]), text)
    pieces: list[Literal | Slot] = []
    at = 0
    for slot in _SLOT.finditer(filled):
        pieces += _literal(filled[at : slot.start()])
        pieces.append(_slot(slot))
        at = slot.end()
    pieces += _literal(filled[at:])
    if not pieces:
        raise BadTemplate("text has nothing to say")
    return Template(tuple(pieces))


def _slot(found: re.Match[str]) -> Slot:
    try:
        form = SlotFormat(found[2] or "text")
    except ValueError as error:
        raise BadTemplate(f"unknown format “{found[2]}” in {found[0]}; use text, digits or count") from error
    return Slot(found[1], form, found[3] is not None)


def _literal(text: str) -> list[Literal]:
    if "{" in text or "}" in text:
        raise BadTemplate("a brace that belongs to no {variable}")
    spoken = _EDGE.sub("", re.sub(r"\s+", " ", text))
    return [Literal(spoken)] if _SPEAKABLE.search(spoken) else []
