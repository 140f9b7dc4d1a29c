"""How many to dial now: progressive, power and predictive (features.md C3).

Each further dial is imagined: at the moments at which it may be answered, how many agents will be free and
how many of the dials before it will have been answered? Both are sums of independent chances, known from
the centre's own histograms given how long each conversation, wrap-up and dial has lasted; their difference is
taken as normal. The dial is made if the chance that it finds nobody is below what the budget of abandoned
calls allows now, and if an unlucky moment (`UNLUCKY` deviations) would not overdraw the budget. With an empty
budget nothing is foreseen: one dial for each free agent, which abandons nobody.

Pure and deterministic; O(agents + dials in progress) for a decision.
"""

from math import erfc, floor, sqrt
from operator import add, mul

from callback_campaigns.pacing.budget import AbandonmentBudget
from callback_campaigns.pacing.histogram import bin_of
from callback_campaigns.pacing.history import POINTS, History, Outlook
from callback_campaigns.pacing.terms import Decision, Mode, Policy, Reason, Snapshot

BOLDEST = 0.06
"""Chance of finding nobody that a single dial may have while the budget is full."""
FULL_CREDIT = 5.0
"""Abandoned calls left over, after an unlucky moment, from which on the budget counts as full."""
RESERVE = 1.0
"""Abandoned calls that are never spent on purpose."""
UNLUCKY = 3.0
"""Standard deviations of an unlucky moment,"""
SURGE_ODDS = 12.0
"""in which also the odds of an answer are so many times what they were: another list, the end of a match.
An answer ratio of 10 % becomes 57 %, one of 40 % becomes 89 %."""


class Pacer:
    """Paces one campaign (or several that share their agents)."""

    def __init__(self, mode: Mode, policy: Policy | None = None, history: History | None = None) -> None:
        self.mode = mode
        self.policy = policy or Policy()
        self.history = history or History()
        self.budget = AbandonmentBudget(
            cap=self.policy.cap, window_seconds=self.policy.window_seconds, savings=self.policy.savings
        )

    def decide(self, snapshot: Snapshot) -> Decision:
        """Return how many to dial now."""
        return decide(
            snapshot,
            mode=self.mode,
            policy=self.policy,
            history=self.history,
            credit=self.budget.credit(snapshot.now),
        )


def decide(snapshot: Snapshot, *, mode: Mode, policy: Policy, history: History, credit: float) -> Decision:
    """Return how many to dial now. ``credit``: calls that may yet be abandoned."""
    age = snapshot.now - snapshot.heard_at
    dialling = len(snapshot.dialling_since)
    lines = min(snapshot.lines_free, snapshot.starts_left)
    lines = min(lines, floor(policy.lines_per_agent * snapshot.agents) - dialling)
    if not 0 <= age <= policy.stale_seconds:
        return Decision(dial=0, reason=Reason.STATE_STALE, credit=credit)
    if snapshot.agents <= 0:
        return Decision(dial=0, reason=Reason.NO_AGENTS, credit=credit)
    if lines <= 0:
        return Decision(dial=0, reason=Reason.NO_LINES, credit=credit)
    one_each = max(0, min(lines, snapshot.free - snapshot.waiting - dialling))
    held_back = _held_back(snapshot, mode, policy, history, credit, age)
    if held_back is not None:
        return Decision(dial=one_each, reason=held_back, credit=credit)
    foreseen, risk = _foresee(snapshot, mode, policy, history, credit, lines, one_each)
    return Decision(dial=foreseen, reason=Reason(mode.value), credit=credit, risk=risk)


def _held_back(
    snapshot: Snapshot, mode: Mode, policy: Policy, history: History, credit: float, age: float
) -> Reason | None:
    """Return why only progressive dialling is in order, if so."""
    if mode is Mode.PROGRESSIVE:
        return Reason.PROGRESSIVE
    if age > policy.ageing_seconds:
        return Reason.STATE_AGEING
    if snapshot.agents < policy.min_agents:
        return Reason.FEW_AGENTS
    if history.to_answer.count < policy.min_answers:
        return Reason.LITTLE_DATA
    if mode is Mode.PREDICTIVE and history.talks.count < max(policy.min_talks, snapshot.agents):
        return Reason.LITTLE_DATA
    if credit <= RESERVE:
        return Reason.BUDGET_USED
    return None


def _foresee(
    snapshot: Snapshot,
    mode: Mode,
    policy: Policy,
    history: History,
    credit: float,
    lines: int,
    one_each: int,
) -> tuple[int, float]:
    """Return how many dials the budget allows, and the risk of the last."""
    outlook = history.outlook(policy.grace_seconds)
    answers, agents, variance = _expected(snapshot, outlook, foresight=mode is Mode.PREDICTIVE)
    new = outlook.new
    surge = (SURGE_ODDS - 1.0) * (1.0 - outlook.ratio) / (1.0 + (SURGE_ODDS - 1.0) * outlook.ratio)
    further = [chance * (1.0 - chance) for chance in new]
    dials, risk = 0, 0.0
    while dials < lines:
        chance, worst = 0.0, 0.0
        for answered, free, spread in zip(answers, agents, variance, strict=True):
            deviation = sqrt(spread)
            lack = answered - free
            chance += _at_least(lack, deviation)
            worst = max(worst, lack + surge * answered + UNLUCKY * deviation)
        chance /= POINTS
        left = credit - RESERVE - worst
        if dials >= one_each and chance > BOLDEST * min(1.0, left / FULL_CREDIT):
            break
        dials += 1
        risk = chance
        answers = list(map(add, answers, new))
        variance = list(map(add, variance, further))
    return dials, risk


def _expected(
    snapshot: Snapshot, outlook: Outlook, *, foresight: bool
) -> tuple[list[float], list[float], list[float]]:
    """Return people who have answered, agents who were free for them, and the variance of their difference.

    One of each for every moment of the outlook.
    """
    now = snapshot.now
    answers = [float(snapshot.waiting)] * POINTS
    agents = [float(snapshot.free)] * POINTS
    variance = [0.0] * POINTS
    ringing = [outlook.dialling(bin_of(now - began)) for began in snapshot.dialling_since]
    busy = []
    if foresight:
        busy = [outlook.talking[bin_of(now - began)] for began in snapshot.talking_since]
        busy += [outlook.wrapping[bin_of(now - began)] for began in snapshot.wrapping_since]
    for total, rows in ((answers, ringing), (agents, busy)):
        for index, column in enumerate(zip(*rows, strict=True)):
            expected = sum(column)
            total[index] += expected
            variance[index] += expected - sum(map(mul, column, column))
    return answers, agents, variance


def _at_least(lack: float, deviation: float) -> float:
    """Return P(as many have answered as agents are free): a further answer would find nobody."""
    if deviation < 1e-9:
        return 1.0 if lack >= 0 else 0.0
    return 0.5 * erfc(-(lack + 0.5) / (deviation * 1.4142135623730951))
