"""The forms about repair points: the agreement, spare parts, months, quality feedback (domain.md §1.13)."""

from collections.abc import Mapping
from typing import Any

from crm.domain.repair_point import PartKind
from crm.point_visits import VisitKind
from crm.repair_point_views import PointText
from crm.repair_points import MAX_NOTE
from kernel.errors import Invalid
from web.i18n import N_
from web.pages.case_forms import Field
from web.pages.office.parts import Step
from web.permissions import Permission

PART_KINDS = {"issue": N_("领用"), "return": N_("退回")}
assert set(PART_KINDS) == {kind.value for kind in PartKind}
VISIT_KINDS = {"visit": N_("走访"), "training": N_("培训"), "audit": N_("账务与配件审核")}
assert set(VISIT_KINDS) == {kind.value for kind in VisitKind}
SOUND = {"yes": N_("相符"), "no": N_("不符")}
_MONTH = Field(name="month", label=N_("月份"), kind="month", limit=7)


def _text(values: Mapping[str, Any]) -> PointText:
    return PointText(
        name=values["name"],
        agreement_no=values["agreement_no"],
        district=values["district"],
        address=values["address"],
        contact=values["contact"],
        phone=values["phone"],
        valid_from=values["valid_from"],
        valid_to=values["valid_to"],
        active=values["active"],
        note=values["note"],
    )


async def _put(taken: dict[str, Any]) -> object:
    key = taken["key"]
    return await taken["points"].put_point(
        taken["actor"],
        key or None,
        _text(taken["values"]),
        expected=taken["version"] if key else None,
    )


async def _move(taken: dict[str, Any]) -> object:
    values = taken["values"]
    return await taken["points"].move_part(
        taken["actor"],
        taken["key"],
        PartKind(values["kind"]),
        part=values["part"],
        quantity=values["quantity"],
        price=values["price"],
        on_day=values["on_day"],
        defective=values["defective"],
        note=values["note"],
    )


async def _account(taken: dict[str, Any]) -> object:
    values = taken["values"]
    return await taken["points"].put_account(
        taken["actor"],
        taken["key"],
        values["month"],
        budget=values["budget"],
        actual=values["actual"],
        expected=taken["version"] or None,
    )


async def _approve(taken: dict[str, Any]) -> object:
    return await taken["points"].approve_account(
        taken["actor"], taken["account_id"], taken["version"], why=taken["values"]["why"]
    )


async def _feed_back(taken: dict[str, Any]) -> object:
    values = taken["values"]
    count = values["count"]
    if not (count.isascii() and count.isdigit() and len(count) < 7):
        raise Invalid("a whole number", field="count")
    return await taken["points"].feed_back(
        taken["actor"],
        values["month"],
        product=values["product"],
        problem=values["problem"],
        count=int(count),
        departments=[code for code in (values["department"], values["other"]) if code],
        point_id=values["point_id"] or None,
    )


async def _plan(taken: dict[str, Any]) -> object:
    values = taken["values"]
    return await taken["visits"].plan(
        taken["actor"],
        taken["key"],
        VisitKind(values["kind"]),
        planned_on=values["planned_on"],
        topic=values["topic"],
    )


async def _finish(taken: dict[str, Any]) -> object:
    values = taken["values"]
    return await taken["visits"].finish(
        taken["actor"],
        taken["visit_id"],
        taken["version"],
        done_on=values["done_on"],
        result=values["result"],
        sound={"yes": True, "no": False}.get(values["sound"]),
    )


