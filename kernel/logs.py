"""Structured logs. Personal data is allowed only under keys with ``pii`` in them, dropped outside debug."""

import logging
import sys
from typing import Any, TextIO

import structlog

MAX_VALUE = 2000


def _drop_personal(_: Any, method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key in [key for key in entry if "pii" in key]:
        del entry[key]
    return entry


def _tame(_: Any, method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Keep hostile text on one line and of bounded length."""
    for key, value in entry.items():
        if isinstance(value, str) and key != "exception":
            entry[key] = "".join(c if c.isprintable() else "�" for c in value[:MAX_VALUE])
    return entry


def configure_logs(*, level: str = "INFO", json: bool = True, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging, writing to ``stream`` (standard error)."""
    stream = stream or sys.stderr
    number = getattr(logging, level)
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if number > logging.DEBUG:
        processors.append(_drop_personal)
    processors.append(_tame)
    processors.append(
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(stream),
        # A cached logger would keep writing to the stream of its first use.
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(number, logging.WARNING), stream=stream, force=True)
