"""The outside that messages go to: a mail server and a receiver of webhooks, real and ill-behaved at will."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

TLS = Path(__file__).parents[1] / "data" / "tls"
CERTIFICATE = TLS / "localhost.pem"


def server_tls() -> ssl.SSLContext:
    """The context of a server named localhost; its certificate signs itself."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE, TLS / "localhost.key")
    return context


def client_tls() -> ssl.SSLContext:
    """The context of somebody who knows that certificate."""
    return ssl.create_default_context(cafile=str(CERTIFICATE))


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def ok(_: web.Request) -> web.StreamResponse:
    """Take it."""
    return web.json_response({"id": "ref-1"})


def status(code: int, **headers: str) -> Answer:
    """Answer with a status."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers={name.replace("_", "-"): v for name, v in headers.items()})

    return answer


@dataclass
class Receiver:
    """What was posted, and what is answered: ``answers`` in turn, then the last one for ever."""

    url: str = ""
    answers: list[Answer] = field(default_factory=lambda: [ok])
    posts: list[tuple[web.Request, bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.posts.append((request, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


@asynccontextmanager
async def receiver(*, tls: bool = False) -> AsyncIterator[Receiver]:
    """Run a receiver of webhooks on a free port of the loopback."""
    found = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls() if tls else None)
    await site.start()
    port = runner.addresses[0][1]
    found.url = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{port}/hook"
    try:
        yield found
    finally:
        await runner.cleanup()


@dataclass
class Mailbox:
    """A mail server and what arrived at it. ``refuse``: answers to RCPT or DATA instead of «250 OK»."""

    port: int = 0
    password: str = ""
    refuse: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    over_tls: list[bool] = field(default_factory=list)
    hold: asyncio.Event | None = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "RCPT" in self.refuse:
            return self.refuse["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if "DATA" in self.refuse:
            return self.refuse["DATA"]
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients.append(list(envelope.rcpt_tos))
        transport = server.transport
        assert transport is not None
        self.over_tls.append(transport.get_extra_info("sslcontext") is not None)
        if self.hold is not None:
            await self.hold.wait()
        return "250 OK queued as 4711"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.password.decode() == self.password
        return AuthResult(success=good, handled=False)


@asynccontextmanager
async def mailbox(*, encryption: str = "none", password: str = "") -> AsyncIterator[Mailbox]:
    """Run a mail server on a free port of the loopback."""
    found = Mailbox(password=password)
    context = server_tls()

    def protocol() -> SMTP:
        return SMTP(
            found,
            hostname="localhost",
            tls_context=context if encryption == "starttls" else None,
            require_starttls=encryption == "starttls",
            authenticator=found.authenticate if password else None,
            auth_required=bool(password) and encryption == "starttls",
            auth_require_tls=encryption == "starttls",
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(
        protocol, "127.0.0.1", 0, ssl=context if encryption == "tls" else None
    )
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        if found.hold is not None:
            found.hold.set()
        await server.wait_closed()
