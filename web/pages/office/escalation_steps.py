"""The forms of a major complaint, E0 to E10: which fields each has, and what it asks of the services."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from crm.compensations import NewCompensation
from crm.complaint_services import ComplaintServices
from crm.domain.compensation import Bearer, CompensationKind, LiableParty, LiablePerson, RecoveryShare
from crm.domain.escalation import EscalationState
from crm.escalation_views import EscalationView
from crm.escalations import Liability
from kernel.access import Actor
from web.i18n import N_
from web.pages.case_forms import Field
from web.pages.office.parts import Step

PEOPLE = 4
STATES = {
    "submitted": N_("已提交升级"),
    "review": N_("经理了解情况"),
    "visit_agreed": N_("已约定上门"),
    "liability": N_("已界定责任"),
    "plan": N_("已拿出解决方案"),
    "cost_review": N_("公司主管审核费用"),
    "voucher": N_("财务填写支出凭证"),
    "approved": N_("领导已审批"),
    "paid": N_("已支付"),
    "recovery": N_("个人承担部分转人力"),
    "closed": N_("解决完毕结案"),
}
SHORT = {
    "submitted": N_("提交"),
    "review": N_("了解"),
    "visit_agreed": N_("上门"),
    "liability": N_("责任"),
    "plan": N_("方案"),
    "cost_review": N_("审费用"),
    "voucher": N_("凭证"),
    "approved": N_("审批"),
    "paid": N_("支付"),
    "recovery": N_("追偿"),
    "closed": N_("结案"),
}
PARTIES = {
    "manufacturer": N_("厂商"),
    "crew": N_("施工队"),
    "customer": N_("客户"),
    "company": N_("公司"),
}
BEARERS = {
    "crew": N_("施工队"),
    "customer": N_("客户"),
    "company": N_("公司"),
    "manufacturer": N_("厂商"),
    "staff": N_("员工个人"),
    "other": N_("其他"),
}
KINDS = {"cash": N_("现金"), "discount": N_("减免"), "rework": N_("返工"), "goods": N_("实物")}
MONEY_STATES = {
    "requested": N_("待公司主管审核"),
    "reviewed": N_("已同意，待财务写凭证"),
    "vouchered": N_("已写凭证，待领导签字"),
    "approved": N_("已审批，待支付"),
    "paid": N_("已支付"),
    "refused": N_("未批准"),
}
MONEY_TONES = {"requested": "amber", "vouchered": "amber", "paid": "green", "refused": "brick"}
assert set(STATES) == {state.value for state in EscalationState}
assert set(PARTIES) == {party.value for party in LiableParty}
assert set(BEARERS) == {bearer.value for bearer in Bearer}
assert set(KINDS) == {kind.value for kind in CompensationKind}

NEXT = {
    "submitted": N_("等客服经理了解情况，决定要不要上门。"),
    "review": N_("等客服经理约上门，或者直接界定责任。"),
    "visit_agreed": N_("上门查看之后，由客服经理和部门主管界定责任。"),
    "liability": N_("等客服经理拿出解决方案。"),
    "plan": N_("方案要花钱的，等客服经理提交赔偿申请；不花钱的，回访满意后由客服专员结案。"),
    "cost_review": N_("等总经理审核金额和由谁承担。"),
    "voucher": N_("等财务写支出凭证，然后总经理签字。"),
    "approved": N_("等财务支付给客户。"),
    "paid": N_("有员工承担的，财务把名单转人力资源部；没有的，回访满意后结案。"),
    "recovery": N_("等人力资源部逐人落实，全部落实、回访满意后结案。"),
    "closed": N_("已经结案。"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A step that somebody takes."""

    services: ComplaintServices
    actor: Actor
    view: EscalationView
    expected: int
    values: Mapping[str, Any]

    @property
    def ident(self) -> str:
        """The major complaint's id."""
        return self.view.escalation_id


async def _review(taken: Taken) -> object:
    values = taken.values
    return await taken.services.escalations.review(
        taken.actor,
        taken.ident,
        taken.expected,
        visit_needed=values["visit_needed"] == "yes",
        note=values["note"],
    )


async def _agree_visit(taken: Taken) -> object:
    values = taken.values
    return await taken.services.escalations.agree_visit(
        taken.actor,
        taken.ident,
        taken.expected,
        visit_from=values["visit_from"],
        visit_until=values["visit_until"],
        visit_with=values["visit_with"],
    )


async def _record_visit(taken: Taken) -> object:
    values = taken.values
    return await taken.services.escalations.record_visit(
        taken.actor, taken.ident, taken.expected, visited_at=values["visited_at"], record=values["record"]
    )


