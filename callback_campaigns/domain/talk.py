"""A talk with a customer: what is asked now, what it has come to, how it ended (domain.md §1.2, §3.0).

A talk asks the questionnaire of one callback task, or of several of the same customer (domain.md §6.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from callback_campaigns.domain import questionnaire_plan
from callback_campaigns.domain.questionnaire import Answer, Answers, Item, Questionnaire
from callback_campaigns.domain.questionnaire_conditions import Facts
from callback_campaigns.domain.questionnaire_plan import belonging, required
from callback_campaigns.domain.questionnaire_verdict import Judgement, chosen, evaluate
from callback_campaigns.domain.result import Finding, ResultCode
from callback_campaigns.domain.task import TalkEnd
from callback_campaigns.domain.terms import Channel, Verdict
from crm.domain.customer import Level

MAX_EXPLAINED = 2000


class TalkEnding(StrEnum):
    """How a talk ends."""

    FINISHED = "finished"
    BROKEN_OFF = "broken_off"
    """The customer hung up midway, or the line went; what was answered is kept."""
    REFUSED = "refused"
    DO_NOT_CALL = "do_not_call"
    """They want no such calls any more."""
    APPOINTED = "appointed"
    WRONG_PERSON = "wrong_person"
    TO_AGENT = "to_agent"
    """Not an end: a person goes on where the machine stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkSet:
    """The questions of one task within a talk.

    Attributes:
        code, number: which version of which questionnaire; answers name both.
        carried: items of an earlier questionnaire that are asked once more.
        verdict, score, departments: what it came to, once the talk has ended with a result.
    """

    task_id: str
    code: str
    number: int
    questionnaire: Questionnaire
    level: Level
    facts: Facts
    carried: tuple[Item, ...] = ()
    verdict: Verdict | None = None
    score: int | None = None
    departments: tuple[str, ...] = ()

    def item(self, item_id: str) -> Item | None:
        """Return an item of the set, asked or not."""
        found = self.questionnaire.item(item_id)
        return found or next((item for item in self.carried if item.id == item_id), None)

    def mine(self, answers: Answers) -> Answers:
        """Return the answers that belong to this set."""
        return {name: answer for name, answer in answers.items() if self.item(name) is not None}

    def asked(self, channel: Channel, answers: Answers) -> tuple[Item, ...]:
        """Return the items to ask, as the answers so far have it."""
        return belonging(
            self.questionnaire,
            level=self.level,
            channel=channel,
            facts=self.facts,
            answers=self.mine(answers),
            carried=self.carried,
        )

    def judged(self, channel: Channel, answers: Answers) -> Judgement:
        """Return what the answers come to. Raises NoSuchAnswer."""
        return evaluate(
            self.questionnaire,
            self.mine(answers),
            level=self.level,
            channel=channel,
            facts=self.facts,
            carried=self.carried,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A recorded answer or message; ``path`` below the folder of recordings, ``text`` what is said in it."""

    voice_id: str
    item_id: str
    path: str
    seconds: float
    at: datetime
    text: str = ""


def planned(sets: tuple[TalkSet, ...], channel: Channel, answers: Answers) -> tuple[Item, ...]:
    """Return the items to ask in a talk: one set after the other, what is spoken freely at the very end.

    Of several sets only the last one's free question is asked: nobody is asked twice for other wishes.
    """
    asked = [one.asked(channel, answers) for one in sets]
    if len(asked) == 1:
        return asked[0]
    whole: list[Item] = []
    for number, items in enumerate(asked):
        last = number == len(asked) - 1
        whole += [item for item in items if last or item.kind.has_options]
    return tuple(whole)


def next_item(
    sets: tuple[TalkSet, ...], channel: Channel, answers: Answers, skipped: frozenset[str]
) -> Item | None:
    """Return what is asked next, ``None`` when everything was."""
    return questionnaire_plan.next_item(planned(sets, channel, answers), answers, skipped)


def conclusion(
    one: TalkSet, channel: Channel, answers: Answers, *, heard_at: datetime, explanation: str = ""
) -> TalkEnd:
    """Return what a set's answers are for its task: how much is there, and the result.

    Nothing that says anything about satisfaction counts as neutral: nobody was found dissatisfied.

    Args:
        explanation: what whoever talked adds; without it the bad answers explain themselves (CB-2).
    """
    mine = one.mine(answers)
    wanted = required(one.asked(channel, mine))
    given = sum(1 for item in wanted if item.id in mine and mine[item.id].given)
    judgement = one.judged(channel, mine)
    verdict = judgement.verdict or Verdict.NEUTRAL
    bad = verdict is Verdict.DISSATISFIED
    finding = Finding(
        code=ResultCode.PROBLEM if bad else ResultCode.NO_PROBLEM,
        verdict=verdict,
        done_at=heard_at,
        score=int(judgement.score) if judgement.score is not None else None,
        problem_code=judgement.decided_by[0] if bad and judgement.decided_by else "",
        explanation=_explained(one, judgement, mine, explanation) if bad else explanation[:MAX_EXPLAINED],
        departments=judgement.departments if bad else (),
    )
    return TalkEnd(answered=given, required=len(wanted), finding=finding)


def spelled(item: Item, answer: Answer) -> str:
    """Return an answer in words, with the reason that was given."""
    said = "、".join(option.label for option in chosen(item, answer)) or answer.text
    return f"{said}（{answer.reason}）" if answer.reason else said


def _explained(one: TalkSet, judgement: Judgement, answers: Mapping[str, Answer], explanation: str) -> str:
    lines = [explanation] if explanation else []
    decided = set(judgement.decided_by)
    for finding in judgement.findings:
        item = one.item(finding.item_id)
        if item is not None and (finding.bad or finding.item_id in decided):
            lines.append(f"{item.ask}{spelled(item, answers[item.id])}")
    return "\n".join(lines)[:MAX_EXPLAINED]
