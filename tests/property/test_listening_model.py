"""A supervisor's ear in a world of its own: wishes, a telephone, a call that goes from hand to hand.

Whatever the order: the telephone is rung once at most; nothing is heard while nobody may listen; and when the
world is quiet the ear does what was wished, or is gone and its row closed.
"""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from telephony.domain.listening import Close, Ear, HangUp, Heard, Mode, Move, Ring, Take, decide

pytestmark = pytest.mark.property


class Listening(RuleBasedStateMachine):
    """One wish, one telephone, one call."""

    def __init__(self) -> None:
        super().__init__()
        self.call = Heard(True, agent="a1", customer="c")
        self.wanted: Mode | None = Mode.LISTEN
        self.rung = 0
        self.ear: Ear | None = None
        self.closed = False
        self.agents = 1

    # -- the supervisor

    @rule(mode=st.sampled_from(list(Mode)))
    def wishes(self, mode: Mode) -> None:
        taken = self.ear is not None and self.ear.mode is Mode.TAKE_OVER
        if not self.closed and self.wanted is not None and not taken:
            self.wanted = mode

    @rule()
    def leaves(self) -> None:
        self.wanted = None

    @precondition(lambda self: self.ear is not None and not self.ear.up)
    @rule(answers=st.booleans())
    def telephone(self, answers: bool) -> None:
        self.ear = Ear(True, Mode.LISTEN, "a1") if answers else None

    @precondition(lambda self: self.ear is not None)
    @rule()
    def hangs_up(self) -> None:
        self.ear = None

    # -- the call

    @rule(hushed=st.booleans())
    def card_number(self, hushed: bool) -> None:
        self.call = replace(self.call, hushed=hushed and self.call.is_open)

    @precondition(lambda self: self.call.is_open)
    @rule()
    def agent_leaves(self) -> None:
        self.call = replace(self.call, agent=None)
        if self.ear is not None and self.ear.mode is not Mode.TAKE_OVER:
            self.ear = Ear(self.ear.up)  # the PBX ends the listening with the channel

    @precondition(lambda self: self.call.is_open)
    @rule()
    def another_agent(self) -> None:
        self.agents += 1
        self.call = replace(self.call, agent=f"a{self.agents}")

    @precondition(lambda self: self.call.is_open)
    @rule(there=st.booleans())
    def customer(self, there: bool) -> None:
        self.call = replace(self.call, customer="c" if there else None)

    @rule()
    def call_ends(self) -> None:
        self.call = Heard(False)
        if self.ear is not None and self.ear.mode is Mode.TAKE_OVER:
            self.ear = None  # whoever talked with the customer

    # -- the keeper

    @rule()
    def looks(self) -> None:
        if self.closed:
            return
        match decide(self.wanted, self.rung > 0, self.ear, self.call):
            case Ring(spied):
                assert spied == self.call.agent
                self.rung += 1
                self.ear = Ear(False)
            case Move(mode, spied):
                assert self.ear is not None
                assert self.ear.up
                assert mode is None or not self.call.hushed
                self.ear = Ear(True, mode, spied)
            case Take(customer):
                assert customer == self.call.customer
                self.ear = Ear(True, Mode.TAKE_OVER)
                self.call = replace(self.call, agent=None)
            case HangUp():
                self.ear = None
            case Close():
                assert self.ear is None
                self.closed = True
            case None:
                pass

    @invariant()
    def it_rings_once(self) -> None:
        assert self.rung <= 1

    def teardown(self) -> None:
        for _ in range(4):
            self.looks()
        if self.ear is None:
            assert self.closed
            return
        assert not self.closed
        assert self.call.is_open
        assert self.wanted is not None
        if self.ear.up and self.ear.mode is not Mode.TAKE_OVER:
            heard = not self.call.hushed and self.call.agent is not None and self.wanted is not Mode.TAKE_OVER
            assert self.ear.mode is (self.wanted if heard else None)
        self.call_ends()
        for _ in range(3):
            self.looks()
        assert self.ear is None
        assert self.closed


TestListening = Listening.TestCase
TestListening.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
