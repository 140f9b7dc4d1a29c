"""From AgentCalled on the manager interface's socket to the customer on the agent's page, in milliseconds.

Forty agents take twenty calls a second between them. Each has a live connection, eight of them the agent's
page in a real Chromium; more pages would measure how many screens one machine can paint. The
service runs as a process of its own, with database, Redis, live connections and all; the PBX is played
from recorded bytes, because only so is the moment known at which ``AgentCalled`` was written. Each call is
offered, goes through the menu, rings, is answered (every fifth caller gives up instead), ends, and the agent
saves what became of it through the page's own address. One caller in ten shares a number with another
customer, one in four is unknown.

``visible``: the page shows the number and who calls, and the frame with it has been drawn. ``facts``: the
same for the number alone. ``service``: the same ring read from a live connection by a client that does
nothing else: the difference is the browser's part.
"""

import asyncio
import json
import os
import random
import shutil
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from playwright.async_api import Browser, Page, async_playwright

from app.demo import company
from app.demo.seed import seed_company
from app.runtime import Runtime
from app.runtime.process import ManagedProcess
from app.runtime.redis_server import RedisServer
from app.schema import upgrade
from app.settings import Settings
from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import Database, create_database
from kernel.ids import new_ulid
from telephony.roster import Roster
from tests.bench.ami_story import Cast, Story
from tests.bench.apart import (
    busy_percent,
    cpu_seconds,
    descendants,
    machine_ticks,
    percentile,
    resident_mb,
    service_process,
    service_url,
)
from tests.bench.report import at_most, report
from tests.support.centre import centre_settings
from tests.support.fake_ami import FakeAmi
from tests.support.ports import free_port
from tests.support.runtime import runtime_folder
from tests.support.waiting import eventually
from web.auth import SESSION_COOKIE, Visitor, build_accounts
from web.passwords import Passwords
from web.permissions import Role

AGENTS = 40
PAGES = 8
RATE = 20
SECONDS = 30.0
WARM_UP_SECONDS = 3.0
FORM_SECONDS = 5.0
PASSWORD = "bench-Passw0rd-回访"
SECRET = "ami-secret"
# Seconds from the ring.
OFFERED, CHOSEN, RINGS, ANSWERED, HUNG_UP, SAVED = -0.30, -0.20, 0.0, 0.6, 1.0, 1.5

WATCH = """
(() => {
  const seen = (window.hfSeen = {});
  const now = () => performance.timeOrigin + performance.now();
  const shown = (node) => Boolean(node) && node.getClientRects().length > 0 && node.textContent.trim() !== "";
  // After the frame that draws the change: a task queued from within it runs once it has been painted.
  const painted = (then) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = then;
    channel.port2.postMessage(0);
  });
  const look = () => {
    const [call, phase] = (document.body.dataset.pop || "").split(" ");
    if (!call || phase === "wrap_up" || seen[call]?.whole) return;
    painted(() => {
      const number = document.getElementById("call-number");
      if (!(document.body.dataset.pop || "").startsWith(call) || !shown(number)) return;
      const at = now();
      const entry = (seen[call] ||= { facts: at });
      if (entry.whole) return;
      const places = ["name", "choice b", "newcomer"].map((place) => `#customer .${place}`);
      const people = [...document.querySelectorAll(places.join())];
      if (!people.length || !people.every(shown)) return;
      entry.whole = at;
      entry.number = number.textContent;
      entry.people = people.map((node) => (node.matches(".newcomer") ? "" : node.firstChild.textContent));
    });
  };
  document.addEventListener("DOMContentLoaded", () =>
    new MutationObserver(look).observe(document.body, { attributes: true, attributeFilter: ["data-pop"] }));
})();
"""


