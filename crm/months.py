"""Months of the site."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kernel.errors import Invalid

_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])", re.ASCII)


def month_period(month: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when a month such as ``2026-03`` begins and when the next one does. Raises Invalid."""
    match = _MONTH.fullmatch(month)
    if match is None:
        raise Invalid("a month such as 2026-03", field="month")
    first = date(int(match[1]), int(match[2]), 1)
    following = (first + timedelta(days=32)).replace(day=1)
    since, until = (datetime.combine(day, time(), zone) for day in (first, following))
    return since.astimezone(UTC), until.astimezone(UTC)


def month_of(now: datetime, zone: ZoneInfo) -> str:
    """Return the site's month at a moment."""
    return now.astimezone(zone).strftime("%Y-%m")
