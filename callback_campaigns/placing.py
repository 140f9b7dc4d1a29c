"""The one place from which an Originate goes out, after its attempt was committed."""

import asyncio
from datetime import timedelta

import structlog
from prometheus_client import Counter

from callback_campaigns.attempt_keeper import AttemptKeeper
from callback_campaigns.dial_attempts import DialRequest, OpenAttempt
from callback_campaigns.dial_pace import Starts
from callback_campaigns.domain.attempt import Attempt
from callback_campaigns.exchange import DialOrder, Exchange, Sending
from kernel.clock import Clock
from kernel.errors import HuifangError

log = structlog.get_logger(__name__)

ORIGINATES = Counter("huifang_dial_originates_total", "Originates by what is known of them", ["sending"])
AT_ONCE = timedelta(seconds=10)
"""What was decided longer ago is not written any more: the hour and the refusals may have changed."""


class Placing:
    """Places calls, each once, many at a time."""

    def __init__(self, exchange: Exchange, keeper: AttemptKeeper, clock: Clock) -> None:
        self._exchange = exchange
        self._keeper = keeper
        self._clock = clock
        self._sending: set[asyncio.Task[None]] = set()
        self._starts: dict[str, Starts] = {}

    def started(self, trunk: str, now: float) -> int:
        """Return how many calls went out over a trunk in the last second, of campaigns and agents."""
        starts = self._starts.get(trunk)
        return starts.count(now) if starts is not None else 0

    def send(self, attempt: Attempt, wanted: DialRequest, order: DialOrder, *, now: float) -> None:
        """Have the Originate of a committed attempt written; never waits."""
        opened = OpenAttempt(
            attempt=attempt,
            task_id=wanted.task_id,
            campaign_id=wanted.campaign_id,
            trunk=wanted.trunk,
            agent=wanted.agent,
        )
        self.place(opened, order, now=now)

    def place(self, opened: OpenAttempt, order: DialOrder, *, now: float) -> None:
        """Do :meth:`send` for an attempt that was begun for something else than a task."""
        attempt = opened.attempt
        self._starts.setdefault(opened.trunk, Starts()).add(now)
        self._keeper.began(opened)
        task = asyncio.create_task(self._originate(attempt, order), name=f"originate-{attempt.attempt_id}")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        """End what is being written: it is in doubt."""
        for task in list(self._sending):
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _originate(self, attempt: Attempt, order: DialOrder) -> None:
        attempt_id, sending = order.attempt_id, Sending.DOUBT
        try:
            if abs(self._clock.now() - attempt.began_at) > AT_ONCE:
                # We, the machine, or its clock stood still or jumped since it was committed.
                log.warning("originate_too_late", attempt=attempt_id)
                sending = Sending.NOT_SENT
            else:
                sending = await self._exchange.originate(order)
        except HuifangError as error:
            # A border: whatever an adapter raises, nobody knows what was written before it did.
            log.warning("originate_failed", attempt=attempt_id, error=error.code)
        finally:
            # Also when it is cancelled.
            ORIGINATES.labels(sending.value).inc()
            match sending:
                case Sending.SENT:
                    self._keeper.sent(attempt_id)
                case Sending.NOT_SENT:
                    self._keeper.not_sent(attempt_id)
                case Sending.DOUBT:
                    self._keeper.doubt(attempt_id)
