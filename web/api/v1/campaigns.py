"""``/api/v1/campaigns``: written, started, paused, stopped; their figures, refusals and attempts."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from callback_campaigns.campaign_results import AttemptFilter
from callback_campaigns.campaigns import CampaignView
from callback_campaigns.domain.campaign import CampaignStep
from web.api.operation import Call, operation
from web.api.v1.campaigns_schemas import (
    AttemptOut,
    AttemptPageOut,
    AttemptsAsked,
    AttemptsQuery,
    CampaignChangeIn,
    CampaignCountsOut,
    CampaignIn,
    CampaignOut,
    CampaignPageOut,
    CampaignsQuery,
    CampaignStepIn,
    RefusalsQuery,
    RefusedCallOut,
    RefusedPageOut,
)
from web.api.v1.schemas import NoQuery
from web.callback_part import CALLBACKS, Callbacks
from web.idempotency import Idempotency
from web.masking import masked
from web.permissions import Permission

TAG = "campaigns"
CAMPAIGN = (("campaign_id", "Id of the campaign."),)
SEES, RUNS = Permission.CAMPAIGNS_VIEW, Permission.CAMPAIGNS_RUN
DIALS = "Telephones ring because of it, so it needs an `Idempotency-Key`."


def part(call: Call[Any]) -> Callbacks:
    """Return the services."""
    return call.request.app[CALLBACKS]


def key_of(call: Call[Any]) -> str:
    """Return the campaign's id in the path."""
    return call.request.match_info["campaign_id"]


@operation(query=CampaignsQuery, response=CampaignPageOut, permission=SEES, summary="List campaigns", tag=TAG)
async def list_campaigns(call: Call[CampaignsQuery]) -> CampaignPageOut:
    """Return a page of campaigns."""
    asked = call.query
    page = await part(call).campaigns.page(
        call.actor,
        states=[asked.state] if asked.state is not None else (),
        mode=asked.mode,
        kind=asked.kind,
        cursor=asked.cursor,
        limit=asked.limit,
    )
    return CampaignPageOut(items=tuple(out(view) for view in page.items), next_cursor=page.next_cursor)


