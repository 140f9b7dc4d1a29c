"""Who is on duty against calls and cases by the hour (domain.md §2.2)."""

from datetime import date, datetime, time

import pytest

from crm.domain.duty import Shift
from crm.duty import DutyPerson, ShiftView
from kernel.business_time import SHANGHAI
from web.staffing import by_hour

pytestmark = pytest.mark.unit

DAY = date(2026, 3, 10)


def at(hour: int, minute: int = 0) -> datetime:
    return datetime.combine(DAY, time(hour, minute), SHANGHAI)


def shift(kind: Shift, many: int) -> ShiftView:
    people = tuple(DutyPerson(user_id=f"u{n}", name=f"员工{n}") for n in range(many))
    return ShiftView(day=DAY, shift=kind, people=people, version=1)


def test_2_2_calls_and_cases_for_each_hour_of_somebody_on_duty() -> None:
    shifts = [shift(Shift.EARLY, 2), shift(Shift.LATE, 1)]
    hours = {
        one.hour: one
        for one in by_hour([DAY], shifts, [at(9), at(9, 59), at(13), at(22)], [at(9, 30), at(8)], SHANGHAI)
    }
    assert (hours[9].calls, hours[9].cases, hours[9].on_duty, hours[9].load) == (2, 1, 2, 1.5)
    assert (hours[8].on_duty, hours[8].load) == (1, 1.0), "the early shift begins at half past eight"
    assert hours[13].on_duty == 2, "half an hour of two, and one"
    assert (hours[22].calls, hours[22].load) == (1, None), "nobody was there"
    assert 3 not in hours


def test_people_are_an_average_over_the_days() -> None:
    hours = by_hour([DAY, date(2026, 3, 11)], [shift(Shift.EARLY, 3)], [at(9)] * 6, [], SHANGHAI)
    nine = next(one for one in hours if one.hour == 9)
    assert (nine.on_duty, nine.load) == (1.5, 2.0)
