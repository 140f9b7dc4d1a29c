"""A storm over a real exchange: the service is killed, the line to Asterisk cut, Asterisk started again …

The service runs in processes of its own (:mod:`tests.support.service_child`), the customers are a town behind
the trunk (:mod:`tests.support.town`), AMI goes through a proxy that may be cut or frozen. Days pass quickly:
the clock that all share is put forward to the edges of the calling windows, and is wrong by minutes besides.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from callback_campaigns.domain.campaign import Campaign, CampaignState
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from tests.support.dialling import set_state, start_campaign, waiting_customers
from tests.support.people import MANAGER, make_desk
from tests.support.service_child import ServiceChild, ServiceStarter
from tests.support.whole_service import KINDS, Line

SITE = ZoneInfo("Asia/Shanghai")
WRONG_BY = timedelta(minutes=5)
"""So wrong is the machine's clock at most."""
DAY: Sequence[tuple[str, float]] = (
    ("09:40", 0.0),
    ("11:40", 15.0),
    ("12:06", 8.0),
    ("14:06", 0.0),
    ("16:58", 0.0),
    ("19:10", 15.0),
    ("19:36", 8.0),
)
"""Where the clock is put, and for how many seconds; 0: until a part of the attempts is made."""
WORKING = sum(not seconds for _, seconds in DAY)
PATIENCE = timedelta(minutes=35)
STARTS_WITHIN = 90.0
HOPELESS = 20
"""So often it may end by itself; then there is nothing to measure."""
CALM_WITHIN = 150.0


@dataclass(frozen=True, slots=True)
class ClockSet:
    """From ``at`` (real time) on the world was ``true`` seconds ahead, the machine's clock ``error`` more."""

    at: float
    true: float
    error: float


