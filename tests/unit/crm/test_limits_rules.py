"""Limit sets as files, and the points of a running limit: domain.md §0 (chain), §1.3, §1.5, §7 rows 1–3."""

from datetime import datetime, timedelta

import pytest

from crm.domain.limit_file import CODES, parse_policy
from crm.domain.limits import (
    LimitConflict,
    NoSuchLimit,
    Policy,
    Progress,
    Run,
    StepKind,
    begin,
    pause,
    progress,
    resume,
    settle,
    stretch,
)
from crm.limit_rules import shipped_text
from kernel.business_time import BusinessClocks, ClockKind
from kernel.errors import ConfigurationError, Invalid
from kernel.holidays import CalendarYearMissing, WorkCalendar
from tests.support.limits import at, local

pytestmark = pytest.mark.unit

CLOCKS = BusinessClocks()
A = parse_policy(shipped_text("A"), "A.yaml")
B = parse_policy(shipped_text("B"), "B.yaml")
HOUR = timedelta(hours=1)


def due(policy: Policy, code: str, start: str) -> str:
    return local(begin(policy.rule(code), at(start), CLOCKS).deadline)


# §1.3, set A.


def test_T1_accept_3h_SVC_from_registration_C0_to_C2() -> None:
    rule = A.rule("TS.T1")
    assert (rule.clock, rule.amount, rule.start, rule.stop) == (
        ClockKind.SVC,
        3 * HOUR,
        "registered",
        "accepted",
    )
    assert due(A, "TS.T1", "2026-03-20T16:30") == "Sat 03-21 10:00"


def test_T2_verify_24h_NAT_from_C2_to_C3() -> None:
    rule = A.rule("TS.T2")
    assert (rule.start, rule.stop, rule.owes) == ("accepted", "verified", "department")
    assert due(A, "TS.T2", "2026-03-21T09:10") == "Sun 03-22 09:10"


def test_T3_plan_24h_NAT_from_C3_to_C4() -> None:
    rule = A.rule("TS.T3")
    assert (rule.start, rule.stop) == ("verified", "planned")
    assert due(A, "TS.T3", "2026-03-21T15:00") == "Sun 03-22 15:00"


def test_T4_callback_48h_NAT_from_the_end_of_the_visit_to_C7() -> None:
    rule = A.rule("TS.T4")
    assert (rule.start, rule.stop, rule.owes) == ("visit_over", "called_back", "specialist")
    assert due(A, "TS.T4", "2026-03-23T12:00") == "Wed 03-25 12:00"


def test_set_B_counts_T2_and_T3_from_C2_and_T4_from_C0() -> None:
    assert (B.rule("TS.T2").start, B.rule("TS.T3").start) == ("accepted", "accepted")
    assert B.rule("TS.T2").amount == B.rule("TS.T3").amount == 24 * HOUR
    assert (B.rule("TS.T4").start, B.rule("TS.T4").amount) == ("registered", 48 * HOUR)
    assert due(B, "TS.T4", "2026-03-20T16:30") == "Sun 03-22 16:30"


def test_a_set_of_natural_hours_only_makes_T1_of_the_worked_example_due_friday_1930() -> None:
    """§7 row 2, the alternative: every clock is NAT; §1.3's example is registered on Friday at 16:30."""
    natural = parse_policy(shipped_text("A").replace("clock: SVC", "clock: NAT"), "natural.yaml")
    assert {natural.rule(f"TS.T{number}").clock for number in range(1, 5)} == {ClockKind.NAT}
    assert due(natural, "TS.T1", "2026-03-20T16:30") == "Fri 03-20 19:30"


def test_repair_limits_3h_SVC_to_notify_24h_to_contact_48h_to_cost() -> None:
    r2, r3, k0 = A.rule("BX.R2"), A.rule("BX.R3"), A.rule("BX.K0")
    assert (r2.clock, r2.amount, r2.start, r2.stop) == (ClockKind.SVC, 3 * HOUR, "registered", "notified")
    assert (r3.clock, r3.amount, r3.start, r3.stop) == (ClockKind.NAT, 24 * HOUR, "notified", "contacted")
    assert (k0.clock, k0.amount, k0.start, k0.stop) == (ClockKind.NAT, 48 * HOUR, "repaired", "costed")


