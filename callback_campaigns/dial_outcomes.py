"""From how a call ended to how the attempt did (domain.md §4.2; ITU-T Q.850 for the causes)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

from callback_campaigns.domain.early_media import OUTCOMES, Announcement, HeardBefore
from callback_campaigns.domain.terms import Outcome
from telephony.domain.call import CallResult, EndReason
from telephony.events import CallEnded
from telephony.views import CallView

UNSEEN = frozenset({EndReason.GAP.value, EndReason.PBX_RESTART.value})
"""Ends that nobody saw: what the telephone did until then is not known."""
_PLAIN = {
    CallResult.ANSWERED.value: Outcome.ANSWERED,
    CallResult.BUSY.value: Outcome.BUSY,
    CallResult.OFF.value: Outcome.OFF,
    CallResult.EMPTY.value: Outcome.EMPTY,
    CallResult.REJECTED.value: Outcome.REJECTED,
    CallResult.ABANDONED_QUEUE.value: Outcome.ABANDONED,
    CallResult.ABANDONED_SHORT.value: Outcome.ABANDONED,
    CallResult.NO_ANSWER.value: Outcome.NO_ANSWER,
    CallResult.IVR_ONLY.value: Outcome.NO_ANSWER,
}


_WHAT_PEOPLE_DO = frozenset({Announcement.BUSY, Announcement.NO_ANSWER})
"""What a network says as well of somebody who pressed the red key."""


class EarlyMedia(Protocol):
    """Whoever listens to what comes before the answer."""

    def heard(self, call_id: str) -> HeardBefore | None:
        """Return what was heard on a call that nobody answered; ``None`` for nothing so far. Never waits."""
        ...


class NobodyListens:
    """Without speech recognition the causes are all there is."""

    def heard(self, call_id: str) -> HeardBefore | None:
        """Return nothing."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOver:
    """A call that has ended, as far as its outcome depends on it."""

    call_id: str
    result: str
    end_reason: str
    cause: int | None
    answered_at: datetime | None
    agent_number: str | None
    connected_at: datetime | None = None

    @property
    def taken(self) -> bool:
        """Whether one of ours took the call."""
        return self.agent_number is not None

    @property
    def connect_seconds(self) -> float | None:
        """How long whoever answered had waited when the first of ours took the call."""
        if self.answered_at is None or self.connected_at is None:
            return None
        return max(0.0, (self.connected_at - self.answered_at).total_seconds())

    @classmethod
    def of(cls, fact: CallEnded) -> Self:
        """Read the fact of a call's end."""
        return cls(
            call_id=fact.call_id,
            result=fact.result,
            end_reason=fact.end_reason,
            cause=fact.cause,
            answered_at=fact.answered_at,
            agent_number=fact.agent_number,
            connected_at=fact.connected_at,
        )

    @classmethod
    def stored(cls, call: CallView) -> "CallOver | None":
        """Read a stored call; ``None`` while it goes on."""
        if call.ended_at is None:
            return None
        return cls(
            call_id=call.call_id,
            result=call.result or CallResult.FAILED.value,
            end_reason=call.end_reason or EndReason.HANGUP.value,
            cause=call.cause,
            answered_at=call.answered_at,
            agent_number=call.agent,
            # Who began a call did not take it.
            connected_at=min(
                (
                    leg.answered_at
                    for leg in call.legs
                    if leg.agent_number is not None
                    and leg.answered_at is not None
                    and leg.started_at > call.started_at
                ),
                default=None,
            ),
        )


def outcome_of(call: CallOver, heard: HeardBefore | None = None) -> Outcome:
    """Return how the attempt ended.

    A person answered unless a machine was recognised. An end that nobody saw says nothing about a telephone
    that was not answered before. The network's own voice knows more than its causes do; only that somebody
    declined the call is not what it says of it.

    Args:
        heard: what the network said before that.
    """
    if call.end_reason == EndReason.MACHINE.value:
        return Outcome.MACHINE
    found = _PLAIN.get(call.result)
    if found in {Outcome.ANSWERED, Outcome.ABANDONED}:
        return found
    if found is None and call.end_reason == EndReason.NO_AGENT.value:
        return Outcome.FAILED  # One of ours was rung first and was not there: the customer was not called.
    if call.end_reason in UNSEEN:
        return Outcome.ANSWERED if call.answered_at is not None else Outcome.UNKNOWN
    said = heard.announcement if heard is not None else None
    if said is not None and not (found is Outcome.REJECTED and said in _WHAT_PEOPLE_DO):
        return OUTCOMES[said]
    if found is not None:
        return found
    # The agent's own telephone failed, or no channel was made: nothing left our switch.
    ours = call.agent_number is not None or not call.cause
    return Outcome.FAILED if ours else Outcome.CONGESTION
