"""A small call centre for tests of agents: two agents, two queues, the standard codes."""

from dataclasses import dataclass
from datetime import timedelta

from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.events import Event
from telephony.desk import AgentDesk
from telephony.domain.agent_state import AgentPolicy, Stance
from telephony.domain.agent_steps import AgentEvent
from telephony.domain.queue import MemberPlan, QueueSettings
from telephony.roster import Roster

QUEUES = (
    QueueSettings(name="complaint", label_zh="投诉", label_en="Complaints", wrap_up=timedelta(0)),
    QueueSettings(name="repair", label_zh="报修", label_en="Repairs", wrap_up=timedelta(minutes=1)),
    QueueSettings(name="service", label_zh="人工", label_en="A person", wrap_up=timedelta(seconds=30)),
)


class RecordingFollower:
    """Takes plans and remembers them. A plan older than the known one is dropped, as the real one does."""

    def __init__(self) -> None:
        self.live = True
        self.plans: dict[str, MemberPlan] = {}
        self.stances: list[tuple[str, Stance]] = []

    def follow(self, plan: MemberPlan) -> None:
        """Note the plan."""
        known = self.plans.get(plan.number)
        if known is not None and plan.version < known.version:
            return
        if known is None or known.stance != plan.stance:
            self.stances.append((plan.number, plan.stance))
        self.plans[plan.number] = plan


@dataclass
class Centre:
    """The parts of the agents' side, with two people: 李静 (1001) and 张伟 (1002)."""

    database: Database
    clock: Clock
    bus: Bus
    roster: Roster
    desk: AgentDesk
    follower: RecordingFollower
    jing: str
    wei: str

    async def pbx(self, *events: AgentEvent, number: str = "1001") -> None:
        """Let the PBX say something of an agent."""
        await self.desk.take([(number, event, self.clock.now()) for event in events])

    def desk_of_another_process(self) -> AgentDesk:
        """A desk on the same database that shares nothing else."""
        return AgentDesk(self.database, self.clock, Bus(), worker="other", policy=AgentPolicy())


async def centre(database: Database, clock: Clock, *, policy: AgentPolicy | None = None) -> Centre:
    """Set the centre up in an empty database."""
    bus = Bus()
    roster = Roster(database, clock, bus)
    await roster.seed_codes()
    for queue in QUEUES:
        await roster.put_queue(queue)
    jing = await roster.put_agent(number="1001", name="李静", sip_password="phone1001")
    wei = await roster.put_agent(number="1002", name="张伟", sip_password="phone1002")
    await roster.set_memberships(jing, {"repair": 0, "service": 5})
    await roster.set_memberships(wei, {"complaint": 0})
    follower = RecordingFollower()
    desk = AgentDesk(database, clock, bus, worker="test", policy=policy, follower=follower)
    return Centre(
        database=database,
        clock=clock,
        bus=bus,
        roster=roster,
        desk=desk,
        follower=follower,
        jing=jing,
        wei=wei,
    )


class Heard:
    """What is published on a bus while the block runs."""

    def __init__(self, bus: Bus, *types: type[Event]) -> None:
        self._subscription = bus.subscribe(*types, name="test")
        self.events: list[Event] = []

    async def __aenter__(self) -> "Heard":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._subscription.close()
        async for item in self._subscription:
            assert isinstance(item, Event)
            self.events.append(item)
