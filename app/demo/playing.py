"""How stories are played: a clock that is set by hand, and whose turn it is."""

import heapq
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog

from app.demo.people import Office
from crm.domain.handoff import SignatureKind, Signed
from kernel.errors import HuifangError
from web.crm_part import CrmServices

log = structlog.get_logger(__name__)

OPENS, CLOSES = time(8, 30), time(18, 0)
STROKES = (((300, 900), (420, 700), (520, 980), (640, 660), (760, 940), (880, 720), (990, 960), (1100, 800)),)
SIGNED = Signed(kind=SignatureKind.DRAWN, strokes=STROKES)
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)

Steps = AsyncGenerator[timedelta | datetime, None]
"""A story: what it yields is how long it pauses, or until when."""
Progress = Callable[[int, int], None]
"""Gets the days that are played and how many there are."""


class StoryClock:
    """A clock that is set by hand, forward only."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """Return the time it was set to."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds of the time it was set to."""
        return self._now.timestamp()

    def set(self, at: datetime) -> None:
        """Go to ``at``; it never goes back."""
        self._now = max(self._now, at)


@dataclass(frozen=True, slots=True)
class Scene:
    """What every story has at hand."""

    crm: CrmServices
    clock: StoryClock
    office: Office
    zone: ZoneInfo
    dice: random.Random
    until: datetime

    def hours(self, low: float, high: float) -> timedelta:
        """Return some hours, by the dice."""
        return timedelta(hours=self.dice.uniform(low, high))

    def at_work(self, at: datetime) -> datetime:
        """Return the time, moved on to the next morning when the office is closed."""
        local = at.astimezone(self.zone)
        if local.time() >= CLOSES:
            local = datetime.combine(local.date() + DAY, OPENS, self.zone)
        elif local.time() < OPENS:
            local = datetime.combine(local.date(), OPENS, self.zone)
        return local + timedelta(minutes=self.dice.randint(0, 20))

    def worked_ago(self, service: timedelta, at_least: timedelta = timedelta()) -> datetime:
        """Return a moment of an office day that so much of the office's time before the end.

        Args:
            at_least: and not less than that ago by the wall clock.
        """
        at, worked = self.until, timedelta()
        while not (worked >= service and self.until - at >= at_least and self._open(at)):
            at -= QUARTER
            worked += QUARTER if self._open(at) else timedelta()
        return at

    def _open(self, at: datetime) -> bool:
        return OPENS <= at.astimezone(self.zone).time() < CLOSES


@dataclass(order=True, slots=True)
class Turn:
    """When a story goes on."""

    at: datetime
    number: int
    steps: Steps = field(compare=False)


async def play(
    turns: Iterable[Turn],
    scene: Scene,
    *,
    each_day: Callable[[], Awaitable[object]],
    progress: Progress | None = None,
) -> int:
    """Let every story take its steps until the scene's end, each at its time.

    A story whose step a service refuses ends there: a company that is nearly whole can be shown, one that
    does not start cannot. Returns how many there were.

    Args:
        each_day: done at the end of every day, and once more at the end.
    """
    start, waiting = scene.clock.now(), list(turns)
    days, played, refused = (scene.until - start) // DAY, 0, 0
    heapq.heapify(waiting)
    while waiting and waiting[0].at < scene.until:
        turn = heapq.heappop(waiting)
        while turn.at >= start + (played + 1) * DAY:
            played += 1
            scene.clock.set(start + played * DAY)
            await each_day()
            if progress is not None:
                progress(played, days)
        scene.clock.set(turn.at)
        try:
            pause = await anext(turn.steps)
        except StopAsyncIteration:
            continue
        except HuifangError as error:
            refused += 1
            log.warning("demo_story_ended", story=turn.number, code=error.code, error=error.message)
            continue
        at = pause if isinstance(pause, datetime) else scene.at_work(turn.at + pause)
        heapq.heappush(waiting, Turn(at, turn.number, turn.steps))
    for turn in waiting:
        await turn.steps.aclose()
    scene.clock.set(scene.until)
    await each_day()
    if progress is not None:
        progress(days, days)
    return refused
