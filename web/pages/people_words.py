"""Words of the pages about customers and projects: codes, advice per field, what an import found."""

from web.i18n import N_, gettext
from web.labels import PROBLEMS, word

CHANNELS = {"phone": N_("电话"), "wechat": N_("微信"), "sms": N_("短信")}
BAD_NUMBERS = {
    "empty": N_("空号"),
    "wrong_person": N_("不是本人"),
    "out_of_service": N_("停机"),
    "never_answers": N_("总是无人接"),
}
SCOPES = {"site": N_("施工回访"), "case": N_("投诉报修回访"), "all": N_("全部回访")}
REFUSAL_LEVELS = {"1": N_("不接受满意度调查"), "2": N_("不接受推销"), "3": N_("除未结事项外都不联系")}
REFUSAL_SOURCES = {
    "agent": N_("电话中说明"),
    "key9": N_("按 9 拒绝"),
    "sms": N_("短信退订"),
    "wechat": N_("微信"),
    "letter": N_("来信"),
    "regulator": N_("监管部门转来"),
    "import": N_("导入"),
}
CALLBACK_KINDS = {
    "KG": N_("开工回访"),
    "YB": N_("隐蔽工程回访"),
    "ZQ": N_("中期回访"),
    "WG": N_("完工回访"),
    "JG": N_("竣工客户回访"),
    "TS": N_("投诉回访"),
    "BX": N_("报修回访"),
    "RT": N_("随机回访"),
    "PD": N_("定期回访"),
    "VISIT": N_("上门回访"),
}
CONSENT_PURPOSES = {
    "service_callback": N_("服务回访"),
    "recording": N_("通话录音"),
    "marketing_call": N_("推销电话"),
    "marketing_sms": N_("推销短信"),
    "case_photo_public": N_("公开使用照片"),
}
CONSENT_BASES = {"consent": N_("本人同意"), "contract": N_("履行合同")}
PERIODS = {"first": N_("首期款"), "mid": N_("中期款"), "final": N_("尾款"), "change": N_("增减项")}
DELIVERY = {
    "N": N_("未交付"),
    "S": N_("预交付"),
    "Y": N_("完工回访成功"),
    "W": N_("已交付"),
    "X": N_("回访未通过"),
    "T": N_("未通过，已处理"),
}
PROJECT_KINDS = {"home": N_("家装"), "public": N_("公装")}

ADVICE = {
    "name": N_("请填写姓名，最多 40 个字。"),
    "phones": N_("至少一个号码，最多五个，只能有一个首选。"),
    "number": N_("号码不对：手机写 11 位，座机写区号和号码，不能重复；标了不通的不能同时首选或已核实。"),
    "salutation": N_("请选择称谓。"),
    "preferred_until": N_("方便的时间请填起止两头，后一个要晚些。"),
    "preferred_from": N_("方便的时间请填起止两头，后一个要晚些。"),
    "level_reason": N_("请写明原因。"),
    "problem_reason": N_("最多 200 个字。"),
    "reason": N_("请写明原因，最多 200 个字。"),
    "evidence": N_("请写明凭据：哪通电话第几秒、短信或书面材料。"),
    "text_version": N_("请填写告知文本的版本。"),
    "planned_thaw": N_("计划解冻日要在今天之后，两年以内。"),
    "scope": N_("请选择范围；已冻结的先解冻。"),
    "callback_kind": N_("需要回访时请选择类型。"),
    "callback_on": N_("需要回访时请填今天或以后的日期。"),
    "callback_needed": N_("不需要回访时，类型和日期请留空。"),
    "purpose": N_("请选择用途；同一用途已有有效同意时不能重复登记。"),
    "basis": N_("推销和公开照片必须有本人同意。"),
    "gone_id": N_("请填另一位客户的编号，不能是自己，也不能已被合并。"),
    "contract_no": N_("请填写合同号，且不能与别的项目重复。"),
    "address": N_("请填写地址，或至少填写小区。"),
    "crew_id": N_("从“已派施工队”起必须有在用的施工队。"),
    "amount": N_("金额最多两位小数，大于零，合计不能超过合同额加已批增项。"),
    "changes": N_("金额最多两位小数。"),
    "area_m2": N_("面积写平方米数，最多两位小数。"),
    "happened_on": N_("日期不能在今天以后，也不能早于前面的阶段。"),
    "stage": N_("阶段只能往后登记；停工或已退单的要先恢复，退回要由经理更正。"),
    "concealed_planned": N_("开工时要填隐蔽工程计划日，不早于开工日。"),
    "midterm_planned": N_("开工时要填中期验收计划日，不早于隐蔽工程计划日。"),
    "warranty_until": N_("请填写保修到期日。"),
    "delivery_state": N_("完工回访成功后才能交付。"),
    "gate": N_("回访还没有通过，经理可以写明原因后放行。"),
    "since": N_("停工日不能在今天以后。"),
    "until": N_("复工日不能早于停工日，也不能在今天以后。"),
    "paid_at": N_("收款时间不能在现在以后。"),
    "receipt_no": N_("请填写收据号，不能与已入账的重复。"),
    "period": N_("请选择款项。"),
    "due": N_("应收金额最多两位小数。"),
    "signed_on": N_("日期前后不对，或在今天以后。"),
    "contract_ends_on": N_("竣工日不能早于开工日。"),
    "file": N_("请选择 CSV 或 .xlsx 文件，最大 16 MB，不含宏和密码。"),
}
"""Field → what to write there. Said when the field is refused."""

