"""``/api/v1/handoffs/{handoff_id}/links``: links that show a hand-off for a day without signing in."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from web.api.operation import Call, operation
from web.api.v1.complaints import TAG
from web.api.v1.complaints_schemas import ComplaintBody
from web.api.v1.schemas import NoQuery, Out, SiteTime
from web.crm_part import CRM
from web.permissions import Permission

HANDOFF = (("handoff_id", "Id of the hand-off."),)
LINK = (("link_id", "Id of the link."),)


class NoBody(ComplaintBody):
    """Nothing to say."""


class HandoffLinkOut(Out):
    """A link; its secret is not among this."""

    link_id: str
    handoff_id: str
    made_at: SiteTime
    made_by: str
    expires_at: SiteTime
    revoked_at: SiteTime | None
    opened: int
    last_opened_at: SiteTime | None


class HandoffLinkList(Out):
    """The links to a hand-off that still open, newest first."""

    items: tuple[HandoffLinkOut, ...]


class MadeLinkOut(Out):
    """A link just made; `path` is told this once."""

    link: HandoffLinkOut
    path: str


@operation(
    query=NoQuery,
    response=MadeLinkOut,
    permission=Permission.CASES_VIEW,
    summary="Make a link that shows a hand-off's sheet for 24 hours without signing in",
    description="Read-only, numbers masked, each opening noted; none for hand-offs about integrity.",
    tag=TAG,
    path_parameters=HANDOFF,
    body=NoBody,
    status=201,
)
async def make_handoff_link(call: Call[NoQuery]) -> MadeLinkOut:
    """Make a link."""
    made = await call.request.app[CRM].handoff_links.make(call.actor, call.request.match_info["handoff_id"])
    return MadeLinkOut(link=HandoffLinkOut.model_validate(made.link), path=f"/shared/{made.token}")


@operation(
    query=NoQuery,
    response=HandoffLinkList,
    permission=Permission.CASES_VIEW,
    summary="List the links to a hand-off that still open",
    tag=TAG,
    path_parameters=HANDOFF,
)
async def list_handoff_links(call: Call[NoQuery]) -> HandoffLinkList:
    """Return the links."""
    found = await call.request.app[CRM].handoff_links.live(call.actor, call.request.match_info["handoff_id"])
    return HandoffLinkList(items=tuple(HandoffLinkOut.model_validate(one) for one in found))


@operation(
    query=NoQuery,
    response=HandoffLinkOut,
    permission=Permission.CASES_VIEW,
    summary="Revoke a link to a hand-off",
    tag=TAG,
    path_parameters=LINK,
    body=NoBody,
)
async def revoke_handoff_link(call: Call[NoQuery]) -> HandoffLinkOut:
    """End a link."""
    found = await call.request.app[CRM].handoff_links.revoke(call.actor, call.request.match_info["link_id"])
    return HandoffLinkOut.model_validate(found)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/handoffs/{handoff_id}/links", list_handoff_links),
    ("POST", "/handoffs/{handoff_id}/links", make_handoff_link),
    ("POST", "/handoff-links/{link_id}/revoke", revoke_handoff_link),
)
