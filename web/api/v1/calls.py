"""``/api/v1/calls``."""

from kernel.errors import Invalid
from kernel.phone import Phone, PhoneKind
from telephony.views import CallFilter, CallView
from web.api.operation import Call as ApiCall
from web.api.operation import operation
from web.api.v1.schemas import Call, CallDetail, CallList, CallsQuery, NoQuery
from web.audit import Action
from web.auth import ACCOUNTS
from web.deps import DEPS
from web.identity import CLIENT_IP, CurrentUser, current_user
from web.masking import is_handling, shown_call
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
    _refuse_probing(user, query.number)
    filters = CallFilter(**query.model_dump(exclude={"cursor", "limit"}, exclude_none=True))
    page = await call.request.app[DEPS].history.page(filters, cursor=query.cursor, limit=query.limit)
    await _note_numbers(call, user, page.items, "")
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
    await _note_numbers(call, user, (found,), found.call_id)
    return CallDetail.model_validate(shown_call(found, user))


def _refuse_probing(user: CurrentUser, number: str | None) -> None:
    """Who sees masked numbers may look for a whole one, but not feel out its digits part by part."""
    if number is None or user.can(Permission.PHONES_FULL):
        return
    phone = Phone.parse_caller(number)
    if phone is None or phone.kind is PhoneKind.SHORT:
        raise Invalid("give the whole number", field="number")


async def _note_numbers(
    call: ApiCall[CallsQuery] | ApiCall[NoQuery],
    user: CurrentUser,
    calls: tuple[CallView, ...],
    call_id: str,
) -> None:
    """Log that whole numbers are given out because of a permission, not because of a call in hand."""
    if not user.can(Permission.PHONES_FULL):
        return
    given = [item for item in calls if not is_handling(user, agent_id=item.agent_id, state=item.state)]
    if not given:
        return
    await call.request.app[ACCOUNTS].audit.record(
        Action.PHONES_SHOWN,
        actor=user.login,
        ip=call.request[CLIENT_IP],
        entity="call",
        entity_id=call_id,
        detail={} if call_id else {"calls": len(given), "first": given[-1].call_id, "last": given[0].call_id},
    )
