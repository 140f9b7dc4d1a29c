"""Which questions are asked: of whom, by what, knowing what (domain.md §3.0, levels and core lists)."""

from collections.abc import Mapping
from dataclasses import replace

from callback_campaigns.domain.questionnaire import (
    BY_PEOPLE,
    MAX_KEYED,
    Answer,
    Answers,
    Item,
    ItemKind,
    Questionnaire,
)
from callback_campaigns.domain.questionnaire_conditions import Facts
from callback_campaigns.domain.terms import Channel
from crm.domain.customer import Level
from kernel.errors import Invalid


class ChannelRefused(Invalid):
    """These questions are not asked this way; the message says why."""

    code = "channel_refused"


def refusal(questionnaire: Questionnaire, *, level: Level, channel: Channel, facts: Facts) -> str | None:
    """Return why a questionnaire may not be asked over a channel; ``None`` if it may.

    A-level customers are called by people (§3.0). About complaints that holds of the form by SMS as well,
    and of everybody whose complaint is serious (§3.5: human call only).
    """
    if channel not in questionnaire.channels:
        return f"{questionnaire.code} is not asked over {channel}"
    if channel in BY_PEOPLE:
        return None
    people_from, severity = questionnaire.people_from, facts.get("severity", 0)
    if level is Level.A and (channel is Channel.IVR or people_from):
        return "customers of level A are called by people"
    if people_from and isinstance(severity, int) and severity >= people_from:
        return f"from severity {people_from} on people call"
    return None


def plan(
    questionnaire: Questionnaire,
    *,
    level: Level,
    channel: Channel,
    facts: Facts,
    answers: Answers | None = None,
    carried: tuple[Item, ...] = (),
) -> tuple[Item, ...]:
    """Return the items to ask, in order.

    An item that waits for an earlier answer is in the plan once that answer fits: plan again after each one.

    Args:
        answers: given so far.
        carried: items of an earlier questionnaire that are to be asked once more (KG3 at YB, YB3 at ZQ).

    Raises:
        ChannelRefused: see :func:`refusal`.
    """
    refused = refusal(questionnaire, level=level, channel=channel, facts=facts)
    if refused:
        raise ChannelRefused(refused, field="channel")
    return belonging(
        questionnaire, level=level, channel=channel, facts=facts, answers=answers or {}, carried=carried
    )


def belonging(
    questionnaire: Questionnaire,
    *,
    level: Level,
    channel: Channel,
    facts: Facts,
    answers: Answers,
    carried: tuple[Item, ...] = (),
) -> tuple[Item, ...]:
    """Return what :func:`plan` does, also where the customer should not have been asked this way.

    What was answered is judged, whatever became of the customer's level or the case in the meantime.
    """
    given = values_of(answers)
    known = {**facts, "level": level.value, "channel": channel.value}

    def fits(item: Item) -> bool:
        return item.condition is None or item.condition.holds(known, given)

    wanted = [item for item in questionnaire.items if _asked(questionnaire, item, level, channel)]
    asked = [item for item in wanted if fits(item)]
    closing = [item for item in questionnaire.items if item.closing and level is not Level.A and fits(item)]
    again = [replace(item, condition=None) for item in carried if item.kind.has_options]
    open_ones = [item for item in asked if item.kind is ItemKind.FT]
    others = [*[item for item in asked if item.kind is not ItemKind.FT], *again]
    if channel is Channel.IVR:
        others = _at_most(others, MAX_KEYED)
        return (*others, *closing[: MAX_KEYED - len(others)], *open_ones)
    if level is Level.A and channel in BY_PEOPLE:
        return (*open_ones[:1], *others, *open_ones[1:])
    return (*others, *closing, *open_ones)


def values_of(answers: Answers) -> Mapping[str, tuple[str, ...]]:
    """Return the stored values by item, as conditions want them."""
    return {name: answer.values for name, answer in answers.items() if answer.values}


def required(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Return the items that a whole questionnaire has to have answered."""
    return tuple(item for item in items if not item.optional and not item.closing)


def next_item(items: tuple[Item, ...], answers: Mapping[str, Answer], skipped: frozenset[str]) -> Item | None:
    """Return the first item that was neither answered nor skipped."""
    return next((item for item in items if item.id not in answers and item.id not in skipped), None)


def _asked(questionnaire: Questionnaire, item: Item, level: Level, channel: Channel) -> bool:
    if item.a_only and level is not Level.A:
        return False
    return channel is not Channel.IVR or item.id in questionnaire.ivr or item.kind is ItemKind.FT


def _at_most(items: list[Item], limit: int) -> list[Item]:
    """Leave out the last ones that decide nothing until ``limit`` are left."""
    kept = list(items)
    for item in reversed(items):
        if len(kept) <= limit:
            break
        if not item.decisive and not item.overall:
            kept.remove(item)
    return kept[:limit]
