"""Improvement measures (domain.md §1.15): owner, due, evidence, effect check in the next period."""

from datetime import date

import pytest

from crm.domain.improvement import (
    EffectUnknown,
    Measure,
    MeasureState,
    change,
    check,
    check_due,
    check_from,
    drop,
    is_overdue,
    report,
    steps_of,
)
from crm.domain.line_steps import SamePerson
from crm.domain.machine import IllegalStep
from kernel.errors import Invalid

pytestmark = pytest.mark.unit

SET = Measure(due_on=date(2026, 3, 20))
DONE = report(SET, "chen", date(2026, 3, 18))


def test_1_15_the_effect_is_checked_in_the_next_period() -> None:
    assert check_from(DONE) == date(2026, 4, 1)
    with pytest.raises(EffectUnknown):
        check(DONE, effective=True, by="shen", today=date(2026, 3, 31))
    assert check(DONE, effective=True, by="shen", today=date(2026, 4, 1)).state is MeasureState.EFFECTIVE
    late = report(SET, "chen", date(2026, 12, 31))
    assert check_from(late) == date(2027, 1, 1)
    assert check_from(SET) is None


def test_1_15_a_measure_without_effect_begins_again() -> None:
    again = check(DONE, effective=False, by="shen", today=date(2026, 4, 2), due_on=date(2026, 5, 1))
    assert again == Measure(due_on=date(2026, 5, 1), round=2)
    with pytest.raises(Invalid) as refused:
        check(DONE, effective=False, by="shen", today=date(2026, 4, 2))
    assert refused.value.field == "due_on"


def test_who_reported_does_not_check() -> None:
    with pytest.raises(SamePerson):
        check(DONE, effective=True, by="chen", today=date(2026, 4, 2))


def test_1_15_overdue_is_not_done_in_time_or_not_checked_in_its_month() -> None:
    assert not is_overdue(SET, date(2026, 3, 20))
    assert is_overdue(SET, date(2026, 3, 21))
    assert not is_overdue(DONE, date(2026, 4, 30))
    assert is_overdue(DONE, date(2026, 5, 1))
    assert not is_overdue(drop(SET), date(2027, 1, 1))


def test_a_due_date_lies_ahead_within_a_year_but_an_old_one_may_stay() -> None:
    today = date(2026, 3, 25)
    for wrong in (date(2026, 3, 24), date(2027, 3, 26)):
        with pytest.raises(Invalid):
            check_due(wrong, today)
        with pytest.raises(Invalid):
            change(SET, wrong, today)
    assert change(SET, SET.due_on, today) == SET
    assert change(SET, today, today).due_on == today


@pytest.mark.parametrize(
    "over", [drop(SET), drop(DONE), check(DONE, effective=True, by="x", today=date(2026, 5, 1))]
)
def test_what_is_over_stays_so(over: Measure) -> None:
    assert steps_of(over) == ()
    first = date(2026, 3, 1)
    with pytest.raises(IllegalStep):
        report(over, "x", first)
    with pytest.raises(IllegalStep):
        drop(over)
    with pytest.raises(IllegalStep):
        change(over, over.due_on, first)
    with pytest.raises(IllegalStep):
        check(over, effective=True, by="x", today=first)
