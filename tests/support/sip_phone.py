"""A small SIP phone for scenarios that SIPp cannot tell: hold, blind and attended transfer, rejection.

UDP on loopback, no audio (the SDP names a port that swallows what arrives). One :class:`SipPhone` is one
endpoint; each :class:`Dialog` is one call on it.
"""

import asyncio
import contextlib
import secrets

from tests.support.sip_message import SipError, SipMessage, credentials, tag_in, uri_in

Address = tuple[str, int]


class Dialog:
    """One call of a phone. Ended calls keep what they saw."""

    def __init__(self, phone: "SipPhone", call_id: str, *, incoming: SipMessage | None = None) -> None:
        self.phone = phone
        self.call_id = call_id
        self.local_tag = secrets.token_hex(6)
        self.remote_tag = ""
        self.local = ""
        self.remote = ""
        self.target = ""
        self.seq = 1
        self.invite = incoming
        self.answered = asyncio.Event()
        self.ringing = asyncio.Event()
        self.ended = asyncio.Event()
        self.transferred = asyncio.Event()
        self.status = 0
        self._branch = ""
        if incoming is not None:
            self.local = uri_in(incoming.get("to"))
            self.remote = uri_in(incoming.get("from"))
            self.remote_tag = tag_in(incoming.get("from"))
            self.target = uri_in(incoming.get("contact"))

    @property
    def caller_name(self) -> str:
        """Display name the caller showed."""
        return self.invite.get("from").partition("<")[0].strip().strip('"') if self.invite else ""

    # as the called side

    def ring(self) -> None:
        """Answer 180."""
        assert self.invite is not None
        self.phone.answer(self.invite, 180, "Ringing", tag=self.local_tag)

    def answer(self) -> None:
        """Take the call (200 with SDP)."""
        assert self.invite is not None
        self.phone.answer(self.invite, 200, "OK", tag=self.local_tag, sdp="sendrecv")
        self.answered.set()

    def reject(self, status: int = 486, reason: str = "Busy Here") -> None:
        """Refuse the call."""
        assert self.invite is not None
        self.phone.answer(self.invite, status, reason, tag=self.local_tag)
        self.ended.set()

    # either side

    async def hangup(self) -> None:
        """Say BYE, or CANCEL where nobody answered yet."""
        if self.ended.is_set():
            return
        if self.answered.is_set():
            self.ended.set()
            await self.request("BYE")
        else:
            self.phone.send(self._cancel())
            await asyncio.wait_for(self.ended.wait(), 5)

    async def hold(self) -> None:
        """Put the other side on hold (re-INVITE, sendonly)."""
        await self._reinvite("sendonly")

    async def unhold(self) -> None:
        """Take the other side back."""
        await self._reinvite("sendrecv")

    async def dtmf(self, keys: str) -> None:
        """Press keys (SIP INFO)."""
        for key in keys:
            body = f"Signal={key}\r\nDuration=160\r\n"
            await self.request("INFO", body=body, content="application/dtmf-relay")

    async def blind_transfer(self, number: str) -> None:
        """Send the other side to ``number``."""
        host, port = self.phone.server
        await self.request("REFER", extra=[f"Refer-To: <sip:{number}@{host}:{port}>"])

    async def attended_transfer(self, other: "Dialog") -> None:
        """Join the other sides of two calls of this phone."""
        replaces = (
            f"{other.call_id}%3Bto-tag%3D{other.remote_tag}%3Bfrom-tag%3D{other.local_tag}"
            if other.invite is None
            else f"{other.call_id}%3Bto-tag%3D{other.local_tag}%3Bfrom-tag%3D{other.remote_tag}"
        )
        await self.request("REFER", extra=[f"Refer-To: <{other.remote}?Replaces={replaces}>"])

    async def request(
        self, method: str, *, extra: list[str] | None = None, body: str = "", content: str = ""
    ) -> SipMessage:
        """Send a request inside the dialog and return its final answer.

        Raises:
            SipError: it was refused.
        """
        self.seq += 1
        lines = self._lines(method, self.seq, extra or [])
        answer = await self.phone.transact(method, lines, body, content)
        if answer.status >= 300:
            raise SipError(answer.status, answer.start)
        return answer

    async def _reinvite(self, direction: str) -> None:
        await self.request("INVITE", body=self.phone.sdp(direction), content="application/sdp")
        self.ack(self.seq)

    def ack(self, seq: int) -> None:
        """Acknowledge a 2xx to INVITE."""
        self.phone.send_request("ACK", self._lines("ACK", seq, []))

    def _lines(self, method: str, seq: int, extra: list[str]) -> list[str]:
        to = f"<{self.remote}>" + (f";tag={self.remote_tag}" if self.remote_tag else "")
        return [
            f"{method} {self.target} SIP/2.0",
            f"From: <{self.local}>;tag={self.local_tag}",
            f"To: {to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {seq} {method}",
            *extra,
        ]

    def _cancel(self) -> bytes:
        return self.phone.encode(
            [
                f"CANCEL {self.target} SIP/2.0",
                f"Via: {self._branch}",
                f"From: <{self.local}>;tag={self.local_tag}",
                f"To: <{self.remote}>",
                f"Call-ID: {self.call_id}",
                f"CSeq: {self.seq} CANCEL",
            ],
            "",
            "",
        )

    async def place(self, number: str, *, name: str = "", user: str | None = None) -> None:
        """Call ``number``; returns when it is answered.

        Raises:
            SipError: it was refused.
        """
        host, port = self.phone.server
        user = user or self.phone.user
        self.target = self.remote = f"sip:{number}@{host}:{port}"
        self.local = f"sip:{user}@127.0.0.1:{self.phone.port}"
        shown = f'"{name}" ' if name else ""
        lines = self._lines("INVITE", self.seq, [])
        lines[1] = f"From: {shown}<{self.local}>;tag={self.local_tag}"
        self._branch = self.phone.via()
        lines.insert(1, f"Via: {self._branch}")
        try:
            final = await self.phone.transact(
                "INVITE", lines, self.phone.sdp("sendrecv"), "application/sdp", dialog=self
            )
        finally:
            if not self.answered.is_set():
                self.ended.set()
        if final.status >= 300:
            self.status = final.status
            raise SipError(final.status, final.start)

    def take_answer(self, answer: SipMessage) -> None:
        """Learn the dialog from an answer to our INVITE."""
        if answer.status >= 180:
            self.remote_tag = tag_in(answer.get("to")) or self.remote_tag
        if answer.status in (180, 183):
            self.ringing.set()
        if 200 <= answer.status < 300:
            self.target = uri_in(answer.get("contact")) or self.target
            self.seq = answer.cseq
            self.ack(answer.cseq)
            self.answered.set()


