"""What every role of a process stands on, and what takes facts on it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.settings import Settings
from kernel.bus import Bus
from kernel.clock import Clock
from kernel.db import Database
from kernel.events import Event
from kernel.outbox import FactConsumer, FactHandler
from kernel.supervise import Supervisor

if TYPE_CHECKING:
    from redis.asyncio import Redis


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What every role stands on."""

    settings: Settings
    clock: Clock
    database: Database
    redis: "Redis"
    bus: Bus
    tasks: Supervisor
    worker: str


def consumer(base: Base, name: str, types: tuple[type[Event], ...], handler: FactHandler) -> FactConsumer:
    """Return a receiver of facts."""
    return FactConsumer(
        name,
        types,
        handler,
        database=base.database,
        redis=base.redis,
        clock=base.clock,
        worker=base.worker,
    )
