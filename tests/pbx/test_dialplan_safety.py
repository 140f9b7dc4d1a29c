"""The dialplan when our service misbehaves: no caller is lost, and none hears silence."""

import asyncio
import shutil
from pathlib import Path

import pytest

from app.caller import PlayedCall
from app.runtime import Runtime
from app.sipp.phone import answers
from telephony.agi.session import AgiSession
from telephony.asterisk.model import QueueConfig
from telephony.audio import RATE, loudness, read_wav
from tests.support.agi_routes import agi_routes, hang_up_after_queue, to_queue
from tests.support.pbx import HOTLINE, Pbx, running_pbx
from tests.support.sipp import agent_phone, customer, outside_phone, plan, play, sign_in
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx


def heard_all_the_time(call: PlayedCall, *, longest: float = 1.0) -> bool:
    assert call.ear is not None
    return call.succeeded and call.ear.silences(longer_than=longest, until=call.ended) == ()


async def in_queue(pbx: Pbx, queue: str) -> None:
    """A caller waits in this queue."""

    async def waits() -> bool:
        return "trunk-main" in await pbx.cli(f"queue show {queue}")

    await eventually(waits, what=f"a caller in {queue}")


async def decide(agi: AgiSession, **variables: str) -> None:
    await agi.answer()
    for name, value in variables.items():
        await agi.set_variable(name, value)


async def test_a_menu_that_breaks_off_leads_to_a_person(tmp_path: Path, runtime: Runtime) -> None:
    async def broken(agi: AgiSession) -> None:
        await agi.answer()
        raise ValueError("the menu has a fault")

    async with running_pbx(tmp_path, runtime=runtime) as pbx:
        routes = {"flow": broken, "after-queue": hang_up_after_queue}
        async with agi_routes(pbx.config.agi_port, routes), agent_phone(pbx, "1001", answers()) as agent:
            await sign_in(pbx, "1001", "service")
            async with customer(pbx) as caller:
                call = await agent.rings(within=10)
                await eventually(lambda: caller.ear.packets > 20)
                await call.until("talking")


async def test_a_menu_that_hangs_loses_its_caller_to_a_person(tmp_path: Path, runtime: Runtime) -> None:
    async def hangs(agi: AgiSession) -> None:
        await agi.answer()
        await asyncio.Event().wait()

    async with (
        running_pbx(tmp_path, runtime=runtime, menu_limit_seconds=2) as pbx,
        agi_routes(pbx.config.agi_port, {"flow": hangs}),
        customer(pbx),
    ):
        await in_queue(pbx, "service")


async def test_a_senseless_decision_leads_to_a_person(tmp_path: Path, runtime: Runtime) -> None:
    decisions: tuple[dict[str, str], ...] = (
        {"HF_NEXT": "queue", "HF_QUEUE": "nowhere"},
        {"HF_NEXT": "queue", "HF_QUEUE": "service,t,,,1)"},
        {"HF_NEXT": "queue"},
        {"HF_NEXT": "dial", "HF_DIAL": "abc"},
        {"HF_NEXT": "moon"},
        {"HF_NEXT": "flow", "HF_FLOW": "again"},
        {},
    )
    flows: list[str] = []

    async def senseless(agi: AgiSession) -> None:
        flows.append(agi.environment["agi_network_script"])
        await decide(agi, **decisions[int(agi.environment["agi_callerid"][-1])])

    async with running_pbx(tmp_path, runtime=runtime) as pbx:
        async with agi_routes(pbx.config.agi_port, {"flow": senseless}):
            for number, variables in enumerate(decisions):
                flows.clear()
                async with customer(pbx, number=f"1380013800{number}") as caller:
                    await in_queue(pbx, "service")
                    await caller.hang_up()
                await eventually(pbx.idle)
                assert len(flows) == (10 if variables.get("HF_NEXT") == "flow" else 1), variables
        assert pbx.log("ERROR") == []


async def test_one_flow_hands_over_to_another_by_name(tmp_path: Path, runtime: Runtime) -> None:
    async def flow(agi: AgiSession) -> None:
        if agi.environment["agi_network_script"] == f"flow/{HOTLINE}":
            await decide(agi, HF_NEXT="flow", HF_FLOW="survey")
        elif agi.environment["agi_network_script"] == "flow/survey":
            await to_queue(agi, "complaint")

    async with (
        running_pbx(tmp_path, runtime=runtime) as pbx,
        agi_routes(pbx.config.agi_port, {"flow": flow}),
        customer(pbx),
    ):
        await in_queue(pbx, "complaint")


async def test_a_menu_may_dial_an_agent(tmp_path: Path, runtime: Runtime) -> None:
    async def flow(agi: AgiSession) -> None:
        await decide(agi, HF_NEXT="dial", HF_DIAL="1002")

    async with (
        running_pbx(tmp_path, runtime=runtime) as pbx,
        agi_routes(pbx.config.agi_port, {"flow": flow}),
        agent_phone(pbx, "1002", answers()) as agent,
        customer(pbx) as caller,
    ):
        await (await agent.rings()).until("talking")
        await eventually(lambda: caller.ear.packets > 10)


