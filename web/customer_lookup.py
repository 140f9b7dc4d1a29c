"""Who is calling: a look-up that is shared, bounded in time and number, and never stands in a call's way.

What it found stays in memory while the call lasts, for a short time: it is asked when the call is offered, so
that the customer is there when a phone rings.
"""

import asyncio
from dataclasses import dataclass
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
FRESH = timedelta(seconds=30)
"""How long a result is good for: customers change while a caller waits."""
KEPT = 500

SECONDS = Histogram(
    "huifang_screen_pop_lookup_seconds",
    "Time to find the customers of a ringing call",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2),
)
FAILURES = Counter("huifang_screen_pop_lookup_failures_total", "Look-ups that failed or took too long")

Cards = tuple[CustomerCard, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    e164: str
    at: float
    cards: Cards


class Customers(Protocol):
    """What it asks of ``crm.service.CustomerDirectory``."""

    async def find_by_phone(self, phone: Phone) -> Cards:
        """Return everybody on a number."""
        ...


class CustomerLookup:
    """Looks customers up by number; calls that ring on several phones are looked up once.

    Args:
        fresh: how long what was found for a call is used again.
        kept: of how many calls it is remembered.
    """

    def __init__(
        self,
        customers: Customers,
        clock: Clock,
        *,
        timeout: timedelta = TIMEOUT,
        fresh: timedelta = FRESH,
        kept: int = KEPT,
    ) -> None:
        self._customers = customers
        self._clock = clock
        self._timeout = timeout.total_seconds()
        self._fresh = fresh.total_seconds()
        self._kept = kept
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._running: dict[tuple[str, str], asyncio.Task[Cards | None]] = {}
        self._found: dict[str, _Found] = {}

    def known(self, call_id: str, phone: Phone) -> Cards | None:
        """Return what was found for the call a short while ago, ``None`` when that must be looked up."""
        found = self._found.get(call_id)
        if found is None or found.e164 != phone.e164 or self._clock.monotonic() - found.at >= self._fresh:
            return None
        return found.cards

    async def find(self, call_id: str, phone: Phone) -> Cards | None:
        """Return the call's customers, from memory where they are known; ``None`` when that failed."""
        cards = self.known(call_id, phone)
        return await asyncio.shield(self.start(call_id, phone)) if cards is None else cards

    def start(self, call_id: str, phone: Phone) -> asyncio.Task[Cards | None]:
        """Return the task that finds the call's customers; its result is ``None`` when that failed.

        Await it shielded: others may wait for the same one.
        """
        key = (call_id, phone.e164)
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.create_task(self._find(call_id, phone))
            running.add_done_callback(lambda _: self._running.pop(key, None))
        return running

    def forget(self, call_id: str) -> None:
        """The call is over: nobody will ask again."""
        self._found.pop(call_id, None)

    async def _find(self, call_id: str, phone: Phone) -> Cards | None:
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._timeout), self._slots:
                cards = await self._customers.find_by_phone(phone)
        except Exception as error:  # a border: the pop goes on without the customer
            FAILURES.inc()
            log.warning("screen_pop_lookup_failed", error=type(error).__name__)
            return None
        SECONDS.observe(self._clock.monotonic() - started)
        self.forget(call_id)
        self._found[call_id] = _Found(phone.e164, started, cards)
        while len(self._found) > self._kept:
            del self._found[next(iter(self._found))]
        return cards

    def close(self) -> None:
        """Give up what is running."""
        for task in tuple(self._running.values()):
            task.cancel()
