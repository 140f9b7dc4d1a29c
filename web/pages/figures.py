"""Complaints and repairs in figures, a month at a time, with numerator and denominator (domain.md §5.2)."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web
from sqlalchemy import select

from crm.domain.case_figures import OF_COMPANY, Figure, FigureCode, Spread, Unit
from crm.figure_period import Asked
from crm.tables import Store
from telephony.agent_hangups import read_hangups
from telephony.call_ratings import AgentRating, read_ratings
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.case_parts import departments
from web.pages.shell import render
from web.pages.times import day_start
from web.permissions import Permission, requires

_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])", re.ASCII)
LABELS = {
    FigureCode.COMPLAINT_RATE: N_("投诉率"),
    FigureCode.ACCEPTED_IN_LIMIT: N_("按时接收率"),
    FigureCode.VERIFIED_IN_LIMIT: N_("按时核实率"),
    FigureCode.CLOSED_IN_LIMIT: N_("按时结案率"),
    FigureCode.CLOSED_IN_LIMIT_STRICT: N_("按时结案率（每条责任线都按时）"),
    FigureCode.DAYS_TO_SOLVE: N_("平均解决天数"),
    FigureCode.REJECTION_RATE: N_("问题拒绝率"),
    FigureCode.HANDLING_RATE: N_("处理率"),
    FigureCode.CLOSURE_REFUSAL_RATE: N_("结案拒绝率"),
    FigureCode.TIMELY_RATE: N_("及时率"),
    FigureCode.SATISFIED_RATE: N_("满意率"),
    FigureCode.COMPENSATION_RATE: N_("赔付率"),
    FigureCode.COMPENSATION_PER_10000: N_("每万元合同额赔付"),
    FigureCode.REPEAT_COMPLAINT: N_("重复投诉率"),
    FigureCode.REOPEN_RATE: N_("返工率（两轮及以上）"),
    FigureCode.ESCALATION_VISIT_IN_LIMIT: N_("重大客诉两个工作日内上门"),
    FigureCode.REPAIR_CLOSED_IN_LIMIT: N_("报修按时结案率"),
    FigureCode.REPAIR_DAYS_TO_SOLVE: N_("报修平均解决天数"),
    FigureCode.REPAIR_FIRST_TIME_FIX: N_("一次修好率"),
    FigureCode.DEPARTED_CREW_SHARE: N_("离职施工队占比"),
    FigureCode.COST_PER_REPAIR: N_("每单维修费用"),
    FigureCode.DEPOSIT_COVERAGE: N_("质保金保障率（全公司）"),
}
PARTS = {
    FigureCode.COMPLAINT_RATE: N_("投诉客户 ÷ 在施工程，每百个工程"),
    FigureCode.ACCEPTED_IN_LIMIT: N_("按时 ÷ 已接收或退回"),
    FigureCode.VERIFIED_IN_LIMIT: N_("按时 ÷ 已核实"),
    FigureCode.CLOSED_IN_LIMIT: N_("没有超时 ÷ 结案"),
    FigureCode.CLOSED_IN_LIMIT_STRICT: N_("没有超时 ÷ 结案"),
    FigureCode.DAYS_TO_SOLVE: N_("天数合计 ÷ 结案"),
    FigureCode.REJECTION_RATE: N_("退回 ÷ 新增与期初待接收"),
    FigureCode.HANDLING_RATE: N_("报已解决 ÷ 期初在办与新接收"),
    FigureCode.CLOSURE_REFUSAL_RATE: N_("回访未解决 ÷ 待结案"),
    FigureCode.TIMELY_RATE: N_("客户认为及时 ÷ 结案"),
    FigureCode.SATISFIED_RATE: N_("满意 ÷ 结案"),
    FigureCode.COMPENSATION_RATE: N_("有赔付 ÷ 结案"),
    FigureCode.COMPENSATION_PER_10000: N_("赔付金额 ÷ 在施合同额"),
    FigureCode.REPEAT_COMPLAINT: N_("重复投诉客户 ÷ 投诉客户"),
    FigureCode.REOPEN_RATE: N_("两轮及以上 ÷ 结案"),
    FigureCode.ESCALATION_VISIT_IN_LIMIT: N_("按时上门 ÷ 需要上门"),
    FigureCode.REPAIR_CLOSED_IN_LIMIT: N_("没有超时 ÷ 结案"),
    FigureCode.REPAIR_DAYS_TO_SOLVE: N_("天数合计 ÷ 结案"),
    FigureCode.REPAIR_FIRST_TIME_FIX: N_("上门一次 ÷ 结案"),
    FigureCode.DEPARTED_CREW_SHARE: N_("原施工队已离职 ÷ 报修"),
    FigureCode.COST_PER_REPAIR: N_("费用合计 ÷ 已核算报修"),
    FigureCode.DEPOSIT_COVERAGE: N_("质保金余额 ÷ 近十二个月扣款"),
}
GROUPS = (
    (N_("快不快"), (
        FigureCode.ACCEPTED_IN_LIMIT, FigureCode.VERIFIED_IN_LIMIT, FigureCode.CLOSED_IN_LIMIT,
        FigureCode.CLOSED_IN_LIMIT_STRICT, FigureCode.DAYS_TO_SOLVE, FigureCode.TIMELY_RATE,
        FigureCode.ESCALATION_VISIT_IN_LIMIT,
    )),
    (N_("好不好"), (
        FigureCode.COMPLAINT_RATE, FigureCode.SATISFIED_RATE, FigureCode.REPEAT_COMPLAINT,
        FigureCode.REOPEN_RATE, FigureCode.COMPENSATION_RATE, FigureCode.COMPENSATION_PER_10000,
    )),
    (N_("部门"), (
        FigureCode.REJECTION_RATE, FigureCode.HANDLING_RATE, FigureCode.CLOSURE_REFUSAL_RATE,
    )),
    (N_("报修"), (
        FigureCode.REPAIR_CLOSED_IN_LIMIT, FigureCode.REPAIR_DAYS_TO_SOLVE, FigureCode.REPAIR_FIRST_TIME_FIX,
        FigureCode.DEPARTED_CREW_SHARE, FigureCode.COST_PER_REPAIR, FigureCode.DEPOSIT_COVERAGE,
    )),
)  # fmt: skip
RESPONSES = {"accept": N_("转交到接收"), "verify": N_("接收到电话核实")}


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/figures", show)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure in words; ``percent`` is how long its bar is."""

    label: str
    parts: str
    value: str
    numerator: str
    denominator: str
    percent: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """How long the first answers took."""

    label: str
    count: int
    mean: str
    median: str
    p90: str


