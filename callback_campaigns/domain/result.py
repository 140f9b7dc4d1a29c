"""What a callback must say to count (domain.md §1.2, CB-2, CB-4, CB-10, CB-12; §4.2, CallbackResult)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from callback_campaigns.domain.terms import Category, Verdict
from kernel.access import Actor, Permission
from kernel.business_time import SHANGHAI
from kernel.errors import Conflict, Invalid

MAX_EXPLANATION = 2000
KEPT_FROM = 0.6
"""A talk that broke off midway is kept when so much of what is required was answered."""


class ResultCode(StrEnum):
    """The result that every callback has."""

    NO_PROBLEM = "no_problem"
    PROBLEM = "problem"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What somebody was told when they reached the customer.

    Attributes:
        score: 0 to 100, where items with scores were answered.
        departments: codes of the departments that the problem is passed to.
    """

    code: ResultCode
    verdict: Verdict
    done_at: datetime
    score: int | None = None
    problem_code: str = ""
    explanation: str = ""
    departments: tuple[str, ...] = ()


class ComplaintNotAccepted(Conflict):
    """A complaint of the customer waits to be accepted; that comes first (CB-4)."""

    code = "complaint_not_accepted"


def check_finding(finding: Finding) -> None:
    """Refuse a result that leaves out what its verdict asks for, or says more than it may (CB-2).

    Raises:
        Invalid: names the field.
    """
    if finding.code is ResultCode.NOT_REACHED:
        raise Invalid("somebody was reached; say whether there is a problem", field="code")
    if (finding.code is ResultCode.PROBLEM) != (finding.verdict is Verdict.DISSATISFIED):
        raise Invalid("a problem is what dissatisfies, and nothing else is", field="code")
    if finding.score is not None and not 0 <= finding.score <= 100:
        raise Invalid("between 0 and 100", field="score")
    if len(finding.explanation) > MAX_EXPLANATION:
        raise Invalid(f"at most {MAX_EXPLANATION} characters", field="explanation")
    if finding.verdict is not Verdict.DISSATISFIED:
        if finding.problem_code:
            raise Invalid("leave it empty where there is no problem", field="problem_code")
        if finding.departments:
            raise Invalid("nothing is passed on where there is no problem", field="departments")
        return
    if not finding.problem_code.strip():
        raise Invalid("say what the problem is", field="problem_code")
    if not finding.explanation.strip():
        raise Invalid("explain the problem", field="explanation")
    if not finding.departments:
        raise Invalid("at least one department", field="departments")
    if len(set(finding.departments)) != len(finding.departments):
        raise Invalid("each department once", field="departments")


def check_recordable(category: Category, *, complaints_unaccepted: int) -> None:
    """Refuse a callback about a case while a complaint of the customer waits to be accepted (CB-4).

    Raises:
        ComplaintNotAccepted: accept it first.
    """
    if category is Category.CASE and complaints_unaccepted:
        raise ComplaintNotAccepted(
            "a complaint of this customer has not been accepted yet: accept it first", field="task_id"
        )


def is_entered_late(done_at: datetime, entered_at: datetime, zone: ZoneInfo = SHANGHAI) -> bool:
    """Tell whether a result was written down on a later day than it was heard (CB-12); such are marked."""
    return entered_at.astimezone(zone).date() > done_at.astimezone(zone).date()


def check_reader(actor: Actor) -> None:
    """Refuse to open a callback's record (CB-10); whoever opens one writes that into the audit log.

    Raises:
        Forbidden: the role works no callbacks.
    """
    actor.need(Permission.CALLBACKS_WORK)


def is_kept(answered: int, required: int) -> bool:
    """Tell whether a talk that broke off is kept: at least 60 % of the required answers are there."""
    return required == 0 or answered >= required * KEPT_FROM
