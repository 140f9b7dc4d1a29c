"""Takes photos and scans into a complaint: into one of its lines, or the case as a whole."""

from collections.abc import Mapping

from aiohttp import web

from crm.attachments import Purpose
from kernel.access import Actor
from kernel.errors import HuifangError, Invalid
from web.i18n import gettext
from web.identity import current_actor
from web.pages import cases
from web.pages.case_files import STEP
from web.pages.case_shown import Attempt
from web.pages.case_words import FILE_PURPOSES
from web.pages.office import lines
from web.pages.office.parts import Attempt as LineAttempt
from web.pages.office.parts import files_of, read_form, refused
from web.pages.shell import see_other
from web.permissions import Permission, requires
from web.problems import status_of


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_post("/cases/{case_id}/files", add)
    app.router.add_get("/cases/{case_id}/files", back)


@requires(Permission.CASES_VIEW)
async def add(request: web.Request) -> web.StreamResponse:
    """Keep what was chosen; refused, the page comes back with the reason. It goes back to where it stood."""
    case_id = request.match_info["case_id"][:40]
    form = await read_form(request)
    page_of = _text(form, "page")
    try:
        await _keep(request.app, current_actor(request), case_id, form)
    except HuifangError as error:
        status = int(status_of(error))
        if status >= 500 or status == 404:
            raise
        problem = refused(error, frozenset())[0] if _chosen(form) else gettext("请先选择文件。")
        if page_of:
            tried = LineAttempt(step=STEP, form=form, problem=problem)
            return await lines.page(request, page_of, tried, status=status)
        return await cases.page(
            request, case_id, Attempt(step=STEP, form=form, problem=problem), status=status
        )
    return see_other(f"/lines/{page_of}?done={STEP}" if page_of else f"/cases/{case_id}?done={STEP}#{STEP}")


@requires(Permission.CASES_VIEW)
async def back(request: web.Request) -> web.StreamResponse:
    """Lead to the case: a refused form has this address, which somebody may reload."""
    return see_other(f"/cases/{request.match_info['case_id'][:40]}")


async def _keep(app: web.Application, actor: Actor, case_id: str, form: Mapping[str, object]) -> None:
    purpose = _text(form, "purpose")
    if purpose not in FILE_PURPOSES:
        raise Invalid("photo or scan", field="purpose")
    if not _chosen(form):
        raise Invalid("nothing was chosen", field="file")
    line_id = _text(form, "line_id") or None
    await lines.upload(app, actor, case_id, form, line_id=line_id, purpose=Purpose(purpose), name="file")


def _chosen(form: Mapping[str, object]) -> bool:
    return bool(files_of(form, "file"))


def _text(form: Mapping[str, object], name: str) -> str:
    value = form.get(name, "")
    return value[:40] if isinstance(value, str) else ""
