"""What callers are told before they wait: switched on for some hours, and off again."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from ivr.line_messages import MAX_EN, MAX_ZH, MessageKind, NewMessage, Then
from kernel.errors import Conflict, HuifangError, Invalid
from web import labels
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor
from web.pages.shell import ROSTER, render, see_other
from web.permissions import Permission, requires
from web.routing_part import ROUTING

KINDS: dict[str, str] = {
    MessageKind.EMERGENCY: N_("紧急情况"),
    MessageKind.CLOSED: N_("暂停服务"),
    MessageKind.HOLIDAY: N_("节假日"),
    MessageKind.NOTICE: N_("提示"),
}
THENS: dict[str, str] = {
    Then.QUEUE: N_("继续排队"),
    Then.OFFER: N_("请客户留言或登记回电"),
    Then.HANGUP: N_("挂机"),
}
WRONG: dict[str, str] = {
    "text_zh": N_("请写明内容，最多 200 个字。"),
    "text_en": N_("英文最多 400 个字符。"),
    "ends_at": N_("结束时间要晚于现在，最多 31 天。"),
    "queue": N_("没有这个队列。"),
    "conflict": N_("已经有 20 条在播放，请先关闭一条。"),
}
FIELDS = ("kind", "text_zh", "text_en", "queue", "then", "ends_at")
USUAL = timedelta(hours=2)


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/line-messages", show)
    app.router.add_post("/line-messages", switch_on)
    app.router.add_post("/line-messages/{message_id}/off", switch_off)


@requires(Permission.LINE_MESSAGES_SWITCH)
async def show(request: web.Request) -> web.StreamResponse:
    """Show what is on, a form for the next, and what was."""
    return await _shown(request, None, {})


@requires(Permission.LINE_MESSAGES_SWITCH)
async def switch_on(request: web.Request) -> web.StreamResponse:
    """Tell callers something from now on."""
    form = await request.post()
    typed = {name: _text(form, name) for name in FIELDS}
    try:
        new = NewMessage(
            kind=MessageKind(typed["kind"]) if typed["kind"] in KINDS else MessageKind.NOTICE,
            text_zh=typed["text_zh"],
            text_en=typed["text_en"],
            queue=typed["queue"],
            then=Then(typed["then"]) if typed["then"] in THENS else Then.QUEUE,
            ends_at=_moment(request, typed["ends_at"]),
        )
        await request.app[ROUTING].messages.switch_on(current_actor(request), new)
    except (Invalid, Conflict) as error:
        return await _shown(request, error, typed)
    return see_other("/line-messages")


@requires(Permission.LINE_MESSAGES_SWITCH)
async def switch_off(request: web.Request) -> web.StreamResponse:
    """Tell callers no longer."""
    await request.app[ROUTING].messages.switch_off(current_actor(request), request.match_info["message_id"])
    return see_other("/line-messages")


async def _shown(request: web.Request, error: HuifangError | None, typed: Mapping[str, str]) -> web.Response:
    deps = request.app[DEPS]
    now = deps.clock.now()
    found = await request.app[ROUTING].messages.recent(current_actor(request))
    usual = (now + USUAL).astimezone(deps.settings.timezone)
    wrong = "" if error is None else error.field or error.code
    context = {
        "on": [one for one in found if one.is_on(now)],
        "over": [one for one in found if not one.is_on(now)],
        "kinds": {code: gettext(label) for code, label in KINDS.items()},
        "thens": {code: gettext(label) for code, label in THENS.items()},
        "queues": labels.queue_names(await request.app[ROSTER].queues()),
        "form": {**dict.fromkeys(FIELDS, ""), "ends_at": usual.strftime("%Y-%m-%dT%H:%M"), **typed},
        "error": labels.word(WRONG, wrong) if wrong else "",
        "wrong": wrong,
        "longest": {"zh": MAX_ZH, "en": MAX_EN},
    }
    status = 200 if error is None else 409 if isinstance(error, Conflict) else 400
    return render(request, "line_messages.html", context, status=status)


def _moment(request: web.Request, text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=request.app[DEPS].settings.timezone)
    except ValueError as error:
        raise Invalid("a time is written 2026-03-31T18:00", field="ends_at") from error


def _text(form: Mapping[str, Any], name: str) -> str:
    value = form.get(name, "")
    return value.strip()[:1000] if isinstance(value, str) else ""
