"""``python -m tests.support.webdemo``: the pages with the demo company and calls that play themselves.

For whoever works on a page: no PBX, no set-up. It prints the address and the logins and runs until Ctrl-C.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from app.demo import company
from telephony.domain.agent_state import AgentState
from tests.support.web_stage import PASSWORD, Stage, web_stage

STRANGER = "13911112222"


async def play_calls(stage: Stage, pause: float) -> None:
    """Ring the first agent again and again while they are available, answer, talk, hang up."""
    numbers = [*dict.fromkeys(phone for customer in company.CUSTOMERS for phone in customer.phones), STRANGER]
    agent_id = stage.agents[stage.agent_number]
    while True:
        await asyncio.sleep(pause)
        if (await stage.desk.state(agent_id)).state is not AgentState.AVAILABLE:
            continue
        waited = timedelta(seconds=random.randint(1, 40))
        call = await stage.ring(random.choice(numbers), menu_path=("投诉", "施工质量"), waited=waited)
        await asyncio.sleep(pause)
        if random.random() < 0.2:
            await stage.stop_ringing(call)
            continue
        await stage.answer(call)
        await asyncio.sleep(pause * 2)
        await stage.hang_up(call)


async def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.webdemo", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--pause", type=float, default=4.0, help="seconds between the steps of a call")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        async with web_stage(Path(folder), port=options.port) as stage:
            stage.board.add_queue("complaint", waiting=1, longest=12)
            stage.board.add_queue("repair")
            sys.stdout.write(f"{stage.url}\nagent, supervisor, admin: {PASSWORD}\n")
            sys.stdout.flush()
            await play_calls(stage, options.pause)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
