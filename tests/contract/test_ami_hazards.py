"""Each hazard of panoramisk 1.4 that concerns AMI, against our adapter over a real socket.

The numbers are those of the table in the architecture's chapter on telephony. Hazards 1 and 11 are FastAGI's.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from kernel.clock import SystemClock
from telephony.ami import (
    AmiDown,
    AmiInvalid,
    AmiLink,
    AmiRejected,
    AmiTimeout,
    CallerId,
    EpochEnded,
    EpochStarted,
    LinkMoved,
    LinkState,
    OriginateReason,
    Overflowed,
)
from tests.support.ami_items import running_link
from tests.support.fake_ami import FakeAmi, Received, event, message
from tests.support.waiting import eventually

pytestmark = pytest.mark.contract

SHORT = timedelta(milliseconds=50)
NAME = "张三的公司🏠"


@pytest.fixture
async def pbx() -> AsyncIterator[FakeAmi]:
    async with FakeAmi() as server:
        yield server


async def test_hazard_02_utf8_split_over_segments(pbx: FakeAmi) -> None:
    data = event("UserEvent", {"UserEvent": "HuifangMenu", "CallerIDName": NAME})
    async with running_link(pbx.config()) as (_, collected):
        for cut in range(1, len(data)):
            pbx.raw(data[:cut])
            # The second half leaves only after the first was read: the split happens on our side of the wire.
            await _drained(pbx)
            pbx.raw(data[cut:])
        pbx.behaviour.drip = 1
        pbx.raw(data)
        await collected.event("UserEvent", count=len(data))
    assert {found.get("calleridname") for found in collected.events("UserEvent")} == {NAME}


async def test_hazard_03_a_failing_consumer_does_not_hurt_the_link(pbx: FakeAmi) -> None:
    async with AmiLink(pbx.config(), clock=SystemClock(), node="pbx1") as link:
        seen: list[str] = []

        async def consume() -> None:
            async for item in link.items():
                seen.append(getattr(item, "name", type(item).__name__))
                if seen[-1] == "Poison":
                    raise ValueError("a defect in the consumer")

        await link.wait_for(LinkState.UP, timeout=timedelta(seconds=20))
        pbx.raw(event("Before") + event("Poison") + event("After"))
        with pytest.raises(ValueError, match="a defect"):
            await consume()
        again = asyncio.create_task(consume())
        pbx.event("Later")
        await eventually(lambda: "Later" in seen)
        assert link.state is LinkState.UP
        assert seen[-4:] == ["Before", "Poison", "After", "Later"]
        assert link.epoch == 1
    await again


async def test_hazard_03_events_keep_their_order_when_the_consumer_is_slow(pbx: FakeAmi) -> None:
    async with AmiLink(pbx.config(), clock=SystemClock(), node="pbx1") as link:
        await link.wait_for(LinkState.UP, timeout=timedelta(seconds=20))
        pbx.raw(b"".join(event("Tick", {"Number": str(number)}) for number in range(500)))
        numbers: list[int] = []
        async for item in link.items():
            if getattr(item, "name", "") == "Tick":
                await asyncio.sleep(0)
                numbers.append(int(item.get("number")))  # type: ignore[union-attr]
                if len(numbers) == 500:
                    break
        assert numbers == list(range(500))


async def test_hazard_03_overflow_ends_the_epoch_and_a_new_one_starts(pbx: FakeAmi) -> None:
    config = pbx.config(queue_items=50)
    async with AmiLink(config, clock=SystemClock(), node="pbx1") as link:
        await link.wait_for(LinkState.UP, timeout=timedelta(seconds=20))
        pbx.raw(b"".join(event("Tick", {"Number": str(number)}) for number in range(80)))
        await link.wait_for(LinkState.DOWN, timeout=timedelta(seconds=20))
        kinds: list[str] = []
        ticks = 0
        async for item in link.items():
            if getattr(item, "name", "") == "Tick":
                ticks += 1
                continue
            kinds.append(type(item).__name__)
            if isinstance(item, Overflowed):
                # Those that had room were delivered first; FullyBooted took one place.
                assert ticks == 49
                assert item.dropped == 31
            if isinstance(item, EpochEnded):
                assert item.reason == "overflow"
            if isinstance(item, EpochStarted) and item.epoch == 2:
                break
        assert kinds.index("Overflowed") < kinds.index("EpochEnded") < len(kinds)
        assert kinds.count("EpochStarted") == 2


async def test_hazard_04_an_unanswered_originate_is_never_sent_again(pbx: FakeAmi) -> None:
    pbx.behaviour.silent.add("Originate")
    async with running_link(pbx.config()) as (link, collected):
        dial = asyncio.create_task(
            link.actions.originate("PJSIP/1001", channel_id="att-1", context="from-agent", exten="1002")
        )
        await pbx.asked("Originate")
        pbx.cut()
        with pytest.raises(AmiDown) as failure:
            await dial
        assert failure.value.sent
        assert not failure.value.retryable
        await collected.item(EpochStarted, count=2)
        await link.actions.ping()
        assert len(pbx.seen("Originate")) == 1


async def test_hazard_04_what_is_asked_while_the_link_is_down_is_refused_at_once(pbx: FakeAmi) -> None:
    async with running_link(pbx.config()) as (link, collected):
        await pbx.stop()
        await link.wait_for(LinkState.DOWN, timeout=timedelta(seconds=20))
        with pytest.raises(AmiDown) as failure:
            await link.actions.hangup("PJSIP/1001-1")
        assert not failure.value.sent
        assert failure.value.retryable
        await pbx.listen()
        await collected.item(EpochStarted, count=2)
        await link.actions.ping()
        assert pbx.seen("Hangup") == []


async def test_hazard_05_every_action_ends_and_leaves_the_table(pbx: FakeAmi) -> None:
    async with running_link(pbx.config(action_timeout=SHORT, list_timeout=SHORT)) as (link, _):
        assert await link.actions.queue_add("complaint", "PJSIP/1001")
        accepted = await link.actions.originate("PJSIP/1001", channel_id="att-1", application="Echo")
        assert (await accepted.result()).success
        assert pbx.seen("Originate")[0].get("async") == "true"

        pbx.behaviour.silent.update({"QueueAdd", "Originate", "CoreShowChannels"})
        for _ in range(3):
            with pytest.raises(AmiTimeout):
                await link.actions.queue_add("complaint", "PJSIP/1002")
            with pytest.raises(AmiTimeout):
                await link.actions.core_show_channels()
        with pytest.raises(AmiTimeout):
            await link.actions.originate("PJSIP/1001", channel_id="att-2", application="Echo")
        pbx.behaviour.silent.clear()

        waiting = asyncio.create_task(link.actions.originate("x", channel_id="att-3", application="Echo"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        # att-2 may have been dialled all the same: its OriginateResponse is expected until its own deadline.
        await eventually(lambda: link.pending_actions <= 2)
        assert link.state is LinkState.UP
    assert link.pending_actions == 0


async def test_hazard_05_a_list_that_never_completes_times_out(pbx: FakeAmi) -> None:
    def half(action: Received) -> bytes:
        start = {"Response": "Success", "ActionID": action.action_id, "EventList": "start"}
        row = {"Event": "CoreShowChannel", "ActionID": action.action_id, "Channel": "PJSIP/1001-1"}
        return message(start) + message(row)

    pbx.behaviour.answers["CoreShowChannels"] = half
    async with running_link(pbx.config(list_timeout=SHORT)) as (link, _):
        with pytest.raises(AmiTimeout):
            await link.actions.core_show_channels()
        assert link.pending_actions == 0


async def test_hazard_05_a_list_without_end_is_broken_off(pbx: FakeAmi) -> None:
    def endless(action: Received) -> bytes:
        start = {"Response": "Success", "ActionID": action.action_id, "EventList": "start"}
        row = {"Event": "CoreShowChannel", "ActionID": action.action_id, "Channel": "PJSIP/1001-1"}
        return message(start) + message(row) * 200

    pbx.behaviour.answers["CoreShowChannels"] = endless
    async with running_link(pbx.config(list_items=100)) as (link, _):
        with pytest.raises(AmiRejected, match="without end"):
            await link.actions.core_show_channels()
        assert link.pending_actions == 0


async def test_hazard_06_a_half_open_link_is_noticed(pbx: FakeAmi) -> None:
    async with running_link(pbx.config(ping_interval=SHORT)) as (link, collected):
        await pbx.asked("Ping", count=2)
        pbx.freeze()
        ended = await collected.item(EpochEnded)
        assert ended.reason == "watchdog"
        pbx.thaw()
        started = await collected.item(EpochStarted, count=2)
        assert started.restarted is False
        assert link.state is LinkState.UP


async def test_hazard_06_dripping_bytes_are_no_sign_of_life(pbx: FakeAmi) -> None:
    async with running_link(pbx.config(ping_interval=SHORT)) as (_, collected):
        pbx.freeze()
        while not collected.of(EpochEnded):
            pbx.raw(b"x")
            await asyncio.sleep(0.005)
        assert collected.of(EpochEnded)[0].reason == "watchdog"
        pbx.thaw()


async def test_hazard_07_a_wrong_password_is_tried_once_and_alerts(pbx: FakeAmi) -> None:
    config = pbx.config(secret="falsch")
    async with running_link(config, up=False) as (link, collected):
        await link.wait_for(LinkState.AUTH_FAILED, timeout=timedelta(seconds=20))
        with pytest.raises(TimeoutError):  # several backoffs long: nothing more comes
            await link.wait_for(LinkState.CONNECTING, timeout=timedelta(seconds=0.3))
        assert len(pbx.seen("Login")) == 1
        assert pbx.accepted == 1
        moved = [item for item in collected.of(LinkMoved) if item.state is LinkState.AUTH_FAILED]
        assert len(moved) == 1
        with pytest.raises(AmiDown):
            await link.actions.ping()


async def test_hazard_07_a_mended_password_is_used_after_reset(pbx: FakeAmi) -> None:
    pbx.behaviour.refuse_login = True
    async with running_link(pbx.config(), up=False) as (link, collected):
        await link.wait_for(LinkState.AUTH_FAILED, timeout=timedelta(seconds=20))
        pbx.behaviour.refuse_login = False
        link.reset()
        await link.wait_for(LinkState.UP, timeout=timedelta(seconds=20))
        await collected.item(EpochStarted)


async def test_hazard_07_closing_while_reconnecting_leaves_nothing(pbx: FakeAmi) -> None:
    before = asyncio.all_tasks()
    link = AmiLink(pbx.config(backoff_first=timedelta(hours=1)), clock=SystemClock(), node="pbx1")
    async with link:
        await link.wait_for(LinkState.UP, timeout=timedelta(seconds=20))
        await pbx.stop()
        await link.wait_for(LinkState.DOWN, timeout=timedelta(seconds=20))
    assert link.state is LinkState.CLOSED
    assert asyncio.all_tasks() == before
    with pytest.raises(AmiDown):
        await link.actions.ping()


async def test_hazard_08_a_failed_originate_never_looks_like_a_success(pbx: FakeAmi) -> None:
    async with running_link(pbx.config()) as (link, collected):
        for reason, meaning in (
            ("5", OriginateReason.BUSY),
            ("3", OriginateReason.NO_ANSWER),
            ("8", OriginateReason.CONGESTED),
            ("0", OriginateReason.FAILED),
            ("99", OriginateReason.FAILED),
        ):
            pbx.pbx.originates = ("Failure", reason)
            accepted = await link.actions.originate(
                "PJSIP/13800138000@trunk-main", channel_id=f"att-{reason}", application="Echo"
            )
            result = await accepted.result()
            assert not result.success
            assert result.reason is meaning
            assert result.channel_id == f"att-{reason}"
        await collected.event("OriginateResponse", count=5)


async def test_hazard_09_events_with_a_pending_action_id_reach_both(pbx: FakeAmi) -> None:
    async with running_link(pbx.config()) as (link, collected):
        accepted = await link.actions.originate("PJSIP/1001", channel_id="att-1", application="Echo")
        assert (await accepted.result()).success
        found = await collected.event("OriginateResponse")
        assert found.action_id == accepted.action_id

        channels = await link.actions.core_show_channels()
        assert [channel.get("uniqueid") for channel in channels] == ["att-1"]
        await collected.event("CoreShowChannel")


@pytest.mark.parametrize("text", ["张三\r\nAction: Hangup", "a\nb", "a\rb", "a\0b", "\x1b[31m", "\ud800"])
async def test_hazard_10_control_characters_never_reach_the_wire(pbx: FakeAmi, text: str) -> None:
    async with running_link(pbx.config()) as (link, _):
        actions = link.actions
        with pytest.raises(AmiInvalid):
            await actions.setvar("HF_NAME", text, channel="PJSIP/1001-1")
        with pytest.raises(AmiInvalid):
            await actions.queue_add("complaint", "PJSIP/1001", member_name=text)
        with pytest.raises(AmiInvalid):
            await actions.originate(
                "PJSIP/1001", channel_id="att-1", application="Echo", variables={"HF_NAME": text}
            )
        with pytest.raises(AmiInvalid):
            await actions.originate(
                "PJSIP/1001",
                channel_id="att-1",
                application="Echo",
                caller_id=CallerId(number="1", name=text),
            )
        with pytest.raises(AmiInvalid):
            await actions.request("Ping", [(f"Key{text}", "value")])
        await actions.ping()
        sent = {action.name for action in pbx.actions}
        assert sent == {"Challenge", "Login", "CoreStatus", "Ping"}
        assert link.pending_actions == 0


async def test_hazard_12_repeated_headers_and_short_endings(pbx: FakeAmi) -> None:
    async with running_link(pbx.config()) as (_, collected):
        pbx.raw(
            b"Event: One\r\nChanVariable: HF_CALL=01A\r\nChanVariable: HF_DIR=in\r\n\n"
            b"Event: Two\r\nChannel: PJSIP/1\r\n\r\n"
            b"\r\nEvent: Three\r\nChannel: PJSIP/2\r\nChannel: PJSIP/3\r\n\n\r\n"
            b"Event: Four\r\nKey: last\r\n\r\n"
        )
        await collected.event("Four")
        one = collected.events("One")[0]
        assert one.chan_variables == {"HF_CALL": "01A", "HF_DIR": "in"}
        assert one.get("ChanVariable") == "HF_CALL=01A"
        assert collected.events("Two")[0].get("channel") == "PJSIP/1"
        three = collected.events("Three")[0]
        assert three.get("channel") == "PJSIP/2"
        assert three.get_all("Channel") == ("PJSIP/2", "PJSIP/3")


async def _drained(pbx: FakeAmi) -> None:
    for connection in pbx.connections:
        await eventually(lambda c=connection: c.writer.transport.get_write_buffer_size() == 0)  # type: ignore[misc]
    await asyncio.sleep(0)
