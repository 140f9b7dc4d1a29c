"""Joins callback tasks to the facts that plan them, and to the worker that brings them due."""

from dataclasses import dataclass
from datetime import timedelta

from app.settings import Settings
from app.web_settings import web_settings
from callback_campaigns.task_tables import CallbackTaskRow
from callback_campaigns.tasks import CallbackTasks
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.due import DueWorker
from web.callback_part import build_callbacks
from web.crm_part import build_crm
from web.deps import WebSettings

POLL = timedelta(seconds=5)
"""Between two looks; tasks are due to the minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the callbacks' services stand on where no pages are served."""

    settings: WebSettings
    database: Database
    clock: Clock
    bus: Bus


def build_tasks(settings: Settings, database: Database, clock: Clock, bus: Bus) -> CallbackTasks:
    """Return the tasks of this process."""
    ground = Ground(settings=web_settings(settings), database=database, clock=clock, bus=bus)
    return build_callbacks(build_crm(ground), ground).tasks


def due_worker(
    tasks: CallbackTasks, database: Database, clock: Clock, *, worker: str
) -> DueWorker[CallbackTaskRow]:
    """Return the worker that makes tasks ready when their time comes. Nothing is dialled by it."""
    return DueWorker(database, clock, CallbackTaskRow, tasks.bring_due, worker=worker, poll=POLL)
