"""What the doctor asks of the recordings: what the last comparison with their files found."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from app.doctor.findings import Finding
from app.doctor.inputs import DoctorInputs
from kernel.db import create_database
from kernel.errors import ConfigurationError
from telephony.recording_check import CheckReport, last_check

NAME = "recordings"
OLD = timedelta(hours=50)
"""Two nights without a comparison."""
SHOWN = 3


async def check_recordings(inputs: DoctorInputs) -> Sequence[Finding]:
    """Whether every recording has its files, and every file its call; nothing before the first comparison."""
    try:
        url = make_url(inputs.database_url)
        if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).is_file()):
            return []
        database = create_database(inputs.database_url)
    except (ConfigurationError, SQLAlchemyError):
        return []
    try:
        async with asyncio.timeout(inputs.deadline.total_seconds()):
            report = await last_check(database)
    except (OSError, SQLAlchemyError, TimeoutError):
        return []  # The check of the database says why.
    finally:
        await database.dispose()
    return recording_findings(report, inputs.clock.now()) if report is not None else []


def recording_findings(report: CheckReport, now: datetime) -> Sequence[Finding]:
    """Return what is to be said of a comparison."""
    when = f"{report.ended_at:%Y-%m-%d %H:%M} UTC"
    found = []
    if report.missing:
        some = _some(report.missing_names, report.missing)
        said = f"{report.missing} have lost their files ({when}): {some}"
        mend = "bring them back from a backup of the data folder; «huifang recordings check» looks again"
        found.append(Finding.error(NAME, said, mend))
    if report.strangers:
        some = _some(report.stranger_names, report.strangers)
        said = f"{report.strangers} files belong to no call ({when}): {some}"
        mend = "delete them by hand, unless the database was brought back from an older backup"
        found.append(Finding.warning(NAME, said, mend))
    if now - report.ended_at > OLD:
        said = f"last compared with their files at {when}"
        mend = "is the centre running? «huifang recordings check» does it now"
        found.append(Finding.warning(NAME, said, mend))
    if not found:
        room = f"{report.size / (1 << 20):.0f} MB"
        found.append(Finding.good(NAME, f"{report.recordings} are all there, {room} ({when})"))
    return found


def _some(names: Sequence[str], count: int) -> str:
    more = f" and {count - SHOWN} more" if count > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
