"""What the engine asks of the world, and what the world answers. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from ivr.domain.wishes import Wishes, answer, repeats


class Clip(NamedTuple):
    """Audio made at publish time: piece number ``piece`` of prompt ``prompt``."""

    prompt: str
    piece: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text known only now.

    Attributes:
        text: what to say.
        optional: leave it out rather than fail.
        digits: these digits may be said one by one where the whole cannot be spoken in time.
    """

    text: str
    optional: bool = False
    digits: str = ""


Piece = Clip | Spoken


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportMenu:
    """Tell the call's time line where the caller is.

    Attributes:
        label: its words in the menu path; empty where nothing was chosen.
        said: what the caller said, as it was recognised.
        understood: the label of what it was taken for.
        confidence: how surely, 0 to 1; ``None`` where a key was pressed.
    """

    node: str
    key: str
    label: str
    said: str = ""
    understood: str = ""
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Speak; answer with :class:`Heard`."""

    pieces: tuple[Piece, ...]
    barge_in: bool


@dataclass(frozen=True, slots=True)
class Listen:
    """What may be said in place of a key.

    Attributes:
        wishes: of the menu.
        yes_or_no: an option was asked back.
        prompt: what is said meanwhile; some telephones bring it back.
    """

    wishes: Wishes
    yes_or_no: bool = False
    prompt: str = ""

    def echoes(self, said: str) -> bool:
        """Whether it is the prompt itself that was heard."""
        return repeats(said, self.prompt)

    def means(self, said: str, confidence: float | None) -> bool:
        """Whether it is an answer: if so the prompt need not be heard to its end."""
        if self.yes_or_no and answer(said) is not None:
            return True
        return self.wishes.understand(said, confidence) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Speak and wait for one key; answer with :class:`Pressed`, :class:`Silence` or :class:`Spoke`.

    Attributes:
        listen: what may be said instead; ``None`` where only keys count.
    """

    pieces: tuple[Piece, ...]
    barge_in: bool
    wait: timedelta
    listen: Listen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskDigits:
    """Speak and collect keys up to ``#``, ``*`` or ``max_digits``; answer with :class:`Typed`.

    Attributes:
        typed: keys that were pressed before the question.
    """

    pieces: tuple[Piece, ...]
    barge_in: bool
    wait: timedelta
    max_digits: int
    typed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """Ask the customer records; answer with :class:`LookedUp`."""

    ask: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCallback:
    """Speak, then write down a request; answer with :class:`CallbackNoted` or :class:`Broken`.

    Attributes:
        place: with the caller's place in the queue.
    """

    pieces: tuple[Piece, ...]
    phone: str
    reason: str
    place: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMessage:
    """Speak, then the tone, then record; answer with :class:`Recorded`, or :class:`Broken` without a place.

    Attributes:
        node: where in the flow it is left.
        limit: the longest message.
        silence: it ends when nothing was said for so long.
    """

    pieces: tuple[Piece, ...]
    node: str
    limit: timedelta
    silence: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ToQueue:
    """The end: speak and hand the call to a queue.

    Attributes:
        resume: the caller was in it, and goes before those who came after them.
        cause: ``flow`` where the flow says so, else why the fallback took over.
    """

    pieces: tuple[Piece, ...]
    queue: str
    resume: bool = False
    timeout: timedelta | None = None
    priority: int = 0
    cause: str = "flow"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToHangup:
    """The end: speak and hang up."""

    pieces: tuple[Piece, ...]
    cause: str = "flow"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToFlow:
    """The end: speak and go on in another flow; where that is not in force, ``queue`` takes over."""

    pieces: tuple[Piece, ...]
    flow: str
    queue: str | None
    cause: str = "flow"


Effect = (
    ReportMenu
    | Say
    | Ask
    | AskDigits
    | LookUp
    | RequestCallback
    | RecordMessage
    | ToQueue
    | ToHangup
    | ToFlow
)


@dataclass(frozen=True, slots=True)
class Start:
    """The call is answered."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The prompt was spoken, or stopped by a key."""

    key: str | None = None


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key."""

    key: str


@dataclass(frozen=True, slots=True)
class Silence:
    """No key within the wait."""


@dataclass(frozen=True, slots=True)
class Spoke:
    """The caller said something.

    Attributes:
        text: as it was recognised.
        confidence: how sure the recogniser is of it; ``None`` if it does not say.
    """

    text: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Typed:
    """Collected keys.

    Attributes:
        digits: without the key that ended them.
        ended_by: ``#`` or ``*``; ``None`` when the wait ran out or the maximum was reached.
    """

    digits: str
    ended_by: str | None = None


@dataclass(frozen=True, slots=True)
class LookedUp:
    """An answer of the customer records; ``failed`` when there was none in time."""

    outcome: str
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallbackNoted:
    """The request is written down (now or before)."""


class Reason(StrEnum):
    """Why the fallback took over."""

    SILENCE = "silence"
    WRONG_KEYS = "wrong_keys"
    NOT_UNDERSTOOD = "not_understood"
    TOO_LONG = "too_long"
    PROMPT = "prompt"
    RECORDS = "records"
    CALLBACK = "callback"
    MAILBOX = "mailbox"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The recording has ended; ``heard`` whether somebody spoke."""

    heard: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """The last effect could not be done."""

    reason: Reason


Input = Start | Heard | Pressed | Silence | Spoke | Typed | LookedUp | CallbackNoted | Recorded | Broken
