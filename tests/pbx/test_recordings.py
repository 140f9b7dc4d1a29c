"""On a real Asterisk: what is recorded is known of, and what the rules leave out is not recorded."""

from array import array
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.numbers import QueueBook
from app.sipp.phone import AgentPhone
from ivr.domain.routing_file import shipped_routing
from ivr.routing_book import RoutingBook
from kernel.access import Actor
from kernel.audit import AuditLog
from kernel.errors import HuifangError
from telephony.audio import RATE, loudness, read_wav
from telephony.call_control import CallControl
from telephony.domain.hand import HandState, Step
from telephony.events import AgentRinging
from telephony.hand_views import Target, TargetKind
from telephony.history import CallHistory
from telephony.recording_tables import RecordingRow
from telephony.recordings import recordings_of
from telephony.roster import Roster
from tests.support.centre import RunningCentre, running_centre
from tests.support.sipp import agent_phone, choose, customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

TONE = array("h", [6000 if n // 10 % 2 else -6000 for n in range(RATE * 2)])


async def conversation(centre: RunningCentre, phone: AgentPhone) -> str:
    """Have a customer and an agent speak with each other; return the call."""
    async with (
        centre.service.base.bus.subscribe(AgentRinging, name="test") as rings,
        customer(centre.pbx, number="13800138001") as caller,
    ):
        await choose(caller, "1")
        ring = await phone.rings(within=30)
        rang = await rings.get()
        assert isinstance(rang, AgentRinging)
        await ring.answer()
        caller.handset.say(TONE)
        await caller.handset.finished()
        await caller.hang_up()
        await ring.ended()
    await eventually(centre.pbx.idle, timeout=20, what="no channel is left")
    desk, agent_id = centre.service.desk, await centre.agent_id("1001")

    async def writing() -> bool:
        return (await desk.state(agent_id)).wrap_up_call_id == rang.call_id

    await eventually(writing, timeout=20, what="the agent writes down what became of it")
    await desk.save_wrap_up(agent_id, rang.call_id, disposition="passed_on")
    return rang.call_id


async def leave_out_complaints(centre: RunningCentre) -> None:
    """Publish rules under which what is said with the complaint desk is not recorded."""
    queues = QueueBook(Roster(centre.database, centre.clock, centre.service.base.bus))
    book = RoutingBook(centre.database, centre.clock, AuditLog(centre.database, centre.clock), queues=queues)
    text = shipped_routing().replace("unrecorded: {queues: []", "unrecorded: {queues: [complaint]")
    await book.publish(Actor.system("test"), text, why="试验", expected=0)


async def test_what_is_recorded_is_known_and_the_rules_leave_some_out(tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "centre": {"hotline": "4008001234"},
        "pbx": {"record_calls": True},
    }
    async with running_centre(tmp_path, **changes) as centre, agent_phone(centre.pbx, "1001") as phone:
        await centre.service.desk.sign_in(await centre.agent_id("1001"))
        folder = centre.pbx.config.recordings_dir
        first = await conversation(centre, phone)

        async def known() -> bool:
            async with centre.database.session() as session:
                return await session.scalar(select(RecordingRow.call_id)) == first

        await eventually(known, timeout=20, what="the recording is known of")
        (files,) = await recordings_of(centre.database, folder, first)
        assert loudness(read_wav(files.side("customer"))) > 300

        await leave_out_complaints(centre)
        calls = CallHistory(centre.database)

        async def left_out() -> bool:
            second = await conversation(centre, phone)
            (routed,) = [entry for entry in (await calls.get(second)).timeline if entry.kind == "routed"]
            if routed.detail["rules"] == "0":
                return False  # the new rules are not in force yet
            assert "unrecorded" in routed.detail["because"].split()
            assert await recordings_of(centre.database, folder, second) == ()
            assert list(folder.glob(f"{second}*")) == []
            return True

        await eventually(left_out, timeout=90, what="a call under the new rules")
        assert centre.pbx.log("ERROR") == []


async def test_a_call_that_is_passed_on_is_recorded_where_the_rules_want_it(tmp_path: Path) -> None:
    """From the repairs, recorded, to the complaints, not recorded, and back: two recordings of one call."""
    changes: dict[str, Any] = {"centre": {"hotline": "4008001234"}, "pbx": {"record_calls": True}}
    async with running_centre(tmp_path, **changes) as centre:
        await leave_out_complaints(centre)
        await centre.restart_service()
        desk, folder = centre.service.desk, centre.pbx.config.recordings_dir
        assert centre.service.telephony is not None
        control = centre.service.telephony.control
        repairs, complaints = await centre.agent_id("1002"), await centre.agent_id("1001")
        async with (
            agent_phone(centre.pbx, "1001") as one,
            agent_phone(centre.pbx, "1002") as two,
            centre.service.base.bus.subscribe(AgentRinging, name="test") as rings,
            customer(centre.pbx, number="13800138001") as caller,
        ):
            await desk.sign_in(repairs)
            await choose(caller, "2")
            talk = await two.rings(within=30)
            rang = await rings.get()
            assert isinstance(rang, AgentRinging)
            await talk.answer()
            call_id = rang.call_id

            async def speak() -> None:
                caller.handset.say(TONE)
                await caller.handset.finished()

            async def monitors() -> list[str]:
                channels = [
                    line.split("!")[0]
                    for line in (await centre.pbx.cli("core show channels concise")).splitlines()
                    if line.startswith("PJSIP/")
                ]
                shown = [await centre.pbx.cli(f"mixmonitor list {name}") for name in channels]
                return [line for text in shown for line in text.splitlines() if call_id in line]

            await speak()
            assert await monitors() != []
            await desk.sign_in(complaints)
            await act(control, call_id, "1002", "complaint")
            other = await one.rings(within=30)
            await other.answer()
            await eventually(_held(control, call_id, "1001"), timeout=20, what="the complaints have the call")
            assert await monitors() == [], "it was recorded on"
            await desk.save_wrap_up(repairs, call_id, disposition="passed_on")
            await speak()
            await act(control, call_id, "1001", "repair")
            talk = await two.rings(within=30)
            await talk.answer()
            await eventually(_held(control, call_id, "1002"), timeout=20, what="the repairs have it again")
            assert await monitors() != []
            await speak()
            await caller.hang_up()
            await talk.ended()
        await eventually(centre.pbx.idle, timeout=20, what="no channel is left")

        async def kept() -> bool:
            return len(await recordings_of(centre.database, folder, call_id)) == 2

        await eventually(kept, timeout=20, what="two recordings of the call")
        assert centre.pbx.log("ERROR") == []


async def act(control: CallControl, call_id: str, number: str, queue: str) -> None:
    """Send the customer to a queue."""
    target = Target(kind=TargetKind.QUEUE, value=queue)
    await control.act(Actor.system("test"), call_id, number, Step.TRANSFER, target=target)


def _held(control: CallControl, call_id: str, number: str) -> Callable[[], Awaitable[bool]]:
    async def so() -> bool:
        try:
            return (await control.look(Actor.system("test"), call_id, number)).state is HandState.TALKING
        except HuifangError:
            return False

    return so
