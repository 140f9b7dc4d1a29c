"""A survey under any caller, beside an independent model of the frame (domain.md §3.0).

The model knows the rules in its own words: what was heard last, how often, which keys mean something.
Whatever is pressed, whenever somebody hangs up: the call ends, it ends once, nothing that was answered is
lost, nobody hears personal facts unconfirmed, and no question is put for ever.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callback_campaigns.domain import questionnaire_frame as frame
from callback_campaigns.domain import survey_words as words
from callback_campaigns.domain.questionnaire import Item, ItemKind
from callback_campaigns.domain.survey_steps import Ask, HangUp, Record, ToAgent
from callback_campaigns.domain.talk import TalkEnding
from tests.unit.callback_campaigns.survey_calls import SLOTS, WORDS, Caller, talk_set

pytestmark = pytest.mark.property

CODES = ("KG", "YB", "ZQ", "WG", "TS", "BX", "JG")
PROBLEM = "阳台封窗漏风问题"
KEYS = st.sampled_from("0123456789*#")
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "earlier_ticket": st.booleans(),
        "days_since_start": st.integers(0, 10),
        "plan_point": st.sampled_from(["d3", "m1", "m6"]),
        "contact_preference": st.sampled_from(["unknown", "phone"]),
    },
)


class Model:
    """What a customer may expect, kept without a look into the machine: only what was heard and done."""

    def __init__(self) -> None:
        self.silences: dict[str, int] = {}
        self.mistakes: dict[str, int] = {}
        self.stars: dict[str, int] = {}
        self.row: list[str] = []
        self.answered: dict[str, str] = {}


class SurveyMachine(RuleBasedStateMachine):
    @initialize(
        codes=st.lists(st.sampled_from(CODES), min_size=1, max_size=2, unique=True),
        facts=FACTS,
        people=st.booleans(),
        slots=st.sampled_from([SLOTS, SLOTS[1:], ()]),
    )
    def called(
        self, codes: list[str], facts: dict[str, object], people: bool, slots: tuple[words.Slot, ...]
    ) -> None:
        sets = tuple(talk_set(code, facts=facts) for code in codes)
        self.items: dict[str, Item] = {item.id: item for one in sets for item in one.questionnaire.items}
        self.people, self.slots = people, slots
        wording = replace(WORDS, problem=PROBLEM)
        self.caller = Caller(*sets, wording=wording, people=people, slots=slots)
        self.wording = wording
        self.model = Model()
        self.steps = 0
        self.identified = False

    def going_on(self) -> bool:
        return not self.caller.survey.ended

    def asking(self) -> bool:
        return self.going_on() and isinstance(self.caller.last, Ask)

    def recording(self) -> bool:
        return self.going_on() and isinstance(self.caller.last, Record)

    def question(self) -> Item | None:
        """The question that was heard last; two sets may have one in the same words."""
        over = {*self.caller.answers, *self.caller.skipped}
        said = (item for item in self.items.values() if self.wording.question(item).text == self.caller.said)
        return next((item for item in said if item.id not in over), None)

    def does(self, deed: str) -> None:
        self.steps += 1
        before, question = self.caller.said, self.question()
        silent, asked = deed == "~", self.asking()
        answers = dict(self.caller.answers)
        self.caller.does(deed)
        if not asked or question is None or question.kind is ItemKind.FT:
            if before.startswith("请问是王先生") and deed == "1":
                self.identified = True
            return
        told = self.model
        fits = any(option.key == deed for option in question.options)
        if fits:
            # Every answer that was given is kept, as it was given, before anything else is heard.
            option = next(option for option in question.options if option.key == deed)
            assert self.caller.answers[question.id] == (option.value,)
            told.answered[question.id] = option.value
            told.row = []
        elif deed == "*" and told.stars.get(question.id, 0) < 3:
            told.stars[question.id] = told.stars.get(question.id, 0) + 1
            assert self.caller.said == before
        elif deed != "0":
            kind = told.silences if silent else told.mistakes
            kind[question.id] = kind.get(question.id, 0) + 1
            given_up = kind[question.id] > (1 if silent else 2)
            assert (question.id in self.caller.skipped) == given_up
            if given_up:
                told.row.append(question.id)
                assert (self.caller.said == frame.OFFER_AGENT) == (len(told.row) == 2)
            else:
                assert self.caller.said == before
            assert self.caller.answers == answers

    @precondition(asking)
    @rule(key=KEYS)
    def a_key(self, key: str) -> None:
        self.does(key)

    @precondition(asking)
    @rule()
    def the_right_key(self) -> None:
        self.does("5" if "5分" in self.caller.said else "1")

    @precondition(asking)
    @rule()
    def silence(self) -> None:
        self.does("~")

    @precondition(recording)
    @rule(deed=st.sampled_from("v-#*0"))
    def a_message(self, deed: str) -> None:
        self.does(deed)

    @precondition(going_on)
    @rule()
    def no_audio(self) -> None:
        # A text that was not heard says nothing of the caller: nothing is counted.
        self.steps += 1
        self.caller.does("?")

    @precondition(lambda self: not self.going_on())
    @rule(deed=st.sampled_from("1~X?v"))
    def nothing_follows_the_end(self, deed: str) -> None:
        done = len(self.caller.done)
        self.caller.does(deed)
        assert len(self.caller.done) == done

    @precondition(going_on)
    @rule()
    def time_passes(self) -> None:
        self.caller.now += timedelta(seconds=20)

    @precondition(lambda self: self.going_on() and self.steps > 12)
    @rule()
    def hangs_up(self) -> None:
        self.caller.does("X")

    @invariant()
    def it_ends_once_and_says_goodbye(self) -> None:
        caller = getattr(self, "caller", None)
        if caller is None:
            return
        if caller.survey.ended:
            assert caller.end is not None
            if isinstance(caller.last, ToAgent):
                assert (caller.end, self.people) == (TalkEnding.TO_AGENT, True)
            assert (caller.appointed is not None) == (caller.end is TalkEnding.APPOINTED)
            assert caller.appointed in {None, *(slot.at for slot in self.slots)}
        else:
            assert isinstance(caller.last, Ask | Record)
            assert caller.end is None

    @invariant()
    def nothing_answered_is_lost(self) -> None:
        if hasattr(self, "caller"):
            given = {name: values[0] for name, values in self.caller.answers.items()}
            assert given == self.model.answered
            assert len([name for name in given if self.items[name].kind is not ItemKind.FT]) <= 14

    @invariant()
    def personal_facts_are_for_the_customer(self) -> None:
        if hasattr(self, "caller") and not self.identified:
            assert not any(PROBLEM in said for said in self.caller.heard)

    def teardown(self) -> None:
        caller = getattr(self, "caller", None)
        if caller is None:
            return
        # Whoever says nothing more is led to the end in a bounded number of steps.
        for _ in range(60):
            if caller.survey.ended:
                break
            caller.does("-" if isinstance(caller.last, Record) else "~")
        assert caller.survey.ended
        assert isinstance(caller.last, HangUp | ToAgent) or caller.end is not None


TestSurvey = SurveyMachine.TestCase
TestSurvey.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
