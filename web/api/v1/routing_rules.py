"""``/api/v1/routing-rules``: where callers go who are to wait for a person."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import Field

from ivr.domain.routing_file import MAX_TEXT
from web.api.operation import Call, operation
from web.api.v1.complaints_schemas import ComplaintBody, Cursor, Limit
from web.api.v1.schemas import NoQuery, Out, Query, SiteTime
from web.idempotency import Idempotency
from web.permissions import Permission
from web.routing_part import ROUTING

TAG = "routing"


class RoutingRulesIn(ComplaintBody):
    """Rules to put in force for the next caller."""

    text: str = Field(min_length=1, max_length=MAX_TEXT, description="YAML, as `text` of the rules in force.")
    why: str = Field(min_length=1, max_length=200, description="What was changed.")
    expected: int = Field(ge=0, description="`version` as it was read: stands for If-Match.")


class RoutingRulesOut(Out):
    """A version of the rules; 0 is what comes with the product."""

    version: int
    text: str
    why: str
    created_at: SiteTime | None
    created_by: str


class RoutingRulesList(Out):
    """What was published, the newest first."""

    items: tuple[RoutingRulesOut, ...]
    next_cursor: str | None


class RoutingRulesQuery(Query):
    """Which page."""

    cursor: Cursor | None = None
    limit: Limit = 50


@operation(
    query=NoQuery,
    response=RoutingRulesOut,
    permission=Permission.ROUTING_VIEW,
    summary="Read the rules of routing in force",
    tag=TAG,
)
async def get_routing_rules(call: Call[NoQuery]) -> RoutingRulesOut:
    """Return the rules in force."""
    return RoutingRulesOut.model_validate(await call.request.app[ROUTING].book.current(call.actor))


@operation(
    query=RoutingRulesQuery,
    response=RoutingRulesList,
    permission=Permission.ROUTING_VIEW,
    summary="List the versions of the rules of routing, the newest first",
    tag=TAG,
)
async def list_routing_rules(call: Call[RoutingRulesQuery]) -> RoutingRulesList:
    """Return a page of versions."""
    page = await call.request.app[ROUTING].book.versions(
        call.actor, cursor=call.query.cursor, limit=call.query.limit
    )
    return RoutingRulesList.model_validate(page)


@operation(
    query=NoQuery,
    response=RoutingRulesOut,
    permission=Permission.ROUTING_EDIT,
    summary="Put rules of routing in force",
    description="400 names every mistake with its line; 412 when somebody published meanwhile.",
    tag=TAG,
    body=RoutingRulesIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def publish_routing_rules(call: Call[NoQuery]) -> RoutingRulesOut:
    """Publish rules."""
    given = call.body(RoutingRulesIn)
    done = await call.request.app[ROUTING].book.publish(
        call.actor, given.text, why=given.why, expected=given.expected
    )
    return RoutingRulesOut.model_validate(done)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/routing-rules", get_routing_rules),
    ("GET", "/routing-rules/versions", list_routing_rules),
    ("POST", "/routing-rules", publish_routing_rules),
)
