"""The common rules of questionnaires (domain.md §3.0), and the rules of single items that ask for more."""

from decimal import Decimal

import pytest

from callback_campaigns.domain.questionnaire import (
    Answer,
    Do,
    NoSuchAnswer,
    answer_by_key,
    as_g4,
    as_sat3,
)
from callback_campaigns.domain.questionnaire_frame import OPENING, fill, spoken_seconds
from callback_campaigns.domain.questionnaire_plan import ChannelRefused, next_item, plan
from callback_campaigns.domain.questionnaire_verdict import Judgement, evaluate
from callback_campaigns.domain.terms import Channel, Verdict
from callback_campaigns.questionnaire_sets import shipped
from crm.domain.customer import Level

pytestmark = pytest.mark.unit


MARKS = (
    ("1", "excellent", 100, False),
    ("2", "good", 80, False),
    ("3", "fair", 60, False),
    ("4", "poor", 0, True),
)


def given(**values: str) -> dict[str, Answer]:
    """Return answers: ``KG2="neutral"``."""
    return {name: Answer(values=(value,)) for name, value in values.items()}


def kg(level: Level = Level.B, **values: str) -> Judgement:
    """Judge answers to KG."""
    return evaluate(shipped("KG"), given(**values), level=level)


def test_score_is_the_weighed_mean_of_what_was_answered() -> None:
    verdict = kg(KG1="both_came", KG2="neutral", KG7="4")
    assert verdict.score == Decimal("78.33")
    assert (verdict.verdict, verdict.decided_by) == (Verdict.NEUTRAL, ("KG2", "KG7"))


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        ({"KG2": "neutral", "KG4": "neutral"}, Verdict.NEUTRAL),  # 60
        ({"KG2": "neutral", "KG4": "satisfied"}, Verdict.SATISFIED),  # 80
        ({"KG2": "neutral", "KG4": "neutral", "KG7": "3"}, Verdict.DISSATISFIED),  # 56.66
    ],
)
def test_limits_of_the_verdict(answers: dict[str, str], result: Verdict) -> None:
    assert evaluate(shipped("KG"), given(**answers)).verdict is result


def test_one_bad_decisive_answer_outweighs_every_good_one() -> None:
    verdict = kg(
        KG1="both_came",
        KG2="satisfied",
        KG3="checked",
        KG4="satisfied",
        KG5="charged",
        KG6="explained",
        KG7="5",
    )
    assert verdict.score is not None and verdict.score > 80
    assert (verdict.verdict, verdict.decided_by) == (Verdict.DISSATISFIED, ("KG5",))


def test_a_bad_overall_mark_decides() -> None:
    verdict = kg(KG1="both_came", KG2="satisfied", KG3="checked", KG4="satisfied", KG6="explained", KG7="2")
    assert (verdict.verdict, verdict.decided_by) == (Verdict.DISSATISFIED, ("KG7",))
    assert verdict.tickets[0].listen_first


def test_a_bad_answer_that_is_not_decisive_opens_a_ticket_all_the_same() -> None:
    verdict = kg(KG1="both_came", KG2="dissatisfied", KG3="checked", KG4="satisfied", KG5="no_charge")
    assert verdict.verdict is Verdict.SATISFIED and verdict.score == 80
    assert [ticket.departments for ticket in verdict.tickets] == [("DES",)]


def test_score_is_cut_off_so_that_it_never_reads_better_than_the_verdict() -> None:
    verdict = kg(KG1="both_came", KG2="neutral", KG7="2")
    assert verdict.score == Decimal("61.66")


def test_nothing_answered_is_no_verdict() -> None:
    verdict = kg()
    assert (verdict.verdict, verdict.score, verdict.completeness, verdict.kept) == (None, None, 0, False)


@pytest.mark.parametrize(("answered", "percent", "kept"), [(3, 50, False), (4, 66, True), (6, 100, True)])
def test_partial_is_kept_from_60_percent_of_the_required_answers(
    answered: int, percent: int, kept: bool
) -> None:
    answers = given(
        KG1="both_came",
        KG2="satisfied",
        KG3="checked",
        KG4="satisfied",
        KG5="no_charge",
        KG7="5",
        KG9="phone",
    )
    part = dict(list(answers.items())[:answered])
    verdict = evaluate(shipped("KG"), part, level=Level.C, channel=Channel.IVR)
    assert (verdict.completeness, verdict.kept) == (percent, kept)


