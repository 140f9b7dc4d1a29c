"""The words of campaigns: ways of dialling, states, reasons against a call, outcomes, what a field means."""

from web.i18n import N_, gettext
from web.labels import PROBLEMS, word
from web.pages.people_words import CALLBACK_KINDS

MODES = {
    "ivr": N_("系统语音"),
    "preview": N_("人工预览"),
    "progressive": N_("逐个接通"),
    "power": N_("倍速外呼"),
    "predictive": N_("预测外呼"),
}
MODE_MEANS = {
    "ivr": N_("系统拨打并提问，客户按键或说话回答；随时可转人工。"),
    "preview": N_("坐席先看资料再点拨打，适合 A 级客户。"),
    "progressive": N_("有一位空闲坐席才拨一位客户，接通即转入队列。"),
    "power": N_("每位空闲坐席同时拨几位客户，由“倍数”决定。"),
    "predictive": N_("按通话时长预测谁将空闲，提前拨打；坐席多时效率最高。"),
}
STATES = {
    "draft": N_("草稿"),
    "running": N_("进行中"),
    "paused": N_("已暂停"),
    "stopped": N_("正在停止"),
    "ended": N_("已结束"),
}
TONES = {"draft": "", "running": "green", "paused": "amber", "stopped": "brick", "ended": ""}
STEPS = {
    "start": N_("开始"),
    "pause": N_("暂停"),
    "resume": N_("继续"),
    "stop": N_("停止"),
    "discard": N_("作废"),
}
STEP_ASKS = {
    "start": N_("开始后，在可拨时段内会真的拨打客户电话。"),
    "pause": N_("下一通起不再拨打，正在进行的通话不受影响。"),
    "resume": N_("继续后，在可拨时段内会真的拨打客户电话。"),
    "stop": N_("停止后不能再开始，正在进行的通话会自然结束。"),
    "discard": N_("草稿作废后不能恢复。"),
}
STEP_SURE = {
    "start": N_("确认开始"),
    "pause": N_("确认暂停"),
    "resume": N_("确认继续"),
    "stop": N_("确认停止"),
    "discard": N_("确认作废"),
}
KINDS = {
    **{code: label for code, label in CALLBACK_KINDS.items() if code != "VISIT"},
    "LW": N_("流失客户回访"),
    "NU": N_("新用户回访"),
    "OU": N_("老用户定期回访"),
}
"""Callbacks that are made by telephone."""
CARRIERS = {
    "own": N_("自有线路"),
    "tencent": N_("腾讯云"),
    "alibaba": N_("阿里云"),
    "volcengine": N_("火山引擎"),
}
SOURCES = {"all": N_("计划中的回访"), "list": N_("导入的名单")}
LEVELS = {"A": N_("A 级"), "B": N_("B 级"), "C": N_("C 级")}
TASKS = {
    "done": N_("已完成"),
    "partial": N_("部分完成"),
    "refused": N_("客户拒绝"),
    "unreached": N_("未联系上"),
    "cancelled": N_("已取消"),
    "planned": N_("已计划"),
    "ready": N_("待回访"),
    "dialling": N_("正在拨打"),
    "talking": N_("通话中"),
    "retry_wait": N_("等待重拨"),
    "appointed": N_("已预约"),
    "bad_number": N_("号码有误"),
    "frozen": N_("已冻结"),
}
VERDICTS = {"satisfied": N_("满意"), "neutral": N_("一般"), "dissatisfied": N_("不满意")}
OUTCOMES = {
    "answered": N_("本人接听"),
    "machine": N_("语音信箱或答录"),
    "no_answer": N_("无人接听"),
    "busy": N_("占线"),
    "rejected": N_("拒接"),
    "off": N_("关机或不在服务区"),
    "empty": N_("空号或停机"),
    "abandoned": N_("接通后无坐席"),
    "congestion": N_("线路拥塞"),
    "failed": N_("没有拨出"),
    "unknown": N_("没有结果，按已拨打计"),
}
CALL_STATES = {
    "sending": N_("正在拨出"),
    "sent": N_("正在拨出"),
    "ringing": N_("响铃"),
    "answered": N_("通话中"),
    "looking": N_("正在核对"),
    "ended": N_("已结束"),
}
REFUSALS = {
    "task_not_ready": N_("回访还没到时间或已有结果"),
    "task_changed": N_("刚刚有人改了这条回访"),
    "do_not_call": N_("客户要求不再来电"),
    "no_consent": N_("客户没有同意此类来电"),
    "stopped": N_("这个项目停了此类回访"),
    "frozen": N_("客户的回访已冻结"),
    "complaint_waits": N_("客户有投诉还没有被接收"),
    "not_dialable": N_("号码不能由系统拨打"),
    "bad_number": N_("号码有误或已知打不通"),
    "region_blocked": N_("运营商不通这个地区"),
    "exhausted": N_("已拨满规定次数"),
    "calendar_unknown": N_("这一年的节假日还没有录入"),
    "outside_window": N_("不在可拨时段"),
    "questionnaire_too_long": N_("时段剩余时间问不完"),
    "task_frequency": N_("离上次拨打太近，或今天已拨够"),
    "frequency": N_("这个号码近期来电过多"),
    "carrier_frequency": N_("超过运营商对号码的频次限制"),
    "survey_quota": N_("客户近 30 天已接受多次回访"),
    "open_attempt": N_("正在拨打同一号码"),
    "customer_on_call": N_("客户正与我们通话"),
    "campaign_stopped": N_("任务已停止"),
    "paused": N_("任务已暂停"),
    "no_caller_id": N_("没有设置主叫号码"),
    "link_down": N_("与电话系统的连接断开"),
    "stale_state": N_("坐席和线路的状态不是最新"),
    "no_agents": N_("没有空闲坐席"),
    "abandonment": N_("逐个拨打也没人接，暂停拨打"),
    "concurrency": N_("线路已用满"),
    "calls_per_second": N_("每秒拨打数已到上限"),
}
"""Why a call was not made; every code of ``RefusalCode``."""
DECISIONS = {
    "progressive": N_("一位空闲坐席拨一位"),
    "power": N_("按倍数拨打"),
    "predictive": N_("预测拨打"),
    "budget_used": N_("放弃率额度用完，先逐个拨打"),
    "little_data": N_("通话数据还少，先逐个拨打"),
    "few_agents": N_("坐席太少，逐个拨打"),
    "trial": N_("坐席没接起，先试拨几个"),
    "state_ageing": N_("电话系统消息变慢，逐个拨打"),
    "state_stale": N_("电话系统没有消息，停止拨打"),
    "no_agents": N_("没有坐席，不拨打"),
    "no_lines": N_("线路或速率已用满"),
    "ivr": N_("系统语音，按线路拨打"),
    "preview": N_("坐席点了才拨"),
    **REFUSALS,
}
"""Why so many are dialled now: what the pacing says, or the reason that holds a campaign back."""
FIELDS = {
    "name": (N_("名称"), N_("给同事看的名字，例如“三月竣工客户回访”。")),
    "mode": (N_("拨打方式"), N_("A 级客户只由人工回访。")),
    "tasks_from": (N_("回访来自"), N_("计划中的回访：凡符合下面条件的都拨；名单：保存后再上传文件。")),
    "kinds": (N_("回访类型"), N_("名单只能选一种。")),
    "levels": (N_("客户级别"), N_("一个也不选表示全部。")),
    "store_ids": (N_("店面"), N_("一个也不选表示全部。")),
    "queue": (N_("接听队列"), N_("客户接听后转给哪个队列；系统语音方式用来转人工。")),
    "trunk": (N_("线路"), N_("从哪条中继拨出。")),
    "carrier": (N_("运营商规则"), N_("这条线路的时段和频次限制按谁的。")),
    "caller_id": (N_("主叫号码"), N_("客户看到的号码，只能用公司自己备案的。")),
    "lines": (N_("同时通话"), N_("最多占用几路，不超过线路总数。")),
    "per_second": (N_("每秒拨打"), N_("每秒最多新拨几通。")),
    "agents_least": (N_("最少坐席"), N_("队列里少于这么多坐席时，只逐个拨打。")),
    "abandon_cap": (N_("放弃率上限（%）"), N_("客户接听后 2 秒内没有坐席的比例，0 到 3。")),
    "ratio": (N_("倍数"), N_("仅倍速外呼：每位空闲坐席同时拨几位，1 到 3。")),
    "amd": (N_("识别答录机"), N_("听出语音信箱就挂断，拿不准按真人处理。")),
    "live_text": (N_("实时文字"), N_("通话时把双方说的话显示成文字；装了语音识别才有。")),
    "record": (N_("录音"), N_("录下通话，接通后先告知客户；电话系统没有开录音时不录。")),
    "priority": (N_("优先级"), N_("1 到 100；同一回访归优先级高的任务。")),
    "starts_on": (N_("第一天"), N_("从这天起拨打。")),
    "ends_on": (N_("最后一天"), N_("过了这天自动结束。")),
}
"""Field → its name, and what it means."""
ADVICE = {
    "name": N_("请填写名称，最多 60 个字。"),
    "mode": N_("请选择拨打方式。"),
    "tasks_from": N_("开始以后不能再改回访来源，请另建一个任务。"),
    "kinds": N_("至少选一种回访类型；名单只能选一种，上门不能用电话。"),
    "levels": N_("A 级客户由人工回访，请另选级别或拨打方式。"),
    "store_ids": N_("请选择现有的店面。"),
    "queue": N_("由坐席接听的方式必须选队列；人工预览不选队列。"),
    "trunk": N_("请选择一条线路。"),
    "carrier": N_("请选择运营商规则。"),
    "caller_id": N_("主叫号码只能是公司在这条线路上的号码。"),
    "lines": N_("请填 1 到线路总数之间的整数。"),
    "per_second": N_("请填 1 到 50 的整数。"),
    "agents_least": N_("请填 1 到 500 的整数。"),
    "abandon_cap": N_("请填 0 到 3；倍速和预测外呼要大于 0。"),
    "ratio": N_("请填 1 到 3；只有倍速外呼用得上。"),
    "priority": N_("请填 1 到 100 的整数。"),
    "starts_on": N_("请填日期。"),
    "ends_on": N_("最后一天不能早于第一天，也不能已经过去，最长一年。"),
    "reason": N_("最多 200 个字。"),
    "file": N_("请选择 CSV 或 .xlsx 文件，最大 16 MB，不含宏和密码。"),
    "state": N_("现在不能这样做，请看任务的状态。"),
}
RUNNING_ADVICE = N_("任务正在进行，请先暂停再改这一项。")


def advice(field: str | None, code: str, message: str = "") -> str:
    """Return what to tell about a refused form."""
    if code == "stale_version":
        return word(PROBLEMS, code)
    if message.startswith("pause the campaign"):
        return gettext(RUNNING_ADVICE)
    if field in ADVICE:
        return gettext(ADVICE[field])
    return word(PROBLEMS, code if code in PROBLEMS else "conflict")
