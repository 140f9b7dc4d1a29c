"""What keeps the dispositions, for pages and API."""

from aiohttp import web

from telephony.dispositions import DispositionBook
from web.deps import DEPS


def dispositions_of(app: web.Application) -> DispositionBook:
    """Return what keeps the dispositions."""
    deps = app[DEPS]
    return DispositionBook(deps.database, deps.clock)
