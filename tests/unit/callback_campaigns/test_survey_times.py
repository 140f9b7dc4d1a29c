"""Other times are offered only where the customer may be called then (domain.md §3.0, §6.1, §6.2)."""

import pytest

from callback_campaigns.domain.survey_times import slots
from callback_campaigns.domain.windows import CallingWindows, CallWish, Occasion
from tests.unit.callback_campaigns.times import at, local

pytestmark = pytest.mark.unit

APPOINTED = CallWish(occasion=Occasion.APPOINTED)


def offered(now: str, wish: CallWish = APPOINTED) -> dict[str, str]:
    return {slot.when.value: local(slot.at) for slot in slots(CallingWindows(), wish, at(now))}


def test_on_an_ordinary_morning_all_three_are_offered() -> None:
    assert offered("2026-03-02 10:00") == {
        "今天下午": "2026-03-02 14:00",
        "明天上午": "2026-03-03 09:30",
        "明天下午": "2026-03-03 14:00",
    }


def test_this_afternoon_is_two_hours_away_at_least() -> None:
    assert offered("2026-03-02 14:20")["今天下午"] == "2026-03-02 16:20"
    assert offered("2026-03-02 11:50")["今天下午"] == "2026-03-02 14:00"


def test_this_afternoon_is_over_when_it_could_not_be_kept() -> None:
    assert "今天下午" not in offered("2026-03-02 16:10")


def test_a_sunday_may_be_named_by_the_customer() -> None:
    assert offered("2026-03-07 17:00") == {"明天上午": "2026-03-08 09:30", "明天下午": "2026-03-08 14:00"}


def test_nothing_is_offered_on_a_holiday() -> None:
    # The eve of the National Day holiday: tomorrow nobody is called.
    assert offered("2026-09-30 17:00") == {}


def test_a_routine_call_is_appointed_by_the_customers_word() -> None:
    assert offered("2026-03-07 17:00", CallWish()) == offered("2026-03-07 17:00")


def test_a_day_of_which_nobody_knows_is_not_promised() -> None:
    assert all(when == "今天下午" for when in offered("2026-12-31 10:00"))
