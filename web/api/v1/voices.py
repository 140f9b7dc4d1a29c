"""``/api/v1/voices``: suggestions of customers and news of competitors."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import Field

from crm.domain.voice import VoiceKind
from crm.voices import NewVoice, VoiceFilter
from web.api.operation import Call, operation
from web.api.v1.complaints_schemas import ComplaintBody, Cursor, Id, Limit
from web.api.v1.repair_points_schemas import Month
from web.api.v1.schemas import NoQuery, Out, Query, SiteTime
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission

TAG = "voices"


class VoicesQuery(Query):
    """Which notes, the newest first."""

    kind: VoiceKind | None = None
    month: Month | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class VoiceIn(ComplaintBody):
    """What somebody notes."""

    kind: VoiceKind
    text: str = Field(min_length=1, max_length=1000)
    competitor: str | None = Field(None, max_length=60, description="Needed for news of one.")
    customer_id: Id | None = Field(None, description="Left out: the customer of the case, if there is one.")
    case_id: Id | None = None
    call_id: Id | None = None


class CustomerVoiceOut(Out):
    """A note."""

    voice_id: str
    kind: VoiceKind
    text: str
    competitor: str
    customer_id: str | None
    customer_name: str | None
    case_id: str | None
    case_no: str | None
    call_id: str | None
    month: str
    at: SiteTime
    by: str


class VoiceList(Out):
    """A page of notes."""

    items: tuple[CustomerVoiceOut, ...]
    next_cursor: str | None


class VoiceMonthOut(Out):
    """How many notes of each kind a month has."""

    month: str
    counts: dict[VoiceKind, int]


class VoiceMonthList(Out):
    """The newest months that have notes."""

    items: tuple[VoiceMonthOut, ...]


@operation(
    query=VoicesQuery,
    response=VoiceList,
    permission=Permission.CASES_VIEW_ALL,
    summary="List suggestions and news of competitors, the newest first",
    description="All of them to the managers; others see what they wrote themselves.",
    tag=TAG,
)
async def list_voices(call: Call[VoicesQuery]) -> VoiceList:
    """Return a page of notes."""
    asked = call.query
    wanted = VoiceFilter(kind=asked.kind, month=asked.month)
    page = await call.request.app[CRM].voices.page(call.actor, wanted, cursor=asked.cursor, limit=asked.limit)
    return VoiceList.model_validate(page)


@operation(
    query=NoQuery,
    response=VoiceMonthList,
    permission=Permission.CASES_VIEW_ALL,
    summary="Count suggestions and news of competitors by month",
    tag=TAG,
)
async def list_voice_months(call: Call[NoQuery]) -> VoiceMonthList:
    """Return the months."""
    found = await call.request.app[CRM].voices.months(call.actor)
    return VoiceMonthList.model_validate({"items": found}, from_attributes=True)


@operation(
    query=NoQuery,
    response=CustomerVoiceOut,
    permission=Permission.CASES_REGISTER,
    summary="Note a suggestion or news of a competitor",
    tag=TAG,
    body=VoiceIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def note_voice(call: Call[NoQuery]) -> CustomerVoiceOut:
    """Write a note down."""
    given = NewVoice(**call.body(VoiceIn).model_dump())
    return CustomerVoiceOut.model_validate(await call.request.app[CRM].voices.note(call.actor, given))


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/voices", list_voices),
    ("POST", "/voices", note_voice),
    ("GET", "/voice-months", list_voice_months),
)
