"""A town full of customers behind the trunk: each is called, answers or does not, hears, presses keys.

It is the truth that a dialler is held against: every INVITE that arrived, what was said to whoever answered,
which key they pressed to what, and whether something else was said after it. Thousands of people live in one
process, on one SIP port and one port for what they hear.
"""

import asyncio
import random
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, cast

from app.handset import EVENT_PAYLOAD, KEYS, Packet
from telephony.audio import FRAME_SAMPLES, Law
from tests.support.sip_phone import Dialog, SipMessage
from tests.support.tones import Prompt, Said, ToneEar, Tones
from tests.support.town_people import MANNERS, WAYS_OUT, FarCall, Press, one_of

AGAIN_SECONDS: Final = 0.5
FRAME_SECONDS: Final = 0.02
EVENT_STEPS: Final = 6
DEAF_SECONDS: Final = 0.9
"""A text is half a second long: whoever hears it longer after their key than this hears it again."""
QUIET_SECONDS: Final = 2.5
SILENCE_SECONDS: Final = 25.0
"""Whoever hears nothing for so long hangs up, and it is remembered."""
SENDS: Final = 8


class Town(asyncio.DatagramProtocol):
    """The people. Give it to an event loop as the protocol of the trunk's SIP port: see :func:`town`."""

    def __init__(self, tones: Tones, host: str, port: int, *, seed: int) -> None:
        self.calls: list[FarCall] = []
        self.heard_of: Counter[str] = Counter()
        self.habits: dict[str, tuple[str, str]] = {}
        """Number → the way and the manner of somebody who does always the same."""
        self._tones = tones
        self._host, self._port = host, port
        self._seed = seed
        self._lines: dict[str, _Line] = {}
        self._by_media: dict[tuple[str, int], _Line] = {}
        self._sip: asyncio.DatagramTransport | None = None
        self.media = _Media(self._by_media)

    @property
    def talking(self) -> list[FarCall]:
        """The calls in which somebody answered and nobody hung up."""
        return [line.call for line in self._lines.values() if line.call.talked and line.call.up]

    def cut_off(self) -> None:
        """The exchange is gone, and every call with it; nobody says goodbye."""
        for line in list(self._lines.values()):
            line.call.lost = True
            line.over("lost")

    # -- SIP -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sip = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = SipMessage.parse(data)
        if message is None:
            return
        line = self._lines.get(message.call_id)
        if message.is_response:
            if line is not None and message.method == "BYE":
                line.quits_resending()
        elif line is not None:
            line.asked(message)
        elif message.method == "INVITE":
            self._rings(message, addr)
        elif message.method != "ACK":
            known = message.method in {"OPTIONS", "BYE", "CANCEL"}
            stranger = Dialog(message, self._host, self._port, 0)
            self.send(stranger.answer(message, "200 OK" if known else "481 No Such Call"), addr)

    def error_received(self, exc: Exception) -> None:
        """The exchange is being started again."""

    def send(self, data: bytes, addr: tuple[str, int]) -> None:
        """Send a datagram; one that is lost is lost."""
        if self._sip is not None and not self._sip.is_closing():
            with suppress(OSError):
                self._sip.sendto(data, addr)

    def _rings(self, invite: SipMessage, addr: tuple[str, int]) -> None:
        number = invite.number
        nth = self.heard_of[number]
        self.heard_of[number] += 1
        # How somebody takes their nth call does not depend on what else happens in the run.
        chance = random.Random(f"{self._seed}:{number}:{nth}")
        way, manner = self.habits.get(number) or (one_of(chance, WAYS_OUT), one_of(chance, MANNERS))
        call = FarCall(
            number=number,
            nth=nth,
            at=time.time(),
            way=way,
            manner=manner,
            chance=chance,
            dialog=Dialog(invite, self._host, self._port, self.media.port),
        )
        self.calls.append(call)
        line = self._lines[invite.call_id] = _Line(self, call, addr, self._tones, self._forget)
        if invite.audio is not None:
            self._by_media[invite.audio] = line
        line.begin()

    def _forget(self, line: "_Line") -> None:
        self._lines.pop(line.call.dialog.invite.call_id, None)
        audio = line.call.dialog.invite.audio
        if audio is not None and self._by_media.get(audio) is line:
            del self._by_media[audio]


