"""Steps with calls in the process that follows the PBX: who can be reached, and what carries them out."""

import re
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from datetime import timedelta

from app.numbers import AgentNumbers
from app.settings import Settings
from ivr.entrances import entrances
from ivr.repository import FlowRepository
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.phone import InvalidPhone, Phone, PhoneKind
from telephony.agent_feed import AgentFeed
from telephony.ami.actions import AmiActions
from telephony.call_control import CallControl
from telephony.hand_keeper import EVENTS, ControlConfig
from telephony.hand_views import (
    Destination,
    OutsideRefused,
    OutsideTooOften,
    Target,
    TargetAway,
    TargetKind,
    TargetUnknown,
)
from telephony.ingest import TelephonyIngest
from telephony.roster import Roster

AWAY = frozenset({"UNAVAILABLE", "INVALID", "UNKNOWN"})
FREE = frozenset({"NOT_INUSE", "UNKNOWN"})
HOUR = timedelta(hours=1)
MOST_AGENTS = 2000
_NATIONAL = frozenset({PhoneKind.MOBILE, PhoneKind.LANDLINE, PhoneKind.SERVICE})


class Places:
    """Knows whom a customer can be sent to. An implementation of :class:`telephony.hand_views.Destinations`.

    Args:
        devices: agent number → Asterisk's word for the telephone.
    """

    def __init__(
        self,
        settings: Settings,
        roster: Roster,
        flows: FlowRepository,
        devices: Callable[[], Mapping[str, str]],
        clock: Clock,
    ) -> None:
        self._rules = settings.call_control
        self._area = settings.centre.default_area
        self._roster = roster
        self._flows = flows
        self._devices = devices
        self._clock = clock
        self._outside: OrderedDict[str, deque[float]] = OrderedDict()

    async def find(self, target: Target, *, agent_number: str, ask: bool) -> Destination:
        """Return the target as the dialplan takes it; see the port for what it raises."""
        if ask and target.kind not in {TargetKind.AGENT, TargetKind.OUTSIDE}:
            raise TargetUnknown("only people can be asked: an agent, or a number outside", field="target")
        match target.kind:
            case TargetKind.AGENT:
                return await self._agent(target, agent_number)
            case TargetKind.QUEUE:
                labels = {queue.name: queue.label_zh for queue in await self._roster.queues()}
            case TargetKind.FLOW:
                labels = await entrances(self._flows)
            case TargetKind.OUTSIDE:
                return self._number(target, agent_number)
        if target.value not in labels:
            raise TargetUnknown(f"there is no such {target.kind.value}", field="target")
        return Destination(kind=target.kind, value=target.value, label=labels[target.value])

    async def _agent(self, target: Target, own: str) -> Destination:
        found = next((one for one in await self._roster.agents() if one.number == target.value), None)
        if found is None or found.number == own or re.fullmatch(r"\d{2,8}", found.number) is None:
            raise TargetUnknown("there is no other agent of this number", field="target")
        device = self._devices().get(found.number, "UNAVAILABLE")
        if device in AWAY:
            raise TargetAway("the colleague's telephone is not connected", field="target")
        if device not in FREE:
            raise TargetAway("the colleague's telephone is busy", field="target")
        return Destination(kind=target.kind, value=found.number, label=found.name)

    def _number(self, target: Target, own: str) -> Destination:
        rules = self._rules
        if rules.outside == "none":
            raise OutsideRefused("calls to numbers outside are switched off (call_control.outside)")
        try:
            phone = Phone.parse(target.value, default_area=self._area)
        except InvalidPhone as error:
            raise TargetUnknown("this is no telephone number", field="target") from error
        if rules.outside == "national" and phone.kind not in _NATIONAL:
            raise OutsideRefused("only numbers of this country may be called (call_control.outside)")
        self._count(own)
        return Destination(kind=target.kind, value=phone.national, label=phone.national)

    def _count(self, agent_number: str) -> None:
        """Take that the agent sends to, or asks, somebody outside. Raises OutsideTooOften."""
        now = self._clock.monotonic()
        made = self._outside.setdefault(agent_number, deque(maxlen=self._rules.outside_per_hour))
        self._outside.move_to_end(agent_number)
        while len(self._outside) > MOST_AGENTS:
            self._outside.popitem(last=False)
        while made and now - made[0] > HOUR.total_seconds():
            made.popleft()
        if len(made) >= self._rules.outside_per_hour:
            raise OutsideTooOften("too many numbers outside within an hour; please try again later")
        made.append(now)


def build_control(
    settings: Settings,
    ingest: TelephonyIngest,
    actions: AmiActions,
    numbers: AgentNumbers,
    feed: AgentFeed,
    places: Places,
    *,
    clock: Clock,
    bus: Bus,
) -> CallControl:
    """Return what takes agents' steps with their calls."""
    trunk, rules = settings.pbx.trunk, settings.call_control
    control = CallControl(
        ingest.book,
        actions,
        places,
        agent_id_of=numbers.id_of,
        taken_over=feed.handed_over,
        bus=bus,
        clock=clock,
        config=ControlConfig(
            trunk=trunk.name,
            caller_id=(trunk.caller_ids or (settings.centre.hotline,))[0],
            ring=timedelta(seconds=rules.ring_seconds),
            outside_ring=timedelta(seconds=rules.outside_ring_seconds),
        ),
    )
    ingest.add_sink(control.sink, *EVENTS)
    return control
