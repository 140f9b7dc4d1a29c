"""Many telephones behind one SIP port, each with a plan: it answers, refuses, or rings on; and what it saw.

Customers in the network and agents at their desks are played alike. Whoever has a ``voice`` sends it for the
first seconds of a call; whoever listens for one notes when it was first heard, which is when two people were
really connected. Signalling goes through :mod:`tests.support.sip_phone`.
"""

import asyncio
import hashlib
import re
import secrets
import struct
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

from telephony.audio import FRAME_SAMPLES, RATE, Law, encode
from tests.support.sip_phone import Dialog, SipMessage

VOICE: Final = bytes([0x2A, 0xAA]) * (FRAME_SAMPLES // 2)
VOICE_SECONDS: Final = 3.0
VOICE_EVERY: Final = 0.04
AGAIN: Final = 0.5
SENDS: Final = 6
PAYLOADS: Final = {Law.A: 8, Law.MU: 0}
EARLY_SOURCE: Final = 7
_CHALLENGE: Final = re.compile(r'(\w+)="?([^",]+)"?')


@dataclass(frozen=True, slots=True)
class Plan:
    """What a telephone does with a call.

    Attributes:
        ring: seconds until it answers or refuses; ``None`` rings on until the caller gives up.
        talk: seconds from the answer until it hangs up; ``None`` leaves that to the other side.
        refusal: the SIP status with which it refuses.
        first: the SIP status with which it begins; with 183 its network may say something.
        early: what that says, 16-bit sound at 8 kHz.
        law: how it is coded.
    """

    ring: float | None
    talk: float | None = None
    refusal: str = ""
    first: str = "180 Ringing"
    early: bytes = b""
    law: Law = Law.A


@dataclass(slots=True, eq=False)
class FarCall:
    """A call as its telephone saw it. Times are the event loop's."""

    number: str
    at: float
    dialog: Dialog
    answered_at: float | None = None
    heard_at: float | None = None
    ended_at: float | None = None
    ended_by: str = ""
    acknowledged: bool = False
    reply: bytes = b""
    timers: list[asyncio.TimerHandle] = field(default_factory=list)

    def waited(self) -> float | None:
        """How long after its answer somebody was heard."""
        if self.answered_at is None or self.heard_at is None:
            return None
        return self.heard_at - self.answered_at


class FarEnd(asyncio.DatagramProtocol):
    """The telephones. ``async with far_end(…)`` makes it.

    Attributes:
        calls: every call, also those that are over, in order.
        on_over: told of each call that was answered and has ended.
    """

    def __init__(self, host: str, plan: Callable[[str], Plan], pbx: tuple[str, int], *, speaks: bool) -> None:
        self.calls: list[FarCall] = []
        self.on_over: Callable[[FarCall], None] = lambda call: None
        self._host = host
        self._plan = plan
        self._pbx = pbx
        self._speaks = speaks
        self._open: dict[str, FarCall] = {}
        self._by_media: dict[tuple[str, int], FarCall] = {}
        self._asked: dict[str, asyncio.Future[SipMessage]] = {}
        self._sip: asyncio.DatagramTransport | None = None
        self.media = _Media(self._by_media)
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sip = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = SipMessage.parse(data)
        if message is None:
            return
        if message.is_response:
            asked = self._asked.get(message.call_id)
            if asked is not None and not asked.done() and not message.first.startswith("SIP/2.0 1"):
                asked.set_result(message)
            return
        call = self._open.get(message.call_id)
        match message.method:
            case "INVITE" if call is None:
                self._ring(message)
            case "INVITE" if call is not None and not message.in_dialog:
                self._send(call.reply)
            case "ACK":
                if call is not None:
                    call.acknowledged = True
            case "CANCEL" if call is not None:
                self._send(call.dialog.answer(message, "200 OK"))
                if call.answered_at is None:
                    self._reply(call, "487 Request Terminated")
                    self._over(call, "cancelled")
            case "BYE":
                self._answer_bye(message, call)
            case _:
                dialog = call.dialog if call is not None else self._dialog(message)
                self._send(dialog.answer(message, "200 OK"))

    # -- calls ---------------------------------------------------------------------------------------

    def _ring(self, invite: SipMessage) -> None:
        number = invite.number
        plan = self._plan(number)
        call = FarCall(number, self._loop.time(), self._dialog(invite))
        call.dialog.payload = PAYLOADS[plan.law]
        self.calls.append(call)
        self._open[invite.call_id] = call
        if invite.audio is not None:
            self._by_media[invite.audio] = call
        self._reply(call, plan.first)
        if plan.early:
            self._announce(call, encode(array("h", plan.early), plan.law), 0)
        if plan.ring is not None:
            call.timers.append(self._loop.call_later(plan.ring, self._decide, call, plan))

    def _decide(self, call: FarCall, plan: Plan) -> None:
        if call.ended_at is not None:
            return
        if plan.refusal:
            self._reply(call, plan.refusal)
            self._over(call, "refused")
            return
        call.answered_at = self._loop.time()
        self._reply(call, "200 OK")
        call.timers.append(self._loop.call_later(AGAIN, self._again, call, SENDS))
        if plan.talk is not None:
            call.timers.append(self._loop.call_later(plan.talk, self._hang_up, call))
        if self._speaks:
            self._speak(call, secrets.randbits(31), 0)

    def _again(self, call: FarCall, left: int) -> None:
        if not call.acknowledged and call.ended_at is None and left:
            self._send(call.reply)
            call.timers.append(self._loop.call_later(AGAIN, self._again, call, left - 1))

    def _speak(self, call: FarCall, source: int, packet: int) -> None:
        audio = call.dialog.invite.audio
        if call.ended_at is None and audio is not None and packet * VOICE_EVERY < VOICE_SECONDS:
            header = struct.pack("!BBHII", 0x80, 8, packet & 0xFFFF, packet * FRAME_SAMPLES * 2, source)
            self.media.send(header + VOICE, audio)
            call.timers.append(
                self._loop.call_later(VOICE_EVERY, self._speak, call, source, packet + 1),
            )

    def _announce(self, call: FarCall, coded: bytes, packet: int) -> None:
        """Say the next packet of what comes before the answer."""
        audio, at = call.dialog.invite.audio, packet * FRAME_SAMPLES
        if call.ended_at is None and call.answered_at is None and audio is not None and at < len(coded):
            header = struct.pack("!BBHII", 0x80, call.dialog.payload, packet & 0xFFFF, at, EARLY_SOURCE)
            self.media.send(header + coded[at : at + FRAME_SAMPLES], audio)
            due = call.at + (packet + 1) * FRAME_SAMPLES / RATE
            call.timers.append(self._loop.call_at(due, self._announce, call, coded, packet + 1))

    def _hang_up(self, call: FarCall) -> None:
        if call.ended_at is None:
            self._send(call.dialog.bye())
            self._over(call, "near")

    def _answer_bye(self, bye: SipMessage, call: FarCall | None) -> None:
        dialog = call.dialog if call is not None else self._dialog(bye)
        self._send(dialog.answer(bye, "200 OK"))
        if call is not None and call.ended_at is None:
            self._over(call, "far")

    def _over(self, call: FarCall, by: str) -> None:
        call.ended_at, call.ended_by = self._loop.time(), by
        for timer in call.timers:
            timer.cancel()
        call.timers.clear()
        audio = call.dialog.invite.audio
        if audio is not None and self._by_media.get(audio) is call:
            del self._by_media[audio]
        # What is told once more about it is still answered for a while.
        self._loop.call_later(5.0, self._open.pop, call.dialog.invite.call_id, None)
        if call.answered_at is not None:
            self.on_over(call)

    def hang_up_all(self) -> None:
        """End what goes on."""
        for call in list(self._open.values()):
            if call.answered_at is not None:
                self._hang_up(call)

    # -- where the telephones are --------------------------------------------------------------------

    async def register(self, number: str, secret: str) -> None:
        """Tell the PBX that this number is here. Raises AssertionError when it is refused."""
        call_id, server = secrets.token_hex(8), f"{self._pbx[0]}:{self._pbx[1]}"
        sign = ""
        for sequence in (1, 2):
            rows = [
                f"REGISTER sip:{server} SIP/2.0",
                f"via: SIP/2.0/UDP {self._host}:{self.port};branch=z9hG4bK{secrets.token_hex(8)}",
                f"from: <sip:{number}@{server}>;tag={call_id}",
                f"to: <sip:{number}@{server}>",
                f"call-id: {call_id}",
                f"cseq: {sequence} REGISTER",
                f"contact: <sip:{number}@{self._host}:{self.port}>",
                "expires: 3600",
                "max-forwards: 70",
                *([sign] if sign else []),
                "content-length: 0",
            ]
            self._asked[call_id] = answer = self._loop.create_future()
            self._send(("\r\n".join(rows) + "\r\n\r\n").encode())
            said = await asyncio.wait_for(answer, 10)
            del self._asked[call_id]
            if said.first.startswith("SIP/2.0 200"):
                return
            given = dict(_CHALLENGE.findall(said.get("www-authenticate")))
            sign = _signed(given, number, secret, f"sip:{server}")
        raise AssertionError(f"{number} is not registered: {said.first}")

    @property
    def port(self) -> int:
        """The SIP port."""
        assert self._sip is not None
        return int(self._sip.get_extra_info("sockname")[1])

    def _dialog(self, request: SipMessage) -> Dialog:
        return Dialog(request, self._host, self.port, self.media.port)

    def _reply(self, call: FarCall, status: str) -> None:
        call.reply = call.dialog.answer(call.dialog.invite, status)
        self._send(call.reply)

    def _send(self, raw: bytes) -> None:
        assert self._sip is not None
        if not self._sip.is_closing():
            self._sip.sendto(raw, self._pbx)

    def close(self) -> None:
        """Free the ports."""
        for call in self._open.values():
            for timer in call.timers:
                timer.cancel()
        if self._sip is not None:
            self._sip.close()
        self.media.close()


class _Media(asyncio.DatagramProtocol):
    """One port for what all telephones hear and say: whom it is for is told by where it comes from."""

    def __init__(self, calls: dict[tuple[str, int], FarCall]) -> None:
        self._calls = calls
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        call = self._calls.get(addr)
        if call is not None and call.heard_at is None and data[12:] == VOICE:
            call.heard_at = asyncio.get_running_loop().time()

    @property
    def port(self) -> int:
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def send(self, raw: bytes, to: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(raw, to)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _signed(given: dict[str, str], number: str, secret: str, uri: str) -> str:
    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    realm, nonce = given["realm"], given["nonce"]
    who, what = md5(f"{number}:{realm}:{secret}"), md5(f"REGISTER:{uri}")
    fields: dict[str, Any] = {"username": number, "realm": realm, "nonce": nonce, "uri": uri}
    if "qop" in given:
        once = secrets.token_hex(8)
        fields["response"] = md5(f"{who}:{nonce}:00000001:{once}:auth:{what}")
        rest = f', qop=auth, nc=00000001, cnonce="{once}"'
    else:
        fields["response"], rest = md5(f"{who}:{nonce}:{what}"), ""
    opaque = f', opaque="{given["opaque"]}"' if "opaque" in given else ""
    shown = ", ".join(f'{name}="{value}"' for name, value in fields.items())
    return f"authorization: Digest {shown}{rest}{opaque}"


@asynccontextmanager
async def far_end(
    host: str, port: int, plan: Callable[[str], Plan], *, pbx: tuple[str, int], speaks: bool = False
) -> AsyncIterator[FarEnd]:
    """Play telephones at an address for the length of the block; port 0 takes a free one."""
    loop = asyncio.get_running_loop()
    made = FarEnd(host, plan, pbx, speaks=speaks)
    await loop.create_datagram_endpoint(lambda: made.media, local_addr=(host, 0))
    await loop.create_datagram_endpoint(lambda: made, local_addr=(host, port))
    try:
        yield made
    finally:
        made.hang_up_all()
        await asyncio.sleep(0)
        made.close()
