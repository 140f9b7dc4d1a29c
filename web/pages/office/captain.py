"""The repair captain's telephone: whom to call, where to go, one repair with its visit (domain.md §2.4)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from aiohttp import web

from crm.crew_repairs import CrewRepairs
from crm.domain.case import CaseStatus
from crm.domain.repair import Route
from crm.figure_period import Asked
from crm.limit_views import TimerView
from crm.repair_read import RepairFilter
from crm.repair_views import RepairBrief, RepairList
from crm.settlement_views import CrewMonth
from kernel.clock import Clock
from kernel.errors import Invalid
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import gettext
from web.identity import current_actor
from web.pages import case_words as words
from web.pages import repair_words
from web.pages.case_parts import Due, due_of
from web.pages.figures import asked_of
from web.pages.office import captain_repair, cost_words
from web.pages.office.gathered import READ, gather
from web.pages.office.gathered import shown as where_of
from web.pages.shell import render
from web.permissions import Permission, requires

_S = CaseStatus


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/captain", show)
    app.router.add_get("/captain/month", show_month)  # before single repairs: «month» is no id
    captain_repair.setup(app)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A repair in a list."""

    repair: RepairBrief
    status: str
    tone: str
    route: str
    reason: str
    due: Due | None
    phones: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The visits of a day, by time and then by district."""

    day: datetime
    is_today: bool
    is_past: bool
    cards: Sequence[Card]


@requires(Permission.REPAIRS_WORK)
async def show(request: web.Request) -> web.StreamResponse:
    """Show what is to be done: calls, visits, costs, re-routes."""
    app, actor = request.app, current_actor(request)
    reader, now = app[CRM].repairs.reader, app[DEPS].clock.now()
    zone = app[DEPS].settings.timezone

    async def all_of(wanted: RepairFilter) -> list[RepairBrief]:
        return await gather(lambda cursor: reader.page(actor, wanted, cursor=cursor, limit=READ))

    mine = [
        item
        for route in (Route.CAPTAIN, Route.OTHER_CREW)
        for item in await all_of(RepairFilter(is_open=True, route=route))
    ]
    to_cost = await all_of(RepairFilter(which=RepairList.TO_COST))
    reroute = await all_of(RepairFilter(which=RepairList.REROUTE))
    district = request.query.get("district", "")[:60]
    districts = sorted({item.community for item in mine if item.community})
    wanted = [item for item in mine if not district or item.community == district]
    part = where_of("/captain", request.query, len(wanted))
    shown = sorted(wanted, key=_urgency)[part.begin : part.end]
    proposed = {item.case_id for item in reroute}
    owed = {item.case_id for item in to_cost}
    parts = _parts(shown, proposed, owed)
    counts = {name: len(items) for name, items in _parts(wanted, proposed, owed).items()}
    context = {
        "reroute": _cards(reroute, now) if not part.begin else [],
        "to_call": _by_due(_cards(parts["to_call"], now)),
        "days": _days(parts["visits"], now, zone),
        "to_cost": _by_due(_cards(to_cost, now)) if not part.begin else [],
        "rest": _cards(parts["rest"], now),
        "counts": counts,
        "districts": districts,
        "district": district,
        "sees_deposits": actor.can(Permission.DEPOSITS_VIEW),
        "total": len(wanted),
        "more": part.more,
        "first": part.first,
    }
    return render(request, "office/captain.html", context)


def _parts(
    items: Iterable[RepairBrief], proposed: Collection[str], owed: Collection[str]
) -> dict[str, list[RepairBrief]]:
    """Return repairs by what is to be done next; costs and re-routes have lists of their own."""
    found: dict[str, list[RepairBrief]] = {"to_call": [], "visits": [], "rest": []}
    for item in items:
        if item.status in {_S.ROUTED, _S.NOTIFIED, _S.CONTACTED} and item.case_id not in proposed:
            found["to_call"].append(item)
        elif item.status is _S.APPOINTED and item.appointed_from is not None:
            found["visits"].append(item)
        elif item.status in {_S.VISITED, _S.CALLBACK} and item.case_id not in owed:
            found["rest"].append(item)
    return found


def _urgency(item: RepairBrief) -> tuple[datetime, str]:
    """Return what sorts repairs: by the agreed visit or the limit that ends first, else by their age."""
    timer = nearest(item.timers)
    due = timer.due_at if timer is not None else None
    return item.appointed_from or due or item.case.opened_at, item.case_id


def _cards(items: Iterable[RepairBrief], now: datetime) -> list[Card]:
    return [
        Card(
            repair=item,
            status=labels.word(labels.CASE_STATUSES, item.status.value),
            tone=words.STATUS_TONES.get(item.status.value, ""),
            route=labels.word(repair_words.ROUTES, item.route.value) if item.route else "",
            reason=labels.word(repair_words.REASONS, item.route_reason.value) if item.route_reason else "",
            due=due_of(nearest(item.timers), now),
        )
        for item in items
    ]


def nearest(timers: Iterable[TimerView]) -> TimerView | None:
    """Return the open limit that ends first and that whoever repairs owes."""
    open_ = [
        (timer.due_at, timer.timer_id, timer)
        for timer in timers
        if timer.is_open and timer.due_at is not None and timer.code in captain_repair.OWED
    ]
    return min(open_)[2] if open_ else None


def _by_due(cards: list[Card]) -> list[Card]:
    return sorted(cards, key=lambda card: (card.due is None, card.due.at if card.due else card.repair.no))


def _days(visits: Sequence[RepairBrief], now: datetime, zone: ZoneInfo) -> list[Day]:
    today = now.astimezone(zone).date()

    def begins(item: RepairBrief) -> datetime:
        assert item.appointed_from is not None
        return item.appointed_from.astimezone(zone)

    ordered = sorted(visits, key=lambda item: (begins(item), item.community or ""))
    found: list[Day] = []
    for day, items in groupby(ordered, key=lambda item: begins(item).date()):
        held = list(items)
        found.append(
            Day(
                day=begins(held[0]),
                is_today=day == today,
                is_past=day < today,
                cards=_cards(held, now),
            )
        )
    return found


@requires(Permission.DEPOSITS_VIEW)
async def show_month(request: web.Request) -> web.StreamResponse:
    """Show what is compared with each crew at the end of a month."""
    app, actor = request.app, current_actor(request)
    month = request.query.get("month", "").strip()[:7] or this_month(
        app[DEPS].clock, app[DEPS].settings.timezone
    )
    problem = ""
    crews: Sequence[CrewMonth] = ()
    repairs: Sequence[CrewRepairs] = ()
    try:
        crews = await app[CRM].repairs.costs.month(actor, month)
        _, asked = await asked_of(request)
        repairs = await app[CRM].figures.crews(actor, Asked(since=asked.since, until=asked.until))
    except Invalid:
        problem = gettext("月份写成 2026-11。")
    context = {
        "month": month,
        "crews": crews,
        "repairs": repairs,
        "may_export": actor.can(Permission.EXPORT),
        "as_of": app[DEPS].clock.now(),
        "problem": problem,
        "kinds": labels.words(cost_words.KINDS),
        "states": labels.words(cost_words.STATES),
    }
    return render(request, "office/month.html", context, status=400 if problem else 200)


def this_month(clock: Clock, zone: ZoneInfo) -> str:
    """Return the site's month, ``2026-11``."""
    return clock.now().astimezone(zone).strftime("%Y-%m")
