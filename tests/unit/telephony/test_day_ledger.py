"""Stays in queues read off time lines, and how the half hours of a day count them (domain.md §5.3)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from telephony.domain.day_ledger import CENTRE, DayLedger, slot_start
from telephony.domain.handling import LONGEST_STRETCH, HandlingDay, Stretch
from telephony.domain.service_level import QueueCounts, QueueOutcome, QueueVisit, Thresholds
from telephony.domain.visits import VisitRow, visit_row, visits_of

pytestmark = pytest.mark.unit

SHANGHAI = ZoneInfo("Asia/Shanghai")
MIDNIGHT = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
NOON = MIDNIGHT + timedelta(hours=12)
SECOND = timedelta(seconds=1)
Told = tuple[float, str, str | None, dict[str, str]]
LINES = {"repair": Thresholds(), "complaint": Thresholds()}


def rows(*told: Told) -> list[VisitRow]:
    made = [
        visit_row(number, NOON + timedelta(seconds=at), kind, queue, detail)
        for number, (at, kind, queue, detail) in enumerate(told, 1)
    ]
    return [row for row in made if row is not None]


def outcomes(*told: Told) -> dict[str, tuple[QueueOutcome, float]]:
    found = visits_of("A", rows(*told))
    return {visit.queue: (visit.outcome, visit.wait.total_seconds()) for visit in found}


QUEUED: Told = (0.0, "queued", "repair", {"position": "1"})
ANSWERED, ABANDONED, LEFT = QueueOutcome.ANSWERED, QueueOutcome.ABANDONED, QueueOutcome.LEFT


def ended(at: float, result: str, by: str = "caller", reason: str = "hangup") -> Told:
    return (at, "ended", None, {"result": result, "reason": reason, "by": by})


def test_a_caller_who_waits_is_offered() -> None:
    assert outcomes(QUEUED) == {"repair": (QueueOutcome.WAITING, 0)}


def test_answered_after_a_phone_that_was_not_picked_up() -> None:
    ring: Told = (3.0, "ringing", "repair", {})
    assert outcomes(QUEUED, ring, (9, "answered", "repair", {}), ended(60, "ANSWERED")) == {
        "repair": (ANSWERED, 9)
    }


@pytest.mark.parametrize(
    ("left", "expected"),
    [("abandoned", ABANDONED), ("not_answered", LEFT)],
)
def test_leaving_the_queue(left: str, expected: QueueOutcome) -> None:
    gone: Told = (40.0, "left_queue", "repair", {"reason": left})
    assert outcomes(QUEUED, gone, ended(41, "NO_ANSWER")) == {"repair": (expected, 40)}


def test_the_last_channel_gone_while_waiting_is_abandoning() -> None:
    assert outcomes(QUEUED, ended(4, "ABANDONED_SHORT")) == {"repair": (ABANDONED, 4)}
    assert outcomes(QUEUED, ended(4, "FAILED", "system", "pbx_restart")) == {"repair": (LEFT, 4)}


def test_each_queue_of_a_call_counts_and_each_once() -> None:
    told: tuple[Told, ...] = (
        QUEUED,
        (30.0, "left_queue", "repair", {"reason": "not_answered"}),
        (31.0, "queued", "complaint", {}),
        (35.0, "answered", "complaint", {}),
        (90.0, "queued", "repair", {}),
        (95.0, "answered", "repair", {}),
        (200.0, "queued", "complaint", {}),
    )
    found = outcomes(*told, ended(220, "ANSWERED"))
    assert found == {"repair": (ANSWERED, 95), "complaint": (ANSWERED, 4)}


def test_a_caller_sent_on_who_hangs_up_there_has_abandoned_there() -> None:
    told: tuple[Told, ...] = (QUEUED, (5.0, "answered", "repair", {}), (60.0, "queued", "complaint", {}))
    assert outcomes(*told, ended(99, "ANSWERED"))["complaint"] == (ABANDONED, 39)
    assert outcomes(*told, ended(99, "ANSWERED", "system", "gap"))["complaint"] == (LEFT, 39)


def test_a_consultation_that_became_part_of_another_call_counts_nowhere() -> None:
    assert outcomes(QUEUED, (5.0, "answered", "repair", {}), ended(9, "ANSWERED", reason="merged")) == {}


def test_details_that_were_erased_are_taken_from_the_result() -> None:
    gone = visit_row(2, NOON, "left_queue", "repair", {}, result="ABANDONED_QUEUE")
    assert gone is not None
    assert gone.why == "abandoned"


def visit(
    outcome: QueueOutcome, wait: float = 0.0, *, queue: str = "repair", at: datetime = NOON
) -> QueueVisit:
    return QueueVisit(call_id="A", queue=queue, outcome=outcome, queued_at=at, wait=timedelta(seconds=wait))


def counted(*visits: QueueVisit) -> QueueCounts:
    ledger = DayLedger(SHANGHAI, MIDNIGHT)
    for item in visits:
        ledger.put("A", [item], LINES)
    return ledger.counts("repair", now=NOON)


def test_the_lines_belong_to_the_good_side() -> None:
    assert counted(visit(ANSWERED, 20)).answered_in == 1
    assert counted(visit(ANSWERED, 20.01)).answered_in == 0
    assert counted(visit(ABANDONED, 5)).abandoned_short == 1
    late = counted(visit(ABANDONED, 5.01))
    assert (late.abandoned, late.abandoned_in, late.abandoned_short) == (1, 1, 0)


def test_what_is_known_of_a_call_is_replaced() -> None:
    answer = visit(ANSWERED, 30)
    found = counted(visit(QueueOutcome.WAITING), visit(ABANDONED, 3), answer, answer)
    assert found == QueueCounts(offered=1, answered=1, answered_wait=30 * SECOND)
    assert counted(visit(LEFT, 60)) == QueueCounts(offered=1)


def test_the_day_begins_at_the_sites_midnight_and_late_news_count_where_the_call_began() -> None:
    ledger = DayLedger(SHANGHAI, MIDNIGHT)
    late = MIDNIGHT + timedelta(hours=23, minutes=59)
    ledger.put("A", [visit(QueueOutcome.WAITING, at=late)], LINES)
    assert ledger.counts("repair", now=late).offered == 1
    after = late + timedelta(minutes=2)
    assert ledger.counts("repair", now=after) == QueueCounts()
    ledger.take_changed()
    assert ledger.put("A", [visit(ANSWERED, 70, at=late)], LINES)
    assert ledger.counts("repair", now=after) == QueueCounts()
    slot = late - timedelta(minutes=29)
    assert ledger.take_changed()[slot, "repair"].answered == 1
    ledger.counts("repair", now=after + timedelta(days=2))
    assert not ledger.put("A", [visit(ABANDONED, 9, at=late)], LINES)


def test_a_half_hour_keeps_the_thresholds_it_began_with() -> None:
    ledger = DayLedger(SHANGHAI, MIDNIGHT)
    strict = {"repair": Thresholds(answer_within=10 * SECOND)}
    ledger.put("A", [visit(ANSWERED, 15)], LINES)
    ledger.put("B", [visit(ANSWERED, 15)], strict)
    ledger.put("C", [visit(ANSWERED, 15, at=NOON + timedelta(minutes=30))], strict)
    assert ledger.counts("repair", now=NOON).answered_in == 2


def test_half_hours_are_those_of_the_sites_clock() -> None:
    nepal = ZoneInfo("Asia/Kathmandu")  # 5:45 ahead
    assert slot_start(datetime(2026, 3, 2, 4, 44, 59, tzinfo=UTC), nepal).minute == 15
    assert slot_start(NOON + 59 * SECOND, SHANGHAI) == NOON


def stretch(
    state: str, begun: float, until: float | None, *, call: str | None = None, queue: str | None = None
) -> Stretch:
    """A stretch of one agent, in minutes from noon."""
    return Stretch(
        NOON + timedelta(minutes=begun),
        f"{state}{begun}",
        "jing",
        state,
        call,
        queue,
        None if until is None else NOON + timedelta(minutes=until),
    )


def test_handling_time_is_talk_and_wrap_up_where_the_call_was_taken() -> None:
    ledger = DayLedger(SHANGHAI, MIDNIGHT)
    work = HandlingDay(SHANGHAI, ledger)
    work.roll(NOON)
    for one in (
        stretch("available", 0, 20),
        stretch("on_call", 20, 35, call="A", queue="repair"),
        stretch("wrap_up", 35, 37, call="A", queue="repair"),
        stretch("paused", 37, 50),
        stretch("on_call", 50, 53, call="B"),
    ):
        work.take(one)
    assert ledger.counts("repair", now=NOON).average_handling() == timedelta(minutes=17)
    slots = ledger.slots(MIDNIGHT, NOON + timedelta(days=1))
    assert slots[NOON, "repair"].handled == 1
    assert (NOON + timedelta(minutes=30), "repair") not in slots
    assert slots[NOON, CENTRE].busy == timedelta(minutes=10)
    assert slots[NOON + timedelta(minutes=30), CENTRE].busy == timedelta(minutes=10)
    work.set_open({"jing": stretch("ringing", 53, None)})
    spent = work.time_of("jing", NOON + timedelta(minutes=63))
    assert (spent.busy, spent.ready) == (timedelta(minutes=20), timedelta(minutes=30))


def test_at_midnight_the_agents_time_begins_anew_in_the_middle_of_a_call() -> None:
    ledger = DayLedger(SHANGHAI, MIDNIGHT)
    work = HandlingDay(SHANGHAI, ledger)
    work.roll(NOON)
    going = stretch("on_call", 11 * 60 + 50, None, call="A", queue="repair")
    work.set_open({"jing": going})
    next_day = NOON + timedelta(hours=12)
    work.roll(next_day)
    assert work.time_of("jing", next_day + timedelta(minutes=5)).busy == timedelta(minutes=5)
    work.set_open({})
    work.take(going._replace(ended_at=next_day + timedelta(minutes=7)))
    assert work.time_of("jing", next_day).busy == timedelta(minutes=7)
    assert ledger.counts("repair", now=next_day).handled == 0


def test_whoever_was_forgotten_in_a_state_counts_half_a_day_at_most() -> None:
    ledger = DayLedger(SHANGHAI, MIDNIGHT)
    HandlingDay(SHANGHAI, ledger).take(stretch("available", 0, 5 * 24 * 60))
    whole = sum((counts.ready for counts in ledger.take_changed().values()), timedelta(0))
    assert whole == LONGEST_STRETCH
