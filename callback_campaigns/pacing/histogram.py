"""How long things last at this centre, asked as: it has lasted this long, does it end within that?

A histogram of durations whose bins grow with the duration (6 %, at least a second), the newest
observations weighing most. It answers through the hazard of each bin, ended ÷ still lasting, so that what
has already lasted long is judged by those that lasted as long (domain.md §5.3 gives a mean only; the mean
says nothing about a call's remaining time).
"""

from bisect import bisect_right
from collections.abc import Sequence
from math import exp, log

LONGEST = 3_600
GROWTH = 0.06
PRIOR_WEIGHT = 3.0
"""So many durations at the average hazard are added to each bin: where nothing was seen, nothing is sure."""


def _edges() -> tuple[int, ...]:
    edges = [0]
    while edges[-1] <= LONGEST:
        edges.append(edges[-1] + max(1, round(edges[-1] * GROWTH)))
    return tuple(edges)


EDGES = _edges()
"""Whole seconds, so that the bin of a duration is that of its second."""
BINS = len(EDGES) - 1
BIN_OF_SECOND = tuple(bisect_right(EDGES, second) - 1 for second in range(EDGES[-1]))


def bin_of(seconds: float) -> int:
    """Return the bin that a duration falls into."""
    if seconds < 0:
        return 0
    return BIN_OF_SECOND[int(seconds)] if seconds < EDGES[-1] else BINS - 1


class Durations:
    """Observed durations of one kind."""

    def __init__(self, *, memory: int = 1_500) -> None:
        self.count = 0
        self._counts = [0.0] * BINS
        self._weight = 1.0
        self._growth = 1.0 / (1.0 - 1.0 / memory)
        self._sum = 0.0
        self._total = 0.0
        self._hazard: tuple[float, ...] = ()

    def observe(self, seconds: float) -> None:
        """Add one that has ended."""
        self._counts[bin_of(seconds)] += self._weight
        self._sum += self._weight * max(0.0, seconds)
        self._total += self._weight
        self._weight *= self._growth
        self.count += 1
        self._hazard = ()
        if self._weight > 1e12:
            self._counts = [value / self._weight for value in self._counts]
            self._sum /= self._weight
            self._total /= self._weight
            self._weight = 1.0

    @property
    def mean(self) -> float:
        """Return the mean, in seconds; 0 when nothing was seen."""
        return self._sum / self._total if self._total else 0.0

    def within(self, seconds: float, *, after: float = 0.0) -> float:
        """Return P(it ends within ``seconds`` | it has lasted ``after`` seconds)."""
        if seconds <= 0:
            return 0.0
        return self.each_within((seconds,), after=after)[0]

    def each_within(self, waits: Sequence[float], *, after: float) -> list[float]:
        """Return `within` for each of ``waits``, none negative."""
        if not self.count:
            return [0.0] * len(waits)
        begin = self._cumulated(after)
        return [1.0 - exp(begin - self._cumulated(after + wait)) for wait in waits]

    def surviving(self, seconds: float) -> float:
        """Return P(it lasts longer than ``seconds``)."""
        return exp(-self._cumulated(seconds)) if self.count else 1.0

    def quantile(self, share: float) -> float:
        """Return the duration that ``share`` of them do not exceed."""
        if not self.count:
            return 0.0
        wanted = -log(1.0 - share)
        hazard = self._cumulative()
        index = min(BINS - 1, max(0, bisect_right(hazard, wanted) - 1))
        step = hazard[index + 1] - hazard[index]
        part = min(1.0, (wanted - hazard[index]) / step) if step > 0 else 1.0
        return EDGES[index] + part * (EDGES[index + 1] - EDGES[index])

    def _cumulated(self, seconds: float) -> float:
        """Return the hazard up to then; the last bin's goes on for ever."""
        hazard = self._cumulative()
        index = BIN_OF_SECOND[int(seconds)] if seconds < EDGES[-1] else BINS - 1
        low, before = EDGES[index], hazard[index]
        return before + (hazard[index + 1] - before) * (seconds - low) / (EDGES[index + 1] - low)

    def _cumulative(self) -> tuple[float, ...]:
        """Return the cumulated hazard at each edge."""
        if not self._hazard:
            rate = 1.0 / max(1.0, self.mean)
            weight = self._weight
            lasting = self._total
            cumulated = [0.0]
            for index in range(BINS):
                chance = 1.0 - exp(-rate * (EDGES[index + 1] - EDGES[index]))
                ended = self._counts[index]
                hazard = (ended / weight + PRIOR_WEIGHT * chance) / (lasting / weight + PRIOR_WEIGHT)
                cumulated.append(cumulated[-1] - log(max(1e-9, 1.0 - hazard)))
                lasting = max(0.0, lasting - ended)
            self._hazard = tuple(cumulated)
        return self._hazard


class Ratio:
    """A share that changes: the newest observations weigh most, a prior stands for the first ones."""

    def __init__(self, *, prior: float, prior_weight: float, memory: int) -> None:
        self.count = 0
        self._keep = 1.0 - 1.0 / memory
        self._yes = prior * prior_weight
        self._all = prior_weight

    def observe(self, yes: bool) -> None:
        """Add one."""
        self._yes = self._yes * self._keep + yes
        self._all = self._all * self._keep + 1.0
        self.count += 1

    @property
    def value(self) -> float:
        """Return the share."""
        return self._yes / self._all

    def upper(self, deviations: float = 1.0) -> float:
        """Return the share with so many standard errors added; at most 1."""
        share = self.value
        return float(min(1.0, share + deviations * (share * (1.0 - share) / self._all) ** 0.5))
