"""``/api/v1/repair-points``: agreement files, the repairs a point has, its figures and the ledger's files."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import Field

from crm.exports import FileForm
from crm.kept_files import StoredFile
from crm.pictures import MAX_BYTES, MediaType
from crm.point_jobs import JobEnd
from web.api.files import Upload, download, upload
from web.api.operation import Call, Operation, declare_operation, operation, read_query
from web.api.v1.case_figures_schemas import Number
from web.api.v1.complaints_schemas import ComplaintBody, Id
from web.api.v1.repair_points_schemas import Month
from web.api.v1.repairs import repair_change
from web.api.v1.repairs_answers import RepairDetail
from web.api.v1.schemas import NoQuery, Out, Query, SiteTime
from web.crm_part import CRM
from web.identity import current_actor
from web.pages.exports import MEDIA_TYPES, SLOTS, send_file
from web.pages.lists.point_ledger import ledger_row, ledger_titles
from web.permissions import Permission, requires, streaming

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
POINT = (("point_id", "Id of the repair point."),)
FILE = (("file_id", "Id of the file."),)
CASE = (("case_id", "Id of the repair."),)
TAG = "repair points"


class PointFileForm(ComplaintBody):
    """Nothing comes with the file."""


class PointFileOut(Out):
    """A file of a repair point's agreement."""

    file_id: str
    point_id: str
    name: str = Field(description="As the sender called it.")
    media_type: MediaType
    size: int
    has_thumbnail: bool
    sha256: str
    uploaded_at: SiteTime
    uploaded_by: str


class PointFileList(Out):
    """A point's files, the oldest first; forty at the most."""

    items: tuple[PointFileOut, ...]


class PointGiveIn(ComplaintBody):
    """Which point gets a repair."""

    point_id: Id
    note: str = Field("", max_length=200, description="Why, where another point has it so far.")


class PointTakeBackIn(ComplaintBody):
    """Why a point does not keep a repair."""

    why: str = Field(min_length=1, max_length=200)


class PointJobOut(Out):
    """A repair that a point has, or had."""

    job_id: str
    case_id: str
    point_id: str
    point: str
    given_at: SiteTime
    given_by: str
    note: str
    ended_at: SiteTime | None
    ended_by: str | None
    ended_how: JobEnd | None
    end_reason: str


class PointJobList(Out):
    """Which points have, or had, a repair; the latest first."""

    items: tuple[PointJobOut, ...]


class PointMonthQuery(Query):
    """Which month."""

    month: Month


class PointMonthsQuery(PointMonthQuery):
    """Which months: so many up to this one."""

    months: int = Field(12, ge=1, le=12)


class LedgerQuery(PointMonthQuery):
    """Which month, of which point."""

    point_id: Id | None = None


class PointFiguresOut(Out):
    """What a point did in a month."""

    point_id: str
    point: str
    month: str
    repairs: int = Field(description="Given to it.")
    visits: int = Field(description="Finished.")
    appointed: int = Field(description="Of these, with an agreed time.")
    on_time: int = Field(description="Of these, begun before that time was over.")
    costed: int = Field(description="Repairs whose cost was computed.")
    cost: Number
    budget: Number | None
    actual: Number | None
    parts: Number = Field(description="Spare parts it got, less those it gave back.")
    repeats: int = Field(description="Its repairs that came back: the same place within 90 days.")
    repeats_warranted: int = Field(description="Of these, under the home's warranty.")
    closed: int = Field(description="Repairs closed of which it is known whether one visit was enough.")
    first_time: int
    answered: int = Field(description="Callbacks that asked whether the customer is satisfied.")
    satisfied: int


class PointFiguresList(Out):
    """Points of a month by name, or a point's months, the latest first."""

    items: tuple[PointFiguresOut, ...]


@upload(
    form=PointFileForm,
    response=PointFileOut,
    permission=Permission.STAFF_EDIT,
    max_bytes=MAX_BYTES,
    summary="Put a file beside a repair point's agreement",
    description="JPEG, PNG, WebP or PDF of at most 15 MB; the same file twice is kept once.",
    tag=TAG,
    path_parameters=POINT,
)
async def add_point_file(call: Call[NoQuery], sent: Upload) -> PointFileOut:
    """Take a photo or a PDF."""
    found = await call.request.app[CRM].point_files.add(
        call.actor, call.request.match_info["point_id"], content=sent.content, name=sent.name
    )
    return PointFileOut.model_validate(found)


@operation(
    query=NoQuery,
    response=PointFileList,
    permission=Permission.DEPOSITS_VIEW,
    summary="List the files of a repair point's agreement",
    tag=TAG,
    path_parameters=POINT,
)
async def list_point_files(call: Call[NoQuery]) -> PointFileList:
    """Return the files."""
    found = await call.request.app[CRM].point_files.of_point(call.actor, call.request.match_info["point_id"])
    return PointFileList(items=tuple(PointFileOut.model_validate(one) for one in found))


