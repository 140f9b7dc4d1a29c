"""What is written down of staff: the number of their telephone, what they can do."""

import re
import unicodedata
from collections.abc import Iterable

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
