"""The demo company as data: stores, departments, crews, customers, projects, cases, agents, queues."""

from dataclasses import dataclass

from crm.domain.case import CaseKind, CaseStatus
from crm.domain.project import Stage


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """A customer with one project; ``phones`` as people write them, ``crew`` an index into CREWS."""

    name: str
    salutation: str
    level: str
    level_reason: str
    phones: tuple[str, ...]
    store: str
    contract_no: str
    address: str
    stage: Stage
    crew: int | None
    manager: str
    designer: str
    amount: int
    warranty_years: int = 0
    do_not_call: bool = False
    frozen: str | None = None
    problem: str | None = None
    elder: bool = False


@dataclass(frozen=True, slots=True)
class DemoCase:
    """A case of the customer with that contract; ``age_hours`` before now."""

    contract_no: str
    kind: CaseKind
    status: CaseStatus
    department: str
    summary: str
    age_hours: int


@dataclass(frozen=True, slots=True)
class DemoContact:
    """A call of the past."""

    contract_no: str
    age_hours: int
    queue: str
    agent: str
    result: str
    disposition: str
    notes: str


@dataclass(frozen=True, slots=True)
class DemoAgent:
    """An agent with a login, an extension and queues (queue, penalty)."""

    login: str
    number: str
    name: str
    queues: tuple[tuple[str, int], ...]


STORES = ("朝阳店", "海淀店", "通州店")

DEPARTMENTS = (
    ("ENG", "工程部", "陈建国"),
    ("DES", "设计部", "林晓雯"),
    ("MAT", "材料部", "吴志强"),
    ("STO", "店面", "郭丽华"),
    ("QC", "质检部", "何伟"),
    ("CS", "客服监察部", "孟岚"),
    ("FIN", "财务部", "邓敏"),
)

CREWS = (
    ("赵师傅施工队", "赵永福", "active"),
    ("孙师傅施工队", "孙德胜", "active"),
    ("钱师傅施工队", "钱有才", "departed"),
    ("周师傅施工队", "周大勇", "active"),
)

CUSTOMERS = (
    DemoCustomer(
        "王建军",
        "先生",
        "A",
        "合同金额达到A级标准",
        ("13800138001",),
        "朝阳店",
        "ZX-2026-0101",
        "朝阳区建国路88号3单元502室",
        Stage.CONCEALED,
        0,
        "刘铁柱",
        "许菲",
        328000,
    ),
    DemoCustomer(
        "李秀英",
        "女士",
        "B",
        "普通家装",
        ("13800138002", "010-65551234"),
        "朝阳店",
        "ZX-2026-0117",
        "朝阳区望京西园四区412楼1单元901室",
        Stage.MIDTERM,
        1,
        "马超群",
        "许菲",
        156000,
    ),
    DemoCustomer(
        "张伟",
        "先生",
        "C",
        "局部翻新",
        ("13800138003",),
        "海淀店",
        "ZX-2026-0123",
        "海淀区知春路锦秋家园6号楼1203室",
        Stage.STARTED,
        3,
        "刘铁柱",
        "唐宁",
        48000,
    ),
    DemoCustomer(
        "欧阳雪",
        "女士",
        "A",
        "曾有重大投诉，由经理指定",
        ("13800138004",),
        "海淀店",
        "ZX-2025-0388",
        "海淀区万柳中路新纪元家园2号楼801室",
        Stage.FINAL_PAID,
        0,
        "高志远",
        "许菲",
        412000,
        problem="上次橱柜返工三次，沟通时请先致歉",
    ),
    DemoCustomer(
        "刘洋",
        "先生",
        "B",
        "普通家装",
        ("13800138005",),
        "通州店",
        "ZX-2026-0140",
        "通州区新华大街天时名苑9号楼604室",
        Stage.START_DATE,
        1,
        "马超群",
        "唐宁",
        132000,
    ),
    DemoCustomer(
        "刘敏",
        "女士",
        "B",
        "与刘洋为一家，共用一个号码",
        ("13800138005",),
        "通州店",
        "ZX-2026-0141",
        "通州区新华大街天时名苑9号楼1105室",
        Stage.CREW_ASSIGNED,
        3,
        "马超群",
        "唐宁",
        98000,
    ),
    DemoCustomer(
        "陈桂兰",
        "女士",
        "B",
        "普通家装，老年客户",
        ("13800138006",),
        "朝阳店",
        "ZX-2024-0256",
        "朝阳区劲松七区715楼2单元301室",
        Stage.IN_WARRANTY,
        2,
        "高志远",
        "唐宁",
        87000,
        warranty_years=2,
        elder=True,
    ),
    DemoCustomer(
        "杨帆",
        "先生",
        "C",
        "局部翻新",
        ("13800138007",),
        "海淀店",
        "ZX-2023-0119",
        "海淀区五道口华清嘉园11号楼702室",
        Stage.OUT_OF_WARRANTY,
        2,
        "高志远",
        "许菲",
        36000,
        warranty_years=1,
    ),
    DemoCustomer(
        "黄磊",
        "先生",
        "B",
        "普通家装",
        ("13800138008",),
        "朝阳店",
        "ZX-2026-0088",
        "朝阳区青年路润枫水尚5号楼1502室",
        Stage.MID_PAID,
        0,
        "刘铁柱",
        "许菲",
        175000,
        frozen="正在协商增项费用，暂停回访",
    ),
    DemoCustomer(
        "赵丽颖",
        "女士",
        "A",
        "公司合作伙伴",
        ("13800138009",),
        "朝阳店",
        "ZX-2026-0150",
        "朝阳区东三环中路富力城A区7号楼2301室",
        Stage.SIGNED,
        None,
        "高志远",
        "许菲",
        560000,
    ),
    DemoCustomer(
        "周杰",
        "先生",
        "C",
        "局部翻新",
        ("13800138010",),
        "通州店",
        "ZX-2026-0131",
        "通州区梨园镇云景里28号楼403室",
        Stage.COMPLETED,
        3,
        "马超群",
        "唐宁",
        42000,
        do_not_call=True,
    ),
    DemoCustomer(
        "吴昊",
        "先生",
        "B",
        "普通家装",
        ("13800138011", "13900139011"),
        "海淀店",
        "ZX-2026-0066",
        "海淀区西二旗领秀硅谷C区16号楼502室",
        Stage.DELIVERED,
        1,
        "刘铁柱",
        "唐宁",
        168000,
        warranty_years=2,
    ),
)