async def _settle(taken: Taken) -> object:
    values = taken.values
    return await taken.services.escalations.settle_liability(
        taken.actor,
        taken.ident,
        taken.expected,
        Liability(
            shares={party: values[f"shares-{party.value}"] or Decimal(0) for party in LiableParty},
            with_head=values["with_head"],
            persons=tuple(
                LiablePerson(
                    name=values[f"persons-{place}-name"],
                    percent=values[f"persons-{place}-percent"],
                    amount=values[f"persons-{place}-amount"],
                )
                for place in range(PEOPLE)
                if values[f"persons-{place}-name"]
            ),
            note=values["note"],
        ),
    )


async def _plan(taken: Taken) -> object:
    values = taken.values
    return await taken.services.escalations.plan(
        taken.actor, taken.ident, taken.expected, plan=values["plan"], costs=values["costs"] == "yes"
    )


def _new_compensation(values: Mapping[str, Any]) -> NewCompensation:
    return NewCompensation(
        amount=values["amount"],
        bearers={bearer: values[f"bearers-{bearer.value}"] or Decimal(0) for bearer in Bearer},
        reason=values["reason"],
        kind=CompensationKind(values["kind"]),
        recovery=tuple(
            RecoveryShare(
                name=values[f"recovery-{place}-name"],
                amount=values[f"recovery-{place}-amount"] or Decimal(0),
            )
            for place in range(PEOPLE)
            if values[f"recovery-{place}-name"]
        ),
    )


async def _request(taken: Taken) -> object:
    return await taken.services.compensations.request(
        taken.actor, taken.ident, taken.expected, _new_compensation(taken.values)
    )


async def _change(taken: Taken) -> object:
    return await taken.services.compensations.change(
        taken.actor, taken.ident, taken.expected, _new_compensation(taken.values)
    )


async def _decide(taken: Taken) -> object:
    agreed, reason = taken.values["agreed"] == "yes", taken.values["reason"]
    money = taken.services.compensations
    if taken.view.state is EscalationState.COST_REVIEW:
        return await money.review(taken.actor, taken.ident, taken.expected, agreed=agreed, reason=reason)
    return await money.approve(taken.actor, taken.ident, taken.expected, approved=agreed, reason=reason)


async def _voucher(taken: Taken) -> object:
    values = taken.values
    return await taken.services.compensations.write_voucher(
        taken.actor, taken.ident, taken.expected, voucher_no=values["voucher_no"], amount=values["amount"]
    )


async def _pay(taken: Taken) -> object:
    values = taken.values
    return await taken.services.compensations.pay(
        taken.actor,
        taken.ident,
        taken.expected,
        receipt_no=values["receipt_no"],
        paid_at=values["paid_at"],
    )


async def _send(taken: Taken) -> object:
    return await taken.services.compensations.send_recovery(taken.actor, taken.ident, taken.expected)


async def _recovered(taken: Taken) -> object:
    values = taken.values
    return await taken.services.compensations.recovered(
        taken.actor,
        taken.ident,
        taken.expected,
        recovery_id=values["recovery_id"],
        note=values["note"],
    )


async def _close(taken: Taken) -> object:
    return await taken.services.escalations.close(
        taken.actor, taken.ident, taken.expected, outcome=taken.values["outcome"]
    )


_MONEY_FIELDS = (
    Field(name="amount", label=N_("赔偿总额（元）"), kind="money"),
    Field(name="kind", label=N_("方式"), kind="choice", options=KINDS, start="cash"),
    *(
        Field(name=f"bearers-{code}", label=label, kind="money", required=False)
        for code, label in BEARERS.items()
    ),
    *(
        item
        for place in range(PEOPLE)
        for item in (
            Field(name=f"recovery-{place}-name", label=N_("员工姓名"), required=False, limit=40),
            Field(name=f"recovery-{place}-amount", label=N_("承担（元）"), kind="money", required=False),
        )
    ),
    Field(name="reason", label=N_("赔偿的理由"), kind="area", limit=2000),
)
_MONEY_SUMS = {
    "bearers-": (N_("由谁承担，加起来等于总额"), "amount"),
    "recovery-": (N_("员工个人承担的，写到人"), ""),
}

