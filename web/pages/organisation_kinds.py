"""The company's own lists as forms: which fields each has, how they are read, what to say when refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crm.domain.staff import NumberTrouble, split_skills
from web.i18n import N_, gettext
from web.labels import PROBLEMS, word
from web.pages.people_forms import Form, day, maybe

CREW_CHOICES = {"active": N_("在用"), "departed": N_("已离职"), "suspended": N_("已停用")}
STAFF_ROLES = {
    "PM": N_("项目经理"),
    "DSG": N_("设计师"),
    "QC": N_("质检"),
    "SPC": N_("客服专员"),
    "RCP": N_("维修队长"),
    "DPP": N_("部门经办人"),
}

NUMBER_TROUBLES = {
    "other": N_("话机现在是 {no}"),
    "taken": N_("这个话机现在是别人的"),
    "unknown": N_("呼叫中心没有这个话机"),
}
assert set(NUMBER_TROUBLES) == {trouble.value for trouble in NumberTrouble}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a form.

    Attributes:
        kind: ``text``, ``tel``, ``date``, ``check``, ``choice``, or ``list`` of words in one line.
        attribute: of the view, where it has another name.
        empty: word of the empty choice; without one a choice must be made.
        only_new: never changed later.
    """

    name: str
    label: str
    kind: str = "text"
    required: bool = False
    limit: int = 200
    choices: Mapping[str, str] = field(default_factory=dict)
    attribute: str = ""
    empty: str = ""
    only_new: bool = False
    start: str = ""

    def text(self, view: Any | None) -> str:
        """Return what stands in the field for a view, or in an empty form."""
        if view is None:
            return self.start
        found = getattr(view, self.attribute or self.name)
        if self.kind == "check":
            return "1" if found else ""
        if self.kind == "list":
            return "、".join(found)
        return "" if found is None else str(found)

    def typed(self, form: Form) -> str:
        """Return what was typed."""
        return form.get(self.name, "")

    def said(self, text: str) -> str:
        """Return a value in words, where somebody else changed it."""
        if self.kind == "check":
            return gettext("是") if text else gettext("否")
        return text

    def touched(self, form: Form) -> bool:
        """Tell whether the field is to be saved: a masked number that was left alone is none to save."""
        return self.kind != "tel" or self.typed(form) != form.get(f"was-{self.name}", "")

    def value(self, form: Form) -> Any:
        """Return what to save. Raises Invalid."""
        if self.kind == "check":
            return self.name in form
        if self.kind == "date":
            return day(form, self.name)
        if self.kind == "list":
            return split_skills(self.typed(form))
        return maybe(form, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One of the lists; ``key`` names the attribute of its views that the address has."""

    name: str
    title: str
    add: str
    key: str
    fields: tuple[Field, ...]
    filters: Mapping[str, str] = field(default_factory=dict)


ACTIVE = Field(name="active", label=N_("在用"), kind="check", start="1")
KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="stores",
            title=N_("各店面"),
            add=N_("新增店面"),
            key="store_id",
            fields=(
                Field(name="name", label=N_("名称"), required=True, limit=60),
                Field(name="address", label=N_("地址")),
                Field(name="phone", label=N_("电话"), kind="tel", limit=40),
                ACTIVE,
            ),
        ),
        Kind(
            name="departments",
            title=N_("各部门"),
            add=N_("新增部门"),
            key="code",
            fields=(
                Field(name="code", label=N_("代码（大写字母）"), required=True, limit=16, only_new=True),
                Field(name="name", label=N_("名称"), required=True, limit=60),
                Field(name="head", label=N_("主管姓名"), limit=40),
                Field(name="deputy", label=N_("副手姓名"), limit=40),
                Field(name="head_user_id", label=N_("主管账户"), kind="choice", empty=N_("没有")),
                Field(name="deputy_user_id", label=N_("副手账户"), kind="choice", empty=N_("没有")),
                Field(name="escalation_contact", label=N_("升级联系人"), limit=120),
                Field(name="statistics_code", label=N_("统计代码"), limit=16),
                ACTIVE,
            ),
        ),
        Kind(
            name="crews",
            title=N_("各施工队"),
            add=N_("新增施工队"),
            key="crew_id",
            filters=CREW_CHOICES,
            fields=(
                Field(name="name", label=N_("名称"), required=True, limit=60),
                Field(name="head", label=N_("队长"), required=True, limit=40),
                Field(name="phone", label=N_("电话"), kind="tel", limit=40, attribute="phone_masked"),
                Field(name="direct", label=N_("公司直属"), kind="check", start="1"),
                Field(name="status", label=N_("状态"), kind="choice", choices=CREW_CHOICES, start="active"),
                Field(name="departed_on", label=N_("离职日期"), kind="date"),
                Field(name="departed_reason", label=N_("离职原因")),
            ),
        ),
        Kind(
            name="staff",
            title=N_("员工"),
            add=N_("新增员工"),
            key="staff_id",
            filters=STAFF_ROLES,
            fields=(
                Field(name="name", label=N_("姓名"), required=True, limit=40),
                Field(name="role", label=N_("岗位"), kind="choice", choices=STAFF_ROLES, empty=N_("请选择")),
                Field(
                    name="department_code",
                    label=N_("部门"),
                    kind="choice",
                    attribute="department",
                    empty=N_("未定"),
                ),
                Field(name="store_id", label=N_("店面"), kind="choice", empty=N_("未定")),
                Field(name="phone", label=N_("电话"), kind="tel", limit=40, attribute="phone_masked"),
                Field(name="user_id", label=N_("登录账户"), kind="choice", empty=N_("没有")),
                Field(name="agent_no", label=N_("工号（话机号码）"), limit=16),
                Field(name="skills", label=N_("技能（用顿号分开）"), kind="list", limit=300),
                Field(name="active", label=N_("在职"), kind="check", start="1"),
            ),
        ),
    )
}

ADVICE = {
    "name": N_("请填写名称，不能和别的重复。"),
    "code": N_("1 到 16 个大写字母、数字、- 或 _，不能和别的重复。"),
    "phone": N_("手机写 11 位，座机写区号和号码。"),
    "head": N_("请填写队长或主管的姓名，最多 40 个字。"),
    "deputy": N_("最多 40 个字。"),
    "head_user_id": N_("请从列表里选择。"),
    "deputy_user_id": N_("副手要和主管不是同一个人。"),
    "escalation_contact": N_("最多 120 个字。"),
    "statistics_code": N_("最多 16 个字。"),
    "status": N_("请选择状态。"),
    "departed_on": N_("离职的施工队要填离职日期，不能在今天以后。"),
    "departed_reason": N_("离职的施工队要写明原因，最多 200 个字。"),
    "role": N_("请选择岗位。"),
    "department_code": N_("请从列表里选择。"),
    "store_id": N_("请从列表里选择。"),
    "user_id": N_("请从列表里选择。"),
    "agent_no": N_("2 到 16 位数字，要和登录账户的话机号码一样，不能和同事重复。"),
    "skills": N_("最多 12 项，每项最多 20 个字，用顿号分开。"),
    "address": N_("最多 200 个字。"),
}
"""Field → what to write there. Said when the field is refused."""


def advice(name: str, code: str) -> str:
    """Return what to tell about a refused form."""
    if name in ADVICE:
        return gettext(ADVICE[name])
    return word(PROBLEMS, code if code in PROBLEMS else "conflict")
