"""The forms of the steps of a line: which fields each has, and what it asks of the services."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crm.complaint_input import (
    NewLine,
    NewPlan,
    NewVisit,
)
from crm.complaint_services import ComplaintServices
from crm.domain.complaint import SUBCLASSES, ComplaintClass
from crm.domain.handoff import HandoffForm
from crm.domain.line_record import RecordKind
from crm.handoffs import Dispatch
from crm.line_records import NewRecord
from kernel.access import Actor
from web.i18n import N_, gettext
from web.pages import case_words as words
from web.pages.case_forms import Field

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A step that somebody takes: in what, on which version, with what they wrote."""

    services: ComplaintServices
    actor: Actor
    case_id: str
    line_id: str
    expected: int
    values: Values


Run = Callable[[Any], Awaitable[object]]
"""Takes what was asked: :class:`Asked`, or what the pages of another kind of case have for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepForm:
    """A form of a step. ``title`` opens it, ``done`` is said when it worked."""

    step: str
    title: str
    button: str
    done: str
    run: Run
    fields: tuple[Field, ...] = ()
    hint: str = ""
    versioned: bool = True


def kinds() -> dict[str, dict[str, str]]:
    """Return the classes with their sub-classes as one list: label of the class → code → label.

    A code is ``1.tile``, or ``1.`` for the class as a whole.
    """
    found: dict[str, dict[str, str]] = {}
    for class_, subclasses in SUBCLASSES.items():
        label = gettext(words.CLASSES[str(class_.value)])
        inner = {f"{class_.value}.{code}": gettext(words.SUBCLASS_WORDS[code]) for code in subclasses}
        inner[f"{class_.value}."] = gettext("%(class)s（不细分）") % {"class": label}
        found[label] = inner
    return found


def all_kinds() -> dict[str, str]:
    """Return the codes of :func:`kinds` in one table."""
    return {code: label for inner in kinds().values() for code, label in inner.items()}


def class_of(kind: str) -> tuple[ComplaintClass, str | None]:
    """Return class and sub-class of a code of :func:`kinds`."""
    number, _, subclass = kind.partition(".")
    return ComplaintClass(int(number)), subclass or None


def new_line(kind: str, cause: str, *, department: str, person: str, manufacturer: str = "") -> NewLine:
    """Return a line of what somebody chose and wrote."""
    class_, subclass = class_of(kind)
    return NewLine(
        class_=class_,
        subclass=subclass,
        cause=cause,
        department=department or None,
        person=person or None,
        manufacturer=manufacturer or None,
    )


REASON = Field(name="reason", label=N_("原因"), kind="area")
PERSON = Field(name="person", label=N_("经办人（可不填）"), required=False, limit=40)
FORM = Field(name="form", label=N_("确认单"), kind="choice", options=words.HANDOFF_FORMS, start="electronic")
COPY = Field(name="copy", label=N_("留一份复印件在部门"), kind="check", required=False, start="1")
NOTE = Field(name="note", label=N_("备注（可不填）"), required=False)
AT_ONCE = Field(name="at_once", label=N_("马上转交"), kind="check", required=False, start="1")
DEPARTMENT = Field(name="department", label=N_("负责部门"), kind="choice", options={})
"""Its options are the departments of the company; the page fills them in."""
CALL_ID = Field(name="call_id", label="", kind="hidden", required=False, limit=26)


def dispatch(values: Values) -> Dispatch:
    """Return how something is handed off, as the form says."""
    return Dispatch(
        form=HandoffForm(values.get("form") or HandoffForm.ELECTRONIC.value),
        copy_left=bool(values.get("copy", True)),
        note=str(values.get("note") or ""),
    )


# One line


async def _hand_off_line(asked: Asked) -> object:
    return await asked.services.complaints.hand_off(
        asked.actor, asked.case_id, asked.expected, dispatch(asked.values), line_ids=(asked.line_id,)
    )


async def _reroute(asked: Asked) -> object:
    values = asked.values
    return await asked.services.complaints.reroute(
        asked.actor,
        asked.line_id,
        asked.expected,
        values["department"],
        values["reason"],
        person=values["person"] or None,
        hand_off=Dispatch() if values["at_once"] else None,
    )


async def _unfounded(asked: Asked) -> object:
    return await asked.services.complaints.close_unfounded(
        asked.actor, asked.line_id, asked.expected, asked.values["reason"]
    )


async def _reject(asked: Asked) -> object:
    return await asked.services.work.reject(
        asked.actor, asked.line_id, asked.expected, asked.values["reason"]
    )


async def _assign(asked: Asked) -> object:
    return await asked.services.work.assign(
        asked.actor, asked.line_id, asked.expected, asked.values["person"]
    )


async def _verify(asked: Asked) -> object:
    values = asked.values
    return await asked.services.work.verify(
        asked.actor, asked.line_id, asked.expected, facts=values["facts"], called_at=values["called_at"]
    )


async def _agree_visit(asked: Asked) -> object:
    values = asked.values
    return await asked.services.work.agree_visit(
        asked.actor,
        asked.line_id,
        asked.expected,
        visit_from=values["visit_from"],
        visit_until=values["visit_until"],
    )


async def _plan(asked: Asked) -> object:
    values = asked.values
    return await asked.services.work.plan(
        asked.actor,
        asked.line_id,
        asked.expected,
        NewPlan(
            plan=values["plan"],
            solve_at=values["solve_at"],
            visit_from=values["visit_from"],
            visit_until=values["visit_until"],
            pay_customer=values["pay_customer"],
            penalty=values["penalty"],
            needs_approval=bool(values["needs_approval"]),
        ),
    )


async def _decide(asked: Asked) -> object:
    values = asked.values
    return await asked.services.work.decide_plan(
        asked.actor,
        asked.line_id,
        asked.expected,
        approved=values["approved"] == "yes",
        reason=values["reason"],
    )


async def _visit(asked: Asked) -> object:
    values = asked.values
    return await asked.services.work.record_visit(
        asked.actor,
        asked.line_id,
        asked.expected,
        NewVisit(
            arrived_at=values["arrived_at"],
            left_at=values["left_at"],
            who=values["who"],
            record=values["record"],
        ),
    )


async def _done(asked: Asked) -> object:
    return await asked.services.work.claim_done(
        asked.actor, asked.line_id, asked.expected, note=asked.values["note"]
    )


async def _record(asked: Asked) -> object:
    values = asked.values
    new = NewRecord(
        kind=RecordKind(values["kind"]),
        done=values["done"],
        done_at=values["done_at"],
        who=values["who"] or None,
        photos=tuple(values.get("photos", ())),
    )
    return await asked.services.records.add(asked.actor, asked.line_id, new)


RECORD = StepForm(
    step="record",
    title=N_("记一笔处理"),
    button=N_("保存记录"),
    done=N_("已记下处理情况。"),
    hint=N_("只记做了什么，不改变状态和时限；保存以后不能修改。"),
    run=_record,
    versioned=False,
    fields=(
        Field(name="kind", label=N_("做了什么"), kind="choice", options=words.RECORD_KINDS, big=True),
        Field(name="done", label=N_("具体情况"), kind="area", limit=4000),
        Field(name="done_at", label=N_("什么时候（不填就是现在）"), kind="moment", required=False),
        Field(name="who", label=N_("谁做的（不填就是自己）"), required=False, limit=40),
    ),
)

_VISIT_FROM = Field(name="visit_from", label=N_("上门从"), kind="moment")
_VISIT_UNTIL = Field(name="visit_until", label=N_("到"), kind="moment")

LINE_FORMS = (
    StepForm(
        step="hand_off",
        title=N_("转交这条"),
        button=N_("转交"),
        done=N_("已转交，等部门签收。"),
        run=_hand_off_line,
        fields=(FORM, COPY, NOTE),
    ),
    StepForm(
        step="reroute",
        title=N_("改派"),
        button=N_("改派"),
        done=N_("已改派，时限重新计算。"),
        run=_reroute,
        fields=(DEPARTMENT, REASON, PERSON, AT_ONCE),
    ),
    StepForm(
        step="unfounded",
        title=N_("按不属实结案"),
        button=N_("不属实结案"),
        done=N_("这条责任线已按不属实结案。"),
        run=_unfounded,
        fields=(REASON,),
    ),
    StepForm(
        step="reject",
        title=N_("退回"),
        button=N_("退回客服"),
        done=N_("已退回客服。"),
        run=_reject,
        fields=(REASON,),
    ),
    StepForm(
        step="decide",
        title=N_("审核方案"),
        button=N_("保存"),
        done=N_("已审核方案。"),
        run=_decide,
        fields=(
            Field(
                name="approved",
                label=N_("方案"),
                kind="choice",
                options={"yes": N_("通过"), "no": N_("不通过")},
            ),
            Field(name="reason", label=N_("理由（不通过时必填）"), kind="area", required=False),
        ),
    ),
    StepForm(
        step="verify",
        title=N_("电话核实"),
        button=N_("保存核实情况"),
        done=N_("已记录核实情况。"),
        run=_verify,
        fields=(
            Field(name="facts", label=N_("核实到的情况"), kind="area", limit=4000),
            Field(name="called_at", label=N_("打电话的时间（不填就是现在）"), kind="moment", required=False),
        ),
    ),
    StepForm(
        step="agree_visit",
        title=N_("约定上门"),
        button=N_("保存约定"),
        done=N_("已记录约定的上门时间。"),
        run=_agree_visit,
        fields=(_VISIT_FROM, _VISIT_UNTIL),
    ),
    StepForm(
        step="plan",
        title=N_("出方案"),
        button=N_("提交方案"),
        done=N_("方案已报客服备案。"),
        run=_plan,
        fields=(
            Field(name="plan", label=N_("处理方案"), kind="area", limit=4000),
            Field(name="solve_at", label=N_("计划解决"), kind="moment"),
            Field(name="visit_from", label=N_("上门从（可不填）"), kind="moment", required=False),
            Field(name="visit_until", label=N_("到"), kind="moment", required=False),
            Field(name="pay_customer", label=N_("赔客户（元，要经理审核）"), kind="money", required=False),
            Field(name="penalty", label=N_("内部处罚（元）"), kind="money", required=False),
            Field(name="needs_approval", label=N_("方案要经理审核"), kind="check", required=False),
        ),
    ),
    StepForm(
        step="visit",
        title=N_("记录上门"),
        button=N_("保存上门记录"),
        done=N_("已记录上门。"),
        run=_visit,
        fields=(
            Field(name="arrived_at", label=N_("到达"), kind="moment"),
            Field(name="left_at", label=N_("离开"), kind="moment"),
            Field(name="who", label=N_("谁去的"), limit=80),
            Field(name="record", label=N_("现场情况和处理"), kind="area", limit=4000),
        ),
    ),
    StepForm(
        step="done",
        title=N_("报已解决"),
        button=N_("报已解决"),
        done=N_("已报客服，等回访。"),
        run=_done,
        fields=(Field(name="note", label=N_("怎么解决的"), kind="area", limit=4000),),
    ),
    StepForm(
        step="assign",
        title=N_("指定经办人"),
        button=N_("指定"),
        done=N_("已指定经办人。"),
        run=_assign,
        fields=(Field(name="person", label=N_("经办人"), limit=40),),
    ),
    RECORD,
)
