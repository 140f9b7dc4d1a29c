"""Drafts of questionnaires: the wording in a form, all else in the text with its mistakes beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from callback_campaigns.domain.questionnaire import Questionnaire
from callback_campaigns.domain.questionnaire_problems import Problem, QuestionnaireInvalid
from callback_campaigns.domain.questionnaire_wording import PROMPTS, reworded
from callback_campaigns.domain.questionnaire_yaml import MAX_PROMPT, MAX_TEXT
from callback_campaigns.questionnaire_views import QuestionnaireView, examined, parsed
from kernel.errors import Conflict, HuifangError, Invalid, StaleVersion
from web.i18n import gettext
from web.identity import current_actor
from web.pages.questionnaires_parts import told, version_of
from web.pages.questionnaires_words import EXPLAINED, explained
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.questionnaire_part import QUESTIONNAIRES

EXAMPLE = """\
code: SX
title: 随访
channels: [agent]

items:
  SX1:
    type: SAT3
    decisive: true
    ask: 对我们的服务，您满意吗？
    answers:
      3: {reason: true, then: {do: ticket, to: SPC}}
  SX2:
    type: FT
    ask: 您还有什么意见或要求？
"""


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/questionnaires/new", show_new)
    app.router.add_post("/questionnaires/new", begin)
    app.router.add_get("/questionnaires/{questionnaire_code}/wording", show_wording)
    app.router.add_post("/questionnaires/{questionnaire_code}/wording", save_wording)
    app.router.add_get("/questionnaires/{questionnaire_code}/edit", show_text)
    app.router.add_post("/questionnaires/{questionnaire_code}/edit", save_text)


async def _view(request: web.Request) -> QuestionnaireView:
    book = request.app[QUESTIONNAIRES]
    return await book.get(current_actor(request), request.match_info["questionnaire_code"])


@requires(Permission.QUESTIONNAIRES_EDIT)
async def show_wording(request: web.Request) -> web.StreamResponse:
    """Show the words of every question in a form; a text with mistakes opens as text."""
    view = await _view(request)
    questionnaire = parsed(view.draft or view.text)
    if questionnaire is None:
        return see_other(f"/questionnaires/{view.code}/edit")
    return _wording(request, view, questionnaire)


@requires(Permission.QUESTIONNAIRES_EDIT)
async def save_wording(request: web.Request) -> web.StreamResponse:
    """Keep other words in the draft; everything else in it stays as it is."""
    view, form = await _view(request), await request.post()
    text = view.draft or view.text
    questionnaire = parsed(text)
    if questionnaire is None:
        return see_other(f"/questionnaires/{view.code}/edit")
    given = {
        (item.id, prompt): str(form.get(f"{item.id}.{prompt}", getattr(item, prompt)))
        for item in questionnaire.items
        for prompt in PROMPTS
    }
    now = {(item.id, prompt): getattr(item, prompt) for item in questionnaire.items for prompt in PROMPTS}
    changes = {place: said for place, said in given.items() if " ".join(said.split()) != now[place]}
    try:
        expected = version_of(form)
        if changes:
            changed = reworded(text, changes)
            if wrong := await examined(changed):
                raise QuestionnaireInvalid(wrong)
            book = request.app[QUESTIONNAIRES]
            await book.save_draft(current_actor(request), view.code, changed, expected=expected)
    except (Invalid, StaleVersion) as error:
        return _wording(request, view, questionnaire, words=given, error=error)
    return see_other(f"/questionnaires/{view.code}?of=draft" if changes else f"/questionnaires/{view.code}")


def _wording(
    request: web.Request,
    view: QuestionnaireView,
    questionnaire: Questionnaire,
    *,
    words: dict[tuple[str, str], str] | None = None,
    error: HuifangError | None = None,
) -> web.Response:
    rows = [
        (
            item,
            {name: words[item.id, name] if words else getattr(item, name) for name in PROMPTS},
        )
        for item in questionnaire.items
    ]
    context = {
        "view": view,
        "rows": rows,
        "longest": MAX_PROMPT,
        "error": told(error) if error else "",
        "explained": explained,
        "problems": error.problems if isinstance(error, QuestionnaireInvalid) else (),
    }
    return render(request, "questionnaires/wording.html", context, status=_status(error))


@requires(Permission.QUESTIONNAIRES_EDIT)
async def show_new(request: web.Request) -> web.StreamResponse:
    """Show the text of a questionnaire of one's own: a small one to begin with."""
    return _text(request, None, EXAMPLE, ())


@requires(Permission.QUESTIONNAIRES_EDIT)
async def begin(request: web.Request) -> web.StreamResponse:
    """Begin a questionnaire of one's own with its first draft."""
    text = _posted(await request.post())
    try:
        made = await request.app[QUESTIONNAIRES].begin(current_actor(request), text)
    except (Invalid, Conflict) as error:
        return _text(request, None, text[:MAX_TEXT], await examined(text), error=error)
    return see_other(f"/questionnaires/{made.code}?of=draft")


def _posted(form: Mapping[str, Any]) -> str:
    return str(form.get("text", "")).replace("\r\n", "\n")


@requires(Permission.QUESTIONNAIRES_EDIT)
async def show_text(request: web.Request) -> web.StreamResponse:
    """Show the text of the draft, or of what is asked now."""
    view = await _view(request)
    return _text(request, view, view.draft or view.text, view.problems)


@requires(Permission.QUESTIONNAIRES_EDIT)
async def save_text(request: web.Request) -> web.StreamResponse:
    """Keep the text as the draft, mistakes and all."""
    view, form = await _view(request), await request.post()
    text = _posted(form)
    try:
        book = request.app[QUESTIONNAIRES]
        expected = version_of(form)
        kept = await book.save_draft(current_actor(request), view.code, text, expected=expected)
    except (Invalid, StaleVersion) as error:
        return _text(request, view, text[:MAX_TEXT], await examined(text), error=error)
    if kept.problems:
        return see_other(f"/questionnaires/{view.code}/edit")
    return see_other(f"/questionnaires/{view.code}?of=draft")


def _text(
    request: web.Request,
    view: QuestionnaireView | None,
    text: str,
    problems: Sequence[Problem],
    *,
    error: HuifangError | None = None,
) -> web.Response:
    context = {
        "view": view,
        "heading": f"{gettext('修改全文')} · {view.title}" if view else gettext("新问卷"),
        "text": text,
        "problems": problems,
        "explained": explained,
        "explanations": {code: gettext(words) for code, words in EXPLAINED.items()},
        "longest": MAX_TEXT,
        "error": told(error) if error else "",
    }
    return render(request, "questionnaires/text.html", context, status=_status(error))


def _status(error: HuifangError | None) -> int:
    if error is None:
        return 200
    return 409 if isinstance(error, StaleVersion) else 400
