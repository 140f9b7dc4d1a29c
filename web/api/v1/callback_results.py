"""``/api/v1/callback-results``: callbacks in figures (domain.md §5.1)."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from aiohttp import web
from pydantic import Field

from callback_campaigns.domain.figures import PERCENT, CallbackFigure, GroupBy
from callback_campaigns.domain.terms import CallbackType
from callback_campaigns.figures import FiguresAsked
from web.api.operation import Call, operation
from web.api.v1.case_figures_schemas import Number
from web.api.v1.schemas import AskedTime, Out, Query, SiteTime
from web.callback_part import CALLBACKS
from web.permissions import Permission


class CallbackResultsQuery(Query):
    """Which callbacks: by the event that each figure names."""

    since: AskedTime = Field(description="Happened then or later.")
    until: AskedTime = Field(description="Happened before then; at most 400 days later.")
    store_id: Annotated[str, Field(min_length=26, max_length=26)] | None = None
    kind: CallbackType | None = None
    by: GroupBy = Field(GroupBy.KIND, description="What the results are broken down by.")


class CallbackFigureOut(Out):
    """A figure and what it was made of."""

    code: CallbackFigure
    numerator: Number
    denominator: Number
    value: Number | None = Field(description="Percent, or calls per callback; `null` of nothing.")


class CallbackGroupOut(Out):
    """One line of the breakdown."""

    name: str
    results: int = Field(description="Callbacks with a result; 0 where answers are counted.")
    satisfied: int
    answers: int = Field(description="Scores that the mean is made of.")
    mean: Number | None
    few: bool = Field(description="Fewer than five answers: the mean of a person is not to be shown.")


class PresenceOut(Out):
    """How often a project manager was there."""

    project_manager: str
    numerator: Number
    denominator: Number
    value: Number | None


class CallbackResultsOut(Out):
    """All figures of a period."""

    since: SiteTime
    until: SiteTime
    as_of: SiteTime
    by: GroupBy
    figures: tuple[CallbackFigureOut, ...]
    mean_score: Number | None
    delays: dict[str, int] = Field(
        description="Callbacks by days from the one first planned for to the one when done."
    )
    groups: tuple[CallbackGroupOut, ...]
    presence: tuple[PresenceOut, ...]


@operation(
    query=CallbackResultsQuery,
    response=CallbackResultsOut,
    permission=Permission.RED_LIST_VIEW,
    summary="Read the figures of callbacks",
    description="Every rate comes with its numerator and its denominator.",
    tag="figures",
)
async def read_callback_results(call: Call[CallbackResultsQuery]) -> CallbackResultsOut:
    """Return the figures of a period."""
    query = call.query
    asked = FiguresAsked(since=query.since, until=query.until, store_id=query.store_id, kind=query.kind)
    found = await call.request.app[CALLBACKS].figures.read(call.actor, asked, by=query.by)
    return CallbackResultsOut(
        since=query.since,
        until=query.until,
        as_of=found.as_of,
        by=found.by,
        figures=tuple(
            CallbackFigureOut(
                code=code,
                numerator=one.numerator,
                denominator=one.denominator,
                value=one.percent if code in PERCENT else one.ratio,
            )
            for code, one in found.figures.items()
        ),
        mean_score=found.mean_score.value,
        delays=dict(found.delays),
        groups=tuple(
            CallbackGroupOut(
                name=row.name,
                results=row.results,
                satisfied=row.satisfied,
                answers=row.mean.count,
                mean=row.mean.value,
                few=row.mean.few,
            )
            for row in found.groups
        ),
        presence=tuple(
            PresenceOut(
                project_manager=name,
                numerator=one.numerator,
                denominator=one.denominator,
                value=one.percent,
            )
            for name, one in found.presence
        ),
    )


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/callback-results", read_callback_results),
)
