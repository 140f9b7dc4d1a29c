"""``/api/v1/repair-points/…/visits``: visits, trainings and audits of a repair point."""

from datetime import date

from pydantic import Field

from crm.point_visits import VisitKind
from web.api.operation import Call, operation
from web.api.v1.complaints_schemas import ComplaintBody, Cursor, Limit
from web.api.v1.schemas import NoQuery, Out, Query
from web.crm_part import CRM
from web.permissions import Permission

POINT = (("point_id", "Id of the repair point."),)
VISIT = (("visit_id", "Id of the visit, training or audit."),)
TAG = "repair points"


class PointVisitIn(ComplaintBody):
    """Something to plan with a repair point."""

    kind: VisitKind
    planned_on: date
    topic: str = Field(min_length=1, max_length=200)


class PointVisitDoneIn(ComplaintBody):
    """What came of it."""

    done_on: date
    result: str = Field(min_length=1, max_length=1000)
    sound: bool | None = Field(None, description="Of an audit: all agreed with the books.")


class PointVisitOut(Out):
    """Something planned with a repair point, and what came of it."""

    visit_id: str
    point_id: str
    kind: VisitKind
    planned_on: date
    topic: str
    planned_by: str
    late: bool
    done_on: date | None
    result: str
    sound: bool | None
    done_by: str | None
    version: int


class PointVisitList(Out):
    """What is planned and done with a point, the latest first."""

    items: tuple[PointVisitOut, ...]
    next_cursor: str | None


class PointVisitsQuery(Query):
    """Which page."""

    cursor: Cursor | None = None
    limit: Limit = 200


@operation(
    query=PointVisitsQuery,
    response=PointVisitList,
    permission=Permission.PROJECTS_VIEW,
    summary="List visits, trainings and audits of a repair point",
    tag=TAG,
    path_parameters=POINT,
)
async def list_point_visits(call: Call[PointVisitsQuery]) -> PointVisitList:
    """Return what is planned and done."""
    asked, point_id = call.query, call.request.match_info["point_id"]
    page = await call.request.app[CRM].point_visits.page(
        call.actor, point_id, cursor=asked.cursor, limit=asked.limit
    )
    return PointVisitList.model_validate(page)


@operation(
    query=NoQuery,
    response=PointVisitOut,
    permission=Permission.REPAIRS_WORK,
    summary="Plan a visit, a training or an audit of a repair point",
    tag=TAG,
    path_parameters=POINT,
    body=PointVisitIn,
    status=201,
)
async def plan_point_visit(call: Call[NoQuery]) -> PointVisitOut:
    """Plan something."""
    given = call.body(PointVisitIn)
    found = await call.request.app[CRM].point_visits.plan(
        call.actor,
        call.request.match_info["point_id"],
        given.kind,
        planned_on=given.planned_on,
        topic=given.topic,
    )
    return PointVisitOut.model_validate(found)


@operation(
    query=NoQuery,
    response=PointVisitOut,
    permission=Permission.REPAIRS_WORK,
    summary="Note what came of a visit, a training or an audit",
    tag=TAG,
    path_parameters=VISIT,
    body=PointVisitDoneIn,
    if_match=True,
)
async def finish_point_visit(call: Call[NoQuery]) -> PointVisitOut:
    """Note the result."""
    given = call.body(PointVisitDoneIn)
    found = await call.request.app[CRM].point_visits.finish(
        call.actor,
        call.request.match_info["visit_id"],
        call.expected,
        done_on=given.done_on,
        result=given.result,
        sound=given.sound,
    )
    return PointVisitOut.model_validate(found)


ROUTES = (
    ("GET", "/repair-points/{point_id}/visits", list_point_visits),
    ("POST", "/repair-points/{point_id}/visits", plan_point_visit),
    ("POST", "/point-visits/{visit_id}/done", finish_point_visit),
)
