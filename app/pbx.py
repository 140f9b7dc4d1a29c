"""From settings and database to the configuration of an Asterisk node."""

import asyncio
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from app.secrets_file import installation_secret
from app.settings import Settings
from kernel.bus import Bus
from kernel.clock import Clock, SystemClock
from kernel.db import Database
from kernel.errors import ConfigurationError
from telephony.agent_tables import AgentRow, QueueRow
from telephony.ami.actions import AmiActions
from telephony.asterisk.kept_files import KeptFiles
from telephony.asterisk.model import (
    AgentEndpoint,
    AsteriskPaths,
    Codec,
    PbxConfig,
    QueueConfig,
    Strategy,
    TestPhone,
    TrunkConfig,
)
from telephony.asterisk.render import hostport, write_agents, write_queues
from telephony.softphone_keys import TEST_PHONE, SoftphoneKeys


def ami_secret(settings: Settings) -> str:
    """Return the manager secret: the one set, else the one this installation made."""
    return settings.ami.secret.get_secret_value() or installation_secret(settings.data_dir, "ami")


def prompts_dir(settings: Settings) -> Path:
    """Where prompts are kept, both synthesised ones and recordings."""
    return settings.data_dir / "prompts"


def asterisk_root(settings: Settings) -> Path:
    """Where the private Asterisk keeps its files."""
    return settings.data_dir / "asterisk"


def event_log(settings: Settings) -> Path:
    """Where Asterisk logs what happens to each channel."""
    root = asterisk_root(settings)
    private = AsteriskPaths.under(root, modules=root, data=root, sbin=root).event_log
    return Path(settings.pbx.event_log) if settings.pbx.event_log else private


def trunk_of(settings: Settings) -> TrunkConfig:
    """Return the line to the telephone network. Raises ConfigurationError."""
    trunk = settings.pbx.trunk
    return TrunkConfig(
        name=trunk.name,
        host=trunk.host or _first_address(trunk.match),
        port=trunk.port,
        username=trunk.username or None,
        secret=trunk.secret.get_secret_value() or None,
        register=trunk.register_with,
        match=trunk.match,
        codecs=tuple(Codec(codec) for codec in trunk.codecs),
        max_channels=trunk.max_channels,
        dids=(settings.centre.hotline,),
        caller_number=settings.centre.hotline,
        from_user=trunk.from_user or None,
    )


def _first_address(match: tuple[str, ...]) -> str:
    if not match:
        raise ConfigurationError("pbx.trunk: set host or match", field="pbx.trunk.match")
    return match[0].split("/")[0]


async def build_pbx_config(
    settings: Settings, database: Database, paths: AsteriskPaths, *, agi_port: int | None = None
) -> PbxConfig:
    """Return the configuration with the agents and queues of the database.

    Raises:
        ConfigurationError: there is no queue, or the settings contradict each other.
    """
    async with database.session() as session:
        queues = (
            (await session.execute(select(QueueRow).where(QueueRow.active).order_by(QueueRow.position)))
            .scalars()
            .all()
        )
    endpoints = await agent_endpoints(settings, database, SystemClock().now())
    if settings.centre.default_queue not in {row.name for row in queues}:
        raise ConfigurationError(
            f"centre.default_queue: there is no active queue {settings.centre.default_queue!r}; "
            "create it («huifang queue set»), or start with «huifang up --demo»",
            field="centre.default_queue",
        )
    return PbxConfig(
        node=settings.pbx.node,
        paths=paths,
        sip_host=settings.pbx.sip_host,
        sip_port=settings.pbx.sip_port,
        http_host=settings.pbx.ws_host,
        http_port=settings.pbx.ws_port,
        rtp_start=settings.pbx.rtp_start,
        rtp_end=settings.pbx.rtp_end,
        ami_host=settings.ami.host,
        ami_port=settings.ami.port,
        ami_user=settings.ami.username,
        ami_secret=ami_secret(settings),
        ami_permit=settings.ami.permit,
        agi_host=settings.agi.host,
        agi_port=agi_port or settings.agi.port,
        trunks=(trunk_of(settings),),
        agents=endpoints,
        queues=tuple(_queue(row) for row in queues),
        default_queue=settings.centre.default_queue,
        hotline_number=settings.centre.hotline,
        prompts_dir=prompts_dir(settings),
        music_dir=settings.data_dir / "music",
        recordings_dir=settings.data_dir / "recordings",
        external_address=settings.pbx.external_address or None,
        local_networks=settings.pbx.local_networks,
        record=settings.pbx.record_calls,
        test_phone=test_phone(settings, SystemClock().now()),
        hold_seconds=settings.call_control.hold_seconds,
        connect_seconds=settings.dialler.connect_seconds,
        amd_total_ms=round(settings.dialler.machine_seconds * 1000),
    )