PUT = Step(
    name="put",
    title=N_("修改维修点"),
    button=N_("保存"),
    done=N_("维修点已保存。"),
    run=_put,
    fields=(
        Field(name="name", label=N_("名称"), limit=60),
        Field(name="agreement_no", label=N_("协议编号"), limit=40),
        Field(name="district", label=N_("区域"), limit=40),
        Field(name="address", label=N_("地址"), limit=200, required=False),
        Field(name="contact", label=N_("联系人"), limit=40),
        Field(name="phone", label=N_("电话"), limit=40),
        Field(name="valid_from", label=N_("协议开始"), kind="date"),
        Field(name="valid_to", label=N_("协议结束（长期可不填）"), kind="date", required=False),
        Field(name="note", label=N_("备注"), kind="area", limit=MAX_NOTE, required=False),
        Field(name="active", label=N_("合作中"), kind="check", required=False),
    ),
)
MOVE = Step(
    name="move",
    title=N_("配件领用或退回"),
    button=N_("保存"),
    done=N_("配件已登记。"),
    run=_move,
    fields=(
        Field(name="kind", label=N_("方向"), kind="choice", options=PART_KINDS),
        Field(name="part", label=N_("配件"), limit=60),
        Field(name="quantity", label=N_("数量"), kind="money"),
        Field(name="price", label=N_("单价"), kind="money"),
        Field(name="on_day", label=N_("日期"), kind="date"),
        Field(name="note", label=N_("备注"), limit=200, required=False),
        Field(name="defective", label=N_("残次品"), kind="check", required=False),
    ),
)
ACCOUNT = Step(
    name="account",
    title=N_("登记月度费用"),
    button=N_("保存"),
    done=N_("月度费用已保存，等待审批。"),
    run=_account,
    fields=(
        _MONTH,
        Field(name="budget", label=N_("预算"), kind="money"),
        Field(name="actual", label=N_("实际（还没有可不填）"), kind="money", required=False),
    ),
)
APPROVE = Step(
    name="approve",
    title=N_("审批"),
    button=N_("批准"),
    done=N_("已批准。"),
    run=_approve,
    fields=(Field(name="why", label=N_("说明（超预算时必填）"), required=False),),
)
FEEDBACK = Step(
    name="feedback",
    title=N_("登记质量反馈"),
    button=N_("保存"),
    done=N_("质量反馈已登记。"),
    run=_feed_back,
    fields=(
        _MONTH,
        Field(name="product", label=N_("产品或部位"), limit=60),
        Field(name="count", label=N_("次数"), limit=6),
        Field(name="department", label=N_("反馈给"), kind="choice"),
        Field(name="other", label=N_("还有"), kind="choice", blank=N_("没有"), required=False),
        Field(name="point_id", label=N_("哪个维修点"), kind="choice", blank=N_("全部"), required=False),
        Field(name="problem", label=N_("问题"), kind="area", limit=400),
    ),
)
PLAN = Step(
    name="plan",
    title=N_("安排走访、培训或审核"),
    button=N_("保存"),
    done=N_("已安排。"),
    run=_plan,
    fields=(
        Field(name="kind", label=N_("做什么"), kind="choice", options=VISIT_KINDS),
        Field(name="planned_on", label=N_("计划日期"), kind="date"),
        Field(name="topic", label=N_("内容"), limit=200),
    ),
)
FINISH = Step(
    name="finish",
    title=N_("登记结果"),
    button=N_("保存"),
    done=N_("结果已登记。"),
    run=_finish,
    fields=(
        Field(name="done_on", label=N_("完成日期"), kind="date"),
        Field(
            name="sound",
            label=N_("账实是否相符（审核必填）"),
            kind="choice",
            options=SOUND,
            blank=N_("不是审核"),
            required=False,
        ),
        Field(name="result", label=N_("结果"), kind="area", limit=1000),
    ),
)
PERMISSIONS = {
    "put": Permission.STAFF_EDIT,
    "move": Permission.REPAIRS_WORK,
    "account": Permission.REPAIRS_WORK,
    "approve": Permission.COSTS_SIGN_SERVICE,
    "feedback": Permission.REPAIRS_WORK,
    "plan": Permission.REPAIRS_WORK,
    "finish": Permission.REPAIRS_WORK,
}
STEPS = {step.name: step for step in (PUT, MOVE, ACCOUNT, APPROVE, FEEDBACK, PLAN, FINISH)}
