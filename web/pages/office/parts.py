"""What the office's pages share: forms of steps that keep what was written, uploads, words of refusals."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from crm.cases import CaseView
from kernel.access import Actor
from kernel.errors import HuifangError, NotFound, StaleVersion
from kernel.phone import mask
from web.deps import DEPS
from web.i18n import N_, gettext
from web.pages.case_forms import Field, Reader, refusal
from web.pages.shell import DIRECTORY, see_other
from web.permissions import Permission, requires
from web.problems import status_of

UPLOAD_BYTES = 64 * 1024 * 1024
"""A few photos of a telephone at once; each file is checked on its own."""
MAX_PHOTOS = 8

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A form of a step.

    Attributes:
        sums: prefix of fields that are shown together → heading, and what they sum to: a number, or the
            name of the field that has it.
        photos: files may be sent along.
    """

    name: str
    title: str
    button: str
    done: str
    run: Callable[[Any], Awaitable[object]]
    fields: tuple[Field, ...] = ()
    hint: str = ""
    sums: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    photos: bool = False
    signature: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A field with what stands in it, as ``cases/_parts.html`` draws it."""

    field: Field
    name: str
    ident: str
    value: str
    groups: Mapping[str, Mapping[str, str]]
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Fields that stand together; those of a sum have a heading and say what they sum to."""

    fields: Sequence[Shown]
    title: str = ""
    total: str = ""
    problem: str = ""
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownStep:
    """A form on the page."""

    step: Step
    ident: str
    action: str
    version: int
    blocks: Sequence[Block]
    is_open: bool = False
    problem: str = ""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """A step that was refused: what was written stays on the page."""

    step: str = ""
    form: Mapping[str, object] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    def kept(self, steps: Sequence[Step], shown: Sequence[ShownStep]) -> list[tuple[str, str]]:
        """Return label and text of what was written into a form that is not on the page any more."""
        if not self.step or any(item.step.name == self.step for item in shown):
            return []
        found = next((item for item in steps if item.name == self.step), None)
        if found is None:
            return []
        texts = ((item.label, self.form.get(item.name)) for item in found.fields if item.kind != "check")
        return [(gettext(label), text) for label, text in texts if isinstance(text, str) and text.strip()]


def show_step(
    step: Step,
    attempt: Attempt,
    *,
    action: str,
    version: int,
    ident: str = "",
    start: Mapping[str, str] | None = None,
) -> ShownStep:
    """Return a form with what stands in it: what was written, else ``start``, else the field's own."""
    tried = attempt.step == step.name
    ident = ident or f"step-{step.name}"
    blocks: list[Block] = []
    plain: list[Shown] = []
    for prefix, items in _runs(step):
        shown = [
            Shown(
                field=item,
                name=item.name,
                ident=f"{ident}-{item.name}",
                value=_value(item, attempt, start, tried=tried),
                groups={"": item.choices} if item.kind == "choice" else {},
                problem=attempt.problems.get(item.name, "") if tried else "",
            )
            for item in items
        ]
        if prefix:
            if plain:
                blocks.append(Block(fields=tuple(plain)))
                plain.clear()
            title, total = step.sums[prefix]
            wrong = attempt.problems.get(prefix, "") if tried else ""
            blocks.append(Block(fields=shown, title=gettext(title), total=total, problem=wrong, of=prefix))
        else:
            plain += shown
    if plain:
        blocks.append(Block(fields=tuple(plain)))
    return ShownStep(
        step=step,
        ident=ident,
        action=action,
        version=version,
        blocks=blocks,
        is_open=tried,
        problem=attempt.problem if tried else "",
    )


def _runs(step: Step) -> list[tuple[str, list[Field]]]:
    found: list[tuple[str, list[Field]]] = []
    for item in step.fields:
        prefix = next((prefix for prefix in step.sums if item.name.startswith(prefix)), "")
        if found and found[-1][0] == prefix:
            found[-1][1].append(item)
        else:
            found.append((prefix, [item]))
    return found


def _value(item: Field, attempt: Attempt, start: Mapping[str, str] | None, *, tried: bool) -> str:
    if tried:
        written = attempt.form.get(item.name, "")
        return written if isinstance(written, str) else ""
    return (start or {}).get(item.name, item.start)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form."""

    filename: str
    content: bytes


async def read_form(request: web.Request) -> Mapping[str, object]:
    """Return a posted form; one with files may be larger than other requests."""
    if request.content_type != "multipart/form-data":
        form: Mapping[str, object] = await request.post()
        return form
    found: dict[str, object] = {}
    files: dict[str, list[Upload]] = {}
    for name, value in (await request.clone(client_max_size=UPLOAD_BYTES).post()).items():
        if isinstance(value, web.FileField):
            files.setdefault(name, []).append(Upload(value.filename, value.file.read()))
            value.file.close()
        else:
            found.setdefault(name, value)
    return found | files


def files_of(form: Mapping[str, object], name: str) -> list[Upload]:
    """Return the files of a field; those that nobody chose have no name."""
    found = form.get(name)
    files = found if isinstance(found, list) else []
    return [item for item in files if isinstance(item, Upload) and item.filename][:MAX_PHOTOS]


@requires(Permission.CASES_VIEW)
async def back(request: web.Request) -> web.StreamResponse:
    """Lead to the page of a form: a refused one has the address of its step, which somebody may reload."""
    return see_other(request.rel_url.raw_path.rsplit("/steps/", 1)[0])


def reader_of(request: web.Request, form: Mapping[str, object]) -> Reader:
    """Return a reader in the site's zone."""
    return Reader(form, request.app[DEPS].settings.timezone)


