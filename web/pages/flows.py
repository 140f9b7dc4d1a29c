"""Flows of the spoken menus: the picture with where calls went, the text, hearing, publishing."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from ivr.domain.flow import Flow, Node, Prompt
from ivr.domain.parse import NAME
from ivr.domain.problems import FlowInvalid, Problem
from ivr.flow_book import MAX_TEXT, MAX_WHY, FlowBook, FlowText, Making
from ivr.ports import SynthesisFailed
from ivr.traffic import Way
from kernel.errors import Conflict, HuifangError, Invalid, NotFound, StaleVersion, Unavailable
from web import labels
from web.deps import DEPS
from web.flow_graph import HEIGHT, KINDS, WIDTH, picture, said_of, shown_text, ways_of
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.flow_problems import told
from web.pages.shell import ROSTER, render, see_other
from web.permissions import Permission, requires

LIST = "/flows"
WRONG: dict[str, str] = {
    "why": N_("请写明改了什么，最多 200 个字。"),
    "text": N_("还有错误，请看右边的说明。"),
    "yaml": N_("还有错误，请看右边的说明。"),
    "name": N_("这个流程正在发布，请稍候。"),
    "If-Match": N_("别人刚刚发布了新的版本。您写的内容还在，请核对后再发布。"),
    "voice": N_("有的提示音生成不了，没有发布，来电听到的还是原来的版本。"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A prompt of a step.

    Attributes:
        recordable: a recording can stand for it.
        recorded: one does.
    """

    name: str
    text: str
    recordable: bool
    recorded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A node in words.

    Attributes:
        prompts: what it says.
        ways: what leads where, and how many calls went there this week.
    """

    node: Node
    word: str
    said: str
    calls: int
    prompts: tuple[Said, ...]
    ways: tuple[tuple[str, str, int], ...]


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(LIST, show_all)
    app.router.add_get(f"{LIST}/{{flow_code}}", show)
    app.router.add_get(f"{LIST}/{{flow_code}}/edit", edit)
    app.router.add_post(f"{LIST}/{{flow_code}}/edit", publish)
    app.router.add_post(f"{LIST}/{{flow_code}}/check", check)
    app.router.add_post(f"{LIST}/{{flow_code}}/hear", hear)
    app.router.add_post(f"{LIST}/{{flow_code}}/record", record)
    app.router.add_post(f"{LIST}/{{flow_code}}/back", roll_back)
    app.router.add_get(f"{LIST}/{{flow_code}}/making", making)


@requires(Permission.ROUTING_VIEW)
async def show_all(request: web.Request) -> web.StreamResponse:
    """Show all flows."""
    context = {
        "flows": await _book(request).flows(current_actor(request)),
        "hotline": request.app[DEPS].settings.hotline,
        "edits": current_user(request).can(Permission.ROUTING_EDIT),
        "told": told,
    }
    return render(request, "flows/list.html", context)


@requires(Permission.ROUTING_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a flow: its picture, its steps, its versions."""
    return await _shown(request, None)


@requires(Permission.ROUTING_EDIT)
async def edit(request: web.Request) -> web.StreamResponse:
    """Show the text to change; a new flow begins with another one's."""
    name, book, actor = _name(request), _book(request), current_actor(request)
    source = request.query.get("copy", "")
    if not source:
        return await _editor(request, await book.text(actor, name, _asked_version(request)))
    found = await book.text(actor, source)
    try:
        await book.text(actor, name)
    except NotFound:
        text = found.text.replace(f"flow: {source}\n", f"flow: {name}\n", 1)
        return await _editor(request, FlowText(name=name, text=text, version=None, last=0))
    raise Invalid("there is such a flow already; choose another name", field="name")


@requires(Permission.ROUTING_EDIT)
async def publish(request: web.Request) -> web.StreamResponse:
    """Publish what was written; what is wrong is shown beside it."""
    name, form = _name(request), await request.post()
    text, why, expected = _field(form, "text"), _field(form, "why"), _field(form, "expected")
    try:
        made = await _book(request).publish(
            current_actor(request), name, text[: MAX_TEXT + 1], why=why, expected=_number(expected)
        )
    except (Invalid, Conflict, SynthesisFailed) as error:
        last = await _last(request, name)
        typed = FlowText(name=name, text=text[:MAX_TEXT], version=None, last=last)
        return await _editor(request, typed, why=why[:MAX_WHY], error=error)
    return _published(name, made)


@requires(Permission.ROUTING_VIEW)
async def check(request: web.Request) -> web.StreamResponse:
    """Return what is wrong with a text, or its picture, as a part of the page."""
    form = await request.post()
    name = _name(request)
    return await _drawn(request, name, _field(form, "text")[: MAX_TEXT + 1])


@requires(Permission.ROUTING_VIEW)
async def hear(request: web.Request) -> web.StreamResponse:
    """Speak a prompt of a text, or of the version that is shown."""
    name, form, book, actor = _name(request), await request.post(), _book(request), current_actor(request)
    text = _field(form, "text")[: MAX_TEXT + 1]
    if not text:
        text = (await book.text(actor, name, _number(_field(form, "version")) or None)).text
    sound = await book.hear(actor, name, text, _field(form, "prompt"))
    return web.Response(
        body=sound, headers={"Content-Type": "audio/wav", "Cache-Control": "private, no-store"}
    )


@requires(Permission.ROUTING_EDIT)
async def record(request: web.Request) -> web.StreamResponse:
    """Keep a recording of a prompt, or go back to the synthesiser's voice; the answer is the text then."""
    name, form = _name(request), await request.post()
    sound = form.get("sound")
    raw = await asyncio.to_thread(sound.file.read) if isinstance(sound, web.FileField) else None
    text = await _book(request).record(
        current_actor(request), name, _field(form, "text")[: MAX_TEXT + 1], _field(form, "prompt"), raw
    )
    return web.json_response({"text": text}, headers={"Cache-Control": "no-store"})