def test_repair_callback_48h_from_R0_and_the_visit_slot_in_A_exactly_48h_in_B() -> None:
    start, slot = at("2026-03-20T09:00"), 2 * HOUR
    assert local(begin(A.rule("BX.R6"), start, CLOCKS, slot=slot).deadline) == "Sun 03-22 11:00"
    assert local(begin(B.rule("BX.R6"), start, CLOCKS, slot=slot).deadline) == "Sun 03-22 09:00"


def test_visit_of_an_escalation_within_2_WD_of_E1() -> None:
    assert due(A, "ES.VISIT", "2026-02-13T10:00") == "Tue 02-24 18:00"
    assert due(A, "ES.VISIT", "2026-10-08T10:00") == "Sat 10-10 18:00"


def test_E1_review_the_same_day() -> None:
    """§1.3b E1: what is submitted in service hours is looked into before they end."""
    rule = A.rule("ES.REVIEW")
    assert (rule.start, rule.stop, rule.owes) == ("submitted", "reviewed", "manager")
    for policy in (A, B):
        assert due(policy, "ES.REVIEW", "2026-03-20T08:30") == "Fri 03-20 18:00"
        assert due(policy, "ES.REVIEW", "2026-03-20T17:59") == "Fri 03-20 18:00"
        assert due(policy, "ES.REVIEW", "2026-03-20T18:00") == "Sat 03-21 18:00", (
            "after the hours: the next day"
        )
        assert due(policy, "ES.REVIEW", "2026-03-21T07:00") == "Sat 03-21 18:00"
    assert due(A, "ES.REVIEW", "2026-09-30T19:00") == "Sun 10-04 18:00", "not on holidays by law"


def test_the_days_of_service_pass_as_their_hours_do() -> None:
    begun, day = at("2026-03-20T10:00"), timedelta(days=1)
    assert local(CLOCKS.add(ClockKind.SD, begun, day / 2)) == "Fri 03-20 14:00"
    assert CLOCKS.elapsed(ClockKind.SD, begun, at("2026-03-20T14:00")) == day / 2
    assert CLOCKS.elapsed(ClockKind.SD, begun, at("2026-03-20T23:00")) == day
    assert CLOCKS.elapsed(ClockKind.SD, begun, at("2026-03-21T13:15")) == day + day / 2
    assert local(CLOCKS.add(ClockKind.SD, begun, 2 * day)) == "Sat 03-21 18:00"
    assert CLOCKS.add(ClockKind.SD, begun, timedelta(0)) == begun


def test_6_4_requests_are_answered_within_15_WD() -> None:
    assert due(A, "RQ.ANSWER", "2026-03-02T10:00") == "Mon 03-23 18:00"
    assert due(B, "RQ.ANSWER", "2026-02-13T10:00") == due(A, "RQ.ANSWER", "2026-02-13T10:00")


def test_tickets_have_T1_and_T2_as_complaints() -> None:
    for policy in (A, B):
        for part in ("T1", "T2"):
            ticket, case = policy.rule(f"TD.{part}"), policy.rule(f"TS.{part}")
            assert (ticket.clock, ticket.amount) == (case.clock, case.amount)


def test_both_sets_have_every_code_and_the_generic_chain() -> None:
    for policy in (A, B):
        assert tuple(policy.rules) == CODES
        for rule in policy.rules.values():
            assert rule.warn == (50, 80)
            assert [(step.do, step.after, step.clock) for step in rule.chain] == [
                (StepKind.RED, 3 * HOUR, ClockKind.SVC),
                (StepKind.ESCALATE, 24 * HOUR, ClockKind.NAT),
            ]


