"""``/api/v1/appraisals``: entries that missed limits propose, for the manager to confirm or dismiss."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from aiohttp import web
from pydantic import Field

from crm.appraisals import AppraisalState
from web.api.operation import Call, operation
from web.api.v1.complaints_schemas import Code, ComplaintBody, Cursor, Limit
from web.api.v1.schemas import NoQuery, Out, Query, SiteTime
from web.crm_part import CRM
from web.permissions import Permission

APPRAISAL = (("appraisal_id", "Id of the entry."),)
TAG = "appraisals"


class AppraisalsQuery(Query):
    """Which entries, the oldest first."""

    state: AppraisalState = AppraisalState.PROPOSED
    department: Code | None = None
    user_id: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    cursor: Cursor | None = None
    limit: Limit = 50


class ConfirmedQuery(Query):
    """Which month's entries."""

    month: Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$", examples=["2026-03"])]
    department: Code | None = None
    exported: bool | None = Field(
        None, description="Those that went to payroll, taken back since or not; or those that did not yet."
    )
    cursor: Cursor | None = None
    limit: Limit = 50


class AppraisalExportIn(ComplaintBody):
    """Which month's entries go to payroll."""

    month: Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$", examples=["2026-03"])]
    department: Code | None = None


class AppraisalsExported(Out):
    """How many entries went to payroll now."""

    month: str
    exported: int


class AppraisalConfirmIn(ComplaintBody):
    """Let an entry count."""

    note: str = Field("", max_length=400)


class AppraisalDismissIn(ComplaintBody):
    """Drop an entry."""

    reason: str = Field(min_length=1, max_length=400)


class AppraisalOut(Out):
    """An entry; `points` are negative. It counts when it is confirmed."""

    appraisal_id: str
    code: str
    record_kind: str
    record_id: str
    line_id: str
    record_no: str
    department: str | None
    department_name: str | None
    user_id: str | None
    points: int
    reason: str
    state: AppraisalState
    proposed_at: SiteTime
    decided_by: str | None
    decided_at: SiteTime | None
    note: str | None
    period: str | None = Field(description="The month it counts in.")
    confirmed_by: str | None
    exported_at: SiteTime | None = Field(description="When it went to payroll.")
    exported_by: str | None
    version: int


class AppraisalList(Out):
    """A page of entries."""

    items: tuple[AppraisalOut, ...]
    next_cursor: str | None


@operation(
    query=AppraisalsQuery,
    response=AppraisalList,
    permission=Permission.RED_LIST_VIEW,
    summary="List appraisal entries, the oldest first",
    description="Those that wait for a decision, unless `state` says otherwise.",
    tag=TAG,
)
async def list_appraisals(call: Call[AppraisalsQuery]) -> AppraisalList:
    """Return a page of entries."""
    asked = call.query
    page = await call.request.app[CRM].appraisals.page(
        call.actor,
        state=asked.state,
        department=asked.department,
        user_id=asked.user_id,
        cursor=asked.cursor,
        limit=asked.limit,
    )
    return AppraisalList.model_validate(page)


@operation(
    query=ConfirmedQuery,
    response=AppraisalList,
    permission=Permission.RECOVERY_HANDLE,
    summary="List the appraisal entries that count from a month on",
    description="For payroll: what was confirmed in the month, in that order, nothing about integrity.",
    tag=TAG,
)
async def list_confirmed_appraisals(call: Call[ConfirmedQuery]) -> AppraisalList:
    """Return a page of entries."""
    asked = call.query
    page = await call.request.app[CRM].appraisals.confirmed(
        call.actor,
        asked.month,
        department=asked.department,
        exported=asked.exported,
        cursor=asked.cursor,
        limit=asked.limit,
    )
    return AppraisalList.model_validate(page)


@operation(
    query=NoQuery,
    response=AppraisalsExported,
    permission=Permission.RECOVERY_HANDLE,
    summary="Hand a month's appraisal entries to payroll",
    description="Each goes once; `GET /appraisals/confirmed?exported=true` lists them again.",
    tag=TAG,
    body=AppraisalExportIn,
)
async def export_appraisals(call: Call[NoQuery]) -> AppraisalsExported:
    """Mark what counts and did not go yet."""
    asked = call.body(AppraisalExportIn)
    count = await call.request.app[CRM].appraisals.export(
        call.actor, asked.month, department=asked.department
    )
    return AppraisalsExported(month=asked.month, exported=count)


@operation(
    query=NoQuery,
    response=AppraisalOut,
    permission=Permission.CASES_DECIDE,
    summary="Confirm an appraisal entry",
    description="Nobody decides about an entry of their own.",
    tag=TAG,
    path_parameters=APPRAISAL,
    body=AppraisalConfirmIn,
    if_match=True,
)
async def confirm_appraisal(call: Call[NoQuery]) -> AppraisalOut:
    """Let an entry count."""
    view = await call.request.app[CRM].appraisals.confirm(
        call.actor,
        call.request.match_info["appraisal_id"],
        expected=call.expected,
        note=call.body(AppraisalConfirmIn).note,
    )
    return AppraisalOut.model_validate(view)


@operation(
    query=NoQuery,
    response=AppraisalOut,
    permission=Permission.CASES_DECIDE,
    summary="Dismiss an appraisal entry, with the reason",
    description="Nobody decides about an entry of their own.",
    tag=TAG,
    path_parameters=APPRAISAL,
    body=AppraisalDismissIn,
    if_match=True,
)
async def dismiss_appraisal(call: Call[NoQuery]) -> AppraisalOut:
    """Drop an entry."""
    view = await call.request.app[CRM].appraisals.dismiss(
        call.actor,
        call.request.match_info["appraisal_id"],
        expected=call.expected,
        reason=call.body(AppraisalDismissIn).reason,
    )
    return AppraisalOut.model_validate(view)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/appraisals", list_appraisals),
    ("GET", "/appraisals/confirmed", list_confirmed_appraisals),
    ("POST", "/appraisals/export", export_appraisals),
    ("POST", "/appraisals/{appraisal_id}/confirm", confirm_appraisal),
    ("POST", "/appraisals/{appraisal_id}/dismiss", dismiss_appraisal),
)
