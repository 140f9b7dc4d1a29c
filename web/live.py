"""``GET /live``: the pages' live connection, as server-sent events.

A connection names its topics (``agent``: one's own desk, ``waiting``: who waits too long in one's queues,
``words``: what is said in one's own call, ``recording``: whether that is recorded, ``text:CALL``: what is
said in one, ``board``: the supervisor's board, ``pauses``: which calls are not recorded, ``trend``: its half
hours, ``wall``: its figures alone, ``running``: the campaigns of today, ``notices``: one's own notices,
``cases``: which cases changed, of those one may see, ``campaigns``: how each is doing this moment,
``list:NAME``: that a list changed). It gets a snapshot first, or what it missed since its
``Last-Event-ID``, then every change. A heartbeat carries the server's time; by it the page sees a connection
that is open but dead.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from aiohttp import ClientConnectionResetError, web

from crm.notices.service import NoticeBoard
from kernel.errors import Forbidden, Invalid
from kernel.ids import is_ulid
from kernel.supervise import Supervisor
from speech.aided import Aid
from speech.transcripts import Transcripts
from speech.understanding import HttpUnderstander
from web.auth import ACCOUNTS, session_cookie
from web.board_feed import TREND, WALL, BoardFeed
from web.callback_part import CALLBACKS
from web.campaign_feed import KIND as CAMPAIGNS
from web.campaign_feed import CampaignFeed
from web.case_feed import KIND as CASES
from web.case_feed import CaseFeed, topic_of
from web.customer_lookup import CustomerLookup
from web.deps import DEPS
from web.i18n import current_language
from web.identity import CurrentUser, current_actor, current_user
from web.import_feed import ImportFeed
from web.live_hub import Connection, LiveHub, encode_block
from web.live_lists import LISTS, ListFeed
from web.live_lists import topic_of as topic_of_list
from web.notice_feed import KIND, NoticeFeed, Reader
from web.pause_feed import OF_AGENT as RECORDING
from web.pause_feed import OF_ALL as PAUSES
from web.pause_feed import PauseFeed
from web.permissions import Permission, signed_in, streaming
from web.pop import iso
from web.running_feed import KIND as RUNNING
from web.running_feed import RunningFeed
from web.screen_pop import ScreenPops
from web.speech_rules_part import SPEECH_RULES
from web.suggestion_feed import SuggestionFeed
from web.text_feed import OF_AGENT, OF_CALL, TextFeed
from web.waiting_feed import KIND as WAITING
from web.waiting_feed import WaitingFeed

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 15.0
WRITE_TIMEOUT_SECONDS = 10.0
"""A reader that takes longer for one message is dropped; it comes back and gets a snapshot."""
RETRY_MS = 1000
"""How long the browser waits before it connects again."""

NEEDED = {
    "agent": Permission.DESK_USE,
    WAITING: Permission.DESK_USE,
    OF_AGENT: Permission.DESK_USE,
    RECORDING: Permission.DESK_USE,
    "board": Permission.BOARD_VIEW,
    PAUSES: Permission.BOARD_VIEW,
    TREND: Permission.BOARD_VIEW,
    WALL: Permission.BOARD_VIEW,
    RUNNING: Permission.BOARD_VIEW,
    "notices": None,
    "cases": Permission.CASES_VIEW,
    "imports": Permission.DATA_IMPORT,
    CAMPAIGNS: Permission.CAMPAIGNS_VIEW,
    **{topic_of_list(name): None for name in LISTS},
}
"""Topic kind → what one must be allowed to read it; ``None``: everybody has their own, or it says nothing of
what is in a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The live services of one application."""

    hub: LiveHub
    pops: ScreenPops
    board: BoardFeed
    waiting: WaitingFeed
    notices: NoticeFeed
    cases: CaseFeed
    imports: ImportFeed
    campaigns: CampaignFeed
    running: RunningFeed
    lists: ListFeed
    suggestions: SuggestionFeed
    texts: TextFeed
    pauses: PauseFeed
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    tasks: Supervisor = field(repr=False)


LIVE: web.AppKey[Live] = web.AppKey("LIVE", Live)


def setup(app: web.Application) -> None:
    """Make the live services and add their routes."""
    app[LIVE] = build(app)
    app.router.add_get("/live", stream)
    app.router.add_get("/live/check", check)
    app.cleanup_ctx.append(run_services)
    app.on_shutdown.append(end_streams)


def build(app: web.Application, *, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> Live:
    """Return the live services over the application's dependencies."""
    deps = app[DEPS]
    hub = LiveHub(deps.clock)
    pops = ScreenPops(
        bus=deps.bus,
        clock=deps.clock,
        hub=hub,
        desk=deps.desk,
        calls=deps.history,
        customers=CustomerLookup(deps.customers, deps.clock),
    )
    return Live(
        hub=hub,
        pops=pops,
        board=BoardFeed(bus=deps.bus, hub=hub, board=deps.board),
        waiting=WaitingFeed(bus=deps.bus, clock=deps.clock, hub=hub, board=deps.board),
        notices=NoticeFeed(
            bus=deps.bus,
            hub=hub,
            notices=NoticeBoard(deps.database, deps.clock, deps.bus),
            zone=deps.settings.timezone,
        ),
        cases=CaseFeed(bus=deps.bus, hub=hub, database=deps.database),
        imports=ImportFeed(bus=deps.bus, hub=hub),
        campaigns=CampaignFeed(bus=deps.bus, hub=hub),
        running=RunningFeed(
            bus=deps.bus, clock=deps.clock, hub=hub, read=app[CALLBACKS].campaign_figures.running
        ),
        lists=ListFeed(bus=deps.bus, hub=hub),
        suggestions=SuggestionFeed(bus=deps.bus, hub=hub, suggester=app[SPEECH_RULES].suggester),
        texts=TextFeed(
            bus=deps.bus,
            clock=deps.clock,
            hub=hub,
            pops=pops,
            transcripts=Transcripts(deps.database),
        ),
        pauses=PauseFeed(bus=deps.bus, hub=hub, pops=pops, database=deps.database),
        heartbeat_seconds=heartbeat_seconds,
        tasks=Supervisor(deps.clock),
    )


