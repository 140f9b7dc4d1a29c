"""Everybody's notices; for administrators, the messages that went out or did not."""

import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import get_args
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy import select

from crm.notices.desk import NotFailed, OutgoingView
from crm.notices.domain import MessageState
from crm.notices.rules import shipped
from crm.notices.service import NoticeView, Which
from kernel.errors import Invalid, NotFound
from kernel.ids import is_ulid
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, current_language, gettext
from web.identity import current_actor, current_user
from web.labels import word
from web.pages.shell import render, see_other
from web.permissions import Permission, requires, signed_in
from web.tables import UserRow

PAGE = 50
TABS = {"all": N_("全部"), "unread": N_("未读"), "urgent": N_("紧急")}
STATES = {
    "failed": N_("没有发出"),
    "waiting": N_("等待发送"),
    "sending": N_("正在发送"),
    "sent": N_("已发出"),
    "suppressed": N_("客户不愿接收"),
}
TONES = {"failed": "brick", "waiting": "amber", "sending": "amber", "sent": "green"}
CHANNELS = {"sms": N_("短信"), "wecom": N_("企业微信"), "email": N_("邮件"), "webhook": N_("接口推送")}


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/notices", show)
    app.router.add_post("/notices/read", read_all)
    app.router.add_get("/notices/outgoing", show_outgoing)
    app.router.add_post("/notices/outgoing/{message_id}/again", send_again)
    app.router.add_post("/notices/{notice_id}/open", open_notice)


@dataclass(frozen=True, slots=True)
class Row:
    """A notice in the words of the reader."""

    notice_id: str
    title: str
    text: str
    severity: str
    unread: bool
    created_at: datetime


def _which(raw: object) -> Which:
    for known in get_args(Which):
        if raw == known:
            return known  # type: ignore[no-any-return]
    return "all"


@signed_in
async def show(request: web.Request) -> web.StreamResponse:
    """Show one's own notices, newest first."""
    actor, board = current_actor(request), request.app[CRM].notices
    which = _which(request.query.get("which"))
    page = await board.page(actor, which=which, cursor=request.query.get("cursor"), limit=PAGE)
    more = {"which": which, "cursor": page.next_cursor}
    context = {
        "rows": [_row(request, item) for item in page.items],
        "which": which,
        "tabs": [(code, gettext(label)) for code, label in TABS.items()],
        "newest": page.items[0].notice_id if page.items else "",
        "any_unread": any(item.read_at is None for item in page.items),
        "more": "/notices?" + urlencode(more) if page.next_cursor else "",
        "administers": current_user(request).can(Permission.NOTICES_ADMINISTER),
    }
    return render(request, "notices.html", context)


def _row(request: web.Request, item: NoticeView) -> Row:
    language, zone = current_language(), request.app[DEPS].settings.timezone
    return Row(
        notice_id=item.notice_id,
        title=shipped().title(item.code, item.parameters, language, zone),
        text=shipped().text(item.code, item.parameters, language, zone),
        severity=item.severity.value,
        unread=item.read_at is None,
        created_at=item.created_at,
    )


@signed_in
async def open_notice(request: web.Request) -> web.StreamResponse:
    """Note that a notice was read and go to the page it is about."""
    form = await request.post()
    notice = await request.app[CRM].notices.mark_read(
        current_actor(request), request.match_info["notice_id"][:40]
    )
    return see_other(notice.link or f"/notices?which={_which(form.get('which'))}")


@signed_in
async def read_all(request: web.Request) -> web.StreamResponse:
    """Note that everything shown was read; what has come since stays unread."""
    form = await request.post()
    up_to = str(form.get("up_to", ""))
    if not is_ulid(up_to):
        raise Invalid("up_to: id of the newest notice shown", field="up_to")
    await request.app[CRM].notices.mark_all_read(current_actor(request), up_to=up_to)
    return see_other(f"/notices?which={_which(form.get('which'))}")


@dataclass(frozen=True, slots=True)
class OutgoingRow:
    """A message in words."""

    message: OutgoingView
    channel: str
    person: str
    title: str
    state: str
    tone: str
    error: str


@requires(Permission.NOTICES_ADMINISTER)
async def show_outgoing(request: web.Request) -> web.StreamResponse:
    """Show outgoing messages, those that failed first of all."""
    asked = request.query.get("state", "failed")
    state = MessageState(asked) if asked in STATES else None
    page = await request.app[CRM].outgoing.page(
        current_actor(request), state=state, cursor=request.query.get("cursor"), limit=PAGE
    )
    people = await _names(request, {item.user_id for item in page.items if item.user_id})
    shown = state.value if state else "all"
    more = {"state": shown, "cursor": page.next_cursor}
    context = {
        "rows": [_outgoing_row(request, item, people) for item in page.items],
        "state": shown,
        "tabs": [*((code, gettext(label)) for code, label in STATES.items()), ("all", gettext("全部"))],
        "more": "/notices/outgoing?" + urlencode(more) if page.next_cursor else "",
    }
    return render(request, "outgoing.html", context)


async def _names(request: web.Request, user_ids: set[str]) -> dict[str, str]:
    query = select(UserRow.user_id, UserRow.display_name).where(UserRow.user_id.in_(user_ids))
    async with request.app[DEPS].database.session() as session:
        return {row.user_id: row.display_name for row in await session.execute(query)}


def _outgoing_row(request: web.Request, item: OutgoingView, people: dict[str, str]) -> OutgoingRow:
    language, zone, book = current_language(), request.app[DEPS].settings.timezone, shipped()
    known = item.to_customer and item.code in book.customers
    title = book.customer_text if known else book.title
    return OutgoingRow(
        message=item,
        channel=word(CHANNELS, item.channel.value),
        person=gettext("客户") if item.to_customer else people.get(item.user_id or "", "–"),
        title=title(item.code, item.parameters, language, zone),
        state=word(STATES, item.state.value),
        tone=TONES.get(item.state.value, ""),
        error=book.error(item.last_error, language),
    )


@requires(Permission.NOTICES_ADMINISTER)
async def send_again(request: web.Request) -> web.StreamResponse:
    """Try a failed message again; who comes second finds it waiting."""
    with contextlib.suppress(NotFailed, NotFound):
        await request.app[CRM].outgoing.try_again(
            current_actor(request), request.match_info["message_id"][:40]
        )
    return see_other("/notices/outgoing?state=failed")
