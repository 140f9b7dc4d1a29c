"""The do-not-call list: who refused what, with the proof; written down here, and lifted here."""

from collections.abc import Sequence
from urllib.parse import urlencode

from aiohttp import web

from crm.do_not_call import RefusalFilter
from crm.domain.freeze import RefusalLevel, RefusalSource
from crm.people_views import CustomerSummary
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import is_ulid
from kernel.phone import Phone, mask
from speech.rules.desk import no_more_calls
from web import labels
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages import people_forms as forms
from web.pages import people_words as words
from web.pages.customer import services
from web.pages.customer_pick import pick, whole_number
from web.pages.people_forms import EXPECTED, Form, Refused
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.problems import status_of
from web.speech_access import may_read
from web.speech_rules_part import SPEECH_RULES

PAGE = 50
STATES = {"in_force": N_("有效"), "lifted": N_("已恢复"), "all": N_("全部")}
NUMBER_ONLY = "number"
"""The choice that means no customer, but the number whoever has it."""


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/do-not-call", show)
    app.router.add_post("/do-not-call", add)
    app.router.add_post("/do-not-call/{entry_id}/lift", lift)


@requires(Permission.CUSTOMERS_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a page of the list."""
    return await _page(request)


async def _page(
    request: web.Request,
    refused: Refused | None = None,
    typed: Form | None = None,
    choices: Sequence[CustomerSummary] = (),
    *,
    status: int = 200,
) -> web.Response:
    actor, people = current_actor(request), services(request)
    form = {name: request.query.get(name, "").strip()[:40] for name in ("q", "level", "source", "state")}
    form["state"] = form["state"] if form["state"] in STATES else "in_force"
    kept = {name: value for name, value in form.items() if value}
    problem, cursor = "", request.query.get("cursor")
    wanted = _wanted(request, form)
    try:
        if form["q"] and wanted.phone is None:
            raise Invalid("give the whole number", field="number")
        page = await people.do_not_call.page(actor, wanted, cursor=cursor, limit=PAGE)
        items, following = page.items, page.next_cursor
    except Invalid as error:
        items, following, status = (), None, 400
        number = gettext("请输入完整的号码。")
        problem = number if error.field == "number" else gettext("这一页已经过期，请从第一页开始。")
    context = {
        "form": form,
        "items": items,
        "mask": mask,
        "problem": problem,
        "more": "/do-not-call?" + urlencode({**kept, "cursor": following}) if following else "",
        "first_page": cursor is None,
        "first_href": "/do-not-call?" + urlencode(kept),
        "states": labels.words(STATES),
        "levels": labels.words(words.REFUSAL_LEVELS),
        "sources": labels.words(words.REFUSAL_SOURCES),
        "refused": refused,
        "typed": typed or {},
        "heard": await _heard(request) if typed is None else {},
        "choices": choices,
        "may_edit": current_user(request).can(Permission.CUSTOMERS_EDIT),
    }
    return render(request, "people/do_not_call.html", context, status=status)


async def _heard(request: web.Request) -> dict[str, str]:
    """Return what the form holds for who said in a call (``?call=``) that they want no more of them."""
    call_id = request.query.get("call", "")
    if not is_ulid(call_id) or not await may_read(request, call_id):
        return {}
    form = {"level": str(RefusalLevel.ALL.value), "source": RefusalSource.AGENT.value}
    try:
        call = await request.app[DEPS].history.get(call_id)
    except NotFound:
        pass  # not stored yet: the number is on the agent's page
    else:
        phone = Phone.parse_caller(call.to_number if call.direction == "out" else call.from_number)
        form["who"] = phone.national if phone is not None and phone.dialable else ""
    said = no_more_calls(await request.app[SPEECH_RULES].suggester.said(call_id))
    if said is not None:
        form["evidence"] = gettext("通话中客户说：“%(words)s”（通话 %(call)s）") % {
            "words": said.quote,
            "call": call_id,
        }
    return form


def _wanted(request: web.Request, form: dict[str, str]) -> RefusalFilter:
    return RefusalFilter(
        level=RefusalLevel(int(form["level"])) if form["level"] in words.REFUSAL_LEVELS else None,
        source=RefusalSource(form["source"]) if form["source"] in set(RefusalSource) else None,
        in_force={"in_force": True, "lifted": False}.get(form["state"]),
        phone=whole_number(request, form["q"]),
    )


@requires(Permission.CUSTOMERS_EDIT)
async def add(request: web.Request) -> web.StreamResponse:
    """Write a refusal down: for the customer with every number, or for a number that nobody here has."""
    form = await forms.read_form(request)
    who, chosen = form.get("who", ""), form.get("customer_id", "")
    picked = await pick(request, who)
    customers = {one.customer_id: one for one in picked.found}
    if chosen == NUMBER_ONLY and picked.phone is not None:
        customer_id = None
    elif chosen in customers:
        customer_id = chosen
    elif len(customers) == 1:
        customer_id = next(iter(customers))
    elif not customers and picked.phone is not None:
        customer_id = None
    else:
        text = (
            gettext("有几位客户，请选一位。")
            if customers
            else gettext("没有找到这位客户，也不是完整的号码。")
        )
        refused = Refused("do-not-call", "who", text)
        return await _page(request, refused, form, picked.found, status=400)
    try:
        await services(request).do_not_call.add(
            current_actor(request),
            level=forms.number(form, "level"),
            source=forms.text(form, "source"),
            evidence=forms.text(form, "evidence"),
            customer_id=customer_id,
            number=picked.phone.e164 if picked.phone else None,
        )
    except EXPECTED as error:
        refused = Refused.of("do-not-call", error)
        return await _page(request, refused, form, status=int(status_of(error)))
    return see_other("/do-not-call")


@requires(Permission.CUSTOMERS_EDIT)
async def lift(request: web.Request) -> web.StreamResponse:
    """Take a refusal back, with the customer's word and the proof of it."""
    form = await forms.read_form(request)
    entry_id = request.match_info["entry_id"]
    try:
        await services(request).do_not_call.lift(
            current_actor(request),
            entry_id,
            reason=forms.text(form, "reason"),
            evidence=forms.text(form, "evidence"),
        )
    except EXPECTED as error:
        refused = Refused.of("lift", error)
        if isinstance(error, Conflict):
            refused = Refused("lift", "entry_id", gettext("刚刚有人做过了，下面是最新的情况。"))
        typed = {**form, "at": entry_id}
        return await _page(request, refused, typed, status=int(status_of(error)))
    return see_other("/do-not-call")
