"""The formulas of the service level and the counting of a day (domain.md §5.3)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from telephony.domain.service_level import (
    DayLedger,
    Formula,
    QueueCounts,
    QueueOutcome,
    QueueVisit,
    Thresholds,
    day_start,
    service_level,
)

pytestmark = pytest.mark.unit

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
LINES = Thresholds()

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


def visit(
    outcome: QueueOutcome, wait: float = 0.0, *, call: str = "A", queue: str = "repair", at: datetime = NOON
) -> QueueVisit:
    return QueueVisit(call_id=call, queue=queue, outcome=outcome, queued_at=at, wait=timedelta(seconds=wait))


def counted(*visits: QueueVisit, now: datetime = NOON) -> QueueCounts:
    ledger = DayLedger(SHANGHAI)
    for item in visits:
        ledger.put(item, LINES, now=now)
    return ledger.counts("repair", now=now)


def test_the_lines_belong_to_the_good_side() -> None:
    assert counted(visit(QueueOutcome.ANSWERED, 20)).answered_in == 1
    assert counted(visit(QueueOutcome.ANSWERED, 20.01)).answered_in == 0
    assert counted(visit(QueueOutcome.ABANDONED, 5)).abandoned_short == 1
    late = counted(visit(QueueOutcome.ABANDONED, 5.01))
    assert (late.abandoned, late.abandoned_in, late.abandoned_short) == (1, 1, 0)


def test_a_waiting_call_is_offered_and_no_more() -> None:
    assert counted(visit(QueueOutcome.WAITING)) == QueueCounts(offered=1)


def test_a_call_is_counted_once_however_often_it_is_told() -> None:
    answer = visit(QueueOutcome.ANSWERED, 7)
    found = counted(visit(QueueOutcome.WAITING), answer, answer, visit(QueueOutcome.WAITING))
    assert found == QueueCounts(offered=1, answered=1, answered_in=1, answered_wait=timedelta(seconds=7))


def test_a_corrected_outcome_replaces_the_first() -> None:
    found = counted(visit(QueueOutcome.ABANDONED, 3), visit(QueueOutcome.ANSWERED, 30))
    assert found == QueueCounts(offered=1, answered=1, answered_wait=timedelta(seconds=30))


def test_the_first_answer_stands() -> None:
    found = counted(visit(QueueOutcome.ANSWERED, 3), visit(QueueOutcome.ANSWERED, 90))
    assert found.answered_wait == timedelta(seconds=3)


def test_counts_add_up() -> None:
    both = COUNTS + QueueCounts(offered=1, answered=1, answered_wait=timedelta(seconds=9))
    assert (both.offered, both.answered, both.answered_wait) == (101, 81, timedelta(seconds=9))


def test_leaving_for_another_reason_is_not_abandoning() -> None:
    assert counted(visit(QueueOutcome.LEFT, 60)) == QueueCounts(offered=1)


def test_the_day_begins_at_the_sites_midnight() -> None:
    ledger = DayLedger(SHANGHAI)
    late = datetime(2026, 3, 2, 15, 59, tzinfo=UTC)
    ledger.put(visit(QueueOutcome.ANSWERED, 1, at=late), LINES, now=late)
    assert ledger.counts("repair", now=late).answered == 1
    after = late + timedelta(minutes=2)
    assert ledger.counts("repair", now=after) == QueueCounts()
    assert not ledger.put(visit(QueueOutcome.ABANDONED, 9, at=late), LINES, now=after)
    assert ledger.counts("repair", now=after) == QueueCounts()


def test_day_start_is_local_midnight() -> None:
    assert day_start(NOON, SHANGHAI) == datetime(2026, 3, 1, 16, 0, tzinfo=UTC)


def test_queues_are_counted_apart() -> None:
    found = counted(visit(QueueOutcome.ANSWERED, 1, queue="complaint"), visit(QueueOutcome.WAITING))
    assert found == QueueCounts(offered=1)
