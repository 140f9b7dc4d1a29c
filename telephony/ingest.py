"""The one ordered consumer of a PBX's AMI stream: call model first, then everyone who listens.

Sinks get each event after the call model has taken it, in the order of the socket, from one task. So a sink
that hears ``AgentCalled`` finds the call it belongs to, and two sinks never disagree on what came first.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy.exc import SQLAlchemyError

from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from telephony.ami.epoch import EpochEnded, EpochStarted, Item, LinkMoved, LinkState, Overflowed
from telephony.ami.errors import AmiError
from telephony.ami.link import AmiLink
from telephony.ami.message import AmiEvent
from telephony.call_news import AgentIdOf, CallNews
from telephony.domain.call_book import CallBook
from telephony.domain.call_resync import PbxSnapshot
from telephony.domain.effects import Effect, Ended, Merged, Opened, RingStarted
from telephony.epochs import EpochLog
from telephony.event_log import EventLog, as_events
from telephony.events import LinkStateChanged
from telephony.repository import finished_channels, load_open_calls
from telephony.resync import take_snapshot
from telephony.sinks import SinkTable
from telephony.views import CallView
from telephony.writer import CallWriter

log = structlog.get_logger(__name__)

# What was going on in the last moments before we were killed may not have been stored.
_OVERLAP_AFTER_START = timedelta(seconds=10)
_OVERLAP = timedelta(seconds=1)

OPEN = Gauge("huifang_calls_open", "Calls in progress", ["node"])
ENDED = Counter("huifang_calls_ended_total", "Calls that ended", ["direction", "result"])
WAITED = Histogram(
    "huifang_call_wait_seconds",
    "Time from entering a queue to its end, by what ended it",
    ["result"],
    buckets=(1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600),
)
RESYNCS = Counter("huifang_call_resyncs_total", "Snapshots taken over by the call model", ["cause"])


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestConfig:
    """Patience of the ingest.

    Attributes:
        reconcile: how often a snapshot is compared without any reason.
        suspicion: what two snapshots this far apart both show is believed.
        heartbeat: how often is stored until when the PBX was followed; the error of a gap's beginning.
        retry: pause before a snapshot that failed is asked for again.
        catch_up: how long filling a gap from the PBX's log may take.
        gather: how many events may wait for a snapshot here; further ones wait in the link's own bound.
    """

    reconcile: timedelta = timedelta(minutes=5)
    suspicion: timedelta = timedelta(seconds=5)
    heartbeat: timedelta = timedelta(seconds=5)
    retry: timedelta = timedelta(milliseconds=500)
    catch_up: timedelta = timedelta(seconds=5)
    gather: int = 20_000


class TelephonyIngest(SinkTable):
    """Follows one PBX node. Run :meth:`run` in the supervisor, beside the link's and the writer's.

    Args:
        event_log: the PBX's log of channel events, where its files are in reach; fills gaps.

    A ``run`` that ends with an error may simply be started again: it takes a snapshot and goes on.
    """

    def __init__(
        self,
        link: AmiLink,
        book: CallBook,
        *,
        bus: Bus,
        writer: CallWriter,
        database: Database,
        clock: Clock,
        agent_id_of: AgentIdOf,
        event_log: EventLog | None = None,
        config: IngestConfig | None = None,
    ) -> None:
        super().__init__()
        self._event_log = event_log
        self.node = link.node
        self.book = book
        self._link = link
        self._bus = bus
        self._writer = writer
        self._database = database
        self._clock = clock
        self._config = config or IngestConfig()
        self._news = CallNews(agent_id_of)
        self._epochs = EpochLog(database, self.node)
        self._epoch: EpochStarted | None = None
        self._restored = False
        self._followed = False
        self._status = LinkStateChanged(at=clock.now(), node=self.node, state="down")
        self._live = asyncio.Event()

    # -- what others ask -----------------------------------------------------------------------------

    @property
    def status(self) -> LinkStateChanged:
        """Where the link stands, and until when what we know is true."""
        status = self._status
        if status.state != "live":
            return status
        return LinkStateChanged(
            event_id=status.event_id,
            at=status.at,
            node=status.node,
            state=status.state,
            as_of=self._link.heard_at or status.as_of,
        )

    async def wait_live(self) -> None:
        """Return when the state of the PBX is known and followed."""
        await self._live.wait()

    def call_id_of(self, uniqueid: str) -> str | None:
        """Return the call a living channel belongs to."""
        return self.book.call_id_of(uniqueid)

    def live_calls(self) -> tuple[CallView, ...]:
        """Return the calls in progress, oldest first, from memory."""
        now = self._clock.now()
        calls = sorted(self.book.open_calls(), key=lambda call: (call.started_at, call.call_id))
        return tuple(self._news.view(call, now) for call in calls)

    def live_call(self, call_id: str) -> CallView | None:
        """Return a call in progress (for a consultation that became part of one, that one)."""
        call = self.book.get(call_id)
        return self._news.view(call, self._clock.now()) if call is not None else None

    # -- the stream ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow the PBX until the link is closed; cancelling loses nothing that is in the stream."""
        await self._restore()
        async with asyncio.TaskGroup() as group:
            side = [
                group.create_task(self._reconcile()),
                group.create_task(self._epochs.run(self._config.heartbeat, self._heard)),
            ]
            try:
                if self._epoch is not None:
                    await self._begin(self._epoch)
                async for item in self._link.items():
                    if type(item) is AmiEvent:
                        self._take(item)
                    else:
                        await self._mark(item)
            finally:
                for task in side:
                    task.cancel()

    def _take(self, event: AmiEvent) -> None:
        now = self._clock.now()
        effects = self.book.handle(event, now=now)
        if effects:
            self._do(effects)
        self.tell(event, now)

    def _do(self, effects: tuple[Effect, ...]) -> None:
        news, publish, writer = self._news, self._bus.publish, self._writer
        for effect in effects:
            call = effect.call
            if isinstance(effect, Ended):
                fact = news.ended(call)
                publish(fact)
                writer.note_ended(call, fact)
                ENDED.labels(call.direction.value, fact.result).inc()
                if call.queued_at is not None and fact.wait_seconds is not None:
                    WAITED.labels(fact.result).observe(fact.wait_seconds)
                continue
            event = news.event(effect)
            if event is not None:
                publish(event)
            writer.note(call)
        OPEN.labels(self.node).set(len(self.book))

    async def _mark(self, item: Item) -> None:
        now = self._clock.now()
        match item:
            case EpochStarted():
                await self._begin(item)
            case EpochEnded():
                self._end(item)
                self.mark(item, now)
            case Overflowed():
                log.error("ingest_overflowed", node=self.node, dropped=item.dropped)
                self.mark(item, now)
            case LinkMoved():
                self._moved(item)
            case _:
                self.tell(item, now)

    # -- epochs --------------------------------------------------------------------------------------

    async def _restore(self) -> bool:
        """Read the open calls back after a restart of ours; return whether that is done."""
        if self._restored:
            return True
        try:
            async with asyncio.timeout(5):
                async with self._database.session() as session:
                    calls = await load_open_calls(session, self.node)
                await self._epochs.load()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.error("open_calls_not_read", node=self.node, error=type(error).__name__)
            return False
        self._restored = True
        for call in calls:
            known = self.book.get(call.call_id)
            if known is None:
                self.book.restore(call)
            else:
                # Found again on the PBX before the database was: its time line goes on after the stored one.
                known.continue_after(call.seq)
            self._writer.resume(call)
        if calls:
            log.info("open_calls_read", node=self.node, calls=len(calls))
        return True

    async def _begin(self, started: EpochStarted) -> None:
        """Take a snapshot while events gather, compare, then take the gathered ones."""
        again = self._epoch is started
        if again and self._link.heard_at is not None:
            self._epochs.seen(self._link.heard_at)
        self._epoch = started
        self._live.clear()
        since = self._epochs.seen_until or started.at
        self._say("syncing", as_of=self._epochs.seen_until)
        rung = await self._catch_up()
        if not again and (started.restarted is True or self._epochs.is_other_boot(started.boot_id)):
            log.warning("pbx_restarted", node=self.node, open_calls=len(self.book))
            self._do(self.book.pbx_restarted(since))
        gathered: list[Item] = []
        snapshot = await self._snapshot_while_gathering(gathered)
        if snapshot is not None:
            now = self._clock.now()
            hung_up = {
                item.get("uniqueid") for item in gathered if type(item) is AmiEvent and item.name == "Hangup"
            }
            self._do(self.book.reconcile(snapshot, now=now, since=min(since, now), spared=hung_up))
            # Whose phone began to ring while nobody listened, and still rings.
            self._do(tuple(effect for effect in rung if effect.leg.ringing))
            RESYNCS.labels("epoch").inc()
            self._epochs.begin(started, now=now)
            self._say("live", as_of=now)
            self._followed = True
            self._live.set()
            log.info("calls_in_sync", node=self.node, epoch=started.epoch, open_calls=len(self.book))
            self.mark(started, now)
        for item in gathered:
            if type(item) is AmiEvent:
                self._take(item)
            else:
                await self._mark(item)

    async def _catch_up(self) -> list[RingStarted]:
        """Take in what the PBX logged while we did not listen; return the phones that began to ring."""
        since = self._epochs.seen_until
        rings: list[RingStarted] = []
        if self._event_log is None or since is None:
            return []
        since -= _OVERLAP if self._followed else _OVERLAP_AFTER_START
        try:
            async with asyncio.timeout(self._config.catch_up.total_seconds()):
                rows = await asyncio.to_thread(self._event_log.read, since)
                await self._writer.flush()
                channels = sorted({row.uniqueid for row in rows})
                async with self._database.session() as session:
                    finished = await finished_channels(session, self.node, channels)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            # Without the database nobody knows which of these calls are stored already.
            log.warning("gap_not_filled", node=self.node, error=type(error).__name__)
            return rings
        logged = as_events([row for row in rows if row.uniqueid not in finished])
        for effect in self.book.catch_up(logged):
            if isinstance(effect, RingStarted):
                rings.append(effect)
            elif isinstance(effect, (Opened, Merged, Ended)):
                self._do((effect,))
            else:
                self._writer.note(effect.call)
        if rows:
            log.info("gap_filled", node=self.node, events=len(rows), open_calls=len(self.book))
        return rings

    async def _snapshot_while_gathering(self, gathered: list[Item]) -> PbxSnapshot | None:
        """Return the snapshot, or ``None`` when the epoch ended before there was one."""
        asking = asyncio.create_task(self._snapshot())
        reading: asyncio.Task[Item | None] | None = None
        try:
            while not asking.done():
                if reading is None and len(gathered) < self._config.gather:
                    reading = asyncio.create_task(_next(self._link))
                tasks = {asking, reading} if reading is not None else {asking}
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if reading is not None and reading.done():
                    item, reading = reading.result(), None
                    if item is None:
                        return None
                    gathered.append(item)
                    if isinstance(item, EpochEnded):
                        return None
            return asking.result()
        finally:
            for task in (asking, reading):
                if task is not None and not task.done():
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task

    async def _snapshot(self) -> PbxSnapshot | None:
        while self._link.state is LinkState.UP:
            try:
                return await take_snapshot(self._link.actions)
            except AmiError as error:
                log.warning("call_snapshot_failed", node=self.node, error=error.code)
                await asyncio.sleep(self._config.retry.total_seconds())
        return None

    def _heard(self) -> datetime | None:
        return self._link.heard_at if self._live.is_set() else None

    def _end(self, ended: EpochEnded) -> None:
        self._epoch = None
        self._live.clear()
        seen_until = min(self._link.heard_at or ended.at, ended.at)
        self._epochs.end(ended, seen_until=seen_until)
        self._say("down", as_of=seen_until, reason=ended.reason)

    def _moved(self, item: LinkMoved) -> None:
        match item.state:
            case LinkState.AUTH_FAILED:
                self._say("auth_failed", as_of=self._epochs.seen_until, reason=item.reason)
            case LinkState.CONNECTING if self._epoch is None:
                self._say("connecting", as_of=self._epochs.seen_until)
            case LinkState.DOWN | LinkState.CLOSED if self._epoch is None:
                self._say("down", as_of=self._epochs.seen_until, reason=item.reason)
            case _:
                pass

    def _say(self, state: str, *, as_of: datetime | None = None, reason: str = "") -> None:
        now = self._clock.now()
        self._status = LinkStateChanged(at=now, node=self.node, state=state, as_of=as_of, reason=reason)
        self._bus.publish(self._status)

    # -- to be sure ----------------------------------------------------------------------------------

    async def _reconcile(self) -> None:
        """Compare with the PBX now and then."""
        while True:
            pause = self._config.reconcile if self._restored else self._config.retry
            await asyncio.sleep(pause.total_seconds())
            if await self._restore() and self._live.is_set():
                try:
                    await self._sweep()
                except AmiError as error:
                    log.warning("call_reconcile_failed", node=self.node, error=error.code)

    async def _sweep(self) -> None:
        """Mend what two snapshots agree on."""
        first = await take_snapshot(self._link.actions)
        lost, unknown = self.book.missing(first), self.book.unknown(first)
        if not lost and not unknown:
            return
        await asyncio.sleep(self._config.suspicion.total_seconds())
        second = await take_snapshot(self._link.actions)
        lost &= self.book.missing(second)
        unknown &= self.book.unknown(second)
        if lost or unknown:
            log.warning("calls_mended", node=self.node, lost=len(lost), found=len(unknown))
            RESYNCS.labels("sweep").inc()
            found = tuple(channel for channel in second.channels if channel.uniqueid in unknown)
            self._do(self.book.sweep(lost, found, now=self._clock.now()))


async def _next(link: AmiLink) -> Item | None:
    """Return the next item, ``None`` when the link is closed."""
    async for item in link.items():
        return item
    return None
