"""Appraisal entries: the manager decides about what limits propose, HR sees what counts (domain.md §0)."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy import select

from crm.appraisals import AppraisalPage, AppraisalState, AppraisalView
from crm.months import month_of
from kernel.errors import Forbidden, Invalid, NotFound
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages import case_words as words
from web.pages.case_forms import Field
from web.pages.list_tabs import tabs_of
from web.pages.lists.forms import RowAttempt, back_to, row_step, take_row
from web.pages.office.parts import ShownStep, Step
from web.pages.shell import render, see_other
from web.permissions import Permission, requires
from web.tables import UserRow

HERE = "/lists/appraisals"
PAGE = 50
STATES = {"proposed": N_("待定"), "confirmed": N_("已确认"), "dropped": N_("已取消")}
assert set(STATES) == {state.value for state in AppraisalState}
SENT = {"yes": True, "no": False}
PAGES_OF = {"escalation": "/escalations/{id}"}


async def _confirm(taken: dict[str, Any]) -> object:
    return await taken["appraisals"].confirm(
        taken["actor"], taken["key"], expected=taken["version"], note=taken["values"]["note"]
    )


async def _dismiss(taken: dict[str, Any]) -> object:
    return await taken["appraisals"].dismiss(
        taken["actor"], taken["key"], expected=taken["version"], reason=taken["values"]["reason"]
    )


STEPS = {
    step.name: step
    for step in (
        Step(
            name="confirm",
            title=N_("确认扣分"),
            button=N_("确认"),
            done=N_("已确认，转人力资源部。"),
            run=_confirm,
            fields=(Field(name="note", label=N_("说明（可不填）"), required=False),),
        ),
        Step(
            name="dismiss",
            title=N_("取消扣分"),
            button=N_("取消这一条"),
            done=N_("已取消。"),
            run=_dismiss,
            fields=(Field(name="reason", label=N_("原因"), kind="area"),),
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An entry in words, with the forms to decide about it."""

    item: AppraisalView
    label: str
    person: str
    state: str
    href: str
    steps: list[ShownStep]


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(HERE + "/export", export)
    app.router.add_post(HERE + "/{appraisal_id}/steps/{step}", take)
    app.router.add_get(HERE + "/{appraisal_id}/steps/{step}", back_to(HERE, Permission.CASES_VIEW_ALL))


@requires(Permission.CASES_VIEW_ALL)
async def show(request: web.Request) -> web.StreamResponse:
    """Show a page of entries: those that wait, or those that count from a month on."""
    return await _page(request, RowAttempt())


@requires(Permission.RECOVERY_HANDLE)
async def export(request: web.Request) -> web.StreamResponse:
    """Hand a month's entries to payroll, then show them with their files."""
    form = await request.post()
    month = str(form.get("month", ""))[:7]
    count = await request.app[CRM].appraisals.export(current_actor(request), month)
    return see_other(
        f"{HERE}?" + urlencode({"month": month, "state": "confirmed", "sent": "yes", "new": count})
    )


@requires(Permission.CASES_DECIDE)
async def take(request: web.Request) -> web.StreamResponse:
    """Confirm or drop an entry."""
    step = STEPS.get(request.match_info["step"])
    if step is None:
        raise NotFound("no such step", field="step")
    key = request.match_info["appraisal_id"][:40]
    given = {"appraisals": request.app[CRM].appraisals, "actor": current_actor(request), "key": key}
    return await take_row(request, step, key, given, _page, here=HERE)


async def _page(request: web.Request, tried: RowAttempt, *, status: int = 200) -> web.StreamResponse:
    actor = current_actor(request)
    leads = actor.can(Permission.RED_LIST_VIEW)
    if not leads and not actor.can(Permission.RECOVERY_HANDLE):
        raise Forbidden("neither the red list nor payroll is the role's")
    asked = request.query.get("state", "")
    state = AppraisalState(asked) if leads and asked in STATES else AppraisalState.PROPOSED
    state = state if leads else AppraisalState.CONFIRMED
    month = request.query.get("month", "")
    sent = SENT.get(request.query.get("sent", "")) if state is AppraisalState.CONFIRMED else None
    problem, cursor = "", request.query.get("cursor")
    try:
        month, page = await _read(request, state, month, cursor, sent)
    except Invalid:
        problem = gettext("这一页已经过期，请从第一页开始。")
        month, page = await _read(request, state, "", None, sent)
        status = 400
    names = await _names(request, page)
    done = STEPS.get(request.query.get("done", ""))
    kept = {"state": state.value} | ({"month": month} if state is AppraisalState.CONFIRMED else {})
    kept |= {"sent": request.query["sent"]} if sent is not None else {}
    new = request.query.get("new", "")
    rows = [
        Row(
            item=item,
            label=labels.word(words.LIMITS, item.code),
            person=names.get(item.user_id or "", ""),
            state=labels.word(STATES, item.state.value),
            href=PAGES_OF.get(item.record_kind, "/cases/{id}").format(id=item.record_id),
            steps=[
                row_step(
                    step,
                    tried,
                    key=item.appraisal_id,
                    action=f"{HERE}/{item.appraisal_id}/steps/{step.name}",
                    version=item.version,
                )
                for step in STEPS.values()
            ]
            if item.state is AppraisalState.PROPOSED and actor.can(Permission.CASES_DECIDE)
            else [],
        )
        for item in page.items
    ]
    context = {
        "tabs": tabs_of(current_user(request)),
        "states": labels.words(STATES) if leads else {},
        "state": state.value,
        "month": month,
        "sent": "" if sent is None else "yes" if sent else "no",
        "may_export": actor.can(Permission.RECOVERY_HANDLE),
        "rows": rows,
        "points": sum(item.points for item in page.items),
        "problem": problem,
        "refused": tried.attempt.problem
        if tried.key and tried.key not in {item.appraisal_id for item in page.items if not item.decided_at}
        else "",
        "done_text": gettext(done.done)
        if done
        else gettext("已导出 %(n)s 条，可以下载。") % {"n": new}
        if new.isdigit() and new != "0"
        else gettext("没有新的条目要导出。")
        if new == "0"
        else "",
        "first": f"{HERE}?" + urlencode(kept) if cursor else "",
        "more": f"{HERE}?" + urlencode(kept | {"cursor": page.next_cursor}) if page.next_cursor else "",
    }
    return render(request, "lists/appraisals.html", context, status=status)


async def _read(
    request: web.Request, state: AppraisalState, month: str, cursor: str | None, sent: bool | None
) -> tuple[str, AppraisalPage]:
    app, actor = request.app, current_actor(request)
    appraisals = app[CRM].appraisals
    if state is not AppraisalState.CONFIRMED:
        return "", await appraisals.page(actor, state=state, cursor=cursor, limit=PAGE)
    month = month or month_of(app[DEPS].clock.now(), app[DEPS].settings.timezone)
    return month, await appraisals.confirmed(actor, month, exported=sent, cursor=cursor, limit=PAGE)


async def _names(request: web.Request, page: AppraisalPage) -> dict[str, str]:
    ids = sorted({item.user_id for item in page.items if item.user_id})
    query = select(UserRow.user_id, UserRow.display_name).where(UserRow.user_id.in_(ids))
    async with request.app[DEPS].database.session() as session:
        return {str(key): str(name) for key, name in await session.execute(query)}
