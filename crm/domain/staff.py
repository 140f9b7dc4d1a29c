"""What is written down of staff: the number of their telephone, what they can do."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from crm.domain.lines import one_line
from kernel.errors import Invalid

MAX_SKILLS = 12
MAX_SKILL = 20
_NUMBER = re.compile(r"[0-9]{2,16}", re.ASCII)
_BETWEEN = re.compile(r"[、,，;；/\n]+")


def agent_number(raw: str | None) -> str | None:
    """Return the number of a telephone 工号, ``None`` for none. Raises Invalid."""
    text = unicodedata.normalize("NFKC", raw or "").strip()
    if text and _NUMBER.fullmatch(text) is None:
        raise Invalid("2 to 16 digits", field="agent_no")
    return text or None


class NumberTrouble(StrEnum):
    """How the number written down of somebody differs from the telephones that there are."""

    OTHER = "other"
    """Their user's telephone has another number, or they have one and none is written down."""
    TAKEN = "taken"
    """It is the telephone of another user."""
    UNKNOWN = "unknown"
    """There is no such telephone, or no more."""


@dataclass(frozen=True, slots=True)
class Telephones:
    """The telephones that the exchange knows.

    Attributes:
        of_user: user → the number of theirs.
        numbers: of all that are in use, whoever has them.
    """

    of_user: Mapping[str, str] = field(default_factory=dict)
    numbers: frozenset[str] = frozenset()

    def trouble(self, agent_no: str | None, user_id: str | None) -> NumberTrouble | None:
        """Return how what is written down of somebody differs; ``None``: it does not, or nobody knows."""
        own = self.of_user.get(user_id or "")
        if own is not None:
            return NumberTrouble.OTHER if own != agent_no else None
        if agent_no is None or not self.numbers:
            return None
        if agent_no in self.of_user.values():
            return NumberTrouble.TAKEN
        return NumberTrouble.UNKNOWN if agent_no not in self.numbers else None


def split_skills(text: str | None) -> tuple[str, ...]:
    """Return the skills that somebody typed in one line."""
    return tuple(part.strip() for part in _BETWEEN.split(text or "") if part.strip())


def skill_words(given: Iterable[str]) -> tuple[str, ...]:
    """Return skills as they are stored, each once. Raises Invalid."""
    found: list[str] = []
    for number, raw in enumerate(given):
        word = one_line(raw, field=f"skills.{number}", limit=MAX_SKILL)
        if _BETWEEN.search(word):
            raise Invalid("one skill at a time", field=f"skills.{number}")
        if word not in found:
            found.append(word)
    if len(found) > MAX_SKILLS:
        raise Invalid(f"at most {MAX_SKILLS} skills", field="skills")
    return tuple(found)