# Files with mistakes.


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("amount: 3h", "amount: 3x", "limits.yaml: TS.T1.amount: '3x' is no length, such as 90m, 24h or 2d"),
        (
            "amount: 3h",
            "amount: 3d",
            "limits.yaml: TS.T1.amount: '3d': the clock SVC counts hours or minutes",
        ),
        ("amount: 3h", "amount: 0h", "limits.yaml: TS.T1.amount: '0h' is no length"),
        ("amount: 3h", "amount: 3", "limits.yaml: TS.T1.amount: 3 is no length"),
        (
            "clock: SVC, amount",
            "clock: SCV, amount",
            "limits.yaml: TS.T1.clock: 'SCV' is none of NAT, SVC, WD",
        ),
        (
            "start: registered, stop: accepted",
            "start: accepted, stop: registered",
            "limits.yaml: TS.T1.stop: reg",
        ),
        ("stop: accepted", "stop: acepted", "limits.yaml: TS.T1.stop: 'acepted' is none of registered"),
        ("owes: department", "owes: nobody", "limits.yaml: TS.T1.owes: 'nobody' is none of department"),
        ("name: 部门接收", "nmae: 部门接收", "limits.yaml: TS.T1.nmae: no such field; did you mean name?"),
        ("  TS.T1:", "  TS.T9:", "limits.yaml: rules.TS.T9: no such field; did you mean TS.T4?"),
        ("  TS.T1:", "  TS.T9:", "limits.yaml: TS.T1: is missing; every set has all limits"),
        ("amount: 2d", "amount: 36h", "limits.yaml: ES.VISIT.amount: '36h': the clock WD counts whole days"),
        ("warn: [50, 80]", "warn: [80, 50]", "limits.yaml: TS.T1.warn: must rise"),
        ("warn: [50, 80]", "warn: [50, 100]", "limits.yaml: TS.T1.warn: must be a list of percents"),
        ("warn: [50, 80]", "warn: [true]", "limits.yaml: TS.T1.warn: must be a list of percents"),
        ("{do: red,", "{do: rde,", "limits.yaml: TS.T1.chain[0].do: 'rde' is none of red, escalate"),
        ("points: -2", "points: 2", "limits.yaml: TS.T1.chain[1].points: must be a whole number from -100"),
        ("set: A", "set: 甲", "limits.yaml: set: must be a name"),
        ("title:", "titel:", "limits.yaml: titel: no such field; did you mean title?"),
        ("rules:", "rules: [", "limits.yaml: line "),
        ("visit_slot: true", "visit_slot: 2h", "limits.yaml: BX.R6.visit_slot: must be true or false"),
    ],
)
def test_a_mistake_in_a_file_is_named_by_its_place(old: str, new: str, said: str) -> None:
    text = shipped_text("A")
    assert old in text
    with pytest.raises(ConfigurationError) as caught:
        parse_policy(text.replace(old, new, 1))
    assert any(line.startswith(said) for line in caught.value.message.splitlines()), caught.value.message


@pytest.mark.parametrize(
    "text", ["", "- 1", "7", "a: [", "x" * 70_000, "set: A\nrules: 7\n", "{[1]: 2}", "\x00"]
)
def test_what_is_no_limit_set_at_all_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"limits\.yaml"):
        parse_policy(text)


def test_a_stored_version_may_lack_codes_that_came_later() -> None:
    text = "\n".join(line for line in shipped_text("A").splitlines() if "FO.REPLY" not in line)
    policy = parse_policy(text, complete=False)
    with pytest.raises(NoSuchLimit, match=r"FO\.REPLY: no such limit in set A"):
        policy.rule("FO.REPLY")


# Points of a running limit.


def told(found: Progress) -> list[str]:
    return [f"{point.step.kind}{point.step.percent} {local(point.at)}" for point in found.passed]


def run(code: str, start: str) -> Run:
    return begin(A.rule(code), at(start), CLOCKS)


def test_points_at_50_and_80_percent_are_measured_on_the_limits_clock() -> None:
    found = progress(A.rule("TS.T1"), run("TS.T1", "2026-03-20T16:30"), 0, at("2026-03-21T10:00"), CLOCKS)
    assert told(found) == ["warn50 Fri 03-20 18:00", "warn80 Sat 03-21 09:24", "breach100 Sat 03-21 10:00"]
    assert local(found.next_at) == "Sat 03-21 13:00"


