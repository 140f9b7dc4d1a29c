"""``/api/v1/data-requests``: what people ask about their own data, and what they get."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from crm.data_requests import RequestKind, RequestState
from web.api.operation import Call, operation
from web.api.v1.complaints_schemas import ComplaintBody, Cursor, Limit
from web.api.v1.schemas import NoQuery, Out, Query, SiteTime
from web.crm_part import CRM
from web.permissions import Permission

REQUEST = (("request_id", "Id of the request."),)
TAG = "retention"


class DataRequestsQuery(Query):
    """Which requests, the newest first."""

    state: RequestState | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class DataRequestIn(ComplaintBody):
    """A request, and how it is known that it is they who ask."""

    customer_id: Annotated[str, Field(min_length=26, max_length=26)]
    kind: RequestKind
    evidence: str = Field(min_length=1, max_length=400)
    wish: str = Field("", max_length=1000)


class DataAnswerIn(ComplaintBody):
    """What they are told; a deletion says itself what was deleted."""

    answer: str = Field("", max_length=1000)


class DataRefusalIn(ComplaintBody):
    """Why not."""

    reason: str = Field(min_length=1, max_length=1000)


class HeldCaseOut(Out):
    """A case that is held, and why: nothing of its customer is deleted meanwhile."""

    case_id: str
    no: str
    reason: str


class DataRequestOut(Out):
    """A request; `kept_until` says until when the law keeps what a deletion left, `held` what stops it."""

    request_id: str
    no: str
    customer_id: str
    customer_name: str
    kind: RequestKind
    state: RequestState
    evidence: str
    wish: str
    received_at: SiteTime
    received_by: str
    due_at: SiteTime | None
    overdue: bool
    answer: str | None
    answered_at: SiteTime | None
    answered_by: str | None
    kept_until: date | None
    erased_on: date | None
    version: int
    held: tuple[HeldCaseOut, ...]


class DataRequestList(Out):
    """A page of requests."""

    items: tuple[DataRequestOut, ...]
    next_cursor: str | None


class OwnCopyOut(Out):
    """Everything that is kept of a person."""

    request: str
    at: str
    customer: dict[str, Any]
    phones: list[dict[str, Any]]
    projects: list[dict[str, Any]]
    cases: list[dict[str, Any]]
    contacts: list[dict[str, Any]]
    call_notes: list[dict[str, Any]]
    consents: list[dict[str, Any]]
    refusals: list[dict[str, Any]]


HANDLE = Permission.PRIVACY_HANDLE


@operation(
    query=DataRequestsQuery,
    response=DataRequestList,
    permission=HANDLE,
    summary="List requests about people's own data, the newest first",
    tag=TAG,
)
async def list_data_requests(call: Call[DataRequestsQuery]) -> DataRequestList:
    """Return a page of requests."""
    asked = call.query
    page = await call.request.app[CRM].data_requests.page(
        call.actor, state=asked.state, cursor=asked.cursor, limit=asked.limit
    )
    return DataRequestList.model_validate(page)


@operation(
    query=NoQuery,
    response=DataRequestOut,
    permission=HANDLE,
    summary="Take a request down; it is answered within 15 working days",
    tag=TAG,
    body=DataRequestIn,
    status=201,
)
async def receive_data_request(call: Call[NoQuery]) -> DataRequestOut:
    """Take a request down."""
    given = call.body(DataRequestIn)
    view = await call.request.app[CRM].data_requests.receive(
        call.actor, given.customer_id, given.kind, evidence=given.evidence, wish=given.wish
    )
    return DataRequestOut.model_validate(view)


@operation(
    query=NoQuery,
    response=DataRequestOut,
    permission=HANDLE,
    summary="Read a request",
    tag=TAG,
    path_parameters=REQUEST,
)
async def get_data_request(call: Call[NoQuery]) -> DataRequestOut:
    """Return a request."""
    return DataRequestOut.model_validate(
        await call.request.app[CRM].data_requests.get(call.actor, call.request.match_info["request_id"])
    )


@operation(
    query=NoQuery,
    response=OwnCopyOut,
    permission=HANDLE,
    summary="Read everything that is kept of who asks to see or have it",
    description="Noted in the audit log each time.",
    tag=TAG,
    path_parameters=REQUEST,
)
async def copy_own_data(call: Call[NoQuery]) -> OwnCopyOut:
    """Return the copy."""
    requests = call.request.app[CRM].data_requests
    return OwnCopyOut.model_validate(await requests.copy(call.actor, call.request.match_info["request_id"]))


@operation(
    query=NoQuery,
    response=DataRequestOut,
    permission=HANDLE,
    summary="Answer a request; a deletion is carried out",
    tag=TAG,
    path_parameters=REQUEST,
    body=DataAnswerIn,
    if_match=True,
)
async def answer_data_request(call: Call[NoQuery]) -> DataRequestOut:
    """Answer a request."""
    key, text = call.request.match_info["request_id"], call.body(DataAnswerIn).answer
    view = await call.request.app[CRM].data_requests.answer(call.actor, key, call.expected, text)
    return DataRequestOut.model_validate(view)


@operation(
    query=NoQuery,
    response=DataRequestOut,
    permission=HANDLE,
    summary="Refuse a request, with the reason that they are told",
    tag=TAG,
    path_parameters=REQUEST,
    body=DataRefusalIn,
    if_match=True,
)
async def refuse_data_request(call: Call[NoQuery]) -> DataRequestOut:
    """Refuse a request."""
    key, reason = call.request.match_info["request_id"], call.body(DataRefusalIn).reason
    view = await call.request.app[CRM].data_requests.refuse(call.actor, key, call.expected, reason)
    return DataRequestOut.model_validate(view)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/data-requests", list_data_requests),
    ("POST", "/data-requests", receive_data_request),
    ("GET", "/data-requests/{request_id}", get_data_request),
    ("GET", "/data-requests/{request_id}/copy", copy_own_data),
    ("POST", "/data-requests/{request_id}/answer", answer_data_request),
    ("POST", "/data-requests/{request_id}/refusal", refuse_data_request),
)
