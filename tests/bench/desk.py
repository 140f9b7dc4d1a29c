"""The desk under load: fifty agents with their pages open, ten calls a second, a wallboard on the wall.

Each agent holds the live connection of the agent's page with all its topics; one supervisor's board and one
wallboard read along. The service runs as a process of its own, with database, Redis and all; the PBX is
played from recorded bytes. Each call is offered, goes through the menu, rings, is answered (every fifth
caller gives up instead), ends, and the agent saves what became of it.

``pop``: from ``AgentCalled`` on the manager interface's socket to the customer on the agent's live connection
(``screen_pop`` measures the same up to the painted page). ``wall_age``: how old what the wallboard shows is,
at any moment. ``wall_told``: from a caller's coming to the queue until the wallboard has counted them.
"""

import asyncio
import bisect
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from app.runtime import Runtime
from app.runtime.redis_server import RedisServer
from kernel.clock import SystemClock
from kernel.db import Database, create_database
from kernel.ids import new_ulid
from tests.bench.ami_story import Story
from tests.bench.apart import (
    busy_percent,
    cpu_seconds,
    machine_ticks,
    percentile,
    resident_mb,
    service_process,
    service_url,
)
from tests.bench.report import at_most, report
from tests.bench.screen_pop import (
    PASSWORD,
    SECRET,
    Agent,
    Call,
    Callers,
    Stage,
    agent,
    fill,
    play,
    session_of,
)
from tests.support.centre import centre_settings
from tests.support.fake_ami import FakeAmi
from tests.support.ports import free_port
from tests.support.runtime import runtime_folder
from tests.support.waiting import eventually
from web.auth import SESSION_COOKIE, build_accounts
from web.passwords import Passwords
from web.permissions import Role

AGENTS = 50
RATE = 10
SECONDS = 60.0
WARM_UP_SECONDS = 5.0
SUPERVISOR = "wall"
AGENT_TOPICS = "agent,waiting,words,notices"
LOOKED_EVERY_SECONDS = 0.02


class NotedAmi(FakeAmi):
    """Notes when a caller came to a queue."""

    def __init__(self, *, secret: str) -> None:
        super().__init__(secret=secret)
        self.joined: list[float] = []

    def raw(self, data: bytes) -> None:
        """Write bytes to the service."""
        if b"Event: QueueCallerJoin" in data:
            self.joined.append(time.time())
        super().raw(data)


