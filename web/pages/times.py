"""Times on the pages: the centre's zone, and durations as people read them."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo


def duration(seconds: float | None) -> str:
    """Return ``0:07``, ``12:03`` or ``1:02:03``; a dash where there is none."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def filters(zone: ZoneInfo) -> Mapping[str, Callable[..., Any]]:
    """Return the template filters: ``day_time``, ``clock_time``, ``minute``, ``hour_minute``, ``day``…"""

    def local(pattern: str) -> Callable[[datetime | None], str]:
        return lambda at: at.astimezone(zone).strftime(pattern) if at is not None else "–"

    return {
        "day_time": local("%Y-%m-%d %H:%M:%S"),
        "short_time": local("%m-%d %H:%M"),
        "clock_time": local("%H:%M:%S"),
        "minute": local("%Y-%m-%d %H:%M"),
        "hour_minute": local("%H:%M"),
        "day": local("%Y-%m-%d"),
        "duration": duration,
    }


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """Return the moment a day of the site begins, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def day_end(day: date, zone: ZoneInfo) -> datetime:
    """Return the moment the day after begins, in UTC; the last day of the calendar has none."""
    if day == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return day_start(day + timedelta(days=1), zone)
