"""How a project moves through its stages: only up, in order of time, with what each stage asks for.

domain.md §1.1 (states, delivery), §4.1 (constraints), §4.3 (ranks). A step down is a correction, made by the
manager with a reason; it takes back what the later stages brought.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from crm.domain.machine import IllegalStep, refuse
from crm.domain.payments import Period
from crm.domain.project import Stage
from kernel.errors import Invalid

ENDED = frozenset({Stage.CANCELLED, Stage.TERMINATED})
PAID_STAGES = {Stage.MID_PAID: Period.MID, Stage.FINAL_PAID: Period.FINAL}
"""Stages that finance enters by posting a payment (P10, P12)."""


class Delivery(StrEnum):
    """How far the hand-over is 交付状态 (domain.md §1.1, G1 hand-over states)."""

    NOT = "N"
    PREPARED = "S"
    CALLED = "Y"
    DELIVERED = "W"
    FAILED = "X"
    MENDED = "T"


DELIVERY_STEPS: Mapping[Delivery, frozenset[Delivery]] = {
    Delivery.NOT: frozenset({Delivery.PREPARED}),
    Delivery.PREPARED: frozenset({Delivery.CALLED, Delivery.FAILED, Delivery.NOT}),
    Delivery.FAILED: frozenset({Delivery.MENDED, Delivery.PREPARED}),
    Delivery.MENDED: frozenset({Delivery.PREPARED}),
    Delivery.CALLED: frozenset({Delivery.DELIVERED}),
    Delivery.DELIVERED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where a project stands, as far as the rules need to know.

    Attributes:
        stage_before: where it stood when it was suspended or ended.
        reached: the stages registered and not voided, with their days.
        appraised: the project's appraisal is posted, or the manager goes without it.
        suspended_on: first day of the suspension that lasts.
    """

    stage: Stage
    stage_before: Stage | None = None
    has_crew: bool = False
    signed_on: date | None = None
    started_on: date | None = None
    finished_on: date | None = None
    concealed_planned: date | None = None
    midterm_planned: date | None = None
    warranty_until: date | None = None
    delivery: Delivery = Delivery.NOT
    appraised: bool = False
    suspended_on: date | None = None
    reached: Mapping[Stage, date] = field(default_factory=dict)

    @property
    def rank(self) -> Stage:
        """How far the work got, also where it stands still."""
        return self.stage_before if self.stage < 0 and self.stage_before is not None else self.stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A stage to register.

    Attributes:
        settled: the payments that are there in full.
    """

    stage: Stage
    on: date
    today: date
    concealed_planned: date | None = None
    midterm_planned: date | None = None
    warranty_until: date | None = None
    settled: frozenset[Period] = frozenset()


def reach(course: Course, step: Reach) -> Course:
    """Return the project after a stage was registered.

    Raises:
        IllegalStep: the stage is not above the present one, or the project stands still.
        Invalid: a day is out of order, or the stage asks for what is missing.
    """
    stage = step.stage
    if course.stage < 0:
        raise refuse_stage(stage, course.stage, "resume or correct it first")
    if stage < 0:
        raise Invalid("suspend, cancel or terminate the project instead", field="stage")
    if stage <= course.stage:
        raise refuse_stage(stage, course.stage, "a stage only moves up; the manager may correct it")
    _check_day(course, step)
    if stage >= Stage.CREW_ASSIGNED and not course.has_crew:
        raise Invalid("a crew is required from this stage on", field="crew_id")
    if stage > Stage.STARTED and course.started_on is None:
        raise Invalid("register the start of work first", field="stage")
    changed = replace(course, stage=stage, reached={**course.reached, stage: step.on})
    match stage:
        case Stage.SIGNED:
            return replace(changed, signed_on=course.signed_on or step.on)
        case Stage.STARTED:
            return _started(changed, step)
        case Stage.MID_PAID | Stage.FINAL_PAID:
            if PAID_STAGES[stage] not in step.settled:
                raise Invalid("finance enters this stage by posting the payment", field="stage")
            return changed
        case Stage.COMPLETED:
            return replace(changed, finished_on=step.on)
        case Stage.DELIVERED:
            return replace(changed, delivery=_delivered(course))
        case Stage.IN_WARRANTY:
            until = step.warranty_until or course.warranty_until
            if until is None or until < step.on:
                raise Invalid("say until when the warranty lasts", field="warranty_until")
            return replace(changed, warranty_until=until, delivery=_delivered(course))
        case Stage.OUT_OF_WARRANTY:
            if course.warranty_until is None or course.warranty_until >= step.on:
                raise Invalid("the warranty has not run out", field="stage")
            return replace(changed, delivery=_delivered(course))
    return changed


def _check_day(course: Course, step: Reach) -> None:
    if step.on > step.today:
        raise Invalid("happened_on is in the future", field="happened_on")
    before = [day for stage, day in course.reached.items() if stage < step.stage]
    if course.signed_on is not None and step.stage > Stage.SIGNED:
        before.append(course.signed_on)
    if course.started_on is not None and step.stage > Stage.STARTED:
        before.append(course.started_on)
    if course.finished_on is not None and step.stage > Stage.COMPLETED:
        before.append(course.finished_on)
    if before and step.on < max(before):
        raise Invalid(f"not before {max(before)}, when an earlier stage was reached", field="happened_on")


def _started(course: Course, step: Reach) -> Course:
    concealed = step.concealed_planned or course.concealed_planned
    midterm = step.midterm_planned or course.midterm_planned
    if concealed is None:
        raise Invalid(
            "the start of work needs the planned day of the concealed works", field="concealed_planned"
        )
    if midterm is None:
        raise Invalid(
            "the start of work needs the planned day of the mid-term inspection", field="midterm_planned"
        )
    if concealed < step.on:
        raise Invalid("planned before the start of work", field="concealed_planned")
    if midterm < concealed:
        raise Invalid("planned before the concealed works", field="midterm_planned")
    return replace(course, started_on=step.on, concealed_planned=concealed, midterm_planned=midterm)


def _delivered(course: Course) -> Delivery:
    """P13: no hand-over without a successful completion callback and the appraisal that follows it."""
    if course.delivery is Delivery.DELIVERED:
        return Delivery.DELIVERED
    if course.delivery is not Delivery.CALLED:
        raise Invalid("delivery is refused without a successful completion callback", field="delivery_state")
    if not course.appraised:
        raise Invalid(
            "post the project's appraisal first; the manager may go without it, with a reason",
            field="appraisal",
        )
    return Delivery.DELIVERED


def appraise(course: Course) -> Course:
    """Return the project with its appraisal posted, which the completion callback's result goes into.

    Raises:
        Invalid: the callback has not passed.
        IllegalStep: it is posted already.
    """
    if course.delivery not in {Delivery.CALLED, Delivery.DELIVERED}:
        raise Invalid("the appraisal comes after a successful completion callback", field="delivery_state")
    if course.appraised:
        raise IllegalStep("the appraisal is posted already", field="appraisal")
    return replace(course, appraised=True)


def correct(course: Course, stage: Stage) -> Course:
    """Return the project taken back to ``stage``; what later stages brought is gone.

    Raises:
        IllegalStep: the stage is not below the present one, or the project is suspended.
    """
    if course.stage is Stage.SUSPENDED and course.stage_before is not None:
        raise refuse_stage(stage, course.stage, "resume it first")
    highest = course.rank if course.rank > 0 else Stage.OUT_OF_WARRANTY
    if stage < 0 or stage > highest or stage == course.stage:
        raise refuse_stage(stage, course.rank, "a correction goes down; register a later stage instead")
    found = replace(
        course,
        stage=stage,
        stage_before=None,
        reached={known: day for known, day in course.reached.items() if known <= stage},
    )
    if stage < Stage.SIGNED:
        found = replace(found, signed_on=None)
    if stage < Stage.STARTED:
        found = replace(found, started_on=None, concealed_planned=None, midterm_planned=None)
    if stage < Stage.COMPLETED:
        found = replace(found, finished_on=None, delivery=Delivery.NOT, appraised=False)
    if stage < Stage.DELIVERED and found.delivery is Delivery.DELIVERED:
        found = replace(found, delivery=Delivery.CALLED)
    return found


def suspend(course: Course, *, on: date, today: date) -> Course:
    """Return the project standing still since ``on`` 停工.

    Raises:
        IllegalStep: it stands still already, or was handed over.
        Invalid: the day is in the future.
    """
    if course.stage < 0 or course.stage >= Stage.DELIVERED:
        raise refuse_stage(Stage.SUSPENDED, course.stage, "only running work can be suspended")
    if on > today:
        raise Invalid("the day is in the future", field="since")
    return replace(course, stage=Stage.SUSPENDED, stage_before=course.stage, suspended_on=on)


def resume(course: Course, *, on: date, today: date) -> Course:
    """Return the project going on where it stood.

    Raises:
        IllegalStep: it is not suspended.
        Invalid: the day is in the future, or before the suspension.
    """
    if course.stage is not Stage.SUSPENDED or course.stage_before is None:
        raise refuse_stage(course.rank, course.stage, "it is not suspended, or nobody knows from where")
    if on > today:
        raise Invalid("the day is in the future", field="until")
    if course.suspended_on is not None and on < course.suspended_on:
        raise Invalid("before the day of the suspension", field="until")
    return replace(course, stage=course.rank, stage_before=None, suspended_on=None)


def end(course: Course, stage: Stage) -> Course:
    """Return the project cancelled 退单 or its contract terminated 合同异常终止.

    Raises:
        IllegalStep: it has ended already, or was handed over.
    """
    if course.stage in ENDED or course.rank >= Stage.DELIVERED:
        raise refuse_stage(stage, course.stage, "only a project that is not handed over can end like this")
    return replace(course, stage=stage, stage_before=course.rank, suspended_on=None)


def move_delivery(course: Course, to: Delivery) -> Course:
    """Return the project with the next state of its hand-over; handing over itself is :func:`reach`.

    Raises:
        IllegalStep: the state does not lead there, or the work is not complete.
    """
    if course.stage < Stage.COMPLETED:
        raise refuse_stage(Stage.DELIVERED, course.stage, "the work is not complete", field="delivery_state")
    allowed = DELIVERY_STEPS[course.delivery] - {Delivery.DELIVERED}
    if to not in allowed:
        raise refuse(to.value, course.delivery, allowed, field="delivery_state")
    return replace(course, delivery=to)


def next_paid_stage(course: Course, settled: frozenset[Period]) -> Stage | None:
    """Return the stage that a payment in full brings at once: mid-term after 70, final after 80."""
    for stage, after in ((Stage.MID_PAID, Stage.MIDTERM), (Stage.FINAL_PAID, Stage.COMPLETED)):
        if course.stage == after and PAID_STAGES[stage] in settled:
            return stage
    return None


def refuse_stage(step: Stage, now: Stage, why: str, *, field: str = "stage") -> IllegalStep:
    """Return the error for a stage that cannot follow; it lists the stages above the present one."""
    above = ", ".join(str(int(stage)) for stage in Stage if stage > now) if now > 0 else "none"
    return IllegalStep(
        f"stage {int(step)} is not possible from {int(now)}: {why} (above it: {above})", field=field
    )
