"""A web application over fakes and a real database, and browsers that are signed in to it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from redis.asyncio import Redis

from crm.views import CustomerCard
from ivr.flow_book import FlowBook
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import NotFound
from kernel.phone import Phone
from kernel.supervise import TaskHealth
from telephony.agent_views import AgentSnapshot
from telephony.board_views import NO_FIGURES, BoardView, QueueView
from telephony.domain.agent_state import AgentState
from telephony.domain.queue import Membership
from telephony.history import CallHistory
from telephony.views import CallFilter, CallView, LegView, Page, TimelineEntry
from web.app import PARTS, Setup, create_app
from web.auth import SESSION_COOKIE, Accounts, Visitor, build_accounts
from web.deps import WebDeps, WebSettings
from web.passwords import Passwords
from web.permissions import Role
from web.users import NEEDS_DEPARTMENT

SIGNING_PIN = "2580"
"""Of every head."""
PASSWORD = "正确的密码-2026"
CALL_STARTED = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
Client = TestClient[web.Request, web.Application]


def cheap_passwords() -> Passwords:
    """Real argon2id with the least cost it allows."""
    return Passwords(time_cost=1, memory_kib=8)


@dataclass
class FakeHistory:
    """Calls in a list."""

    calls: list[CallView] = field(default_factory=list)
    asked: list[CallFilter] = field(default_factory=list)

    async def page(
        self, filters: CallFilter, *, cursor: str | None = None, limit: int = 50
    ) -> Page[CallView]:
        self.asked.append(filters)
        newest = sorted(self.calls, key=lambda call: call.call_id, reverse=True)
        rest = [call for call in newest if cursor is None or call.call_id < cursor]
        more = len(rest) > limit
        return Page(items=tuple(rest[:limit]), next_cursor=rest[limit - 1].call_id if more else None)

    async def get(self, call_id: str) -> CallView:
        for call in self.calls:
            if call.call_id == call_id:
                return call
        raise NotFound("no such call", field="call_id")

    async def many(self, call_ids: Sequence[str]) -> dict[str, CallView]:
        return {call.call_id: call for call in self.calls if call.call_id in call_ids}


@dataclass
class FakeDirectory:
    """Customers by number."""

    cards: dict[str, tuple[CustomerCard, ...]] = field(default_factory=dict)

    async def find_by_phone(self, phone: Phone) -> tuple[CustomerCard, ...]:
        return self.cards.get(phone.e164, ())

    async def card(self, customer_id: str) -> CustomerCard:
        for cards in self.cards.values():
            for card in cards:
                if card.customer_id == customer_id:
                    return card
        raise NotFound("no such customer", field="customer_id")

    async def search(self, text: str, *, limit: int = 20) -> tuple[CustomerCard, ...]:
        everybody = {card.customer_id: card for cards in self.cards.values() for card in cards}
        return tuple(card for card in everybody.values() if card.name.startswith(text))[:limit]


@dataclass
class FakeDesk:
    """Agents in a list."""

    agents: list[AgentSnapshot] = field(default_factory=list)

    async def states(self) -> tuple[AgentSnapshot, ...]:
        return tuple(self.agents)


QUEUE = QueueView(
    name="complaint",
    label_zh="投诉",
    label_en="Complaints",
    waiting=2,
    longest_since=CALL_STARTED,
    signed_in=3,
    available=1,
    on_call=2,
    as_of=CALL_STARTED + timedelta(seconds=42),
    offered=10,
    answered=7,
    abandoned=2,
    short_abandoned=1,
    within=6,
    counted=8,
    service_level=0.75,
    asa_seconds=11.5,
)


@dataclass
class FakeBoard:
    """A board that shows what it was given."""

    queues: tuple[QueueView, ...] = (QUEUE,)
    stale: bool = False

    def snapshot(self) -> BoardView:
        return BoardView(
            as_of=CALL_STARTED + timedelta(seconds=42),
            stale=self.stale,
            formula="net_of_short",
            total=NO_FIGURES,
            queues=self.queues,
            agents=(),
            calls=(),
            links=(),
        )


def agent_snapshot(number: str = "1001", **changes: Any) -> AgentSnapshot:
    """An agent who waits for calls of two queues."""
    agent = AgentSnapshot(
        agent_id=f"agent-{number}",
        number=number,
        name="王莉",
        state=AgentState.AVAILABLE,
        reason=None,
        since=CALL_STARTED,
        call_id=None,
        queue=None,
        next_state=None,
        next_reason=None,
        wrap_up_call_id=None,
        wrap_up_until=None,
        queues=(Membership("complaint"), Membership("repair", 2)),
        signed_in_at=CALL_STARTED,
        version=3,
    )
    return replace(agent, **changes)


def customer_card(customer_id: str = "01JZZZZZZZZZZZZZZZZZZZZZC1", **changes: Any) -> CustomerCard:
    """A customer of level A."""
    card = CustomerCard(
        customer_id=customer_id,
        name="王建国",
        salutation="mr",
        greeting="王先生",
        level="A",
        level_reason=None,
        store="朝阳店",
        phones_masked=("138****8000",),
        projects=(),
        open_cases=(),
        recent_contacts=(),
        do_not_call=False,
        frozen_reason=None,
        problem_reason=None,
        elder_mode=False,
    )
    return replace(card, **changes)


def call_view(call_id: str = "01JZZZZZZZZZZZZZZZZZZZZZ01", **changes: Any) -> CallView:
    """An answered call of 13800138000 to the hotline."""
    started = CALL_STARTED
    call = CallView(
        call_id=call_id,
        node="pbx1",
        direction="in",
        from_number="+8613800138000",
        to_number="+861065551234",
        from_name="王建国",
        customer_id=None,
        queue="complaint",
        agent="1001",
        agent_id="agent-1",
        state="ended",
        result="ANSWERED",
        menu_path=("投诉",),
        started_at=started,
        queued_at=started + timedelta(seconds=12),
        answered_at=started + timedelta(seconds=20),
        ended_at=started + timedelta(seconds=80),
        wait_seconds=8.0,
        talk_seconds=60.0,
        hold_seconds=0.0,
        hangup_by="caller",
        end_reason="hangup",
        cause=16,
        adopted=False,
        legs=(
            LegView(
                uniqueid="1772415000.1",
                linkedid="1772415000.1",
                channel="PJSIP/trunk-main-00000001",
                kind="caller",
                agent_number=None,
                number="+8613800138000",
                started_at=started,
                answered_at=started,
                ended_at=started + timedelta(seconds=80),
                cause=16,
            ),
        ),
        timeline=(
            TimelineEntry(
                seq=1,
                at=started,
                kind="offered",
                channel="Local/13800138000@from-agent-0001",
                agent=None,
                queue=None,
                detail={"from": "13800138000", "did": "+861065551234"},
            ),
        ),
    )
    return replace(call, **changes)


@dataclass
class WebHarness:
    """An application's parts, to be changed by a test before and while it runs."""

    database: Database
    clock: FakeClock
    settings: WebSettings = field(default_factory=WebSettings)
    redis: "Redis | None" = None
    history: FakeHistory = field(default_factory=FakeHistory)
    customers: FakeDirectory = field(default_factory=FakeDirectory)
    board: Any = field(default_factory=FakeBoard)
    desk: Any = field(default_factory=FakeDesk)
    tasks: dict[str, TaskHealth] = field(default_factory=dict)
    checks: dict[str, Callable[[], Awaitable[Mapping[str, Any]]]] = field(default_factory=dict)
    bus: Bus = field(default_factory=Bus)
    stored_history: CallHistory | None = None
    """The real one, in the place of the fake."""
    flows: FlowBook | None = None
    _accounts: Accounts | None = None

    @property
    def accounts(self) -> Accounts:
        """The services of users, with cheap passwords."""
        if self._accounts is None:
            self._accounts = build_accounts(
                self.database,
                self.clock,
                redis=self.redis,
                session_idle=self.settings.session_idle,
                session_absolute=self.settings.session_absolute,
                passwords=cheap_passwords(),
            )
        return self._accounts

    def deps(self) -> WebDeps:
        """What the application is given."""
        return WebDeps(
            settings=self.settings,
            clock=self.clock,
            database=self.database,
            bus=self.bus,
            redis=self.redis,
            history=self.stored_history or self.history,
            board=self.board,
            desk=self.desk,
            customers=self.customers,
            tasks_health=lambda: self.tasks,
            checks=self.checks,
            flows=self.flows,
        )

    @asynccontextmanager
    async def serve(self, *parts: Setup) -> AsyncIterator[Client]:
        """Run the application on a free port of the loopback and yield a browser.

        With ``parts``, these stand in the place of the pages and the live stream.
        """
        app = create_app(self.deps(), accounts=self.accounts, parts=parts or PARTS)
        async with TestClient(TestServer(app)) as client:
            yield client

    async def user(
        self,
        role: Role,
        *,
        login: str | None = None,
        agent_id: str | None = None,
        department: str | None = None,
    ) -> str:
        """Create a user (login = role) and return the login."""
        login = login or role.value
        if department is None and role in NEEDS_DEPARTMENT:
            department = "CS" if role is Role.CAPTAIN else "ENG"
        user = await self.accounts.users.create(
            login=login, password=PASSWORD, role=role, agent_id=agent_id, department=department
        )
        if role is Role.DEPARTMENT_HEAD:
            await self.accounts.pins.put(user.user_id, login, SIGNING_PIN)
        return login

    async def sign_in(
        self, client: Client, role: Role, *, agent_id: str | None = None, department: str | None = None
    ) -> str:
        """Create a user of ``role`` and give the browser their session."""
        login = await self.user(role, agent_id=agent_id, department=department)
        signed_in = await self.accounts.authenticator.sign_in(login, PASSWORD, visitor=Visitor())
        client.session.cookie_jar.update_cookies({SESSION_COOKIE: signed_in.session.secret})
        return login

    async def bearer(self, role: Role) -> dict[str, str]:
        """Create a token of ``role`` and return the header that carries it."""
        department = "ENG" if role in NEEDS_DEPARTMENT else None
        issued = await self.accounts.tokens.create(f"tests {role}", role, department=department)
        return {"Authorization": f"Bearer {issued.plaintext}"}


def same_origin(client: Client) -> dict[str, str]:
    """The header a browser sends with every post from a page of this site."""
    return {"Origin": str(client.make_url("/")).rstrip("/")}


def no_pages(app: web.Application) -> None:
    """A part that adds nothing: the API and the health routes alone."""
