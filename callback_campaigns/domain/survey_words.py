"""What is said in a survey over IVR: the frame's texts with everything in its place (domain.md §3.0).

A text that names the customer or where they live has a second wording without it: audio of the first is made
just before the call, and where there is none the second is said. No marketing in any of it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from callback_campaigns.domain import questionnaire_frame as frame
from callback_campaigns.domain.questionnaire import Item, ItemKind, Option, Questionnaire
from callback_campaigns.domain.questionnaire_frame import fill
from callback_campaigns.domain.terms import Channel
from kernel.spoken import spoken_count, spoken_digits

OPENING_PLAIN = frame.OPENING.replace("您在{community}的装修", "您家的装修")
IDENTITY_PLAIN = frame.IDENTITY.replace("{name}", "装修业主")
GOING_ON = "需要现在和客服人员通话请按0，继续回访请按1。"
EXPLAIN = "请在滴声后简单说明，说完按井号键。"
MAIL = "现在没有客服人员在岗，请在滴声后留言，说完按井号键，我们上班后会尽快与您联系。"
MAIL_TAKEN = "好的，我们会尽快与您联系，打扰您了，再见。"
TRANSFER = "好的，正在为您转接客服人员，请稍候。"
LATER = "好的，我们换个时间再与您联系，打扰您了，再见。"
NO_MORE = "好的，已为您登记，今后不再拨打此类回访电话。打扰您了，再见。"
NOT_NOW = "好的，这次就不打扰您了，再见。"
NOBODY = "没有听到您的选择，我们换个时间再与您联系，再见。"
SEVERAL = "可以多选，选好后请按井号键。"
NOTHING_TO_ASK = "您好，这里是{company}客户服务中心。现在没有需要向您了解的情况，打扰您了，感谢您，再见。"

PERSONAL = ("{community}", "{name}", "{problem}")
"""What concerns one customer only; whoever hears it must have said that they are theirs (IVR frame 2)."""
_SOME_PROBLEM = "问题"


class When(StrEnum):
    """When it suits the customer better (IVR frame 1, key 2)."""

    THIS_AFTERNOON = "今天下午"
    TOMORROW_MORNING = "明天上午"
    TOMORROW_AFTERNOON = "明天下午"


KEY_OF = {When.THIS_AFTERNOON: "1", When.TOMORROW_MORNING: "2", When.TOMORROW_AFTERNOON: "3"}


@dataclass(frozen=True, slots=True)
class Slot:
    """A time that may be chosen, and the moment at which the customer would be called."""

    when: When
    at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """Something to say.

    Attributes:
        text: what is said.
        plain: said instead where ``text`` has no audio; empty: there is nothing personal in it.
    """

    text: str
    plain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What is put into the texts of one call.

    Attributes:
        community: where the customer lives; empty: not known, or not to be said.
        name: how they are addressed, 王先生.
        problem: what a complaint or a repair was about.
    """

    company: str
    hotline: str
    community: str = ""
    name: str = ""
    problem: str = ""

    def opening(self, *asked: Questionnaire) -> Line:
        """Who calls, why, for how long, that it is recorded, and what can be chosen."""
        values = {
            "survey": "和".join(dict.fromkeys(one.spoken for one in asked)),
            "minutes": spoken_count(sum(one.minutes for one in asked)),
        }
        return self._line(frame.OPENING, OPENING_PLAIN, values)

    def identity(self) -> Line:
        """Whether this is the customer."""
        return self._line(frame.IDENTITY, IDENTITY_PLAIN)

    def question(self, item: Item) -> Line:
        """An item with its keys."""
        said = item.prompt(Channel.IVR)
        if item.kind is ItemKind.MULTI:
            said += SEVERAL
        elif item.kind is ItemKind.TWO_LEVEL and not item.keys:
            said += choices(item.options)
        plain = said.replace("{problem}", _SOME_PROBLEM).replace("在{community}", "").replace("{name}", "您")
        return self._line(said, plain)

    def closing(self) -> Line:
        """Thanks, and where to call."""
        return self._line(frame.CLOSING)

    def nothing_to_ask(self) -> Line:
        """For a call that has nothing left to ask."""
        return self._line(NOTHING_TO_ASK)

    def _line(self, text: str, plain: str = "", values: dict[str, str] | None = None) -> Line:
        given = {"company": self.company, "hotline": spoken_digits(self.hotline), **(values or {})}
        own = {"community": self.community, "name": self.name, "problem": self.problem}
        said = {name for name in own if "{" + name + "}" in text}
        if not said:
            return Line(fill(text, given))
        if not all(own[name] for name in said):
            return Line(fill(plain, given))
        return Line(fill(text, {**given, **own}), fill(plain, given))


def is_personal(item: Item) -> bool:
    """Tell whether an item speaks of what only the customer may hear."""
    return any(mark in item.prompt(Channel.IVR) for mark in PERSONAL)


def appointment(times: Iterable[When]) -> Line:
    """When it suits better: only what can be kept is offered."""
    offers = "，".join(f"{when}请按{KEY_OF[when]}" for when in times)
    return Line(f"请问什么时候方便？{offers}。")


def appointed(when: When) -> Line:
    """The time that was chosen, said back."""
    return Line(f"好的，我们{when}再与您联系，打扰您了，再见。")


def choices(options: Iterable[Option]) -> str:
    """Which key means what."""
    return "，".join(f"{option.label}请按{option.key}" for option in options) + "。"


def known_lines(questionnaire: Questionnaire, wording: Wording) -> Iterator[Line]:
    """Yield what can be spoken before anybody is called: everything that concerns no single customer."""
    anybody = Wording(company=wording.company, hotline=wording.hotline)
    yield anybody.opening(questionnaire)
    asked = {*questionnaire.ivr, *(item.id for item in questionnaire.items if item.kind is ItemKind.FT)}
    for item in questionnaire.items:
        if item.id in asked or item.closing:
            yield anybody.question(item)
    for item in questionnaire.items:
        yield from (Line(choices(option.under)) for option in item.options if option.under)


def stock_lines(wording: Wording) -> Iterator[Line]:
    """Yield what every survey may say."""
    anybody = Wording(company=wording.company, hotline=wording.hotline)
    yield from (anybody.closing(), anybody.identity(), anybody.nothing_to_ask())
    fixed = (
        frame.REFUSAL,
        frame.NOT_THEM,
        frame.WRONG_KEY,
        frame.OFFER_AGENT,
        frame.AFTER_BAD,
        frame.MESSAGE,
    )
    own = (GOING_ON, EXPLAIN, MAIL, MAIL_TAKEN, TRANSFER, LATER, NO_MORE, NOT_NOW, NOBODY)
    yield from (Line(text) for text in (*fixed, *own))
    day = tuple(When)
    yield from (appointed(when) for when in day)
    for number in range(1, 1 << len(day)):
        yield appointment(when for index, when in enumerate(day) if number >> index & 1)
