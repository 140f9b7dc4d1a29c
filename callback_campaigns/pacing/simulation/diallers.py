"""The diallers that are compared: the product's pacing, and simple rules beside it."""

from typing import Protocol

from callback_campaigns.pacing.pacer import Pacer
from callback_campaigns.pacing.terms import Mode, Policy, Reason, Snapshot


class Dialler(Protocol):
    """Decides how many to dial, and hears what became of it."""

    def how_many(self, snapshot: Snapshot) -> int:
        """Return how many to dial now."""
        ...

    def dial_answered(self, seconds: float) -> None:
        """A person answered."""
        ...

    def dial_failed(self, seconds: float) -> None:
        """A dial ended without a person."""
        ...

    def live_answer(self, now: float, *, abandoned: bool) -> None:
        """A person was connected, or abandoned."""
        ...

    def talk_ended(self, seconds: float) -> None:
        """A conversation ended."""
        ...

    def wrap_up_ended(self, seconds: float, *, free: bool) -> None:
        """A wrap-up ended."""
        ...


class PacedDialler:
    """The product's pacing, fed as the service feeds it."""

    def __init__(self, mode: Mode, policy: Policy) -> None:
        self.pacer = Pacer(mode, policy)
        self.reasons: dict[Reason, int] = {}
        self.dial_answered = self.pacer.history.dial_answered
        self.dial_failed = self.pacer.history.dial_failed
        self.talk_ended = self.pacer.history.talk_ended
        self.live_answer = self.pacer.budget.record

    def how_many(self, snapshot: Snapshot) -> int:
        """Return what the pacing decides; count its reasons."""
        decision = self.pacer.decide(snapshot)
        self.reasons[decision.reason] = self.reasons.get(decision.reason, 0) + 1
        return decision.dial

    def wrap_up_ended(self, seconds: float, *, free: bool) -> None:
        """A wrap-up ended."""
        self.pacer.history.wrap_up_ended(seconds, free=free)


class FixedRatioDialler:
    """So many lines for each free agent, whatever becomes of it."""

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio

    def how_many(self, snapshot: Snapshot) -> int:
        """Return what is missing to the ratio."""
        return round(self._ratio * (snapshot.free - snapshot.waiting)) - len(snapshot.dialling_since)

    def dial_answered(self, seconds: float) -> None:
        """It learns nothing."""

    def dial_failed(self, seconds: float) -> None:
        """It learns nothing."""

    def live_answer(self, now: float, *, abandoned: bool) -> None:
        """It learns nothing."""

    def talk_ended(self, seconds: float) -> None:
        """It learns nothing."""

    def wrap_up_ended(self, seconds: float, *, free: bool) -> None:
        """It learns nothing."""
