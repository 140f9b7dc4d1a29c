"""What telephony tells the rest: events on the bus, and facts in the outbox.

Facts (:class:`CallEnded`, :class:`DispositionSaved`) are written in the transaction of the record they speak
of; the others are live only, and a receiver that missed some reads a snapshot.

Numbers are E.164 where they could be read as a telephone number, agent numbers (``1001``) for extensions,
``anonymous`` or the cleaned text of the network otherwise. Names are the callers' own text: hostile, bounded,
never markup.
"""

from datetime import datetime

from kernel.events import Event, event


@event
class CallOpened(Event):
    """A call exists: its first channel was seen."""

    call_id: str
    node: str
    direction: str
    from_number: str
    to_number: str
    from_name: str = ""
    started_at: datetime
    adopted: bool = False


@event
class CallProgressed(Event):
    """A row of a call's time line was written.

    Attributes:
        kind: a :class:`telephony.domain.timeline.TimelineKind`.
        state: the call's state after it.
        detail: the row's further facts as pairs.
    """

    call_id: str
    node: str
    seq: int
    kind: str
    state: str
    channel: str | None = None
    agent_number: str | None = None
    agent_id: str | None = None
    queue: str | None = None
    detail: tuple[tuple[str, str], ...] = ()


@event
class CallAnswered(Event):
    """A person took the call; once more for every further person after a transfer."""

    call_id: str
    node: str
    queue: str | None
    agent_number: str | None
    agent_id: str | None
    answered_at: datetime
    wait_seconds: float | None


@event
class AgentRinging(Event):
    """An agent's phone rings; carries what the screen-pop needs of the call."""

    call_id: str
    node: str
    direction: str
    agent_id: str | None
    agent_number: str
    queue: str | None
    from_number: str
    to_number: str
    caller_name: str
    menu_path: tuple[str, ...]
    queued_at: datetime | None
    wait_seconds: float | None
    started_at: datetime


@event
class AgentRingEnded(Event):
    """An agent's phone stopped ringing.

    Attributes:
        reason: ``answered``, ``no_answer``, ``rejected``, ``abandoned`` (the caller or another agent ended
            it) or ``busy``.
    """

    call_id: str
    node: str
    agent_id: str | None
    agent_number: str
    reason: str
    queue: str | None = None


@event
class CallMerged(Event):
    """A consultation became part of another call; ``call_id`` is gone, ``into_call_id`` goes on."""

    call_id: str
    into_call_id: str
    node: str


@event
class CallEnded(Event):
    """A call is over. Live event and fact; ``event_id`` is the same wherever it is told again.

    Attributes:
        result: a :class:`telephony.domain.call.CallResult`.
        hangup_by: ``caller``, ``agent``, ``system`` or ``unknown``.
        end_reason: ``hangup``, or why the end was not seen or not natural (``gap``, ``pbx_restart``, …).
        connected_at: when the first of ours took a call that they had not begun themselves.
        talk_seconds: conversation without hold.
        cause: the network's Q.850 cause, where it gave one.
    """

    call_id: str
    node: str
    direction: str
    result: str
    queue: str | None
    agent_id: str | None
    agent_number: str | None
    from_number: str
    to_number: str
    from_name: str = ""
    menu_path: tuple[str, ...]
    started_at: datetime
    queued_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime
    wait_seconds: float | None
    talk_seconds: float
    hold_seconds: float = 0.0
    hangup_by: str
    end_reason: str = "hangup"
    cause: int | None = None
    connected_at: datetime | None = None


@event
class HandChanged(Event):
    """What an agent has in hand of a call changed: held, asking somebody, three of them.

    Attributes:
        state, steps: see :mod:`telephony.domain.hand`.
        target, target_label: who is asked.
        notice: why somebody who was asked is not there.
    """

    call_id: str
    node: str
    agent_number: str
    agent_id: str | None
    state: str
    steps: tuple[str, ...] = ()
    target: str | None = None
    target_label: str = ""
    notice: str | None = None


@event
class ListeningPaused(Event):
    """Nobody and nothing may listen to the call until it is resumed: no live text is made of it."""

    call_id: str
    by: str = ""


@event
class ListeningResumed(Event):
    """The call may be listened to again."""

    call_id: str
    by: str = ""


@event
class DispositionSaved(Event):
    """An agent closed the wrap-up form of a call (fact)."""

    call_id: str
    agent_id: str
    agent_number: str | None = None
    disposition: str
    notes: str = ""
    customer_id: str | None = None


@event
class AgentStateChanged(Event):
    """An agent's state changed, or what comes after it; carries all that is shown of it.

    Attributes:
        state: a :class:`telephony.domain.agent.AgentState`; ``next_state`` too, where the agent has asked for
            something after the present call.
        queue: of the call.
        wrap_up_call_id, wrap_up_until: the running wrap-up, also one that runs behind another call.
        version: rises with every step of this agent; what is older than known is no news.
    """

    agent_id: str
    agent_number: str
    state: str
    reason: str | None = None
    since: datetime
    call_id: str | None = None
    queue: str | None = None
    next_state: str | None = None
    next_reason: str | None = None
    wrap_up_call_id: str | None = None
    wrap_up_until: datetime | None = None
    version: int


@event
class AgentReserved(Event):
    """A free agent is kept from the queues for a customer who is called back, or is let go again.

    It lasts seconds, until the agent's telephone rings, and is no state of the agent's own: nothing is
    stored.

    Attributes:
        reserved: ``False``: let go.
    """

    node: str
    agent_number: str
    agent_id: str | None
    reserved: bool


@event
class LinkStateChanged(Event):
    """The link to a PBX changed: ``connecting``, ``syncing``, ``live``, ``down`` or ``auth_failed``.

    Attributes:
        as_of: until when what we know of the node is true; ``None`` before the first snapshot.
    """

    node: str
    state: str
    as_of: datetime | None = None
    reason: str = ""
