"""Campaigns by their rules: what a step allows, what may be changed when, which fields fit."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from callback_campaigns.domain import campaign as rules
from callback_campaigns.domain.campaign import (
    Campaign,
    CampaignMode,
    CampaignState,
    CampaignStep,
    Premises,
    TasksFrom,
    Trunk,
)
from callback_campaigns.domain.terms import CallbackType
from crm.domain.customer import Level
from crm.domain.machine import IllegalStep
from kernel.errors import Invalid

pytestmark = pytest.mark.unit

TODAY = date(2026, 3, 3)
STORE = "01K0000000000000000000ST0R"
HERE = Premises(
    trunks={"main": Trunk(name="main", lines=30, caller_ids=("01065558800", "01065558801"))},
    carriers=frozenset({"own", "tencent"}),
    queues=frozenset({"service"}),
    stores=frozenset({STORE}),
    today=TODAY,
)


def campaign(**changes: Any) -> Campaign:
    known: dict[str, Any] = {
        "campaign_id": "01K000000000000000000CAMPN",
        "name": "竣工客户回访",
        "mode": CampaignMode.IVR,
        "kinds": frozenset({CallbackType.FINISHED}),
        "trunk": "main",
        "carrier": "own",
        "caller_id": "01065558800",
        "starts_on": TODAY,
        "ends_on": TODAY + timedelta(days=6),
    }
    return Campaign(**(known | changes))


def refused(**changes: Any) -> str | None:
    with pytest.raises(Invalid) as caught:
        rules.check(campaign(**changes), HERE)
    return caught.value.field


def test_what_fits_is_let_through() -> None:
    rules.check(campaign(), HERE)
    rules.check(campaign(queue="service"), HERE)
    rules.check(campaign(mode=CampaignMode.PREVIEW), HERE)
    rules.check(campaign(mode=CampaignMode.POWER, queue="service", ratio=1.5), HERE)
    rules.check(campaign(mode=CampaignMode.PROGRESSIVE, queue="service", abandon_cap=0.0), HERE)
    rules.check(campaign(store_ids=frozenset({STORE}), caller_id="01065558801", carrier="tencent"), HERE)


@pytest.mark.parametrize("mode", ["progressive", "power", "predictive"])
def test_a_mode_with_people_needs_a_queue(mode: str) -> None:
    assert refused(mode=CampaignMode(mode)) == "queue"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("queue", {"mode": CampaignMode.PREVIEW, "queue": "service"}),
        ("queue", {"queue": "nowhere"}),
        ("kinds", {"kinds": frozenset()}),
        ("kinds", {"kinds": frozenset({CallbackType.VISIT})}),
        (
            "kinds",
            {"tasks_from": TasksFrom.LIST, "kinds": frozenset({CallbackType.FINISHED, CallbackType.RANDOM})},
        ),
        ("levels", {"levels": frozenset({Level.A})}),
        ("store_ids", {"store_ids": frozenset({"x"})}),
        ("trunk", {"trunk": "other"}),
        ("carrier", {"carrier": "unheard"}),
        ("caller_id", {"caller_id": "13800138000"}),
        ("caller_id", {"caller_id": ""}),
        ("lines", {"lines": 0}),
        ("lines", {"lines": 31}),
        ("per_second", {"per_second": 0}),
        ("per_second", {"per_second": 51}),
        ("agents_least", {"agents_least": 0}),
        ("abandon_cap", {"abandon_cap": 0.031}),
        ("abandon_cap", {"abandon_cap": -0.01}),
        ("abandon_cap", {"abandon_cap": float("nan")}),
        ("abandon_cap", {"mode": CampaignMode.POWER, "queue": "service", "abandon_cap": 0.0}),
        ("ratio", {"mode": CampaignMode.POWER, "queue": "service", "ratio": 3.5}),
        ("ratio", {"ratio": 2.0}),
        ("priority", {"priority": 0}),
        ("ends_on", {"ends_on": TODAY - timedelta(days=1)}),
        ("ends_on", {"ends_on": TODAY + timedelta(days=366)}),
    ],
)
def test_each_field_that_breaks_a_rule_is_named(field: str, changes: dict[str, Any]) -> None:
    assert refused(**changes) == field


def test_only_running_dials_and_only_on_its_days() -> None:
    for state in CampaignState:
        assert campaign(state=state).dials_on(TODAY) is (state is CampaignState.RUNNING)
    running = campaign(state=CampaignState.RUNNING)
    assert running.dials_on(running.ends_on)
    assert not running.dials_on(running.ends_on + timedelta(days=1))
    assert not running.dials_on(running.starts_on - timedelta(days=1))


@pytest.mark.parametrize("state", list(CampaignState))
@pytest.mark.parametrize("wanted", list(CampaignStep))
def test_a_step_is_possible_just_where_the_table_says(state: CampaignState, wanted: CampaignStep) -> None:
    table = {
        ("draft", "start"): "running",
        ("draft", "discard"): "ended",
        ("running", "pause"): "paused",
        ("running", "stop"): "stopped",
        ("paused", "resume"): "running",
        ("paused", "stop"): "stopped",
    }
    leads = table.get((state.value, wanted.value))
    one = campaign(state=state)
    assert (wanted in rules.possible(one)) is (leads is not None)
    if leads is None:
        with pytest.raises(IllegalStep):
            rules.step(one, wanted, TODAY)
    else:
        assert rules.step(one, wanted, TODAY).state == leads


@pytest.mark.parametrize("wanted", [CampaignStep.START, CampaignStep.RESUME])
def test_nothing_is_dialled_after_the_last_day(wanted: CampaignStep) -> None:
    state = CampaignState.DRAFT if wanted is CampaignStep.START else CampaignState.PAUSED
    one = campaign(state=state)
    with pytest.raises(Invalid) as caught:
        rules.step(one, wanted, one.ends_on + timedelta(days=1))
    assert caught.value.field == "ends_on"


def test_stopping_lets_calls_end() -> None:
    stopped = rules.step(campaign(state=CampaignState.RUNNING), CampaignStep.STOP, TODAY)
    assert rules.settle(stopped, TODAY, calls=2).state is CampaignState.STOPPED
    assert rules.settle(stopped, TODAY, calls=0).state is CampaignState.ENDED


@pytest.mark.parametrize("state", [CampaignState.RUNNING, CampaignState.PAUSED])
def test_when_its_last_day_has_passed_it_ends_by_itself(state: CampaignState) -> None:
    one = campaign(state=state)
    assert rules.settle(one, one.ends_on, calls=0).state is state
    after = one.ends_on + timedelta(days=1)
    assert rules.settle(one, after, calls=1).state is CampaignState.STOPPED
    assert rules.settle(one, after, calls=0).state is CampaignState.ENDED


def test_a_draft_waits_for_its_writer() -> None:
    one = campaign()
    assert rules.settle(one, one.ends_on + timedelta(days=30), calls=0) == one


def test_while_it_runs_only_its_pace_and_its_end_are_changed() -> None:
    running = campaign(state=CampaignState.RUNNING)
    rules.check_change(running, replace(running, lines=3, per_second=2, priority=7, name="新名"))
    with pytest.raises(Invalid) as caught:
        rules.check_change(running, replace(running, caller_id="01065558801"))
    assert caught.value.field == "caller_id"
    paused = replace(running, state=CampaignState.PAUSED)
    rules.check_change(paused, replace(paused, caller_id="01065558801"))
    with pytest.raises(Invalid) as caught:
        rules.check_change(paused, replace(paused, tasks_from=TasksFrom.LIST))
    assert caught.value.field == "tasks_from"


@pytest.mark.parametrize("state", [CampaignState.STOPPED, CampaignState.ENDED])
def test_what_is_over_is_not_changed(state: CampaignState) -> None:
    over = campaign(state=state)
    rules.check_change(over, over)
    with pytest.raises(IllegalStep):
        rules.check_change(over, replace(over, name="新名"))
