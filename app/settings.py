"""Every setting, with its default and meaning; ``docs/configuration.md`` is generated from here.

Sources, strongest first: ``HUIFANG_…`` environment variables (``__`` between section and name), the TOML
file named by ``HUIFANG_CONFIG`` (or ``huifang.toml`` in the working directory), the defaults. A name that
does not exist is an error that says what was probably meant.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pydantic
from pydantic import BaseModel, Field

from app.runtime.redis_server import SOCKET_NAME
from app.runtime.sockets import socket_folder
from app.setting_sections import (
    CallControlSettings,
    Codecs,
    DiallerSettings,
    EarlyMediaSettings,
    LiveTextSettings,
    MenuSpeechSettings,
    Networks,
    NoticeSettings,
    NumberCallSettings,
    OwnNumbers,
    RecordingPauseSettings,
    Section,
    SpeechSettings,
    UnderstandingSettings,
)
from kernel.business_time import HolidayClosing, ServiceHours
from kernel.errors import ConfigurationError, HuifangError
from telephony.domain.service_level import Formula

PREFIX = "HUIFANG_"
NOT_SETTINGS = frozenset({"HUIFANG_CONFIG"})


class WebSettings(Section):
    """Pages, API and live updates."""

    host: str = Field("127.0.0.1", description="Address the web server listens on.")
    port: int = Field(
        8080, ge=0, le=65535, description="Port of the web server; 0 takes a free one, under «huifang serve»."
    )
    behind_tls: bool = Field(
        False, description="Pages are served over HTTPS: cookies get Secure, HSTS is sent."
    )
    allowed_origins: tuple[str, ...] = Field(
        (), description="Origins (`https://cc.example.com`) besides the pages' own that may post."
    )
    trusted_proxies: Networks = Field(
        (), description="Addresses whose X-Forwarded-For and -Proto are believed."
    )
    session_idle_hours: float = Field(
        12, gt=0, description="A session ends after this long without a request."
    )
    session_max_hours: float = Field(24, gt=0, description="A session ends after this long in any case.")
    request_seconds: float = Field(15, gt=0, description="Deadline of one request.")


class AmiSettings(Section):
    """The link to Asterisk's manager interface."""

    host: str = Field("127.0.0.1", description="Address of the manager interface.")
    port: int = Field(5038, ge=1, le=65535, description="Port of the manager interface.")
    username: str = Field("huifang", description="Manager user.")
    secret: pydantic.SecretStr = Field(
        pydantic.SecretStr(""), description="Manager secret; the private runtime makes a random one."
    )
    permit: Networks = Field(
        ("127.0.0.1/32",), description="Who may sign in, in the manager.conf that is rendered."
    )
    connect_seconds: float = Field(5, gt=0, description="Deadline of connecting and signing in.")
    action_seconds: float = Field(5, gt=0, description="Deadline of one action.")
    ping_seconds: float = Field(5, gt=0, description="Time between pings; two missed ones end the link.")


class AgiSettings(Section):
    """The FastAGI server that Asterisk asks what to do with a call."""

    host: str = Field("127.0.0.1", description="Address the FastAGI server listens on.")
    port: int = Field(
        4573, ge=1, le=65535, description="Port of the FastAGI server, known to Asterisk's dialplan."
    )
    allow: Networks = Field(("127.0.0.1", "::1"), description="Peers that may connect.")
    max_connections: int = Field(500, ge=1, description="Connections at once; further ones are refused.")


