"""A centre with many agents at work on a real Asterisk, and the people it calls: what a dialler is paced for.

Who is called, how long they ring, talk and are written about is drawn by the simulator's own list
(:mod:`callback_campaigns.pacing.simulation.centre`), so that the simulator may be asked what it makes of the
same people. Agents' telephones answer by themselves; when a talk is over the agent writes, and saves.
"""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from callback_campaigns.dial_attempts import to_attempt
from callback_campaigns.dial_queries import live_answer
from callback_campaigns.domain.attempt import AT_ONCE
from callback_campaigns.domain.campaign import Campaign, CampaignMode, CampaignState
from callback_campaigns.events import CampaignPulse
from callback_campaigns.pacing import Mode, Policy
from callback_campaigns.pacing.simulation.centre import Centre, Contact, Contacts
from callback_campaigns.pacing.simulation.diallers import PacedDialler
from callback_campaigns.pacing.simulation.run import Outcome, Run
from callback_campaigns.task_tables import DialAttemptRow
from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import Database
from kernel.errors import DeadlineExceeded
from telephony.domain.queue import QueueSettings
from telephony.events import AgentStateChanged
from telephony.roster import Roster
from tests.support.centre import RunningCentre, running_centre
from tests.support.dialling import ShiftedClock, set_state, start_campaign, waiting_customers
from tests.support.far_end import FarCall, FarEnd, Plan, far_end
from tests.support.pbx import HOTLINE
from tests.support.ports import free_ports
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

QUEUE = "callbacks"
FIRST_AGENT = 2001
PASSWORD = "phone12345"
REGISTERED_SECONDS = 100.0
"""As telephones do that the PBX lets register for 300 seconds at most."""
PICKS_UP = 0.1
"""Seconds after which an agent's telephone answers by itself."""
HEARD_WITHIN = 0.15
"""What a voice needs from the one telephone to the other, and the clocks of this process."""
RING_LIMIT = 6.0
TIMES = 3
"""How often a form is sent whose answer does not come: the machine may be busy with others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """What one campaign made of its time.

    Attributes:
        seconds: how long it dialled.
        occupancy: the agents' share of time in talks and writing, as their telephones and pages had it.
        live, abandoned: customers who answered, and those whom nobody talked with within two seconds; as
            their telephones heard it.
        stored_live, stored_abandoned: the same by the database.
        shown_share: the last abandoned share that the campaign's page was shown.
        decisions: what the dialler said of its pace, each pulse.
        waits: how long those who talked with somebody had waited.
    """

    mode: CampaignMode
    seconds: float
    occupancy: float
    dials: int
    live: int
    abandoned: int
    stored_live: int
    stored_abandoned: int
    shown_share: float
    decisions: tuple[str, ...]
    waits: tuple[float, ...]

    @property
    def abandonment(self) -> float:
        """Abandoned ÷ live answers, on the customers' side."""
        return self.abandoned / self.live if self.live else 0.0


