"""Moments in the site's time, written as people say them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

SITE = ZoneInfo("Asia/Shanghai")


def at(text: str) -> datetime:
    """Return ``2026-03-02 09:30[:ss]`` in Shanghai as aware UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=SITE).astimezone(UTC)


def local(moment: datetime | None) -> str:
    """Return a moment as Shanghai's clocks show it, to the minute."""
    return "never" if moment is None else moment.astimezone(SITE).strftime("%Y-%m-%d %H:%M")
