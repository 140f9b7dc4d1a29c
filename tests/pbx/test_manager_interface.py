"""What the AMI user may see and do: all the call model needs, none of the floods, no console."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.runtime import Runtime
from app.sipp.phone import answers
from telephony.agi.session import AgiSession
from tests.support.agi_routes import agi_routes, hang_up_after_queue, to_queue
from tests.support.pbx import Pbx, running_pbx
from tests.support.sipp import agent_phone, customer, sign_in
from tests.support.waiting import eventually

pytestmark = pytest.mark.pbx

Message = dict[str, str]


class Manager:
    """The bare protocol: what is sent and what comes, as dicts."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.seen: list[Message] = []
        self._writer = writer

    def send(self, **headers: str) -> None:
        lines = [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def ask(self, **headers: str) -> Message:
        self.send(**headers)
        wanted = headers["ActionID"]
        return (
            await eventually(
                lambda: next((m for m in self.seen if "Response" in m and m.get("ActionID") == wanted), None),
                what=str(headers),
            )
            or {}
        )

    def names(self) -> set[str]:
        return {message["Event"] for message in self.seen if "Event" in message}


@contextlib.asynccontextmanager
async def manager(pbx: Pbx, secret: str = "ami-secret") -> AsyncIterator[tuple[Manager, Message]]:
    reader, writer = await asyncio.open_connection(pbx.config.ami_host, pbx.config.ami_port)
    found = Manager(writer)

    async def read() -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readline()
            while True:
                raw = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "replace")
                message: Message = {}
                for line in raw.strip().split("\r\n"):
                    name, _, value = line.partition(":")
                    message[name] = "\n".join(filter(None, (message.get(name), value.strip())))
                found.seen.append(message)

    reading = asyncio.create_task(read())
    try:
        login = await found.ask(Action="Login", ActionID="in", Username=pbx.config.ami_user, Secret=secret)
        yield found, login
    finally:
        writer.close()
        await reading


async def to_service(agi: AgiSession) -> None:
    await agi.answer()
    await agi.user_event("HuifangMenu", Call=await agi.get_variable("HF_CALL") or "", Node="root", Key="1")
    await to_queue(agi, "service")


async def test_events_of_a_call_say_which_call_and_floods_stay_away(tmp_path: Path, runtime: Runtime) -> None:
    async with running_pbx(tmp_path, runtime=runtime) as pbx, manager(pbx) as (ami, login):
        assert login["Response"] == "Success"
        routes = {"flow": to_service, "after-queue": hang_up_after_queue}
        async with agi_routes(pbx.config.agi_port, routes), agent_phone(pbx, "1001", answers()) as agent:
            await sign_in(pbx, "1001", "service")
            async with customer(pbx, name="张三: 重庆") as caller:
                call = await agent.rings()
                await call.until("talking")
                await call.hold()
                await call.unhold()
                await call.hang_up()
                await caller.ended()
            await eventually(pbx.idle)
        wanted = {
            "FullyBooted",
            "Newchannel",
            "Newstate",
            "DialBegin",
            "DialEnd",
            "BridgeCreate",
            "BridgeEnter",
            "BridgeLeave",
            "BridgeDestroy",
            "QueueCallerJoin",
            "QueueCallerLeave",
            "QueueMemberAdded",
            "QueueMemberStatus",
            "AgentCalled",
            "AgentConnect",
            "AgentComplete",
            "DeviceStateChange",
            "Hold",
            "Unhold",
            "Hangup",
            "HangupRequest",
            "UserEvent",
            "NewConnectedLine",
        }
        await eventually(lambda: wanted <= ami.names(), what=str(wanted - ami.names()))
        floods = {"VarSet", "Newexten", "RTCPSent", "RTCPReceived", "MusicOnHoldStart", "DTMFBegin", "Cdr"}
        assert not ami.names() & floods
        ended = [message for message in ami.seen if message.get("Event") == "Hangup"]
        calls = {message["ChanVariable"].split("\n")[0] for message in ended}
        assert len(calls) == 1
        assert len(ended) == 2
        assert next(iter(calls)).startswith("HF_CALL=")
        assert all("Timestamp" in message for message in ended)
        assert len(ami.seen) < 120


async def test_what_may_be_asked_and_what_not(tmp_path: Path, runtime: Runtime) -> None:
    async with running_pbx(tmp_path, runtime=runtime) as pbx, manager(pbx) as (ami, _):
        for number, action in enumerate(
            (
                "CoreShowChannels",
                "QueueStatus",
                "DeviceStateList",
                "BridgeList",
                "CoreStatus",
                "CoreSettings",
                "Ping",
            )
        ):
            answer = await ami.ask(Action=action, ActionID=f"ok{number}")
            assert answer["Response"] == "Success", action
        added = await ami.ask(
            Action="QueueAdd",
            ActionID="add",
            Queue="service",
            Interface="PJSIP/1001",
            StateInterface="PJSIP/1001",
        )
        assert added["Response"] == "Success"
        for number, action in enumerate(("Command", "UpdateConfig", "GetConfig", "DBPut")):
            answer = await ami.ask(
                Action=action, ActionID=f"no{number}", Command="core show uptime", Filename="x"
            )
            assert answer["Response"] == "Error", action


async def test_a_wrong_password_is_refused(tmp_path: Path, runtime: Runtime) -> None:
    async with running_pbx(tmp_path, runtime=runtime) as pbx, manager(pbx, "guessed") as (_, login):
        assert login["Response"] == "Error"
