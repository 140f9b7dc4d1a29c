"""A major complaint 重大客诉: E0 to E10 (domain.md §1.3b).

=============== ======================================= ======================================================
state           step → state                            guard
=============== ======================================= ======================================================
E0 SUBMITTED    review → E1                             cause, process so far and demand were stated
E1 REVIEW       agree_visit → E2                        a visit is needed; ES.VISIT runs
                settle_liability → E3                   no visit is needed
E2 VISIT_AGREED agree_visit → E2                        the visit is moved
                record_visit → E2                       it took place; ES.VISIT ends
                settle_liability → E3                   the visit took place
E3 LIABILITY    settle_liability → E3                   the shares are corrected
                plan → E4
E4 PLAN         plan → E4                               the plan is changed
                request → E5                            the plan says that it costs something
                close → E10                             the plan costs nothing; TS callback done
E5 COST_REVIEW  agree → E6, refuse → E4                 requester ≠ reviewer; over the threshold: GM
E6 VOUCHER      write_voucher → E6                      amount = agreed amount
                approve → E7, refuse → E4               voucher written; whoever entered an amount ≠ approver
E7 APPROVED     pay → E8                                receipt; not before the approval
E8 PAID         send_recovery → E9                      somebody of the staff bears a part
                close → E10                             nobody does; TS callback done
E9 RECOVERY     recovered → E9                          HR has settled one share
                close → E10                             all are settled; TS callback done
=============== ======================================= ======================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from crm.domain.complaint_line import Window
from crm.domain.line_steps import check_window
from crm.domain.machine import refuse
from kernel.errors import Conflict, Invalid


class EscalationState(StrEnum):
    """Where a major complaint stands; the comment is the state's code in domain.md §1.3b."""

    SUBMITTED = "submitted"  # E0
    REVIEW = "review"  # E1
    VISIT_AGREED = "visit_agreed"  # E2
    LIABILITY = "liability"  # E3
    PLAN = "plan"  # E4
    COST_REVIEW = "cost_review"  # E5
    VOUCHER = "voucher"  # E6
    APPROVED = "approved"  # E7
    PAID = "paid"  # E8
    RECOVERY = "recovery"  # E9
    CLOSED = "closed"  # E10

    @property
    def code(self) -> str:
        """``E0`` to ``E10``."""
        return f"E{list(EscalationState).index(self)}"


ESCALATION_LABELS = {
    EscalationState.SUBMITTED: "已提交升级",
    EscalationState.REVIEW: "经理了解情况",
    EscalationState.VISIT_AGREED: "已约定上门",
    EscalationState.LIABILITY: "已界定责任",
    EscalationState.PLAN: "已拿出解决方案",
    EscalationState.COST_REVIEW: "公司主管审核费用",
    EscalationState.VOUCHER: "财务填写支出凭证",
    EscalationState.APPROVED: "领导已审批",
    EscalationState.PAID: "已支付",
    EscalationState.RECOVERY: "个人承担部分转人力",
    EscalationState.CLOSED: "解决完毕结案",
}


class Move(StrEnum):
    """What moves a major complaint."""

    REVIEW = "review"
    AGREE_VISIT = "agree_visit"
    RECORD_VISIT = "record_visit"
    SETTLE_LIABILITY = "settle_liability"
    PLAN = "plan"
    REQUEST = "request"
    AGREE = "agree"
    REFUSE = "refuse"
    WRITE_VOUCHER = "write_voucher"
    APPROVE = "approve"
    PAY = "pay"
    SEND_RECOVERY = "send_recovery"
    RECOVERED = "recovered"
    CLOSE = "close"


_S, _M = EscalationState, Move
TABLE: Mapping[EscalationState, Mapping[Move, EscalationState]] = {
    _S.SUBMITTED: {_M.REVIEW: _S.REVIEW},
    _S.REVIEW: {_M.AGREE_VISIT: _S.VISIT_AGREED, _M.SETTLE_LIABILITY: _S.LIABILITY},
    _S.VISIT_AGREED: {
        _M.AGREE_VISIT: _S.VISIT_AGREED,
        _M.RECORD_VISIT: _S.VISIT_AGREED,
        _M.SETTLE_LIABILITY: _S.LIABILITY,
    },
    _S.LIABILITY: {_M.SETTLE_LIABILITY: _S.LIABILITY, _M.PLAN: _S.PLAN},
    _S.PLAN: {_M.PLAN: _S.PLAN, _M.REQUEST: _S.COST_REVIEW, _M.CLOSE: _S.CLOSED},
    _S.COST_REVIEW: {_M.AGREE: _S.VOUCHER, _M.REFUSE: _S.PLAN},
    _S.VOUCHER: {_M.WRITE_VOUCHER: _S.VOUCHER, _M.APPROVE: _S.APPROVED, _M.REFUSE: _S.PLAN},
    _S.APPROVED: {_M.PAY: _S.PAID},
    _S.PAID: {_M.SEND_RECOVERY: _S.RECOVERY, _M.CLOSE: _S.CLOSED},
    _S.RECOVERY: {_M.RECOVERED: _S.RECOVERY, _M.CLOSE: _S.CLOSED},
    _S.CLOSED: {},
}


