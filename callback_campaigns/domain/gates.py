"""What waits for a callback: the mid-term payment notice and the hand-over (domain.md §1.1).

The manager may open a gate by hand, with a reason that is kept.
"""

from dataclasses import dataclass
from enum import StrEnum

from callback_campaigns.domain.task import Task, TaskStatus
from callback_campaigns.domain.terms import Verdict
from kernel.access import Actor, Permission
from kernel.errors import Invalid

MAX_REASON = 400


class GateWhy(StrEnum):
    """Why a gate is open, or shut."""

    SATISFIED = "satisfied"
    """The customer was asked, and is not dissatisfied."""
    TICKETS_CLOSED = "tickets_closed"
    NOT_REQUIRED = "not_required"
    """No callback is asked for: sampled out, or stopped for the project."""
    OVERRIDDEN = "overridden"
    NO_CALLBACK = "no_callback"
    """Nobody has reached the customer yet."""
    DISSATISFIED = "dissatisfied"
    """Problems of the callback are still open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """The manager's decision to open a gate."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class GateState:
    """Whether a gate is open, and why."""

    open: bool
    why: GateWhy
    override: Override | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAsked:
    """What the answer depends on.

    Attributes:
        callback: the latest task of the type that has a result, else the current one, if any.
        required: a callback is asked for.
        tickets: problem tickets that the callback has brought so far; while there are none, its problem is
            not solved either.
        tickets_open: those that are not closed.
    """

    callback: Task | None
    required: bool = True
    tickets: int = 0
    tickets_open: int = 0
    override: Override | None = None


def midterm_notice(asked: GateAsked) -> GateState:
    """Tell whether the mid-term payment may be asked for.

    It may when the mid-term callback's result is not dissatisfied, or all its problem tickets are closed.
    """
    return _decide(asked, tickets_suffice=True)


def handover(asked: GateAsked) -> GateState:
    """Tell whether the project may be handed over: not without a successful completion callback.

    Closed tickets alone are no success: the customer is called again first.
    """
    return _decide(asked, tickets_suffice=False)


def override(actor: Actor, reason: str) -> Override:
    """Return the manager's decision to open a gate.

    Raises:
        Forbidden: somebody else.
        Invalid: no reason, or too long a one.
    """
    actor.need(Permission.PROJECTS_CORRECT)
    if not reason.strip():
        raise Invalid("give a reason", field="reason")
    if len(reason) > MAX_REASON:
        raise Invalid(f"at most {MAX_REASON} characters", field="reason")
    return Override(by=actor.name, reason=reason.strip())


def _decide(asked: GateAsked, *, tickets_suffice: bool) -> GateState:
    if asked.override is not None:
        return GateState(True, GateWhy.OVERRIDDEN, asked.override)
    if not asked.required:
        return GateState(True, GateWhy.NOT_REQUIRED)
    found = asked.callback.finding if asked.callback is not None else None
    over = asked.callback is not None and asked.callback.status in {TaskStatus.DONE, TaskStatus.PARTIAL}
    if found is None or not over:
        return GateState(False, GateWhy.NO_CALLBACK)
    if found.verdict is not Verdict.DISSATISFIED:
        return GateState(True, GateWhy.SATISFIED)
    if tickets_suffice and asked.tickets and asked.tickets_open == 0:
        return GateState(True, GateWhy.TICKETS_CLOSED)
    return GateState(False, GateWhy.DISSATISFIED)
