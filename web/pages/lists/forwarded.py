"""Orders that other hotlines forwarded: who is responsible, what is owed, what they were told (§1.13)."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from crm.domain.forwarded import ReplyWay
from crm.forwarded import MAX_REPLY, MAX_TOLD, ForwardedView, NewReply
from kernel.errors import Invalid
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages import case_words as words
from web.pages.case_forms import Field
from web.pages.case_parts import Due, due_of
from web.pages.list_tabs import tabs_of
from web.pages.lists.forms import RowAttempt, back_to, row_step, take_row
from web.pages.office.parts import ShownStep, Step
from web.pages.shell import render
from web.pages.ticket_words import WAYS
from web.permissions import Permission, requires

HERE = "/lists/forwarded"
PAGE = 50
WHICH = {"owed": N_("等待回复"), "told": N_("已回复"), "all": N_("全部")}
_OWED: dict[str, bool | None] = {"owed": True, "told": False, "all": None}


async def _reply(taken: dict[str, Any]) -> object:
    values = taken["values"]
    told = NewReply(way=ReplyWay(values["way"]), text=values["text"], told=values["told"])
    return await taken["forwarded"].reply(taken["actor"], taken["key"], taken["version"], told)


REPLY = Step(
    name="reply",
    title=N_("回复热线"),
    button=N_("保存回复"),
    done=N_("已记录给热线的回复。"),
    run=_reply,
    fields=(
        Field(name="way", label=N_("回复方式"), kind="choice", options=WAYS),
        Field(name="told", label=N_("热线接收人（可不填）"), limit=MAX_TOLD, required=False),
        Field(name="text", label=N_("回复内容"), kind="area", limit=MAX_REPLY),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A forwarded order in words."""

    item: ForwardedView
    kind: str
    status: str
    tone: str
    due: Due | None
    way: str
    step: ShownStep | None


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(HERE + "/{case_id}/steps/reply", take)
    app.router.add_get(HERE + "/{case_id}/steps/reply", back_to(HERE, Permission.CASES_VIEW_ALL))


@requires(Permission.CASES_VIEW_ALL)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a page of forwarded orders."""
    return await _page(request, RowAttempt())


@requires(Permission.CASES_REGISTER)
async def take(request: web.Request) -> web.StreamResponse:
    """Note what the hotline was told."""
    key = request.match_info["case_id"][:40]
    given = {"forwarded": request.app[CRM].forwarded, "actor": current_actor(request), "key": key}
    return await take_row(request, REPLY, key, given, _page, here=HERE)


async def _page(request: web.Request, tried: RowAttempt, *, status: int = 200) -> web.StreamResponse:
    app, actor = request.app, current_actor(request)
    which = request.query.get("which", "")
    which = which if which in WHICH else "owed"
    mine = request.query.get("mine") == "1"
    kept = {"which": which} | ({"mine": "1"} if mine else {})
    problem, cursor = "", request.query.get("cursor")
    forwarded = app[CRM].forwarded
    try:
        page = await forwarded.page(actor, owed=_OWED[which], mine=mine, cursor=cursor, limit=PAGE)
    except Invalid:
        problem, status = gettext("这一页已经过期，请从第一页开始。"), 400
        page = await forwarded.page(actor, owed=_OWED[which], mine=mine, limit=PAGE)
    now = app[DEPS].clock.now()
    registers = actor.can(Permission.CASES_REGISTER)
    rows = [
        Row(
            item=item,
            kind=labels.word(labels.CASE_KINDS, item.case.kind.value),
            status=labels.word(labels.CASE_STATUSES, item.case.status.value),
            tone=words.STATUS_TONES.get(item.case.status.value, ""),
            due=due_of(item.limit, now) if item.owed else None,
            way=labels.word(WAYS, item.reply.way.value) if item.reply else "",
            step=row_step(
                REPLY,
                tried,
                key=item.case.case_id,
                action=f"{HERE}/{item.case.case_id}/steps/reply",
                version=item.case.version,
            )
            if item.owed and registers
            else None,
        )
        for item in page.items
    ]
    context = {
        "tabs": tabs_of(current_user(request)),
        "which": which,
        "choices": [
            (code, gettext(label), f"{HERE}?" + urlencode(kept | {"which": code}))
            for code, label in WHICH.items()
        ],
        "mine": mine,
        "registers": registers,
        "rows": rows,
        "problem": problem,
        "refused": tried.attempt.problem
        if tried.key and tried.key not in {item.case.case_id for item in page.items if item.owed}
        else "",
        "done_text": gettext(REPLY.done) if request.query.get("done") == "reply" else "",
        "first": f"{HERE}?" + urlencode(kept) if cursor else "",
        "more": f"{HERE}?" + urlencode(kept | {"cursor": page.next_cursor}) if page.next_cursor else "",
    }
    return render(request, "lists/forwarded.html", context, status=status)
