"""The highest rate of whole calls that the centre takes on this machine, and what a call costs.

A real Asterisk, the service as a process of its own, a private Redis, SQLite. SIPp plays the customers: each
dials the hotline, presses a key for a person, and waits; and the agents: a hundred signed-in telephones that
ring for a moment, answer, talk for a second and hang up. Prompts and waiting music are played as RTP, in the
conversation nobody speaks. The agents' wrap-up lasts a second.

The rate rises step by step as long as no call fails and every one is found in SQL as it was: how often, with
which result, menu path, queue and agent, and who hung up. All of it shares one machine: SIPp and Asterisk
take their part of the processor. ``cpu_ms_per_call`` of each process is that of the highest good step.
"""

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import select, update

from app import pbx as pbx_settings
from app.caller import REFUSALS
from app.runtime.process import ManagedProcess
from app.sipp import SippEvent, SippProcess, render_scenario
from app.sipp.process import free_udp_port
from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.db import Database
from telephony.agent_tables import QueueRow
from telephony.asterisk.render import prepare
from telephony.roster import Roster
from telephony.tables import CallRow
from tests.bench.apart import (
    busy_percent,
    cpu_seconds,
    machine_ticks,
    percentile,
    resident_mb,
    service_process,
)
from tests.bench.report import at_least, at_most, report
from tests.support.centre import RunningCentre, running_centre
from tests.support.pbx import AGENT_HOST, HOTLINE, NETWORK_HOST
from tests.support.ports import free_port
from tests.support.waiting import eventually

RATES = (5, 10, 15, 20, 25, 30, 40, 50, 60)
STEP_SECONDS = 12.0
LAST_START_SECONDS = 240.0
SETTLE_SECONDS = 30.0
AGENTS = 100
QUEUE = "service"
LABEL = "人工服务"
KEY = "0"
# As people do, the customer presses again when nothing seems to happen: between two prompts Asterisk hears
# no key.
KEYS_AFTER_MS = (600, 1500)
RING_MS, TALK_MS = 100, 1000
PATIENCE_MS = 25_000
# With a telephone free for everybody nobody waits; a queue that grows says the rate is not kept up.
LONGEST_WAIT_SECONDS = 3.0
# Below the ports that tests take, two for each side of a call.
RTP_PORTS = (10_000, 14_998)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What became of the calls of one rate.

    Attributes:
        faults: kinds of what was wrong, with how often; empty for a good step.
        cpu: processor time by process, in milliseconds a call.
    """

    rate: float
    calls: int
    faults: dict[str, int]
    cpu: dict[str, float]
    busy_percent: float
    wait_p95_seconds: float


@dataclass(slots=True)
class Line:
    """What runs: the centre, its service apart, and the telephones' logins."""

    centre: RunningCentre
    service: ManagedProcess
    secrets: dict[str, str]
    next_number: int = 0

    def numbers(self, count: int) -> list[str]:
        """Return callers' numbers that nobody has called from yet."""
        first, self.next_number = self.next_number, self.next_number + count
        return [f"137{first + index:08d}" for index in range(count)]


@asynccontextmanager
async def line(folder: Path) -> AsyncIterator[Line]:
    """Run the centre with its agents signed in."""
    async with running_centre(
        folder,
        roles=frozenset(),
        users=False,
        centre={"hotline": HOTLINE},
        web={"port": free_port()},
        pbx={"rtp_start": RTP_PORTS[0], "rtp_end": RTP_PORTS[1]},
    ) as centre:
        secrets = await hire(centre.database)
        # The telephones of the new agents, and the queue's settings.
        paths = centre.pbx.config.paths
        prepare(await pbx_settings.build_pbx_config(centre.settings, centre.database, paths))
        await centre.pbx.restart()
        for agent in await Roster(centre.database, SystemClock(), Bus()).agents():
            if agent.number in secrets:
                await centre.service.desk.sign_in(agent.agent_id)
        # From here on only the service that is measured works on this database.
        await centre.stop_service()
        service = service_process(centre.settings)
        async with service.running():

            async def all_there() -> bool:
                return (await centre.pbx.cli(f"queue show {QUEUE}")).count("PJSIP/") >= AGENTS

            await eventually(all_there, timeout=30, interval=0.5, what="agents in their queue")
            yield Line(centre, service, secrets)


