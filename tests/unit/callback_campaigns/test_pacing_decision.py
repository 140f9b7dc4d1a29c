"""How many to dial now, and why: modes, limits, and what falls back to progressive."""

from dataclasses import replace

import pytest

from callback_campaigns.pacing import Decision, History, Mode, Pacer, Policy, Reason, Snapshot, decide
from tests.support.pacing import taught

pytestmark = pytest.mark.unit

POLICY = Policy()
CENTRE = Snapshot(
    now=10_000.0,
    heard_at=9_999.5,
    free=2,
    talking_since=tuple(10_000.0 - 25.0 * index for index in range(14)),
    wrapping_since=(9_995.0, 9_985.0, 9_980.0, 9_978.0),
)


@pytest.fixture(scope="module")
def history() -> History:
    return taught()


def decided(
    history: History,
    snapshot: Snapshot = CENTRE,
    *,
    mode: Mode = Mode.PREDICTIVE,
    credit: float = 12.0,
    policy: Policy = POLICY,
) -> Decision:
    return decide(snapshot, mode=mode, policy=policy, history=history, credit=credit)


def test_progressive_dials_once_for_each_free_agent(history: History) -> None:
    decision = decided(history, mode=Mode.PROGRESSIVE)
    assert (decision.dial, decision.reason) == (2, Reason.PROGRESSIVE)


def test_progressive_counts_dials_in_progress_and_people_who_wait(history: History) -> None:
    centre = replace(CENTRE, free=4, waiting=1, dialling_since=(9_990.0, 9_999.0))
    assert decided(history, centre, mode=Mode.PROGRESSIVE).dial == 1


def test_power_dials_more_for_free_agents_and_none_for_busy_ones(history: History) -> None:
    assert decided(history, mode=Mode.POWER).dial > 2
    nobody_free = replace(CENTRE, free=0)
    assert decided(history, nobody_free, mode=Mode.POWER).dial == 0
    assert decided(history, nobody_free, mode=Mode.POWER).reason is Reason.POWER


def test_predictive_dials_for_agents_who_will_be_free(history: History) -> None:
    about_to_be_free = replace(CENTRE, free=0, wrapping_since=(9_975.0,) * 6)
    decision = decided(history, about_to_be_free)
    assert decision.reason is Reason.PREDICTIVE
    assert decision.dial > 0
    assert 0 < decision.risk < 0.1


def test_the_same_question_has_the_same_answer(history: History) -> None:
    assert decided(history) == decided(history)


def test_an_empty_budget_falls_back_to_progressive(history: History) -> None:
    decision = decided(history, credit=0.4)
    assert (decision.dial, decision.reason) == (2, Reason.BUDGET_USED)


def test_little_data_falls_back_to_progressive() -> None:
    decision = decided(History())
    assert (decision.dial, decision.reason) == (2, Reason.LITTLE_DATA)


def test_power_needs_no_talk_times() -> None:
    history = History()
    for index in range(200):
        history.dial_answered(8.0 + index % 7)
        history.dial_failed(30.0)
    assert decided(history, mode=Mode.POWER).reason is Reason.POWER
    assert decided(history).reason is Reason.LITTLE_DATA


def test_few_agents_fall_back_to_progressive(history: History) -> None:
    centre = replace(CENTRE, talking_since=CENTRE.talking_since[:1])
    assert centre.agents == 7
    decision = decided(history, centre)
    assert (decision.dial, decision.reason) == (2, Reason.FEW_AGENTS)
    asked = decided(history, centre, policy=replace(POLICY, min_agents=7))
    assert asked.reason is Reason.PREDICTIVE


def test_an_ageing_state_falls_back_to_progressive_and_a_stale_one_dials_nobody(history: History) -> None:
    ageing = decided(history, replace(CENTRE, heard_at=CENTRE.now - 5.0))
    assert (ageing.dial, ageing.reason) == (2, Reason.STATE_AGEING)
    stale = decided(history, replace(CENTRE, heard_at=CENTRE.now - 11.0))
    assert (stale.dial, stale.reason) == (0, Reason.STATE_STALE)


def test_a_state_from_the_future_is_stale(history: History) -> None:
    assert decided(history, replace(CENTRE, heard_at=CENTRE.now + 1.0)).reason is Reason.STATE_STALE


def test_without_lines_nobody_is_dialled(history: History) -> None:
    for centre in (replace(CENTRE, lines_free=0), replace(CENTRE, starts_left=0)):
        decision = decided(history, centre)
        assert (decision.dial, decision.reason) == (0, Reason.NO_LINES)
    many = replace(CENTRE, dialling_since=(9_999.0,) * 60)
    assert decided(history, many).reason is Reason.NO_LINES


def test_without_agents_nobody_is_dialled(history: History) -> None:
    centre = replace(CENTRE, free=0, talking_since=(), wrapping_since=())
    assert decided(history, centre).reason is Reason.NO_AGENTS


def test_a_pacer_keeps_the_budget_of_its_policy() -> None:
    pacer = Pacer(Mode.PREDICTIVE, Policy(cap=0.05), taught())
    assert pacer.decide(CENTRE).reason is Reason.BUDGET_USED
    for second in range(200):
        pacer.budget.record(9_000.0 + second, abandoned=False)
    decision = pacer.decide(CENTRE)
    assert decision.reason is Reason.PREDICTIVE
    assert decision.credit == pytest.approx(10.0)


def test_a_policy_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="cap"):
        Policy(cap=0.0)
    with pytest.raises(ValueError, match="stale_seconds"):
        Policy(ageing_seconds=20.0)
