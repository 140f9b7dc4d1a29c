"""``/api/v1/forwarded-orders``: what other hotlines forwarded, and what they were told."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from crm.forwarded import ForwardedView, NewReply
from web.api.operation import Call, operation
from web.api.v1.case_schemas import CaseLimit
from web.api.v1.schemas import NoQuery
from web.api.v1.tickets_schemas import (
    ForwardedList,
    ForwardedOut,
    ForwardedQuery,
    SourceReplyIn,
    SourceReplyOut,
    TicketHeader,
)
from web.crm_part import CRM
from web.permissions import Permission

CASE = (("case_id", "Id of the case that the order became."),)
TAG = "forwarded"


def shown(view: ForwardedView) -> ForwardedOut:
    """Return an order as the API shows it; its version is the case's."""
    return ForwardedOut(
        case=TicketHeader.model_validate(view.case),
        kind=view.case.kind.value,
        responsible=view.responsible,
        responsible_id=view.responsible_id,
        owed=view.owed,
        limit=CaseLimit.model_validate(view.limit) if view.limit else None,
        reply=SourceReplyOut.model_validate(view.reply) if view.reply else None,
        version=view.case.version,
    )


@operation(
    query=ForwardedQuery,
    response=ForwardedList,
    permission=Permission.CASES_VIEW,
    summary="List forwarded orders, newest first",
    description="Those that still wait for a reply, unless `owed` says otherwise.",
    tag=TAG,
)
async def list_forwarded(call: Call[ForwardedQuery]) -> ForwardedList:
    """Return a page of forwarded orders."""
    asked = call.query
    page = await call.request.app[CRM].forwarded.page(
        call.actor, owed=asked.owed, mine=asked.mine, cursor=asked.cursor, limit=asked.limit
    )
    return ForwardedList(items=tuple(shown(item) for item in page.items), next_cursor=page.next_cursor)


@operation(
    query=NoQuery,
    response=ForwardedOut,
    permission=Permission.CASES_VIEW,
    summary="Read a forwarded order",
    tag=TAG,
    path_parameters=CASE,
)
async def get_forwarded(call: Call[NoQuery]) -> ForwardedOut:
    """Return a forwarded order."""
    found = await call.request.app[CRM].forwarded.get(call.actor, call.request.match_info["case_id"])
    return shown(found)


@operation(
    query=NoQuery,
    response=ForwardedOut,
    permission=Permission.CASES_REGISTER,
    summary="Note what the forwarding hotline was told",
    description="If-Match carries the version of the case; no such case closes without a reply.",
    tag=TAG,
    path_parameters=CASE,
    body=SourceReplyIn,
    if_match=True,
)
async def reply_to_hotline(call: Call[NoQuery]) -> ForwardedOut:
    """Note a reply."""
    given = call.body(SourceReplyIn)
    new = NewReply(way=given.way, text=given.text, told=given.told, replied_at=given.replied_at)
    found = await call.request.app[CRM].forwarded.reply(
        call.actor, call.request.match_info["case_id"], call.expected, new
    )
    return shown(found)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/forwarded-orders", list_forwarded),
    ("GET", "/forwarded-orders/{case_id}", get_forwarded),
    ("POST", "/forwarded-orders/{case_id}/reply", reply_to_hotline),
)
