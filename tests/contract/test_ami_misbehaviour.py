"""Peers that are not, or not quite, an Asterisk: port scanners, wrong ports, broken proxies, floods."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from kernel.clock import SystemClock
from telephony.ami import (
    AmiLink,
    AmiTimeout,
    EpochEnded,
    EpochStarted,
    LinkMoved,
    LinkState,
    Overflowed,
)
from tests.support.ami_items import running_link
from tests.support.fake_ami import BANNER, FakeAmi, Received, event, message
from tests.support.waiting import eventually

pytestmark = pytest.mark.contract

SHORT = timedelta(milliseconds=50)


@pytest.fixture
async def pbx() -> AsyncIterator[FakeAmi]:
    async with FakeAmi() as server:
        yield server


def reasons(items: list[LinkMoved]) -> set[str]:
    return {item.reason for item in items if item.state is LinkState.DOWN}


@pytest.mark.parametrize(
    ("banner", "reason"),
    [
        (None, "unreachable"),
        (b"", "unreachable"),
        (b"Asterisk Call", "unreachable"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "protocol"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "protocol"),
        (b"Asterisk Call Manager/" + b"9" * 1000, "protocol"),
        (bytes(range(256)) * 10, "protocol"),
    ],
)
async def test_a_greeting_that_is_none_is_retried_later(
    pbx: FakeAmi, banner: bytes | None, reason: str
) -> None:
    pbx.behaviour.banner = banner
    async with running_link(pbx.config(connect_timeout=SHORT), up=False) as (link, collected):
        await eventually(lambda: pbx.accepted >= 3)
        assert pbx.actions == []
        await eventually(lambda: reason in reasons(collected.of(LinkMoved)))
        pbx.behaviour.banner = BANNER
        await link.wait_for(LinkState.UP, timeout=timedelta(seconds=20))


async def test_nobody_listens(pbx: FakeAmi) -> None:
    await pbx.stop()
    async with running_link(pbx.config(), up=False) as (link, collected):
        await eventually(lambda: "unreachable" in reasons(collected.of(LinkMoved)))
        await pbx.listen()
        await link.wait_for(LinkState.UP, timeout=timedelta(seconds=20))


async def test_a_login_that_is_never_answered(pbx: FakeAmi) -> None:
    pbx.behaviour.silent.add("Login")
    async with running_link(pbx.config(login_timeout=SHORT), up=False) as (link, collected):
        await pbx.asked("Login", count=2)
        pbx.behaviour.silent.clear()
        await link.wait_for(LinkState.UP, timeout=timedelta(seconds=20))
        assert "silent" in reasons(collected.of(LinkMoved))
        # Connections that never became an epoch leave no mark of one.
        assert [item.epoch for item in collected.of(EpochStarted)] == [1]
        assert collected.of(EpochEnded) == []


async def test_hanging_up_in_the_middle_of_the_login(pbx: FakeAmi) -> None:
    pbx.behaviour.silent.add("Login")
    async with running_link(pbx.config(), up=False) as (link, _):
        await pbx.asked("Login")
        pbx.behaviour.silent.clear()
        pbx.hang_up()
        await link.wait_for(LinkState.UP, timeout=timedelta(seconds=20))


async def test_an_asterisk_that_is_still_loading_is_waited_for(pbx: FakeAmi) -> None:
    pbx.behaviour.boots = False
    async with running_link(pbx.config(), up=False) as (link, collected):
        await eventually(lambda: pbx.logged_in == 1)
        pbx.event("PeerStatus", {"Peer": "PJSIP/1001"})
        assert link.state is LinkState.CONNECTING
        pbx.event("FullyBooted", {"Uptime": "1", "Status": "Fully Booted"})
        await link.wait_for(LinkState.UP, timeout=timedelta(seconds=20))
        # What came before the epoch was announced follows its marker.
        await collected.event("PeerStatus")
        kinds = [type(item).__name__ for item in collected.items]
        assert kinds.index("EpochStarted") < kinds.index("AmiEvent")


async def test_an_asterisk_that_never_boots(pbx: FakeAmi) -> None:
    pbx.behaviour.boots = False
    async with running_link(pbx.config(boot_timeout=SHORT), up=False) as (_, collected):
        await eventually(lambda: pbx.accepted >= 2)
        assert collected.of(EpochStarted) == []


async def test_an_asterisk_restart_is_recognised(pbx: FakeAmi) -> None:
    async with running_link(pbx.config()) as (_, collected):
        first = await collected.item(EpochStarted)
        pbx.restart()
        second = await collected.item(EpochStarted, count=2)
        assert first.restarted is None
        assert second.restarted is True
        assert first.boot_id != second.boot_id
        assert (await collected.item(EpochEnded)).reason in {"reset", "eof"}


async def test_a_user_without_the_right_to_ask_for_the_status(pbx: FakeAmi) -> None:
    def denied(action: Received) -> bytes:
        return message({"Response": "Error", "ActionID": action.action_id, "Message": "Permission denied"})

    pbx.behaviour.answers["CoreStatus"] = denied
    async with running_link(pbx.config()) as (_, collected):
        assert (await collected.item(EpochStarted)).boot_id == ""
        pbx.pbx.uptime = 0  # as if it had just been started
        pbx.cut()
        assert (await collected.item(EpochStarted, count=2)).restarted is True


async def test_garbage_between_messages_is_skipped(pbx: FakeAmi) -> None:
    async with running_link(pbx.config()) as (link, collected):
        pbx.raw(bytes(range(256)) * 4 + b"\r\n\r\n")
        pbx.raw(b"\r\n\r\n\r\nno colon here\r\n\r\n")
        pbx.raw(b"\xff\xfe half a message\r\nEvent: AfterGarbage\r\nKey: value\r\n\r\n")
        pbx.raw(b"Event\r\n\r\nResponse: \r\n\r\n: \r\n\r\n")
        found = await collected.event("AfterGarbage")
        assert found.get("key") == "value"
        await link.actions.ping()
        assert link.epoch == 1


async def test_a_half_message_before_the_end(pbx: FakeAmi) -> None:
    async with running_link(pbx.config()) as (_, collected):
        pbx.raw(b"Event: Half\r\nUniqueid: 1")
        await eventually(lambda: pbx.logged_in == 1)
        pbx.hang_up()
        assert (await collected.item(EpochEnded)).reason == "eof"
        await collected.item(EpochStarted, count=2)
        assert collected.events("Half") == []


async def test_answers_with_a_wrong_action_id_answer_nothing(pbx: FakeAmi) -> None:
    def strangers(action: Received) -> bytes:
        return message({"Response": "Success", "ActionID": "somebody-else"}) + message(
            {"Response": "Success", "Message": "no id at all"}
        )

    async with running_link(pbx.config(action_timeout=SHORT)) as (link, _):
        pbx.behaviour.answers["Hangup"] = strangers
        with pytest.raises(AmiTimeout):
            await link.actions.hangup("PJSIP/1001-1")
        await link.actions.ping()


async def test_duplicate_and_late_answers_are_strays(pbx: FakeAmi) -> None:
    def twice(action: Received) -> bytes:
        return message({"Response": "Success", "ActionID": action.action_id, "Ping": "Pong"}) * 2

    async with running_link(pbx.config(action_timeout=SHORT)) as (link, _):
        pbx.behaviour.answers["Ping"] = twice
        for _ in range(3):
            await link.actions.ping()
        pbx.behaviour.silent.add("Hangup")
        with pytest.raises(AmiTimeout):
            await link.actions.hangup("PJSIP/1001-1")
        late = pbx.seen("Hangup")[0].action_id
        pbx.raw(message({"Response": "Success", "ActionID": late}))
        await link.actions.ping()
        assert link.pending_actions == 0


async def test_a_huge_message_is_cut_off_and_the_next_one_is_whole(pbx: FakeAmi) -> None:
    huge = (
        b"Event: Hangup\r\nUniqueid: 17\r\nCallerIDName: "
        + "张".encode() * 400_000
        + b"\r\nCause: 16\r\n\r\n"
    )
    async with running_link(pbx.config()) as (link, collected):
        pbx.raw(huge + event("Next", {"Uniqueid": "18"}))
        await collected.event("Next")
        hangup = collected.events("Hangup")[0]
        assert hangup.truncated
        assert hangup.get("uniqueid") == "17"
        assert len(hangup.get("calleridname")) < 70_000
        assert link.epoch == 1


async def test_a_caller_name_of_ten_kilobytes_is_nothing_special(pbx: FakeAmi) -> None:
    name = "王" * 3400
    async with running_link(pbx.config()) as (_, collected):
        pbx.event("NewCallerid", {"CallerIDName": name})
        assert (await collected.event("NewCallerid")).get("calleridname") == name


async def test_a_flood_does_not_keep_answers_from_coming(pbx: FakeAmi) -> None:
    async with running_link(pbx.config()) as (link, collected):
        for _ in range(10):
            pbx.raw(event("DialState", {"Uniqueid": "1", "DialStatus": "RINGING"}) * 1000)
        await link.actions.ping(timeout=timedelta(seconds=5))
        await collected.event("DialState", count=10_000, timeout=10)
        assert collected.of(Overflowed) == []


async def test_a_peer_that_never_reads_does_not_hold_us_up(pbx: FakeAmi) -> None:
    async with running_link(pbx.config()) as (link, _):
        pbx.behaviour.reads = False
        await link.actions.ping()  # the last one it reads
        with pytest.raises(AmiTimeout):
            await link.actions.hangup("PJSIP/1001-1", timeout=SHORT)
    assert link.state is LinkState.CLOSED


async def test_cancelling_the_runner_cleans_up(pbx: FakeAmi) -> None:
    before = asyncio.all_tasks()
    link = AmiLink(pbx.config(), clock=SystemClock(), node="pbx1")
    runner = asyncio.create_task(link.run())
    await link.wait_for(LinkState.UP, timeout=timedelta(seconds=20))
    pbx.behaviour.silent.add("Hangup")
    waiting = asyncio.create_task(link.actions.hangup("PJSIP/1001-1"))
    await pbx.asked("Hangup")
    runner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await runner
    assert isinstance(await asyncio.gather(waiting, return_exceptions=True), list)
    assert link.state is LinkState.DOWN
    await eventually(lambda: pbx.logged_in == 0)
    assert asyncio.all_tasks() - before <= pbx.tasks
    # The supervisor may start it again.
    runner = asyncio.create_task(link.run())
    await link.wait_for(LinkState.UP, timeout=timedelta(seconds=20))
    await link.close()
    await runner
    await link.close()


async def test_closing_says_goodbye_and_ends_the_stream(pbx: FakeAmi) -> None:
    async with running_link(pbx.config()) as (link, collected):
        await link.actions.ping()
    assert pbx.seen("Logoff")
    assert isinstance(collected.items[-1], LinkMoved)
    assert collected.of(EpochEnded)[-1].reason == "closed"
    assert [item async for item in link.items()] == []


async def test_a_link_that_never_ran_can_be_closed(pbx: FakeAmi) -> None:
    link = AmiLink(pbx.config(), clock=SystemClock(), node="pbx1")
    await link.close()
    await link.run()
    assert link.state is LinkState.CLOSED
    assert pbx.accepted == 0


async def test_plain_login(pbx: FakeAmi) -> None:
    async with running_link(pbx.config(md5_login=False)) as (link, _):
        assert pbx.seen("Challenge") == []
        await link.actions.ping()


async def test_one_consumer_at_a_time(pbx: FakeAmi) -> None:
    async with running_link(pbx.config()) as (link, collected):
        await collected.item(EpochStarted)
        await collected.event("FullyBooted")
        with pytest.raises(RuntimeError, match="one consumer"):
            async for _ in link.items():
                pass
