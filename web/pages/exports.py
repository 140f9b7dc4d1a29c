"""Lists of cases as files, CSV or Excel, sent while they are read, in the words of the pages."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import BinaryIO, TypeVar

import structlog
from aiohttp import web

from crm.case_lists import BoardRow
from crm.complaint_views import OverdueRow
from crm.crew_repairs import CrewRepairs
from crm.exports import CaseExports, Export, FileForm
from crm.limit_lists import OverdueList
from crm.repeat_complaints import RepeatComplaint
from crm.sheets import Cell, ExcelFile, chunks, csv_part
from crm.voices import VoiceView
from kernel.errors import NotFound, TooMany
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import gettext
from web.identity import current_actor
from web.pages import case_board, case_words, figures
from web.pages.case_parts import CASE_LISTS, departments
from web.pages.lists import repeats, voices
from web.pages.lists.appraisal_file import appraisal_row, appraisal_titles
from web.pages.lists.point_ledger import ledger_row, ledger_titles
from web.pages.office.overdue import LISTS
from web.permissions import Permission, requires, streaming

log = structlog.get_logger(__name__)

EXPORTS: web.AppKey[CaseExports] = web.AppKey("EXPORTS", CaseExports)
SLOTS: web.AppKey["Slots"] = web.AppKey("EXPORT_SLOTS")
AT_ONCE = 2
"""Files a process makes at the same time; each keeps a processor busy for seconds."""
DEADLINE = timedelta(minutes=5)
WRITE_DEADLINE = timedelta(seconds=30)
MEDIA_TYPES = {
    FileForm.CSV: "text/csv; charset=utf-8",
    FileForm.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

T = TypeVar("T")
Row = list[Cell]


def setup(app: web.Application) -> None:
    """Add the routes."""
    deps, crm = app[DEPS], app[CRM]
    app[EXPORTS] = CaseExports(
        deps.database,
        crm.journal,
        lists=app[CASE_LISTS],
        late=crm.complaints.overdue,
        repeats=crm.repeats,
        voices=crm.voices,
        figures=crm.figures,
        appraisals=crm.appraisals,
    )
    app[SLOTS] = Slots(AT_ONCE)
    app.router.add_get("/exports/cases.{form}", send_board)
    app.router.add_get("/exports/overdue.{form}", send_overdue)
    app.router.add_get("/exports/repeats.{form}", send_repeats)
    app.router.add_get("/exports/voices.{form}", send_voices)
    app.router.add_get("/exports/crew-repairs.{form}", send_crew_repairs)
    app.router.add_get("/exports/appraisals.{form}", send_appraisals)
    app.router.add_get("/exports/repair-points.{form}", send_ledger)


@requires(Permission.EXPORT)
@streaming
async def send_board(request: web.Request) -> web.StreamResponse:
    """Send the board of cases, filtered as the page is."""
    actor, form = current_actor(request), form_of(request)
    asked = case_board.asked_form(request)
    wanted = case_board.wanted_of(asked, actor.user_id, await departments(request))
    with request.app[SLOTS].one():
        found = await request.app[EXPORTS].board(actor, wanted, overdue=asked["overdue"] == "1", form=form)
        return await send_file(request, form, "cases", _board_titles(), found, _board_row(request))


@requires(Permission.EXPORT)
@streaming
async def send_overdue(request: web.Request) -> web.StreamResponse:
    """Send one of the lists of what is late."""
    actor, form = current_actor(request), form_of(request)
    which = request.query.get("list", "")
    if which not in LISTS:
        raise NotFound("no such list", field="list")
    department = request.query.get("department", "")[:16] or None
    with request.app[SLOTS].one():
        found = await request.app[EXPORTS].overdue(
            actor, OverdueList(which), department=department, form=form
        )
        return await send_file(request, form, f"overdue-{which}", _late_titles(), found, _late_row(request))


@requires(Permission.EXPORT)
@streaming
async def send_repeats(request: web.Request) -> web.StreamResponse:
    """Send the complaints that repeat."""
    form = form_of(request)
    wanted = await repeats.wanted_of(request, repeats.asked_form(request))
    with request.app[SLOTS].one():
        found = await request.app[EXPORTS].repeats(current_actor(request), wanted, form=form)
        return await send_file(request, form, "repeats", _repeat_titles(), found, _repeat_row(request))


@requires(Permission.EXPORT)
@streaming
async def send_voices(request: web.Request) -> web.StreamResponse:
    """Send suggestions of customers and news of competitors."""
    form = form_of(request)
    with request.app[SLOTS].one():
        found = await request.app[EXPORTS].voices(
            current_actor(request), voices.wanted_of(request), form=form
        )
        return await send_file(request, form, "voices", _voice_titles(), found, _voice_row(request))


@requires(Permission.EXPORT)
@streaming
async def send_crew_repairs(request: web.Request) -> web.StreamResponse:
    """Send the repairs of a month per crew."""
    form = form_of(request)
    _, asked = await figures.asked_of(request)
    with request.app[SLOTS].one():
        found = await request.app[EXPORTS].crew_repairs(current_actor(request), asked, form=form)
        return await send_file(request, form, "crew-repairs", _crew_titles(), found, _crew_row)


@requires(Permission.RECOVERY_HANDLE)
@streaming
async def send_appraisals(request: web.Request) -> web.StreamResponse:
    """Send a month's appraisal entries that went to payroll."""
    form, month = form_of(request), request.query.get("month", "")[:7]
    with request.app[SLOTS].one():
        found = await request.app[EXPORTS].appraisals(current_actor(request), month, form=form)
        return await send_file(
            request, form, f"appraisals-{month}", appraisal_titles(), found, await appraisal_row(request)
        )


