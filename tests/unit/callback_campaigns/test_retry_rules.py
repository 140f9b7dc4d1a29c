"""CB-7 and the outcomes of domain.md §4.2: when somebody is called again, and when no more."""

from datetime import datetime, timedelta

import pytest

from callback_campaigns.domain.retry import (
    RetryPolicy,
    Spacing,
    Tried,
    next_attempt,
    spacing,
    wants_person,
)
from callback_campaigns.domain.terms import CALL_RESULTS, Channel, Outcome
from callback_campaigns.domain.windows import CallingWindows, CallWish
from tests.unit.callback_campaigns.times import at, local

pytestmark = pytest.mark.unit

POLICY = RetryPolicy()
WINDOWS = CallingWindows()


def opens(moment: datetime) -> datetime | None:
    return WINDOWS.opens(moment, CallWish())


def tried(*moments: str, outcome: Outcome = Outcome.NO_ANSWER) -> list[Tried]:
    return [Tried(at(f"2026-03-{moment}"), outcome) for moment in moments]


def again(attempts: list[Tried]) -> str:
    return local(next_attempt(POLICY, attempts, now=attempts[-1].at + timedelta(minutes=1), opens=opens))


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        # Tried on Monday at 09:40.
        (Outcome.NO_ANSWER, "2026-03-02 14:00"),
        (Outcome.BUSY, "2026-03-02 14:00"),
        (Outcome.UNKNOWN, "2026-03-02 14:00"),
        (Outcome.MACHINE, "2026-03-02 14:00"),
        (Outcome.OFF, "2026-03-02 14:00"),
        (Outcome.REJECTED, "2026-03-03 14:00"),
        (Outcome.ABANDONED, "2026-03-03 14:00"),
        (Outcome.EMPTY, "never"),
        (Outcome.CONGESTION, "2026-03-02 10:10"),
        (Outcome.FAILED, "2026-03-02 09:55"),
        (Outcome.ANSWERED, "2026-03-02 14:00"),
    ],
)
def test_each_outcome_has_a_rule_of_its_own(outcome: Outcome, expected: str) -> None:
    assert again(tried("02 09:40", outcome=outcome)) == expected


def test_every_outcome_has_a_rule_and_a_result_of_the_call() -> None:
    assert set(POLICY.rules) == set(Outcome) == set(CALL_RESULTS)


def test_CB7_two_hours_apart_at_least() -> None:
    attempts = tried("02 11:50")
    assert spacing(POLICY, attempts, at("2026-03-02 13:49:59")) is Spacing.TOO_SOON
    assert spacing(POLICY, attempts, at("2026-03-02 13:50")) is None


def test_CB7_two_attempts_a_day_at_most() -> None:
    attempts = tried("02 09:40", "02 14:10")
    assert spacing(POLICY, attempts, at("2026-03-02 18:00")) is Spacing.DAY_FULL
    assert again(attempts) == "2026-03-03 17:00"


def test_CB7_different_parts_of_the_day() -> None:
    attempts = tried("02 14:05")
    assert spacing(POLICY, attempts, at("2026-03-02 16:30")) is Spacing.SAME_PART
    assert again(attempts) == "2026-03-02 17:00"


def test_CB7_three_days_with_attempts_at_most() -> None:
    attempts = tried("02 09:40", "03 14:10", "04 17:10")
    assert spacing(POLICY, attempts, at("2026-03-05 10:00")) is Spacing.DAYS_FULL
    assert again(attempts) == "never"


def test_CB7_all_six_attempts_may_be_used() -> None:
    attempts = tried("02 09:40", "02 14:10", "03 09:40", "03 17:10", "04 09:40")
    assert again(attempts) == "2026-03-04 14:00"
    assert again([*attempts, *tried("04 14:00")]) == "never"


def test_a_part_of_the_day_that_was_tried_less_is_preferred() -> None:
    assert again(tried("02 09:40", "02 17:10")) == "2026-03-03 14:00"


def test_where_the_windows_lead_nowhere_else_the_same_part_of_another_day_will_do() -> None:
    def mornings(moment: datetime) -> datetime | None:
        opening = opens(moment)
        while opening is not None and POLICY.part_of(opening) != "morning":
            opening = opens(POLICY.next_part(opening))
        return opening

    attempts = tried("02 09:40")
    assert local(next_attempt(POLICY, attempts, now=attempts[0].at, opens=mornings)) == "2026-03-03 09:30"


def test_after_saturday_comes_monday() -> None:
    assert again(tried("07 09:40", "07 17:10")) == "2026-03-09 14:00"


def test_what_rang_no_phone_uses_up_no_patience_but_has_a_ceiling() -> None:
    lost = [
        Tried(at("2026-03-02 10:00") + timedelta(minutes=30 * number), Outcome.CONGESTION)
        for number in range(11)
    ]
    now = lost[-1].at + timedelta(hours=1)
    assert spacing(POLICY, lost, now) is None
    full = [*lost, Tried(now, Outcome.FAILED)]
    assert spacing(POLICY, full, now + timedelta(hours=1)) is Spacing.CEILING
    assert next_attempt(POLICY, full, now=now, opens=opens) is None


def test_after_two_failed_attempts_by_the_system_a_person_calls() -> None:
    moment = at("2026-03-02 10:00")
    by_ivr = Tried(moment, Outcome.NO_ANSWER, Channel.IVR)
    assert not wants_person(POLICY, [by_ivr, Tried(moment, Outcome.CONGESTION, Channel.IVR)])
    assert wants_person(POLICY, [by_ivr, by_ivr])
