"""What the codes of cases are called on the pages, in the language of the request."""

from datetime import timedelta

from crm.classification import norm_of
from crm.domain.complaint import CLASS_LABELS, SUBCLASSES, ComplaintClass
from web.i18n import N_, gettext

LINE_STATUSES = {
    "registered": N_("待转交"),
    "handed_off": N_("未接收"),
    "rejected": N_("部门退回"),
    "accepted": N_("已接收"),
    "verified": N_("已核实"),
    "visit_agreed": N_("已约上门"),
    "visited": N_("已出现场"),
    "plan_review": N_("方案待审核"),
    "plan_refused": N_("方案未通过"),
    "planned": N_("已出方案"),
    "on_site": N_("在处理"),
    "done": N_("已解决待回访"),
    "unsolved": N_("回访未解决"),
    "closed": N_("已结案"),
    "unfounded": N_("不属实结案"),
    "rerouted": N_("已改派"),
}
LINE_TONES = {
    "registered": "amber",
    "rejected": "brick",
    "unsolved": "brick",
    "plan_refused": "brick",
    "handed_off": "blue",
    "plan_review": "violet",
    "done": "violet",
    "closed": "green",
}

STATUS_TONES = {
    "registered": "amber",
    "rejected": "brick",
    "handed_off": "blue",
    "done": "violet",
    "callback": "violet",
    "visited": "violet",
    "solved": "violet",
    "closed": "green",
    "open": "amber",
}
"""State of a case → colour of its chip; what is not here is grey."""

NEXT_STEPS = {
    "hand_off": N_("转交负责部门"),
    "wait": N_("部门正在处理，请留意时限"),
    "reroute": N_("部门退回了：改派，或按不属实结案"),
    "approve_plan": N_("审核部门的方案"),
    "call_back": N_("回访客户"),
    "call_again": N_("上次没有联系到客户，再回访一次"),
    "new_round": N_("客户说没有解决，等部门重新出方案"),
    "escalate": N_("提交升级客诉"),
    "reply_to_source": N_("回复转办热线"),
    "close": N_("结案"),
    "nothing": N_("已经办结"),
}

SEVERITIES = {"1": N_("一般"), "2": N_("严重"), "3": N_("重大")}
SEVERITY_HINTS = {
    "1": N_("没有安全隐患"),
    "2": N_("安全、水电隐患、私收费、一月内两次来电"),
    "3": N_("要求赔偿、群诉、媒体、监管来函"),
}
NATURES = {
    "consultation": N_("咨询"),
    "order": N_("业务办理"),
    "complaint": N_("投诉"),
    "suggestion": N_("建议"),
    "repair": N_("报修"),
}
URGENCIES = {"normal": N_("一般"), "urgent": N_("紧急"), "emergency": N_("特急")}
URGENCY_TONES = {"urgent": "amber", "emergency": "brick"}
SEVERITY_TONES = {"2": "amber", "3": "brick"}

SOURCES = {
    "phone": N_("来电"),
    "callback": N_("回访"),
    "visit": N_("来访"),
    "wechat": N_("微信"),
    "web": N_("网络"),
    "store": N_("店面"),
    "department": N_("其他部门"),
    "letter": N_("来信"),
    "regulator": N_("监管部门"),
    "media": N_("媒体"),
    "hotline_forward": N_("热线转办"),
}

VERDICTS = {
    "satisfied": N_("满意"),
    "neutral": N_("一般"),
    "dissatisfied": N_("不满意"),
    "not_reached": N_("没有联系到"),
}
PROBLEMS = {
    "solved": N_("已解决"),
    "in_hand": N_("正在处理"),
    "not_handled": N_("没有处理"),
    "not_contacted": N_("没有人联系过"),
    "not_connected": N_("电话没有接通"),
}
TIMELINESS = {"timely": N_("及时"), "late": N_("不及时"), "unknown": N_("没有问到")}
CONTACTED = {"yes": N_("按时联系了"), "no": N_("没有按时联系"), "unknown": N_("没有问到")}

ACCEPT_MODES = {"visit_first": N_("先上门查看"), "plan_first": N_("先出方案"), "no_plan": N_("不用出方案")}
RECORD_KINDS = {
    "visit": N_("上门"),
    "telephone": N_("电话"),
    "on_site": N_("现场施工"),
    "material": N_("材料"),
    "other": N_("其他"),
}
FILE_PURPOSES = {"photo": N_("照片"), "scan": N_("扫描件")}
HANDOFF_FORMS = {"electronic": N_("电子确认单"), "paper": N_("纸质确认单")}
HANDOFF_STATES = {"waiting": N_("等待签收"), "signed": N_("已签收"), "rejected": N_("已退回")}
SIGNATURE_KINDS = {"drawn": N_("手写签名"), "pin": N_("签收密码"), "paper_scan": N_("纸质扫描")}

