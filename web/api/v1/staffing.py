"""``/api/v1/staffing``: who is on duty against the calls and cases of each hour."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated

from aiohttp import web
from pydantic import Field

from web.api.operation import Call, operation
from web.api.v1.schemas import Out, Query
from web.crm_part import CRM
from web.deps import DEPS
from web.permissions import Permission
from web.staffing import MAX_DAYS, Staffing


class StaffingQuery(Query):
    """Which days."""

    since: date
    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = 1


class StaffingHour(Out):
    """An hour of the day over all days; `load` is calls and cases per hour of somebody on duty."""

    hour: int
    calls: int
    cases: int
    on_duty: float = Field(description="People per day, on the average.")
    load: float | None


class StaffingOut(Out):
    """The hours of the day."""

    items: tuple[StaffingHour, ...]


@operation(
    query=StaffingQuery,
    response=StaffingOut,
    permission=Permission.RED_LIST_VIEW,
    summary="Show who is on duty against calls and cases, hour by hour",
    tag="duty",
)
async def show_staffing(call: Call[StaffingQuery]) -> StaffingOut:
    """Return the hours."""
    app = call.request.app
    staffing = Staffing(app[DEPS].database, app[CRM].duty, zone=app[DEPS].settings.timezone)
    found = await staffing.read(call.actor, call.query.since, call.query.days)
    return StaffingOut.model_validate({"items": found}, from_attributes=True)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/staffing", show_staffing),
)
