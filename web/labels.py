"""Words for codes: what people read for a state, a result, a stage. Codes travel, words do not."""

from collections.abc import Iterable, Mapping

from telephony.agent_views import Choice
from telephony.domain.disposition import Disposition, DispositionTree
from telephony.domain.queue import QueueSettings
from web.i18n import N_, SOURCE_LANGUAGE, current_language, gettext

AGENT_STATES = {
    "signed_out": N_("未签入"),
    "available": N_("空闲"),
    "reserved": N_("预留"),
    "ringing": N_("振铃"),
    "on_call": N_("通话中"),
    "wrap_up": N_("话后整理"),
    "paused": N_("小休"),
}

CALL_STATES = {
    "offered": N_("呼入"),
    "menu": N_("语音导航"),
    "queued": N_("排队"),
    "ringing": N_("振铃"),
    "talking": N_("通话中"),
    "held": N_("保持"),
    "ended": N_("已结束"),
}

CALL_RESULTS = {
    "ANSWERED": N_("已接通"),
    "NO_ANSWER": N_("无人接听"),
    "BUSY": N_("忙线"),
    "OFF": N_("关机"),
    "EMPTY": N_("空号"),
    "REJECTED": N_("拒接"),
    "ABANDONED_QUEUE": N_("排队中放弃"),
    "ABANDONED_SHORT": N_("短放弃"),
    "IVR_ONLY": N_("仅语音导航"),
    "FAILED": N_("失败"),
}

DIRECTIONS = {"in": N_("呼入"), "out": N_("呼出"), "internal": N_("内部")}

HANGUP_BY = {
    "caller": N_("主叫方"),
    "agent": N_("坐席"),
    "system": N_("系统"),
    "unknown": N_("未知"),
}

END_REASONS = {
    "hangup": N_("正常挂机"),
    "gap": N_("结束时与电话系统失去联系"),
    "pbx_restart": N_("电话系统重启"),
    "queue_timeout": N_("排队超时"),
    "queue_full": N_("队列已满"),
    "no_agent": N_("没有坐席在线"),
    "merged": N_("并入另一通话"),
    "machine": N_("对方是语音信箱或自动应答"),
}

TIMELINE_KINDS = {
    "offered": N_("呼入"),
    "menu": N_("导航"),
    "queued": N_("进入队列"),
    "ringing": N_("振铃"),
    "ring_ended": N_("停止振铃"),
    "answered": N_("接通"),
    "held": N_("保持"),
    "unheld": N_("取消保持"),
    "transferred": N_("转接"),
    "consulted": N_("咨询同事"),
    "conference": N_("三方通话"),
    "left_queue": N_("离开队列"),
    "ended": N_("结束"),
    "gap": N_("记录中断"),
    "supervised": N_("班长在线"),
    "routed": N_("分配"),
    "recording_paused": N_("暂停录音"),
    "recording_resumed": N_("恢复录音"),
}

PAUSE_REASONS = {
    "agent": N_("坐席按键"),
    "supervisor": N_("主管操作"),
    "automatic": N_("听到卡号，自动暂停"),
    "resumed": N_("手动恢复"),
    "time": N_("到时自动恢复"),
    "transferred": N_("转接后自动恢复"),
    "call_ended": N_("通话结束"),
}

LEG_KINDS = {"caller": N_("来电方"), "agent": N_("坐席"), "outside": N_("外线"), "other": N_("其他")}

RING_END_REASONS = {
    "answered": N_("已接听"),
    "no_answer": N_("未接听"),
    "rejected": N_("拒接"),
    "abandoned": N_("对方挂断"),
    "busy": N_("话机忙"),
}

LEFT_QUEUE_REASONS = {"abandoned": N_("客户放弃"), "not_answered": N_("无人接听")}
TRANSFER_TYPES = {
    "blind": N_("直接转"),
    "attended": N_("先咨询后转"),
    "joined": N_("并入另一通电话"),
    "taken_over": N_("班长接管"),
}
LISTENING_MODES = {
    "listen": N_("旁听"),
    "whisper": N_("耳语"),
    "barge": N_("插话"),
    "take_over": N_("接管"),
    "end": N_("离开"),
}

FORMULAS = {
    "net_of_short": N_("20 秒内接通 ÷（接通 + 放弃 − 短放弃）"),
    "all_handled": N_("（20 秒内接通 + 20 秒内放弃）÷（接通 + 放弃）"),
    "of_answered": N_("20 秒内接通 ÷ 接通"),
    "of_offered": N_("20 秒内接通 ÷（接通 + 放弃）"),
    "late_abandons": N_("20 秒内接通 ÷（接通 + 20 秒后放弃）"),
}

BOARD_LIMITS = {
    "waiting": N_("排队多于 %(limit)s 人（现在 %(value)s）"),
    "longest": N_("等待超过 %(limit)s 秒（现在 %(value)s）"),
    "level": N_("今日服务水平低于 %(limit)s%%（现在 %(value)s%%）"),
    "free": N_("空闲坐席少于 %(limit)s 人（现在 %(value)s）"),
}
"""A limit of the board that is crossed; the script fills in the figures."""

SALUTATIONS = {"先生": N_("先生"), "女士": N_("女士")}

CREW_STATUSES = {"departed": N_("已离职"), "suspended": N_("已停用")}

