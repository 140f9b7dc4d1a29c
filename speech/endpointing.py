"""Where an utterance begins and ends, from how likely each moment is speech. Pure: it counts frames."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRules:
    """When speech has begun and ended, in frames and probabilities.

    Attributes:
        begin: at least so likely a frame begins speech.
        stay: below it, a frame is a pause.
        before: frames kept before the first one of speech: consonants begin quietly.
        after: frames kept after the last one of speech.
        pause: so many frames of pause end an utterance.
        short_pause: so many end one that is longer than ``long``.
        long: frames.
        most: an utterance is cut at so many frames, at its quietest moment of late.
        least: frames of speech; less is a click.
    """

    begin: float = 0.5
    stay: float = 0.35
    before: int = 8
    after: int = 5
    pause: int = 16
    short_pause: int = 6
    long: int = 310
    most: int = 780
    least: int = 5


@dataclass(frozen=True, slots=True)
class Utterance:
    """Frames from ``first`` up to, not with, ``last``, counted since the beginning."""

    first: int
    last: int


class Endpointer:
    """Finds utterances while the frames come.

    Memory is bounded by ``rules.most``.
    """

    def __init__(self, rules: EndpointRules) -> None:
        self._rules = rules
        self._frame = 0
        self._ended = 0  # no utterance begins before: frames are said once
        self._first: int | None = None
        self._last_spoken = 0
        self._spoken = 0
        self._recent: list[float] = []

    @property
    def first(self) -> int | None:
        """First frame of the utterance under way."""
        return self._first

    @property
    def needed_from(self) -> int:
        """Frames before it will not be in any utterance to come."""
        if self._first is not None:
            return self._first
        return max(self._ended, self._frame - self._rules.before)

    def feed(self, probability: float) -> Utterance | None:
        """Take the next frame; return the utterance that it ended."""
        rules, here = self._rules, self._frame
        self._frame += 1
        if self._first is None:
            if probability < rules.begin:
                return None
            self._first = max(self._ended, here - rules.before)
            self._spoken, self._recent = 0, []
        self._recent.append(probability)
        if probability >= rules.stay:
            self._last_spoken = here
            self._spoken += 1
        quiet = here - self._last_spoken
        length = self._frame - self._first
        if quiet >= (rules.short_pause if length > rules.long else rules.pause):
            return self._end(min(self._last_spoken + 1 + rules.after, self._frame))
        if length >= rules.most:
            return self._cut()
        return None

    def finish(self) -> Utterance | None:
        """Return the utterance that the end of the sound cut off."""
        if self._first is None:
            return None
        return self._end(min(self._last_spoken + 1 + self._rules.after, self._frame))

    def _end(self, last: int) -> Utterance | None:
        assert self._first is not None
        found = Utterance(self._first, last) if self._spoken >= self._rules.least else None
        self._first, self._ended, self._recent = None, last, []
        return found

    def _cut(self) -> Utterance | None:
        """End in the middle of speech, where it was least like speech in the last quarter."""
        assert self._first is not None
        late = len(self._recent) * 3 // 4
        quietest = min(range(late, len(self._recent)), key=lambda index: self._recent[index])
        # What is recent began at the first frame of speech, a little after the utterance's.
        last = self._frame - len(self._recent) + quietest + 1
        rest = self._recent[quietest + 1 :]
        found = Utterance(self._first, last)
        self._ended = last
        self._first = last
        self._recent = rest
        self._spoken = sum(1 for one in rest if one >= self._rules.stay)
        if not self._spoken:
            self._first = None
            self._recent = []
        return found
