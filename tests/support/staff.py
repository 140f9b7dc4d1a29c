"""Agents who work: they answer each call on their telephone and save each wrap-up at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from app.sipp.phone import AgentPhone, answers
from kernel.errors import HuifangError
from telephony.domain.agent_state import AgentState
from tests.support.centre import RunningCentre
from tests.support.sipp import agent_phone
from tests.support.waiting import eventually


async def in_state(centre: RunningCentre, number: str, *states: AgentState, timeout: float = 10) -> None:
    """Wait until an agent is in one of these states."""
    agent_id = await centre.agent_id(number)

    async def there() -> bool:
        return (await centre.service.desk.state(agent_id)).state in states

    what = f"{number} is {' or '.join(states)}"
    await eventually(there, timeout=timeout, interval=0.02, what=what)


async def is_member(centre: RunningCentre, number: str, queue: str = "service", timeout: float = 10) -> None:
    """Wait until Asterisk itself has the agent as a member that may be rung."""

    async def there() -> bool:
        status = await centre.pbx.cli(f"queue show {queue}")
        mine = [line for line in status.splitlines() if f"PJSIP/{number} " in line or f"{number} (" in line]
        return bool(mine) and "paused" not in mine[0]

    await eventually(there, timeout=timeout, interval=0.1, what=f"{number} serves {queue}")


@contextlib.asynccontextmanager
async def staffed(centre: RunningCentre, *numbers: str) -> AsyncIterator[list[AgentPhone]]:
    """Let these agents sign in and work for the length of the block; yields their telephones."""
    async with contextlib.AsyncExitStack() as stack:
        phones = []
        for number in numbers:
            phones.append(await stack.enter_async_context(agent_phone(centre.pbx, number, answers())))
            await centre.service.desk.sign_in(await centre.agent_id(number))
            await is_member(centre, number)
        working = [asyncio.create_task(_save_wrap_ups(centre, number)) for number in numbers]
        try:
            yield phones
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            for number in numbers:
                await leave(centre, number)


async def leave(centre: RunningCentre, number: str) -> None:
    """Let an agent save what is open and go home."""
    desk, agent_id = centre.service.desk, await centre.agent_id(number)
    await in_state(
        centre, number, AgentState.AVAILABLE, AgentState.WRAP_UP, AgentState.PAUSED, AgentState.SIGNED_OUT
    )
    await _save(centre, agent_id)
    await desk.sign_out(agent_id)
    await in_state(centre, number, AgentState.SIGNED_OUT)


async def _save_wrap_ups(centre: RunningCentre, number: str) -> None:
    agent_id = await centre.agent_id(number)
    while True:
        await asyncio.sleep(0.05)
        await _save(centre, agent_id)


async def _save(centre: RunningCentre, agent_id: str) -> None:
    desk = centre.service.desk
    state = await desk.state(agent_id)
    if state.wrap_up_call_id is not None and state.state is AgentState.WRAP_UP:
        with contextlib.suppress(HuifangError):
            await desk.save_wrap_up(agent_id, state.wrap_up_call_id, disposition="answered_enquiry")
