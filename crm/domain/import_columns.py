"""The columns of an imported sheet by their names in both languages, and what may be wrong with a cell."""

from collections.abc import Mapping

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "name": ("客户姓名", "姓名", "客户", "客户名称", "customer", "customer name"),
    "salutation": ("称谓", "称呼", "title"),
    "phone": ("电话", "手机", "手机号", "联系电话", "电话1", "mobile", "phone 1"),
    "phone2": ("电话2", "备用电话", "phone 2"),
    "phone3": ("电话3", "phone 3"),
    "level": ("客户级别", "级别", "customer level"),
    "level_reason": ("级别原因", "level reason"),
    "store": ("店面", "门店"),
    "elder_mode": ("长者", "老年客户", "elder"),
    "do_not_call": ("勿扰", "不要外呼", "do not call"),
    "contract_no": ("合同号", "合同编号", "contract", "contract no", "contract number"),
    "address": ("地址", "工程地址", "房屋地址"),
    "community": ("小区", "小区名称"),
    "building": ("楼号", "楼栋"),
    "unit": ("单元",),
    "room": ("房号", "室号"),
    "area_m2": ("面积", "建筑面积", "area"),
    "kind": ("类型", "装修类型", "type"),
    "package": ("套餐",),
    "amount": ("合同金额", "金额", "contract amount"),
    "signed_on": ("签约日期", "签订日期", "signed"),
    "contract_starts_on": ("合同开工日期", "合同开工", "contract start"),
    "contract_ends_on": ("合同竣工日期", "合同竣工", "contract end"),
    "started_on": ("实际开工日期", "开工日期", "started"),
    "finished_on": ("实际竣工日期", "竣工日期", "finished"),
    "concealed_planned": ("隐蔽计划日期", "计划隐蔽日期"),
    "midterm_planned": ("中期计划日期", "计划中期日期"),
    "warranty_until": ("保修至", "保修到期", "warranty until"),
    "warranty_no": ("保修卡号", "warranty no"),
    "designer": ("设计师",),
    "project_manager": ("项目经理", "project manager"),
    "inspector": ("质检员", "质检", "监理"),
    "sales_person": ("业务员", "销售", "sales person"),
    "crew": ("施工队",),
    "gang": ("班组",),
    "stage": ("阶段", "工程阶段"),
    "archive_no": ("档案袋号", "档案号"),
}
"""Column → its other names; its own name counts too, and case, gaps and full-width forms do not."""

NEEDED = ("name", "phone")
PHONES = ("phone", "phone2", "phone3")
PROJECT = frozenset(COLUMNS) - {
    "name",
    "salutation",
    "level",
    "level_reason",
    "store",
    "elder_mode",
    "do_not_call",
    *PHONES,
}

STAFF: Mapping[str, tuple[str, ...]] = {
    "name": ("姓名", "员工姓名", "员工"),
    "role": ("岗位", "职务", "job"),
    "department": ("部门",),
    "store": ("店面", "门店"),
    "phone": ("电话", "手机", "手机号", "联系电话", "mobile"),
    "agent_no": ("工号", "话机号码", "坐席号", "agent number", "extension"),
    "skills": ("技能",),
    "active": ("在职", "employed"),
}
"""The same for a sheet of staff."""
STAFF_NEEDED = ("name", "role")

PROBLEMS: Mapping[str, tuple[str, str]] = {
    "missing_column": ("the sheet has no such column", "add it, or rename the column that holds it"),
    "repeated_column": ("two columns mean the same", "keep one of them"),
    "unknown_column": ("nobody knows this column; it is left out", "rename or remove it"),
    "empty": ("is empty", "fill it in"),
    "too_long": ("is too long", "shorten it"),
    "not_a_phone": ("is no telephone number", "write 11 digits, or area code and number"),
    "public_number": ("is a public short number", "write the customer's own"),
    "not_a_day": ("is no day", "write it like 2026-03-02"),
    "future_day": ("lies in the future", "correct the day"),
    "days_out_of_order": ("comes before an earlier step", "correct one of the days"),
    "not_an_amount": ("is no amount", "write it like 12800.50, at most two decimals"),
    "not_an_area": ("is no number of square metres", "write it like 89.5"),
    "not_a_choice": ("is not one of the choices", "choose one of them"),
    "unknown_store": ("there is no such store", "add the store first, or correct its name"),
    "unknown_department": ("there is no such department", "add the department first, or correct its name"),
    "not_an_agent_no": ("is no number of a telephone", "write 2 to 16 digits"),
    "agent_no_taken": ("a colleague has this number", "correct one of the two"),
    "agent_no_differs": ("their user's telephone has another number", "write that number, or leave it empty"),
    "skills_wrong": ("too many skills, or one is too long", "at most 12, of 20 characters each"),
    "staff_twice": ("this person stands in an earlier row already", "remove one of the rows"),
    "ambiguous_staff": ("several people here have this name and this job", "add their numbers"),
    "unknown_crew": ("there is no such crew", "add the crew first, or correct its name"),
    "crew_not_active": ("this crew works for us no more", "name the crew that works there now"),
    "crew_missing": ("from stage 35 on a crew is required", "name the crew"),
    "start_missing": ("work that has begun has a day on which it began", "fill in the actual start"),
    "warranty_missing": ("the warranty has no end", "fill in until when it lasts"),
    "contract_missing": ("a project needs its contract number", "fill it in, or empty the project's columns"),
    "contract_twice": ("the contract number stands in an earlier row already", "remove one of the rows"),
    "contract_of_other": ("the contract is another customer's here", "correct number or name"),
    "address_missing": ("a project needs an address", "fill in the address or the community"),
    "formula": ("is a formula", "put its value there instead"),
    "ambiguous_customer": ("several customers here have this name and number", "merge them first"),
    "too_many_phones": (
        "the customer would have more than five numbers",
        "remove some of them here or there",
    ),
    "kept": ("something else is written down here; it was kept", "choose «overwrite» to change it"),
    "stage_kept": ("the stage of a known project is not changed by an import", "register the stage"),
    "name_differs": (
        "a customer with another name has this number; it is their callback",
        "compare the names",
    ),
    "number_shared": (
        "several customers have this number, none of this name",
        "write the name as it is here",
    ),
    "unknown_contract": ("there is no such contract; called without one", "correct the number"),
    "listed_twice": ("this customer stands in an earlier row already; called once", "remove one of the rows"),
    "do_not_call": ("the customer or the number is on the do-not-call list; not called", "remove the row"),
    "planned_already": (
        "a callback of this kind is planned already; no second one",
        "nothing needs to be done",
    ),
    "level_a": ("a customer of level A is called by a person, not by the system", "nothing needs to be done"),
}
"""Code → what is wrong and what to do, in English; pages have their own words."""

WARNINGS = frozenset(
    {
        "unknown_column",
        "kept",
        "stage_kept",
        "name_differs",
        "unknown_contract",
        "listed_twice",
        "do_not_call",
        "planned_already",
        "level_a",
    }
)