async def hire(database: Database) -> dict[str, str]:
    """Add the bench's agents; return number → SIP password."""
    roster = Roster(database, SystemClock(), Bus())
    secrets = {f"{2000 + index}": f"phone{2000 + index}" for index in range(AGENTS)}
    for number, secret in secrets.items():
        agent_id = await roster.put_agent(number=number, name=f"坐席{number}", sip_password=secret)
        await roster.set_memberships(agent_id, {QUEUE: 0})
    async with database.transaction() as session:
        await session.execute(update(QueueRow).values(wrap_up_seconds=1))
    return secrets


@asynccontextmanager
async def telephones(line: Line, folder: Path) -> AsyncIterator[SippProcess]:
    """Register all agents' telephones, then let them answer."""
    pbx = line.centre.pbx
    command, target = pbx.runtime.sipp.command(), (pbx.config.sip_host, pbx.config.sip_port)
    # Asterisk calls back to the port that a registration came from.
    port = free_udp_port(AGENT_HOST)
    registering = SippProcess(
        command,
        re.sub(
            r"\[authentication .*\]",
            "[field1]",
            render_scenario("register", user="[field0]", secret="", expires=300),
        ),
        target=target,
        host=AGENT_HOST,
        port=port,
        folder=folder,
        arguments=["-m", str(AGENTS), "-r", "100"],
        rows=[
            [number, f"[authentication username={number} password={secret}]"]
            for number, secret in line.secrets.items()
        ],
    )
    async with registering:
        if await registering.wait() != 0:
            raise RuntimeError(f"the telephones could not register: {registering.errors()[:1500]}")
    scenario = files("tests.bench").joinpath("sipp/agents_answer.xml").read_text(encoding="utf-8")
    scenario = scenario.replace("RING_MS", str(RING_MS)).replace("TALK_MS", str(TALK_MS))
    async with SippProcess(
        command, scenario, target=target, host=AGENT_HOST, port=port, folder=folder
    ) as answering:
        yield answering


def customers(line: Line, folder: Path, numbers: Sequence[str], rate: int) -> SippProcess:
    """Return SIPp playing a customer for each number."""
    pbx = line.centre.pbx
    scenario = render_scenario(
        "customer",
        did=HOTLINE,
        keys=[(pause, KEY) for pause in KEYS_AFTER_MS],
        refusals=REFUSALS,
        ring_ms=20_000,
        talk_ms=PATIENCE_MS,
    )
    return SippProcess(
        pbx.runtime.sipp.command(),
        scenario,
        target=(pbx.config.sip_host, pbx.config.sip_port),
        host=NETWORK_HOST,
        folder=folder,
        arguments=["-m", str(len(numbers)), "-l", str(len(numbers)), "-r", str(rate), "-rp", "1000"],
        rows=[[number, "", "9"] for number in numbers],
        env=pbx.runtime.sipp.env(),
    )


async def collect(process: SippProcess, into: list[SippEvent]) -> None:
    """Keep what a SIPp tells, also when cancelled in the middle."""
    async for event in process.events():
        into.append(event)  # noqa: PERF401


async def take_step(line: Line, folder: Path, rate: int) -> Step:
    """Play calls at a rate until all are over and stored; return how it went."""
    numbers = line.numbers(int(rate * STEP_SECONDS))
    taken: list[SippEvent] = []
    played: list[SippEvent] = []
    async with telephones(line, folder) as phones, asyncio.TaskGroup() as group:
        following = group.create_task(collect(phones, taken))
        callers = customers(line, folder, numbers, rate)
        async with callers:
            meters = {
                "service": line.service.pid,
                "asterisk": line.centre.pbx.server.pid,
                "redis": line.centre.redis.pid,
                "sipp_customers": callers.pid,
                "sipp_agents": phones.pid,
                "bench": os.getpid(),
            }
            before = {name: cpu_seconds(pid) for name, pid in meters.items()}
            ticks = machine_ticks()
            hearing = group.create_task(collect(callers, played))
            used: dict[str, float] = {}
            while not hearing.done():
                # SIPp's own counts only while it lives.
                used["sipp_customers"] = cpu_seconds(callers.pid) or used.get("sipp_customers", 0.0)
                await asyncio.wait({hearing}, timeout=0.2)
            busy = busy_percent(ticks, machine_ticks())
            status = await callers.wait()
        rows = await stored(line.centre.database, numbers)
        used |= {name: cpu_seconds(pid) for name, pid in meters.items() if name != "sipp_customers"}
        following.cancel()
    faults = Counter({"sipp_status": 1} if status else {})
    faults += Counter(judge_played(played, len(numbers)))
    faults += Counter(judge_stored(rows, numbers, {e.detail[0]: e.detail[1] for e in taken if e.detail}))
    wait = percentile([(row.wait_ms or 0) / 1000 for row in rows], 0.95)
    if not wait <= LONGEST_WAIT_SECONDS:
        faults["queue_grows"] = 1
    return Step(
        rate=rate,
        calls=len(numbers),
        faults=dict(faults),
        cpu={name: 1000 * (used[name] - before[name]) / len(numbers) for name in meters},
        busy_percent=busy,
        wait_p95_seconds=wait,
    )