def test_chain_plus_3h_SVC_then_plus_24h_NAT() -> None:
    found = progress(A.rule("TS.T1"), run("TS.T1", "2026-03-20T15:00"), 0, at("2026-03-25T10:00"), CLOCKS)
    assert told(found)[2:] == [
        "breach100 Fri 03-20 18:00",
        "red100 Sat 03-21 11:30",
        "escalate100 Sat 03-21 18:00",
    ]
    assert found.next_at is None


def test_over_a_holiday_the_general_manager_is_told_before_the_red_list() -> None:
    # Breached on the last evening before Spring Festival; the service clock stands still until the 20th.
    found = progress(A.rule("TS.T2"), run("TS.T2", "2026-02-14T19:00"), 0, at("2026-02-24T10:00"), CLOCKS)
    assert told(found)[2:] == [
        "breach100 Sun 02-15 19:00",
        "escalate100 Mon 02-16 19:00",
        "red100 Fri 02-20 11:30",
    ]


def test_points_that_were_handled_do_not_come_again_even_when_the_clock_is_set_back() -> None:
    rule, running = A.rule("TS.T1"), run("TS.T1", "2026-03-20T16:30")
    found = progress(rule, running, 0b111, at("2026-03-20T17:00"), CLOCKS)
    assert (told(found), local(found.next_at)) == ([], "Sat 03-21 13:00")


def test_a_step_of_the_chain_waits_for_a_calendar_that_is_not_loaded() -> None:
    last = max(year for year in range(2026, 2060) if WorkCalendar().knows(year))
    rule, running = A.rule("TS.T2"), run("TS.T2", f"{last}-12-30T17:00")
    found = progress(rule, running, 0, at(f"{last}-12-31T17:30"), CLOCKS)
    assert [point.step.kind for point in found.passed] == [StepKind.WARN, StepKind.WARN, StepKind.BREACH]
    assert found.calendar_missing is None
    assert found.next_at == at(f"{last}-12-31T20:00")  # no clock is faster than the wall's
    later = progress(rule, running, 0b111, at(f"{last + 1}-01-01T09:00"), CLOCKS)
    assert (later.next_at, later.calendar_missing) == (at(f"{last + 1}-01-01T09:15"), last + 1)


def test_a_deadline_in_a_year_that_is_not_loaded_is_waited_for_and_never_guessed() -> None:
    rule, now = A.rule("TS.T1"), at("2099-03-02T12:00")
    waiting = run("TS.T1", "2099-03-02T10:00")
    assert (waiting.deadline, waiting.waits_for) == (None, 2099)
    assert waiting.share_at(rule, now, CLOCKS) == 0
    found = progress(rule, waiting, 0, now, CLOCKS)
    assert (found.passed, found.calendar_missing) == ((), 2099)
    assert found.next_at == at("2099-03-02T12:15")
    loaded = BusinessClocks(calendar=WorkCalendar(years=[2099]))
    known = settle(rule, waiting, loaded)
    assert (local(known.deadline), known.waits_for) == ("Mon 03-02 13:00", None)


def test_a_share_is_known_up_to_where_the_calendar_ends() -> None:
    rule, clocks = A.rule("TS.T1"), BusinessClocks(calendar=WorkCalendar(years=[2098]))
    waiting = begin(rule, at("2098-12-31T16:30"), clocks)
    assert waiting.waits_for == 2099
    assert waiting.share_at(rule, at("2098-12-31T17:15"), clocks) == 0.25
    assert waiting.share_at(rule, at("2099-01-01T10:00"), clocks) == 0.5


