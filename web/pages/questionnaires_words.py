"""What the codes of questionnaires are called on the pages, in the language of the request."""

from collections.abc import Iterable

from callback_campaigns.domain.questionnaire import Do, Item, ItemKind, Option, Rule
from callback_campaigns.domain.questionnaire_problems import Problem
from callback_campaigns.domain.terms import Channel
from crm.domain.customer import Level
from web import labels
from web.i18n import N_, gettext
from web.pages.questionnaires_structure import told

KINDS: dict[str, str] = {
    ItemKind.SAT3: N_("满意度"),
    ItemKind.R5: N_("1–5分"),
    ItemKind.YN: N_("是否"),
    ItemKind.FT: N_("留言"),
    ItemKind.G4: N_("优良中差"),
    ItemKind.SINGLE: N_("单选"),
    ItemKind.MULTI: N_("多选"),
    ItemKind.TWO_LEVEL: N_("两级选择"),
    ItemKind.DATE: N_("日期"),
}
CHANNELS: dict[str, str] = {
    Channel.IVR: N_("系统语音"),
    Channel.AGENT: N_("人工电话"),
    Channel.SMS_FORM: N_("短信问卷"),
    Channel.VISIT: N_("上门"),
}
LEVELS: dict[str, str] = {Level.A: N_("A级"), Level.B: N_("B级"), Level.C: N_("C级")}
PLAN_POINTS: dict[str, str] = {
    "d3": N_("入住第3天"),
    "m1": N_("1个月"),
    "m3": N_("3个月"),
    "m6": N_("6个月"),
    "yearly": N_("每年"),
    "warranty": N_("保修到期前"),
    "season": N_("换季"),
}
DEPARTMENTS: dict[str, str] = {
    "SPC": N_("客服专员"),
    "MGR": N_("客服经理"),
    "RCP": N_("维修队长"),
    "DPH": N_("原责任部门"),
    "GM": N_("总经理"),
    "ENG": N_("工程部"),
    "DES": N_("设计部"),
    "MAT": N_("材料部"),
    "QC": N_("质检部"),
    "STO": N_("店面"),
    "FIN": N_("财务部"),
    "MKT": N_("市场企划部"),
}
DOES: dict[str, str] = {
    Do.TICKET: N_("问题单"),
    Do.CARE: N_("关怀单"),
    Do.NOTE: N_("记录"),
    Do.REMIND: N_("提醒"),
    Do.INFORM: N_("告知"),
    Do.CALL: N_("人工回电"),
    Do.REASK: N_("下次再问"),
    Do.REOPEN: N_("重新打开"),
    Do.RETURN_CASE: N_("退回部门"),
    Do.KEEP_OPEN: N_("不结案"),
    Do.NEXT_ROUND: N_("下一轮或升级"),
    Do.NEW_CASE: N_("新案件"),
    Do.REPAIR_ORDER: N_("报修单"),
    Do.REROUTE: N_("改派"),
    Do.VISIT_AGAIN: N_("再次上门"),
    Do.BLOCK: N_("暂停交付"),
    Do.CLASSIFY: N_("听录音"),
    Do.STORE: N_("存入客户资料"),
    Do.SEND: N_("发送资料"),
    Do.STATISTIC: N_("统计"),
}
PARTS: dict[str, str] = {"opening": N_("开场"), "message": N_("留言"), "closing": N_("结束语")}
WRONG: dict[str, str] = {
    "stale_version": N_("别人刚刚修改了这份问卷。请重新打开后再改。"),
    "conflict": N_("已经有这个编号的问卷。"),
    "no_draft": N_("没有可以发布或放弃的草稿。"),
    "questionnaire_invalid": N_("问卷还有错误，改好后才能发布。"),
    "why": N_("请写明改了什么，最多 200 个字。"),
    "text": N_("问卷不能是空的，也不能太长。"),
    "channel_refused": N_("这份问卷不能这样问：A级客户和严重投诉由人工回访。"),
    "voice": N_("现在没有可用的语音，暂时不能试听。"),
}

EXPLAINED: dict[str, str] = {
    "key_untold": N_("按键 {0} 有含义，但按键说明没有提到它。"),
    "key_empty": N_("按键说明提到了 {0}，但它没有含义。"),
    "not_filled": N_("“{0}”不会被替换；可以写的有 {1}。"),
    "keys_missing": N_("缺少按键说明：每个按键是什么意思。"),
    "decisive_not_asked": N_("这是决定性问题，系统语音必须问它。"),
    "too_many": N_("系统语音有 {0} 道无条件的题，最多 {1} 道。"),
    "too_long": N_("系统语音大约要念 {0} 秒，最多 {1} 秒。"),
    "nothing_asked": N_("问卷里还没有题目。"),
    "two_overall": N_("总体评分只能有一题。"),
    "other_prefix": N_("这份问卷的题号要以 {0} 开头。"),
    "no_bad": N_("这是决定性问题，但没有一个答案算不好。"),
    "overall_type": N_("总体评分的题型只能是 R5、SAT3 或 G4。"),
    "closing_a_only": N_("closing 只用于单独问 A 级客户的题。"),
    "answers": N_("{0} 要有 {1} 到 {2} 个答案。"),
    "ivr_no_channel": N_("ivr 里列了题目，但 channels 里没有 ivr。"),
    "ivr_missing": N_("缺少 ivr：用按键回访 B、C 级客户时问哪些题。"),
    "ivr_unknown": N_("ivr 里写了它，但没有这一题。"),
    "not_keyed": N_("{0} 不能用一个按键回答，请从 ivr 里去掉。"),
    "ivr_a_only": N_("这一题只问 A 级客户，不能放进 ivr。"),
    "ivr_twice": N_("ivr 里写了两次。"),
    "several_lines": N_("这一句在全文里分成了几行，请在全文里修改。"),
}
"""Mistakes in the language of the reader; those that have no code are known by their sentences."""


def explained(problem: Problem) -> str:
    """Return a mistake as the reader understands it."""
    template = EXPLAINED.get(problem.code)
    return gettext(template).format(*problem.values) if template else told(problem.message)


def rules_of(option: Option) -> str:
    """Return what an answer sets going, in a line."""
    return gettext("；").join(_rule(rule) for rule in option.rules)


def _rule(rule: Rule) -> str:
    words = [labels.word(DOES, rule.do)]
    if rule.to:
        words.append("+".join(departments(rule.to)))
    if rule.severity > 1:
        words.append(gettext("%(n)s级") % {"n": rule.severity})
    if rule.within:
        words.append("≤ " + rule.within)
    if rule.do is Do.REASK:
        words.append(rule.detail)
    if rule.confidential:
        words.append(gettext("保密"))
    if rule.when:
        words.append(f"[{rule.when.text}]")
    return " ".join(words)


def departments(codes: Iterable[str]) -> list[str]:
    """Return names of departments."""
    return [labels.word(DEPARTMENTS, code) for code in codes]


def kind_of(item: Item) -> str:
    """Return how an item is answered."""
    kind = labels.word(KINDS, item.kind)
    return f"{kind} / {labels.word(KINDS, item.agent_kind)}" if item.agent_kind else kind
