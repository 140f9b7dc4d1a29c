"""``/api/v1/search`` and ``/api/v1/customers/{customer_id}/timeline``."""

from crm.domain.snippet import Shown
from crm.said_search import SaidAsked
from crm.search import Kind
from crm.search_query import Page
from kernel.errors import Forbidden
from web.api.operation import Call, operation
from web.api.v1.search_schemas import SearchQuery, SearchResults, TimelineList, TimelineQuery
from web.crm_part import CRM
from web.disclosure import note_phones_found
from web.identity import current_user
from web.permissions import Permission
from web.said import SaidCallFound, SaidPage, find_said, may_find_said

SAID_KIND = "said"
SAID_CURSOR = "said."


@operation(
    query=SearchQuery,
    response=SearchResults,
    permission=Permission.CASES_VIEW,
    summary="Search customers, projects, cases, notes, articles and what was said",
    description="Only what the caller may see is found: people of a department find that department's cases. "
    "What was said in calls (`said`, `ref_id` is the call) comes last; `/said` finds more of it.",
    tag="search",
)
async def search(call: Call[SearchQuery]) -> SearchResults:
    """Return a page of hits."""
    asked, user = call.query, current_user(call.request)
    hears = may_find_said(user)
    if asked.kind == SAID_KIND and not hears:
        raise Forbidden("agents find what was said in their own calls", field="kind")
    in_said = hears and (asked.kind == SAID_KIND or (asked.cursor or "").startswith(SAID_CURSOR))
    page, said = Page(()), SaidPage()
    if not in_said:
        kinds = (Kind(asked.kind),) if asked.kind else None
        page = await call.request.app[CRM].search.search(
            call.actor, asked.q, kinds=kinds, limit=asked.limit, cursor=asked.cursor
        )
        await note_phones_found(call.request, user, page.items)
    room = asked.limit - len(page.items)
    cursor = page.next_cursor
    if hears and asked.kind is None and not in_said and cursor is None and not room:
        cursor = SAID_CURSOR
    elif in_said or (hears and asked.kind is None and cursor is None):
        after = (asked.cursor or "").removeprefix(SAID_CURSOR) if in_said else ""
        said = await find_said(call.request, SaidAsked(q=asked.q), limit=room, cursor=after or None)
        cursor = f"{SAID_CURSOR}{said.next_cursor}" if said.next_cursor else None
    return SearchResults.model_validate(
        {
            "items": (*page.items, *(_said(found) for found in said.items)),
            "next_cursor": cursor,
        }
    )


def _said(found: SaidCallFound) -> dict[str, object]:
    call, nothing = found.call, Shown("")
    return {
        "kind": SAID_KIND,
        "ref_id": call.call_id,
        "customer_id": call.customer_id,
        "title": nothing,
        "label": nothing,
        "snippet": found.lines[0].text,
        "phones": (),
        "level": 3,
        "updated_at": call.started_at,
    }


@operation(
    query=TimelineQuery,
    response=TimelineList,
    permission=Permission.CUSTOMERS_VIEW,
    summary="Read a customer's time line",
    description="Calls, cases, callbacks, messages, visits and payments, newest first.",
    tag="customers",
    path_parameters=(("customer_id", "Id of the customer."),),
)
async def read_timeline(call: Call[TimelineQuery]) -> TimelineList:
    """Return a page of the time line."""
    page = await call.request.app[CRM].timeline.page(
        call.actor,
        call.request.match_info["customer_id"],
        before=call.query.before,
        limit=call.query.limit,
        channels=(call.query.channel,) if call.query.channel else None,
    )
    return TimelineList.model_validate(page)


ROUTES = (
    ("GET", "/search", search),
    ("GET", "/customers/{customer_id}/timeline", read_timeline),
)