@requires(Permission.ROUTING_EDIT)
async def roll_back(request: web.Request) -> web.StreamResponse:
    """Publish an older version once more."""
    name, form = _name(request), await request.post()
    version, expected = _number(_field(form, "version")), _number(_field(form, "expected"))
    try:
        made = await _book(request).roll_back(current_actor(request), name, version, expected=expected)
    except (Invalid, Conflict, SynthesisFailed) as error:
        return await _shown(request, error)
    return _published(name, made)


@requires(Permission.ROUTING_VIEW)
async def making(request: web.Request) -> web.StreamResponse:
    """Return how far the version is that is being spoken."""
    one = _book(request).making(current_actor(request), _name(request)) or Making(ended=True)
    return web.json_response(
        {"done": one.done, "total": one.total, "error": one.error, "ended": one.ended},
        headers={"Cache-Control": "no-store"},
    )


def _published(name: str, made: Making) -> web.Response:
    return see_other(f"{LIST}/{name}?done=published" if made.ended else f"{LIST}/{name}")


async def _shown(request: web.Request, error: HuifangError | None) -> web.Response:
    name, book, actor = _name(request), _book(request), current_actor(request)
    found = await book.text(actor, name, _asked_version(request))
    context = {
        "found": found,
        **await _parts(request, name, found.text),
        "versions": await book.versions(actor, name),
        "making": book.making(actor, name),
        "done": error is None and request.query.get("done") == "published",
        "edits": current_user(request).can(Permission.ROUTING_EDIT),
        "error": _told(error) if error else "",
        "refused": str(error).splitlines() if isinstance(error, FlowInvalid | SynthesisFailed) else (),
    }
    return render(request, "flows/flow.html", context, status=_status(error))


async def _editor(
    request: web.Request, found: FlowText, *, why: str = "", error: HuifangError | None = None
) -> web.Response:
    context = {
        "found": found,
        **await _parts(request, found.name, found.text),
        "why": why,
        "error": _told(error) if error else "",
        "refused": error.message if isinstance(error, SynthesisFailed) else "",
        "longest": {"text": MAX_TEXT, "why": MAX_WHY},
    }
    return render(request, "flows/edit.html", context, status=_status(error))


async def _drawn(request: web.Request, name: str, text: str) -> web.Response:
    return render(request, "flows/_drawn.html", await _parts(request, name, text))


async def _parts(request: web.Request, name: str, text: str) -> dict[str, Any]:
    """The picture and the steps of a text, or its mistakes."""
    book, actor = _book(request), current_actor(request)
    problems: tuple[Problem, ...] = ()
    flow = None
    try:
        flow = await book.check(actor, name, text)
    except FlowInvalid as error:
        problems = error.problems
    except Invalid as error:
        problems = (Problem(0, None, error.message),)
    traffic = await book.traffic(actor, name)
    queues = labels.queue_names(await request.app[ROSTER].queues())
    return {
        "flow": flow,
        "sizes": {"width": WIDTH, "height": HEIGHT},
        "problems": [replace(one, message=told(one.message)) for one in problems],
        "drawing": picture(flow, traffic, queues) if flow else None,
        "steps": _steps(flow, traffic, queues) if flow else (),
    }


def _steps(flow: Flow, traffic: Mapping[Way, int], queues: Mapping[str, str]) -> list[Step]:
    came: dict[str, int] = {}
    for (_, to), calls in traffic.items():
        came[to] = came.get(to, 0) + calls
    steps = []
    for node in flow.nodes.values():
        ways: dict[str, list[str]] = {}
        for to, words in ways_of(node):
            ways.setdefault(to, []).append(words)
        steps.append(
            Step(
                node=node,
                word=gettext(KINDS[type(node)][1]),
                said="" if node.say else said_of(flow, node, queues),
                calls=came.get(node.id, 0),
                prompts=tuple(
                    _said(flow.prompts[one])
                    for one in dict.fromkeys(node.prompts())
                    if one in node.say or not one.startswith("stock_")
                ),
                ways=tuple(
                    (gettext("、").join(filter(None, words)), to, traffic.get((node.id, to), 0))
                    for to, words in ways.items()
                ),
            )
        )
    return steps


def _said(prompt: Prompt) -> Said:
    return Said(
        name=prompt.name,
        text=shown_text(prompt),
        recordable=bool(prompt.line) and prompt.recordable,
        recorded=bool(prompt.recording),
    )


def _book(request: web.Request) -> FlowBook:
    book = request.app[DEPS].flows
    if book is None:
        raise Unavailable("the menus are kept elsewhere")
    return book


def _name(request: web.Request) -> str:
    name = request.match_info["flow_code"]
    if not NAME.fullmatch(name):
        raise NotFound("no such flow", field="name")
    return name


def _asked_version(request: web.Request) -> int | None:
    version = request.query.get("version", "")
    return _number(version) or None


async def _last(request: web.Request, name: str) -> int:
    versions = await _book(request).versions(current_actor(request), name)
    return versions[0].version if versions else 0


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _field(form: Mapping[str, Any], name: str) -> str:
    value = form.get(name, "")
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


def _told(error: HuifangError) -> str:
    if isinstance(error, SynthesisFailed):
        return labels.word(WRONG, "voice")
    return labels.word(WRONG, error.field or "text")


def _status(error: HuifangError | None) -> int:
    if error is None:
        return 200
    if isinstance(error, StaleVersion | Conflict):
        return 409
    return 503 if isinstance(error, SynthesisFailed) else 400
