"""Words of the copy of one's own data: parts, fields, and what stands for codes in them."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from web import labels
from web.i18n import N_, gettext
from web.pages import case_words, people_words

PARTS = {
    "customer": N_("个人资料"),
    "phones": N_("电话号码"),
    "projects": N_("合同与工程"),
    "cases": N_("投诉、报修与反馈"),
    "contacts": N_("联系记录"),
    "call_notes": N_("通话记录摘要"),
    "consents": N_("授权"),
    "refusals": N_("拒绝联系"),
    "freezes": N_("暂停回访"),
    "payments": N_("付款"),
    "demands": N_("投诉诉求与答复"),
    "repairs": N_("维修安排"),
    "visits": N_("上门维修"),
    "files": N_("照片与文件"),
    "suggestions": N_("建议"),
    "callback_requests": N_("回电请求"),
    "answers": N_("回访答复"),
    "messages": N_("电话留言"),
    "recordings": N_("留言录音"),
}
FIELDS = {
    "name": N_("姓名"),
    "salutation": N_("称呼"),
    "level": N_("级别"),
    "preferred_channel": N_("希望的联系方式"),
    "elder_mode": N_("长者模式"),
    "created_at": N_("登记时间"),
    "e164": N_("号码"),
    "label": N_("说明"),
    "contract_no": N_("合同号"),
    "address": N_("地址"),
    "area_m2": N_("面积"),
    "package": N_("套餐"),
    "amount": N_("合同额"),
    "signed_on": N_("签约日期"),
    "started_on": N_("开工日期"),
    "finished_on": N_("完工日期"),
    "project_manager": N_("项目经理"),
    "designer": N_("设计师"),
    "inspector": N_("质检"),
    "stage": N_("阶段"),
    "warranty_no": N_("保修单号"),
    "warranty_until": N_("保修至"),
    "no": N_("单号"),
    "kind": N_("类别"),
    "status": N_("状态"),
    "content": N_("内容"),
    "source": N_("来源"),
    "opened_at": N_("登记时间"),
    "closed_at": N_("结案时间"),
    "at": N_("时间"),
    "channel": N_("方式"),
    "direction": N_("方向"),
    "result": N_("结果"),
    "notes": N_("备注"),
    "purpose": N_("用途"),
    "basis": N_("依据"),
    "given_at": N_("授权时间"),
    "evidence": N_("凭据"),
    "text_version": N_("文本版本"),
    "withdrawn_at": N_("撤回时间"),
    "since": N_("登记时间"),
    "lifted_at": N_("恢复时间"),
    "scope": N_("范围"),
    "reason": N_("原因"),
    "planned_thaw": N_("预计恢复"),
    "thawed_at": N_("恢复时间"),
    "period": N_("期次"),
    "paid_at": N_("付款时间"),
    "receipt_no": N_("收据号"),
    "demand": N_("诉求"),
    "reply_text": N_("答复"),
    "place": N_("位置"),
    "customer_says": N_("您的说明"),
    "plan": N_("方案"),
    "appointed_from": N_("预约时间"),
    "appointed_until": N_("预约至"),
    "arrived_at": N_("到达时间"),
    "done_at": N_("完成时间"),
    "media_type": N_("格式"),
    "size": N_("大小（字节）"),
    "uploaded_at": N_("上传时间"),
    "text": N_("内容"),
    "requested_at": N_("请求时间"),
    "question": N_("问题"),
    "answer": N_("答复"),
    "seconds": N_("时长（秒）"),
    "transcript": N_("文字记录"),
}
CONTACT_CHANNELS = people_words.CHANNELS | {
    "call": N_("电话"),
    "visit": N_("上门"),
    "callback": N_("回访"),
    "payment": N_("付款"),
    "case": N_("服务单"),
}
FILE_PURPOSES = {
    "photo": N_("照片"),
    "signature": N_("签名"),
    "scan": N_("扫描件"),
    "recording": N_("录音"),
    "other": N_("其他"),
}
_EVERYWHERE: Mapping[str, Mapping[str, str]] = {
    "status": labels.CASE_STATUSES,
    "stage": labels.STAGES,
    "direction": labels.DIRECTIONS,
    "preferred_channel": people_words.CHANNELS,
    "period": people_words.PERIODS,
    "purpose": people_words.CONSENT_PURPOSES,
    "basis": people_words.CONSENT_BASES,
    "scope": people_words.SCOPES,
}
_HERE: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("cases", "kind"): labels.CASE_KINDS,
    ("cases", "source"): case_words.SOURCES,
    ("contacts", "channel"): CONTACT_CHANNELS,
    ("contacts", "result"): labels.CALL_RESULTS,
    ("refusals", "level"): people_words.REFUSAL_LEVELS,
    ("refusals", "source"): people_words.REFUSAL_SOURCES,
    ("files", "purpose"): FILE_PURPOSES,
}
_MOMENTS = frozenset({"at", "since", "appointed_from", "appointed_until"})


def said(part: str, field: str, value: object, zone: ZoneInfo) -> str:
    """Return a value in words; nothing for what is not known."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return gettext("是") if value else gettext("否")
    words = _HERE.get((part, field)) or _EVERYWHERE.get(field)
    if words is not None:
        return labels.word(words, str(value))
    if field.endswith("_at") or field in _MOMENTS:
        return f"{datetime.fromisoformat(str(value)).astimezone(zone):%Y-%m-%d %H:%M}"
    return str(value)
