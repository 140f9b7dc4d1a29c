"""What the web shell needs from outside, in one dataclass that ``app/container.py`` fills.

Handlers reach it as ``request.app[DEPS]``; the services that the web package itself owns (users, sessions,
tokens, audit, throttling) are made by ``web.app.create_app`` and reached as ``request.app[ACCOUNTS]``.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from aiohttp import web
from redis.asyncio import Redis

from callback_campaigns.domain.campaign import Trunk
from callback_campaigns.domain.dial_rules import DialFile
from callback_campaigns.domain.plan_rules import PlanRules
from callback_campaigns.masked_calls import CallsCustomers
from callback_campaigns.number_calls import CallsNumbers
from callback_campaigns.preview_wire import PlacesCalls
from callback_campaigns.rule_files import shipped_dialling, shipped_plan
from crm.domain.retention import Policy, shipped_retention
from crm.domain.warranty_terms import Terms, shipped_terms
from crm.domain.watchwords import Words, shipped_watchwords
from crm.views import CustomerCard
from ivr.flow_book import FlowBook
from kernel.bus import Bus
from kernel.business_time import ServiceHours
from kernel.clock import Clock
from kernel.db import Database
from kernel.phone import Phone
from kernel.supervise import TaskHealth
from telephony.board_views import BoardView
from telephony.hand_views import ControlsCalls
from telephony.softphone_keys import SoftphoneKeys
from telephony.trunks import Trunks
from telephony.views import CallFilter, CallView, Page
from web.doctor_wire import Examine

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    """Where a language model answers, and for how long it is waited for."""

    url: str
    model: str
    key: str = field(repr=False)
    deadline: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkLine:
    """A line to the telephone network as the settings have it; no password."""

    name: str
    host: str
    port: int
    registers: bool
    codecs: tuple[str, ...]
    max_channels: int | None
    caller_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The settings of the web shell, already validated.

    Attributes:
        node: the PBX whose live figures this process serves.
        company, hotline: as customers hear them.
        greetings: language → what agents say first, with ``{name}`` and ``{surname}`` still to fill in.
        timezone: the site's zone; every time that leaves the API is written in it.
        default_area: area code of the numbers that are written without one.
        secure: the pages are reached over TLS: cookies get ``Secure``, responses get HSTS.
        allowed_origins: origins (``https://cc.example.com``) besides the request's own host that may post.
        trusted_proxies: networks whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
        page_url: where people open the pages, without a slash at the end; "": as they asked for them.
        recording_pause: after so long a pause of a recording ends by itself.
        session_idle: a session ends after so long without a request.
        session_absolute: a session ends after so long whatever happens.
        request_deadline: how long a handler may take (streams excepted).
        max_body_bytes: largest request body; a megabyte of any text is read, so that its field can be named.
        service_hours: when limits of the service clock run.
        default_queue: where a caller goes when nothing else decides.
        limit_set: the limit set of new records until another is chosen.
        compensation_threshold: more than so many yuan only the general manager decides.
        sheet_number: whether the captain reads whole numbers on sheets: never, asked or always.
        files_dir: where photos and scans lie.
        answers_dir: where recorded answers lie.
        messages_dir: where the messages lie that callers left.
        recordings_dir: where recorded calls lie, each named by its call.
        log_dirs: where logs lie in which numbers of callers may stand.
        language_model: adds to what the rules find in what is said; ``None`` for none.
        trunks: the lines that campaigns may call over.
        trunk_lines: all lines, for administrators.
        plan: which event makes which callback.
        retention: what is kept how long; the job that deletes goes by the same.
        warranty_terms: what a home is warranted for, and how long.
        watchwords: what is looked for in texts until the manager publishes others.
        dialling: when and how often customers are called.
        connect_sources: further CSP ``connect-src`` entries, such as the PBX's ``wss://`` address.
    """

    node: str = "pbx1"
    company: str = ""
    hotline: str = ""
    default_queue: str = "service"
    greetings: Mapping[str, str] = field(default_factory=dict)
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    default_area: str = "010"
    secure: bool = False
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    page_url: str = ""
    recording_pause: timedelta = timedelta(minutes=2)
    session_idle: timedelta = timedelta(hours=4)
    session_absolute: timedelta = timedelta(hours=16)
    request_deadline: timedelta = timedelta(seconds=15)
    max_body_bytes: int = 5 * 512 * 1024
    service_hours: ServiceHours = field(default_factory=ServiceHours)
    limit_set: str = "A"
    compensation_threshold: Decimal = Decimal("2000.00")
    sheet_number: Literal["never", "asked", "always"] = "asked"
    files_dir: Path = Path(".data/files")
    answers_dir: Path = Path(".data/answers")
    messages_dir: Path = Path(".data/messages")
    recordings_dir: Path = Path(".data/recordings")
    log_dirs: tuple[Path, ...] = ()
    language_model: LanguageModel | None = None
    connect_sources: tuple[str, ...] = ()
    trunk_lines: tuple[TrunkLine, ...] = ()
    plan: PlanRules = field(default_factory=shipped_plan)
    retention: Policy = field(default_factory=shipped_retention)
    warranty_terms: Terms = field(default_factory=shipped_terms)
    watchwords: Words = field(default_factory=shipped_watchwords)
    dialling: DialFile = field(default_factory=shipped_dialling)
    trunks: tuple[Trunk, ...] = (Trunk(name="main", lines=60, caller_ids=("01065558800",)),)


