"""Major complaints and their money against a reading of domain.md §1.3b of its own.

The model keeps what has happened: who asked for how much, who touched the amount, what was paid to whom. Two
things hold in any order: nobody ever releases money that he entered, and nothing closes while the customer
was not called back, money that was promised is not paid, or a share of the staff is not settled.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crm.domain import compensation as money
from crm.domain import escalation as rules
from crm.domain.compensation import Compensation, CompensationState
from crm.domain.complaint_line import Window
from crm.domain.escalation import Escalation
from kernel.access import Role
from kernel.errors import Conflict, Forbidden, HuifangError, Invalid

pytestmark = pytest.mark.property

HOUR = timedelta(hours=1)
THRESHOLD = Decimal("2000.00")
PEOPLE = st.sampled_from(["ann", "bob", "cho"])
AMOUNTS = st.sampled_from([Decimal("100.00"), Decimal("2000.00"), Decimal("2000.01")])
ROLES = st.sampled_from([Role.GENERAL_MANAGER, Role.MANAGER, None])
REFUSALS = (Conflict, Forbidden, Invalid)


class MajorComplaint(RuleBasedStateMachine):
    """One major complaint; everything that may happen to it, by anybody, at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 3, 26, 2, 0, tzinfo=UTC)
        self.found = Escalation()
        self.request: Compensation | None = None
        # What happened, in words of the office
        self.reviewed = self.visit_wanted = self.agreed_visit = self.visited = False
        self.liable = self.planned = self.costs = False
        self.asked: str | None = None
        self.touched: set[str] = set()
        self.agreed = self.voucher = self.released = self.paid = False
        self.shares = 0
        self.sent = False
        self.settled = 0
        self.called_back = self.closed = False

    def take(self, may: bool, step: object) -> bool:
        """Try a step; it must succeed exactly when the model says so."""
        assert callable(step)
        refusal: HuifangError | None = None
        try:
            step()
        except REFUSALS as error:
            refusal = error
        assert (refusal is None) == may, refusal
        assert refusal is None or refusal.field is not None or isinstance(refusal, Forbidden)
        return refusal is None

    def set(self, found: Escalation) -> None:
        self.found = found

    def put(self, found: Escalation, request: Compensation) -> None:
        self.found, self.request = found, request

    @property
    def money_moves(self) -> bool:
        """Whether a request for money is on its way."""
        return self.asked is not None

    @rule()
    def call_back(self) -> None:
        self.called_back = True
        self.now += HOUR

    @rule(needed=st.booleans())
    def review(self, needed: bool) -> None:
        if self.take(
            not self.reviewed, lambda: self.set(rules.review(self.found, self.now, visit_needed=needed))
        ):
            self.reviewed, self.visit_wanted = True, needed

    @rule()
    def agree_visit(self) -> None:
        window = Window(from_=self.now + HOUR, until=self.now + 2 * HOUR)
        may = self.reviewed and self.visit_wanted and not self.visited and not self.liable
        if self.take(may, lambda: self.set(rules.agree_visit(self.found, window, self.now))):
            self.agreed_visit = True

    @rule()
    def visit(self) -> None:
        may = self.agreed_visit and not self.visited
        if self.take(may, lambda: self.set(rules.record_visit(self.found, self.now, self.now))):
            self.visited = True

    @rule()
    def settle_liability(self) -> None:
        may = self.reviewed and (self.visited or not self.visit_wanted) and not self.planned
        if self.take(may, lambda: self.set(rules.settle_liability(self.found))):
            self.liable = True

    @rule(costs=st.booleans())
    def plan(self, costs: bool) -> None:
        may = self.liable and not self.money_moves and not self.closed
        if self.take(may, lambda: self.set(rules.plan(self.found, costs=costs))):
            self.planned, self.costs = True, costs

    @rule(by=PEOPLE, amount=AMOUNTS, shares=st.integers(0, 2))
    def ask_for_money(self, by: str, amount: Decimal, shares: int) -> None:
        new = Compensation(
            state=CompensationState.REQUESTED, amount=amount, requested_by=by, entered_by=frozenset({by})
        )
        may = self.planned and self.costs and not self.money_moves and not self.closed
        if self.take(may, lambda: self.put(rules.request(self.found), new)):
            self.asked, self.touched, self.shares = by, {by}, shares

    @rule(by=PEOPLE, amount=AMOUNTS)
    def change_amount(self, by: str, amount: Decimal) -> None:
        found = self.request
        if found is None:
            return
        may = self.money_moves and not self.agreed
        if self.take(may, lambda: self.put(self.found, money.change_amount(found, amount, by))):
            self.touched.add(by)

    def decides(self, by: str, role: Role | None) -> bool:
        """Whether this person may decide about the amount as it is."""
        assert self.request is not None
        head = role is Role.GENERAL_MANAGER or (role is not None and self.request.amount <= THRESHOLD)
        return by not in self.touched and head

    @rule(by=PEOPLE, role=ROLES, yes=st.booleans())
    def agree_to_money(self, by: str, role: Role | None, yes: bool) -> None:
        found = self.request
        if found is None:
            return

        def step() -> None:
            moved = rules.agree(self.found) if yes else rules.refuse_money(self.found)
            self.put(moved, money.review(found, by, role, agreed=yes, threshold=THRESHOLD))

        if self.take(self.money_moves and not self.agreed and self.decides(by, role), step):
            self.agreed = yes
            self.asked = self.asked if yes else None

    @rule(by=PEOPLE, right=st.booleans())
    def write_voucher(self, by: str, right: bool) -> None:
        found = self.request
        if found is None:
            return
        amount = found.amount if right else found.amount + 1

        def step() -> None:
            self.put(rules.write_voucher(self.found), money.write_voucher(found, amount, by))

        if self.take(self.agreed and not self.voucher and right, step):
            self.voucher = True
            self.touched.add(by)

    @rule(by=PEOPLE, role=ROLES, yes=st.booleans())
    def release(self, by: str, role: Role | None, yes: bool) -> None:
        found = self.request
        if found is None:
            return

        def step() -> None:
            moved = rules.approve(self.found) if yes else rules.refuse_money(self.found)
            decided = money.approve(found, by, role, self.now, approved=yes, threshold=THRESHOLD)
            self.put(moved, decided)

        if self.take(self.voucher and not self.released and self.decides(by, role), step):
            self.released = yes
            if not yes:
                self.asked, self.agreed, self.voucher = None, False, False

    @rule(hours=st.integers(-2, 2))
    def pay(self, hours: int) -> None:
        found = self.request
        if found is None:
            return
        at = self.now + hours * HOUR
        in_order = found.approved_at is not None and found.approved_at <= at <= self.now

        def step() -> None:
            paid = money.pay(found, at, self.now)
            self.put(rules.pay(self.found, recovery=self.shares), paid)

        if self.take(self.released and not self.paid and in_order, step):
            self.paid = True

    @rule()
    def send_to_hr(self) -> None:
        may = self.paid and self.shares > 0 and not self.sent
        if self.take(may, lambda: self.set(rules.send_recovery(self.found))):
            self.sent = True

    @rule()
    def hr_settles(self) -> None:
        may = self.sent and self.settled < self.shares and not self.closed
        if self.take(may, lambda: self.set(rules.recovered(self.found))):
            self.settled += 1

    @rule()
    def close(self) -> None:
        free = self.planned and not self.costs and not self.money_moves
        squared = self.paid and self.settled == self.shares and self.sent == (self.shares > 0)
        may = not self.closed and (free or squared) and self.called_back
        if self.take(may, lambda: self.set(rules.close(self.found, called_back=self.called_back))):
            self.closed = True

    @rule(yes=st.booleans(), by=PEOPLE, shares=st.integers(0, 2))
    def lead_on(self, yes: bool, by: str, shares: int) -> None:
        """Do what usually comes next; chance alone would rarely get to the money."""
        others = sorted({"ann", "bob", "cho"} - self.touched) or [by]
        head = Role.GENERAL_MANAGER
        match self.found.state.code:
            case "E0":
                self.review(yes)
            case "E1":
                self.agree_visit() if self.visit_wanted else self.settle_liability()
            case "E2":
                self.settle_liability() if self.visited else self.visit()
            case "E3":
                self.plan(yes or shares > 0)
            case "E4":
                self.ask_for_money(by, Decimal("100.00"), shares) if self.costs else self.close()
            case "E5":
                self.agree_to_money(others[0], head, yes or shares > 0)
            case "E6" if not self.voucher:
                self.write_voucher(by, right=True)
            case "E6":
                self.release(others[0], head, yes or shares > 0)
            case "E7":
                self.pay(0)
            case "E8" if self.shares:
                self.send_to_hr()
            case "E9" if self.settled < self.shares:
                self.hr_settles()
            case _:
                self.close()

    @invariant()
    def nobody_released_money_he_had_entered(self) -> None:
        assert not self.released or self.voucher
        assert not self.paid or self.released

    @invariant()
    def nothing_is_closed_that_is_owed(self) -> None:
        if self.found.state.code == "E10":
            assert self.called_back
            assert self.paid or not self.costs
            assert self.settled == (self.shares if self.paid else 0)


TestMajorComplaint = MajorComplaint.TestCase
TestMajorComplaint.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