async def run_services(app: web.Application) -> AsyncIterator[None]:
    """Run the screen-pop and the board while the application runs."""
    live = app[LIVE]
    live.tasks.spawn("screen_pop", live.pops.run)
    live.tasks.spawn("board_feed", live.board.run)
    live.tasks.spawn("waiting_feed", live.waiting.run)
    live.tasks.spawn("notice_feed", live.notices.run)
    live.tasks.spawn("case_feed", live.cases.run)
    live.tasks.spawn("import_feed", live.imports.run)
    live.tasks.spawn("campaign_feed", live.campaigns.run)
    live.tasks.spawn("running_feed", live.running.run)
    live.tasks.spawn("list_feed", live.lists.run)
    live.tasks.spawn("suggestion_feed", live.suggestions.run)
    understander = _language_model(app)
    live.tasks.spawn("text_feed", live.texts.run)
    live.tasks.spawn("pause_feed", live.pauses.run)
    yield
    await live.tasks.close()
    if understander is not None:
        await understander.close()


def _language_model(app: web.Application) -> HttpUnderstander | None:
    """Have a language model look at what is said, behind the rules, where there is one."""
    deps, live, speech = app[DEPS], app[LIVE], app[SPEECH_RULES]
    wanted = deps.settings.language_model
    if wanted is None:
        return None
    understander = HttpUnderstander(wanted.url, wanted.model, wanted.key, speech.now.get)
    aid = Aid(
        understander,
        speech.suggester,
        deps.clock,
        deadline=wanted.deadline,
        changed=live.suggestions.tell,
    )
    live.suggestions.heard = aid.heard
    live.tasks.spawn("understanding", aid.run)
    return understander


async def end_streams(app: web.Application) -> None:
    """End the open streams first of all: the server waits for its handlers before it stops."""
    app[LIVE].hub.close()


