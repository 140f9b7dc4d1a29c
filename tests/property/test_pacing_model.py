"""Pacing: never more than is permitted, nothing when stale, never less for a larger budget."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callback_campaigns.pacing import AbandonmentBudget, History, Mode, Policy, Reason, Snapshot, decide
from callback_campaigns.pacing.simulation.centre import Centre, Contacts
from callback_campaigns.pacing.simulation.diallers import PacedDialler
from callback_campaigns.pacing.simulation.run import Run
from tests.support.pacing import taught

pytestmark = pytest.mark.property

NOW = 50_000.0
HISTORIES = (
    History(),
    taught(),
    taught(answer_ratio=0.1, talk_mean=40.0),
    taught(answer_ratio=0.9, talk_mean=400.0),
)
AGO = st.floats(min_value=0.0, max_value=2_000.0).map(lambda ago: NOW - ago)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    return Snapshot(
        now=NOW,
        heard_at=NOW - draw(st.floats(min_value=0.0, max_value=15.0)),
        free=draw(st.integers(0, 30)),
        ringing=draw(st.integers(0, 3)),
        talking_since=tuple(draw(st.lists(AGO, max_size=30))),
        wrapping_since=tuple(draw(st.lists(AGO, max_size=10))),
        dialling_since=tuple(draw(st.lists(AGO, max_size=40))),
        waiting=draw(st.integers(0, 3)),
        lines_free=draw(st.integers(0, 60)),
        starts_left=draw(st.integers(0, 20)),
    )


HISTORY = st.sampled_from(HISTORIES)
MODE = st.sampled_from(list(Mode))
CREDIT = st.floats(min_value=-5.0, max_value=40.0)
POLICY = Policy()


@settings(max_examples=60, deadline=None)
@given(snapshots(), HISTORY, MODE, CREDIT)
def test_never_more_than_lines_rates_and_agents_permit(
    snapshot: Snapshot, history: History, mode: Mode, credit: float
) -> None:
    decision = decide(snapshot, mode=mode, policy=POLICY, history=history, credit=credit)
    assert 0 <= decision.dial <= min(snapshot.lines_free, snapshot.starts_left)
    if decision.dial:
        in_progress = decision.dial + len(snapshot.dialling_since)
        assert in_progress <= POLICY.lines_per_agent * snapshot.agents


@settings(max_examples=60, deadline=None)
@given(snapshots(), HISTORY, MODE, CREDIT)
def test_a_stale_state_dials_nobody_and_an_ageing_one_foresees_nothing(
    snapshot: Snapshot, history: History, mode: Mode, credit: float
) -> None:
    decision = decide(snapshot, mode=mode, policy=POLICY, history=history, credit=credit)
    age = NOW - snapshot.heard_at
    if age > POLICY.stale_seconds:
        assert (decision.dial, decision.reason) == (0, Reason.STATE_STALE)
    elif age > POLICY.ageing_seconds:
        assert decision.reason not in {Reason.POWER, Reason.PREDICTIVE}


@settings(max_examples=60, deadline=None)
@given(snapshots(), HISTORY, MODE, CREDIT, CREDIT)
def test_a_larger_budget_never_dials_less(
    snapshot: Snapshot, history: History, mode: Mode, one: float, other: float
) -> None:
    less, more = (
        decide(snapshot, mode=mode, policy=POLICY, history=history, credit=credit).dial
        for credit in sorted((one, other))
    )
    assert less <= more


@settings(max_examples=60, deadline=None)
@given(snapshots(), HISTORY, MODE, CREDIT)
def test_what_is_held_back_is_dialled_for_free_agents_only(
    snapshot: Snapshot, history: History, mode: Mode, credit: float
) -> None:
    decision = decide(snapshot, mode=mode, policy=POLICY, history=history, credit=credit)
    free = max(0, snapshot.free - snapshot.waiting - len(snapshot.dialling_since))
    if decision.reason not in {Reason.POWER, Reason.PREDICTIVE}:
        assert decision.dial <= free
    elif snapshot.agents < POLICY.min_agents or credit <= 0:
        pytest.fail("foreseen without agents or budget")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 900.0), st.booleans()), max_size=60), st.floats(0.01, 0.2))
def test_a_budget_agrees_with_counting(answers: list[tuple[float, bool]], cap: float) -> None:
    """Without savings' limit, and within one window: cap x live - abandoned."""
    budget = AbandonmentBudget(cap=cap, window_seconds=1e9, savings=1e9)
    now = 0.0
    for pause, abandoned in answers:
        now += pause
        budget.record(now, abandoned=abandoned)
    gone = sum(abandoned for _, abandoned in answers)
    assert budget.counts(now) == (len(answers), gone)
    assert budget.credit(now) == pytest.approx(cap * len(answers) - gone)


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 10_000))
def test_a_short_day_stays_below_the_cap_and_repeats_itself(seed: int) -> None:
    centre = Centre(agents=12, seed=seed, hours=0.3, talk_mean=60.0, wrap_mean=15.0)
    policy = replace(POLICY, min_answers=20)
    first, second = (
        Run(centre, Contacts(centre), PacedDialler(Mode.PREDICTIVE, policy), policy.cap).outcome()
        for _ in range(2)
    )
    assert first == second
    assert first.abandonment <= policy.cap
