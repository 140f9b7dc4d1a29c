"""The picture of a call: its legs as bars over time. Pure geometry; the template draws it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from telephony.views import CallView
from web.pages.times import duration
from web.pop import readable

WIDTH = 1000.0
LABEL_WIDTH = 190.0
ROW_HEIGHT = 30
HEAD_HEIGHT = 26
MAX_LEGS = 40
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
_TICKS = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """One leg: ``ring_width`` before its answer, ``talk_width`` after it."""

    kind: str
    label: str
    y: int
    x: float
    ring_width: float
    talk_x: float
    talk_width: float
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Gantt:
    """All there is to draw, in user units."""

    width: float
    height: int
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    marks: tuple[Tick, ...]


def gantt(call: CallView, *, now: datetime, marks: Sequence[tuple[datetime, str]] = ()) -> Gantt:
    """Return the picture of ``call``; what has no end yet lasts until ``now``."""
    end = call.ended_at or now
    span = max((end - call.started_at).total_seconds(), 1.0)
    room = WIDTH - LABEL_WIDTH - 12

    def place(at: datetime) -> float:
        share = (at - call.started_at).total_seconds() / span
        return round(LABEL_WIDTH + room * min(1.0, max(0.0, share)), 1)

    bars: list[Bar] = []
    for index, leg in enumerate(call.legs[:MAX_LEGS]):
        left, right = place(leg.started_at), place(leg.ended_at or end)
        middle = min(max(place(leg.answered_at), left), right) if leg.answered_at else right
        bars.append(
            Bar(
                kind=leg.kind if leg.kind in {"caller", "agent", "outside"} else "other",
                label=leg.agent_number or readable(leg.number) or leg.channel,
                y=HEAD_HEIGHT + index * ROW_HEIGHT,
                x=left,
                ring_width=round(max(middle - left, 0.0 if leg.answered_at else 2.0), 1),
                talk_x=middle,
                talk_width=round(max(right - middle, 2.0), 1) if leg.answered_at else 0.0,
                text=duration(((leg.ended_at or end) - leg.started_at).total_seconds()),
            )
        )
    step = next((step for step in _STEPS if span / step <= _TICKS), _STEPS[-1])
    count = min(int(span // step) + 1, 50)
    ticks = tuple(
        Tick(round(LABEL_WIDTH + room * index * step / span, 1), duration(index * step))
        for index in range(count)
    )
    return Gantt(
        width=WIDTH,
        height=HEAD_HEIGHT + len(bars) * ROW_HEIGHT + 4,
        bars=tuple(bars),
        ticks=ticks,
        marks=tuple(Tick(place(at), label) for at, label in marks),
    )
