"""The words of callbacks as agents read them: what may be said at the end, why a call was not made."""

from web.i18n import N_
from web.pages import campaign_words

KINDS = campaign_words.KINDS | {"VISIT": N_("上门回访")}
STATUSES = campaign_words.TASKS
TONES = {
    "ready": "amber",
    "dialling": "blue",
    "talking": "blue",
    "done": "green",
    "partial": "green",
    "appointed": "violet",
    "refused": "brick",
    "bad_number": "brick",
    "unreached": "brick",
}
CHANNELS = {
    "agent": N_("人工电话"),
    "ivr": N_("语音回访"),
    "sms_form": N_("短信问卷"),
    "visit": N_("上门"),
}
LEVELS = campaign_words.LEVELS
VERDICTS = campaign_words.VERDICTS
VERDICT_TONES = {"satisfied": "green", "neutral": "amber", "dissatisfied": "brick"}
OUTCOMES = campaign_words.OUTCOMES
REFUSALS = campaign_words.REFUSALS
WHOSE = {
    "own": N_("我的和未指定的"),
    "mine": N_("我的"),
    "nobody": N_("未指定的"),
    "all": N_("所有人的"),
}
TRIED = {"no": N_("还没打过"), "yes": N_("打过没成功")}
ENDINGS = {
    "finished": N_("问完了"),
    "broken_off": N_("中途挂断"),
    "appointed": N_("改天再打"),
    "refused": N_("这次不愿回答"),
    "do_not_call": N_("以后别再打"),
    "wrong_person": N_("不是本人"),
}
NEXT_ACTIONS = {
    "none": N_("不设置"),
    "set": N_("设置下次"),
    "repeat": N_("重新回访"),
}
ENDED = {
    "finished": N_("已问完"),
    "broken_off": N_("中途挂断，问到的都已保存"),
    "appointed": N_("已约好再打"),
    "refused": N_("客户这次不愿回答"),
    "do_not_call": N_("已登记不再来电"),
    "wrong_person": N_("不是本人，号码转店面核对"),
}
REMARKS = {
    "broken_off": N_("没问完"),
    "not_asked": N_("没有问卷"),
    "appointed": N_("改天再打"),
    "refused": N_("这次不愿回答"),
    "wrong_person": N_("不是本人"),
}
"""What stands beside an attempt that came to nothing, where no person wrote it."""
STEPS = {
    "planned": N_("计划"),
    "due": N_("到时间"),
    "dialled": N_("拨打"),
    "answered": N_("接通"),
    "not_reached": N_("没有接通"),
    "talked": N_("回访结束"),
    "appointed": N_("预约"),
    "refused": N_("客户拒绝"),
    "wrong_person": N_("不是本人"),
    "cancelled": N_("取消"),
    "stopped": N_("停止此类回访"),
    "replaced": N_("由新的计划代替"),
    "frozen": N_("冻结"),
    "thawed": N_("解冻"),
    "thaw_answered": N_("解冻后确认"),
    "standstill": N_("停工或复工"),
    "revisited": N_("安排再次回访"),
    "regraded": N_("按客户等级和投诉轻重调整"),
    "spoke_of_problem": N_("留言反映问题，结果改为不满意"),
    "put_off": N_("推后"),
    "number_corrected": N_("号码已更正"),
    "next_none": N_("不设下次回访"),
    "next_set": N_("设下次回访"),
    "next_repeat": N_("再作同样回访"),
    "tried_elsewhere": N_("用其他电话没打通"),
    "reminded": N_("提醒"),
    "taken": N_("接下"),
    "given_back": N_("退回"),
    "assigned": N_("指定专人"),
    "repair": N_("登记报修"),
}
REASONS = {
    "in_call": N_("正在通话，请先结束当前通话。"),
    "signed_out": N_("请先签入，再拨打。"),
    "changed": N_("刚刚有人处理了这条回访，请看最新状态。"),
}
AUTHORS = {"timers": N_("系统"), "ivr": N_("语音回访"), "form": N_("客户自己填写")}
