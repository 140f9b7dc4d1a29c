"""Beside the live text on the agent's page: what was found in it, and what one key does with it.

What is typed on the page stays: forms open beside it, and hold what was heard until somebody saves them.
"""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from crm.knowledge_views import ArticleView
from kernel.ids import is_ulid
from speech.rules import desk
from speech.rules.findings import RuleKind
from speech.rules.suggest import suggest
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_user
from web.pages.case_suggest import articles_for
from web.permissions import Permission, requires
from web.speech_access import may_read
from web.speech_rules_part import SPEECH_RULES

KINDS: dict[RuleKind, str] = {
    RuleKind.THREAT: N_("扬言"),
    RuleKind.DO_NOT_CALL: N_("勿扰"),
    RuleKind.SEVERITY: N_("严重程度"),
    RuleKind.URGENCY: N_("紧急程度"),
    RuleKind.REFUSAL: N_("拒绝"),
    RuleKind.TOPIC: N_("问题"),
    RuleKind.ITEM: N_("坏的是哪一项"),
    RuleKind.PLACE: N_("位置"),
    RuleKind.WISH: N_("客户要求"),
    RuleKind.APPOINTMENT: N_("时间"),
    RuleKind.PROMISE: N_("答应客户"),
}


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/agent/heard", show)


@requires(Permission.DESK_USE)
async def show(request: web.Request) -> web.Response:
    """Return what was found in a call: nothing for a call without text, or of somebody else's."""
    call_id = request.query.get("call", "")
    if not is_ulid(call_id) or not await may_read(request, call_id):
        return web.json_response({"call_id": call_id, "lights": [], "marks": {}, "acts": [], "articles": []})
    said = await request.app[SPEECH_RULES].suggester.said(call_id)
    shown, zone = desk.marks(said), request.app[DEPS].settings.timezone
    answer = {
        "call_id": call_id,
        "lights": [_light(one, zone) for one in desk.lights(said)],
        "marks": {
            one.segment: [
                {"kind": mark.kind.value, "text": one.text[mark.start : mark.end]}
                for mark in shown[one.segment]
            ]
            for one in said
            if one.segment in shown
        },
        "acts": _acts(request, said),
        "articles": [_article(one) for one in await articles_for(request, call_id)],
    }
    return web.json_response(answer, headers={"Cache-Control": "no-store"})


def _light(one: desk.Light, zone: ZoneInfo) -> dict[str, Any]:
    when = "" if one.when is None else _time(one.when.since, one.when.until, zone)
    return {
        "kind": one.kind.value,
        "name": gettext(KINDS[one.kind]),
        "label": f"{one.label} {when}".strip(),
        "grave": one.grave,
        "quote": one.because.quote,
    }


def _acts(request: web.Request, said: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Return what may be done, for those who may do it, in the order of the keys."""
    user, acts = current_user(request), list[dict[str, Any]]()
    zone = request.app[DEPS].settings.timezone
    if user.can(Permission.CUSTOMERS_EDIT) and (refused := desk.no_more_calls(said)) is not None:
        acts.append({"do": "refusal", "quote": refused.quote})
    if user.can(Permission.CASES_REGISTER):
        for form in desk.forms(said):
            offers = suggest(said, form)
            acts.append({"do": form.value, "count": len(offers), "quote": _named(offers)})
        visit = desk.agreed_visit(said, after=request.app[DEPS].clock.now())
        if visit is not None:
            when = _time(visit.since, visit.until, zone)
            acts.append({"do": "visit", "when": when, "quote": visit.because.quote})
    return acts


def _time(since: datetime, until: datetime, zone: ZoneInfo) -> str:
    since, until = since.astimezone(zone), until.astimezone(zone)
    return f"{since:%m-%d %H:%M}" + (f"–{until:%H:%M}" if until > since else "")


def _named(offers: tuple[Any, ...]) -> str:
    """Return in a few words what a form would hold: all but the long sentences."""
    labels = [one.label for one in offers if one.field not in {"content"}]
    return " · ".join(dict.fromkeys(labels))[:80]


def _article(one: ArticleView) -> dict[str, str]:
    return {"href": f"/knowledge/{one.article_id}", "question": one.question, "answer": one.answer[:160]}
