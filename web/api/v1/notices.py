"""``/api/v1/notices``, ``/outgoing-messages``, ``/notice-rules``, ``/notice-addresses``."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from crm.notices.domain import Channel, MessageState, Severity
from crm.notices.rules import shipped
from crm.notices.service import NoticeView
from web.api.operation import Call, operation
from web.api.v1.notices_schemas import (
    AddressChange,
    AddressesQuery,
    AddressList,
    AddressOut,
    AddressQuery,
    MarkedRead,
    NoticeList,
    NoticeOut,
    NoticesQuery,
    OutgoingList,
    OutgoingOut,
    OutgoingQuery,
    ReadUpTo,
    RuleChange,
    RuleList,
    RuleOut,
    Unread,
)
from web.api.v1.schemas import NoQuery
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import current_language
from web.idempotency import Idempotency
from web.permissions import Permission

OWN = Permission.CASES_VIEW
"""Every role has it; whose notices they are follows from who asks."""
NOTICE_ID = (("notice_id", "Id of the notice"),)
MESSAGE_ID = (("message_id", "Id of the message"),)


@operation(
    query=NoticesQuery,
    response=NoticeList,
    permission=OWN,
    summary="List one's own notices, newest first",
    description="Titles and texts are in the language of the caller's pages (cookie `hf_lang`).",
    tag="notices",
)
async def list_notices(call: Call[NoticesQuery]) -> NoticeList:
    """Return the caller's notices."""
    asked = call.query
    board = call.request.app[CRM].notices
    page = await board.page(call.actor, which=asked.which, cursor=asked.cursor, limit=asked.limit)
    items = tuple(_notice(call.request, item) for item in page.items)
    return NoticeList(items=items, next_cursor=page.next_cursor)


@operation(
    query=NoQuery, response=Unread, permission=OWN, summary="Count one's unread notices", tag="notices"
)
async def count_unread_notices(call: Call[NoQuery]) -> Unread:
    """Return how many are unread."""
    return Unread(unread=await call.request.app[CRM].notices.unread(call.actor))


@operation(
    query=NoQuery,
    response=NoticeOut,
    permission=OWN,
    summary="Mark a notice as read",
    tag="notices",
    path_parameters=NOTICE_ID,
)
async def read_notice(call: Call[NoQuery]) -> NoticeOut:
    """Note that the caller has read one."""
    notice_id = call.request.match_info["notice_id"]
    return _notice(call.request, await call.request.app[CRM].notices.mark_read(call.actor, notice_id))


@operation(
    query=NoQuery,
    response=MarkedRead,
    permission=OWN,
    summary="Mark all notices up to one as read",
    tag="notices",
    body=ReadUpTo,
)
async def read_notices(call: Call[NoQuery]) -> MarkedRead:
    """Note that the caller has read what was shown."""
    up_to = call.body(ReadUpTo).up_to
    return MarkedRead(marked=await call.request.app[CRM].notices.mark_all_read(call.actor, up_to=up_to))


@operation(
    query=OutgoingQuery,
    response=OutgoingList,
    permission=Permission.NOTICES_ADMINISTER,
    summary="List outgoing messages, newest first",
    tag="notices",
)
async def list_outgoing(call: Call[OutgoingQuery]) -> OutgoingList:
    """Return messages to people who work here and to customers."""
    asked = call.query
    state = MessageState(asked.state) if asked.state else None
    desk = call.request.app[CRM].outgoing
    page = await desk.page(call.actor, state=state, cursor=asked.cursor, limit=asked.limit)
    items = tuple(OutgoingOut.model_validate(item) for item in page.items)
    return OutgoingList(items=items, next_cursor=page.next_cursor)


@operation(
    query=NoQuery,
    response=OutgoingOut,
    permission=Permission.NOTICES_ADMINISTER,
    summary="Try a failed message again",
    tag="notices",
    path_parameters=MESSAGE_ID,
    idempotent=Idempotency.OPTIONAL,
)
async def retry_outgoing(call: Call[NoQuery]) -> OutgoingOut:
    """Put a failed message back into the queue; 409 when it did not fail."""
    message_id = call.request.match_info["message_id"]
    return OutgoingOut.model_validate(await call.request.app[CRM].outgoing.try_again(call.actor, message_id))


