"""RTP packets, keys as telephone events, and an ear that finds silence."""

import asyncio
import math
import struct
from array import array
from itertools import pairwise
from pathlib import Path

import pytest

from app.handset import FRAME_SECONDS, KEYS, Ear, Handset, Packet
from telephony.audio import FRAME_SAMPLES, RATE, Law, encode, read_wav
from tests.support.waiting import eventually

pytestmark = pytest.mark.unit

TONE = array("h", [round(8000 * math.sin(math.tau * 400 * i / RATE)) for i in range(RATE)])


def audio(samples: "array[int]", law: Law = Law.A) -> list[Packet]:
    raw = encode(samples, law)
    frames = [raw[at : at + FRAME_SAMPLES] for at in range(0, len(raw), FRAME_SAMPLES)]
    return [Packet(law.payload_type, n, n * FRAME_SAMPLES, 1, frame) for n, frame in enumerate(frames)]


def test_a_packet_survives_the_wire() -> None:
    packet = Packet(8, 65535, 4_000_000_000, 77, b"abc", marker=True)
    assert Packet.decode(packet.encode()) == packet


def test_contributors_extension_and_padding_are_left_out() -> None:
    head = struct.pack("!BBHII", 0x80 | 0x20 | 0x10 | 1, 8, 1, 2, 3)
    raw = head + b"CSRC" + b"\xbe\xde\x00\x01EXT!" + b"voice" + b"\x00\x00\x03"
    packet = Packet.decode(raw)
    assert packet is not None
    assert packet.payload == b"voice"


@pytest.mark.parametrize("raw", [b"", b"\x80\x08", b"\x00" * 12, b"SIP/2.0 200 OK"])
def test_what_is_no_rtp_is_nothing(raw: bytes) -> None:
    assert Packet.decode(raw) is None


@pytest.mark.parametrize("law", list(Law))
def test_what_was_heard_can_be_kept(law: Law, tmp_path: Path) -> None:
    ear = Ear(began=100.0)
    for number, packet in enumerate(audio(TONE, law)):
        ear.hear(packet, 100.0 + number * FRAME_SECONDS)
    assert ear.packets == 50
    assert ear.loudness() > 5000
    assert ear.silences(longer_than=0.05) == ()
    ear.save(tmp_path / "heard.wav")
    assert len(read_wav(tmp_path / "heard.wav")) == RATE


def test_silence_is_found_where_nothing_came_and_where_nothing_was_said() -> None:
    ear = Ear(began=0.0)
    quiet = audio(array("h", [0] * RATE))
    for number, packet in enumerate(audio(TONE)):
        ear.hear(packet, 1.0 + number * FRAME_SECONDS)
    for number, packet in enumerate(quiet):
        ear.hear(packet, 2.0 + number * FRAME_SECONDS)
    found = ear.silences(longer_than=0.5, until=5.0)
    assert [(round(a, 1), round(b, 1)) for a, b in found] == [(0.0, 1.0), (2.0, 5.0)]


def test_jitter_is_no_silence() -> None:
    ear = Ear(began=0.0)
    for number, packet in enumerate(audio(TONE)):
        ear.hear(packet, number * FRAME_SECONDS + (0.035 if number % 3 == 1 else 0.0))
    assert len(ear.samples()) == RATE


def test_events_and_other_payloads_are_not_heard() -> None:
    ear = Ear()
    ear.hear(Packet(101, 1, 1, 1, b"\x01\x0a\x00\xa0"), 0.0)
    assert ear.packets == 0
    assert ear.loudness() == 0.0


class Recorder(asyncio.DatagramProtocol):
    """Keeps every packet as it came."""

    def __init__(self) -> None:
        self.packets: list[Packet] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        packet = Packet.decode(data)
        assert packet is not None
        self.packets.append(packet)


async def test_a_key_is_a_telephone_event_with_its_end_three_times() -> None:
    recorder = Recorder()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: recorder, local_addr=("127.0.0.1", 0))
    handset = await Handset.open("127.0.0.1")
    try:
        handset.press("7")
        handset.connect("127.0.0.1", transport.get_extra_info("sockname")[1])
        async with asyncio.timeout(20):
            await handset.finished()
        await eventually(lambda: len(recorder.packets) >= 14)
    finally:
        handset.close()
        transport.close()
        await asyncio.sleep(0)
    events = [packet for packet in recorder.packets if packet.payload_type == 101]
    codes = [struct.unpack("!BBH", packet.payload) for packet in events]
    assert {code for code, _, _ in codes} == {KEYS.index("7")}
    assert [end & 0x80 for _, end, _ in codes] == [0] * 6 + [0x80] * 3
    assert [packet.marker for packet in events] == [True] + [False] * 8
    assert len({packet.timestamp for packet in events}) == 1
    following = recorder.packets[len(events)]
    assert following.timestamp == (events[0].timestamp + 9 * FRAME_SAMPLES) & 0xFFFFFFFF
    sequence = [packet.sequence for packet in recorder.packets]
    assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(sequence))
    assert not handset.connected


async def test_two_handsets_hear_each_other_whatever_their_law() -> None:
    one, other = await Handset.open("127.0.0.1"), await Handset.open("127.0.0.1", law=Law.MU)
    try:
        one.connect("127.0.0.1", other.port)
        other.connect("127.0.0.1", one.port)
        one.say(TONE[:1600])
        other.say(TONE[:1600])
        await eventually(lambda: one.ear.loudness() > 1000 and other.ear.loudness() > 1000)
    finally:
        one.close()
        other.close()
        await asyncio.sleep(0)
