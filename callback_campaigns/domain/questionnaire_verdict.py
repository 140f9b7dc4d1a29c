"""What the answers come to (domain.md §3.0).

The score is Σ(weight · score) ÷ Σ(weight of what was answered). DISSATISFIED if an item marked ★ has its bad
answer, or the overall mark is bad, or the score is below 60; NEUTRAL below 80; SATISFIED otherwise.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction

from callback_campaigns.domain.questionnaire import (
    ANYBODY,
    Answer,
    Answers,
    Do,
    Item,
    ItemKind,
    NoSuchAnswer,
    Option,
    Questionnaire,
    Rule,
)
from callback_campaigns.domain.questionnaire_conditions import Facts
from callback_campaigns.domain.questionnaire_plan import belonging, required, values_of
from callback_campaigns.domain.terms import Channel, Verdict
from crm.domain.customer import Level

DISSATISFIED_BELOW = 60
NEUTRAL_BELOW = 80
KEPT_FROM_PERCENT = 60
"""A call that ended midway is kept as it is when so much of the required was answered (§1.2, PARTIAL)."""
NEUTRALS_FOR_CARE = {Level.A: 1, Level.B: 2, Level.C: 2}


QUIET = {Do.INFORM, Do.CALL, Do.STORE, Do.SEND, Do.STATISTIC}
"""Effects whose people are told or act, without the answer being theirs to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One answered item. ``score`` is ``None`` where the answer says nothing about satisfaction."""

    item_id: str
    values: tuple[str, ...]
    score: int | None
    bad: bool
    neutral: bool
    decisive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket to be opened.

    Attributes:
        items: whose answers it is about.
        departments: whom it goes to.
        care: a care ticket, not a problem.
        head_calls: the head of the department must call the customer within T1 (A level).
        listen_first: somebody listens to the recording before it is routed.
    """

    items: tuple[str, ...]
    departments: tuple[str, ...]
    severity: int
    care: bool = False
    confidential: bool = False
    listen_first: bool = False
    head_calls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Something else that an answer sets going."""

    item_id: str
    do: Do
    to: tuple[str, ...] = ()
    within: str = ""
    detail: str = ""
    severity: int = 1
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the answers come to.

    Attributes:
        verdict: ``None`` when nothing was answered that says anything about satisfaction.
        score: 0 to 100 with two decimals, cut off; ``None`` as above.
        decided_by: items that made the verdict what it is; empty when SATISFIED.
        departments: whom the bad answers concern; of a DISSATISFIED verdict there is at least one.
        completeness: percent of the required items that were answered.
    """

    verdict: Verdict | None
    score: Decimal | None
    decided_by: tuple[str, ...]
    departments: tuple[str, ...]
    findings: tuple[Finding, ...]
    tickets: tuple[Ticket, ...]
    effects: tuple[Effect, ...]
    completeness: int

    @property
    def whole(self) -> bool:
        """Whether all that is required was answered."""
        return self.completeness >= 100

    @property
    def kept(self) -> bool:
        """Whether a call that ended midway counts, instead of being tried again."""
        return self.completeness >= KEPT_FROM_PERCENT


def evaluate(
    questionnaire: Questionnaire,
    answers: Answers,
    *,
    level: Level = Level.B,
    channel: Channel = Channel.AGENT,
    facts: Facts | None = None,
    carried: tuple[Item, ...] = (),
) -> Judgement:
    """Return what the answers come to.

    Raises:
        NoSuchAnswer: an answer to an item that is not there, or one that the item does not take.
    """
    facts = {**(facts or {}), "level": level.value, "channel": channel.value}
    given = {name: answer for name, answer in answers.items() if answer.given}
    asked = belonging(
        questionnaire, level=level, channel=channel, facts=facts, answers=given, carried=carried
    )
    items = {item.id: item for item in (*questionnaire.items, *carried)}
    for name in given:
        if name not in items:
            raise NoSuchAnswer(f"{questionnaire.code} does not ask {name}", field=name)
    answered = [(item, given[item.id]) for item in items.values() if item.id in given]
    values = values_of(given)
    findings = tuple(_finding(item, answer, facts, values) for item, answer in answered)
    score = _score(items, findings)
    verdict = _verdict(items, findings, score)
    tickets, effects = _consequences(answered, findings, level, facts, values)
    return Judgement(
        verdict=verdict,
        score=_cut(score),
        decided_by=_decided_by(items, findings, verdict),
        departments=_departments(verdict, findings, tickets, effects),
        findings=findings,
        tickets=tickets,
        effects=effects,
        completeness=_completeness(asked, given),
    )


def chosen(item: Item, answer: Answer) -> tuple[Option, ...]:
    """Return the options that were chosen. Raises NoSuchAnswer."""
    found = []
    for value in answer.values:
        option = item.option(value)
        if option is None:
            raise NoSuchAnswer(f"{item.id} is never answered “{value}”", field=item.id)
        found.append(option)
    most = {ItemKind.MULTI: len(item.options), ItemKind.TWO_LEVEL: 2}.get(item.kind, 1)
    if len(found) > most or len(set(answer.values)) != len(found):
        raise NoSuchAnswer(f"{item.id} takes {most} different answers at most", field=item.id)
    return tuple(found)


def _finding(item: Item, answer: Answer, facts: Facts, values: Mapping[str, tuple[str, ...]]) -> Finding:
    options = chosen(item, answer)
    scores = [option.score for option in options if option.score is not None]
    bad = any(_is_bad(option, facts, values) for option in options)
    return Finding(
        item_id=item.id,
        values=answer.values,
        # An answer that turns bad by circumstance is worth what every bad one is.
        score=0 if bad and not scores else (min(scores) if scores else None),
        bad=bad,
        neutral=any(option.neutral for option in options) and not bad,
        decisive=item.decisive or item.overall,
    )


