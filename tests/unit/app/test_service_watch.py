"""When a low service level is worth telling."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.service_watch import FEWEST, HOLDS, LevelWatch
from telephony.board_views import QueueView

pytestmark = pytest.mark.unit

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def queue(level: float | None, *, counted: int = 20, name: str = "repair") -> QueueView:
    """Return a queue with a service level, 0 to 1."""
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
        within=0,
        counted=counted,
        service_level=level,
        asa_seconds=None,
    )


def test_a_level_that_stays_below_the_target_for_fifteen_minutes_is_told_once() -> None:
    watch = LevelWatch(80)
    assert watch.take([queue(0.7)], START) == []
    assert watch.take([queue(0.6)], START + HOLDS - MINUTE) == []
    (told,) = watch.take([queue(0.619)], START + HOLDS)
    assert (told.queue, told.label, told.level, told.target, told.minutes) == (
        "repair",
        "报修热线",
        61,
        80,
        15,
    )
    assert told.below_since == START
    assert watch.take([queue(0.5)], START + 3 * HOLDS) == []


def test_a_level_that_recovers_begins_anew() -> None:
    watch = LevelWatch(80)
    watch.take([queue(0.7)], START)
    assert watch.take([queue(0.8)], START + 10 * MINUTE) == []
    assert watch.take([queue(0.7)], START + 16 * MINUTE) == []
    assert len(watch.take([queue(0.7)], START + 16 * MINUTE + HOLDS)) == 1
    watch.take([queue(0.9)], START + 40 * MINUTE)
    watch.take([queue(0.7)], START + 41 * MINUTE)
    assert len(watch.take([queue(0.7)], START + 41 * MINUTE + HOLDS)) == 1, "a second time, told again"


@pytest.mark.parametrize("found", [queue(None), queue(0.0, counted=FEWEST - 1)])
def test_few_calls_say_nothing(found: QueueView) -> None:
    watch = LevelWatch(80)
    watch.take([found], START)
    assert watch.take([found], START + 2 * HOLDS) == []


def test_each_queue_has_its_own_time() -> None:
    watch = LevelWatch(80)
    one, other = queue(0.5), queue(0.5, name="complaint")
    watch.take([one, replace(other, service_level=0.9)], START)
    watch.take([one, other], START + 10 * MINUTE)
    assert [told.queue for told in watch.take([one, other], START + HOLDS)] == ["repair"]


def test_after_a_silence_of_the_telephone_system_it_begins_anew() -> None:
    watch = LevelWatch(80)
    watch.take([queue(0.5)], START)
    watch.forget()
    assert watch.take([queue(0.5)], START + HOLDS) == []


def test_a_target_of_nothing_tells_nobody() -> None:
    watch = LevelWatch(0)
    watch.take([queue(0.0)], START)
    assert watch.take([queue(0.0)], START + HOLDS) == []
