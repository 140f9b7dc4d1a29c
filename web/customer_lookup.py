"""Who is calling: a look-up that is shared, bounded in time and number, and never stands in a call's way."""

import asyncio
from datetime import timedelta
from typing import Protocol

import structlog
from prometheus_client import Counter, Histogram

from crm.views import CustomerCard
from kernel.clock import Clock
from kernel.phone import Phone

log = structlog.get_logger(__name__)

TIMEOUT = timedelta(seconds=2)
AT_ONCE = 16

SECONDS = Histogram(
    "huifang_screen_pop_lookup_seconds",
    "Time to find the customers of a ringing call",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2),
)
FAILURES = Counter("huifang_screen_pop_lookup_failures_total", "Look-ups that failed or took too long")

Cards = tuple[CustomerCard, ...]


class Customers(Protocol):
    """What it asks of ``crm.service.CustomerDirectory``."""

    async def find_by_phone(self, phone: Phone) -> Cards:
        """Return everybody on a number."""
        ...


class CustomerLookup:
    """Looks customers up by number; calls that ring on several phones are looked up once."""

    def __init__(self, customers: Customers, clock: Clock, *, timeout: timedelta = TIMEOUT) -> None:
        self._customers = customers
        self._clock = clock
        self._timeout = timeout.total_seconds()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._running: dict[str, asyncio.Task[Cards | None]] = {}

    def start(self, call_id: str, phone: Phone) -> asyncio.Task[Cards | None]:
        """Return the task that finds the call's customers; its result is ``None`` when that failed.

        Await it shielded: others may wait for the same one.
        """
        running = self._running.get(call_id)
        if running is None:
            running = self._running[call_id] = asyncio.create_task(self._find(phone))
            running.add_done_callback(lambda _: self._running.pop(call_id, None))
        return running

    async def _find(self, phone: Phone) -> Cards | None:
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._timeout), self._slots:
                cards = await self._customers.find_by_phone(phone)
        except Exception as error:  # a border: the pop goes on without the customer
            FAILURES.inc()
            log.warning("screen_pop_lookup_failed", error=type(error).__name__)
            return None
        SECONDS.observe(self._clock.monotonic() - started)
        return cards

    def close(self) -> None:
        """Give up what is running."""
        for task in tuple(self._running.values()):
            task.cancel()
