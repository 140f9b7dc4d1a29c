"""What may stand in the rules of what is told at once."""

import pytest

from crm.domain.alert_rules import USUAL, HeapRule, Subject, check_heaps, check_words
from crm.domain.watchwords import About, find_watchword
from kernel.errors import Invalid

pytestmark = pytest.mark.unit


def test_words_are_tidied_and_each_stands_once() -> None:
    found = check_words({About.MEDIA: [" 记者", "记者", "１２３１５", ""]})
    assert found[About.MEDIA] == ("记者", "12315")
    assert found[About.REGULATOR] == ()


@pytest.mark.parametrize("word", ["字", "长" * 21, "记\x00者"], ids=["short", "long", "unprintable"])
def test_a_word_that_cannot_be_is_refused_by_its_list(word: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_words({About.OTHER: ["煤气", word]})
    assert caught.value.field == "words.other"


def test_too_many_words_are_refused() -> None:
    with pytest.raises(Invalid):
        check_words({About.MEDIA: [f"词{n}" for n in range(201)]})


def test_2_2_three_in_seven_days_with_one_crew_or_material_are_the_usual_rule() -> None:
    assert USUAL[Subject.CREW] == USUAL[Subject.MANUFACTURER] == HeapRule(3, 7)
    assert check_heaps(USUAL) == USUAL


def test_a_subject_that_is_left_out_is_not_looked_for() -> None:
    assert check_heaps({Subject.CREW: HeapRule(2, 1)})[Subject.STORE].needed == 0


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (HeapRule(1, 7), "heaps.crew.needed"),
        (HeapRule(201, 7), "heaps.crew.needed"),
        (HeapRule(3, 0), "heaps.crew.days"),
        (HeapRule(3, 93), "heaps.crew.days"),
    ],
    ids=["one", "too-many", "no-days", "too-long"],
)
def test_numbers_that_cannot_be_are_refused(rule: HeapRule, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_heaps({Subject.CREW: rule})
    assert caught.value.field == field


def test_no_words_at_all_find_nothing() -> None:
    assert find_watchword(["我要找记者"], {}) is None