@requires(Permission.EXPORT)
@streaming
async def send_ledger(request: web.Request) -> web.StreamResponse:
    """Send a month's ledger of the repair points, of all or of one."""
    form, month = form_of(request), request.query.get("month", "")[:7]
    point_id = request.query.get("point", "")[:40] or None
    with request.app[SLOTS].one():
        found = await request.app[CRM].point_ledger.take_out(
            current_actor(request), month, form=form, point_id=point_id
        )
        return await send_file(request, form, f"repair-points-{month}", ledger_titles(), found, ledger_row)


def form_of(request: web.Request) -> FileForm:
    """Return the kind of file that the address names. Raises NotFound."""
    try:
        return FileForm(request.match_info["form"])
    except ValueError as error:
        raise NotFound("no such kind of file", field="form") from error


class Slots:
    """The few files that a process makes at once."""

    def __init__(self, many: int) -> None:
        self._free = many

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a slot. Raises TooMany when there is none left."""
        if not self._free:
            raise TooMany("other files are being made; try again in a moment")
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


async def send_file(
    request: web.Request,
    form: FileForm,
    name: str,
    titles: Row,
    found: Export[T],
    row_of: Callable[[T], Row],
) -> web.StreamResponse:
    """Send a list as a file while it is read."""
    now = request.app[DEPS].clock.now().astimezone(request.app[DEPS].settings.timezone)
    response = web.StreamResponse(
        headers={
            "Content-Type": MEDIA_TYPES[form],
            "Content-Disposition": f'attachment; filename="{name}-{now:%Y%m%d-%H%M}.{form.value}"',
            "Cache-Control": "no-store",
        }
    )
    parts = _csv(titles, found, row_of) if form is FileForm.CSV else _excel(name, titles, found, row_of)
    try:
        async with asyncio.timeout(DEADLINE.total_seconds()):
            # The first part is there before the head goes out: until then an error is still an answer.
            first = await anext(parts)
            await response.prepare(request)
            await _write(response, first)
            async for part in parts:
                await _write(response, part)
            await response.write_eof()
    except ConnectionResetError:
        log.info("export_left", name=name)
    finally:
        await parts.aclose()
    return response


async def _write(response: web.StreamResponse, part: bytes) -> None:
    async with asyncio.timeout(WRITE_DEADLINE.total_seconds()):
        await response.write(part)


async def _csv(titles: Row, found: Export[T], row_of: Callable[[T], Row]) -> AsyncGenerator[bytes, None]:
    yield csv_part([titles], first=True)
    async for items in found.pages:
        yield csv_part([row_of(item) for item in items])


async def _excel(
    name: str, titles: Row, found: Export[T], row_of: Callable[[T], Row]
) -> AsyncGenerator[bytes, None]:
    book = ExcelFile(name)
    file: BinaryIO | None = None
    try:
        book.add([titles])
        async for items in found.pages:
            await asyncio.to_thread(book.add, [row_of(item) for item in items])
        file = await asyncio.to_thread(book.finish)
        for part in chunks(file):
            yield part
    finally:
        if file is not None:
            file.close()


# What stands in the rows


def time_cell(request: web.Request) -> Callable[[datetime | None], str]:
    """Return what writes a moment into a cell."""
    zone = request.app[DEPS].settings.timezone
    return lambda at: at.astimezone(zone).strftime("%Y-%m-%d %H:%M") if at is not None else ""


def _yes(value: bool) -> str:
    return gettext("是") if value else ""


def _board_titles() -> Row:
    return [
        gettext("单号"),
        gettext("种类"),
        gettext("状态"),
        gettext("严重程度"),
        gettext("来电次数"),
        gettext("摘要"),
        gettext("客户"),
        gettext("地址"),
        gettext("合同号"),
        gettext("负责部门"),
        gettext("专员"),
        gettext("店面"),
        gettext("来源"),
        gettext("登记时间"),
        gettext("时限"),
        gettext("应在"),
        gettext("超时"),
        gettext("结案时间"),
    ]


def _board_row(request: web.Request) -> Callable[[BoardRow], Row]:
    time = time_cell(request)

    def row(item: BoardRow) -> Row:
        case, limit = item.case, item.limit
        return [
            case.no,
            labels.word(labels.CASE_KINDS, case.kind.value),
            labels.word(labels.CASE_STATUSES, case.status.value),
            labels.word(case_words.SEVERITIES, case.severity),
            case.call_count,
            case.summary,
            case.customer_name,
            case.address or "",
            case.contract_no or "",
            gettext("、").join(item.departments),
            case.specialist or "",
            case.store or "",
            labels.word(case_words.SOURCES, case.source),
            time(case.opened_at),
            labels.word(case_words.LIMITS, limit.code) if limit else "",
            time(limit.due_at) if limit else "",
            _yes(limit is not None and limit.overdue),
            time(case.closed_at),
        ]

    return row


def _late_titles() -> Row:
    return [
        gettext("单号"),
        gettext("种类"),
        gettext("状态"),
        gettext("严重程度"),
        gettext("摘要"),
        gettext("客户"),
        gettext("地址"),
        gettext("部门"),
        gettext("经办人"),
        gettext("专员"),
        gettext("应在"),
        gettext("超时小时"),
    ]


def _late_row(request: web.Request) -> Callable[[OverdueRow], Row]:
    time = time_cell(request)
    statuses = {**labels.CASE_STATUSES, **case_words.LINE_STATUSES}

    def row(item: OverdueRow) -> Row:
        return [
            item.no,
            labels.word(labels.CASE_KINDS, item.kind.value),
            labels.word(statuses, item.status),
            labels.word(case_words.SEVERITIES, item.severity),
            item.summary,
            item.customer_name,
            item.address or "",
            item.department_name or "",
            item.person or "",
            item.specialist or "",
            time(item.due_at),
            round(item.late_seconds / 3600, 1),
        ]

    return row


def _repeat_titles() -> Row:
    return [
        gettext("单号"),
        gettext("状态"),
        gettext("严重程度"),
        gettext("问题类别"),
        gettext("摘要"),
        gettext("客户"),
        gettext("地址"),
        gettext("合同号"),
        gettext("店面"),
        gettext("专员"),
        gettext("登记时间"),
        gettext("此前次数"),
        gettext("同一问题再犯"),
        gettext("此前单号"),
    ]


def _repeat_row(request: web.Request) -> Callable[[RepeatComplaint], Row]:
    time = time_cell(request)

    def row(item: RepeatComplaint) -> Row:
        case = item.case
        return [
            case.no,
            labels.word(labels.CASE_STATUSES, case.status.value),
            labels.word(case_words.SEVERITIES, case.severity),
            gettext("、").join(labels.word(case_words.CLASSES, one.value) for one in item.classes),
            case.summary,
            case.customer_name,
            case.address or "",
            case.contract_no or "",
            case.store or "",
            case.specialist or "",
            time(case.opened_at),
            item.times,
            _yes(item.same_class),
            " ".join(before.no for before in item.earlier),
        ]

    return row


def _voice_titles() -> Row:
    return [
        gettext("月份"),
        gettext("种类"),
        gettext("同行"),
        gettext("客户怎么说"),
        gettext("客户"),
        gettext("单号"),
        gettext("记录时间"),
        gettext("记录人"),
    ]


def _voice_row(request: web.Request) -> Callable[[VoiceView], Row]:
    time = time_cell(request)

    def row(item: VoiceView) -> Row:
        return [
            item.month,
            labels.word(voices.KINDS, item.kind.value),
            item.competitor,
            item.text,
            item.customer_name or "",
            item.case_no or "",
            time(item.at),
            item.by,
        ]

    return row


def _crew_titles() -> Row:
    return [
        gettext("原施工队"),
        gettext("报修"),
        gettext("90 天内重复报修"),
        gettext("正常维修"),
        gettext("非正常维修"),
        gettext("维修费用"),
    ]


def _crew_row(item: CrewRepairs) -> Row:
    crew = item.crew or gettext("没有原施工队")
    return [crew, item.repairs, item.repeats, item.normal, item.abnormal, str(item.cost)]
