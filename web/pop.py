"""What an agent's page shows of the call at hand: the model and its JSON form. Pure: no I/O, no clock."""

import dataclasses
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from crm.views import CustomerCard
from kernel.phone import Phone, PhoneKind
from telephony.agent_views import AgentSnapshot, WrapUpView
from telephony.domain.agent_state import RESERVED, AgentState
from telephony.events import AgentRinging, CallEnded, HandChanged
from telephony.views import CallView
from web.masking import masked


class Phase(StrEnum):
    """Where the agent is with the call."""

    RINGING = "ringing"
    TALKING = "talking"
    WRAP_UP = "wrap_up"


class Lookup(StrEnum):
    """What is known of the customer behind the number."""

    PENDING = "pending"
    FOUND = "found"
    SEVERAL = "several"
    UNKNOWN = "unknown"
    INTERNAL = "internal"
    FAILED = "failed"


NONE_OF_THEM = ""
"""Stands in ``Pop.chosen`` when the agent said that none of the customers is calling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pop:
    """The call on an agent's page.

    Attributes:
        number: of the other side, as telephony has it.
        chosen: the customer it belongs to; ``None`` while nobody has said, see :data:`NONE_OF_THEM`.
        held_since: since when the caller hears music; nobody is to wait so for a minute (domain.md §1.14).
        wait_seconds: known from the answer on; while it rings the page counts from ``queued_at``.
        wrap_up_until: when the wrap-up ends by itself.
        about: ids of the open cases that the agent said the call is about.
    """

    call_id: str
    phase: Phase
    direction: str
    number: str
    queue: str | None
    caller_name: str
    menu_path: tuple[str, ...]
    queued_at: datetime | None
    ringing_at: datetime
    answered_at: datetime | None = None
    held_since: datetime | None = None
    ended_at: datetime | None = None
    wait_seconds: float | None = None
    talk_seconds: float | None = None
    lookup: Lookup = Lookup.PENDING
    customers: tuple[CustomerCard, ...] = ()
    chosen: str | None = None
    wrap_up_until: datetime | None = None
    wrap_up: timedelta | None = None
    draft: WrapUpView | None = None
    about: tuple[str, ...] = ()

    @classmethod
    def of_ring(cls, ring: AgentRinging) -> Self:
        """Return the pop of a ringing phone."""
        return cls(
            call_id=ring.call_id,
            phase=Phase.RINGING,
            direction=ring.direction,
            number=_other_side(ring.direction, ring.from_number, ring.to_number),
            queue=ring.queue,
            caller_name=ring.caller_name,
            menu_path=ring.menu_path,
            queued_at=ring.queued_at,
            ringing_at=ring.at,
        )

    @classmethod
    def of_call(cls, call: CallView, phase: Phase, *, now: datetime) -> Self:
        """Return the pop of a call that was not seen to ring here: a transfer, or a page after a restart."""
        return cls(
            call_id=call.call_id,
            phase=phase,
            direction=call.direction,
            number=_other_side(call.direction, call.from_number, call.to_number),
            queue=call.queue,
            caller_name=call.from_name,
            menu_path=call.menu_path,
            queued_at=call.queued_at,
            ringing_at=now,
            answered_at=call.answered_at,
            ended_at=call.ended_at,
            wait_seconds=call.wait_seconds,
            talk_seconds=call.talk_seconds if phase is Phase.WRAP_UP else None,
            chosen=call.customer_id,
        )

    def with_customers(self, cards: tuple[CustomerCard, ...]) -> Self:
        """Return it with what the look-up found. A choice that was made stays."""
        if not cards:
            return replace(self, lookup=Lookup.UNKNOWN, customers=(), chosen=None)
        known = {card.customer_id for card in cards}
        if len(cards) == 1:
            return replace(self, lookup=Lookup.FOUND, customers=cards, chosen=cards[0].customer_id)
        chosen = self.chosen if self.chosen in known or self.chosen == NONE_OF_THEM else None
        return replace(self, lookup=Lookup.SEVERAL, customers=cards, chosen=chosen)

    def answered(self, at: datetime, wait_seconds: float | None) -> Self:
        """Return it picked up. Told twice, the first time and the known wait stay."""
        if self.phase is Phase.WRAP_UP:
            return self
        return replace(
            self,
            phase=Phase.TALKING,
            answered_at=self.answered_at or at,
            wait_seconds=self.wait_seconds if wait_seconds is None else wait_seconds,
        )

    def ended(self, end: CallEnded) -> Self:
        """Return it after the hang-up."""
        return replace(self, phase=Phase.WRAP_UP, ended_at=end.ended_at, talk_seconds=end.talk_seconds)

    def wrapping_up(self, since: datetime, until: datetime | None) -> Self:
        """Return it while the agent's wrap-up runs."""
        return replace(
            self,
            phase=Phase.WRAP_UP,
            ended_at=self.ended_at or since,
            wrap_up_until=until,
            wrap_up=until - since if until else None,
        )

    def offers(self, case_id: str) -> bool:
        """Tell whether a case is an open one of the customer who is calling."""
        return any(
            case.case_id == case_id
            for card in self.customers
            if card.customer_id == self.chosen
            for case in card.open_cases
        )

    @property
    def phone(self) -> Phone | None:
        """The number to look the customer up by; ``None`` when there is none."""
        return None if self.direction == "internal" else Phone.parse_caller(self.number)


