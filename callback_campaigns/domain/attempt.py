"""One attempt to reach a number: committed before it is sent, never sent again (architecture.md §3).

========= ==================================================================================================
state     means
========= ==================================================================================================
SENDING   the row is committed; the Originate goes to the socket after that, once
SENT      Asterisk took it
RINGING   the phone rings
ANSWERED  somebody, or something, is on the line
LOOKING   in doubt: the link, the switch or we ourselves failed; looked for by channel id
ENDED     over, with an outcome
========= ==================================================================================================

There is no way back to SENDING, and :func:`begin` alone gives the effect that places a call. An attempt that
a look finds nowhere, and that left no trace, ends as UNKNOWN: it counts, and only the ordinary retry rule may
dial again. A trace that turns up later corrects the outcome, and dials nobody.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from callback_campaigns.domain.early_media import HeardBefore
from callback_campaigns.domain.terms import Outcome
from crm.domain.machine import refuse
from kernel.errors import Invalid
from kernel.ids import is_ulid

CHANNEL_PREFIX = "att-"
AT_ONCE = 2.0
"""Seconds from the answer on within which one of ours must be there."""


class AttemptState(StrEnum):
    """Where an attempt is."""

    SENDING = "sending"
    SENT = "sent"
    RINGING = "ringing"
    ANSWERED = "answered"
    LOOKING = "looking"
    ENDED = "ended"

    @property
    def is_open(self) -> bool:
        """Whether the number is taken by it."""
        return self is not AttemptState.ENDED


_ORDER = (AttemptState.SENDING, AttemptState.SENT, AttemptState.RINGING, AttemptState.ANSWERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLimits:
    """How long things may take.

    Attributes:
        ring: how long Asterisk lets the phone ring.
        margin: how much later than that its answer may come.
        talk: the longest call.
        settle: an attempt that is not found counts as lost only when so much has passed since it was sent:
            what lay in a socket that broke may still have reached the switch.
    """

    ring: timedelta = timedelta(seconds=35)
    margin: timedelta = timedelta(seconds=10)
    talk: timedelta = timedelta(minutes=60)
    settle: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt.

    Attributes:
        since: when it came into its state.
        answered_at: stays when it is looked for.
        corrected: the outcome was UNKNOWN until a trace turned up.
        connect_seconds: from the answer to the first of ours who took the call; ``None`` when nobody did, or
            nobody was to.
        cause: why the network ended it (ITU-T Q.850), where nobody answered.
        heard: what the network's voice said, where nobody answered.
    """

    attempt_id: str
    number: str
    state: AttemptState
    began_at: datetime
    since: datetime
    answered_at: datetime | None = None
    outcome: Outcome | None = None
    ended_at: datetime | None = None
    corrected: bool = False
    connect_seconds: float | None = None
    cause: int | None = None
    heard: HeardBefore | None = None

    @property
    def abandoned(self) -> bool:
        """Whether a person answered and had none of ours at once; also who waited and had one in the end."""
        return self.outcome is Outcome.ABANDONED or (self.connect_seconds or 0.0) > AT_ONCE

    @property
    def channel_id(self) -> str:
        """The channel's id, by which it is looked for."""
        return CHANNEL_PREFIX + self.attempt_id


class AttemptEffect(StrEnum):
    """What is to be done after a step, once it is committed."""

    ORIGINATE = "originate"
    """Write the Originate to the socket, once. If that is interrupted: :func:`doubt`, never again this."""
    LOOK = "look"
    """Look for the channel by its id, in a snapshot that is newer than this step."""
    SETTLE = "settle"
    """Tell the task the outcome; the number is free."""
    CORRECT = "correct"
    """Write the better outcome down; the task was told already."""


@dataclass(frozen=True, slots=True)
class AttemptMoved:
    """An attempt after a step.

    Attributes:
        taken: one of ours is known to have taken the call; only of an attempt that has ended.
    """

    attempt: Attempt
    effects: tuple[AttemptEffect, ...] = ()
    taken: bool = True


def begin(attempt_id: str, number: str, *, now: datetime) -> AttemptMoved:
    """Begin an attempt: commit it, then do the effect. The only step that places a call.

    Raises:
        Invalid: the id is no ULID.
    """
    if not is_ulid(attempt_id):
        raise Invalid("an attempt's id is a ULID", field="attempt_id")
    attempt = Attempt(
        attempt_id=attempt_id, number=number, state=AttemptState.SENDING, began_at=now, since=now
    )
    return AttemptMoved(attempt, (AttemptEffect.ORIGINATE,))


def sent(attempt: Attempt, *, now: datetime) -> AttemptMoved:
    """Asterisk took the Originate. What is further already stays there."""
    return _forward(attempt, AttemptState.SENT, now)


def rang(attempt: Attempt, *, now: datetime) -> AttemptMoved:
    """The phone rings. Events may come late or twice; an attempt never goes back."""
    return _forward(attempt, AttemptState.RINGING, now)


def answered(attempt: Attempt, *, now: datetime) -> AttemptMoved:
    """Somebody, or something, answered."""
    return _forward(attempt, AttemptState.ANSWERED, now)


def connected(attempt: Attempt, *, at: datetime) -> AttemptMoved:
    """One of ours took the call at ``at``; the first counts, and it changes nothing else."""
    if attempt.connect_seconds is not None or attempt.answered_at is None:
        return AttemptMoved(attempt)
    waited = max(0.0, (at - attempt.answered_at).total_seconds())
    return AttemptMoved(replace(attempt, connect_seconds=waited))


