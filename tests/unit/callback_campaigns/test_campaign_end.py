"""When a campaign will be done: worked out over the hours in which calls are made."""

from datetime import timedelta

import pytest

from callback_campaigns.domain.campaign_end import hours_open, projected_end
from callback_campaigns.domain.windows import CallingWindows, CallWish
from tests.support.limits import at

pytestmark = pytest.mark.unit

WINDOWS = CallingWindows()
WISH = CallWish()


def test_hours_are_those_in_which_calls_are_made() -> None:
    # Tuesday 09:30 to 12:00 and 14:00 to 19:30.
    assert hours_open(WINDOWS, at("2026-03-03 00:00"), at("2026-03-03 23:59"), WISH) == timedelta(hours=8)
    assert hours_open(WINDOWS, at("2026-03-03 11:00"), at("2026-03-03 15:00"), WISH) == timedelta(hours=2)
    assert hours_open(WINDOWS, at("2026-03-08 09:00"), at("2026-03-08 20:00"), WISH) == timedelta(0)


@pytest.mark.parametrize(
    ("now", "left", "pace", "ends"),
    [
        ("2026-03-03 10:00", 20, 20.0, "2026-03-03 11:00"),
        ("2026-03-03 11:00", 40, 20.0, "2026-03-03 15:00"),
        ("2026-03-03 19:00", 20, 20.0, "2026-03-04 10:00"),
        ("2026-03-07 19:00", 20, 20.0, "2026-03-09 10:00"),
        ("2026-03-03 22:00", 0, None, "2026-03-03 22:00"),
    ],
)
def test_the_end_lies_in_hours_of_calls(now: str, left: int, pace: float | None, ends: str) -> None:
    assert projected_end(WINDOWS, at(now), left, pace, WISH) == at(ends)


@pytest.mark.parametrize("pace", [None, 0.0, 0.0001])
def test_nobody_can_say_without_a_pace(pace: float | None) -> None:
    assert projected_end(WINDOWS, at("2026-03-03 10:00"), 500, pace, WISH) is None
