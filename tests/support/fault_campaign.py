"""A campaign in which everything fails at random, in virtual time, and what may never happen all the same.

The world keeps a truth of its own: when each number was really called, as the network counted, on a clock
that never jumps. The rules it is held against are written here a second time, by hand.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from callback_campaigns.attempt_keeper import HEARD, KeeperConfig
from callback_campaigns.domain.attempt import AttemptLimits
from callback_campaigns.domain.campaign import Campaign, CampaignState
from callback_campaigns.exchange import DialOrder, ExchangeAway, Sending
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from kernel.bus import Bus, Lagged, Subscription
from kernel.db import Database
from kernel.errors import HuifangError
from tests.support.callback_centre import CallbackCentre, make_centre
from tests.support.dialling import (
    OFFICE_HOUR,
    Dialling,
    build,
    set_state,
    start_campaign,
    waiting_customers,
)
from tests.support.fake_exchange import FakeExchange, Fault
from tests.support.people import MANAGER

SITE = ZoneInfo("Asia/Shanghai")
OPEN = ((time(9, 30), time(12)), (time(14), time(19, 30)))
APART = timedelta(minutes=20)
"""Calls to a number keep 30 minutes; the clock that they are kept by jumps by up to ten."""
JUMP = timedelta(minutes=10)
PATIENCE = AttemptLimits(settle=timedelta(seconds=60))


class Killed(Exception):
    """The process is gone at this instruction."""


class WorldClock:
    """What the machine's clock says, and what time it really is."""

    def __init__(self) -> None:
        self.true = OFFICE_HOUR
        self.error = timedelta(0)

    def now(self) -> datetime:
        """Return what the clock says."""
        return (self.true + self.error).astimezone(UTC)

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return (self.true - OFFICE_HOUR).total_seconds()


