"""The catalogue of materials that cost sheets pick from (domain.md §2.4)."""

from dataclasses import replace
from typing import Any

from aiohttp import web

from crm.domain.repair_cost import MaterialKind
from crm.materials import MaterialText, may_keep
from kernel.errors import Invalid
from web import labels
from web.crm_part import CRM
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.case_forms import Field
from web.pages.list_tabs import tabs_of
from web.pages.lists.forms import RowAttempt, back_to, row_step, take_row
from web.pages.office import cost_words as words
from web.pages.office.parts import Step
from web.pages.shell import render
from web.permissions import Permission, requires

HERE = "/lists/materials"
NEW = "new"
PAGE = 100


async def _put(taken: dict[str, Any]) -> object:
    values, key = taken["values"], taken["key"]
    text = MaterialText(
        code=values["code"],
        name=values["name"],
        unit=values["unit"],
        price=values["price"],
        kind=MaterialKind(values["kind"]),
        active=values["active"],
    )
    material_id = None if key == NEW else key
    expected = taken["version"] if material_id else None
    return await taken["materials"].put(taken["actor"], material_id, text, expected=expected)


PUT = Step(
    name="put",
    title=N_("修改"),
    button=N_("保存"),
    done=N_("材料已保存。已经核算的单子价格不变。"),
    run=_put,
    fields=(
        Field(name="code", label=N_("编码"), limit=20),
        Field(name="name", label=N_("名称"), limit=80),
        Field(name="unit", label=N_("单位"), limit=10),
        Field(name="price", label=N_("单价"), kind="money"),
        Field(name="kind", label=N_("种类"), kind="choice", options=words.MATERIALS, start="auxiliary"),
        Field(name="active", label=N_("可选"), kind="check", required=False),
    ),
)


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(HERE + "/{material_id}/steps/put", take)
    app.router.add_get(HERE + "/{material_id}/steps/put", back_to(HERE, Permission.PROJECTS_VIEW))


@requires(Permission.PROJECTS_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a page of the catalogue."""
    return await _page(request, RowAttempt())


@requires(Permission.MATERIALS_EDIT)
async def take(request: web.Request) -> web.StreamResponse:
    """Write a material down, or change one."""
    key = request.match_info["material_id"][:40]
    given = {"materials": request.app[CRM].materials, "actor": current_actor(request), "key": key}
    return await take_row(request, PUT, key, given, _page, here=HERE)


async def _page(request: web.Request, tried: RowAttempt, *, status: int = 200) -> web.StreamResponse:
    actor, cursor = current_actor(request), request.query.get("cursor") or None
    try:
        page = await request.app[CRM].materials.page(actor, cursor=cursor, limit=PAGE)
    except Invalid:
        page = await request.app[CRM].materials.page(actor, limit=PAGE)
    keeps = may_keep(actor)
    rows = []
    for item in page.items:
        start = {
            "code": item.code,
            "name": item.name,
            "unit": item.unit,
            "price": f"{item.price}",
            "kind": item.kind.value,
            "active": "1" if item.active else "",
        }
        key = item.material_id
        action = f"{HERE}/{key}/steps/put"
        step = row_step(PUT, tried, key=key, action=action, version=item.version, start=start)
        rows.append((item, step if keeps else None))
    new = row_step(
        replace(PUT, title=N_("新增材料")),
        tried,
        key=NEW,
        action=f"{HERE}/{NEW}/steps/put",
        start={"active": "1"},
    )
    context = {
        "tabs": tabs_of(current_user(request)),
        "rows": rows,
        "kinds": labels.words(words.MATERIALS),
        "new": new if keeps else None,
        "done_text": gettext(PUT.done) if request.query.get("done") == "put" else "",
        "first": HERE if cursor else "",
        "more": f"{HERE}?cursor={page.next_cursor}" if page.next_cursor else "",
    }
    return render(request, "lists/materials.html", context, status=status)
