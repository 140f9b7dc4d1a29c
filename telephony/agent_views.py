"""Agents as the outside sees them: frozen, complete, with no database behind them."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from telephony.domain.agent_state import AgentState
from telephony.domain.queue import Membership
from telephony.events import AgentStateChanged


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSnapshot:
    """One agent now.

    Attributes:
        reason: code of the pause reason, when paused.
        call_id: of the call that rings, is talked in or waits for its disposition.
        next_state: what the agent has already asked for after the present call (paused or signed out).
        wrap_up_until: end of the running wrap-up.
        version: rises with every step; a page may drop what is older than it has.
        stale: the PBX is out of reach: what is asked now takes effect when it is back.
    """

    agent_id: str
    number: str
    name: str
    state: AgentState
    reason: str | None
    since: datetime
    call_id: str | None
    queue: str | None
    next_state: AgentState | None
    next_reason: str | None
    wrap_up_call_id: str | None
    wrap_up_until: datetime | None
    queues: tuple[Membership, ...]
    signed_in_at: datetime | None
    version: int
    stale: bool = False

    def after(self, change: AgentStateChanged) -> Self:
        """Return the agent after a change; one that is older than what is known changes nothing."""
        if change.version < self.version:
            return self
        state = AgentState(change.state)
        signed_in_at = None if state is AgentState.SIGNED_OUT else self.signed_in_at or change.at
        return replace(
            self,
            state=state,
            reason=change.reason,
            since=change.since,
            call_id=change.call_id,
            queue=change.queue,
            next_state=AgentState(change.next_state) if change.next_state else None,
            next_reason=change.next_reason,
            wrap_up_call_id=change.wrap_up_call_id,
            wrap_up_until=change.wrap_up_until,
            signed_in_at=signed_in_at,
            version=change.version,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapUpView:
    """What an agent wrote about one of their calls.

    Attributes:
        draft_disposition, draft_notes: written but not saved; ``None`` where there is no draft.
    """

    call_id: str
    agent_id: str
    queue: str | None
    taken_at: datetime
    ended_at: datetime | None
    disposition: str | None
    notes: str
    customer_id: str | None
    saved_at: datetime | None
    draft_disposition: str | None
    draft_notes: str | None

    @property
    def blank(self) -> bool:
        """Whether nothing has been written yet."""
        return not (self.saved_at or self.draft_disposition or self.draft_notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentBrief:
    """An agent as the PBX's configuration needs them.

    Attributes:
        sip_password: of their SIP telephone; a browser's are made by :mod:`telephony.softphone_keys`.
        browser_phone: they telephone in their page, and their SIP telephone is not let in.
    """

    agent_id: str
    number: str
    name: str
    sip_password: str
    browser_phone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One pause reason that a person may pick."""

    code: str
    label_zh: str
    label_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseChoice(Choice):
    """A pause reason. ``limit_seconds``: how long it may last; ``ends_itself``: then it is over."""

    limit_seconds: int | None = None
    ends_itself: bool = False
    selectable: bool = True
