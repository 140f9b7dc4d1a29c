"""Callbacks in figures: of a period, and by stage, person, store or month (domain.md §5.1)."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web
from sqlalchemy import select

from callback_campaigns.domain.figures import ROLES, CallbackFigure, GroupBy, Mean, Rate
from callback_campaigns.domain.terms import CallbackType
from callback_campaigns.figures import CallbackFigures, FiguresAsked, GroupRow
from crm.exports import FileForm, begin_export
from crm.sheets import Cell
from crm.tables import Store
from web.callback_part import CALLBACKS
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages import campaign_words
from web.pages.exports import SLOTS, send_file
from web.pages.shell import render
from web.pages.times import day_start
from web.permissions import Permission, requires, streaming

_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])", re.ASCII)
MONTHS = (1, 3, 12)
LABELS = {
    CallbackFigure.COVERAGE: N_("回访覆盖率"),
    CallbackFigure.ON_TIME: N_("按时回访率"),
    CallbackFigure.REQUIRED_RATIO: N_("回访比例达成"),
    CallbackFigure.CONTACT: N_("接通率"),
    CallbackFigure.COMPLETION: N_("回访成功率"),
    CallbackFigure.ATTEMPTS_PER_DONE: N_("每次成功回访拨打"),
    CallbackFigure.SATISFACTION: N_("满意度"),
    CallbackFigure.GOOD: N_("优良率"),
    CallbackFigure.PASSED: N_("合格率"),
    CallbackFigure.STAGE_SATISFACTION: N_("回访结果满意率"),
    CallbackFigure.PM_PRESENCE: N_("项目经理到位率"),
    CallbackFigure.SOLVED: N_("不满意后再访满意率"),
}
PARTS = {
    CallbackFigure.COVERAGE: N_("已完成 ÷ 应完成"),
    CallbackFigure.ON_TIME: N_("按时完成 ÷ 应完成"),
    CallbackFigure.REQUIRED_RATIO: N_("已完成 ÷ 按比例应回访"),
    CallbackFigure.CONTACT: N_("接通 ÷ 拨打"),
    CallbackFigure.COMPLETION: N_("已完成 ÷ 拨打过的回访"),
    CallbackFigure.ATTEMPTS_PER_DONE: N_("拨打 ÷ 已完成"),
    CallbackFigure.SATISFACTION: N_("满意 ÷ 有效回答"),
    CallbackFigure.GOOD: N_("优与良 ÷ 完工评价"),
    CallbackFigure.PASSED: N_("优、良与中 ÷ 完工评价"),
    CallbackFigure.STAGE_SATISFACTION: N_("满意 ÷ 有结果的回访"),
    CallbackFigure.PM_PRESENCE: N_("到位 ÷ 有效回答"),
    CallbackFigure.SOLVED: N_("再访满意 ÷ 到期的问题单"),
}
GROUPS = (
    (N_("完成情况"), (
        CallbackFigure.COVERAGE, CallbackFigure.ON_TIME, CallbackFigure.REQUIRED_RATIO,
        CallbackFigure.CONTACT, CallbackFigure.COMPLETION, CallbackFigure.ATTEMPTS_PER_DONE,
    )),
    (N_("客户评价"), (
        CallbackFigure.STAGE_SATISFACTION, CallbackFigure.SATISFACTION, CallbackFigure.GOOD,
        CallbackFigure.PASSED, CallbackFigure.PM_PRESENCE, CallbackFigure.SOLVED,
    )),
)  # fmt: skip
BY = {
    GroupBy.KIND: N_("按回访类型"),
    GroupBy.PM: N_("按项目经理"),
    GroupBy.CREW: N_("按施工队"),
    GroupBy.DESIGNER: N_("按设计师"),
    GroupBy.INSPECTOR: N_("按质检员"),
    GroupBy.STORE: N_("按店面"),
    GroupBy.DEPARTMENT: N_("按部门"),
    GroupBy.MONTH: N_("按月份"),
}
OF_ITEMS = frozenset({*ROLES, GroupBy.DEPARTMENT})
"""Breakdowns by the answers themselves; the others are by results of whole callbacks."""
KINDS = campaign_words.KINDS | {"VISIT": N_("上门回访")}
DELAYS = {
    "0": N_("当天"),
    "1": N_("晚 1 天"),
    "2-3": N_("晚 2–3 天"),
    "4-7": N_("晚 4–7 天"),
    "8+": N_("晚 8 天及以上"),
}
FEW = N_("样本少")
TITLES = (N_("名称"), N_("有结果"), N_("满意"), N_("满意率"), N_("回答数"), N_("平均分"))


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/callback-results", show)
    app.router.add_get("/callback-results.{form}", export)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure in words; ``percent`` is how long its bar is."""

    label: str
    parts: str
    value: str
    numerator: str
    denominator: str
    percent: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a breakdown in words."""

    name: str
    results: int
    satisfied: int
    satisfaction: str
    satisfaction_bar: int | None
    answers: int
    mean: str
    mean_bar: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What somebody looks at."""

    first: date
    months: int
    by: GroupBy
    store: str
    kind: str
    asked: FiguresAsked