@dataclass
class Storm:
    """The run. Our own connections to the database are not the services'."""

    line: Line
    attempts: int
    seed: int
    days: int
    limit: float
    faults: Counter[str] = field(default_factory=Counter)
    refused: dict[str, float] = field(default_factory=dict)
    history: list[ClockSet] = field(default_factory=list)
    ended_by_themselves: int = 0
    starts: list[float] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        line = self.line
        self.pbx, self.town, self.wire = line.pbx, line.town, line.wire
        self.database, self.clock = line.database, line.clock
        self.chance = random.Random(self.seed)
        self.starter = ServiceStarter()
        self.main: ServiceChild | None = None
        self.second: ServiceChild | None = None
        self.campaigns: list[Campaign] = []
        self._true, self._error = self.clock.shift, 0.0
        # Of the second one the calls wait on a disk of its own; what surveys left is everybody's to see.
        spools = [Path(folder) / "spool" for folder in (line.plan.settings["data_dir"], self._second_folder)]
        for spool in spools:
            spool.mkdir(parents=True)
        (spools[0] / "surveys").mkdir()
        (spools[1] / "surveys").symlink_to(spools[0] / "surveys", target_is_directory=True)
        self._note()

    @property
    def _second_folder(self) -> str:
        return f"{self.line.plan.settings['data_dir']}-second"

    # -- time ------------------------------------------------------------------------------------------

    def _note(self) -> None:
        self.history.append(ClockSet(time.time(), self._true, self._error))
        self.clock.set(datetime.fromtimestamp(time.time() + self._true + self._error, SITE))

    def passes_to(self, local: str) -> None:
        """Have it be this time of day, today or tomorrow: for everybody, not only by the clock."""
        hour, minute = map(int, local.split(":"))
        now = datetime.fromtimestamp(time.time() + self._true, SITE)
        to = now.replace(hour=hour, minute=minute, second=0)
        while to <= now or to.weekday() == 6:
            to += timedelta(days=1)
        self._true += (to - now).total_seconds()
        self._note()

    def _jump(self) -> None:
        most = WRONG_BY.total_seconds()
        self._error = self.chance.uniform(-most, most)
        self._note()

    # -- the service -----------------------------------------------------------------------------------

    def _start(self, *, second: bool = False) -> ServiceChild:
        plan = self.line.plan
        if second:
            settings = {**plan.settings, "data_dir": self._second_folder}
            plan = replace(plan, settings=settings, roles=("telephony",))
        return self.starter.start(plan)

    async def _up(self, child: ServiceChild) -> None:
        """Wait until a service works; one that falls over its feet in a storm is started again."""
        began = time.monotonic()
        while not child.live:
            if not child.alive or time.monotonic() - began > STARTS_WITHIN:
                return
            await asyncio.sleep(0.05)
        self.starts.append(time.monotonic() - began)

    async def _killed(self, child: ServiceChild) -> None:
        child.kill()
        await child.gone()

    async def _watch(self) -> None:
        """Start the service again when it ends, as whoever runs it would; by itself it should not."""
        while True:
            if self.main is not None and not self.main.alive:
                status = await self.main.gone()
                if status != -signal.SIGKILL:
                    self.ended_by_themselves += 1
                    print(f"the service ended by itself: {status}; see {self.line.plan.log}", flush=True)
                    if self.ended_by_themselves > HOPELESS:
                        raise RuntimeError("the service does not stay up")
                self.main = self._start()
            await asyncio.sleep(0.05)

    # -- faults ----------------------------------------------------------------------------------------

    @property
    def _faults(self) -> dict[str, tuple[int, Callable[[], Awaitable[object]]]]:
        return {
            "killed": (6, self._kill),
            "killed while customers answer": (5, self._kill_talking),
            "killed while the database is locked": (2, self._kill_locked),
            "stalled": (3, self._stall),
            "cut": (4, self._cut),
            "half-open": (3, self._half_open),
            "late": (2, self._late),
            "unreachable": (2, self._unreachable),
            "asterisk restarted": (1, self._restart),
            "asterisk crashed": (1, self._crash),
            "database locked": (4, self._lock),
            "clock jumped": (4, self._jumps),
            "second dialler": (3, self._second),
            "same list again": (3, self._again),
            "do not call": (3, self._refuse),
            "paused": (2, self._pause),
        }

    async def blow(self) -> None:
        """Let something fail every few seconds, until cancelled."""
        known = self._faults
        names, weights = list(known), [weight for weight, _ in known.values()]
        while True:
            await asyncio.sleep(self.chance.uniform(1.0, 4.0))
            what = self.chance.choices(names, weights)[0]
            self.faults[what] += 1
            with suppress(SQLAlchemyError, TimeoutError):
                await known[what][1]()

    async def _kill(self) -> None:
        if self.main is None:
            return
        self.main.kill()
        if self.chance.random() < 0.2:
            # And once more before it is up.
            await asyncio.sleep(self.chance.uniform(0.2, 2.0))
            self.main.kill()
        await asyncio.sleep(0.2)
        await self._up(self.main)

    async def _kill_talking(self) -> None:
        for _ in range(60):
            if sum(bool(call.presses) for call in self.town.talking) >= 3:
                break
            await asyncio.sleep(0.05)
        await asyncio.sleep(self.chance.uniform(0, 0.6))
        await self._kill()

    async def _kill_locked(self) -> None:
        async with self._locked():
            await asyncio.sleep(self.chance.uniform(1.0, 4.0))
            if self.main is not None:
                self.main.kill()
            await asyncio.sleep(0.3)
        if self.main is not None:
            await self._up(self.main)

    async def _stall(self) -> None:
        child = self.main
        if child is None or not child.alive:
            return
        child.stop()
        try:
            await asyncio.sleep(self.chance.uniform(0.3, 8.0))
            if self.chance.random() < 0.3:
                self._jump()
        finally:
            child.go_on()

    async def _cut(self) -> None:
        self.wire.cut()

    async def _half_open(self) -> None:
        self.wire.freeze()
        try:
            await asyncio.sleep(self.chance.uniform(0.5, 6.0))
        finally:
            self.wire.cut()
            self.wire.thaw()

    async def _late(self) -> None:
        """What was written arrives, but late; perhaps nobody waits for it any more."""
        self.wire.freeze()
        try:
            await asyncio.sleep(self.chance.uniform(0.5, 6.0))
        finally:
            self.wire.thaw()

    async def _unreachable(self) -> None:
        self.wire.shut()
        try:
            await asyncio.sleep(self.chance.uniform(0.5, 4.0))
        finally:
            self.wire.reopen()

    async def _restart(self) -> None:
        self.town.cut_off()
        await self.pbx.server.stop()
        self.town.cut_off()
        await self.pbx.server.start()

    async def _crash(self) -> None:
        pid = self.pbx.server.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        await self._restart()

    def _locked(self) -> Any:
        return self.database.transaction()

    async def _lock(self) -> None:
        async with self._locked():
            await asyncio.sleep(self.chance.uniform(0.3, 5.0))

    async def _jumps(self) -> None:
        self._jump()

    async def _second(self) -> None:
        if self.second is not None:
            await self._killed(self.second)
            self.second = None
        else:
            self.second = self._start(second=True)
            await self._up(self.second)

    async def _again(self) -> None:
        some = self.chance.sample(self.numbers, 5)
        await waiting_customers(self.database, self.clock, some)

    async def _refuse(self) -> None:
        if len(self.refused) > len(self.numbers) / 10:
            return
        number = self.chance.choice(self.numbers)
        office = make_desk(self.database, self.clock)
        await office.do_not_call.add(MANAGER, level=3, source="agent", evidence="不要再打", number=number)
        self.refused.setdefault(number, time.time())

    async def _pause(self) -> None:
        one = self.chance.choice(self.campaigns)
        await set_state(self.database, one, CampaignState.PAUSED)
        await asyncio.sleep(self.chance.uniform(0.5, 2.0))
        await set_state(self.database, one, CampaignState.RUNNING)

    # -- the run ---------------------------------------------------------------------------------------

    async def _fill(self) -> None:
        count = self.attempts
        self.numbers = [f"+86139{index:08d}" for index in range(count)]
        half = count // 2
        for kind, numbers in zip(KINDS, (self.numbers[:half], self.numbers[half:]), strict=True):
            await waiting_customers(self.database, self.clock, numbers, kind=kind.value)
            running = await start_campaign(
                self.database, self.clock, kinds=frozenset({kind}), lines=90, per_second=25
            )
            self.campaigns.append(running)

    async def run(self) -> None:
        """Fill the database, let the storm blow until the attempts are made, and let all calm down."""
        await self._fill()
        self.main = self._start()
        watching = asyncio.create_task(self._watch())
        try:
            await self._up(self.main)
            blowing = asyncio.create_task(self.blow())
            try:
                await self._days(blowing, watching)
            finally:
                blowing.cancel()
                await asyncio.gather(blowing, return_exceptions=True)
            await self._calm()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            for child in filter(None, (self.main, self.second)):
                child.go_on()
                await self._killed(child)

    async def _days(self, blowing: "asyncio.Task[None]", watching: "asyncio.Task[None]") -> None:
        until, made = time.monotonic() + self.limit, 0
        each = self.attempts / (self.days * WORKING)
        while True:
            for local, seconds in DAY:
                self.passes_to(local)
                began, leg = time.monotonic(), made
                last, moved = made, time.monotonic()
                while (not seconds and made - leg < each) or time.monotonic() - began < seconds:
                    await asyncio.sleep(1.0)
                    for task in (blowing, watching):
                        if task.done():
                            task.result()
                    made = await self._made()
                    if made != last:
                        last, moved = made, time.monotonic()
                    if made >= self.attempts or time.monotonic() > until:
                        return
                    if time.monotonic() - moved > 30.0:
                        break
                print(f"{local}: {made} attempts, {sum(self.faults.values())} faults", flush=True)

    async def _made(self) -> int:
        async with self.database.session() as session:
            return int(await session.scalar(select(func.count()).select_from(DialAttemptRow)) or 0)

    async def _calm(self) -> None:
        """Everything works again, nobody new is called, and what is open comes to its end."""
        self.wire.thaw()
        self.wire.reopen()
        if self.second is not None:
            await self._killed(self.second)
            self.second = None
        if self.main is not None:
            self.main.go_on()
        if self.pbx.server.pid is None:
            await self.pbx.server.start()
        self._error = 0.0
        self._note()
        for one in self.campaigns:
            await set_state(self.database, one, CampaignState.PAUSED)
        until = time.monotonic() + CALM_WITHIN
        while time.monotonic() < until and await self._open_attempts():
            await asyncio.sleep(0.5)
        # Whatever nobody ended is looked for minutes after its call; people write on for half an hour.
        self._true += PATIENCE.total_seconds()
        self._note()
        while time.monotonic() < until and await self._in_talks():
            await asyncio.sleep(0.5)

    async def _open_attempts(self) -> int:
        query = select(func.count()).select_from(DialAttemptRow).where(DialAttemptRow.state != "ended")
        async with self.database.session() as session:
            return int(await session.scalar(query) or 0)

    async def _in_talks(self) -> int:
        query = select(func.count()).where(CallbackTaskRow.status.in_(("dialling", "talking")))
        async with self.database.session() as session:
            return int(await session.scalar(query) or 0)
