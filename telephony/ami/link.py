"""The link to one PBX node: connect, log in, keep alive, reconnect; one ordered stream of what happens."""

import asyncio
import random
from collections.abc import Awaitable
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import structlog

from kernel.clock import Clock
from telephony.ami import metrics
from telephony.ami.actions import AmiActions
from telephony.ami.codec import Decoder, encode_action
from telephony.ami.config import AmiConfig
from telephony.ami.epoch import Boot, EpochEnded, EpochStarted, LinkMoved, LinkState, Overflowed
from telephony.ami.errors import AmiDown, AmiError, AmiLoginRefused, AmiRejected, AmiTimeout
from telephony.ami.handshake import log_in, which_boot
from telephony.ami.message import AmiEvent, AmiMessage
from telephony.ami.pending import ActionTable
from telephony.ami.stream import ItemStream
from telephony.ami.wire import Wire

log = structlog.get_logger(__name__)


class AmiLink:
    """One supervised AMI connection.

    ``run()`` belongs in the supervisor; ``items()`` is read by the one service that keeps the state of the
    node; ``actions`` may be used by anybody. ``async with link:`` runs it for the length of a block.

    The reader callback only files messages: answers into the table of actions, events into the stream. A
    stream that is full ends the epoch (``Overflowed``, ``EpochEnded``), and the next one starts with
    snapshots; nothing is ever silently missing.
    """

    def __init__(self, config: AmiConfig, *, clock: Clock, node: str) -> None:
        self.node = node
        self.epoch = 0
        self.heard_at: datetime | None = None
        self._config = config
        self._clock = clock
        self._state = LinkState.DOWN
        self._table = ActionTable(limit=config.pending_actions, list_items=config.list_items)
        self._stream = ItemStream(max_items=config.queue_items, max_bytes=config.queue_bytes)
        self._wire: Wire | None = None
        self._booted: asyncio.Future[AmiEvent] | None = None
        self._boot: Boot | None = None
        self._dropped = 0
        self._closing = asyncio.Event()
        self._reset = asyncio.Event()
        self._changed = asyncio.Event()
        self._stopped = asyncio.Event()
        self._stopped.set()
        self._runner: asyncio.Task[None] | None = None
        # The handshake and the watchdog may write before others may.
        self._early = AmiActions(config, self._table, self._write)
        self.actions = AmiActions(config, self._table, self._write_up)

    @property
    def state(self) -> LinkState:
        """Where the link stands now."""
        return self._state

    @property
    def pending_actions(self) -> int:
        """How many actions, and originates without an end, are waiting now."""
        return len(self._table)

    def items(self) -> ItemStream:
        """The one stream of events and markers; ``async for``, one consumer at a time.

        A consumer that comes back goes on where it stopped. The iteration ends after ``close()``.
        """
        return self._stream

    async def wait_for(self, state: LinkState, *, timeout: timedelta) -> None:
        """Return when the link is in ``state``; TimeoutError when it takes longer."""
        async with asyncio.timeout(timeout.total_seconds()):
            while self._state is not state:
                await self._changed.wait()

    def reset(self) -> None:
        """Try again now: after a refused login once it is mended, or instead of waiting the backoff out."""
        self._reset.set()

    async def run(self) -> None:
        """Keep the link up until it is closed or cancelled; both leave nothing behind."""
        if not self._stopped.is_set():
            raise RuntimeError("this AMI link is running already")
        self._stopped.clear()
        try:
            async with asyncio.TaskGroup() as group:
                work = group.create_task(self._reconnect(), name=f"ami-link-{self.node}")
                await self._closing.wait()
                work.cancel()
        finally:
            self._move(LinkState.CLOSED if self._closing.is_set() else LinkState.DOWN, "closed")
            self._stopped.set()

    async def close(self) -> None:
        """End the link for good: log off, fail what waits, end the stream. May be called twice."""
        self._closing.set()
        await self._stopped.wait()
        self._move(LinkState.CLOSED, "closed")
        self._stream.close()

    async def __aenter__(self) -> Self:
        self._runner = asyncio.create_task(self.run(), name=f"ami-{self.node}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner
        await self.close()

    # -- connecting again and again -------------------------------------------------------------------

    async def _reconnect(self) -> None:
        tries = 0
        while True:
            self._reset.clear()
            began = self._clock.monotonic()
            epoch = self.epoch
            try:
                reason = await self._connection()
            except AmiLoginRefused as error:
                await self._refused(error)
                continue
            lived = timedelta(seconds=self._clock.monotonic() - began)
            if self.epoch != epoch and lived >= self._config.stable_after:
                tries = 0
            delay = self._config.backoff(tries, spread=random.random()).total_seconds()  # noqa: S311
            tries += 1
            metrics.RECONNECTS.labels(self.node, reason).inc()
            log.warning("ami_link_down", node=self.node, reason=reason, retry_seconds=round(delay, 2))
            self._move(LinkState.DOWN, reason)
            await self._patiently(self._reset.wait(), delay)
            if reason == "overflow":
                # A consumer that is still behind would only overflow again.
                await self._patiently(self._stream.drained(), self._config.catch_up.total_seconds())

    async def _refused(self, error: AmiLoginRefused) -> None:
        metrics.RECONNECTS.labels(self.node, "auth").inc()
        log.error("ami_login_refused", node=self.node, user=self._config.username, answer=error.message)
        self._move(LinkState.AUTH_FAILED, "auth")
        retry = self._config.login_retry
        await self._patiently(self._reset.wait(), retry.total_seconds() if retry is not None else None)

    async def _patiently(self, awaitable: Awaitable[object], seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await awaitable

    # -- one connection -------------------------------------------------------------------------------

    async def _connection(self) -> str:
        """One connection from its first byte to its last; return in one word why it ended."""
        config = self._config
        self._move(LinkState.CONNECTING)
        decoder = Decoder(config.discard)
        wire = Wire(decoder, self._deliver, self._lost, backlog=config.write_backlog)
        self._wire = wire
        self._booted = asyncio.get_running_loop().create_future()
        self._dropped = 0
        self._stream.hold()
        epoch = self.epoch
        reason = "unreachable"
        try:
            async with asyncio.timeout(config.connect_timeout.total_seconds()):
                await asyncio.get_running_loop().create_connection(lambda: wire, config.host, config.port)
                await wire.greeted
            reason = "silent"
            await log_in(self._early, config)
            async with asyncio.timeout(config.boot_timeout.total_seconds()):
                booted = await self._booted
            boot = await which_boot(self._early, booted, now=self._clock.now())
            self._begin_epoch(boot, wire)
            reason = await self._watch(wire)
        except AmiLoginRefused:
            reason = "auth"
            raise
        except (OSError, UnicodeError, TimeoutError, AmiDown, AmiTimeout) as error:
            # When the connection was lost the wire knows better than the one who waited.
            log.info("ami_connection_failed", node=self.node, error=str(error), kind=type(error).__name__)
        except asyncio.CancelledError:
            reason = "closed"
            farewell = encode_action("Logoff", [], action_id="logoff")
            await wire.finish(farewell, timeout=config.close_timeout.total_seconds())
            raise
        finally:
            reason = wire.end(reason)
            self._end(decoder, reason, began=self.epoch != epoch)
        return reason

    def _begin_epoch(self, boot: Boot, wire: Wire) -> None:
        self.epoch += 1
        restarted = None if self._boot is None else boot.differs_from(self._boot)
        self._boot = boot
        self._stream.release(
            EpochStarted(
                epoch=self.epoch,
                node=self.node,
                at=self._clock.now(),
                boot_id=boot.boot_id,
                booted_at=boot.booted_at,
                restarted=restarted,
                ami_version=wire.decoder.banner or "",
            )
        )
        log.info("ami_link_up", node=self.node, epoch=self.epoch, boot=boot.boot_id, restarted=restarted)
        self._move(LinkState.UP)

    async def _watch(self, wire: Wire) -> str:
        """Ping until the connection is over; only answered pings count as life, drips of bytes do not."""
        interval = self._config.ping_interval
        misses = 0
        while misses < self._config.ping_misses:
            if misses == 0:
                await self._patiently(asyncio.shield(wire.lost), interval.total_seconds())
            if wire.lost.done():
                return wire.lost.result()
            metrics.count_events(wire.decoder.counts)
            metrics.QUEUED.labels(self.node).set(len(self._stream))
            try:
                await self._early.ping(timeout=interval)
                misses = 0
            except AmiRejected:
                misses = 0
            except AmiError as error:
                misses += 1
                log.warning("ami_ping_missed", node=self.node, misses=misses, error=error.code)
        return "watchdog"

    def _end(self, decoder: Decoder, reason: str, *, began: bool) -> None:
        self._wire = None
        self._table.fail_all(reason)
        metrics.count_events(decoder.counts)
        if decoder.malformed:
            metrics.MALFORMED.labels(self.node).inc(decoder.malformed)
            log.warning("ami_malformed", node=self.node, messages=decoder.malformed)
        if self._dropped:
            metrics.DROPPED.labels(self.node).inc(self._dropped)
            log.error("ami_overflow", node=self.node, dropped=self._dropped)
        if not began:
            self._stream.drop_held()
            return
        if self._dropped:
            self._stream.mark(Overflowed(node=self.node, dropped=self._dropped))
        self._stream.mark(EpochEnded(epoch=self.epoch, node=self.node, at=self._clock.now(), reason=reason))

    # -- called by the wire, synchronously ------------------------------------------------------------

    def _deliver(self, wire: Wire, messages: list[AmiMessage]) -> None:
        self.heard_at = self._clock.now()
        table = self._table
        push = self._stream.push
        for message in messages:
            if not isinstance(message, AmiEvent):
                table.settle(message)
                continue
            if message.tagged:
                table.settle(message)
            if message.name == "FullyBooted" and self._booted is not None and not self._booted.done():
                self._booted.set_result(message)
            if not push(message):
                self._dropped += 1
        if self._dropped:
            wire.abort("overflow")

    def _lost(self, wire: Wire, reason: str) -> None:
        if wire is not self._wire:
            return
        self._table.fail_all(reason)
        if self._booted is not None and not self._booted.done():
            self._booted.set_exception(AmiDown("the PBX hung up before it was ready", sent=True))
            self._booted.exception()

    # -- called by the actions ------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        if self._wire is None:
            raise AmiDown("the link to the PBX is down", sent=False)
        self._wire.send_bytes(data)

    def _write_up(self, data: bytes) -> None:
        if self._state is not LinkState.UP:
            raise AmiDown("the link to the PBX is down", sent=False, state=self._state.value)
        self._write(data)

    def _move(self, state: LinkState, reason: str = "") -> None:
        if state is self._state:
            return
        self._state = state
        metrics.show_state(self.node, state)
        self._stream.mark(LinkMoved(node=self.node, at=self._clock.now(), state=state, reason=reason))
        self._changed.set()
        self._changed = asyncio.Event()
