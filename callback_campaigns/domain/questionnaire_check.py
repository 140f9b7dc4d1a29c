"""Whether a questionnaire makes sense: nothing is asked that nobody can answer, no ★ is left out."""

import re
from collections.abc import Iterator

from callback_campaigns.domain.questionnaire import MAX_KEYED, Item, ItemKind, Option, Questionnaire
from callback_campaigns.domain.questionnaire_conditions import Condition
from callback_campaigns.domain.questionnaire_frame import PLACEHOLDERS, spoken_seconds
from callback_campaigns.domain.questionnaire_problems import Problem
from callback_campaigns.domain.terms import Channel

MAX_SECONDS = 180
"""A survey over IVR takes no longer (domain.md §3.0, IVR frame 6)."""
ANSWER_SECONDS = 2

_SPOKEN_KEY = re.compile(r"按\s?(\d)")
_BRACES = re.compile(r"\{([^{}]*)\}|[{}]")
_SIZES = {ItemKind.YN: (2, 4), ItemKind.SINGLE: (2, 9), ItemKind.MULTI: (2, 20), ItemKind.TWO_LEVEL: (2, 20)}


def check(questionnaire: Questionnaire) -> list[Problem]:
    """Return everything that is wrong with a questionnaire whose form is right."""
    return [*_whole(questionnaire), *_ivr(questionnaire), *_items(questionnaire)]


def _whole(questionnaire: Questionnaire) -> Iterator[Problem]:
    if not questionnaire.items:
        yield Problem(0, "", "it asks nothing", "nothing_asked")
    for item in [item for item in questionnaire.items if item.overall][1:]:
        yield Problem(item.line, item.id, "there can be one overall mark only", "two_overall")
    for item in questionnaire.items:
        if questionnaire.code and not item.id.startswith(questionnaire.code):
            message = f"ids of this questionnaire begin with {questionnaire.code}"
            yield Problem(item.line, item.id, message, "other_prefix", (questionnaire.code,))


def _items(questionnaire: Questionnaire) -> Iterator[Problem]:
    before: dict[str, Item] = {}
    for item in questionnaire.items:
        yield from _item(item)
        for condition in _conditions(item):
            for asked, message in _references(condition, item, before):
                yield Problem(item.line, item.id, f"“{condition.text}” asks for {asked}, {message}")
        before[item.id] = item


def _item(item: Item) -> Iterator[Problem]:
    if item.decisive and not any(option.bad or option.bad_when for option in item.options):
        yield Problem(item.line, item.id, "it is decisive, but none of its answers is bad", "no_bad")
    if item.overall and item.kind not in {ItemKind.R5, ItemKind.SAT3, ItemKind.G4}:
        yield Problem(item.line, item.id, "the overall mark is of type R5, SAT3 or G4", "overall_type")
    if item.closing and not item.a_only:
        message = "closing is for items that only level A is asked otherwise"
        yield Problem(item.line, item.id, message, "closing_a_only")
    low, high = _SIZES.get(item.kind, (0, 99))
    if item.kind.has_options and not low <= len(item.options) <= high:
        message = f"{item.kind} takes {low} to {high} answers"
        yield Problem(item.line, item.id, message, "answers", (item.kind.value, str(low), str(high)))
    for text in (item.ask, item.keys, item.ask_agent, item.ask_sms):
        for found in _BRACES.finditer(text):
            if found[1] not in PLACEHOLDERS:
                known = ", ".join("{" + name + "}" for name in PLACEHOLDERS)
                message = f"“{found[0]}” is not filled in; there are {known}"
                yield Problem(item.line, item.id, message, "not_filled", (found[0], known))
    yield from _spoken(item)


def _spoken(item: Item) -> Iterator[Problem]:
    """What the caller hears names exactly the keys that mean something."""
    if not item.kind.is_keyed or item.kind is ItemKind.R5:
        return
    said = set(_SPOKEN_KEY.findall(item.keys))
    if not said:
        return
    meant = {option.key for option in item.options}
    for key in sorted(meant - said):
        yield Problem(
            item.line, item.id, f"key {key} has a meaning, but keys does not tell it", "key_untold", (key,)
        )
    for key in sorted(said - meant):
        yield Problem(
            item.line, item.id, f"keys tells of key {key}, which means nothing", "key_empty", (key,)
        )


def _ivr(questionnaire: Questionnaire) -> Iterator[Problem]:
    over_ivr = Channel.IVR in questionnaire.channels
    if not over_ivr:
        if questionnaire.ivr:
            yield Problem(0, "", "ivr lists questions, but ivr is not among channels", "ivr_no_channel")
        return
    if not questionnaire.ivr:
        message = "ivr is missing: the questions that B and C level are asked by keys"
        yield Problem(0, "", message, "ivr_missing")
        return
    core: list[Item] = []
    for name in questionnaire.ivr:
        item = questionnaire.item(name)
        if item is None:
            yield Problem(0, name, "ivr names it, but there is no such item", "ivr_unknown")
            continue
        core.append(item)
        if not item.kind.is_keyed:
            message = f"{item.kind} cannot be answered by one key; take it out of ivr"
            yield Problem(item.line, name, message, "not_keyed", (item.kind.value,))
        elif not item.keys:
            yield Problem(item.line, name, "keys is missing: which key means what", "keys_missing")
        if item.a_only:
            yield Problem(item.line, name, "only level A is asked, so it cannot stand in ivr", "ivr_a_only")
    for name in sorted({name for name in questionnaire.ivr if questionnaire.ivr.count(name) > 1}):
        yield Problem(0, name, "ivr names it twice", "ivr_twice")
    for item in questionnaire.items:
        if item.decisive and not item.a_only and item.id not in questionnaire.ivr:
            yield Problem(item.line, item.id, "it is decisive, so it must stand in ivr", "decisive_not_asked")
    fixed = [item for item in core if item.condition is None]
    if len(fixed) > MAX_KEYED:
        message = f"ivr has {len(fixed)} questions without condition, at most {MAX_KEYED}"
        yield Problem(0, "", message, "too_many", (str(len(fixed)), str(MAX_KEYED)))
    seconds = sum(spoken_seconds(item.prompt(Channel.IVR)) + ANSWER_SECONDS for item in core[:MAX_KEYED])
    if seconds > MAX_SECONDS:
        message = f"the questions of ivr take about {seconds} s, at most {MAX_SECONDS} s"
        yield Problem(0, "", message, "too_long", (str(seconds), str(MAX_SECONDS)))


def _conditions(item: Item) -> Iterator[Condition]:
    if item.condition:
        yield item.condition
    for option in _all(item.options):
        if option.bad_when:
            yield option.bad_when
        for rule in option.rules:
            if rule.when:
                yield rule.when


def _all(options: tuple[Option, ...]) -> Iterator[Option]:
    for option in options:
        yield option
        yield from option.under


def _references(condition: Condition, item: Item, before: dict[str, Item]) -> Iterator[tuple[str, str]]:
    for clause in condition.clauses:
        if not clause.is_item:
            continue
        asked = before.get(clause.name)
        if asked is None:
            yield clause.name, "itself" if clause.name == item.id else "which is not asked before"
            continue
        for value in clause.values:
            if asked.option(value) is None:
                yield clause.name, f"which is never answered “{value}”"
