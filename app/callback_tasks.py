"""Joins callback tasks to the facts that plan them, to the worker that brings them due, and to the sweep."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.settings import Settings
from app.web_settings import web_settings
from callback_campaigns.entries import EntrySpool
from callback_campaigns.task_tables import CallbackTaskRow
from callback_campaigns.tasks import CallbackTasks
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.due import DueWorker
from kernel.errors import HuifangError
from web.callback_part import Callbacks, build_callbacks
from web.crm_part import build_crm
from web.deps import WebSettings

log = structlog.get_logger(__name__)

POLL = timedelta(seconds=5)
"""Between two looks; tasks are due to the minute."""
WATCH = timedelta(minutes=1)
"""Between two looks for appointments that come near and forms that are missing."""
SWEEP = timedelta(seconds=20)
"""Between two looks for talks that nobody ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the callbacks' services stand on where no pages are served."""

    settings: WebSettings
    database: Database
    clock: Clock
    bus: Bus


def survey_spool(settings: Settings) -> EntrySpool:
    """Return where what a survey brings waits while the database does not take it."""
    return EntrySpool(settings.data_dir / "spool" / "surveys")


def build_tasks(settings: Settings, database: Database, clock: Clock, bus: Bus) -> Callbacks:
    """Return the callbacks of this process: their tasks, and what follows from them."""
    ground = Ground(settings=web_settings(settings), database=database, clock=clock, bus=bus)
    callbacks = build_callbacks(build_crm(ground), ground)
    callbacks.sweep.waiting = survey_spool(settings).waiting
    return callbacks


class Sweep(Protocol):
    """Looks for what no fact tells of."""

    async def run_once(self) -> int:
        """Look once; return how much was done."""
        ...


async def keep_sweeping(sweep: Sweep, every: timedelta = SWEEP) -> None:
    """Look again and again, until cancelled."""
    while True:
        try:
            await sweep.run_once()
        except (SQLAlchemyError, OSError, HuifangError) as error:
            log.warning("talk_sweep_failed", error=type(error).__name__)
        await asyncio.sleep(every.total_seconds())


def due_worker(
    tasks: CallbackTasks, database: Database, clock: Clock, *, worker: str
) -> DueWorker[CallbackTaskRow]:
    """Return the worker that makes tasks ready when their time comes. Nothing is dialled by it."""
    return DueWorker(database, clock, CallbackTaskRow, tasks.bring_due, worker=worker, poll=POLL)
