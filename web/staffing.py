"""Who is on duty against the calls and cases of each hour (domain.md §2.2 «staffing view»).

Calls are those that came in, cases those that were registered, by the hour at the site in which they began.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

from crm.domain.duty import is_on
from crm.duty import Duty, ShiftView
from crm.tables import ServiceCase
from kernel.access import Actor, Permission
from kernel.db import Database
from kernel.errors import Invalid
from telephony.tables import CallRow

MAX_DAYS = 7
MOST = 50_000
"""Calls or cases that are counted."""
FIRST_HOUR, LAST_HOUR = 8, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """An hour of the day, over all days asked for.

    Attributes:
        on_duty: people per day, on the average.
        load: calls and cases for each hour somebody was on duty; ``None`` where nobody was.
    """

    hour: int
    calls: int
    cases: int
    on_duty: float
    load: float | None


def by_hour(
    days: Sequence[date],
    shifts: Iterable[ShiftView],
    calls: Iterable[datetime],
    cases: Iterable[datetime],
    zone: ZoneInfo,
) -> tuple[Hour, ...]:
    """Return the hours of the office's day, and any other with a call or a case."""
    called = Counter(at.astimezone(zone).hour for at in calls)
    opened = Counter(at.astimezone(zone).hour for at in cases)
    shifts = tuple(shifts)
    wanted = sorted({*range(FIRST_HOUR, LAST_HOUR), *called, *opened})
    rows = []
    for hour in wanted:
        people = 0.0
        for day in days:
            begins = datetime.combine(day, time(hour), zone)
            people += sum(len(one.people) * is_on(one.day, one.shift, begins, zone) for one in shifts)
        work = called[hour] + opened[hour]
        rows.append(
            Hour(
                hour=hour,
                calls=called[hour],
                cases=opened[hour],
                on_duty=round(people / len(days), 1),
                load=round(work / people, 1) if people else None,
            )
        )
    return tuple(rows)


class Staffing:
    """Reads the view from what there is."""

    def __init__(self, database: Database, duty: Duty, *, zone: ZoneInfo) -> None:
        self._database = database
        self._duty = duty
        self._zone = zone

    async def read(self, actor: Actor, since: date, days: int) -> tuple[Hour, ...]:
        """Return some days hour by hour. Raises Forbidden, Invalid."""
        actor.need(Permission.RED_LIST_VIEW)
        if not 1 <= days <= MAX_DAYS:
            raise Invalid(f"1 to {MAX_DAYS} days", field="days")
        wanted = [since + timedelta(days=number) for number in range(days)]
        begins = datetime.combine(since, time(), self._zone)
        ends = begins + timedelta(days=days)
        # The night shift of the day before ends on the first morning.
        shifts = await self._duty.roster(actor, since - timedelta(days=1), days + 1)
        calls = select(CallRow.started_at).where(
            CallRow.direction == "in", CallRow.started_at >= begins, CallRow.started_at < ends
        )
        cases = select(ServiceCase.opened_at).where(
            ServiceCase.opened_at >= begins, ServiceCase.opened_at < ends
        )
        async with self._database.session() as session:
            called = (await session.scalars(calls.limit(MOST))).all()
            opened = (await session.scalars(cases.limit(MOST))).all()
        return by_hour(wanted, shifts, called, opened, self._zone)