def topics_of(request: web.Request, user: CurrentUser) -> tuple[str, ...]:
    """Return the topics that the request asks for.

    Raises:
        Invalid: there is no such topic.
        Forbidden: the user may not read it, or takes no calls.
    """
    topics: list[str] = []
    for kind in dict.fromkeys(request.query.get("topics", "").split(",")):
        if kind.startswith(f"{OF_CALL}:"):
            topics.append(_text_topic(request, user, kind))
            continue
        if kind not in NEEDED:
            raise Invalid(f"topics: {', '.join(NEEDED)}", field="topics")
        needed = NEEDED[kind]
        if needed is not None and not user.can(needed):
            raise Forbidden(f"needs the permission {needed}")
        if kind in {"agent", WAITING, OF_AGENT, RECORDING}:
            if user.agent_id is None:
                raise Forbidden("this user takes no calls")
            topics.append(f"{kind}:{user.agent_id}")
        elif kind == KIND:
            topics.append(_reader(request).topic)
        elif kind == CASES:
            topics.append(topic_of(current_actor(request)))
        else:
            topics.append(kind)
    return tuple(topics)


def _text_topic(request: web.Request, user: CurrentUser, topic: str) -> str:
    """Return the topic of what is said in a call, for its agent and for who may hear every call."""
    call_id = topic.partition(":")[2]
    if not is_ulid(call_id):
        raise Invalid(f"topics: {OF_CALL}: and the id of a call", field="topics")
    own = user.agent_id is not None and request.app[LIVE].pops.shows(user.agent_id, call_id)
    if not own and not user.can(Permission.RECORDINGS_PLAY):
        raise Forbidden("agents read along in their own calls", field="topics")
    return topic


def _reader(request: web.Request) -> Reader:
    return Reader(current_actor(request), current_language())


@signed_in
@streaming
async def stream(request: web.Request) -> web.StreamResponse:
    """Serve one live connection until either side ends it."""
    user = current_user(request)
    live = request.app[LIVE]
    topics = topics_of(request, user)
    if user.agent_id is not None and f"agent:{user.agent_id}" in topics:
        await live.pops.prepare(user.agent_id)
    reader = _reader(request)
    if reader.topic in topics:
        await live.notices.prepare(reader)
    await live.texts.prepare(topics)
    await live.pauses.prepare(topics)
    secret = session_cookie(request)

    async def still_there() -> bool:
        # An open page counts as a visit; a session that was ended ends its streams.
        return await request.app[ACCOUNTS].sessions.resolve(secret) is not None

    return await serve_stream(request, topics, user.user_id, still_there)


async def serve_stream(
    request: web.Request,
    topics: tuple[str, ...],
    reader_id: str,
    still_there: Callable[[], Awaitable[bool]],
) -> web.StreamResponse:
    """Send events to one reader until either side ends it.

    Args:
        reader_id: of a user, or of a screen on the wall.
        still_there: asked with each heartbeat; false ends the stream.
    """
    live = request.app[LIVE]
    last_id = request.headers.get("Last-Event-ID") or request.query.get("last_event_id", "")
    connection = live.hub.open(topics, user_id=reader_id, last_event_id=last_id[:60])
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-store, no-transform",
            "X-Accel-Buffering": "no",
        }
    )
    try:
        await response.prepare(request)
        await _write(response, b"retry: %d\n\n" % RETRY_MS)
        await _write(response, _heartbeat(request))
        await _pump(request, response, connection, live.heartbeat_seconds, still_there)
    except (ClientConnectionResetError, ConnectionResetError, TimeoutError):
        pass  # the reader has gone, or takes nothing any more
    finally:
        connection.close()
    return response


async def _pump(
    request: web.Request,
    response: web.StreamResponse,
    connection: Connection,
    heartbeat: float,
    still_there: Callable[[], Awaitable[bool]],
) -> None:
    clock = request.app[DEPS].clock
    due = clock.monotonic() + heartbeat
    while (chunk := await connection.next_chunk(max(0.0, due - clock.monotonic()))) is not None:
        if chunk:
            await _write(response, chunk)
        if clock.monotonic() >= due:
            if not await still_there():
                return
            await _write(response, _heartbeat(request))
            due = clock.monotonic() + heartbeat
    await _write(response, encode_block(connection.end_reason or "closing", {}))


async def _write(response: web.StreamResponse, block: bytes) -> None:
    async with asyncio.timeout(WRITE_TIMEOUT_SECONDS):
        await response.write(block)


def _heartbeat(request: web.Request) -> bytes:
    return encode_block("heartbeat", {"now": iso(request.app[DEPS].clock.now())})


@signed_in
async def check(request: web.Request) -> web.Response:
    """Tell a page whose stream was refused whether it is still signed in (401 otherwise)."""
    return web.Response(status=204)
