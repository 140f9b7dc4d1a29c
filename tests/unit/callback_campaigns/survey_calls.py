"""A caller in a survey: presses keys, says nothing, speaks, hangs up, and remembers what was heard."""

from datetime import datetime, timedelta
from typing import Any

from callback_campaigns.domain.questionnaire import Questionnaire
from callback_campaigns.domain.questionnaire_yaml import read_questionnaire
from callback_campaigns.domain.survey import Script, Survey
from callback_campaigns.domain.survey_steps import (
    Ask,
    Begin,
    Effect,
    End,
    Event,
    HangUp,
    HungUp,
    Pressed,
    Record,
    Recorded,
    Report,
    Silence,
    StoreAnswer,
    StoreSkip,
    ToAgent,
    Unheard,
)
from callback_campaigns.domain.survey_words import Slot, When, Wording
from callback_campaigns.domain.talk import TalkEnding, TalkSet
from callback_campaigns.questionnaire_sets import shipped
from crm.domain.customer import Level
from tests.unit.callback_campaigns.times import at

NOW = at("2026-03-02 10:00")
WORDS = Wording(company="慧家装饰", hotline="4008001234", community="翠湖花园", name="王先生")
SLOTS = (
    Slot(When.THIS_AFTERNOON, at("2026-03-02 14:00")),
    Slot(When.TOMORROW_MORNING, at("2026-03-03 09:30")),
    Slot(When.TOMORROW_AFTERNOON, at("2026-03-03 14:00")),
)


def talk_set(of: str | Questionnaire, **changes: Any) -> TalkSet:
    """Return the questions of one task; a code names a shipped set, other text is YAML."""
    if isinstance(of, str):
        of = shipped(of) if len(of) == 2 else read_questionnaire(of)
    known = {"level": Level.B, "facts": {"contact_preference": "phone"}, **changes}
    return TalkSet(task_id="T", code=of.code, number=1, questionnaire=of, **known)


class Caller:
    """Leads one survey: ``1`` presses a key, ``~`` is silence, ``v`` speaks after a tone, ``-`` says nothing
    there, ``?`` is a text without audio, ``X`` hangs up."""

    def __init__(self, *sets: str | Questionnaire | TalkSet, **script: Any) -> None:
        asked = tuple(one if isinstance(one, TalkSet) else talk_set(one) for one in sets or ("KG",))
        script = {"wording": WORDS, "slots": SLOTS, **script}
        self.survey = Survey(Script(sets=asked, **script))
        self.now: datetime = NOW
        self.done: list[Effect] = []
        self.heard: list[str] = []
        self._take(Begin())

    def does(self, deeds: str) -> "Caller":
        for deed in deeds.replace(" ", ""):
            self._take(self._event(deed))
        return self

    def is_content(self) -> "Caller":
        """Answers everything well and has nothing to add, until the end."""
        while not self.survey.ended:
            if isinstance(self.last, Record):
                self.does("-")
            else:
                self.does("5" if "5分" in self.said else "1")
        return self

    def _event(self, deed: str) -> Event:
        match deed:
            case "~":
                return Silence()
            case "X":
                return HungUp()
            case "?":
                return Unheard()
            case "v" | "-":
                return Recorded(deed == "v")
            case _ if isinstance(self.last, Record):
                return Recorded(False, deed)
            case _:
                return Pressed(deed)

    def _take(self, event: Event) -> None:
        self.now += timedelta(seconds=1)
        for effect in self.survey.handle(event, now=self.now):
            self.done.append(effect)
            if isinstance(effect, Ask | Record | HangUp | ToAgent):
                self.heard.extend(line.text for line in effect.lines)

    @property
    def last(self) -> Effect:
        return self.done[-1]

    @property
    def said(self) -> str:
        """What was said last."""
        return self.heard[-1]

    @property
    def answers(self) -> dict[str, tuple[str, ...]]:
        return {one.item_id: one.answer.values for one in self.done if isinstance(one, StoreAnswer)}

    @property
    def skipped(self) -> list[str]:
        return [one.item_id for one in self.done if isinstance(one, StoreSkip)]

    @property
    def reports(self) -> list[tuple[str, str, str]]:
        return [(one.node, one.key, one.label) for one in self.done if isinstance(one, Report)]

    @property
    def end(self) -> TalkEnding | None:
        ends = [one for one in self.done if isinstance(one, End)]
        assert len(ends) <= 1
        return ends[0].how if ends else None

    @property
    def appointed(self) -> datetime | None:
        return next((one.at for one in self.done if isinstance(one, End)), None)