class FailingDatabase(Database):
    """A database before or after whose commit the process may die, and that may be locked."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.engine)
        self.locked = False
        self.dies: str | None = None
        self.after = 0
        self.dead = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        if self.dead:
            raise Killed
        if self.locked:
            raise OperationalError("BEGIN", None, Exception("database is locked"))
        dies = self._its_time()
        async with super().transaction() as session:
            yield session
            if dies == "before":
                raise Killed
        if dies == "after":
            raise Killed

    def kill(self, moment: str, after: int) -> None:
        """Have the process die around one of the next commits."""
        self.dies, self.after = moment, after

    def _its_time(self) -> str | None:
        if self.dies is None:
            return None
        self.after -= 1
        if self.after >= 0:
            return None
        dies, self.dies = self.dies, None
        return dies


@dataclass
class Verdict:
    """What happened, and what should not have."""

    attempts: int = 0
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def blame(self, what: str, example: str) -> None:
        """Something happened that may not."""
        self.wrong[what] += 1
        if len(self.examples) < 10:
            self.examples.append(f"{what}: {example}")


class WatchedExchange(FakeExchange):
    """Every call that reaches the network is held against the truth at that very moment."""

    world: "FaultWorld"
    dies_after_write: bool = False

    async def originate(self, order: DialOrder) -> Sending:
        """Place a call; the process may die the moment after it was written."""
        before = self.placed[order.attempt_id]
        sending = await super().originate(order)
        if self.placed[order.attempt_id] > before:
            self.world.called(order)
        if self.dies_after_write:
            self.dies_after_write, self.world.database.dead = False, True
            await asyncio.Event().wait()
        return sending


class FaultWorld:
    """One centre, its failures, and the truth. ``database`` is empty."""

    def __init__(self, database: Database, seed: int, customers: int) -> None:
        self.random = random.Random(seed)
        self.clock = WorldClock()
        self.database = FailingDatabase(database)
        self.bus = Bus()
        self.exchange = WatchedExchange(self.bus, self.clock, by_itself=False)
        self.exchange.world = self
        self.centre: CallbackCentre = make_centre(self.database, self.clock)  # type: ignore[arg-type]
        self.customers = customers
        self.refused: set[str] = set()
        self.last_call: dict[str, datetime] = {}
        self.verdict = Verdict()
        self.numbers: list[str] = []
        self.campaign: Campaign | None = None
        self.diallers: list[tuple[Dialling, Subscription]] = []

    # -- the truth -----------------------------------------------------------------------------------

    def called(self, order: DialOrder) -> None:
        """The network was given a call."""
        number, now, verdict = order.number, self.clock.true, self.verdict
        if self.exchange.placed[order.attempt_id] > 1:
            verdict.blame("attempt sent twice", order.attempt_id)
        same = [one for one in self.exchange.calls.values() if one.order.number == number]
        if len(same) > 1:
            verdict.blame("called while being called", number)
        last = self.last_call.get(number)
        if last is not None and now - last < APART:
            verdict.blame("duplicate", f"{number} {last} {now}")
        self.last_call[number] = now
        local = self.clock.now().astimezone(SITE)
        if local.weekday() == 6 or not any(since <= local.time() < until for since, until in OPEN):
            verdict.blame("outside a window", f"{number} {local}")
        if number in self.refused:
            verdict.blame("do not call", number)
        verdict.calls += 1

    # -- life ----------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Write the customers and the campaign."""
        self.numbers = [f"+86137{index // 10:07d}{index % 10}" for index in range(self.customers)]
        await waiting_customers(self.database, self.clock, self.numbers)
        self.campaign = await start_campaign(self.database, self.clock, lines=40, per_second=10)
        await self._born()

    async def _born(self) -> None:
        config = KeeperConfig(limits=PATIENCE)
        made = build(
            self.database,
            self.clock,
            self.exchange,
            self.exchange,
            self.bus,
            keeper=config,
            centre=self.centre,
        )
        heard = self.bus.subscribe(*HEARD, name=f"dialler-{len(self.diallers)}", maxsize=20_000)
        self.diallers.append((made, heard))
        await self._awake(made)

    async def _awake(self, made: Dialling) -> None:
        try:
            await made.keeper._resume()
        except (OperationalError, Killed):
            # It tries again as the supervisor would.
            self.verdict.faults["born into a failure"] += 1

    async def _die(self, which: int) -> None:
        """Everything that was only in memory is gone; another process begins where it was."""
        self.verdict.faults["killed"] += 1
        self.database.dead = False
        made, heard = self.diallers.pop(which)
        for task in list(made.dialler._placing._sending):
            task.cancel()
        await asyncio.gather(*made.dialler._placing._sending, return_exceptions=True)
        heard.close()
        await self._born()

    async def work(self, which: int, doing: Callable[[Dialling], Awaitable[object]]) -> None:
        """Let a dialler do something; it may die of it."""
        made, heard = self.diallers[which]
        try:
            await doing(made)
            while made.dialler._placing._sending and not self.database.dead:
                await asyncio.sleep(0)
            if self.database.dead:
                raise Killed
            for event in heard.waiting():
                if isinstance(event, Lagged):
                    made.keeper._doubt_all()
                else:
                    made.keeper.hear(event)
            await made.keeper.moves.flush()
        except Killed:
            await self._die(which)
        except (OperationalError, HuifangError):
            self.verdict.faults["interrupted"] += 1

    async def moment(self) -> None:
        """A moment of the campaign: somebody works, calls go on, something may fail."""
        for which in range(len(self.diallers)):
            await self.work(which, lambda made: made.dialler.round())
        for call_id in list(self.exchange.calls):
            if self.random.random() < 0.5:
                self.exchange.go_on(call_id)
        for which in range(len(self.diallers)):
            if self.random.random() < 0.3:
                await self.work(which, _look)
        self.clock.true += timedelta(seconds=self.random.choice((1, 3, 10)))
        # Nothing stays broken for long.
        if self.random.random() < 0.4:
            self.database.locked = False
        if self.random.random() < 0.4:
            self.exchange.mend()
        if self.random.random() < 0.35:
            await self._fault()
        if self.random.random() < 0.1:
            await self._due()

    async def _due(self) -> None:
        if not self.database.locked:
            dies, self.database.dies = self.database.dies, None
            await self.centre.bring_due()
            self.database.dies = dies

    async def _fault(self) -> None:
        chance, exchange = self.random, self.exchange
        what = chance.choice(
            ("originate", "originate", "originate", "cut", "restart", "kill", "kill", "written", "written",
             "lock", "jump", "second", "again", "refuse", "pause")
        )  # fmt: skip
        self.verdict.faults[what] += 1
        match what:
            case "originate":
                exchange.faults.append(chance.choice([one for one in Fault if one is not Fault.NONE]))
            case "cut":
                exchange.cut()
            case "mend":
                exchange.mend()
            case "restart":
                exchange.restart()
            case "kill":
                self.database.kill(chance.choice(("before", "after")), chance.randrange(4))
            case "written":
                exchange.dies_after_write = True
            case "lock":
                self.database.locked = True
            case "jump":
                self.clock.error = timedelta(
                    seconds=chance.uniform(-JUMP.total_seconds(), JUMP.total_seconds()) / 2
                )
            case "second":
                if len(self.diallers) < 2 and not self.database.locked:
                    await self._born()
            case "again":
                await self._same_list_again()
            case "refuse" if len(self.refused) < len(self.numbers) / 10:
                await self._refuse()
            case "pause":
                await self._pause()
            case _:
                pass

    async def _quietly(self, doing: Awaitable[object]) -> None:
        """Somebody else's process works: it does not die of our failures."""
        dies, locked = self.database.dies, self.database.locked
        self.database.dies, self.database.locked = None, False
        try:
            await doing
        finally:
            self.database.dies, self.database.locked = dies, locked

    async def _same_list_again(self) -> None:
        some = self.random.sample(self.numbers, 3)
        await self._quietly(waiting_customers(self.database, self.clock, some))

    async def _refuse(self) -> None:
        number = self.random.choice(self.numbers)
        await self._quietly(
            self.centre.desk.do_not_call.add(
                MANAGER, level=3, source="agent", evidence="不要再打", number=number
            )
        )
        self.refused.add(number)

    async def _pause(self) -> None:
        assert self.campaign is not None
        paused = CampaignState.PAUSED if self.random.random() < 0.3 else CampaignState.RUNNING
        await self._quietly(set_state(self.database, self.campaign, paused))

    # -- the end -------------------------------------------------------------------------------------

    async def run(self, attempts: int, *, moments: int = 1_000_000) -> Verdict:
        """Live until so many attempts were made, or nobody is left to be called; then let all calm down."""
        await self.open()
        for number in range(moments):
            await self.moment()
            if number % 3 == 2:
                await self._hurry()
                if await self._made() >= attempts or not await self._left():
                    break
        await self._calm()
        await self._judge()
        return self.verdict

    async def _made(self) -> int:
        async with self.database.session() as session:
            return int(await session.scalar(select(func.count()).select_from(DialAttemptRow)) or 0)

    async def _left(self) -> int:
        waits = CallbackTaskRow.status.in_(("ready", "planned", "retry_wait", "dialling"))
        async with self.database.session() as session:
            return int(await session.scalar(select(func.count()).where(waits)) or 0)

    async def _hurry(self) -> None:
        """When nobody may be called for a while, that while passes."""
        ready = select(func.count()).where(
            CallbackTaskRow.status.in_(("ready", "dialling")), CallbackTaskRow.call_at <= self.clock.now()
        )
        async with self.database.session() as session:
            if await session.scalar(ready) or self.exchange.calls:
                return
            waits = CallbackTaskRow.due_at.is_not(None)
            due = await session.scalar(select(func.min(CallbackTaskRow.due_at)).where(waits))
        if due is not None and due > self.clock.now():
            self.clock.true += due - self.clock.now()
        await self._due()

    async def _calm(self) -> None:
        """Everything works again, and nobody new is called."""
        self.exchange.mend()
        self.exchange.faults.clear()
        self.exchange.dies_after_write = False
        self.database.locked, self.database.dies = False, None
        assert self.campaign is not None
        await set_state(self.database, self.campaign, CampaignState.PAUSED)
        for _ in range(40):
            self.clock.true += timedelta(seconds=30)
            for call_id in list(self.exchange.calls):
                self.exchange.go_on(call_id)
            for which in range(len(self.diallers)):
                await self.work(which, _look)

    async def _judge(self) -> None:
        async with self.database.session() as session:
            rows = list(await session.scalars(select(DialAttemptRow)))
        verdict = self.verdict
        verdict.attempts = len(rows)
        known = {row.id for row in rows}
        for attempt_id in self.exchange.placed:
            if attempt_id not in known:
                verdict.blame("called without an attempt", attempt_id)
        for row in rows:
            verdict.outcomes[row.outcome or row.state] += 1
            if row.state != "ended":
                verdict.blame("never over", f"{row.id} {row.state}")
            fact = self.exchange.records.get(row.id)
            if fact is not None and fact.result == "ANSWERED" and row.outcome != "answered":
                verdict.blame("answer lost", f"{row.id} {row.outcome}")
            if fact is None and row.outcome not in {"failed", "unknown"}:
                verdict.blame("an outcome from nowhere", f"{row.id} {row.outcome}")


async def _look(made: Dialling) -> None:
    """What its own tasks would do now and then."""
    await made.keeper.sweep()
    if await made.keeper.moves.flush():
        with suppress(ExchangeAway):
            await made.keeper.look()
