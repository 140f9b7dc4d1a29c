"""What a survey over IVR asks of the world, and what the world answers. Data only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from callback_campaigns.domain.questionnaire import Answer
from callback_campaigns.domain.survey_words import Line
from callback_campaigns.domain.talk import TalkEnding


class SurveyState(StrEnum):
    """What a survey waits for."""

    NEW = "new"
    OPENING = "opening"
    WHEN = "when"
    """Another time: which."""
    REFUSING = "refusing"
    """No more such calls: sure?"""
    IDENTITY = "identity"
    QUESTION = "question"
    SECOND = "second"
    """The second level of a choice in two levels, or more keys of a multiple choice."""
    COMPLAINT = "complaint"
    """In their own words, after a bad answer."""
    GOING_ON = "going_on"
    """After a bad answer: a person now, or on with the questions?"""
    OFFER = "offer"
    """After two questions without an answer: a person?"""
    MESSAGE = "message"
    """Anything else to say, at the end."""
    MAIL = "mail"
    """Voice mail where nobody is there to be put through to."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Speak and wait for one key; answer with :class:`Pressed`, :class:`Silence` or :class:`Unheard`.

    A key ends what is being said.
    """

    lines: tuple[Line, ...]
    wait: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Speak, sound the tone and record; answer with :class:`Recorded` or :class:`Unheard`.

    Attributes:
        item_id: what it is about; empty: nothing in particular.
    """

    lines: tuple[Line, ...]
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """Keep an answer, at once."""

    item_id: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class StoreSkip:
    """Keep that an item was asked and not answered."""

    item_id: str


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the call's time line. ``key`` is empty where it is nobody's business."""

    node: str
    key: str
    label: str


@dataclass(frozen=True, slots=True)
class End:
    """End the talk; comes before the last words, so that it holds though the customer hangs up in them.

    Attributes:
        at: the moment that was named, of APPOINTED.
    """

    how: TalkEnding
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HangUp:
    """The last words, then hang up.

    Attributes:
        lines: none where nothing could be spoken; the dialplan then says its own.
    """

    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class ToAgent:
    """The last words, then on to a person's queue."""

    lines: tuple[Line, ...] = ()


Effect = Ask | Record | StoreAnswer | StoreSkip | Report | End | HangUp | ToAgent
"""Of every step's effects the last is an Ask, a Record, a HangUp or a ToAgent; only of a customer who is
gone there is none of these."""


@dataclass(frozen=True, slots=True)
class Begin:
    """The customer has answered."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key."""

    key: str


@dataclass(frozen=True, slots=True)
class Silence:
    """No key within the wait."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of a :class:`Record`.

    Attributes:
        spoken: whether anything was said.
        key: the key that ended it, before the tone or after.
    """

    spoken: bool
    key: str = ""


@dataclass(frozen=True, slots=True)
class Unheard:
    """What was to be said has no audio: the customer heard nothing."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The customer is gone, or we are."""


Event = Begin | Pressed | Silence | Recorded | Unheard | HungUp
