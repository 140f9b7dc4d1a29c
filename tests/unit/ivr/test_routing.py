"""Where callers go: the rules that come with the product, mistakes in rules, and what holds for all."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.domain.routing import (
    MAX_PRIORITY,
    OFFER,
    Asked,
    CaseRule,
    Decision,
    Known,
    QueueNow,
    QueueRule,
    RoutingRules,
    decide,
    expected_wait,
)
from ivr.domain.routing_file import RoutingInvalid, parse_routing, shipped_routing
from kernel.business_time import OpeningHours

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
QUEUES = ("complaint", "repair", "service")
IDLE = {name: QueueNow() for name in QUEUES}
SHIPPED = parse_routing(shipped_routing(), queues=QUEUES)


def decided(asked: Asked, rules: RoutingRules = SHIPPED) -> Decision:
    return decide(asked, rules, now=NOW, default_queue="service")


def free(queue: str, *numbers: str) -> Mapping[str, QueueNow]:
    return IDLE | {queue: QueueNow(free=frozenset(numbers), working=len(numbers))}


class TestShippedRules:
    def test_a_stranger_goes_where_the_menu_says(self) -> None:
        found = decided(Asked(queue="repair", queues=IDLE))
        assert (found.queue, found.priority, found.because) == ("repair", 0, ("menu",))

    def test_level_a_with_an_open_complaint_who_asks_for_a_person(self) -> None:
        found = decided(
            Asked(queue="service", level="A", open_cases=frozenset({"repair", "complaint"}), queues=IDLE)
        )
        assert (found.queue, found.priority) == ("complaint", 14)
        assert found.because == ("level:A", "open_case:complaint")

    def test_an_open_complaint_does_not_overrule_the_menu(self) -> None:
        found = decided(Asked(queue="repair", open_cases=frozenset({"complaint"}), queues=IDLE))
        assert found.queue == "repair"

    def test_the_last_agent_is_rung_first_where_free(self) -> None:
        asked = Asked(queue="service", level="A", last_agent="1002", queues=free("service", "1001", "1002"))
        assert (decided(asked).first_agent, decided(asked).first) == ("1002", timedelta(seconds=12))
        assert decided(replace(asked, queues=free("service", "1001"))).first_agent == ""
        assert decided(replace(asked, level="B")).first_agent == ""

    def test_an_english_caller_is_offered_to_whoever_speaks_it(self) -> None:
        asked = Asked(queue="service", language="en", queues=free("service", "1001", "1002"))
        found = decided(replace(asked, skills={"1002": {"英语"}, "1009": {"英语"}}))
        assert (found.first_agent, found.because) == ("1002", ("skill:英语",))
        assert decided(asked).first_agent == ""

    def test_who_complains_again_goes_before_others(self) -> None:
        found = decided(Asked(queue="complaint", complaints=3, queues=IDLE))
        assert (found.priority, found.because) == (5, ("repeat:3",))

    def test_a_full_queue_leads_on_and_a_full_second_one_to_an_offer(self) -> None:
        full = QueueNow(waiting=99, working=2)
        found = decided(Asked(queue="complaint", queues=IDLE | {"complaint": full}))
        assert (found.queue, found.offer, found.because) == ("service", False, ("overflow:complaint",))
        both = decided(Asked(queue="complaint", queues=IDLE | {"complaint": full, "service": full}))
        assert (both.queue, both.offer) == ("complaint", True)
        somebody = replace(full, free=frozenset({"1001"}))
        assert decided(Asked(queue="complaint", queues=IDLE | {"complaint": somebody})).queue == "complaint"

    def test_who_waits_too_long_goes_on_only_if_the_queue_itself_is_more_patient(self) -> None:
        patient = Asked(queue="complaint", queues=IDLE)
        assert (decided(patient).longest, decided(patient).over) == (timedelta(seconds=240), "service")
        short = {**IDLE, "complaint": QueueNow(longest=timedelta(seconds=60))}
        hurried = decided(replace(patient, queues=short))
        assert (hurried.longest, hurried.over) == (None, "")
        brief = replace(patient, longest=timedelta(seconds=30))
        assert (decided(brief).longest, decided(brief).over) == (timedelta(seconds=30), "")

    def test_a_closed_queue(self) -> None:
        closed = QueueRule(hours=OpeningHours(weekly={}), closed="service")
        rules = replace(SHIPPED, queues={"complaint": closed})
        assert decided(Asked(queue="complaint", queues=IDLE), rules).queue == "service"
        rules = replace(SHIPPED, queues={"complaint": replace(closed, closed=OFFER)})
        assert decided(Asked(queue="complaint", queues=IDLE), rules).offer


def test_mistakes_are_told_with_their_lines() -> None:
    text = (
        "levels: {A: 99, X: 1}\nqueues:\n  foo: {hours: x}\n  repair: {over: repair, closed: bar}\nmore: 1\n"
    )
    with pytest.raises(RoutingInvalid) as caught:
        parse_routing(text, queues=QUEUES)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        *("line 1", "line 1", "line 3", "line 3", "line 4", "line 4", "line 5")
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[1, 2]", id="list"),
        pytest.param("a: &x 1\nb: *x", id="alias"),
        pytest.param("levels: [1]", id="levels"),
        pytest.param("x" * 20_001, id="long"),
        pytest.param("last_agent: {for: me}", id="nobody"),
    ],
)
def test_what_is_no_rules_is_refused(text: str) -> None:
    with pytest.raises(RoutingInvalid):
        parse_routing(text)


def test_some_conversations_are_not_recorded() -> None:
    rules = parse_routing("unrecorded: {queues: [repair], levels: [C]}", queues=QUEUES)
    kept = decided(Asked(queue="service", level="B", queues=IDLE), rules)
    assert (kept.record, kept.because) == (True, ("menu",))
    for queue, level in (("repair", "B"), ("service", "C")):
        found = decided(Asked(queue=queue, level=level, queues=IDLE), rules)
        assert (found.record, found.because) == (False, ("unrecorded",))
    with pytest.raises(RoutingInvalid, match="“nobody” is none of A, B, C"):
        parse_routing("unrecorded: {queues: service, levels: nobody}")
    with pytest.raises(RoutingInvalid, match="there is no queue “elsewhere”"):
        parse_routing("unrecorded: {queues: [elsewhere]}", queues=QUEUES)


def test_nothing_written_changes_nothing() -> None:
    found = decided(Asked(queue="repair", level="A", complaints=9, queues=IDLE), parse_routing("{}"))
    assert (found.queue, found.priority, found.because) == ("repair", 0, ("menu",))


class TestExpectedWait:
    def test_nobody_working_or_nothing_known_says_nothing(self) -> None:
        assert expected_wait(QueueNow(talk=timedelta(minutes=3)), 2) is None
        assert expected_wait(QueueNow(working=2), 2) is None

    def test_it_grows_with_those_before_and_shrinks_with_those_working(self) -> None:
        talk = timedelta(minutes=4)
        assert expected_wait(QueueNow(working=2, talk=talk), 0) == timedelta(minutes=2)
        assert expected_wait(QueueNow(working=2, talk=talk), 3) == timedelta(minutes=8)
        assert expected_wait(QueueNow(working=2, talk=talk, free=frozenset({"1001"})), 3) == timedelta(0)


numbers = st.sampled_from(("1001", "1002", "1003", ""))
names = st.sampled_from((*QUEUES, OFFER, "gone"))
queue_now = st.builds(
    QueueNow,
    waiting=st.integers(0, 50),
    free=st.frozensets(st.sampled_from(("1001", "1002", "1003"))),
    working=st.integers(0, 5),
    longest=st.none() | st.timedeltas(timedelta(seconds=1), timedelta(hours=1)),
)
asked_for = st.builds(
    Asked,
    queue=names,
    priority=st.integers(0, 40),
    longest=st.none() | st.timedeltas(timedelta(seconds=1), timedelta(hours=1)),
    language=st.sampled_from(("", "zh", "en")),
    level=st.sampled_from(("", "A", "B", "C")),
    open_cases=st.frozensets(st.sampled_from(("complaint", "repair", "ticket", "other"))),
    complaints=st.integers(0, 9),
    last_agent=numbers,
    queues=st.dictionaries(st.sampled_from(QUEUES), queue_now).map(lambda found: IDLE | found),
    skills=st.dictionaries(numbers, st.just(("英语",))),
)
queue_rule = st.builds(
    QueueRule,
    hours=st.sampled_from((None, OpeningHours(weekly={}), OpeningHours.always())),
    closed=names,
    waiting=st.integers(0, 20),
    longest=st.none() | st.timedeltas(timedelta(seconds=1), timedelta(hours=1)),
    over=names,
)
any_rules = st.builds(
    RoutingRules,
    levels=st.dictionaries(st.sampled_from("ABC"), st.integers(0, 15)),
    cases=st.dictionaries(
        st.sampled_from(("complaint", "repair")),
        st.builds(CaseRule, priority=st.integers(0, 15), queue=names),
    ),
    repeat_complaints=st.integers(0, 4),
    repeat_priority=st.integers(0, 15),
    last_agent_for=st.frozensets(st.sampled_from(tuple(Known))),
    skill_by_language=st.just({"en": "英语"}),
    queues=st.dictionaries(st.sampled_from(QUEUES), queue_rule),
)


@given(asked=asked_for, rules=any_rules)
@settings(max_examples=150)
def test_every_decision_can_be_carried_out(asked: Asked, rules: RoutingRules) -> None:
    found = decided(asked, rules)
    assert found == decided(asked, rules)
    assert found.queue in QUEUES
    assert found.over in ("", *QUEUES)
    assert found.over != found.queue
    assert 0 <= found.priority <= MAX_PRIORITY
    assert found.because
    if found.first_agent:
        assert not found.offer
        assert found.first_agent in asked.queues[found.queue].free
        assert found.first > timedelta(0)
    if asked.longest is not None and found.longest is not None:
        assert found.longest <= asked.longest


@given(asked=asked_for, rules=any_rules)
@settings(max_examples=80)
def test_more_reasons_never_put_anybody_back(asked: Asked, rules: RoutingRules) -> None:
    plain = decided(replace(asked, level="", open_cases=frozenset(), complaints=0), rules)
    assert decided(asked, rules).priority >= plain.priority
