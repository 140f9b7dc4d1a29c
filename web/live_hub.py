"""The live hub: topics, a short memory of each, and the connections that read them. No HTTP in here.

A frame has an id ``<epoch>-<n>``: the epoch names this process's run, ``n`` grows over all topics. A
connection that comes back with the id it saw last gets what it missed, if the hub still remembers it;
otherwise it gets one ``snapshot`` that replaces all it knows. Everything is synchronous and runs on the
event loop, so a snapshot and the frames after it leave no gap between them.
"""

import asyncio
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import structlog
from prometheus_client import Counter, Gauge

from kernel.clock import Clock
from kernel.errors import TooMany, Unavailable
from kernel.ids import new_ulid

log = structlog.get_logger(__name__)

CONNECTIONS = Gauge("huifang_live_connections", "Open live connections of browsers")
RESYNCS = Counter("huifang_live_resyncs_total", "Snapshots sent to connections", ["reason"])
DISPLACED = Counter("huifang_live_displaced_total", "Connections ended for a newer one of the same user")

SnapshotEvents = Iterable[tuple[str, object]]
SnapshotOf = Callable[[str], SnapshotEvents]
"""Takes a topic, returns the events (name, payload) that together draw its whole present state."""

_LAST_ID = re.compile(r"([0-9A-Z]{26})-(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Frame:
    """One event, encoded once for all its readers."""

    number: int
    topic: str
    block: bytes


def encode_block(event: str, payload: object, frame_id: str | None = None) -> bytes:
    """Return the SSE text of one event. JSON keeps line ends escaped, so one data line is enough."""
    lines = [f"event: {event}"]
    if frame_id is not None:
        lines.append(f"id: {frame_id}")
    lines.append("data: " + json.dumps(payload, ensure_ascii=False, separators=(",", ":")))
    return ("\n".join(lines) + "\n\n").encode()


@dataclass(slots=True)
class _Topic:
    ring: deque[Frame]
    forgotten: int
    """Number of the newest frame a returning reader would miss: it is in no ring any more."""
    quiet_since: float
    latest_only: bool
    readers: set["Connection"] = field(default_factory=set)


class Connection:
    """What one browser tab still has to be told. Bounded: who falls behind gets a snapshot instead."""

    def __init__(self, hub: "LiveHub", user_id: str, topics: tuple[str, ...], limit: int) -> None:
        self._hub = hub
        self.user_id = user_id
        self.topics = topics
        self._limit = limit
        self._pending: deque[Frame] = deque()
        self._snapshot_due: str | None = None
        self._wake = asyncio.Event()
        self.end_reason: str | None = None
        """Why the hub ended it: ``displaced`` or ``closing``; ``None`` while it is open."""

    def offer(self, frame: Frame, *, latest_only: bool) -> None:
        """Queue a frame; never waits."""
        if self._snapshot_due is not None:
            self._wake.set()
            return
        if latest_only:
            for waiting in self._pending:
                if waiting.topic == frame.topic:
                    self._pending.remove(waiting)
                    break
        if len(self._pending) >= self._limit:
            self.resync("overflow")
            return
        self._pending.append(frame)
        self._wake.set()

    def resync(self, reason: str) -> None:
        """Forget what is queued; the next thing it is told is a snapshot."""
        self._pending.clear()
        self._snapshot_due = reason
        self._wake.set()

    def end(self, reason: str) -> None:
        """End it from the hub's side; :meth:`next_chunk` returns what is left, then ``None``."""
        self.end_reason = self.end_reason or reason
        self._wake.set()

    async def next_chunk(self, timeout: float) -> bytes | None:
        """Return what there is to write, ``b""`` after ``timeout`` seconds of silence, ``None`` at the end.

        Cancelling loses nothing.
        """
        if not self._pending and self._snapshot_due is None and self.end_reason is None:
            self._wake.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
            except TimeoutError:
                return b""
        if self.end_reason is not None:
            return None
        if self._snapshot_due is not None:
            reason, self._snapshot_due = self._snapshot_due, None
            RESYNCS.labels(reason).inc()
            return self._hub.snapshot_block(self.topics)
        chunk = b"".join(frame.block for frame in self._pending)
        self._pending.clear()
        return chunk

    def close(self) -> None:
        """Leave the hub. Calling it again does nothing."""
        self._hub.forget(self)


class LiveHub:
    """Fan-out of page events to the connections that may see them.

    Args:
        memory: frames kept per topic for a connection that comes back.
        queue: frames a connection may be behind before it is resynchronised.
        per_user: connections of one user; one more ends the oldest.
        total: connections in all; one more is refused.
        linger_seconds: how long a topic nobody reads is remembered.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        memory: int = 64,
        queue: int = 64,
        per_user: int = 4,
        total: int = 2000,
        linger_seconds: float = 120.0,
    ) -> None:
        self._clock = clock
        self.epoch = new_ulid()
        self._number = 0
        self._memory = memory
        self._queue = queue
        self._per_user = per_user
        self._total = total
        self._linger = linger_seconds
        self._topics: dict[str, _Topic] = {}
        self._connections: list[Connection] = []
        self._snapshots: dict[str, tuple[SnapshotOf, bool]] = {}
        self._background: set[str] = set()
        self._closed = False

    def provide(
        self, kind: str, snapshot: SnapshotOf, *, latest_only: bool = False, background: bool = False
    ) -> None:
        """Say how to draw topics of ``kind`` (``agent`` of ``agent:01J…``) from nothing.

        ``latest_only``: each frame replaces the one before it, so a slow reader skips the older ones.
        ``background``: a connection that reads nothing else is the first to give way to a new one.
        """
        self._snapshots[kind] = (snapshot, latest_only)
        if background:
            self._background.add(kind)

    def has_readers(self, topic: str) -> bool:
        """Return whether somebody has this topic open."""
        known = self._topics.get(topic)
        return known is not None and bool(known.readers)

    def has_readers_of(self, kind: str) -> bool:
        """Return whether somebody has a topic of this kind open (``agent`` of ``agent:01J…``)."""
        return any(known.readers and topic.partition(":")[0] == kind for topic, known in self._topics.items())

    def publish(self, topic: str, event: str, payload: object) -> None:
        """Send an event to all who read ``topic``. Never waits."""
        self._number += 1
        known = self._topics.get(topic)
        if known is None:
            return
        if not known.readers and self._clock.monotonic() - known.quiet_since > self._linger:
            del self._topics[topic]
            return
        frame = Frame(self._number, topic, encode_block(event, payload, self._id(self._number)))
        if len(known.ring) == known.ring.maxlen and not known.latest_only:
            known.forgotten = known.ring[0].number
        known.ring.append(frame)
        for reader in tuple(known.readers):
            reader.offer(frame, latest_only=known.latest_only)

    def resync(self, kind: str) -> None:
        """Make everybody who reads a topic of ``kind`` begin again from a snapshot."""
        for topic, known in self._topics.items():
            if topic.partition(":")[0] == kind:
                for reader in tuple(known.readers):
                    reader.resync("lagged")

    def wipe(self, kind: str) -> None:
        """Remember nothing any more of the topics of ``kind``; who reads one begins again."""
        for topic, known in self._topics.items():
            if topic.partition(":")[0] == kind:
                known.ring.clear()
                known.forgotten = self._number
        self.resync(kind)

    def open(self, topics: Sequence[str], *, user_id: str, last_event_id: str = "") -> Connection:
        """Connect a reader.

        Raises:
            TooMany: the process serves as many connections as it may.
            Unavailable: the process is stopping.
        """
        if self._closed:
            raise Unavailable("the service is stopping; try again in a moment")
        if len(self._connections) >= self._total:
            raise TooMany("too many live connections on this server; try again later")
        own = [connection for connection in self._connections if connection.user_id == user_id]
        own.sort(key=self._matters)
        for oldest in own[: max(0, len(own) - self._per_user + 1)]:
            DISPLACED.inc()
            oldest.end("displaced")
            self.forget(oldest)
        connection = Connection(self, user_id, tuple(topics), self._queue)
        missed = self._missed(connection.topics, last_event_id)
        for topic in connection.topics:
            self._topic(topic).readers.add(connection)
        self._connections.append(connection)
        CONNECTIONS.set(len(self._connections))
        if missed is None:
            connection.resync("too_old" if last_event_id else "first")
        else:
            for frame in missed:
                connection.offer(frame, latest_only=False)
        return connection

    def _matters(self, connection: Connection) -> bool:
        """Tell whether somebody works with the page, so that it is displaced last."""
        return any(topic.partition(":")[0] not in self._background for topic in connection.topics)

    def _topic(self, topic: str) -> _Topic:
        known = self._topics.get(topic)
        if known is None:
            latest_only = self._snapshots[topic.partition(":")[0]][1]
            ring: deque[Frame] = deque(maxlen=1 if latest_only else self._memory)
            known = _Topic(ring, self._number, self._clock.monotonic(), latest_only)
            self._topics[topic] = known
        return known

    def _missed(self, topics: tuple[str, ...], last_event_id: str) -> list[Frame] | None:
        match = _LAST_ID.fullmatch(last_event_id)
        if match is None or match[1] != self.epoch or int(match[2]) > self._number:
            return None
        last = int(match[2])
        missed: list[Frame] = []
        for topic in topics:
            known = self._topics.get(topic)
            if known is None or known.forgotten > last:
                return None
            missed += [frame for frame in known.ring if frame.number > last]
        if len(missed) > self._queue:
            return None
        return sorted(missed, key=lambda frame: frame.number)

    def snapshot_block(self, topics: Sequence[str]) -> bytes:
        """Return one ``snapshot`` event that draws all of ``topics``."""
        events: list[tuple[str, object]] = []
        for topic in topics:
            snapshot, _ = self._snapshots[topic.partition(":")[0]]
            events += snapshot(topic)
        return encode_block("snapshot", {"events": events}, self._id(self._number))

    def forget(self, connection: Connection) -> None:
        """Drop a connection."""
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        CONNECTIONS.set(len(self._connections))
        for topic in connection.topics:
            known = self._topics.get(topic)
            if known is not None:
                known.readers.discard(connection)
                known.quiet_since = self._clock.monotonic()

    def close(self) -> None:
        """End all connections and take no more, so that the server can stop at once."""
        self._closed = True
        for connection in tuple(self._connections):
            connection.end("closing")

    def _id(self, number: int) -> str:
        return f"{self.epoch}-{number}"
