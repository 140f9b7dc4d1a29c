"""The lists of a campaign: upload, look at what would be planned, then plan; the report as a file."""

from aiohttp import web

from crm.exports import FileForm
from crm.importing.jobs import JobView
from crm.importing.report_file import report_csv, report_xlsx
from kernel.errors import Conflict, HuifangError, NotFound
from web.callback_part import CALLBACKS
from web.identity import current_actor
from web.pages import campaign_words as words
from web.pages.exports import MEDIA_TYPES, form_of
from web.pages.imports import SHOWN, read_upload, report_titles, states
from web.pages.people_forms import EXPECTED, read_form
from web.pages.people_words import import_words
from web.pages.shell import render, see_other
from web.permissions import Permission, requires


def setup(app: web.Application) -> None:
    """Add the routes."""
    router = app.router
    router.add_get("/campaigns/{campaign_id}/lists", show)
    router.add_post("/campaigns/{campaign_id}/lists", upload)
    router.add_get("/campaigns/{campaign_id}/lists/{job_id}", show_job)
    router.add_post("/campaigns/{campaign_id}/lists/{job_id}/run", run)
    router.add_get("/campaigns/{campaign_id}/lists/{job_id}/report.{form}", download)


@requires(Permission.CAMPAIGNS_RUN)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the upload form and the campaign's lists."""
    return await _page(request)


@requires(Permission.CAMPAIGNS_RUN)
async def upload(request: web.Request) -> web.StreamResponse:
    """Take a file; it is checked in the background."""
    part, key = request.app[CALLBACKS], request.match_info["campaign_id"]
    try:
        await part.contact_lists.campaign(key)
        name, content, _ = await read_upload(request)
        view = await part.list_jobs.upload(current_actor(request), name, content, campaign_id=key)
    except EXPECTED as error:
        return await _page(request, error)
    return see_other(f"/campaigns/{key}/lists/{view.job_id}")


@requires(Permission.CAMPAIGNS_RUN)
async def show_job(request: web.Request) -> web.StreamResponse:
    """Show what a list would plan, or did."""
    return await _job_page(request, await _job(request))


@requires(Permission.CAMPAIGNS_RUN)
async def run(request: web.Request) -> web.StreamResponse:
    """Plan the callbacks of a list that was checked."""
    form, view = await read_form(request), await _job(request)
    jobs, actor = request.app[CALLBACKS].list_jobs, current_actor(request)
    try:
        await jobs.start(actor, view.job_id, good_rows_only=form.get("good_rows_only") == "1")
    except Conflict:
        return await _job_page(request, await _job(request), status=409)
    return see_other(f"/campaigns/{request.match_info['campaign_id']}/lists/{view.job_id}")


@requires(Permission.CAMPAIGNS_RUN)
async def download(request: web.Request) -> web.StreamResponse:
    """Return the report as CSV or Excel."""
    form, view = form_of(request), await _job(request)
    problems = view.report.problems if view.report else ()
    write = report_csv if form is FileForm.CSV else report_xlsx
    return web.Response(
        body=write(problems, words=import_words, titles=report_titles()),
        content_type=MEDIA_TYPES[form].partition(";")[0],
        headers={"Content-Disposition": f'attachment; filename="list-{view.job_id}.{form.value}"'},
    )


async def _job(request: web.Request) -> JobView:
    view = await request.app[CALLBACKS].list_jobs.get(current_actor(request), request.match_info["job_id"])
    if view.options.campaign_id != request.match_info["campaign_id"]:
        raise NotFound("no such list", field="job_id")
    return view


async def _page(request: web.Request, error: HuifangError | None = None) -> web.Response:
    part, actor, key = request.app[CALLBACKS], current_actor(request), request.match_info["campaign_id"]
    context = {
        "view": await part.campaigns.get(actor, key),
        "jobs": await part.list_jobs.list(actor, key),
        "problem": words.advice(error.field, error.code) if error else "",
        "states": states(),
    }
    return render(request, "campaigns/lists.html", context, status=400 if error else 200)


async def _job_page(request: web.Request, view: JobView, status: int = 200) -> web.Response:
    problems = view.report.problems if view.report else ()
    campaign = await request.app[CALLBACKS].campaigns.get(
        current_actor(request), request.match_info["campaign_id"]
    )
    context = {
        "view": campaign,
        "job": view,
        "states": states(),
        "rows": [(item, *import_words(item.code)) for item in problems[:SHOWN]],
        "more": max(0, len(problems) - SHOWN),
        "percent": round(100 * view.done / view.total) if view.total else 0,
    }
    return render(request, "campaigns/list_job.html", context, status=status)
