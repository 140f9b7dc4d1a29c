"""The dialler: from campaigns that run and tasks that are ready to calls, each placed once.

It decides how many and whom; :class:`callback_campaigns.dial_attempts.DialAttempts` says whether each single
call may be made and commits it, the exchange writes it once, and
:class:`callback_campaigns.attempt_keeper.AttemptKeeper` follows what becomes of it. Killed at any
instruction, it leaves at most attempts that are looked for (architecture.md §3).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.attempt_keeper import AttemptKeeper
from callback_campaigns.campaign_tasks import ReadyTask
from callback_campaigns.campaigns import Lines, state_in
from callback_campaigns.dial_attempts import DialAttempts, DialRequest
from callback_campaigns.dial_pace import CampaignPace, Room
from callback_campaigns.dial_queries import began_on
from callback_campaigns.dial_watch import DialWatch
from callback_campaigns.domain.attempt import Attempt
from callback_campaigns.domain.campaign import Campaign, CampaignMode, CampaignState
from callback_campaigns.domain.refusal import Refusal, RefusalCode, Switch
from callback_campaigns.events import CampaignChanged
from callback_campaigns.exchange import DialOrder, Exchange, People, Way
from callback_campaigns.placing import Placing
from crm.office import Office
from kernel.bus import Bus
from kernel.errors import HuifangError

log = structlog.get_logger(__name__)

CLAIM_SECONDS = Histogram(
    "huifang_dial_claim_seconds",
    "Time to check a call and commit its attempt",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
REFUSALS = Counter("huifang_dial_refusals_total", "Calls that were not made", ["code"])

READ_AHEAD = 50

_LINES = frozenset(
    {
        RefusalCode.CAMPAIGN_STOPPED,
        RefusalCode.PAUSED,
        RefusalCode.NO_CALLER_ID,
        RefusalCode.LINK_DOWN,
        RefusalCode.STALE_STATE,
        RefusalCode.NO_AGENTS,
        RefusalCode.ABANDONMENT,
        RefusalCode.CONCURRENCY,
        RefusalCode.CALLS_PER_SECOND,
    }
)
"""What every other task of the campaign would be refused for this moment, too."""


class Campaigns(Protocol):
    """The book of campaigns, as the dialler reads it."""

    @property
    def lines(self) -> Lines:
        """Return the lines that campaigns may use."""
        ...

    async def running(self, now: datetime) -> tuple[Campaign, ...]:
        """Return the campaigns that dial now, the one that goes first at the top."""
        ...

    async def ready(self, campaign: Campaign, now: datetime, limit: int) -> tuple[ReadyTask, ...]:
        """Return the tasks that a campaign may dial next."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DiallerConfig:
    """Settings of the dialler.

    Attributes:
        ring: how long a customer's telephone rings at most.
        tick: pause between two rounds.
        stale_after: an exchange that was not heard for longer is not dialled through.
        claim_within: deadline of checking a call and committing it.
        reload: how often the campaigns are read without any news of them.
    """

    ring: timedelta = timedelta(seconds=35)
    tick: timedelta = timedelta(milliseconds=200)
    stale_after: timedelta = timedelta(seconds=5)
    claim_within: timedelta = timedelta(seconds=10)
    reload: timedelta = timedelta(seconds=1)