def web_address(settings: Settings) -> str:
    """Return host and port of Asterisk's web server, as we reach it."""
    host = settings.pbx.ws_host
    # What listens on every address listens on loopback too.
    return hostport("127.0.0.1" if host in {"0.0.0.0", "::"} else host, settings.pbx.ws_port)  # noqa: S104


def softphone_keys(settings: Settings) -> SoftphoneKeys:
    """Return what makes the passwords of browsers: the secret set, else the one this installation made."""
    secret = settings.pbx.softphone_secret.get_secret_value()
    return SoftphoneKeys(
        secret or installation_secret(settings.data_dir, "softphone"), node=settings.pbx.node
    )


async def agent_endpoints(settings: Settings, database: Database, now: datetime) -> tuple[AgentEndpoint, ...]:
    """Return the agents' telephones as Asterisk is to know them now."""
    keys = softphone_keys(settings)
    async with database.session() as session:
        query = select(AgentRow).where(AgentRow.active).order_by(AgentRow.number)
        rows = (await session.execute(query)).scalars().all()
    return tuple(_endpoint(row, keys, now) for row in rows)


def _endpoint(row: AgentRow, keys: SoftphoneKeys, now: datetime) -> AgentEndpoint:
    if not row.browser_phone:
        return AgentEndpoint(number=row.number, display_name=row.name, secret=row.sip_password)
    secret, former = keys.accepted(row.number, now)
    return AgentEndpoint(
        number=row.number, display_name=row.name, secret=secret, former_secret=former, webrtc=True
    )


def test_phone(settings: Settings, now: datetime) -> TestPhone | None:
    """Return the browser that calls as customers do, where one is wanted."""
    if not settings.pbx.test_phone:
        return None
    secret, former = softphone_keys(settings).accepted(TEST_PHONE, now)
    return TestPhone(secret=secret, former_secret=former)


def config_folder(settings: Settings) -> Path | None:
    """Return where Asterisk reads its configuration; ``None`` where that is not in our reach."""
    folder = Path(settings.pbx.config_dir) if settings.pbx.config_dir else _own_places(settings).config
    return folder if folder.is_dir() else None


def _own_places(settings: Settings) -> AsteriskPaths:
    root = asterisk_root(settings)
    return AsteriskPaths.under(root, modules=root, data=root, sbin=root)


def kept_files(
    settings: Settings, database: Database, clock: Clock, bus: Bus, actions: AmiActions
) -> tuple[KeptFiles, ...]:
    """Return what keeps Asterisk's files of agents and queues; nothing where we cannot reach its folder."""
    folder = config_folder(settings)
    if folder is None:
        return ()
    keys = softphone_keys(settings)

    async def write_phones() -> bool:
        agents = await agent_endpoints(settings, database, clock.now())
        test = test_phone(settings, clock.now())
        return await asyncio.to_thread(write_agents, agents, folder, test_phone=test)

    async def write_the_queues() -> bool:
        config = await build_pbx_config(settings, database, _own_places(settings))
        return await asyncio.to_thread(write_queues, config, folder)

    phones = KeptFiles(
        "agent-phones",
        write=write_phones,
        modules=("res_pjsip.so",),
        reload=actions.reload,
        until_next=lambda: keys.until_next(clock.now()),
        bus=bus,
    )
    queues = KeptFiles(
        "queue-files",
        write=write_the_queues,
        # First where callers are sent, then how the queue treats them.
        modules=("app_queue.so", "pbx_config.so"),
        reload=actions.reload,
        bus=bus,
    )
    return phones, queues


def _queue(row: QueueRow) -> QueueConfig:
    return QueueConfig(
        name=row.name,
        label=row.label_zh,
        strategy=Strategy(row.strategy),
        ring_seconds=row.ring_timeout_seconds,
        retry_seconds=row.retry_seconds,
        service_level_seconds=row.answer_within_seconds,
        max_wait_seconds=row.max_wait_seconds,
        weight=row.weight,
    )
