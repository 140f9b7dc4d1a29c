"""Photos and scans of cases, to whoever may see the case."""

from aiohttp import web

from web.crm_part import CRM
from web.file_response import file_response
from web.identity import current_actor
from web.permissions import Permission, requires


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/case-files/{attachment_id}", show)


@requires(Permission.CASES_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Hand out a file, or with ``small`` its thumbnail."""
    stored = await request.app[CRM].repairs.attachments.open(
        current_actor(request), request.match_info["attachment_id"][:40], thumbnail="small" in request.query
    )
    return file_response(stored)