LIMITS = {
    "TS.T1": N_("部门接收"),
    "TS.T2": N_("电话核实"),
    "TS.T3": N_("出方案"),
    "TS.T4": N_("回访客户"),
    "BX.R2": N_("通知维修方"),
    "BX.R3": N_("联系客户"),
    "BX.R6": N_("回访客户"),
    "BX.K0": N_("核算费用"),
    "ES.REVIEW": N_("经理了解情况"),
    "ES.VISIT": N_("现场查看"),
    "TD.T1": N_("部门接收"),
    "TD.T2": N_("解决问题"),
    "FO.REPLY": N_("回复转办热线"),
    "RQ.ANSWER": N_("答复个人信息请求"),
}

CLASSES = {
    "1": N_("施工质量"),
    "2": N_("工期延误"),
    "3": N_("价格费用"),
    "4": N_("材料"),
    "5": N_("设计"),
    "6": N_("服务"),
    "7": N_("现场管理"),
    "8": N_("售后"),
    "9": N_("廉洁诚信"),
    "10": N_("合同及其他"),
}
SUBCLASS_WORDS = {
    "water_electric": N_("水电"),
    "waterproof": N_("防水"),
    "tile": N_("瓷砖"),
    "carpentry": N_("木工"),
    "paint": N_("油漆"),
    "installation": N_("安装"),
    "start": N_("开工"),
    "progress": N_("进度"),
    "delivery": N_("送货"),
    "visit": N_("上门"),
    "add_ons": N_("增项"),
    "final_account": N_("报价与决算"),
    "refund": N_("退款"),
    "not_as_agreed": N_("与约定不符"),
    "defect": N_("质量缺陷"),
    "missing": N_("缺料"),
    "smell": N_("异味"),
    "drawing_error": N_("图纸错误"),
    "effect": N_("效果不符"),
    "change": N_("设计变更"),
    "briefing": N_("交底"),
    "manner": N_("态度"),
    "no_contact": N_("无人联系"),
    "promise_broken": N_("承诺未兑现"),
    "safety": N_("安全"),
    "tidiness": N_("卫生整洁"),
    "damage": N_("成品损坏"),
    "neighbour": N_("邻里"),
    "late": N_("维修不及时"),
    "repeated": N_("反复维修"),
    "refused": N_("拒绝维修"),
    "private_charge": N_("私收费用"),
    "false_promise": N_("虚假承诺"),
    "contract": N_("合同"),
    "other": N_("其他"),
}

AUDIT_ACTIONS = {
    "complaint.register": N_("登记"),
    "complaint.called_again": N_("客户又来电"),
    "complaint.severity": N_("严重程度变更"),
    "complaint.line_add": N_("增加责任线"),
    "complaint.hand_off": N_("转交部门"),
    "complaint.chase": N_("催签收"),
    "complaint.phone_chase": N_("电话催收"),
    "complaint.accept": N_("部门签收"),
    "complaint.reject": N_("部门退回"),
    "complaint.reroute": N_("改派"),
    "complaint.unfounded": N_("按不属实结案"),
    "complaint.assign": N_("指定经办人"),
    "complaint.verify": N_("电话核实"),
    "complaint.agree_visit": N_("约定上门"),
    "complaint.plan": N_("出方案"),
    "complaint.decide_plan": N_("审核方案"),
    "complaint.visit": N_("上门"),
    "complaint.record_add": N_("处理记录"),
    "complaint.done": N_("部门报已解决"),
    "complaint.call_back": N_("回访客户"),
    "complaint.line_called_back": N_("回访结果"),
    "complaint.waive_callback": N_("免回访"),
    "complaint.line_waived": N_("免回访"),
    "complaint.reply_to_source": N_("回复转办热线"),
    "complaint.close": N_("结案"),
    "complaint.not_file": N_("不立案"),
    "complaint.analyse": N_("客诉分析"),
    "complaint.customer_called": N_("隐号致电客户"),
    "complaint.status": N_("状态变更"),
    "case.followed_up": N_("结案抽查"),
    "source.replied": N_("回复转办热线"),
}

for _class, _codes in SUBCLASSES.items():
    assert str(_class.value) in CLASSES
    assert set(_codes) <= set(SUBCLASS_WORDS)
    assert CLASS_LABELS[_class] == CLASSES[str(ComplaintClass(_class).value)]


def norm_text(span: timedelta) -> str:
    """Return a norm's time in words: minutes below two hours."""
    minutes = round(span / timedelta(minutes=1))
    if minutes < 120:
        return gettext("%(n)s 分钟") % {"n": minutes}
    return gettext("%(n)s 小时") % {"n": f"{minutes / 60:g}"}


def target_text(nature: str | None, urgency: str) -> str:
    """Return nature, urgency and the standard's times of a case; empty of cases from before."""
    norm = norm_of(nature, urgency)
    if norm is None or nature is None:
        return ""
    return gettext("%(nature)s · %(urgency)s · 标准 %(answer)s内答复、%(solve)s内解决") % {
        "nature": gettext(NATURES[nature]),
        "urgency": gettext(URGENCIES[urgency]),
        "answer": norm_text(norm.answer),
        "solve": norm_text(norm.solve),
    }
