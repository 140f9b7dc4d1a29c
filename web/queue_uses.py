"""What still needs a queue: nobody retires one that calls are led to."""

import re
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select

from callback_campaigns.queue_claims import campaigns_with, kept_places
from ivr.domain.flow import Queue
from ivr.domain.parse import parse_flow
from ivr.domain.problems import FlowInvalid
from ivr.domain.routing_file import RoutingInvalid, parse_routing
from ivr.domain.yaml_tree import read_yaml
from ivr.repository import FlowRepository
from ivr.routing_book import RoutingBook
from kernel.clock import Clock
from kernel.db import Database
from telephony.agent_tables import DispositionRow
from telephony.domain.call import CallState
from telephony.queue_now import RECENT
from telephony.roster import Roster
from telephony.tables import CallRow

_GONE = re.compile(r"line (\d+): there is no queue “([^”]*)”")


class Need(StrEnum):
    """Why a queue cannot go."""

    DEFAULT = "default"
    """The settings send callers there whom nothing else leads anywhere."""
    WAITING = "waiting"
    PLACE = "place"
    FLOW = "flow"
    ROUTING = "routing"
    CAMPAIGN = "campaign"
    DISPOSITION = "disposition"


@dataclass(frozen=True, slots=True)
class Use:
    """One of them; ``what`` names it."""

    need: Need
    what: str = ""


class QueueUses:
    """Looks for them. Never raises for what cannot be read: that is told where it is kept."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        roster: Roster,
        routing: RoutingBook,
        *,
        default_queue: str,
    ) -> None:
        self._database = database
        self._clock = clock
        self._roster = roster
        self._routing = routing
        self._default = default_queue

    async def of(self, queue: str) -> tuple[Use, ...]:
        """Return what needs a queue."""
        found = [Use(Need.DEFAULT)] if queue == self._default else []
        waiting = (CallState.QUEUED.value, CallState.RINGING.value)
        there = select(func.count()).where(
            CallRow.queue == queue,
            CallRow.state.in_(waiting),
            CallRow.started_at > self._clock.now() - RECENT,
        )
        async with self._database.session() as session:
            count = await session.scalar(there) or 0
            campaigns, places = await campaigns_with(session, queue), await kept_places(session, queue)
            items = (await session.scalars(select(DispositionRow).where(DispositionRow.active))).all()
        found += [Use(Need.WAITING, str(count))] if count else []
        found += [Use(Need.PLACE, str(places))] if places else []
        found += [Use(Need.FLOW, name) for name in await self._flows(queue)]
        found += [Use(Need.ROUTING, line) for line in await self._rules(queue)]
        found += [Use(Need.CAMPAIGN, name) for name in campaigns]
        found += [Use(Need.DISPOSITION, row.label_zh) for row in items if list(row.queues or ()) == [queue]]
        return tuple(found)

    async def _flows(self, queue: str) -> list[str]:
        led = []
        for name, (_, text) in sorted((await FlowRepository(self._database).active()).items()):
            try:
                flow = parse_flow(read_yaml(text, name), {}, [])
            except FlowInvalid:
                continue
            ends = {node.queue for node in flow.nodes.values() if isinstance(node, Queue)}
            if queue in ends | {flow.fallback.queue}:
                led.append(name)
        return led

    async def _rules(self, queue: str) -> list[str]:
        version = await self._routing.in_force()
        others = {one.name for one in await self._roster.queues()} - {queue}
        try:
            parse_routing(version.text, queues=others)
        except RoutingInvalid as error:
            lines = (_GONE.match(line) for line in error.message.splitlines())
            return [found[1] for found in lines if found and found[2] == queue]
        return []
