"""Customers and agents on the telephone, played by SIPp against a test's own PBX."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from app.caller import REFUSALS, CallerReport, CallPlan, display_name, run
from app.handset import Handset
from app.sipp import SippProcess, render_scenario
from app.sipp.phone import AgentPhone, PhoneCall, Reaction
from tests.support.pbx import AGENT_HOST, HOTLINE, NETWORK_HOST, Pbx
from tests.support.waiting import eventually

AUDIBLE = 100.0


def plan(**changes: Any) -> CallPlan:
    """A customer who calls the hotline, waits a second after what the steps say, and hangs up."""
    return CallPlan(**{"from_number": "13800138000", "did": HOTLINE, "hold_seconds": 1.0, **changes})


async def play(pbx: Pbx, wanted: CallPlan, progress: Callable[[str], None] | None = None) -> CallerReport:
    """Play customers over the trunk until all calls are over."""
    return await run(
        wanted,
        sipp=pbx.runtime.sipp.command(),
        env=pbx.runtime.sipp.env(),
        host=pbx.config.sip_host,
        port=pbx.config.sip_port,
        local_host=NETWORK_HOST,
        progress=progress or (lambda line: None),
    )


def agent_phone(pbx: Pbx, number: str, on_ring: Reaction | None = None) -> AgentPhone:
    """The SIP phone of an agent of this PBX; ``async with`` registers it."""
    config = pbx.config
    secret = next(agent.secret for agent in config.agents if agent.number == number)
    folder = config.paths.spool / "phones"
    folder.mkdir(parents=True, exist_ok=True)
    return AgentPhone(
        pbx.runtime.sipp.command(),
        (config.sip_host, config.sip_port),
        number=number,
        secret=secret,
        folder=folder,
        on_ring=on_ring,
        host=AGENT_HOST,
    )


def outside_phone(pbx: Pbx, number: str, on_ring: Reaction | None = None) -> AgentPhone:
    """A telephone in the network, for calls that leave through the trunk."""
    folder = pbx.config.paths.spool / "phones"
    folder.mkdir(parents=True, exist_ok=True)
    return AgentPhone(
        pbx.runtime.sipp.command(),
        (pbx.config.sip_host, pbx.config.sip_port),
        number=number,
        folder=folder,
        on_ring=on_ring,
        host=NETWORK_HOST,
        port=pbx.trunk.port,
        registers=False,
    )


async def sign_in(pbx: Pbx, number: str, *queues: str) -> None:
    """Make the agent a member of queues, as our service does when somebody signs in."""
    for queue in queues:
        await pbx.cli(f"queue add member PJSIP/{number} to {queue}")


@contextlib.asynccontextmanager
async def customer(
    pbx: Pbx, *, number: str = "13800138000", name: str = "", did: str = HOTLINE
) -> AsyncIterator[PhoneCall]:
    """A customer who dials and whose call the test then leads; over at the end of the block.

    ``await caller.until("answered")``, ``await caller.press("1")``, ``await caller.hang_up()`` …
    """
    folder = pbx.config.paths.spool / "phones"
    folder.mkdir(parents=True, exist_ok=True)
    handset = await Handset.open(NETWORK_HOST)
    process = SippProcess(
        pbx.runtime.sipp.command(),
        render_scenario("customer", did=did, keys=(), refusals=REFUSALS, ring_ms=60_000, talk_ms=600_000),
        target=(pbx.config.sip_host, pbx.config.sip_port),
        host=NETWORK_HOST,
        folder=folder,
        arguments=["-m", "1", "-r", "50"],
        rows=[[number, display_name(name), str(handset.port)]],
    )
    async with process:
        dialled = await anext(process.events())
        call = PhoneCall(
            number, f"{pbx.config.sip_host}:{pbx.config.sip_port}", process, dialled.call_id, handset
        )
        following = asyncio.create_task(_follow(process, call))
        try:
            yield call
        finally:
            if not call.ended_by and process.running:
                with contextlib.suppress(TimeoutError):
                    await call.hang_up()
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            call.close()


async def choose(caller: PhoneCall, keys: str, *, within: float = 10.0) -> None:
    """Press keys once something is heard, as people do: a key before the first word is nobody's."""
    await caller.until("answered", within=within)
    await eventually(lambda: caller.ear.loudness() > AUDIBLE, timeout=within, what="the menu is heard")
    await caller.press(keys)


async def _follow(process: SippProcess, call: PhoneCall) -> None:
    async for event in process.events():
        await call.note(event)
