"""From the settings to what the doctor looks at."""

import contextlib
from ipaddress import ip_address
from pathlib import Path

from app.doctor.inputs import DoctorInputs, ManagerLogin
from app.notice_wiring import build_senders
from app.pbx import ami_secret, prompts_dir
from app.ports import LOCK, port_uses
from app.settings import Settings
from app.speech_part import build_recognition, model_store
from ivr.prompts.studio import DIALPLAN_PROMPTS
from kernel.clock import SystemClock
from kernel.errors import ConfigurationError
from telephony.asterisk.sounds import CHIME


def doctor_inputs(settings: Settings) -> DoctorInputs:
    """Return the doctor's inputs."""

    async def missing_prompts() -> list[str]:
        names = (*DIALPLAN_PROMPTS, CHIME)
        return [name for name in names if not (prompts_dir(settings) / f"{name}.wav").is_file()]

    channels, messages_wrong = _channels(settings)
    return DoctorInputs(
        data_dir=settings.data_dir,
        runtime_dir=settings.runtime_dir,
        database_url=settings.sql_url,
        redis_url=settings.redis_address,
        manager=ManagerLogin(
            host=settings.ami.host,
            port=settings.ami.port,
            username=settings.ami.username,
            secret=ami_secret(settings),
        ),
        agi=(settings.agi.host, settings.agi.port),
        private_pbx=not _own_pbx(settings),
        private_redis=not settings.redis_url,
        ports=port_uses(settings),
        own_pids=_centre_pids(settings),
        timezone=settings.centre.timezone,
        espeak=settings.voice.espeak,
        missing_prompts=missing_prompts,
        recognition=build_recognition(settings),
        models=model_store(settings),
        languages=settings.speech.languages,
        channels=channels,
        mail_server=(settings.notices.smtp_host, settings.notices.smtp_port)
        if settings.notices.smtp_host
        else None,
        messages_wrong=messages_wrong,
        encrypted=settings.encrypted_disk,
    )


def _channels(settings: Settings) -> tuple[tuple[str, ...], str]:
    """Return the channels that are set up, and what is wrong with their settings."""
    try:
        return tuple(channel.value for channel in build_senders(settings, SystemClock())), ""
    except ConfigurationError as error:
        return (), error.message


def _own_pbx(settings: Settings) -> bool:
    """Whether the Asterisk is one that «huifang up» does not start.

    Who has one names its manager's secret, its machine, or its log of channel events; the private one needs
    none of them.
    """
    return bool(
        settings.ami.secret.get_secret_value() or settings.pbx.event_log or not _is_local(settings.ami.host)
    )


def _is_local(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


def _centre_pids(settings: Settings) -> frozenset[int]:
    """Return the process of a running ``huifang up`` and its children."""
    try:
        up = int((settings.data_dir / "run" / LOCK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return frozenset()
    found = {up}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            # After the name, which may hold anything, come the state and the parent.
            parent = int(stat.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
            if parent == up:
                found.add(int(stat.parent.name))
    return frozenset(found)
