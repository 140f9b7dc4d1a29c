"""Words that the rules of callbacks share (domain.md §1.1, §1.2, §1.12, §4.2, §4.3)."""

from collections.abc import Mapping
from enum import StrEnum

from crm.domain.freeze import ContactPurpose, FreezeScope


class CallbackType(StrEnum):
    """Kinds of callback 回访类型. ``crm`` knows those that a thaw may ask for, with the same codes."""

    START = "KG"
    CONCEALED = "YB"
    MIDTERM = "ZQ"
    COMPLETION = "WG"
    FINISHED = "JG"
    COMPLAINT = "TS"
    REPAIR = "BX"
    CHURNED = "LW"
    NEW_USER = "NU"
    OLD_USER = "OU"
    RANDOM = "RT"
    PERIODIC = "PD"
    VISIT = "VISIT"


class Category(StrEnum):
    """What a callback is about; decides which freeze, refusal and hours hold for it."""

    ENQUIRY = "enquiry"
    """Lost or cancelled contracts, samples: no work that could be frozen."""
    SITE = "site"
    """The work itself: start, concealed works, mid-term, completion."""
    WARRANTY = "warranty"
    CASE = "case"
    """A complaint or a repair of the customer's own; the case stays open until they are asked."""


class Channel(StrEnum):
    """How the customer is asked."""

    AGENT = "agent"
    IVR = "ivr"
    SMS_FORM = "sms_form"
    VISIT = "visit"


class Origin(StrEnum):
    """Where a task comes from."""

    AUTO_EVENT = "auto_event"
    MANUAL = "manual"
    NEXT_OF = "next_of"
    REVISIT = "revisit"
    SAMPLING = "sampling"
    THAW = "thaw"


class Outcome(StrEnum):
    """How an attempt to reach somebody ended."""

    ANSWERED = "answered"
    """A person; also whenever the detection is unsure."""
    MACHINE = "machine"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REJECTED = "rejected"
    OFF = "off"
    """Switched off or out of reach."""
    EMPTY = "empty"
    """The number does not exist, or is out of service 空号/停机."""
    ABANDONED = "abandoned"
    """A person answered, and nobody was there for them in time."""
    CONGESTION = "congestion"
    """The network had no way through; no phone rang."""
    FAILED = "failed"
    """It surely never left our own switch."""
    UNKNOWN = "unknown"
    """It was committed, perhaps sent, and left no trace: it counts as an attempt, for safety."""


CALL_RESULTS: Mapping[Outcome, str] = {
    Outcome.ANSWERED: "ANSWERED",
    Outcome.MACHINE: "NO_ANSWER",
    Outcome.NO_ANSWER: "NO_ANSWER",
    Outcome.BUSY: "BUSY",
    Outcome.REJECTED: "REJECTED",
    Outcome.OFF: "OFF",
    Outcome.EMPTY: "EMPTY",
    Outcome.ABANDONED: "ABANDONED_QUEUE",
    Outcome.CONGESTION: "FAILED",
    Outcome.FAILED: "FAILED",
    Outcome.UNKNOWN: "FAILED",
}
"""The result that the call itself gets (domain.md §4.2, Call)."""


class Verdict(StrEnum):
    """What a questionnaire comes to (domain.md §3.0)."""

    SATISFIED = "satisfied"
    NEUTRAL = "neutral"
    DISSATISFIED = "dissatisfied"


class Gate(StrEnum):
    """What waits for a callback's result."""

    NONE = "none"
    MIDTERM_NOTICE = "midterm_notice"
    """The notice that asks for the mid-term payment 中期款."""
    HANDOVER = "handover"
    """The hand-over of the project 项目交付."""
    CASE_CLOSE = "case_close"


FREEZES: Mapping[Category, FreezeScope] = {
    Category.ENQUIRY: FreezeScope.ALL,
    Category.SITE: FreezeScope.SITE,
    Category.WARRANTY: FreezeScope.ALL,
    Category.CASE: FreezeScope.CASE,
}
"""The narrowest freeze that holds a callback of the category back (CB-3)."""


def is_frozen_by(category: Category, scope: FreezeScope) -> bool:
    """Tell whether a freeze of ``scope`` holds back callbacks of ``category``."""
    return scope is FreezeScope.ALL or scope is FREEZES[category]


def purpose_of(category: Category) -> ContactPurpose:
    """Return what a call of the category is for, as the do-not-call list asks (domain.md §6.4)."""
    return ContactPurpose.CASE if category is Category.CASE else ContactPurpose.SURVEY
