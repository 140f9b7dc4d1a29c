"""What rules find in what one person said."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Speaker(StrEnum):
    """Who says it."""

    CUSTOMER = "customer"
    AGENT = "agent"


class RuleKind(StrEnum):
    """What a rule looks for."""

    TOPIC = "topic"
    """What a complaint is about; the value is class and sub-class, such as ``1.waterproof``."""
    ITEM = "item"
    """What is broken; the value is an item of the warranty."""
    PLACE = "place"
    """Where in the home; the value is its name."""
    URGENCY = "urgency"
    """The value is ``urgent`` or ``emergency``."""
    THREAT = "threat"
    """Press, regulator or court."""
    WISH = "wish"
    """What the customer wants done; the value is how the form says it."""
    PROMISE = "promise"
    """What somebody promises; with the day it is promised for, where one is said."""
    APPOINTMENT = "appointment"
    """A time for a visit."""
    REFUSAL = "refusal"
    """The customer does not want to talk, or no visit."""
    DO_NOT_CALL = "do_not_call"
    """The customer wants no more calls."""
    SEVERITY = "severity"
    """Makes it a serious one (domain.md §1.3): repeated, unauthorised charge, hurt; the value is 2 or 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A time that was said.

    Attributes:
        start: where it stands in the text, to ``end``.
        since: the earliest moment it means, in the site's time.
        until: the latest; with ``exact`` they are the same.
        exact: an hour was said.
    """

    start: int
    end: int
    since: datetime
    until: datetime
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found.

    Attributes:
        rule: id of the rule.
        value: what the rule stands for, such as a class of complaints.
        label: the same for people.
        start: where it stands in the text that was read, to ``end``.
        confidence: 0 to 1.
        when: the time it is about.
    """

    rule: str
    kind: RuleKind
    value: str
    label: str
    start: int
    end: int
    confidence: float
    speaker: Speaker
    when: When | None = None


Findings = tuple[Finding, ...]
"""In the order of the text."""
