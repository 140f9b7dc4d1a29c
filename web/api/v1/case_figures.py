"""``/api/v1/case-figures``: complaints and repairs in figures (domain.md §5.2)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from aiohttp import web

from crm.domain.case_figures import OF_COMPANY
from crm.figure_period import Asked
from web.api.operation import Call, operation
from web.api.v1.case_figures_schemas import (
    CaseFiguresOut,
    CaseFiguresQuery,
    CrewRepairsList,
    FigureOut,
    SpreadOut,
)
from web.crm_part import CRM
from web.permissions import Permission


@operation(
    query=CaseFiguresQuery,
    response=CaseFiguresOut,
    permission=Permission.RED_LIST_VIEW,
    summary="Read the figures of complaints and repairs",
    description="Every rate comes with its numerator and its denominator.",
    tag="figures",
)
async def read_figures(call: Call[CaseFiguresQuery]) -> CaseFiguresOut:
    """Return the figures of a period."""
    query = call.query
    asked = Asked(since=query.since, until=query.until, store=query.store, department=query.department)
    found = await call.request.app[CRM].figures.read(call.actor, asked)
    return CaseFiguresOut(
        since=query.since,
        until=query.until,
        store=query.store,
        department=query.department,
        as_of=found.as_of,
        figures=tuple(
            FigureOut(
                code=one.code,
                unit=one.unit,
                numerator=one.numerator,
                denominator=one.denominator,
                value=one.value,
                whole_company=one.code in OF_COMPANY,
            )
            for one in found.figures
        ),
        responses=tuple(
            SpreadOut(
                code=one.code,
                count=one.count,
                mean_seconds=_seconds(one.mean),
                median_seconds=_seconds(one.median),
                p90_seconds=_seconds(one.p90),
            )
            for one in found.responses
        ),
    )


@operation(
    query=CaseFiguresQuery,
    response=CrewRepairsList,
    permission=Permission.DEPOSITS_VIEW,
    summary="Read the repairs per crew, and those that came back",
    description="Repairs registered in the period, of the crew that built the home.",
    tag="figures",
)
async def read_crew_repairs(call: Call[CaseFiguresQuery]) -> CrewRepairsList:
    """Return the repairs of a period per crew."""
    query = call.query
    asked = Asked(since=query.since, until=query.until, store=query.store, department=query.department)
    found = await call.request.app[CRM].figures.crews(call.actor, asked)
    return CrewRepairsList.model_validate({"items": found}, from_attributes=True)


def _seconds(span: timedelta | None) -> float | None:
    return span.total_seconds() if span is not None else None


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/case-figures", read_figures),
    ("GET", "/crew-repairs", read_crew_repairs),
)
