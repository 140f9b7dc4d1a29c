"""The agent's telephone in their page: what it registers with, and its way to the PBX.

SIP goes over a WebSocket of our own origin, so the page's sign-in, TLS and origin rules hold for it too, and
the PBX's web server stays on loopback. The password is made when the page asks for it and lives for minutes
(:mod:`telephony.softphone_keys`). Sound does not pass here: browser and PBX exchange it encrypted.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
import structlog
from aiohttp import WSMessage, WSMsgType, web
from prometheus_client import Counter, Gauge

from kernel.errors import Conflict, Forbidden, NotFound, Unavailable
from kernel.ids import new_ulid
from telephony.domain.agent_state import AgentState
from telephony.softphone_keys import TEST_PHONE, TRY_PHONE
from web.auth import ACCOUNTS, session_cookie
from web.deps import DEPS, Softphone, WebDeps
from web.identity import current_user
from web.middleware import refuse_cross_site
from web.pages.agent import Body, read_body
from web.pages.shell import ROSTER, render
from web.permissions import Permission, requires, signed_in, streaming
from web.pop import iso
from web.user_admin import USER_ADMIN

log = structlog.get_logger(__name__)

OPEN = Gauge("huifang_softphones", "Agents' telephones in browsers that are connected")
REFUSED = Counter("huifang_softphone_messages_refused_total", "Messages of browsers that were not passed on")

DOMAIN: Final = "huifang.invalid"
"""Of the address a browser registers; nobody looks it up."""
MAX_MESSAGE: Final = 64 * 1024
MAX_PAGE_NAME: Final = 32
CONNECT_SECONDS: Final = 5.0
SEND_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 2.0
HEARTBEAT_SECONDS: Final = 20.0
SESSION_SECONDS: Final = 30.0
ELSEWHERE: Final = 4001
"""Why a connection is closed: the agent's page was opened in another window."""
SIGNED_OUT: Final = 4002
MAX_TESTS: Final = 20
TEST_NUMBER: Final = "13800138001"
"""What the test telephone calls from until another number is typed; in the demo, a customer."""
NO_BROWSERS: Final = "this centre has no telephones in browsers: use a SIP telephone"

_IN_CALL = re.compile(r"^(?:to|t)\s*:[^\r\n]*;tag=", re.IGNORECASE | re.MULTILINE)
_FROM = re.compile(r"^(?:from|f)\s*:[^\r\n]*?sips?:([^@>;\s]*)@", re.IGNORECASE | re.MULTILINE)


class SipGate:
    """The open connections, one for each agent and each test telephone: the newest page has it."""

    def __init__(self) -> None:
        self.client: aiohttp.ClientSession | None = None
        self._open: dict[str, web.WebSocketResponse] = {}
        self._pages: dict[str, str] = {}

    def is_elsewhere(self, owner: str, page: str) -> bool:
        """Tell whether another page than this one has the agent's telephone."""
        return owner in self._open and self._pages.get(owner) != page

    async def enter(self, owner: str, browser: web.WebSocketResponse, page: str = "") -> None:
        """Let a page have the agent's telephone; the one that had it is told."""
        self._pages[owner] = page
        before = self._open.get(owner)
        self._open[owner] = browser
        OPEN.set(len(self._open))
        if before is not None:
            await _close(before, ELSEWHERE)

    def leave(self, owner: str, browser: web.WebSocketResponse) -> None:
        """Note that a page's connection has ended."""
        if self._open.get(owner) is browser:
            del self._open[owner]
            self._pages.pop(owner, None)
        OPEN.set(len(self._open))

    async def end(self, owner: str) -> None:
        """Take an agent's telephone away at once: they may no longer be here."""
        browser = self._open.get(owner)
        if browser is not None:
            await _close(browser, SIGNED_OUT)

    @property
    def tests(self) -> int:
        """How many test telephones are open."""
        return sum(owner.startswith("test-") for owner in self._open)

    async def close(self) -> None:
        """Close every connection; the pages come back."""
        for browser in list(self._open.values()):
            await _close(browser, aiohttp.WSCloseCode.GOING_AWAY)


