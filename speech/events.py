"""What is heard in calls while they go on: live events for pages, never kept.

Text is a caller's own words: hostile, bounded, never markup. Times are seconds since the call began.
"""

from dataclasses import dataclass

from kernel.events import Event, event

CUSTOMER, AGENT = "customer", "agent"
"""The speakers."""

MAX_TEXT = 2000
"""Most characters of one text; what is longer is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenWord:
    """A word with its time; ``confidence`` from 0 to 1, ``None`` if the engine does not say."""

    text: str
    start: float
    end: float
    confidence: float | None = None


@event
class SpeechHeard(Event):
    """Something was said.

    A partial replaces the partial before it of the same speaker and is replaced by the next final.

    Attributes:
        speaker: ``customer`` or ``agent``.
        kind: ``partial`` or ``final``.
        segment_id: of a final: its row; empty for partials.
        text: made fit to read.
        delay_seconds: from the end of what was said to this event.
    """

    call_id: str
    speaker: str
    agent_number: str | None = None
    kind: str
    segment_id: str = ""
    text: str
    start: float
    end: float
    delay_seconds: float
    words: tuple[SpokenWord, ...] = ()
    engine: str = ""
    model: str = ""


@event
class SpeechMissed(Event):
    """Here something that was said is missing from the text; it is filled from the recording after the call.

    Attributes:
        reason: a :class:`speech.buffer.GapReason`.
        lost_seconds: sound that came and was dropped.
    """

    call_id: str
    speaker: str
    segment_id: str
    start: float
    end: float
    reason: str
    lost_seconds: float = 0.0


@event
class SpeechState(Event):
    """Whether somebody is being listened to.

    Attributes:
        state: ``listening``, ``waiting`` (no recogniser is free, or it comes back in a moment), ``paused`` or
            ``ended``.
        delay_seconds: how far the text is behind the voice.
        reason: of ``waiting``: the code of the error.
    """

    call_id: str
    speaker: str
    state: str
    delay_seconds: float = 0.0
    reason: str = ""


@event
class TranscriptCorrected(Event):
    """Somebody wrote down what was really said in an ended call."""

    call_id: str


@event
class TranscriptMade(Event):
    """The text of an ended call is as complete as it becomes by itself.

    Attributes:
        state: a :class:`speech.after.JobState`.
    """

    call_id: str
    state: str
