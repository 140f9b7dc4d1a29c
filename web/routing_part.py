"""Rules of routing, as handlers reach them: ``request.app[ROUTING]``."""

from collections.abc import Collection
from dataclasses import dataclass

from aiohttp import web

from ivr.line_messages import LineMessages
from ivr.routing_book import RoutingBook
from kernel.audit import AuditLog
from telephony.roster import Roster
from web.deps import DEPS


class QueuesOf:
    """Implements :class:`ivr.ports.QueueNames` with the roster."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    async def queue_names(self) -> Collection[str]:
        """Return the names of all queues."""
        return frozenset(queue.name for queue in await self._roster.queues())


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingServices:
    """The services around where callers go."""

    book: RoutingBook
    messages: LineMessages


ROUTING: web.AppKey[RoutingServices] = web.AppKey("ROUTING", RoutingServices)


def setup(app: web.Application) -> None:
    """Build the services from what the web shell was given."""
    deps = app[DEPS]
    queues = QueuesOf(Roster(deps.database, deps.clock, deps.bus))
    audit = AuditLog(deps.database, deps.clock)
    book = RoutingBook(
        deps.database,
        deps.clock,
        audit,
        queues=queues,
        zone=deps.settings.timezone,
        closing=deps.settings.service_hours.closing,
    )
    app[ROUTING] = RoutingServices(
        book=book, messages=LineMessages(deps.database, deps.clock, audit, queues=queues)
    )