class Dialler:
    """Dials for the running campaigns of one PBX. Give :meth:`run` to the supervisor, and the keeper's."""

    def __init__(
        self,
        office: Office,
        attempts: DialAttempts,
        campaigns: Campaigns,
        exchange: Exchange,
        keeper: AttemptKeeper,
        placing: Placing,
        *,
        bus: Bus,
        config: DiallerConfig | None = None,
    ) -> None:
        self._office = office
        self._attempts = attempts
        self._campaigns = campaigns
        self._exchange = exchange
        self._keeper = keeper
        self._placing = placing
        self._bus = bus
        self._config = config or DiallerConfig()
        self.watch = DialWatch(office, exchange, keeper, bus)
        self._read_at: datetime | None = None
        self._running: tuple[Campaign, ...] = ()
        self._ready: dict[str, tuple[datetime, list[ReadyTask]]] = {}

    # -- the rounds ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Dial until cancelled; may simply be started again."""
        async with self._bus.subscribe(CampaignChanged, name="dialler-campaigns") as changed:
            try:
                while True:
                    if changed.waiting():
                        self._read_at = None
                    try:
                        await self.round()
                    except (SQLAlchemyError, OSError, TimeoutError) as error:
                        log.warning("dialler_waits", reason=type(error).__name__)
                    await asyncio.sleep(self._config.tick.total_seconds())
            finally:
                await self._placing.close()

    async def round(self) -> int:
        """Begin what may be begun now; return how many calls that were."""
        now = self._office.now()
        for campaign in await self._read(now):
            await self.watch.open(campaign)
        if not self._running:
            return 0
        await self._exchange.freshen(self._config.stale_after / 2)
        begun = 0
        for campaign in self._running:
            begun += await self._dial_for(campaign)
        return begun

    async def _read(self, now: datetime) -> tuple[Campaign, ...]:
        if self._read_at is None or abs(now - self._read_at) >= self._config.reload:
            self._running = await self._campaigns.running(now)
            self._read_at = now
            self.watch.close_others(self._running)
        return self._running

    async def _dial_for(self, campaign: Campaign) -> int:
        if not campaign.mode.dials_by_itself:
            self.watch.pulse(campaign, CampaignMode.PREVIEW.value)
            return 0
        pace, people = self.watch.pace(campaign), self._people(campaign)
        room = self._room(campaign, pace, people)
        begun = 0
        if room.dials:
            ready = await self._next(campaign, room.dials)
            begun = await self._dial_all(campaign, room, ready)
        elif room.against is not None:
            await self._held_back(campaign, room.against)
        self.watch.pulse(campaign, room.reason)
        return begun

    async def _next(self, campaign: Campaign, count: int) -> list[ReadyTask]:
        """Return the next tasks; some are read ahead, and each is checked again where it is committed."""
        now = self._office.now()
        read_at, kept = self._ready.get(campaign.campaign_id, (now, []))
        if abs(now - read_at) >= self._config.reload or len(kept) < count:
            kept = list(await self._campaigns.ready(campaign, now, max(count, READ_AHEAD)))
            self._ready[campaign.campaign_id] = (now, kept)
        taken, kept[:count] = kept[:count], []
        return taken

    async def _held_back(self, campaign: Campaign, code: RefusalCode) -> None:
        """Write down why a campaign that has somebody to call calls nobody."""
        if not self.watch.is_new(campaign, code):
            return
        if await self._campaigns.ready(campaign, self._office.now(), 1):
            REFUSALS.labels(code.value).inc()
            await self._attempts.held_back(campaign.campaign_id, Refusal(code=code))

    def _room(self, campaign: Campaign, pace: CampaignPace, people: People) -> Room:
        picture, now = self._exchange.picture(), self._office.now()
        if not picture.live or picture.as_of is None:
            return Room(dials=0, reason=RefusalCode.LINK_DOWN.value, against=RefusalCode.LINK_DOWN)
        heard_ago = abs(now - picture.as_of)
        if heard_ago > self._config.stale_after:
            return Room(dials=0, reason=RefusalCode.STALE_STATE.value, against=RefusalCode.STALE_STATE)
        return pace.room(
            campaign,
            people,
            lines_left=self._lines_left(campaign),
            trunk_starts_left=self._starts_left(campaign.trunk),
            heard_ago=heard_ago.total_seconds(),
            wall=now,
            now=self._office.clock.monotonic(),
        )

    async def _dial_all(self, campaign: Campaign, room: Room, ready: Sequence[ReadyTask]) -> int:
        begun = 0
        for task in ready:
            try:
                refusal = await self._dial(campaign, room, task)
            except HuifangError as error:
                # A campaign that cannot be dialled as it was written must not hold the others up.
                log.warning(
                    "campaign_not_dialled", campaign=campaign.campaign_id, error=error.code, field=error.field
                )
                break
            if refusal is None:
                begun += 1
            elif refusal.code in _LINES:
                break
        return begun

    async def _dial(self, campaign: Campaign, room: Room, task: ReadyTask) -> Refusal | None:
        """Begin one call; return why not."""
        number = task.number or ""
        wanted = DialRequest(
            task_id=task.task_id,
            number=number,
            node=self._exchange.node,
            trunk=campaign.trunk,
            carrier=campaign.carrier,
            switch=lambda session: self._switch(session, campaign, room),
            version=task.version,
            campaign_id=campaign.campaign_id,
            ring=self._config.ring,
            on_call=self._exchange.on_call(number),
            by_system=True,
        )
        made = await self._claim(wanted)
        if isinstance(made, Refusal):
            return made
        way = Way.SURVEY if campaign.mode is CampaignMode.IVR else Way.PERSON
        self.watch.began(campaign, made, self._office.clock.monotonic())
        self._placing.send(
            made,
            wanted,
            DialOrder(
                attempt_id=made.attempt_id,
                number=made.number,
                trunk=campaign.trunk,
                caller_id=campaign.caller_id,
                way=way,
                ring=self._config.ring,
                queue=campaign.queue,
                amd=campaign.amd,
                record=campaign.record,
            ),
            now=self._office.clock.monotonic(),
        )
        return None

    async def _claim(self, wanted: DialRequest) -> Attempt | Refusal:
        with CLAIM_SECONDS.time():
            async with asyncio.timeout(self._config.claim_within.total_seconds()):
                made = await self._attempts.begin(wanted)
        if isinstance(made, Refusal):
            REFUSALS.labels(made.code.value).inc()
        return made

    # -- what a call may be made with ----------------------------------------------------------------

    async def _switch(self, session: AsyncSession, campaign: Campaign, room: Room) -> Switch:
        """Return the campaign and the lines, read where the attempt is committed."""
        state = await state_in(session, campaign.campaign_id)
        people, picture = self._people(campaign), self._exchange.picture()
        used, trunk = self._exchange.used(campaign.trunk), self._campaigns.lines.trunks.get(campaign.trunk)
        waits = campaign.mode.needs_queue
        return Switch(
            running=state is CampaignState.RUNNING,
            stopped=state in {None, CampaignState.STOPPED, CampaignState.ENDED},
            caller_id=campaign.caller_id,
            link_live=picture.live,
            as_of=picture.as_of,
            stale_after=self._config.stale_after,
            lines_used=used,
            lines=used + max(0, self._lines_left(campaign)),
            started=self.watch.pace(campaign).starts.count(self._office.clock.monotonic()),
            per_second=campaign.per_second,
            trunk_started=await began_on(session, campaign.trunk, self._office.now()),
            trunk_per_second=trunk.per_second if trunk is not None else 0,
            # Ahead of the agents, the pacing has counted with those who will be free.
            agents_free=(max(1, people.free) if room.ahead else people.free) if waits else None,
            agents_signed_in=people.signed_in,
            agents_least=campaign.agents_least if room.ahead else 1,
        )

    def _starts_left(self, name: str) -> int:
        trunk = self._campaigns.lines.trunks.get(name)
        per_second = trunk.per_second if trunk is not None else 0
        return per_second - self._placing.started(name, self._office.clock.monotonic())

    def _people(self, campaign: Campaign) -> People:
        if campaign.queue is None or not campaign.mode.needs_queue:
            return People()
        return self._exchange.people(campaign.queue)

    def _lines_left(self, campaign: Campaign) -> int:
        """Return the lines that a campaign may still take: of its own number, and of its trunk's."""
        opened = self._keeper.open_attempts()
        mine = sum(one.campaign_id == campaign.campaign_id for one in opened)
        # An attempt may have no channel yet, and a channel no attempt: calls of everybody else.
        on_trunk = [one for one in opened if one.trunk == campaign.trunk]
        unseen = sum(self._exchange.seen(one.attempt.attempt_id) is None for one in on_trunk)
        trunk = self._campaigns.lines.trunks.get(campaign.trunk)
        of_trunk = trunk.lines if trunk is not None else 0
        return min(campaign.lines - mine, of_trunk - self._exchange.used(campaign.trunk) - unseen)