GATE: web.AppKey[SipGate] = web.AppKey("SIP_GATE", SipGate)


def setup(app: web.Application) -> None:
    """Add the routes."""
    app[GATE] = SipGate()
    app[USER_ADMIN].when_sent_away(app[GATE].end)
    app.router.add_post("/agent/phone", phone)
    app.router.add_post("/agent/phone/choice", choose)
    app.router.add_get("/agent/phone/sip", connect)
    app.router.add_get("/test-phone", show_test_phone)
    app.router.add_post("/test-phone", test_phone)
    app.router.add_get("/test-phone/sip", connect_test_phone)
    app.cleanup_ctx.append(_client)
    app.on_shutdown.append(_end)


async def _client(app: web.Application) -> AsyncIterator[None]:
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        app[GATE].client = session
        yield


async def _end(app: web.Application) -> None:
    await app[GATE].close()


@requires(Permission.DESK_USE)
async def phone(request: web.Request) -> web.StreamResponse:
    """Say what the agent telephones with, and what a browser registers with for the next minutes."""
    agent = await request.app[ROSTER].agent(agent_id_of(request))
    if not agent.browser_phone:
        return web.json_response({"kind": "desk", "number": agent.number})
    deps = request.app[DEPS]
    if deps.softphone is None:
        raise Unavailable(NO_BROWSERS)
    return _registers_with(deps, deps.softphone, agent.number)


class PhoneChoice(Body):
    """``browser``: telephone in the page; else with a SIP telephone."""

    browser: bool


@requires(Permission.DESK_USE)
async def choose(request: web.Request) -> web.StreamResponse:
    """Let the agent telephone in their page from now on, or with their SIP telephone."""
    wish = await read_body(request, PhoneChoice)
    if wish.browser and request.app[DEPS].softphone is None:
        raise Unavailable(NO_BROWSERS)
    await request.app[ROSTER].choose_phone(agent_id_of(request), browser=wish.browser)
    return web.Response(status=204)


@requires(Permission.DESK_USE)
@streaming
async def connect(request: web.Request) -> web.StreamResponse:
    """Carry SIP between the agent's page and the PBX until either side ends it.

    The newest page has the telephone, but takes nobody's call away: it waits until that is over.
    """
    agent_id = agent_id_of(request)
    agent = await request.app[ROSTER].agent(agent_id)
    if not agent.browser_phone:
        raise Conflict("this agent uses a SIP telephone")
    page = request.query.get("page", "")[:MAX_PAGE_NAME]
    if request.app[GATE].is_elsewhere(agent_id, page):
        now = await request.app[DEPS].desk.state(agent_id)
        if now.state is AgentState.ON_CALL:
            raise Conflict("this agent has a call in another window")
    return await _connect(request, agent_id, agent.number, page)


@signed_in
async def show_test_phone(request: web.Request) -> web.StreamResponse:
    """Show the telephone to try the centre out with."""
    _test_phone(request)
    settings = request.app[DEPS].settings
    return render(request, "test_phone.html", {"hotline": settings.hotline, "number": TEST_NUMBER})


@signed_in
async def test_phone(request: web.Request) -> web.StreamResponse:
    """Say what the test telephone calls with for the next minutes."""
    return _registers_with(request.app[DEPS], _test_phone(request), TEST_PHONE)


@signed_in
@streaming
async def connect_test_phone(request: web.Request) -> web.StreamResponse:
    """Carry SIP between the test telephone and the PBX; everybody may have several, in as many windows."""
    _test_phone(request)
    if request.app[GATE].tests >= MAX_TESTS:
        raise Unavailable(f"{MAX_TESTS} test telephones are open already: close one")
    return await _connect(request, f"test-{new_ulid()}", TEST_PHONE)


def _test_phone(request: web.Request) -> Softphone:
    softphone = request.app[DEPS].softphone
    if softphone is None or not softphone.test_phone:
        raise NotFound("this centre has no test telephone: pbx.test_phone turns it on")
    return softphone


