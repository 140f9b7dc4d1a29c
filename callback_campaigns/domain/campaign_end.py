"""When a campaign will be done, at the pace of the last hours and in the hours in which calls are made."""

from datetime import datetime, timedelta

from callback_campaigns.domain.windows import DAY, SEARCHED_DAYS, CallingWindows, CallWish

LEAST_TASKS = 3
"""Fewer that have come to their end say nothing about a pace."""


def hours_open(windows: CallingWindows, since: datetime, until: datetime, wish: CallWish) -> timedelta:
    """Return for how long calls could be made between two moments.

    Raises:
        CalendarYearMissing: the answer depends on a year that is not loaded.
    """
    total, day = timedelta(0), windows.day_of(since)
    while day <= windows.day_of(until):
        for begins, ends in windows.on(day, wish):
            total += max(timedelta(0), min(ends, until) - max(begins, since))
        day += DAY
    return total


def projected_end(
    windows: CallingWindows, now: datetime, left: int, pace: float | None, wish: CallWish
) -> datetime | None:
    """Return when the last task will be done; ``None`` when nobody can say.

    Args:
        left: tasks that wait.
        pace: tasks that come to their end in an hour of calling; ``None`` while that is not known.

    Raises:
        CalendarYearMissing: the answer depends on a year that is not loaded.
    """
    if left == 0:
        return now
    if pace is None or pace <= 0:
        return None
    needed, first = timedelta(hours=left / pace), windows.day_of(now)
    for offset in range(SEARCHED_DAYS):
        for begins, ends in windows.on(first + offset * DAY, wish):
            begins = max(begins, now)
            if begins + needed <= ends:
                return begins + needed
            needed -= max(timedelta(0), ends - begins)
    return None