class TrunkSettings(Section):
    """The SIP trunk that customers' calls arrive on."""

    name: str = Field("main", pattern=r"^[a-z0-9-]{1,20}$", description="Name of the trunk.")
    host: str = Field("", description="SIP server of the carrier; empty: calls are taken from `match` only.")
    port: int = Field(5060, ge=1, le=65535, description="SIP port of the carrier.")
    match: Networks = Field(
        ("127.0.0.2/32",),
        description="Networks that calls are taken from; agents' phones must register from others.",
    )
    username: str = Field("", description="User name at the carrier.")
    secret: pydantic.SecretStr = Field(pydantic.SecretStr(""), description="Password at the carrier.")
    register_with: bool = Field(False, description="Register at the carrier.")
    codecs: Codecs = Field(("alaw", "ulaw"), description="Codecs in order of preference.")
    max_channels: int = Field(60, ge=1, description="Calls at once.")
    calls_per_second: int = Field(
        50,
        ge=1,
        le=1000,
        description="Calls that may begin in a second, of all campaigns and agents together.",
    )
    caller_ids: OwnNumbers = Field(
        (),
        description="The company's own numbers at the carrier, which those who are called may see; "
        "empty: `centre.hotline`.",
    )
    from_user: str = Field(
        "",
        max_length=80,
        description="User name that the carrier wants in From; the number that is shown goes into "
        "P-Asserted-Identity then. Empty: the number is in From.",
    )


class PbxSettings(Section):
    """The Asterisk that is rendered and, with the private runtime, started."""

    node: str = Field(
        "pbx1", pattern=r"^[a-z0-9-]{1,20}$", description="Name of this Asterisk in the centre."
    )
    sip_host: str = Field("127.0.0.1", description="Address of the SIP transport.")
    sip_port: int = Field(5060, ge=1, le=65535, description="Port of the SIP transport.")
    ws_host: str = Field("127.0.0.1", description="Address of SIP over WebSocket.")
    ws_port: int = Field(
        8088, ge=1, le=65535, description="Port of Asterisk's web server, for SIP over WebSocket."
    )
    rtp_start: int = Field(20000, ge=1024, le=65000, description="First RTP port.")
    rtp_end: int = Field(20998, ge=1025, le=65535, description="Last RTP port.")
    external_address: str = Field("", description="Address that outside phones see, behind NAT.")
    local_networks: Networks = Field((), description="Networks that need no external address.")
    config_dir: str = Field(
        "",
        description="Its configuration folder, where we write the agents' telephones (`pjsip_agents.conf`) "
        "again as they change; empty: the private Asterisk's.",
    )
    test_phone: bool = Field(
        False,
        description="A page on which everybody who may sign in calls the hotline as a customer would; "
        "`huifang up --demo` has it.",
    )
    softphone_secret: pydantic.SecretStr = Field(
        pydantic.SecretStr(""),
        description="What the passwords of browser telephones are made from, the same in all "
        "processes; empty: made at random and kept in the data folder.",
    )
    event_log: str = Field(
        "", description="Its log of channel events (cel_custom.conf); empty: the private Asterisk's."
    )
    record_calls: bool = Field(True, description="Record calls that reach a person.")
    trunk: TrunkSettings = Field(default_factory=TrunkSettings, description="The trunk.")


class VoiceSettings(Section):
    """The voice that speaks the menus' texts."""

    espeak: str = Field(
        "", description="The program espeak-ng; empty: the system's own if it is 1.52 or newer, else ours."
    )


