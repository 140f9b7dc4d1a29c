"""``/api/v1/complaint-lines/…/records``: what was done about a line, noted down while it is worked on."""

from crm.line_records import NewRecord
from web.api.operation import Call, operation
from web.api.v1.complaint_records_schemas import (
    LineRecordIn,
    LineRecordList,
    LineRecordOut,
    LineRecordsQuery,
)
from web.api.v1.complaints import LINE, TAG
from web.api.v1.schemas import NoQuery
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission


@operation(
    query=LineRecordsQuery,
    response=LineRecordList,
    permission=Permission.CASES_VIEW,
    summary="List what was noted down about a line, newest first",
    tag=TAG,
    path_parameters=LINE,
)
async def list_line_records(call: Call[LineRecordsQuery]) -> LineRecordList:
    """Return a page of handle records."""
    records, asked = call.request.app[CRM].complaints.records, call.query
    line_id = call.request.match_info["line_id"]
    page = await records.page(call.actor, line_id, cursor=asked.cursor, limit=asked.limit)
    return LineRecordList.model_validate(page)


@operation(
    query=NoQuery,
    response=LineRecordOut,
    permission=Permission.CASES_VIEW,
    summary="Note down what was done about a line",
    description="The line's department, and customer service; the manager for a confidential one. "
    "It moves nothing, and is never changed: no `If-Match`.",
    tag=TAG,
    path_parameters=LINE,
    body=LineRecordIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def add_line_record(call: Call[NoQuery]) -> LineRecordOut:
    """Add a handle record."""
    given, line_id = call.body(LineRecordIn), call.request.match_info["line_id"]
    new = NewRecord(
        kind=given.kind, done=given.done, done_at=given.done_at, who=given.who, photos=given.photos
    )
    found = await call.request.app[CRM].complaints.records.add(call.actor, line_id, new)
    return LineRecordOut.model_validate(found)


ROUTES = (
    ("GET", "/complaint-lines/{line_id}/records", list_line_records),
    ("POST", "/complaint-lines/{line_id}/records", add_line_record),
)
