"""The formulas of the service level, and averages (domain.md §5.3)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from telephony.domain.service_level import (
    Formula,
    QueueCounts,
    day_start,
    occupancy,
    service_level,
)

pytestmark = pytest.mark.unit

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)

# 100 offered: 80 answered (60 within 20 s), 18 abandoned (12 within 20 s, 8 of them within 5 s), 2 left.
COUNTS = QueueCounts(
    offered=100, answered=80, answered_in=60, abandoned=18, abandoned_in=12, abandoned_short=8
)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (Formula.NET_OF_SHORT, 60 / 90),
        (Formula.ALL_HANDLED, 72 / 98),
        (Formula.OF_ANSWERED, 60 / 80),
        (Formula.OF_OFFERED, 60 / 98),
        (Formula.LATE_ABANDONS, 60 / 86),
    ],
)
def test_each_formula(formula: Formula, expected: float) -> None:
    assert service_level(COUNTS, formula) == pytest.approx(expected)


@pytest.mark.parametrize("formula", list(Formula))
def test_nothing_to_divide_by_is_no_figure(formula: Formula) -> None:
    assert service_level(QueueCounts(), formula) is None
    assert service_level(QueueCounts(offered=3), formula) is None


def test_only_short_abandons_is_no_figure() -> None:
    assert service_level(QueueCounts(offered=2, abandoned=2, abandoned_in=2, abandoned_short=2)) is None


def test_the_average_speed_of_answer() -> None:
    assert QueueCounts().average_answer() is None
    counts = QueueCounts(answered=4, answered_wait=timedelta(seconds=50))
    assert counts.average_answer() == timedelta(seconds=12.5)


def test_counts_add_up() -> None:
    both = COUNTS + QueueCounts(offered=1, answered=1, answered_wait=timedelta(seconds=9))
    assert (both.offered, both.answered, both.answered_wait) == (101, 81, timedelta(seconds=9))
    assert both + both.negative() == QueueCounts()


def test_occupancy_is_of_working_time_alone() -> None:
    assert occupancy(timedelta(0), timedelta(0)) is None
    assert occupancy(timedelta(minutes=45), timedelta(minutes=15)) == 0.75


def test_the_average_handling_time() -> None:
    assert QueueCounts().average_handling() is None
    assert QueueCounts(handled=2, handling=timedelta(minutes=5)).average_handling() == timedelta(minutes=2.5)


def test_day_start_is_local_midnight() -> None:
    assert day_start(NOON, SHANGHAI) == datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
