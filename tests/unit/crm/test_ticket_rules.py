"""Problem tickets by the rules (domain.md §1.4, CB-6); the model test walks through everything else."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from crm.domain.case import STATUSES, CaseKind, CaseStatus, Severity
from crm.domain.machine import IllegalStep
from crm.domain.ticket import (
    MAX_PARTS,
    ConvertWhy,
    Moved,
    Part,
    PartStatus,
    PartStep,
    Revisit,
    Ticket,
    TicketLimit,
    TicketStep,
    add_part,
    check_revisit_time,
    close,
    convert,
    notice_owed,
    open_ticket,
    part_steps,
    refuse_part,
    reroute,
    revisit,
    set_severity,
    sign,
    solve,
    ticket_steps,
    unfounded,
    waive,
)
from kernel.errors import Invalid, NotFound

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
ENG, MAT, DES = Part("p1", "ENG"), Part("p2", "MAT"), Part("p3", "DES")


def opened(*parts: Part, severity: Severity = Severity.GENERAL) -> Ticket:
    return open_ticket(severity, parts or (ENG,)).ticket


def solved(*parts: Part) -> Ticket:
    ticket = opened(*parts)
    for part in ticket.parts:
        ticket = solve(sign(ticket, part.part_id).ticket, part.part_id).ticket
    return ticket


def test_TD_OPEN_in_hand_solved_verified_closed() -> None:
    ticket = opened()
    seen = [ticket.status]
    for moved in (sign(ticket, "p1"),):
        ticket = moved.ticket
        seen.append(ticket.status)
    ticket = solve(ticket, "p1").ticket
    seen.append(ticket.status)
    ticket = revisit(ticket, Revisit.SATISFIED).ticket
    seen.append(ticket.status)
    ticket = close(ticket).ticket
    seen.append(ticket.status)
    assert seen == list(STATUSES[CaseKind.TICKET][:5])


def test_TD_T1_runs_from_opening_to_the_signature_and_T2_from_there_to_solved() -> None:
    assert open_ticket(Severity.GENERAL, (ENG, MAT)).limits == (
        (TicketLimit.OPENED, "p1"),
        (TicketLimit.OPENED, "p2"),
    )
    assert sign(opened(), "p1").limits == ((TicketLimit.IN_HAND, "p1"),)
    assert solve(sign(opened(), "p1").ticket, "p1").limits == ((TicketLimit.SOLVED, "p1"),)
    assert refuse_part(opened(), "p1").limits == ((TicketLimit.REFUSED, "p1"),)


def test_TD_several_departments_the_least_advanced_counts() -> None:
    ticket = sign(opened(ENG, MAT), "p1").ticket
    assert ticket.status is CaseStatus.OPEN
    ticket = sign(ticket, "p2").ticket
    assert ticket.status is CaseStatus.IN_HAND
    one = solve(ticket, "p1")
    assert (one.ticket.status, one.revisit_wanted) == (CaseStatus.IN_HAND, False)
    both = solve(one.ticket, "p2")
    assert (both.ticket.status, both.revisit_wanted) == (CaseStatus.SOLVED, True)


def test_TD_CONVERTED_when_severity_is_two_or_more() -> None:
    for severity in (Severity.SERIOUS, Severity.MAJOR):
        moved = open_ticket(severity, (ENG,))
        assert (moved.ticket.status, moved.converted) == (CaseStatus.CONVERTED, ConvertWhy.SEVERITY)
        later = set_severity(opened(), severity)
        assert (later.ticket.status, later.converted) == (CaseStatus.CONVERTED, ConvertWhy.SEVERITY)
        assert later.limits[-1] == (TicketLimit.VOID, "")
    assert set_severity(opened(), Severity.GENERAL) == Moved(opened())


def test_TD_CONVERTED_when_the_customer_says_so() -> None:
    for ticket in (opened(), sign(opened(), "p1").ticket, solved(), waive(solved()).ticket):
        moved = convert(ticket, ConvertWhy.CUSTOMER)
        assert moved.ticket.status is CaseStatus.CONVERTED
        assert moved.converted is ConvertWhy.CUSTOMER
        assert (TicketLimit.VOID, "") in moved.limits


def test_TD_CONVERTED_when_the_revisit_fails() -> None:
    moved = revisit(solved(), Revisit.DISSATISFIED)
    assert (moved.ticket.status, moved.converted) == (CaseStatus.CONVERTED, ConvertWhy.REVISIT)


def test_TD_a_customer_who_is_not_reached_is_asked_again() -> None:
    assert revisit(solved(), Revisit.NOT_REACHED) == Moved(solved())


@pytest.mark.parametrize(
    "ticket", [close(waive(solved()).ticket).ticket, convert(opened(), ConvertWhy.CUSTOMER).ticket]
)
def test_TD_what_is_over_stays_over(ticket: Ticket) -> None:
    assert ticket_steps(ticket) == ()
    assert part_steps(ticket, ticket.parts[0]) == ()
    steps: tuple[Callable[[], Moved], ...] = (
        lambda: sign(ticket, "p1"),
        lambda: add_part(ticket, MAT),
        lambda: revisit(ticket, Revisit.SATISFIED),
        lambda: convert(ticket, ConvertWhy.CUSTOMER),
        lambda: set_severity(ticket, Severity.MAJOR),
        lambda: close(ticket),
    )
    for step in steps:
        with pytest.raises(IllegalStep, match="possible now: none"):
            step()


def test_a_step_that_the_state_does_not_allow_names_those_that_it_does() -> None:
    with pytest.raises(IllegalStep, match="possible now: refuse, sign") as caught:
        solve(opened(), "p1")
    assert caught.value.field == "status"
    with pytest.raises(IllegalStep, match="possible now: convert, revisit, waive"):
        close(solved())
    with pytest.raises(NotFound):
        sign(opened(), "p9")
    assert part_steps(opened(), ENG) == (PartStep.SIGN, PartStep.REFUSE)
    assert ticket_steps(solved()) == (TicketStep.REVISIT, TicketStep.WAIVE, TicketStep.CONVERT)


def test_a_refused_part_goes_to_another_department_or_is_not_so() -> None:
    ticket = refuse_part(opened(), "p1").ticket
    assert ticket.status is CaseStatus.OPEN
    with pytest.raises(Invalid) as caught:
        reroute(ticket, "p1", Part("p4", "ENG"))
    assert caught.value.field == "department"
    moved = reroute(ticket, "p1", MAT)
    assert [part.status for part in moved.ticket.parts] == [PartStatus.REROUTED, PartStatus.OPEN]
    assert moved.limits == ((TicketLimit.VOID, "p1"), (TicketLimit.OPENED, "p2"))
    last = unfounded(ticket, "p1")
    assert (last.ticket.status, last.revisit_wanted) == (CaseStatus.SOLVED, True)


def test_a_department_has_one_part_at_a_time() -> None:
    for parts in ((), (ENG, Part("p8", "ENG")), tuple(Part(f"p{n}", f"D{n}") for n in range(MAX_PARTS + 1))):
        with pytest.raises(Invalid) as caught:
            open_ticket(Severity.GENERAL, parts)
        assert caught.value.field == "departments"
    with pytest.raises(Invalid):
        add_part(opened(), Part("p8", "ENG"))
    ticket = reroute(refuse_part(opened(ENG, MAT), "p1").ticket, "p1", DES).ticket
    assert add_part(ticket, Part("p9", "ENG")).ticket.status is CaseStatus.OPEN


def test_CB6_a_notice_goes_up_when_fed_back_twice_and_not_solved_in_time() -> None:
    assert notice_owed(2, late=True) and notice_owed(5, late=True)
    assert not notice_owed(1, late=True) and not notice_owed(2, late=False)


def test_a_revisit_follows_the_solution() -> None:
    check_revisit_time(NOW, solved_at=NOW, now=NOW)
    for at in (NOW - timedelta(hours=2), NOW + timedelta(seconds=1)):
        with pytest.raises(Invalid) as caught:
            check_revisit_time(at, solved_at=NOW - timedelta(hours=1), now=NOW)
        assert caught.value.field == "revisited_at"
