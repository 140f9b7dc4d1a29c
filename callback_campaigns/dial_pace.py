"""How many calls a campaign may begin now: its lines, its rate, and the agents who are to take them."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil, floor

from callback_campaigns.domain.attempt import AT_ONCE
from callback_campaigns.domain.campaign import Campaign, CampaignMode
from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.exchange import People
from callback_campaigns.pacing.history import History
from callback_campaigns.pacing.one_each import OneEach
from callback_campaigns.pacing.pacer import Pacer
from callback_campaigns.pacing.terms import Mode, Policy, Reason, Snapshot

SECOND = 1.0
BURST = 0.4
"""Calls that begin in one moment are no more than so many seconds' worth."""
AHEAD = frozenset({Reason.POWER, Reason.PREDICTIVE})
MODES: Mapping[CampaignMode, Mode] = {
    CampaignMode.PROGRESSIVE: Mode.PROGRESSIVE,
    CampaignMode.POWER: Mode.POWER,
    CampaignMode.PREDICTIVE: Mode.PREDICTIVE,
}
_REFUSALS = {
    Reason.STATE_STALE: RefusalCode.STALE_STATE,
    Reason.NO_AGENTS: RefusalCode.NO_AGENTS,
    Reason.NO_LINES: RefusalCode.CONCURRENCY,
}


class Starts:
    """Calls that began in the last second, on one clock that never jumps."""

    def __init__(self) -> None:
        self._at: deque[float] = deque()

    def add(self, now: float) -> None:
        """One began."""
        self._at.append(now)

    def count(self, now: float) -> int:
        """Return how many began in the second before ``now``."""
        while self._at and now - self._at[0] >= SECOND:
            self._at.popleft()
        return len(self._at)


