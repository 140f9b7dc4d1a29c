"""``/api/v1/imports``: a sheet of customers and projects is sent, checked, looked at, then written."""

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from pydantic import Field

from crm.importing.jobs import ImportJobs, JobView
from crm.importing.report_file import english, report_csv, report_xlsx
from crm.importing.sheet import MAX_BYTES
from kernel.errors import NotFound
from kernel.ids import is_ulid
from web.api.files import Upload, upload
from web.api.operation import Call, Operation, declare_operation, operation, read_query
from web.api.v1.people import Route
from web.api.v1.people_schemas import Body
from web.api.v1.schemas import NoQuery, Out, SiteTime
from web.crm_part import CRM
from web.identity import current_actor
from web.permissions import Permission, requires

JOB = (("job_id", "Id of the import"),)
TAG = "imports"
NEEDED = Permission.DATA_IMPORT
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ImportForm(Body):
    """What comes with the file."""

    overwrite: bool = Field(
        default=False, description="What differs from what is written down here replaces it."
    )


class RunIn(Body):
    """How to write a file that was checked."""

    good_rows_only: bool = Field(
        default=False, description="Write the rows that are good though others are not."
    )


class ImportProblem(Out):
    """What is wrong in a row; with ``is_warning`` the row is imported nevertheless."""

    row: int
    column: str
    code: str
    value: str
    problem: str
    what_to_do: str
    is_warning: bool


class ImportReportOut(Out):
    """What an import did, or would do."""

    rows: int
    good: int
    bad: int
    warnings: int
    new_customers: int
    new_projects: int
    changed_customers: int
    changed_projects: int
    new_phones: int
    refusals: int
    unchanged: int
    new_tasks: int = Field(0, description="Callbacks that a campaign's list plans.")
    written: bool
    problems: tuple[ImportProblem, ...] = Field(
        description="Row by row, at most 2000; `bad` counts all rows."
    )


class ImportSummary(Out):
    """An import: ``checking``, ``checked``, ``importing``, ``done`` or ``refused``.

    ``step``, ``done`` and ``total`` say how far it is while it works.
    """

    job_id: str
    filename: str
    state: str
    overwrite: bool
    good_rows_only: bool
    uploaded_at: SiteTime
    uploaded_by: str
    finished_at: SiteTime | None
    problem: str | None
    step: str
    done: int
    total: int


class ImportOut(ImportSummary):
    """An import with its report, once it was checked."""

    report: ImportReportOut | None


class ImportList(Out):
    """The newest imports."""

    items: tuple[ImportSummary, ...]


def _jobs(request: web.Request) -> ImportJobs:
    return request.app[CRM].people.jobs


def import_summary(view: JobView) -> dict[str, object]:
    """Return what a list of imports shows of one."""
    named = {name: getattr(view, name) for name in ImportSummary.model_fields if hasattr(view, name)}
    return named | {
        "state": view.state.value,
        "overwrite": view.options.overwrite,
        "good_rows_only": view.options.good_rows_only,
    }


def import_out(view: JobView) -> ImportOut:
    """Return an import as the API shows it."""
    report = view.report
    if report is None:
        return ImportOut.model_validate(import_summary(view) | {"report": None})
    problems = []
    for item in report.problems:
        what, mend = english(item.code)
        problems.append(
            ImportProblem(
                row=item.row,
                column=item.column,
                code=item.code,
                value=item.value,
                problem=what,
                what_to_do=mend,
                is_warning=item.is_warning,
            )
        )
    names = set(ImportReportOut.model_fields) - {"problems"}
    figures = {name: getattr(report, name) for name in names}
    return ImportOut.model_validate(import_summary(view) | {"report": figures | {"problems": problems}})


@upload(
    form=ImportForm,
    response=ImportOut,
    permission=NEEDED,
    max_bytes=MAX_BYTES,
    summary="Send a sheet to check",
    description="CSV or `.xlsx` of at most 16 MB. It is checked in the background and written by nobody but "
    "`POST /imports/{job_id}/run`.",
    tag=TAG,
)
async def send_import(call: Call[NoQuery], sent: Upload) -> ImportOut:
    """Take a file to check."""
    form = sent.form
    assert isinstance(form, ImportForm)
    jobs = _jobs(call.request)
    return import_out(await jobs.upload(call.actor, sent.name, sent.content, overwrite=form.overwrite))


@operation(query=NoQuery, response=ImportList, permission=NEEDED, summary="List imports", tag=TAG)
async def list_imports(call: Call[NoQuery]) -> ImportList:
    """Return the newest imports."""
    found = await _jobs(call.request).list(call.actor)
    return ImportList(items=tuple(ImportSummary.model_validate(import_summary(view)) for view in found))


@operation(
    query=NoQuery,
    response=ImportOut,
    permission=NEEDED,
    summary="Read an import and its report",
    tag=TAG,
    path_parameters=JOB,
)
async def get_import(call: Call[NoQuery]) -> ImportOut:
    """Return an import."""
    return import_out(await _jobs(call.request).get(call.actor, call.request.match_info["job_id"]))


@operation(
    query=NoQuery,
    response=ImportOut,
    permission=NEEDED,
    summary="Write a sheet that was checked",
    description="All of it or nothing, in the background; the same sheet again changes nothing.",
    tag=TAG,
    path_parameters=JOB,
    body=RunIn,
)
async def run_import(call: Call[NoQuery]) -> ImportOut:
    """Begin to write."""
    key, only = call.request.match_info["job_id"], call.body(RunIn).good_rows_only
    return import_out(await _jobs(call.request).start(call.actor, key, good_rows_only=only))


def _report(
    extension: str, media_type: str, write: Callable[[JobView], bytes]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return a handler that hands the report out as a file, where no cell becomes a formula."""

    @requires(NEEDED)
    async def handle(request: web.Request) -> web.StreamResponse:
        key = request.match_info["job_id"]
        if not is_ulid(key):
            raise NotFound("job_id: no such thing", field="job_id")
        read_query(request, NoQuery)
        view = await _jobs(request).get(current_actor(request), key)
        name = f"import-{view.job_id}.{extension}"
        return web.Response(
            body=write(view),
            content_type=media_type,
            headers={
                hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"',
                hdrs.CACHE_CONTROL: "private, no-cache",
                "X-Content-Type-Options": "nosniff",
            },
        )

    handle.__doc__ = "Return the report as a file."
    declared = Operation(
        operation_id=f"get_import_report_{extension}",
        summary=f"Fetch the report of an import as {extension.upper()}",
        description="A row for each thing that is wrong: row, column, value, problem, what to do.",
        tag=TAG,
        permission=NEEDED,
        query=NoQuery,
        response=None,
        media_types=(media_type,),
        path_parameters=JOB,
    )
    return declare_operation(handle, declared)


get_report_csv = _report("csv", "text/csv", lambda job: report_csv(job.report.problems if job.report else ()))
get_report_xlsx = _report("xlsx", EXCEL, lambda job: report_xlsx(job.report.problems if job.report else ()))

ROUTES: tuple[Route, ...] = (
    ("POST", "/imports", send_import),
    ("GET", "/imports", list_imports),
    ("GET", "/imports/{job_id}", get_import),
    ("POST", "/imports/{job_id}/run", run_import),
)
FILES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/imports/{job_id}/report.csv", get_report_csv),
    ("GET", "/imports/{job_id}/report.xlsx", get_report_xlsx),
)
