"""What the form of a case might hold, from what is being said in the call: beside it, taken by one key."""

from aiohttp import web

from crm.knowledge_views import ArticleView
from kernel.ids import is_ulid
from speech.rules.findings import Speaker
from speech.rules.suggest import Form, Suggestion
from web import labels
from web.crm_part import CRM
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages import case_words as words
from web.pages.shell import render
from web.permissions import Permission, requires
from web.speech_access import may_read
from web.speech_rules_part import SPEECH_RULES

FIELDS: dict[str, str] = {
    "content": N_("问题"),
    "demand": N_("客户要求"),
    "urgency": N_("紧急程度"),
    "severity": N_("严重程度"),
    "place": N_("位置"),
    "item": N_("坏的是哪一项"),
    "lines.0.kind": N_("问题类别"),
    "lines.1.kind": N_("第二条责任线"),
}
ARTICLES = 3
LONGEST = 2000


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/cases/new/suggestions", show)


@requires(Permission.CASES_REGISTER)
async def show(request: web.Request) -> web.StreamResponse:
    """Return proposals and articles that fit, as a part of a page; nothing for a call without text."""
    call_id = request.query.get("call", "")
    form = Form.REPAIR if request.query.get("form") == Form.REPAIR else Form.COMPLAINT
    suggester = request.app[SPEECH_RULES].suggester
    found: tuple[Suggestion, ...] = ()
    articles: tuple[ArticleView, ...] = ()
    if is_ulid(call_id) and await may_read(request, call_id):
        found = await suggester.suggestions(call_id, form)
        articles = await articles_for(request, call_id)
    context = {
        "call_id": call_id if is_ulid(call_id) else "",
        "form": form.value,
        "items": [(one, labels.word(FIELDS, one.field), _label(one)) for one in found],
        "articles": articles,
        "customer": gettext("客户"),
        "agent": gettext("坐席"),
    }
    return render(request, "cases/_suggestions.html", context)


async def articles_for(request: web.Request, call_id: str) -> tuple[ArticleView, ...]:
    """Return articles that fit what is being said in a call, for those who may read them."""
    if not current_user(request).can(Permission.KNOWLEDGE_VIEW):
        return ()
    suggester = request.app[SPEECH_RULES].suggester
    topics = await suggester.topics(call_id)
    said = [
        one.text for one in await suggester.said(call_id) if one.findings and one.speaker is Speaker.CUSTOMER
    ]
    if not said:
        return ()
    return await request.app[CRM].knowledge.suggest(
        current_actor(request),
        text="。".join(said)[-LONGEST:],
        class_code=int(topics[0].partition(".")[0]) if topics else None,
        limit=ARTICLES,
    )


def _label(one: Suggestion) -> str:
    """Return a value as the form names it."""
    if one.field == "urgency":
        return f"{labels.word(words.URGENCIES, one.value)} · {one.label}"
    if one.field == "severity":
        return f"{labels.word(words.SEVERITIES, one.value)} · {one.label}"
    return one.label
