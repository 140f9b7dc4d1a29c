"""Campaigns: the list, the live monitor of one with its steps, its calls and refusals, results as files."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Any

import structlog
from aiohttp import web

from callback_campaigns.campaign_figures import CampaignCounts
from callback_campaigns.campaign_results import AttemptFilter, TaskResult
from callback_campaigns.campaigns import CampaignView
from callback_campaigns.domain.campaign import CampaignState, CampaignStep
from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.domain.terms import Outcome
from crm.domain.lines import choice
from crm.sheets import Cell
from kernel.errors import HuifangError
from kernel.supervise import Supervisor
from web import labels
from web.callback_part import CALLBACKS, Callbacks
from web.deps import DEPS
from web.i18n import gettext
from web.identity import current_actor, current_user
from web.masking import masked
from web.pages import campaign_edit, campaign_lists
from web.pages import campaign_words as words
from web.pages.campaign_edit import queue_names
from web.pages.exports import SLOTS, form_of, send_file, time_cell
from web.pages.people_forms import EXPECTED, read_form, version_of
from web.pages.shell import render, see_other
from web.permissions import Permission, requires, streaming

log = structlog.get_logger(__name__)

LOOK_EVERY = timedelta(seconds=15)
LATEST = 8


def setup(app: web.Application) -> None:
    """Add the routes, and what works on lists and on last days."""
    router = app.router
    router.add_get("/campaigns", show_all)
    campaign_edit.setup(app)  # before single ones: «new» is no id
    router.add_get("/campaigns/{campaign_id}", show)
    router.add_post("/campaigns/{campaign_id}/steps/{step}", take)
    router.add_get("/campaigns/{campaign_id}/steps/{step}", back)
    router.add_get("/campaigns/{campaign_id}/calls", show_calls)
    router.add_get("/campaigns/{campaign_id}/refusals", show_refusals)
    router.add_get("/exports/campaigns/{campaign_id}.{form}", send_results)
    campaign_lists.setup(app)
    app.cleanup_ctx.append(work)


async def work(app: web.Application) -> AsyncIterator[None]:
    """Work on lists, and end campaigns whose last day has passed, while the application runs."""
    tasks, part = Supervisor(app[DEPS].clock), app[CALLBACKS]
    tasks.spawn("campaign_lists", part.list_jobs.run)
    tasks.spawn("campaign_ends", lambda: watch_ends(part))
    yield
    await tasks.close()


async def watch_ends(part: Callbacks) -> None:
    """Look every few seconds for campaigns that end by themselves, until cancelled."""
    while True:
        for campaign in await part.campaigns.settle():
            log.info("campaign_settled", campaign_id=campaign.campaign_id, state=campaign.state.value)
        await asyncio.sleep(LOOK_EVERY.total_seconds())


@requires(Permission.CAMPAIGNS_VIEW)
async def show_all(request: web.Request) -> web.StreamResponse:
    """Show campaigns, the newest first."""
    actor, part = current_actor(request), request.app[CALLBACKS]
    state = request.query.get("state", "")
    states = [choice(CampaignState, state, field="state")] if state else ()
    page = await part.campaigns.page(actor, states=states, cursor=request.query.get("cursor"), limit=20)
    briefs = await part.campaign_figures.briefs(actor, [view.campaign for view in page.items])
    rows = [(view, briefs[view.campaign.campaign_id]) for view in page.items]
    more = page.next_cursor
    context = {
        "rows": rows,
        "state": state,
        "first": request.query.get("cursor") is not None,
        "more": f"/campaigns?state={state}&cursor={more}" if more else "",
        "runs": current_user(request).can(Permission.CAMPAIGNS_RUN),
        **_tables(),
    }
    return render(request, "campaigns/list.html", context)


@requires(Permission.CAMPAIGNS_VIEW)
async def show(request: web.Request) -> web.StreamResponse:
    """Show how a campaign is doing."""
    return await _monitor(request)


@requires(Permission.CAMPAIGNS_VIEW)
async def back(request: web.Request) -> web.StreamResponse:
    """Lead to the page of a form: a refused one has the address of its step, which somebody may reload."""
    return see_other(f"/campaigns/{request.match_info['campaign_id']}")


@requires(Permission.CAMPAIGNS_RUN)
async def take(request: web.Request) -> web.StreamResponse:
    """Start, pause, stop."""
    form, key = await read_form(request), request.match_info["campaign_id"]
    try:
        step = choice(CampaignStep, request.match_info["step"], field="state")
        reason = form.get("reason", "")
        book = request.app[CALLBACKS].campaigns
        await book.step(current_actor(request), key, step, expected=version_of(form), reason=reason)
    except EXPECTED as error:
        return await _monitor(request, error)
    return see_other(f"/campaigns/{key}")


@requires(Permission.CAMPAIGNS_VIEW)
async def show_calls(request: web.Request) -> web.StreamResponse:
    """Show the attempts of a campaign, the newest first."""
    actor, part, key = current_actor(request), request.app[CALLBACKS], request.match_info["campaign_id"]
    view = await part.campaigns.get(actor, key)
    asked = request.query.get("outcome", "")
    outcome = choice(Outcome, asked, field="outcome") if asked else None
    cursor = request.query.get("cursor")
    page = await part.campaign_results.attempts(
        actor, AttemptFilter(campaign_id=key, outcome=outcome), cursor=cursor
    )
    more = page.next_cursor
    context = {
        "view": view,
        "items": page.items,
        "masked": masked,
        "asked": asked,
        "first": cursor is not None,
        "more": f"/campaigns/{key}/calls?outcome={asked}&cursor={more}" if more else "",
        **_tables(),
    }
    return render(request, "campaigns/calls.html", context)


@requires(Permission.CAMPAIGNS_VIEW)
async def show_refusals(request: web.Request) -> web.StreamResponse:
    """Show the calls that were not made, each with its reason."""
    actor, part, key = current_actor(request), request.app[CALLBACKS], request.match_info["campaign_id"]
    view = await part.campaigns.get(actor, key)
    asked = request.query.get("code", "")
    code = choice(RefusalCode, asked, field="code") if asked else None
    cursor = request.query.get("cursor")
    page = await part.campaign_figures.refusals(actor, key, code=code, cursor=cursor)
    more = page.next_cursor
    context = {
        "view": view,
        "items": page.items,
        "asked": asked,
        "first": cursor is not None,
        "more": f"/campaigns/{key}/refusals?code={asked}&cursor={more}" if more else "",
        **_tables(),
    }
    return render(request, "campaigns/refusals.html", context)


@requires(Permission.EXPORT)
@streaming
async def send_results(request: web.Request) -> web.StreamResponse:
    """Send what became of each task that a campaign tried."""
    form, key = form_of(request), request.match_info["campaign_id"]
    with request.app[SLOTS].one():
        results = request.app[CALLBACKS].campaign_results
        found = await results.export_results(current_actor(request), key, form=form)
        titles: list[Cell] = [
            gettext("客户"),
            gettext("合同号"),
            gettext("级别"),
            gettext("回访类型"),
            gettext("状态"),
            gettext("结果"),
            gettext("得分"),
            gettext("拨打次数"),
            gettext("最近拨打"),
            gettext("结束时间"),
        ]
        return await send_file(request, form, "campaign", titles, found, _result_row(request))


def _result_row(request: web.Request) -> Callable[[TaskResult], list[Cell]]:
    at = time_cell(request)

    def row(item: TaskResult) -> list[Cell]:
        return [
            item.customer_name,
            item.contract_no or "",
            item.level.value,
            labels.word(words.KINDS, item.kind.value),
            labels.word(words.TASKS, item.status.value),
            labels.word(words.VERDICTS, item.verdict.value) if item.verdict else "",
            item.score,
            item.attempts,
            at(item.last_at),
            at(item.ended_at),
        ]

    return row


async def _monitor(request: web.Request, error: HuifangError | None = None) -> web.Response:
    actor, part, key = current_actor(request), request.app[CALLBACKS], request.match_info["campaign_id"]
    view = await part.campaigns.get(actor, key)
    counts = await part.campaign_figures.counts(actor, key)
    latest = await part.campaign_results.attempts(actor, AttemptFilter(campaign_id=key), limit=LATEST)
    user = current_user(request)
    runs = user.can(Permission.CAMPAIGNS_RUN)
    context = {
        "view": view,
        "counts": counts,
        "latest": latest.items,
        "masked": masked,
        "steps": [step.value for step in view.steps] if runs else [],
        "runs": runs,
        "editable": runs and view.campaign.state.value in {"draft", "running", "paused"},
        "exports": user.can(Permission.EXPORT),
        "stores": await part.campaigns.stores() if view.campaign.store_ids else {},
        "queues": await queue_names(request) if view.campaign.queue else {},
        "error": words.advice(error.field, error.code, error.message) if error else "",
        **_shown(view, counts),
        **_tables(),
    }
    return render(request, "campaigns/monitor.html", context, status=400 if error else 200)


def _shown(view: CampaignView, counts: CampaignCounts) -> Mapping[str, Any]:
    """Return the parts that are drawn as bars, longest first."""
    every = counts.done + counts.waiting + counts.passed_on + counts.dialling + counts.talking
    return {
        "total": every,
        "percent": round(100 * counts.done / every) if every else 0,
        "bars": [
            (gettext("结果"), _bars(words.VERDICTS, counts.verdicts)),
            (gettext("结束的回访"), _bars(words.TASKS, counts.ended)),
            (gettext("拨打结果"), _bars(words.OUTCOMES, counts.attempts)),
        ],
        "refused": sorted(counts.refused.items(), key=lambda item: -item[1]),
        "share": round(100 * counts.abandoned_share, 2),
        "cap": round(100 * view.campaign.abandon_cap, 2),
        "paced": view.campaign.mode.needs_queue,
    }


def _bars(table: Mapping[str, str], counts: Mapping[Any, int]) -> list[tuple[str, int, int]]:
    most = max(counts.values(), default=0)
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return [(labels.word(table, key.value), count, round(100 * count / most)) for key, count in ordered]


def _tables() -> dict[str, Any]:
    names = ("MODES", "MODE_MEANS", "STATES", "STEP_ASKS", "STEP_SURE", "SOURCES", "KINDS", "LEVELS")
    more = ("TASKS", "VERDICTS", "OUTCOMES", "CALL_STATES", "REFUSALS", "DECISIONS", "CARRIERS")
    tables = {name.lower(): labels.words(getattr(words, name)) for name in (*names, *more)}
    return tables | {"tones": words.TONES, "step_words": labels.words(words.STEPS)}
