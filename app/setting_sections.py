"""What sections of settings are made of, and the sections of what goes out: calls and messages."""

import re
from ipaddress import ip_network
from typing import Annotated, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from speech.engines import ENGINES
from telephony.asterisk.model import Codec


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            ip_network(value, strict=False)
        except ValueError as error:
            raise ValueError(
                f"{value!r} is no address or network, such as 192.0.2.7 or 192.0.2.0/24"
            ) from error
    return values


Networks = Annotated[tuple[str, ...], pydantic.AfterValidator(_networks)]


def _codecs(values: tuple[str, ...]) -> tuple[str, ...]:
    unknown = sorted(set(values) - set(Codec))
    if unknown or not values:
        raise ValueError(f"{', '.join(unknown) or 'nothing'}: name at least one of {', '.join(Codec)}")
    return values


def _numbers(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not re.fullmatch(r"\+?[0-9]{2,20}", value):
            raise ValueError(f"{value!r} is no telephone number")
    return values


def _prefixes(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not re.fullmatch(r"[0-9]{1,11}", value):
            raise ValueError(f"{value!r} is no beginning of a national number")
    return values


def _clock(value: str) -> str:
    if not re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError(f"{value!r} is no time of day such as 21:00")
    return value


def _languages(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not re.fullmatch(r"[a-z]{2,3}", value):
            raise ValueError(f"{value!r} is no code of a language such as zh")
    return values


def _engine(value: str) -> str:
    if value and value not in ENGINES:
        raise ValueError(f"{value!r} is no engine: there are {', '.join(sorted(ENGINES))}")
    return value


def _page_url(value: str) -> str:
    if value and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+/?", value):
        raise ValueError("an address such as https://cc.example.com")
    return value


Codecs = Annotated[tuple[str, ...], pydantic.AfterValidator(_codecs)]
OwnNumbers = Annotated[tuple[str, ...], pydantic.AfterValidator(_numbers)]
Prefixes = Annotated[tuple[str, ...], pydantic.AfterValidator(_prefixes)]
Languages = Annotated[tuple[str, ...], pydantic.AfterValidator(_languages)]
EngineName = Annotated[str, pydantic.AfterValidator(_engine)]
ClockTime = Annotated[str, pydantic.AfterValidator(_clock)]
PageUrl = Annotated[str, pydantic.AfterValidator(_page_url)]


class Section(BaseModel):
    """Base of the sections: unknown names are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class DiallerSettings(Section):
    """The dialler: it calls customers for running campaigns, and for agents who ask for a call."""

    enabled: bool = Field(True, description="Dial for running campaigns; without one nothing is dialled.")
    ring_seconds: float = Field(35, gt=0, le=120, description="How long a customer's telephone rings.")
    agent_ring_seconds: float = Field(
        20, gt=0, le=60, description="How long an agent's telephone rings who asked for a call."
    )
    connect_seconds: int = Field(
        2, ge=1, le=10, description="Whoever answers and has nobody so long after that was abandoned."
    )
    machine_seconds: float = Field(
        2.5,
        ge=1,
        le=5,
        description="How long is listened for an answering machine; unsure is a person. In campaigns with "
        "agents it is part of `connect_seconds`: whoever is connected later than that counts as abandoned.",
    )
    stale_seconds: float = Field(
        5, gt=0, le=30, description="Nobody is dialled when Asterisk was last heard longer ago."
    )
    settle_seconds: float = Field(
        60, ge=1, le=600, description="A call that left no trace counts as made after so long."
    )
    talk_minutes: float = Field(
        60, gt=0, le=600, description="A call that lasts longer is looked for: its end may have been missed."
    )
    carrier: str = Field(
        "own", description="Whose rules hold for agents' calls outside of campaigns (rules/dialling.yaml)."
    )


class CallControlSettings(Section):
    """What agents do with calls from their pages: hold, consult, transfer."""

    hold_seconds: int = Field(
        300,
        ge=30,
        le=3600,
        description="A customer who is on hold for longer goes back to a queue, before all others.",
    )
    ring_seconds: float = Field(
        25, ge=5, le=120, description="How long a colleague's telephone rings who is asked."
    )
    outside_ring_seconds: float = Field(
        45, ge=5, le=120, description="How long a telephone outside rings that is asked."
    )
    outside: Literal["none", "national", "any"] = Field(
        "national", description="Which numbers outside customers may be sent to, or be asked."
    )
    outside_per_hour: int = Field(
        20, ge=1, le=1000, description="So many numbers outside may an agent send to or ask within an hour."
    )


class NumberCallSettings(Section):
    """Calls of agents to numbers that pages show."""

    per_hour: int = Field(
        60, ge=1, le=1000, description="So many numbers may an agent call from pages within an hour."
    )
    refused_prefixes: Prefixes = Field(
        ("168",),
        description="National numbers that begin so are not called: what costs extra. Emergency, service, "
        "short and foreign numbers are never called, whatever stands here.",
    )


class SpeechSettings(Section):
    """Speech to text. Without an installed model («huifang speech list») there is none; all else works."""

    enabled: bool = Field(True, description="Turn speech into text where a model is installed.")
    languages: Languages = Field(
        ("zh",),
        description="Languages that calls are held in (`zh`, `en`); a recogniser is ready for the first.",
    )
    engine: EngineName = Field(
        "", description="Only models of this engine (`vosk`, `whisper`); empty: the best one for a language."
    )
    trade_words: bool = Field(
        True, description="Expect words of the trade in Mandarin: what only sounds like one becomes it."
    )
    models_dir: str = Field("", description="Folder of the models; empty: `models` in `data_dir`.")
    warm: bool = Field(
        True, description="Have a recogniser ready; if not, the first call waits until the model is loaded."
    )
    processes: int = Field(
        1, ge=1, le=16, description="Processes for live text; each has the model in its memory once."
    )
    threads: int = Field(
        2, ge=1, le=64, description="Speakers that a process listens to at the same moment: processor cores."
    )
    streams: int = Field(
        16, ge=1, le=500, description="Speakers of a process; of others there is no live text."
    )
    memory_mb: int = Field(
        4096, ge=256, le=262144, description="A process that takes more memory is started again."
    )
    load_seconds: float = Field(120, ge=5, le=1800, description="Deadline of loading a model.")


class LiveTextSettings(Section):
    """Live text of calls: Asterisk brings the sound of each speaker over AudioSocket.

    Which queues and campaigns have it is theirs to say («huifang queue set NAME --live-text»).
    """

    enabled: bool = Field(True, description="Show what is said while a call goes on, where speech is there.")
    host: str = Field("127.0.0.1", description="Address that sound is brought to.")
    port: int = Field(0, ge=0, le=65535, description="Its port; 0 takes a free one, and Asterisk is told.")
    reached_at: str = Field(
        "",
        pattern=r"^[A-Za-z0-9.:-]{0,80}$",
        description="Address under which Asterisk reaches it; empty: `live_text.host`.",
    )
    allow: Networks = Field(("127.0.0.1", "::1"), description="Addresses that sound is taken from.")
    streams: int = Field(
        8, ge=2, le=500, description="Speakers listened to at once, two a call; further ones have no text."
    )


class RecordingPauseSettings(Section):
    """Recording and text stop while a customer says the number of a card; the recording keeps its time."""

    seconds: int = Field(120, ge=10, le=1800, description="After so long a pause ends by itself.")
    automatic: bool = Field(
        True,
        description="Pause by itself when live text hears a card number asked for or said.",
    )
    automatic_seconds: int = Field(
        45, ge=10, le=600, description="After so long a pause that began by itself ends."
    )


class MenuSpeechSettings(Section):
    """Say it instead of pressing it: while a menu waits the caller is listened to, where speech is there.

    Which menus, and what may be said, is the flow's to say. Keys count always.
    """

    enabled: bool = Field(True, description="Take words in menus whose flow names them.")
    host: str = Field("127.0.0.1", description="Address that callers' sound is brought to.")
    port: int = Field(0, ge=0, le=65535, description="Its port; 0 takes a free one, and Asterisk is told.")
    reached_at: str = Field(
        "",
        pattern=r"^[A-Za-z0-9.:-]{0,80}$",
        description="Address under which Asterisk reaches it; empty: `menu_speech.host`.",
    )
    allow: Networks = Field(("127.0.0.1", "::1"), description="Addresses that sound is taken from.")
    streams: int = Field(
        4, ge=1, le=500, description="Callers listened to at once; further ones press keys, as ever."
    )


class EarlyMediaSettings(Section):
    """What a network says before anybody answers (空号, 关机, 停机 …) becomes the result of the call."""

    enabled: bool = Field(True, description="Listen to it for campaigns' calls, where speech is there.")
    seconds: float = Field(
        20, ge=5, le=60, description="So much of a call is listened to, from the first sound on."
    )
    hang_up: bool = Field(
        False,
        description="End a campaign's call as soon as it is certain that nobody will answer: frees the line.",
    )
    streams: int = Field(
        4, ge=1, le=500, description="Calls listened to at once; of further ones the network's cause counts."
    )
    host: str = Field("127.0.0.1", description="Address that the sound is brought to.")
    port: int = Field(0, ge=0, le=65535, description="Its port; 0 takes a free one, and Asterisk is told.")
    reached_at: str = Field(
        "",
        pattern=r"^[A-Za-z0-9.:-]{0,80}$",
        description="Address under which Asterisk reaches it; empty: `early_media.host`.",
    )
    allow: Networks = Field(("127.0.0.1", "::1"), description="Addresses that sound is taken from.")


class UnderstandingSettings(Section):
    """A language model of one's own that finds what the rules miss; off without an address.

    It is sent what is said in calls with live text, numbers of cards hidden: choose one that may read that.
    """

    url: PageUrl = Field(
        "",
        description="Where its chat interface (`/v1/chat/completions`) is, without that path; empty: none.",
    )
    model: str = Field("", max_length=100, description="Its name there.")
    key: pydantic.SecretStr = Field(
        pydantic.SecretStr(""), description="Key that is sent with every question; empty: none."
    )
    seconds: float = Field(3, ge=0.5, le=30, description="Deadline of an answer; a later one is not used.")


class NoticeSettings(Section):
    """Messages to people who work here and to customers: e-mail, enterprise WeChat, SMS, webhooks."""

    page_url: PageUrl = Field(
        "",
        description="Where people open the pages (`https://cc.example.com`); empty: messages carry no link, "
        "and links without signing in are shown under the address that was asked.",
    )
    smtp_host: str = Field("", description="Mail server; empty: no e-mail.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Port of the mail server.")
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="Encryption; `none` only for a mail server on this machine."
    )
    smtp_username: str = Field("", description="User name at the mail server; empty: no login.")
    smtp_password: pydantic.SecretStr = Field(
        pydantic.SecretStr(""), description="Password at the mail server."
    )
    smtp_from: str = Field("", description="Address that e-mail comes from.")
    attach_reports: bool = Field(
        False,
        description="Attach the regular reports to their e-mails, as Excel files that name no customer; else "
        "the e-mail has a link alone, which opens after signing in.",
    )
    wecom_url: pydantic.SecretStr = Field(
        pydantic.SecretStr(""), description="Address of a WeCom group's robot, key and all; empty: no WeCom."
    )
    sms_url: str = Field("", description="Gateway that text messages are posted to as JSON; empty: no SMS.")
    sms_secret: pydantic.SecretStr = Field(
        pydantic.SecretStr(""), description="Signs what is posted to the SMS gateway."
    )
    webhook_url: str = Field("", description="Where webhooks go whose recipient has no address of their own.")
    webhook_secret: pydantic.SecretStr = Field(
        pydantic.SecretStr(""), description="Signs webhooks (HMAC-SHA256); empty: no webhooks."
    )
    allowed_networks: Networks = Field(
        (), description="Networks, not public, that gateways and webhooks may be in, such as 10.1.2.0/24."
    )
    email_per_minute: float = Field(60, gt=0, le=6000, description="E-mails a minute; more of them wait.")
    sms_per_minute: float = Field(60, gt=0, le=6000, description="Text messages a minute; more of them wait.")
    wecom_per_minute: float = Field(
        18, gt=0, le=6000, description="WeCom messages a minute; a group's robot takes 20."
    )
    webhook_per_minute: float = Field(120, gt=0, le=6000, description="Webhooks a minute; more of them wait.")
    recipient_per_minute: float = Field(
        2,
        gt=0,
        le=600,
        description="Messages a minute to one address, after five at once; more of them wait.",
    )
    quiet_from: ClockTime = Field("21:00", description="From then on only urgent messages go out.")
    quiet_until: ClockTime = Field(
        "08:00", description="Until then; the same as `quiet_from`: messages go out at any hour."
    )
