"""The FastAGI server against peers that behave badly, and against a fake Asterisk that behaves well."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from kernel.errors import ConfigurationError
from telephony.agi import (
    AgiConfig,
    AgiError,
    AgiServer,
    AgiSession,
    AgiTimeout,
    AgiValueRefused,
    CallerHungUp,
    Digits,
)
from tests.support.fake_agi import FakeChannel, call, deeds, environment_bytes
from tests.support.waiting import eventually

pytestmark = pytest.mark.contract

SHORT = timedelta(milliseconds=200)


async def hello(session: AgiSession) -> None:
    await session.set_variable("SEEN", session.environment.caller_name)
    await session.set_variable("ARGS", "/".join(session.route_args))


@asynccontextmanager
async def serving(
    handler: Callable[[AgiSession], Awaitable[None]] = hello, **changes: object
) -> AsyncIterator[AgiServer]:
    settings: dict[str, object] = {"port": 0, "header_timeout": SHORT, "command_timeout": SHORT, **changes}
    server = AgiServer(AgiConfig(**settings), {"flow": handler})  # type: ignore[arg-type]
    await server.start()
    try:
        yield server
    finally:
        await server.stop(timedelta(0))


async def healthy_call(server: AgiServer) -> FakeChannel:
    async with asyncio.timeout(20):
        channel = await call(server.port, FakeChannel())
    assert channel.variables["SEEN"] == "张三"
    return channel


async def raw_peer(server: AgiServer, raw: bytes) -> bytes:
    """Send ``raw`` and return what the server says until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(raw)
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_call_reaches_its_route_with_its_arguments() -> None:
    async with serving() as server:
        channel = await healthy_call(server)
    assert channel.variables["ARGS"] == "4001"


async def test_hazard_01_a_peer_that_leaves_before_the_blank_line_does_not_freeze_the_loop() -> None:
    async with serving() as server:
        for half in (b"", b"agi_network: yes\n", b"agi_network: yes\nagi_net"):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(half)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            await healthy_call(server)
        await eventually(lambda: server.sessions == 0)


async def test_hazard_01_slow_loris_ends_at_the_header_deadline_and_others_are_served() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"agi_network: yes\n")
        await healthy_call(server)
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\n\n\n",
        bytes(range(256)) * 10 + b"\n\n",
        b"agi_network_script: \n\n",
        b"x" * 70_000,
        b"agi_x: y\n" * 10_000,
    ],
)
async def test_garbage_is_refused_and_the_next_call_is_served(raw: bytes) -> None:
    async with serving() as server:
        assert await raw_peer(server, raw) == b""
        await healthy_call(server)


async def test_nuisances_are_logged_once_a_minute_and_port_scans_not_at_all() -> None:
    with capture_logs() as logs:
        async with serving() as server:
            for _ in range(5):
                await raw_peer(server, b"GET / HTTP/1.1\r\n\r\n")
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.close()
            await writer.wait_closed()
            await eventually(lambda: server.sessions == 0)
    assert [entry["reason"] for entry in logs if entry["event"] == "agi_connection_refused"] == ["not_agi"]


async def test_too_many_connections_are_turned_away_and_calls_in_progress_go_on() -> None:
    release = asyncio.Event()

    async def waiting(session: AgiSession) -> None:
        await release.wait()
        await hello(session)

    async with serving(waiting, max_connections=2, header_timeout=timedelta(seconds=5)) as server:
        calls = [asyncio.create_task(call(server.port, FakeChannel())) for _ in range(2)]
        await eventually(lambda: server.sessions == 2)
        assert await raw_peer(server, environment_bytes()) == b""
        release.set()
        for channel in await asyncio.gather(*calls):
            assert channel.variables["SEEN"] == "张三"
        await healthy_call(server)


async def test_silent_peers_cannot_crowd_out_calls() -> None:
    async with serving(max_waiting=3, header_timeout=timedelta(seconds=30)) as server:
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(6)]
        await eventually(lambda: server.sessions == 3)
        await healthy_call(server)
        for _, writer in silent:
            writer.close()


async def test_only_allowed_peers_are_served() -> None:
    async with serving(allowed_peers=("10.0.0.0/8",)) as server:
        assert await raw_peer(server, environment_bytes()) == b""
    with pytest.raises(ConfigurationError, match="allowed_peers"):
        AgiServer(AgiConfig(allowed_peers=("nonsense",)), {})


async def test_unknown_route_ends_the_connection() -> None:
    async with serving() as server:
        assert await raw_peer(server, environment_bytes(agi_network_script="admin")) == b""
        assert await raw_peer(server, environment_bytes(agi_network_script="../flow")) == b""


