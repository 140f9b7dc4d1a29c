"""What an agent has in hand of one call, and what may be done with it. Pure: facts in, orders out.

Nothing here is remembered: where a call stands follows from who is connected with whom, so that a service
that was started anew sees the same. The places that channels are sent to are the dialplan's
(``extensions_hands.conf``); each of them ends by itself when nobody comes back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class HandState(StrEnum):
    """Where an agent is with a call."""

    NONE = "none"
    """Not in it."""
    TALKING = "talking"
    HELD = "held"
    """The customer hears music; the agent silence."""
    PHONE_HELD = "phone_held"
    """Put on hold with the telephone's own key, and taken back only with it."""
    CALLING = "calling"
    """Somebody is being called who is to be asked; the customer hears music."""
    CONSULTING = "consulting"
    SWAPPED = "swapped"
    """Talking with the customer again, and who was asked waits."""
    CONFERENCE = "conference"
    ASKED = "asked"
    """A colleague asks; the call is theirs."""
    LEFT = "left"
    """The customer has hung up; who was asked is still there, perhaps."""
    WAITING = "waiting"
    """On the way from one to another."""


class Step(StrEnum):
    """What an agent does with a call."""

    HOLD = "hold"
    UNHOLD = "unhold"
    TRANSFER = "transfer"
    CONSULT = "consult"
    SWAP = "swap"
    CONFERENCE = "conference"
    COMPLETE = "complete"
    CANCEL = "cancel"
    HANG_UP = "hang-up"


_S, _H = Step, HandState
ALLOWED: Mapping[HandState, frozenset[Step]] = {
    _H.NONE: frozenset(),
    _H.TALKING: frozenset({_S.HOLD, _S.TRANSFER, _S.CONSULT, _S.HANG_UP}),
    _H.HELD: frozenset({_S.UNHOLD, _S.TRANSFER, _S.CONSULT, _S.HANG_UP}),
    _H.PHONE_HELD: frozenset({_S.TRANSFER, _S.HANG_UP}),
    _H.CALLING: frozenset({_S.CANCEL, _S.HANG_UP}),
    _H.CONSULTING: frozenset({_S.SWAP, _S.CONFERENCE, _S.COMPLETE, _S.CANCEL, _S.HANG_UP}),
    _H.SWAPPED: frozenset({_S.SWAP, _S.CONFERENCE, _S.COMPLETE, _S.CANCEL, _S.HANG_UP}),
    _H.CONFERENCE: frozenset({_S.COMPLETE, _S.CANCEL, _S.HANG_UP}),
    _H.ASKED: frozenset({_S.HANG_UP}),
    _H.LEFT: frozenset({_S.HANG_UP}),
    _H.WAITING: frozenset({_S.HANG_UP}),
}
"""State → what may be done in it."""

AFTER: Mapping[Step, frozenset[HandState]] = {
    _S.HOLD: frozenset({_H.HELD}),
    _S.UNHOLD: frozenset({_H.TALKING}),
    _S.TRANSFER: frozenset({_H.NONE}),
    _S.CONSULT: frozenset({_H.CALLING, _H.CONSULTING}),
    _S.SWAP: frozenset({_H.SWAPPED, _H.CONSULTING}),
    _S.CONFERENCE: frozenset({_H.CONFERENCE}),
    _S.COMPLETE: frozenset({_H.NONE}),
    _S.CANCEL: frozenset({_H.TALKING}),
    _S.HANG_UP: frozenset({_H.NONE, _H.TALKING}),
}
"""Step → where it leads; anything else means that somebody hung up meanwhile."""


