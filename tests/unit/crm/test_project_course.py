"""Stages of a project: the order note, what each stage asks for, corrections, suspension, hand-over."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from crm.domain.machine import IllegalStep
from crm.domain.payments import Entry, Period, check_payment, money, settled
from crm.domain.project import Stage
from crm.domain.stages import (
    Course,
    Delivery,
    Reach,
    appraise,
    correct,
    end,
    move_delivery,
    next_paid_stage,
    reach,
    resume,
    suspend,
)
from kernel.errors import Conflict, Invalid

pytestmark = pytest.mark.unit

DAY = date(2026, 3, 2)
SIGNED = Course(stage=Stage.REGISTERED, signed_on=date(2026, 1, 5))
CREWED = replace(SIGNED, stage=Stage.CREW_ASSIGNED, has_crew=True)
STARTED = replace(
    CREWED,
    stage=Stage.STARTED,
    started_on=date(2026, 2, 1),
    concealed_planned=date(2026, 2, 20),
    midterm_planned=date(2026, 3, 20),
    reached={Stage.STARTED: date(2026, 2, 1)},
)
DONE = replace(STARTED, stage=Stage.FINAL_PAID, finished_on=date(2026, 2, 25))


def step(stage: Stage, on: date = DAY, **more: object) -> Reach:
    return Reach(stage=stage, on=on, today=DAY, **more)  # type: ignore[arg-type]


def test_order_note_ranks_rise_though_codes_of_other_systems_do_not() -> None:
    order = [Stage.STARTED, Stage.CONCEALED, Stage.MIDTERM, Stage.MID_PAID, Stage.COMPLETED, Stage.FINAL_PAID]
    assert order == sorted(order)


def test_stage_only_moves_up() -> None:
    for stage in (Stage.REGISTERED, Stage.SIGNED, Stage.PROPOSAL):
        with pytest.raises(IllegalStep, match="only moves up"):
            reach(SIGNED, step(stage))
    assert reach(SIGNED, step(Stage.AWAIT_DISPATCH)).stage is Stage.AWAIT_DISPATCH


def test_P5_crew_is_required_from_35_on() -> None:
    for stage in (Stage.CREW_ASSIGNED, Stage.START_DATE):
        with pytest.raises(Invalid) as caught:
            reach(SIGNED, step(stage))
        assert caught.value.field == "crew_id"
        assert reach(replace(SIGNED, has_crew=True), step(stage)).stage is stage


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("concealed_planned", {"midterm_planned": DAY}),
        ("midterm_planned", {"concealed_planned": DAY}),
        ("concealed_planned", {"concealed_planned": DAY - timedelta(days=1), "midterm_planned": DAY}),
        ("midterm_planned", {"concealed_planned": DAY + timedelta(days=9), "midterm_planned": DAY}),
    ],
)
def test_P7_the_start_needs_both_planned_days(field: str, change: dict[str, date]) -> None:
    with pytest.raises(Invalid) as caught:
        reach(CREWED, step(Stage.STARTED, **change))
    assert caught.value.field == field


def test_P7_the_start_sets_the_days() -> None:
    later = DAY + timedelta(days=20)
    found = reach(CREWED, step(Stage.STARTED, concealed_planned=DAY, midterm_planned=later))
    assert (found.started_on, found.concealed_planned, found.midterm_planned) == (DAY, DAY, later)


def test_happened_on_is_not_in_the_future_and_in_order() -> None:
    with pytest.raises(Invalid) as caught:
        reach(STARTED, step(Stage.CONCEALED, DAY + timedelta(days=1)))
    assert caught.value.field == "happened_on"
    with pytest.raises(Invalid) as caught:
        reach(STARTED, step(Stage.CONCEALED, date(2026, 1, 31)))
    assert caught.value.field == "happened_on"


def test_actual_start_is_not_before_the_signing() -> None:
    days = {"concealed_planned": DAY, "midterm_planned": DAY}
    with pytest.raises(Invalid) as caught:
        reach(CREWED, step(Stage.STARTED, date(2026, 1, 4), **days))
    assert caught.value.field == "happened_on"


def test_later_stages_need_a_start_of_work() -> None:
    with pytest.raises(Invalid, match="start of work"):
        reach(CREWED, step(Stage.CONCEALED))


def test_P10_P12_paid_stages_come_from_payments() -> None:
    midterm = replace(STARTED, stage=Stage.MIDTERM)
    with pytest.raises(Invalid, match="finance"):
        reach(midterm, step(Stage.MID_PAID))
    paid_up = frozenset({Period.MID})
    assert reach(midterm, step(Stage.MID_PAID, settled=paid_up)).stage is Stage.MID_PAID
    assert next_paid_stage(midterm, paid_up) is Stage.MID_PAID
    assert next_paid_stage(midterm, frozenset({Period.FINAL})) is None
    assert (
        next_paid_stage(replace(STARTED, stage=Stage.COMPLETED), frozenset({Period.FINAL}))
        is Stage.FINAL_PAID
    )


def test_P13_no_delivery_without_a_successful_completion_callback() -> None:
    for state in (Delivery.NOT, Delivery.PREPARED, Delivery.FAILED, Delivery.MENDED):
        with pytest.raises(Invalid) as caught:
            reach(replace(DONE, delivery=state), step(Stage.DELIVERED))
        assert caught.value.field == "delivery_state"
    called = replace(DONE, delivery=Delivery.CALLED, appraised=True)
    found = reach(called, step(Stage.DELIVERED))
    assert (found.stage, found.delivery) == (Stage.DELIVERED, Delivery.DELIVERED)


def test_P13_no_delivery_before_the_appraisal_is_posted() -> None:
    called = replace(DONE, delivery=Delivery.CALLED)
    for stage in (Stage.DELIVERED, Stage.IN_WARRANTY):
        with pytest.raises(Invalid, match="manager may go without it, with a reason") as caught:
            reach(called, step(stage, warranty_until=DAY))
        assert caught.value.field == "appraisal"
    with pytest.raises(Invalid):
        appraise(replace(DONE, delivery=Delivery.PREPARED))
    posted = appraise(called)
    with pytest.raises(IllegalStep):
        appraise(posted)
    assert reach(posted, step(Stage.DELIVERED)).delivery is Delivery.DELIVERED
    handed = replace(DONE, stage=Stage.DELIVERED, delivery=Delivery.DELIVERED)
    assert reach(handed, step(Stage.IN_WARRANTY, warranty_until=DAY)).delivery is Delivery.DELIVERED, (
        "what was handed over before appraisals were asked for stays so"
    )
    assert not correct(replace(posted, finished_on=DAY), Stage.STARTED).appraised


def test_hand_over_states_lead_where_the_chart_says() -> None:
    chart = {"N": "S", "S": "NXY", "X": "ST", "T": "S", "Y": "", "W": ""}
    for state in Delivery:
        for to in Delivery:
            course = replace(DONE, delivery=state)
            if to.value in chart[state.value]:
                assert move_delivery(course, to).delivery is to
            else:
                with pytest.raises(IllegalStep):
                    move_delivery(course, to)
    with pytest.raises(IllegalStep):
        move_delivery(STARTED, Delivery.PREPARED)


def test_P14_P15_warranty_has_an_end_that_must_pass() -> None:
    handed = replace(DONE, stage=Stage.DELIVERED, delivery=Delivery.DELIVERED)
    with pytest.raises(Invalid) as caught:
        reach(handed, step(Stage.IN_WARRANTY))
    assert caught.value.field == "warranty_until"
    found = reach(handed, step(Stage.IN_WARRANTY, warranty_until=DAY))
    with pytest.raises(Invalid):
        reach(found, step(Stage.OUT_OF_WARRANTY))
    tomorrow = DAY + timedelta(days=1)
    over = Reach(stage=Stage.OUT_OF_WARRANTY, on=tomorrow, today=tomorrow)
    assert reach(found, over).stage is Stage.OUT_OF_WARRANTY


def test_correction_takes_back_what_later_stages_brought() -> None:
    found = correct(replace(DONE, delivery=Delivery.CALLED), Stage.CREW_ASSIGNED)
    assert found == replace(CREWED, stage_before=None, delivery=Delivery.NOT, reached={}), (
        "start, planned days, completion and hand-over are gone; signing and crew stay"
    )
    handed = replace(DONE, stage=Stage.DELIVERED, delivery=Delivery.DELIVERED)
    assert correct(handed, Stage.FINAL_PAID).delivery is Delivery.CALLED
    for wrong in (Stage.DELIVERED, Stage.IN_WARRANTY, Stage.CANCELLED):
        with pytest.raises(IllegalStep):
            correct(handed, wrong)


def test_PS_suspended_work_stands_still_and_goes_on_where_it_stood() -> None:
    still = suspend(STARTED, on=DAY, today=DAY)
    assert (still.stage, still.rank) == (Stage.SUSPENDED, Stage.STARTED)
    with pytest.raises(IllegalStep):
        reach(still, step(Stage.CONCEALED))
    with pytest.raises(IllegalStep):
        suspend(still, on=DAY, today=DAY)
    with pytest.raises(IllegalStep):
        correct(still, Stage.SIGNED)
    with pytest.raises(Invalid):
        resume(still, on=DAY - timedelta(days=1), today=DAY)
    assert resume(still, on=DAY, today=DAY) == STARTED


def test_PX_an_ended_project_moves_no_more_until_it_is_corrected() -> None:
    gone = end(STARTED, Stage.CANCELLED)
    attempts: tuple[Callable[[], Course], ...] = (
        lambda: reach(gone, step(Stage.CONCEALED)),
        lambda: suspend(gone, on=DAY, today=DAY),
        lambda: end(gone, Stage.TERMINATED),
    )
    for call in attempts:
        with pytest.raises(IllegalStep):
            call()
    assert correct(gone, Stage.STARTED) == STARTED
    with pytest.raises(IllegalStep):
        end(replace(DONE, stage=Stage.DELIVERED), Stage.CANCELLED)


def test_payment_total_is_never_more_than_amount_and_changes() -> None:
    entries = [Entry(period=Period.FIRST, amount=money("60000", field="amount"))]
    limit = money("100000", field="amount")
    check_payment(entries, money("40000.00", field="amount"), limit)
    for wrong in ("40000.01", "0"):
        with pytest.raises(Invalid) as caught:
            check_payment(entries, money(wrong, field="amount"), limit)
        assert caught.value.field == "amount"
    with pytest.raises(Conflict):
        check_payment([], limit, None)


@pytest.mark.parametrize("raw", ["1.234", "-1", "NaN", "1e3x", "", "Infinity", "99999999999"])
def test_money_is_refused_when_it_is_none(raw: str) -> None:
    with pytest.raises(Invalid) as caught:
        money(raw, field="due")
    assert caught.value.field == "due"


def test_money_reads_what_people_write() -> None:
    assert [str(money(raw, field="x")) for raw in ("12,800.5", " 7 ", "¥3", 1.1)] == [
        "12800.50",
        "7.00",
        "3.00",
        "1.10",
    ]


def test_a_period_is_settled_when_its_due_is_there() -> None:
    def entry(amount: str, due: str | None = None, **more: bool) -> Entry:
        return Entry(
            period=Period.MID,
            amount=money(amount, field="a") if amount[0] != "-" else -money(amount[1:], field="a"),
            due=money(due, field="d") if due else None,
            **more,
        )

    assert settled([entry("10", "30")]) == frozenset()
    assert settled([entry("10", "30"), entry("20")]) == {Period.MID}
    assert settled([entry("10")]) == {Period.MID}
    assert settled([entry("30", "30", reversed=True), entry("-30")]) == frozenset()
