"""What an Asterisk node is configured from: plain values, no I/O.

Each text field carries the rule it must keep (`checks.RULES`), so that one walk over the whole
configuration (`checks.check`) can refuse a value that would end a line, open a section or start a
dialplan expression, and say which field it was.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

Metadata = MappingProxyType[str, str]


def _rule(name: str) -> Metadata:
    return MappingProxyType({"rule": name})


NAME: Final = _rule("name")
NUMBER: Final = _rule("number")
SECRET: Final = _rule("secret")
HOST: Final = _rule("host")
NETWORK: Final = _rule("network")
PORT: Final = _rule("port")
PATH: Final = _rule("path")
LABEL: Final = _rule("label")
SECONDS: Final = _rule("seconds")
COUNT: Final = _rule("count")


class Codec(StrEnum):
    """Codecs that need no licence and no extra package."""

    ALAW = "alaw"
    ULAW = "ulaw"
    G722 = "g722"
    GSM = "gsm"


class Strategy(StrEnum):
    """How a queue picks the next member (app_queue)."""

    RING_ALL = "ringall"
    LEAST_RECENT = "leastrecent"
    FEWEST_CALLS = "fewestcalls"
    RANDOM = "random"
    ROUND_ROBIN = "rrmemory"
    ROUND_ROBIN_ORDERED = "rrordered"
    LINEAR = "linear"
    WEIGHTED_RANDOM = "wrandom"


@dataclass(frozen=True, slots=True, kw_only=True)
class AsteriskPaths:
    """Every directory Asterisk is told about; none is left to its compiled-in default."""

    config: Path = field(metadata=PATH)
    modules: Path = field(metadata=PATH)
    data: Path = field(metadata=PATH)
    varlib: Path = field(metadata=PATH)
    keys: Path = field(metadata=PATH)
    agi: Path = field(metadata=PATH)
    spool: Path = field(metadata=PATH)
    run: Path = field(metadata=PATH)
    log: Path = field(metadata=PATH)
    sbin: Path = field(metadata=PATH)

    @classmethod
    def under(cls, root: Path, *, modules: Path, data: Path, sbin: Path) -> "AsteriskPaths":
        """Everything Asterisk writes lies under ``root``; the other three belong to the installation."""
        return cls(
            config=root / "etc",
            modules=modules,
            data=data,
            varlib=root / "lib",
            keys=root / "keys",
            agi=root / "agi",
            spool=root / "spool",
            run=root / "run",
            log=root / "log",
            sbin=sbin,
        )

    @property
    def writable(self) -> tuple[Path, ...]:
        """The directories that must exist before Asterisk starts."""
        return (
            self.config,
            self.varlib,
            self.keys / "keys",
            self.agi,
            self.spool,
            self.run,
            self.log / "cel-custom",
        )

    @property
    def event_log(self) -> Path:
        """What happened to each channel, one CSV line an event (columns: cel_custom.conf.j2)."""
        return self.log / "cel-custom" / "huifang.csv"

    @property
    def control_socket(self) -> Path:
        """The socket that ``asterisk -r`` speaks to."""
        return self.run / "asterisk.ctl"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkConfig:
    """A line to the telephone network.

    Calls from the addresses in ``match`` are the carrier's, whatever their From says: so they must
    not be addresses from which agents register.

    ``caller_number`` is shown where a call has no number of its own. ``from_user`` stands in From for
    carriers that want their customer's name there; the number that is shown is P-Asserted-Identity's then.
    """

    name: str = field(metadata=NAME)
    host: str = field(metadata=HOST)
    port: int = field(default=5060, metadata=PORT)
    username: str | None = field(default=None, metadata=SECRET)
    secret: str | None = field(default=None, metadata=SECRET)
    register: bool = False
    match: tuple[str, ...] = field(default=(), metadata=NETWORK)
    codecs: tuple[Codec, ...] = (Codec.ALAW, Codec.ULAW)
    max_channels: int | None = field(default=None, metadata=COUNT)
    dids: tuple[str, ...] = field(default=(), metadata=NUMBER)
    caller_number: str | None = field(default=None, metadata=NUMBER)
    from_user: str | None = field(default=None, metadata=SECRET)
    qualify_seconds: int = field(default=0, metadata=SECONDS)
    trust_identity: bool = False

    @property
    def endpoint(self) -> str:
        """The PJSIP endpoint's name; channels are called ``PJSIP/<endpoint>-…``."""
        return f"trunk-{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEndpoint:
    """An agent's telephone: a browser (``webrtc``) or a SIP phone.

    ``former_secret``: a password that is still taken, as long as the telephone may not know the new one.
    """

    number: str = field(metadata=NUMBER)
    display_name: str = field(metadata=LABEL)
    secret: str = field(metadata=SECRET)
    former_secret: str | None = field(default=None, metadata=SECRET)
    webrtc: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TestPhone:
    """A browser that calls the hotline as a customer would, to try the centre out."""

    __test__ = False

    secret: str = field(metadata=SECRET)
    former_secret: str = field(metadata=SECRET)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueConfig:
    """A queue of callers. Members are added while agents are signed in, never here."""

    name: str = field(metadata=NAME)
    label: str = field(metadata=LABEL)
    strategy: Strategy = Strategy.LEAST_RECENT
    ring_seconds: int = field(default=20, metadata=SECONDS)
    retry_seconds: int = field(default=2, metadata=SECONDS)
    service_level_seconds: int = field(default=20, metadata=SECONDS)
    max_wait_seconds: int = field(default=600, metadata=SECONDS)
    music: str = field(default="default", metadata=NAME)
    weight: int = field(default=0, metadata=COUNT)


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxConfig:
    """One Asterisk node of the centre.

    Prompts are named without their extension (Asterisk picks the file that suits the channel);
    a relative name lies in ``prompts_dir``.
    """

    node: str = field(metadata=NAME)
    paths: AsteriskPaths
    sip_host: str = field(metadata=HOST)
    sip_port: int = field(metadata=PORT)
    http_host: str = field(metadata=HOST)
    http_port: int = field(metadata=PORT)
    rtp_start: int = field(metadata=PORT)
    rtp_end: int = field(metadata=PORT)
    ami_host: str = field(metadata=HOST)
    ami_port: int = field(metadata=PORT)
    ami_user: str = field(metadata=NAME)
    ami_secret: str = field(metadata=SECRET)
    agi_host: str = field(metadata=HOST)
    agi_port: int = field(metadata=PORT)
    trunks: tuple[TrunkConfig, ...]
    agents: tuple[AgentEndpoint, ...]
    queues: tuple[QueueConfig, ...]
    default_queue: str = field(metadata=NAME)
    hotline_number: str = field(metadata=NUMBER)
    prompts_dir: Path = field(metadata=PATH)
    music_dir: Path = field(metadata=PATH)
    recordings_dir: Path = field(metadata=PATH)
    fallback_prompt: Path = field(default=Path("huifang-fallback"), metadata=PATH)
    apology_prompt: Path = field(default=Path("huifang-apology"), metadata=PATH)
    waiting_prompt: Path = field(default=Path("huifang-waiting"), metadata=PATH)
    call_again_prompt: Path = field(default=Path("huifang-call-again"), metadata=PATH)
    goodbye_prompt: Path = field(default=Path("huifang-goodbye"), metadata=PATH)
    connecting_prompt: Path = field(default=Path("huifang-connecting"), metadata=PATH)
    recording_prompt: Path = field(default=Path("huifang-recording"), metadata=PATH)
    no_customer_prompt: Path = field(default=Path("huifang-no-customer"), metadata=PATH)
    ami_permit: tuple[str, ...] = field(default=("127.0.0.1/255.255.255.255",), metadata=NETWORK)
    external_address: str | None = field(default=None, metadata=HOST)
    local_networks: tuple[str, ...] = field(default=(), metadata=NETWORK)
    waiting_told_seconds: int = field(default=45, metadata=SECONDS)
    menu_limit_seconds: int = field(default=600, metadata=SECONDS)
    agent_ring_seconds: int = field(default=30, metadata=SECONDS)
    outbound_ring_seconds: int = field(default=60, metadata=SECONDS)
    hold_seconds: int = field(default=300, metadata=SECONDS)
    connect_seconds: int = field(default=2, metadata=SECONDS)
    amd_total_ms: int = field(default=2500, metadata=COUNT)
    record: bool = False
    test_phone: TestPhone | None = None

    def prompt(self, name: Path) -> Path:
        """The prompt's place on disk, without extension."""
        return self.prompts_dir / name
