"""Files of repair points' agreements, put in and handed out."""

from collections.abc import Mapping

from aiohttp import web

from kernel.errors import HuifangError, Invalid
from web.crm_part import CRM
from web.file_response import file_response
from web.i18n import gettext
from web.identity import current_actor
from web.pages.lists import points
from web.pages.lists.forms import RowAttempt
from web.pages.office.parts import Attempt, files_of, read_form, refused
from web.pages.shell import see_other
from web.permissions import Permission, accepts_files, requires
from web.problems import status_of


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_post(points.HERE + "/{point_id}/files", add)
    app.router.add_get(points.HERE + "/{point_id}/files", points.back)
    app.router.add_get("/repair-point-files/{file_id}", show_file)


@requires(Permission.STAFF_EDIT)
@accepts_files
async def add(request: web.Request) -> web.StreamResponse:
    """Keep the files of an agreement; refused, the page comes back with the reason."""
    point_id = request.match_info["point_id"][:40]
    form = await read_form(request)
    try:
        await _keep(request, point_id, form)
    except HuifangError as error:
        status = int(status_of(error))
        if status >= 500 or status == 404:
            raise
        problem = refused(error, frozenset())[0] if files_of(form, "file") else gettext("请先选择文件。")
        attempt = Attempt(step=points.FILES, form=form, problem=problem)
        return await points.one(request, RowAttempt(key=points.FILES, attempt=attempt), status=status)
    return see_other(f"{points.HERE}/{point_id}?done={points.FILES}#{points.FILES}")


async def _keep(request: web.Request, point_id: str, form: Mapping[str, object]) -> None:
    chosen = files_of(form, "file")
    if not chosen:
        raise Invalid("nothing was chosen", field="file")
    actor, files = current_actor(request), request.app[CRM].point_files
    for file in chosen:
        await files.add(actor, point_id, content=file.content, name=file.filename)


@requires(Permission.DEPOSITS_VIEW)
async def show_file(request: web.Request) -> web.StreamResponse:
    """Hand out a file of an agreement, or with ``small`` its thumbnail."""
    stored = await request.app[CRM].point_files.open(
        current_actor(request), request.match_info["file_id"][:40], thumbnail="small" in request.query
    )
    return file_response(stored)
