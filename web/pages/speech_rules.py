"""What is listened for in conversations: read, tried on a sentence, changed, published; own words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from kernel.errors import Conflict, HuifangError, Invalid, NotFound, StaleVersion
from speech.phrases import MAX_OWN
from speech.ports import MAX_PHRASE_CHARS
from speech.rule_book import MAX_TEXT, MAX_WHY, RuleBook, RulesView, read_rules
from speech.rules.editing import Wording, reworded
from speech.rules.finder import MAX_TEXT as MAX_SENTENCE
from speech.rules.findings import Findings, RuleKind, Speaker
from speech.rules.model import MAX_LABEL, MAX_PHRASES, Rule, RuleSet, RulesInvalid
from web import labels
from web.api.v1.speech_rules import tried
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.speech_rules_part import SPEECH_RULES

KINDS: dict[str, str] = {
    RuleKind.TOPIC: N_("投诉什么"),
    RuleKind.ITEM: N_("坏了什么"),
    RuleKind.PLACE: N_("家里哪里"),
    RuleKind.URGENCY: N_("有多急"),
    RuleKind.SEVERITY: N_("有多严重"),
    RuleKind.THREAT: N_("媒体、监管、法院"),
    RuleKind.WISH: N_("客户要求什么"),
    RuleKind.PROMISE: N_("我们答应了什么"),
    RuleKind.APPOINTMENT: N_("约定的时间"),
    RuleKind.REFUSAL: N_("不愿意"),
    RuleKind.DO_NOT_CALL: N_("不要再打电话"),
}
SPEAKERS: dict[str, str] = {
    Speaker.CUSTOMER: N_("客户"),
    Speaker.AGENT: N_("坐席"),
    "both": N_("双方"),
}
WRONG: dict[str, str] = {
    "why": N_("请写明改了什么，最多 200 个字。"),
    "text": N_("还有错误，请看下面的说明。"),
    "If-Match": N_("别人刚刚修改了规则。请重新打开后再改。"),
    "no_rule_draft": N_("没有草稿。"),
    "phrase": N_("一个词 2 到 40 个字，不能重复，最多 300 个词。"),
}
SHOWN_WORDS = 6


@dataclass(slots=True, kw_only=True)
class Told:
    """What the page says besides the rules."""

    error: str = ""
    sentence: str = ""
    speaker: str = Speaker.CUSTOMER.value
    read: str = ""
    findings: Findings | None = None


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/speech-rules", show)
    app.router.add_post("/speech-rules", try_sentence)
    app.router.add_get("/speech-rules/text", show_text)
    app.router.add_post("/speech-rules/text", save_text)
    app.router.add_post("/speech-rules/publish", publish)
    app.router.add_post("/speech-rules/discard", discard)
    app.router.add_post("/speech-rules/phrases", add_phrase)
    app.router.add_post("/speech-rules/phrases/{phrase_id}/remove", remove_phrase)
    app.router.add_get("/speech-rules/rule/{rule_id}", show_rule)
    app.router.add_post("/speech-rules/rule/{rule_id}", save_rule)


def book_of(request: web.Request) -> RuleBook:
    """Return the book of rules."""
    return request.app[SPEECH_RULES].book


@requires(Permission.SPEECH_RULES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the rules, the draft if there is one that can be read, and the company's words."""
    return await _shown(request, Told())


@requires(Permission.SPEECH_RULES_VIEW)
async def try_sentence(request: web.Request) -> web.StreamResponse:
    """Say what is found in a sentence. Posted, so that no address holds it."""
    form = await request.post()
    text = _text(form, "sentence")[:MAX_SENTENCE].strip()
    speaker = Speaker.AGENT if form.get("speaker") == Speaker.AGENT else Speaker.CUSTOMER
    told = Told(sentence=text, speaker=speaker.value)
    if text:
        view = await book_of(request).get(current_actor(request))
        draft = view.draft is not None and not view.problems
        told.read, told.findings = await tried(
            request, current_actor(request), text, speaker=speaker, draft=draft
        )
    return await _shown(request, told)