def _other_side(direction: str, from_number: str, to_number: str) -> str:
    return to_number if direction == "out" else from_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A ring that came to nothing; ``reason`` as in ``AgentRingEnded``."""

    reason: str
    number: str
    queue: str | None
    at: datetime


# JSON


def iso(at: datetime | None) -> str | None:
    """Return the time as ISO 8601 with zone."""
    return at.isoformat() if at else None


def readable(number: str) -> str:
    """Return a number in groups that are easy to read aloud; empty for a number that is not shown."""
    phone = Phone.parse_caller(number)
    if phone is None:
        return "" if number == "anonymous" else number
    national = phone.national
    if phone.kind is PhoneKind.MOBILE:
        return f"{national[:3]} {national[3:7]} {national[7:]}"
    if phone.kind is PhoneKind.LANDLINE:
        area = 3 if national[1] in "12" else 4
        return f"{national[:area]} {national[area:-4]} {national[-4:]}"
    return national


def card_payload(card: CustomerCard) -> dict[str, Any]:
    """Return a customer for the page; the numbers in it are masked already."""
    payload = dataclasses.asdict(card)
    for case in payload["open_cases"]:
        case["opened_at"] = iso(case["opened_at"])
    for contact in payload["recent_contacts"]:
        contact["at"] = iso(contact["at"])
    return payload


def draft_payload(draft: WrapUpView) -> dict[str, Any]:
    """Return what was written about a call so far; a draft is newer than what was saved."""
    drafted = draft.draft_notes is not None or draft.draft_disposition is not None
    return {
        "call_id": draft.call_id,
        "queue": draft.queue,
        "taken_at": iso(draft.taken_at),
        "disposition": draft.draft_disposition if drafted else draft.disposition,
        "notes": (draft.draft_notes or "") if drafted else draft.notes,
    }


def pop_payload(pop: Pop | None) -> dict[str, Any] | None:
    """Return the pop for the page. The agent handles this call, so its number is whole."""
    if pop is None:
        return None
    return {
        "call_id": pop.call_id,
        "phase": pop.phase.value,
        "direction": pop.direction,
        "number": readable(pop.number),
        "queue": pop.queue,
        "caller_name": pop.caller_name,
        "menu_path": list(pop.menu_path),
        "queued_at": iso(pop.queued_at),
        "ringing_at": iso(pop.ringing_at),
        "answered_at": iso(pop.answered_at),
        "held_since": iso(pop.held_since),
        "ended_at": iso(pop.ended_at),
        "wait_seconds": pop.wait_seconds,
        "talk_seconds": pop.talk_seconds,
        "lookup": pop.lookup.value,
        "customers": [card_payload(card) for card in pop.customers],
        "chosen": pop.chosen,
        "about": list(pop.about),
        "wrap_up": "done" if pop.draft and pop.draft.saved_at else "due",
        "wrap_up_until": iso(pop.wrap_up_until),
        "wrap_up_seconds": pop.wrap_up.total_seconds() if pop.wrap_up else None,
        "draft": draft_payload(pop.draft) if pop.draft else None,
    }


def notice_payload(notice: Notice | None) -> dict[str, Any] | None:
    """Return a missed ring for the page; the call is not the agent's any more, so its number is masked."""
    if notice is None:
        return None
    return {
        "reason": notice.reason,
        "number": masked(notice.number) if notice.number != "anonymous" else "",
        "queue": notice.queue,
        "at": iso(notice.at),
    }


def hand_payload(hand: HandChanged | None) -> dict[str, Any] | None:
    """Return what the agent has in hand of a call, and what may be done with it."""
    if hand is None:
        return None
    return {
        "call_id": hand.call_id,
        "state": hand.state,
        "steps": list(hand.steps),
        "target": hand.target,
        "target_label": hand.target_label,
        "notice": hand.notice,
    }


def state_payload(agent: AgentSnapshot, reserved: datetime | None = None) -> dict[str, Any]:
    """Return the agent's own state for the page.

    Args:
        reserved: since when they are kept for a customer who is called back; counts while they are free.
    """
    kept = reserved if agent.state is AgentState.AVAILABLE else None
    return {
        "state": RESERVED if kept else agent.state.value,
        "reason": agent.reason,
        "since": iso(max(kept, agent.since) if kept else agent.since),
        "next_state": agent.next_state.value if agent.next_state else None,
        "next_reason": agent.next_reason,
        "queues": [membership.queue for membership in agent.queues],
        "stale": agent.stale,
        "version": agent.version,
    }