async def test_waiting_too_long_without_our_service_ends_with_an_apology(
    tmp_path: Path, runtime: Runtime
) -> None:
    queues = (QueueConfig(name="service", label="人工", ring_seconds=3, retry_seconds=1, max_wait_seconds=2),)
    async with running_pbx(tmp_path, runtime=runtime, queues=queues) as pbx:
        report = await play(pbx, plan(hold_seconds=30.0))
        (call,) = report.calls
        assert call.ended_by == "far"
        assert heard_all_the_time(call)
        said = [line for line in pbx.log("WARNING") if "huifang-apology" in line]
        assert said, "the apology was tried, and its stand-in was heard"


async def test_after_the_queue_our_service_learns_how_it_ended(tmp_path: Path, runtime: Runtime) -> None:
    ends: list[tuple[str, str]] = []

    async def flow(agi: AgiSession) -> None:
        await to_queue(agi, "repair", seconds=1)

    async def after(agi: AgiSession) -> None:
        ends.append((agi.environment["agi_arg_1"], agi.environment["agi_arg_2"]))
        if len(ends) == 1:
            await decide(agi, HF_NEXT="queue", HF_QUEUE="complaint")
        else:
            await hang_up_after_queue(agi)

    async with (
        running_pbx(tmp_path, runtime=runtime) as pbx,
        agi_routes(pbx.config.agi_port, {"flow": flow, "after-queue": after}),
        agent_phone(pbx, "1001", answers()) as agent,
        customer(pbx) as caller,
    ):
        await sign_in(pbx, "1001", "complaint")
        call = await agent.rings(within=10)
        await call.until("talking")
        await call.hang_up()
        assert await caller.ended() == "far"
    assert ends == [("TIMEOUT", "repair"), ("CONTINUE", "complaint")]


@pytest.mark.parametrize("notice", ["flow", "dialplan", "none"])
async def test_a_recorded_call_has_each_speaker_apart_and_no_waiting_music(
    tmp_path: Path, runtime: Runtime, notice: str
) -> None:
    """Who was not told, by the flow or by the dialplan, is not recorded."""

    async def flow(agi: AgiSession) -> None:
        if notice == "flow":
            await agi.set_variable("HF_NOTICE", "yes")
        await to_queue(agi, "service")

    async with running_pbx(tmp_path, runtime=runtime, record=True) as pbx:
        chime = pbx.config.prompts_dir / "huifang-chime.wav"
        if notice == "dialplan":
            shutil.copy(chime, pbx.config.prompts_dir / "huifang-recording.wav")
        voice = read_wav(chime)
        routes = {"flow": flow, "after-queue": hang_up_after_queue}
        async with agi_routes(pbx.config.agi_port, routes), agent_phone(pbx, "1001") as agent:
            await sign_in(pbx, "1001", "service")
            async with customer(pbx) as caller:
                call = await agent.rings()
                await caller.until("answered")
                await eventually(lambda: caller.ear.packets > 40, what="a while of waiting music")
                await call.answer()
                caller.handset.say(voice)
                await caller.handset.finished()
                await call.hang_up()
                await caller.ended()
            await eventually(pbx.idle)
        files = {path.name.rsplit("-", 1)[-1]: path for path in pbx.config.recordings_dir.iterdir()}
        if notice == "none":
            assert files == {}
            return
        assert {"customer.wav", "agent.wav"} <= set(files)
        assert len(files) == 3
        customers, agents = read_wav(files["customer.wav"]), read_wav(files["agent.wav"])
        assert loudness(customers) > 300
        assert loudness(agents[RATE // 2 :]) < 50
        assert len(customers) < len(voice) + 1.5 * RATE
        call_id = files["customer.wav"].name.split("-")[0]
        assert any(call_id in line for line in pbx.events())


@pytest.mark.parametrize("played", [True, False], ids=["notice", "no-notice"])
async def test_whom_we_call_is_told_before_the_first_word(
    tmp_path: Path, runtime: Runtime, played: bool
) -> None:
    """The notice is played when they have answered; without it nothing is recorded."""
    async with running_pbx(tmp_path, runtime=runtime, record=True) as pbx:
        chime = pbx.config.prompts_dir / "huifang-chime.wav"
        if played:
            shutil.copy(chime, pbx.config.prompts_dir / "huifang-recording.wav")
        voice = read_wav(chime)
        async with agent_phone(pbx, "1001") as agent, outside_phone(pbx, "13900139000", answers()) as outside:
            call = await agent.dial("13900139000")
            taken = await outside.rings()
            await eventually(lambda: taken.ear.packets > 10, timeout=20, what="the customer hears something")
            call.handset.say(voice)
            await call.handset.finished()
            taken.handset.say(voice)
            await taken.handset.finished()
            call.handset.say(voice)
            await call.handset.finished()
            await call.hang_up()
            await taken.ended()
        await eventually(pbx.idle)
        files = {path.name.rsplit("-", 1)[-1]: path for path in pbx.config.recordings_dir.iterdir()}
        if not played:
            assert files == {}
            return
        assert len(files) == 3
        assert loudness(read_wav(files["customer.wav"])) > 100
        assert loudness(read_wav(files["agent.wav"])) > 100
        assert pbx.log("ERROR") == []
