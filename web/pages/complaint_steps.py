"""The forms of the steps of a complaint as a whole: handed off, called back, closed."""

from crm.complaint_input import Analysis, Contacted, NewCallback, Timeliness
from crm.complaint_views import ComplaintView, LineView
from crm.domain.case import Severity
from crm.domain.complaint import Verdict
from crm.domain.complaint_line import ProblemStatus
from crm.handoffs import Dispatch
from web.i18n import N_
from web.pages import case_words as words
from web.pages.case_forms import Field
from web.pages.case_steps import (
    AT_ONCE,
    CALL_ID,
    COPY,
    FORM,
    NOTE,
    PERSON,
    REASON,
    Asked,
    StepForm,
    Values,
    all_kinds,
    dispatch,
    new_line,
)


async def _called_again(asked: Asked) -> object:
    call_id = asked.values["call_id"] or None
    return await asked.services.complaints.called_again(
        asked.actor, asked.case_id, call_id=call_id, note=asked.values["note"]
    )


async def _add_line(asked: Asked) -> object:
    values = asked.values
    line = new_line(values["kind"], values["cause"], department=values["department"], person=values["person"])
    return await asked.services.complaints.add_line(
        asked.actor,
        asked.case_id,
        asked.expected,
        line,
        hand_off=Dispatch() if values["at_once"] else None,
    )


async def _severity(asked: Asked) -> object:
    severity = Severity(int(asked.values["severity"]))
    return await asked.services.complaints.set_severity(
        asked.actor, asked.case_id, asked.expected, severity, asked.values["reason"]
    )


async def _hand_off(asked: Asked) -> object:
    return await asked.services.complaints.hand_off(
        asked.actor, asked.case_id, asked.expected, dispatch(asked.values)
    )


async def _call_back(asked: Asked) -> object:
    values = asked.values
    verdict = Verdict(values["verdict"])
    lines = tuple(
        (name.removeprefix("line-"), ProblemStatus(value))
        for name, value in values.items()
        if name.startswith("line-") and value
    )
    return await asked.services.end.call_back(
        asked.actor,
        asked.case_id,
        asked.expected,
        NewCallback(
            verdict=verdict,
            problem=ProblemStatus(values["problem"]) if values["problem"] else None,
            lines=lines,
            timeliness=Timeliness(values["timeliness"]) if values["timeliness"] else None,
            contacted_in_time=Contacted(values["contacted_in_time"] or Contacted.UNKNOWN),
            compensation_mentioned=bool(values["compensation"]),
            call_id=values["call_id"] or None,
            note=values["note"],
        ),
    )


async def _reply(asked: Asked) -> object:
    return await asked.services.end.reply_to_source(
        asked.actor, asked.case_id, asked.expected, asked.values["text"]
    )


def _analysis(values: Values) -> Analysis:
    return Analysis(
        root_cause=values["root_cause"], preventive_step=values["preventive_step"], owner=values["owner"]
    )


async def _close(asked: Asked) -> object:
    values = asked.values
    written = any(values[name] for name in ("root_cause", "preventive_step", "owner"))
    return await asked.services.end.close(
        asked.actor, asked.case_id, asked.expected, analysis=_analysis(values) if written else None
    )


async def _analyse(asked: Asked) -> object:
    return await asked.services.end.analyse(
        asked.actor, asked.case_id, asked.expected, _analysis(asked.values)
    )


async def _waive(asked: Asked) -> object:
    return await asked.services.end.waive_callback(
        asked.actor, asked.case_id, asked.expected, asked.values["reason"]
    )


async def _not_file(asked: Asked) -> object:
    return await asked.services.end.not_file(
        asked.actor, asked.case_id, asked.expected, asked.values["reason"]
    )


def _analysis_fields(*, required: bool) -> tuple[Field, ...]:
    return (
        Field(name="root_cause", label=N_("根本原因"), kind="area", required=required, limit=2000),
        Field(name="preventive_step", label=N_("防止再发的措施"), kind="area", required=required, limit=2000),
        Field(name="owner", label=N_("措施由谁落实"), required=required, limit=40),
    )


