"""What a customer will hear or read, in order, before anybody has been called."""

from dataclasses import dataclass

from callback_campaigns.domain.questionnaire import Item, ItemKind, Questionnaire
from callback_campaigns.domain.questionnaire_conditions import Facts
from callback_campaigns.domain.questionnaire_frame import CLOSING, MESSAGE, OPENING, fill, spoken_seconds
from callback_campaigns.domain.questionnaire_plan import plan
from callback_campaigns.domain.terms import Channel
from crm.domain.customer import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One prompt.

    Attributes:
        part: ``opening``, ``item``, ``message`` or ``closing``; it and ``item_id`` name the prompt.
        keys: pairs of key and meaning.
        seconds: how long it takes to say, about.
    """

    part: str
    item_id: str
    text: str
    keys: tuple[tuple[str, str], ...] = ()
    decisive: bool = False
    seconds: int = 0


def preview(
    questionnaire: Questionnaire,
    *,
    level: Level,
    channel: Channel,
    facts: Facts,
    company: str = "",
    hotline: str = "",
) -> tuple[Spoken, ...]:
    """Return the prompts in order. Raises ChannelRefused."""
    values = {"survey": questionnaire.spoken, "minutes": str(questionnaire.minutes)}
    values |= {name: said for name, said in (("company", company), ("hotline", hotline)) if said}

    def spoken(part: str, text: str, item: Item | None = None) -> Spoken:
        said = fill(text, values)
        return Spoken(
            part=part,
            item_id=item.id if item else "",
            text=said,
            keys=tuple((option.key, option.label) for option in item.options_for(channel)) if item else (),
            decisive=item.decisive if item else False,
            seconds=spoken_seconds(said),
        )

    items = plan(questionnaire, level=level, channel=channel, facts=facts)
    asked = [spoken("item", item.prompt(channel), item) for item in items]
    if channel is not Channel.IVR:
        return tuple(asked)
    # A voice message is offered in the end, whether the set has an item for it or not.
    message = [] if any(item.kind is ItemKind.FT for item in items) else [spoken("message", MESSAGE)]
    return (spoken("opening", OPENING), *asked, *message, spoken("closing", CLOSING))
