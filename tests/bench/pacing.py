"""What the pacing makes of synthetic centres, beside a dialler that knows the future.

Centres of 5, 10, 20, 50, 100 and 200 agents dial in virtual time, from a cold start (nothing known of the
centre, an empty budget): five dialling days of eight hours up to 20 agents, three of four hours at 50, two
of two hours above. People talk 180 s on average (lognormal, spread of the logarithm 0.6), write for 30 s, 40
% of the dials are answered by a person, a quarter more or less through the day, after 11 s on average, 8 %
by a machine; what nobody answers rings for 30 s; one wrap-up in 33 ends in a pause. `predictive` and `power`
are the product's own code, `progressive` dials once for each free agent, `fixed` two lines for each.
`to_oracle_ratio` is a dialler's occupancy ÷ that of the oracle, which dials only those who will answer, in
time for the next free agent. Abandoned: a live answer without a person within two seconds.

`random_centres`: a thousand centres of 5–200 agents for half an hour each, with random times, answer ratios
of 10–75 % that jump twice (0.4–2 times), machines, pauses and trunks. `above_cap_centres` had more than 3 %
abandoned at the end, `above_cap_at_times_centres` at any moment from the first call on.
`decision_microseconds` is the mean CPU time of one decision at 200 agents.
"""

import time
from statistics import fmean
from typing import Any

from callback_campaigns.pacing import Mode, Policy, Snapshot
from callback_campaigns.pacing.simulation.centre import Centre
from callback_campaigns.pacing.simulation.comparison import compare, try_random_centres
from callback_campaigns.pacing.simulation.diallers import PacedDialler
from tests.bench.report import at_least, at_most, report
from tests.support.pacing import taught

LIMIT_SECONDS = 1_500
"""Three minutes of one CPU; others may be using the machine."""
DAYS = {5: (5, 8.0), 10: (5, 8.0), 20: (5, 8.0), 50: (3, 4.0), 100: (2, 2.0), 200: (2, 2.0)}
"""Agents → days, and hours of each."""
GOAL_FROM_AGENTS = 20
GOAL_RATIO = 0.9
CENTRES = 1_000
FIRST_SEED = 10_000
"""Not those that the constants were chosen with."""
DECISIONS = 2_000


def decision_microseconds() -> float:
    """Return the CPU time of a decision with 200 agents and 60 dials in progress."""
    dialler = PacedDialler(Mode.PREDICTIVE, Policy())
    dialler.pacer.history = taught(dials=3_000)
    for second in range(2_000):
        dialler.live_answer(float(second), abandoned=False)
    begun = time.process_time()
    for turn in range(DECISIONS):
        now = 3_000.0 + turn
        dialler.how_many(
            Snapshot(
                now=now,
                heard_at=now,
                free=5,
                talking_since=tuple(now - 2.0 * index for index in range(170)),
                wrapping_since=tuple(now - 1.0 * index for index in range(25)),
                dialling_since=tuple(now - 0.5 * index for index in range(60)),
            )
        )
    return (time.process_time() - begun) / DECISIONS * 1e6


def run() -> dict[str, Any]:
    """Measure."""
    policy = Policy()
    figures: dict[str, float] = {}
    goals: dict[str, dict[str, Any]] = {}
    for agents, (days, hours) in DAYS.items():
        seen = [
            compare(Centre(agents=agents, hours=hours, seed=day + 1), policy=policy) for day in range(days)
        ]
        for same in zip(*seen, strict=True):
            made = [one.outcome for one in same]
            name = f"{same[0].dialler.split()[0]}_{agents}"
            figures[f"{name}_occupancy_percent"] = 100.0 * fmean(one.occupancy for one in made)
            if same[0].dialler == "oracle":
                continue
            ratio = fmean(one.to_oracle for one in same)
            abandoned = 100.0 * sum(one.abandoned for one in made) / max(1, sum(one.live for one in made))
            figures[f"{name}_to_oracle_ratio"] = ratio
            figures[f"{name}_abandoned_percent"] = abandoned
            figures[f"{name}_calls_per_hour"] = fmean(one.calls_per_hour for one in made)
            if same[0].dialler == Mode.PREDICTIVE and agents >= GOAL_FROM_AGENTS:
                figures[f"{name}_worst_day_to_oracle_ratio"] = min(one.to_oracle for one in same)
                goals[f"{name}_to_oracle_ratio"] = at_least(ratio, GOAL_RATIO)
                goals[f"{name}_abandoned_percent"] = at_most(abandoned, 100.0 * policy.cap)
    trial = try_random_centres(CENTRES, policy=policy, first_seed=FIRST_SEED)
    figures["random_centres"] = trial.centres
    figures["random_live_answers"] = trial.live
    figures["random_abandoned_percent"] = 100.0 * trial.abandoned / max(1, trial.live)
    figures["random_highest_abandoned_percent"] = 100.0 * trial.worst_rate
    figures["above_cap_centres"] = trial.above_cap
    figures["above_cap_at_times_centres"] = trial.above_at_times
    figures["above_cap_at_times_by_calls"] = trial.worst_excess
    figures["decision_microseconds"] = decision_microseconds()
    goals["above_cap_centres"] = at_most(trial.above_cap, 1)
    return report("pacing", figures, goals)
