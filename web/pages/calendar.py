"""The site's hours and calendar: when the service clock runs, which days are off, notices of new years."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from aiohttp import web

from crm.calendar_admin import MAX_NAME, MAX_SPANS, MAX_WHY, CalendarAdmin, YearView, weeks_of
from crm.calendar_book import MAX_NOTICE_BYTES
from kernel.business_time import HolidayClosing
from kernel.errors import HuifangError, Invalid, StaleVersion
from kernel.holidays import CalendarKind
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor
from web.pages.shell import render, see_other
from web.permissions import Permission, requires

HERE = "/admin/calendar"
KINDS: dict[str, str] = {
    CalendarKind.WORK: N_("上班"),
    CalendarKind.OFF: N_("休息"),
    CalendarKind.MAKEUP_WORK: N_("调休上班"),
    CalendarKind.HOLIDAY: N_("放假"),
}
NOTICE = "notice"
CLOSING: dict[str, str] = {
    HolidayClosing.STATUTORY: N_("法定节假日停"),
    HolidayClosing.PERIOD: N_("放假期间都停（含调休）"),
    HolidayClosing.NEVER: N_("节假日不停"),
}
WEEKDAYS = (N_("一"), N_("二"), N_("三"), N_("四"), N_("五"), N_("六"), N_("日"))
DONE: dict[str, str] = {
    "hours": N_("服务时间已更新：以后的时限按新的算，正在走的不变；电话里半分钟内生效。"),
    "day": N_("日历已更新：以后的时限按新的算，正在走的不变；电话里半分钟内生效。"),
    "notice": N_("这一年的放假通知已经录入。"),
}
CHANGED = N_("同事刚刚改过。您填的内容还在，请核对后再保存。")
WRONG: dict[str, str] = {
    "spans": N_("时间写成 08:30-12:00,13:30-18:00，从早到晚；至少选一天。"),
    "closing": N_("请选择节假日怎么办。"),
    "why": N_("请写明为什么改，最多 200 个字。"),
    "name": N_("名称最多 40 个字。"),
    "kind": N_("请选择这一天是什么。"),
    "date": N_("请选择 2004 到 2099 年的一天。"),
    "year": N_("请选择 2004 到 2099 年。"),
}


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(f"{HERE}/hours", set_hours)
    app.router.add_post(f"{HERE}/days", set_day)
    app.router.add_post(f"{HERE}/notices", load)


@requires(Permission.LIMITS_CONFIGURE)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a year, and when the service clock runs."""
    return await _page(request, done=request.query.get("done", ""))


@requires(Permission.LIMITS_CONFIGURE)
async def set_hours(request: web.Request) -> web.StreamResponse:
    """Put other service hours in force."""
    posted = await request.post()
    typed = _texts(posted)
    typed["days"] = "".join(str(day) for day in posted.getall("day", ()) if str(day) in "1234567")
    try:
        await _admin(request).set_hours(
            current_actor(request),
            spans=typed.get("spans", ""),
            days=typed["days"],
            closing=typed.get("closing", ""),
            why=typed.get("why", ""),
            expected=_whole(typed.get("version", "")),
        )
    except (Invalid, StaleVersion) as error:
        return await _page(request, form="hours", typed=typed, error=error)
    return see_other(f"{HERE}?year={_year(request)}&done=hours")


@requires(Permission.LIMITS_CONFIGURE)
async def set_day(request: web.Request) -> web.StreamResponse:
    """Say what a day is."""
    typed = _texts(await request.post())
    try:
        day = _day(typed.get("date", ""))
        kind = typed.get("kind", "")
        if kind != NOTICE and kind not in KINDS:
            raise Invalid("choose what the day is", field="kind")
        seen = typed.get("seen", "")
        await _admin(request).set_day(
            current_actor(request),
            day,
            None if kind == NOTICE else CalendarKind(kind),
            typed.get("name", ""),
            seen=CalendarKind(seen) if seen in KINDS else None,
        )
    except (Invalid, StaleVersion) as error:
        return await _page(request, form="day", typed=typed, error=error)
    return see_other(f"{HERE}?year={day.year}&done=day")