class _Line:
    """One call while it lasts: its signalling, its ear and its fingers."""

    def __init__(
        self,
        town: Town,
        call: FarCall,
        addr: tuple[str, int],
        tones: Tones,
        forget: Callable[["_Line"], None],
    ) -> None:
        self.call = call
        self._town = town
        self._addr = addr
        self._tones = tones
        self._forget = forget
        self._loop = asyncio.get_running_loop()
        self._ear = ToneEar()
        self._heard_at = 0.0
        self._expected = 0
        self._timers: set[asyncio.TimerHandle] = set()
        self._resend: asyncio.TimerHandle | None = None
        self._final: bytes | None = None
        self._answers_left = call.chance.randrange(1, 5)
        self._sequence = call.chance.randrange(1 << 15)
        self._timestamp = call.chance.randrange(1 << 30)

    # -- signalling ------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Ring, then do what they do."""
        call = self.call
        self._reply(call.dialog.invite, "180 Ringing")
        if call.way == "silence":
            return
        wait = call.chance.uniform(0.05, 0.6)
        self._later(wait, self._does, call.way or "200 OK")

    def asked(self, message: SipMessage) -> None:
        """Take a request of this call."""
        match message.method:
            case "INVITE" if message.in_dialog:
                self._reply(message, "200 OK")
            case "INVITE":
                if self._final is not None:
                    self._town.send(self._final, self._addr)
            case "ACK":
                self.quits_resending()
                if self.call.ended_by:
                    self._forget(self)
                elif not self.call.talked:
                    self._answered()
            case "BYE":
                self._reply(message, "200 OK")
                self.over("far")
            case "CANCEL":
                self._reply(message, "200 OK")
                if self._final is None:
                    self._does("487 Request Terminated")
            case _:
                self._reply(message, "200 OK")

    def over(self, by: str) -> None:
        """The call has ended."""
        call = self.call
        if call.up:
            call.ended_by, call.ended_at = by, time.time()
            if call.talked:
                call.quiet = max(call.quiet, self._loop.time() - self._heard_at)
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if by in {"far", "lost"}:
            self.quits_resending()
            self._forget(self)

    def quits_resending(self) -> None:
        """What was sent has arrived."""
        if self._resend is not None:
            self._resend.cancel()
            self._resend = None
        if self.call.ended_by == "near":
            self._forget(self)

    def hang_up(self) -> None:
        """Have enough."""
        if self.call.up:
            self.over("near")
            self._send_until_taken(self.call.dialog.bye())

    def _does(self, status: str) -> None:
        self._final = self.call.dialog.answer(self.call.dialog.invite, status)
        self._send_until_taken(self._final)
        if not status.startswith("200"):
            self.call.ended_by, self.call.ended_at = status, time.time()

    def _reply(self, message: SipMessage, status: str) -> None:
        self._town.send(self.call.dialog.answer(message, status), self._addr)

    def _send_until_taken(self, data: bytes, left: int = SENDS, wait: float = AGAIN_SECONDS) -> None:
        self._town.send(data, self._addr)
        if left:
            longer = min(4.0, wait * 2)
            self._resend = self._loop.call_later(wait, self._send_until_taken, data, left - 1, longer)
        else:
            # Nobody is there any more.
            self.call.ended_at = self.call.ended_at or time.time()
            self._forget(self)

    def _later(self, seconds: float, do: Callable[..., object], *arguments: object) -> None:
        timer: asyncio.TimerHandle

        def run() -> None:
            self._timers.discard(timer)
            if self.call.up:
                do(*arguments)

        timer = self._loop.call_later(seconds, run)
        self._timers.add(timer)

    # -- ears and fingers ------------------------------------------------------------------------------

    def _answered(self) -> None:
        self.call.talked = True
        self._heard_at = self._loop.time()
        for step in range(4):
            self._later(step * FRAME_SECONDS, self._packet, Law.A.payload_type, _SILENCE, False, True)
        self._later(SILENCE_SECONDS, self._still_there)

    def _still_there(self) -> None:
        left = self._heard_at + SILENCE_SECONDS - self._loop.time()
        if left <= 0:
            self.hang_up()
        else:
            self._later(left, self._still_there)

    def hears(self, packet: Packet) -> None:
        """Take a packet of what is said."""
        call = self.call
        if packet.payload_type != Law.A.payload_type or not call.up or not call.talked:
            return
        now = self._loop.time()
        call.quiet = max(call.quiet, now - self._heard_at)
        self._heard_at = now
        # By what is written on the packets, not by when they came: a machine that stalls says nothing new.
        if packet.marker or packet.sequence != self._expected:
            self._ear.pause()
        self._expected = (packet.sequence + 1) & 0xFFFF
        index = self._ear.hear(packet.payload)
        if index is not None and index < len(self._tones.prompts):
            self._understands(self._tones.prompts[index])

    def _understands(self, prompt: Prompt) -> None:
        call, now = self.call, time.time()
        last = call.presses[-1] if call.presses else None
        if prompt is call.last and (
            last is None or last.prompt is not prompt or now - last.at < DEAF_SECONDS
        ):
            return
        if prompt.said is Said.WRONG_KEY and prompt is not call.last:
            call.wrong_keys += 1
        elif last is not None and last.prompt is not prompt and prompt.said not in _NOTHING_SAID:
            last.heeded = True
        call.last = prompt
        key = self._key_for(prompt)
        if key == "hang up":
            self._later(call.chance.uniform(0.0, 1.0), self.hang_up)
        elif key:
            call.presses.append(Press(prompt, key, now))
            self._press(key)
            if prompt.said is Said.RECORD:
                self._later(QUIET_SECONDS, self._says_no_more)

    def _says_no_more(self) -> None:
        """Press the key again: the first may have come into the sound before a recording."""
        call = self.call
        if call.last is not None and call.last.said is Said.RECORD:
            if self._loop.time() - self._heard_at > QUIET_SECONDS / 2:
                self._press("#")
            self._later(QUIET_SECONDS, self._says_no_more)

    def _key_for(self, prompt: Prompt) -> str:
        """Return what they press to what they hear, nothing for nothing."""
        call, manner = self.call, self.call.manner
        if manner == "mute":
            return ""
        match prompt.said:
            case Said.OPENING:
                return {"later": "2", "no_more": "9", "person": "0"}.get(manner, "1")
            case Said.QUESTION:
                self._answers_left -= 1
                if manner == "hangs_up" and self._answers_left < 0:
                    return "hang up"
                keys = list(prompt.keys)
                return call.chance.choice(keys) if manner == "unhappy" else keys[0]
            case Said.WHEN:
                return call.chance.choice(list(prompt.keys))
            case Said.REFUSAL | Said.GOING_ON:
                return "1"
            case Said.RECORD:
                return "#"
            case Said.TRANSFER:
                return "hang up"
            case _:
                return ""

    def _press(self, key: str) -> None:
        code = KEYS.index(key)
        for step in range(1, EVENT_STEPS + 1):
            payload = struct.pack("!BBH", code, 10, step * FRAME_SAMPLES)
            self._later(step * FRAME_SECONDS, self._packet, EVENT_PAYLOAD, payload, step == 1, False)
        last = struct.pack("!BBH", code, 0x80 | 10, EVENT_STEPS * FRAME_SAMPLES)
        for repeat in range(3):
            at = (EVENT_STEPS + 1) * FRAME_SECONDS + repeat * 0.004
            self._later(at, self._packet, EVENT_PAYLOAD, last, False, repeat == 2)

    def _packet(self, kind: int, payload: bytes, marker: bool, whole: bool) -> None:
        audio = self.call.dialog.invite.audio
        if audio is not None:
            packet = Packet(kind, self._sequence, self._timestamp, 0x5EED, payload, marker)
            self._town.media.send(packet.encode(), audio)
            self._sequence = (self._sequence + 1) & 0xFFFF
            if whole:
                steps = 1 if kind == Law.A.payload_type else EVENT_STEPS + 4
                self._timestamp = (self._timestamp + steps * FRAME_SAMPLES) & 0xFFFFFFFF