def test_a_pause_is_refused_only_where_the_time_used_is_not_known() -> None:
    rule, clocks = A.rule("TS.T1"), BusinessClocks(calendar=WorkCalendar(years=[2098]))
    waiting = begin(rule, at("2098-12-31T16:30"), clocks)
    paused = pause(rule, waiting, at("2098-12-31T17:15"), clocks)
    assert (paused.used, paused.deadline, paused.waits_for) == (timedelta(minutes=45), None, None)
    with pytest.raises(CalendarYearMissing):
        pause(rule, waiting, at("2099-01-01T09:00"), clocks)
    going = resume(rule, paused, at("2099-01-01T09:00"), clocks)
    assert (going.used, going.waits_for) == (timedelta(minutes=45), 2099)
    with pytest.raises(LimitConflict):
        resume(rule, going, at("2099-01-01T09:00"), clocks)
    both = BusinessClocks(calendar=WorkCalendar(years=[2098, 2099]))
    assert local(settle(rule, going, both).deadline) == "Thu 01-01 11:15"


def test_share_is_used_up_beyond_the_deadline_without_asking_the_calendar() -> None:
    rule, running = A.rule("TS.T1"), run("TS.T1", "2026-03-20T16:30")
    assert running.share_at(rule, at("2026-03-20T16:00"), CLOCKS) == 0
    assert running.share_at(rule, at("2026-03-20T23:00"), CLOCKS) == 0.5
    assert running.share_at(rule, at("2099-03-20T23:00"), CLOCKS) == 1


# Pauses.


def test_a_pause_takes_its_time_out_of_the_limit() -> None:
    rule, running = A.rule("TS.T2"), run("TS.T2", "2026-03-20T09:00")
    paused = pause(rule, running, at("2026-03-20T15:00"), CLOCKS)
    assert (paused.deadline, paused.used) == (None, 6 * HOUR)
    assert paused.share_at(rule, at("2026-03-29T09:00"), CLOCKS) == 0.25
    going = resume(rule, paused, at("2026-03-22T09:00"), CLOCKS)
    assert local(going.deadline) == "Mon 03-23 03:00"
    assert told(progress(rule, going, 0, at("2026-03-22T16:00"), CLOCKS)) == ["warn50 Sun 03-22 15:00"]


def test_what_is_left_of_a_working_day_ends_with_the_whole_day() -> None:
    rule, running = A.rule("ES.VISIT"), run("ES.VISIT", "2026-03-16T10:00")
    paused = pause(rule, running, at("2026-03-17T13:15"), CLOCKS)  # half of day 1
    going = resume(rule, paused, at("2026-03-18T09:00"), CLOCKS)
    assert local(going.deadline) == "Fri 03-20 18:00"


def test_what_is_over_cannot_be_paused_nor_what_runs_resumed() -> None:
    rule, running = A.rule("TS.T2"), run("TS.T2", "2026-03-20T09:00")
    with pytest.raises(LimitConflict, match="is over"):
        pause(rule, running, at("2026-03-21T09:00"), CLOCKS)
    with pytest.raises(LimitConflict, match="not paused"):
        resume(rule, running, at("2026-03-20T10:00"), CLOCKS)
    with pytest.raises(LimitConflict, match="paused already"):
        pause(rule, pause(rule, running, at("2026-03-20T10:00"), CLOCKS), at("2026-03-20T11:00"), CLOCKS)


def test_an_amount_of_its_own_counts_instead_of_the_rules() -> None:
    started: datetime = at("2026-03-20T09:00")
    assert begin(A.rule("FO.REPLY"), started, CLOCKS, amount=2 * HOUR).deadline == started + 2 * HOUR
    for amount in (timedelta(0), -HOUR):
        with pytest.raises(Invalid):
            begin(A.rule("FO.REPLY"), started, CLOCKS, amount=amount)
    with pytest.raises(Invalid):
        begin(A.rule("ES.VISIT"), started, CLOCKS, amount=30 * HOUR)


def test_another_slot_moves_the_deadline_from_the_same_start() -> None:
    rule = A.rule("BX.R6")
    running = begin(rule, at("2026-03-20T09:00"), CLOCKS, slot=2 * HOUR)
    assert local(stretch(rule, running, 52 * HOUR, CLOCKS).deadline) == "Sun 03-22 13:00"
