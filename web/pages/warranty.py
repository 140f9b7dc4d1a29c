"""A home's warranty card on a page: its items, what is left out and why, and the form to write it."""

from collections.abc import Sequence

from aiohttp import web

from crm.domain.warranty import WarrantyFlag, WarrantyItem
from crm.project_views import ProjectRecord
from crm.repair_views import ItemView
from crm.warranties import NewCard, WarrantyCard
from kernel.errors import StaleVersion
from web import labels
from web.crm_part import CRM
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages import people_forms as forms
from web.pages import repair_words
from web.pages.customer import services
from web.pages.people_forms import EXPECTED, Form
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.problems import status_of

MORE = 2
"""Empty rows below the items."""
FLAGS = ("pre", "full", "partial", "excluded")
ADVICE = {
    "flag": N_("请选择办理结果；部分保修要有不保修的项目，全部保修不能有，不保修是全部项目。"),
    "no": N_("最多 40 个字。"),
    "issued_on": N_("请填写办理日期。"),
    "until": N_("到期日不能早于办理日期。"),
    "items": N_("最多 40 项。"),
    "name": N_("请填写项目名称，最多 40 个字。"),
    "code": N_("请填写项目名称，不能重复。"),
    "starts_on": N_("请填写日期。"),
    "ends_on": N_("到期不能早于开始；法律规定的最短期限不能少。"),
    "why": N_("不保修的项目要写明原因，最多 120 个字。"),
}


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/projects/{project_id}/warranty", show)
    app.router.add_post("/projects/{project_id}/warranty", write)


@requires(Permission.PROJECTS_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the card, and the form for who may write it."""
    return await _page(request, {}, "")


@requires(Permission.PROJECTS_EDIT)
async def write(request: web.Request) -> web.StreamResponse:
    """Write the card, or show the form again with what is wrong."""
    form, key = await forms.read_form(request), request.match_info["project_id"]
    try:
        await request.app[CRM].repairs.warranties.write(
            current_actor(request), key, expected=forms.version_of(form), card=_card(form)
        )
    except EXPECTED as error:
        field = "If-Match" if isinstance(error, StaleVersion) else (error.field or "").split(".")[-1]
        advice = gettext(ADVICE[field]) if field in ADVICE else forms.Refused.of("warranty", error).text
        return await _page(request, form, advice, status=int(status_of(error)), code=error.code)
    return see_other(f"/projects/{key}/warranty")


def _card(form: Form) -> NewCard:
    items, place = [], 0
    while f"code.{place}" in form:
        name = forms.text(form, f"name.{place}")
        if name:
            items.append(
                WarrantyItem(
                    code=forms.text(form, f"code.{place}") or f"item{place}",
                    name=name,
                    starts_on=forms.needed_day(form, f"starts_on.{place}"),
                    ends_on=forms.needed_day(form, f"ends_on.{place}"),
                    excluded=form.get(f"excluded.{place}") == "1",
                    why=forms.text(form, f"why.{place}"),
                )
            )
        place += 1
    return NewCard(
        flag=WarrantyFlag(forms.text(form, "flag")) if form.get("flag") in FLAGS else WarrantyFlag.NONE,
        no=forms.maybe(form, "no"),
        issued_on=forms.day(form, "issued_on"),
        until=forms.day(form, "until"),
        items=tuple(items),
    )


async def _page(
    request: web.Request, typed: Form, problem: str, *, status: int = 200, code: str = ""
) -> web.Response:
    actor, key = current_actor(request), request.match_info["project_id"]
    record: ProjectRecord = await services(request).projects.get(actor, key)
    card = await request.app[CRM].repairs.warranties.get(actor, key)
    if code == "not_paid":
        problem = gettext("尾款还没有付清，还不能办理保修。")
    context = {
        "project": record.project,
        "card": card,
        "word": labels.word(repair_words.WARRANTIES, card.flag.value),
        "states": labels.words(repair_words.ITEM_STATES),
        "tones": repair_words.ITEM_TONES,
        "flags": {flag: labels.word(repair_words.WARRANTIES, flag) for flag in FLAGS},
        "typed": typed,
        "rows": _rows(card.items or card.proposed, typed),
        "values": _values(card, typed),
        "problem": problem,
        "may_edit": current_user(request).can(Permission.PROJECTS_EDIT),
    }
    return render(request, "people/warranty.html", context, status=status)


def _rows(items: Sequence[ItemView], typed: Form) -> list[dict[str, str]]:
    """Return the rows of the form: as typed, else as they are, and empty ones."""
    if typed:
        count = sum(name.startswith("code.") for name in typed)
        names = ("code", "name", "starts_on", "ends_on", "excluded", "why")
        return [{name: typed.get(f"{name}.{place}", "") for name in names} for place in range(count)]
    shown = [
        {
            "code": one.code,
            "name": one.name,
            "starts_on": one.starts_on.isoformat(),
            "ends_on": one.ends_on.isoformat(),
            "excluded": "1" if one.excluded else "",
            "why": one.why,
        }
        for one in items
    ]
    empty = dict.fromkeys(("name", "starts_on", "ends_on", "excluded", "why"), "")
    return shown + [empty | {"code": f"item{len(shown) + more}"} for more in range(MORE)]


def _values(card: WarrantyCard, typed: Form) -> Form:
    if typed:
        return typed
    flag = card.flag.value if card.flag.value in FLAGS else "pre" if card.items else "full"
    return {
        "flag": flag,
        "no": card.no or "",
        "issued_on": card.issued_on.isoformat() if card.issued_on else "",
        "until": card.until.isoformat() if card.until and not card.items else "",
        "version": str(card.version),
    }
