"""An improvement measure 改进措施: what is done against a problem, until it works (domain.md §1.15).

========= ============================================================================================
state     steps
========= ============================================================================================
OPEN      change; report (what was done, with evidence) → REPORTED; drop, with the reason → DROPPED
REPORTED  check, from the first day of the month after the report: effective → EFFECTIVE, not effective →
          OPEN again in the next round with a new due date; drop → DROPPED
========= ============================================================================================

EFFECTIVE and DROPPED are final. Who reported a measure does not check its effect. «interp: the "next period"
is the next month of the site, as the months of the causes are.»
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from crm.domain.line_steps import SamePerson
from crm.domain.machine import refuse
from kernel.errors import Conflict, Invalid

LONGEST = timedelta(days=365)


class MeasureState(StrEnum):
    """Where a measure stands."""

    OPEN = "open"
    REPORTED = "reported"
    """Done, says its owner; the effect is not known yet."""
    EFFECTIVE = "effective"
    DROPPED = "dropped"

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be done."""
        return self in {MeasureState.EFFECTIVE, MeasureState.DROPPED}


class MeasureStep(StrEnum):
    """What may be done with a measure."""

    CHANGE = "change"
    REPORT = "report"
    CHECK = "check"
    DROP = "drop"


_STEPS: dict[MeasureState, tuple[MeasureStep, ...]] = {
    MeasureState.OPEN: (MeasureStep.REPORT, MeasureStep.CHANGE, MeasureStep.DROP),
    MeasureState.REPORTED: (MeasureStep.CHECK, MeasureStep.DROP),
}


class EffectUnknown(Conflict):
    """The month in which the effect shows has not begun."""

    code = "effect_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What the rules depend on.

    Attributes:
        round: how many times it was begun; the second after an effect that did not come.
        reported_on: the site's day of the report; ``reported_by`` is the user who made it.
    """

    state: MeasureState = MeasureState.OPEN
    due_on: date
    round: int = 1
    reported_on: date | None = None
    reported_by: str | None = None


def steps_of(measure: Measure) -> tuple[MeasureStep, ...]:
    """Return what may be done with a measure now."""
    return _STEPS.get(measure.state, ())


def check_due(due_on: date, today: date) -> date:
    """Return a due date. Raises Invalid when it has passed, or lies more than a year ahead."""
    if not today <= due_on <= today + LONGEST:
        raise Invalid("between today and a year from now", field="due_on")
    return due_on


def change(measure: Measure, due_on: date, today: date) -> Measure:
    """Give a measure another due date; the old one may stay even when it has passed. Raises IllegalStep."""
    _check_step(measure, MeasureStep.CHANGE)
    if due_on != measure.due_on:
        check_due(due_on, today)
    return replace(measure, due_on=due_on)


def report(measure: Measure, by: str, today: date) -> Measure:
    """The owner says that it is done. Raises IllegalStep."""
    _check_step(measure, MeasureStep.REPORT)
    return replace(measure, state=MeasureState.REPORTED, reported_on=today, reported_by=by)


def check_from(measure: Measure) -> date | None:
    """Return from which day on the effect can be checked: the first of the month after the report."""
    if measure.state is not MeasureState.REPORTED or measure.reported_on is None:
        return None
    return (measure.reported_on.replace(day=1) + timedelta(days=32)).replace(day=1)


def check(measure: Measure, *, effective: bool, by: str, today: date, due_on: date | None = None) -> Measure:
    """Say whether it had an effect; without one it begins again.

    Raises:
        IllegalStep: nobody reported it.
        SamePerson: who reported it checks it.
        EffectUnknown: it was reported this month.
        Invalid: it begins again, and no due date.
    """
    _check_step(measure, MeasureStep.CHECK)
    if by == measure.reported_by:
        raise SamePerson("who reported a measure does not check its effect", field="effective")
    begins = check_from(measure)
    if begins is not None and today < begins:
        raise EffectUnknown(f"the effect can be checked from {begins} on", field="effective")
    if effective:
        return replace(measure, state=MeasureState.EFFECTIVE)
    if due_on is None:
        raise Invalid("until when, now that it begins again", field="due_on")
    return Measure(due_on=check_due(due_on, today), round=measure.round + 1)


def drop(measure: Measure) -> Measure:
    """Do without it. Raises IllegalStep when it is over."""
    _check_step(measure, MeasureStep.DROP)
    return replace(measure, state=MeasureState.DROPPED)


def is_overdue(measure: Measure, today: date) -> bool:
    """Tell whether a measure is late: not done in time, or its effect not checked in the month for it."""
    if measure.state is MeasureState.OPEN:
        return today > measure.due_on
    begins = check_from(measure)
    return begins is not None and today >= (begins + timedelta(days=32)).replace(day=1)


def _check_step(measure: Measure, step: MeasureStep) -> None:
    allowed = steps_of(measure)
    if step not in allowed:
        raise refuse(step.value, measure.state, allowed)
