"""A flow: the graph of nodes a caller walks through, as data.

Made from YAML by :mod:`ivr.domain.parse`, proven sound by :mod:`ivr.domain.validate`, walked by
:mod:`ivr.domain.engine`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from ivr.domain.effects import Clip
from ivr.domain.text import Literal, Template
from ivr.domain.wishes import Wish, Wishes
from kernel.business_time import OpeningHours

KEYS = "0123456789*#"


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one node to the next.

    Attributes:
        to: target node.
        why: what makes the call go there, for messages.
        identity: the caller confirmed who they are by going this way.
    """

    to: str
    why: str
    identity: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What all nodes have.

    Attributes:
        id: name, unique in the flow.
        line: where it stands in the file.
        say: prompts spoken there, in order.
    """

    id: str
    line: int = 0
    say: tuple[str, ...] = ()

    def edges(self) -> Iterator[Edge]:
        """All ways out that stay inside the flow."""
        return iter(())

    def prompts(self) -> tuple[str, ...]:
        """Every prompt it may speak."""
        return self.say


@dataclass(frozen=True, slots=True, kw_only=True)
class Play(Node):
    """Speaks and goes on."""

    next: str
    barge_in: bool = False

    def edges(self) -> Iterator[Edge]:
        yield Edge(self.next, "next")


@dataclass(frozen=True, slots=True)
class Choice:
    """What one key of a menu does.

    Attributes:
        to: target node; ``None`` repeats the menu.
        label: its words in the call's menu path.
        identity: pressing it is the caller's word that they are the customer (domain.md §3.0).
        wish: what it may be asked for by; ``None`` where only the key counts.
        confirm: the prompt that asks whether this is what the caller wants.
    """

    to: str | None
    label: str
    identity: bool = False
    wish: Wish | None = None
    confirm: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening(Node):
    """A node that waits for the caller.

    Attributes:
        barge_in: a key stops the prompt.
        wait: silence after the prompt before it counts as one.
        retries: how often it asks again after silence or a wrong key.
        wrong, silence: prompts said before asking again.
        failed: where it goes when the retries are used up; ``None`` is the flow's fallback.
    """

    barge_in: bool = True
    wait: timedelta = timedelta(seconds=5)
    retries: int = 2
    wrong: tuple[str, ...] = ("stock_wrong",)
    silence: tuple[str, ...] = ("stock_silence",)
    failed: str | None = None

    def prompts(self) -> tuple[str, ...]:
        return self.say + self.wrong + self.silence


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu(Listening):
    """One key decides. ``*`` repeats unless the menu gives it another meaning.

    Attributes:
        invite: prompts said first where the caller is listened to.
        wishes: what may be said instead of pressing; ``None`` where there is nothing.
    """

    keys: Mapping[str, Choice]
    invite: tuple[str, ...] = ()
    wishes: Wishes | None = None

    def prompts(self) -> tuple[str, ...]:
        asked = tuple(choice.confirm for choice in self.keys.values() if choice.confirm)
        return Listening.prompts(self) + self.invite + asked

    def edges(self) -> Iterator[Edge]:
        for key, choice in self.keys.items():
            if choice.to is not None:
                yield Edge(choice.to, f"key {key}", choice.identity)
        if self.failed is not None:
            yield Edge(self.failed, "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Voicemail(Listening):
    """Records what the caller says after the tone; ``#``, a silence of ``wait`` or ``limit`` ends it.

    Attributes:
        next: where it goes once something was said.
        limit: the longest message.
        retries: how often it asks again when nobody spoke.
        silence: prompts said before asking again.
        failed: where it goes then, or when nothing can be recorded.
    """

    next: str
    wait: timedelta = timedelta(seconds=4)
    limit: timedelta = timedelta(seconds=120)
    retries: int = 1
    wrong: tuple[str, ...] = ()
    silence: tuple[str, ...] = ()

    def edges(self) -> Iterator[Edge]:
        yield Edge(self.next, "next")
        if self.failed is not None:
            yield Edge(self.failed, "failed")


class DigitFormat(StrEnum):
    """What collected digits must be."""

    DIGITS = "digits"
    PHONE = "phone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect(Listening):
    """Several keys go into a variable; ``#`` ends early, ``*`` starts again."""

    into: str
    next: str
    min_digits: int = 1
    max_digits: int = 20
    format: DigitFormat = DigitFormat.DIGITS

    def edges(self) -> Iterator[Edge]:
        yield Edge(self.next, "next")
        if self.failed is not None:
            yield Edge(self.failed, "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours(Node):
    """Open, closed, or a statutory holiday."""

    schedule: str
    open: str
    closed: str
    holiday: str

    def edges(self) -> Iterator[Edge]:
        yield Edge(self.open, "open")
        yield Edge(self.closed, "closed")
        yield Edge(self.holiday, "holiday")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetVariables(Node):
    """Gives variables a value; ``{other}`` in a value is replaced."""

    values: Mapping[str, str]
    next: str

    def edges(self) -> Iterator[Edge]:
        yield Edge(self.next, "next")


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Node):
    """Goes by a variable's value."""

    on: str
    cases: Mapping[str, str]
    otherwise: str

    def edges(self) -> Iterator[Edge]:
        for value, to in self.cases.items():
            yield Edge(to, f"case {value}")
        yield Edge(self.otherwise, "otherwise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup(Node):
    """Asks the customer records, 200 ms at most.

    Attributes:
        ask: what is looked up, a key of :data:`LOOKUPS`.
        outcomes: outcome → node, complete except ``failed``, which defaults to the fallback.
    """

    ask: str
    outcomes: Mapping[str, str]

    def edges(self) -> Iterator[Edge]:
        for outcome, to in self.outcomes.items():
            yield Edge(to, outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackRequest(Node):
    """Writes down that we shall call the number in ``phone`` back.

    Attributes:
        place: the caller keeps the place in the queue that they came from; where that cannot be, it is
            written down like any other wish.
    """

    place: bool = False
    phone: str
    reason: str
    next: str
    failed: str | None = None

    def edges(self) -> Iterator[Edge]:
        yield Edge(self.next, "next")
        if self.failed is not None:
            yield Edge(self.failed, "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue(Node):
    """The end: a person, by way of a queue.

    Attributes:
        timeout: longest wait there; ``None`` leaves it to the dialplan.
        priority: Asterisk's queue priority, higher is sooner.
        label: its words in the menu path, where the way there had none.
    """

    queue: str
    timeout: timedelta | None = None
    priority: int = 0
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hangup(Node):
    """The end: a farewell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume(Node):
    """The end: back into the queue that the caller came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherFlow(Node):
    """The end of this flow: the call goes on at the start of another, in that one's language."""

    flow: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupKind:
    """A question to the customer records.

    Attributes:
        outcomes: the answers it may have, besides ``failed``.
        gives: variables it fills.
        personal: of these, which may be spoken only to a caller who confirmed their identity.
    """

    outcomes: tuple[str, ...]
    gives: frozenset[str]
    personal: frozenset[str] = frozenset()


_CASE = frozenset({"case_no", "case_kind", "case_status", "case_department", "case_count"})
LOOKUPS: Mapping[str, LookupKind] = {
    # A number of several customers gives no greeting: nobody is called by another one's name.
    "caller": LookupKind(outcomes=("found", "several", "none"), gives=frozenset({"greeting"})),
    "case": LookupKind(outcomes=("found", "none"), gives=_CASE, personal=_CASE),
}

# Filled by the runner before the first node.
CALL_VARIABLES = frozenset({"caller_number", "called_number", "queue", "queue_status", "rating"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """What happens when anything fails.

    Attributes:
        queue: the queue of the people who take over; ``None`` says the prompts and hangs up.
        say: prompts said before.
    """

    queue: str | None
    say: tuple[str, ...] = ("stock_transfer",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A text with a name.

    Attributes:
        text: as written.
        template: cut into pieces, constants put in.
        voice: who speaks it, where that is not the flow's own voice.
        recording: name of the sound that somebody recorded for it; "" for the synthesiser's voice.
        clips: what to play, where nothing depends on the call; ``None`` where something does.
    """

    name: str
    text: str
    template: Template
    line: int = 0
    voice: "Voice | None" = None
    recording: str = ""
    clips: tuple[Clip, ...] | None = field(init=False)

    def __post_init__(self) -> None:
        pieces = self.template.pieces
        fixed = all(isinstance(piece, Literal) for piece in pieces)
        clips = tuple(Clip(self.name, index) for index in range(len(pieces)))
        object.__setattr__(self, "clips", clips if fixed else None)

    @property
    def recordable(self) -> bool:
        """Whether a recording can stand for it: nothing in it depends on the call."""
        return self.clips is not None and len(self.clips) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How the flow's texts are spoken.

    Attributes:
        name: voice of the synthesiser.
        speed: words per minute in espeak-ng's measure.
    """

    name: str = "cmn"
    speed: int = 165


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A whole flow. Build it only through :func:`ivr.domain.validate.load_flow`.

    Attributes:
        language: of its callers, a key of :data:`ivr.domain.languages.LANGUAGES`.
        longest: then a person takes over; shorter than the dialplan's own limit for a menu.
    """

    name: str
    title: str
    start: str
    fallback: Fallback
    nodes: Mapping[str, Node]
    prompts: Mapping[str, Prompt]
    schedules: Mapping[str, OpeningHours] = field(default_factory=dict)
    voice: Voice = Voice()
    language: str = "zh"
    longest: timedelta = timedelta(minutes=8)

    @property
    def keeps_places(self) -> bool:
        """Whether callers may keep their place in the queue that they come from."""
        return any(isinstance(node, CallbackRequest) and node.place for node in self.nodes.values())
