"""The lines to the telephone network: how they are, how today's calls went, and a test."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web
from sqlalchemy import func, select

from kernel.audit import AuditLog
from kernel.db import Database
from kernel.errors import NotFound
from telephony.tables import CallLegRow, CallRow
from telephony.trunks import TrunksAway, TrunkTold
from web import labels
from web.deps import DEPS, TrunkLine
from web.i18n import N_
from web.identity import current_actor
from web.pages.shell import render
from web.pages.times import day_start
from web.permissions import Permission, requires

PAGE = "/admin/trunks"
REGISTRATIONS: dict[str, str] = {
    "Registered": N_("已注册"),
    "Unregistered": N_("没有注册上"),
    "Rejected": N_("被运营商拒绝，请核对用户名和密码"),
    "Stopped": N_("已停止"),
}
ANSWERS: dict[int, str] = {
    200: N_("服务器在，回答正常"),
    401: N_("服务器在，要求验证身份"),
    403: N_("服务器在，但拒绝了这个地址或号码"),
    404: N_("服务器在，但不认识这个号码"),
    405: N_("服务器在，不回答这种询问，可以照常打电话"),
    407: N_("服务器在，要求验证身份"),
    480: N_("服务器在，暂时不可用"),
    500: N_("服务器在，但内部出错"),
    503: N_("服务器在，但暂停服务"),
}
CAUSES: dict[int, str] = {
    1: N_("空号"),
    17: N_("占线"),
    18: N_("没有响应"),
    19: N_("没有人接"),
    20: N_("关机或不在服务区"),
    21: N_("被拒接"),
    27: N_("对方设备不通"),
    28: N_("号码不完整"),
    34: N_("线路没有空位"),
    38: N_("网络故障"),
    41: N_("临时故障"),
    42: N_("网络繁忙"),
    50: N_("没有开通这项业务"),
    57: N_("没有权限"),
    58: N_("没有可用的编码"),
    102: N_("超时没有回应"),
    127: N_("互通故障"),
}
MOST_CAUSES = 6
NORMAL = (0, 16, 26)
"""Hung up, or answered elsewhere: no failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """Calls over a trunk since the site's midnight."""

    incoming: int
    outgoing: int
    answered: int
    causes: tuple[tuple[str, int], ...]


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(PAGE, show)
    app.router.add_post(f"{PAGE}/{{trunk_code}}/test", test)


@requires(Permission.SYSTEM_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the trunks as they are now."""
    return await _page(request, "")


@requires(Permission.SYSTEM_VIEW)
async def test(request: web.Request) -> web.StreamResponse:
    """Ask a trunk's server whether it is there, and say what it answered."""
    name, deps, actor = request.match_info["trunk_code"], request.app[DEPS], current_actor(request)
    if name not in {line.name for line in deps.settings.trunk_lines}:
        raise NotFound("no such trunk", field="trunk")
    await AuditLog(deps.database, deps.clock).record(
        "trunk.tested",
        actor=actor.name,
        ip=actor.ip,
        entity="trunk",
        entity_id=name,
        detail={"user_id": actor.user_id},
    )
    return await _page(request, name)


async def _page(request: web.Request, tested: str) -> web.Response:
    deps = request.app[DEPS]
    told: dict[str, TrunkTold] = {}
    away = False
    try:
        if deps.trunks is not None:
            told = {one.name: one for one in await deps.trunks.look(test=tested)}
        away = deps.trunks is None
    except TrunksAway:
        away = True
    now = deps.clock.now()
    since = day_start(now.astimezone(deps.settings.timezone).date(), deps.settings.timezone)
    context = {
        "lines": [
            (line, told.get(line.name), await today(deps.database, line, since))
            for line in deps.settings.trunk_lines
        ],
        "away": away,
        "at": now,
        "registrations": labels.words(REGISTRATIONS),
        "answers": {code: labels.word({str(code): text}, code) for code, text in ANSWERS.items()},
    }
    return render(request, "admin/trunks.html", context, status=503 if away and tested else 200)


async def today(database: Database, line: TrunkLine, since: datetime) -> Today:
    """Count the calls over a trunk since a moment."""
    of_trunk = CallLegRow.channel.startswith(f"PJSIP/trunk-{line.name}-", autoescape=True)
    query = (
        select(CallRow.direction, CallRow.answered_at.is_not(None), CallLegRow.cause, func.count())
        .join(CallLegRow, CallLegRow.call_id == CallRow.call_id)
        .where(CallRow.started_at >= since, of_trunk)
        .group_by(CallRow.direction, CallRow.answered_at.is_not(None), CallLegRow.cause)
    )
    incoming = outgoing = answered = 0
    causes: Counter[str] = Counter()
    async with database.session() as session:
        rows = (await session.execute(query)).all()
    for direction, was_answered, cause, calls in rows:
        if direction == "in":
            incoming += calls
            continue
        outgoing += calls
        if was_answered:
            answered += calls
        elif cause is not None and cause not in NORMAL:
            causes[labels.word({str(key): text for key, text in CAUSES.items()}, cause)] += calls
    return Today(
        incoming=incoming,
        outgoing=outgoing,
        answered=answered,
        causes=tuple(causes.most_common(MOST_CAUSES)),
    )
