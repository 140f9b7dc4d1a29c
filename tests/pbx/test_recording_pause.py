"""A pause on the real Asterisk: all three files of a recording are silent meanwhile, and keep their time."""

from array import array
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from kernel.access import Actor
from telephony.audio import RATE, loudness, read_wav
from telephony.events import AgentRinging
from telephony.recording_pause_tables import RecordingPauseRow
from telephony.recording_pauses import RecordingPauses
from telephony.tables import CallRow
from tests.support.centre import RunningCentre, running_centre
from tests.support.sipp import agent_phone, choose, customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

LOUD = array("h", [6000 if n // 10 % 2 else -6000 for n in range(RATE * 2)])
"""Two seconds of a tone that nothing takes for silence."""


async def the_pause(centre: RunningCentre, field: str) -> None:
    """Wait until the PBX has done what was asked for."""

    async def done() -> bool:
        async with centre.database.session() as session:
            row = await session.scalar(select(RecordingPauseRow))
        return row is not None and getattr(row, field) is not None

    await eventually(done, timeout=20, what=field)


async def test_what_is_said_in_a_pause_is_in_none_of_the_files(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"centre": {"hotline": "4008001234"}, "pbx": {"record_calls": True}}
    async with running_centre(tmp_path, **changes) as centre:
        agent_id = await centre.agent_id("1001")
        bus = centre.service.base.bus
        pauses = RecordingPauses(centre.database, centre.clock, bus)
        somebody = Actor.system("test")
        async with (
            agent_phone(centre.pbx, "1001") as phone,
            bus.subscribe(AgentRinging, name="test") as rings,
            customer(centre.pbx, number="13800138001") as caller,
        ):
            await centre.service.desk.sign_in(agent_id)
            await choose(caller, "1")
            ring = await phone.rings(within=20)
            rang = await rings.get()
            assert isinstance(rang, AgentRinging)
            await ring.answer()

            async def stored() -> bool:
                async with centre.database.session() as session:
                    row = await session.get(CallRow, rang.call_id)
                return row is not None and row.agent_number == "1001"

            await eventually(stored, timeout=20, what="the call is stored as the agent's")

            async def both_speak() -> None:
                caller.handset.say(LOUD)
                ring.handset.say(LOUD)
                await caller.handset.finished()
                await ring.handset.finished()

            await both_speak()
            await pauses.pause(somebody, rang.call_id)
            await the_pause(centre, "muted_at")
            await both_speak()
            # Killed in the middle of it: it lasts, and does not last for ever.
            await centre.stop_service()
            await both_speak()
            await centre.restart_service()
            pauses = RecordingPauses(centre.database, centre.clock, centre.service.base.bus)
            await pauses.resume(somebody, rang.call_id)
            await the_pause(centre, "settled_at")
            await both_speak()
            await caller.hang_up()
            await ring.ended()
        await eventually(centre.pbx.idle, timeout=20, what="no channel is left")
        folder = centre.pbx.config.recordings_dir
        files = sorted(folder.glob(f"{rang.call_id}-*.wav"))
        assert len(files) == 3
        for path in files:
            loud = [loudness(sound) > 300 for sound in _tenths(read_wav(path))]
            spoken = "".join("x" if one else "." for one in loud)
            runs = [run for run in spoken.split("." * 15) if run.strip(".")]
            assert len(runs) == 2, f"{path.name}: {spoken}"
            assert len(loud) >= 80, f"{path.name} keeps its time: {spoken}"
            for run in runs:
                # Two seconds; where the machine is busy the end of them is sent after the hang-up.
                assert 10 <= run.count("x") <= 26, f"{path.name}: {spoken}"


def _tenths(sound: "array[int]") -> "list[array[int]]":
    return [sound[at : at + RATE // 10] for at in range(0, len(sound) - RATE // 10, RATE // 10)]