async def _shown(request: web.Request, told: Told, *, status: int = 200) -> web.Response:
    actor, services = current_actor(request), request.app[SPEECH_RULES]
    view = await services.book.get(actor)
    rules, changed = await _rules(view)
    groups = [
        (gettext(label), [rule for rule in rules.rules if rule.kind == kind]) for kind, label in KINDS.items()
    ]
    context = {
        "view": view,
        "groups": [(label, found) for label, found in groups if found],
        "changed": changed,
        "shown_words": SHOWN_WORDS,
        "kinds": {code: gettext(label) for code, label in KINDS.items()},
        "speakers": {code: gettext(label) for code, label in SPEAKERS.items()},
        "versions": await services.book.versions(actor),
        "phrases": await services.phrases.of_hand(actor),
        "from_records": len(await services.phrases.for_language("zh")),
        "edits": current_user(request).can(Permission.SPEECH_RULES_EDIT),
        "told": told,
        "parts": _parts(told),
        "longest": {"why": MAX_WHY, "sentence": MAX_SENTENCE, "phrase": MAX_PHRASE_CHARS, "own": MAX_OWN},
    }
    return render(request, "speech_rules/list.html", context, status=status)


async def _rules(view: RulesView) -> tuple[RuleSet, frozenset[str]]:
    """Return the rules that the page shows, and which of them the draft changes."""
    now = await read_rules(view.text)
    if view.draft is None or view.problems:
        return now, frozenset()
    draft = await read_rules(view.draft)
    before = {rule.id: rule for rule in now.rules}
    return draft, frozenset(rule.id for rule in draft.rules if before.get(rule.id) != rule)


def _parts(told: Told) -> list[tuple[str, bool]]:
    """Return the sentence in pieces: text, and whether something was found in it."""
    marks = [False] * len(told.read)
    for one in told.findings or ():
        marks[one.start : one.end] = [True] * (one.end - one.start)
    parts: list[tuple[str, bool]] = []
    for char, mark in zip(told.read, marks, strict=True):
        if parts and parts[-1][1] == mark:
            parts[-1] = (parts[-1][0] + char, mark)
        else:
            parts.append((char, mark))
    return parts


@requires(Permission.SPEECH_RULES_EDIT)
async def show_rule(request: web.Request) -> web.StreamResponse:
    """Show one rule in a form."""
    view, rule = await _rule(request)
    return _rule_form(request, view, rule, _wording_of(rule))


@requires(Permission.SPEECH_RULES_EDIT)
async def save_rule(request: web.Request) -> web.StreamResponse:
    """Keep one rule in other words in the draft."""
    form = await request.post()
    view, rule = await _rule(request)
    percent = _text(form, "confidence")
    wording = Wording(
        label=_text(form, "label").strip()[: MAX_LABEL + 1],
        phrases=_lines(form, "phrases"),
        sounds=_lines(form, "sounds"),
        unless=_lines(form, "unless"),
        confidence=int(percent) if percent.isascii() and percent.isdigit() and len(percent) < 4 else 0,
    )
    try:
        text = reworded(view.draft or view.text, rule, wording)
        await read_rules(text)
        await book_of(request).save_draft(current_actor(request), text, expected=_version(form))
    except (RulesInvalid, StaleVersion, Invalid) as error:
        return _rule_form(request, view, rule, wording, error=error)
    return see_other(f"/speech-rules#{rule.id}")


async def _rule(request: web.Request) -> tuple[RulesView, Rule]:
    view = await book_of(request).get(current_actor(request))
    rules, _ = await _rules(view)
    found = next((rule for rule in rules.rules if rule.id == request.match_info["rule_id"]), None)
    if found is None or view.problems:
        raise NotFound("no such rule, or the draft has mistakes: put its text right first", field="rule_id")
    return view, found


def _wording_of(rule: Rule) -> Wording:
    return Wording(
        label=rule.label,
        phrases=rule.phrases,
        sounds=rule.sounds,
        unless=rule.unless,
        confidence=round(rule.confidence * 100),
    )