@pytest.mark.parametrize(
    ("level", "neutral", "care"), [(Level.A, 1, 1), (Level.B, 1, 0), (Level.B, 2, 1), (Level.C, 2, 1)]
)
def test_neutral_answers_become_one_care_ticket(level: Level, neutral: int, care: int) -> None:
    names = ("KG2", "KG4")[:neutral]
    verdict = evaluate(shipped("KG"), given(**dict.fromkeys(names, "neutral")), level=level)
    assert [
        (ticket.items, ticket.departments, ticket.severity) for ticket in verdict.tickets if ticket.care
    ] == ([(names, ("SPC",), 1)] * care)


def test_the_mark_three_of_level_a_is_a_care_ticket() -> None:
    assert [ticket.care for ticket in kg(Level.A, KG1="both_came", KG7="3").tickets] == [True]


def test_a_bad_answer_of_level_a_is_told_to_the_manager_at_once_and_the_head_calls() -> None:
    of_a, of_b = kg(Level.A, KG4="dissatisfied"), kg(Level.B, KG4="dissatisfied")
    assert [(effect.do, effect.to) for effect in of_a.effects] == [(Do.INFORM, ("MGR",))]
    assert of_a.tickets[0].head_calls
    assert not of_b.effects and not of_b.tickets[0].head_calls


def test_KG1_the_agent_names_who_was_absent() -> None:
    answer = {"KG1": Answer(values=("one_came",), departments=("ENG",))}
    assert evaluate(shipped("KG"), answer).departments == ("ENG",)
    with pytest.raises(NoSuchAnswer, match="does not concern MAT"):
        evaluate(shipped("KG"), {"KG1": Answer(values=("one_came",), departments=("MAT",))})


@pytest.mark.parametrize(("days", "bad"), [(5, False), (6, True)])
def test_KG3_material_that_has_not_come_is_bad_after_five_days(days: int, bad: bool) -> None:
    verdict = evaluate(shipped("KG"), given(KG3="not_arrived"), facts={"days_since_start": days})
    assert (verdict.verdict is Verdict.DISSATISFIED, verdict.departments) == (bad, ("MAT",) if bad else ())
    assert [effect.do for effect in verdict.effects] == [Do.NOTE, Do.REASK]


@pytest.mark.parametrize(("before", "item", "at"), [("KG", "KG3", "YB"), ("YB", "YB3", "ZQ")])
def test_an_item_is_asked_again_in_the_next_questionnaire(before: str, item: str, at: str) -> None:
    carried = shipped(before).item(item)
    assert carried is not None
    asked = plan(shipped(at), level=Level.B, channel=Channel.IVR, facts={}, carried=(carried,))
    assert item in [found.id for found in asked]
    again = evaluate(shipped(at), {item: answer_by_key(carried, "2")}, carried=(carried,))
    assert again.departments and again.findings[0].bad


def test_ivr_asks_seven_by_keys_at_most_and_leaves_out_what_decides_nothing() -> None:
    carried = shipped("KG").item("KG3")
    assert carried is not None
    asked = plan(
        shipped("YB"), level=Level.B, channel=Channel.IVR, facts={"earlier_ticket": True}, carried=(carried,)
    )
    assert [item.id for item in asked] == ["YB1", "YB2", "YB3", "YB4", "YB7", "YB9", "KG3", "YB10"]


def test_level_a_is_asked_everything_by_a_person_and_the_open_question_first() -> None:
    asked = [item.id for item in plan(shipped("KG"), level=Level.A, channel=Channel.AGENT, facts={})]
    assert asked == ["KG10", *(f"KG{number}" for number in range(1, 10))]


@pytest.mark.parametrize("channel", [Channel.AGENT, Channel.SMS_FORM])
def test_others_are_asked_every_item_marked_all_and_their_preference_last(channel: Channel) -> None:
    asked = [item.id for item in plan(shipped("KG"), level=Level.C, channel=channel, facts={})]
    assert asked == ["KG1", "KG2", "KG3", "KG4", "KG5", "KG6", "KG7", "KG9", "KG10"]
    known = plan(shipped("KG"), level=Level.C, channel=channel, facts={"contact_preference": "phone"})
    assert "KG9" not in [item.id for item in known]


def test_YB7_is_asked_only_of_who_reported_something_before() -> None:
    asked = plan(shipped("YB"), level=Level.B, channel=Channel.AGENT, facts={})
    assert "YB7" not in [item.id for item in asked]


@pytest.mark.parametrize("consent", ["given", "refused"])
def test_JG8_consent_is_asked_once(consent: str) -> None:
    facts = {"plan_point": "m1", "marketing_consent": consent}
    asked = plan(shipped("JG"), level=Level.B, channel=Channel.IVR, facts=facts)
    assert "JG8" not in [item.id for item in asked]


def test_level_a_is_never_asked_over_ivr() -> None:
    with pytest.raises(ChannelRefused, match="level A"):
        plan(shipped("KG"), level=Level.A, channel=Channel.IVR, facts={})


