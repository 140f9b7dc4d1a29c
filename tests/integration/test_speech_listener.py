"""The listener for speech over real sockets: who may bring sound, and how it ends."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from kernel.errors import ConfigurationError, TooMany
from speech.audiosocket import Audio, Hangup, Key, Message, StreamId, encode
from speech.listener import Ended, ListenerConfig, StreamListener
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

PCM = b"\x01\x02" * 160


class Taken:
    """A sink that remembers."""

    def __init__(self, *, fails: bool = False) -> None:
        self.is_open = False
        self.pcm = b""
        self.ended: list[Ended] = []
        self._fails = fails

    def opened(self) -> None:
        self.is_open = True

    def sound(self, pcm: bytes) -> None:
        if self._fails:
            raise RuntimeError("a fault of ours")
        self.pcm += pcm

    def closed(self, reason: Ended) -> None:
        self.ended.append(reason)


@contextlib.asynccontextmanager
async def listening(**config: object) -> AsyncIterator[StreamListener]:
    listener = StreamListener(ListenerConfig(**config))  # type: ignore[arg-type]
    await listener.start()
    try:
        yield listener
    finally:
        await listener.stop()


class Peer:
    """What plays Asterisk."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, *messages: Message) -> None:
        self.writer.write(b"".join(encode(message) for message in messages))

    async def cut_off(self) -> bytes:
        """Return what was said until the end."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(20):
                return await self.reader.read()
        return b""

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def connected(listener: StreamListener) -> AsyncIterator[Peer]:
    peer = Peer(*await asyncio.open_connection("127.0.0.1", listener.port))
    try:
        yield peer
    finally:
        await peer.close()


async def test_an_expected_stream_brings_its_sound_and_ends_with_the_channel() -> None:
    async with listening() as listener:
        sink = Taken()
        stream = listener.expect(sink)
        async with connected(listener) as peer:
            peer.say(StreamId(stream), Audio(PCM), Key("5"), Audio(PCM))
            await eventually(lambda: len(sink.pcm) == 640, timeout=20)
            assert (sink.is_open, listener.streams) == (True, 1)
            peer.say(Audio(PCM), Hangup())
            assert await peer.cut_off() == b""
        await eventually(lambda: sink.ended == [Ended.HANGUP], timeout=20)
        assert (len(sink.pcm), listener.streams) == (960, 0)


async def test_an_id_is_good_once() -> None:
    async with listening() as listener:
        sink = Taken()
        stream = listener.expect(sink)
        async with connected(listener) as first, connected(listener) as second:
            first.say(StreamId(stream), Audio(PCM))
            await eventually(lambda: sink.pcm == PCM, timeout=20)
            second.say(StreamId(stream), Audio(PCM * 2))
            assert await second.cut_off() == b""
            assert (sink.pcm, sink.ended, listener.streams) == (PCM, [], 1)
            first.say(Audio(PCM))
            await eventually(lambda: sink.pcm == PCM * 2, timeout=20)


@pytest.mark.parametrize(
    "said",
    [
        encode(StreamId(UUID(int=0))),
        encode(StreamId(uuid4())),
        encode(Audio(PCM)),
        encode(Hangup()),
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x01\x00\x05abcde",
    ],
    ids=["nobody", "unknown", "sound", "hang-up", "browser", "short"],
)
async def test_whoever_has_no_id_is_cut_off(said: bytes) -> None:
    async with listening() as listener:
        sink = Taken()
        listener.expect(sink)
        async with connected(listener) as peer:
            peer.writer.write(said)
            assert await peer.cut_off() == b"", "and learns nothing"
        assert (sink.is_open, sink.pcm, sink.ended) == (False, b"", [])


async def test_an_id_that_nobody_uses_expires() -> None:
    async with listening(expiry=timedelta(milliseconds=30)) as listener:
        sink = Taken()
        stream = listener.expect(sink)
        await eventually(lambda: sink.ended == [Ended.EXPIRED], timeout=20)
        async with connected(listener) as peer:
            peer.say(StreamId(stream), Audio(PCM))
            assert await peer.cut_off() == b""
        assert sink.pcm == b""


async def test_a_connection_that_does_not_say_who_it_is_ends() -> None:
    async with listening(first_frame=timedelta(milliseconds=30)) as listener, connected(listener) as peer:
        peer.writer.write(b"\x01\x00")
        assert await peer.cut_off() == b""


async def test_a_stream_without_sound_ends() -> None:
    async with listening(idle=timedelta(milliseconds=50)) as listener:
        sink = Taken()
        stream = listener.expect(sink)
        async with connected(listener) as peer:
            peer.say(StreamId(stream))
            await peer.cut_off()
        assert sink.ended == [Ended.IDLE]


@pytest.mark.parametrize(
    "wrong", [b"\x10\x00\x03abc", b"\x55\x00\x00", encode(Audio(PCM, 16_000)), encode(StreamId(UUID(int=1)))]
)
async def test_a_stream_that_goes_wrong_keeps_what_came_before(wrong: bytes) -> None:
    async with listening() as listener:
        sink = Taken()
        stream = listener.expect(sink)
        async with connected(listener) as peer:
            peer.writer.write(encode(StreamId(stream)) + encode(Audio(PCM)) + wrong + encode(Audio(PCM)))
            await peer.cut_off()
        assert (sink.pcm, sink.ended) == (PCM, [Ended.INVALID])


async def test_a_connection_that_ends_is_a_channel_that_was_hung_up() -> None:
    async with listening() as listener:
        sink = Taken()
        stream = listener.expect(sink)
        async with connected(listener) as peer:
            peer.say(StreamId(stream), Audio(PCM))
            await eventually(lambda: sink.is_open, timeout=20)
        await eventually(lambda: sink.ended == [Ended.HANGUP], timeout=20)


async def test_a_connection_that_is_cut() -> None:
    async with listening() as listener:
        sink = Taken()
        stream = listener.expect(sink)
        async with connected(listener) as peer:
            peer.say(StreamId(stream), Audio(PCM))
            await eventually(lambda: sink.is_open, timeout=20)
            peer.writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            peer.writer.transport.abort()
        await eventually(lambda: sink.ended == [Ended.LOST], timeout=20)


async def test_we_end_a_stream_and_asterisk_is_told_to_hang_up() -> None:
    async with listening() as listener:
        sink, unused = Taken(), Taken()
        stream, other = listener.expect(sink), listener.expect(unused)
        async with connected(listener) as peer:
            peer.say(StreamId(stream))
            await eventually(lambda: sink.is_open, timeout=20)
            listener.close(stream)
            listener.close(other)
            listener.close(stream)
            assert await peer.cut_off() == encode(Hangup())
        assert (sink.ended, unused.ended) == ([Ended.CLOSED], [Ended.CLOSED])


async def test_a_fault_of_ours_ends_its_stream_alone() -> None:
    async with listening() as listener:
        bad, good = Taken(fails=True), Taken()
        first, second = listener.expect(bad), listener.expect(good)
        async with connected(listener) as one, connected(listener) as two:
            one.say(StreamId(first), Audio(PCM))
            two.say(StreamId(second), Audio(PCM))
            await one.cut_off()
            await eventually(lambda: good.pcm == PCM, timeout=20)
        assert bad.ended == [Ended.CLOSED]


async def test_whoever_is_not_on_the_list_is_cut_off() -> None:
    async with listening(allowed_peers=("192.0.2.0/24",)) as listener:
        stream = listener.expect(Taken())
        async with connected(listener) as peer:
            peer.say(StreamId(stream))
            assert await peer.cut_off() == b""
        assert listener.streams == 0


async def test_limits_of_streams_and_connections() -> None:
    async with listening(max_streams=2, max_connections=1) as listener:
        sink = Taken()
        stream = listener.expect(sink)
        listener.expect(Taken())
        with pytest.raises(TooMany, match="2 streams"):
            listener.expect(Taken())
        async with connected(listener) as one:
            one.say(StreamId(stream), Audio(PCM))
            await eventually(lambda: sink.pcm == PCM, timeout=20)
            async with connected(listener) as two:
                assert await two.cut_off() == b""
            assert sink.ended == []


async def test_stopping_ends_everything() -> None:
    waiting, open_ = Taken(), Taken()
    async with listening() as listener:
        listener.expect(waiting)
        stream = listener.expect(open_)
        peer = Peer(*await asyncio.open_connection("127.0.0.1", listener.port))
        peer.say(StreamId(stream))
        await eventually(lambda: open_.is_open, timeout=20)
    assert (waiting.ended, open_.ended) == ([Ended.CLOSED], [Ended.CLOSED])
    assert await peer.cut_off() == encode(Hangup())
    await peer.close()


async def test_settings_that_are_wrong() -> None:
    with pytest.raises(ConfigurationError, match=r"speech\.allow"):
        StreamListener(ListenerConfig(allowed_peers=("nowhere",)))
    async with listening() as listener:
        with pytest.raises(ConfigurationError, match="cannot listen for speech"):
            await StreamListener(ListenerConfig(port=listener.port)).start()
