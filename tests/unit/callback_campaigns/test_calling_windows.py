"""Every check value of domain.md §6.1 and §6.2 that says when somebody may be called."""

from datetime import time, timedelta

import pytest

from callback_campaigns.domain.windows import (
    CallingRules,
    CallingWindows,
    CallWish,
    Closed,
    Occasion,
    Span,
    common,
)
from crm.domain.customer import Level
from kernel.business_time import HolidayClosing
from kernel.holidays import CalendarYearMissing
from tests.unit.callback_campaigns.times import at, local

pytestmark = pytest.mark.unit

WINDOWS = CallingWindows()
ROUTINE = CallWish()
REQUESTED = CallWish(occasion=Occasion.REQUESTED)
APPOINTED = CallWish(occasion=Occasion.APPOINTED)
MONDAY, SATURDAY, SUNDAY = "2026-03-02", "2026-03-07", "2026-03-08"


@pytest.mark.parametrize(
    ("clock", "why"),
    [
        ("09:29:59", Closed.HOURS),
        ("09:30", None),
        ("11:55", None),
        ("11:55:01", Closed.TOO_LATE),
        ("11:59:59", Closed.TOO_LATE),
        ("12:00", Closed.HOURS),
        ("13:59:59", Closed.HOURS),
        ("14:00", None),
        ("19:25", None),
        ("19:25:01", Closed.TOO_LATE),
        ("19:30", Closed.HOURS),
        ("00:00", Closed.HOURS),
        ("23:59:59", Closed.HOURS),
    ],
)
def test_routine_hours_with_last_dial_five_minutes_before_the_end(clock: str, why: Closed | None) -> None:
    assert WINDOWS.closed(at(f"{MONDAY} {clock}"), ROUTINE) is why
    assert WINDOWS.closed(at(f"{SATURDAY} {clock}"), ROUTINE) is why


@pytest.mark.parametrize(("longest", "last"), [(3, "11:55"), (5, "11:55"), (8, "11:52"), (30, "11:30")])
def test_the_longest_questionnaire_ends_inside_the_window(longest: int, last: str) -> None:
    wish = CallWish(longest=timedelta(minutes=longest))
    edge = at(f"{MONDAY} {last}")
    assert WINDOWS.closed(edge, wish) is None
    assert WINDOWS.closed(edge + timedelta(seconds=1), wish) is Closed.TOO_LATE
    assert local(WINDOWS.opens(edge + timedelta(seconds=1), wish)) == f"{MONDAY} 14:00"


def test_the_telephone_rings_before_anybody_is_asked() -> None:
    wish = CallWish(longest=timedelta(minutes=8), ring=timedelta(seconds=35))
    assert WINDOWS.closed(at(f"{MONDAY} 11:51"), wish) is None
    assert WINDOWS.closed(at(f"{MONDAY} 11:52"), wish) is Closed.TOO_LATE
    assert WINDOWS.left(at(f"{MONDAY} 11:52"), wish) == timedelta(minutes=8)
    assert WINDOWS.left(at(f"{MONDAY} 12:30"), wish) == timedelta(0)


def test_a_questionnaire_that_fits_no_window_is_never_dialled() -> None:
    assert WINDOWS.opens(at(f"{MONDAY} 08:00"), CallWish(longest=timedelta(hours=6))) is None


def test_sunday_only_by_appointment() -> None:
    noon = at(f"{SUNDAY} 10:00")
    assert WINDOWS.closed(noon, ROUTINE) is Closed.DAY
    assert WINDOWS.closed(noon, APPOINTED) is None
    assert local(WINDOWS.opens(noon, ROUTINE)) == "2026-03-09 09:30"


def test_an_appointment_at_lunch_is_kept_but_not_at_night() -> None:
    assert WINDOWS.closed(at(f"{MONDAY} 12:30"), APPOINTED) is None
    assert WINDOWS.closed(at(f"{MONDAY} 20:26"), APPOINTED) is Closed.TOO_LATE
    assert WINDOWS.closed(at(f"{MONDAY} 08:29"), APPOINTED) is Closed.HOURS


@pytest.mark.parametrize(
    "day",
    # Every make-up working day of 2026.
    ["2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"],
)
def test_make_up_days_are_called_on_also_when_they_are_sundays(day: str) -> None:
    assert WINDOWS.closed(at(f"{day} 10:00"), ROUTINE) is None
    assert WINDOWS.closed(at(f"{day} 12:30"), ROUTINE) is Closed.HOURS