@download(
    media_types=tuple(kind.value for kind in MediaType),
    permission=Permission.DEPOSITS_VIEW,
    summary="Fetch a file of a repair point's agreement",
    tag=TAG,
    path_parameters=FILE,
)
async def get_point_file(call: Call[NoQuery]) -> StoredFile:
    """Hand out a file."""
    return await call.request.app[CRM].point_files.open(call.actor, call.request.match_info["file_id"])


@repair_change(
    permission=Permission.REPAIRS_ROUTE,
    summary="Give a repair of the captain's to a repair point",
    description="The repair stays the captain's: limits, visits and costs are written down as before.",
    body=PointGiveIn,
)
async def give_to_point(call: Call[NoQuery]) -> RepairDetail:
    """Give it."""
    given, crm = call.body(PointGiveIn), call.request.app[CRM]
    case_id = call.request.match_info["case_id"]
    await crm.point_jobs.give(
        call.actor, case_id, expected=call.expected, point_id=given.point_id, note=given.note
    )
    return RepairDetail.model_validate(await crm.repairs.reader.get(call.actor, case_id))


@repair_change(
    permission=Permission.REPAIRS_ROUTE,
    summary="Take a repair back from its repair point",
    body=PointTakeBackIn,
)
async def take_back_from_point(call: Call[NoQuery]) -> RepairDetail:
    """Take it back."""
    given, crm = call.body(PointTakeBackIn), call.request.app[CRM]
    case_id = call.request.match_info["case_id"]
    await crm.point_jobs.take_back(call.actor, case_id, expected=call.expected, why=given.why)
    return RepairDetail.model_validate(await crm.repairs.reader.get(call.actor, case_id))


@operation(
    query=NoQuery,
    response=PointJobList,
    permission=Permission.CASES_VIEW,
    summary="List which repair points have, or had, a repair",
    tag=TAG,
    path_parameters=CASE,
)
async def list_point_jobs(call: Call[NoQuery]) -> PointJobList:
    """Return the points."""
    found = await call.request.app[CRM].point_jobs.of_case(call.actor, call.request.match_info["case_id"])
    return PointJobList(items=tuple(PointJobOut.model_validate(one) for one in found))


@operation(
    query=PointMonthQuery,
    response=PointFiguresList,
    permission=Permission.DEPOSITS_VIEW,
    summary="Read what repair points did in a month",
    tag=TAG,
)
async def read_point_figures(call: Call[PointMonthQuery]) -> PointFiguresList:
    """Return every point in a month."""
    found = await call.request.app[CRM].point_figures.month(call.actor, call.query.month)
    return PointFiguresList(items=tuple(PointFiguresOut.model_validate(one) for one in found))


@operation(
    query=PointMonthsQuery,
    response=PointFiguresList,
    permission=Permission.DEPOSITS_VIEW,
    summary="Read what a repair point did, month by month",
    tag=TAG,
    path_parameters=POINT,
)
async def read_figures_of_point(call: Call[PointMonthsQuery]) -> PointFiguresList:
    """Return the months of a point."""
    found = await call.request.app[CRM].point_figures.of_point(
        call.actor,
        call.request.match_info["point_id"],
        until=call.query.month,
        months=call.query.months,
    )
    return PointFiguresList(items=tuple(PointFiguresOut.model_validate(one) for one in found))


def _ledger(form: FileForm) -> Handler:
    @requires(Permission.EXPORT)
    @streaming
    async def handle(request: web.Request) -> web.StreamResponse:
        asked = read_query(request, LedgerQuery)
        with request.app[SLOTS].one():
            found = await request.app[CRM].point_ledger.take_out(
                current_actor(request), asked.month, form=form, point_id=asked.point_id
            )
            name = f"repair-points-{asked.month}"
            return await send_file(request, form, name, ledger_titles(), found, ledger_row)

    handle.__doc__ = "Fetch a month's ledger of the repair points."
    return declare_operation(
        handle,
        Operation(
            operation_id=f"export_point_ledger_{form.value}",
            summary=f"Fetch a month's ledger of the repair points as {form.value.upper()}",
            description="No cell becomes a formula; what is taken out is noted.",
            tag=TAG,
            permission=Permission.EXPORT,
            query=LedgerQuery,
            response=None,
            media_types=(MEDIA_TYPES[form].partition(";")[0],),
        ),
    )


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/repair-points/{point_id}/files", list_point_files),
    ("POST", "/repair-points/{point_id}/files", add_point_file),
    ("GET", "/repair-point-files/{file_id}", get_point_file),
    ("GET", "/repairs/{case_id}/points", list_point_jobs),
    ("POST", "/repairs/{case_id}/point", give_to_point),
    ("POST", "/repairs/{case_id}/point/take-back", take_back_from_point),
    ("GET", "/repair-point-figures", read_point_figures),
    ("GET", "/repair-points/{point_id}/figures", read_figures_of_point),
    ("GET", "/repair-point-ledger.csv", _ledger(FileForm.CSV)),
    ("GET", "/repair-point-ledger.xlsx", _ledger(FileForm.XLSX)),
)
