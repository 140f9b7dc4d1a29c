"""What is to be told at once, as the manager sets it: words to look for, and how many are a heap. Pure.

``domain.md`` §2.2 asks for «media/regulator keyword» and «sudden rise of one cause (≥3 in 7 days same
crew/material)»; the other subjects and all numbers are the centre's own.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from crm.domain.watchwords import MAX_WORD, MAX_WORDS, About, Words
from kernel.errors import Invalid

MOST_COMPLAINTS = 200
MOST_DAYS = 92


class Subject(StrEnum):
    """What complaints of a heap have in common."""

    CREW = "crew"
    MANUFACTURER = "manufacturer"
    STORE = "store"
    CAUSE = "cause"
    """The cause alone, whoever it was."""
    DEPARTMENT = "department"
    """Whatever the cause."""
    PROJECT = "project"
    """One home, whatever the cause."""


ONE_CAUSE = frozenset({Subject.CREW, Subject.MANUFACTURER, Subject.STORE, Subject.CAUSE})
"""Subjects whose complaints must be of one cause, too."""


@dataclass(frozen=True, slots=True)
class HeapRule:
    """So many complaints in so many days are a heap; ``needed`` 0: nobody looks."""

    needed: int
    days: int


Heaps = Mapping[Subject, HeapRule]
USUAL: Heaps = {
    Subject.CREW: HeapRule(3, 7),
    Subject.MANUFACTURER: HeapRule(3, 7),
    Subject.STORE: HeapRule(5, 7),
    Subject.CAUSE: HeapRule(10, 7),
    Subject.DEPARTMENT: HeapRule(20, 7),
    Subject.PROJECT: HeapRule(5, 30),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRules:
    """A version of the rules; 0 is what comes with the product, or the centre's own file."""

    version: int
    valid_from: datetime | None
    words: Words
    heaps: Heaps
    why: str = ""
    created_at: datetime | None = None
    created_by: str = ""


def check_words(given: Mapping[About, Sequence[str]]) -> Words:
    """Return the words, tidied, each once. Raises Invalid, which names the list."""
    found: dict[About, tuple[str, ...]] = {}
    for about in About:
        field = f"words.{about.value}"
        words = [unicodedata.normalize("NFKC", word).strip() for word in given.get(about, ())]
        words = list(dict.fromkeys(word for word in words if word))
        if len(words) > MAX_WORDS:
            raise Invalid(f"at most {MAX_WORDS} words", field=field)
        wrong = next(
            (word for word in words if not 2 <= len(word) <= MAX_WORD or not word.isprintable()), None
        )
        if wrong is not None:
            raise Invalid(f"a word has 2 to {MAX_WORD} characters", field=field)
        found[about] = tuple(words)
    return found


def check_heaps(given: Heaps) -> Heaps:
    """Return the rules for heaps, of every subject. Raises Invalid, which names the subject."""
    found: dict[Subject, HeapRule] = {}
    for subject in Subject:
        rule = given.get(subject, HeapRule(0, 1))
        field = f"heaps.{subject.value}"
        if rule.needed != 0 and not 2 <= rule.needed <= MOST_COMPLAINTS:
            raise Invalid(f"2 to {MOST_COMPLAINTS}, or 0 for never", field=f"{field}.needed")
        if not 1 <= rule.days <= MOST_DAYS:
            raise Invalid(f"1 to {MOST_DAYS}", field=f"{field}.days")
        found[subject] = rule
    return found