@requires(Permission.RED_LIST_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the figures of a period, of all or of one store or kind of callback."""
    stores = await _stores(request)
    wanted = _wanted(request, stores)
    found = await _read(request, wanted)
    context: dict[str, Any] = {
        "month": f"{wanted.first:%Y-%m}",
        "months": wanted.months,
        "spans": {1: gettext("一个月"), 3: gettext("三个月"), 12: gettext("十二个月")},
        "stores": stores,
        "store": wanted.store,
        "kinds": {kind.value: _kind(kind.value) for kind in CallbackType},
        "kind": wanted.kind,
        "by": wanted.by.value,
        "breakdowns": {by.value: gettext(label) for by, label in BY.items()},
        "of_items": wanted.by in OF_ITEMS,
        "groups": [
            (gettext(title), [_row(code, found.figures[code]) for code in codes]) for title, codes in GROUPS
        ],
        "mean_score": _mean(found.mean_score, person=False),
        "delays": _delays(found),
        "lines": [_line(wanted.by, row) for row in found.groups],
        "presence": [
            (name or gettext("未登记"), _percent(one), _bar(one.percent), one) for name, one in found.presence
        ],
        "as_of": found.as_of,
        "may_export": current_user(request).can(Permission.EXPORT),
        "query": request.query_string,
    }
    return render(request, "callbacks/results.html", context)


@streaming
@requires(Permission.EXPORT)
async def export(request: web.Request) -> web.StreamResponse:
    """Send the breakdown as a file."""
    form = FileForm(request.match_info["form"]) if request.match_info["form"] in set(FileForm) else None
    if form is None:
        raise web.HTTPNotFound
    wanted = _wanted(request, await _stores(request))
    found = await _read(request, wanted)
    lines = [_line(wanted.by, row) for row in found.groups]
    asked = {"month": f"{wanted.first:%Y-%m}", "months": wanted.months, "by": wanted.by.value}

    async def read(_: str | None) -> tuple[list[Line], str | None]:
        return lines, None

    titles: list[Cell] = [gettext(title) for title in TITLES]
    with request.app[SLOTS].one():
        file = await begin_export(
            request.app[DEPS].database,
            request.app[CRM].journal,
            current_actor(request),
            "callback-results",
            form,
            len(lines),
            asked,
            read,
        )
        return await send_file(request, form, "callback-results", titles, file, _cells)


def _cells(line: Line) -> list[Cell]:
    return [line.name, line.results, line.satisfied, line.satisfaction, line.answers, line.mean]


async def _read(request: web.Request, wanted: _Wanted) -> CallbackFigures:
    reader = request.app[CALLBACKS].figures
    return await reader.read(current_actor(request), wanted.asked, by=wanted.by)


def _wanted(request: web.Request, stores: dict[str, str]) -> _Wanted:
    app, query = request.app, request.query
    zone = app[DEPS].settings.timezone
    today = app[DEPS].clock.now().astimezone(zone).date()
    match = _MONTH.fullmatch(query.get("month", ""))
    last = date(int(match[1]), int(match[2]), 1) if match else today.replace(day=1)
    months = int(query.get("months", "1")) if query.get("months", "1") in map(str, MONTHS) else 1
    first = last
    for _ in range(months - 1):
        first = (first - timedelta(days=1)).replace(day=1)
    by = GroupBy(query["by"]) if query.get("by") in set(GroupBy) else GroupBy.KIND
    store = query.get("store", "") if query.get("store", "") in stores else ""
    kind = query.get("kind", "") if query.get("kind", "") in set(CallbackType) else ""
    asked = FiguresAsked(
        since=day_start(first, zone),
        until=day_start((last + timedelta(days=32)).replace(day=1), zone),
        store_id=store or None,
        kind=CallbackType(kind) if kind else None,
    )
    return _Wanted(first=last, months=months, by=by, store=store, kind=kind, asked=asked)


async def _stores(request: web.Request) -> dict[str, str]:
    async with request.app[DEPS].database.session() as session:
        found = await session.execute(select(Store.id, Store.name).order_by(Store.name))
        return {str(row.id): str(row.name) for row in found}


def _row(code: CallbackFigure, found: Rate) -> Row:
    shown, percent = _percent(found), _bar(found.percent)
    if code is CallbackFigure.ATTEMPTS_PER_DONE:
        shown, percent = ("–" if found.ratio is None else f"{found.ratio}"), None
    return Row(
        label=gettext(LABELS[code]),
        parts=gettext(PARTS[code]),
        value=shown,
        numerator=f"{found.numerator:f}",
        denominator=f"{found.denominator.normalize():f}",
        percent=percent,
    )


def _line(by: GroupBy, row: GroupRow) -> Line:
    person = by in ROLES
    name = row.name
    if by is GroupBy.KIND:
        name = _kind(row.name)
    shown = None if person and row.mean.few else row.mean.value
    return Line(
        name=name or gettext("未登记"),
        results=row.results,
        satisfied=row.satisfied,
        satisfaction=_percent(row.satisfaction),
        satisfaction_bar=_bar(row.satisfaction.percent),
        answers=row.mean.count,
        mean=_mean(row.mean, person=person),
        mean_bar=_bar(shown),
    )


def _kind(code: str) -> str:
    return gettext(KINDS.get(code, code))


def _mean(found: Mean, *, person: bool) -> str:
    if person and found.few:
        return gettext(FEW)
    return "–" if found.value is None else f"{found.value}"


def _percent(found: Rate) -> str:
    return "–" if found.percent is None else f"{found.percent} %"


def _bar(value: Decimal | None) -> int | None:
    return None if value is None else int(max(Decimal(0), min(value, Decimal(100))))


def _delays(found: CallbackFigures) -> list[tuple[str, int, int]]:
    whole = sum(found.delays.values())
    return [
        (gettext(DELAYS[name]), number, 100 * number // whole if whole else 0)
        for name, number in found.delays.items()
    ]
