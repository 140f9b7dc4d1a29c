"""The link and its actions: the same story told over the fake manager interface and over a real Asterisk."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from telephony.ami import (
    AmiConfig,
    AmiNoSuch,
    AmiRejected,
    CallerId,
    EpochEnded,
    EpochStarted,
    LinkState,
    OriginateReason,
)
from tests.support.ami_items import Collected, running_link
from tests.support.fake_ami import FakeAmi
from tests.support.pbx import running_pbx
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

pytestmark = [pytest.mark.contract, pytest.mark.asyncio(loop_scope="module")]

# A call that is answered by the queue it waits in, and one that nobody can answer.
ANSWERED = "Local/complaint@from-agent/n"
UNREACHABLE = "Local/1999@from-agent/n"
MEMBER = "PJSIP/1001"


@dataclass(frozen=True, slots=True)
class World:
    """One PBX, real or not, behind a relay that can be cut."""

    real: bool
    proxy: TcpProxy
    username: str
    secret: str
    restart: Callable[[], Awaitable[None]]

    def config(self, **changes: Any) -> AmiConfig:
        values: dict[str, Any] = {
            "port": self.proxy.port,
            "username": self.username,
            "secret": self.secret,
            "backoff_first": timedelta(milliseconds=50),
            "backoff_most": timedelta(milliseconds=200),
        }
        return AmiConfig(**{**values, **changes})


@asynccontextmanager
async def fake_world() -> AsyncIterator[World]:
    async with FakeAmi() as pbx, TcpProxy(pbx.port) as proxy:
        # The number 1999 rings nowhere, whatever is dialled to it fails as it does on a real PBX.
        originate = pbx.pbx.answer

        def answer(name: str, headers: dict[str, list[str]]) -> Any:
            unreachable = headers.get("channel") == [UNREACHABLE]
            pbx.pbx.originates = ("Failure", "8") if unreachable else ("Success", "4")
            return originate(name, headers)

        pbx.pbx.answer = answer  # type: ignore[method-assign,assignment]

        async def restart() -> None:
            pbx.restart()

        config = pbx.config()
        yield World(False, proxy, config.username, config.secret, restart)


@asynccontextmanager
async def real_world(folder: Path) -> AsyncIterator[World]:
    async with (
        running_pbx(folder) as pbx,
        TcpProxy(pbx.config.ami_port, host=pbx.config.ami_host) as proxy,
    ):
        yield World(True, proxy, pbx.config.ami_user, pbx.config.ami_secret, pbx.restart)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["fake", "asterisk"])
async def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    made = fake_world() if request.param == "fake" else real_world(tmp_path_factory.mktemp("ami"))
    async with made as found:
        yield found


async def ended(collected: Collected, uniqueid: str) -> None:
    """Wait for the Hangup of a channel."""
    await eventually(
        lambda: uniqueid in {found.get("uniqueid") for found in collected.events("Hangup")},
        what=f"Hangup of {uniqueid}",
    )


async def test_an_epoch_begins_with_the_boot_of_the_pbx(world: World) -> None:
    async with running_link(world.config(), node="pbx7") as (link, collected):
        started = await collected.item(EpochStarted)
        assert started.node == "pbx7"
        assert started.epoch == link.epoch == 1
        assert started.boot_id == (await link.actions.core_status()).boot_id
        assert started.booted_at is not None
        assert started.booted_at <= started.at
        assert int(started.ami_version.split(".")[0]) >= 7
        assert (await link.actions.core_settings()).asterisk_version != ""
    assert collected.of(EpochEnded)[0].reason == "closed"


async def test_plain_login(world: World) -> None:
    async with running_link(world.config(md5_login=False)) as (link, _):
        await link.actions.ping()


async def test_a_wrong_secret_is_told_and_not_repeated(world: World) -> None:
    before = world.proxy.accepted
    async with running_link(world.config(secret="falsch"), up=False) as (link, _):
        await link.wait_for(LinkState.AUTH_FAILED, timeout=timedelta(seconds=20))
        with pytest.raises(TimeoutError):
            await link.wait_for(LinkState.CONNECTING, timeout=timedelta(seconds=0.5))
    assert world.proxy.accepted == before + 1


async def test_queue_members(world: World) -> None:
    async with running_link(world.config()) as (link, collected):
        actions = link.actions
        assert await actions.queue_add("complaint", MEMBER, penalty=2, member_name="李静")
        assert not await actions.queue_add("complaint", MEMBER)
        assert (await collected.event("QueueMemberAdded")).get("membername") == "李静"

        await actions.queue_pause(MEMBER, paused=True, queue="complaint", reason="午休")
        paused = await collected.event("QueueMemberPause")
        assert (paused.get("paused"), paused.get("pausedreason")) == ("1", "午休")

        status = await actions.queue_status("complaint")
        assert [row.get("queue") for row in status.queues] == ["complaint"]
        assert status.callers == ()
        (member,) = status.members
        assert member.get("location") == MEMBER
        assert member.get("name") == "李静"
        assert member.get("penalty") == "2"
        assert member.get("paused") == "1"

        await actions.queue_penalty(MEMBER, 5)
        (member,) = (await actions.queue_status(member=MEMBER)).members
        assert member.get("penalty") == "5"
        queues = {row.get("queue") for row in await actions.queue_summary()}
        assert queues == {"complaint", "repair", "service"}

        await actions.queue_pause(MEMBER, paused=False)
        assert await actions.queue_remove("complaint", MEMBER)
        assert not await actions.queue_remove("complaint", MEMBER)
        await collected.event("QueueMemberRemoved")
        with pytest.raises(AmiNoSuch):
            await actions.queue_pause(MEMBER, paused=True)
        for refused in (actions.queue_add("nowhere", MEMBER), actions.queue_remove("nowhere", MEMBER)):
            with pytest.raises(AmiNoSuch):
                await refused


async def test_placing_a_call_that_is_answered(world: World) -> None:
    async with running_link(world.config()) as (link, collected):
        actions = link.actions
        name = '王"小\\姐, 3号楼'
        accepted = await actions.originate(
            ANSWERED,
            channel_id="att-answered",
            other_channel_id="att-answered-far",
            application="Wait",
            data="30",
            variables={"__HF_CALL": "01JCALL", "HF_NAME": name},
            caller_id=CallerId(number="13800138000", name="王女士"),
        )
        result = await accepted.result()
        assert result.success
        assert result.reason is OriginateReason.ANSWERED
        assert result.channel_id == "att-answered"

        channels = {row.get("uniqueid"): row for row in await actions.core_show_channels()}
        assert channels["att-answered"].chan_variables["HF_CALL"] == "01JCALL"
        assert await actions.getvar("HF_NAME", channel="att-answered") == name
        await actions.setvar("HF_NOTE", "改约周三", channel="att-answered")
        assert await actions.getvar("HF_NOTE", channel="att-answered") == "改约周三"
        assert await actions.getvar("HF_UNSET", channel="att-answered") == ""
        (row,) = await actions.status("att-answered")
        assert row.get("uniqueid") == "att-answered"

        recording = await actions.mixmonitor_start("att-answered", file="contract-test.wav")
        assert recording
        await actions.mixmonitor_stop("att-answered", mixmonitor_id=recording)

        await actions.hangup("att-answered", cause=16)
        await ended(collected, "att-answered")
        with pytest.raises(AmiNoSuch):
            await actions.hangup("att-answered")
        with pytest.raises(AmiNoSuch):
            await actions.status("att-answered")


async def test_placing_a_call_that_nobody_answers(world: World) -> None:
    async with running_link(world.config()) as (link, collected):
        accepted = await link.actions.originate(
            UNREACHABLE, channel_id="att-unreachable", application="Wait", data="30"
        )
        result = await accepted.result()
        assert not result.success
        assert result.reason is not OriginateReason.ANSWERED
        assert result.channel_id == "att-unreachable"
        assert (await collected.event("OriginateResponse")).get("response") == "Failure"


async def test_moving_a_channel(world: World) -> None:
    async with running_link(world.config()) as (link, collected):
        actions = link.actions
        accepted = await actions.originate(ANSWERED, channel_id="att-move", application="Wait", data="30")
        await accepted.result()
        await actions.redirect("att-move", context="from-agent", exten="repair")
        assert [row.get("uniqueid") for row in await actions.status("att-move")] == ["att-move"]
        await actions.hangup("att-move")
        await ended(collected, "att-move")
        for refused in (
            actions.redirect("att-gone", context="from-agent", exten="repair"),
            actions.blind_transfer("att-gone", context="from-agent", exten="repair"),
            actions.attended_transfer("att-gone", context="from-agent", exten="repair"),
            actions.bridge("att-gone", "att-gone-too"),
            actions.mixmonitor_start("att-gone", file="x.wav"),
            actions.mixmonitor_stop("att-gone"),
            actions.setvar("HF_NOTE", "x", channel="att-gone"),
            actions.getvar("HF_NOTE", channel="att-gone"),
        ):
            with pytest.raises(AmiNoSuch):
                await refused


async def test_connecting_two_channels(world: World) -> None:
    async with running_link(world.config()) as (link, collected):
        actions = link.actions
        ids = ("att-left", "att-right")
        for channel_id in ids:
            accepted = await actions.originate(ANSWERED, channel_id=channel_id, application="Wait", data="30")
            await accepted.result()
        names = {row.get("uniqueid"): row.get("channel") for row in await actions.core_show_channels()}
        await actions.bridge(names["att-left"], names["att-right"])

        async def bridged() -> str:
            rows = {row.get("uniqueid"): row for row in await actions.core_show_channels()}
            shared = {rows[channel_id].get("bridgeid") for channel_id in ids}
            return shared.pop() if len(shared) == 1 else ""

        bridge_id = await eventually(bridged)
        assert bridge_id in {row.get("bridgeuniqueid") for row in await actions.bridge_list()}
        detail = await actions.bridge_info(bridge_id)
        assert {channel.get("uniqueid") for channel in detail.channels} == set(ids)
        assert detail.bridge.get("bridgeuniqueid") == bridge_id
        for channel_id in ids:
            await actions.hangup(channel_id)
            await ended(collected, channel_id)
        with pytest.raises(AmiNoSuch):
            await actions.bridge_info("no-such-bridge")


async def test_what_the_pbx_is_made_of(world: World) -> None:
    async with running_link(world.config()) as (link, _):
        actions = link.actions
        assert await actions.module_check("app_queue")
        assert not await actions.module_check("app_teapot")
        await actions.reload("app_queue.so")
        assert isinstance(await actions.device_state_list(), tuple)
        with pytest.raises(AmiRejected):
            await actions.request("Teapot")


async def test_the_longest_line_that_the_pbx_takes(world: World) -> None:
    async with running_link(world.config()) as (link, _):
        longest = "x" * (1022 - len("Value: "))
        await link.actions.setvar("HF_LONG", longest)
        assert await link.actions.getvar("HF_LONG") == longest


async def test_many_actions_at_once(world: World) -> None:
    async with running_link(world.config()) as (link, _):
        answers = await asyncio.gather(*(link.actions.core_status() for _ in range(100)))
        assert len({answer.boot_id for answer in answers}) == 1


async def test_a_cut_link_comes_back_as_a_new_epoch(world: World) -> None:
    async with running_link(world.config()) as (_, collected):
        first = await collected.item(EpochStarted)
        world.proxy.cut()
        second = await collected.item(EpochStarted, count=2)
        assert second.epoch == 2
        assert second.boot_id == first.boot_id
        assert second.restarted is False
        assert collected.of(EpochEnded)[0].reason in {"eof", "reset"}


async def test_a_network_that_is_gone_for_a_while(world: World) -> None:
    async with running_link(world.config()) as (link, collected):
        world.proxy.shut()
        await link.wait_for(LinkState.DOWN, timeout=timedelta(seconds=20))
        world.proxy.reopen()
        await collected.item(EpochStarted, count=2)


async def test_a_half_open_link_is_noticed(world: World) -> None:
    config = world.config(ping_interval=timedelta(milliseconds=200))
    async with running_link(config) as (_, collected):
        world.proxy.freeze()
        assert (await collected.item(EpochEnded)).reason == "watchdog"
        world.proxy.thaw()
        await collected.item(EpochStarted, count=2)


async def test_a_restarted_pbx_is_another_boot(world: World) -> None:
    async with running_link(world.config()) as (link, collected):
        first = await collected.item(EpochStarted)
        await link.actions.queue_add("complaint", MEMBER)
        # Start-up times are whole seconds.
        await world.restart()
        second = await collected.item(EpochStarted, count=2, timeout=20)
        assert second.restarted is True
        assert second.boot_id != first.boot_id
        assert (await link.actions.queue_status("complaint")).members == ()