CASE_FORMS = (
    StepForm(
        step="hand_off",
        title=N_("转交部门"),
        button=N_("转交"),
        done=N_("已转交，等部门签收。"),
        hint=N_("所有还没有转交的责任线一起转交。"),
        run=_hand_off,
        fields=(FORM, COPY, NOTE),
    ),
    StepForm(
        step="callback",
        title=N_("记录回访"),
        button=N_("保存回访"),
        done=N_("已记录回访。"),
        run=_call_back,
        fields=(
            Field(name="verdict", label=N_("客户对结果"), kind="choice", options=words.VERDICTS),
            Field(
                name="problem",
                label=N_("问题现在"),
                kind="choice",
                options=words.PROBLEMS,
                required=False,
                blank=N_("没有问到"),
            ),
            Field(
                name="timeliness",
                label=N_("处理得及时吗"),
                kind="choice",
                options=words.TIMELINESS,
                required=False,
                blank=" ",
            ),
            Field(
                name="contacted_in_time",
                label=N_("部门按时联系了吗"),
                kind="choice",
                options=words.CONTACTED,
                required=False,
                start="unknown",
            ),
            Field(name="compensation", label=N_("客户提到了赔偿"), kind="check", required=False),
            Field(name="note", label=N_("客户怎么说"), kind="area", required=False, limit=1000),
            CALL_ID,
        ),
    ),
    StepForm(
        step="reply_to_source",
        title=N_("回复转办热线"),
        button=N_("记下回复"),
        done=N_("已记录给转办热线的回复。"),
        run=_reply,
        fields=(Field(name="text", label=N_("回复的内容"), kind="area", limit=2000),),
    ),
    StepForm(
        step="close",
        title=N_("结案"),
        button=N_("结案"),
        done=N_("已结案。"),
        hint=N_("客诉分析现在写最好，月末之前也可以补写。"),
        run=_close,
        fields=_analysis_fields(required=False),
    ),
    StepForm(
        step="called_again",
        title=N_("客户再次来电"),
        button=N_("记下来电"),
        done=N_("已记下这次来电，没有另开新单。"),
        hint=N_("三十天内第二次来电，严重程度自动升为「严重」。"),
        run=_called_again,
        versioned=False,
        fields=(
            Field(name="note", label=N_("客户这次说了什么"), kind="area", required=False, limit=1000),
            CALL_ID,
        ),
    ),
    StepForm(
        step="add_line",
        title=N_("增加责任线"),
        button=N_("增加"),
        done=N_("已增加责任线。"),
        run=_add_line,
        fields=(
            Field(name="kind", label=N_("问题类别"), kind="choice", options=all_kinds),
            Field(name="cause", label=N_("原因"), kind="area", limit=1000),
            Field(
                name="department",
                label=N_("负责部门"),
                kind="choice",
                required=False,
                blank=N_("按对应关系"),
            ),
            PERSON,
            AT_ONCE,
        ),
    ),
    StepForm(
        step="severity",
        title=N_("改严重程度"),
        button=N_("保存"),
        done=N_("已更改严重程度。"),
        run=_severity,
        fields=(
            Field(name="severity", label=N_("严重程度"), kind="choice", options=words.SEVERITIES),
            REASON,
        ),
    ),
    StepForm(
        step="analyse",
        title=N_("写客诉分析"),
        button=N_("保存分析"),
        done=N_("已保存客诉分析。"),
        run=_analyse,
        fields=_analysis_fields(required=True),
    ),
    StepForm(
        step="waive",
        title=N_("免回访"),
        button=N_("免回访"),
        done=N_("已免去回访。"),
        run=_waive,
        fields=(REASON,),
    ),
    StepForm(
        step="not_file",
        title=N_("按不立案处理"),
        button=N_("按不立案处理"),
        done=N_("已按不立案处理。"),
        run=_not_file,
        fields=(REASON,),
    ),
)


OF_NEXT = {
    "hand_off": "hand_off",
    "call_back": "callback",
    "call_again": "callback",
    "reply_to_source": "reply_to_source",
    "close": "close",
}
"""What has to be done next → the form that does it; the others are done in a line, or elsewhere."""


def asked_lines(view: ComplaintView) -> tuple[LineView, ...]:
    """Return the open lines of which the customer may say different things."""
    found = tuple(line for line in view.lines if line.callback_from is not None and line.status.is_open)
    return found if len(found) > 1 else ()