def _registers_with(deps: WebDeps, softphone: Softphone, number: str) -> web.Response:
    key = softphone.keys.key(number, deps.clock.now())
    return web.json_response(
        {
            "kind": "browser",
            "number": number,
            "try_phone": TRY_PHONE,
            "domain": DOMAIN,
            "password": key.password,
            "expires_at": iso(key.expires_at),
        }
    )


async def _connect(request: web.Request, owner: str, number: str, page: str = "") -> web.StreamResponse:
    refuse_cross_site(request)
    deps, gate = request.app[DEPS], request.app[GATE]
    if deps.softphone is None or gate.client is None:
        raise Unavailable(NO_BROWSERS)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            pbx = await gate.client.ws_connect(
                deps.softphone.url, protocols=("sip",), max_msg_size=MAX_MESSAGE, autoclose=True
            )
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unavailable("the telephone system cannot be reached", reason=type(error).__name__) from error
    browser = web.WebSocketResponse(
        protocols=("sip",), max_msg_size=MAX_MESSAGE, heartbeat=HEARTBEAT_SECONDS, compress=False
    )
    try:
        await browser.prepare(request)
        await gate.enter(owner, browser, page)
        await _carry(request, browser, pbx, number)
    finally:
        gate.leave(owner, browser)
        await pbx.close()
        await _close(browser, aiohttp.WSCloseCode.GOING_AWAY)
    return browser


async def _carry(
    request: web.Request,
    browser: web.WebSocketResponse,
    pbx: aiohttp.ClientWebSocketResponse,
    number: str,
) -> None:
    """Return as soon as one of the three is over; the others end with it."""
    tasks = [
        asyncio.create_task(_to_pbx(browser, pbx, number), name="softphone to pbx"),
        asyncio.create_task(_to_browser(pbx, browser), name="softphone from pbx"),
        asyncio.create_task(_watch_session(request, browser), name="softphone session"),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                log.info("softphone_ended", reason=type(ended).__name__)


async def _to_pbx(browser: web.WebSocketResponse, pbx: aiohttp.ClientWebSocketResponse, number: str) -> None:
    async for message in browser:
        text = _text(message)
        if text is None:
            return
        if not is_own(text, number):
            # It would never get past the PBX's password, but count against everybody behind this address.
            REFUSED.inc()
            continue
        async with asyncio.timeout(SEND_SECONDS):
            await pbx.send_str(text)


async def _to_browser(pbx: aiohttp.ClientWebSocketResponse, browser: web.WebSocketResponse) -> None:
    async for message in pbx:
        text = _text(message)
        if text is None:
            return
        async with asyncio.timeout(SEND_SECONDS):
            await browser.send_str(text)


async def _watch_session(request: web.Request, browser: web.WebSocketResponse) -> None:
    """A session that was ended takes its telephone with it."""
    while True:
        await asyncio.sleep(SESSION_SECONDS)
        if await request.app[ACCOUNTS].sessions.resolve(session_cookie(request)) is None:
            await _close(browser, SIGNED_OUT)
            return


def _text(message: WSMessage) -> str | None:
    """Return what a message says; ``None`` at the end of the connection."""
    if message.type is WSMsgType.TEXT:
        return str(message.data)
    if message.type is WSMsgType.BINARY:
        return bytes(message.data).decode("utf-8", "replace")
    return None


def is_own(text: str, number: str) -> bool:
    """Tell whether a message may come from the telephone with this number.

    Answers, and requests inside a call that both sides know, name it as the other side did.
    """
    if not text.strip() or text.startswith("SIP/2.0 ") or _IN_CALL.search(text):
        return True
    found = _FROM.search(text)
    return found is not None and found[1] == number


def agent_id_of(request: web.Request) -> str:
    """Return which agent asks. Raises Forbidden for users who take no calls."""
    agent_id = current_user(request).agent_id
    if agent_id is None:
        raise Forbidden("this user takes no calls")
    return agent_id


async def _close(browser: web.WebSocketResponse, code: int) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await browser.close(code=code)
    except (OSError, RuntimeError, TimeoutError):
        pass  # it is gone