@dataclass
class LiveAgents:
    """Agents at work."""

    centre: RunningCentre
    shape: Centre
    town: FarEnd
    desks: FarEnd
    proxy: TcpProxy
    agent_ids: tuple[str, ...]
    people: "People"
    pulses: list[CampaignPulse] = field(default_factory=list)
    busy: list[tuple[float, float]] = field(default_factory=list)
    writing: dict[str, float] = field(default_factory=dict)

    @property
    def loop_time(self) -> float:
        """Return the time that all measures here are on."""
        return asyncio.get_running_loop().time()

    async def start(self, mode: CampaignMode, **changes: Any) -> Campaign:
        """Have a campaign dial for the agents."""
        self.people.begin(self.loop_time)
        wanted = {"lines": 4 * self.shape.agents, "per_second": 20, "ratio": 3.0, "agents_least": 4}
        return await start_campaign(
            self.centre.database, self.centre.clock, mode=mode, queue=QUEUE, **(wanted | changes)
        )

    async def stop(self, campaign: Campaign) -> None:
        """End it, and wait until the last of its calls and forms is over."""
        await set_state(self.centre.database, campaign, CampaignState.STOPPED)
        dialler = self.centre.service.dialler
        assert dialler is not None
        await eventually(
            lambda: not dialler.keeper.open_attempts() and free(self.centre) == len(self.agent_ids),
            timeout=60,
            what="the last call is over",
        )
        self.writing.clear()

    def decisions(self, campaign: Campaign) -> tuple[str, ...]:
        """Return what the dialler said of its pace, in order."""
        return tuple(one.decision for one in self.pulses if one.campaign_id == campaign.campaign_id)

    async def spell(self, mode: CampaignMode, seconds: float, **changes: Any) -> Spell:
        """Let a campaign dial for so long, and say what it came to."""
        first, began = len(self.town.calls), self.loop_time
        campaign = await self.start(mode, **changes)
        await asyncio.sleep(seconds)
        ended = self.loop_time
        occupancy = self.occupancy(began, ended)
        await self.stop(campaign)
        return await self.sum_up(campaign, first, ended - began, occupancy)

    async def sum_up(self, campaign: Campaign, first: int, seconds: float, occupancy: float) -> Spell:
        """Return what the calls from number ``first`` on came to."""
        calls = self.town.calls[first:]
        answered = [one for one in calls if one.answered_at is not None]
        waits = [one.waited() for one in answered]
        late = sum(wait is None or wait > AT_ONCE + HEARD_WITHIN for wait in waits)
        stored = await stored_answers(self.centre.database, campaign)
        shown = [one.abandoned_share for one in self.pulses if one.campaign_id == campaign.campaign_id]
        return Spell(
            mode=campaign.mode,
            seconds=seconds,
            occupancy=occupancy,
            dials=len(calls),
            live=len(answered),
            abandoned=late,
            stored_live=stored[0],
            stored_abandoned=stored[1],
            shown_share=shown[-1] if shown else 0.0,
            decisions=self.decisions(campaign),
            waits=tuple(wait for wait in waits if wait is not None),
        )

    def occupancy(self, since: float, until: float) -> float:
        """Return the agents' share of a stretch of time in talks and writing."""
        now = self.loop_time
        talking = [(one.answered_at, now) for one in self.desks.calls if one.ended_at is None]
        writing = [(began, now) for began in self.writing.values()]
        spent = sum(
            max(0.0, min(end, until) - max(begin, since))
            for begin, end in (*self.busy, *talking, *writing)
            if begin is not None
        )
        return spent / (len(self.agent_ids) * (until - since))

    # -- the agents ----------------------------------------------------------------------------------

    def talked(self, call: FarCall) -> None:
        """A talk at a desk is over."""
        assert call.answered_at is not None
        assert call.ended_at is not None
        self.busy.append((call.answered_at, call.ended_at))

    async def write_forms(self) -> None:
        """Save what became of a call after the time that its form takes, as agents do."""
        desk, bus = self.centre.service.desk, self.centre.service.base.bus
        saving: set[asyncio.Task[None]] = set()
        versions: dict[str, int] = {}

        async def save(agent_id: str, call_id: str, after: float) -> None:
            await asyncio.sleep(after)
            for _ in range(TIMES):
                with contextlib.suppress(DeadlineExceeded):
                    await desk.save_wrap_up(agent_id, call_id, disposition="answered_enquiry")
                    return

        async with bus.subscribe(AgentStateChanged, name="live-agents", maxsize=10_000) as heard:
            async for event in heard:
                if not isinstance(event, AgentStateChanged) or event.agent_id not in self.agent_ids:
                    continue
                if event.version <= versions.get(event.agent_id, -1):
                    continue  # older than what is known
                versions[event.agent_id] = event.version
                began = self.writing.pop(event.agent_id, None)
                if began is not None:
                    self.busy.append((began, self.loop_time))
                if event.state == "wrap_up" and event.wrap_up_call_id is not None:
                    self.writing[event.agent_id] = self.loop_time
                    task = asyncio.create_task(
                        save(event.agent_id, event.wrap_up_call_id, self.people.form_seconds())
                    )
                    saving.add(task)
                    task.add_done_callback(saving.discard)

    async def keep_pages(self) -> None:
        """Every agent has the page open."""
        while True:
            for agent_id in self.agent_ids:
                await self.centre.service.desk.heartbeat(agent_id)
            await asyncio.sleep(5)

    async def keep_registered(self) -> None:
        """Telephones say again that they are there, before the PBX takes them for gone."""
        while True:
            await asyncio.sleep(REGISTERED_SECONDS)
            for agent in agent_numbers(self.shape):
                await self.desks.register(agent, PASSWORD)

    async def follow(self) -> None:
        """Note what the campaigns' pages are told."""
        async with self.centre.service.base.bus.subscribe(CampaignPulse, name="live-pulses") as heard:
            async for event in heard:
                if isinstance(event, CampaignPulse):
                    self.pulses.append(event)


class People:
    """Who is called: the simulator's list, one number each.

    Attributes:
        deaf: no agent's telephone answers any more, though all of them ring.
    """

    def __init__(self, shape: Centre, count: int) -> None:
        self.shape = shape
        self.numbers = [f"+86138{index:08d}" for index in range(count)]
        self._contacts = list(itertools.islice(Contacts(shape), count))
        self.deaf = False
        self._began = 0.0
        self._forms = itertools.cycle(self._contacts)

    def begin(self, now: float) -> None:
        """The list's time begins: what changes through the day counts from here."""
        self._began = now

    def at_the_desk(self, number: str) -> Plan:
        """Return what an agent's telephone does: it answers by itself, unless none of them works."""
        return Plan(ring=None if self.deaf else PICKS_UP)

    def form_seconds(self) -> float:
        """Return how long the next form takes."""
        return next(self._forms).wrap

    def plan(self, number: str) -> Plan:
        """Return what somebody does who is called now."""
        # The demo company's own customers are people, too.
        contact: Contact = self._contacts[int(number[-8:]) % len(self._contacts)]
        shape = self.shape
        answering = shape.answering(asyncio.get_running_loop().time() - self._began)
        if contact.luck < answering:
            return Plan(ring=contact.ring, talk=contact.talk)
        if contact.luck < answering + shape.refused_ratio:
            return Plan(ring=contact.refused, refusal=random.choice(("486 Busy Here", "603 Decline")))
        return Plan(ring=None)