STEPS = (
    Step(
        name="review",
        title=N_("了解情况"),
        button=N_("保存"),
        done=N_("已接手。"),
        run=_review,
        fields=(
            Field(
                name="visit_needed",
                label=N_("要不要到现场看"),
                kind="choice",
                options={"yes": N_("要，两个工作日内上门"), "no": N_("不用")},
            ),
            Field(name="note", label=N_("和客户谈了什么"), kind="area", required=False, limit=2000),
        ),
    ),
    Step(
        name="agree_visit",
        title=N_("约定上门"),
        button=N_("保存约定"),
        done=N_("已约定上门。"),
        run=_agree_visit,
        fields=(
            Field(name="visit_from", label=N_("上门从"), kind="moment"),
            Field(name="visit_until", label=N_("到"), kind="moment"),
            Field(name="visit_with", label=N_("谁一起去（部门主管、客户等）"), limit=120),
        ),
    ),
    Step(
        name="record_visit",
        title=N_("记录现场"),
        button=N_("保存现场记录"),
        done=N_("已记录现场。"),
        run=_record_visit,
        fields=(
            Field(name="visited_at", label=N_("到场时间"), kind="moment"),
            Field(name="record", label=N_("现场看到什么"), kind="area", limit=4000),
        ),
    ),
    Step(
        name="settle_liability",
        title=N_("界定责任"),
        button=N_("保存责任划分"),
        done=N_("已界定责任。"),
        run=_settle,
        fields=(
            *(
                Field(name=f"shares-{code}", label=label, kind="money", required=False)
                for code, label in PARTIES.items()
            ),
            Field(name="with_head", label=N_("和哪位部门主管一起界定"), limit=40),
            *(
                item
                for place in range(PEOPLE)
                for item in (
                    Field(name=f"persons-{place}-name", label=N_("责任人"), required=False, limit=40),
                    Field(
                        name=f"persons-{place}-percent",
                        label=N_("占比（百分数）"),
                        kind="money",
                        required=False,
                    ),
                    Field(
                        name=f"persons-{place}-amount",
                        label=N_("或者金额（元）"),
                        kind="money",
                        required=False,
                    ),
                )
            ),
            Field(name="note", label=N_("依据"), kind="area", required=False, limit=2000),
        ),
        sums={
            "shares-": (N_("四方责任占比（百分数），加起来正好 100.00"), "100.00"),
            "persons-": (N_("员工个人（可不填）"), ""),
        },
    ),
    Step(
        name="plan",
        title=N_("解决方案"),
        button=N_("保存方案"),
        done=N_("已记录方案。"),
        run=_plan,
        fields=(
            Field(name="plan", label=N_("怎么解决"), kind="area", limit=2000),
            Field(
                name="costs",
                label=N_("公司要不要花钱（赔偿或损失）"),
                kind="choice",
                options={"yes": N_("要，提交费用审核"), "no": N_("不用")},
            ),
        ),
    ),
    Step(
        name="request",
        title=N_("申请赔偿"),
        button=N_("提交审核"),
        done=N_("已提交，等总经理审核。"),
        hint=N_("填金额的人不能自己审批。"),
        run=_request,
        fields=_MONEY_FIELDS,
        sums=_MONEY_SUMS,
    ),
    Step(
        name="change",
        title=N_("改金额"),
        button=N_("保存修改"),
        done=N_("已更改金额。"),
        hint=N_("填金额的人不能自己审批。"),
        run=_change,
        fields=_MONEY_FIELDS,
        sums=_MONEY_SUMS,
    ),
    Step(
        name="decide",
        title=N_("审批"),
        button=N_("签字"),
        done=N_("已审批。"),
        run=_decide,
        fields=(
            Field(
                name="agreed",
                label=N_("您的决定"),
                kind="choice",
                options={"yes": N_("同意"), "no": N_("不同意，退回重拟方案")},
            ),
            Field(name="reason", label=N_("理由（不同意时必填）"), kind="area", required=False, limit=400),
        ),
    ),
    Step(
        name="write_voucher",
        title=N_("写支出凭证"),
        button=N_("保存凭证"),
        done=N_("已写凭证，等领导签字。"),
        run=_voucher,
        fields=(
            Field(name="voucher_no", label=N_("凭证号"), limit=40),
            Field(name="amount", label=N_("金额（要和批准的一致）"), kind="money"),
        ),
    ),
    Step(
        name="pay",
        title=N_("支付"),
        button=N_("已支付给客户"),
        done=N_("已记录支付。"),
        run=_pay,
        fields=(
            Field(name="receipt_no", label=N_("收据号"), limit=40),
            Field(name="paid_at", label=N_("支付时间（不填就是现在）"), kind="moment", required=False),
        ),
    ),
    Step(
        name="send_recovery",
        title=N_("转人力资源部"),
        button=N_("转人力资源部"),
        done=N_("已转人力资源部。"),
        hint=N_("员工个人承担的部分，由人力资源部在当月工资里落实。"),
        run=_send,
    ),
    Step(
        name="recovered",
        title=N_("落实个人承担"),
        button=N_("已落实"),
        done=N_("已记录。"),
        run=_recovered,
        fields=(
            Field(name="recovery_id", label=N_("哪一位"), kind="choice"),
            Field(name="note", label=N_("怎么落实的"), kind="area", required=False, limit=400),
        ),
    ),
    Step(
        name="close",
        title=N_("结案"),
        button=N_("结案"),
        done=N_("已结案，归入投诉档案。"),
        run=_close,
        fields=(Field(name="outcome", label=N_("处理结果"), kind="area", limit=2000),),
    ),
)
OF_MOVES = {"agree": "decide", "approve": "decide", "refuse": "decide"}
"""Moves of the machine that share a form."""
