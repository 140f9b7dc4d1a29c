"""``/api/v1/calls``."""

from telephony.views import CallFilter
from web.api.operation import Call as ApiCall
from web.api.operation import operation
from web.api.v1.schemas import Call, CallDetail, CallList, CallsQuery, NoQuery
from web.deps import DEPS
from web.disclosure import note_numbers, refuse_probing
from web.identity import current_user
from web.masking import shown_call
from web.permissions import Permission


@operation(
    query=CallsQuery,
    response=CallList,
    permission=Permission.CALLS_VIEW,
    summary="List calls",
    description="Newest first. Pages are linked by `next_cursor`.",
    tag="calls",
)
async def list_calls(call: ApiCall[CallsQuery]) -> CallList:
    """Return a page of calls."""
    user, query = current_user(call.request), call.query
    refuse_probing(user, query.number)
    filters = CallFilter(**query.model_dump(exclude={"cursor", "limit"}, exclude_none=True))
    page = await call.request.app[DEPS].history.page(filters, cursor=query.cursor, limit=query.limit)
    await note_numbers(call.request, user, page.items)
    items = tuple(Call.model_validate(shown_call(item, user)) for item in page.items)
    return CallList(items=items, next_cursor=page.next_cursor)


@operation(
    query=NoQuery,
    response=CallDetail,
    permission=Permission.CALLS_VIEW,
    summary="Read a call",
    description="With its legs and its time line.",
    tag="calls",
    path_parameters=(("call_id", "The call's ULID."),),
)
async def get_call(call: ApiCall[NoQuery]) -> CallDetail:
    """Return one call."""
    user = current_user(call.request)
    found = await call.request.app[DEPS].history.get(call.request.match_info["call_id"])
    await note_numbers(call.request, user, (found,))
    return CallDetail.model_validate(shown_call(found, user))
