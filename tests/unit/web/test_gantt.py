"""The picture of a call, and times as people read them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from telephony.views import LegView
from tests.support.web import CALL_STARTED, call_view
from web.pages.gantt import LABEL_WIDTH, MAX_LEGS, WIDTH, gantt
from web.pages.times import day_end, day_start, duration, filters

pytestmark = pytest.mark.unit

SHANGHAI = ZoneInfo("Asia/Shanghai")


def leg(start: float, answer: float | None, end: float | None, kind: str = "agent") -> LegView:
    def at(seconds: float | None) -> datetime | None:
        return None if seconds is None else CALL_STARTED + timedelta(seconds=seconds)

    return LegView(
        uniqueid="1",
        linkedid="1",
        channel="PJSIP/1001-1",
        kind=kind,
        agent_number="1001",
        number="1001",
        started_at=CALL_STARTED + timedelta(seconds=start),
        answered_at=at(answer),
        ended_at=at(end),
        cause=None,
    )


def test_a_leg_rings_light_and_talks_dark() -> None:
    picture = gantt(call_view(legs=(leg(20, 40, 80),)), now=CALL_STARTED)
    (bar,) = picture.bars
    room = WIDTH - LABEL_WIDTH - 12
    assert bar.x == pytest.approx(LABEL_WIDTH + room * 0.25, abs=0.1)
    assert bar.ring_width == pytest.approx(room * 0.25, abs=0.2)
    assert bar.talk_width == pytest.approx(room * 0.5, abs=0.2)
    assert bar.text == "1:00"


def test_a_leg_that_nobody_answered_is_light_to_its_end() -> None:
    (bar,) = gantt(call_view(legs=(leg(20, None, 30),)), now=CALL_STARTED).bars
    assert bar.talk_width == 0.0
    assert bar.ring_width > 0


def test_a_call_in_progress_lasts_until_now() -> None:
    call = call_view(ended_at=None, legs=(leg(0, 0, None, "caller"),))
    picture = gantt(call, now=CALL_STARTED + timedelta(seconds=30))
    assert picture.bars[0].text == "0:30"
    assert picture.ticks[-1].label == "0:30"


def test_odd_records_stay_inside_the_picture() -> None:
    # A leg longer than its call, one of an unknown kind, an answer before the start, a call of no length.
    legs = (leg(-50, -60, 900), leg(10, 5, 20, "robot"), leg(80, 80, 80))
    for call in (call_view(legs=legs), call_view(legs=legs, ended_at=CALL_STARTED)):
        picture = gantt(call, now=CALL_STARTED, marks=((CALL_STARTED + timedelta(days=1), "x"),))
        for bar in picture.bars:
            assert LABEL_WIDTH <= bar.x <= WIDTH
            assert bar.talk_x + bar.talk_width <= WIDTH
            assert bar.ring_width >= 0
        assert picture.bars[1].kind == "other"
        assert picture.marks[0].x <= WIDTH


def test_a_call_of_many_legs_and_days_stays_a_picture() -> None:
    call = call_view(legs=(leg(0, 0, 80),) * 500, ended_at=CALL_STARTED + timedelta(days=40))
    picture = gantt(call, now=CALL_STARTED)
    assert len(picture.bars) == MAX_LEGS
    assert len(picture.ticks) <= 50


def test_a_call_without_legs_has_no_bars() -> None:
    assert gantt(replace(call_view(), legs=()), now=CALL_STARTED).bars == ()


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (7.9, "0:07"), (723, "12:03"), (3723, "1:02:03"), (-5, "0:00"), (None, "–")],
)
def test_durations(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


def test_a_day_of_the_site_is_not_a_day_of_utc() -> None:
    assert day_start(date(2026, 3, 2), SHANGHAI) == datetime(2026, 3, 1, 16, tzinfo=UTC)
    assert day_end(date(2026, 3, 2), SHANGHAI) == datetime(2026, 3, 2, 16, tzinfo=UTC)
    assert day_end(date.max, SHANGHAI).tzinfo is UTC


def test_times_are_shown_in_the_zone_of_the_site() -> None:
    shown = filters(SHANGHAI)
    at = datetime(2026, 3, 1, 16, 5, 9, tzinfo=UTC)
    assert shown["day_time"](at) == "2026-03-02 00:05:09"
    assert shown["clock_time"](at) == "00:05:09"
    assert shown["day"](at) == "2026-03-02"
    assert shown["day_time"](None) == "–"
