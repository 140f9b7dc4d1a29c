"""How the lines of a call were, in words for its page."""

from dataclasses import dataclass

from telephony.call_quality import Spread
from telephony.views import CallView


@dataclass(frozen=True, slots=True)
class LineShown:
    """One agent's line, each measure as a text such as ``24 (18–60) ms``."""

    agent: str
    seconds: int
    poor_seconds: int
    rtt: str
    loss_in: str
    loss_out: str
    jitter: str


def lines_of(call: CallView) -> tuple[LineShown, ...]:
    """Return the lines in the order in which they were told."""
    return tuple(
        LineShown(
            agent=line.agent,
            seconds=line.seconds,
            poor_seconds=line.poor_seconds,
            rtt=_text(line.measures.rtt_ms, "ms"),
            loss_in=_text(line.measures.loss_in, "%"),
            loss_out=_text(line.measures.loss_out, "%"),
            jitter=_text(line.measures.jitter_in_ms or line.measures.jitter_out_ms, "ms"),
        )
        for line in call.quality
    )


def _text(found: Spread | None, unit: str) -> str:
    if found is None:
        return "–"
    digits = 1 if unit == "%" else 0
    low, mean, high = (f"{value:.{digits}f}" for value in (found.low, found.mean, found.high))
    return f"{mean} {unit}" if low == high else f"{mean} ({low}–{high}) {unit}"