@operation(
    query=NoQuery,
    response=RuleList,
    permission=Permission.NOTICES_ADMINISTER,
    summary="List the rules of notices",
    tag="notices",
)
async def list_notice_rules(call: Call[NoQuery]) -> RuleList:
    """Return all rules."""
    found = await call.request.app[CRM].outgoing.rules(call.actor)
    return RuleList(items=tuple(RuleOut.model_validate(rule) for rule in found))


@operation(
    query=NoQuery,
    response=RuleOut,
    permission=Permission.NOTICES_ADMINISTER,
    summary="Change a rule of notices",
    tag="notices",
    body=RuleChange,
    if_match=True,
)
async def change_notice_rule(call: Call[NoQuery]) -> RuleOut:
    """Change who hears of a code; If-Match carries the rule's `version`."""
    wish = call.body(RuleChange)
    changed = await call.request.app[CRM].outgoing.change_rule(
        call.actor,
        wish.code,
        expected=call.expected,
        expressions=wish.recipients,
        channels=tuple(Channel(item) for item in wish.channels) if wish.channels is not None else None,
        severity=Severity(wish.severity) if wish.severity else None,
        active=wish.active,
    )
    return RuleOut.model_validate(changed)


@operation(
    query=AddressesQuery,
    response=AddressList,
    permission=OWN,
    summary="List where a person is reached",
    description="One's own; others' need `notices.administer`.",
    tag="notices",
)
async def list_notice_addresses(call: Call[AddressesQuery]) -> AddressList:
    """Return a person's addresses, masked."""
    found = await call.request.app[CRM].outgoing.addresses(call.actor, call.query.user_id)
    return AddressList(items=tuple(AddressOut.model_validate(one) for one in found))


@operation(
    query=NoQuery,
    response=AddressOut,
    permission=Permission.NOTICES_ADMINISTER,
    summary="Say where a person is reached over a channel",
    description='If-Match carries the `version` of the address that is replaced, `"0"` where there is none.',
    tag="notices",
    body=AddressChange,
    if_match=True,
)
async def put_notice_address(call: Call[NoQuery]) -> AddressOut:
    """Store an address; the administrator vouches for it."""
    wish = call.body(AddressChange)
    stored = await call.request.app[CRM].outgoing.set_address(
        call.actor,
        wish.user_id,
        Channel(wish.channel),
        wish.address,
        active=wish.active,
        expected=call.expected,
    )
    return AddressOut.model_validate(stored)


@operation(
    query=AddressQuery,
    response=AddressList,
    permission=Permission.NOTICES_ADMINISTER,
    summary="Reach a person over a channel no more",
    description="If-Match carries the `version` of the address.",
    tag="notices",
    if_match=True,
)
async def delete_notice_address(call: Call[AddressQuery]) -> AddressList:
    """Remove an address; return what is left."""
    desk, asked = call.request.app[CRM].outgoing, call.query
    await desk.remove_address(call.actor, asked.user_id, Channel(asked.channel), expected=call.expected)
    left = await desk.addresses(call.actor, asked.user_id)
    return AddressList(items=tuple(AddressOut.model_validate(one) for one in left))


def _notice(request: web.Request, item: NoticeView) -> NoticeOut:
    language, zone = current_language(), request.app[DEPS].settings.timezone
    return NoticeOut(
        notice_id=item.notice_id,
        code=item.code,
        title=shipped().title(item.code, item.parameters, language, zone),
        text=shipped().text(item.code, item.parameters, language, zone),
        parameters=item.parameters,
        link=item.link,
        severity=item.severity.value,
        created_at=item.created_at,
        read_at=item.read_at,
    )


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.Response]]], ...] = (
    ("GET", "/notices", list_notices),
    ("GET", "/notices/unread", count_unread_notices),
    ("POST", "/notices/read", read_notices),
    ("POST", "/notices/{notice_id}/read", read_notice),
    ("GET", "/outgoing-messages", list_outgoing),
    ("POST", "/outgoing-messages/{message_id}/retry", retry_outgoing),
    ("GET", "/notice-rules", list_notice_rules),
    ("PATCH", "/notice-rules", change_notice_rule),
    ("GET", "/notice-addresses", list_notice_addresses),
    ("PUT", "/notice-addresses", put_notice_address),
    ("DELETE", "/notice-addresses", delete_notice_address),
)