def simulated(shape: Centre, mode: CampaignMode, seconds: float, least: int = 4) -> Outcome:
    """Return what the simulator makes of the same list, from as cold a start."""
    policy = Policy(min_agents=max(Policy().min_agents, least))
    same = replace(shape, hours=seconds / 3600)
    return Run(same, Contacts(same), PacedDialler(Mode(mode.value), policy), policy.cap).outcome()


async def stored_answers(database: Database, campaign: Campaign) -> tuple[int, int]:
    """Return live answers and abandoned ones of a campaign as they are stored."""
    query = select(DialAttemptRow).where(DialAttemptRow.campaign_id == campaign.campaign_id, live_answer())
    async with database.session() as session:
        rows = [to_attempt(row) for row in await session.scalars(query)]
    return len(rows), sum(row.abandoned for row in rows)


@contextlib.asynccontextmanager
async def live_agents(
    folder: Path, shape: Centre, *, people: int, host: str = "127.0.0.2", wire: bool = False
) -> AsyncIterator[LiveAgents]:
    """Run a centre with agents at work for the length of the block.

    Args:
        people: how many may be called at most.
        host: where the telephone network lives; its port is that of SIP.
        wire: put one between the service and the manager interface that may be frozen.
    """
    clock, ids = ShiftedClock(), list[str]()
    numbers = agent_numbers(shape)

    async def also(database: Database) -> None:
        roster = Roster(database, SystemClock(), Bus())
        await roster.put_queue(
            QueueSettings(
                name=QUEUE,
                label_zh="回访",
                label_en="Callbacks",
                ring_timeout=timedelta(seconds=3),
                wrap_up=timedelta(minutes=2),
            )
        )
        for number in numbers:
            agent_id = await roster.put_agent(number=number, name=f"坐席{number}", sip_password=PASSWORD)
            await roster.set_memberships(agent_id, {QUEUE: 0})
            ids.append(agent_id)

    rtp = free_ports(min(2000, 40 * shape.agents))
    told = People(shape, people)
    async with running_centre(
        folder,
        users=False,
        clock=clock,
        also=also,
        centre={"hotline": HOTLINE, "ring_no_answer_limit": 0},
        # Calls are short here, and so is the time after which one that left no trace counts as lost.
        dialler={"ring_seconds": RING_LIMIT, "settle_seconds": 2 * RING_LIMIT},
        pbx={
            "rtp_start": rtp.start,
            "rtp_end": rtp.stop - 1,
            "record_calls": False,
            "trunk": {"host": host, "match": (f"{host}/32",), "max_channels": 6 * shape.agents},
        },
    ) as centre:
        await waiting_customers(centre.database, clock, told.numbers, channel="agent")
        config = centre.pbx.config
        pbx = (config.sip_host, config.sip_port)
        async with (
            TcpProxy(config.ami_port) as proxy,
            far_end(host, config.trunks[0].port, told.plan, pbx=pbx) as town,
            far_end(config.sip_host, 0, told.at_the_desk, pbx=pbx, speaks=True) as desks,
        ):
            if wire:
                ami = centre.settings.ami.model_copy(update={"port": proxy.port})
                centre.settings = centre.settings.model_copy(update={"ami": ami})
                await centre.restart_service()
            found = LiveAgents(centre, shape, town, desks, proxy, tuple(ids), told)
            desks.on_over = found.talked
            for number in numbers:
                await desks.register(number, PASSWORD)
            for agent_id in ids:
                await centre.service.desk.sign_in(agent_id)
            works = [found.write_forms, found.keep_pages, found.keep_registered, found.follow]
            tasks = [asyncio.create_task(work()) for work in works]
            try:
                await eventually(lambda: free(centre) == shape.agents, timeout=30, what="all are free")
                yield found
            finally:
                for task in tasks:
                    task.cancel()
                for result in await asyncio.gather(*tasks, return_exceptions=True):
                    assert isinstance(result, (asyncio.CancelledError, type(None))), result
                if wire:
                    await centre.stop_service()  # before the wire goes


def agent_numbers(shape: Centre) -> list[str]:
    """Return the numbers of the agents' telephones."""
    return [str(FIRST_AGENT + index) for index in range(shape.agents)]


def free(centre: RunningCentre) -> int:
    """Return how many agents the dialler counts as free."""
    telephony, dialler = centre.service.telephony, centre.service.dialler
    assert telephony is not None
    assert dialler is not None
    return sum(
        QUEUE in one.queues
        and one.state == "available"
        and one.device == "NOT_INUSE"
        and dialler.pages.open(one.number)
        for one in telephony.board.snapshot().agents
    )
