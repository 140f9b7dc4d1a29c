"""Every operation on complaints and major complaints, by every role, of the own, another and no department.

The table is spelled out here a second time. Who may not do something is refused before anything is looked at
or changed; the services check it, so that no way in goes round it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from crm.cases import CaseFilter
from crm.complaint_input import Acceptance, Analysis, NewCallback, NewVisit, Timeliness
from crm.complaint_views import ComplaintView, LineView
from crm.domain.case import Severity
from crm.domain.complaint import Verdict
from crm.domain.complaint_line import AcceptMode, ProblemStatus
from crm.domain.line_record import RecordKind
from crm.escalation_read import EscalationFilter
from crm.escalation_views import EscalationView
from crm.escalations import Liability
from crm.handoffs import Box, Dispatch
from crm.limit_lists import OverdueList
from crm.line_records import NewRecord
from kernel.access import Actor, Role
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.support.complaints import (
    DESIGN,
    HOUR,
    PIN,
    SPECIALIST,
    WORKMANSHIP,
    Desk,
    open_desk,
    person,
)
from tests.support.escalations import NEW, SHARES, money

pytestmark = pytest.mark.integration

A, S, M, X = Role.AGENT, Role.SUPERVISOR, Role.MANAGER, Role.ADMINISTRATOR
H, D, C = Role.DEPARTMENT_HEAD, Role.DEPARTMENT_MEMBER, Role.CAPTAIN
G, F, P = Role.GENERAL_MANAGER, Role.FINANCE, Role.HR
CARE = {A, S, M, X}
EVERYBODY = set(Role)
OFFICE = CARE | {G, F, P}
"""Sees every department's cases; needs no department."""
OF_DEPARTMENTS = (H, D, C)


@dataclass
class Thing:
    """A complaint with two lines, of ENG and DES, handed off; and what became of it."""

    desk: Desk
    view: ComplaintView
    major: EscalationView | None = None

    @property
    def line(self) -> LineView:
        return self.view.lines[0]

    @property
    def at(self) -> tuple[str, int]:
        return self.view.case_id, self.view.version

    @property
    def on(self) -> tuple[str, int]:
        return self.line.line_id, self.line.version

    @property
    def of(self) -> tuple[str, int]:
        assert self.major is not None
        return self.major.escalation_id, self.major.version


Call = Callable[[Thing, Actor], Awaitable[Any]]


def visit(thing: Thing) -> NewVisit:
    now = thing.desk.now
    return NewVisit(arrived_at=now, left_at=now, who="刘", record="到场")


SAID = NewCallback(verdict=Verdict.SATISFIED, problem=ProblemStatus.SOLVED, timeliness=Timeliness.TIMELY)
WHY = Analysis(root_cause="a", preventive_step="b", owner="c")
NOTED = NewRecord(kind=RecordKind.OTHER, done="x")
ACCEPT = Acceptance(signature=PIN, mode=AcceptMode.PLAN_FIRST)

