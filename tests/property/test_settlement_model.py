"""Settlements and a crew's deposit against a model: K0 to K6 by a list of states, money in whole cents.

The model counts in integers and knows nothing of the machine's tables. Whatever is tried in whatever order:
nothing is passed over, nobody signs twice, the balance is the sum of all postings, never below nothing, and
what was due is what was taken and what is owed, to the cent.
"""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from crm.domain import repair_cost as machine
from crm.domain.deposit import Overdrawn, PostingKind, balance, deduct, signed_amount
from crm.domain.line_steps import SamePerson
from crm.domain.machine import IllegalStep
from crm.domain.repair_cost import (
    CostBearer,
    CostKind,
    Figures,
    Material,
    MaterialKind,
    Settlement,
    Signature,
)
from kernel.errors import Invalid

pytestmark = pytest.mark.property

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
TODAY = date(2026, 3, 2)
ORDER = ["costed", "cs_signed", "company_signed", "filed", "reconciled", "settled", "closed"]
PEOPLE = ["captain", "manager", "head", "finance"]


def yuan(cents: int) -> Decimal:
    return Decimal(cents) / 100


class Paper:
    """What the file of one settlement says."""

    def __init__(self, author: str, crew_cents: int) -> None:
        self.author = author
        self.place = 0
        self.signed: list[str] = []
        self.crew_cents = crew_cents


class SettlementModel(RuleBasedStateMachine):
    """Several settlements of one crew, and its account."""

    costs = Bundle("costs")

    @initialize()
    def open(self) -> None:
        self.machines: list[Settlement] = []
        self.papers: list[Paper] = []
        self.postings: list[Decimal] = []
        self.cents = 0
        self.owed_cents = 0
        self.due_cents = 0
        self.taken_cents = 0

    @rule(target=costs, author=st.sampled_from(PEOPLE), cents=st.integers(0, 50_000))
    def a_sheet_is_written(self, author: str, cents: int) -> int:
        self.machines.append(machine.written(None, author=author))
        self.papers.append(Paper(author, cents))
        return len(self.machines) - 1

    @rule(which=costs, author=st.sampled_from(PEOPLE), reason=st.sampled_from(["", "单价错误"]))
    def a_sheet_is_changed(self, which: int, author: str, reason: str) -> None:
        paper = self.papers[which]
        if paper.place >= ORDER.index("settled"):
            with pytest.raises(IllegalStep):
                machine.written(self.machines[which], author=author, reason=reason)
        elif paper.place > 0 and not reason:
            with pytest.raises(Invalid):
                machine.written(self.machines[which], author=author, reason=reason)
        else:
            self.machines[which] = machine.written(self.machines[which], author=author, reason=reason)
            paper.author, paper.place, paper.signed = author, 0, []

    @rule(which=costs, who=st.sampled_from(PEOPLE), company=st.booleans())
    def somebody_signs(self, which: int, who: str, company: bool) -> None:
        paper, signature = self.papers[which], Signature(user_id=who, name=who, at=NOW)
        sign = machine.signed_by_company if company else machine.signed_by_service
        turn = 1 if company else 0
        if paper.place != turn:
            with pytest.raises(IllegalStep):
                sign(self.machines[which], signature)
        elif who in [paper.author, *paper.signed]:
            with pytest.raises(SamePerson):
                sign(self.machines[which], signature)
        else:
            self.machines[which] = sign(self.machines[which], signature)
            paper.place += 1
            paper.signed.append(who)

    @rule(which=costs, reason=st.sampled_from(["", "不合理"]))
    def it_is_sent_back(self, which: int, reason: str) -> None:
        paper = self.papers[which]
        if paper.place > ORDER.index("company_signed") or not reason:
            with pytest.raises((IllegalStep, Invalid)):
                machine.sent_back(self.machines[which], reason=reason)
        else:
            self.machines[which] = machine.sent_back(self.machines[which], reason=reason)
            paper.place, paper.signed = 0, []

    @rule(which=costs)
    def it_is_filed(self, which: int) -> None:
        self.step(which, 2, lambda: machine.filed(self.machines[which], at=NOW))

    @rule(which=costs, month=st.sampled_from(["2026-02", "2026-03", "2026-04"]))
    def it_is_reconciled(self, which: int, month: str) -> None:
        def reconcile() -> Settlement:
            return machine.reconciled(self.machines[which], month=month, filed_on=TODAY, today=TODAY)

        if self.papers[which].place == 3 and month != "2026-03":
            with pytest.raises(Invalid):
                reconcile()
        else:
            self.step(which, 3, reconcile)

    @rule(which=costs)
    def it_is_settled(self, which: int) -> None:
        if not self.step(which, 4, lambda: machine.settled(self.machines[which])):
            return
        due = self.papers[which].crew_cents
        taken = deduct(balance(self.postings), yuan(due))
        if taken.posted:
            self.postings.append(-taken.posted)
        expected = min(self.cents, due)
        assert (taken.posted, taken.owed) == (yuan(expected), yuan(due - expected))
        self.cents -= expected
        self.owed_cents += due - expected
        self.due_cents += due
        self.taken_cents += expected

    @rule(which=costs)
    def it_is_closed(self, which: int) -> None:
        self.step(which, 5, lambda: machine.closed(self.machines[which]))

    def step(self, which: int, turn: int, move: object) -> bool:
        """Try a step that is possible in one state only."""
        assert callable(move)
        if self.papers[which].place != turn:
            with pytest.raises(IllegalStep):
                move()
            return False
        self.machines[which] = move()
        self.papers[which].place += 1
        return True

    @rule(
        kind=st.sampled_from([kind for kind in PostingKind if kind is not PostingKind.DEDUCT]),
        cents=st.integers(1, 100_000),
        down=st.booleans(),
    )
    def finance_posts(self, kind: PostingKind, cents: int, down: bool) -> None:
        minus = kind is PostingKind.RELEASE or (kind is PostingKind.ADJUST and down)
        amount = yuan(-cents if kind is PostingKind.ADJUST and down else cents)
        if minus and cents > self.cents:
            with pytest.raises(Overdrawn):
                signed_amount(kind, amount, balance(self.postings))
            return
        self.postings.append(signed_amount(kind, amount, balance(self.postings)))
        self.cents += -cents if minus else cents

    @rule(cents=st.integers(1, 1000))
    def nobody_deducts_by_hand(self, cents: int) -> None:
        with pytest.raises(Invalid):
            signed_amount(PostingKind.DEDUCT, yuan(cents), balance(self.postings))

    @invariant()
    def the_state_is_the_papers(self) -> None:
        for settlement, paper in zip(getattr(self, "machines", []), getattr(self, "papers", []), strict=True):
            assert settlement.state.value == ORDER[paper.place]
            assert settlement.author == paper.author
            signed = [part.user_id for part in (settlement.service, settlement.company) if part]
            assert signed == paper.signed and len({paper.author, *signed}) == len(signed) + 1

    @invariant()
    def the_balance_is_the_sum_and_never_below_nothing(self) -> None:
        held = balance(getattr(self, "postings", []))
        assert held == yuan(getattr(self, "cents", 0)) and held >= 0

    @invariant()
    def what_was_due_was_taken_or_is_owed(self) -> None:
        assert getattr(self, "due_cents", 0) == getattr(self, "taken_cents", 0) + getattr(
            self, "owed_cents", 0
        )


