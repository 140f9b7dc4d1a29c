"""One cause line of a complaint: a department's part, with a state of its own (domain.md §1.3).

A department accepts in one of three ways (G1), and the way decides the path. ``*`` marks the step that
files with customer service what will be done, and so ends limit T3:

=============== ========================= ========================= =========================
state           visit first               plan first                no plan needed
=============== ========================= ========================= =========================
REGISTERED      hand_off → HANDED_OFF     the same                  the same
HANDED_OFF      accept → ACCEPTED         the same                  the same
                reject → REJECTED
REJECTED        reroute → REROUTED        –                         –
                unfounded → UNFOUNDED
ACCEPTED        verify → VERIFIED         the same                  the same
VERIFIED        agree_visit* → VISIT_AGR. plan* → PLANNED           agree_visit* → VISIT_AGR.
                                                                    done* → DONE
VISIT_AGREED    agree_visit → VISIT_AGR.  –                         agree_visit → VISIT_AGR.
                visit → VISITED                                     visit → ON_SITE
VISITED         plan* → PLANNED           –                         –
PLAN_REVIEW     decide → PLANNED, or      the same                  the same
                → PLAN_REFUSED
PLAN_REFUSED    plan* → PLANNED           the same                  the same
PLANNED         plan, agree_visit         the same                  the same
                → PLANNED
                visit → ON_SITE
                done → DONE, unless an
                agreed visit is to come
ON_SITE         visit → ON_SITE           the same                  the same
                plan → PLANNED                                      agree_visit → ON_SITE
                done → DONE
DONE            called_back → CLOSED or   the same                  the same
                → UNSOLVED
UNSOLVED        verify → VERIFIED         verify → VERIFIED         verify → VERIFIED
                plan* → PLANNED           plan* → PLANNED           plan* → PLANNED
                agree_visit* → VISIT_AGR.                           agree_visit* → VISIT_AGR.
                                                                    done* → DONE
=============== ========================= ========================= =========================

Where a plan needs approval, ``plan`` leads to PLAN_REVIEW instead of PLANNED. Once the agreed visit is over,
the customer may be called back from VISIT_AGREED, VISITED, PLANNED and ON_SITE too: T4 runs from there.
CLOSED, UNFOUNDED and REROUTED are final. A line that the customer says nobody contacted him about must be
verified again before anything else (domain.md §3.5 TS1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class LineStatus(StrEnum):
    """Where a department's part stands (``line_status`` of domain.md §4.3)."""

    REGISTERED = "registered"
    HANDED_OFF = "handed_off"
    REJECTED = "rejected"
    ACCEPTED = "accepted"
    VERIFIED = "verified"
    VISIT_AGREED = "visit_agreed"
    VISITED = "visited"
    PLAN_REVIEW = "plan_review"
    PLAN_REFUSED = "plan_refused"
    PLANNED = "planned"
    ON_SITE = "on_site"
    DONE = "done"
    UNSOLVED = "unsolved"
    CLOSED = "closed"
    UNFOUNDED = "unfounded"
    REROUTED = "rerouted"

    @property
    def is_open(self) -> bool:
        """Whether something is still owed on this line."""
        return self not in LINE_FINAL


LINE_FINAL = frozenset({LineStatus.CLOSED, LineStatus.UNFOUNDED, LineStatus.REROUTED})

LINE_LABELS = {
    LineStatus.REGISTERED: "待转交",
    LineStatus.HANDED_OFF: "未接收",
    LineStatus.REJECTED: "退回",
    LineStatus.ACCEPTED: "已接收",
    LineStatus.VERIFIED: "已核实",
    LineStatus.VISIT_AGREED: "已约上门",
    LineStatus.VISITED: "已出现场",
    LineStatus.PLAN_REVIEW: "方案待审核",
    LineStatus.PLAN_REFUSED: "方案未通过",
    LineStatus.PLANNED: "已出方案",
    LineStatus.ON_SITE: "在处理",
    LineStatus.DONE: "已解决待回访",
    LineStatus.UNSOLVED: "回访未解决",
    LineStatus.CLOSED: "结案",
    LineStatus.UNFOUNDED: "不属实结案",
    LineStatus.REROUTED: "已改派",
}


class AcceptMode(StrEnum):
    """How a department accepts (G1)."""

    VISIT_FIRST = "visit_first"
    PLAN_FIRST = "plan_first"
    NO_PLAN = "no_plan"


class ProblemStatus(StrEnum):
    """What the customer says of the problem when called back (G1)."""

    NOT_CONTACTED = "not_contacted"
    NOT_HANDLED = "not_handled"
    IN_HAND = "in_hand"
    SOLVED = "solved"
    NOT_CONNECTED = "not_connected"


class Step(StrEnum):
    """What moves a line."""

    HAND_OFF = "hand_off"
    ACCEPT = "accept"
    REJECT = "reject"
    REROUTE = "reroute"
    UNFOUNDED = "unfounded"
    VERIFY = "verify"
    AGREE_VISIT = "agree_visit"
    PLAN = "plan"
    DECIDE = "decide"
    VISIT = "visit"
    DONE = "done"
    CALLED_BACK = "called_back"


