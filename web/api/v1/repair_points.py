"""``/api/v1/repair-points``, ``/repair-accounts``, ``/quality-feedback`` and ``/follow-ups``."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from crm.point_lists import PointLists
from crm.repair_point_views import PointText
from crm.repair_points import RepairPoints
from web.api.operation import Call, operation
from web.api.v1.point_records import ROUTES as RECORD_ROUTES
from web.api.v1.point_visits import ROUTES as VISIT_ROUTES
from web.api.v1.repair_points_schemas import (
    AccountIn,
    AccountList,
    AccountOut,
    AccountsQuery,
    ApprovalIn,
    FeedbackIn,
    FeedbackList,
    FeedbackOut,
    FeedbackQuery,
    FollowUpIn,
    FollowUpList,
    FollowUpOut,
    FollowUpQuery,
    FollowUpsQuery,
    PartIn,
    PartList,
    PartOut,
    PointIn,
    PointList,
    PointOut,
    PointsQuery,
    RatioList,
    RatioOut,
    SparePartsQuery,
)
from web.api.v1.schemas import NoQuery
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission

POINT = (("point_id", "Id of the point."),)
ACCOUNT = (("account_id", "Id of the month's account."),)
CASE = (("case_id", "Id of the closed case."),)
TAG = "repair points"
FOLLOW_UPS = "follow-ups"


def network(request: web.Request) -> RepairPoints:
    """Return the service of the network."""
    return request.app[CRM].repair_points


def lists(request: web.Request) -> PointLists:
    """Return what lists the network page by page."""
    return request.app[CRM].point_lists


@operation(
    query=PointsQuery,
    response=PointList,
    permission=Permission.PROJECTS_VIEW,
    summary="List repair points",
    tag=TAG,
)
async def list_repair_points(call: Call[PointsQuery]) -> PointList:
    """Return the points."""
    asked = call.query
    page = await lists(call.request).points(
        call.actor,
        district=asked.district,
        valid_only=asked.valid_only,
        cursor=asked.cursor,
        limit=asked.limit,
    )
    return PointList.model_validate(page)


@operation(
    query=NoQuery,
    response=PointOut,
    permission=Permission.STAFF_EDIT,
    summary="Write down a repair point",
    tag=TAG,
    body=PointIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def create_repair_point(call: Call[NoQuery]) -> PointOut:
    """Write down a point."""
    given = PointText(**call.body(PointIn).model_dump())
    return PointOut.model_validate(
        await network(call.request).put_point(call.actor, None, given, expected=None)
    )


@operation(
    query=NoQuery,
    response=PointOut,
    permission=Permission.STAFF_EDIT,
    summary="Correct a repair point",
    tag=TAG,
    path_parameters=POINT,
    body=PointIn,
    if_match=True,
)
async def change_repair_point(call: Call[NoQuery]) -> PointOut:
    """Correct a point."""
    given = PointText(**call.body(PointIn).model_dump())
    found = await network(call.request).put_point(
        call.actor, call.request.match_info["point_id"], given, expected=call.expected
    )
    return PointOut.model_validate(found)


@operation(
    query=SparePartsQuery,
    response=PartList,
    permission=Permission.PROJECTS_VIEW,
    summary="List spare parts that a point got and gave back",
    tag=TAG,
    path_parameters=POINT,
)
async def list_spare_parts(call: Call[SparePartsQuery]) -> PartList:
    """Return spare parts."""
    asked, point_id = call.query, call.request.match_info["point_id"]
    page = await lists(call.request).parts(
        call.actor, point_id, month=asked.month, cursor=asked.cursor, limit=asked.limit
    )
    return PartList.model_validate(page)


@operation(
    query=NoQuery,
    response=PartOut,
    permission=Permission.REPAIRS_WORK,
    summary="Write down spare parts issued or returned",
    tag=TAG,
    path_parameters=POINT,
    body=PartIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def move_spare_part(call: Call[NoQuery]) -> PartOut:
    """Write down spare parts."""
    given = call.body(PartIn)
    found = await network(call.request).move_part(
        call.actor,
        call.request.match_info["point_id"],
        given.kind,
        part=given.part,
        quantity=given.quantity,
        price=given.price,
        on_day=given.on_day,
        defective=given.defective,
        note=given.note,
    )
    return PartOut.model_validate(found)


@operation(
    query=AccountsQuery,
    response=AccountList,
    permission=Permission.PROJECTS_VIEW,
    summary="List monthly repair accounts, newest first",
    tag=TAG,
)
async def list_repair_accounts(call: Call[AccountsQuery]) -> AccountList:
    """Return monthly accounts."""
    asked = call.query
    page = await lists(call.request).accounts(
        call.actor, month=asked.month, point_id=asked.point_id, cursor=asked.cursor, limit=asked.limit
    )
    return AccountList.model_validate(page)


@operation(
    query=NoQuery,
    response=AccountOut,
    permission=Permission.REPAIRS_WORK,
    summary="Write down a month's budget and cost",
    tag=TAG,
    path_parameters=POINT,
    body=AccountIn,
    idempotent=Idempotency.OPTIONAL,
)
async def put_repair_account(call: Call[NoQuery]) -> AccountOut:
    """Write down a month."""
    given = call.body(AccountIn)
    found = await network(call.request).put_account(
        call.actor,
        call.request.match_info["point_id"],
        given.month,
        budget=given.budget,
        actual=given.actual,
        expected=given.expected,
    )
    return AccountOut.model_validate(found)


@operation(
    query=NoQuery,
    response=AccountOut,
    permission=Permission.COSTS_SIGN_SERVICE,
    summary="Approve a month's account",
    description="Never the own entry; over the budget it needs a reason.",
    tag=TAG,
    path_parameters=ACCOUNT,
    body=ApprovalIn,
    if_match=True,
)
async def approve_repair_account(call: Call[NoQuery]) -> AccountOut:
    """Approve a month."""
    found = await network(call.request).approve_account(
        call.actor,
        call.request.match_info["account_id"],
        call.expected,
        why=call.body(ApprovalIn).why,
    )
    return AccountOut.model_validate(found)


@operation(
    query=FeedbackQuery,
    response=FeedbackList,
    permission=Permission.PROJECTS_VIEW,
    summary="List a month's quality feedback, the most frequent first",
    tag=TAG,
)
async def list_quality_feedback(call: Call[FeedbackQuery]) -> FeedbackList:
    """Return quality feedback."""
    asked = call.query
    page = await lists(call.request).feedback(call.actor, asked.month, cursor=asked.cursor, limit=asked.limit)
    return FeedbackList.model_validate(page)


@operation(
    query=NoQuery,
    response=FeedbackOut,
    permission=Permission.REPAIRS_WORK,
    summary="Add to a month's quality feedback",
    tag=TAG,
    body=FeedbackIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def add_quality_feedback(call: Call[NoQuery]) -> FeedbackOut:
    """Add a row."""
    given = call.body(FeedbackIn)
    found = await network(call.request).feed_back(
        call.actor,
        given.month,
        product=given.product,
        problem=given.problem,
        count=given.count,
        departments=given.departments,
        point_id=given.point_id,
    )
    return FeedbackOut.model_validate(found)


@operation(
    query=FollowUpsQuery,
    response=FollowUpList,
    permission=Permission.CASES_VIEW_ALL,
    summary="List closed cases that are to be followed up",
    description="Which ones follows from their ids alone: at least the ratio of each rule.",
    tag=FOLLOW_UPS,
)
async def list_follow_ups(call: Call[FollowUpsQuery]) -> FollowUpList:
    """Return what is to be followed up."""
    asked = call.query
    found = await call.request.app[CRM].follow_ups.owed(
        call.actor, asked.since, asked.until, mine=asked.mine, limit=asked.limit
    )
    return FollowUpList.model_validate({"items": found}, from_attributes=True)


@operation(
    query=FollowUpQuery,
    response=RatioList,
    permission=Permission.CASES_VIEW_ALL,
    summary="Tell what share of closed cases was followed up",
    tag=FOLLOW_UPS,
)
async def list_follow_up_ratios(call: Call[FollowUpQuery]) -> RatioList:
    """Return the ratios."""
    asked = call.query
    found = await call.request.app[CRM].follow_ups.ratios(call.actor, asked.since, asked.until)
    return RatioList(
        items=tuple(
            RatioOut(
                kind=ratio.kind.value,
                severities=ratio.severities,
                rank="manager" if ratio.rank.value == "manager" else "supervisor",
                target=ratio.target,
                done=ratio.share.done,
                all=ratio.share.all,
                needed=ratio.needed,
                value=ratio.share.value,
                text=ratio.share.text,
                reached=ratio.reached,
            )
            for ratio in found
        )
    )


@operation(
    query=NoQuery,
    response=FollowUpOut,
    permission=Permission.CASES_VIEW_ALL,
    summary="Note that a closed case was followed up",
    description="By somebody of the rule's rank or above; each case once.",
    tag=FOLLOW_UPS,
    path_parameters=CASE,
    body=FollowUpIn,
    idempotent=Idempotency.OPTIONAL,
)
async def note_follow_up(call: Call[NoQuery]) -> FollowUpOut:
    """Note a follow-up."""
    given = call.body(FollowUpIn)
    found = await call.request.app[CRM].follow_ups.note(
        call.actor, call.request.match_info["case_id"], sound=given.sound, text=given.text
    )
    return FollowUpOut.model_validate(found)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/repair-points", list_repair_points),
    ("POST", "/repair-points", create_repair_point),
    ("PUT", "/repair-points/{point_id}", change_repair_point),
    ("GET", "/repair-points/{point_id}/parts", list_spare_parts),
    ("POST", "/repair-points/{point_id}/parts", move_spare_part),
    ("PUT", "/repair-points/{point_id}/accounts", put_repair_account),
    ("GET", "/repair-accounts", list_repair_accounts),
    ("POST", "/repair-accounts/{account_id}/approve", approve_repair_account),
    ("GET", "/quality-feedback", list_quality_feedback),
    ("POST", "/quality-feedback", add_quality_feedback),
    *VISIT_ROUTES,
    *RECORD_ROUTES,
    ("GET", "/follow-ups", list_follow_ups),
    ("GET", "/follow-up-ratios", list_follow_up_ratios),
    ("POST", "/follow-ups/{case_id}", note_follow_up),
)
