"""Supervised tasks: crash, restart, end."""

import asyncio

import pytest
import structlog

from kernel.clock import FakeClock
from kernel.supervise import Supervisor
from tests.support.waiting import eventually

pytestmark = pytest.mark.unit


async def test_a_crashed_task_is_started_again(clock: FakeClock) -> None:
    supervisor = Supervisor(clock)
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("first time")
        await asyncio.Event().wait()

    with structlog.testing.capture_logs() as logs:
        supervisor.spawn("work", work)
        await eventually(lambda: runs == 2)
    assert [entry["event"] for entry in logs] == ["task_crashed"]
    health = supervisor.health()["work"]
    assert (health.state, health.crashes) == ("running", 1)
    await supervisor.close()
    assert supervisor.health()["work"].state == "ended"


async def test_a_task_that_returns_is_finished(clock: FakeClock) -> None:
    supervisor = Supervisor(clock)

    async def work() -> None:
        return None

    supervisor.spawn("work", work)
    await eventually(lambda: supervisor.health()["work"].state == "ended")
    with pytest.raises(ValueError):
        supervisor.spawn("work", work)
    await supervisor.close()
