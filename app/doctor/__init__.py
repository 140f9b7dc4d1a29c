"""``huifang doctor``: what is missing or wrong on this installation, one line each with its mend."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from app.doctor.calendar import check_calendar
from app.doctor.encryption import check_encryption
from app.doctor.findings import Finding, Level, format_finding
from app.doctor.inputs import DoctorInputs, ManagerLogin, PortUse
from app.doctor.machine import (
    check_clock,
    check_data_dir,
    check_disk,
    check_ports,
    check_timezone,
    check_tools,
)
from app.doctor.messages import check_messages
from app.doctor.pbx import check_manager
from app.doctor.recordings import check_recordings
from app.doctor.services import check_database, check_espeak, check_fastagi, check_prompts, check_redis
from app.doctor.speech import check_speech
from app.doctor.staff import check_staff

__all__ = [
    "DoctorInputs",
    "Finding",
    "Level",
    "ManagerLogin",
    "PortUse",
    "check_ports",
    "format_finding",
    "run_checks",
]

log = structlog.get_logger(__name__)

Check = Callable[[DoctorInputs], Awaitable[Sequence[Finding]]]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("programs", check_tools),
    ("espeak-ng", check_espeak),
    ("disk", check_disk),
    ("data folder", check_data_dir),
    ("encryption", check_encryption),
    ("clock", check_clock),
    ("time zone", check_timezone),
    ("ports", check_ports),
    ("database", check_database),
    ("calendar", check_calendar),
    ("staff numbers", check_staff),
    ("Redis", check_redis),
    ("AMI", check_manager),
    ("FastAGI", check_fastagi),
    ("prompts", check_prompts),
    ("messages", check_messages),
    ("speech", check_speech),
    ("recordings", check_recordings),
)


async def run_checks(inputs: DoctorInputs) -> list[Finding]:
    """Look at everything at once and return the findings in a fixed order.

    Nothing is changed, unpacked or started. A check that itself breaks becomes a finding; none takes longer
    than a few of ``inputs.deadline``.
    """
    found = await asyncio.gather(*(_border(name, check, inputs) for name, check in CHECKS))
    return [finding for findings in found for finding in findings]


async def _border(name: str, check: Check, inputs: DoctorInputs) -> Sequence[Finding]:
    try:
        return await check(inputs)
    except Exception as error:
        log.exception("doctor_check_failed", check=name)
        said = f"the check itself failed: {type(error).__name__}: {error}"
        return [Finding.error(name, said, "report this with the log line doctor_check_failed")]
