"""The forms about improvement measures, and the words for where they stand (domain.md §1.15)."""

from typing import Any

from crm.domain.complaint import ComplaintClass
from crm.domain.improvement import MeasureState
from crm.improvement_views import MeasureChange, NewMeasure
from web.i18n import N_
from web.pages import case_words as words
from web.pages.case_forms import Field
from web.pages.office.parts import Step

STATES = {
    "open": N_("落实中"),
    "reported": N_("待检查效果"),
    "effective": N_("有效，已完成"),
    "dropped": N_("已取消"),
}
assert set(STATES) == {state.value for state in MeasureState}
TONES = {"open": "blue", "reported": "amber", "effective": "green", "dropped": ""}
ENTRIES = {
    "set": N_("制定"),
    "changed": N_("修改"),
    "reported": N_("报已落实"),
    "effective": N_("检查：有效"),
    "not_effective": N_("检查：无效，重新落实"),
    "dropped": N_("取消"),
}
EFFECTS = {"yes": N_("有效果"), "no": N_("无效，重新落实")}


async def _set(taken: dict[str, Any]) -> object:
    values = taken["values"]
    code = values["class_code"]
    new = NewMeasure(
        problem=values["problem"],
        measure=values["measure"],
        department=values["department"],
        due_on=values["due_on"],
        owner_id=values["owner_id"] or None,
        month=values["month"] or None,
        class_code=ComplaintClass(int(code)) if code else None,
        subclass=values["subclass"] or None,
        case_id=values["case_id"] or None,
    )
    return await taken["improvements"].set(taken["actor"], new)


async def _change(taken: dict[str, Any]) -> object:
    values = taken["values"]
    given = MeasureChange(
        problem=values["problem"],
        measure=values["measure"],
        due_on=values["due_on"],
        owner_id=values["owner_id"] or None,
    )
    return await taken["improvements"].change(taken["actor"], taken["key"], given, expected=taken["version"])


async def _report(taken: dict[str, Any]) -> object:
    return await taken["improvements"].report(
        taken["actor"], taken["key"], expected=taken["version"], evidence=taken["values"]["evidence"]
    )


async def _check(taken: dict[str, Any]) -> object:
    values = taken["values"]
    effective = values["effective"] == "yes"
    return await taken["improvements"].check(
        taken["actor"],
        taken["key"],
        expected=taken["version"],
        effective=effective,
        text=values["text"],
        due_on=None if effective else values["due_on"],
    )


async def _drop(taken: dict[str, Any]) -> object:
    return await taken["improvements"].drop(
        taken["actor"], taken["key"], expected=taken["version"], reason=taken["values"]["reason"]
    )


_TEXTS = (
    Field(name="problem", label=N_("问题"), kind="area", limit=1000),
    Field(name="measure", label=N_("改进措施"), kind="area", limit=1000),
)
_OWNER = Field(name="owner_id", label=N_("责任人"), kind="choice", blank=N_("部门主管"), required=False)
_DUE = Field(name="due_on", label=N_("完成期限"), kind="date")
_CLASSES = {f"{code}": label for code, label in words.CLASSES.items()}

SET = Step(
    name="set",
    title=N_("制定改进措施"),
    button=N_("下达"),
    done=N_("改进措施已下达。"),
    run=_set,
    fields=(
        *_TEXTS,
        Field(name="department", label=N_("责任部门"), kind="choice", blank=N_("请选择")),
        _OWNER,
        _DUE,
        Field(name="month", label=N_("针对月份（可不填）"), kind="month", limit=7, required=False),
        Field(
            name="class_code",
            label=N_("问题类别"),
            kind="choice",
            options=_CLASSES,
            blank=N_("不限"),
            required=False,
        ),
        Field(name="subclass", label=N_("问题小类"), kind="hidden", required=False, limit=24),
        Field(name="case_id", label=N_("投诉"), kind="hidden", required=False, limit=26),
    ),
)
CHANGE = Step(
    name="change",
    title=N_("修改"),
    button=N_("保存"),
    done=N_("已保存。"),
    run=_change,
    fields=(*_TEXTS, _OWNER, _DUE),
)
REPORT = Step(
    name="report",
    title=N_("报已落实"),
    button=N_("提交"),
    done=N_("已提交，下个月检查效果。"),
    run=_report,
    photos=True,
    fields=(Field(name="evidence", label=N_("做了什么，有什么凭据"), kind="area", limit=1000),),
)
CHECK = Step(
    name="check",
    title=N_("检查效果"),
    button=N_("保存"),
    done=N_("检查结果已保存。"),
    run=_check,
    fields=(
        Field(name="effective", label=N_("效果"), kind="choice", options=EFFECTS),
        Field(name="text", label=N_("依据（和上期相比）"), kind="area", limit=1000),
        Field(name="due_on", label=N_("无效时：新的期限"), kind="date", required=False),
    ),
)
DROP = Step(
    name="drop",
    title=N_("取消"),
    button=N_("取消这项措施"),
    done=N_("已取消。"),
    run=_drop,
    fields=(Field(name="reason", label=N_("原因"), kind="area"),),
)
STEPS = {step.name: step for step in (SET, CHANGE, REPORT, CHECK, DROP)}
