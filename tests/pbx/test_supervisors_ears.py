"""A supervisor on a call of the real Asterisk: who hears whom, by tones, in every mode."""

from pathlib import Path

import pytest
from sqlalchemy import select

from kernel.access import Actor
from telephony.domain.agent_state import AgentState
from telephony.domain.listening import ListeningEnd, Mode
from telephony.events import AgentRinging
from telephony.history import CallHistory
from telephony.listening_tables import ListeningRow
from telephony.listenings import Listenings, TakenOver
from telephony.recording_pauses import RecordingPauses
from telephony.tables import CallRow
from tests.support.centre import RunningCentre, running_centre
from tests.support.pbx import HOTLINE
from tests.support.pitches import hear_each_other
from tests.support.sipp import agent_phone, choose, customer
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

TONES = {"customer": 700, "agent": 1100, "supervisor": 1700}
SUPERVISOR = Actor.system("班长")


async def shown(centre: RunningCentre, mode: Mode | None) -> None:
    """Wait until the PBX does it."""

    async def so() -> bool:
        async with centre.database.session() as session:
            row = await session.scalar(select(ListeningRow))
        return row is not None and row.answered_at is not None and row.now == (mode.value if mode else None)

    await eventually(so, timeout=10, what=f"the supervisor's mode is {mode}")


async def test_listen_whisper_barge_and_take_over(tmp_path: Path) -> None:
    async with running_centre(tmp_path, centre={"hotline": HOTLINE}) as centre:
        agent_id, bus = await centre.agent_id("1001"), centre.service.base.bus
        listenings = Listenings(centre.database, centre.clock, bus)
        pauses = RecordingPauses(centre.database, centre.clock, bus)
        async with (
            agent_phone(centre.pbx, "1001") as phone,
            agent_phone(centre.pbx, "1002") as own,
            bus.subscribe(AgentRinging, name="test") as rings,
            customer(centre.pbx, number="13800138001") as caller,
        ):
            await centre.service.desk.sign_in(agent_id)
            await choose(caller, "1")
            agent = await phone.rings(within=20)
            rang = await rings.get()
            assert isinstance(rang, AgentRinging)
            await agent.answer()

            async def stored() -> bool:
                async with centre.database.session() as session:
                    row = await session.get(CallRow, rang.call_id)
                return row is not None and row.agent_number == "1001"

            await eventually(stored, timeout=20, what="the call is stored as the agent's")
            ear = await listenings.begin(SUPERVISOR, rang.call_id, "1002", Mode.LISTEN)
            supervisor = await own.rings(within=20)
            await supervisor.answer()
            await shown(centre, Mode.LISTEN)
            lines = {"customer": caller, "agent": agent, "supervisor": supervisor}
            listening = {"customer": "agent", "agent": "customer", "supervisor": "agent customer"}
            await hear_each_other(lines, TONES, listening)

            # whispering by a key of the telephone, barging in by a button: no new call for either
            await supervisor.press("5")
            await shown(centre, Mode.WHISPER)
            await hear_each_other(lines, TONES, {**listening, "agent": "customer supervisor"})
            await listenings.change(SUPERVISOR, ear.listening_id, Mode.BARGE)
            await shown(centre, Mode.BARGE)
            barging = {**listening, "agent": "customer supervisor", "customer": "agent supervisor"}
            await hear_each_other(lines, TONES, barging)

            # nobody listens while a card number is said; afterwards it goes on by itself
            await pauses.pause(SUPERVISOR, rang.call_id)
            await shown(centre, None)
            await hear_each_other(lines, TONES, {"customer": "agent", "agent": "customer", "supervisor": ""})
            await pauses.resume(SUPERVISOR, rang.call_id)
            await shown(centre, Mode.BARGE)

            # killed in the middle: the ear is found again
            await listenings.change(SUPERVISOR, ear.listening_id, Mode.LISTEN)
            await centre.restart_service()
            listenings = Listenings(centre.database, centre.clock, centre.service.base.bus)
            await shown(centre, Mode.LISTEN)
            await hear_each_other(lines, TONES, listening)

            await listenings.change(SUPERVISOR, ear.listening_id, Mode.TAKE_OVER)
            with pytest.raises(TakenOver):
                await listenings.begin(SUPERVISOR, rang.call_id, "1003", Mode.TAKE_OVER)
            await agent.ended(within=20)
            await shown(centre, Mode.TAKE_OVER)
            pair = {"customer": caller, "supervisor": supervisor}
            tones = {name: TONES[name] for name in pair}
            await hear_each_other(pair, tones, {"customer": "supervisor", "supervisor": "customer"})

            async def wraps_up() -> bool:
                return (await centre.service.desk.state(agent_id)).state is AgentState.WRAP_UP

            await eventually(wraps_up, timeout=10, what="the agent writes the call down")
            other = await centre.service.desk.state(await centre.agent_id("1002"))
            assert other.state is AgentState.SIGNED_OUT
            await caller.hang_up()
            await supervisor.ended(within=20)
        await eventually(centre.pbx.idle, timeout=20, what="no channel is left")

        async def over() -> bool:
            async with centre.database.session() as session:
                row = await session.get(ListeningRow, ear.listening_id)
            return row is not None and row.ended_why == ListeningEnd.TAKEN_OVER

        await eventually(over, timeout=10, what="the listening is over")

        async def ended() -> bool:
            async with centre.database.session() as session:
                row = await session.get(CallRow, rang.call_id)
            return row is not None and row.ended_at is not None

        await eventually(ended, timeout=10, what="the call is over")
        call = await CallHistory(centre.database).get(rang.call_id)
        assert (call.agent, call.result) == ("1002", "ANSWERED")
        told = [(row.kind, row.agent, row.detail.get("mode")) for row in call.timeline]
        modes = [mode for kind, _, mode in told if kind == "supervised"]
        assert [mode for mode in modes if mode != "end"][:3] == ["listen", "whisper", "barge"]
        moved = [row for row in call.timeline if row.kind == "transferred"]
        assert [(row.agent, row.detail["type"], row.detail["to"]) for row in moved] == [
            ("1001", "taken_over", "1002")
        ]
        answered = [row.agent for row in call.timeline if row.kind == "answered"]
        assert answered == ["1001", "1002"]
