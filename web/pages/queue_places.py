"""Callers who keep their place in a queue and wait to be called back: the list, and a supervisor's acts."""

from datetime import datetime

from aiohttp import web

from callback_campaigns.domain.queue_place import PlaceNotOpen, PlaceState
from callback_campaigns.queue_places import PlaceView
from kernel.access import Permission
from kernel.errors import NotFound
from web import labels
from web.actions import Action
from web.auth import ACCOUNTS
from web.callback_part import CALLBACKS
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import CLIENT_IP, current_actor, current_user
from web.pages.shell import ROSTER, render, see_other
from web.permissions import requires
from web.pop import readable

STATES = {
    PlaceState.WAITING.value: N_("等待中"),
    PlaceState.CALLING.value: N_("正在回电"),
    PlaceState.TALKED.value: N_("已通话"),
    PlaceState.TAKEN_UP.value: N_("客户已再次来电"),
    PlaceState.HANDED_ON.value: N_("转人工回电"),
    PlaceState.EXPIRED.value: N_("超时，转人工回电"),
    PlaceState.CANCELLED.value: N_("已取消"),
}
TONES = {
    PlaceState.CALLING.value: "green",
    PlaceState.HANDED_ON.value: "amber",
    PlaceState.EXPIRED.value: "amber",
}
PROBLEM = N_("这个位置刚刚已经开始回电或已结束，没有改动。")


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/queue-places", show)
    app.router.add_post("/queue-places/{place_id}/cancel", cancel)
    app.router.add_post("/queue-places/{place_id}/forward", forward)


@requires(Permission.CALLBACKS_WORK)
async def show(request: web.Request) -> web.StreamResponse:
    """Show who waits to be called back in their turn, and how it ended for the last ones."""
    user, actor = current_user(request), current_actor(request)
    places = request.app[CALLBACKS].places
    opened, over = await places.list_open(actor), await places.list_over(actor)
    if opened or over:
        await request.app[ACCOUNTS].audit.record(
            Action.PHONES_SHOWN,
            actor=user.login,
            ip=request[CLIENT_IP],
            entity="queue_place",
            detail={"places": len(opened) + len(over)},
        )
    now = request.app[DEPS].clock.now()
    context = {
        "opened": opened,
        "over": over,
        "readable": readable,
        "queues": labels.queue_names(await request.app[ROSTER].queues()),
        "minutes": {one.place.place_id: _minutes(one, now) for one in (*opened, *over)},
        "states": labels.words(STATES),
        "tones": TONES,
        "acts": user.can(Permission.BOARD_VIEW),
        "problem": gettext(PROBLEM) if request.query.get("problem") else "",
    }
    return render(request, "callbacks/places.html", context)


@requires(Permission.CALLBACKS_WORK)
async def cancel(request: web.Request) -> web.StreamResponse:
    """Take a place out of its queue."""
    return await _act(request, forward=False)


@requires(Permission.CALLBACKS_WORK)
async def forward(request: web.Request) -> web.StreamResponse:
    """Put a place before the others of its queue."""
    return await _act(request, forward=True)


async def _act(request: web.Request, *, forward: bool) -> web.StreamResponse:
    places, actor = request.app[CALLBACKS].places, current_actor(request)
    place_id = request.match_info["place_id"]
    try:
        await (places.forward if forward else places.cancel)(actor, place_id)
    except (NotFound, PlaceNotOpen):
        return see_other("/queue-places?problem=over")
    return see_other("/queue-places")


def _minutes(view: PlaceView, now: datetime) -> int:
    """Return how long the customer has waited, or had waited when it was over."""
    until = view.place.ended_at or now
    return max(0, int((until - view.place.joined_at).total_seconds() // 60))
