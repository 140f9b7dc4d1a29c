"""Closed cases that somebody of rank looks after once more, and how many are done (domain.md §1.13)."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from crm.domain.follow_up import ABOVE
from crm.follow_ups import FollowUpView
from crm.months import month_of, month_period
from kernel.errors import Invalid
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
from web.pages.shell import render
from web.permissions import Permission, requires

HERE = "/lists/follow-ups"
MOST = 200
SOUND = {"yes": N_("处理得当"), "no": N_("有问题")}


async def _note(taken: dict[str, Any]) -> object:
    values = taken["values"]
    return await taken["follow_ups"].note(
        taken["actor"], taken["key"], sound=values["sound"] == "yes", text=values["text"]
    )


NOTE = Step(
    name="note",
    title=N_("记录抽查"),
    button=N_("保存"),
    done=N_("已记录抽查结果。"),
    run=_note,
    fields=(
        Field(name="sound", label=N_("结果"), kind="choice", options=SOUND),
        Field(name="text", label=N_("说明（有问题时必填）"), kind="area", limit=1000, required=False),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A closed case that is to be followed up, in words."""

    item: FollowUpView
    kind: str
    severity: str
    severity_tone: str
    rank: str
    step: ShownStep | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How much of a group was followed up, in words."""

    label: str
    rank: str
    share: str
    target: int
    needed: int
    percent: int
    reached: bool


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(HERE + "/{case_id}/steps/note", take)
    app.router.add_get(HERE + "/{case_id}/steps/note", back_to(HERE, Permission.BOARD_VIEW))


@requires(Permission.BOARD_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show what of a month is to be followed up."""
    return await _page(request, RowAttempt())


@requires(Permission.BOARD_VIEW)
async def take(request: web.Request) -> web.StreamResponse:
    """Note that a case was followed up."""
    key = request.match_info["case_id"][:40]
    given = {"follow_ups": request.app[CRM].follow_ups, "actor": current_actor(request), "key": key}
    asked = {name: request.query[name] for name in ("month", "whose") if name in request.query}
    return await take_row(request, NOTE, key, given, _page, here=HERE, kept=asked)


async def _page(request: web.Request, tried: RowAttempt, *, status: int = 200) -> web.StreamResponse:
    app, actor = request.app, current_actor(request)
    zone, now = app[DEPS].settings.timezone, app[DEPS].clock.now()
    month = request.query.get("month", "")
    try:
        since, until = month_period(month, zone)
    except Invalid:
        month = month_of(now, zone)
        since, until = month_period(month, zone)
    noting = actor.role in {role for roles in ABOVE.values() for role in roles}
    mine = noting and request.query.get("whose") != "all"
    owed = await app[CRM].follow_ups.owed(actor, since, until, mine=mine, limit=MOST)
    ratios = await app[CRM].follow_ups.ratios(actor, since, until)
    kept = urlencode({"month": month, "whose": "mine" if mine else "all"})
    rows = [
        Row(
            item=item,
            kind=labels.word(labels.CASE_KINDS, item.case.kind.value),
            severity=labels.word(words.SEVERITIES, item.case.severity),
            severity_tone=words.SEVERITY_TONES.get(str(item.case.severity), ""),
            rank=labels.word(labels.ROLES, item.rank.value),
            step=row_step(
                NOTE,
                tried,
                key=item.case.case_id,
                action=f"{HERE}/{item.case.case_id}/steps/note?{kept}",
            )
            if actor.role in ABOVE[item.rank]
            else None,
        )
        for item in owed
    ]
    context = {
        "tabs": tabs_of(current_user(request)),
        "month": month,
        "mine": mine,
        "noting": noting,
        "rows": rows,
        "refused": tried.attempt.problem
        if tried.key and tried.key not in {item.case.case_id for item in owed}
        else "",
        "done_text": gettext(NOTE.done) if request.query.get("done") == "note" else "",
        "ratios": [
            Ratio(
                label=labels.word(labels.CASE_KINDS, one.kind.value)
                + " "
                + gettext("、").join(labels.word(words.SEVERITIES, level) for level in one.severities),
                rank=labels.word(labels.ROLES, one.rank.value),
                share=one.share.text,
                target=round(100 * one.target),
                needed=one.needed,
                percent=round(100 * (one.share.value or 0)),
                reached=one.reached,
            )
            for one in ratios
        ],
    }
    return render(request, "lists/follow_ups.html", context, status=status)
