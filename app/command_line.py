"""What all commands share: settings, or one line that says what is wrong; work, or one line."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import typer
from sqlalchemy.exc import SQLAlchemyError

from app.console import fail, one_line
from app.settings import Settings, load_settings
from kernel.errors import HuifangError
from kernel.logs import configure_logs

EXPECTED = (HuifangError, OSError, SQLAlchemyError)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end; what was foreseen ends in one line and status 1, Ctrl-C in status 130.

    A closed terminal and SIGTERM are taken like Ctrl-C, so that everything is put away: a played customer
    says goodbye instead of leaving a caller without a voice in the queue.
    """
    configure_logs(level="ERROR", json=False, stream=sys.stderr)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, signal.default_int_handler)
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except EXPECTED as error:
        raise typer.Exit(fail(one_line(error))) from None
    except BaseExceptionGroup as group:
        if group.subgroup(EXPECTED) is None:
            raise
        raise typer.Exit(fail(one_line(group))) from None


def settings(**overrides: Any) -> Settings:
    """Return the settings, or end with the line that names the wrong one."""
    try:
        return load_settings(**overrides)
    except HuifangError as error:
        raise typer.Exit(fail(error.message)) from None


def group(description: str) -> typer.Typer:
    """Return a group of commands that explains itself when called bare."""
    return typer.Typer(no_args_is_help=True, help=description)
