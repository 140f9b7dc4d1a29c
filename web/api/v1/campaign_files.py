"""Campaigns and files: their lists come in; attempts and results go out."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from aiohttp import hdrs, web
from pydantic import BaseModel

from callback_campaigns.campaign_results import ListedAttempt, TaskResult
from crm.exports import FileForm
from crm.importing.report_file import report_csv, report_xlsx
from crm.importing.sheet import MAX_BYTES
from crm.sheets import Cell
from kernel.errors import NotFound
from kernel.ids import is_ulid
from web.api.files import Upload, upload
from web.api.operation import Call, Operation, declare_operation, operation, read_query
from web.api.v1.campaigns import CAMPAIGN, DIALS, RUNS, TAG, key_of, part, wanted_of
from web.api.v1.campaigns_schemas import AttemptsAsked
from web.api.v1.imports import ImportList, ImportOut, ImportSummary, RunIn, import_out, import_summary
from web.api.v1.people_schemas import Body
from web.api.v1.schemas import NoQuery
from web.callback_part import CALLBACKS
from web.deps import DEPS
from web.idempotency import Idempotency
from web.identity import current_actor
from web.masking import masked
from web.pages.exports import MEDIA_TYPES, SLOTS, send_file
from web.permissions import Permission, requires, streaming

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LIST = (("job_id", "Id of the list."),)


class ListForm(Body):
    """Nothing comes with the file."""


@upload(
    form=ListForm,
    response=ImportOut,
    permission=RUNS,
    max_bytes=MAX_BYTES,
    summary="Send a campaign's list to check",
    description="CSV or `.xlsx` of at most 16 MB with names and numbers. It is checked in the background; "
    "nobody is planned before `POST /campaign-lists/{job_id}/run`.",
    tag=TAG,
    path_parameters=CAMPAIGN,
)
async def send_campaign_list(call: Call[NoQuery], sent: Upload) -> ImportOut:
    """Take a list to check."""
    key, found = key_of(call), part(call)
    await found.contact_lists.campaign(key)
    return import_out(await found.list_jobs.upload(call.actor, sent.name, sent.content, campaign_id=key))


@operation(
    query=NoQuery,
    response=ImportList,
    permission=RUNS,
    summary="List the lists of a campaign",
    tag=TAG,
    path_parameters=CAMPAIGN,
)
async def list_campaign_lists(call: Call[NoQuery]) -> ImportList:
    """Return the newest lists."""
    await part(call).campaigns.get(call.actor, key_of(call))
    found = await part(call).list_jobs.list(call.actor, key_of(call))
    return ImportList(items=tuple(ImportSummary.model_validate(import_summary(view)) for view in found))


@operation(
    query=NoQuery,
    response=ImportOut,
    permission=RUNS,
    summary="Read a campaign's list and its report",
    tag=TAG,
    path_parameters=LIST,
)
async def get_campaign_list(call: Call[NoQuery]) -> ImportOut:
    """Return a list."""
    return import_out(await part(call).list_jobs.get(call.actor, call.request.match_info["job_id"]))


@operation(
    query=NoQuery,
    response=ImportOut,
    permission=RUNS,
    summary="Plan the callbacks of a list that was checked",
    description=f"In the background; the same list again plans nothing twice. {DIALS}",
    tag=TAG,
    path_parameters=LIST,
    body=RunIn,
    idempotent=Idempotency.REQUIRED,
)
async def run_campaign_list(call: Call[NoQuery]) -> ImportOut:
    """Begin to write."""
    job_id, only = call.request.match_info["job_id"], call.body(RunIn).good_rows_only
    return import_out(await part(call).list_jobs.start(call.actor, job_id, good_rows_only=only))


def _declared(
    handle: Handler,
    name: str,
    summary: str,
    form: FileForm,
    *,
    permission: Permission,
    query: type[BaseModel] = NoQuery,
    path_parameters: tuple[tuple[str, str], ...] = (),
) -> Handler:
    handle.__doc__ = f"{summary}."
    return declare_operation(
        handle,
        Operation(
            operation_id=f"{name}_{form.value}",
            summary=f"{summary} as {form.value.upper()}",
            description="No cell becomes a formula; what is taken out is noted.",
            tag=TAG,
            permission=permission,
            query=query,
            response=None,
            media_types=(MEDIA_TYPES[form].partition(";")[0],),
            path_parameters=path_parameters,
        ),
    )


def _report(form: FileForm) -> Handler:
    @requires(RUNS)
    async def handle(request: web.Request) -> web.StreamResponse:
        job_id = request.match_info["job_id"]
        if not is_ulid(job_id):
            raise NotFound("job_id: no such thing", field="job_id")
        read_query(request, NoQuery)
        view = await request.app[CALLBACKS].list_jobs.get(current_actor(request), job_id)
        problems = view.report.problems if view.report else ()
        body = report_csv(problems) if form is FileForm.CSV else report_xlsx(problems)
        return web.Response(
            body=body,
            content_type=MEDIA_TYPES[form].partition(";")[0],
            headers={
                hdrs.CONTENT_DISPOSITION: f'attachment; filename="list-{job_id}.{form.value}"',
                hdrs.CACHE_CONTROL: "private, no-cache",
            },
        )

    return _declared(
        handle,
        "get_campaign_list_report",
        "Fetch the report of a campaign's list",
        form,
        permission=RUNS,
        path_parameters=LIST,
    )


def _attempts(form: FileForm) -> Handler:
    @requires(Permission.EXPORT)
    @streaming
    async def handle(request: web.Request) -> web.StreamResponse:
        asked = read_query(request, AttemptsAsked)
        with request.app[SLOTS].one():
            results, actor = request.app[CALLBACKS].campaign_results, current_actor(request)
            found = await results.export_attempts(actor, wanted_of(asked), form=form)
            titles: list[Cell] = list(_ATTEMPT)
            return await send_file(request, form, "dial-attempts", titles, found, _attempt_row(request))

    return _declared(
        handle,
        "export_dial_attempts",
        "Fetch attempts",
        form,
        permission=Permission.EXPORT,
        query=AttemptsAsked,
    )


def _results(form: FileForm) -> Handler:
    @requires(Permission.EXPORT)
    @streaming
    async def handle(request: web.Request) -> web.StreamResponse:
        key = request.match_info["campaign_id"]
        read_query(request, NoQuery)
        with request.app[SLOTS].one():
            results, actor = request.app[CALLBACKS].campaign_results, current_actor(request)
            found = await results.export_results(actor, key, form=form)
            titles: list[Cell] = list(_RESULT)
            return await send_file(request, form, "campaign-results", titles, found, _result_row(request))

    return _declared(
        handle,
        "export_campaign_results",
        "Fetch what a campaign came to",
        form,
        permission=Permission.EXPORT,
        path_parameters=CAMPAIGN,
    )


_ATTEMPT = (
    "attempt_id",
    "campaign",
    "task_id",
    "kind",
    "customer_id",
    "customer_name",
    "number",
    "trunk",
    "agent",
    "state",
    "outcome",
    "began_at",
    "answered_at",
    "ended_at",
    "cause",
    "heard",
    "heard_as",
    "heard_sure",
)
_RESULT = (
    "task_id",
    "kind",
    "level",
    "customer_id",
    "customer_name",
    "contract_no",
    "status",
    "verdict",
    "score",
    "attempts",
    "last_at",
    "ended_at",
)


def _cell(request: web.Request) -> Callable[[object], Cell]:
    zone = request.app[DEPS].settings.timezone

    def cell(value: object) -> Cell:
        if isinstance(value, datetime):
            return value.astimezone(zone).isoformat(timespec="seconds")
        return value if isinstance(value, int) else str(value) if value is not None else ""

    return cell


def _attempt_row(request: web.Request) -> Callable[[ListedAttempt], list[Cell]]:
    cell = _cell(request)

    def row(item: ListedAttempt) -> list[Cell]:
        heard = item.heard
        values = {name: getattr(item, name) for name in _ATTEMPT if hasattr(item, name)} | {
            "number": masked(item.number),
            "heard": heard.text if heard else None,
            "heard_as": heard.announcement if heard else None,
            "heard_sure": heard.sure if heard else None,
        }
        return [cell(values[name]) for name in _ATTEMPT]

    return row


def _result_row(request: web.Request) -> Callable[[TaskResult], list[Cell]]:
    cell = _cell(request)
    return lambda item: [cell(getattr(item, name)) for name in _RESULT]


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/campaigns/{campaign_id}/lists", send_campaign_list),
    ("GET", "/campaigns/{campaign_id}/lists", list_campaign_lists),
    ("GET", "/campaign-lists/{job_id}", get_campaign_list),
    ("POST", "/campaign-lists/{job_id}/run", run_campaign_list),
    ("GET", "/campaign-lists/{job_id}/report.csv", _report(FileForm.CSV)),
    ("GET", "/campaign-lists/{job_id}/report.xlsx", _report(FileForm.XLSX)),
    ("GET", "/campaigns/{campaign_id}/results.csv", _results(FileForm.CSV)),
    ("GET", "/campaigns/{campaign_id}/results.xlsx", _results(FileForm.XLSX)),
    ("GET", "/dial-attempts.csv", _attempts(FileForm.CSV)),
    ("GET", "/dial-attempts.xlsx", _attempts(FileForm.XLSX)),
)
