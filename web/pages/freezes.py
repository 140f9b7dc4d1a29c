"""Whose callbacks stand still: customers who are frozen, thaws that wait for an answer, work that stands."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from aiohttp import web

from crm.domain.project import Stage
from crm.people import CustomerFilter
from crm.people_services import PeopleServices
from crm.people_views import CustomerSummary, FreezeView
from crm.projects import ProjectFilter
from kernel.access import Actor
from kernel.errors import Invalid
from web import labels
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages import people_forms as forms
from web.pages import people_words as words
from web.pages.customer import services
from web.pages.customer_edit import read_answer
from web.pages.customer_pick import pick
from web.pages.people_forms import EXPECTED, Form, Refused
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.problems import status_of

TABS = {"frozen": N_("冻结中"), "unanswered": N_("解冻后待答"), "standing": N_("停工项目")}
MOST = 200
PAGE = 50


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/freezes", show)
    app.router.add_post("/freezes", freeze)
    app.router.add_post("/freezes/{customer_id}/thaw", _step("thaw", Permission.CUSTOMERS_MERGE, _thaw))
    app.router.add_post("/freezes/{freeze_id}/answer", _step("answer", Permission.CUSTOMERS_EDIT, _answer))


@dataclass(frozen=True, slots=True)
class Row:
    """A freeze, with the version of its customer."""

    freeze: FreezeView
    customer: CustomerSummary | None


@requires(Permission.CUSTOMERS_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show one of the lists."""
    return await _page(request)


async def _page(
    request: web.Request,
    refused: Refused | None = None,
    typed: Form | None = None,
    choices: Sequence[CustomerSummary] = (),
    *,
    tab: str = "",
    status: int = 200,
) -> web.Response:
    user, actor, people = current_user(request), current_actor(request), services(request)
    asked = tab or request.query.get("show", "")
    tab = asked if asked in TABS else "frozen"
    cursor, problem, freezes = request.query.get("cursor"), "", people.freezes
    listed: Sequence[FreezeView] = ()
    following = None
    standing = await people.projects.page(
        actor,
        ProjectFilter(stage=Stage.SUSPENDED),
        limit=MOST,
        cursor=cursor if tab == "standing" else None,
    )
    if tab == "standing":
        following = standing.next_cursor
    else:
        try:
            page = await freezes.page(actor, unanswered=tab == "unanswered", cursor=cursor, limit=PAGE)
            listed, following = page.items, page.next_cursor
        except Invalid:
            problem, status = gettext("这一页已经过期，请从第一页开始。"), 400
    counts = {
        "frozen": await freezes.count(actor),
        "unanswered": await freezes.count(actor, unanswered=True),
        "standing": len(standing.items),
    }
    context = {
        "tab": tab,
        "tabs": [
            (name, gettext(label), counts[name], name == "standing" and counts[name] >= MOST)
            for name, label in TABS.items()
        ],
        "rows": await _rows(people, actor, listed),
        "projects": standing.items if tab == "standing" else (),
        "problem": problem,
        "first_page": cursor is None,
        "first_href": f"/freezes?show={tab}",
        "more": "/freezes?" + urlencode({"show": tab, "cursor": following}) if following else "",
        "scopes": labels.words(words.SCOPES),
        "callback_kinds": labels.words(words.CALLBACK_KINDS),
        "stages": labels.words(labels.STAGES),
        "refused": refused,
        "typed": typed or {},
        "choices": choices,
        "may_edit": user.can(Permission.CUSTOMERS_EDIT),
        "may_manage": user.can(Permission.CUSTOMERS_MERGE),
    }
    return render(request, "people/freezes.html", context, status=status)


async def _rows(people: PeopleServices, actor: Actor, freezes: Sequence[FreezeView]) -> list[Row]:
    ids = sorted({freeze.customer_id for freeze in freezes})
    page = await people.customers.page(actor, CustomerFilter(ids=ids), limit=MOST)
    known = {customer.customer_id: customer for customer in page.items}
    return [Row(freeze, known.get(freeze.customer_id)) for freeze in freezes]


@requires(Permission.CUSTOMERS_EDIT)
async def freeze(request: web.Request) -> web.StreamResponse:
    """Freeze a customer whom the form names; where several are meant, ask which."""
    form = await forms.read_form(request)
    picked = await pick(request, form.get("customer_id") or form.get("who", ""))
    if len(picked.found) != 1:
        text = gettext("有几位客户，请选一位。") if picked.found else gettext("没有找到这位客户。")
        return await _page(request, Refused("freeze", "who", text), form, picked.found, status=400)
    customer = picked.found[0]
    try:
        await services(request).freezes.freeze(
            current_actor(request),
            customer.customer_id,
            scope=forms.text(form, "scope"),
            reason=forms.text(form, "reason"),
            planned_thaw=forms.day(form, "planned_thaw"),
            expected=customer.version,
        )
    except EXPECTED as error:
        refused = Refused.of("freeze", error)
        return await _page(request, refused, form, status=int(status_of(error)))
    return see_other("/freezes")


Move = Callable[[PeopleServices, Actor, web.Request, Form], Awaitable[object]]


async def _thaw(people: PeopleServices, actor: Actor, request: web.Request, form: Form) -> object:
    return await people.freezes.thaw(
        actor,
        request.match_info["customer_id"],
        reason=forms.text(form, "reason"),
        answer=read_answer(form),
        expected=forms.version_of(form),
    )


async def _answer(people: PeopleServices, actor: Actor, request: web.Request, form: Form) -> object:
    return await people.freezes.answer(actor, request.match_info["freeze_id"], read_answer(form))


def _step(
    name: str, permission: Permission, move: Move
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    tab = "frozen" if name == "thaw" else "unanswered"

    async def handle(request: web.Request) -> web.StreamResponse:
        form = await forms.read_form(request)
        try:
            await move(services(request), current_actor(request), request, form)
        except EXPECTED as error:
            refused = Refused.of(name, error)
            key = request.match_info.get("customer_id") or request.match_info["freeze_id"]
            if not isinstance(error, Invalid) and error.field in {"customer_id", "freeze_id"}:
                refused = replace(refused, text=gettext("刚刚有人做过了，下面是最新的情况。"))
            typed = {**form, "at": key}
            return await _page(request, refused, typed, tab=tab, status=int(status_of(error)))
        return see_other(f"/freezes?show={tab}")

    return requires(permission)(handle)