def _is_bad(option: Option, facts: Facts, values: Mapping[str, tuple[str, ...]]) -> bool:
    return option.bad or (option.bad_when is not None and option.bad_when.holds(facts, values))


def _score(items: Mapping[str, Item], findings: tuple[Finding, ...]) -> Fraction | None:
    weighed = [
        (items[finding.item_id].weight, finding.score) for finding in findings if finding.score is not None
    ]
    weight = sum(part for part, _ in weighed)
    return Fraction(sum(part * score for part, score in weighed), weight) if weight else None


def _cut(score: Fraction | None) -> Decimal | None:
    # Rounded up, 59.996 would read as 60 beside a verdict that says otherwise.
    if score is None:
        return None
    return (Decimal(score.numerator) / Decimal(score.denominator)).quantize(Decimal("0.01"), ROUND_FLOOR)


def _verdict(
    items: Mapping[str, Item], findings: tuple[Finding, ...], score: Fraction | None
) -> Verdict | None:
    if any(finding.bad and finding.decisive for finding in findings):
        return Verdict.DISSATISFIED
    if score is None:
        return None
    if score < DISSATISFIED_BELOW:
        return Verdict.DISSATISFIED
    return Verdict.NEUTRAL if score < NEUTRAL_BELOW else Verdict.SATISFIED


def _decided_by(
    items: Mapping[str, Item], findings: tuple[Finding, ...], verdict: Verdict | None
) -> tuple[str, ...]:
    if verdict is Verdict.DISSATISFIED:
        decisive = tuple(finding.item_id for finding in findings if finding.bad and finding.decisive)
        return decisive or _below(items, findings, DISSATISFIED_BELOW)
    return _below(items, findings, NEUTRAL_BELOW) if verdict is Verdict.NEUTRAL else ()


def _below(items: Mapping[str, Item], findings: tuple[Finding, ...], limit: int) -> tuple[str, ...]:
    return tuple(
        finding.item_id
        for finding in findings
        if finding.score is not None and finding.score < limit and items[finding.item_id].weight
    )


def _consequences(
    answered: list[tuple[Item, Answer]],
    findings: tuple[Finding, ...],
    level: Level,
    facts: Facts,
    values: Mapping[str, tuple[str, ...]],
) -> tuple[tuple[Ticket, ...], tuple[Effect, ...]]:
    tickets: list[Ticket] = []
    effects: list[Effect] = []
    for item, answer in answered:
        for rule, option in _rules(item, answer, facts, values):
            to = _named(rule, answer, item)
            if rule.do in {Do.TICKET, Do.CARE}:
                tickets.append(
                    Ticket(
                        items=(item.id,),
                        departments=to,
                        severity=rule.severity,
                        care=rule.do is Do.CARE,
                        confidential=rule.confidential,
                        listen_first=rule.listen_first,
                        head_calls=level is Level.A and rule.do is Do.TICKET,
                    )
                )
            else:
                effects.append(
                    Effect(
                        item_id=item.id,
                        do=rule.do,
                        to=to,
                        within=rule.within,
                        detail=rule.detail,
                        severity=rule.severity,
                        value=option.value if option else "",
                    )
                )
        if item.kind is ItemKind.FT:
            effects.append(Effect(item_id=item.id, do=Do.CLASSIFY, to=("SPC",)))
    neutral = tuple(finding.item_id for finding in findings if finding.neutral)
    if len(neutral) >= NEUTRALS_FOR_CARE[level]:
        tickets.append(Ticket(items=neutral, departments=("SPC",), severity=1, care=True))
    bad = [finding.item_id for finding in findings if finding.bad]
    if level is Level.A and bad:
        effects.append(Effect(item_id=bad[0], do=Do.INFORM, to=("MGR",)))
    return tuple(tickets), tuple(effects)


def _rules(
    item: Item, answer: Answer, facts: Facts, values: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[Rule, Option]]:
    for option in chosen(item, answer):
        for rule in option.rules:
            if rule.when is None or rule.when.holds(facts, values):
                yield rule, option


def _named(rule: Rule, answer: Answer, item: Item) -> tuple[str, ...]:
    """Return whom a rule concerns: the agent may say otherwise where the rule lets him choose."""
    if not answer.departments or not rule.choose:
        return rule.to
    strange = [code for code in answer.departments if code not in rule.choose]
    if strange:
        raise NoSuchAnswer(f"{item.id} does not concern {strange[0]}", field=item.id)
    return answer.departments


def _departments(
    verdict: Verdict | None,
    findings: tuple[Finding, ...],
    tickets: tuple[Ticket, ...],
    effects: tuple[Effect, ...],
) -> tuple[str, ...]:
    bad = {finding.item_id for finding in findings if finding.bad}
    named = [code for ticket in tickets if bad & set(ticket.items) for code in ticket.departments]
    named += [
        code for effect in effects if effect.item_id in bad and effect.do not in QUIET for code in effect.to
    ]
    found = tuple(dict.fromkeys(named))
    return found or (ANYBODY if verdict is Verdict.DISSATISFIED else ())


def _completeness(asked: tuple[Item, ...], given: Answers) -> int:
    wanted = required(asked)
    if not wanted:
        return 100
    return 100 * sum(1 for item in wanted if item.id in given) // len(wanted)
