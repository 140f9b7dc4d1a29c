"""Agents' calls that a process without a link to the PBX asks for, and refusals like those of any call."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from callback_campaigns.domain.attempt import Attempt
from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.preview import DialRefused, PreviewCalls, PreviewConfig
from callback_campaigns.preview_wire import PreviewAsked, PreviewDesk, RemotePreview, TelephonyAway
from kernel.db import Database
from kernel.errors import Invalid, NotFound, Unavailable
from kernel.ids import new_ulid
from tests.support.dial_world import World
from tests.support.dialling import numbers, waiting_customers
from tests.support.network import SILENT
from tests.support.pbx import HOTLINE
from tests.support.people import AGENT
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def preview_of(world: World) -> PreviewCalls:
    dialler = world.dialling.dialler
    return PreviewCalls(
        world.dialling.centre.desk.office,
        world.dialling.centre.attempts,
        dialler._campaigns.lines,
        world.exchange,
        dialler._placing,
        PreviewConfig(trunk="main", caller_id=HOTLINE),
    )


@contextlib.asynccontextmanager
async def answering(world: World) -> AsyncIterator[RemotePreview]:
    """The other process: it hears what is asked on the bus."""
    campaigns: Any = world.dialling.dialler._campaigns
    desk = PreviewDesk(preview_of(world), campaigns, world.bus, world.clock, node="pbx1")
    task = asyncio.create_task(desk.run())
    await asyncio.sleep(0)
    try:
        yield RemotePreview(world.bus, world.clock, node="pbx1", within=timedelta(seconds=30))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_call_is_placed_by_the_process_that_has_the_link(sqlite: Database) -> None:
    world = World(sqlite)
    (number,) = numbers(SILENT, 1)
    tasks = await waiting_customers(sqlite, world.clock, [number], channel="agent")
    async with answering(world) as remote:
        made = await remote.call(AGENT, tasks[number], agent_number="1001")
        assert isinstance(made, Attempt)
        (row,) = await world.dialling.attempts()
        assert (row.id, row.number, row.agent) == (made.attempt_id, made.number, AGENT.name)
        await eventually(lambda: world.exchange.calls, what="it is placed")
        # What is refused there is refused here, with its reason.
        with pytest.raises(DialRefused) as refused:
            await remote.call(AGENT, tasks[number], agent_number="1001")
        assert refused.value.refusal.code is RefusalCode.TASK_NOT_READY
        with pytest.raises(NotFound):
            await remote.call(AGENT, new_ulid(), agent_number="1001")
        with pytest.raises(Invalid) as wrong:
            await remote.call(AGENT, tasks[number], agent_number="x")
        assert wrong.value.field == "agent_number"
    assert len(world.exchange.calls) == 1


async def test_nobody_answers_and_it_is_said_what_to_do(sqlite: Database) -> None:
    world = World(sqlite)
    remote = RemotePreview(world.bus, world.clock, node="pbx1", within=timedelta(milliseconds=20))
    with pytest.raises(TelephonyAway, match="serve --roles telephony"):
        await remote.call(AGENT, new_ulid(), agent_number="1001")


async def test_a_request_that_was_given_up_is_not_carried_out_later(sqlite: Database) -> None:
    world = World(sqlite)
    (number,) = numbers(SILENT, 1)
    tasks = await waiting_customers(sqlite, world.clock, [number], channel="agent")
    campaigns: Any = world.dialling.dialler._campaigns
    desk = PreviewDesk(preview_of(world), campaigns, world.bus, world.clock, node="pbx1")
    asked = PreviewAsked(
        at=world.clock.now(),
        request_id=new_ulid(),
        node="pbx1",
        user_id=AGENT.user_id,
        name=AGENT.name,
        role="agent",
        department=None,
        task_id=tasks[number],
        agent_number="1001",
        number=None,
        campaign_id=None,
        expected=None,
    )
    world.clock.advance(timedelta(seconds=6))
    await desk.answer(asked)
    assert await world.dialling.attempts() == []


async def test_without_a_link_the_reason_is_a_row_like_any_other(sqlite: Database) -> None:
    world = World(sqlite)
    (number,) = numbers(SILENT, 1)
    tasks = await waiting_customers(sqlite, world.clock, [number], channel="agent")
    world.exchange.cut()
    with pytest.raises(Unavailable):
        await preview_of(world).call(AGENT, tasks[number], agent_number="1001")
    assert await world.dialling.refusals() == [(tasks[number], "link_down")]
    assert (await world.dialling.statuses())[tasks[number]] == "ready"
