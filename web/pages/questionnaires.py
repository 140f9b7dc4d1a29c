"""Questionnaires: read, heard before any customer hears them, published, and what they were before."""

from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from callback_campaigns.domain.questionnaire import Questionnaire
from callback_campaigns.domain.questionnaire_conditions import FactValue
from callback_campaigns.domain.questionnaire_plan import ChannelRefused
from callback_campaigns.domain.questionnaire_problems import QuestionnaireInvalid
from callback_campaigns.domain.terms import Channel
from callback_campaigns.questionnaire_book import MAX_WHY, NoDraft, QuestionnaireBook
from callback_campaigns.questionnaire_preview import Spoken, preview
from callback_campaigns.questionnaire_views import QuestionnaireView, parsed
from crm.domain.customer import Level
from kernel.errors import HuifangError, Invalid, NotFound, StaleVersion, Unavailable
from web import labels
from web.deps import DEPS
from web.i18n import gettext
from web.identity import current_actor, current_user
from web.pages import questionnaires_edit
from web.pages import questionnaires_words as words
from web.pages.questionnaires_parts import told, version_of
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.questionnaire_part import QUESTIONNAIRES

DRAFT = "draft"


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/questionnaires", show_all)
    questionnaires_edit.setup(app)  # before single ones: «new» is no code
    app.router.add_get("/questionnaires/{questionnaire_code}", show)
    app.router.add_get("/questionnaires/{questionnaire_code}/speech", speech)
    app.router.add_post("/questionnaires/{questionnaire_code}/publish", publish)
    app.router.add_post("/questionnaires/{questionnaire_code}/discard", discard)


def book_of(request: web.Request) -> QuestionnaireBook:
    """Return the book of questionnaires."""
    return request.app[QUESTIONNAIRES]


@requires(Permission.QUESTIONNAIRES_VIEW)
async def show_all(request: web.Request) -> web.StreamResponse:
    """Show all questionnaires."""
    found = await book_of(request).all(current_actor(request))
    rows = [(view, view.questionnaire) for view in found]
    return render(
        request,
        "questionnaires/list.html",
        {"rows": rows, "edits": current_user(request).can(Permission.QUESTIONNAIRES_EDIT)},
    )


