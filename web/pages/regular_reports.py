"""Reports that come by themselves each month: what they count, and their lists as files (domain.md §1.12)."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from callback_campaigns.regular_reports import (
    MAX_ROWS,
    LostRow,
    ReportCode,
    ReportView,
    SaidRow,
    may_read,
)
from crm.exports import begin_export
from crm.sheets import Cell
from kernel.errors import Invalid, NotFound
from web import labels
from web.callback_part import CALLBACKS
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.exports import SLOTS, form_of, send_file
from web.pages.list_tabs import tabs_of
from web.pages.shell import render
from web.permissions import Permission, requires, streaming
from web.report_file import (
    CONTENT,
    LATER,
    REASONS,
    report_row,
    report_rows,
    report_titles,
    said_reasons,
)

HERE = "/lists/reports"
CODES = {
    "suggestions": N_("客户建议"),
    "competitors": N_("同行信息"),
    "lost": N_("流失客户"),
}
assert set(CODES) == {code.value for code in ReportCode}
VOICES = "/lists/voices?kind={kind}&month={month}", "/exports/voices.{form}?kind={kind}&month={month}"
LISTS = {
    "suggestions": ("suggestion", *VOICES),
    "competitors": ("competitor", *VOICES),
    "lost": ("", "", "/exports/lost.{form}?month={month}"),
}
"""Code → the kind of note it lists, where that is read, and where it is taken out as a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A report in words."""

    report: ReportView
    label: str
    parts: list[tuple[str, int]]
    page: str
    csv: str
    xlsx: str
    file: str


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_get("/exports/lost.{form}", send_lost)
    app.router.add_get(HERE + "/{code}/{month}.{form}", send_report)


@requires(Permission.CASES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the reports, the newest first, to who leads and to the people that they go to."""
    reports, actor = request.app[CALLBACKS].reports, current_actor(request)
    month, problem = request.query.get("month", "")[:7], ""
    lost: tuple[LostRow, ...] = ()
    try:
        found = await reports.page(actor, month=month or None)
        lost = await reports.lost(actor, month) if month else ()
    except Invalid:
        month, problem = "", gettext("请选择月份。")
        found = await reports.page(actor)
    context = {
        "tabs": tabs_of(current_user(request)),
        "reports": [_shown(one) for one in found],
        "month": month,
        "lost": [(one, said_reasons(one)) for one in lost],
        "problem": problem,
        "may_export": actor.can(Permission.EXPORT),
        "leads": actor.can(Permission.RED_LIST_VIEW),
    }
    return render(request, "lists/reports.html", context, status=400 if problem else 200)


def _shown(report: ReportView) -> Shown:
    kind, page, file = LISTS[report.code.value]
    month = report.period
    parts = []
    for name, count in sorted(report.figures.items(), key=lambda part: -part[1]):
        what, _, value = name.partition(":")
        if what == "reason":
            parts.append((labels.word(REASONS, value), count))
        elif what == "name":
            parts.append((value, count))
    return Shown(
        report=report,
        label=gettext(CODES[report.code.value]),
        parts=parts,
        page=page.format(kind=kind, month=month),
        csv=file.format(form="csv", kind=kind, month=month),
        xlsx=file.format(form="xlsx", kind=kind, month=month),
        file=f"{HERE}/{report.code.value}/{month}",
    )


@requires(Permission.CASES_VIEW)
@streaming
async def send_report(request: web.Request) -> web.StreamResponse:
    """Send a report's file, the same as goes with its e-mail, to the people that it goes to."""
    form, actor, name = form_of(request), current_actor(request), request.match_info["code"]
    if name not in CODES:
        raise NotFound("no such report", field="code")
    code, month = ReportCode(name), request.match_info["month"][:7]
    if not may_read(actor, code):
        actor.need(Permission.RED_LIST_VIEW)
    with request.app[SLOTS].one():
        rows = await report_rows(request.app[CALLBACKS].reports, actor, code, month)

        async def read(_: str | None) -> tuple[Sequence[LostRow | SaidRow], str | None]:
            return rows, None

        database, journal = request.app[DEPS].database, request.app[CRM].journal
        found = await begin_export(
            database, journal, actor, f"report-{code.value}", form, len(rows), {"month": month}, read
        )
        titles = report_titles(code)
        return await send_file(
            request, form, f"{code.value}-{month}", titles, found, lambda row: report_row(code, row)
        )


@requires(Permission.EXPORT)
@streaming
async def send_lost(request: web.Request) -> web.StreamResponse:
    """Send who left in a month, and why."""
    form, actor = form_of(request), current_actor(request)
    month = request.query.get("month", "")[:7]
    with request.app[SLOTS].one():
        rows = await request.app[CALLBACKS].reports.lost(actor, month)

        async def read(_: str | None) -> tuple[tuple[LostRow, ...], str | None]:
            return rows, None

        database, journal = request.app[DEPS].database, request.app[CRM].journal
        found = await begin_export(
            database, journal, actor, "lost", form, len(rows), {"month": month}, read, most=MAX_ROWS
        )
        return await send_file(request, form, f"lost-{month}", _titles(), found, _row)


def _titles() -> list[Cell]:
    return [
        gettext("客户"),
        gettext("合同号"),
        gettext("退单日期"),
        gettext("退单原因"),
        gettext("流失原因"),
        gettext("具体说明"),
        gettext("怎样会留下"),
        gettext("退单服务"),
        gettext("以后联系"),
    ]


def _row(row: LostRow) -> list[Cell]:
    return [
        row.customer_name,
        row.contract_no or "",
        row.ended_on.isoformat() if row.ended_on else "",
        row.ended_reason,
        said_reasons(row),
        row.more,
        row.better,
        labels.word(CONTENT, row.content) if row.content else "",
        labels.word(LATER, row.later) if row.later else "",
    ]
