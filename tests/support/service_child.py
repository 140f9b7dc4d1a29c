"""The service itself in a process of its own, to be killed (SIGKILL), stopped and let go on at any moment.

It is what ``huifang serve`` runs, with a clock that a test sets and a voice of tones. What takes long to
import is imported once, in a process from which the others are forked.
"""

import asyncio
import ctypes
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import structlog

from callback_campaigns.questionnaire_sets import shipped
from tests.support.shared_clock import SharedClock, ShiftedLog
from tests.support.tones import Tones, ToneVoice

COMPANY: Final = "安居装饰"
PR_SET_PDEATHSIG: Final = 1
PRELOADED: Final = ["app.container", "app.settings", "tests.support.service_child", "pypinyin", "greenlet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """What a service is started with.

    Attributes:
        settings: as :func:`app.settings.load_settings` takes them.
        roles: ``telephony`` dials, ``ivr`` asks.
        clock, tones: files and folder, see :class:`SharedClock` and :class:`ToneVoice`.
        codes: whose questionnaires have tones.
        lasts: seconds after which it ends whatever happens.
        wanted_by: the process without which it ends at once.
    """

    settings: Mapping[str, Any]
    roles: tuple[str, ...]
    clock: Path
    tones: Path
    codes: tuple[str, ...]
    hotline: str
    log: Path
    lasts: int
    wanted_by: int = field(default_factory=os.getpid)


def tones_of(plan: ServicePlan) -> Tones:
    """Return the tones that its customers hear."""
    return Tones(COMPANY, plan.hotline, [shipped(code) for code in plan.codes])


class ServiceChild:
    """One such process."""

    def __init__(self, process: Any, told: "Connection") -> None:
        self._process = process
        self._told = told

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return bool(self._process.is_alive())

    @property
    def live(self) -> bool:
        """Whether it has said that it follows the exchange; asked again it has not."""
        with suppress(EOFError, OSError):
            return self._told.poll() and self._told.recv() == "live"
        return False

    def kill(self) -> None:
        """Take the power away."""
        self._process.kill()

    def stop(self) -> None:
        """Let it do nothing for a while, in the middle of anything."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """End of :meth:`stop`."""
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGCONT)

    async def gone(self) -> int:
        """Wait until it has ended; return its exit status."""
        await asyncio.to_thread(self._process.join, 20)
        self._told.close()
        return int(self._process.exitcode or 0)


class ServiceStarter:
    """Starts services quickly."""

    def __init__(self) -> None:
        self._context: Any = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)

    def start(self, plan: ServicePlan) -> ServiceChild:
        """Start one; it is ``live`` later."""
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=serve, args=(plan, theirs), daemon=True)
        process.start()
        theirs.close()
        return ServiceChild(process, ours)


def serve(plan: ServicePlan, told: "Connection") -> None:
    """Be the service until killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(plan.lasts)
    log = plan.log.open("a", encoding="utf-8", buffering=1)
    sys.stderr = log
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(log),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        cache_logger_on_first_use=False,
    )
    asyncio.run(_serve(plan, told))


async def _serve(plan: ServicePlan, told: "Connection") -> None:
    from app import container, survey_part, telephony_part
    from app.settings import load_settings
    from callback_campaigns import surveys

    clock, tones = SharedClock(plan.clock), tones_of(plan)
    spoken: Any = survey_part
    spoken.StoreVoice = lambda store: ToneVoice(tones, plan.tones)
    # Tones need no preparation, call by call.
    ahead: Any = surveys
    ahead.AT_ONCE = 1
    logs: Any = telephony_part
    logs.EventLog = ShiftedLog
    ShiftedLog.clock = clock
    settings = load_settings({}, **plan.settings)
    roles = frozenset(container.Role(role) for role in plan.roles)
    async with container.open_centre(settings, roles, clock=clock) as centre:
        await centre.wait_live()
        told.send("live")
        await _wanted(plan.wanted_by)


async def _wanted(by: int) -> None:
    """Return when whoever started us is gone without having ended us."""
    with suppress(ProcessLookupError):
        while True:
            os.kill(by, 0)
            await asyncio.sleep(1)