@requires(Permission.QUESTIONNAIRES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a questionnaire: what is asked, what follows from the answers, what a customer will hear."""
    return await _shown(request)


@requires(Permission.QUESTIONNAIRES_PUBLISH)
async def publish(request: web.Request) -> web.StreamResponse:
    """Ask from now on what the draft says."""
    form = await request.post()
    code = request.match_info["questionnaire_code"]
    try:
        await book_of(request).publish(
            current_actor(request), code, expected=version_of(form), why=str(form.get("why", ""))
        )
    except (Invalid, StaleVersion, NoDraft) as error:
        return await _shown(request, error=error)
    return see_other(f"/questionnaires/{code}")


@requires(Permission.QUESTIONNAIRES_EDIT)
async def discard(request: web.Request) -> web.StreamResponse:
    """Throw a draft away."""
    form = await request.post()
    code = request.match_info["questionnaire_code"]
    try:
        await book_of(request).discard_draft(current_actor(request), code, expected=version_of(form))
    except (StaleVersion, NoDraft) as error:
        return await _shown(request, error=error)
    return see_other(f"/questionnaires/{code}")


@requires(Permission.QUESTIONNAIRES_VIEW)
async def speech(request: web.Request) -> web.StreamResponse:
    """Speak one prompt of a questionnaire, as a caller will hear it."""
    view = await book_of(request).get(current_actor(request), request.match_info["questionnaire_code"])
    questionnaire, _ = await _chosen(request, view)
    speak = request.app[DEPS].speak
    prompts = _heard(request, questionnaire) if questionnaire else ()
    name = request.query.get("prompt", "")
    found = next((prompt for prompt in prompts if (prompt.item_id or prompt.part) == name), None)
    if found is None:
        raise NotFound("no such prompt", field="prompt")
    if speak is None:
        raise Unavailable("there is no voice")
    sound = await speak(found.text)
    return web.FileResponse(
        sound, headers={"Content-Type": "audio/wav", "Cache-Control": "private, no-cache"}
    )


async def _shown(request: web.Request, *, error: HuifangError | None = None) -> web.Response:
    actor, book = current_actor(request), book_of(request)
    view = await book.get(actor, request.match_info["questionnaire_code"])
    questionnaire, of = await _chosen(request, view)
    user = current_user(request)
    circumstances = _circumstances(request, questionnaire)
    prompts: tuple[Spoken, ...] = ()
    refused = ""
    try:
        prompts = _heard(request, questionnaire) if questionnaire else ()
    except ChannelRefused as refusal:
        refused = told(refusal)
    problems = error.problems if isinstance(error, QuestionnaireInvalid) else view.problems
    context = {
        "view": view,
        "questionnaire": questionnaire,
        "of": of,
        "versions": await book.versions(actor, view.code),
        "prompts": prompts,
        "refused": refused,
        "circumstances": circumstances,
        "asked": urlencode(circumstances),
        "seconds": sum(prompt.seconds for prompt in prompts),
        "speaks": request.app[DEPS].speak is not None and circumstances["channel"] == Channel.IVR.value,
        "channels": _named(words.CHANNELS, (Channel.IVR, Channel.AGENT, Channel.SMS_FORM)),
        "levels": _named(words.LEVELS, Level),
        "points": _named(words.PLAN_POINTS, words.PLAN_POINTS) if view.code == "JG" else [],
        "parts": {code: gettext(label) for code, label in words.PARTS.items()},
        "kind_of": words.kind_of,
        "rules_of": words.rules_of,
        "department": lambda code: labels.word(words.DEPARTMENTS, code),
        "edits": user.can(Permission.QUESTIONNAIRES_EDIT),
        "publishes": user.can(Permission.QUESTIONNAIRES_PUBLISH),
        "problems": problems,
        "explained": words.explained,
        "longest_why": MAX_WHY,
        "error": told(error) if error else "",
    }
    stale = isinstance(error, StaleVersion)
    status = 200 if error is None else (409 if stale else 400)
    return render(request, "questionnaires/questionnaire.html", context, status=status)


def _named(table: dict[Any, str], codes: Any) -> list[tuple[str, str]]:
    return [(str(getattr(code, "value", code)), labels.word(table, code)) for code in codes]


async def _chosen(request: web.Request, view: QuestionnaireView) -> tuple[Questionnaire | None, str]:
    """Return what the page shows: the version in force, the draft, or an older version by its number."""
    of = request.query.get("of", "")
    if (of == DRAFT or not view.published) and view.draft is not None:
        return parsed(view.draft), DRAFT
    if of.isascii() and of.isdigit() and len(of) < 6 and int(of) != view.published:
        return (await book_of(request).published(view.code, int(of))).questionnaire, of
    return view.questionnaire, ""


def _circumstances(request: web.Request, questionnaire: Questionnaire | None) -> dict[str, str]:
    """Return for whom the preview is, from the address."""
    query = request.query
    level = query.get("level", "") if query.get("level") in set(Level) else Level.B.value
    over_ivr = questionnaire is None or Channel.IVR in questionnaire.channels
    usual = Channel.IVR if over_ivr and level != Level.A.value else Channel.AGENT
    channel = query.get("channel", "")
    found = {
        "level": level,
        "channel": channel if channel in {Channel.IVR, Channel.AGENT, Channel.SMS_FORM} else usual.value,
    }
    if query.get("earlier"):
        found["earlier"] = "yes"
    if query.get("point") in words.PLAN_POINTS:
        found["point"] = query["point"]
    if (of := query.get("of", "")) and len(of) < 6:
        found["of"] = of
    return found


def _heard(request: web.Request, questionnaire: Questionnaire) -> tuple[Spoken, ...]:
    given = _circumstances(request, questionnaire)
    facts: dict[str, FactValue] = {"plan_point": given.get("point", "m1")}
    if given.get("earlier"):
        facts |= {"earlier_ticket": True, "earlier_repair": True}
    site = request.app[DEPS].settings
    return preview(
        questionnaire,
        level=Level(given["level"]),
        channel=Channel(given["channel"]),
        facts=facts,
        company=site.company,
        hotline=site.hotline,
    )
