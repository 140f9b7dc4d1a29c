"""Words in a customer's text that the manager should read at once: press and regulators. Pure.

The words are data: those that come with the product are in ``crm/watchwords.yaml``, the manager sets others.

A word found is a reason to look, never a decision.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files

import yaml

from kernel.errors import ConfigurationError


class About(StrEnum):
    """What a word speaks of."""

    MEDIA = "media"
    REGULATOR = "regulator"
    OTHER = "other"
    """What else the centre itself wants to hear of."""


Words = Mapping[About, tuple[str, ...]]
MAX_WORDS = 200
MAX_WORD = 20


def parse_watchwords(text: str, source: str = "watchwords.yaml") -> Words:
    """Read the words.

    Raises:
        ConfigurationError: what is wrong, a line for each mistake with its place.
    """
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{source}: not YAML") from error
    if not isinstance(tree, dict):
        raise ConfigurationError(f"{source}: must be a mapping")
    problems = [f"{source}: {name}: is none of {', '.join(About)}" for name in tree if name not in set(About)]
    found: dict[About, tuple[str, ...]] = {}
    for about in About:
        given = tree.get(about.value, [])
        if not isinstance(given, list) or len(given) > MAX_WORDS:
            problems.append(f"{source}: {about}: must be a list of at most {MAX_WORDS} words")
            continue
        words: list[str] = []
        for number, word in enumerate(given):
            plain = unicodedata.normalize("NFKC", word).strip() if isinstance(word, str) else ""
            if not 2 <= len(plain) <= MAX_WORD:
                hint = "; write numbers in quotes" if isinstance(word, int) else ""
                problems.append(f"{source}: {about}[{number}]: a word of 2 to {MAX_WORD} characters{hint}")
            words.append(plain)
        found[about] = tuple(dict.fromkeys(words))
    if problems:
        raise ConfigurationError("\n".join(problems))
    return found


@lru_cache(maxsize=1)
def shipped_watchwords() -> Words:
    """Return the words that come with the product."""
    return parse_watchwords((files("crm") / "watchwords.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Found:
    """A word that was found."""

    about: About
    word: str


def find_watchword(texts: Iterable[str], words: Words | None = None) -> Found | None:
    """Return the first word that a case's texts contain, regulators before the press, others last."""
    whole = "\n".join(unicodedata.normalize("NFKC", text) for text in texts)
    # People write numbers with blanks and hyphens in them: 123-15.
    digits = "".join(char for char in whole if char not in " -\u2013\u2014")
    for about in (About.REGULATOR, About.MEDIA, About.OTHER):
        for word in (shipped_watchwords() if words is None else words).get(about, ()):
            if word in (digits if word.isdigit() else whole):
                return Found(about, word)
    return None