IMPORT_PROBLEMS = {
    "missing_column": (N_("表中没有这一列"), N_("请加上，或把对应的列改成这个名字")),
    "repeated_column": (N_("有两列是同一个意思"), N_("请只留一列")),
    "unknown_column": (N_("不认识这一列，已略过"), N_("请改名或删除")),
    "empty": (N_("没有填写"), N_("请填写")),
    "too_long": (N_("太长"), N_("请缩短")),
    "not_a_phone": (N_("不是电话号码"), N_("手机写 11 位，座机写区号和号码")),
    "public_number": (N_("是公共短号码"), N_("请写客户自己的号码")),
    "not_a_day": (N_("不是日期"), N_("请写成 2026-03-02")),
    "future_day": (N_("日期在今天以后"), N_("请改正日期")),
    "days_out_of_order": (N_("日期前后颠倒"), N_("请改正其中一个日期")),
    "not_an_amount": (N_("不是金额"), N_("请写成 12800.50，最多两位小数")),
    "not_an_area": (N_("不是面积"), N_("请写平方米数，例如 89.5")),
    "not_a_choice": (N_("不在可选项里"), N_("请选用其中一个")),
    "unknown_store": (N_("没有这家店面"), N_("请先登记店面，或改正名称")),
    "unknown_department": (N_("没有这个部门"), N_("请先新增部门，或改正名称")),
    "not_an_agent_no": (N_("不是工号"), N_("工号是 2 到 16 位数字")),
    "agent_no_taken": (N_("这个工号是另一位同事的"), N_("请改正其中一个")),
    "agent_no_differs": (N_("和登录账户的话机号码不一样"), N_("请写话机号码，或留空")),
    "skills_wrong": (N_("技能太多或太长"), N_("最多 12 项，每项最多 20 个字")),
    "staff_twice": (N_("这个人在前面的行里已有"), N_("请删掉其中一行")),
    "ambiguous_staff": (N_("有几位同名同岗位的员工"), N_("请写上工号")),
    "unknown_crew": (N_("没有这个施工队"), N_("请先登记施工队，或改正名称")),
    "crew_not_active": (N_("这个施工队已离职或停用"), N_("请写现在施工的队")),
    "crew_missing": (N_("已派施工队以后的阶段必须有施工队"), N_("请填写施工队")),
    "start_missing": (N_("已开工的项目要有实际开工日期"), N_("请填写实际开工日期")),
    "warranty_missing": (N_("没有保修到期日"), N_("请填写保修至哪天")),
    "contract_missing": (N_("项目要有合同号"), N_("请填写合同号，或清空项目各列")),
    "contract_twice": (N_("合同号在前面的行已出现"), N_("请删去其中一行")),
    "contract_of_other": (N_("这个合同号在系统里属于别的客户"), N_("请改正合同号或姓名")),
    "address_missing": (N_("项目要有地址"), N_("请填写地址或小区")),
    "formula": (N_("是公式"), N_("请改成数值或文字")),
    "ambiguous_customer": (N_("系统里有几位同名同号的客户"), N_("请先合并他们")),
    "too_many_phones": (N_("客户的号码会超过五个"), N_("请删去一些号码")),
    "kept": (N_("系统里已有不同内容，保留未改"), N_("要改请选“以文件为准”")),
    "stage_kept": (N_("已有项目的阶段不随导入改变"), N_("请在项目页登记阶段")),
    "name_differs": (N_("这个号码在系统里是另一个姓名，按系统里的客户回访"), N_("请核对姓名")),
    "number_shared": (N_("系统里有几位客户用这个号码，姓名都对不上"), N_("请按系统里的姓名填写")),
    "unknown_contract": (N_("系统里没有这个合同号，按客户回访"), N_("请改正合同号")),
    "listed_twice": (N_("这位客户在前面的行已出现，只打一次"), N_("可删去其中一行")),
    "do_not_call": (N_("客户或号码在勿扰名单里，不会拨打"), N_("可删去这一行")),
    "planned_already": (N_("已有同类回访在计划中，不重复生成"), N_("无需处理")),
    "level_a": (N_("A 级客户由人工回访，系统不自动拨打"), N_("无需处理")),
}


def advice(field: str | None, code: str) -> str:
    """Return what to tell about a refused form: by field, else by kind of error."""
    if code == "stale_version":
        return word(PROBLEMS, code)
    parts = (field or "").split(".")
    known = "number" if parts[0] == "phones" and len(parts) > 1 else parts[0]
    if known in ADVICE:
        return gettext(ADVICE[known])
    return word(PROBLEMS, code if code in PROBLEMS else "conflict")


def import_words(code: str) -> tuple[str, str]:
    """Return what is wrong and what to do."""
    what, mend = IMPORT_PROBLEMS[code]
    return gettext(what), gettext(mend)


GATES = {"midterm_notice": N_("中期款通知"), "handover": N_("项目交付")}
"""What waits for a callback."""

GATE_WHYS = {
    "satisfied": N_("回访通过"),
    "tickets_closed": N_("回访问题已解决"),
    "not_required": N_("无需回访"),
    "overridden": N_("经理放行"),
    "no_callback": N_("还没有回访结果"),
    "dissatisfied": N_("回访不满意，问题未解决"),
}
