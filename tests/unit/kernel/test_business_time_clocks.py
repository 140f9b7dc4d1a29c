"""The three clocks, NAT, SVC and WD, and the calendar under them: domain.md §0, §1.3, §6.2."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.business_time import IN_DAYS, SHANGHAI, BusinessClocks, ClockKind, HolidayClosing, ServiceHours
from kernel.errors import ConfigurationError, Invalid
from kernel.holidays import (
    CalendarDay,
    CalendarKind,
    CalendarYearMissing,
    WorkCalendar,
    statutory_holidays,
)

pytestmark = pytest.mark.unit

NAT, SVC, WD = ClockKind.NAT, ClockKind.SVC, ClockKind.WD
CLOCKS = BusinessClocks()
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def local(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%a %m-%d %H:%M")


# The worked example of §1.3 (set A, SVC 08:30–18:00); Friday is 20 March 2026.


def test_worked_example_registered_friday_1630_T1_due_saturday_1000() -> None:
    assert local(CLOCKS.add(SVC, at("2026-03-20T16:30"), 3 * HOUR)) == "Sat 03-21 10:00"


def test_worked_example_signed_saturday_0910_T2_due_sunday_0910() -> None:
    assert local(CLOCKS.add(NAT, at("2026-03-21T09:10"), 24 * HOUR)) == "Sun 03-22 09:10"


def test_worked_example_called_saturday_1500_T3_due_sunday_1500() -> None:
    assert local(CLOCKS.add(NAT, at("2026-03-21T15:00"), 24 * HOUR)) == "Sun 03-22 15:00"


def test_worked_example_visit_ends_monday_1200_T4_due_wednesday_1200() -> None:
    assert local(CLOCKS.add(NAT, at("2026-03-23T12:00"), 48 * HOUR)) == "Wed 03-25 12:00"


# The check values of §6.2.


def test_two_working_days_from_friday_13_february_2026_end_tuesday_24_february() -> None:
    start = at("2026-02-13T10:00")
    assert local(CLOCKS.add(WD, start, DAY)) == "Sat 02-14 18:00"
    assert local(CLOCKS.add(WD, start, 2 * DAY)) == "Tue 02-24 18:00"


def test_two_working_days_from_friday_18_september_2026_end_monday_21_september() -> None:
    start = at("2026-09-18T17:59")
    assert local(CLOCKS.add(WD, start, DAY)) == "Sun 09-20 18:00"
    assert local(CLOCKS.add(WD, start, 2 * DAY)) == "Mon 09-21 18:00"


def test_two_working_days_from_wednesday_30_september_2026_end_friday_9_october() -> None:
    start = at("2026-09-30T08:00")
    assert local(CLOCKS.add(WD, start, DAY)) == "Thu 10-08 18:00"
    assert local(CLOCKS.add(WD, start, 2 * DAY)) == "Fri 10-09 18:00"


def test_two_working_days_from_thursday_8_october_2026_end_saturday_10_october() -> None:
    start = at("2026-10-08T23:00")
    assert local(CLOCKS.add(WD, start, DAY)) == "Fri 10-09 18:00"
    assert local(CLOCKS.add(WD, start, 2 * DAY)) == "Sat 10-10 18:00"


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-01-01", "2026-01-03"),
        ("2026-02-15", "2026-02-23"),
        ("2026-04-04", "2026-04-06"),
        ("2026-05-01", "2026-05-05"),
        ("2026-06-19", "2026-06-21"),
        ("2026-09-25", "2026-09-27"),
        ("2026-10-01", "2026-10-07"),
    ],
)
def test_days_off_of_2026(first: str, last: str) -> None:
    day = date.fromisoformat(first)
    while day <= date.fromisoformat(last):
        assert not WorkCalendar().is_working(day)
        assert WorkCalendar().day(day).name
        day += DAY


@pytest.mark.parametrize(
    "day", ["2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"]
)
def test_make_up_working_days_of_2026(day: str) -> None:
    assert WorkCalendar().day(date.fromisoformat(day)).kind is CalendarKind.MAKEUP_WORK


def test_holidays_by_law_since_2025_are_thirteen_days() -> None:
    days = statutory_holidays(2026)
    assert len(days) == 13
    assert [f"{day:%m-%d}" for day in sorted(days)] == [
        *("01-01", "02-16", "02-17", "02-18", "02-19", "04-05", "05-01", "05-02", "06-19", "09-25"),
        *("10-01", "10-02", "10-03"),
    ]
    assert len(statutory_holidays(2024)) == 11
    # National Day and Mid-Autumn of 2025 are days of one holiday, each by itself.
    assert statutory_holidays(2025)[date(2025, 10, 6)] == "中秋节"


# The service clock.


def test_SVC_stands_still_at_night() -> None:
    assert local(CLOCKS.add(SVC, at("2026-03-20T20:00"), 3 * HOUR)) == "Sat 03-21 11:30"
    assert local(CLOCKS.add(SVC, at("2026-03-20T03:00"), 3 * HOUR)) == "Fri 03-20 11:30"


def test_SVC_runs_on_all_seven_days() -> None:
    assert local(CLOCKS.add(SVC, at("2026-03-22T10:00"), 3 * HOUR)) == "Sun 03-22 13:00"


def test_SVC_ends_at_closing_rather_than_at_the_next_opening() -> None:
    assert local(CLOCKS.add(SVC, at("2026-03-20T15:00"), 3 * HOUR)) == "Fri 03-20 18:00"


def test_SVC_is_closed_on_statutory_holidays_proper() -> None:
    # Wed 30 Sep 17:00: one hour that day; 1 to 3 October are the holidays by law.
    assert local(CLOCKS.add(SVC, at("2026-09-30T17:00"), 3 * HOUR)) == "Sun 10-04 10:30"


def test_SVC_runs_on_days_moved_next_to_a_holiday_unless_set_otherwise() -> None:
    start = at("2026-10-06T09:00")
    assert local(CLOCKS.add(SVC, start, 3 * HOUR)) == "Tue 10-06 12:00"
    whole = BusinessClocks(ServiceHours(closing=HolidayClosing.PERIOD))
    assert local(whole.add(SVC, start, 3 * HOUR)) == "Thu 10-08 11:30"
    never = BusinessClocks(ServiceHours(closing=HolidayClosing.NEVER))
    assert local(never.add(SVC, at("2026-10-01T09:00"), 3 * HOUR)) == "Thu 10-01 12:00"


def test_SVC_with_a_noon_break_and_without_sundays() -> None:
    clocks = BusinessClocks(ServiceHours.parse("08:30-12:00,13:30-18:00", "123456"))
    assert local(clocks.add(SVC, at("2026-03-20T11:00"), 3 * HOUR)) == "Fri 03-20 15:30"
    assert local(clocks.add(SVC, at("2026-03-21T17:00"), 3 * HOUR)) == "Mon 03-23 10:30"
    # Sunday 20 September is a make-up working day.
    assert local(clocks.add(SVC, at("2026-09-19T17:00"), 3 * HOUR)) == "Sun 09-20 10:30"


def test_SVC_round_the_clock() -> None:
    clocks = BusinessClocks(ServiceHours.parse("00:00-24:00", closing=HolidayClosing.NEVER))
    start = at("2026-03-20T23:00")
    assert clocks.add(SVC, start, 3 * HOUR) == start + 3 * HOUR
    assert clocks.elapsed(SVC, start, start + 50 * HOUR) == 50 * HOUR


def test_a_zone_with_summer_time_counts_hours_that_pass() -> None:
    zone = ZoneInfo("Europe/Berlin")
    clocks = BusinessClocks(
        ServiceHours(spans=((time.min, time.min),), closing=HolidayClosing.NEVER, zone=zone)
    )
    start = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
    assert clocks.elapsed(SVC, start, start + 23 * HOUR) == 23 * HOUR
    assert clocks.add(SVC, start, 23 * HOUR) == start + 23 * HOUR


@pytest.mark.parametrize(
    ("spans", "days"),
    [("8-18", "1"), ("18:00-08:30", "1"), ("08:30-12:00,11:00-18:00", "1"), ("08:30-18:00", "8"), ("", "1")],
)
def test_service_hours_that_cannot_be_are_refused(spans: str, days: str) -> None:
    with pytest.raises(Invalid, match="service hours"):
        ServiceHours.parse(spans, days)


# Shares on each clock.


def test_half_of_three_service_hours_over_a_night_is_half_on_that_clock() -> None:
    start = at("2026-03-20T17:00")
    assert local(CLOCKS.add(SVC, start, 3 * HOUR * 0.5)) == "Sat 03-21 09:00"
    assert CLOCKS.elapsed(SVC, start, at("2026-03-21T09:00")) == 1.5 * HOUR


def test_half_of_two_working_days_is_the_end_of_the_first() -> None:
    start = at("2026-02-13T10:00")
    assert local(CLOCKS.add(WD, start, DAY * 2 * 0.5)) == "Sat 02-14 18:00"
    assert local(CLOCKS.add(WD, start, DAY * 2 * 0.8)) == "Tue 02-24 14:12"
    assert CLOCKS.elapsed(WD, start, at("2026-02-20T12:00")) == DAY
    assert CLOCKS.elapsed(WD, start, at("2026-02-13T18:00")) == timedelta(0)


# Years and overrides.


def test_an_unknown_year_is_an_error_on_SVC_and_WD_and_says_what_to_do() -> None:
    for clock in (SVC, WD):
        with pytest.raises(CalendarYearMissing, match="2099 is not loaded: load the State Council's notice"):
            CLOCKS.add(clock, at("2099-03-02T10:00"), DAY)
    assert CLOCKS.add(NAT, at("2099-03-02T10:00"), DAY) == at("2099-03-03T10:00")


def test_a_deadline_before_the_unknown_year_is_no_error() -> None:
    last = max(year for year in range(2026, 2060) if WorkCalendar().knows(year))
    assert CLOCKS.add(SVC, at(f"{last}-12-30T09:00"), 3 * HOUR) == at(f"{last}-12-30T12:00")
    with pytest.raises(CalendarYearMissing):
        CLOCKS.add(SVC, at(f"{last}-12-31T17:00"), 3 * HOUR)


def test_overrides_outweigh_the_library_and_fill_a_loaded_year() -> None:
    party = CalendarDay(date=date(2026, 3, 6), kind=CalendarKind.OFF, name="年会", source="公司通知")
    new_year = CalendarDay(date=date(2098, 1, 1), kind=CalendarKind.HOLIDAY, name="元旦", source="通知")
    calendar = WorkCalendar([party, new_year], years=[2098])
    clocks = BusinessClocks(calendar=calendar)
    assert local(clocks.add(WD, at("2026-03-05T10:00"), DAY)) == "Mon 03-09 18:00"
    assert calendar.day(date(2098, 1, 1)).kind is CalendarKind.HOLIDAY
    assert calendar.day(date(2098, 1, 4)).kind is CalendarKind.OFF  # a Saturday
    assert calendar.is_working(date(2098, 1, 6))
    assert calendar.knows(2098) and not calendar.knows(2099)


def test_one_override_does_not_make_a_year_known() -> None:
    day = CalendarDay(date=date(2098, 3, 6), kind=CalendarKind.OFF)
    calendar = WorkCalendar([day])
    assert not calendar.is_working(date(2098, 3, 6))
    with pytest.raises(CalendarYearMissing):
        calendar.day(date(2098, 3, 7))


def test_a_calendar_without_a_working_day_ends_with_an_error() -> None:
    first = date(2026, 1, 1)
    days = [
        CalendarDay(date=first + timedelta(days=n), kind=CalendarKind.HOLIDAY, name="放假")
        for n in range(900)
    ]
    clocks = BusinessClocks(calendar=WorkCalendar(days, years=[2026, 2027, 2028]))
    for clock in (SVC, WD):
        with pytest.raises(ConfigurationError):
            clocks.add(clock, at("2026-01-01T10:00"), 3 * HOUR)


# Properties, over the years that are loaded.

moments = st.datetimes(datetime(2024, 1, 2), datetime(2026, 10, 1)).map(lambda d: d.replace(tzinfo=UTC))
lengths = st.integers(0, 72 * 3600).map(lambda seconds: timedelta(seconds=seconds))
whole_days = st.integers(0, 8).map(lambda days: timedelta(days=days))
fractions = st.floats(0, 5).map(lambda days: timedelta(days=days))
hours_of = st.sampled_from(
    [
        ServiceHours(),
        ServiceHours.parse("08:30-12:00,13:30-18:00", "123456"),
        ServiceHours.parse("00:00-24:00"),
        ServiceHours(closing=HolidayClosing.PERIOD),
        ServiceHours(zone=ZoneInfo("Asia/Urumqi")),
    ]
)


@given(hours_of, moments, lengths)
@settings(max_examples=150, deadline=None)
def test_an_SVC_deadline_is_always_inside_service_hours(
    hours: ServiceHours, start: datetime, length: timedelta
) -> None:
    clocks = BusinessClocks(hours)
    end = clocks.add(SVC, start, length)
    day = end.astimezone(hours.zone).date()
    spans = [*hours.on(day, clocks.calendar), *hours.on(day - DAY, clocks.calendar)]
    assert any(opens <= end <= closes for opens, closes in spans)
    assert end >= start


@given(hours_of, moments, lengths, lengths)
@settings(max_examples=150, deadline=None)
def test_SVC_is_additive_and_monotone(
    hours: ServiceHours, start: datetime, first: timedelta, second: timedelta
) -> None:
    clocks = BusinessClocks(hours)
    middle = clocks.add(SVC, start, first)
    assert clocks.add(SVC, middle, second) == clocks.add(SVC, start, first + second)
    assert clocks.add(SVC, start, max(first, second)) >= clocks.add(SVC, start, min(first, second))
    assert clocks.add(SVC, start + second, first) >= middle


@given(st.sampled_from(ClockKind), moments, fractions)
@settings(max_examples=200, deadline=None)
def test_what_was_added_has_elapsed(clock: ClockKind, start: datetime, length: timedelta) -> None:
    if clock is ClockKind.SD:
        # A day of service may have a second left: a part of it is not measured in microseconds.
        length -= length % timedelta(days=1)
    end = CLOCKS.add(clock, start, length)
    assert abs(CLOCKS.elapsed(clock, start, end) - length) <= timedelta(microseconds=5)


@given(moments, whole_days, whole_days)
@settings(max_examples=150, deadline=None)
def test_WD_is_additive_and_ends_at_1800_of_a_working_day(
    start: datetime, first: timedelta, second: timedelta
) -> None:
    end = CLOCKS.add(WD, start, first + second)
    assert CLOCKS.add(WD, CLOCKS.add(WD, start, first), second) == end
    if first + second:
        there = end.astimezone(SHANGHAI)
        assert there.time() == time(18)
        assert CLOCKS.calendar.is_working(there.date())
        assert there.date() > start.astimezone(SHANGHAI).date()


@given(st.sampled_from(ClockKind), moments, lengths, lengths)
@settings(max_examples=150, deadline=None)
def test_elapsed_never_goes_back(
    clock: ClockKind, start: datetime, first: timedelta, second: timedelta
) -> None:
    earlier, later = sorted((start + first, start + second))
    passed = CLOCKS.elapsed(clock, start, earlier)
    assert timedelta(0) <= passed <= CLOCKS.elapsed(clock, start, later)
    if clock not in IN_DAYS:
        assert passed <= earlier - start
