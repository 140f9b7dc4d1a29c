"""Tickets against a model that counts flags and knows nothing of states (domain.md §1.4)."""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from crm.domain.case import CaseStatus, Severity
from crm.domain.machine import IllegalStep
from crm.domain.ticket import (
    MAX_PARTS,
    ConvertWhy,
    Moved,
    Part,
    Revisit,
    Ticket,
    TicketLimit,
    add_part,
    close,
    convert,
    open_ticket,
    refuse_part,
    reroute,
    revisit,
    set_severity,
    sign,
    solve,
    unfounded,
    waive,
    withdraw,
)
from kernel.errors import Invalid

pytestmark = pytest.mark.property

CODES = ("ENG", "MAT", "DES", "STO")
PARTS = st.integers(0, MAX_PARTS)


@dataclass
class Share:
    """One department, as somebody would note it on paper."""

    code: str
    signed: bool = False
    solved: bool = False
    refused: bool = False
    gone: bool = False
    clock: str = "T1"


@dataclass
class Paper:
    """A ticket on paper."""

    shares: list[Share] = field(default_factory=list)
    agreed: bool = False
    ended: str = ""

    @property
    def live(self) -> list[Share]:
        return [share for share in self.shares if not share.gone]

    @property
    def all_solved(self) -> bool:
        return all(share.solved for share in self.live)

    def state(self) -> str:
        if self.ended:
            return self.ended
        if self.agreed:
            return "verified"
        if self.all_solved:
            return "solved"
        return "open" if any(not share.signed for share in self.live) else "in_hand"


class TicketModel(RuleBasedStateMachine):
    ticket: Ticket
    paper: Paper

    @initialize(count=st.integers(1, 3))
    def begin(self, count: int) -> None:
        self.paper = Paper([Share(code) for code in CODES[:count]])
        self.made = count
        self.timers: dict[str, str] = {}
        self.revisits = 0
        self.wanted = 0
        moved = open_ticket(Severity.GENERAL, [Part(f"p{n}", CODES[n]) for n in range(count)])
        self.take(moved)

    def take(self, moved: Moved) -> None:
        """Do with limits what the steps say."""
        self.ticket = moved.ticket
        for limit, part_id in moved.limits:
            match limit:
                case TicketLimit.OPENED:
                    self.timers[part_id] = "T1"
                case TicketLimit.IN_HAND:
                    self.timers[part_id] = "T2"
                case TicketLimit.VOID if not part_id:
                    self.timers.clear()
                case _:
                    self.timers.pop(part_id, None)
        self.wanted += moved.revisit_wanted

    def attempt(self, allowed: bool, step: object, *arguments: object) -> bool:
        """Take a step; it must go just when the paper says so."""
        before, timers = self.ticket, dict(self.timers)
        try:
            self.take(step(self.ticket, *arguments))  # type: ignore[operator]
        except (IllegalStep, Invalid):
            assert not allowed, f"{step} was refused"
            assert (self.ticket, self.timers) == (before, timers)
            return False
        assert allowed, f"{step} was allowed"
        return True

    def share(self, number: int) -> tuple[int, Share]:
        number %= len(self.paper.shares)
        return number, self.paper.shares[number]

    @rule(number=PARTS)
    def signs(self, number: int) -> None:
        n, share = self.share(number)
        fits = not (self.paper.ended or share.signed or share.refused or share.gone)
        if self.attempt(fits, sign, f"p{n}"):
            share.signed, share.clock = True, "T2"

    @rule(number=PARTS)
    def refuses(self, number: int) -> None:
        n, share = self.share(number)
        fits = not (self.paper.ended or share.signed or share.refused or share.gone)
        if self.attempt(fits, refuse_part, f"p{n}"):
            share.refused, share.clock = True, ""

    @rule(number=PARTS)
    def solves(self, number: int) -> None:
        n, share = self.share(number)
        fits = not self.paper.ended and share.signed and not share.solved
        if self.attempt(fits, solve, f"p{n}"):
            share.solved, share.clock = True, ""
            self.revisits += self.paper.all_solved

    @rule(number=PARTS)
    def is_not_so(self, number: int) -> None:
        n, share = self.share(number)
        fits = not self.paper.ended and share.refused and not share.gone
        if self.attempt(fits, unfounded, f"p{n}"):
            share.gone = True
            self.revisits += self.paper.all_solved

    @rule(number=PARTS, code=st.sampled_from(CODES))
    def reroutes(self, number: int, code: str) -> None:
        n, share = self.share(number)
        others = {other.code for other in self.paper.live if other is not share}
        fits = (
            not self.paper.ended
            and share.refused
            and not share.gone
            and code != share.code
            and code not in others
            and len(self.paper.shares) < MAX_PARTS
        )
        if self.attempt(fits, reroute, f"p{n}", Part(f"p{self.made}", code)):
            share.gone = True
            self.paper.shares.append(Share(code))
            self.made += 1

    @rule(code=st.sampled_from(CODES))
    def another_department(self, code: str) -> None:
        fits = (
            self.paper.state() in {"open", "in_hand"}
            and code not in {share.code for share in self.paper.live}
            and len(self.paper.shares) < MAX_PARTS
        )
        if self.attempt(fits, add_part, Part(f"p{self.made}", code)):
            self.paper.shares.append(Share(code))
            self.made += 1

    @rule(said=st.sampled_from(Revisit))
    def asked_again(self, said: Revisit) -> None:
        if self.attempt(self.paper.state() == "solved", revisit, said):
            self.paper.agreed = said is Revisit.SATISFIED
            if said is Revisit.DISSATISFIED:
                self.paper.ended = "converted"

    @rule()
    def waives(self) -> None:
        if self.attempt(self.paper.state() == "solved", waive):
            self.paper.agreed = True

    @rule()
    def closes(self) -> None:
        if self.attempt(self.paper.state() == "verified", close):
            self.paper.ended = "closed"

    @rule()
    def takes_it_back(self) -> None:
        untouched = not any(share.signed or share.refused for share in self.paper.shares)
        if self.attempt(not self.paper.ended and untouched, withdraw):
            self.paper.ended = "closed"

    @rule(why=st.sampled_from(ConvertWhy))
    def converts(self, why: ConvertWhy) -> None:
        if self.attempt(not self.paper.ended, convert, why):
            self.paper.ended = "converted"

    @rule(severity=st.sampled_from(Severity))
    def is_as_bad_as(self, severity: Severity) -> None:
        if self.attempt(not self.paper.ended, set_severity, severity) and severity >= Severity.SERIOUS:
            self.paper.ended = "converted"

    @invariant()
    def agrees_with_the_paper(self) -> None:
        assert self.ticket.status is CaseStatus(self.paper.state())
        assert len(self.ticket.parts) == len(self.paper.shares)

    @invariant()
    def limits_run_just_for_what_is_owed(self) -> None:
        owed = {
            f"p{n}": share.clock
            for n, share in enumerate(self.paper.shares)
            if share.clock and not share.gone and not self.paper.ended
        }
        assert self.timers == owed

    @invariant()
    def the_customer_is_asked_each_time_all_is_solved(self) -> None:
        assert self.wanted == self.revisits


TestTickets = TicketModel.TestCase
TestTickets.settings = settings(max_examples=120, stateful_step_count=25, deadline=None)
