"""Runs a hypothesis state machine whose rules work on a database."""

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from kernel.db import Database
from tests.support.db import sqlite_database


def run_on_sqlite(
    machine: type[RuleBasedStateMachine],
    world: Callable[[asyncio.AbstractEventLoop, Database], Any],
    *,
    examples: int,
    steps: int,
) -> None:
    """Run the examples of a machine over one database, which its attribute ``world`` is made of."""
    loop = asyncio.new_event_loop()
    opened = sqlite_database()
    database = loop.run_until_complete(opened.__aenter__())
    try:
        run_state_machine_as_test(
            type(machine.__name__, (machine,), {"world": world(loop, database)}),
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    finally:
        loop.run_until_complete(opened.__aexit__(None, None, None))
        loop.close()
