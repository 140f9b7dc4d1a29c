"""The search's feed with everything that any part adds to it: for the service, the commands and imports."""

from crm import complaint_store, repair_store, ticket_store
from crm.knowledge_search import ARTICLES
from crm.search import Kind
from crm.search_feed import SearchFeed


def whole_feed(feed: SearchFeed | None = None) -> SearchFeed:
    """Return a feed, or the given one, that knows every kind."""
    feed = feed or SearchFeed()
    feed.add(ARTICLES)
    feed.extend(Kind.COMPLAINT, complaint_store.search_extras)
    feed.extend(Kind.REPAIR, repair_store.search_extras)
    feed.extend(Kind.TICKET, ticket_store.search_extras)
    return feed