# Operation → who may, and the call. What the state of the thing allows is another matter.
CARED_FOR: dict[str, tuple[set[Role], Call]] = {
    "register": (CARE, lambda t, who: t.desk.new(WORKMANSHIP, by=who)),
    "called_again": (CARE, lambda t, who: t.desk.services.complaints.called_again(who, t.at[0])),
    "add_line": (CARE, lambda t, who: t.desk.services.complaints.add_line(who, *t.at, DESIGN)),
    "raise_severity": (
        CARE,
        lambda t, who: t.desk.services.complaints.set_severity(who, *t.at, Severity.MAJOR, "x"),
    ),
    "hand_off": (CARE, lambda t, who: t.desk.services.complaints.hand_off(who, *t.at, Dispatch())),
    "reroute": (CARE, lambda t, who: t.desk.services.complaints.reroute(who, *t.on, "MAT", "x")),
    "unfounded": (CARE, lambda t, who: t.desk.services.complaints.close_unfounded(who, *t.on, "x")),
    "call_back": (CARE, lambda t, who: t.desk.services.end.call_back(who, *t.at, SAID)),
    "reply": (CARE, lambda t, who: t.desk.services.end.reply_to_source(who, *t.at, "x")),
    "close": (CARE, lambda t, who: t.desk.services.end.close(who, *t.at)),
    "analyse": (CARE, lambda t, who: t.desk.services.end.analyse(who, *t.at, WHY)),
    "waive": ({M}, lambda t, who: t.desk.services.end.waive_callback(who, *t.at, "x")),
    "not_file": ({M}, lambda t, who: t.desk.services.end.not_file(who, *t.at, "x")),
    "decide_plan": (
        {M},
        lambda t, who: t.desk.services.work.decide_plan(who, *t.on, approved=True),
    ),
    "escalate": (CARE, lambda t, who: t.desk.services.escalations.submit(who, *t.at, NEW)),
}
WORKED_ON: dict[str, tuple[set[Role], Call]] = {
    "accept": ({H, C}, lambda t, who: t.desk.services.work.accept(who, *t.on, ACCEPT)),
    "reject": ({H, C}, lambda t, who: t.desk.services.work.reject(who, *t.on, "x")),
    "assign": ({H, D, C}, lambda t, who: t.desk.services.work.assign(who, *t.on, "刘")),
    "verify": ({H, D, C}, lambda t, who: t.desk.services.work.verify(who, *t.on, facts="x")),
    "agree_visit": (
        {H, D, C},
        lambda t, who: t.desk.services.work.agree_visit(
            who, *t.on, visit_from=t.desk.now + HOUR, visit_until=t.desk.now + 2 * HOUR
        ),
    ),
    "plan": ({H, D, C}, lambda t, who: t.desk.services.work.plan(who, *t.on, t.desk.new_plan())),
    "visit": ({H, D, C}, lambda t, who: t.desk.services.work.record_visit(who, *t.on, visit(t))),
    "done": ({H, D, C}, lambda t, who: t.desk.services.work.claim_done(who, *t.on, note="x")),
    "record": (CARE | {H, D, C}, lambda t, who: t.desk.services.records.add(who, t.on[0], NOTED)),
}
SEEN: dict[str, tuple[set[Role], Call]] = {
    "get": (EVERYBODY, lambda t, who: t.desk.services.complaints.get(who, t.at[0])),
    "get_line": (EVERYBODY, lambda t, who: t.desk.services.work.get(who, t.on[0])),
    "records": (EVERYBODY, lambda t, who: t.desk.services.records.page(who, t.on[0])),
    "sheet": (
        EVERYBODY,
        lambda t, who: t.desk.services.handoffs.sheet(who, t.line.handoffs[0].handoff_id),
    ),
    "escalation": (EVERYBODY, lambda t, who: t.desk.services.escalations.get(who, t.of[0])),
}
DECIDED: dict[str, tuple[set[Role], Call]] = {
    "review": (
        {M},
        lambda t, who: t.desk.services.escalations.review(who, *t.of, visit_needed=True),
    ),
    "agree_major_visit": (
        {M},
        lambda t, who: t.desk.services.escalations.agree_visit(
            who, *t.of, visit_from=t.desk.now, visit_until=t.desk.now + HOUR, visit_with="x"
        ),
    ),
    "record_major_visit": (
        {M},
        lambda t, who: t.desk.services.escalations.record_visit(
            who, *t.of, visited_at=t.desk.now, record="x"
        ),
    ),
    "settle_liability": (
        {M},
        lambda t, who: t.desk.services.escalations.settle_liability(
            who, *t.of, Liability(shares=SHARES, with_head="x")
        ),
    ),
    "plan_major": (
        {M},
        lambda t, who: t.desk.services.escalations.plan(who, *t.of, plan="x", costs=True),
    ),
    "close_major": (CARE, lambda t, who: t.desk.services.escalations.close(who, *t.of, outcome="x")),
    "request": ({M}, lambda t, who: t.desk.services.compensations.request(who, *t.of, money())),
    "change": ({M}, lambda t, who: t.desk.services.compensations.change(who, *t.of, money())),
    "review_money": ({G}, lambda t, who: t.desk.services.compensations.review(who, *t.of, agreed=True)),
    "voucher": (
        {F},
        lambda t, who: t.desk.services.compensations.write_voucher(
            who, *t.of, voucher_no="PZ", amount=Decimal(3000)
        ),
    ),
    "approve": ({G}, lambda t, who: t.desk.services.compensations.approve(who, *t.of, approved=True)),
    "pay": (
        {F},
        lambda t, who: t.desk.services.compensations.pay(who, *t.of, receipt_no="SJ", paid_at=None),
    ),
    "send_recovery": ({F}, lambda t, who: t.desk.services.compensations.send_recovery(who, *t.of)),
    "recovered": ({P}, lambda t, who: t.desk.services.compensations.recovered(who, *t.of, new_ulid())),
    "recoveries": ({P}, lambda t, who: t.desk.services.compensations.recoveries(who)),
}


