"""The list of customers: by beginning of the name or whole number, level, store and flags."""

from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from crm.domain.customer import Level
from crm.people import CustomerFilter
from crm.people_views import CustomerSummary
from kernel.errors import Invalid
from kernel.ids import is_ulid
from web import labels
from web.i18n import N_, gettext
from web.identity import current_actor
from web.pages.customer import services
from web.pages.customer_pick import whole_number
from web.pages.shell import render
from web.permissions import Permission, requires

PAGE = 50
LONGEST = 40
FLAGS = {
    "frozen": N_("已冻结"),
    "do_not_call": N_("不要外呼"),
    "problem": N_("重点关注"),
    "elder_mode": N_("长者"),
}
FLAG_TONES = {"frozen": "blue", "do_not_call": "amber", "problem": "brick", "elder_mode": "violet"}


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/customers", show)


@dataclass(frozen=True, slots=True)
class Row:
    """A customer of the list: ``flags`` are words with their tones."""

    customer: CustomerSummary
    salutation: str
    flags: tuple[tuple[str, str], ...]


@requires(Permission.CUSTOMERS_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a page of customers, newest first."""
    actor, people = current_actor(request), services(request)
    form = {name: request.query.get(name, "").strip()[:LONGEST] for name in ("q", "level", "store", *FLAGS)}
    stores = {store.store_id: store.name for store in await people.organisation.stores(actor)}
    kept = {name: value for name, value in form.items() if value}
    problem, rows, more = "", [], ""
    try:
        wanted = _wanted(request, form)
        page = await people.customers.page(actor, wanted, cursor=request.query.get("cursor"), limit=PAGE)
        rows = [_row(customer) for customer in page.items]
        if page.next_cursor:
            more = "/customers?" + urlencode({**kept, "cursor": page.next_cursor})
    except Invalid:
        problem = gettext("这一页已经过期，请从第一页开始。")
    context = {
        "form": form,
        "rows": rows,
        "more": more,
        "first_href": "/customers?" + urlencode(kept),
        "first_page": "cursor" not in request.query,
        "problem": problem,
        "stores": stores,
        "flags": labels.words(FLAGS),
        "may_add": actor.can(Permission.CUSTOMERS_EDIT),
    }
    return render(request, "people/customers.html", context, status=400 if problem else 200)


def _wanted(request: web.Request, form: dict[str, str]) -> CustomerFilter:
    """Return the filter that the form asks for; what it cannot mean counts for nothing."""
    phone = whole_number(request, form["q"])
    return CustomerFilter(
        name=None if phone else form["q"] or None,
        phone=phone,
        level=Level(form["level"]) if form["level"] in set(Level) else None,
        store_id=form["store"] if is_ulid(form["store"]) else None,
        frozen=True if form["frozen"] else None,
        do_not_call=True if form["do_not_call"] else None,
        problem=True if form["problem"] else None,
        elder_mode=True if form["elder_mode"] else None,
    )


def _row(customer: CustomerSummary) -> Row:
    flags = tuple(
        (gettext(label), FLAG_TONES[name]) for name, label in FLAGS.items() if getattr(customer, name)
    )
    return Row(customer, labels.word(labels.SALUTATIONS, customer.salutation), flags)
