"""From what was found to what the agent's page shows beside the talk: lights, and what may be done. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from speech.rules.findings import Finding, RuleKind, Speaker, When
from speech.rules.suggest import LEAST, Because, Form, Said, suggest

MOST_LIGHTS = 12
SLOT = timedelta(hours=2)
PROMISED_VISIT = "上门"
"""The value of promises of a visit."""

_GRAVITY = (
    RuleKind.THREAT,
    RuleKind.DO_NOT_CALL,
    RuleKind.SEVERITY,
    RuleKind.URGENCY,
    RuleKind.REFUSAL,
    RuleKind.TOPIC,
    RuleKind.ITEM,
    RuleKind.PLACE,
    RuleKind.WISH,
    RuleKind.APPOINTMENT,
    RuleKind.PROMISE,
)
_OF_COMPLAINTS = {RuleKind.TOPIC, RuleKind.THREAT, RuleKind.SEVERITY, RuleKind.WISH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Something that was found, once however often it was said.

    Attributes:
        grave: to be seen at once: danger, the press, a regulator, no more calls.
        because: where it was said last.
        when: the time it is about.
    """

    kind: RuleKind
    value: str
    label: str
    grave: bool
    because: Because
    when: When | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Words of a text that light up."""

    kind: RuleKind
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A time for a visit that was agreed, or promised by us."""

    since: datetime
    until: datetime
    because: Because

    @property
    def slot_until(self) -> datetime:
        """The end of the time in which somebody comes: of an hour that was named, :data:`SLOT` later."""
        return self.until if self.until > self.since else self.since + SLOT


def lights(said: Sequence[Said]) -> tuple[Light, ...]:
    """Return what was found, the gravest first and of each kind the newest, at most :data:`MOST_LIGHTS`."""
    newest: dict[tuple[RuleKind, str], Light] = {}
    for one, found in _sure(said):
        key = (found.kind, found.value)
        newest.pop(key, None)
        newest[key] = Light(
            kind=found.kind,
            value=found.value,
            label=found.label,
            grave=_is_grave(found),
            because=because(one, found),
            when=found.when,
        )
    latest_first = [light for light in reversed(newest.values()) if not _told(light, newest)]
    return tuple(sorted(latest_first, key=lambda light: _GRAVITY.index(light.kind))[:MOST_LIGHTS])


def marks(said: Sequence[Said]) -> Mapping[str, tuple[Mark, ...]]:
    """Return the words that light up, by segment and without overlaps; graver ones win."""
    found: dict[str, tuple[Mark, ...]] = {}
    for one in said:
        taken: list[Mark] = []
        for each in sorted(one.findings, key=lambda item: (_GRAVITY.index(item.kind), item.start)):
            free = all(each.end <= mark.start or each.start >= mark.end for mark in taken)
            if each.confidence >= LEAST and free:
                taken.append(Mark(kind=each.kind, start=each.start, end=each.end))
        if taken:
            found[one.segment] = tuple(sorted(taken, key=lambda mark: mark.start))
    return found


def forms(said: Sequence[Said]) -> tuple[Form, ...]:
    """Return the forms that what was said is worth, the likelier first."""
    kinds = {found.kind for one, found in _sure(said) if one.speaker is Speaker.CUSTOMER}
    complaint = bool(kinds & _OF_COMPLAINTS) and bool(suggest(said, Form.COMPLAINT))
    repair = RuleKind.ITEM in kinds or {RuleKind.PLACE, RuleKind.TOPIC} <= kinds
    found = [Form.COMPLAINT] if complaint else []
    if repair:
        # Whoever threatens or wants their money complains; whoever only says what is broken wants it mended.
        angry = bool(kinds & {RuleKind.THREAT, RuleKind.SEVERITY, RuleKind.WISH})
        found.insert(len(found) if angry else 0, Form.REPAIR)
    return tuple(found)


def agreed_visit(said: Sequence[Said], *, after: datetime | None = None) -> Visit | None:
    """Return the visit that was spoken of last, promised or agreed; none that is over by ``after``."""
    for one in reversed(said):
        for found in reversed(one.findings):
            promised = found.kind is RuleKind.PROMISE and found.value == PROMISED_VISIT
            if found.when is None or found.confidence < LEAST:
                continue
            if not promised and found.kind is not RuleKind.APPOINTMENT:
                continue
            if after is None or found.when.until >= after:
                return Visit(since=found.when.since, until=found.when.until, because=because(one, found))
    return None


def no_more_calls(said: Sequence[Said]) -> Because | None:
    """Return where the customer said last that they want no more calls."""
    for one, found in reversed(_sure(said)):
        if found.kind is RuleKind.DO_NOT_CALL and one.speaker is Speaker.CUSTOMER:
            return because(one, found)
    return None


def because(one: Said, found: Finding) -> Because:
    """Return the words that a finding stands on."""
    return Because(segment=one.segment, speaker=one.speaker, text=one.text, start=found.start, end=found.end)


def _told(light: Light, others: Mapping[tuple[RuleKind, str], Light]) -> bool:
    """Return whether another light says the same: of an item the topic, of a time the promise."""
    if light.kind is RuleKind.ITEM:
        return any(one.kind is RuleKind.TOPIC and one.label == light.label for one in others.values())
    if light.kind is RuleKind.APPOINTMENT:
        return any(one.kind is RuleKind.PROMISE and one.when == light.when for one in others.values())
    return False


def _sure(said: Sequence[Said]) -> list[tuple[Said, Finding]]:
    return [(one, found) for one in said for found in one.findings if found.confidence >= LEAST]


def _is_grave(found: Finding) -> bool:
    if found.kind in {RuleKind.THREAT, RuleKind.DO_NOT_CALL}:
        return True
    return (found.kind, found.value) in {(RuleKind.SEVERITY, "3"), (RuleKind.URGENCY, "emergency")}