@requires(Permission.LIMITS_CONFIGURE)
async def load(request: web.Request) -> web.StreamResponse:
    """Load a year's whole notice."""
    posted = await request.post()
    file = posted.get("file")
    try:
        if not isinstance(file, web.FileField):
            raise Invalid(gettext("请选择通知文件（JSON）。"), field="file")
        try:
            text = file.file.read(MAX_NOTICE_BYTES + 1).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise Invalid("UTF-8", field="file") from error
        year = await _admin(request).load(current_actor(request), text, file.filename[:80])
    except Invalid as error:
        return await _page(request, form="notice", error=error)
    return see_other(f"{HERE}?year={year}&done=notice")


def _admin(request: web.Request) -> CalendarAdmin:
    deps = request.app[DEPS]
    return CalendarAdmin(deps.database, deps.clock, request.app[CRM].limits.calendar)


def _texts(posted: Mapping[str, object]) -> dict[str, str]:
    return {name: value[:400].strip() for name, value in posted.items() if isinstance(value, str)}


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Invalid("a day", field="date") from error


def _year(request: web.Request) -> int:
    asked = _whole(request.query.get("year", ""))
    deps = request.app[DEPS]
    return asked if asked > 0 else deps.clock.now().astimezone(deps.settings.timezone).year


async def _page(
    request: web.Request,
    *,
    form: str = "",
    typed: Mapping[str, str] | None = None,
    error: HuifangError | None = None,
    done: str = "",
) -> web.Response:
    typed, admin, actor = typed or {}, _admin(request), current_actor(request)
    year = _year(request)
    chosen = typed.get("date", "") or request.query.get("day", "")
    try:
        day = _day(chosen) if chosen else None
        view = await admin.year(actor, day.year if day else year)
    except Invalid as wrong:
        error, day, form = error or wrong, None, form or "year"
        deps = request.app[DEPS]
        view = await admin.year(actor, deps.clock.now().astimezone(deps.settings.timezone).year)
    now = view.hours[0]
    start: dict[str, str] = {
        "spans": now.hours.text,
        "days": "".join(str(one + 1) for one in sorted(now.hours.weekdays)),
        "closing": now.hours.closing.value,
        "why": "",
    }
    context = {
        "view": view,
        "months": _months(view),
        "weekdays": [gettext(one) for one in WEEKDAYS],
        "kinds": labels.words(KINDS),
        "closings": labels.words(CLOSING),
        "now": now,
        "hours": {**start, **(typed if form == "hours" else {})},
        "day": _chosen(view, day, typed if form == "day" else {}),
        "error": _told(error, form) if error else "",
        "wrong_form": form,
        "done": labels.word(DONE, done) if done in DONE else "",
        "longest": {"name": MAX_NAME, "spans": MAX_SPANS, "why": MAX_WHY},
    }
    status = 200 if error is None else 412 if isinstance(error, StaleVersion) else 400
    return render(request, "admin/calendar.html", context, status=status)


def _told(error: HuifangError, form: str) -> str:
    if isinstance(error, StaleVersion):
        return gettext(CHANGED)
    if form == "notice":
        # A notice's mistakes have names of days and fields in them: they are told as they are.
        return gettext("通知没有录入：%(why)s") % {"why": error.message[:300]}
    return labels.word(WRONG, error.field or "") or labels.word(labels.PROBLEMS, "invalid")


def _months(view: YearView) -> list[tuple[int, Any]]:
    months = ([one for one in view.days if one.date.month == month] for month in range(1, 13))
    return [(days[0].date.month, weeks_of(days)) for days in months if days]


def _chosen(view: YearView, day: date | None, typed: Mapping[str, str]) -> dict[str, str] | None:
    if day is None:
        return None
    found = next((one for one in view.days if one.date == day), None)
    return {
        "date": day.isoformat(),
        "seen": found.kind.value if found else "",
        "kind": typed.get("kind", "") or (found.kind.value if found else CalendarKind.WORK.value),
        "name": typed.get("name", found.name if found else ""),
        "source": found.source if found and day in view.changed else "",
        "changed": "1" if day in view.changed else "",
    }
