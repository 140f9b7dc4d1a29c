"""Texts of one line, and choices, as people enter them."""

import unicodedata
from enum import StrEnum
from typing import TypeVar

from kernel.errors import Invalid

E = TypeVar("E", bound=StrEnum)


def one_line(raw: str, *, field: str, limit: int) -> str:
    """Return a required text on one line, without control characters and outer blanks.

    Raises:
        Invalid: it is empty, or longer than ``limit`` characters.
    """
    text = maybe_line(raw, field=field, limit=limit)
    if text is None:
        raise Invalid("must not be empty", field=field)
    return text


def maybe_line(raw: str | None, *, field: str, limit: int) -> str | None:
    """Return a text on one line, ``None`` for an empty one.

    Raises:
        Invalid: it is longer than ``limit`` characters.
    """
    if raw is None:
        return None
    if len(raw) > 4 * limit + 100:
        raise Invalid(f"at most {limit} characters", field=field)
    kept = "".join(
        " " if unicodedata.category(char)[0] in "CZ" and char != "\u200d" else char for char in raw
    )
    text = " ".join(kept.split())
    if len(text) > limit:
        raise Invalid(f"at most {limit} characters", field=field)
    return text or None


def choice(kind: type[E], raw: str, *, field: str) -> E:
    """Return the member with this value. Raises Invalid, which lists them."""
    try:
        return kind(raw)
    except ValueError as error:
        raise Invalid(f"one of {', '.join(member.value for member in kind)}", field=field) from error