async def test_hazard_11_caller_name_cut_in_mid_character_reaches_the_route() -> None:
    async with serving() as server:
        channel = await call(
            server.port, FakeChannel(), environment=environment_bytes(agi_calleridname="王小明".encode()[:-2])
        )
    assert channel.variables["SEEN"] == "王小�"


@pytest.mark.parametrize("name", ["😀<script>alert(1)</script>", "名" * 3500, "a\r\nb", '";,|$(rm)'])
async def test_hostile_caller_names_are_served(name: str) -> None:
    async with serving() as server:
        channel = await call(server.port, FakeChannel(), environment=environment_bytes(agi_calleridname=name))
    assert "SEEN" in channel.variables
    assert len(channel.variables["SEEN"]) <= 128


async def outcome_of(
    answer: bytes | None, act: Callable[[AgiSession], Awaitable[object]], *, close: bool = False
) -> BaseException | object:
    """Let the server run ``act`` against a peer that answers the first command with ``answer``."""
    result: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def handler(session: AgiSession) -> None:
        try:
            result.set_result(await act(session))
        except BaseException as error:
            result.set_result(error)
            raise

    async with serving(handler) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(environment_bytes())
        await reader.readline()
        if answer is not None:
            writer.write(answer)
        if close:
            writer.close()
        async with asyncio.timeout(20):
            found = await result
        writer.close()
    return found


async def get(session: AgiSession) -> str | None:
    return await session.get_variable("X")


async def test_hazard_11_end_of_file_is_the_caller_hanging_up() -> None:
    assert isinstance(await outcome_of(None, get, close=True), CallerHungUp)
    assert isinstance(await outcome_of(b"200 resu", get, close=True), CallerHungUp)


async def test_hazard_11_hangup_line_and_dead_channel_are_the_caller_hanging_up() -> None:
    assert isinstance(await outcome_of(b"HANGUP\n", get), CallerHungUp)
    assert isinstance(await outcome_of(b"511 Command Not Permitted on a dead channel\n", get), CallerHungUp)


async def test_hazard_11_after_a_520_the_next_reply_belongs_to_the_next_command() -> None:
    async def two(session: AgiSession) -> str | None:
        with pytest.raises(AgiError):
            await session.command("NONSENSE")
        return await session.get_variable("X")

    usage = b"520-Invalid command syntax.  Proper usage follows:\nUsage: x\nmore\n520 End of proper usage.\n"

    async def handler_peer() -> object:
        return await outcome_of_two(usage, b"200 result=1 (second)\n", two)

    assert await handler_peer() == "second"


async def outcome_of_two(
    first: bytes, second: bytes, act: Callable[[AgiSession], Awaitable[object]]
) -> object:
    result: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def handler(session: AgiSession) -> None:
        result.set_result(await act(session))

    async with serving(handler) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(environment_bytes())
        for answer in (first, second):
            await reader.readline()
            writer.write(answer)
        async with asyncio.timeout(20):
            found = await result
        writer.close()
    return found


async def test_100_trying_is_not_the_reply() -> None:
    assert await outcome_of(b"100 result=0 Trying...\n200 result=1 (ok)\n", get) == "ok"


async def test_a_reply_nobody_asked_for_does_not_answer_the_next_command() -> None:
    async def two(session: AgiSession) -> tuple[str | None, str | None]:
        return await session.get_variable("A"), await session.get_variable("B")

    assert await outcome_of_two(b"200 result=1 (a)\n200 result=1 (stray)\n", b"200 result=1 (b)\n", two) == (
        "a",
        "b",
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"200 result=123\n", Digits("123", timed_out=False)),
        (b"200 result=12 (timeout)\n", Digits("12", timed_out=True)),
        (b"200 result= (timeout)\n", Digits("", timed_out=True)),
    ],
)
async def test_collected_digits(answer: bytes, expected: Digits) -> None:
    async def collect(session: AgiSession) -> Digits:
        return await session.get_data("ask", timeout=SHORT, max_digits=3, length=SHORT)

    assert await outcome_of(answer, collect) == expected


async def test_a_recording_ends_at_its_key() -> None:
    async def record(session: AgiSession) -> str | None:
        return await session.record_file("message", limit=SHORT, beep=False)

    assert await outcome_of(b"200 result=35 (dtmf) endpos=8000\n", record) == "#"


async def test_an_application_that_asterisk_lacks_is_an_error() -> None:
    found = await outcome_of(b"200 result=-2\n", lambda session: session.exec("Dance", "tango"))
    assert isinstance(found, AgiError)
    assert "no application Dance" in found.message


