"""What keeps the limits of the supervisor's board, for pages and API."""

from aiohttp import web

from telephony.board_limits import BoardLimitBook
from web.deps import DEPS


def book_of(app: web.Application) -> BoardLimitBook:
    """Return what keeps the limits."""
    deps = app[DEPS]
    return BoardLimitBook(deps.database, deps.clock, deps.bus)
