"""``/api/v1/duty…``: who is on duty, the duty log, and the patrols of a day."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated

from aiohttp import web
from pydantic import Field

from crm.domain.duty import PatrolSlot, Shift
from crm.duty import MAX_DAYS, MAX_PEOPLE
from web.api.operation import Call, operation
from web.api.v1.complaints_schemas import ComplaintBody, Cursor, Id, Limit
from web.api.v1.schemas import NoQuery, Out, Query, SiteTime
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission

TAG = "duty"


class DutyDaysQuery(Query):
    """Which days."""

    since: date
    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = 7


class DutyLogQuery(Query):
    """Which lines, the newest first."""

    day: date | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class DutyPersonOut(Out):
    """Somebody on duty."""

    user_id: str
    name: str


class ShiftOut(Out):
    """Who is on duty; `version` is 0 while nobody was named."""

    day: date
    shift: Shift
    people: tuple[DutyPersonOut, ...]
    version: int


class ShiftList(Out):
    """Days, shift by shift: at most 31 days, three shifts each, in one answer."""

    items: tuple[ShiftOut, ...]


class ShiftIn(ComplaintBody):
    """Who is on duty in a shift, instead of whoever was."""

    day: date
    shift: Shift
    user_ids: tuple[Id, ...] = Field(max_length=MAX_PEOPLE)
    expected: int = Field(ge=0, description="Version of the shift; 0 for one that has nobody.")


class DutyEntryIn(ComplaintBody):
    """A line of the log."""

    text: str = Field(min_length=1, max_length=1000)


class DutyEntryOut(Out):
    """A line of the log."""

    entry_id: str
    day: date
    at: SiteTime
    by: str
    text: str


class DutyEntryList(Out):
    """A page of the log."""

    items: tuple[DutyEntryOut, ...]
    next_cursor: str | None


class PatrolIn(ComplaintBody):
    """Today's patrol of a slot."""

    slot: PatrolSlot
    sound: bool = Field(description="Nothing was found.")
    found: str = Field("", max_length=1000, description="Needed when it is not sound.")


class PatrolOut(Out):
    """A patrol that was made; `late`: written down after its slot."""

    day: date
    slot: PatrolSlot
    at: SiteTime
    by: str
    sound: bool
    found: str
    late: bool


class PatrolDayOut(Out):
    """The patrols of a day, and those that should have been made by now."""

    day: date
    done: tuple[PatrolOut, ...]
    missing: tuple[PatrolSlot, ...]


class PatrolDayList(Out):
    """Days: at most 31, two patrols each, in one answer."""

    items: tuple[PatrolDayOut, ...]


@operation(
    query=DutyDaysQuery,
    response=ShiftList,
    permission=Permission.CASES_VIEW_ALL,
    summary="Show who is on duty",
    tag=TAG,
)
async def list_duty(call: Call[DutyDaysQuery]) -> ShiftList:
    """Return the roster."""
    found = await call.request.app[CRM].duty.roster(call.actor, call.query.since, call.query.days)
    return ShiftList.model_validate({"items": found}, from_attributes=True)


@operation(
    query=NoQuery,
    response=ShiftOut,
    permission=Permission.DUTY_PLAN,
    summary="Say who is on duty in a shift",
    description="`expected` stands for If-Match, as a shift that has nobody has no ETag; 412 when stale.",
    tag=TAG,
    body=ShiftIn,
)
async def plan_duty(call: Call[NoQuery]) -> ShiftOut:
    """Plan a shift."""
    given = call.body(ShiftIn)
    found = await call.request.app[CRM].duty.plan(
        call.actor, given.day, given.shift, given.user_ids, expected=given.expected
    )
    return ShiftOut.model_validate(found)


@operation(
    query=DutyLogQuery,
    response=DutyEntryList,
    permission=Permission.CASES_VIEW_ALL,
    summary="Read the duty log, the newest line first",
    tag=TAG,
)
async def list_duty_log(call: Call[DutyLogQuery]) -> DutyEntryList:
    """Return a page of the log."""
    asked = call.query
    page = await call.request.app[CRM].duty.entries(
        call.actor, day=asked.day, cursor=asked.cursor, limit=asked.limit
    )
    return DutyEntryList.model_validate(page)


@operation(
    query=NoQuery,
    response=DutyEntryOut,
    permission=Permission.CASES_REGISTER,
    summary="Add a line to the duty log",
    description="Lines are never changed.",
    tag=TAG,
    body=DutyEntryIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def add_duty_log(call: Call[NoQuery]) -> DutyEntryOut:
    """Add a line."""
    found = await call.request.app[CRM].duty.log(call.actor, call.body(DutyEntryIn).text)
    return DutyEntryOut.model_validate(found)


@operation(
    query=DutyDaysQuery,
    response=PatrolDayList,
    permission=Permission.CASES_VIEW_ALL,
    summary="Show the patrols of some days, and which are missing",
    tag=TAG,
)
async def list_patrols(call: Call[DutyDaysQuery]) -> PatrolDayList:
    """Return the patrols."""
    found = await call.request.app[CRM].duty.patrols(call.actor, call.query.since, call.query.days)
    return PatrolDayList.model_validate({"items": found}, from_attributes=True)


@operation(
    query=NoQuery,
    response=PatrolOut,
    permission=Permission.CASES_REGISTER,
    summary="Write today's patrol down",
    description="Two a day, each once; from the beginning of its slot on.",
    tag=TAG,
    body=PatrolIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def note_patrol(call: Call[NoQuery]) -> PatrolOut:
    """Write a patrol down."""
    given = call.body(PatrolIn)
    found = await call.request.app[CRM].duty.patrol(
        call.actor, given.slot, sound=given.sound, found=given.found
    )
    return PatrolOut.model_validate(found)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/duty", list_duty),
    ("PUT", "/duty", plan_duty),
    ("GET", "/duty-log", list_duty_log),
    ("POST", "/duty-log", add_duty_log),
    ("GET", "/patrols", list_patrols),
    ("POST", "/patrols", note_patrol),
)