async def test_no_reply_is_a_timeout_and_closes_the_session() -> None:
    async def twice(session: AgiSession) -> object:
        with pytest.raises(AgiTimeout):
            await session.get_variable("X")
        assert not session.usable
        with pytest.raises(AgiError):
            await session.get_variable("X")
        return "closed"

    assert await outcome_of(None, twice) == "closed"


async def test_endless_reply_is_an_error() -> None:
    assert isinstance(await outcome_of(b"2" * 100_000, get), AgiError)


async def test_hazard_11_cancellation_passes_through() -> None:
    entered = asyncio.Event()
    seen: list[BaseException] = []

    async def handler(session: AgiSession) -> None:
        try:
            entered.set()
            await session.wait_for_digit(timedelta(seconds=60))
        except asyncio.CancelledError as error:
            seen.append(error)
            raise

    async with serving(handler) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(environment_bytes())
        await entered.wait()
        await server.stop(timedelta(0))
        async with asyncio.timeout(20):
            await reader.read()
        writer.close()
    assert len(seen) == 1


async def test_stop_lets_calls_finish_and_takes_no_new_ones() -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def handler(session: AgiSession) -> None:
        entered.set()
        await release.wait()
        await hello(session)

    async with serving(handler) as server:
        port = server.port
        going = asyncio.create_task(call(port, FakeChannel()))
        await entered.wait()
        stopping = asyncio.create_task(server.stop(timedelta(seconds=5)))
        await eventually(lambda: server.sessions == 1)
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)
        release.set()
        await stopping
        assert (await going).variables["SEEN"] == "张三"


async def test_a_crashing_route_is_logged_once_and_ends_the_connection() -> None:
    async def handler(session: AgiSession) -> None:
        raise ZeroDivisionError

    with capture_logs() as logs:
        async with serving(handler) as server:
            assert await raw_peer(server, environment_bytes()) == b""
    assert [entry["event"] for entry in logs].count("agi_session_crashed") == 1


async def test_port_taken_says_so() -> None:
    async with serving() as server:
        with pytest.raises(ConfigurationError, match="cannot listen for FastAGI"):
            await AgiServer(AgiConfig(port=server.port), {}).start()
    with pytest.raises(ConfigurationError):
        _ = AgiServer(AgiConfig(), {}).port


class TestSession:
    async def run(self, act: Callable[[AgiSession], Awaitable[object]], channel: FakeChannel) -> object:
        result: list[object] = []

        async def handler(session: AgiSession) -> None:
            try:
                result.append(await act(session))
            except CallerHungUp as error:
                result.append(error)
                raise

        async with serving(handler) as server:
            await call(server.port, channel)
        return result[0]

    async def test_keys_during_and_after_a_prompt(self) -> None:
        async def act(session: AgiSession) -> object:
            await session.answer()
            return [
                await session.stream_file("hello", escape="12"),
                await session.stream_file("hello", escape="12"),
                await session.wait_for_digit(SHORT),
                await session.wait_for_digit(SHORT),
            ]

        assert await self.run(act, FakeChannel(deeds("!12~"))) == ["1", None, "2", None]

    async def test_hangup_while_a_prompt_plays(self) -> None:
        async def act(session: AgiSession) -> object:
            return await session.stream_file("hello")

        assert isinstance(await self.run(act, FakeChannel(deeds("X"))), CallerHungUp)

    async def test_a_missing_file_is_an_error_not_a_hangup(self) -> None:
        async def act(session: AgiSession) -> object:
            with pytest.raises(AgiError):
                await session.stream_file("gone")
            await session.set_variable("STILL", "here")
            return session.usable

        channel = FakeChannel(broken_files={"gone"})
        assert await self.run(act, channel) is True
        assert channel.variables["STILL"] == "here"

    async def test_user_event_carries_free_text_safely(self) -> None:
        async def act(session: AgiSession) -> object:
            await session.user_event("HuifangMenu", Call="01X", Label="投诉,\r\nAction: Originate")
            return None

        channel = FakeChannel()
        await self.run(act, channel)
        assert channel.events == [
            {"UserEvent": "HuifangMenu", "Call": "01X", "Label": "投诉，  Action: Originate"}
        ]

    async def test_bad_values_are_refused_before_anything_is_sent(self) -> None:
        async def act(session: AgiSession) -> object:
            with pytest.raises(AgiValueRefused):
                await session.set_variable("A", "x\nHANGUP")
            with pytest.raises(AgiValueRefused):
                await session.stream_file("a", escape="x")
            with pytest.raises(AgiValueRefused):
                await session.exec("Queue", "a,b")
            return session.usable

        channel = FakeChannel()
        assert await self.run(act, channel) is True
        assert channel.commands == []
