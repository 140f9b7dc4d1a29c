"""Recordings: noted when calls end, compared with their files every night; ``huifang recordings``."""

from pathlib import Path

from app.base import Base, consumer
from app.settings import Settings
from app.store import open_store
from kernel.clock import Clock, SystemClock
from kernel.db import Database
from telephony.recording_check import CheckReport, RecordingCheck
from telephony.recordings import RECORDED_FACTS, Recordings


def recordings_folder(settings: Settings) -> Path:
    """Return where the PBX of this node leaves its recordings."""
    return settings.data_dir / "recordings"


def start_recordings(base: Base) -> None:
    """Know what is recorded, and find what is lost; where the PBX is followed."""
    settings = base.settings
    notes = Recordings(base.clock, folder=recordings_folder(settings), node=settings.pbx.node)
    base.tasks.spawn("recordings", consumer(base, "recordings", RECORDED_FACTS, notes.on_fact).run)
    base.tasks.spawn("recording-check", build_check(settings, base.database, base.clock).run)


def build_check(settings: Settings, database: Database, clock: Clock) -> RecordingCheck:
    """Return the comparison of this node."""
    return RecordingCheck(
        database,
        clock,
        folder=recordings_folder(settings),
        node=settings.pbx.node,
        zone=settings.zone,
    )


async def check_recordings(settings: Settings) -> tuple[bool, list[str]]:
    """Compare now; return whether all is well, and the report's lines."""
    async with open_store(settings) as database:
        report = await build_check(settings, database, SystemClock()).run_once()
    return not report.missing and not report.strangers, lines_of(report)


def lines_of(report: CheckReport) -> list[str]:
    """Return what a comparison found, as people read it."""
    lines = [
        f"{report.recordings} recordings, {report.size / (1 << 20):.1f} MB",
        f"{report.adopted} of calls that nothing was noted of until now",
        f"{report.missing} are noted, and their files are gone",
    ]
    lines += [f"  {name}" for name in report.missing_names]
    lines.append(f"{report.strangers} files belong to no call")
    lines += [f"  {name}" for name in report.stranger_names]
    return lines
