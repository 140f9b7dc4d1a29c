"""Patience, and what the AMI link tells the monitoring."""

from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from telephony.ami import AmiConfig, LinkState
from telephony.ami.metrics import count_events, show_state

pytestmark = pytest.mark.unit


def test_backoff_grows_from_one_second_to_what_callers_can_wait() -> None:
    config = AmiConfig()
    waits = [config.backoff(tries, spread=0.5).total_seconds() for tries in range(8)]
    assert waits == [1, 2, 4, 5, 5, 5, 5, 5]
    assert config.backoff(10_000, spread=1) == timedelta(seconds=5)


def test_backoff_is_spread() -> None:
    config = AmiConfig()
    assert config.backoff(1, spread=0) == timedelta(seconds=1.5)
    assert config.backoff(1, spread=1) == timedelta(seconds=2.5)


def test_the_secret_is_not_shown() -> None:
    assert "hush" not in repr(AmiConfig(secret="hush"))


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_events_are_counted_under_a_closed_set_of_names() -> None:
    known, other = (
        value("huifang_ami_events_total", event="Hangup"),
        value("huifang_ami_events_total", event="other"),
    )
    counts = {b"Hangup": 3, b"Invented\xff": 2, b"AlsoInvented": 1}
    count_events(counts)
    assert counts == {}
    assert value("huifang_ami_events_total", event="Hangup") == known + 3
    assert value("huifang_ami_events_total", event="other") == other + 3


def test_one_state_at_a_time() -> None:
    show_state("metrics-node", LinkState.UP)
    show_state("metrics-node", LinkState.AUTH_FAILED)
    shown = {
        state: value("huifang_ami_link_state", node="metrics-node", state=state.value) for state in LinkState
    }
    assert shown == {state: float(state is LinkState.AUTH_FAILED) for state in LinkState}
