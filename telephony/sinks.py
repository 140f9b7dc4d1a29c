"""Who hears what of a PBX's event stream."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from prometheus_client import Counter

from telephony.ami.epoch import Item
from telephony.ami.message import AmiEvent

log = structlog.get_logger(__name__)

SINK_ERRORS = Counter("huifang_ingest_sink_errors_total", "Exceptions of listeners to PBX events")

Sink = Callable[[Any, datetime], None]


class SinkTable:
    """Who hears what: by event name, and everyone the markers of epochs."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[Sink]] = defaultdict(list)
        self._markers: list[Sink] = []

    def add_sink(self, sink: Sink, *names: str) -> None:
        """Call ``sink(item, now)`` for AMI events of these names and for every epoch marker.

        It must not block. What it raises is logged and costs nobody else the event.
        """
        for name in names:
            self._by_name[name].append(sink)
        self._markers.append(sink)

    def tell(self, event: AmiEvent, now: datetime) -> None:
        """Give an event to those who want its name."""
        for sink in self._by_name.get(event.name, ()):
            _call(sink, event, now)

    def mark(self, marker: Item, now: datetime) -> None:
        """Give a marker to all."""
        for sink in self._markers:
            _call(sink, marker, now)


def _call(sink: Sink, item: object, now: datetime) -> None:
    try:
        sink(item, now)
    except Exception:  # a border: one listener's fault must not stop the call model or the others
        SINK_ERRORS.inc()
        log.exception("ingest_sink_failed", sink=getattr(sink, "__qualname__", repr(sink)))
