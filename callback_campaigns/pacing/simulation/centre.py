"""Synthetic centres: how long people talk, how many answer, and how that changes through the day."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from math import log, pi, sin
from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """One centre for one stretch of a day. Times in seconds."""

    agents: int
    seed: int = 1
    hours: float = 4.0
    talk_mean: float = 180.0
    talk_spread: float = 0.6
    """Of the logarithm, as are the other spreads."""
    wrap_mean: float = 30.0
    wrap_spread: float = 0.5
    ring_mean: float = 11.0
    ring_spread: float = 0.45
    ring_limit: float = 30.0
    """A dial that nobody has answered is given up then."""
    answer_ratio: float = 0.40
    """Dials that a person answers, on average."""
    machine_ratio: float = 0.08
    refused_ratio: float = 0.15
    """Busy, switched off, rejected, empty number: over within seconds."""
    swing: float = 0.25
    """Part of the answer ratio that comes and goes with the hours of the day."""
    turns: tuple[tuple[float, float], ...] = ()
    """From second x on the answer ratio is so many times the usual: another list, a football match."""
    screening: float = 1.0
    """Until an answer is known to be a person's."""
    pause_ratio: float = 0.03
    """Wrap-ups that end in a pause."""
    pause_mean: float = 300.0
    lines_per_agent: float = 3.0
    """Lines of the trunk for dials and conversations."""
    beat: float = 1.0
    """Seconds between two decisions."""

    @property
    def seconds(self) -> float:
        """How long it dials."""
        return self.hours * 3600.0

    @property
    def lines(self) -> int:
        """Lines of the trunk."""
        return max(2, round(self.agents * self.lines_per_agent) + self.agents)

    def answering(self, at: float) -> float:
        """Return the share of dials at that second that a person will answer."""
        share = self.answer_ratio * (1.0 + self.swing * sin(2.0 * pi * at / 10_800.0))
        index = bisect_right([turn[0] for turn in self.turns], at) - 1
        if index >= 0:
            share *= self.turns[index][1]
        return min(0.95, max(0.03, share))


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to dial, with all that will be found out: drawn beforehand, the same for every dialler."""

    luck: float
    """Below the answer ratio of the moment: a person; the next parts are machines and refusals."""
    ring: float
    refused: float
    talk: float
    wrap: float
    pause: float
    """Length of the agent's pause afterwards; 0 for none."""


class Contacts:
    """The list to dial, drawn as far as somebody has read."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._random = Random(centre.seed)  # noqa: S311
        self._drawn: list[Contact] = []

    def __iter__(self) -> Iterator[Contact]:
        index = 0
        while True:
            if index == len(self._drawn):
                self._drawn.append(self._draw())
            yield self._drawn[index]
            index += 1

    def _draw(self) -> Contact:
        centre, random = self._centre, self._random
        return Contact(
            luck=random.random(),
            ring=min(centre.ring_limit, 1.0 + self._time(centre.ring_mean - 1.0, centre.ring_spread)),
            refused=random.uniform(1.5, 7.0),
            talk=self._time(centre.talk_mean, centre.talk_spread),
            wrap=self._time(centre.wrap_mean, centre.wrap_spread),
            pause=random.expovariate(1.0 / centre.pause_mean)
            if random.random() < centre.pause_ratio
            else 0.0,
        )

    def _time(self, mean: float, spread: float) -> float:
        return self._random.lognormvariate(log(max(1.0, mean)) - spread * spread / 2.0, spread)


def random_centre(seed: int, *, hours: float = 0.75, agents: int | None = None) -> Centre:
    """Return a centre of 5–200 agents of which nothing is usual."""
    random = Random(seed * 7919 + 17)  # noqa: S311
    seconds = hours * 3600.0
    turns = sorted((random.uniform(0.2, 0.9) * seconds, random.uniform(0.4, 2.0)) for _ in range(2))
    return Centre(
        agents=agents or round(5 * 40 ** random.random()),
        seed=seed,
        hours=hours,
        talk_mean=random.uniform(45.0, 300.0),
        talk_spread=random.uniform(0.3, 1.0),
        wrap_mean=random.uniform(5.0, 60.0),
        wrap_spread=random.uniform(0.2, 0.9),
        ring_mean=random.uniform(6.0, 16.0),
        ring_spread=random.uniform(0.25, 0.7),
        answer_ratio=random.uniform(0.10, 0.75),
        machine_ratio=random.uniform(0.0, 0.2),
        refused_ratio=random.uniform(0.0, 0.3),
        swing=random.uniform(0.0, 0.4),
        turns=tuple(turns),
        screening=random.uniform(0.0, 1.5),
        pause_ratio=random.uniform(0.0, 0.08),
        lines_per_agent=random.uniform(1.5, 4.0),
    )
