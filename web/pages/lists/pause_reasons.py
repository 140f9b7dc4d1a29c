"""Why agents take no calls for a while: the reasons they pick from, with how long each may last."""

from dataclasses import replace
from typing import Any

from aiohttp import web

from kernel.errors import Invalid
from telephony.pause_reasons import MAX_LABEL, KeptPauseReason, PauseReasonBook, PauseReasonText
from web.deps import DEPS
from web.i18n import N_, SOURCE_LANGUAGE, current_language, gettext
from web.identity import current_actor, current_user
from web.pages.case_forms import Field
from web.pages.list_tabs import tabs_of
from web.pages.lists.forms import RowAttempt, back_to, row_step, take_row
from web.pages.office.parts import Step
from web.pages.shell import render
from web.permissions import Permission, requires

HERE = "/lists/pause-reasons"
NEW = "new"
LONGEST_MINUTES = 12 * 60


async def _put(taken: dict[str, Any]) -> object:
    values, key = taken["values"], taken["key"]
    minutes = _number(values.get("limit_minutes") or "0", "limit_minutes", LONGEST_MINUTES)
    text = PauseReasonText(
        label_zh=values["label_zh"],
        label_en=values["label_en"],
        position=_number(values["position"], "position", 999),
        active=values.get("active", True),
        limit_seconds=minutes * 60 or None,
        ends_itself=bool(minutes and values.get("ends_itself")),
    )
    code = None if key == NEW else key
    return await taken["book"].put(taken["actor"], code, text, expected=taken["version"] if code else None)


def _number(text: str, field: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5 and int(text) <= most):
        raise Invalid(f"a whole number, at most {most}", field=field)
    return int(text)


NAMES = (
    Field(name="label_zh", label=N_("名称"), limit=MAX_LABEL),
    Field(name="label_en", label=N_("英文名称"), limit=MAX_LABEL),
    Field(name="position", label=N_("顺序"), limit=5, start="0"),
)
LIMITS = (
    Field(name="limit_minutes", label=N_("最多多少分钟（0 不限）"), limit=4, start="0", required=False),
    Field(name="ends_itself", label=N_("到时间自动恢复接听"), kind="check", required=False),
    Field(name="active", label=N_("可选"), kind="check", required=False),
)
PUT = Step(
    name="put",
    title=N_("修改"),
    button=N_("保存"),
    done=N_("已保存。坐席下次打开页面时生效；以前的记录不变。"),
    run=_put,
    fields=(*NAMES, *LIMITS),
    hint=N_("超过时间，班长那里会标红；勾了自动恢复的，到时间就接来电。"),
)
SYSTEM_PUT = replace(PUT, fields=NAMES, hint=N_("这个原因由系统使用，只能改名称和顺序。"))


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(HERE + "/{code}/steps/put", take)
    app.router.add_get(HERE + "/{code}/steps/put", back_to(HERE, Permission.DESK_CONFIGURE))


@requires(Permission.DESK_CONFIGURE)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the reasons."""
    return await _page(request, RowAttempt())


@requires(Permission.DESK_CONFIGURE)
async def take(request: web.Request) -> web.StreamResponse:
    """Add a reason, or change one."""
    key, book = request.match_info["code"][:40], _book(request)
    found = {one.code: one for one in await book.all()}
    given = {"book": book, "actor": current_actor(request), "key": key}
    return await take_row(request, _step(found.get(key)), key, given, _page, here=HERE)


def _book(request: web.Request) -> PauseReasonBook:
    deps = request.app[DEPS]
    return PauseReasonBook(deps.database, deps.clock, deps.bus)


def _step(kept: KeptPauseReason | None) -> Step:
    if kept is None:
        return replace(PUT, title=N_("新增小休原因"))
    return PUT if kept.selectable else SYSTEM_PUT


def _start(text: PauseReasonText) -> dict[str, str]:
    return {
        "label_zh": text.label_zh,
        "label_en": text.label_en,
        "position": str(text.position),
        "limit_minutes": str(-(-(text.limit_seconds or 0) // 60)),
        "ends_itself": "1" if text.ends_itself else "",
        "active": "1" if text.active else "",
    }


async def _page(request: web.Request, tried: RowAttempt, *, status: int = 200) -> web.StreamResponse:
    kept, chinese = await _book(request).all(), current_language() == SOURCE_LANGUAGE
    rows = [
        {
            "name": one.text.label_zh if chinese else one.text.label_en,
            "text": one.text,
            "system": not one.selectable,
            "key": one.code,
            "form": row_step(
                _step(one),
                tried,
                key=one.code,
                action=f"{HERE}/{one.code}/steps/put",
                version=one.version,
                start=_start(one.text),
            ),
        }
        for one in kept
    ]
    last = max((one.text.position for one in kept), default=0)
    new = row_step(
        _step(None),
        tried,
        key=NEW,
        action=f"{HERE}/{NEW}/steps/put",
        start={"active": "1", "position": str(min(last + 1, 999)), "limit_minutes": "0"},
    )
    context = {
        "tabs": tabs_of(current_user(request)),
        "rows": rows,
        "new": new,
        "done_text": gettext(PUT.done) if request.query.get("done") == "put" else "",
    }
    return render(request, "lists/pause_reasons.html", context, status=status)
