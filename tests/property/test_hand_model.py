"""Calls in hand against an exchange that is played: whatever people do and whoever leaves, the customer is
with somebody, hears music for a while, or is on the way to somebody.
"""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.domain.hand import (
    AFTER,
    ALLOWED,
    HandState,
    HangUp,
    Join,
    Order,
    Part,
    Party,
    Place,
    Send,
    Step,
    hand_of,
    owner_of,
    plan,
    remedy,
)

pytestmark = pytest.mark.property

AGENT, COLLEAGUE = "1001", "1002"


@dataclass
class PlayedExchange:
    """What the dialplan does, without time: places, bridges of two, a room."""

    outside: bool
    parties: dict[str, Party]
    bridges: int = 1
    queued: bool = False

    @classmethod
    def talking(cls, *, outside: bool) -> "PlayedExchange":
        people = (
            Party("c", "C", bridge="b0"),
            Party("a", "A", agent_number=AGENT, bridge="b0"),
        )
        return cls(outside, {one.uniqueid: one for one in people})

    @property
    def people(self) -> tuple[Party, ...]:
        return tuple(self.parties.values())

    def ask(self) -> None:
        """Somebody's telephone rings who is to be asked."""
        number = None if self.outside else COLLEAGUE
        uniqueid = f"t{self.bridges}"
        self.parties[uniqueid] = Party(uniqueid, "T", agent_number=number, asked=True, up=False)

    def answer(self) -> None:
        for one in self.people:
            if one.asked and not one.up:
                self._put(one, up=True, bridge=self._alone())

    def gone(self, uniqueid: str) -> None:
        """Somebody hangs up; whoever talked with them alone goes on in the dialplan."""
        left = self.parties.pop(uniqueid, None)
        if left is None or not left.bridge:
            return
        others = [one for one in self.people if one.bridge == left.bridge]
        if left.bridge != "room" or not any(one.agent_number or one.asked for one in others):
            for other in others:
                self._alone_now(other)

    def do(self, order: Order) -> None:
        match order:
            case Send(party, to):
                self._send(party, to)
            case Part(one, to_one, other, to_other):
                self._send(one, to_one)
                self._send(other, to_other)
            case Join(one, other):
                mine, theirs = self.parties.get(one.uniqueid), self.parties.get(other.uniqueid)
                if mine is None or theirs is None:
                    return
                assert mine.bridge, "who is connected waits somewhere"
                assert theirs.bridge
                left = {mine.bridge, theirs.bridge} - {"room"}
                self.bridges += 1
                for party in (mine, theirs):
                    self._put(party, bridge=f"b{self.bridges}", held=False)
                for party in self.people:
                    if party.bridge in left:
                        self._alone_now(party)
            case HangUp(party):
                self.gone(party.uniqueid)

    def _send(self, party: Party, to: str) -> None:
        now = self.parties.get(party.uniqueid)
        if now is None:
            return
        if to == Place.BACK or to.startswith("huifang-to-"):
            self.queued = True
            self._put(now, bridge="", held=False)
        elif to in (Place.ROOM_CUSTOMER, Place.ROOM_STAFF):
            self._put(now, bridge="room", held=False)
        else:
            self._put(now, bridge=self._alone(), held=to == Place.MUSIC)

    def _alone_now(self, party: Party) -> None:
        """The customer's conversation is over: they are let go. All others wait for what is decided."""
        if party.uniqueid == "c":
            del self.parties["c"]
        else:
            self._put(party, bridge=self._alone())

    def _alone(self) -> str:
        self.bridges += 1
        return f"w{self.bridges}"

    def _put(self, party: Party, **changes: object) -> None:
        self.parties[party.uniqueid] = replace(party, **changes)  # type: ignore[arg-type]

    def put_right(self, before: HandState) -> None:
        """Do what follows until nothing does; it comes to an end."""
        for _ in range(5):
            orders = remedy(self.people, before)
            if not orders:
                return
            for order in orders:
                self.do(order)
            before = HandState.WAITING
        raise AssertionError(f"put right for ever: {self.people}")


def state_of(exchange: PlayedExchange) -> HandState:
    owner = owner_of(exchange.people)
    if owner is None or owner.agent_number is None:
        return HandState.NONE
    return hand_of(exchange.people, owner.agent_number).state


acts = st.one_of(
    st.sampled_from([*Step]),
    st.sampled_from(["answer", "customer leaves", "agent leaves", "asked leaves"]),
)


@settings(max_examples=300, deadline=None)
@given(outside=st.booleans(), wanted=st.lists(acts, max_size=14))
def test_nobody_is_left_behind_whatever_is_done_and_whoever_leaves(
    outside: bool, wanted: list[Step | str]
) -> None:
    exchange = PlayedExchange.talking(outside=outside)
    for act in wanted:
        if exchange.queued:
            return  # with the queue; what was in hand is over
        before = state_of(exchange)
        if isinstance(act, Step):
            _take(exchange, act)
        elif act == "answer":
            exchange.answer()
        else:
            role = {"customer leaves": "c", "agent leaves": "a"}.get(act)
            asked = next((one.uniqueid for one in exchange.people if one.asked), "")
            exchange.gone(role or asked)
        stands = state_of(exchange)
        exchange.put_right(before)
        _nobody_alone(exchange)
        if act is Step.HOLD and stands is HandState.HELD:
            assert state_of(exchange) is HandState.HELD, "who puts on hold wants it so, whoever they are"
        customer = exchange.parties.get("c")
        if act == "agent leaves" and before is HandState.CONSULTING and not outside:
            assert customer is None or not customer.held, "who was asked has the customer now"


def _take(exchange: PlayedExchange, step: Step) -> None:
    owner = owner_of(exchange.people)
    number = owner.agent_number if owner is not None and owner.agent_number is not None else AGENT
    hand = hand_of(exchange.people, number)
    orders = plan(step, hand, to="huifang-to-queue,service")
    assert bool(orders) is (step in ALLOWED[hand.state]), (step, hand)
    for order in orders:
        exchange.do(order)
    if step is Step.CONSULT and orders:
        exchange.ask()
    if orders and not exchange.queued:
        after = hand_of(exchange.people, number).state
        on_the_way = after is HandState.WAITING and step in {Step.HANG_UP, Step.CANCEL}
        assert after in AFTER[step] or on_the_way, (step, hand.state, after)


def _nobody_alone(exchange: PlayedExchange) -> None:
    people = exchange.people
    customer = exchange.parties.get("c")
    owner = owner_of(people)
    if customer is not None and not exchange.queued:
        with_somebody = any(customer.hears(one) for one in people if one is not customer)
        assert with_somebody or (customer.held and owner is not None), people
    for one in people:
        alone = not any(one.hears(other) for other in people if other is not one)
        if alone and one.up and one is not customer:
            # Somebody of ours waits only while the customer does, or while another is with the customer.
            assert customer is not None, people


@given(
    states=st.sampled_from([*HandState]),
    step=st.sampled_from([*Step]),
)
def test_what_may_be_done_is_said_for_every_state(states: HandState, step: Step) -> None:
    assert states in ALLOWED
    assert step in AFTER