STAGES = {
    "-3": N_("合同异常终止"),
    "-2": N_("停工"),
    "-1": N_("已退单"),
    "10": N_("方案已定，未签约"),
    "15": N_("图纸审核中"),
    "20": N_("已签约"),
    "25": N_("档案登记"),
    "30": N_("待派单"),
    "35": N_("已派施工队"),
    "40": N_("已定开工日期"),
    "50": N_("已开工"),
    "60": N_("隐蔽工程完成"),
    "70": N_("中期验收"),
    "75": N_("已交中期款"),
    "80": N_("完工"),
    "85": N_("已交尾款"),
    "90": N_("已交付"),
    "95": N_("保修期内"),
    "99": N_("过保"),
}
CASE_KINDS = {"complaint": N_("投诉"), "repair": N_("报修"), "ticket": N_("回访问题")}
CASE_STATUSES = {
    "registered": N_("待转交"),
    "handed_off": N_("待接收"),
    "accepted": N_("已接收"),
    "rejected": N_("部门退回"),
    "verified": N_("已电话核实"),
    "planned": N_("已约上门"),
    "on_site": N_("处理中"),
    "done": N_("待回访"),
    "callback": N_("已回访"),
    "closed": N_("已结案"),
    "not_filed": N_("不立案"),
    "routed": N_("已定维修方"),
    "notified": N_("已通知维修方"),
    "contacted": N_("已联系客户"),
    "appointed": N_("已约上门"),
    "visited": N_("已上门"),
    "open": N_("未处理"),
    "in_hand": N_("在处理"),
    "solved": N_("已解决"),
    "converted": N_("已转投诉"),
}

ROLES = {
    "agent": N_("客服专员"),
    "supervisor": N_("班长"),
    "manager": N_("客服经理"),
    "department_head": N_("部门主管"),
    "department_member": N_("部门经办人"),
    "captain": N_("维修队长"),
    "general_manager": N_("总经理"),
    "finance": N_("财务"),
    "hr": N_("人力资源"),
    "administrator": N_("管理员"),
}

RATINGS = {"CONTENT": N_("满意"), "SO_SO": N_("一般"), "NOT_CONTENT": N_("不满意")}
"""What customers say of a call right after it."""

PROBLEMS = {
    "invalid": N_("输入有误，请检查后再试。"),
    "disposition_unknown": N_("处理结果的选项刚改过：请刷新页面再选，写好的备注会保留。"),
    "forbidden": N_("您没有这个权限。"),
    "not_found": N_("没有找到，可能已被删除。"),
    "stale_version": N_("别人刚刚改过这条记录，请刷新后再改。"),
    "conflict": N_("现在的状态不允许这样做，请稍后再试。"),
    "too_many_requests": N_("操作太频繁，请稍等片刻。"),
    "unavailable": N_("系统暂时连不上，请稍后再试。"),
    "deadline_exceeded": N_("没有及时得到答复，请稍后再试。"),
    "wrong_credentials": N_("登录名或密码不对。"),
    "wrong_old_password": N_("现在的密码不对。"),
    "too_many_attempts": N_("尝试太多次了，请稍后再登录。"),
    "cross_site": N_("请求不是从本站页面发出的，请刷新页面后再试。"),
    "too_many_rows": N_("一次最多导出一万行，请先把筛选范围缩小，再导出。"),
    "internal": N_("系统出错了，我们已记录下来，请再试一次。"),
    "agent_changed": N_("坐席的状态刚刚变了，请看一下再操作。"),
    "agent_queues_changed": N_("别人刚改过这位坐席的队列，请重新打开再改。"),
    "skills_changed": N_("别人刚改过这位坐席的技能，请重新打开再改。"),
    "agent_not_signed_in": N_("这位坐席没有签入。"),
    "call_not_listenable": N_("这通电话现在没有同事在讲，不能旁听。"),
    "listens_already": N_("您正在听另一通电话，请先离开。"),
    "call_taken_over": N_("另一位班长正在接管这通电话。"),
    "listening_over": N_("已经结束了。"),
    "no_phone_free": N_("您没有空闲的电话：先结束手上的通话，或请管理员给您分机。"),
    "password_due": N_("请先改成您自己的密码，再做别的。"),
    "login_taken": N_("这个登录名已经有人用了。"),
    "agent_taken": N_("这个分机已经是别人的了。"),
    "own_account": N_("不能停用自己、改自己的角色，也不能给自己发一次性密码。"),
    "last_administrator": N_("至少要留一位在用的管理员。"),
    "nobody_at_work": N_("现在没有坐席签入，消息没有人看。"),
    "too_many_messages": N_("这一小时发的消息太多了，请稍等。"),
}


def words(table: Mapping[str, str]) -> dict[str, str]:
    """Return the table in the language of the request."""
    return {code: gettext(text) for code, text in table.items()}


def word(table: Mapping[str, str], code: object) -> str:
    """Return the word for ``code``; a code from a newer version stands for itself, nothing stays empty."""
    if code is None:
        return ""
    text = table.get(str(code))
    return gettext(text) if text else str(code)


def choices(items: Iterable[Choice | Disposition]) -> dict[str, str]:
    """Return code → label of an editable list in the language of the request."""
    chinese = current_language() == SOURCE_LANGUAGE
    return {item.code: item.label_zh if chinese else item.label_en for item in items}


def disposition_names(tree: DispositionTree) -> dict[str, str]:
    """Return code → label of dispositions, with the groups that they stand in."""
    chinese = current_language() == SOURCE_LANGUAGE
    return {
        item.code: " › ".join(one.label_zh if chinese else one.label_en for one in tree.path(item.code))
        for item, _ in tree.walk()
    }


def queue_names(queues: Iterable[QueueSettings]) -> dict[str, str]:
    """Return name → label of the queues in the language of the request."""
    chinese = current_language() == SOURCE_LANGUAGE
    return {queue.name: queue.label_zh if chinese else queue.label_en for queue in queues}
