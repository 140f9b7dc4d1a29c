"""Where utterances begin and end."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.endpointing import Endpointer, EndpointRules, Utterance

pytestmark = pytest.mark.unit

RULES = EndpointRules(before=2, after=1, pause=4, short_pause=2, long=20, most=40, least=3)


def utterances(probabilities: list[float], rules: EndpointRules = RULES) -> list[Utterance]:
    endpointer = Endpointer(rules)
    found = [ended for one in probabilities if (ended := endpointer.feed(one))]
    last = endpointer.finish()
    return [*found, last] if last else found


def test_speech_between_pauses_is_one_utterance_with_a_little_around() -> None:
    assert utterances([0.0] * 5 + [0.9] * 6 + [0.1] * 10) == [Utterance(3, 12)]


def test_a_short_pause_does_not_end_it() -> None:
    assert utterances([0.9] * 5 + [0.1] * 3 + [0.9] * 5 + [0.0] * 9) == [Utterance(0, 14)]


def test_a_click_is_nothing() -> None:
    assert utterances([0.0] * 5 + [0.9] * 2 + [0.0] * 20) == []
    assert utterances([]) == []


def test_what_the_end_cuts_off_is_still_said() -> None:
    assert utterances([0.0] * 3 + [0.9] * 6) == [Utterance(1, 9)]


def test_a_long_one_ends_at_a_shorter_pause() -> None:
    assert utterances([0.9] * 25 + [0.1] * 2 + [0.9] * 5 + [0.0] * 9) == [Utterance(0, 26), Utterance(26, 33)]


def test_one_without_a_pause_is_cut_at_its_quietest_late_moment() -> None:
    speech = [0.9] * 35 + [0.4] + [0.9] * 30 + [0.0] * 9

    assert utterances(speech) == [Utterance(0, 36), Utterance(36, 67)]


@given(st.lists(st.floats(0, 1), max_size=400))
def test_utterances_follow_each_other_and_none_is_too_long(probabilities: list[float]) -> None:
    found = utterances(probabilities)

    assert all(one.first < one.last <= len(probabilities) for one in found)
    assert all(one.last - one.first <= RULES.most for one in found)
    assert all(before.last <= after.first for before, after in pairwise(found))


@given(st.lists(st.floats(0, 1), max_size=400))
def test_no_frame_is_let_go_that_is_needed_later(probabilities: list[float]) -> None:
    endpointer, kept_from = Endpointer(RULES), 0
    for one in probabilities:
        ended = endpointer.feed(one)
        assert ended is None or ended.first >= kept_from
        kept_from = max(kept_from, endpointer.needed_from)
    last = endpointer.finish()
    assert last is None or last.first >= kept_from
