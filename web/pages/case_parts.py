"""What the pages of cases share: limits that tick, services of the pages, whose cases they are."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web
from sqlalchemy import select

from crm.case_history import CaseHistory
from crm.case_lists import CaseLists
from crm.limit_views import TimerState, TimerView
from crm.tables import Department
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import gettext
from web.pages import case_words as words

CASE_LISTS: web.AppKey[CaseLists] = web.AppKey("CASE_LISTS", CaseLists)
CASE_HISTORY: web.AppKey[CaseHistory] = web.AppKey("CASE_HISTORY", CaseHistory)

AGAIN = timedelta(minutes=2)
"""The same text from the same customer within this time is the same form sent twice."""
AMBER, RED = 0.5, 0.8
"""Shares of a limit from which it is shown amber and red (domain.md §0, breach chain)."""


def setup(app: web.Application) -> None:
    """Make the services of the pages."""
    deps, crm = app[DEPS], app[CRM]
    app[CASE_LISTS] = CaseLists(deps.database, deps.clock, crm.cases, crm.limits, zone=deps.settings.timezone)
    app[CASE_HISTORY] = CaseHistory(deps.database)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A limit on a page. The page lets it tick; ``tone`` is what it has when the page is written.

    Attributes:
        amber_at: from when on it is amber, ``red_at`` red.
        ticks: false while nobody knows when it ends, for want of a calendar; ``at`` is its start then.
    """

    at: datetime
    amber_at: datetime
    red_at: datetime
    text: str
    tone: str
    label: str
    ticks: bool = True


def left_text(left: timedelta) -> str:
    """Return how long is left, or since how long it is over, in the two largest units."""
    seconds = int(abs(left.total_seconds()))
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes = rest // 60
    if days:
        span = gettext("%(d)s 天 %(h)s 小时") % {"d": days, "h": hours}
    elif hours:
        span = gettext("%(h)s 小时 %(m)s 分") % {"h": hours, "m": minutes}
    else:
        span = gettext("%(m)s 分钟") % {"m": minutes}
    late = left < timedelta(0)
    return (gettext("已超 %(span)s") if late else gettext("还剩 %(span)s")) % {"span": span}


def calendar_text(timer: TimerView) -> str:
    """Return what stands in the place of the time left while nobody knows the end of a limit."""
    return gettext("缺少 %(year)s 年日历") % {"year": timer.calendar_missing}


def due_of(timer: TimerView | None, now: datetime) -> Due | None:
    """Return a running limit as pages show it; ``None`` for one that does not run."""
    if timer is not None and timer.state is TimerState.CALENDAR_MISSING:
        start = timer.started_at
        return Due(
            at=start,
            amber_at=start,
            red_at=start,
            text=calendar_text(timer),
            tone="red",
            label=labels.word(words.LIMITS, timer.code),
            ticks=False,
        )
    if timer is None or timer.state is not TimerState.RUNNING or timer.due_at is None:
        return None
    left = timer.due_at - now
    used = min(timer.used, 1.0)

    def reaches(share: float) -> datetime:
        # The rest of the time is taken as even: the exact points are the limit's own matter.
        if used >= share or left <= timedelta(0):
            return min(now, timer.due_at or now)
        return now + left * ((share - used) / (1 - used))

    tone = "red" if timer.overdue or used >= RED else "amber" if used >= AMBER else ""
    return Due(
        at=timer.due_at,
        amber_at=reaches(AMBER),
        red_at=reaches(RED),
        text=left_text(left),
        tone=tone,
        label=labels.word(words.LIMITS, timer.code),
    )


async def departments(request: web.Request) -> dict[str, str]:
    """Return code → name of the departments."""
    query = select(Department.code, Department.name).order_by(Department.name)
    async with request.app[DEPS].database.session() as session:
        rows = (await session.execute(query)).all()
    return {str(code): str(name) for code, name in rows}


def has_page(app: web.Application, canonical: str) -> bool:
    """Tell whether there is a page of that address, written as routes are."""
    return any(resource.canonical == canonical for resource in app.router.resources())
