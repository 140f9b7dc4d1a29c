"""Conditions of questions and rules: ``earlier_ticket``, ``days_since_start > 5``, ``KG3 = not_arrived``.

Clauses are joined by ``and``; ``not`` stands before a fact that is true or false; several words that all fit
are joined by ``|``. What stands left is a fact of the project or an earlier item of the same questionnaire.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

FactValue = str | int | bool
Facts = Mapping[str, FactValue]


class FactKind(StrEnum):
    """What a fact's value is."""

    FLAG = "flag"
    NUMBER = "number"
    WORD = "word"


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact that conditions may ask for; a word has to be one of ``words``."""

    kind: FactKind
    words: tuple[str, ...] = ()


FACTS: Mapping[str, Fact] = {
    "earlier_ticket": Fact(FactKind.FLAG),
    "earlier_repair": Fact(FactKind.FLAG),
    "repaired_by_captain": Fact(FactKind.FLAG),
    "days_since_start": Fact(FactKind.NUMBER),
    "severity": Fact(FactKind.NUMBER),
    "level": Fact(FactKind.WORD, ("A", "B", "C")),
    "channel": Fact(FactKind.WORD, ("agent", "ivr", "sms_form", "visit")),
    "plan_point": Fact(FactKind.WORD, ("d3", "m1", "m3", "m6", "yearly", "warranty", "season")),
    "marketing_consent": Fact(FactKind.WORD, ("unknown", "given", "refused")),
    "contact_preference": Fact(FactKind.WORD, ("unknown", "phone", "wechat", "sms")),
}
"""Everything that is known of project, customer and call when questions are chosen.

A flag that nobody gave is false, a number that nobody gave fits no comparison, a word is unknown."""

ITEM_ID = re.compile(r"[A-Z]{2}[1-9]\d?")
_FLAG = re.compile(r"(not )?([a-z][a-z0-9_]*)")
_COMPARISON = re.compile(r"([A-Za-z][A-Za-z0-9_]*) ?(<=|>=|!=|=|<|>) ?([A-Za-z0-9_|]{1,120})")


class BadCondition(Exception):
    """The condition cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison. ``values`` holds every word that fits; of a flag ``("true",)``."""

    name: str
    sign: str
    values: tuple[str, ...]

    @property
    def is_item(self) -> bool:
        """Whether it asks for an earlier answer."""
        return ITEM_ID.fullmatch(self.name) is not None


@dataclass(frozen=True, slots=True)
class Condition:
    """All clauses must hold; ``text`` as it was written."""

    text: str
    clauses: tuple[Clause, ...]

    @property
    def items(self) -> tuple[str, ...]:
        """Ids of the items whose answers it asks for."""
        return tuple(clause.name for clause in self.clauses if clause.is_item)

    def holds(self, facts: Facts, answers: Mapping[str, tuple[str, ...]]) -> bool:
        """Tell whether it holds; an item that has no answer fits no comparison.

        Args:
            answers: values that were stored, by item.
        """
        return all(_holds(clause, facts, answers) for clause in self.clauses)


def parse_condition(text: str) -> Condition:
    """Read a condition. Raises BadCondition."""
    return Condition(text, tuple(_clause(part.strip()) for part in text.split(" and ")))


def _clause(text: str) -> Clause:
    if found := _FLAG.fullmatch(text):
        negated, name = found.groups()
        if _fact(name).kind is not FactKind.FLAG:
            raise BadCondition(f"{name} is not true or false; compare it with a value")
        return Clause(name, "!=" if negated else "=", ("true",))
    if found := _COMPARISON.fullmatch(text):
        name, sign, value = found.groups()
        values = tuple(value.split("|"))
        if not ITEM_ID.fullmatch(name):
            _check_values(name, sign, values)
        elif sign not in {"=", "!="}:
            raise BadCondition(f"the answer to {name} can only be compared with = and !=")
        return Clause(name, sign, values)
    raise BadCondition(
        f"“{text}” is no condition; write «fact», «not fact», «fact = word» or «fact > number»"
    )


def _fact(name: str) -> Fact:
    fact = FACTS.get(name)
    if fact is None:
        raise BadCondition(f"nobody knows “{name}”; there are {', '.join(sorted(FACTS))}")
    return fact


def _check_values(name: str, sign: str, values: tuple[str, ...]) -> None:
    fact = _fact(name)
    if fact.kind is FactKind.FLAG:
        raise BadCondition(f"{name} is true or false: write «{name}» or «not {name}»")
    if fact.kind is FactKind.NUMBER:
        if not all(re.fullmatch(r"\d{1,6}", value) for value in values) or (len(values) > 1 and sign != "="):
            raise BadCondition(f"{name} is compared with one whole number")
        return
    if sign not in {"=", "!="}:
        raise BadCondition(f"{name} can only be compared with = and !=")
    strange = [value for value in values if value not in fact.words]
    if strange:
        raise BadCondition(f"{name} is never “{strange[0]}”; it is one of {', '.join(fact.words)}")


def _holds(clause: Clause, facts: Facts, answers: Mapping[str, tuple[str, ...]]) -> bool:
    if clause.is_item:
        given = answers.get(clause.name)
        if given is None:
            return False
        return bool(set(given) & set(clause.values)) is (clause.sign == "=")
    fact, value = FACTS[clause.name], facts.get(clause.name)
    if fact.kind is FactKind.FLAG:
        return (value is True) is (clause.sign == "=")
    if fact.kind is FactKind.NUMBER:
        return isinstance(value, int) and any(_compare(value, clause.sign, int(to)) for to in clause.values)
    word = str(value) if value is not None else "unknown"
    return (word in clause.values) is (clause.sign == "=")


def _compare(value: int, sign: str, to: int) -> bool:
    match sign:
        case "<":
            return value < to
        case "<=":
            return value <= to
        case ">":
            return value > to
        case ">=":
            return value >= to
        case "!=":
            return value != to
        case _:
            return value == to
