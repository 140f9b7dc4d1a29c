"""Every dialler at the same centre, on the same list of people, beside the oracle."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from callback_campaigns.pacing.simulation.centre import Centre, Contacts, random_centre
from callback_campaigns.pacing.simulation.diallers import Dialler, FixedRatioDialler, PacedDialler
from callback_campaigns.pacing.simulation.run import Outcome, Run, oracle
from callback_campaigns.pacing.terms import Mode, Policy

Progress = Callable[[str, float, float], None]
"""Hears the name of a part, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One dialler at one centre."""

    dialler: str
    outcome: Outcome
    to_oracle: float
    """Occupancy ÷ the oracle's."""
    reasons: dict[str, int]
    """Decisions by reason, of diallers that give one."""


def compare(
    centre: Centre,
    *,
    policy: Policy,
    ratio: float = 2.0,
    modes: tuple[Mode, ...] = (Mode.PREDICTIVE, Mode.POWER, Mode.PROGRESSIVE),
    progress: Progress | None = None,
) -> tuple[Compared, ...]:
    """Run the centre's day once with each dialler. ``ratio``: lines per free agent of the fixed one, or 0."""
    contacts = Contacts(centre)
    best = oracle(centre, contacts)
    diallers: list[tuple[str, Dialler]] = [(mode.value, PacedDialler(mode, policy)) for mode in modes]
    if ratio:
        diallers.append((f"fixed {ratio:g}:1", FixedRatioDialler(ratio)))
    results = []
    for index, (name, dialler) in enumerate(diallers):
        begun = index * centre.seconds

        def tell(at: float, name: str = name, begun: float = begun) -> None:
            if progress is not None:
                progress(f"{centre.agents} agents, {name}", begun + at, len(diallers) * centre.seconds)

        outcome = Run(centre, contacts, dialler, policy.cap).outcome(tell)
        reasons = dialler.reasons if isinstance(dialler, PacedDialler) else {}
        results.append(_compared(name, outcome, best, {str(why): count for why, count in reasons.items()}))
    results.append(_compared("oracle", best, best, {}))
    return tuple(results)


def _compared(name: str, outcome: Outcome, best: Outcome, reasons: dict[str, int]) -> Compared:
    to_oracle = outcome.occupancy / best.occupancy if best.occupancy else 0.0
    return Compared(dialler=name, outcome=outcome, to_oracle=to_oracle, reasons=reasons)


@dataclass(slots=True, kw_only=True)
class Trial:
    """What became of the cap in many random centres."""

    centres: int = 0
    above_cap: int = 0
    """Centres whose abandonment was above the cap at the end."""
    above_at_times: int = 0
    """Centres whose abandonment was above the cap at any moment, from the first call on."""
    worst_rate: float = 0.0
    worst_excess: float = 0.0
    """The most calls that any centre was above its cap at any moment."""
    live: int = 0
    abandoned: int = 0

    def add(self, outcome: Outcome, cap: float) -> None:
        """Count one centre."""
        self.centres += 1
        self.above_cap += outcome.abandonment > cap
        self.above_at_times += outcome.excess > 1e-9
        self.worst_rate = max(self.worst_rate, outcome.abandonment)
        self.worst_excess = max(self.worst_excess, outcome.excess)
        self.live += outcome.live
        self.abandoned += outcome.abandoned


def try_random_centres(
    count: int,
    *,
    policy: Policy,
    first_seed: int = 0,
    hours: float = 0.5,
    beat: float = 1.0,
    mode: Mode = Mode.PREDICTIVE,
    progress: Progress | None = None,
) -> Trial:
    """Run many random centres, each for a short time."""
    trial = Trial()
    for seed in range(first_seed, first_seed + count):
        centre = replace(random_centre(seed, hours=hours), beat=beat)
        trial.add(Run(centre, Contacts(centre), PacedDialler(mode, policy), policy.cap).outcome(), policy.cap)
        if progress is not None:
            progress("random centres", trial.centres, count)
    return trial
