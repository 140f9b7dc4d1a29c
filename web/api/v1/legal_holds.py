"""``/api/v1/cases/{case_id}/legal-hold``: what is kept beyond its end, and let go."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import Field

from web.api.operation import Call, operation
from web.api.v1.complaints_schemas import ComplaintBody
from web.api.v1.schemas import NoQuery, Out, SiteTime
from web.crm_part import CRM
from web.permissions import Permission

CASE = (("case_id", "Id of the case."),)
TAG = "retention"


class HoldIn(ComplaintBody):
    """Why it is held, or let go."""

    reason: str = Field(min_length=1, max_length=400)


class HoldReleaseIn(HoldIn):
    """Why it is let go, and which hold was seen."""

    hold_id: str | None = Field(
        None, min_length=26, max_length=26, description="The open hold as it was read; a newer one stays."
    )


class HoldOut(Out):
    """A hold of a case with its files and calls."""

    hold_id: str
    case_id: str
    no: str
    reason: str
    by: str
    at: SiteTime
    released_at: SiteTime | None
    released_by: str | None
    release_reason: str | None


class HoldList(Out):
    """The holds of a case, the newest first."""

    items: tuple[HoldOut, ...]


@operation(
    query=NoQuery,
    response=HoldList,
    permission=Permission.CASES_DECIDE,
    summary="List the legal holds of a case",
    tag=TAG,
    path_parameters=CASE,
)
async def list_legal_holds(call: Call[NoQuery]) -> HoldList:
    """Return the holds."""
    found = await call.request.app[CRM].holds.holds(call.actor, call.request.match_info["case_id"])
    return HoldList(items=tuple(HoldOut.model_validate(one) for one in found))


@operation(
    query=NoQuery,
    response=HoldOut,
    permission=Permission.CASES_DECIDE,
    summary="Hold a case beyond the end of its retention",
    description="Major complaints are held from the start.",
    tag=TAG,
    path_parameters=CASE,
    body=HoldIn,
    status=201,
)
async def hold_case(call: Call[NoQuery]) -> HoldOut:
    """Hold a case."""
    given = call.body(HoldIn)
    case_id = call.request.match_info["case_id"]
    return HoldOut.model_validate(await call.request.app[CRM].holds.hold(call.actor, case_id, given.reason))


@operation(
    query=NoQuery,
    response=HoldOut,
    permission=Permission.CASES_DECIDE,
    summary="Release a case from its legal hold",
    tag=TAG,
    path_parameters=CASE,
    body=HoldReleaseIn,
)
async def release_case(call: Call[NoQuery]) -> HoldOut:
    """Release a case."""
    given = call.body(HoldReleaseIn)
    case_id, desk = call.request.match_info["case_id"], call.request.app[CRM].holds
    return HoldOut.model_validate(
        await desk.release(call.actor, case_id, given.reason, hold_id=given.hold_id)
    )


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/cases/{case_id}/legal-hold", list_legal_holds),
    ("POST", "/cases/{case_id}/legal-hold", hold_case),
    ("POST", "/cases/{case_id}/legal-hold/release", release_case),
)
