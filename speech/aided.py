"""Asks a language model about conversations, behind the rules: nobody waits for it, and it only adds."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

import structlog
from prometheus_client import Counter

from kernel.clock import Clock
from kernel.errors import HuifangError
from speech.reading.ports import Understander, Utterance, bounded
from speech.suggesting import Suggester

log = structlog.get_logger(__name__)

ASKED = Counter("huifang_understander_total", "Questions to the language model", ["answer"])
GAP = timedelta(seconds=3)
"""Between two questions about the same call: what is said meanwhile is asked about together."""
AT_ONCE = 2
MOST_WAITING = 100
"""Calls that wait for a question; of more, those that were silent longest are left to the rules."""
PAUSE = timedelta(seconds=30)
"""After a failure nothing is asked for so long."""


class Aid:
    """Give :meth:`run` to the supervisor. Belongs to the event loop of its suggester.

    Args:
        deadline: for one answer.
        changed: told the call of which there is more to propose.
    """

    def __init__(
        self,
        understander: Understander,
        suggester: Suggester,
        clock: Clock,
        *,
        deadline: timedelta,
        changed: Callable[[str], None],
    ) -> None:
        self._understander = understander
        self._suggester = suggester
        self._clock = clock
        self._deadline = deadline
        self._changed = changed
        self._waiting: OrderedDict[str, float] = OrderedDict()
        self._news = asyncio.Event()
        self._quiet_until = 0.0

    def heard(self, call_id: str) -> None:
        """Have a call looked at, a moment later."""
        if call_id in self._waiting:
            return
        self._waiting[call_id] = self._clock.monotonic() + GAP.total_seconds()
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)
        self._news.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                wait = min(self._waiting.values()) - self._clock.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                await self.look()

    async def look(self) -> None:
        """Ask about the calls whose time has come, a few at once."""
        now = self._clock.monotonic()
        due = [call_id for call_id, at in self._waiting.items() if at <= now][:AT_ONCE]
        for call_id in due:
            del self._waiting[call_id]
        if now < self._quiet_until:
            return
        async with asyncio.TaskGroup() as group:
            for call_id in due:
                group.create_task(self._ask(call_id))

    async def _ask(self, call_id: str) -> None:
        said = self._suggester.remembered(call_id)
        if not said:
            return
        lines = bounded([Utterance(segment=one.segment, speaker=one.speaker, text=one.text) for one in said])
        try:
            found = await self._understander.findings(lines, self._clock.now(), deadline=self._deadline)
        except HuifangError as error:
            ASKED.labels(error.code).inc()
            self._quiet_until = self._clock.monotonic() + PAUSE.total_seconds()
            log.warning("understander_failed", error=error.code)
            return
        ASKED.labels("answered").inc()
        texts = {one.segment: one.text for one in lines}
        if await self._suggester.add(call_id, found, texts):
            self._changed(call_id)