@pytest.mark.parametrize(
    ("first", "last", "opens"),
    [
        # Every holiday of 2026 with the first routine window after it.
        ("2026-01-01", "2026-01-03", "2026-01-04 09:30"),
        ("2026-02-15", "2026-02-23", "2026-02-24 09:30"),
        ("2026-04-04", "2026-04-06", "2026-04-07 09:30"),
        ("2026-05-01", "2026-05-05", "2026-05-06 09:30"),
        ("2026-06-19", "2026-06-21", "2026-06-22 09:30"),
        ("2026-09-25", "2026-09-27", "2026-09-28 09:30"),
        ("2026-10-01", "2026-10-07", "2026-10-08 09:30"),
    ],
)
def test_no_routine_or_appointed_call_on_holidays(first: str, last: str, opens: str) -> None:
    moment = at(f"{first} 10:00")
    while local(moment)[:10] <= last:
        assert WINDOWS.closed(moment, ROUTINE) is Closed.HOLIDAY
        assert WINDOWS.closed(moment, APPOINTED) is Closed.HOLIDAY
        assert WINDOWS.closed(moment, REQUESTED) is None
        moment += timedelta(days=1)
    assert local(WINDOWS.opens(at(f"{first} 00:00"), ROUTINE)) == opens


def test_a_site_may_call_on_the_days_moved_next_to_a_holiday() -> None:
    windows = CallingWindows(CallingRules(closing=HolidayClosing.STATUTORY))
    assert windows.closed(at("2026-10-03 10:00"), ROUTINE) is Closed.HOLIDAY
    assert windows.closed(at("2026-10-05 10:00"), ROUTINE) is None


@pytest.mark.parametrize("day", [MONDAY, SUNDAY, "2026-10-01", "2026-02-17"])
@pytest.mark.parametrize(
    ("clock", "open_"),
    [("08:29:59", False), ("08:30", True), ("12:30", True), ("20:25", True), ("20:25:01", False)],
)
def test_the_customers_own_request_is_returned_on_any_day(day: str, clock: str, open_: bool) -> None:
    assert (WINDOWS.closed(at(f"{day} {clock}"), REQUESTED) is None) is open_


@pytest.mark.parametrize(
    ("level", "open_at"),
    [
        # Prefers 12:00 to 15:00: level A is called when it likes, the others when both sides like.
        (Level.A, {"12:00": True, "13:00": True, "14:30": True, "15:00": False, "10:00": False}),
        (Level.B, {"12:00": False, "13:00": False, "14:30": True, "15:00": False, "10:00": False}),
        (Level.C, {"12:00": False, "13:00": False, "14:30": True, "15:00": False, "10:00": False}),
    ],
)
def test_the_customers_preference(level: Level, open_at: dict[str, bool]) -> None:
    wish = CallWish(level=level, preferred=Span(time(12), time(15)))
    for clock, open_ in open_at.items():
        assert (WINDOWS.closed(at(f"{MONDAY} {clock}"), wish) is None) is open_


def test_a_preference_never_leads_into_the_night_or_onto_a_holiday() -> None:
    wish = CallWish(level=Level.A, preferred=Span(time(19), time(23)))
    assert WINDOWS.closed(at(f"{MONDAY} 20:26"), wish) is Closed.TOO_LATE
    assert WINDOWS.closed(at(f"{MONDAY} 21:00"), wish) is Closed.HOURS
    assert WINDOWS.closed(at("2026-10-02 19:10"), wish) is Closed.HOLIDAY


def test_a_preference_outside_all_hours_is_never_dialled() -> None:
    assert WINDOWS.opens(at(f"{MONDAY} 08:00"), CallWish(preferred=Span(time(21), time(22)))) is None


def test_the_carriers_hours_hold_besides() -> None:
    # Alibaba: not from 12 to 14, not from 21 to 9.
    carrier = (Span(time(9), time(12)), Span(time(14), time(21)))
    wish = CallWish(occasion=Occasion.REQUESTED, carrier=carrier)
    assert WINDOWS.closed(at(f"{MONDAY} 08:45"), wish) is Closed.HOURS
    assert WINDOWS.closed(at(f"{MONDAY} 12:30"), wish) is Closed.HOURS
    assert WINDOWS.closed(at(f"{MONDAY} 09:00"), wish) is None
    assert WINDOWS.closed(at(f"{MONDAY} 20:25"), wish) is None


def test_a_missing_calendar_year_is_an_error_never_monday_to_friday() -> None:
    with pytest.raises(CalendarYearMissing):
        WINDOWS.closed(at("2050-03-02 10:00"), ROUTINE)
    with pytest.raises(CalendarYearMissing):
        WINDOWS.opens(at("2050-03-02 10:00"), ROUTINE)
    assert WINDOWS.closed(at("2050-03-02 10:00"), REQUESTED) is None


def test_the_next_moment_is_now_when_it_is_open() -> None:
    now = at(f"{MONDAY} 10:17:31")
    assert WINDOWS.opens(now, ROUTINE) == now
    assert local(WINDOWS.opens(at(f"{MONDAY} 12:10"), ROUTINE)) == f"{MONDAY} 14:00"
    assert local(WINDOWS.opens(at(f"{SATURDAY} 19:26"), ROUTINE)) == "2026-03-09 09:30"


def test_spans() -> None:
    assert common((Span(time(9), time(12)),), (Span(time(12), time(13)),)) == ()
    with pytest.raises(ValueError, match="ends after"):
        Span(time(9), time(9))