def _rule_form(
    request: web.Request, view: RulesView, rule: Rule, wording: Wording, *, error: HuifangError | None = None
) -> web.Response:
    context = {
        "view": view,
        "rule": rule,
        "kind": labels.word(KINDS, rule.kind),
        "speaker": labels.word(SPEAKERS, rule.who.value if rule.who else "both"),
        "wording": wording,
        "error": _told(error) if error else "",
        "problems": str(error).splitlines() if isinstance(error, RulesInvalid) else (),
        "longest": {"label": MAX_LABEL, "phrases": MAX_PHRASES},
    }
    return render(request, "speech_rules/rule.html", context, status=_status(error))


@requires(Permission.SPEECH_RULES_EDIT)
async def show_text(request: web.Request) -> web.StreamResponse:
    """Show all rules as text."""
    view = await book_of(request).get(current_actor(request))
    return _text_form(request, view, view.draft or view.text)


@requires(Permission.SPEECH_RULES_EDIT)
async def save_text(request: web.Request) -> web.StreamResponse:
    """Keep the text as a draft, with the mistakes that it may have."""
    form = await request.post()
    text = _text(form, "text").replace("\r\n", "\n")
    try:
        view = await book_of(request).save_draft(current_actor(request), text, expected=_version(form))
    except (StaleVersion, Invalid) as error:
        view = await book_of(request).get(current_actor(request))
        return _text_form(request, view, text[:MAX_TEXT], error=error)
    return _text_form(request, view, text) if view.problems else see_other("/speech-rules")


def _text_form(
    request: web.Request, view: RulesView, text: str, *, error: HuifangError | None = None
) -> web.Response:
    context = {
        "view": view,
        "text": text,
        "problems": view.problems if view.draft is not None else (),
        "error": _told(error) if error else "",
        "longest": MAX_TEXT,
    }
    return render(request, "speech_rules/text.html", context, status=_status(error))


@requires(Permission.SPEECH_RULES_EDIT)
async def publish(request: web.Request) -> web.StreamResponse:
    """Listen from now on for what the draft says."""
    form = await request.post()
    try:
        await book_of(request).publish(
            current_actor(request), expected=_version(form), why=_text(form, "why")
        )
    except (Invalid, StaleVersion, Conflict) as error:
        return await _shown(request, Told(error=_told(error)), status=_status(error))
    return see_other("/speech-rules")


@requires(Permission.SPEECH_RULES_EDIT)
async def discard(request: web.Request) -> web.StreamResponse:
    """Throw the draft away."""
    form = await request.post()
    try:
        await book_of(request).discard_draft(current_actor(request), expected=_version(form))
    except (StaleVersion, Conflict) as error:
        return await _shown(request, Told(error=_told(error)), status=_status(error))
    return see_other("/speech-rules")


@requires(Permission.SPEECH_RULES_EDIT)
async def add_phrase(request: web.Request) -> web.StreamResponse:
    """Add a word of the company's own."""
    form = await request.post()
    try:
        await request.app[SPEECH_RULES].phrases.add(current_actor(request), _text(form, "phrase")[:200])
    except (Invalid, Conflict):
        told = Told(error=labels.word(WRONG, "phrase"))
        return await _shown(request, told, status=400)
    return see_other("/speech-rules#phrases")


@requires(Permission.SPEECH_RULES_EDIT)
async def remove_phrase(request: web.Request) -> web.StreamResponse:
    """Take a word out; one that is gone already is no mistake."""
    try:
        await request.app[SPEECH_RULES].phrases.remove(
            current_actor(request), request.match_info["phrase_id"]
        )
    except NotFound:
        return see_other("/speech-rules#phrases")
    return see_other("/speech-rules#phrases")


def _text(form: Mapping[str, Any], name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _lines(form: Mapping[str, Any], name: str) -> tuple[str, ...]:
    lines = (" ".join(line.split()) for line in _text(form, name)[:20_000].splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))


def _version(form: Mapping[str, Any]) -> int:
    raw = _text(form, "version")
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10):
        raise StaleVersion("reload the page", field="If-Match")
    return int(raw)


def _told(error: HuifangError) -> str:
    key = error.code if error.code in WRONG else (error.field or "")
    return labels.word(WRONG, key) if key in WRONG else gettext("请检查内容。")


def _status(error: HuifangError | None) -> int:
    if error is None:
        return 200
    return 409 if isinstance(error, StaleVersion | Conflict) else 400