class SipPhone(asyncio.DatagramProtocol):
    """A SIP endpoint on loopback. Use :meth:`open` and :meth:`close`.

    Args:
        server: the PBX.
        user: the endpoint's name, e.g. ``1001``.
        password: digest secret where the PBX asks for one.
    """

    def __init__(self, server: Address, user: str, password: str = "") -> None:
        self.server = server
        self.user = user
        self.password = password
        self.port = 0
        self.calls: asyncio.Queue[Dialog] = asyncio.Queue()
        self._dialogs: dict[str, Dialog] = {}
        self._waiting: dict[tuple[str, int, str], asyncio.Queue[SipMessage]] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._audio: asyncio.DatagramTransport | None = None
        self._answers: dict[tuple[str, str], bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(
        cls, server: Address, user: str, password: str = "", *, port: int = 0, register: bool = False
    ) -> "SipPhone":
        phone = cls(server, user, password)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: phone, local_addr=("127.0.0.1", port))
        audio, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
        phone._transport, phone._audio = transport, audio
        phone.port = transport.get_extra_info("sockname")[1]
        if register:
            await phone.register()
        return phone

    async def __aenter__(self) -> "SipPhone":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up everything and free the ports."""
        for dialog in list(self._dialogs.values()):
            with contextlib.suppress(SipError, TimeoutError):
                if dialog.answered.is_set() or dialog.invite is None:
                    await dialog.hangup()
                elif not dialog.ended.is_set():
                    dialog.reject(480, "Temporarily Unavailable")
        for transport in (self._transport, self._audio):
            if transport is not None:
                transport.close()
        await asyncio.sleep(0)

    async def register(self, expires: int = 600) -> None:
        """Tell the PBX where this phone is."""
        host, port = self.server
        me = f"sip:{self.user}@{host}:{port}"
        lines = [
            f"REGISTER sip:{host}:{port} SIP/2.0",
            f"From: <{me}>;tag={secrets.token_hex(6)}",
            f"To: <{me}>",
            f"Call-ID: {secrets.token_hex(10)}",
            "CSeq: 1 REGISTER",
            f"Expires: {expires}",
        ]
        answer = await self.transact("REGISTER", lines, "", "")
        if answer.status >= 300:
            raise SipError(answer.status, answer.start)

    def dial(self, number: str, *, name: str = "", user: str | None = None) -> Dialog:
        """Start a call and return at once; wait for ``answered`` or ``ended`` of the dialog."""
        dialog = Dialog(self, secrets.token_hex(10))
        self._dialogs[dialog.call_id] = dialog

        async def run() -> None:
            with contextlib.suppress(SipError, TimeoutError):
                await dialog.place(number, name=name, user=user)

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return dialog

    async def call(self, number: str, *, name: str = "", user: str | None = None) -> Dialog:
        """Call ``number`` and return the answered dialog.

        Raises:
            SipError: it was refused.
        """
        dialog = Dialog(self, secrets.token_hex(10))
        self._dialogs[dialog.call_id] = dialog
        await dialog.place(number, name=name, user=user)
        return dialog

    async def incoming(self, timeout: float = 10) -> Dialog:
        """Wait for the next call."""
        return await asyncio.wait_for(self.calls.get(), timeout)

    # wire

    def via(self) -> str:
        return f"SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{secrets.token_hex(8)};rport"

    def sdp(self, direction: str) -> str:
        assert self._audio is not None
        port = self._audio.get_extra_info("sockname")[1]
        rows = [
            "v=0",
            "o=- 1 1 IN IP4 127.0.0.1",
            "s=-",
            "c=IN IP4 127.0.0.1",
            "t=0 0",
            f"m=audio {port} RTP/AVP 0 101",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:101 telephone-event/8000",
            f"a={direction}",
        ]
        return "\r\n".join(rows) + "\r\n"

    def encode(self, lines: list[str], body: str, content: str) -> bytes:
        raw = body.encode()
        rows = [*lines]
        if not any(row.startswith("Via:") for row in rows):
            rows.insert(1, f"Via: {self.via()}")
        rows += [
            "Max-Forwards: 70",
            f"Contact: <sip:{self.user}@127.0.0.1:{self.port}>",
            "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, REFER, NOTIFY, UPDATE",
            "Supported: replaces",
        ]
        if content:
            rows.append(f"Content-Type: {content}")
        rows.append(f"Content-Length: {len(raw)}")
        return "\r\n".join(rows).encode() + b"\r\n\r\n" + raw

    def send(self, raw: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(raw, self.server)

    def send_request(self, method: str, lines: list[str], body: str = "", content: str = "") -> None:
        self.send(self.encode(lines, body, content))

    async def transact(
        self, method: str, lines: list[str], body: str, content: str, *, dialog: Dialog | None = None
    ) -> SipMessage:
        """Send a request, again while nothing comes back; answer a digest challenge once."""
        answer = await self._exchange(method, lines, body, content, dialog)
        if answer.status in (401, 407) and self.password:
            if method == "INVITE":
                self._ack_refusal(lines, answer)
            lines = self._authorised(method, lines, answer)
            answer = await self._exchange(method, lines, body, content, dialog)
        if method == "INVITE" and answer.status >= 300:
            self._ack_refusal(lines, answer)
        return answer

    async def _exchange(
        self, method: str, lines: list[str], body: str, content: str, dialog: Dialog | None
    ) -> SipMessage:
        raw = self.encode(lines, body, content)
        call_id = next(row[9:] for row in lines if row.startswith("Call-ID: "))
        seq = int(next(row[6:] for row in lines if row.startswith("CSeq: ")).split()[0])
        answers: asyncio.Queue[SipMessage] = asyncio.Queue()
        self._waiting[call_id, seq, method] = answers
        patience, provisional = 0.5, False
        try:
            async with asyncio.timeout(90):
                self.send(raw)
                while True:
                    try:
                        answer = await asyncio.wait_for(answers.get(), None if provisional else patience)
                    except TimeoutError:
                        self.send(raw)
                        patience = min(patience * 2, 4.0)
                        continue
                    provisional = True
                    if dialog is not None:
                        dialog.take_answer(answer)
                    if answer.status >= 200:
                        return answer
        finally:
            self._waiting.pop((call_id, seq, method), None)

    def _ack_refusal(self, lines: list[str], answer: SipMessage) -> None:
        rows = [
            lines[0].replace("INVITE ", "ACK ", 1),
            f"Via: {answer.get('via').split(';received')[0]}",
            next(row for row in lines if row.startswith("From: ")),
            f"To: {answer.get('to')}",
            f"Call-ID: {answer.get('call-id')}",
            f"CSeq: {answer.cseq} ACK",
        ]
        self.send_request("ACK", rows)

    def _authorised(self, method: str, lines: list[str], answer: SipMessage) -> list[str]:
        proxy = answer.status == 407
        challenge = answer.get("proxy-authenticate" if proxy else "www-authenticate")
        answered = credentials(
            self.user, self.password, method=method, uri=lines[0].split()[1], challenge=challenge
        )
        header = "Proxy-Authorization" if proxy else "Authorization"
        again = []
        for row in lines:
            if row.startswith("Via: "):
                again.append(f"Via: {self.via()}")
            elif row.startswith("CSeq: "):
                again.append(f"CSeq: {answer.cseq + 1} {method}")
            else:
                again.append(row)
        return [*again, f"{header}: {answered}"]

    def answer(self, request: SipMessage, status: int, reason: str, *, tag: str = "", sdp: str = "") -> None:
        """Answer a request."""
        to = request.get("to")
        if tag and ";tag=" not in to:
            to += f";tag={tag}"
        rows = [f"SIP/2.0 {status} {reason}", *(f"Via: {via}" for via in request.all("via"))]
        rows += [f"Record-Route: {route}" for route in request.all("record-route")]
        rows += [f"From: {request.get('from')}", f"To: {to}"]
        rows += [f"Call-ID: {request.get('call-id')}", f"CSeq: {request.get('cseq')}"]
        raw = self.encode(rows, self.sdp(sdp) if sdp else "", "application/sdp" if sdp else "")
        if status >= 200:
            self._answers[request.get("call-id"), request.get("cseq")] = raw
        self.send(raw)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if not data.strip():
            return
        message = SipMessage.parse(data)
        if message.is_answer:
            waiting = self._waiting.get((message.get("call-id"), message.cseq, message.method))
            if waiting is not None:
                waiting.put_nowait(message)
            elif message.method == "INVITE" and 200 <= message.status < 300:
                dialog = self._dialogs.get(message.get("call-id"))
                if dialog is not None:
                    dialog.ack(message.cseq)
            return
        seen = self._answers.get((message.get("call-id"), message.get("cseq")))
        if seen is not None:
            self.send(seen)
            return
        self._request(message)

    def _request(self, message: SipMessage) -> None:
        call_id, method = message.get("call-id"), message.method
        dialog = self._dialogs.get(call_id)
        if method == "INVITE":
            if dialog is not None:
                self._again(dialog, message)
            else:
                dialog = self._dialogs[call_id] = Dialog(self, call_id, incoming=message)
                self.answer(message, 100, "Trying")
                self.calls.put_nowait(dialog)
        elif method == "CANCEL":
            self.answer(message, 200, "OK")
            if dialog is not None and not dialog.answered.is_set():
                dialog.reject(487, "Request Terminated")
        elif method == "BYE":
            self.answer(message, 200, "OK")
            if dialog is not None:
                dialog.ended.set()
        elif method == "NOTIFY":
            self.answer(message, 200, "OK")
            if dialog is not None and "SIP/2.0 200" in message.body:
                dialog.transferred.set()
        elif method != "ACK":
            self.answer(message, 200, "OK", tag=dialog.local_tag if dialog else "")

    def _again(self, dialog: Dialog, message: SipMessage) -> None:
        """A re-INVITE inside a call is always granted; a repeated first INVITE is dropped."""
        if dialog.answered.is_set():
            self.answer(message, 200, "OK", tag=dialog.local_tag, sdp="sendrecv")
