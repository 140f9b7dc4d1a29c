"""``/api/v1/handoffs``, ``/overdue-lists``, ``/overdue``, ``/red-list`` and ``/withdrawn-breaches``."""

from web.api.operation import Call, operation
from web.api.v1.complaints import TAG, services
from web.api.v1.complaints_answers import (
    HandoffList,
    HandoffOut,
    HandoffSheetOut,
    OverdueRows,
    OverdueSummaries,
    WithdrawnBreaches,
)
from web.api.v1.complaints_schemas import HandoffsQuery, OverdueQuery, WithdrawnQuery
from web.api.v1.red_list_schemas import RedLimitOut, RedLimits, RedListQuery
from web.api.v1.schemas import NoQuery
from web.crm_part import CRM
from web.deps import DEPS
from web.idempotency import Idempotency
from web.permissions import Permission


@operation(
    query=HandoffsQuery,
    response=HandoffList,
    permission=Permission.CASES_VIEW,
    summary="List hand-offs, newest first",
    description="People of a department see their own: `box=waiting` is what they are to sign.",
    tag=TAG,
)
async def list_handoffs(call: Call[HandoffsQuery]) -> HandoffList:
    """Return a page of hand-offs."""
    asked = call.query
    handoffs = call.request.app[CRM].complaints.handoffs
    page = await handoffs.page(
        call.actor, asked.box, department=asked.department, cursor=asked.cursor, limit=asked.limit
    )
    return HandoffList.model_validate(page)


@operation(
    query=NoQuery,
    response=HandoffSheetOut,
    permission=Permission.CASES_VIEW,
    summary="Read all that a hand-off's sheet shows",
    tag=TAG,
    path_parameters=(("handoff_id", "Id of the hand-off."),),
)
async def get_handoff_sheet(call: Call[NoQuery]) -> HandoffSheetOut:
    """Return the sheet."""
    sheet = await services(call).handoffs.sheet(call.actor, call.request.match_info["handoff_id"])
    return HandoffSheetOut.model_validate(sheet)


@operation(
    query=NoQuery,
    response=HandoffOut,
    permission=Permission.CASES_REGISTER,
    summary="Note that a department was called about its signature",
    description="Who has not signed two hours after the hand-off is called; it is noted once.",
    tag=TAG,
    path_parameters=(("handoff_id", "Id of the hand-off."),),
    idempotent=Idempotency.OPTIONAL,
)
async def note_handoff_call(call: Call[NoQuery]) -> HandoffOut:
    """Note the call."""
    handoff_id = call.request.match_info["handoff_id"]
    await services(call).handoff_calls.called(call.actor, handoff_id)
    sheet = await services(call).handoffs.sheet(call.actor, handoff_id, whole_number=False)
    return HandoffOut.model_validate(sheet.handoff)


@operation(
    query=NoQuery,
    response=OverdueSummaries,
    permission=Permission.CASES_VIEW,
    summary="Count what is late, in six lists",
    tag=TAG,
)
async def count_overdue(call: Call[NoQuery]) -> OverdueSummaries:
    """Return how many of each list are whose."""
    found = await services(call).overdue.overdue_lists(call.actor)
    return OverdueSummaries.model_validate({"items": found}, from_attributes=True)


@operation(
    query=OverdueQuery,
    response=OverdueRows,
    permission=Permission.CASES_VIEW,
    summary="List what is late, the longest first",
    tag=TAG,
)
async def list_overdue(call: Call[OverdueQuery]) -> OverdueRows:
    """Return a page of a list."""
    asked = call.query
    page = await call.request.app[CRM].complaints.overdue.overdue_page(
        call.actor,
        asked.which,
        kind=asked.kind,
        department=asked.department,
        specialist_id=asked.specialist_id,
        cursor=asked.cursor,
        limit=asked.limit,
    )
    return OverdueRows.model_validate(page)


@operation(
    query=RedListQuery,
    response=RedLimits,
    permission=Permission.RED_LIST_VIEW,
    summary="List the limits on the red list, the longest late first",
    description="Before them those that wait for the calendar of a year: nobody knows how late they are.",
    tag=TAG,
)
async def list_red(call: Call[RedListQuery]) -> RedLimits:
    """Return a page of the red list."""
    asked, app = call.query, call.request.app
    async with app[DEPS].database.session() as session:
        page = await app[CRM].limit_lists.red_list(
            session, call.actor, department=asked.department, cursor=asked.cursor, limit=asked.limit
        )
    items = tuple(RedLimitOut.model_validate(timer) for timer in page.timers)
    return RedLimits(items=items, next_cursor=page.cursor)


@operation(
    query=WithdrawnQuery,
    response=WithdrawnBreaches,
    permission=Permission.RED_LIST_VIEW,
    summary="List breaches that were taken back, the latest first",
    description="Somebody wrote down after the limit that the work was done before it.",
    tag=TAG,
)
async def list_withdrawn_breaches(call: Call[WithdrawnQuery]) -> WithdrawnBreaches:
    """Return a page of withdrawn breaches."""
    asked, app = call.query, call.request.app
    async with app[DEPS].database.session() as session:
        page = await app[CRM].limit_lists.withdrawn(
            session, call.actor, department=asked.department, cursor=asked.cursor, limit=asked.limit
        )
    return WithdrawnBreaches.model_validate(page)


ROUTES = (
    ("GET", "/handoffs", list_handoffs),
    ("GET", "/handoffs/{handoff_id}", get_handoff_sheet),
    ("POST", "/handoffs/{handoff_id}/call", note_handoff_call),
    ("GET", "/overdue-lists", count_overdue),
    ("GET", "/overdue", list_overdue),
    ("GET", "/red-list", list_red),
    ("GET", "/withdrawn-breaches", list_withdrawn_breaches),
)