_SILENCE: Final = bytes([Law.A.silence]) * FRAME_SAMPLES
_NOTHING_SAID: Final = frozenset({Said.SORRY, Said.OTHER})
"""After these words nothing has been heeded."""


class _Media(asyncio.DatagramProtocol):
    """The one port at which everybody hears; whoever speaks is known by where it comes from."""

    def __init__(self, lines: dict[tuple[str, int], _Line]) -> None:
        self._lines = lines
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def port(self) -> int:
        """The port for the SDP."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        line = self._lines.get(addr)
        packet = Packet.decode(data) if line is not None else None
        if line is not None and packet is not None:
            line.hears(packet)

    def error_received(self, exc: Exception) -> None:
        """The call's other end is gone already."""

    def send(self, data: bytes, addr: tuple[str, int]) -> None:
        """Send a packet."""
        if self._transport is not None and not self._transport.is_closing():
            with suppress(OSError):
                self._transport.sendto(data, addr)


@asynccontextmanager
async def town(tones: Tones, host: str, port: int, *, seed: int = 1) -> AsyncIterator[Town]:
    """Let people live at ``host:port`` for the length of the block."""
    loop = asyncio.get_running_loop()
    found = Town(tones, host, port, seed=seed)
    transports: list[asyncio.BaseTransport] = []
    try:
        heard, _ = await loop.create_datagram_endpoint(lambda: found.media, local_addr=(host, 0))
        transports.append(heard)
        asked, _ = await loop.create_datagram_endpoint(lambda: found, local_addr=(host, port))
        transports.append(asked)
        yield found
    finally:
        found.cut_off()
        for transport in transports:
            transport.close()