@dataclass(slots=True)
class Dial:
    """A dial for agents, while nobody knows yet who answers.

    Attributes:
        one_each: it was dialled for an agent who was free, not ahead of those who would be.
        picked_up: when the telephone was answered; who did is known when the machines are sorted out.
    """

    since: float
    one_each: bool = False
    picked_up: float | None = None
    answered: float | None = None
    person: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What may be begun now, and why not more.

    Attributes:
        ahead: more than one for each free agent, so that the campaign's least number of agents must be there.
        against: what holds it back, when nothing may be begun.
    """

    dials: int
    reason: str
    ahead: bool = False
    against: RefusalCode | None = None


@dataclass(slots=True)
class CampaignPace:
    """The pace of one campaign.

    Attributes:
        dials: its dials for agents that nobody of ours has taken yet.
    """

    mode: CampaignMode
    cap: float
    agents_least: int
    history: History = field(default_factory=History)
    starts: Starts = field(default_factory=Starts)
    dials: dict[str, Dial] = field(default_factory=dict)
    _pacer: Pacer | None = None
    _trust: OneEach = field(default_factory=lambda: OneEach(Policy().cap))
    _one_each: bool = False

    @classmethod
    def of(cls, campaign: Campaign, before: "CampaignPace | None" = None) -> "CampaignPace":
        """Return the pace of a campaign; what was learnt goes on when its limits are changed."""
        if before is not None and before.fits(campaign):
            return before
        made = cls(campaign.mode, campaign.abandon_cap, campaign.agents_least)
        if before is not None:
            made.history, made.starts, made.dials = before.history, before.starts, before.dials
        mode = MODES.get(campaign.mode)
        if mode is not None:
            # A cap of 0 abandons nobody on purpose: that is progressive.
            policy = Policy(
                cap=campaign.abandon_cap or 0.001, min_agents=max(Policy().min_agents, campaign.agents_least)
            )
            made._pacer = Pacer(
                mode if campaign.abandon_cap else Mode.PROGRESSIVE, policy=policy, history=made.history
            )
            made._trust = OneEach(policy.cap)
            if before is not None and before._pacer is not None and before.cap == made.cap:
                made._pacer.budget, made._trust = before._pacer.budget, before._trust
        return made

    def fits(self, campaign: Campaign) -> bool:
        """Whether nothing was changed that the pace depends on."""
        mine = (self.mode, self.cap, self.agents_least)
        return mine == (campaign.mode, campaign.abandon_cap, campaign.agents_least)

    # -- what happened -------------------------------------------------------------------------------

    def began(self, attempt_id: str, now: float) -> None:
        """A dial was begun."""
        self.starts.add(now)
        if self._pacer is not None:
            self.dials[attempt_id] = Dial(now, self._one_each)

    def picked_up(self, attempt_id: str, now: float) -> None:
        """The telephone was answered, by a person or a machine: from now on somebody may be waiting."""
        dial = self.dials.get(attempt_id)
        if dial is not None and dial.picked_up is None:
            dial.picked_up = now

    def person(self, attempt_id: str, now: float) -> None:
        """A person answered and waits for one of ours."""
        dial = self.dials.get(attempt_id)
        if dial is not None and not dial.person:
            dial.person, dial.answered = True, now if dial.picked_up is None else dial.picked_up
            self.history.dial_answered(dial.answered - dial.since)

    def connected(self, attempt_id: str, now: float, waited: float = 0.0) -> None:
        """One of ours took the call. Who waited longer than :data:`AT_ONCE` counts as abandoned all the same.

        Args:
            waited: seconds since the telephone was answered; listening for a machine is part of them.
        """
        self._over(attempt_id, now, abandoned=waited > AT_ONCE)

    def abandoned(self, attempt_id: str, now: float) -> None:
        """Nobody of ours was there in time."""
        self._over(attempt_id, now, abandoned=True)

    def _over(self, attempt_id: str, now: float, *, abandoned: bool) -> None:
        """Count a live answer, once."""
        self.person(attempt_id, now)
        dial = self.dials.pop(attempt_id, None)
        if dial is not None and self._pacer is not None:
            self._pacer.budget.record(now, abandoned=abandoned)
            if dial.one_each:
                self._trust.record(now, abandoned=abandoned)

    def failed(self, attempt_id: str, now: float) -> None:
        """The dial is over, and was no business of the agents."""
        dial = self.dials.pop(attempt_id, None)
        if dial is not None and not dial.person:
            self.history.dial_failed(now - dial.since)

    def resume(self, attempt_id: str, since: float, picked_up: float | None) -> None:
        """A dial of before our start goes on, and nobody of ours has taken it yet."""
        if self._pacer is not None:
            self.dials[attempt_id] = Dial(since, picked_up=picked_up)

    def remember(self, now: float, *, abandoned: bool) -> None:
        """Count a live answer of before our start; ``now`` is its moment, perhaps below 0."""
        if self._pacer is not None:
            self._pacer.budget.record(now, abandoned=abandoned)

    def share(self, now: float) -> float:
        """Return the share of live answers that were abandoned."""
        return self._pacer.budget.rate(now) if self._pacer is not None else 0.0

    # -- what may happen -----------------------------------------------------------------------------

    def room(
        self,
        campaign: Campaign,
        people: People,
        *,
        lines_left: int,
        heard_ago: float,
        wall: datetime,
        now: float,
        trunk_starts_left: int = 1_000,
    ) -> Room:
        """Return how many calls may be begun now.

        Args:
            trunk_starts_left: how many its trunk may still be given in this second, by everybody.
            heard_ago: seconds since the exchange was heard.
            wall, now: the moment, on the wall clock and on the one that never jumps.
        """
        starts_left = min(campaign.per_second - self.starts.count(now), trunk_starts_left)
        burst = max(1, ceil(campaign.per_second * BURST))
        if lines_left <= 0:
            return Room(dials=0, reason=RefusalCode.CONCURRENCY.value, against=RefusalCode.CONCURRENCY)
        if starts_left <= 0:
            # Not worth a row: a second later there is room.
            return Room(dials=0, reason=RefusalCode.CALLS_PER_SECOND.value)
        most = min(lines_left, starts_left, burst)
        if self._pacer is None:
            return Room(dials=most, reason=campaign.mode.value)
        return self._paced(campaign, people, most, heard_ago, wall, now)

    def _paced(
        self, campaign: Campaign, people: People, most: int, heard_ago: float, wall: datetime, now: float
    ) -> Room:
        assert self._pacer is not None
        at_once = self._trust.at_once(now)
        if at_once == 0:
            return Room(dials=0, reason=RefusalCode.ABANDONMENT.value, against=RefusalCode.ABANDONMENT)
        waiting = max(people.waiting, sum(dial.person for dial in self.dials.values()))
        decision = self._pacer.decide(
            Snapshot(
                now=now,
                heard_at=now - heard_ago,
                free=people.free,
                ringing=people.ringing,
                talking_since=_since(people.talking_since, wall, now),
                wrapping_since=_since(people.wrapping_since, wall, now),
                dialling_since=tuple(dial.since for dial in self.dials.values() if not dial.person),
                waiting=waiting,
                lines_free=most,
                starts_left=most,
            )
        )
        dials, dialling = decision.dial, sum(not dial.person for dial in self.dials.values())
        if campaign.mode is CampaignMode.POWER:
            dials = min(dials, max(0, floor(campaign.ratio * people.free) - dialling - waiting))
        one_each = max(0, people.free - waiting - dialling)
        ahead = dials > one_each
        if ahead and people.signed_in < campaign.agents_least:
            dials, ahead = min(dials, one_each), False
        reason = decision.reason
        if at_once is not None:
            dials, ahead = min(dials, one_each, max(0, at_once - len(self.dials))), False
            reason = reason if reason in _REFUSALS else Reason.TRIAL
        self._one_each = reason not in AHEAD
        return Room(
            dials=dials,
            reason=reason.value,
            ahead=ahead,
            against=_REFUSALS.get(decision.reason) if not dials else None,
        )


def _since(moments: tuple[datetime, ...], wall: datetime, now: float) -> tuple[float, ...]:
    """Put moments of the wall clock onto the other one; nothing began in the future."""
    return tuple(now - max(0.0, (wall - at).total_seconds()) for at in moments)
