"""Customers who may be one person: pairs to look at, two side by side, the merge, and taking it back."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from crm.people_views import CustomerRecord
from crm.views import CustomerCard
from kernel.errors import HuifangError, Invalid
from web import labels
from web.i18n import gettext
from web.identity import current_actor
from web.pages import people_forms as forms
from web.pages import people_words as words
from web.pages.customer import services
from web.pages.customer_pick import pick
from web.pages.people_forms import EXPECTED, Changed, Form, Refused
from web.pages.shell import DIRECTORY, render, see_other
from web.permissions import Permission, requires
from web.problems import status_of

PAGE = 30
SIDES = ("first", "second")
NEEDED = Permission.CUSTOMERS_MERGE


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/duplicates", show)
    app.router.add_post("/duplicates/compare", compare)
    app.router.add_post("/duplicates/undo", undo)
    app.router.add_get("/duplicates/{first_id}/{second_id}", show_pair)
    app.router.add_post("/duplicates/{first_id}/{second_id}", merge)


@dataclass(frozen=True, slots=True)
class Side:
    """One of two customers."""

    name: str
    record: CustomerRecord
    card: CustomerCard


@dataclass(frozen=True, slots=True)
class Line:
    """Something to compare: what each of both has."""

    key: str
    label: str
    texts: tuple[str, str]

    @property
    def same(self) -> bool:
        """Whether both have the same."""
        return self.texts[0] == self.texts[1]


@requires(NEEDED)
async def show(request: web.Request) -> web.StreamResponse:
    """Show pairs that may be one, and the merges that were made."""
    return await _list(request)


async def _list(
    request: web.Request,
    refused: Refused | None = None,
    typed: Form | None = None,
    choices: Sequence[object] = (),
    status: int = 200,
) -> web.Response:
    actor, merging = current_actor(request), services(request).merging
    cursor, problem = request.query.get("cursor"), ""
    try:
        page = await merging.page(actor, cursor=cursor, limit=PAGE)
    except Invalid:
        problem = gettext("这一页已经过期，请从第一页开始。")
        page, status = await merging.page(actor, limit=PAGE), 400
    more = "/duplicates?" + urlencode({"cursor": page.next_cursor}) if page.next_cursor else ""
    asked = request.query.get("skip", "")
    skip = int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= 5 else 0
    found = await merging.candidates(actor, skip=skip)
    context = {
        "pairs": found.items,
        "more_pairs": f"/duplicates?skip={found.next_skip}" if found.next_skip else "",
        "first_pairs": skip == 0,
        "merges": page.items,
        "refused": refused,
        "typed": typed or {},
        "choices": choices,
        "problem": problem,
        "more": more,
        "first_page": cursor is None,
    }
    return render(request, "people/duplicates.html", context, status=status)


@requires(NEEDED)
async def compare(request: web.Request) -> web.StreamResponse:
    """Lead to the comparison of two customers whom somebody names."""
    form = await forms.read_form(request)
    keys: list[str] = []
    for name in SIDES:
        found = (await pick(request, form.get(name, ""))).found
        if len(found) != 1:
            text = (
                gettext("有几位客户，请改填完整号码或客户页面的地址。")
                if found
                else gettext("没有找到这位客户。")
            )
            return await _list(request, Refused("compare", name, text), form, found, status=400)
        keys.append(found[0].customer_id)
    if keys[0] == keys[1]:
        text = gettext("这是同一位客户。")
        return await _list(request, Refused("compare", "second", text), form, status=400)
    return see_other(f"/duplicates/{keys[0]}/{keys[1]}")


@requires(NEEDED)
async def show_pair(request: web.Request) -> web.StreamResponse:
    """Show two customers side by side; where one was merged meanwhile, those they are now."""
    sides = await _sides(request)
    return _elsewhere(request, sides) or _pair(request, sides)


async def _sides(request: web.Request) -> tuple[Side, Side]:
    people, actor = services(request).customers, current_actor(request)
    sides = []
    for name in SIDES:
        record = await people.get(actor, request.match_info[f"{name}_id"])
        sides.append(Side(name, record, await request.app[DIRECTORY].card(record.customer_id)))
    return sides[0], sides[1]


def _elsewhere(request: web.Request, sides: tuple[Side, Side]) -> web.Response | None:
    first, second = (side.record.customer_id for side in sides)
    if first == second:
        return see_other(f"/customers/{first}")
    if (first, second) != tuple(request.match_info[f"{name}_id"] for name in SIDES):
        return see_other(f"/duplicates/{first}/{second}")
    return None


def _pair(
    request: web.Request,
    sides: tuple[Side, Side],
    *,
    refused: Refused | None = None,
    typed: Form | None = None,
    changed: Sequence[Changed] = (),
    status: int = 200,
) -> web.Response:
    shared = {phone.number for phone in sides[0].record.phones} & {
        phone.number for phone in sides[1].record.phones
    }
    context = {
        "sides": sides,
        "shared": shared,
        "lines": lines(sides),
        "refused": refused,
        "typed": typed or {},
        "changed": changed,
        "case_kinds": labels.words(labels.CASE_KINDS),
    }
    return render(request, "people/pair.html", context, status=status)


def lines(sides: tuple[Side, Side]) -> list[Line]:
    """Return what there is to compare, in words."""
    first, second = sides
    found = {
        "name": gettext("姓名"),
        "salutation": gettext("称谓"),
        "level": gettext("级别"),
        "store": gettext("店面"),
        "numbers": gettext("号码"),
        "preferred": gettext("方便时间"),
        "flags": gettext("标记"),
        "projects": gettext("项目"),
        "cases": gettext("未结事项"),
        "consents": gettext("有效同意"),
        "created": gettext("由谁登记"),
    }
    one, other = _texts(first), _texts(second)
    return [Line(key, label, (one[key], other[key])) for key, label in found.items()]


def _texts(side: Side) -> dict[str, str]:
    record, card = side.record, side.card
    joint = gettext("、")
    flags = [
        gettext("冻结") if record.freeze else "",
        gettext("不要外呼") if record.refusals else "",
        gettext("重点关注：%(reason)s") % {"reason": record.problem_reason} if record.problem_reason else "",
        gettext("长者") if record.elder_mode else "",
    ]
    hours = (
        f"{record.preferred_from:%H:%M}–{record.preferred_until:%H:%M}"
        if record.preferred_from and record.preferred_until
        else ""
    )
    consents = [consent.purpose for consent in record.consents if consent.withdrawn_at is None]
    return {
        "name": record.name,
        "salutation": labels.word(labels.SALUTATIONS, record.salutation),
        "level": f"{record.level} {record.level_reason or ''}".strip(),
        "store": record.store or "",
        "numbers": joint.join(phone.masked for phone in record.phones),
        "preferred": hours,
        "flags": joint.join(flag for flag in flags if flag),
        "projects": joint.join(project.address or project.contract_no for project in card.projects),
        "cases": joint.join(case.no for case in card.open_cases),
        "consents": joint.join(labels.word(words.CONSENT_PURPOSES, purpose.value) for purpose in consents),
        "created": record.created_by or "",
    }


@requires(NEEDED)
async def merge(request: web.Request) -> web.StreamResponse:
    """Merge them; the one who stays was chosen in the form."""
    form = await forms.read_form(request)
    sides = await _sides(request)
    if elsewhere := _elsewhere(request, sides):
        return elsewhere
    try:
        if form.get("kept") not in SIDES:
            raise Invalid("say who stays", field="kept")
        kept, gone = sides if form["kept"] == "first" else (sides[1], sides[0])
        record = await services(request).merging.merge(
            current_actor(request),
            kept.record.customer_id,
            gone.record.customer_id,
            reason=forms.text(form, "reason"),
            expected=_version(form, kept),
            gone_expected=_version(form, gone),
        )
    except EXPECTED as error:
        return await _refused_merge(request, form, error)
    return see_other(f"/customers/{record.customer_id}")


def _version(form: Form, side: Side) -> int:
    return forms.version_of({"version": form.get(f"version-{side.name}", "")})


async def _refused_merge(request: web.Request, form: Form, error: HuifangError) -> web.Response:
    sides = await _sides(request)
    if elsewhere := _elsewhere(request, sides):
        return elsewhere
    now: dict[str, tuple[str, str]] = {}
    for index, side in enumerate(sides):
        for line in lines(sides):
            label = f"{side.record.name} {line.label}"
            now[f"{side.name}-{line.key}"] = (label, line.texts[index])
    changed = forms.changed_since(form, now)
    text = gettext("请选择保留哪一位。") if error.field == "kept" else ""
    refused = Refused("merge", error.field or "", text) if text else Refused.of("merge", error)
    return _pair(request, sides, refused=refused, typed=form, changed=changed, status=int(status_of(error)))


@requires(NEEDED)
async def undo(request: web.Request) -> web.StreamResponse:
    """Make two of one again."""
    form = await forms.read_form(request)
    try:
        record = await services(request).merging.undo(
            current_actor(request), forms.text(form, "merge_id"), reason=forms.text(form, "reason")
        )
    except EXPECTED as error:
        refused = Refused.of("undo", error)
        if error.field == "merge_id":
            text = gettext("已经撤销过，或者这位客户后来又合并了：请先撤销后面的那次。")
            refused = Refused("undo", "merge_id", text)
        return await _list(request, refused, form, status=int(status_of(error)))
    return see_other(f"/customers/{record.customer_id}")
