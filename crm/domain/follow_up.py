"""Who looks after closed cases once more: how many, which, of what rank (property pattern, domain.md §1.13).

The rules are data (``crm/follow_up.yaml``). Which cases are chosen follows from their ids alone, so that two
people who ask get the same list, and nobody chooses the easy ones.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from crm.domain.case import CaseKind, Severity
from kernel.access import Role

SCALE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpRule:
    """How many closed cases of a kind and severity are followed up, and by whom.

    Attributes:
        ratio: at least this share of them, 0 to 1.
        rank: the role that does it; whoever stands above may too.
    """

    kind: CaseKind
    severities: frozenset[Severity]
    ratio: Fraction
    rank: Role


ABOVE: dict[Role, frozenset[Role]] = {
    Role.SUPERVISOR: frozenset({Role.SUPERVISOR, Role.MANAGER}),
    Role.MANAGER: frozenset({Role.MANAGER}),
}
"""Rank → roles that may follow up what is of that rank."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its numerator and denominator; what has no denominator has no share."""

    done: int
    all: int

    @property
    def value(self) -> float | None:
        """The share, ``None`` where there is nothing to share."""
        return self.done / self.all if self.all else None

    @property
    def text(self) -> str:
        """As tables show it: ``30.0 % (3/10)``, ``–`` for nothing."""
        return f"{100 * self.done / self.all:.1f} % ({self.done}/{self.all})" if self.all else "–"

    def reaches(self, ratio: Fraction) -> bool:
        """Tell whether it is enough; of nothing nothing is owed."""
        return self.done >= needed(self.all, ratio)


def needed(count: int, ratio: Fraction) -> int:
    """Return how many of ``count`` must be followed up: never fewer than the ratio asks for."""
    return math.ceil(count * ratio)


def place(case_id: str) -> int:
    """Return the place of a case in the draw, 0 to 9999, the same for everybody and for ever."""
    return int.from_bytes(hashlib.sha256(case_id.encode()).digest()[:8], "big") % SCALE


def drawn(case_ids: Iterable[str], ratio: Fraction) -> list[str]:
    """Return which of the cases are to be followed up.

    A case is drawn when its place is below the ratio. Where that gives too few, those that come next are
    drawn besides, so that the ratio holds for small numbers too.
    """
    ordered = sorted(set(case_ids), key=lambda case_id: (place(case_id), case_id))
    below = sum(1 for case_id in ordered if place(case_id) < ratio * SCALE)
    return ordered[: max(below, needed(len(ordered), ratio))]


def rule_for(rules: Sequence[FollowUpRule], kind: CaseKind, severity: Severity) -> FollowUpRule | None:
    """Return the rule for a case, ``None`` when its kind is not followed up."""
    for rule in rules:
        if rule.kind is kind and severity in rule.severities:
            return rule
    return None
