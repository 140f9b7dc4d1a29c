"""Callers who keep their place in a queue: where they are kept, and who calls them back."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from app.office import office_of
from app.settings import Settings
from app.telephony_part import TelephonyPart
from app.web_settings import web_settings
from callback_campaigns.campaigns import Lines
from callback_campaigns.domain.dial_rules import DialFile
from callback_campaigns.domain.queue_place import PlaceRules, Waiting
from callback_campaigns.exchange import Exchange
from callback_campaigns.place_attempts import PlaceAttempts
from callback_campaigns.place_caller import FreeAgent, Hall, PlaceCaller
from callback_campaigns.placing import Placing
from callback_campaigns.preview import PreviewConfig
from callback_campaigns.queue_places import QueuePlaces
from callback_campaigns.tasks import CallbackTasks
from crm.do_not_call import DoNotCall
from crm.office import Office
from crm.service import CallbackRequests
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from telephony.ami.actions import AmiActions
from telephony.board import Board
from telephony.domain.agent_state import RESERVED, AgentState
from telephony.domain.call_id import ATTEMPT, STAFF

AWAY = frozenset({"", "UNAVAILABLE", "INVALID", "UNKNOWN"})
"""What Asterisk says of telephones that cannot ring."""
FREE = frozenset({AgentState.AVAILABLE.value, RESERVED})
BUSY = frozenset({AgentState.ON_CALL.value, AgentState.WRAP_UP.value})


def build_places(settings: Settings, database: Database, clock: Clock) -> QueuePlaces:
    """Return where callers keep their place."""
    return QueuePlaces(office_of(settings, database, clock), web_settings(settings).dialling)


def build_place_caller(
    telephony: TelephonyPart,
    office: Office,
    tasks: CallbackTasks,
    dialling: DialFile,
    do_not_call: DoNotCall,
    lines: Lines,
    exchange: Exchange,
    placing: Placing,
    config: PreviewConfig,
    *,
    bus: Bus,
) -> PlaceCaller:
    """Return who calls them back over the PBX of this process."""
    attempts = PlaceAttempts(
        office,
        tasks,
        dialling,
        do_not_call,
        CallbackRequests(office.database, office.clock),
        lines,
        exchange,
        config,
        PlaceRules(),
    )

    hall = Hall(
        members=telephony.members,
        waiting=Line(telephony.link.actions, office.clock).waiting,
        free=lambda: agents_in(telephony.board, FREE),
        busy=lambda: agents_in(telephony.board, BUSY),
        connected=taken_by(telephony, office.clock),
    )
    return PlaceCaller(office, attempts, placing, hall, config, bus=bus)


def taken_by(telephony: TelephonyPart, clock: Clock) -> Callable[[str, str, str], None]:
    """Return what tells the agents that a customer who was called is with one: (number, call, queue)."""

    def connected(number: str, call_id: str, queue: str) -> None:
        uniqueid = f"{ATTEMPT}{call_id}{STAFF}"
        telephony.feed.handed_over(number, uniqueid, call_id, queue, clock.now())

    return connected


class Line:
    """Who waits in Asterisk's queues."""

    def __init__(self, actions: AmiActions, clock: Clock) -> None:
        self._actions = actions
        self._clock = clock

    async def waiting(self) -> Mapping[str, Sequence[Waiting]]:
        """Return the callers on the line by queue. Raises AmiError."""
        status, now = await self._actions.queue_status(), self._clock.now()
        found: dict[str, list[Waiting]] = {}
        for caller in status.callers:
            since = now - timedelta(seconds=_count(caller.get("Wait")))
            entry = Waiting(_count(caller.get("Priority")), since)
            found.setdefault(caller.get("Queue"), []).append(entry)
        return found


def agents_in(board: Board, states: frozenset[str]) -> list[FreeAgent]:
    """Return the agents in one of ``states`` whose telephone is there, who is so longest first."""
    found = [
        agent
        for agent in board.snapshot().agents
        if agent.state in states and (agent.device or "") not in AWAY
    ]
    found.sort(key=lambda agent: (agent.since, agent.number))
    return [FreeAgent(agent.number, frozenset(agent.queues)) for agent in found]


def _count(value: str) -> int:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 9 else 0
