"""A complaint as a whole: classes and departments, status, callbacks, severity, closing (domain.md §1.3).

A complaint has one line for each responsible department (:mod:`crm.domain.complaint_line`). Its own status is
not moved by anybody: it follows from the lines.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from crm.domain.case import STATUSES, CaseKind, CaseStatus, Severity, Source
from crm.domain.complaint_line import Line, LineStatus, ProblemStatus, Step, steps_from
from kernel.errors import Conflict, Invalid

REPEAT_WINDOW = timedelta(days=30)
REPEAT_CALLS = 2
ESCALATE_FROM_ROUND = 2
MAX_LINES = 12


class ComplaintClass(IntEnum):
    """What a cause is about (``complaint_class`` of domain.md §4.3)."""

    WORKMANSHIP = 1
    DELAY = 2
    PRICE = 3
    MATERIAL = 4
    DESIGN = 5
    SERVICE = 6
    SITE = 7
    AFTER_SALE = 8
    INTEGRITY = 9
    CONTRACT = 10


CLASS_LABELS = {
    ComplaintClass.WORKMANSHIP: "施工质量",
    ComplaintClass.DELAY: "工期延误",
    ComplaintClass.PRICE: "价格费用",
    ComplaintClass.MATERIAL: "材料",
    ComplaintClass.DESIGN: "设计",
    ComplaintClass.SERVICE: "服务",
    ComplaintClass.SITE: "现场管理",
    ComplaintClass.AFTER_SALE: "售后",
    ComplaintClass.INTEGRITY: "廉洁诚信",
    ComplaintClass.CONTRACT: "合同及其他",
}

SUBCLASSES: dict[ComplaintClass, Mapping[str, str]] = {
    ComplaintClass.WORKMANSHIP: {
        "water_electric": "水电",
        "waterproof": "防水",
        "tile": "瓷砖",
        "carpentry": "木工",
        "paint": "油漆",
        "installation": "安装",
    },
    ComplaintClass.DELAY: {"start": "开工", "progress": "进度", "delivery": "送货", "visit": "上门"},
    ComplaintClass.PRICE: {"add_ons": "增项", "final_account": "报价与决算", "refund": "退款"},
    ComplaintClass.MATERIAL: {
        "not_as_agreed": "与约定不符",
        "defect": "质量缺陷",
        "missing": "缺料",
        "smell": "异味",
    },
    ComplaintClass.DESIGN: {
        "drawing_error": "图纸错误",
        "effect": "效果不符",
        "change": "设计变更",
        "briefing": "交底",
    },
    ComplaintClass.SERVICE: {"manner": "态度", "no_contact": "无人联系", "promise_broken": "承诺未兑现"},
    ComplaintClass.SITE: {
        "safety": "安全",
        "tidiness": "卫生整洁",
        "damage": "成品损坏",
        "neighbour": "邻里",
    },
    ComplaintClass.AFTER_SALE: {"late": "维修不及时", "repeated": "反复维修", "refused": "拒绝维修"},
    ComplaintClass.INTEGRITY: {"private_charge": "私收费用", "false_promise": "虚假承诺"},
    ComplaintClass.CONTRACT: {"contract": "合同", "other": "其他"},
}

FIRST_DEPARTMENT: dict[ComplaintClass, str | None] = {
    ComplaintClass.WORKMANSHIP: "ENG",
    ComplaintClass.DELAY: "ENG",
    ComplaintClass.PRICE: "STO",
    ComplaintClass.MATERIAL: "MAT",
    ComplaintClass.DESIGN: "DES",
    ComplaintClass.SERVICE: None,  # the department of the person who is named
    ComplaintClass.SITE: "ENG",
    ComplaintClass.AFTER_SALE: "CS",
    ComplaintClass.INTEGRITY: "CS",
    ComplaintClass.CONTRACT: "STO",
}
"""Class → the department that gets it unless another is named (domain.md §4.3, problem correspondence)."""

SECOND_DEPARTMENT: dict[ComplaintClass, str] = {
    ComplaintClass.WORKMANSHIP: "QC",
    ComplaintClass.DELAY: "MAT",
    ComplaintClass.PRICE: "DES",
}
"""Class → who else may have a part in it, with a line of its own: proposed, never added by itself."""

SERIOUS_CAUSES = frozenset({(ComplaintClass.SITE, "safety"), (ComplaintClass.INTEGRITY, "private_charge")})
"""Safety and unauthorised charges: proposed as serious (domain.md §1.3), as hazards and repeated ones are."""

GRAVE_SOURCES = frozenset({Source.REGULATOR, Source.MEDIA})
"""Where a complaint that comes from there is a major one (domain.md §1.3)."""

CONFIDENTIAL = frozenset({ComplaintClass.INTEGRITY})
"""Handled by the manager alone: no department sees such a line, whatever department it names."""


class Verdict(StrEnum):
    """What the customer said when called back."""

    SATISFIED = "satisfied"
    NEUTRAL = "neutral"
    DISSATISFIED = "dissatisfied"
    NOT_REACHED = "not_reached"


class NextStep(StrEnum):
    """What somebody must do next about a complaint."""

    HAND_OFF = "hand_off"
    WAIT = "wait"
    """The departments are at it."""
    REROUTE = "reroute"
    APPROVE_PLAN = "approve_plan"
    CALL_BACK = "call_back"
    CALL_AGAIN = "call_again"
    """The customer was not reached: the callback is tried again."""
    NEW_ROUND = "new_round"
    """The customer is not satisfied, or it is not solved: the departments plan anew."""
    ESCALATE = "escalate"
    """It must become a major complaint (domain.md §1.3b) before it can be closed."""
    REPLY_TO_SOURCE = "reply_to_source"
    CLOSE = "close"
    NOTHING = "nothing"


NEXT_LABELS = {
    NextStep.HAND_OFF: "转交负责部门",
    NextStep.WAIT: "部门处理中",
    NextStep.REROUTE: "改派或按不属实结案",
    NextStep.APPROVE_PLAN: "审核方案",
    NextStep.CALL_BACK: "回访客户",
    NextStep.CALL_AGAIN: "再次回访",
    NextStep.NEW_ROUND: "部门重新出方案",
    NextStep.ESCALATE: "提交升级客诉",
    NextStep.REPLY_TO_SOURCE: "回复转办热线",
    NextStep.CLOSE: "结案",
    NextStep.NOTHING: "无",
}


_ORDER = {status: place for place, status in enumerate(STATUSES[CaseKind.COMPLAINT])}

_OF_LINE = {
    LineStatus.REGISTERED: CaseStatus.REGISTERED,
    LineStatus.HANDED_OFF: CaseStatus.HANDED_OFF,
    LineStatus.REJECTED: CaseStatus.REJECTED,
    LineStatus.ACCEPTED: CaseStatus.ACCEPTED,
    LineStatus.VERIFIED: CaseStatus.VERIFIED,
    LineStatus.VISIT_AGREED: CaseStatus.PLANNED,
    LineStatus.VISITED: CaseStatus.ON_SITE,
    LineStatus.PLAN_REVIEW: CaseStatus.VERIFIED,
    LineStatus.PLAN_REFUSED: CaseStatus.VERIFIED,
    LineStatus.PLANNED: CaseStatus.PLANNED,
    LineStatus.ON_SITE: CaseStatus.ON_SITE,
    LineStatus.DONE: CaseStatus.DONE,
    LineStatus.UNSOLVED: CaseStatus.VERIFIED,
}


def case_status(lines: Sequence[Line], *, called_back: bool) -> CaseStatus:
    """Return where a complaint stands: where its least advanced line does.

    ============================================  =========================
    least advanced line                           complaint
    ============================================  =========================
    registered                                    C0 registered
    handed off                                    C1 handed off
    rejected, to be re-routed                     C2R rejected
    accepted                                      C2 accepted
    verified; plan in review or refused; unsolved C3 verified
    visit agreed; planned                         C4 planned
    visited; on site                              C5 on site
    done                                          C6 done
    none is open, not called back                 C6 done
    none is open, called back                     C7 callback
    ============================================  =========================

    C8 and CN are decided about the whole complaint, not by its lines.

    Args:
        called_back: the customer was reached about the result of this round, or the manager waived that.
    """
    if not lines:
        return CaseStatus.REGISTERED
    active = [_OF_LINE[line.status] for line in lines if line.status.is_open]
    if active:
        return min(active, key=_ORDER.__getitem__)
    return CaseStatus.CALLBACK if called_back else CaseStatus.DONE


def raised_severity(current: Severity, calls: Iterable[datetime], now: datetime) -> Severity:
    """Return the severity after a customer's call: two or more within 30 days make it serious."""
    recent = sum(1 for at in calls if now - REPEAT_WINDOW <= at <= now)
    return max(current, Severity.SERIOUS) if recent >= REPEAT_CALLS else current


