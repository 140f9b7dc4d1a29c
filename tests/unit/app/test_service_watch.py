"""When a low service level is worth telling."""

from datetime import UTC, datetime, timedelta

import pytest

from app.service_watch import FEWEST, HOLDS, LevelWatch
from telephony.board_views import QueueView

pytestmark = pytest.mark.unit

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def queue(within: int, counted: int, *, name: str = "repair") -> QueueView:
    """Return a queue with the counts of the day so far."""
    return QueueView(
        name=name,
        label_zh="报修热线",
        label_en="Repairs",
        waiting=0,
        longest_since=None,
        signed_in=1,
        available=1,
        on_call=0,
        as_of=START,
        offered=counted,
        answered=counted,
        abandoned=0,
        short_abandoned=0,
        within=within,
        counted=counted,
        service_level=within / counted if counted else None,
        asa_seconds=None,
    )


def test_2_2_a_level_below_the_target_over_fifteen_minutes_is_told_whatever_the_day_was() -> None:
    watch = LevelWatch(80)
    assert watch.take([queue(95, 100)], START) == []
    assert watch.take([queue(96, 105)], START + 5 * MINUTE) == [], "no whole window yet"
    (told,) = watch.take([queue(100, 110)], START + HOLDS)
    found = (told.queue, told.label, told.level, told.target, told.minutes)
    assert found == ("repair", "报修热线", 50, 80, 15)
    assert told.below_since == START
    assert watch.take([queue(100, 114)], START + HOLDS + MINUTE) == [], "told once"


def test_what_went_wrong_in_the_morning_is_forgotten_after_fifteen_minutes() -> None:
    watch = LevelWatch(80)
    watch.take([queue(0, 50)], START)
    assert watch.take([queue(10, 60)], START + HOLDS) == [], "the day is at 17 %, the last 15 minutes at 100"


def test_the_window_slides() -> None:
    watch = LevelWatch(80)
    for minute in range(16):
        assert watch.take([queue(minute, minute)], START + minute * MINUTE) == []
    told = [minute for minute in range(16, 40) if watch.take([queue(15, minute)], START + minute * MINUTE)]
    assert told == [19], "4 of 15 calls missed: 73 %"


def test_a_level_that_recovers_is_told_again_when_it_falls() -> None:
    watch = LevelWatch(80)
    watch.take([queue(0, 0)], START)
    assert len(watch.take([queue(0, 10)], START + HOLDS)) == 1
    assert watch.take([queue(10, 20)], START + 2 * HOLDS) == []
    assert len(watch.take([queue(10, 30)], START + 3 * HOLDS)) == 1


def test_few_calls_say_nothing() -> None:
    watch = LevelWatch(80)
    watch.take([queue(50, 50)], START)
    assert watch.take([queue(50, 50 + FEWEST - 1)], START + HOLDS) == []


def test_each_queue_has_its_own_counts() -> None:
    watch = LevelWatch(80)
    watch.take([queue(0, 0), queue(0, 0, name="complaint")], START)
    told = watch.take([queue(0, 10), queue(10, 10, name="complaint")], START + HOLDS)
    assert [one.queue for one in told] == ["repair"]


def test_a_new_day_begins_anew() -> None:
    watch = LevelWatch(80)
    watch.take([queue(90, 100)], START)
    assert watch.take([queue(0, 6)], START + HOLDS) == []
    assert len(watch.take([queue(0, 12)], START + 2 * HOLDS)) == 1


def test_after_a_silence_of_the_telephone_system_it_begins_anew() -> None:
    watch = LevelWatch(80)
    watch.take([queue(0, 0)], START)
    watch.forget()
    assert watch.take([queue(0, 10)], START + HOLDS) == []


def test_a_target_of_nothing_tells_nobody() -> None:
    watch = LevelWatch(0)
    watch.take([queue(0, 0)], START)
    assert watch.take([queue(0, 10)], START + HOLDS) == []
