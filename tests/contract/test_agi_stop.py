"""A prompt that is stopped by what the caller says: whichever of the two ends first, replies stay in step."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from telephony.agi.codec import AgiEnvironment
from telephony.agi.errors import CallerHungUp
from telephony.agi.session import AgiSession
from tests.support.fake_agi import ENVIRONMENT

pytestmark = pytest.mark.contract

VARIABLE = "200 result=1 (yes)"


@asynccontextmanager
async def peer(*replies: str) -> AsyncIterator[tuple[AgiSession, list[str], asyncio.Event]]:
    """A session, what it sends, and an event set when the prompt plays.

    Asterisk answers the prompt only together with the command that stops it: with ``replies``.
    """
    commands: list[str] = []
    writers: list[asyncio.StreamWriter] = []
    plays = asyncio.Event()
    made: asyncio.Queue[AgiSession] = asyncio.Queue()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        made.put_nowait(AgiSession(AgiEnvironment(dict(ENVIRONMENT)), reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def obey() -> None:
        while line := (await reader.readline()).decode().rstrip("\n"):
            commands.append(line)
            if line.startswith("STREAM FILE"):
                plays.set()
                continue
            told = replies if line == "NOOP" else (VARIABLE,)
            writer.write("".join(f"{one}\n" for one in told).encode())

    obeying = asyncio.create_task(obey())
    try:
        async with asyncio.timeout(20):
            yield await made.get(), commands, plays
    finally:
        obeying.cancel()
        for one in (writer, *writers):
            one.close()
        await asyncio.gather(*(one.wait_closed() for one in (writer, *writers)), return_exceptions=True)
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("replies", "key"),
    [
        (("200 result=0",), None),
        (("200 result=0 endpos=16000", "200 result=0"), None),
        (("200 result=49 endpos=8000", "200 result=0"), "1"),
    ],
    ids=["stopped", "ended_by_itself", "key_wins"],
)
async def test_a_prompt_that_is_stopped_leaves_replies_in_step(
    replies: tuple[str, ...], key: str | None
) -> None:
    async with peer(*replies) as (session, commands, plays):
        stop = asyncio.Event()
        playing = asyncio.create_task(session.stream_file("menu", escape="1", stop=stop))
        await plays.wait()
        stop.set()
        assert await playing == key
        assert await session.get_variable("HF_CALL") == "yes"
        assert commands == ["STREAM FILE menu 1", "NOOP", "GET VARIABLE HF_CALL"]


async def test_nothing_is_played_once_it_is_to_stop() -> None:
    async with peer() as (session, commands, _plays):
        stop = asyncio.Event()
        stop.set()
        assert await session.stream_file("menu", stop=stop) is None
        assert commands == []


async def test_who_hangs_up_while_it_is_stopped_has_hung_up() -> None:
    async with peer("200 result=-1 endpos=800", "HANGUP") as (session, _commands, plays):
        stop = asyncio.Event()
        playing = asyncio.create_task(session.stream_file("menu", stop=stop))
        await plays.wait()
        stop.set()
        with pytest.raises(CallerHungUp):
            await playing
