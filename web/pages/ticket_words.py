"""What the codes of problem tickets are called on the pages, in the language of the request."""

from web.i18n import N_

PARTS = {
    "open": N_("等待签收"),
    "in_hand": N_("在处理"),
    "solved": N_("已解决"),
    "refused": N_("部门退回"),
    "rerouted": N_("已改派"),
    "unfounded": N_("不属实"),
}
REVISITS = {
    "satisfied": N_("已解决，满意"),
    "dissatisfied": N_("没有解决"),
    "not_reached": N_("没有联系到"),
}
WHY = {"customer": N_("客户要投诉"), "decided": N_("经理决定")}
WAYS = {
    "phone": N_("打电话"),
    "order_system": N_("在转办系统里"),
    "email": N_("邮件"),
    "letter": N_("来信"),
    "visit": N_("来访"),
}
ACTIONS = {
    "ticket.opened": N_("登记"),
    "ticket.part_added": N_("增加部门"),
    "ticket.handed_off": N_("转交部门"),
    "ticket.signed": N_("部门签收"),
    "ticket.refused": N_("部门退回"),
    "ticket.rerouted": N_("改派"),
    "ticket.unfounded": N_("按不属实结案"),
    "ticket.solved": N_("部门报已解决"),
    "ticket.verified": N_("回访：已解决"),
    "ticket.not_reached": N_("回访：没有联系到"),
    "ticket.revisit_waived": N_("免回访"),
    "ticket.called_again": N_("客户又来电"),
    "ticket.customer_called": N_("隐号致电客户"),
    "ticket.severity": N_("严重程度变更"),
    "ticket.convert": N_("转为投诉"),
    "ticket.closed": N_("结案"),
    "ticket.withdrawn": N_("客户更正答案，已撤回"),
    "ticket.answer_corrected": N_("客户更正了答案"),
}
