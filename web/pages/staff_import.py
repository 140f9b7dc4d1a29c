"""A sheet of staff: uploaded, checked row by row, and written when every row is good."""

from aiohttp import BodyPartReader, web

from crm.importing.sheet import MAX_BYTES, BadSheet
from crm.importing.staff import StaffReport
from kernel.errors import Invalid
from web.i18n import gettext
from web.identity import current_actor
from web.pages.customer import services
from web.pages.organisation_kinds import KINDS
from web.pages.people_forms import Refused
from web.pages.people_words import import_words
from web.pages.shell import render
from web.permissions import Permission, requires

EDIT = Permission.STAFF_EDIT


def setup(app: web.Application) -> None:
    """Add the routes; they come before those of single people."""
    app.router.add_get("/organisation/staff/import", show)
    app.router.add_post("/organisation/staff/import", upload)


@requires(EDIT)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the form."""
    return _page(request, None, None)


@requires(EDIT)
async def upload(request: web.Request) -> web.StreamResponse:
    """Check a file, and write it when that is wanted."""
    try:
        name, content, write = await _read(request)
        report = await services(request).staff_import.run(current_actor(request), content, name, write=write)
    except Invalid as error:
        return _page(request, None, Refused.of("import", error))
    return _page(request, report, None)


async def _read(request: web.Request) -> tuple[str, bytes, bool]:
    if not request.content_type.startswith("multipart/"):
        raise BadSheet("choose a file", field="file")
    name, content, write = "", b"", False
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        if part.name == "write":
            write = (await part.read_chunk(1024)) == b"1"
        elif part.name == "file":
            name, held = part.filename or "", bytearray()
            while piece := await part.read_chunk(256 * 1024):
                held += piece
                if len(held) > MAX_BYTES:
                    raise BadSheet("the file is too large", field="file")
            content = bytes(held)
    return name, content, write


def _page(request: web.Request, report: StaffReport | None, refused: Refused | None) -> web.Response:
    problems = report.problems if report is not None else ()
    context = {
        "kinds": [(one.name, gettext(one.title)) for one in KINDS.values()],
        "report": report,
        "refused": refused,
        "rows": [(item, *import_words(item.code)) for item in problems],
    }
    bad = refused is not None or (report is not None and report.bad > 0)
    return render(request, "people/staff_import.html", context, status=400 if bad else 200)