class Owed(Conflict):
    """Something has to be done first; the field says what."""

    code = "not_yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """What the rules of a major complaint depend on.

    Attributes:
        visit_needed: the manager's judgement at E1; ``None`` before.
        costs: the plan means compensation or loss.
        recovery_open: shares of the staff that HR has not settled; ``None``: nobody bears any.
    """

    state: EscalationState = EscalationState.SUBMITTED
    reviewed_at: datetime | None = None
    visit_needed: bool | None = None
    visit: Window | None = None
    visited_at: datetime | None = None
    costs: bool = False
    recovery_open: int | None = None


def moves_from(found: Escalation) -> tuple[Move, ...]:
    """Return the moves that the state and its guards allow; what belongs to money is checked there."""
    allowed = dict(TABLE[found.state])
    if found.state is EscalationState.REVIEW:
        allowed.pop(Move.SETTLE_LIABILITY if found.visit_needed else Move.AGREE_VISIT)
    if found.state is EscalationState.VISIT_AGREED:
        done = (Move.AGREE_VISIT, Move.RECORD_VISIT) if found.visited_at else (Move.SETTLE_LIABILITY,)
        for move in done:
            allowed.pop(move)
    if found.state is EscalationState.PLAN:
        allowed.pop(Move.CLOSE if found.costs else Move.REQUEST)
    if found.state is EscalationState.PAID:
        allowed.pop(Move.SEND_RECOVERY if found.recovery_open is None else Move.CLOSE)
    if found.state is EscalationState.RECOVERY:
        allowed.pop(Move.CLOSE if found.recovery_open else Move.RECOVERED)
    return tuple(allowed)


def review(found: Escalation, now: datetime, *, visit_needed: bool) -> Escalation:
    """E0 → E1: the manager looks into it; where a visit is needed it must take place within ES.VISIT."""
    return replace(_to(found, Move.REVIEW), reviewed_at=now, visit_needed=visit_needed)


def agree_visit(found: Escalation, visit: Window, now: datetime) -> Escalation:
    """E1 → E2: with the department's head and the customer. Raises Owed when none is needed."""
    moved = _to(found, Move.AGREE_VISIT)
    if not found.visit_needed:
        raise Owed("no visit is needed, said the review", field="visit_needed")
    if found.visited_at is not None:
        raise Owed("the visit took place already", field="visited_at")
    check_window(visit, now)
    return replace(moved, visit=visit)


def record_visit(found: Escalation, visited_at: datetime, now: datetime) -> Escalation:
    """E2: the visit took place.

    Raises:
        Invalid: in the future, or before the review.
    """
    moved = _to(found, Move.RECORD_VISIT)
    if found.visited_at is not None:
        raise Owed("the visit took place already", field="visited_at")
    if visited_at > now:
        raise Invalid("lies ahead", field="visited_at")
    if found.reviewed_at is not None and visited_at < found.reviewed_at:
        raise Invalid("is before the review", field="visited_at")
    return replace(moved, visited_at=visited_at)


def settle_liability(found: Escalation) -> Escalation:
    """E2 → E3: by what was seen on site. Raises Owed while a visit that is needed has not taken place."""
    moved = _to(found, Move.SETTLE_LIABILITY)
    if found.visit_needed and found.visited_at is None:
        raise Owed("the visit has not taken place", field="visited_at")
    return moved


def plan(found: Escalation, *, costs: bool) -> Escalation:
    """E3 → E4."""
    return replace(_to(found, Move.PLAN), costs=costs)


def request(found: Escalation) -> Escalation:
    """E4 → E5: compensation is requested. Raises Owed when the plan says that it costs nothing."""
    moved = _to(found, Move.REQUEST)
    if not found.costs:
        raise Owed("the plan says that it costs nothing; change the plan first", field="costs")
    return moved


def agree(found: Escalation) -> Escalation:
    """E5 → E6."""
    return _to(found, Move.AGREE)


def refuse_money(found: Escalation) -> Escalation:
    """E5 or E6 → E4: another plan is needed."""
    return _to(found, Move.REFUSE)


def write_voucher(found: Escalation) -> Escalation:
    """E6: finance has written the voucher."""
    return _to(found, Move.WRITE_VOUCHER)


def approve(found: Escalation) -> Escalation:
    """E6 → E7."""
    return _to(found, Move.APPROVE)


def pay(found: Escalation, *, recovery: int) -> Escalation:
    """E7 → E8; ``recovery`` people of the staff bear a part."""
    return replace(_to(found, Move.PAY), recovery_open=recovery or None)


def send_recovery(found: Escalation) -> Escalation:
    """E8 → E9: the staff's parts go to HR."""
    moved = _to(found, Move.SEND_RECOVERY)
    if found.recovery_open is None:
        raise Owed("nobody of the staff bears a part", field="recovery")
    return moved


def recovered(found: Escalation) -> Escalation:
    """E9: HR has settled one share."""
    moved = _to(found, Move.RECOVERED)
    if not found.recovery_open:
        raise Owed("every share is settled", field="recovery")
    return replace(moved, recovery_open=found.recovery_open - 1)


def close(found: Escalation, *, called_back: bool) -> Escalation:
    """E4, E8 or E9 → E10.

    Args:
        called_back: the complaint's callback (TS) is done.

    Raises:
        Owed: names what comes first.
    """
    moved = _to(found, Move.CLOSE)
    if found.state is EscalationState.PLAN and found.costs:
        raise Owed("the plan means compensation: it is not paid", field="compensation")
    if found.recovery_open:
        raise Owed(f"{found.recovery_open} shares of the staff are not settled", field="recovery")
    if not called_back:
        raise Owed("the customer was not called back", field="callback")
    return moved


def _to(found: Escalation, move: Move) -> Escalation:
    allowed = TABLE[found.state]
    if move not in allowed:
        raise refuse(move.value, found.state, allowed)
    return replace(found, state=allowed[move])
