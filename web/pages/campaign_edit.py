"""A campaign as a form: each field with what it means, and when calls could be made next."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from aiohttp import web

from callback_campaigns.campaigns import CampaignView
from callback_campaigns.domain.campaign import Campaign
from crm.domain.customer import Level
from kernel.errors import HuifangError, Invalid
from web import labels
from web.callback_part import CALLBACKS
from web.deps import DEPS
from web.i18n import gettext
from web.identity import current_actor
from web.pages import campaign_words as words
from web.pages.people_forms import EXPECTED, version_of
from web.pages.shell import ROSTER, render, see_other
from web.permissions import Permission, requires

MANY = ("kinds", "levels", "store_ids")
WHOLE = ("lines", "per_second", "agents_least", "priority")
DAYS = ("starts_on", "ends_on")
TEXTS = ("name", "mode", "tasks_from", "queue", "trunk", "carrier", "caller_id")


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/campaigns/new", show_new)
    app.router.add_post("/campaigns/new", create)
    app.router.add_get("/campaigns/{campaign_id}/edit", show_edit)
    app.router.add_post("/campaigns/{campaign_id}/edit", save)


@requires(Permission.CAMPAIGNS_RUN)
async def show_new(request: web.Request) -> web.StreamResponse:
    """Show an empty form, or one filled as another campaign is."""
    source = request.query.get("copy", "")
    book = request.app[CALLBACKS].campaigns
    form = await _fresh(request)
    if source:
        copied = typed_of((await book.get(current_actor(request), source)).campaign)
        form |= {name: value for name, value in copied.items() if name not in DAYS}
    return await _form(request, form, None)


@requires(Permission.CAMPAIGNS_RUN)
async def create(request: web.Request) -> web.StreamResponse:
    """Write a draft."""
    typed = await _typed(request)
    try:
        view = await request.app[CALLBACKS].campaigns.create(current_actor(request), _given(typed))
    except EXPECTED as error:
        return await _form(request, typed, None, error)
    return see_other(f"/campaigns/{view.campaign.campaign_id}")


@requires(Permission.CAMPAIGNS_RUN)
async def show_edit(request: web.Request) -> web.StreamResponse:
    """Show a campaign's form."""
    book, key = request.app[CALLBACKS].campaigns, request.match_info["campaign_id"]
    view = await book.get(current_actor(request), key)
    return await _form(request, typed_of(view.campaign), view)


@requires(Permission.CAMPAIGNS_RUN)
async def save(request: web.Request) -> web.StreamResponse:
    """Change a campaign."""
    typed, key = await _typed(request), request.match_info["campaign_id"]
    book, actor = request.app[CALLBACKS].campaigns, current_actor(request)
    try:
        await book.change(actor, key, _given(typed), expected=version_of(typed))
    except EXPECTED as error:
        return await _form(request, typed, await book.get(actor, key), error)
    return see_other(f"/campaigns/{key}")


def typed_of(campaign: Campaign) -> dict[str, Any]:
    """Return a campaign as the form holds it."""
    typed: dict[str, Any] = {name: str(getattr(campaign, name) or "") for name in (*TEXTS, *WHOLE, *DAYS)}
    typed |= {name: sorted(getattr(campaign, name)) for name in MANY}
    typed["abandon_cap"] = f"{100 * campaign.abandon_cap:g}"
    typed["ratio"] = f"{campaign.ratio:g}"
    typed["amd"] = "1" if campaign.amd else ""
    typed["live_text"] = "1" if campaign.live_text else ""
    typed["record"] = "1" if campaign.record else ""
    typed["version"] = str(campaign.version)
    return typed


async def _fresh(request: web.Request) -> dict[str, Any]:
    deps, lines = request.app[DEPS], request.app[CALLBACKS].campaigns.lines
    today = deps.clock.now().astimezone(deps.settings.timezone).date()
    trunk = next(iter(lines.trunks.values()), None)
    return {
        "mode": "ivr",
        "tasks_from": "all",
        "trunk": trunk.name if trunk else "",
        "carrier": "own",
        "caller_id": trunk.caller_ids[0] if trunk and trunk.caller_ids else "",
        "lines": str(min(10, trunk.lines)) if trunk else "1",
        "per_second": "1",
        "agents_least": "1",
        "abandon_cap": "3",
        "ratio": "1",
        "record": "1",
        "priority": "50",
        "starts_on": today.isoformat(),
        "ends_on": (today + timedelta(days=6)).isoformat(),
        **{name: [] for name in MANY},
    }


async def _typed(request: web.Request) -> dict[str, Any]:
    posted = await request.post()
    typed: dict[str, Any] = {name: value for name, value in posted.items() if isinstance(value, str)}
    for name in MANY:
        typed[name] = [value for value in posted.getall(name, []) if isinstance(value, str)][:200]
    return typed


async def queue_names(request: web.Request) -> dict[str, str]:
    """Return the active queues in the reader's language."""
    return labels.queue_names(await request.app[ROSTER].queues())


def _given(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields as the book takes them. Raises Invalid, which names the field."""
    given: dict[str, Any] = {name: typed.get(name, "") for name in TEXTS}
    given |= {name: typed[name] for name in MANY}
    for name in WHOLE:
        raw = str(typed.get(name, "")).strip()
        if not (raw.isascii() and raw.isdigit() and len(raw) < 7):
            raise Invalid("a whole number", field=name)
        given[name] = int(raw)
    for name in DAYS:
        try:
            given[name] = date.fromisoformat(str(typed.get(name, "")))
        except ValueError as error:
            raise Invalid("a day", field=name) from error
    for name, scale in (("abandon_cap", 100), ("ratio", 1)):
        try:
            given[name] = round(float(str(typed.get(name, "")).strip()) / scale, 6)
        except ValueError as error:
            raise Invalid("a number", field=name) from error
    given["amd"] = typed.get("amd") == "1"
    given["live_text"] = typed.get("live_text") == "1"
    given["record"] = typed.get("record") == "1"
    return given


async def _form(
    request: web.Request,
    typed: Mapping[str, Any],
    view: CampaignView | None,
    error: HuifangError | None = None,
) -> web.Response:
    part = request.app[CALLBACKS]
    trunks = part.campaigns.lines.trunks
    opens, closes = await part.campaign_figures.window(current_actor(request))
    fields = {name: (gettext(label), gettext(means)) for name, (label, means) in words.FIELDS.items()}
    context = {
        "view": view,
        "form": typed,
        "fields": fields,
        "field": error.field if error else "",
        "problem": words.advice(error.field, error.code, error.message) if error else "",
        "opens": opens,
        "closes": closes,
        "modes": labels.words(words.MODES),
        "mode_means": labels.words(words.MODE_MEANS),
        "sources": labels.words(words.SOURCES),
        "choices": {
            "kinds": labels.words(words.KINDS),
            "levels": {level.value: labels.word(words.LEVELS, level.value) for level in Level},
            "store_ids": await part.campaigns.stores(),
        },
        "queues": await queue_names(request),
        "trunks": {
            name: gettext("%(name)s（%(lines)s 路）") % {"name": name, "lines": trunk.lines}
            for name, trunk in trunks.items()
        },
        "carriers": {
            name: labels.word(words.CARRIERS, name) for name in sorted(part.campaigns.lines.carriers)
        },
        "caller_ids": {number: number for trunk in trunks.values() for number in trunk.caller_ids},
        "running": view is not None and view.campaign.state.value == "running",
    }
    return render(request, "campaigns/form.html", context, status=400 if error else 200)
