"""Records what the real Asterisk says of calls that the dialler places, one file per story.

    python -m tests.support.record_dialled FOLDER

The unit tests read the results (``tests/data/ami/dialled_*.ami``).
"""

import asyncio
import contextlib
import io
import sys
import tempfile
from array import array
from collections.abc import Mapping
from datetime import timedelta
from math import pi, sin
from pathlib import Path
from typing import Any

from app.sipp.phone import PhoneCall, Reaction, answers, rejects
from kernel.ids import new_ulid
from telephony.agi.session import AgiSession
from telephony.ami import AmiConfig, CallerId
from telephony.ami.actions import AmiActions
from telephony.ami.record import recording
from telephony.audio import RATE
from tests.support.agi_routes import agi_routes, hang_up_after_queue
from tests.support.network import BUSY, DECLINES, EMPTY, NO_WAY, OFF, SILENT, network
from tests.support.pbx import HOTLINE, Pbx, running_pbx
from tests.support.sipp import agent_phone, outside_phone, sign_in
from tests.support.waiting import eventually

ANSWERS = "0"
ANSWERING = "1380013800" + ANSWERS
RING = timedelta(seconds=2)


async def survey(agi: AgiSession) -> None:
    """A survey in small: one key, which is not waited for long."""
    call = await agi.get_variable("HF_CALL") or ""
    await agi.user_event("HuifangMenu", Call=call, Node="q1", Key="1", Label="满意")
    await agi.set_variable("HF_NEXT", "hangup")


async def place(actions: AmiActions, number: str, exten: str, ring: timedelta, *, amd: bool = False) -> None:
    """Place one call as the dialler does."""
    call_id = new_ulid()
    variables = {
        "HF_AMD": "yes" if amd else "no",
        "__HF_CALL": call_id,
        "__HF_DIR": "out",
        "__HF_DID": HOTLINE,
        "__HF_QUEUE": "service",
        "__HF_TO": number,
    }
    with contextlib.suppress(Exception):
        await (
            await actions.originate(
                f"PJSIP/{number}@trunk-main",
                channel_id=f"att-{call_id}",
                context="huifang-dialled",
                exten=exten,
                variables=variables,
                caller_id=CallerId(number=HOTLINE),
                ring_timeout=ring,
                account=call_id,
            )
        ).result()


async def preview(actions: AmiActions, number: str) -> None:
    """Place one call as an agent does who saw the task first."""
    call_id = new_ulid()
    with contextlib.suppress(Exception):
        await (
            await actions.originate(
                "PJSIP/1001",
                channel_id=f"att-{call_id}",
                context="huifang-preview",
                exten=number,
                variables={
                    "__HF_CALL": call_id,
                    "__HF_DIR": "out",
                    "__HF_DID": HOTLINE,
                    "__HF_TO": number,
                    "HF_TRUNK": "main",
                    "HF_CALLER": HOTLINE,
                },
                caller_id=CallerId(number=number),
                ring_timeout=timedelta(seconds=3),
                account=call_id,
            )
        ).result()


STORIES: Mapping[str, tuple[str, str]] = {
    "dialled_survey": ("1380013800" + ANSWERS, "survey"),
    "dialled_busy": ("1380013800" + BUSY, "survey"),
    "dialled_declined": ("1380013800" + DECLINES, "survey"),
    "dialled_empty": ("1380013800" + EMPTY, "survey"),
    "dialled_off": ("1380013800" + OFF, "survey"),
    "dialled_no_answer": ("1380013800" + SILENT, "survey"),
    "dialled_no_way": ("1380013800" + NO_WAY, "survey"),
    "dialled_nobody_free": ("1380013800" + ANSWERS, "person"),
}


async def _story(pbx: Pbx, folder: Path, name: str, play: Any) -> None:
    config, out = pbx.config, io.BytesIO()
    ami = AmiConfig(port=config.ami_port, username=config.ami_user, secret=config.ami_secret)
    async with recording(ami, out) as actions:
        begun = out.tell()
        await play(actions)

        await eventually(pbx.idle, timeout=20)
    (folder / f"{name}.ami").write_bytes(out.getvalue()[begun:])
    print(name, len(out.getvalue()) - begun)


def speaks(seconds: float) -> Reaction:
    """Whoever answers and speaks for so long without a pause, then listens."""

    async def react(call: PhoneCall) -> None:
        await call.answer()
        voice = array("h", (round(8000 * sin(2 * pi * 440 * n / RATE)) for n in range(round(RATE * seconds))))
        call.handset.say(voice)

    return react


async def record(folder: Path) -> None:
    """Make the recordings."""
    with tempfile.TemporaryDirectory() as at:
        async with running_pbx(Path(at)) as pbx:
            routes = {"survey": survey, "after-queue": hang_up_after_queue}
            async with agi_routes(pbx.config.agi_port, routes):
                async with network(pbx, talk=timedelta(seconds=6)):
                    await _without_agents(pbx, folder)
                async with network(pbx, talk=timedelta(seconds=1)):
                    await _with_agents(pbx, folder)
                for name, seconds in (("machine", 4.0), ("human", 0.5)):
                    async with outside_phone(pbx, ANSWERING, speaks(seconds)):
                        await _story(
                            pbx,
                            folder,
                            f"dialled_{name}",
                            lambda actions: place(actions, ANSWERING, "survey", RING, amd=True),
                        )
            async with network(pbx, talk=timedelta(seconds=2)):
                await _story(
                    pbx,
                    folder,
                    "dialled_service_away",
                    lambda actions: place(actions, ANSWERING, "survey", RING),
                )


async def _without_agents(pbx: Pbx, folder: Path) -> None:
    for name, (number, exten) in STORIES.items():
        await _story(pbx, folder, name, lambda actions, n=number, e=exten: place(actions, n, e, RING))


async def _with_agents(pbx: Pbx, folder: Path) -> None:
    async with agent_phone(pbx, "1001", answers()):
        await sign_in(pbx, "1001", "service")
        await _story(pbx, folder, "dialled_person", lambda actions: place(actions, ANSWERING, "person", RING))
        await pbx.cli("queue remove member PJSIP/1001 from service")
        for name, digit in (("answered", ANSWERS), ("busy", BUSY)):
            await _story(
                pbx,
                folder,
                f"dialled_preview_{name}",
                lambda actions, d=digit: preview(actions, "1380013800" + d),
            )
    async with agent_phone(pbx, "1001", rejects(486)):
        await _story(pbx, folder, "dialled_preview_agent_busy", lambda actions: preview(actions, ANSWERING))


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1])))
