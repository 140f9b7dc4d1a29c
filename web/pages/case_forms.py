"""What people write into the forms of cases: read, checked, and told back in their own words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from kernel.errors import HuifangError
from web import labels
from web.i18n import N_, gettext

LONGEST = 10_000
"""No field is read beyond this; each has its own, shorter limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a form.

    Attributes:
        kind: ``text``, ``area``, ``choice``, ``moment``, ``date``, ``month``, ``money`` or ``check``.
        options: code → label of a choice, or a function that returns it in the language of the request.
        blank: label of «nothing chosen» of a choice that need not be made.
        start: what stands in it at first.
        big: a choice shown as buttons for a thumb, where the page has such.
    """

    name: str
    label: str
    kind: str = "text"
    required: bool = True
    limit: int = 400
    options: Mapping[str, str] | Callable[[], Mapping[str, str]] = field(default_factory=dict)
    blank: str = ""
    hint: str = ""
    start: str = ""
    big: bool = False

    @property
    def choices(self) -> dict[str, str]:
        """Code → label in the language of the request."""
        found = self.options() if callable(self.options) else self.options
        return {code: gettext(label) for code, label in found.items()}


@dataclass
class Reader:
    """Reads the fields of a posted form; what is wrong with them gathers in ``problems``."""

    form: Mapping[str, object]
    zone: ZoneInfo
    problems: dict[str, str] = field(default_factory=dict)

    def raw(self, name: str) -> str:
        """Return a field as it was typed."""
        value = self.form.get(name, "")
        return value[:LONGEST] if isinstance(value, str) else ""

    def text(self, name: str, *, limit: int = 400, required: bool = True) -> str:
        """Return a text."""
        text = self.raw(name).strip()
        if required and not text:
            self.problems[name] = gettext("请填写。")
        elif len(text.replace("\r\n", "\n")) > limit:
            self.problems[name] = gettext("最多 %(n)s 个字。") % {"n": limit}
        return text

    def choice(self, name: str, known: Mapping[str, str], *, required: bool = True) -> str:
        """Return one of the codes; empty for none."""
        code = self.raw(name)
        if code in known:
            return code
        if code or required:
            self.problems[name] = gettext("请选择一项。")
        return ""

    def check(self, name: str) -> bool:
        """Tell whether a box is ticked."""
        return bool(self.raw(name))

    def moment(self, name: str, *, required: bool = False) -> datetime | None:
        """Return a time of the site's clock as an aware one."""
        raw = self.raw(name)
        if not raw:
            if required:
                self.problems[name] = gettext("请填写时间。")
            return None
        try:
            local = datetime.fromisoformat(raw)
            if local.tzinfo is not None or not 2000 <= local.year <= 2200:
                raise ValueError
        except ValueError:
            self.problems[name] = gettext("时间的格式是 2026-03-31 15:30。")
            return None
        return local.replace(tzinfo=self.zone).astimezone(UTC)

    def day(self, name: str, *, required: bool = False) -> date | None:
        """Return a day."""
        raw = self.raw(name).strip()
        if not raw and not required:
            return None
        try:
            found = date.fromisoformat(raw)
            if not 2000 <= found.year <= 2200:
                raise ValueError
        except ValueError:
            self.problems[name] = gettext("日期的格式是 2026-03-31。")
            return None
        return found

    def money(self, name: str, *, required: bool = False) -> Decimal | None:
        """Return an amount with at most two decimals."""
        raw = self.raw(name).strip()
        if not raw:
            if required:
                self.problems[name] = gettext("请填写。")
            return None
        try:
            amount = Decimal(raw)
            exponent = amount.as_tuple().exponent
            fits = isinstance(exponent, int) and exponent >= -2 and 0 <= amount < Decimal(10) ** 10
        except InvalidOperation:
            fits = False
        if not fits:
            self.problems[name] = gettext("金额写成 1200 或 1200.50，最多两位小数。")
            return None
        return amount

    def number(self, name: str) -> int:
        """Return a whole number, 0 where there is none."""
        raw = self.raw(name)
        return int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 10 else 0

    def read(self, fields: tuple[Field, ...]) -> dict[str, object]:
        """Return the values of the fields."""
        return {item.name: self._value(item) for item in fields}

    def _value(self, item: Field) -> object:
        match item.kind:
            case "check":
                return self.check(item.name)
            case "choice":
                return self.choice(item.name, item.choices, required=item.required)
            case "moment":
                return self.moment(item.name, required=item.required)
            case "money":
                return self.money(item.name, required=item.required)
            case "date":
                return self.day(item.name, required=item.required)
            case _:
                return self.text(item.name, limit=item.limit, required=item.required)


