"""What somebody said after the tone, as text, and what it comes to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from kernel.errors import Conflict, Invalid

SURE = 0.7
"""From here on a machine's opinion is acted upon; below, a person listens."""
MAX_SAID = 2000
NOTICED_WITHIN = timedelta(seconds=5)
"""So soon whoever listens has taken a new recording on."""
LISTENED_WITHIN = timedelta(minutes=30)
"""Later nobody waits for a recogniser that has died: people must hear their customers."""


class Opinion(StrEnum):
    """What the customer thinks, by the rules; never a person's word."""

    SATISFIED = "satisfied"
    DISSATISFIED = "dissatisfied"
    CALL = "call"
    """They want to be called."""
    UNCLEAR = "unclear"


class TextProgress(StrEnum):
    """How far the text of a recording is."""

    NONE = ""
    """Nobody listens: there was no recogniser when it was recorded."""
    WAITING = "waiting"
    LATER = "later"
    """No recogniser is there at the moment; it is listened to when there is one."""
    DONE = "done"
    NOTHING = "nothing"
    """Nothing in it could be understood."""
    FAILED = "failed"


class StillListening(Conflict):
    """A recording that is just being looked through for card numbers."""

    code = "still_listening"
    retryable = True


def is_listened_to(state: TextProgress, at: datetime, now: datetime) -> bool:
    """Tell whether a recording is just being looked through, or is about to be.

    Args:
        at: when it was recorded.
    """
    if state is TextProgress.WAITING:
        return now - at < LISTENED_WITHIN
    return state is TextProgress.NONE and now - at < NOTICED_WITHIN


def check_playable(state: TextProgress, at: datetime, now: datetime) -> None:
    """Let nobody play what may hold the number of a card. Raises StillListening."""
    if is_listened_to(state, at, now):
        raise StillListening(
            "it is being looked through for card numbers; play it again in a moment", field="state"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What a recogniser made of a recording.

    Attributes:
        raw: as it was written down; ``text``: made fit to read.
        sure: 0 to 1, of the opinion.
        topics: what speaks for it, for people.
        class_code: class of the complaint in it.
    """

    state: TextProgress
    raw: str = ""
    text: str = ""
    model: str = ""
    opinion: Opinion | None = None
    sure: float = 0.0
    topics: tuple[str, ...] = ()
    class_code: int | None = None
    severity: int = 1
    wants_call: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """The text of a recording as it is shown.

    Attributes:
        text: as it holds; ``first`` as the recogniser wrote it, where somebody has put it right.
    """

    state: TextProgress = TextProgress.NONE
    text: str = ""
    first: str = ""
    corrected_by: str = ""
    corrected_at: datetime | None = None
    opinion: Opinion | None = None
    sure: float = 0.0
    topics: tuple[str, ...] = ()

    @property
    def certain(self) -> bool:
        """Whether the opinion is acted upon."""
        return self.opinion not in {None, Opinion.UNCLEAR} and self.sure >= SURE


def corrected(text: str) -> str:
    """Return a text as somebody puts it right. Raises Invalid."""
    said = " ".join(text.split())
    if not said or len(said) > MAX_SAID or not said.isprintable():
        raise Invalid(f"1 to {MAX_SAID} characters", field="text")
    return said
