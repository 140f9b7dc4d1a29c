"""The one ordered consumer of a PBX's AMI stream: call model first, then everyone who listens.

Sinks get each event after the call model has taken it, in the order of the socket, from one task. So a sink
that hears ``AgentCalled`` finds the call it belongs to, and two sinks never disagree on what came first.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

Sink = Callable[[Any, datetime], None]


class SinkTable:
    """Who hears what: by event name, or everything that marks an epoch."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[Sink]] = defaultdict(list)
        self._markers: list[Sink] = []

    def add_sink(self, sink: Sink, *names: str) -> None:
        """Call ``sink(item, now)`` for AMI events of these names and for every epoch marker.

        It must not block or raise; what it raises is logged and costs nobody else the event.
        """
        for name in names:
            self._by_name[name].append(sink)
        self._markers.append(sink)

    def for_event(self, name: str) -> list[Sink]:
        """Return the sinks of an event name."""
        return self._by_name.get(name, [])

    @property
    def for_markers(self) -> list[Sink]:
        """Return the sinks of epoch markers (all)."""
        return self._markers