@requires(Permission.RED_LIST_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the figures of a month, of all or of one store or department."""
    app = request.app
    names, stores = await departments(request), await stores_of(request)
    first, asked = await asked_of(request)
    found = await app[CRM].figures.read(current_actor(request), asked)
    by_code = {figure.code: _row(figure) for figure in found.figures}
    context: dict[str, Any] = {
        "month": f"{first:%Y-%m}",
        "stores": stores,
        "store": asked.store or "",
        "names": names,
        "department": asked.department or "",
        "groups": [(gettext(title), [by_code[code] for code in codes]) for title, codes in GROUPS],
        "responses": [_took(spread) for spread in found.responses],
        "crews": await app[CRM].figures.crews(current_actor(request), asked),
        "may_export": current_user(request).can(Permission.EXPORT),
        "hangups": await _hangups(app, asked),
        "ratings": await _ratings(app, asked),
        "as_of": found.as_of,
    }
    return render(request, "figures.html", context)


async def asked_of(request: web.Request) -> tuple[date, Asked]:
    """Return the month's first day and what the address asks for; unknown stores and departments are all."""
    zone, now = request.app[DEPS].settings.timezone, request.app[DEPS].clock.now()
    first = _month(request.query.get("month", ""), now.astimezone(zone).date())
    following = (first + timedelta(days=32)).replace(day=1)
    names, stores = await departments(request), await stores_of(request)
    department, store = request.query.get("department", ""), request.query.get("store", "")
    asked = Asked(
        since=day_start(first, zone),
        until=day_start(following, zone),
        store=store if store in stores else None,
        department=department if department in names else None,
    )
    return first, asked


async def _hangups(app: web.Application, asked: Asked) -> list[tuple[str, str, int, int, int]]:
    """Return number, name, share in percent, and the counts of each agent; they have no store."""
    async with app[DEPS].database.session() as session:
        found = await read_hangups(session, asked.since, asked.until)
    return [(one.number, one.name, round(one.share * 100), one.by_agent, one.calls) for one in found]


async def _ratings(app: web.Application, asked: Asked) -> list[AgentRating]:
    """Return what customers said of each agent's calls; agents have no store."""
    async with app[DEPS].database.session() as session:
        return list(await read_ratings(session, asked.since, asked.until))


def _month(asked: str, today: date) -> date:
    match = _MONTH.fullmatch(asked)
    return date(int(match[1]), int(match[2]), 1) if match else today.replace(day=1)


async def stores_of(request: web.Request) -> list[str]:
    """Return the names of the stores."""
    async with request.app[DEPS].database.session() as session:
        return [str(name) for name in await session.scalars(select(Store.name).order_by(Store.name))]


def _row(figure: Figure) -> Row:
    value = figure.value
    shown, percent = "–", None
    if value is not None:
        match figure.unit:
            case Unit.PERCENT:
                shown = f"{_short(value.quantize(Decimal('0.1')))} %"
                percent = int(max(Decimal(0), min(value, Decimal(100))))
            case Unit.MONEY | Unit.PER_10000:
                shown = f"¥{value:,.2f}"
            case Unit.DAYS:
                shown = gettext("%(n)s 天") % {"n": _short(value)}
            case _:
                shown = _short(value)
    if figure.code in OF_COMPANY:
        percent = None
    return Row(
        label=gettext(LABELS[figure.code]),
        parts=gettext(PARTS[figure.code]),
        value=shown,
        numerator=_short(figure.numerator),
        denominator=_short(figure.denominator),
        percent=percent,
    )


def _short(number: Decimal) -> str:
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _took(found: Spread) -> Took:
    return Took(
        label=labels.word(RESPONSES, found.code),
        count=found.count,
        mean=_hours(found.mean),
        median=_hours(found.median),
        p90=_hours(found.p90),
    )


def _hours(span: timedelta | None) -> str:
    if span is None:
        return "–"
    minutes = round(span / timedelta(minutes=1))
    if minutes < 60:
        return gettext("%(n)s 分钟") % {"n": minutes}
    return gettext("%(n)s 小时") % {"n": f"{minutes / 60:.1f}"}
