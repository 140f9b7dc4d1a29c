"""«Call the customer» on the page of a case: one's own telephone rings first, and nobody sees a number.

The button, how the call goes on, and the calls before it are one part of three pages: the captain's repair, a
department's line of a complaint, a ticket. It is a form; what becomes of the call comes with the live case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from aiohttp import web

from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.domain.terms import Outcome
from callback_campaigns.masked_calls import AlreadyCalling
from callback_campaigns.masked_reads import CustomerCall
from callback_campaigns.preview import DialRefused
from kernel.errors import HuifangError, Unavailable
from kernel.ids import is_ulid
from web import labels
from web.callback_part import CALLBACKS
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor
from web.pages.campaign_words import REFUSALS
from web.pages.shell import see_other
from web.pages.times import duration
from web.permissions import Permission, requires

ANCHOR = "customer-call"
LIVE = {
    "sending": N_("正在呼叫您的电话，请接听"),
    "sent": N_("正在呼叫您的电话，请接听"),
    "ringing": N_("正在接通客户"),
    "answered": N_("通话中"),
    "looking": N_("正在确认通话情况"),
}
OUTCOMES = {
    "answered": N_("已结束"),
    "machine": N_("接听的不是真人"),
    "no_answer": N_("客户没有接听"),
    "busy": N_("客户的电话正忙"),
    "rejected": N_("客户没有接听"),
    "off": N_("客户的电话已关机或不在服务区"),
    "empty": N_("客户的号码是空号，请告诉客服"),
    "abandoned": N_("客户接听后没有接通"),
    "congestion": N_("线路没有接通，请稍后再拨"),
    "failed": N_("自己的电话没有接通，没有呼叫客户"),
    "unknown": N_("不确定有没有接通，系统不会自动重拨"),
}
assert set(OUTCOMES) == {outcome.value for outcome in Outcome}
REASONS = {
    "no_own_telephone": N_(
        "还没有登记您的电话，没法先呼叫您。请客服经理在“组织 › 员工”里填写您的手机号，并选上您的登录账户。"
    ),
    "no_customer_number": N_("客户没有能拨通的号码，请联系客服核对。"),
    "already_calling": N_("您正在通话中，请先挂断再拨。"),
    "case_closed": N_("这件已经结案，不能再从这里拨打。"),
    "not_your_case": N_("这件不由您负责，不能从这里拨打。"),
    "telephony_away": N_("没有运行电话服务的进程，电话没有拨出。请通知管理员启动带 telephony 角色的进程。"),
    "unavailable": N_("电话系统暂时连不上，请稍后再试。"),
}


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_post("/cases/{case_id}/customer-call", call)
    app.router.add_get("/cases/{case_id}/customer-call", back)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCall:
    """A call in words."""

    at: datetime
    by: str
    what: str
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBox:
    """The part of the page.

    Attributes:
        page: which page it is on, as the form sends it.
        now: the call in progress, or how the last one of whoever looks ended.
        missing: what keeps whoever may call from it.
        problem: why it was refused just now.
    """

    case_id: str
    page: str
    may_call: bool
    missing: str
    problem: str
    now: ShownCall | None
    earlier: Sequence[ShownCall]


async def call_box(request: web.Request, case_id: str, page: str) -> CallBox | None:
    """Return the part for a page, ``None`` where there is nothing to show."""
    actor, masked = current_actor(request), request.app[CALLBACKS].masked
    offer = await masked.offer(actor, case_id)
    calls = await masked.of_case(actor, case_id)
    if offer is None and not calls:
        return None
    first = calls[0] if calls else None
    tells = first is not None and (first.is_open or first.user_id == actor.user_id)
    goes_on = any(one.is_open for one in calls)
    missing = ""
    if offer is not None and not offer.has_number:
        missing = labels.word(REASONS, "no_customer_number")
    elif offer is not None and not offer.has_own:
        missing = labels.word(REASONS, "no_own_telephone")
    shown = [_shown(one, actor.user_id) for one in calls]
    return CallBox(
        case_id=case_id,
        page=page,
        may_call=offer is not None and not missing and not goes_on,
        missing=missing,
        problem="" if goes_on else _problem(request),
        now=shown[0] if tells else None,
        earlier=shown[1:] if tells else shown,
    )


def _shown(one: CustomerCall, user_id: str) -> ShownCall:
    if one.is_open:
        what = labels.word(LIVE, one.state.value)
        if one.user_id != user_id:
            what = gettext("%(name)s 正在联系客户") % {"name": one.by}
    else:
        what = labels.word(OUTCOMES, one.outcome.value if one.outcome else None)
        if one.outcome is Outcome.ANSWERED and one.talk_seconds is not None:
            what = gettext("已结束，通话 %(time)s") % {"time": duration(one.talk_seconds)}
    return ShownCall(at=one.began_at, by=one.by, what=what, is_open=one.is_open)


def _problem(request: web.Request) -> str:
    """Return why the button was refused just now; the address says it, and only in our own codes."""
    code = request.query.get("call", "")
    if code in REASONS:
        return labels.word(REASONS, code)
    if code not in REFUSALS:
        return ""
    why = labels.word(REFUSALS, code)
    try:
        until = datetime.fromisoformat(request.query.get("until", ""))
        local = until.astimezone(request.app[DEPS].settings.timezone)
    except (ValueError, OverflowError):
        return gettext("现在不能拨打：%(why)s。") % {"why": why}
    return gettext("现在不能拨打：%(why)s。最早 %(at)s 可以拨。") % {
        "why": why,
        "at": local.strftime("%m-%d %H:%M"),
    }


@requires(Permission.CASES_WORK)
async def call(request: web.Request) -> web.StreamResponse:
    """Ring whoever asks, then the customer. Pressed twice it is one call: the first is not over then."""
    case_id, form = request.match_info["case_id"][:40], await request.post()
    actor, masked = current_actor(request), request.app[DEPS].masked
    told: dict[str, str] = {}
    try:
        if masked is None:
            raise Unavailable("no link to the telephone system in this process")
        await masked.call_customer(actor, case_id)
    except DialRefused as refused:
        told = {"call": refused.refusal.code.value}
        if refused.refusal.until is not None:
            told["until"] = refused.refusal.until.isoformat()
    except AlreadyCalling as error:
        calls = await request.app[CALLBACKS].masked.of_case(actor, case_id)
        if not any(one.is_open and one.user_id == actor.user_id for one in calls):
            told = {"call": error.code}
    except HuifangError as error:
        if error.code not in REASONS:
            raise
        told = {"call": error.code}
    return see_other(_page_of(str(form.get("page", "")), case_id) + (f"?{urlencode(told)}" if told else ""))


@requires(Permission.CASES_WORK)
async def back(request: web.Request) -> web.StreamResponse:
    """Lead to the case: somebody may reload the address of the form."""
    return see_other(f"/cases/{request.match_info['case_id'][:40]}")


def _page_of(page: str, case_id: str) -> str:
    kind, _, line_id = page.partition(":")
    if kind == "line" and is_ulid(line_id):
        return f"/lines/{line_id}"
    return f"/captain/{case_id}" if kind == "captain" else f"/cases/{case_id}"


assert set(REFUSALS) == {code.value for code in RefusalCode}