class CentreSettings(Section):
    """The company and how its lines behave."""

    company: str = Field("安居装饰", max_length=40, description="Name spoken to callers and shown on pages.")
    hotline: str = Field("01065558800", pattern=r"^\+?[0-9]{2,20}$", description="Number of the hotline.")
    greeting: str = Field(
        "您好，{company}客服，我姓{surname}，请问有什么可以帮您？",
        max_length=200,
        description="What agents say first; shown while a call rings. Filled in: company, name, surname.",
    )
    greeting_en: str = Field(
        "Hello, this is {company}, {name} speaking. How may I help you?",
        max_length=200,
        description="The same for agents who read English.",
    )
    timezone: str = Field("Asia/Shanghai", description="Zone of the site; days begin at its midnight.")
    default_area: str = Field("010", pattern=r"^0\d{2,3}$", description="Area code of numbers without one.")
    always_open: bool = Field(
        False, description="Menus do not look at opening hours; «huifang up --demo» sets it unless it is set."
    )
    default_queue: str = Field("service", description="Where a caller goes when nothing else decides.")
    service_level_seconds: int = Field(
        20, ge=1, description="An answer within this time is in time; for new queues that do not say."
    )
    service_level_target: int = Field(
        80,
        ge=0,
        le=100,
        description="Percent; the manager is told of a queue whose service level is below it for 15 minutes. "
        "0 tells nobody.",
    )
    service_level_formula: Formula = Field(
        Formula.NET_OF_SHORT, description="Which service-level formula is shown (docs/glossary.md)."
    )
    service_hours: str = Field(
        "08:30-18:00", description="When limits of the service clock run, such as `08:30-12:00,13:30-18:00`."
    )
    service_days: str = Field(
        "1234567", description="On which days, 1 Monday; a make-up working day counts in any case."
    )
    service_holidays: Literal["never", "statutory", "period"] = Field(
        "statutory",
        description="Days off without service, for limits and for menus that close on holidays: none; "
        "holidays by law; the whole holiday of the notice.",
    )
    limit_set: str = Field(
        "A",
        pattern=r"^[A-Za-z0-9_-]{1,16}$",
        description="Limits of new cases until «huifang limits use» chooses others.",
    )
    compensation_threshold: Decimal = Field(
        Decimal("2000.00"),
        ge=0,
        max_digits=12,
        decimal_places=2,
        description="More than so many yuan of compensation only the general manager decides.",
    )
    sheet_number: Literal["never", "asked", "always"] = Field(
        "asked",
        description="Whether the captain reads the customer's whole number on the sheet of an open repair: "
        "never, when asked for, or always; written down. They call through the company's number without.",
    )
    short_abandon_seconds: int = Field(5, ge=0, description="An abandon up to this time is a short one.")
    abandoned_callback: bool = Field(
        True,
        description="Who gives up in the queue is to be called back: one open callback per number, gone when "
        "they were reached meanwhile.",
    )
    abandoned_callback_seconds: int = Field(
        10, ge=0, le=3600, description="Who waited shorter than this is not called back."
    )
    wrap_up_seconds: int = Field(60, ge=0, description="Time for wrap-up; for new queues that do not say.")
    ring_no_answer_limit: int = Field(
        2, ge=0, description="Unanswered rings before an agent is paused; 0: never."
    )


