"""Diallers in processes of their own, each killed (SIGKILL) at one step of its first attempt.

    python -m tests.support.dial_child '[{"step": …, "url": …, "port": …, …}, …]'

Steps: before_commit, after_commit, after_write, ringing, answered. Nothing is flushed, closed or said. What
takes long to import is imported once; the processes are forked from there. Prints how each ended.
"""

import asyncio
import json
import os
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

import app.models  # noqa: F401 - every table
from callback_campaigns.dial_attempts import DialAttempts
from callback_campaigns.domain.attempt import Attempt
from callback_campaigns.task_tables import DialAttemptRow
from kernel.db import create_database
from telephony.ami import AmiConfig
from telephony.events import CallAnswered, CallProgressed
from tests.support.dial_stage import DialStage, dial_stage
from tests.support.dialling import ShiftedClock

STEPS = ("before_commit", "after_commit", "after_write", "ringing", "answered")


def die() -> None:
    """End as the power does."""
    os.kill(os.getpid(), signal.SIGKILL)


def _before_commit() -> None:
    """Everything is written to the database; that it holds is not."""

    def flushed(session: Session, context: object) -> None:
        if any(isinstance(one, DialAttemptRow) for one in session.new):
            die()

    event.listen(Session, "after_flush", flushed)


def _after_commit() -> None:
    begin = DialAttempts.begin

    async def killed(self: DialAttempts, wanted: Any) -> Any:
        made = await begin(self, wanted)
        if isinstance(made, Attempt):
            die()
        return made

    DialAttempts.begin = killed  # type: ignore[method-assign]


def _after_write(stage: DialStage) -> None:
    actions = stage.link.actions
    write = actions._write

    def killed(data: bytes) -> None:
        write(data)
        if b"Action: Originate" in data:
            die()

    actions._write = killed


async def _at_event(stage: DialStage, step: str) -> None:
    async with stage.dialling.bus.subscribe(CallProgressed, CallAnswered, name="killer") as heard:
        async for told in heard:
            ringing = isinstance(told, CallProgressed) and told.kind == "ringing"
            if (step == "ringing" and ringing) or (step == "answered" and isinstance(told, CallAnswered)):
                die()


async def main(step: str, url: str, port: int, user: str, secret: str, folder: str, moment: str) -> None:
    """Dial until killed."""
    clock = ShiftedClock(datetime.fromisoformat(moment))
    ami = AmiConfig(port=port, username=user, secret=secret, ping_interval=timedelta(seconds=1))
    if step == "before_commit":
        _before_commit()
    elif step == "after_commit":
        _after_commit()
    async with dial_stage(ami, create_database(url), Path(folder), clock) as stage:
        if step == "after_write":
            _after_write(stage)
        await _at_event(stage, step)


def fork(run: dict[str, Any]) -> int:
    """Run one dialler in a process; return its pid."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        asyncio.run(main(**run))
        os._exit(0)
    return pid


if __name__ == "__main__":
    pids = [fork(run) for run in json.loads(sys.argv[1])]
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]))