@dataclass(slots=True)
class Call:
    """One call; times are the machine's clock in seconds, ``None`` until it happened."""

    call_id: str
    caller: str
    on_page: bool
    rang: float | None = None
    served: float | None = None
    wrapping_up: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Agent:
    """An agent with a client that listens, and perhaps a page in Chromium."""

    number: str
    client: aiohttp.ClientSession
    page: Page | None = None


class Callers:
    """Who calls: known, sharing a number, unknown, without a number."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = defaultdict(list)
        for customer in company.CUSTOMERS:
            for number in customer.phones:
                self.names[number.replace("-", "")].append(customer.name)
        self._known = [number for number, names in self.names.items() if len(names) == 1]
        self._shared = [number for number, names in self.names.items() if len(names) > 1]
        self._dice = random.Random(2)

    def next(self) -> str:
        """Return a number."""
        chance = self._dice.random()
        if chance < 0.10:
            return self._dice.choice(self._shared)
        if chance < 0.35:
            return f"139{self._dice.randrange(10_000_000):08d}"
        return self._dice.choice(self._known)


@dataclass(slots=True)
class Stage:
    """Everything that runs."""

    pbx: FakeAmi
    service: ManagedProcess
    agents: list[Agent]
    calls: dict[str, Call] = field(default_factory=dict)
    unsaved: int = 0


async def fill(database: Database, count: int = AGENTS) -> list[str]:
    """Write the demo company and the bench's agents with their users; return the agents' numbers."""
    clock = SystemClock()
    await upgrade(database)
    roster = Roster(database, clock, Bus())
    await roster.seed_codes()
    await seed_company(database, now=clock.now())
    accounts = build_accounts(database, clock, passwords=Passwords(time_cost=1, memory_kib=8))
    agents = []
    for index in range(count):
        number = f"{2001 + index}"
        agent_id = await roster.put_agent(number=number, name=f"坐席{number}", sip_password="phone" + number)
        await roster.set_memberships(agent_id, {"service": 0})
        await accounts.users.create(login=number, password=PASSWORD, role=Role.AGENT, agent_id=agent_id)
        agents.append(number)
    return agents


async def session_of(database: Database, login: str) -> str:
    """Sign a user in; return the session cookie's value."""
    accounts = build_accounts(database, SystemClock(), passwords=Passwords(time_cost=1, memory_kib=8))
    signed = await accounts.authenticator.sign_in(login, PASSWORD, visitor=Visitor(ip="127.0.0.1"))
    return signed.session.secret


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Stage]:
    """Run the service, the played PBX, Chromium with all pages."""
    runtime = await Runtime.ensure(runtime_folder(), need=frozenset({"redis"}))
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(FakeAmi(secret=SECRET))
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
        numbers = await fill(database)
        service = service_process(settings, roles="telephony,web")
        await stack.enter_async_context(service.running())
        browser = await stack.enter_async_context(chromium())
        stage = Stage(pbx, service, [])
        for number in numbers:
            stage.agents.append(await agent(stack, settings, database, number))
        for found in stage.agents[:: AGENTS // PAGES]:
            found.page = await agent_page(browser, settings, await session_of(database, found.number))
        await eventually(lambda: len(pbx.pbx.queues["service"]) == AGENTS, timeout=20, what="agents in queue")
        yield stage


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run the host's Chromium without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"))
        try:
            yield browser
        finally:
            await browser.close()


async def agent(stack: AsyncExitStack, settings: Settings, database: Database, number: str) -> Agent:
    """Sign an agent in to their queue."""
    url = service_url(settings)
    secret = await session_of(database, number)
    client = aiohttp.ClientSession(
        url,
        headers={"Cookie": f"{SESSION_COOKIE}={secret}", "Origin": url},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
    )
    await stack.enter_async_context(client)
    async with client.post("/agent/sign-in") as answer:
        answer.raise_for_status()
    return Agent(number, client)


async def agent_page(browser: Browser, settings: Settings, secret: str) -> Page:
    """Open the agent's page. Ornaments stand still: several screens share this machine's processor."""
    url = service_url(settings)
    context = await browser.new_context(
        base_url=url, viewport={"width": 1280, "height": 800}, reduced_motion="reduce"
    )
    await context.add_cookies([{"name": SESSION_COOKIE, "value": secret, "url": url}])
    await context.add_init_script(WATCH)
    page = await context.new_page()
    await page.goto("/agent")
    await page.wait_for_selector('#state[data-state="available"]')
    return page


async def listen(stage: Stage, agent: Agent) -> None:
    """Read the agent's live connection and note when each ring came out of it."""
    async with agent.client.get("/live", params={"topics": "agent"}) as stream:
        event = ""
        async for line in stream.content:
            if line.startswith(b"event: "):
                event = line[7:].strip().decode()
            elif line.startswith(b"data: ") and event == "pop":
                at = time.time()
                pop = json.loads(line[6:])
                call = stage.calls.get(pop["call_id"]) if pop else None
                if call is None:
                    continue
                if call.served is None and pop["lookup"] != "pending":
                    call.served = at
                if pop["phase"] == "wrap_up":
                    call.wrapping_up.set()


async def play(stage: Stage, agent: Agent, call: Call, story: Story, number: int, ring_at: float) -> None:
    """Play one call, its ring at ``ring_at`` of the loop's clock."""
    clock = asyncio.get_running_loop().time
    pieces = story.played_by(
        Cast(
            number=number,
            call_id=call.call_id,
            caller=call.caller,
            caller_name=f"来电{number}",
            agent=agent.number,
        )
    )
    answered = len(pieces) == 5
    moments = [OFFERED, CHOSEN, RINGS, *([ANSWERED] if answered else []), HUNG_UP]
    for piece, offset in zip(pieces, moments, strict=True):
        await asyncio.sleep(max(0.0, ring_at + offset - clock()))
        if offset == RINGS:
            call.rang = time.time()
        stage.pbx.raw(piece)
    if answered:
        await asyncio.sleep(max(0.0, ring_at + SAVED - clock()))
        # The form opens with the page's news of the end.
        with suppress(TimeoutError):
            async with asyncio.timeout(FORM_SECONDS):
                await call.wrapping_up.wait()
        form = {"disposition": "answered_enquiry", "notes": "已答复"}
        async with agent.client.post(f"/agent/wrap-ups/{call.call_id}", json=form) as answer:
            stage.unsaved += answer.status != 204


async def calls_at_rate(stage: Stage, seconds: float, first: int) -> list[Call]:
    """Play calls on their own times, late or not; return them when all are over."""
    stories = [Story("answered_caller_first"), Story("short_abandon")]
    callers = Callers()
    start = asyncio.get_running_loop().time() + 0.5
    made = []
    async with asyncio.TaskGroup() as group:
        for index in range(int(RATE * seconds)):
            agent = stage.agents[index % AGENTS]
            call = Call(new_ulid(), callers.next(), agent.page is not None)
            stage.calls[call.call_id] = call
            made.append(call)
            group.create_task(
                play(
                    stage,
                    agent,
                    call,
                    # Every fifth of each agent's calls; AGENTS is a multiple of five.
                    stories[(index + index // AGENTS) % 5 == 4],
                    first + index,
                    start + index / RATE,
                )
            )
    return made


async def clock_error(page: Page) -> float:
    """Return how far the page's clock may be from ours, in seconds.

    Both read the machine's clock, so each answer must lie between our two readings.

    Raises:
        RuntimeError: it does not.
    """
    best = float("inf")
    for _ in range(20):
        before = time.time()
        there = await page.evaluate("performance.timeOrigin + performance.now()") / 1000
        after = time.time()
        # A page tells its time in steps of a tenth of a millisecond.
        if not before - 0.001 <= there <= after + 0.001:
            raise RuntimeError(f"the page's clock is off: {there - before:.4f} s")
        best = min(best, after - before)
    return best


def expected(callers: Callers, call: Call) -> list[str]:
    """Return the names the page must show for a caller; an unknown one gets the empty form."""
    return sorted(callers.names.get(call.caller, [""]))


def judge(calls: list[Call], seen: dict[str, Any]) -> dict[str, float]:
    """Return the figures of the calls."""
    callers = Callers()
    spans: dict[str, list[float]] = {"visible": [], "facts": [], "service": [], "browser": []}
    missed = wrong = 0
    for call in calls:
        assert call.rang is not None
        if call.served is None:
            missed += 1
            continue
        spans["service"].append(call.served - call.rang)
        if not call.on_page:
            continue
        entry = seen.get(call.call_id, {})
        if "whole" not in entry:
            missed += 1
            continue
        number = entry["number"].replace(" ", "")
        if sorted(entry["people"]) != expected(callers, call) or not call.caller.endswith(number[-8:]):
            wrong += 1
        visible = entry["whole"] / 1000
        spans["visible"].append(visible - call.rang)
        spans["facts"].append(entry["facts"] / 1000 - call.rang)
        spans["browser"].append(visible - call.served)
    figures: dict[str, float] = {"calls": len(calls), "calls_on_pages": sum(call.on_page for call in calls)}
    figures |= {"missed_calls": missed, "wrong_calls": wrong}
    for name, values in spans.items():
        for share in (0.5, 0.95, 0.99, 1.0):
            label = "max" if share == 1.0 else f"p{share * 100:g}"
            figures[f"{name}_{label}_ms"] = percentile(values, share) * 1000
    return figures


async def measure(folder: Path) -> dict[str, float]:
    """Run everything; return the figures."""
    async with running(folder) as stage:
        async with asyncio.TaskGroup() as group:
            listeners = [group.create_task(listen(stage, agent)) for agent in stage.agents]
            pages = [agent.page for agent in stage.agents if agent.page is not None]
            error = max([await clock_error(page) for page in pages])
            await calls_at_rate(stage, WARM_UP_SECONDS, 1)
            stage.unsaved = 0
            browsers = descendants(os.getpid())
            before = cpu_seconds(stage.service.pid), cpu_seconds(*browsers)
            begun, ticks = time.monotonic(), machine_ticks()
            calls = await calls_at_rate(stage, SECONDS, 10_001)
            elapsed = time.monotonic() - begun
            busy = busy_percent(ticks, machine_ticks())
            used = cpu_seconds(stage.service.pid) - before[0]
            browser_used = cpu_seconds(*browsers) - before[1] - used
            seen: dict[str, Any] = {}
            for page in pages:
                seen |= await page.evaluate("window.hfSeen")
            memory = resident_mb(stage.service.pid)
            for task in listeners:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*listeners)
        return judge(calls, seen) | {
            "calls_per_second": RATE,
            "agents": AGENTS,
            "pages": PAGES,
            "machine_busy_percent": busy,
            "unsaved_wrap_ups": stage.unsaved,
            "clock_error_ms": error * 1000,
            "service_cpu_ms_per_call": used / len(calls) * 1000,
            "service_cpu_percent": used / elapsed * 100,
            "browser_and_redis_cpu_percent": browser_used / elapsed * 100,
            "service_memory_mb": memory,
        }


async def run() -> dict[str, object]:
    """Run the benchmark.

    Raises:
        RuntimeError: pages missed calls or showed somebody else: a time would mean nothing then.
    """
    with TemporaryDirectory(prefix="huifang-bench-") as folder:
        figures = await measure(Path(folder))
    goals = {
        "visible_p95_ms": at_most(figures["visible_p95_ms"], 150),
        "visible_p99_ms": at_most(figures["visible_p99_ms"], 300),
        "missed_calls": at_most(figures["missed_calls"], 1),
        "wrong_calls": at_most(figures["wrong_calls"], 1),
    }
    return report("screen_pop", figures, goals)