def proposed_severity(source: Source) -> Severity:
    """Return what is proposed for a complaint from somewhere."""
    return Severity.MAJOR if source in GRAVE_SOURCES else Severity.GENERAL


def may_be_general(source: Source, *, decides: bool, reason: str) -> bool:
    """Tell whether it may be a general one; from a grave source on the manager's word, with reason."""
    return source not in GRAVE_SOURCES or (decides and bool(reason.strip()))


def department_for(class_: ComplaintClass, named: str | None) -> str:
    """Return the department of a cause.

    Raises:
        Invalid: none is named and the class has none of its own.
    """
    found = named or FIRST_DEPARTMENT[class_]
    if found is None:
        raise Invalid(
            "a complaint about service goes to the department of the person named: say which",
            field="department",
        )
    return found


def check_subclass(class_: ComplaintClass, subclass: str | None) -> None:
    """Raise Invalid unless the sub-class belongs to the class; none is fine."""
    if subclass is not None and subclass not in SUBCLASSES[class_]:
        listed = ", ".join(SUBCLASSES[class_])
        raise Invalid(
            f"{subclass[:40]} is no sub-class of {class_.value}; there are: {listed}", field="subclass"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a callback means for a complaint.

    Attributes:
        lines: line id → what the customer said of its problem; lines that are not there are not touched.
        new_round: the round is over, another begins.
        escalate: the complaint has to become a major one.
    """

    lines: Mapping[str, ProblemStatus]
    new_round: bool
    escalate: bool


def judge_callback(
    verdict: Verdict,
    problems: Mapping[str, ProblemStatus],
    *,
    round_: int,
    compensation_mentioned: bool,
) -> Said:
    """Return what a callback leads to (domain.md §1.3, transitions from C7).

    Only «solved» lets a line close; not contacted, not handled and in hand make it «callback says unsolved».
    A dissatisfied customer means the lines that are not solved; when all are, then all of them: none closes.
    From round 2 on, or when compensation is mentioned, dissatisfaction leads to 1.3b instead of a new round.

    Raises:
        Invalid: the verdict and what was said of the lines contradict each other.
    """
    if verdict is Verdict.NOT_REACHED:
        if any(said is not ProblemStatus.NOT_CONNECTED for said in problems.values()):
            raise Invalid("nobody was reached, so nothing was said of the problem", field="problem")
        return Said(lines={}, new_round=False, escalate=False)
    if any(said is ProblemStatus.NOT_CONNECTED for said in problems.values()):
        raise Invalid("the customer was reached: say how the problem stands", field="problem")
    if verdict is not Verdict.DISSATISFIED:
        return Said(lines=problems, new_round=False, escalate=compensation_mentioned)
    if all(said is ProblemStatus.SOLVED for said in problems.values()):
        problems = dict.fromkeys(problems, ProblemStatus.IN_HAND)
    # Without a line to do anything anew, the manager has to look at it.
    escalate = compensation_mentioned or round_ >= ESCALATE_FROM_ROUND or not problems
    return Said(lines=problems, new_round=not escalate, escalate=escalate)


def may_be_asked(line: Line, now: datetime) -> bool:
    """Tell whether the customer can be asked about a line: it is reported done, or its visit is over."""
    if line.status is LineStatus.DONE:
        return True
    over = line.visit is not None and line.visit.until <= now
    return over and Step.CALLED_BACK in steps_from(line)


class NotYet(Conflict):
    """The complaint cannot be closed yet; the field says for want of what."""

    code = "not_yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What closing depends on.

    Attributes:
        called_back: the customer was reached about this round's result.
        waived: the manager does without a callback, with reason.
        reply_owed: a forwarding hotline waits for the result.
        escalation_owed: it must become a major complaint first.
        escalation_open: it is one, and that is not settled.
    """

    lines: Sequence[Line]
    called_back: bool
    waived: bool = False
    reply_owed: bool = False
    escalation_owed: bool = False
    escalation_open: bool = False


def check_closing(asked: Closing) -> None:
    """Refuse to close while something is owed (domain.md §4.4 Complaint, constraints; §1.13 closed loop).

    Raises:
        NotYet: names what.
    """
    waiting = [line for line in asked.lines if line.status.is_open]
    if not asked.lines:
        raise NotYet("a complaint has at least one cause line", field="lines")
    if waiting and not (asked.waived and all(line.status is LineStatus.DONE for line in waiting)):
        raise NotYet(f"{len(waiting)} of its lines are not closed", field="lines")
    if not asked.called_back and not asked.waived:
        raise NotYet(
            "the customer was not called back, and the manager has not waived that", field="callback"
        )
    if asked.escalation_owed:
        raise NotYet("it must become a major complaint first", field="escalation")
    if asked.escalation_open:
        raise NotYet("its escalation is not closed", field="escalation")
    if asked.reply_owed:
        raise NotYet("the hotline that forwarded it has no reply yet", field="reply_to_source")


NOT_FILED_FROM = frozenset({LineStatus.REGISTERED, LineStatus.HANDED_OFF, LineStatus.REJECTED})


def check_not_filed(lines: Sequence[Line]) -> None:
    """Refuse CN once a department has accepted: what somebody works on is a case.

    Raises:
        NotYet: names the lines.
    """
    if any(line.status not in NOT_FILED_FROM and line.status.is_open for line in lines):
        raise NotYet("a department has accepted it already", field="lines")


def next_step(
    lines: Sequence[Line],
    *,
    is_open: bool,
    called_back: bool,
    not_reached: bool,
    escalation_owed: bool,
    escalation_open: bool,
    reply_owed: bool,
) -> NextStep:
    """Return what has to be done next, the most pressing first."""
    if not is_open:
        return NextStep.NOTHING
    if escalation_owed:
        return NextStep.ESCALATE
    statuses = {line.status for line in lines}
    for status, step in (
        (LineStatus.REJECTED, NextStep.REROUTE),
        (LineStatus.REGISTERED, NextStep.HAND_OFF),
        (LineStatus.PLAN_REVIEW, NextStep.APPROVE_PLAN),
    ):
        if status in statuses:
            return step
    if not lines:
        return NextStep.HAND_OFF
    active = {status for status in statuses if status.is_open}
    if LineStatus.DONE in active:
        return NextStep.CALL_AGAIN if not_reached else NextStep.CALL_BACK
    if LineStatus.UNSOLVED in active:
        return NextStep.NEW_ROUND
    if active:
        return NextStep.WAIT
    if called_back and escalation_open:
        return NextStep.WAIT
    if not called_back:
        return NextStep.CALL_AGAIN if not_reached else NextStep.CALL_BACK
    return NextStep.REPLY_TO_SOURCE if reply_owed else NextStep.CLOSE