FIELD_PROBLEMS = {
    "content": N_("请写清楚客户反映的问题，最多 2000 字。"),
    "demand": N_("最多写 1000 字。"),
    "want_by": N_("希望解决的时间要晚于客户投诉的时间，最远两年以内。"),
    "complained_at": N_("投诉时间不能在将来，也不能是很多年前。"),
    "customer_id": N_("请先选定客户。"),
    "project_id": N_("这个项目不是这位客户的。"),
    "lines": N_("请检查责任线：至少一条，最多 12 条。"),
    "department": N_("请选择负责部门；改派时不能再选退回的部门，服务类要写明是哪个部门。"),
    "subclass": N_("小类和大类对不上，请重新选择。"),
    "cause": N_("请写清楚原因，最多 1000 字。"),
    "external_no": N_("转办件要写转办热线的编号，同一个编号只能登记一次。"),
    "reason": N_("请写明原因，最多 400 字。"),
    "problem": N_("请选择问题现在怎么样了。"),
    "callback": N_("还没有回访到客户，不能结案。"),
    "escalation": N_("这件投诉要先走升级客诉，办完才能结案。"),
    "reply_to_source": N_("还没有回复转办热线，不能结案。"),
    "line_ids": N_("没有要转交的责任线，可能已经转交过了。"),
    "severity": N_("只有经理可以调低严重程度。"),
    "visit_from": N_("上门时间要在将来，维修在 90 天以内；结束要晚于开始。"),
    "visit_until": N_("上门的结束要晚于开始；维修最长 12 小时。"),
    "solve_at": N_("计划解决的时间要在将来，而且不早于上门。"),
    "arrived_at": N_("到达时间不能在将来，也不能早于部门接收。"),
    "left_at": N_("离开要晚于到达，而且不能在将来。"),
    "done_at": N_("时间不能在将来，也不能早于部门接收。"),
    "called_at": N_("打电话的时间不能在将来，也不能早于部门接收。"),
    "at": N_("时间不能在将来，也不能早于上一步。"),
    "pay_customer": N_("金额写成 1200 或 1200.50，最多两位小数。"),
    "penalty": N_("金额写成 1200 或 1200.50，最多两位小数。"),
    "satisfaction": N_("满意度和回访结果对不上。"),
    "verdict": N_("回访结果和问题的状态对不上：说「满意」时，问题应当已经解决。"),
    "timeliness": N_("接通了请记下客户觉得处理得及时不及时；没有接通不用选。"),
    "timely": N_("接通了请记下客户觉得处理得及时不及时；没有接通不用选。"),
    "contacted_in_time": N_("接通了请记下维修方有没有按时联系；没有接通不用选。"),
    "phones": N_("号码不对，请核对后再填。"),
    "name": N_("请填写客户姓名，最多 40 字。"),
    "label_zh": N_("请填写名称，最多 40 字。"),
    "label_en": N_("请填写英文名称，最多 40 字。"),
    "parent": N_("不能放在自己下面，最多三层。"),
    "position": N_("顺序填 0 到 999 的数。"),
    "active": N_("请先停用这一组里的各项。"),
    "queues": N_("这样改，有的队列就没有可选的处理结果了。"),
}
"""Field of a refusal → what a person can do about it."""

CODE_PROBLEMS = {
    "illegal_step": N_("这一步现在不能做：可能同事刚刚做过了。下面是最新的情况。"),
    "case_over": N_("这件投诉已经办结，不能再改。客户又反映问题，请登记新的投诉。"),
    "same_person": N_("转交的人不能自己签收，审核的人不能审自己的方案。"),
    "too_early": N_("还没有到回访的时候：没有部门报已解决，约定的上门也还没有过。"),
    "stale_version": N_("别人刚刚改过，下面是最新的情况。您写的内容还在，请核对后再保存。"),
    "reply_owed": N_("还没有回复转办热线，不能结案。"),
    "already_forwarded": N_("这个转办编号已经登记过了，请先查一下。"),
}


def refusal(error: HuifangError, names: frozenset[str]) -> tuple[str, dict[str, str]]:
    """Return what a refusal means to a person: a sentence, and the problems beside the fields ``names``."""
    known = CODE_PROBLEMS.get(error.code)
    name = error.field or ""
    general = gettext(known) if known else labels.word(labels.PROBLEMS, error.code)
    if error.code not in labels.PROBLEMS and not known:
        general = labels.word(labels.PROBLEMS, "conflict")
    plain = name.rsplit(".", 1)[-1]
    if known is None and plain in FIELD_PROBLEMS:
        general = gettext(FIELD_PROBLEMS[plain])
        if name in names:
            return gettext("请检查标红的地方。"), {name: general}
        if plain in names:
            return gettext("请检查标红的地方。"), {plain: general}
    return general, {}
