"""A specialist's day: what is late, what ends today, whom to call back, what came back (domain.md §2.1)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from crm.case_lists import APPOINTMENT_DAYS, DayLimit, DayLine
from crm.repair_views import RepairBrief
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import gettext
from web.identity import current_actor, current_user
from web.pages import case_words as words
from web.pages.case_board import row_of
from web.pages.case_parts import CASE_LISTS, Due, due_of
from web.pages.lists.duty_words import SLOTS
from web.pages.shell import render
from web.pages.times import day_start
from web.permissions import Permission, requires


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/my-day", show)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRow:
    """A limit of a case in words."""

    item: DayLimit
    due: Due | None
    kind: str
    status: str
    tone: str
    severity: str
    severity_tone: str
    owes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRow:
    """A line of a case in words."""

    item: DayLine
    status: str
    tone: str


@requires(Permission.CASES_REGISTER)
async def show(request: web.Request) -> web.StreamResponse:
    """Show one's own day; who leads specialists may look at another's."""
    app, actor, user = request.app, current_actor(request), current_user(request)
    people: dict[str, str] = {}
    who = actor.user_id
    if user.can(Permission.BOARD_VIEW):
        people = {actor.user_id: user.display_name, **await app[CASE_LISTS].specialists(actor)}
        who = request.query.get("who", "") if request.query.get("who", "") in people else who
    day = await app[CASE_LISTS].day(actor, who)
    now = app[DEPS].clock.now()
    context = {
        "day": day,
        "people": people,
        "who": who,
        "mine": who == actor.user_id,
        "has_telephone": user.agent_id is not None,
        "extensions": any(one.agent_no for item in day.unsigned for one in item.whom),
        "overdue": [_limit(item, now) for item in day.overdue],
        "today": [_limit(item, now) for item in day.today],
        "callbacks": [row_of(item, now) for item in day.callbacks],
        "returned": [_line(item) for item in day.returned],
        "appointments": [_line(item) for item in day.appointments],
        "repairs": await _repairs(request, who),
        "patrols": await _patrols(request),
        "unfinished_text": gettext("今天未完成：%(n)s") % {"n": day.unfinished},
    }
    return render(request, "cases/my_day.html", context)


def _limit(item: DayLimit, now: datetime) -> LimitRow:
    case = item.case
    return LimitRow(
        item=item,
        due=due_of(item.limit, now),
        kind=labels.word(labels.CASE_KINDS, case.kind.value),
        status=labels.word(labels.CASE_STATUSES, case.status.value),
        tone=words.STATUS_TONES.get(case.status.value, ""),
        severity=labels.word(words.SEVERITIES, case.severity),
        severity_tone=words.SEVERITY_TONES.get(str(case.severity), ""),
        owes=item.limit.owner.department or "",
    )


def _line(item: DayLine) -> LineRow:
    return LineRow(
        item=item,
        status=labels.word(words.LINE_STATUSES, item.status.value),
        tone=words.LINE_TONES.get(item.status.value, ""),
    )


async def _patrols(request: web.Request) -> list[str]:
    """Return the patrols that are missing today and yesterday, to who leads the desk."""
    actor, duty = current_actor(request), request.app[CRM].duty
    if not actor.can(Permission.BOARD_VIEW):
        return []
    found = await duty.patrols(actor, duty.today() - timedelta(days=1), 2)
    return [
        gettext("%(day)s %(slot)s没有巡查记录")
        % {"day": f"{one.day:%m-%d}", "slot": labels.word(SLOTS, slot.value)}
        for one in found
        for slot in one.missing
    ]


async def _repairs(request: web.Request, who: str) -> list[RepairBrief]:
    """Return the person's repairs with a visit today or in the days after, by time."""
    zone = request.app[DEPS].settings.timezone
    today = request.app[DEPS].clock.now().astimezone(zone).date()
    since, until = day_start(today, zone), day_start(today + timedelta(days=APPOINTMENT_DAYS), zone)
    found = await request.app[CRM].repairs.reader.agenda(current_actor(request), since, until)
    return [item for item in found if item.case.specialist_id == who]
