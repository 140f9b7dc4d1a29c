"""What the centre's own calls have taught: times, answers, and what is likely from here."""

from dataclasses import dataclass, field
from operator import mul

from callback_campaigns.pacing.histogram import BINS, EDGES, Durations, Ratio

POINTS = 5
"""A new dial is answered at one of so many moments, each as likely as the others."""
WRAP_STEPS = 6
MIDDLES = tuple((EDGES[index] + EDGES[index + 1]) / 2 for index in range(BINS))


Row = tuple[float, ...]


@dataclass(slots=True)
class Outlook:
    """Chances at the moments at which a new dial may be answered, by how long something has lasted.

    A row for each bin of `histogram.EDGES`, a column for each moment.
    """

    moments: Row
    """Seconds from now."""
    talking: tuple[Row, ...]
    """P(free by then | talking for so long)."""
    wrapping: tuple[Row, ...]
    """P(free by then | in wrap-up for so long)."""
    answering: tuple[Row, ...]
    """P(answered by then | ringing for so long, a person will answer)."""
    ringing_on: tuple[tuple[float, float], ...]
    """P(rings for so long | a person will answer), and P(… | nobody will)."""
    ratio: float = -1.0
    _dialling: dict[int, Row] = field(default_factory=dict)

    def at(self, ratio: float) -> None:
        """Take over the share of dials that a person answers now; it changes faster than the times."""
        if ratio != self.ratio:
            self.ratio = ratio
            self._dialling.clear()

    @property
    def new(self) -> Row:
        """Return P(a person has answered by then | dialled now)."""
        return tuple(self.ratio * (point + 0.5) / POINTS for point in range(POINTS))

    def dialling(self, index: int) -> Row:
        """Return P(a person has answered by then | ringing for so long)."""
        row = self._dialling.get(index)
        if row is None:
            person, other = self.ringing_on[index]
            person *= self.ratio
            other *= 1.0 - self.ratio
            share = person / (person + other) if person + other > 0 else 0.0
            row = self._dialling[index] = tuple(share * chance for chance in self.answering[index])
        return row


class History:
    """Learns from what happens; the dialler feeds it, the pacing asks it."""

    def __init__(self) -> None:
        self.to_answer = Durations()
        """From the dial to a live answer that is known to be one."""
        self.to_failure = Durations()
        """From the dial to any other end: no answer, busy, a machine."""
        self.talks = Durations()
        self.wraps = Durations()
        self.answers = Ratio(prior=0.5, prior_weight=20.0, memory=250)
        """Live answers ÷ dials; the prior is high, which dials less."""
        self.returns = Ratio(prior=0.9, prior_weight=20.0, memory=500)
        """Wrap-ups that end with a free agent, not with a pause."""
        self._outlook: Outlook | None = None
        self._made_for = 0.0
        self._made_at = 0

    def dial_answered(self, seconds: float) -> None:
        """A person answered so long after the dial."""
        self.to_answer.observe(seconds)
        self.answers.observe(True)

    def dial_failed(self, seconds: float) -> None:
        """A dial ended without a person."""
        self.to_failure.observe(seconds)
        self.answers.observe(False)

    def talk_ended(self, seconds: float) -> None:
        """A conversation ended."""
        self.talks.observe(seconds)

    def wrap_up_ended(self, seconds: float, *, free: bool = True) -> None:
        """A wrap-up ended; the agent is free, or paused or left."""
        self.wraps.observe(seconds)
        self.returns.observe(free)

    def outlook(self, grace: float) -> Outlook:
        """Return the chances, with ``grace`` seconds in which a person may wait.

        The times are read anew once there is a twentieth more of them.
        """
        known = self.to_answer.count + self.talks.count
        due = self._made_at + min(200, 1 + self._made_at // 20)
        if self._outlook is None or grace != self._made_for or known >= due:
            self._outlook = self._make(grace)
            self._made_for, self._made_at = grace, known
        self._outlook.at(self.answers.upper())
        return self._outlook

    def _make(self, grace: float) -> Outlook:
        moments = tuple(self.to_answer.quantile((point + 0.5) / POINTS) for point in range(POINTS))
        free_by = [moment + grace for moment in moments]
        back = self.returns.value
        return Outlook(
            moments=moments,
            talking=self._free_after_talk(free_by, back),
            wrapping=tuple(
                tuple(back * chance for chance in self.wraps.each_within(free_by, after=middle))
                for middle in MIDDLES
            ),
            answering=tuple(tuple(self.to_answer.each_within(moments, after=middle)) for middle in MIDDLES),
            ringing_on=tuple(
                (self.to_answer.surviving(middle), self.to_failure.surviving(middle)) for middle in MIDDLES
            ),
        )

    def _free_after_talk(self, free_by: list[float], back: float) -> tuple[Row, ...]:
        """Return P(conversation and wrap-up end by then | it has lasted so long)."""
        waits: list[float] = []
        shares: list[list[float]] = []
        for seconds in free_by:
            ends = [seconds * (step + 1) / WRAP_STEPS for step in range(WRAP_STEPS)]
            wrapped = [0.0, *self.wraps.each_within(ends, after=0.0)]
            shares.append([wrapped[step + 1] - wrapped[step] for step in range(WRAP_STEPS)])
            waits += [seconds * (step + 0.5) / WRAP_STEPS for step in reversed(range(WRAP_STEPS))]
        rows = []
        for middle in MIDDLES:
            ended = self.talks.each_within(waits, after=middle)
            rows.append(
                tuple(
                    back * sum(map(mul, share, ended[column * WRAP_STEPS : (column + 1) * WRAP_STEPS]))
                    for column, share in enumerate(shares)
                )
            )
        return tuple(rows)
