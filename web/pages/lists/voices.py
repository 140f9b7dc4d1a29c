"""What customers say that is no case: noted by agents, grouped by month (domain.md §1.12)."""

from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from crm.domain.voice import MAX_COMPETITOR, VoiceKind
from crm.voices import MAX_TEXT, NewVoice, VoiceFilter
from kernel.errors import Invalid
from kernel.ids import is_ulid
from web import labels
from web.crm_part import CRM
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.case_forms import Field
from web.pages.list_tabs import tabs_of
from web.pages.lists.forms import RowAttempt, back_to, row_step, take_row
from web.pages.office.parts import Step
from web.pages.shell import render
from web.permissions import Permission, requires

HERE = "/lists/voices"
PAGE = 50
KINDS = {"suggestion": N_("客户建议"), "competitor": N_("同行信息")}
assert set(KINDS) == {kind.value for kind in VoiceKind}


async def _note(taken: dict[str, Any]) -> object:
    values = taken["values"]
    new = NewVoice(
        kind=VoiceKind(values["kind"]),
        text=values["text"],
        competitor=values["competitor"] or None,
        customer_id=values["customer"] or None,
        case_id=values["case"] or None,
        call_id=values["call"] or None,
    )
    return await taken["voices"].note(taken["actor"], new)


NOTE = Step(
    name="note",
    title=N_("记一条"),
    button=N_("保存"),
    done=N_("已记下，谢谢。"),
    run=_note,
    fields=(
        Field(name="kind", label=N_("种类"), kind="choice", options=KINDS, start="suggestion"),
        Field(name="text", label=N_("客户怎么说"), kind="area", limit=MAX_TEXT),
        Field(name="competitor", label=N_("哪家同行（同行信息必填）"), limit=MAX_COMPETITOR, required=False),
        Field(name="customer", label=N_("客户"), kind="hidden", required=False, limit=26),
        Field(name="case", label=N_("单号"), kind="hidden", required=False, limit=26),
        Field(name="call", label=N_("通话"), kind="hidden", required=False, limit=26),
    ),
)


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(HERE + "/steps/note", take)
    app.router.add_get(HERE + "/steps/note", back_to(HERE, Permission.CASES_VIEW_ALL))


@requires(Permission.CASES_VIEW_ALL)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a page of notes, and how many each month has."""
    return await _page(request, RowAttempt())


@requires(Permission.CASES_REGISTER)
async def take(request: web.Request) -> web.StreamResponse:
    """Write a note down."""
    given = {"voices": request.app[CRM].voices, "actor": current_actor(request)}
    return await take_row(request, NOTE, "new", given, _page, here=HERE)


def wanted_of(request: web.Request) -> VoiceFilter:
    """Return which notes the request asks for."""
    kind = request.query.get("kind", "")
    return VoiceFilter(
        kind=VoiceKind(kind) if kind in KINDS else None, month=request.query.get("month", "")[:7] or None
    )


async def _page(request: web.Request, tried: RowAttempt, *, status: int = 200) -> web.StreamResponse:
    actor, voices, query = current_actor(request), request.app[CRM].voices, request.query
    wanted, cursor, problem = wanted_of(request), query.get("cursor"), ""
    try:
        page = await voices.page(actor, wanted, cursor=cursor, limit=PAGE)
    except Invalid:
        problem, status, wanted = gettext("这一页已经过期，请从第一页开始。"), 400, VoiceFilter()
        page = await voices.page(actor, wanted, limit=PAGE)
    asked = {"kind": wanted.kind.value if wanted.kind else "", "month": wanted.month or ""}
    steps = []
    if actor.can(Permission.CASES_REGISTER):
        start = {name: query[name] for name in ("customer", "case", "call") if is_ulid(query.get(name, ""))}
        shown = row_step(NOTE, tried, key="new", action=f"{HERE}/steps/note", start=start)
        steps.append((shown, bool(start)))
    context = {
        "tabs": tabs_of(current_user(request)),
        "kinds": labels.words(KINDS),
        "asked": asked,
        "rows": page.items,
        "months": await voices.months(actor),
        "steps": steps,
        "may_export": actor.can(Permission.EXPORT),
        "filter": urlencode(asked),
        "problem": problem,
        "done_text": gettext(NOTE.done) if query.get("done") == "note" else "",
        "first": f"{HERE}?" + urlencode(asked) if cursor else "",
        "more": f"{HERE}?" + urlencode(asked | {"cursor": page.next_cursor}) if page.next_cursor else "",
    }
    return render(request, "lists/voices.html", context, status=status)