@dataclass(slots=True)
class Wall:
    """What a wallboard was told: when it came, until when it was true, how many callers it counts."""

    came: list[float] = field(default_factory=list)
    true_until: list[float] = field(default_factory=list)
    offered: list[int] = field(default_factory=list)

    def ages(self, since: float, until: float) -> list[float]:
        """Return how old what it showed was, looked at again and again."""
        found, at = [], since
        while at < until:
            last = bisect.bisect_right(self.came, at) - 1
            if last >= 0:
                found.append(at - self.true_until[last])
            at += LOOKED_EVERY_SECONDS
        return found

    def told(self, joined: list[float], first: int) -> list[float]:
        """Return how long each caller from number ``first`` on waited to be counted."""
        found = []
        for number, at in enumerate(joined[first:], first + 1):
            frame = bisect.bisect_left(self.offered, number)
            if frame < len(self.came):
                found.append(max(0.0, self.came[frame] - at))
        return found


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Stage, NotedAmi, aiohttp.ClientSession]]:
    """Run the service and the played PBX; sign everybody in."""
    runtime = await Runtime.ensure(runtime_folder(), need=frozenset({"redis"}))
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(NotedAmi(secret=SECRET))
        settings = centre_settings(
            folder,
            web={"port": free_port()},
            ami={"port": pbx.port, "secret": SECRET},
            centre={"ring_no_answer_limit": 0},
        )
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        redis = RedisServer(runtime.redis, settings.data_dir / "run")
        await stack.enter_async_context(redis.running())
        settings = settings.model_copy(update={"redis_url": redis.url})
        database = create_database(settings.sql_url)
        stack.push_async_callback(database.dispose)
        numbers = await fill(database, AGENTS)
        await add_supervisor(database)
        service = service_process(settings, roles="telephony,web")
        await stack.enter_async_context(service.running())
        stage = Stage(pbx, service, [])
        for number in numbers:
            stage.agents.append(await agent(stack, settings, database, number))
        wall = aiohttp.ClientSession(
            service_url(settings),
            headers={"Cookie": f"{SESSION_COOKIE}={await session_of(database, SUPERVISOR)}"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        )
        await stack.enter_async_context(wall)
        await eventually(lambda: len(pbx.pbx.queues["service"]) == AGENTS, timeout=20, what="agents in queue")
        yield stage, pbx, wall


async def add_supervisor(database: Database) -> None:
    """Write the user who looks at the wallboard."""
    accounts = build_accounts(database, SystemClock(), passwords=Passwords(time_cost=1, memory_kib=8))
    await accounts.users.create(login=SUPERVISOR, password=PASSWORD, role=Role.SUPERVISOR)


async def watch(client: aiohttp.ClientSession, wall: Wall) -> None:
    """Read the wallboard's stream."""
    async with client.get("/wallboard/live") as stream:
        stream.raise_for_status()
        event = ""
        async for line in stream.content:
            if line.startswith(b"event: "):
                event = line[7:].strip().decode()
            elif line.startswith(b"data: ") and event in ("wall", "snapshot"):
                came, told = time.time(), json.loads(line[6:])
                shown = told if event == "wall" else dict(told["events"])["wall"]
                wall.came.append(came)
                wall.true_until.append(datetime.fromisoformat(shown["as_of"]).timestamp())
                wall.offered.append(shown["total"]["offered"])


async def look_on(client: aiohttp.ClientSession) -> None:
    """Read the supervisor's board, as one more page that is open."""
    async with client.get("/live", params={"topics": "board,trend"}) as stream:
        stream.raise_for_status()
        async for _ in stream.content:
            pass


async def listen(stage: Stage, one: Agent) -> None:
    """Read an agent's live connection and note when each ring came out of it."""
    async with one.client.get("/live", params={"topics": AGENT_TOPICS}) as stream:
        stream.raise_for_status()
        event = ""
        async for line in stream.content:
            if line.startswith(b"event: "):
                event = line[7:].strip().decode()
            elif line.startswith(b"data: ") and event == "pop":
                at, pop = time.time(), json.loads(line[6:])
                call = stage.calls.get(pop["call_id"]) if pop else None
                if call is None:
                    continue
                if call.served is None and pop["lookup"] != "pending":
                    call.served = at
                if pop["phase"] == "wrap_up":
                    call.wrapping_up.set()


async def calls_at_rate(stage: Stage, seconds: float, first: int) -> list[Call]:
    """Play calls on their own times, late or not; return them when all are over."""
    stories = [Story("answered_caller_first"), Story("short_abandon")]
    callers = Callers()
    start = asyncio.get_running_loop().time() + 0.5
    made = []
    async with asyncio.TaskGroup() as group:
        for index in range(int(RATE * seconds)):
            call = Call(new_ulid(), callers.next(), on_page=False)
            stage.calls[call.call_id] = call
            made.append(call)
            # Every fifth of each agent's calls; AGENTS is a multiple of five.
            story = stories[(index + index // AGENTS) % 5 == 4]
            one = stage.agents[index % AGENTS]
            group.create_task(play(stage, one, call, story, first + index, start + index / RATE))
    return made


async def measure(folder: Path, seconds: float) -> dict[str, float]:
    """Run everything; return the figures."""
    async with running(folder) as (stage, pbx, client):
        wall = Wall()
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(listen(stage, one)) for one in stage.agents]
            readers += [group.create_task(watch(client, wall)), group.create_task(look_on(client))]
            await calls_at_rate(stage, WARM_UP_SECONDS, 1)
            await eventually(lambda: bool(wall.came), timeout=10, what="the wallboard's first figures")
            stage.unsaved, first = 0, len(pbx.joined)
            before, ticks = cpu_seconds(stage.service.pid), machine_ticks()
            begun, begun_at = time.monotonic(), time.time()
            calls = await calls_at_rate(stage, seconds, 10_001)
            elapsed, ended_at = time.monotonic() - begun, time.time()
            busy = busy_percent(ticks, machine_ticks())
            used = cpu_seconds(stage.service.pid) - before
            memory = resident_mb(stage.service.pid)
            with suppress(TimeoutError):
                await eventually(lambda: wall.offered[-1] >= len(pbx.joined), timeout=5, what="all counted")
            for task in readers:
                task.cancel()
        figures: dict[str, float] = {
            "agents": AGENTS,
            "calls_per_second": RATE,
            "calls": len(calls),
            "missed_pops": sum(call.served is None for call in calls),
            "uncounted_calls": len(pbx.joined) - wall.offered[-1],
            "unsaved_wrap_ups": stage.unsaved,
        }
        spans = {
            "pop": [call.served - call.rang for call in calls if call.served and call.rang],
            "wall_age": wall.ages(begun_at, ended_at),
            "wall_told": wall.told(pbx.joined, first),
        }
        for name, values in spans.items():
            for share in (0.5, 0.95, 0.99, 1.0):
                label = "max" if share == 1.0 else f"p{share * 100:g}"
                figures[f"{name}_{label}_ms"] = percentile(values, share) * 1000
        return figures | {
            "machine_busy_percent": busy,
            "service_cpu_percent": used / elapsed * 100,
            "service_cpu_ms_per_call": used / len(calls) * 1000,
            "service_memory_mb": memory,
        }


async def run(seconds: float = SECONDS) -> dict[str, object]:
    """Run the benchmark."""
    with TemporaryDirectory(prefix="huifang-bench-") as folder:
        figures = await measure(Path(folder), seconds)
    goals = {
        "pop_p95_ms": at_most(figures["pop_p95_ms"], 150),
        "wall_age_p95_ms": at_most(figures["wall_age_p95_ms"], 1000),
        "wall_told_p95_ms": at_most(figures["wall_told_p95_ms"], 1000),
        "missed_pops": at_most(figures["missed_pops"], 1),
        "uncounted_calls": at_most(figures["uncounted_calls"], 1),
    }
    return report("desk", figures, goals)
