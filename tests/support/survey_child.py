"""The surveys' FastAGI server in a process of its own, to be killed (SIGKILL) in the middle of a call.

    python -m tests.support.survey_child '{"url": …, "port": …, "folder": …, "tone": …, "moment": …}'

Prints a line when it listens; serves until it is killed.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import app.models  # noqa: F401 - every table
from kernel.clock import FakeClock
from kernel.db import create_database
from tests.support.surveys import quick_voice, survey_centre


async def main(url: str, port: int, folder: str, tone: str, moment: str) -> None:
    """Serve."""
    clock, database = FakeClock(datetime.fromisoformat(moment)), create_database(url)
    async with quick_voice(Path(folder)) as voice:
        served = survey_centre(Path(folder), database, clock, port=port, speaking=voice, tone=Path(tone))
        async with served as site:
            await site.surveys.warm()
            await site.book.in_force()
            print("serving", flush=True)
            await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def survey_child(**arguments: object) -> AsyncIterator["subprocess.Popen[str]"]:
    """Run it for the length of the block, or until it is killed."""
    command = [sys.executable, "-m", "tests.support.survey_child", json.dumps(arguments)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        assert child.stdout is not None
        async with asyncio.timeout(60):
            while "serving" not in await asyncio.to_thread(child.stdout.readline):
                assert child.poll() is None, "it ended"
        yield child
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