def not_sent(attempt: Attempt, *, now: datetime) -> AttemptMoved:
    """It is certain that no call was made: Asterisk refused it, or there was no link to write to.

    Raises:
        IllegalStep: it was sent, or is in doubt; certainty is gone.
    """
    if attempt.state is not AttemptState.SENDING:
        raise refuse("not_sent", attempt.state, (AttemptState.SENDING,))
    return _end(attempt, Outcome.FAILED, now)


def ended(
    attempt: Attempt,
    outcome: Outcome,
    *,
    now: datetime,
    taken: bool = True,
    connect_seconds: float | None = None,
    cause: int | None = None,
    heard: HeardBefore | None = None,
) -> AttemptMoved:
    """The call is over, or a trace shows that it is. A trace also corrects UNKNOWN, later; twice is once.

    Args:
        connect_seconds: what the trace says of it; counts where nobody heard it as it happened.
        cause, heard: what the network said; of a call that was answered they are not kept.
    """
    if attempt.connect_seconds is None and connect_seconds is not None:
        attempt = replace(attempt, connect_seconds=connect_seconds)
    if attempt.state is AttemptState.ENDED:
        if attempt.outcome is not Outcome.UNKNOWN or outcome is Outcome.UNKNOWN:
            return AttemptMoved(attempt)
        better = replace(attempt, outcome=outcome, corrected=True)
        if outcome not in _AFTER_ANSWER:
            better = replace(better, cause=cause, heard=heard)
        return AttemptMoved(better, (AttemptEffect.CORRECT,), taken)
    if attempt.answered_at is not None and outcome not in _AFTER_ANSWER:
        outcome = Outcome.ANSWERED
    if outcome not in _AFTER_ANSWER:
        attempt = replace(attempt, cause=cause, heard=heard)
    return _end(attempt, outcome, now, taken)


def for_person(moved: AttemptMoved) -> AttemptMoved:
    """Whoever answered this call was to be put through: where nobody of ours took it, it was abandoned."""
    if moved.taken or not moved.effects or moved.attempt.outcome is not Outcome.ANSWERED:
        return moved
    return replace(moved, attempt=replace(moved.attempt, outcome=Outcome.ABANDONED))


_AFTER_ANSWER = frozenset({Outcome.ANSWERED, Outcome.MACHINE, Outcome.ABANDONED})


def doubt(attempt: Attempt, *, now: datetime) -> AttemptMoved:
    """The link was lost, Asterisk or we were started again, the write was interrupted: look for it."""
    if attempt.state in {AttemptState.ENDED, AttemptState.LOOKING}:
        return AttemptMoved(attempt)
    looking = replace(attempt, state=AttemptState.LOOKING, since=now)
    return AttemptMoved(looking, (AttemptEffect.LOOK,))


def overdue(attempt: Attempt, limits: AttemptLimits, *, now: datetime) -> AttemptMoved:
    """Look at an attempt that has not been heard of for longer than its state can last."""
    match attempt.state:
        case AttemptState.SENDING | AttemptState.SENT | AttemptState.RINGING:
            longest = limits.ring + limits.margin
        case AttemptState.ANSWERED:
            longest = limits.talk + limits.margin
        case AttemptState.LOOKING | AttemptState.ENDED:
            return AttemptMoved(attempt)
    # A clock that was set back must not keep the number taken for ever.
    if abs(now - attempt.since) > longest:
        return doubt(attempt, now=now)
    return AttemptMoved(attempt)


def found(attempt: Attempt, state: AttemptState, *, now: datetime) -> AttemptMoved:
    """A look found its channel; ``state`` is RINGING or ANSWERED, SENT for a channel that is still down."""
    if attempt.state is not AttemptState.LOOKING:
        return _forward(attempt, state, now)
    if attempt.answered_at is not None:
        state = AttemptState.ANSWERED
    return AttemptMoved(_at(attempt, state, now))


def not_found(attempt: Attempt, limits: AttemptLimits, *, now: datetime) -> AttemptMoved:
    """A whole, fresh snapshot has no such channel, and no record of a call that ended.

    An attempt that was answered before is over as that; another one counts as UNKNOWN when enough time has
    passed, and is looked for once more until then.
    """
    if attempt.state is not AttemptState.LOOKING:
        return AttemptMoved(attempt)
    if attempt.answered_at is not None:
        return _end(attempt, Outcome.ANSWERED, now, taken=False)
    if abs(now - attempt.began_at) < limits.settle:
        return AttemptMoved(attempt, (AttemptEffect.LOOK,))
    return _end(attempt, Outcome.UNKNOWN, now)


def _forward(attempt: Attempt, state: AttemptState, now: datetime) -> AttemptMoved:
    if attempt.state is AttemptState.ENDED:
        return AttemptMoved(attempt)
    # A sign of life ends the doubt.
    if attempt.state is AttemptState.LOOKING:
        return found(attempt, state, now=now)
    if _ORDER.index(state) <= _ORDER.index(attempt.state):
        return AttemptMoved(attempt)
    return AttemptMoved(_at(attempt, state, now))


def _at(attempt: Attempt, state: AttemptState, now: datetime) -> Attempt:
    moved = replace(attempt, state=state, since=now)
    if state is AttemptState.ANSWERED and attempt.answered_at is None:
        moved = replace(moved, answered_at=now)
    return moved


def _end(attempt: Attempt, outcome: Outcome, now: datetime, taken: bool = True) -> AttemptMoved:
    # That somebody answered may be known by the end of the call alone: the task hears of it all the same.
    answered = attempt.answered_at or (now if outcome is Outcome.ANSWERED else None)
    over = replace(
        attempt, state=AttemptState.ENDED, since=now, ended_at=now, outcome=outcome, answered_at=answered
    )
    return AttemptMoved(over, (AttemptEffect.SETTLE,), taken)