SettlementModel.TestCase.settings = settings(max_examples=120, stateful_step_count=50, deadline=None)
TestSettlements = SettlementModel.TestCase


@st.composite
def sheets(draw: st.DrawFn) -> tuple[Figures, int, int]:
    """A sheet that adds up, with the cents of its total and of an error of at least one cent."""
    labour, travel = draw(st.integers(0, 10**6)), draw(st.integers(0, 10**6))
    prices = draw(st.lists(st.tuples(st.integers(1, 99), st.integers(0, 10**5)), max_size=5))
    total = labour + travel + sum(quantity * price for quantity, price in prices)
    crew = draw(st.integers(0, total))
    figures = Figures(
        labour=yuan(labour),
        travel=yuan(travel),
        material=tuple(
            Material(item="材料", kind=MaterialKind.MAIN, quantity=Decimal(quantity), price=yuan(price))
            for quantity, price in prices
        ),
        total=yuan(total),
        bearers={CostBearer.CREW: yuan(crew), CostBearer.COMPANY: yuan(total - crew)},
    )
    return figures, total, draw(st.integers(1, 1000))


@pytest.mark.parametrize("side", ["total", "bearers"])
@settings(max_examples=150, deadline=None)
@given(made=sheets())
def test_a_sheet_is_taken_when_it_adds_up_and_refused_when_a_cent_is_missing(
    side: str, made: tuple[Figures, int, int]
) -> None:
    figures, total, wrong = made
    sheet = machine.read_sheet(figures, has_crew=True)
    assert sheet.total == yuan(total)
    assert (sheet.kind is CostKind.ABNORMAL) is bool(figures.material)
    broken = (
        replace(figures, total=yuan(total + wrong))
        if side == "total"
        else replace(figures, bearers={CostBearer.COMPANY: yuan(total + wrong)})
    )
    with pytest.raises(Invalid) as caught:
        machine.read_sheet(broken, has_crew=True)
    assert caught.value.field == side
