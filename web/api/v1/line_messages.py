"""``/api/v1/line-messages``: what callers are told before they wait, for some hours."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from aiohttp import web
from pydantic import AwareDatetime, Field

from ivr.line_messages import MAX_EN, MAX_ZH, LineMessage, MessageKind, NewMessage, Then
from web.api.operation import Call, operation
from web.api.v1.complaints_schemas import ComplaintBody
from web.api.v1.schemas import NoQuery, Out, SiteTime
from web.deps import DEPS
from web.idempotency import Idempotency
from web.permissions import Permission
from web.routing_part import ROUTING

TAG = "routing"
MESSAGE = (("message_id", "Id of the message."),)


class LineMessageIn(ComplaintBody):
    """A message to switch on."""

    kind: MessageKind
    text_zh: str = Field(min_length=1, max_length=MAX_ZH)
    text_en: str = Field("", max_length=MAX_EN, description="Without it callers in English hear nothing.")
    queue: str = Field("", max_length=32, description="Empty for the callers of every queue.")
    then: Then = Then.QUEUE
    ends_at: AwareDatetime = Field(description="It goes off by itself then: at most 31 days ahead.")


class LineMessageOut(Out):
    """A message; `on`: callers are told it now."""

    message_id: str
    kind: MessageKind
    queue: str
    text_zh: str
    text_en: str
    then: Then
    starts_at: SiteTime
    ends_at: SiteTime
    created_by: str
    ended_at: SiteTime | None
    ended_by: str | None
    on: bool


class LineMessageList(Out):
    """The latest fifty messages, the newest first."""

    items: tuple[LineMessageOut, ...]


def _out(message: LineMessage, now: datetime) -> LineMessageOut:
    values = {name: getattr(message, name) for name in LineMessageOut.model_fields if name != "on"}
    return LineMessageOut(**values, on=message.is_on(now))


@operation(
    query=NoQuery,
    response=LineMessageList,
    permission=Permission.LINE_MESSAGES_SWITCH,
    summary="List what callers are and were told before they wait",
    tag=TAG,
)
async def list_line_messages(call: Call[NoQuery]) -> LineMessageList:
    """Return the latest messages."""
    found = await call.request.app[ROUTING].messages.recent(call.actor)
    return LineMessageList(items=tuple(_out(one, _now(call.request)) for one in found))


@operation(
    query=NoQuery,
    response=LineMessageOut,
    permission=Permission.LINE_MESSAGES_SWITCH,
    summary="Tell callers something from now on",
    description="Spoken at once by the installed voice; callers hear it seconds later.",
    tag=TAG,
    body=LineMessageIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def switch_line_message_on(call: Call[NoQuery]) -> LineMessageOut:
    """Switch a message on."""
    given = call.body(LineMessageIn)
    new = NewMessage(
        kind=given.kind,
        text_zh=given.text_zh,
        text_en=given.text_en,
        queue=given.queue,
        then=given.then,
        ends_at=given.ends_at,
    )
    return _out(await call.request.app[ROUTING].messages.switch_on(call.actor, new), _now(call.request))


@operation(
    query=NoQuery,
    response=LineMessageOut,
    permission=Permission.LINE_MESSAGES_SWITCH,
    summary="Tell callers no longer",
    tag=TAG,
    path_parameters=MESSAGE,
)
async def switch_line_message_off(call: Call[NoQuery]) -> LineMessageOut:
    """Switch a message off; one that is off stays as it is."""
    done = await call.request.app[ROUTING].messages.switch_off(
        call.actor, call.request.match_info["message_id"]
    )
    return _out(done, _now(call.request))


def _now(request: web.Request) -> datetime:
    return request.app[DEPS].clock.now()


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/line-messages", list_line_messages),
    ("POST", "/line-messages", switch_line_message_on),
    ("POST", "/line-messages/{message_id}/off", switch_line_message_off),
)
