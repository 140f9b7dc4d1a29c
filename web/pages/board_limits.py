"""The limits of the supervisor's board: from when on a queue's figure is an alert; versions of them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aiohttp import web

from kernel.errors import Invalid, NotFound, StaleVersion
from telephony.board_limits import MAX_WHY, NewLimits
from telephony.domain.board_limits import LONGEST, RANGES, BoardLimits, LimitKind
from web import labels
from web.board_book import book_of
from web.i18n import N_, gettext
from web.identity import current_actor
from web.pages.shell import ROSTER, render, see_other
from web.permissions import Permission, requires

HERE = "/supervisor/limits"
PAGE = 10
LONGEST_FIELD = 200
KINDS = {
    LimitKind.WAITING: N_("排队多于（人）"),
    LimitKind.LONGEST: N_("等待超过（秒）"),
    LimitKind.LEVEL: N_("今日服务水平低于（%）"),
    LimitKind.FREE: N_("空闲坐席少于（人）"),
}
assert set(KINDS) == set(LimitKind)


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(HERE, publish)


@requires(Permission.BOARD_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the limits in force and those before."""
    return await _page(request, {}, "")


@requires(Permission.LIMITS_CONFIGURE)
async def publish(request: web.Request) -> web.StreamResponse:
    """Put the written limits in force."""
    posted = await request.post()
    form = {key: value[:LONGEST_FIELD] for key, value in posted.items() if isinstance(value, str)}
    queues = [queue.name for queue in await request.app[ROSTER].queues()]
    try:
        new = _read(form, queues)
        version = form.get("version", "")
        expected = int(version) if version.isdecimal() and len(version) < 9 else -1
        await book_of(request.app).publish(current_actor(request), new, expected=expected)
    except StaleVersion:
        problem = gettext("别人刚刚改过限值。请核对现行的限值，再发布一次。")
        return await _page(request, form, problem, status=412)
    except (Invalid, NotFound) as error:
        return await _page(request, form, _said(error.field or ""), error.field or "", status=422)
    return see_other(f"{HERE}?done=1")


def _read(form: Mapping[str, str], queues: list[str]) -> NewLimits:
    found: dict[str, dict[LimitKind, int]] = {}
    for queue in queues:
        for kind in LimitKind:
            field = f"queues.{queue}.{kind.value}"
            text = form.get(field, "").strip()
            if text:
                found.setdefault(queue, {})[kind] = _number(text, field)
    begins, ends = (
        timedelta(seconds=_number(form.get(name, "").strip(), name))
        for name in ("begins_after_seconds", "ends_after_seconds")
    )
    return NewLimits(
        queues=found,
        begins_after=begins,
        ends_after=ends,
        sound=form.get("sound") == "1",
        why=form.get("why", ""),
    )


def _number(text: str, field: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise Invalid("a whole number", field=field)
    return int(text)


def _said(field: str) -> str:
    kind = field.rpartition(".")[2]
    if kind in set(LimitKind):
        low, high = RANGES[LimitKind(kind)]
        name = gettext(KINDS[LimitKind(kind)])
        return gettext("%(name)s：请填 %(low)s 到 %(high)s，不提醒就留空。") % {
            "name": name,
            "low": low,
            "high": high,
        }
    if field.endswith("_seconds"):
        return gettext("请填 0 到 %(n)s 秒。") % {"n": int(LONGEST.total_seconds())}
    if field == "why":
        return gettext("最多 %(n)s 个字。") % {"n": MAX_WHY}
    return gettext("队列刚刚变了，请核对后再发布一次。")


async def _page(
    request: web.Request, form: Mapping[str, str], problem: str, wrong: str = "", status: int = 200
) -> web.StreamResponse:
    actor, book = current_actor(request), book_of(request.app)
    current = await book.current(actor)
    cursor = request.query.get("cursor")
    try:
        page = await book.versions(actor, cursor=cursor, limit=PAGE)
    except Invalid:
        page = await book.versions(actor, limit=PAGE)
    queues = await request.app[ROSTER].queues()
    context: dict[str, Any] = {
        "current": current,
        "may_edit": actor.can(Permission.LIMITS_CONFIGURE),
        "queues": labels.queue_names(queues),
        "kinds": {kind.value: gettext(label) for kind, label in KINDS.items()},
        "ranges": {kind.value: limits for kind, limits in RANGES.items()},
        "longest_seconds": int(LONGEST.total_seconds()),
        "values": _values(current) | dict(form),
        "sound": form.get("sound") == "1" if form else current.sound,
        "versions": [(item, _lines(item, labels.queue_names(queues))) for item in page.items],
        "more": f"{HERE}?cursor={page.next_cursor}" if page.next_cursor else "",
        "longest_why": MAX_WHY,
        "problem": problem,
        "wrong": wrong,
        "done": bool(request.query.get("done")) and not problem,
    }
    return render(request, "board_limits.html", context, status=status)


def _values(limits: BoardLimits) -> dict[str, str]:
    found = {
        f"queues.{queue}.{kind.value}": str(limit)
        for queue, kinds in limits.queues.items()
        for kind, limit in kinds.items()
    }
    found["begins_after_seconds"] = str(int(limits.begins_after.total_seconds()))
    found["ends_after_seconds"] = str(int(limits.ends_after.total_seconds()))
    return found


def _lines(limits: BoardLimits, names: Mapping[str, str]) -> list[str]:
    """Return what a version says, a queue a line."""
    comma = gettext("，")
    return [
        f"{names.get(queue, queue)}{gettext('：')}"
        + comma.join(f"{gettext(KINDS[kind])} {limit}" for kind, limit in kinds.items())
        for queue, kinds in limits.queues.items()
    ]