_S, _T, _M = LineStatus, Step, AcceptMode
_COMMON: Mapping[LineStatus, Mapping[Step, LineStatus]] = {
    _S.REGISTERED: {_T.HAND_OFF: _S.HANDED_OFF},
    _S.HANDED_OFF: {_T.ACCEPT: _S.ACCEPTED, _T.REJECT: _S.REJECTED},
    _S.REJECTED: {_T.REROUTE: _S.REROUTED, _T.UNFOUNDED: _S.UNFOUNDED},
    _S.ACCEPTED: {_T.VERIFY: _S.VERIFIED},
    _S.PLAN_REVIEW: {_T.DECIDE: _S.PLANNED},
    _S.PLAN_REFUSED: {_T.PLAN: _S.PLANNED},
    _S.PLANNED: {
        _T.PLAN: _S.PLANNED,
        _T.AGREE_VISIT: _S.PLANNED,
        _T.VISIT: _S.ON_SITE,
        _T.DONE: _S.DONE,
        _T.CALLED_BACK: _S.CLOSED,
    },
    _S.ON_SITE: {
        _T.VISIT: _S.ON_SITE,
        _T.PLAN: _S.PLANNED,
        _T.DONE: _S.DONE,
        _T.CALLED_BACK: _S.CLOSED,
    },
    _S.DONE: {_T.CALLED_BACK: _S.CLOSED},
    _S.UNSOLVED: {_T.VERIFY: _S.VERIFIED, _T.PLAN: _S.PLANNED},
}
_VISIT_AGREED = {_T.AGREE_VISIT: _S.VISIT_AGREED, _T.CALLED_BACK: _S.CLOSED}
_BY_MODE: Mapping[AcceptMode, Mapping[LineStatus, Mapping[Step, LineStatus]]] = {
    _M.VISIT_FIRST: {
        _S.VERIFIED: {_T.AGREE_VISIT: _S.VISIT_AGREED},
        _S.VISIT_AGREED: {**_VISIT_AGREED, _T.VISIT: _S.VISITED},
        _S.VISITED: {_T.PLAN: _S.PLANNED, _T.CALLED_BACK: _S.CLOSED},
        _S.UNSOLVED: {**_COMMON[_S.UNSOLVED], _T.AGREE_VISIT: _S.VISIT_AGREED},
    },
    _M.PLAN_FIRST: {_S.VERIFIED: {_T.PLAN: _S.PLANNED}},
    _M.NO_PLAN: {
        _S.VERIFIED: {_T.AGREE_VISIT: _S.VISIT_AGREED, _T.DONE: _S.DONE},
        _S.VISIT_AGREED: {**_VISIT_AGREED, _T.VISIT: _S.ON_SITE},
        _S.ON_SITE: {
            _T.VISIT: _S.ON_SITE,
            _T.AGREE_VISIT: _S.ON_SITE,
            _T.DONE: _S.DONE,
            _T.CALLED_BACK: _S.CLOSED,
        },
        _S.UNSOLVED: {
            _T.VERIFY: _S.VERIFIED,
            _T.PLAN: _S.PLANNED,
            _T.AGREE_VISIT: _S.VISIT_AGREED,
            _T.DONE: _S.DONE,
        },
    },
}

BEFORE_PLAN = frozenset({_S.ACCEPTED, _S.VERIFIED, _S.VISIT_AGREED, _S.VISITED, _S.PLAN_REFUSED, _S.UNSOLVED})
"""States in which a plan is still owed, where the way of accepting asks for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time that was agreed for a visit."""

    from_: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTerms:
    """What a department plans. Money is proposed here; it is only ever paid through an escalation."""

    solve_at: datetime
    visit: Window | None = None
    pay_customer: Decimal | None = None
    penalty: Decimal | None = None
    needs_approval: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the rules of a line depend on.

    Attributes:
        visit: the agreed visit that is to come, or was the last.
        visited_at: when somebody arrived for it; ``None`` while it is to come.
        callback_from: since when, or from when on, the callback is owed; ``None`` while it is not.
        needs_contact: the customer says nobody contacted him.
    """

    line_id: str = ""
    status: LineStatus = LineStatus.REGISTERED
    mode: AcceptMode | None = None
    accepted_at: datetime | None = None
    verified_at: datetime | None = None
    planned_visit_at: datetime | None = None
    planned_plan_at: datetime | None = None
    planned_solve_at: datetime | None = None
    visit: Window | None = None
    visited_at: datetime | None = None
    callback_from: datetime | None = None
    needs_contact: bool = False
    planner: str | None = None
    done_at: datetime | None = None
    unsolved_at: datetime | None = None
    solved_at: datetime | None = None

    @property
    def visit_to_come(self) -> bool:
        """Whether a visit is agreed that nobody has made yet."""
        return self.visit is not None and self.visited_at is None


def steps_from(line: Line) -> Mapping[Step, LineStatus]:
    """Return the steps that the line's state allows, and where they lead unless the guards say otherwise."""
    own = _BY_MODE[line.mode] if line.mode is not None else {}
    found = own.get(line.status, _COMMON.get(line.status, {}))
    if line.needs_contact and line.status is LineStatus.UNSOLVED:
        return {Step.VERIFY: LineStatus.VERIFIED}
    if Step.DONE in found and line.status is LineStatus.PLANNED and line.visit_to_come:
        return {step: target for step, target in found.items() if step is not Step.DONE}
    return found