CHANGED = N_("别人刚刚改过，下面是最新的情况。您写的内容还在，请核对后再保存。")
REFUSALS = {
    "same_person": N_("四眼原则：自己转交、自己写的金额或方案，不能自己签字。请换一位有权限的同事。"),
    "stale_version": CHANGED,
    "illegal_step": N_("这一步现在不能做：可能同事刚刚做过了。下面是最新的情况。"),
    "not_yet": N_("还差一步，请先看下面写的原因。"),
    "not_repaired": N_("还没有修好的上门记录，不能核算费用。"),
    "bad_file": N_("照片打不开：请用 JPG、PNG 或 WebP，每张最大 15 MB。"),
    "effect_unknown": N_("报落实的下个月才看得出效果，请到时再检查。"),
    "quota_reached": N_("这件单子的照片已经满了。"),
    "dispositions_unfit": N_(
        "这样不行：最多三层，一组不能放在自己下面；停用一组以前，先停用组里的；每个队列都要留一项可选。"
    ),
    "pause_reasons_unfit": N_(
        "这样不行：至少留一个坐席能选的原因，最多 100 个；系统用的原因只能改名称和顺序。"
    ),
}
FIELDS = {
    "shares": N_("四方责任比例加起来必须正好是 100.00。"),
    "bearers": N_("各方承担的金额加起来必须等于总额。"),
    "recovery": N_("个人承担的金额加起来，必须等于「员工个人」那一栏。"),
    "persons": N_("请检查责任人：不能重复，比例合计不能超过 100。"),
    "with_head": N_("请写明和哪位部门主管一起界定的。"),
    "visited_at": N_("到场时间不能在将来，也不能早于经理接手；要先记录现场查看。"),
    "callback": N_("还没有回访到客户，不能结案。请先在投诉里做回访。"),
    "compensation": N_("赔偿还没有支付，不能结案。"),
    "costs": N_("方案写的是不产生费用，请先改方案。"),
    "amount": N_("金额要和批准的一致，最多两位小数。"),
    "voucher_no": N_("请填写凭证号，最多 40 字。"),
    "receipt_no": N_("请填写收据号，最多 40 字。"),
    "paid_at": N_("支付时间不能在将来，也不能早于批准。"),
    "due_on": N_("期限要在今天以后，一年以内。"),
    "owner_id": N_("责任人要是这个部门的在职人员。"),
    "valid_from": N_("生效日期要在今天或以后，同一天只能有一条。"),
    "floor": N_("保底不能高于上限。"),
    "material": N_("目录里有的材料按目录价，目录里没有的写明原因。"),
    "labour": N_("人工费写成 300 或 300.50。"),
    "travel": N_("交通费写成 30 或 30.50。"),
    "total": N_("合计和各项加起来不一样，请刷新后再保存。"),
    "route": N_("这样改派不行：请换一个维修方。"),
    "crew_id": N_("请选择在职的另一支施工队。"),
    "says": N_("请写下客户怎么说。"),
    "plan": N_("请写下准备怎么修。"),
    "result": N_("请写下现场做了什么。"),
    "visit": N_("正在上门中，请先记录这次上门的结果。"),
    "signature.pin": N_("签收密码不对。它是 4 到 12 位数字，还没有的话请先在“我的账户”里设置。"),
    "signature.strokes": N_("请在框里签上名字。"),
    "planned_visit_at": N_("计划上门的时间要在将来。"),
    "planned_plan_at": N_("计划出方案的时间要在将来。"),
    "planned_solve_at": N_("计划解决的时间要在将来，而且不早于上门和方案。"),
}
"""Field of a refusal → what a person can do about it."""


def refused(error: HuifangError, names: frozenset[str]) -> tuple[str, dict[str, str]]:
    """Return a sentence about a refusal, and the problems beside the fields ``names``."""
    name = error.field or ""
    plain = name.rsplit(".", 1)[-1]
    root = name.split(".", 1)[0]
    found = FIELDS.get(name) or FIELDS.get(root) or FIELDS.get(plain)
    code = REFUSALS.get(error.code)
    if code is not None:
        text = gettext(code)
        if error.code == "not_yet" and found:
            text = gettext(found)
        return text, {}
    if found is None:
        return refusal(error, names)
    text = gettext(found)
    near = next((item for item in names if item in {name, plain, root, name.replace(".", "-")}), None)
    if near is not None:
        return gettext("请检查标红的地方。"), {near: text}
    return text, {f"{root}-": text}


def take_refusal(error: HuifangError, attempt: Attempt, names: frozenset[str]) -> int:
    """Note a refusal in ``attempt``; return the status. What is not a person's to mend goes on."""
    status = int(status_of(error))
    if status >= 500 or status == 404:
        raise error
    attempt.problem, attempt.problems = refused(error, names)
    if isinstance(error, StaleVersion):
        attempt.problem = gettext(CHANGED)
    return status


async def masked_phones(app: web.Application, actor: Actor, case: CaseView) -> tuple[str, ...]:
    """Return the numbers of a case's customer, always masked; none to a department once it is closed."""
    if case.closed_at is not None and not actor.can(Permission.CASES_VIEW_ALL):
        return ()
    try:
        card = await app[DIRECTORY].card(case.customer_id)
    except NotFound:
        return ()
    return tuple(card.phones_masked)


def masked(phone: str | None) -> str:
    """Return one number, masked."""
    return mask(phone) if phone and "*" not in phone else phone or ""