CASES = (
    DemoCase(
        "ZX-2026-0101",
        CaseKind.COMPLAINT,
        CaseStatus.ACCEPTED,
        "ENG",
        "项目经理三天没有到工地，水电改造停工",
        20,
    ),
    DemoCase(
        "ZX-2025-0388", CaseKind.COMPLAINT, CaseStatus.PLANNED, "DES", "橱柜台面与图纸尺寸不符，要求更换", 52
    ),
    DemoCase(
        "ZX-2024-0256", CaseKind.REPAIR, CaseStatus.REGISTERED, "CS", "卫生间漏水，楼下邻居反映顶面渗水", 2
    ),
    DemoCase("ZX-2026-0117", CaseKind.COMPLAINT, CaseStatus.DONE, "MAT", "瓷砖色差明显，已更换两箱", 96),
    DemoCase("ZX-2026-0066", CaseKind.REPAIR, CaseStatus.CLOSED, "CS", "客厅插座没有电", 400),
)

CONTACTS = (
    DemoContact(
        "ZX-2026-0101",
        20,
        "complaint",
        "周晓梅",
        "ANSWERED",
        "complaint_logged",
        "客户很着急，已登记投诉并转工程部",
    ),
    DemoContact(
        "ZX-2026-0101", 190, "service", "吴思远", "ANSWERED", "answered_enquiry", "询问水电验收时间，已告知"
    ),
    DemoContact("ZX-2026-0101", 700, "service", "周晓梅", "ANSWERED", "answered_enquiry", "确认开工日期"),
    DemoContact(
        "ZX-2025-0388", 52, "complaint", "郑海燕", "ANSWERED", "complaint_logged", "台面尺寸不符，要求换新"
    ),
    DemoContact("ZX-2024-0256", 2, "repair", "吴思远", "ANSWERED", "repair_logged", "卫生间漏水，请尽快上门"),
    DemoContact("ZX-2026-0117", 96, "complaint", "周晓梅", "ANSWERED", "complaint_logged", "瓷砖色差"),
    DemoContact(
        "ZX-2026-0140", 30, "service", "郑海燕", "ANSWERED", "answered_enquiry", "询问开工前需要准备什么"
    ),
)

QUEUES = (
    # name, Chinese and English label, ring seconds, wrap-up seconds, weight
    ("complaint", "投诉热线", "Complaints", 15, 90, 10),
    ("repair", "报修热线", "Repairs", 15, 60, 5),
    ("service", "综合服务", "General service", 15, 45, 0),
)

# Everybody helps out everywhere in the end: whoever signs in first at a look around gets every call.
AGENTS = (
    DemoAgent("zhouxm", "1001", "周晓梅", (("complaint", 0), ("service", 0), ("repair", 5))),
    DemoAgent("wusy", "1002", "吴思远", (("repair", 0), ("service", 0), ("complaint", 5))),
    DemoAgent("zhenghy", "1003", "郑海燕", (("complaint", 1), ("repair", 1), ("service", 0))),
    DemoAgent("fengl", "1004", "冯磊", (("repair", 0), ("complaint", 5), ("service", 5))),
)

SUPERVISOR = ("shenj", "沈静")
MANAGER = ("mengl", "孟岚")
ADMINISTRATOR = ("admin", "系统管理员")
