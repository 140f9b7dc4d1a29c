"""What the codes of repairs are called on the pages, in the language of the request."""

from web.i18n import N_

CLASSES = {"in_warranty": N_("保修"), "out": N_("非保修")}
WARRANTIES = {
    "none": N_("未办理保修"),
    "pre": N_("预办理"),
    "full": N_("保修"),
    "partial": N_("部分保修"),
    "excluded": N_("不保修"),
    "expired": N_("保修已过期"),
}
ITEM_STATES = {
    "covered": N_("在保"),
    "excluded": N_("不保修"),
    "expired": N_("已过期"),
    "ahead": N_("尚未开始"),
}
ITEM_TONES = {"covered": "green", "excluded": "brick", "expired": "brick", "ahead": "amber"}
WARNINGS = {
    "IN_CONSTRUCTION": N_("工程还没有完工：施工中的问题应当登记为投诉。"),
    "NO_PROJECT": N_("没有选定工程，查不到保修情况。"),
    "WARRANTY_NOT_ISSUED": N_("还没有办理保修。"),
    "PARTLY_WARRANTED": N_("只有一部分保修，请核对不保修的项目。"),
    "NOT_WARRANTED": N_("不保修。"),
    "WARRANTY_EXPIRED": N_("保修已经过期。"),
    "ITEM_EXCLUDED": N_("坏的这一项不在保修范围内。"),
    "ITEM_EXPIRED": N_("坏的这一项已过保修期。"),
    "CLASS_AGAINST_WARRANTY": N_("选的保修类别和保修情况不一致。"),
}
ROUTES = {"original": N_("原施工队"), "captain": N_("客服部维修队长"), "other_crew": N_("其他施工队")}
REASONS = {
    "crew_left": N_("原施工队已离职"),
    "customer_demand": N_("客户要求更换施工队"),
    "original_no_contact": N_("原施工队没有联系客户"),
    "plan_rejected": N_("客户对方案不满意"),
}
OUTCOMES = {
    "fixed": N_("已修好"),
    "unfinished": N_("没有修完，还要再上门"),
    "not_home": N_("客户不在家"),
    "refused": N_("客户不同意方案"),
}
TIMELY = {"yes": N_("及时"), "no": N_("不及时"), "unknown": N_("没有问到")}
WAYS = {"sheet": N_("转确认单"), "phone": N_("打电话")}
ACTIONS = {
    "repair.registered": N_("登记"),
    "repair.called_again": N_("客户又来电"),
    "repair.severity": N_("严重程度变更"),
    "repair.corrected": N_("更正"),
    "repair.routed": N_("确定维修方"),
    "repair.rerouted": N_("改派"),
    "repair.notified": N_("通知维修方"),
    "repair.contacted": N_("联系客户"),
    "repair.appointed": N_("约定上门"),
    "repair.departed": N_("出发"),
    "repair.arrived": N_("到达"),
    "repair.visited": N_("上门"),
    "repair.called_back": N_("回访客户"),
    "repair.customer_called": N_("隐号致电客户"),
    "repair.closed": N_("结案"),
    "repair.costed": N_("核算费用"),
    "repair.point_given": N_("交给维修点"),
    "repair.point_taken_back": N_("从维修点收回"),
}
