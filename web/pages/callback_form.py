"""A questionnaire as a page for a customer's telephone, without signing in (domain.md §1.2, CB-7)."""

from collections.abc import Mapping
from datetime import timedelta

from aiohttp import web

from callback_campaigns.domain.questionnaire import Answer, Item, ItemKind, NoSuchAnswer
from callback_campaigns.domain.questionnaire_frame import fill
from callback_campaigns.domain.terms import Channel
from callback_campaigns.talk_store import Talk
from crm.cases import tidy_text
from crm.domain.customer import Salutation, greeting
from kernel.errors import HuifangError, Invalid, TooMany
from web.callback_part import CALLBACKS
from web.deps import DEPS
from web.i18n import gettext
from web.identity import CLIENT_IP
from web.pages.shell import render
from web.permissions import public
from web.throttle import Pace, Throttle, bucket_of_address

PACE = Pace(free=60, first=timedelta(seconds=1), cap=timedelta(seconds=60), memory=timedelta(minutes=10))
"""A family opens and sends a form a few times; whoever guesses is soon held up."""
THROTTLE: web.AppKey[Throttle] = web.AppKey("FORM_THROTTLE", Throttle)
HEADERS = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Referrer-Policy": "same-origin",
}
MAX_CHOICES = 12
MAX_TEXT = 2000


def setup(app: web.Application) -> None:
    """Add the routes."""
    deps = app[DEPS]
    app[THROTTLE] = Throttle(deps.clock, deps.redis)
    app.router.add_get("/f/{token}", show)
    app.router.add_post("/f/{token}", send)


@public
async def show(request: web.Request) -> web.StreamResponse:
    """Show the questions; of a link that has ended nothing is said about what it led to."""
    await _draw(request)
    try:
        talk = await request.app[CALLBACKS].forms.open(_token(request))
    except HuifangError as error:
        return _gone(request, error)
    return _page(request, talk)


@public
async def send(request: web.Request) -> web.StreamResponse:
    """Take in the answers; what an answer brings up is asked next."""
    await _draw(request)
    form = await request.post()
    forms = request.app[CALLBACKS].forms
    try:
        talk = await forms.open(_token(request))
        given = {item.id: _given(item, form) for item in talk.items}
        shown = frozenset(str(value)[:8] for value in form.getall("shown", []))
        talk = await forms.send_in(_token(request), given, shown)
    except (NoSuchAnswer, Invalid):
        problem = gettext("有一题的回答没有填对，请检查后再提交。")
        return _page(request, await forms.open(_token(request)), problem=problem)
    except HuifangError as error:
        if await forms.was_sent_in(_token(request)):
            return _answer(render(request, "callbacks/form_done.html", {"talk": None}))
        return _gone(request, error)
    if talk.ended is None:
        return _page(request, talk, problem=gettext("还有几个问题想请您回答。"))
    return _answer(render(request, "callbacks/form_done.html", {"talk": talk}))


def _gone(request: web.Request, error: HuifangError) -> web.Response:
    """Say that there is nothing to answer, whatever the reason: it is nobody's business here."""
    if error.retryable or isinstance(error, TooMany):
        raise error
    return _answer(render(request, "callbacks/form_gone.html", {}, status=404))


def _page(request: web.Request, talk: Talk, *, problem: str = "") -> web.Response:
    customer = talk.customer
    salutation = Salutation(customer.salutation) if customer.salutation else None
    context = {
        "talk": talk,
        "title": talk.questionnaire.questionnaire.title,
        "greeting": greeting(customer.name, salutation),
        "token": _token(request),
        "questions": [(item, _asked(item, talk), item.options_for(Channel.SMS_FORM)) for item in talk.items],
        "multi": ItemKind.MULTI,
        "day": ItemKind.DATE,
        "problem": problem,
    }
    return _answer(render(request, "callbacks/form.html", context, status=400 if problem else 200))


def _asked(item: Item, talk: Talk) -> str:
    return fill(item.prompt(Channel.SMS_FORM), {"community": talk.customer.community})


def _given(item: Item, form: Mapping[str, object]) -> Answer:
    """Return what the form says to an item; of a second level the first one goes with it."""
    if not item.kind.has_options:
        text = str(form.get(f"t-{item.id}", ""))[:MAX_TEXT]
        return Answer(text=tidy_text(text, field="text", limit=MAX_TEXT, required=False))
    getall = getattr(form, "getall", None)
    values = getall(f"v-{item.id}", []) if getall is not None else []
    chosen = tuple(str(value)[:40] for value in values[:MAX_CHOICES])
    for option in item.options_for(Channel.SMS_FORM):
        if option.value not in chosen and any(under.value in chosen for under in option.under):
            chosen = (option.value, *chosen)
    return Answer(values=chosen, reason=" ".join(str(form.get(f"r-{item.id}", "")).split())[:500])


async def _draw(request: web.Request) -> None:
    await request.app[THROTTLE].draw((bucket_of_address("form", request.get(CLIENT_IP, ""), PACE),))


def _token(request: web.Request) -> str:
    return request.match_info["token"][:60]


def _answer(response: web.Response) -> web.Response:
    response.headers.update(HEADERS)
    return response
