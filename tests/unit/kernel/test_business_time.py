"""Opening hours with holidays and make-up days: domain.md §6.2."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from kernel.business_time import (
    SHANGHAI,
    CalendarYearMissing,
    DayKind,
    HolidayClosing,
    OpeningHours,
    ServiceHours,
    day_kind,
)
from kernel.holidays import WorkCalendar

pytestmark = pytest.mark.unit


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


@pytest.mark.parametrize(
    "day", ["2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"]
)
def test_make_up_days_of_2026(day: str) -> None:
    assert day_kind(date.fromisoformat(day)) is DayKind.MAKEUP_WORK


@pytest.mark.parametrize(
    "day", ["2026-01-01", "2026-02-15", "2026-02-23", "2026-06-19", "2026-09-25", "2026-10-07"]
)
def test_days_off_of_2026(day: str) -> None:
    assert day_kind(date.fromisoformat(day)) is DayKind.HOLIDAY


def test_ordinary_days() -> None:
    assert day_kind(date(2026, 3, 2)) is DayKind.WORK
    assert day_kind(date(2026, 3, 7)) is DayKind.WEEKEND


def test_a_year_without_a_notice_is_an_error() -> None:
    with pytest.raises(CalendarYearMissing):
        day_kind(date(2099, 1, 5))


def test_hours_of_a_day() -> None:
    hours = OpeningHours()
    assert not hours.is_open(at("2026-03-02T08:29:59"))
    assert hours.is_open(at("2026-03-02T08:30:00"))
    assert hours.is_open(at("2026-03-02T17:59:59"))
    closed = hours.at(at("2026-03-02T18:00:00"))
    assert (closed.open, closed.reason) == (False, "hours")
    assert closed.next_opening == at("2026-03-03T08:30:00")


def test_holiday_is_closed_until_the_first_day_after() -> None:
    found = OpeningHours().at(at("2026-10-03T10:00:00"))
    assert (found.open, found.reason, found.next_opening) == (False, "holiday", at("2026-10-04T08:30:00"))
    period = OpeningHours(closing=HolidayClosing.PERIOD)
    assert period.at(at("2026-10-03T10:00:00")).next_opening == at("2026-10-08T08:30:00")
    never = OpeningHours(closing=HolidayClosing.NEVER)
    assert never.is_open(at("2026-10-03T10:00:00"))


@pytest.mark.parametrize("closing", list(HolidayClosing))
def test_callers_are_told_somebody_is_there_exactly_when_the_service_clock_runs(
    closing: HolidayClosing,
) -> None:
    opening, service = OpeningHours(closing=closing), ServiceHours(closing=closing)
    day = date(2026, 9, 20)
    while day < date(2026, 10, 15):
        noon = datetime.combine(day, time(12), SHANGHAI)
        assert opening.is_open(noon) == bool(service.on(day, WorkCalendar())), day
        day += timedelta(days=1)


def test_holidays_by_law_are_known_before_the_notice() -> None:
    found = OpeningHours().at(at("2050-10-01T10:00:00"))
    assert (found.open, found.reason, found.calendar_known) == (False, "holiday", True)
    period = OpeningHours(closing=HolidayClosing.PERIOD)
    by_law, beside = period.at(at("2050-10-01T10:00:00")), period.at(at("2050-10-06T10:00:00"))
    assert (by_law.open, by_law.calendar_known) == (False, False)
    assert (beside.open, beside.calendar_known) == (True, False)


def test_day_without_hours() -> None:
    hours = OpeningHours(weekly={0: ((time(9), time(12)), (time(14), time(17)))})
    assert hours.at(at("2026-03-02T13:00:00")).next_opening == at("2026-03-02T14:00:00")
    assert hours.at(at("2026-03-03T10:00:00")).reason == "day"


def test_a_caller_in_an_unknown_year_is_answered_as_on_an_ordinary_day() -> None:
    found = OpeningHours().at(at("2099-01-05T10:00:00"))
    assert (found.open, found.calendar_known) == (True, False)


def test_always_open_is_open_on_holidays_and_at_night() -> None:
    hours = OpeningHours.always()
    assert hours.is_open(at("2026-10-03T03:00:00"))
    assert hours.is_open(at("2026-03-02T23:59:59"))
