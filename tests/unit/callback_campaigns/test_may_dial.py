"""Every reason not to dial, each by its code, and the limits of §6.1 behind them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import time, timedelta

import pytest

from callback_campaigns.domain.frequency import CarrierRules, Rate, free_at
from callback_campaigns.domain.refusal import (
    Callee,
    DialCheck,
    DialRules,
    RefusalCode,
    Switch,
    TaskAsked,
    may_dial,
    refusals,
)
from callback_campaigns.domain.retry import Tried
from callback_campaigns.domain.terms import Outcome
from callback_campaigns.domain.windows import CallWish, Occasion, Span
from kernel.phone import Phone
from tests.unit.callback_campaigns.times import at, local

pytestmark = pytest.mark.unit

NOW = at("2026-03-02 10:00")
MOBILE = Phone.parse("13800138000")
ALLOWED = DialCheck(
    now=NOW,
    rules=DialRules(),
    task=TaskAsked(),
    callee=Callee(phone=MOBILE),
    switch=Switch(caller_id="01088886666", link_live=True, as_of=NOW, lines=10, per_second=5),
)
MINUTE = timedelta(minutes=1)


def switch(**changes: object) -> DialCheck:
    return replace(ALLOWED, switch=replace(ALLOWED.switch, **changes))  # type: ignore[arg-type]


def callee(**changes: object) -> DialCheck:
    return replace(ALLOWED, callee=replace(ALLOWED.callee, **changes))  # type: ignore[arg-type]


def task(**changes: object) -> DialCheck:
    return replace(ALLOWED, task=replace(ALLOWED.task, **changes))  # type: ignore[arg-type]


def when(text: str) -> DialCheck:
    now = at(text)
    return replace(ALLOWED, now=now, switch=replace(ALLOWED.switch, as_of=now))


def through(carrier: CarrierRules, **changes: object) -> DialCheck:
    return replace(callee(**changes), rules=DialRules(carrier=carrier))


def ago(*minutes: float) -> tuple[object, ...]:
    return tuple(NOW - MINUTE * number for number in minutes)


def exhausted() -> DialCheck:
    days = tuple(Tried(NOW - timedelta(days=number), Outcome.NO_ANSWER) for number in (7, 6, 5))
    return task(tried=days)


CASES: list[tuple[RefusalCode, Callable[[], DialCheck]]] = [
    (RefusalCode.TASK_NOT_READY, lambda: task(ready=False)),
    (RefusalCode.TASK_CHANGED, lambda: task(changed=True)),
    (RefusalCode.DO_NOT_CALL, lambda: callee(refused="refused")),
    (RefusalCode.NO_CONSENT, lambda: callee(refused="no_consent")),
    (RefusalCode.STOPPED, lambda: callee(stopped=True)),
    (RefusalCode.FROZEN, lambda: callee(frozen=True)),
    (RefusalCode.COMPLAINT_WAITS, lambda: callee(complaint_waits=True)),
    (RefusalCode.NOT_DIALABLE, lambda: callee(phone=Phone.parse("110"))),
    (RefusalCode.NOT_DIALABLE, lambda: callee(phone=Phone.parse("4008888888"))),
    (RefusalCode.NOT_DIALABLE, lambda: callee(phone=Phone.parse("+85221234567"))),
    (RefusalCode.NOT_DIALABLE, lambda: callee(phone=Phone.parse("95598"))),
    (RefusalCode.BAD_NUMBER, lambda: callee(bad_number=True)),
    (RefusalCode.BAD_NUMBER, lambda: callee(phone=None)),
    (
        RefusalCode.REGION_BLOCKED,
        lambda: through(
            CarrierRules(name="tencent", blocked_prefixes=("+86991",)), phone=Phone.parse("09912345678")
        ),
    ),
    (RefusalCode.EXHAUSTED, exhausted),
    (RefusalCode.CALENDAR_UNKNOWN, lambda: when("2050-03-02 10:00")),
    (RefusalCode.OUTSIDE_WINDOW, lambda: when("2026-03-02 12:30")),
    (RefusalCode.OUTSIDE_WINDOW, lambda: when("2026-10-01 10:00")),
    (RefusalCode.QUESTIONNAIRE_TOO_LONG, lambda: when("2026-03-02 11:57")),
    (RefusalCode.TASK_FREQUENCY, lambda: task(tried=(Tried(NOW - MINUTE * 90, Outcome.BUSY),))),
    (RefusalCode.FREQUENCY, lambda: callee(calls=ago(20))),
    (
        RefusalCode.CARRIER_FREQUENCY,
        lambda: through(CarrierRules(name="x", rates=(Rate(1, timedelta(hours=2)),)), calls=ago(90)),
    ),
    (RefusalCode.SURVEY_QUOTA, lambda: callee(surveys=ago(60 * 24, 60 * 48, 60 * 24 * 29))),
    (RefusalCode.OPEN_ATTEMPT, lambda: callee(open_attempt=True)),
    (RefusalCode.CUSTOMER_ON_CALL, lambda: callee(on_call=True)),
    (RefusalCode.CAMPAIGN_STOPPED, lambda: switch(stopped=True)),
    (RefusalCode.PAUSED, lambda: switch(running=False)),
    (RefusalCode.NO_CALLER_ID, lambda: switch(caller_id=None)),
    (RefusalCode.LINK_DOWN, lambda: switch(link_live=False)),
    (RefusalCode.STALE_STATE, lambda: switch(as_of=None)),
    (RefusalCode.STALE_STATE, lambda: switch(as_of=NOW - timedelta(seconds=6))),
    (RefusalCode.STALE_STATE, lambda: switch(as_of=NOW + timedelta(seconds=6))),
    (RefusalCode.NO_AGENTS, lambda: switch(agents_free=0, agents_signed_in=9)),
    (RefusalCode.NO_AGENTS, lambda: switch(agents_free=2, agents_signed_in=2, agents_least=3)),
    (RefusalCode.ABANDONMENT, lambda: switch(over_budget=True)),
    (RefusalCode.CONCURRENCY, lambda: switch(lines_used=10)),
    (RefusalCode.CONCURRENCY, lambda: switch(lines=0)),
    (RefusalCode.CALLS_PER_SECOND, lambda: switch(started=5)),
]


def test_a_call_against_which_nothing_stands_may_be_made() -> None:
    assert may_dial(ALLOWED) is None
    assert may_dial(switch(agents_free=1, agents_signed_in=1)) is None


@pytest.mark.parametrize(("code", "check"), CASES)
def test_each_reason_refuses_by_its_own_code_alone(code: RefusalCode, check: Callable[[], DialCheck]) -> None:
    assert [refusal.code for refusal in refusals(check())] == [code]


def test_every_code_is_tested() -> None:
    assert {code for code, _ in CASES} == set(RefusalCode)


def test_a_switch_that_was_told_nothing_dials_nothing() -> None:
    codes = {refusal.code for refusal in refusals(replace(ALLOWED, switch=Switch()))}
    assert codes == {
        RefusalCode.NO_CALLER_ID,
        RefusalCode.LINK_DOWN,
        RefusalCode.STALE_STATE,
        RefusalCode.CONCURRENCY,
    }


def test_the_weightiest_reason_comes_first() -> None:
    check = replace(callee(refused="refused", open_attempt=True), switch=Switch(running=False))
    refusal = may_dial(check)
    assert refusal is not None
    assert refusal.code is RefusalCode.DO_NOT_CALL
    assert refusal.code.ends_task
    assert not RefusalCode.PAUSED.ends_task


def test_a_refusal_says_from_when_it_is_worth_asking_again() -> None:
    lunch = may_dial(when("2026-03-02 12:30"))
    assert lunch is not None
    assert local(lunch.until) == "2026-03-02 14:00"
    lately = may_dial(callee(calls=ago(20)))
    assert lately is not None
    assert local(lately.until) == "2026-03-02 10:10"


def test_at_most_three_answered_surveys_in_30_days_across_all_types() -> None:
    day = 60 * 24
    assert may_dial(callee(surveys=ago(day, 2 * day))) is None
    assert may_dial(callee(surveys=ago(day, 2 * day, 30 * day))) is None
    full = callee(surveys=ago(day, 2 * day, 29 * day))
    assert may_dial(full) is not None
    # The customer's own case is no survey.
    assert may_dial(replace(full, task=TaskAsked(survey=False))) is None


def test_an_appointment_is_kept_however_lately_the_customer_was_called() -> None:
    tried = (Tried(NOW - MINUTE * 60, Outcome.ANSWERED),)
    wish = CallWish(occasion=Occasion.APPOINTED)
    assert may_dial(task(tried=tried, wish=wish)) is None
    assert may_dial(task(tried=tried)) is not None


@pytest.mark.parametrize(
    ("rates", "calls", "free"),
    [
        # Tencent: five in 24 hours, three in five minutes.
        ((Rate(5, timedelta(hours=24)), Rate(3, timedelta(minutes=5))), (1, 2), "never"),
        ((Rate(5, timedelta(hours=24)), Rate(3, timedelta(minutes=5))), (1, 2, 4), "2026-03-02 10:01"),
        ((Rate(5, timedelta(hours=24)), Rate(3, timedelta(minutes=5))), (1, 2, 5), "never"),
        (
            (Rate(5, timedelta(hours=24)), Rate(3, timedelta(minutes=5))),
            (60, 120, 180, 240, 300),
            "2026-03-03 05:00",
        ),
        # Alibaba: one a minute, five an hour, twenty in 24 hours.
        ((Rate(1, MINUTE), Rate(5, timedelta(hours=1))), (0.5,), "2026-03-02 10:00"),
        ((Rate(1, MINUTE), Rate(5, timedelta(hours=1))), (1, 10, 20, 30, 50), "2026-03-02 10:10"),
        # Volcengine: three in five minutes, six in ten, ten in 24 hours.
        ((Rate(3, MINUTE * 5), Rate(6, MINUTE * 10)), (5, 6, 7, 8, 9, 9.5), "2026-03-02 10:00"),
        # Made before the clock was set back.
        ((Rate(1, MINUTE),), (-3,), "2026-03-02 10:04"),
    ],
)
def test_carriers_rates_at_their_edges(rates: tuple[Rate, ...], calls: tuple[float, ...], free: str) -> None:
    assert local(free_at(rates, [NOW - MINUTE * number for number in calls], NOW)) == free


def test_carriers_hours_hold_for_requests_too() -> None:
    carrier = CarrierRules(name="alibaba", hours=(Span(time(9), time(12)), Span(time(14), time(21))))
    wish = CallWish(occasion=Occasion.REQUESTED)
    early = replace(when("2026-03-02 08:40"), task=TaskAsked(wish=wish), rules=DialRules(carrier=carrier))
    refusal = may_dial(early)
    assert refusal is not None
    assert (refusal.code, local(refusal.until)) == (RefusalCode.OUTSIDE_WINDOW, "2026-03-02 09:00")


def test_the_carriers_own_limit_of_calls_at_a_time() -> None:
    one = CarrierRules(name="tencent", concurrent=1)
    busy = replace(switch(lines_used=1), rules=DialRules(carrier=one))
    assert [refusal.code for refusal in refusals(busy)] == [RefusalCode.CONCURRENCY]


def test_rates_are_positive() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Rate(0, MINUTE)
