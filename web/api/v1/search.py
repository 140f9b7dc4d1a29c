"""``/api/v1/search`` and ``/api/v1/customers/{customer_id}/timeline``."""

from web.api.operation import Call, operation
from web.api.v1.search_schemas import SearchQuery, SearchResults, TimelineList, TimelineQuery
from web.crm_part import CRM
from web.disclosure import note_phones_found
from web.identity import current_user
from web.permissions import Permission


@operation(
    query=SearchQuery,
    response=SearchResults,
    permission=Permission.CASES_VIEW,
    summary="Search customers, projects, cases, notes and articles",
    description="Only what the caller may see is found: people of a department find that department's cases.",
    tag="search",
)
async def search(call: Call[SearchQuery]) -> SearchResults:
    """Return a page of hits."""
    asked = call.query
    page = await call.request.app[CRM].search.search(
        call.actor,
        asked.q,
        kinds=(asked.kind,) if asked.kind else None,
        limit=asked.limit,
        cursor=asked.cursor,
    )
    await note_phones_found(call.request, current_user(call.request), page.items)
    return SearchResults.model_validate(page)


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
