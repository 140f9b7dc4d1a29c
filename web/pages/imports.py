"""Imports: upload a sheet, look at what it would do, then do it; the report as a file."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from aiohttp import BodyPartReader, web

from crm.importing.jobs import JobView
from crm.importing.report_file import report_csv, report_xlsx
from crm.importing.sheet import MAX_BYTES, BadSheet
from crm.people_services import PeopleServices
from kernel.errors import Conflict, Invalid
from kernel.supervise import Supervisor
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import gettext
from web.identity import current_actor
from web.pages.customer import services
from web.pages.people_forms import Refused, read_form
from web.pages.people_words import import_words
from web.pages.shell import render, see_other
from web.permissions import Permission, requires

SHOWN = 200
LOOK_EVERY = timedelta(minutes=1)
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def setup(app: web.Application) -> None:
    """Add the routes, and what works on uploads."""
    app.router.add_get("/import", show)
    app.router.add_post("/import", upload)
    app.router.add_get("/import/{job_id}", job)
    app.router.add_post("/import/{job_id}/run", run)
    app.router.add_get("/import/{job_id}/report.csv", download_csv)
    app.router.add_get("/import/{job_id}/report.xlsx", download_excel)
    app.cleanup_ctx.append(work)


async def work(app: web.Application) -> AsyncIterator[None]:
    """Work on uploads, and end freezes and warranties whose day has come, while the application runs."""
    tasks, people = Supervisor(app[DEPS].clock), app[CRM].people
    tasks.spawn("imports", people.jobs.run)
    tasks.spawn("days", lambda: watch_days(people))
    yield
    await tasks.close()


async def watch_days(people: PeopleServices) -> None:
    """Look once a minute for days that have come, until cancelled."""
    while True:
        await people.lift_and_expire()
        await asyncio.sleep(LOOK_EVERY.total_seconds())


@requires(Permission.DATA_IMPORT)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the upload form and the last imports."""
    return await _page(request)


async def _page(request: web.Request, refused: Refused | None = None) -> web.Response:
    jobs = await services(request).jobs.list(current_actor(request))
    context = {"jobs": jobs, "refused": refused, "states": states()}
    return render(request, "imports.html", context, status=400 if refused else 200)


@requires(Permission.DATA_IMPORT)
async def upload(request: web.Request) -> web.StreamResponse:
    """Take a file; it is checked in the background."""
    try:
        filename, content, overwrite = await read_upload(request)
        view = await services(request).jobs.upload(
            current_actor(request), filename, content, overwrite=overwrite
        )
    except Invalid as error:
        return await _page(request, Refused.of("import", error))
    return see_other(f"/import/{view.job_id}")


async def read_upload(request: web.Request) -> tuple[str, bytes, bool]:
    """Return name, content and whether the file goes over what is here. Raises Invalid."""
    if not request.content_type.startswith("multipart/"):
        raise BadSheet("choose a file", field="file")
    filename, content, overwrite = "", b"", False
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        if part.name == "overwrite":
            overwrite = (await part.read_chunk(1024)) == b"1"
        elif part.name == "file":
            filename = part.filename or ""
            pieces, size = [], 0
            while piece := await part.read_chunk(256 * 1024):
                size += len(piece)
                if size > MAX_BYTES:
                    raise BadSheet("the file is too large", field="file")
                pieces.append(piece)
            content = b"".join(pieces)
    return filename, content, overwrite


@requires(Permission.DATA_IMPORT)
async def job(request: web.Request) -> web.StreamResponse:
    """Show how far an import is, and what it found."""
    view = await services(request).jobs.get(current_actor(request), request.match_info["job_id"])
    return _job_page(request, view)


def _job_page(request: web.Request, view: JobView, status: int = 200) -> web.Response:
    problems = view.report.problems if view.report else ()
    context = {
        "job": view,
        "states": states(),
        "rows": [(item, *import_words(item.code)) for item in problems[:SHOWN]],
        "more": max(0, len(problems) - SHOWN),
        "percent": round(100 * view.done / view.total) if view.total else 0,
    }
    return render(request, "import_job.html", context, status=status)


@requires(Permission.DATA_IMPORT)
async def run(request: web.Request) -> web.StreamResponse:
    """Import a file that was checked."""
    form = await read_form(request)
    key = request.match_info["job_id"]
    jobs, actor = services(request).jobs, current_actor(request)
    try:
        await jobs.start(actor, key, good_rows_only=form.get("good_rows_only") == "1")
    except Conflict:
        return _job_page(request, await jobs.get(actor, key), status=409)
    return see_other(f"/import/{key}")


@requires(Permission.DATA_IMPORT)
async def download_csv(request: web.Request) -> web.StreamResponse:
    """Return the report as CSV."""
    view = await services(request).jobs.get(current_actor(request), request.match_info["job_id"])
    problems = view.report.problems if view.report else ()
    body = report_csv(problems, words=import_words, titles=report_titles())
    return _file(body, "text/csv", f"import-{view.job_id}.csv")


@requires(Permission.DATA_IMPORT)
async def download_excel(request: web.Request) -> web.StreamResponse:
    """Return the report as an Excel file."""
    view = await services(request).jobs.get(current_actor(request), request.match_info["job_id"])
    problems = view.report.problems if view.report else ()
    body = report_xlsx(problems, words=import_words, titles=report_titles())
    return _file(body, EXCEL, f"import-{view.job_id}.xlsx")


def _file(body: bytes, content_type: str, name: str) -> web.Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(body=body, content_type=content_type, headers=headers)


def report_titles() -> tuple[str, ...]:
    """Return the titles of a report's columns."""
    return (gettext("行"), gettext("列"), gettext("原内容"), gettext("问题"), gettext("怎样改"))


def states() -> dict[str, str]:
    """Return what the states of an import are called."""
    return {
        "checking": gettext("检查中"),
        "checked": gettext("已检查，待导入"),
        "importing": gettext("导入中"),
        "done": gettext("已导入"),
        "refused": gettext("未导入"),
    }