class Place(StrEnum):
    """Where a channel is sent: context and extension of the dialplan."""

    MUSIC = "huifang-hold,customer"
    """The customer's: who is not fetched goes back into the queue."""
    ASIDE = "huifang-hold,other"
    DESK = "huifang-desk,quiet"
    DESK_RINGING = "huifang-desk,ringing"
    ASKED = "huifang-desk,next"
    """Where somebody is who was asked and has answered, until they are connected."""
    ROOM_CUSTOMER = "huifang-room,customer"
    ROOM_STAFF = "huifang-room,staff"
    BACK = "huifang-back,s"
    """A queue, before all others."""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody in a call.

    Attributes:
        uniqueid: of the channel.
        agent_number: of one of ours.
        asked: was called because somebody wanted to ask them.
        up: has answered.
        held: hears music as a customer does who was put on hold.
        bridge: whoever is in the same one hears them; empty in none.
        holding: has put the other side on hold with a key of the telephone.
    """

    uniqueid: str
    channel: str
    agent_number: str | None = None
    asked: bool = False
    up: bool = True
    held: bool = False
    bridge: str = ""
    holding: bool = False

    @property
    def is_staff(self) -> bool:
        """Whether this is one of ours, or somebody whom ours wanted to ask: not whom the call is with."""
        return self.asked or (self.agent_number is not None and not self.held)

    def hears(self, other: "Party") -> bool:
        """Tell whether the two are connected."""
        return bool(self.bridge) and self.bridge == other.bridge


@dataclass(frozen=True, slots=True)
class Hand:
    """A call as one agent has it.

    Attributes:
        mine: the agent's own channel.
        customer: the other side, whoever that is.
        target: who was asked.
    """

    state: HandState
    mine: Party | None = None
    customer: Party | None = None
    target: Party | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        """What may be done now, in the order of :class:`Step`."""
        return tuple(step for step in Step if step in ALLOWED[self.state])


def hand_of(parties: Sequence[Party], number: str) -> Hand:
    """Return what the agent ``number`` has in hand. ``parties``: the living ones, oldest first."""
    mine = next((one for one in parties if one.agent_number == number and one.up), None)
    if mine is None:
        return Hand(HandState.NONE)
    owner = owner_of(parties)
    customer = customer_of(parties, owner)
    if owner is not mine:
        return Hand(HandState.ASKED, mine, customer if customer is not mine else owner)
    target = next((one for one in reversed(parties) if one.asked and one is not mine), None)
    if customer is None:
        state = HandState.WAITING if target is None else HandState.LEFT
        return Hand(state, mine, None, target)
    if target is None:
        return _plain(mine, customer)
    return Hand(_with_target(mine, customer, target), mine, customer, target)


def owner_of(parties: Sequence[Party]) -> Party | None:
    """Return the one of ours whose call it is: who was not asked, else who was asked first."""
    ours = [one for one in parties if one.agent_number is not None and one.up]
    return next((one for one in ours if not one.asked), ours[0] if ours else None)


def customer_of(parties: Sequence[Party], owner: Party | None) -> Party | None:
    """Return whom the call is with: who is held, else from outside, else a colleague."""
    others = [one for one in parties if one is not owner and not one.asked and one.up]
    held = next((one for one in others if one.held), None)
    outside = next((one for one in others if one.agent_number is None), None)
    return held or outside or (others[0] if others else None)


def _plain(mine: Party, customer: Party | None) -> Hand:
    if customer is None:
        return Hand(HandState.WAITING, mine)
    if mine.hears(customer):
        state = HandState.PHONE_HELD if mine.holding else HandState.TALKING
    else:
        state = HandState.HELD if customer.held else HandState.WAITING
    return Hand(state, mine, customer)


def _with_target(mine: Party, customer: Party, target: Party) -> HandState:
    if mine.hears(customer):
        return HandState.CONFERENCE if mine.hears(target) else HandState.SWAPPED
    if mine.hears(target):
        return HandState.CONSULTING
    if customer.hears(target):
        return HandState.WAITING
    return HandState.CALLING if customer.held else HandState.WAITING


# Orders


@dataclass(frozen=True, slots=True)
class Send:
    """Have one channel go to a place."""

    party: Party
    to: str


@dataclass(frozen=True, slots=True)
class Part:
    """Have two who are connected go to their places at the same moment."""

    one: Party
    to_one: str
    other: Party
    to_other: str


@dataclass(frozen=True, slots=True)
class Join:
    """Connect two."""

    one: Party
    other: Party


@dataclass(frozen=True, slots=True)
class HangUp:
    """End one channel."""

    party: Party


Order = Send | Part | Join | HangUp


def plan(step: Step, hand: Hand, *, to: str = "") -> tuple[Order, ...]:
    """Return what must be done, in order, for a step that :attr:`Hand.steps` has.

    Args:
        to: with :attr:`Step.TRANSFER`, where the customer goes: context and extension.
    """
    mine, customer, target = hand.mine, hand.customer, hand.target
    if mine is None or step not in ALLOWED[hand.state]:
        return ()
    if step is Step.HANG_UP:
        return _hang_up(hand)
    if customer is None:
        return ()
    match step:
        case Step.HOLD:
            return (Part(customer, Place.MUSIC, mine, Place.DESK),)
        case Step.UNHOLD:
            return (Join(customer, mine),)
        case Step.TRANSFER:
            return (Send(customer, to), HangUp(mine))
        case Step.CONSULT if hand.state is HandState.TALKING:
            return (Part(customer, Place.MUSIC, mine, Place.DESK_RINGING),)
        case Step.CONSULT:
            return (Send(mine, Place.DESK_RINGING),)
        case _ if target is None:
            return ()
        case Step.CANCEL:
            return _cancel(hand.state, mine, customer, target)
        case Step.SWAP if hand.state is HandState.CONSULTING:
            return (Part(target, Place.ASIDE, mine, Place.DESK), Join(customer, mine))
        case Step.SWAP:
            return (Part(customer, Place.MUSIC, mine, Place.DESK), Join(target, mine))
        case Step.CONFERENCE if hand.state is HandState.CONSULTING:
            return (
                Part(mine, Place.ROOM_STAFF, target, Place.ROOM_STAFF),
                Send(customer, Place.ROOM_CUSTOMER),
            )
        case Step.CONFERENCE:
            return (
                Part(customer, Place.ROOM_CUSTOMER, mine, Place.ROOM_STAFF),
                Send(target, Place.ROOM_STAFF),
            )
        case Step.COMPLETE if hand.state is HandState.CONFERENCE:
            return (HangUp(mine),)
        case Step.COMPLETE:
            return (Join(customer, target), HangUp(mine))
    return ()


def _cancel(state: HandState, mine: Party, customer: Party, target: Party) -> tuple[Order, ...]:
    if state in {HandState.SWAPPED, HandState.CONFERENCE}:
        return (HangUp(target),)
    if state is HandState.CONSULTING:
        # Fetched out of the consultation in one movement; who was asked stays behind, and is let go.
        return (Join(customer, mine), HangUp(target))
    return (HangUp(target), Join(customer, mine))


def _hang_up(hand: Hand) -> tuple[Order, ...]:
    mine, customer, target = hand.mine, hand.customer, hand.target
    if mine is None:
        return ()
    if customer is not None and target is not None:
        if hand.state in {HandState.CALLING, HandState.CONSULTING}:
            return _cancel(hand.state, mine, customer, target)
        if hand.state is HandState.SWAPPED:
            return (HangUp(target), HangUp(mine))
    if hand.state is HandState.HELD and customer is not None:
        return (HangUp(customer), HangUp(mine))
    return (HangUp(mine),)


def remedy(parties: Sequence[Party], before: HandState) -> tuple[Order, ...]:
    """Return what must be done because somebody came or went by themselves; nothing where all is well.

    Asked of a call that was held or asked about once, when no step is under way.

    Args:
        parties: the living ones, oldest first.
        before: where the owner was with the call when it was looked at last.
    """
    owner = owner_of(parties)
    customer = customer_of(parties, owner)
    target = next((one for one in reversed(parties) if one.asked and one is not owner), None)
    if customer is None:
        return _without_customer(parties, owner, target)
    if not customer.held:
        if owner is not None and owner.hears(customer):
            return ()
        # The customer is elsewhere: whoever of ours hears nobody, and sits where one waits, is let go.
        return tuple(
            HangUp(one)
            for one in parties
            if (one.asked or (one is owner and one.bridge)) and _alone(one, parties)
        )
    if owner is None:
        # Whoever was being called for them is called no more; somebody else comes.
        return (*(HangUp(one) for one in parties if one.asked), Send(customer, Place.BACK))
    if target is not None:
        return _join(target, owner) if target.up and not target.hears(owner) else ()
    # Who was asked has gone; or whose call it was, and who was asked has it now, as telephones do it.
    return _join(customer, owner) if before in {HandState.CALLING, HandState.CONSULTING} else ()


def _without_customer(
    parties: Sequence[Party], owner: Party | None, target: Party | None
) -> tuple[Order, ...]:
    if owner is not None and target is not None and target.up:
        # They may finish what they were saying.
        return () if owner.hears(target) else _join(target, owner)
    return tuple(HangUp(one) for one in parties if one.asked or one is owner)


def _join(one: Party, other: Party) -> tuple[Order, ...]:
    """Connect two, each of whom is where they wait; who is still on the way is waited for."""
    return (Join(one, other),) if one.bridge and other.bridge else ()


def _alone(one: Party, parties: Sequence[Party]) -> bool:
    return not any(one.hears(other) for other in parties if other is not one)
