"""Agents and queues from the command line; a centre that runs takes the change at once."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from app.command_bus import open_bus
from app.settings import Settings
from app.store import open_store
from kernel.clock import SystemClock
from kernel.errors import Invalid, NotFound
from telephony.agent_views import AgentBrief
from telephony.asterisk.model import Strategy
from telephony.domain.queue import QueueSettings
from telephony.roster import Roster

COMPLAINTS = "complaint"
"""The queue whose calls become text unless somebody decides otherwise."""
RENDER_AGAIN = (
    "a centre that runs here tells Asterisk by itself; elsewhere render its files again and reload it"
)


async def put_agent(
    settings: Settings,
    number: str,
    *,
    name: str | None,
    queues: Sequence[str] | None,
    browser: bool | None = None,
) -> str:
    """Add the agent with this number, or change what is given; return a line that says what was done.

    Args:
        queues: ``name`` or ``name:penalty`` each; ``None`` leaves them as they are.
        browser: whether they telephone in their page; ``None`` leaves that as it is.

    Raises:
        Invalid: a new agent without a name, or a value that cannot be.
        NotFound: no such queue.
    """
    penalties = None if queues is None else _penalties(queues)
    async with open_store(settings) as database, open_bus(settings) as command:
        roster = Roster(database, SystemClock(), command.bus)
        known = await _agent(roster, number)
        if known is None and not name:
            raise Invalid(f"there is no agent {number} yet: give a name", field="name")
        agent_id = await roster.put_agent(
            number=number,
            name=name or (known.name if known else ""),
            sip_password=known.sip_password if known else secrets.token_hex(12),
        )
        if penalties is not None:
            await roster.set_memberships(agent_id, penalties)
        if browser is not None:
            await roster.choose_phone(agent_id, browser=browser)
        await command.told()
    if known is None:
        return f"agent {number} added; their telephone: «huifang agent phone {number}»; {RENDER_AGAIN}"
    return f"agent {number} changed"


async def retire_agent(settings: Settings, number: str) -> str:
    """Take an agent off every list; what they did stays on record. Raises NotFound."""
    async with open_store(settings) as database, open_bus(settings) as command:
        roster = Roster(database, SystemClock(), command.bus)
        known = await _agent(roster, number)
        if known is None:
            raise NotFound(f"there is no agent {number}", field="number")
        await roster.retire_agent(known.agent_id)
        await command.told()
    return f"agent {number} works here no more; {RENDER_AGAIN}"


async def agents(settings: Settings) -> list[AgentBrief]:
    """Return who works here, by number."""
    async with open_store(settings) as database, open_bus(settings) as command:
        return await Roster(database, SystemClock(), command.bus).agents()


async def put_queue(
    settings: Settings,
    name: str,
    *,
    label: str | None = None,
    label_en: str | None = None,
    strategy: Strategy | None = None,
    ring: timedelta | None = None,
    wrap_up: timedelta | None = None,
    max_wait: timedelta | None = None,
    answer_within: timedelta | None = None,
    weight: int | None = None,
    live_text: bool | None = None,
    rating: bool | None = None,
) -> str:
    """Add the queue, or change what is given; return a line that says what was done.

    Raises:
        Invalid: a value cannot be.
    """
    given: dict[str, Any] = {
        "label_zh": label,
        "label_en": label_en,
        "strategy": strategy.value if strategy else None,
        "ring_timeout": ring,
        "wrap_up": wrap_up,
        "max_wait": max_wait,
        "answer_within": answer_within,
        "weight": weight,
        "live_text": live_text,
        "rating": rating,
    }
    async with open_store(settings) as database, open_bus(settings) as command:
        roster = Roster(database, SystemClock(), command.bus)
        queues = await roster.queues()
        known = next((queue for queue in queues if queue.name == name), None)
        queue = known or QueueSettings(
            name=name,
            label_zh=label or name,
            label_en=label_en or label or name,
            wrap_up=timedelta(seconds=settings.centre.wrap_up_seconds),
            answer_within=timedelta(seconds=settings.centre.service_level_seconds),
            position=1 + max((queue.position for queue in queues), default=-1),
            live_text=name == COMPLAINTS,
        )
        changed = {key: value for key, value in given.items() if value is not None}
        await roster.put_queue(replace(queue, **changed))
        await command.told()
    return f"queue {name} {'changed' if known else 'added'}; {RENDER_AGAIN}"


async def queues(settings: Settings) -> list[QueueSettings]:
    """Return the queues in their order."""
    async with open_store(settings) as database, open_bus(settings) as command:
        return await Roster(database, SystemClock(), command.bus).queues()


async def _agent(roster: Roster, number: str) -> AgentBrief | None:
    return next((agent for agent in await roster.agents() if agent.number == number), None)


def _penalties(queues: Sequence[str]) -> dict[str, int]:
    penalties: dict[str, int] = {}
    for text in queues:
        name, _, penalty = text.partition(":")
        if penalty and not (penalty.isascii() and penalty.isdigit()):
            raise Invalid(f"{text}: write a queue's name, or name:penalty", field="queue")
        penalties[name] = int(penalty or 0)
    return penalties
