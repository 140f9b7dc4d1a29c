"""Duty roster and patrol twice a day (domain.md §1.13)."""

from datetime import date, datetime, time, timedelta

import pytest

from crm.domain.duty import (
    PatrolOutOfTime,
    PatrolSlot,
    Shift,
    check_patrol,
    check_roster_day,
    is_on,
    missing,
    shift_span,
)
from kernel.business_time import SHANGHAI
from kernel.errors import Invalid

pytestmark = pytest.mark.unit

DAY = date(2026, 3, 10)
BOTH = (PatrolSlot.MORNING, PatrolSlot.AFTERNOON)


def at(hour: int, minute: int = 0) -> datetime:
    return datetime.combine(DAY, time(hour, minute), SHANGHAI)


def test_1_13_patrol_twice_a_day_is_missed_once_its_slot_is_over() -> None:
    assert missing(DAY, (), at(12), SHANGHAI) == ()
    assert missing(DAY, (), at(12, 1), SHANGHAI) == (PatrolSlot.MORNING,)
    assert missing(DAY, (), at(18, 1), SHANGHAI) == BOTH
    assert missing(DAY, (PatrolSlot.MORNING,), at(18, 1), SHANGHAI) == (PatrolSlot.AFTERNOON,)
    assert missing(DAY, BOTH, at(23), SHANGHAI) == ()


def test_a_patrol_begins_with_its_slot_and_may_be_written_down_late() -> None:
    with pytest.raises(PatrolOutOfTime):
        check_patrol(PatrolSlot.AFTERNOON, at(11, 59), SHANGHAI)
    assert not check_patrol(PatrolSlot.AFTERNOON, at(12), SHANGHAI)
    assert check_patrol(PatrolSlot.MORNING, at(15), SHANGHAI)


def test_the_roster_is_not_written_for_days_gone_by_or_too_far_ahead() -> None:
    check_roster_day(DAY, DAY)
    for wrong in (DAY - timedelta(days=1), DAY + timedelta(days=93)):
        with pytest.raises(Invalid):
            check_roster_day(wrong, DAY)


def test_the_night_shift_ends_on_the_next_morning() -> None:
    assert shift_span(DAY, Shift.NIGHT, SHANGHAI)[1].date() == DAY + timedelta(days=1)
    assert is_on(DAY, Shift.NIGHT, at(23), SHANGHAI) == 1
    assert is_on(DAY, Shift.EARLY, at(8), SHANGHAI) == 0.5
    assert is_on(DAY, Shift.EARLY, at(14), SHANGHAI) == 0