async def outcome(thing: Thing, call: Call, who: Actor) -> str:
    """Try something: ``may``, ``forbidden`` or ``unseen``; a state that does not allow it is no matter."""
    try:
        await call(thing, who)
    except Forbidden:
        return "forbidden"
    except StaleVersion as error:
        raise AssertionError("looked at the version of something else") from error
    except NotFound as error:
        return "may" if error.field in {"recovery_id", "compensation", "department"} else "unseen"
    except (Conflict, Invalid):
        return "may"
    return "may"


@pytest.fixture
async def desk(sqlite: Database, clock: FakeClock) -> Desk:
    return await open_desk(sqlite, clock)


async def fresh(desk: Desk, *, major: bool) -> Thing:
    view = await desk.handed_off(WORKMANSHIP, DESIGN)
    thing = Thing(desk, view)
    if major:
        thing.major = await desk.services.escalations.submit(SPECIALIST, *thing.at, NEW)
        thing.view = await desk.get(view)
    return thing


ALL = {**CARED_FOR, **WORKED_ON, **SEEN, **DECIDED}


@pytest.mark.parametrize("name", sorted(ALL))
async def test_who_may(desk: Desk, name: str) -> None:
    roles, call = ALL[name]
    major = name in DECIDED or name == "escalation"
    thing = await fresh(desk, major=major)
    wrong: list[str] = []
    for role in Role:
        places = ("ENG", "DES", "MAT") if role in OF_DEPARTMENTS else (None,)
        for department in places:
            who = person(f"{role} {department}", role, department)
            expected = "may" if role in roles else "forbidden"
            if department == "MAT" and expected == "may":
                expected = "unseen"
            if department == "DES" and name in WORKED_ON and expected == "may":
                expected = "forbidden"  # it has a part in the complaint, but not this one
            if department == "DES" and name == "sheet":
                expected = "unseen"  # another department's receipt
            if department == "MAT" and name in {*WORKED_ON, *SEEN}:
                expected = "unseen"  # that it exists is not told
            found = await outcome(thing, call, who)
            if found != expected:
                wrong.append(f"{name} by {who.name}: {found}, expected {expected}")
            if found == "may":
                thing = await fresh(desk, major=major)
    assert wrong == []


async def test_the_lists_hold_only_what_one_may_see(desk: Desk) -> None:
    thing = await fresh(desk, major=True)
    services = desk.services
    desk.clock.advance(100 * HOUR)
    for role in Role:
        for department in ("ENG", "MAT") if role in OF_DEPARTMENTS else (None,):
            who = person("somebody", role, department)
            sees = role in OFFICE or department == "ENG"
            cases = (await services.complaints.page(who, CaseFilter())).items
            assert (thing.at[0] in {case.case_id for case in cases}) == sees
            handoffs = (await services.handoffs.page(who, Box.ALL)).items
            assert {handoff.department for handoff in handoffs} == (
                {"ENG", "DES"} if role in OFFICE else {"ENG"} if sees else set()
            )
            late = (await services.overdue.overdue_page(who, OverdueList.NOT_ACCEPTED)).items
            # Their lines, and that the manager has not looked into the major complaint (ES.REVIEW).
            assert len(late) == (3 if role in OFFICE else 2 if sees else 0)
            majors = (await services.escalations.page(who, EscalationFilter())).items
            assert len(majors) == (1 if sees else 0)


async def test_a_program_signs_for_nobody(desk: Desk) -> None:
    thing = await fresh(desk, major=False)
    with pytest.raises(Forbidden):
        await desk.services.work.accept(Actor.system("import"), *thing.on, ACCEPT)
