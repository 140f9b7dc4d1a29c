"""Crews' quality deposits in figures, the rules for them, and what is due (domain.md §1.5)."""

from typing import Any

from aiohttp import web

from crm.domain.deposit_rule import DepositRule, rule_on
from kernel.errors import Invalid, NotFound
from web.crm_part import CRM
from web.i18n import N_, gettext
from web.identity import current_actor, current_user
from web.pages.case_forms import Field
from web.pages.list_tabs import tabs_of
from web.pages.lists.forms import RowAttempt, back_to, row_step, take_row
from web.pages.office.parts import Step
from web.pages.shell import render
from web.permissions import Permission, requires

HERE = "/lists/deposits"
CREWS = 60
"""Crews on a page."""
USUAL = {"percent": "3", "cap": "20000", "initial": "10000", "release_months": "25", "floor": "5000"}


async def _rule(taken: dict[str, Any]) -> object:
    values = taken["values"]
    months = values["release_months"]
    if not (months.isascii() and months.isdigit() and len(months) < 4):
        raise Invalid("a whole number", field="release_months")
    rule = DepositRule(
        **{name: values[name] for name in USUAL} | {"release_months": int(months)},
        valid_from=values["valid_from"],
    )
    return await taken["rules"].set(taken["actor"], rule)


async def _run(taken: dict[str, Any]) -> object:
    return await taken["rules"].run(taken["actor"])


RULE = Step(
    name="rule",
    title=N_("制定新规则"),
    button=N_("生效"),
    done=N_("新规则已保存，已完工的项目仍按原来的规则。"),
    run=_rule,
    fields=(
        Field(name="valid_from", label=N_("生效日期"), kind="date"),
        Field(name="percent", label=N_("每个项目预留百分之几"), kind="money"),
        Field(name="cap", label=N_("每队上限（元）"), kind="money"),
        Field(name="initial", label=N_("首次缴纳（元）"), kind="money"),
        Field(name="release_months", label=N_("完工后几个月退还"), limit=3),
        Field(name="floor", label=N_("退还时保底（元）"), kind="money"),
    ),
)
RUN = Step(
    name="run",
    title=N_("过账到期的预留和退还"),
    button=N_("过账到期的预留和退还"),
    done=N_("已过账；再点一次也不会重复。"),
    run=_run,
)
STEPS = {RULE.name: (RULE, Permission.LIMITS_CONFIGURE), RUN.name: (RUN, Permission.DEPOSITS_POST)}


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(HERE, show)
    app.router.add_post(HERE + "/steps/{step}", take)
    app.router.add_get(HERE + "/steps/{step}", back_to(HERE, Permission.DEPOSITS_VIEW))


@requires(Permission.DEPOSITS_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the crews' accounts and the rules."""
    return await _page(request, RowAttempt())


@requires(Permission.DEPOSITS_VIEW)
async def take(request: web.Request) -> web.StreamResponse:
    """Set a rule, or post what is due."""
    name, actor = request.match_info["step"], current_actor(request)
    if name not in STEPS:
        raise NotFound("no such step", field="step")
    step, needed = STEPS[name]
    actor.need(needed)
    given = {"rules": request.app[CRM].repairs.deposit_rules, "actor": actor}
    return await take_row(request, step, name, given, _page, here=HERE)


async def _page(request: web.Request, tried: RowAttempt, *, status: int = 200) -> web.StreamResponse:
    actor, book = current_actor(request), request.app[CRM].repairs.deposit_rules
    cursor = request.query.get("cursor") or None
    try:
        page = await book.crews(actor, cursor=cursor, limit=CREWS)
    except Invalid:
        cursor, page = None, await book.crews(actor, limit=CREWS)
    rules, today = await book.rules(actor), book.today()
    start = USUAL | {"valid_from": today.isoformat()}
    done = STEPS.get(request.query.get("done", ""))
    context = {
        "tabs": tabs_of(current_user(request)),
        "crews": page.items,
        "more": f"{HERE}?cursor={page.next_cursor}#accounts" if page.next_cursor else "",
        "first": f"{HERE}#accounts" if cursor else "",
        "rules": rules,
        "current": rule_on(rules, today),
        "steps": [
            row_step(step, tried, key=step.name, action=f"{HERE}/steps/{step.name}", start=start)
            for step, needed in STEPS.values()
            if actor.can(needed)
        ],
        "done_text": gettext(done[0].done) if done else "",
    }
    return render(request, "lists/deposits.html", context, status=status)
