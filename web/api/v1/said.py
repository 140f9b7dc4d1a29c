"""``/api/v1/said``: who said it."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from crm.said_search import SaidAsked
from kernel.errors import Forbidden
from web.api.operation import Call, operation
from web.api.v1.said_schemas import SaidQuery, SaidResults
from web.identity import current_user
from web.permissions import Permission
from web.said import find_said, may_find_said


@operation(
    query=SaidQuery,
    response=SaidResults,
    permission=Permission.CALLS_VIEW,
    summary="Find calls by what was said in them",
    description="Newest first. Agents find their own calls, who may hear every call finds every one; calls "
    "about a confidential complaint only who sees it. A corrected text counts as it was corrected.",
    tag="speech",
)
async def find(call: Call[SaidQuery]) -> SaidResults:
    """Return a page of calls."""
    if not may_find_said(current_user(call.request)):
        raise Forbidden("agents find what was said in their own calls")
    wanted = SaidAsked(**call.query.model_dump(exclude={"limit", "cursor"}))
    page = await find_said(call.request, wanted, limit=call.query.limit, cursor=call.query.cursor)
    return SaidResults.model_validate(page)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/said", find),
)
