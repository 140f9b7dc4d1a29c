"""What the doctor is told: the settings, boiled down to what it looks at."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from kernel.clock import Clock, SystemClock
from speech.choice import InstalledRecognition
from speech.model_store import ModelStore

# What a call needs from Asterisk. Modules that only newer ones have, and conveniences, are not here.
NEEDED_MODULES = (
    "app_bridgewait",
    "app_chanspy",
    "app_confbridge",
    "app_audiosocket",
    "app_mixmonitor",
    "app_queue",
    "app_stack",
    "app_userevent",
    "chan_audiosocket",
    "chan_pjsip",
    "codec_alaw",
    "codec_ulaw",
    "codec_resample",
    "format_pcm",
    "format_wav",
    "func_callerid",
    "func_channel",
    "func_devstate",
    "func_strings",
    "pbx_config",
    "res_agi",
    "res_http_websocket",
    "res_manager_devicestate",
    "res_musiconhold",
    "res_pjsip",
    "res_pjsip_refer",
    "res_pjsip_registrar",
    "res_pjsip_session",
    "res_pjsip_transport_websocket",
    "res_rtp_asterisk",
    "res_srtp",
)


@dataclass(frozen=True, slots=True)
class PortUse:
    """A port that the centre listens on."""

    name: str  # for people: "web pages", "SIP trunk"
    setting: str  # to change it: "pbx.sip_port"
    host: str
    port: int
    kinds: tuple[Literal["tcp", "udp"], ...] = ("tcp",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerLogin:
    """How to sign in at Asterisk's manager interface."""

    host: str
    port: int
    username: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorInputs:
    """What to look at.

    Attributes:
        private_pbx, private_redis: ``huifang up`` starts them; then «not running» is no error.
        ports: those of the centre itself (a port 0 is skipped).
        own_pids: processes of the centre, whose ports are rightly taken.
        espeak: the program named to speak the menus; "" looks for one.
        missing_prompts: returns the names of prompts that flows need and no file has.
        recognition, models, languages: who listens to which language, and those that calls are held in.
        channels: those that messages may go out by; ``messages_wrong`` says why they cannot.
        encrypted: the data folder has to be on an encrypted disk.
        deadline: for each single question to a server.
    """

    data_dir: Path
    runtime_dir: Path
    database_url: str
    redis_url: str
    manager: ManagerLogin
    agi: tuple[str, int]
    private_pbx: bool = True
    private_redis: bool = True
    ports: tuple[PortUse, ...] = ()
    own_pids: frozenset[int] = frozenset()
    timezone: str = "Asia/Shanghai"
    espeak: str = ""
    missing_prompts: Callable[[], Awaitable[Sequence[str]]] | None = None
    modules: tuple[str, ...] = NEEDED_MODULES
    recognition: InstalledRecognition | None = None
    models: ModelStore | None = None
    languages: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    mail_server: tuple[str, int] | None = None
    messages_wrong: str = ""
    encrypted: bool = False
    deadline: timedelta = timedelta(seconds=5)
    clock: Clock = field(default_factory=SystemClock)
