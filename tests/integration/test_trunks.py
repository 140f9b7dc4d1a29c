"""A trunk's server is asked whether it is there; whoever has the link to the PBX tells the others."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from kernel.bus import Bus
from kernel.clock import FakeClock
from telephony.ami.errors import AmiDown
from telephony.asterisk.model import TrunkConfig
from telephony.sip_options import ask_options
from telephony.trunks import TrunkDesk, Trunks, TrunksAsked, TrunksAway
from tests.support.ports import free_port
from tests.support.sip_server import sip_server

pytestmark = pytest.mark.integration

SOON = timedelta(seconds=2)


async def test_a_server_answers() -> None:
    async with sip_server("200 OK") as (server, port):
        answer = await ask_options("127.0.0.1", port, user="4008001234", within=SOON)
    assert (answer.status, answer.reason) == (200, "OK")
    assert answer.took is not None
    assert answer.took < SOON
    assert server.asked[0].startswith(f"OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\n")
    assert "From: <sip:4008001234@127.0.0.1>" in server.asked[0]


async def test_a_refusal_is_an_answer_too() -> None:
    async with sip_server("403 Forbidden") as (_, port):
        answer = await ask_options("127.0.0.1", port, user="x", within=SOON)
    assert (answer.status, answer.reason) == (403, "Forbidden")


async def test_a_lost_packet_is_sent_again() -> None:
    async with sip_server(lost=1) as (server, port):
        answer = await ask_options("127.0.0.1", port, user="x", within=SOON)
    assert (answer.status, len(server.asked)) == (200, 2)


async def test_nobody_there_is_said_in_time() -> None:
    async with sip_server("") as (server, port):
        silent = await ask_options("127.0.0.1", port, user="x", within=SOON)
        assert len(server.asked) == 3
    assert (silent.status, silent.reason, silent.took) == (None, "no answer", None)
    closed = await ask_options("127.0.0.1", free_port(), user="x", within=SOON)
    assert closed.status is None
    assert closed.reason
    unknown = await ask_options("nobody.invalid", 5060, user="x", within=SOON)
    assert unknown.status is None


class Actions:
    """An AMI that is down."""

    async def request(self, *args: Any, **kwargs: Any) -> None:
        raise AmiDown("the link is down", sent=False)


@contextlib.asynccontextmanager
async def desk(bus: Bus, clock: FakeClock, port: int) -> AsyncIterator[None]:
    trunk = TrunkConfig(name="main", host="127.0.0.1", port=port)
    actions: Any = Actions
    made = TrunkDesk(actions, (trunk,), bus, clock, node="pbx1", user="4008001234")
    task = asyncio.create_task(made.run())
    await asyncio.sleep(0.05)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_tested_over_the_bus_with_the_pbx_away(clock: FakeClock) -> None:
    bus = Bus()
    async with sip_server() as (_, port), desk(bus, clock, port):
        (seen,) = await Trunks(bus, clock, node="pbx1").look()
        assert (seen.name, seen.tested, seen.channels) == ("main", False, None)
        (tested,) = await Trunks(bus, clock, node="pbx1").look(test="main")
        assert (tested.tested, tested.status) == (True, 200)
        assert tested.took_ms is not None


async def test_nobody_with_a_link(clock: FakeClock) -> None:
    with pytest.raises(TrunksAway, match="huifang serve"):
        await Trunks(Bus(), clock, node="pbx1", within=timedelta(milliseconds=100)).look()


async def test_an_old_question_is_not_answered(clock: FakeClock) -> None:
    bus = Bus()
    async with desk(bus, clock, free_port()):
        old = TrunksAsked(at=clock.now() - timedelta(seconds=6), request_id="x", node="pbx1", test="main")
        bus.publish(old)
        with pytest.raises(TrunksAway):
            await Trunks(bus, clock, node="pbx2", within=timedelta(milliseconds=200)).look()
