"""Each rule of the IVR frame (domain.md §3.0) has a test that names it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from callback_campaigns.domain import questionnaire_frame as frame
from callback_campaigns.domain import survey_words as words
from callback_campaigns.domain.survey_steps import Ask, HangUp, Record, ToAgent
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.questionnaire_sets import shipped
from crm.domain.customer import Level
from tests.unit.callback_campaigns.survey_calls import SLOTS, WORDS, Caller, talk_set

pytestmark = pytest.mark.unit

KG = {item.id: item for item in shipped("KG").items}


def asks(item_id: str) -> str:
    return KG[item_id].ask + KG[item_id].keys


class TestOpening:
    def test_the_opening_says_who_why_how_long_that_it_is_recorded_and_the_choices(self) -> None:
        opening = Caller().said
        for part in (
            "慧家装饰",
            "翠湖花园",
            "开工回访",
            "约两分钟",
            "会录音",
            "请按1",
            "请按2",
            "请按0",
            "请按9",
        ):
            assert part in opening

    def test_the_opening_is_said_within_twenty_seconds(self) -> None:
        assert frame.spoken_seconds(Caller().said) <= 22
        plain = WORDS.opening(shipped("KG")).plain
        assert "翠湖花园" not in plain
        assert frame.spoken_seconds(plain) <= 20

    def test_1_goes_on_with_the_first_question(self) -> None:
        assert Caller().does("1").said == asks("KG1")

    def test_0_leads_to_a_person(self) -> None:
        caller = Caller().does("0")
        assert caller.end is TalkEnding.TO_AGENT
        assert isinstance(caller.last, ToAgent)

    def test_silence_is_asked_once_more_then_offered_a_person_then_taken_leave_of(self) -> None:
        caller = Caller().does("~")
        assert caller.heard[0] == caller.heard[1]
        assert caller.does("~").said == frame.OFFER_AGENT
        assert caller.does("~").said == words.NOBODY
        assert caller.end is TalkEnding.BROKEN_OFF

    def test_without_the_community_it_speaks_of_the_home(self) -> None:
        assert "您家的装修" in Caller(wording=replace(WORDS, community="")).said


class TestAnotherTime:
    @pytest.mark.parametrize(("key", "slot"), list(zip("123", SLOTS, strict=True)))
    def test_2_then_the_time_of_the_key(self, key: str, slot: words.Slot) -> None:
        caller = Caller().does("2")
        assert caller.said == frame.APPOINTMENT
        caller.does(key)
        assert (caller.end, caller.appointed) == (TalkEnding.APPOINTED, slot.at)
        assert slot.when in caller.said
        assert isinstance(caller.last, HangUp)

    def test_only_times_inside_the_calling_window_are_offered_and_taken(self) -> None:
        caller = Caller(slots=SLOTS[1:]).does("2")
        assert caller.said == "请问什么时候方便？明天上午请按2，明天下午请按3。"
        assert caller.does("1").heard[-2:] == [frame.WRONG_KEY, caller.said]
        assert caller.does("3").appointed == SLOTS[2].at

    def test_with_no_such_time_another_call_is_promised_and_none_is_named(self) -> None:
        caller = Caller(slots=()).does("2")
        assert (caller.end, caller.appointed, caller.said) == (TalkEnding.BROKEN_OFF, None, words.LATER)

    def test_who_says_nothing_or_hangs_up_is_called_another_time(self) -> None:
        for deeds in ("2~~", "2X", "27777"):
            assert Caller().does(deeds).end is TalkEnding.BROKEN_OFF


class TestNoMoreCalls:
    def test_9_is_confirmed_by_1(self) -> None:
        caller = Caller().does("9")
        assert (caller.said, caller.end) == (frame.REFUSAL, None)
        caller.does("1")
        assert (caller.end, caller.said) == (TalkEnding.DO_NOT_CALL, words.NO_MORE)

    def test_unconfirmed_it_is_a_refusal_of_this_call_only(self) -> None:
        for deeds in ("9~~", "9X", "95555"):
            assert Caller().does(deeds).end is TalkEnding.REFUSED


class TestIdentity:
    def test_it_is_asked_before_personal_facts_are_spoken(self) -> None:
        caller = Caller("TS", wording=replace(WORDS, problem="卫生间漏水问题")).does("1")
        assert caller.said == "请问是王先生本人或家人吗？是请按1，不是请按2。"
        assert caller.does("1").said.startswith("您反映的卫生间漏水问题，")

    def test_it_is_not_asked_where_nothing_personal_is_spoken(self) -> None:
        assert Caller("BX").does("1").said.startswith("维修人员")

    def test_2_is_apologised_to_and_ends_with_the_wrong_person(self) -> None:
        caller = Caller("TS").does("12")
        assert (caller.end, caller.said) == (TalkEnding.WRONG_PERSON, frame.NOT_THEM)

    def test_nobody_who_does_not_confirm_hears_personal_facts(self) -> None:
        caller = Caller("TS").does("1~~~")
        assert caller.end is TalkEnding.BROKEN_OFF
        assert not any("反映" in said for said in caller.heard)

    def test_the_plain_wording_holds_no_personal_fact(self) -> None:
        known = replace(WORDS, problem="卫生间漏水问题")
        lines = [known.opening(shipped("TS")), known.identity(), *map(known.question, shipped("TS").items)]
        for line in lines:
            assert not any(fact in line.plain for fact in ("翠湖花园", "王先生", "卫生间"))


class TestQuestions:
    def test_five_seconds_are_waited_and_eight_in_elder_mode(self) -> None:
        for elder, seconds in ((False, 5), (True, 8)):
            last = Caller(elder=elder).does("1").last
            assert isinstance(last, Ask)
            assert last.wait == timedelta(seconds=seconds)

    def test_silence_repeats_once_then_skips(self) -> None:
        caller = Caller().does("1~")
        assert caller.said == asks("KG1")
        assert caller.skipped == []
        assert caller.does("~").skipped == ["KG1"]
        assert caller.said == asks("KG2")

    def test_two_skips_in_a_row_offer_a_person_then_end_as_partial(self) -> None:
        caller = Caller().does("11 ~~~~")
        assert (caller.said, caller.skipped) == (frame.OFFER_AGENT, ["KG2", "KG3"])
        caller.does("~")
        assert (caller.end, caller.answers) == (TalkEnding.BROKEN_OFF, {"KG1": ("both_came",)})
        assert caller.said.startswith("感谢您的配合")

    def test_two_skips_with_an_answer_between_go_on(self) -> None:
        assert Caller().does("1~~1~~").said == asks("KG4")

    def test_the_offer_takes_0_and_tells_of_wrong_keys(self) -> None:
        assert Caller().does("1~~~~0").end is TalkEnding.TO_AGENT
        caller = Caller().does("1~~~~5")
        assert caller.heard[-2:] == [frame.WRONG_KEY, frame.OFFER_AGENT]

    def test_a_wrong_key_is_told_and_repeated_twice_then_skipped(self) -> None:
        caller = Caller().does("17")
        assert caller.heard[-2:] == [frame.WRONG_KEY, asks("KG1")]
        assert caller.does("8").heard[-2:] == [frame.WRONG_KEY, asks("KG1")]
        assert caller.does("9").skipped == ["KG1"]

    def test_star_repeats(self) -> None:
        caller = Caller().does("1*")
        assert caller.heard[-2:] == [asks("KG1"), asks("KG1")]
        assert Caller().does("*").heard[0] == Caller().does("*").heard[1]

    @pytest.mark.parametrize("before", ["", "2", "9", "1", "11", "13", "11~~~~", "1111111"])
    def test_0_leads_to_a_person_at_any_point(self, before: str) -> None:
        assert Caller().does(before + "0").end is TalkEnding.TO_AGENT

    def test_the_core_list_of_the_ivr_is_asked_and_no_more(self) -> None:
        caller = Caller().does("1 1111 1 5")
        assert list(caller.answers) == ["KG1", "KG2", "KG3", "KG4", "KG5", "KG7"]
        assert caller.answers["KG7"] == ("5",)

    def test_closing_items_have_room_when_the_preference_is_unknown(self) -> None:
        caller = Caller(talk_set("KG", facts={"contact_preference": "unknown"})).does("1 11111 5")
        assert "哪种方式联系" in caller.said

    def test_never_more_than_seven_keyed_questions(self) -> None:
        for code in ("KG", "YB", "ZQ", "WG", "TS", "BX", "JG"):
            facts = {"earlier_ticket": True, "earlier_repair": True, "plan_point": "m6"}
            caller = Caller(talk_set(code, facts=facts)).does("1").is_content()
            assert 1 <= len(caller.answers) <= 7

    def test_an_item_that_waits_for_an_answer_is_asked_once_it_fits(self) -> None:
        assert list(Caller(CONDITIONAL).does("1 2-").answers) == ["QA1"]
        assert Caller(CONDITIONAL).does("1 1").said.startswith("第二")
        assert Caller(CONDITIONAL).does("1 2").said != Caller(CONDITIONAL).does("1 1").said

    def test_what_an_earlier_call_answered_is_not_asked_again(self) -> None:
        caller = Caller().does("1 11X")
        again = Caller(answers=caller.survey.answers).does("1")
        assert again.said == asks("KG3")


CONDITIONAL = """
code: QA
title: 试
ivr: [QA1, QA2]
items:
  QA1:
    type: YN
    ask: 第一
    keys: 是请按1，否请按2。
    answers: {1: {value: aye, label: 是}, 2: {value: nay, label: 否}}
  QA2:
    type: SAT3
    when: QA1 = aye
    ask: 第二