def test_answers_count_even_if_the_level_was_changed_during_the_call() -> None:
    verdict = evaluate(shipped("KG"), given(KG5="charged"), level=Level.A, channel=Channel.IVR)
    assert verdict.verdict is Verdict.DISSATISFIED and verdict.tickets[0].head_calls


def test_TS_serious_complaints_are_asked_by_people() -> None:
    assert plan(shipped("TS"), level=Level.B, channel=Channel.IVR, facts={"severity": 1})
    for channel in (Channel.IVR, Channel.SMS_FORM):
        with pytest.raises(ChannelRefused, match="severity 2"):
            plan(shipped("TS"), level=Level.B, channel=channel, facts={"severity": 2})
        with pytest.raises(ChannelRefused, match="level A"):
            plan(shipped("TS"), level=Level.A, channel=channel, facts={"severity": 1})


@pytest.mark.parametrize("channel", [Channel.IVR, Channel.SMS_FORM])
def test_LW_is_asked_by_people_only(channel: Channel) -> None:
    with pytest.raises(ChannelRefused):
        plan(shipped("LW"), level=Level.B, channel=channel, facts={})


@pytest.mark.parametrize(("captain", "to"), [(False, "RCP"), (True, "MGR")])
def test_BX5_goes_to_the_manager_if_the_captain_repaired(captain: bool, to: str) -> None:
    verdict = evaluate(shipped("BX"), given(BX5="dissatisfied"), facts={"repaired_by_captain": captain})
    assert verdict.departments == (to,)


def test_WG9_is_confidential() -> None:
    assert evaluate(shipped("WG"), given(WG9="private_work")).tickets[0].confidential


@pytest.mark.parametrize(
    ("key", "value", "score", "bad"),
    [
        ("1", "excellent", 100, False),
        ("2", "good", 80, False),
        ("3", "fair", 60, False),
        ("4", "poor", 0, True),
    ],
)
@pytest.mark.parametrize("name", ["WG1", "WG3", "WG4", "WG5", "WG6", "WG12", "WG13"])
def test_people_ask_WG_in_four_marks(name: str, key: str, value: str, score: int, bad: bool) -> None:
    item = shipped("WG").item(name)
    assert item is not None
    answer = answer_by_key(item, key, Channel.AGENT)
    verdict = evaluate(shipped("WG"), {name: answer})
    assert answer.values == (value,)
    assert (verdict.findings[0].score, verdict.findings[0].bad) == (score, bad)
    over_ivr = evaluate(shipped("WG"), {name: answer_by_key(item, "3")})
    assert (verdict.departments == over_ivr.departments) is bad


def test_marks_of_both_scales_are_comparable() -> None:
    assert [as_sat3(mark) for mark in ("excellent", "good", "fair", "poor")] == [
        *("satisfied", "satisfied", "neutral", "dissatisfied")
    ]
    assert [as_g4(mark) for mark in ("satisfied", "neutral", "dissatisfied")] == ["excellent", "fair", "poor"]


def test_LW1_takes_several_reasons() -> None:
    answer = {"LW1": Answer(values=("price", "quality"), reason="别家便宜")}
    verdict = evaluate(shipped("LW"), answer)
    assert [effect.value for effect in verdict.effects] == ["price", "quality"]
    assert verdict.effects[0].to == ("MKT", "GM")


@pytest.mark.parametrize(
    "answers",
    [
        {"KG99": Answer(values=("satisfied",))},
        {"KG2": Answer(values=("5",))},
        {"KG2": Answer(values=("satisfied", "dissatisfied"))},
    ],
)
def test_answers_that_nobody_can_give_are_refused(answers: dict[str, Answer]) -> None:
    with pytest.raises(NoSuchAnswer):
        evaluate(shipped("KG"), answers)


def test_a_wrong_key_is_no_answer() -> None:
    item = shipped("KG").items[0]
    with pytest.raises(NoSuchAnswer, match="key 4"):
        answer_by_key(item, "4")


def test_the_next_question_is_the_first_that_was_neither_answered_nor_skipped() -> None:
    asked = plan(shipped("BX"), level=Level.B, channel=Channel.IVR, facts={})
    found = next_item(asked, given(BX1="contacted"), frozenset({"BX2"}))
    assert found is not None and found.id == "BX3"


def test_the_opening_says_who_and_why_within_twenty_seconds_or_so() -> None:
    said = fill(
        OPENING, {"company": "慧家装饰", "community": "翠湖花园", "survey": "开工回访", "minutes": "2"}
    )
    assert "{" not in said and "慧家装饰" in said
    assert spoken_seconds(said) <= 30
