"""Callers who asked to be called back, and the note that it was done."""

from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from crm.service import CallbackRequests
from crm.voicemail import VoiceMessage
from kernel.errors import Conflict
from web import labels
from web.actions import Action
from web.auth import ACCOUNTS
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import CLIENT_IP, current_actor, current_user
from web.pages import voice_messages
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.pop import readable

PROBLEMS = {
    "text": N_("请写客户说的话，最多2000字。"),
    "stale": N_("同事刚改过这一条，下面是最新情况。"),
}
CALLBACKS: web.AppKey[CallbackRequests] = web.AppKey("CALLBACKS", CallbackRequests)


def setup(app: web.Application) -> None:
    """Add the routes."""
    deps = app[DEPS]
    app[CALLBACKS] = CallbackRequests(deps.database, deps.clock)
    app.router.add_get("/callbacks", show)
    app.router.add_post("/callbacks/{request_id}/done", finish)


@dataclass(frozen=True, slots=True)
class Wish:
    """A row of the list. Whoever calls back needs the whole number."""

    request_id: str
    requested_at: datetime
    number: str
    customer_id: str | None
    customer_name: str
    call_id: str
    reason: str
    messages: tuple[VoiceMessage, ...] = ()
    wanted_at: datetime | None = None
    late: bool = False
    """The time that was agreed is over."""


@requires(Permission.CALLBACKS_WORK)
async def show(request: web.Request) -> web.StreamResponse:
    """Show who waits to be called back, the longest first."""
    user = current_user(request)
    actor = current_actor(request)
    found, now = await request.app[CALLBACKS].list_open(actor), request.app[DEPS].clock.now()
    voicemail = request.app[CRM].voicemail
    messages = await voicemail.of_requests(actor, [item.request_id for item in found])
    route = request.query.get("route", "")
    if route in voice_messages.ROUTES:
        found = tuple(
            item for item in found if any(one.route == route for one in messages.get(item.request_id, ()))
        )
    wishes = [
        Wish(
            request_id=item.request_id,
            requested_at=item.requested_at,
            number=readable(item.phone),
            customer_id=item.customer_id,
            customer_name=item.customer_name or "",
            call_id=item.call_id,
            reason=item.reason,
            messages=messages.get(item.request_id, ()),
            wanted_at=item.wanted_at,
            late=item.wanted_at is not None and item.wanted_at < now,
        )
        for item in found
    ]
    if wishes:
        await request.app[ACCOUNTS].audit.record(
            Action.PHONES_SHOWN,
            actor=user.login,
            ip=request[CLIENT_IP],
            entity="callback_request",
            detail={"requests": len(wishes), "first": wishes[0].request_id, "last": wishes[-1].request_id},
        )
    context = {
        "wishes": wishes,
        "route": route if route in voice_messages.ROUTES else "",
        "routes": labels.words(voice_messages.ROUTES),
        "tones": voice_messages.TONES,
        "problem": gettext(PROBLEMS[asked])
        if (asked := request.query.get("problem", "")) in PROBLEMS
        else "",
        "done": request.query.get("done", ""),
    }
    return render(request, "callbacks.html", context)


@requires(Permission.CALLBACKS_WORK)
async def finish(request: web.Request) -> web.StreamResponse:
    """Note that the caller was called back; who comes second finds it done."""
    request_id = request.match_info["request_id"]
    try:
        await request.app[CALLBACKS].finish(current_actor(request), request_id)
    except Conflict:
        return see_other("/callbacks")
    await request.app[ACCOUNTS].audit.record(
        Action.CALLBACK_DONE,
        actor=current_user(request).login,
        ip=request[CLIENT_IP],
        entity="callback_request",
        entity_id=request_id,
    )
    return see_other("/callbacks")
