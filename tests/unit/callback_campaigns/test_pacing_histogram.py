"""Conditional times from the centre's own histogram."""

from random import Random

import pytest

from callback_campaigns.pacing.histogram import EDGES, LONGEST, Durations, Ratio, bin_of
from callback_campaigns.pacing.history import POINTS, History

pytestmark = pytest.mark.unit


def observed(values: list[float]) -> Durations:
    durations = Durations()
    for value in values:
        durations.observe(value)
    return durations


@pytest.mark.parametrize("seconds", [0.0, 0.9, 1.0, 17.5, 59.999, 60.0, 3_599.0])
def test_a_duration_lies_in_its_bin(seconds: float) -> None:
    index = bin_of(seconds)
    assert EDGES[index] <= seconds < EDGES[index + 1]


def test_what_lasts_beyond_every_bin_lies_in_the_last() -> None:
    assert bin_of(10.0 * LONGEST) == len(EDGES) - 2
    assert bin_of(-1.0) == 0


def test_nothing_is_foreseen_of_what_was_never_seen() -> None:
    assert Durations().within(10.0) == 0.0
    assert Durations().surviving(10.0) == 1.0


def test_a_call_that_has_lasted_is_judged_by_those_that_lasted() -> None:
    """Half end at about 20 s, half at about 200 s: one that is past 60 s is of the second kind."""
    durations = observed([20.5, 200.5] * 300)
    assert durations.within(25.0) == pytest.approx(0.5, abs=0.03)
    assert durations.within(25.0, after=60.0) < 0.03
    assert durations.within(30.0, after=190.0) > 0.9


def test_chances_follow_the_distribution_that_was_drawn_from() -> None:
    random = Random(5)
    durations = observed([random.expovariate(1 / 100) for _ in range(3_000)])
    # memoryless: the same chance whatever has passed
    assert durations.within(50.0) == pytest.approx(0.393, abs=0.04)
    assert durations.within(50.0, after=150.0) == pytest.approx(0.393, abs=0.06)
    assert durations.quantile(0.5) == pytest.approx(69.3, rel=0.1)
    assert durations.mean == pytest.approx(100.0, rel=0.1)


def test_the_newest_weigh_most() -> None:
    durations = Durations(memory=100)
    for seconds in [10.0] * 500 + [100.0] * 500:
        durations.observe(seconds)
    assert durations.mean == pytest.approx(100.0, rel=0.02)


def test_a_long_life_overflows_nothing() -> None:
    durations = Durations(memory=10)
    for _ in range(2_000):
        durations.observe(30.0)
    assert durations.mean == pytest.approx(30.0)
    assert durations.within(5.0, after=28.0) > 0.5


def test_the_answer_ratio_begins_at_its_prior_and_follows() -> None:
    ratio = Ratio(prior=0.5, prior_weight=20.0, memory=250)
    assert ratio.value == 0.5
    for index in range(1_000):
        ratio.observe(index % 5 == 0)
    assert ratio.value == pytest.approx(0.2, abs=0.01)
    assert ratio.value < ratio.upper() < 0.25


def test_the_longer_it_rings_the_likelier_nobody_is_there() -> None:
    history = History()
    for index in range(400):
        history.dial_answered(6.0 + index % 9)
        history.dial_failed(30.0)
        history.talk_ended(100.0 + index % 50)
        history.wrap_up_ended(20.0 + index % 10)
    outlook = history.outlook(1.0)
    assert len(outlook.moments) == POINTS
    assert outlook.dialling(bin_of(5.5))[-1] > 0.4 > 0.05 > outlook.dialling(bin_of(25.0))[-1]


def test_an_agent_late_in_wrap_up_is_nearer_than_one_who_begins_to_talk() -> None:
    history = History()
    for index in range(400):
        history.dial_answered(6.0 + index % 9)
        history.talk_ended(100.0 + index % 50)
        history.wrap_up_ended(20.0 + index % 10)
    outlook = history.outlook(1.0)
    begun, late = outlook.talking[bin_of(5.0)], outlook.talking[bin_of(135.0)]
    wrapping = outlook.wrapping[bin_of(24.0)]
    assert begun[-1] < 0.02
    assert begun[-1] < late[-1] < wrapping[-1]


def test_agents_who_go_into_a_pause_do_not_come_back() -> None:
    history = History()
    for index in range(600):
        history.dial_answered(10.0)
        history.talk_ended(100.0)
        history.wrap_up_ended(20.0, free=index % 2 == 0)
    assert history.outlook(1.0).wrapping[bin_of(19.0)][-1] < 0.6