class Settings(Section):
    """All settings."""

    data_dir: Path = Field(Path(".data"), description="Where the product keeps its files.")
    encrypted_disk: bool = Field(
        False,
        description="`data_dir` has to be on an encrypted disk or folder: the doctor and the system page "
        "tell where it is not.",
    )
    runtime_dir: Path = Field(Path(".runtime"), description="Where the private runtime is unpacked.")
    database_url: str = Field("", description="SQL database; empty: SQLite in `data_dir`.")
    redis_url: str = Field("", description="Redis; empty: a private one on a socket in `data_dir`.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="What is logged.")
    log_json: bool = Field(True, description="Log JSON lines instead of readable ones.")
    demo: bool = Field(False, description="Create the demo company in an empty database.")
    centre: CentreSettings = Field(default_factory=CentreSettings, description="The company and its lines.")
    web: WebSettings = Field(default_factory=WebSettings, description="Pages and API.")
    ami: AmiSettings = Field(default_factory=AmiSettings, description="Manager interface.")
    agi: AgiSettings = Field(default_factory=AgiSettings, description="FastAGI server.")
    pbx: PbxSettings = Field(default_factory=PbxSettings, description="Asterisk.")
    dialler: DiallerSettings = Field(default_factory=DiallerSettings, description="The dialler.")
    call_control: CallControlSettings = Field(
        default_factory=CallControlSettings, description="What agents do with calls from their pages."
    )
    number_calls: NumberCallSettings = Field(
        default_factory=NumberCallSettings, description="Calls of agents to numbers that pages show."
    )
    speech: SpeechSettings = Field(default_factory=SpeechSettings, description="Speech to text.")
    recording_pause: RecordingPauseSettings = Field(
        default_factory=RecordingPauseSettings, description="Pauses of recordings for card numbers."
    )
    live_text: LiveTextSettings = Field(default_factory=LiveTextSettings, description="Live text of calls.")
    understanding: UnderstandingSettings = Field(
        default_factory=UnderstandingSettings, description="A language model behind the rules of speech."
    )
    menu_speech: MenuSpeechSettings = Field(
        default_factory=MenuSpeechSettings, description="Words in place of keys in menus."
    )
    early_media: EarlyMediaSettings = Field(
        default_factory=EarlyMediaSettings, description="What networks say before anybody answers."
    )
    voice: VoiceSettings = Field(default_factory=VoiceSettings, description="The voice of the menus.")
    notices: NoticeSettings = Field(default_factory=NoticeSettings, description="Messages that go out.")

    @pydantic.field_validator("data_dir", "runtime_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "Settings":
        try:
            ZoneInfo(self.centre.timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"centre.timezone: no such time zone: {self.centre.timezone}") from error
        try:
            _ = self.service_hours
        except HuifangError as error:
            raise ValueError(f"centre.service_hours: {error.message}") from error
        if self.pbx.rtp_end - self.pbx.rtp_start < 20:
            raise ValueError("pbx.rtp_end: at least 20 ports above pbx.rtp_start")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.centre.timezone)

    @property
    def service_hours(self) -> ServiceHours:
        """When the service clock runs."""
        return ServiceHours.parse(
            self.centre.service_hours,
            self.centre.service_days,
            closing=HolidayClosing(self.centre.service_holidays),
            zone=self.zone,
        )

    @property
    def sql_url(self) -> str:
        """The database's URL with the default filled in."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'huifang.db'}"

    @property
    def redis_address(self) -> str:
        """Redis' URL with the default filled in: the private server that ``huifang up`` starts."""
        return self.redis_url or f"unix://{socket_folder(self.data_dir / 'run') / SOCKET_NAME}"


def names(model: type[BaseModel] = Settings, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every setting, sections left out."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from names(kind, (*path, name))
        else:
            yield (*path, name)


def _is_list(path: tuple[str, ...]) -> bool:
    model: type[BaseModel] = Settings
    for name in path[:-1]:
        kind = model.model_fields[name].annotation
        assert isinstance(kind, type)
        assert issubclass(kind, BaseModel)
        model = kind
    return model.model_fields[path[-1]].annotation == tuple[str, ...]


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    known = {PREFIX + "__".join(path).upper(): path for path in names()}
    tree: dict[str, Any] = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX) or variable in NOT_SETTINGS:
            continue
        path = known.get(variable)
        if path is None:
            raise ConfigurationError(
                f"{variable}: no such setting{_hint(variable, list(known))}", field=variable
            )
        branch = tree
        for name in path[:-1]:
            branch = branch.setdefault(name, {})
        branch[path[-1]] = (
            [part.strip() for part in value.split(",") if part.strip()] if _is_list(path) else value
        )
    return tree


def _hint(given: str, known: list[str]) -> str:
    close = difflib.get_close_matches(given, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else "; docs/configuration.md lists all settings"


def _from_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from error


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value
    return base


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read the settings from file, environment and ``overrides`` (nested dicts, strongest).

    Raises:
        ConfigurationError: a name that does not exist or a value that does not fit, one line each.
    """
    environment = os.environ if environment is None else environment
    named = environment.get("HUIFANG_CONFIG")
    path = Path(named) if named else Path("huifang.toml")
    tree = _from_file(path) if named or path.is_file() else {}
    _merge(tree, _from_environment(environment))
    _merge(tree, overrides)
    try:
        return Settings.model_validate(tree)
    except pydantic.ValidationError as error:
        dotted = [".".join(found) for found in names()]
        lines = []
        for problem in error.errors(include_url=False, include_input=False):
            place = ".".join(str(part) for part in problem["loc"])
            if problem["type"] == "extra_forbidden":
                lines.append(f"{place}: no such setting{_hint(place, dotted)}")
            else:
                said = problem["msg"].removeprefix("Value error, ")
                lines.append(f"{place}: {said}" if place else said)
        raise ConfigurationError("\n".join(lines)) from error
