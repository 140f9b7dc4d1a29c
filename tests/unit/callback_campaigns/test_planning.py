"""Planning of domain.md §1.1 and §3.7, with CB-1, CB-3, CB-9 and CB-11; the plan of the product."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, time, timedelta
from importlib.resources import files
from itertools import count
from typing import Any

import pytest

from callback_campaigns.domain import planning
from callback_campaigns.domain.plan_rules import CaseOf, PlanRules, TriggerKind, When, parse_plan
from callback_campaigns.domain.planning import (
    Calendar,
    NextAction,
    NextSetting,
    Plan,
    PlanContext,
    Planned,
    Skipped,
    Trigger,
)
from callback_campaigns.domain.rule_reader import add_months
from callback_campaigns.domain.task import Hold, TaskStatus
from callback_campaigns.domain.terms import CallbackType, Channel, Origin
from callback_campaigns.domain.windows import Span
from callback_campaigns.talk_facts import plan_point
from crm.domain.customer import Level
from crm.domain.freeze import FreezeScope
from kernel.errors import ConfigurationError, Invalid
from kernel.holidays import CalendarYearMissing
from tests.unit.callback_campaigns.tasks import planned
from tests.unit.callback_campaigns.times import SITE, at, local

pytestmark = pytest.mark.unit

TEXT = (files("callback_campaigns") / "rules" / "planning.yaml").read_text(encoding="utf-8")
RULES = parse_plan(TEXT)
CALENDAR = Calendar()
STAGES = {
    CallbackType.START: 50,
    CallbackType.CONCEALED: 60,
    CallbackType.MIDTERM: 70,
    CallbackType.COMPLETION: 85,
    CallbackType.FINISHED: 90,
}


def ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"T{next(numbers)}"


def reached(stage: int, moment: str = "2026-03-02 15:00", **changes: Any) -> Trigger:
    return happened(When(TriggerKind.STAGE, stage), moment, **changes)


def happened(when: When, moment: str = "2026-03-02 15:00", **changes: Any) -> Trigger:
    written = at(moment)
    known: dict[str, Any] = {
        "when": when,
        "ref": "S1",
        "at": written,
        "on": written.astimezone(SITE).date(),
        "customer_id": "C1",
        "project_id": "P1",
    }
    return Trigger(**(known | changes))


def plan(trigger: Trigger, rules: PlanRules = RULES, **context: Any) -> Plan:
    return planning.plan(rules, trigger, PlanContext(**context), CALENDAR, now=trigger.at, new_id=ids())


def only(made: Plan) -> Planned:
    (task,) = made.tasks
    return task


def differing(**fields: Any) -> PlanRules:
    """Return the plan with other values for KG in the store BJ01."""
    written = ", ".join(f"{name}: {value}" for name, value in fields.items())
    return parse_plan(TEXT.replace("stores: {}", f"stores: {{BJ01: {{KG: {{{written}}}}}}}"))


@pytest.mark.parametrize(
    ("kind", "due", "window_end"),
    [
        # Reached on Monday, 2 March 2026.
        (CallbackType.START, "2026-03-03 09:30", "2026-03-05 18:00"),
        (CallbackType.CONCEALED, "2026-03-03 09:30", "2026-03-05 18:00"),
        (CallbackType.MIDTERM, "2026-03-03 09:30", "2026-03-05 18:00"),
        (CallbackType.COMPLETION, "2026-03-03 09:30", "2026-03-13 00:00"),
        (CallbackType.FINISHED, "2026-03-05 09:30", "2026-03-13 00:00"),
    ],
)
def test_the_four_callbacks_and_the_finished_customers_are_due_as_the_table_says(
    kind: CallbackType, due: str, window_end: str
) -> None:
    task = only(plan(reached(STAGES[kind]))).task
    assert (task.kind, task.status, task.origin) == (kind, TaskStatus.PLANNED, Origin.AUTO_EVENT)
    assert local(task.due_at) == due
    assert local(task.window_end) == window_end


@pytest.mark.parametrize(
    ("started", "due", "window_end"),
    [
        # The window's three working days beside the check values of §6.2.
        ("2026-02-13 15:00", "2026-02-14 09:30", "2026-02-25 18:00"),
        ("2026-02-14 15:00", "2026-02-24 09:30", "2026-02-26 18:00"),
        ("2026-09-18 15:00", "2026-09-19 09:30", "2026-09-22 18:00"),
        ("2026-09-19 15:00", "2026-09-20 09:30", "2026-09-22 18:00"),
        ("2026-09-30 15:00", "2026-10-08 09:30", "2026-10-10 18:00"),
        ("2026-10-08 15:00", "2026-10-09 09:30", "2026-10-12 18:00"),
        ("2026-03-06 15:00", "2026-03-07 09:30", "2026-03-11 18:00"),
        ("2026-03-07 15:00", "2026-03-09 09:30", "2026-03-11 18:00"),
    ],
)
def test_due_days_and_windows_around_holidays_and_make_up_days(
    started: str, due: str, window_end: str
) -> None:
    task = only(plan(reached(50, started))).task
    assert local(task.due_at) == due
    assert local(task.window_end) == window_end


@pytest.mark.parametrize("case", list(CaseOf))
def test_a_resolved_case_is_called_about_within_48_hours_on_any_day(case: CaseOf) -> None:
    # On the second day of the Spring Festival, at night.
    when = When(TriggerKind.CASE_RESOLVED, case=case)
    task = only(plan(happened(when, "2026-02-17 21:00", case_id="K1"))).task
    assert local(task.due_at) == "2026-02-18 08:30"
    assert local(task.window_end) == "2026-02-19 21:00"
    assert task.case_id == "K1"
    daytime = only(plan(happened(when, "2026-02-17 12:17"))).task
    assert local(daytime.due_at) == "2026-02-17 12:17"


def test_a_cancelled_project_leads_to_the_callback_of_lost_customers() -> None:
    task = only(plan(happened(When(TriggerKind.PROJECT_ENDED)))).task
    assert (task.kind, task.channel) == (CallbackType.CHURNED, Channel.AGENT)


@pytest.mark.parametrize(
    ("level", "first_by", "channel"),
    [
        (Level.A, "2026-03-03 15:00", Channel.AGENT),
        (Level.B, "2026-03-05 18:00", Channel.IVR),
        (Level.C, "2026-03-05 18:00", Channel.IVR),
    ],
)
def test_levels_differ_in_channel_and_first_attempt(level: Level, first_by: str, channel: Channel) -> None:
    made = only(plan(reached(50), level=level))
    assert local(made.first_by) == first_by
    assert made.task.channel is channel


def test_level_A_is_due_when_it_likes() -> None:
    evening = Span(time(18), time(20))
    assert local(only(plan(reached(50), level=Level.A, preferred=evening)).task.due_at) == "2026-03-03 18:00"
    noon = Span(time(12), time(13))
    assert local(only(plan(reached(50), level=Level.A, preferred=noon)).task.due_at) == "2026-03-03 12:00"
    # Hours that never meet ours: the task exists, and whoever dials is refused.
    assert only(plan(reached(50), preferred=noon)).task.due_at == at("2026-03-03 00:00")


def test_the_same_event_gives_the_same_keys_and_no_second_task() -> None:
    first = only(plan(reached(50))).task
    again = plan(reached(50), known_keys=frozenset({first.key}))
    assert (again.tasks, again.skipped) == ((), {CallbackType.START: Skipped.KNOWN})
    assert first.key == "KG:P1:S1"
    assert only(plan(reached(50, ref="S2"))).task.key != first.key


def test_CB9_a_stopped_node_makes_no_callback() -> None:
    made = plan(reached(50), stopped=frozenset({CallbackType.START}))
    assert made.skipped == {CallbackType.START: Skipped.STOPPED}
    assert (
        only(plan(reached(60), stopped=frozenset({CallbackType.START}))).task.kind is CallbackType.CONCEALED
    )


def test_CB3_what_is_planned_during_a_freeze_is_born_frozen() -> None:
    frozen = only(plan(reached(50), freezes=frozenset({FreezeScope.SITE}))).task
    assert (frozen.status, frozen.holds) == (TaskStatus.FROZEN, frozenset({Hold.CUSTOMER}))
    other = only(plan(reached(50), freezes=frozenset({FreezeScope.CASE}))).task
    assert other.status is TaskStatus.PLANNED
    still = only(plan(reached(50), suspended=True)).task
    assert still.holds == frozenset({Hold.PROJECT})


@pytest.mark.parametrize(
    ("level", "severity", "channel"),
    [
        (Level.A, 1, Channel.AGENT),
        (Level.B, 1, Channel.IVR),
        (Level.C, 1, Channel.IVR),
        (Level.B, 2, Channel.AGENT),
        (Level.C, 3, Channel.AGENT),
    ],
)
def test_TS_B_and_C_are_asked_by_IVR_first_and_never_from_severity_2_on(
    level: Level, severity: int, channel: Channel
) -> None:
    resolved = happened(When(TriggerKind.CASE_RESOLVED, case=CaseOf.COMPLAINT), case_id="K1")
    assert only(plan(resolved, level=level, severity=severity)).task.channel is channel


def test_a_site_cannot_have_IVR_ask_about_severe_complaints_by_naming_IVR() -> None:
    rules = parse_plan(
        TEXT.replace("stores: {}", "stores: {BJ01: {TS: {channel: {A: ivr, B: ivr, C: ivr}}}}")
    )
    resolved = happened(When(TriggerKind.CASE_RESOLVED, case=CaseOf.COMPLAINT), case_id="K1")
    assert only(plan(resolved, rules, store="BJ01", severity=2)).task.channel is Channel.AGENT


def test_a_suspended_project_does_not_hold_back_a_case() -> None:
    when = When(TriggerKind.CASE_RESOLVED, case=CaseOf.COMPLAINT)
    assert only(plan(happened(when), suspended=True)).task.holds == frozenset()


def test_CB11_a_finished_project_without_feedback_form_is_called_once_more() -> None:
    assert planning.owes_form_call(warranty_issued=True, form_received=False)
    assert not planning.owes_form_call(warranty_issued=True, form_received=True)
    assert not planning.owes_form_call(warranty_issued=False, form_received=False)
    missing = happened(When(TriggerKind.FORM_MISSING), ref="form")
    task = only(plan(missing)).task
    assert task.kind is CallbackType.PERIODIC
    assert plan(missing, known_keys=frozenset({task.key})).tasks == ()


def test_concealed_works_still_open_at_the_mid_term_acceptance_is_a_warning() -> None:
    made = plan(reached(70), open_types=frozenset({CallbackType.CONCEALED, CallbackType.START}))
    assert made.warnings == (CallbackType.CONCEALED,)
    assert plan(reached(70)).warnings == ()
    assert plan(reached(60), open_types=frozenset({CallbackType.CONCEALED})).warnings == ()


def test_a_missing_calendar_year_is_a_hard_error_when_planning() -> None:
    with pytest.raises(CalendarYearMissing):
        plan(reached(50, "2050-03-02 15:00"))


def test_an_event_written_down_long_after_it_happened_is_history() -> None:
    late = reached(50, on=date(2025, 12, 31))
    assert plan(late).skipped == {CallbackType.START: Skipped.TOO_OLD}
    recent = only(plan(reached(50, on=date(2026, 2, 24)))).task
    assert local(recent.due_at) == "2026-03-02 15:00"
    assert local(recent.window_end) == "2026-02-27 18:00"


# Stores and sampling


def test_a_store_may_time_them_differently() -> None:
    rules = differing(offset="7d", window="15d")
    assert local(only(plan(reached(50), rules, store="BJ01")).task.due_at) == "2026-03-09 09:30"
    assert local(only(plan(reached(50), rules, store="SH02")).task.due_at) == "2026-03-03 09:30"


def test_a_store_may_do_without_or_for_some_levels_only() -> None:
    off = plan(reached(50), differing(enabled="false"), store="BJ01")
    assert off.skipped == {CallbackType.START: Skipped.DISABLED}
    for_a = differing(levels="[A]")
    assert plan(reached(50), for_a, store="BJ01").skipped == {CallbackType.START: Skipped.LEVEL}
    assert only(plan(reached(50), for_a, store="BJ01", level=Level.A))


def test_sampling_follows_from_the_key_alone_and_keeps_the_ratio() -> None:
    rules = differing(sampling=30)
    rule = rules.of(CallbackType.START, "BJ01")
    keys = [f"KG:P{number}:S{number}" for number in range(4000)]
    chosen = [key for key in keys if planning.is_sampled(key, rule)]
    assert 0.27 < len(chosen) / len(keys) < 0.33
    assert chosen == [key for key in keys if planning.is_sampled(key, rule)]
    # Who is chosen at 30 % is also chosen at 60 %.
    more = replace(rule, sampling=rule.sampling * 2)
    assert all(planning.is_sampled(key, more) for key in chosen)
    assert all(planning.is_sampled(key, RULES.types[CallbackType.START]) for key in keys[:100])


def test_nobody_is_sampled_at_zero() -> None:
    assert plan(reached(50), differing(sampling=0), store="BJ01").skipped == {
        CallbackType.START: Skipped.SAMPLED_OUT
    }


# Finished customers


def test_the_points_of_a_finished_customer_come_one_after_the_other() -> None:
    rule = RULES.types[CallbackType.FINISHED]
    delivered, warranty_end = date(2026, 1, 31), date(2028, 1, 31)
    after, days = delivered, []
    while (
        found := planning.next_point(rule, delivered, (warranty_end,), after=after, level=Level.B)
    ) is not None:
        days.append((found[0], str(found[1])))
        after = found[1]
    assert days == [
        ("D3", "2026-02-03"),
        ("M1", "2026-02-28"),
        ("M3", "2026-04-30"),
        ("M6", "2026-07-31"),
        ("Y1", "2027-01-31"),
        ("W30", "2028-01-01"),
        ("Y2", "2028-01-31"),
        ("Y3", "2029-01-31"),
        ("Y4", "2030-01-31"),
        ("Y5", "2031-01-31"),
    ]
    assert planning.next_point(rule, delivered, (), after=date(2026, 8, 1), level=Level.B) == (
        "Y1",
        date(2027, 1, 31),
    )


def test_a_call_comes_thirty_days_before_each_item_of_the_warranty_expires() -> None:
    rule = RULES.types[CallbackType.FINISHED]
    ends = (date(2031, 1, 31), date(2027, 1, 31), date(2028, 1, 31))
    days = planning.days_of(rule, date(2026, 1, 31), ends)
    found = {code: day for code, day in days.items() if code.startswith("W30")}
    assert found == {
        "W30-2701": date(2027, 1, 1),
        "W30-2801": date(2028, 1, 1),
        "W30": date(2031, 1, 1),
    }
    assert {plan_point(code) for code in found} == {"warranty"}
    assert all(len(code) <= 8 for code in days), "the column is that wide"


def test_a_delivery_written_down_late_begins_at_the_next_point() -> None:
    task = only(plan(reached(90, "2026-03-02 15:00", on=date(2026, 2, 20)))).task
    assert (task.point, local(task.due_at)) == ("M1", "2026-03-20 09:30")
    assert task.key == "JG:P1:S1:M1"
    past = plan(reached(90, on=date(2020, 1, 1)))
    assert past.skipped == {CallbackType.FINISHED: Skipped.NO_POINT}


def test_a_point_years_ahead_finds_its_hour_when_its_calendar_is_there() -> None:
    far = only(plan(reached(90, "2026-12-02 15:00", on=date(2025, 12, 1)))).task
    assert far.point == "Y2"
    assert local(far.due_at)[:10] == "2027-12-01"


def test_months_end_where_the_month_does() -> None:
    assert add_months(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert add_months(date(2026, 11, 30), 3) == date(2027, 2, 28)
    assert add_months(date(2026, 12, 31), 12) == date(2027, 12, 31)


# What an agent sets when finishing one


def next_of(setting: NextSetting) -> Planned | None:
    return planning.next_of(
        planned(), setting, RULES, PlanContext(), CALENDAR, now=at("2026-03-02 15:00"), new_id=ids()
    )


def test_the_next_callback_is_set_not_set_or_the_same_again() -> None:
    friday = date(2026, 3, 6)
    assert next_of(NextSetting(action=NextAction.NONE)) is None
    chosen = next_of(NextSetting(action=NextAction.SET, kind=CallbackType.VISIT, on=friday))
    assert chosen is not None
    assert (chosen.task.kind, chosen.task.origin) == (CallbackType.VISIT, Origin.NEXT_OF)
    assert (chosen.task.previous_id, local(chosen.task.due_at)) == ("T1", "2026-03-06 09:30")
    again = next_of(NextSetting(action=NextAction.REPEAT, on=friday))
    assert again is not None
    assert again.task.kind is CallbackType.START
    assert again.task.key == "KG:P1:next:T1"


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        (NextSetting(action=NextAction.NONE, on=date(2026, 3, 6)), "next_type"),
        (NextSetting(action=NextAction.NONE, kind=CallbackType.VISIT), "next_type"),
        (NextSetting(action=NextAction.SET, on=date(2026, 3, 6)), "next_type"),
        (NextSetting(action=NextAction.SET, kind=CallbackType.VISIT), "next_on"),
        (NextSetting(action=NextAction.SET, kind=CallbackType.VISIT, on=date(2026, 3, 1)), "next_on"),
        (NextSetting(action=NextAction.REPEAT), "next_on"),
        (NextSetting(action=NextAction.REPEAT, kind=CallbackType.VISIT, on=date(2026, 3, 6)), "next_type"),
    ],
)
def test_a_setting_that_says_too_little_or_too_much_is_refused(setting: NextSetting, field: str) -> None:
    with pytest.raises(Invalid) as error:
        next_of(setting)
    assert error.value.field == field


def test_a_callback_planned_by_hand() -> None:
    trigger = happened(When(TriggerKind.MANUAL), ref="by-hand-1", on=date(2026, 3, 4))
    made = planning.by_hand(
        RULES, CallbackType.RANDOM, trigger, PlanContext(), CALENDAR, now=trigger.at, new_id=ids()
    )
    assert (made.task.origin, local(made.task.due_at)) == (Origin.MANUAL, "2026-03-04 09:30")
    with pytest.raises(Invalid):
        planning.by_hand(
            RULES,
            CallbackType.RANDOM,
            replace(trigger, on=date(2026, 3, 1)),
            PlanContext(),
            CALENDAR,
            now=trigger.at,
            new_id=ids(),
        )


def test_what_a_call_about_a_task_asks_of_the_hours() -> None:
    wish = planning.wish_for(planned(level=Level.A), RULES.types[CallbackType.START], None)
    assert (wish.level, wish.longest) == (Level.A, timedelta(minutes=4))


# The file


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        ("offset: 1d", "offset: 1x", "types.KG.offset: '1x' is no length"),
        ("offset: 1d", "ofset: 1d", "types.KG.ofset: no such field; did you mean offset?"),
        ("window: 3wd", "window: 3mo", "types.KG.window: '3mo' is no length"),
        ("stage: 50}", "stage: 51}", "types.KG.trigger.stage: 51 is no stage"),
        ("event: stage, stage: 50", "event: stagee", "types.KG.trigger.event: 'stagee' is none of"),
        ("event: form_missing", "event: form_missing, stage: 50", "goes with the event stage"),
        ("case: complaint}", "case: lawsuit}", "types.TS.trigger.case: 'lawsuit' is none of"),
        (", case: repair}", "}", "types.BX.trigger.case: goes with the event case_resolved"),
        ("gate: handover", "gate: door", "types.WG.gate: 'door' is none of"),
        ("enabled: false", "enabled: maybe", "types.NU.enabled: must be true or false"),
        ("code: M1", "code: D3", "types.JG.points: each code once"),
        ("{code: M1, offset: 1mo}", "{code: M1, offset: 3wd}", "types.JG.points[1].offset"),
        ("stores: {}", "stores: {BJ01: {KG: {sampling: 101}}}", "stores.BJ01.KG.sampling: must be a whole"),
        ("stores: {}", "stores: {BJ01: {KQ: {}}}", "stores.BJ01.KQ: no such field"),
        ("stores: {}", "stores: []", "stores: must be a mapping"),
        ("merge: {within: 3d", "merge: {within: 3mo", "merge.within: '3mo' is no length"),
        ("  RT:\n", "  RX:\n", "types.RT: is missing"),
        ("title: 默认回访计划", "title: ''", "title: must be a text"),
        ("too_old: 60d", "too_old: [", "not YAML"),
        ("types:\n", "types: 3\nx:\n", "types: must be a mapping"),
    ],
)
def test_each_mistake_in_the_file_is_named_by_its_place(was: str, becomes: str, message: str) -> None:
    assert was in TEXT
    with pytest.raises(ConfigurationError) as error:
        parse_plan(TEXT.replace(was, becomes, 1), "mine.yaml")
    assert message in str(error.value)
    assert "mine.yaml: " in str(error.value)