async def stored(database: Database, numbers: Sequence[str]) -> list[CallRow]:
    """Return the rows of these callers' calls, once all have ended or nothing more happens."""
    first, last = f"+86{numbers[0]}", f"+86{numbers[-1]}"
    query = select(CallRow).where(CallRow.from_number >= first, CallRow.from_number <= last)
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        async with database.session() as session:
            rows = list((await session.execute(query)).scalars())
        over = sum(row.ended_at is not None for row in rows)
        if over >= len(numbers) or time.monotonic() > deadline:
            return rows
        await asyncio.sleep(0.5)


def judge_played(played: Sequence[SippEvent], wanted: int) -> dict[str, int]:
    """Return what went wrong on the customers' side."""
    ended = {event.call_number: event.detail[0] for event in played if event.name == "ended"}
    faults = Counter(f"refused_{event.detail[0]}" for event in played if event.name == "refused")
    faults["not_over"] = wanted - len(ended)
    faults["gave_up"] = sum(who != "far" for who in ended.values())
    return {name: count for name, count in faults.items() if count}


def judge_stored(rows: Sequence[CallRow], numbers: Sequence[str], agents: dict[str, str]) -> dict[str, int]:
    """Return which calls are not stored as they were. ``agents``: caller → the agent who took the call."""
    faults: Counter[str] = Counter()
    by_caller: dict[str, list[CallRow]] = {}
    for row in rows:
        by_caller.setdefault(row.from_number.removeprefix("+86"), []).append(row)
    for number in numbers:
        found = by_caller.get(number, [])
        if len(found) != 1:
            faults["stored_not_at_all" if not found else "stored_twice"] += 1
            continue
        row = found[0]
        wrong = {
            "not_ended": row.ended_at is None,
            "result": row.result != "ANSWERED",
            "menu_path": row.menu_path != [LABEL],
            "queue": row.queue != QUEUE,
            "agent": row.agent_number is None or row.agent_number != agents.get(number),
            "hangup_by": row.hangup_by != "agent",
            "talk": not TALK_MS * 0.8 <= row.talk_ms <= TALK_MS * 5,
        }
        faults.update(name for name, is_wrong in wrong.items() if is_wrong)
    return dict(faults)


async def climb(line: Line, folder: Path) -> list[Step]:
    """Raise the rate until a step is not good or the time is up."""
    steps: list[Step] = []
    begun = time.monotonic()
    for rate in RATES:
        if time.monotonic() - begun > LAST_START_SECONDS:
            break
        steps.append(await take_step(line, folder, rate))
        if steps[-1].faults:
            break
    return steps


async def run() -> dict[str, object]:
    """Run the benchmark.

    Raises:
        RuntimeError: not even the lowest rate went well; the message says what was wrong.
    """
    with TemporaryDirectory(prefix="huifang-bench-") as name:
        folder = Path(name)
        async with line(folder) as running:
            (folder / "sipp").mkdir()
            memory = resident_mb(running.service.pid)
            steps = await climb(running, folder / "sipp")
            memory_after = resident_mb(running.service.pid)
            asterisk_memory = resident_mb(running.centre.pbx.server.pid)
    good = [step for step in steps if not step.faults]
    if not good:
        raise RuntimeError(f"at {RATES[0]} calls/s: {steps[0].faults}")
    best = good[-1]
    figures = {
        "calls_per_second": best.rate,
        "whole_calls_checked": sum(step.calls for step in good),
        "wait_p95_seconds": best.wait_p95_seconds,
        "machine_busy_percent": best.busy_percent,
        **{f"{process}_cpu_ms_per_call": used for process, used in best.cpu.items()},
        "service_memory_start_mb": memory,
        "service_memory_end_mb": memory_after,
        "asterisk_memory_end_mb": asterisk_memory,
    }
    failed = [step for step in steps if step.faults]
    if failed:
        figures["first_rate_with_faults_calls_per_second"] = failed[0].rate
        figures |= {f"faults_there_{kind}": count for kind, count in failed[0].faults.items()}
    goals = {
        "calls_per_second": at_least(best.rate, 10),
        "service_memory_end_mb": at_most(memory_after, 300),
    }
    return report("calls", figures, goals)
