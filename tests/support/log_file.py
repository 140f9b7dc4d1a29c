"""The product's log as it stands in its file, for the length of a block."""

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog

from kernel.logs import configure_logs


class LogFile:
    """What has been logged so far."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def raw(self) -> bytes:
        """The bytes."""
        return self.path.read_bytes()

    def entries(self, *levels: str) -> list[dict[str, Any]]:
        """The entries of these levels, all without any."""
        found = [json.loads(line) for line in self.raw.decode().splitlines()]
        return [entry for entry in found if not levels or entry["level"] in levels]

    def count(self, event: str) -> int:
        """How often an event was logged."""
        return sum(entry["event"] == event for entry in self.entries())


@contextlib.contextmanager
def logging_to(path: Path) -> Iterator[LogFile]:
    """Log to a file as the service does; afterwards everything is as before."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with path.open("w", encoding="utf-8", buffering=1) as file:
        configure_logs(level="INFO", stream=file)
        # Loggers live as long as the modules they belong to: none may keep this file.
        structlog.configure(cache_logger_on_first_use=False)
        try:
            yield LogFile(path)
        finally:
            structlog.configure(**before)
            root.handlers[:] = handlers
            root.setLevel(level)
