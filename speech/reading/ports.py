"""The port for a language model that understands what was said. Off by default; the rules are what runs.

A model may only add to what the rules find, never take away from it, and never without a deadline: the call
goes on whether it answers or not. What it says is a proposal like every other (``speech.rules.suggest``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from kernel.errors import DeadlineExceeded, Invalid, Unavailable
from speech.rules.findings import Finding, Speaker

MAX_UTTERANCES = 60
MAX_CHARACTERS = 8_000
MAX_FINDINGS = 40
DEADLINE = timedelta(seconds=3)


class UnderstanderSlow(DeadlineExceeded):
    """It did not answer in time; what it would have said is not waited for."""

    code = "understander_slow"


class UnderstanderDown(Unavailable):
    """It cannot be reached or gave no answer that can be read."""

    code = "understander_down"


class TooMuchSaid(Invalid):
    """More than :data:`MAX_UTTERANCES` or :data:`MAX_CHARACTERS`: give the last ones."""

    code = "too_much_said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What one person said in one go, fit to read, with identity and bank cards hidden already."""

    segment: str
    speaker: Speaker
    text: str


class Understander(Protocol):
    """Something that finds topics, wishes and promises in what was said."""

    async def findings(
        self, said: Sequence[Utterance], at: datetime, *, deadline: timedelta = DEADLINE
    ) -> tuple[tuple[str, Finding], ...]:
        """Return what was found, each with the segment it was found in; at most :data:`MAX_FINDINGS`.

        Every finding points into the text of its segment and names a value that the rules know: anything else
        is dropped by whoever asked. Cancelling stops the work and loses nothing.

        Args:
            said: in order; texts hold no identity or bank card.
            at: when the last of it was said; relative days count from it.
            deadline: for the whole answer.

        Raises:
            UnderstanderSlow: no answer within ``deadline``.
            UnderstanderDown: it is not there.
            TooMuchSaid: more than it takes.
        """
        ...


def bounded(said: Sequence[Utterance]) -> tuple[Utterance, ...]:
    """Return the last utterances that an :class:`Understander` takes."""
    kept: list[Utterance] = []
    left = MAX_CHARACTERS
    for one in reversed(said[-MAX_UTTERANCES:]):
        left -= len(one.text)
        if left < 0:
            break
        kept.append(one)
    return tuple(reversed(kept))