class CallHistory(Protocol):
    """The calls that are stored (``telephony.history``)."""

    async def page(
        self, filters: CallFilter, *, cursor: str | None = None, limit: int = 50
    ) -> Page[CallView]:
        """Return one page of calls, newest first. Raises Invalid for a cursor that is not ours."""
        ...

    async def get(self, call_id: str) -> CallView:
        """Return one call with its time line. Raises NotFound."""
        ...

    async def many(self, call_ids: Sequence[str]) -> dict[str, CallView]:
        """Return those of the calls that are there, without time lines."""
        ...


class Board(Protocol):
    """The live picture (``telephony.board``)."""

    def snapshot(self) -> BoardView:
        """Return the ``BoardView`` of now."""
        ...


class CustomerDirectory(Protocol):
    """The customers (``crm.service``)."""

    async def find_by_phone(self, phone: Phone) -> tuple[CustomerCard, ...]:
        """Return the cards of the customers on a number."""
        ...

    async def card(self, customer_id: str) -> CustomerCard:
        """Return one card. Raises NotFound."""
        ...

    async def search(self, text: str, *, limit: int = 20) -> tuple[CustomerCard, ...]:
        """Return customers by the beginning of a name or contract number."""
        ...


Check = Callable[[], Awaitable[Mapping[str, Any]]]
"""A readiness check: returns details, raises when not ready."""


@dataclass(frozen=True, slots=True)
class Softphone:
    """How agents telephone in their pages.

    Attributes:
        keys: makes the passwords that the PBX takes.
        url: of the PBX's SIP over WebSocket, such as ``ws://127.0.0.1:8088/ws``.
        test_phone: there is a page on which one calls as customers do.
    """

    keys: SoftphoneKeys
    url: str
    test_phone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDeps:
    """Everything the web shell is given.

    Attributes:
        desk: ``telephony.service.AgentDesk``.
        tasks_health: ``Supervisor.health``.
        checks: further readiness checks by name, such as ``ami:pbx1``.
        speak: makes a WAV of a prompt; ``None`` where there is no voice.
        flows: keeps the spoken menus; ``None`` where there are none.
        trunks: looks at the lines to the telephone network; ``None`` where nobody does.
        preview: places agents' calls, itself or by the process that has the link to the PBX.
        masked: so the calls to the customers of cases, by whoever works on them.
        numbers: so the calls of agents to numbers that pages show.
        control: takes agents' steps with their calls in progress, in the same way.
        softphone: how agents telephone in their pages; ``None`` where only SIP telephones are used.
        examine: has the doctor look at the installation; ``None`` where there is none.
    """

    settings: WebSettings
    clock: Clock
    database: Database
    bus: Bus
    redis: "Redis | None"
    history: CallHistory
    board: Board
    desk: Any
    customers: CustomerDirectory
    tasks_health: Callable[[], Mapping[str, TaskHealth]]
    checks: Mapping[str, Check] = field(default_factory=dict)
    speak: Callable[[str], Awaitable[Path]] | None = None
    flows: FlowBook | None = None
    trunks: Trunks | None = None
    preview: PlacesCalls | None = None
    masked: CallsCustomers | None = None
    numbers: CallsNumbers | None = None
    control: ControlsCalls | None = None
    softphone: Softphone | None = None
    examine: Examine | None = None


DEPS: web.AppKey[WebDeps] = web.AppKey("DEPS", WebDeps)