@operation(
    query=NoQuery,
    response=CampaignOut,
    permission=RUNS,
    summary="Write a campaign",
    description="It is a draft; nothing is dialled before it is started.",
    tag=TAG,
    body=CampaignIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def create_campaign(call: Call[NoQuery]) -> CampaignOut:
    """Write a draft."""
    return out(await part(call).campaigns.create(call.actor, call.body(CampaignIn).model_dump()))


@operation(
    query=NoQuery,
    response=CampaignOut,
    permission=SEES,
    summary="Read a campaign",
    tag=TAG,
    path_parameters=CAMPAIGN,
)
async def get_campaign(call: Call[NoQuery]) -> CampaignOut:
    """Return a campaign."""
    return out(await part(call).campaigns.get(call.actor, key_of(call)))


@operation(
    query=NoQuery,
    response=CampaignOut,
    permission=RUNS,
    summary="Change a campaign",
    description="While it runs, only how fast and how long it dials; pause it for the rest.",
    tag=TAG,
    path_parameters=CAMPAIGN,
    body=CampaignChangeIn,
    if_match=True,
)
async def change_campaign(call: Call[NoQuery]) -> CampaignOut:
    """Change the fields that were sent."""
    given = call.body(CampaignChangeIn).given()
    changed = await part(call).campaigns.change(call.actor, key_of(call), given, expected=call.expected)
    return out(changed)


Handler = Callable[[web.Request], Awaitable[web.Response]]


def _step(wanted: CampaignStep, summary: str, description: str) -> Handler:
    """Return the handler of a step; what leads to a dial needs a key."""
    dials = wanted in {CampaignStep.START, CampaignStep.RESUME}

    async def take(call: Call[NoQuery]) -> CampaignOut:
        reason = call.body(CampaignStepIn).reason
        taken = await part(call).campaigns.step(
            call.actor, key_of(call), wanted, expected=call.expected, reason=reason
        )
        return out(taken)

    take.__name__ = f"{wanted.value}_campaign"
    take.__doc__ = "Take a step of a campaign."
    return operation(
        query=NoQuery,
        response=CampaignOut,
        permission=RUNS,
        summary=summary,
        description=f"{description} {DIALS}" if dials else description,
        tag=TAG,
        path_parameters=CAMPAIGN,
        body=CampaignStepIn,
        if_match=True,
        idempotent=Idempotency.REQUIRED if dials else Idempotency.NONE,
    )(take)


start_campaign = _step(CampaignStep.START, "Start a campaign", "It dials from now on, in its hours.")
pause_campaign = _step(CampaignStep.PAUSE, "Pause a campaign", "No dial after this one; calls go on.")
resume_campaign = _step(CampaignStep.RESUME, "Go on with a campaign", "It dials again.")
stop_campaign = _step(CampaignStep.STOP, "Stop a campaign", "For good; calls in progress end by themselves.")
discard_campaign = _step(CampaignStep.DISCARD, "Discard a draft", "It was never started.")


@operation(
    query=NoQuery,
    response=CampaignCountsOut,
    permission=SEES,
    summary="Say how a campaign is doing",
    tag=TAG,
    path_parameters=CAMPAIGN,
)
async def get_campaign_counts(call: Call[NoQuery]) -> CampaignCountsOut:
    """Return the figures."""
    view = await part(call).campaigns.get(call.actor, key_of(call))
    found = await part(call).campaign_figures.counts(call.actor, key_of(call))
    fields = asdict(found) | {
        "abandoned_share": found.abandoned_share,
        "abandon_cap": view.campaign.abandon_cap,
    }
    return CampaignCountsOut.model_validate(fields)


@operation(
    query=RefusalsQuery,
    response=RefusedPageOut,
    permission=SEES,
    summary="List the calls of a campaign that were not made",
    description="Each with the code of its reason; the counts by code are in the campaign's figures.",
    tag=TAG,
    path_parameters=CAMPAIGN,
)
async def list_campaign_refusals(call: Call[RefusalsQuery]) -> RefusedPageOut:
    """Return a page of refusals."""
    asked = call.query
    page = await part(call).campaign_figures.refusals(
        call.actor, key_of(call), code=asked.code, cursor=asked.cursor, limit=asked.limit
    )
    return RefusedPageOut(
        items=tuple(RefusedCallOut.model_validate(item) for item in page.items), next_cursor=page.next_cursor
    )


@operation(
    query=AttemptsQuery,
    response=AttemptPageOut,
    permission=SEES,
    summary="List attempts to reach somebody",
    description="Of every campaign and of people, the newest first; numbers are masked.",
    tag=TAG,
)
async def list_dial_attempts(call: Call[AttemptsQuery]) -> AttemptPageOut:
    """Return a page of attempts."""
    asked = call.query
    page = await part(call).campaign_results.attempts(
        call.actor, wanted_of(asked), cursor=asked.cursor, limit=asked.limit
    )
    items = [AttemptOut.model_validate(asdict(item) | {"number": masked(item.number)}) for item in page.items]
    return AttemptPageOut(items=tuple(items), next_cursor=page.next_cursor)


def wanted_of(asked: AttemptsAsked) -> AttemptFilter:
    """Return the filter that was asked for."""
    names = AttemptFilter.__dataclass_fields__
    return AttemptFilter(**{name: getattr(asked, name) for name in names})


def out(view: CampaignView) -> CampaignOut:
    """Return a campaign as the API shows it."""
    campaign = view.campaign
    known = {name: getattr(campaign, name) for name in CampaignOut.model_fields if hasattr(campaign, name)}
    more = {name: getattr(view, name) for name in CampaignOut.model_fields if hasattr(view, name)}
    ordered = {name: tuple(sorted(known[name])) for name in ("kinds", "levels", "store_ids")}
    return CampaignOut.model_validate(known | more | ordered)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/campaigns", list_campaigns),
    ("POST", "/campaigns", create_campaign),
    ("GET", "/campaigns/{campaign_id}", get_campaign),
    ("PATCH", "/campaigns/{campaign_id}", change_campaign),
    ("POST", "/campaigns/{campaign_id}/start", start_campaign),
    ("POST", "/campaigns/{campaign_id}/pause", pause_campaign),
    ("POST", "/campaigns/{campaign_id}/resume", resume_campaign),
    ("POST", "/campaigns/{campaign_id}/stop", stop_campaign),
    ("POST", "/campaigns/{campaign_id}/discard", discard_campaign),
    ("GET", "/campaigns/{campaign_id}/counts", get_campaign_counts),
    ("GET", "/campaigns/{campaign_id}/refusals", list_campaign_refusals),
    ("GET", "/dial-attempts", list_dial_attempts),
)