"""


class TestKinds:
    def test_a_carried_multiple_choice_takes_several_keys_up_to_the_hash_key(self) -> None:
        several = shipped("LW").items[0]
        caller = Caller(talk_set("BX", carried=(several,))).does("1 1 1 1 1 1 1")
        assert caller.said.endswith(words.SEVERAL)
        assert caller.does("1 3 #").answers["LW1"] == (several.options[0].value, several.options[2].value)

    def test_silence_ends_a_multiple_choice_too(self) -> None:
        several = shipped("LW").items[0]
        caller = Caller(talk_set("BX", carried=(several,))).does("1 111111 2~")
        assert caller.answers["LW1"] == (several.options[1].value,)


class TestBadAnswers:
    def test_after_any_bad_answer_their_own_words_are_asked_for(self) -> None:
        caller = Caller(people=False).does("1 3")
        assert isinstance(caller.last, Record)
        assert (caller.said, caller.last.item_id) == (frame.AFTER_BAD, "KG1")
        assert caller.does("v").said == asks("KG2")
        assert caller.does("3").said == frame.AFTER_BAD

    def test_the_answer_is_stored_before_anything_else_is_said(self) -> None:
        caller = Caller().does("1")
        before = len(caller.done)
        caller.does("3")
        assert [type(one).__name__ for one in caller.done[before:]] == ["StoreAnswer", "Report", "Record"]

    def test_an_answer_that_is_bad_by_circumstance_is_asked_about_too(self) -> None:
        for days, said in ((3, asks("KG4")), (6, frame.AFTER_BAD)):
            caller = Caller(talk_set("KG", facts={"days_since_start": days})).does("1 1 1 3")
            assert caller.said == said

    def test_then_a_person_is_offered_once(self) -> None:
        caller = Caller().does("1 3v")
        assert caller.said == words.GOING_ON
        assert caller.does("1").said == asks("KG2")
        assert caller.does("3v").said == asks("KG3")
        assert Caller().does("1 3v0").end is TalkEnding.TO_AGENT
        assert Caller().does("1 3v~").said == asks("KG2")

    def test_the_hash_key_goes_on_without_a_message(self) -> None:
        assert Caller(people=False).does("1 3#").said == asks("KG2")

    def test_a_problem_that_is_no_bad_answer_is_explained_without_an_apology(self) -> None:
        caller = Caller("TS").does("1 1 1111112")
        assert caller.said == words.EXPLAIN

    def test_neutral_answers_are_not_asked_about(self) -> None:
        assert Caller().does("1 12").said == asks("KG3")


class TestTheEnd:
    def test_a_message_is_always_offered(self) -> None:
        for code, item in (("KG", "KG10"), ("TS", "")):
            caller = Caller(code).does("1")
            while not isinstance(caller.last, Record):
                caller.does("5" if "5分" in caller.said else "1")
            assert caller.last.item_id == item
            assert "留言" in caller.said

    def test_the_closing_thanks_and_reads_the_number_as_people_do(self) -> None:
        caller = Caller().does("1 11111 5 -")
        assert caller.said == "感谢您的配合。如有问题请拨打四零零,八零零,幺二三四，祝您生活愉快。"
        assert caller.end is TalkEnding.FINISHED

    def test_hanging_up_in_the_message_is_no_breaking_off(self) -> None:
        assert Caller().does("1 11111 5 X").end is TalkEnding.FINISHED

    def test_hanging_up_midway_keeps_what_was_answered(self) -> None:
        caller = Caller().does("1 12X")
        assert caller.end is TalkEnding.BROKEN_OFF
        assert caller.answers == {"KG1": ("both_came",), "KG2": ("neutral",)}

    def test_the_end_is_settled_before_the_last_words(self) -> None:
        caller = Caller().does("1 11111 5 -")
        assert [type(one).__name__ for one in caller.done[-2:]] == ["End", "HangUp"]

    def test_a_call_that_lasts_too_long_asks_nothing_new(self) -> None:
        caller = Caller(longest=timedelta(minutes=3)).does("1 1")
        caller.now += timedelta(minutes=3)
        assert caller.does("1").said.startswith("感谢您的配合")
        assert caller.answers == {"KG1": ("both_came",), "KG2": ("satisfied",)}

    def test_two_tasks_are_asked_in_one_call_with_one_message(self) -> None:
        caller = Caller("KG", "BX")
        assert "做一次开工回访和" in caller.said
        assert "约四分钟" in caller.said
        caller.does("1").is_content()
        assert {"KG1", "BX1"} <= set(caller.answers)
        assert sum(isinstance(one, Record) for one in caller.done) == 1


class TestOutOfHours:
    def test_0_leads_to_voice_mail_and_another_time(self) -> None:
        caller = Caller(people=False).does("0")
        assert (type(caller.last), caller.said) == (Record, words.MAIL)
        assert caller.does("v").said == frame.APPOINTMENT
        assert caller.does("2").appointed == SLOTS[1].at

    def test_without_a_time_the_message_is_all(self) -> None:
        caller = Caller(people=False, slots=()).does("0v")
        assert (caller.end, caller.said) == (TalkEnding.BROKEN_OFF, words.MAIL_TAKEN)

    def test_0_again_leads_round_no_circle(self) -> None:
        assert Caller(people=False).does("0v0000").survey.ended

    def test_no_person_is_offered_after_a_bad_answer(self) -> None:
        assert Caller(people=False).does("1 3v").said == asks("KG2")


class TestTrouble:
    def test_without_audio_for_the_opening_the_dialplan_speaks(self) -> None:
        caller = Caller().does("?")
        assert caller.end is TalkEnding.BROKEN_OFF
        assert caller.last == HangUp()

    def test_a_question_without_audio_is_passed_over_and_not_held_against_the_caller(self) -> None:
        caller = Caller().does("1 ?")
        assert (caller.skipped, caller.said) == (["KG1"], asks("KG2"))
        assert caller.does("~~").said == asks("KG3")

    def test_after_the_second_it_ends(self) -> None:
        caller = Caller().does("1 ???")
        assert caller.end is TalkEnding.BROKEN_OFF
        assert caller.survey.ended


class TestTheTimeLine:
    def test_keys_are_told_without_personal_data(self) -> None:
        caller = Caller("TS", wording=replace(WORDS, problem="卫生间漏水问题")).does("11 1")
        assert caller.reports == [
            ("opening", "1", "开始回访"),
            ("identity", "1", "已确认身份"),
            ("TS1", "1", "TS1"),
        ]

    def test_a_confidential_answer_is_not_told(self) -> None:
        caller = Caller("WG").does("1 1 1 1 1 1 2")
        assert caller.answers["WG9"]
        assert ("WG9", "", "WG9") in caller.reports


def test_no_text_of_the_frame_advertises_anything() -> None:
    for line in words.stock_lines(WORDS):
        assert not any(word in line.text for word in ("优惠", "活动", "会员", "折扣", "礼品"))


def test_an_a_level_customer_who_was_called_all_the_same_is_asked_the_core_list() -> None:
    assert Caller(talk_set("KG", level=Level.A)).does("1").said == asks("KG1")
