"""``/api/v1/improvements``: measures against what keeps going wrong, evidence, the check of their effect."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import BaseModel

from crm.improvement_views import MeasureChange, MeasureDetail, MeasureFilter, NewMeasure
from crm.improvements import Improvements
from crm.kept_files import StoredFile
from crm.pictures import MAX_BYTES, MediaType
from web.api.files import Upload, download, upload
from web.api.operation import Call, operation
from web.api.v1.improvements_schemas import (
    EvidenceForm,
    EvidenceOut,
    MeasureChangeIn,
    MeasureCheckIn,
    MeasureDropIn,
    MeasureIn,
    MeasureList,
    MeasureOut,
    MeasureReportIn,
    MeasuresQuery,
    MeasureWhole,
)
from web.api.v1.schemas import NoQuery
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission

MEASURE = (("measure_id", "Id of the measure."),)
FILE = (("file_id", "Id of the file."),)
TAG = "improvements"


def _service(call: Call[NoQuery]) -> Improvements:
    return call.request.app[CRM].improvements


def _id(call: Call[NoQuery]) -> str:
    return call.request.match_info["measure_id"]


def _whole(found: MeasureDetail) -> MeasureWhole:
    measure = MeasureOut.model_validate(found.measure)
    more: dict[str, BaseModel | object] = {"history": found.history, "evidence": found.evidence}
    return MeasureWhole.model_validate(measure.model_dump() | more, from_attributes=True)


@operation(
    query=MeasuresQuery,
    response=MeasureList,
    permission=Permission.CASES_VIEW,
    summary="List improvement measures by due date",
    description="Departments see their own and those that they are in charge of.",
    tag=TAG,
)
async def list_improvements(call: Call[MeasuresQuery]) -> MeasureList:
    """Return a page of measures."""
    asked = call.query
    wanted = MeasureFilter(
        state=asked.state,
        is_open=asked.is_open,
        department=asked.department,
        month=asked.month,
        case_id=asked.case_id,
        overdue=asked.overdue,
    )
    page = await call.request.app[CRM].improvements.page(
        call.actor, wanted, cursor=asked.cursor, limit=asked.limit
    )
    return MeasureList.model_validate(page)


@operation(
    query=NoQuery,
    response=MeasureWhole,
    permission=Permission.IMPROVEMENTS_SET,
    summary="Set an improvement measure",
    tag=TAG,
    body=MeasureIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def set_improvement(call: Call[NoQuery]) -> MeasureWhole:
    """Set a measure."""
    return _whole(await _service(call).set(call.actor, NewMeasure(**call.body(MeasureIn).model_dump())))


@operation(
    query=NoQuery,
    response=MeasureWhole,
    permission=Permission.CASES_VIEW,
    summary="Fetch an improvement measure with its history and evidence",
    tag=TAG,
    path_parameters=MEASURE,
)
async def get_improvement(call: Call[NoQuery]) -> MeasureWhole:
    """Return a measure."""
    return _whole(await _service(call).get(call.actor, _id(call)))


@operation(
    query=NoQuery,
    response=MeasureWhole,
    permission=Permission.IMPROVEMENTS_SET,
    summary="Change an open improvement measure",
    tag=TAG,
    path_parameters=MEASURE,
    body=MeasureChangeIn,
    if_match=True,
)
async def change_improvement(call: Call[NoQuery]) -> MeasureWhole:
    """Change a measure."""
    given = MeasureChange(**call.body(MeasureChangeIn).model_dump())
    return _whole(await _service(call).change(call.actor, _id(call), given, expected=call.expected))


@operation(
    query=NoQuery,
    response=MeasureWhole,
    permission=Permission.CASES_VIEW,
    summary="Report that an improvement measure is done",
    description="By its owner or the department's head; files are put beside it with their own operation.",
    tag=TAG,
    path_parameters=MEASURE,
    body=MeasureReportIn,
    if_match=True,
)
async def report_improvement(call: Call[NoQuery]) -> MeasureWhole:
    """Report a measure."""
    text = call.body(MeasureReportIn).evidence
    return _whole(await _service(call).report(call.actor, _id(call), expected=call.expected, evidence=text))


@operation(
    query=NoQuery,
    response=MeasureWhole,
    permission=Permission.IMPROVEMENTS_CHECK,
    summary="Say whether an improvement measure had an effect",
    description="From the first day of the month after the report, by somebody else. "
    "Without an effect it begins again, until `due_on`.",
    tag=TAG,
    path_parameters=MEASURE,
    body=MeasureCheckIn,
    if_match=True,
)
async def check_improvement(call: Call[NoQuery]) -> MeasureWhole:
    """Check a measure."""
    given = call.body(MeasureCheckIn)
    found = await _service(call).check(
        call.actor,
        _id(call),
        expected=call.expected,
        effective=given.effective,
        text=given.text,
        due_on=given.due_on,
    )
    return _whole(found)


@operation(
    query=NoQuery,
    response=MeasureWhole,
    permission=Permission.IMPROVEMENTS_SET,
    summary="Drop an improvement measure, with the reason",
    tag=TAG,
    path_parameters=MEASURE,
    body=MeasureDropIn,
    if_match=True,
)
async def drop_improvement(call: Call[NoQuery]) -> MeasureWhole:
    """Drop a measure."""
    reason = call.body(MeasureDropIn).reason
    return _whole(await _service(call).drop(call.actor, _id(call), expected=call.expected, reason=reason))


@upload(
    form=EvidenceForm,
    response=EvidenceOut,
    permission=Permission.CASES_VIEW,
    max_bytes=MAX_BYTES,
    summary="Put a photo or a scan beside an improvement measure",
    description="JPEG, PNG, WebP or PDF of at most 15 MB; pictures are decoded and written anew.",
    tag=TAG,
    path_parameters=MEASURE,
)
async def add_improvement_evidence(call: Call[NoQuery], sent: Upload) -> EvidenceOut:
    """Put a file beside a measure."""
    found = await call.request.app[CRM].improvement_evidence.add(
        call.actor, _id(call), content=sent.content, name=sent.name
    )
    return EvidenceOut.model_validate(found)


@download(
    media_types=tuple(kind.value for kind in MediaType),
    permission=Permission.CASES_VIEW,
    summary="Fetch a file of an improvement measure",
    tag=TAG,
    path_parameters=FILE,
)
async def get_improvement_evidence(call: Call[NoQuery]) -> StoredFile:
    """Hand out a file."""
    file_id = call.request.match_info["file_id"]
    return await call.request.app[CRM].improvement_evidence.open(call.actor, file_id)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/improvements", list_improvements),
    ("POST", "/improvements", set_improvement),
    ("GET", "/improvements/{measure_id}", get_improvement),
    ("PUT", "/improvements/{measure_id}", change_improvement),
    ("POST", "/improvements/{measure_id}/report", report_improvement),
    ("POST", "/improvements/{measure_id}/check", check_improvement),
    ("POST", "/improvements/{measure_id}/drop", drop_improvement),
    ("POST", "/improvements/{measure_id}/evidence", add_improvement_evidence),
    ("GET", "/improvement-evidence/{file_id}", get_improvement_evidence),
)
