"""``/api/v1/repairs``: repairs from registration to closing."""

from datetime import timedelta

from crm.domain.case import CaseStatus
from crm.repair_input import AskedRoute, CustomerContact, NewAppointment, NewCallback, NewRepair, ToldRepairer
from crm.repair_read import RepairFilter
from crm.repair_services import RepairServices
from crm.repair_views import RepairView
from web.api.operation import Call, operation
from web.api.v1.changes import Changes
from web.api.v1.repairs_answers import (
    Agenda,
    RepairDetail,
    RepairPreviewShown,
    RepairsPage,
    RepairSummary,
)
from web.api.v1.repairs_schemas import (
    AgendaQuery,
    AppointIn,
    ContactIn,
    CorrectIn,
    MomentIn,
    NotifyIn,
    PreviewQuery,
    RepairCallbackIn,
    RepairCloseIn,
    RepairIn,
    RepairsQuery,
    RepairVisitIn,
    RouteIn,
)
from web.api.v1.schemas import NoQuery
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission

REPAIR = (("case_id", "Id of the repair."),)
TAG = "repairs"
repair_change = Changes(response=RepairDetail, tag=TAG, path_parameters=REPAIR)


def services(call: Call[NoQuery]) -> RepairServices:
    """Return the services of repairs."""
    return call.request.app[CRM].repairs


def _id(call: Call[NoQuery]) -> str:
    return call.request.match_info["case_id"]


def _shown(view: RepairView) -> RepairDetail:
    return RepairDetail.model_validate(view)


def _route(given: RouteIn) -> AskedRoute:
    return AskedRoute(route=given.route, reason=given.reason, note=given.note, crew_id=given.crew_id)


def _appointment(given: AppointIn) -> NewAppointment:
    return NewAppointment(from_=given.visit_from, until=given.visit_until, plan=given.plan)


@operation(
    query=RepairsQuery,
    response=RepairsPage,
    permission=Permission.CASES_VIEW,
    summary="List repairs, newest first",
    description="The captain's people see those that are routed to them.",
    tag=TAG,
)
async def list_repairs(call: Call[RepairsQuery]) -> RepairsPage:
    """Return a page of repairs."""
    asked = call.query
    wanted = RepairFilter(
        which=asked.list,
        statuses=(CaseStatus(asked.status),) if asked.status else (),
        is_open=asked.is_open,
        route=asked.route,
        crew_id=asked.crew_id,
        department=asked.department,
        specialist_id=asked.specialist_id,
        customer_id=asked.customer_id,
        project_id=asked.project_id,
    )
    reader = call.request.app[CRM].repairs.reader
    page = await reader.page(call.actor, wanted, cursor=asked.cursor, limit=asked.limit)
    return RepairsPage.model_validate(page)


@operation(
    query=AgendaQuery,
    response=Agenda,
    permission=Permission.CASES_VIEW,
    summary="List visits by time and district",
    description="Two hundred at the most.",
    tag=TAG,
)
async def repair_agenda(call: Call[AgendaQuery]) -> Agenda:
    """Return the repairs with a visit in a time."""
    reader = call.request.app[CRM].repairs.reader
    found = await reader.agenda(call.actor, call.query.since, call.query.until)
    return Agenda(items=tuple(RepairSummary.model_validate(item) for item in found))


@operation(
    query=PreviewQuery,
    response=RepairPreviewShown,
    permission=Permission.CASES_REGISTER,
    summary="Look at a home before a repair is registered",
    description="Warranty, warnings, who would repair, and repairs that are open already.",
    tag=TAG,
)
async def preview_repair(call: Call[PreviewQuery]) -> RepairPreviewShown:
    """Return what the form shows before it is sent."""
    reader = call.request.app[CRM].repairs.reader
    return RepairPreviewShown.model_validate(await reader.preview(call.actor, call.query.project_id))


@operation(
    query=NoQuery,
    body=RepairIn,
    response=RepairDetail,
    permission=Permission.CASES_REGISTER,
    summary="Register a repair",
    description="Warnings about warranty and construction are in the answer; they stop nothing.",
    tag=TAG,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def register_repair(call: Call[NoQuery]) -> RepairDetail:
    """Write a repair down."""
    given = call.body(RepairIn)
    within = given.reply_within_seconds
    new = NewRepair(
        customer_id=given.customer_id,
        project_id=given.project_id,
        symptoms=given.symptoms,
        place=given.place,
        repair_class=given.repair_class,
        item=given.item,
        source=given.source,
        severity=given.severity,
        nature=given.nature,
        urgency=given.urgency,
        external_no=given.external_no,
        call_id=given.call_id,
        reply_within=timedelta(seconds=within) if within is not None else None,
        route=_route(given.route) if given.route else None,
    )
    return _shown(await services(call).repairs.register(call.actor, new))


@operation(
    query=NoQuery,
    response=RepairDetail,
    permission=Permission.CASES_VIEW,
    summary="Read a repair",
    tag=TAG,
    path_parameters=REPAIR,
)
async def get_repair(call: Call[NoQuery]) -> RepairDetail:
    """Return a repair."""
    return _shown(await services(call).reader.get(call.actor, _id(call)))


@repair_change(
    body=CorrectIn,
    permission=Permission.CASES_REGISTER,
    summary="Correct the class and the place of a repair",
)
async def correct_repair(call: Call[NoQuery]) -> RepairDetail:
    """Correct a repair."""
    given = call.body(CorrectIn)
    view = await services(call).repairs.correct(
        call.actor,
        _id(call),
        expected=call.expected,
        repair_class=given.repair_class,
        place=given.place,
    )
    return _shown(view)


@repair_change(
    body=RouteIn,
    permission=Permission.REPAIRS_ROUTE,
    summary="Route a repair, or route it anew",
    description="Anew: the limits that ran end as void, and a fresh 3 h / 24 h / 48 h chain runs.",
    idempotent=Idempotency.OPTIONAL,
)
async def route_repair(call: Call[NoQuery]) -> RepairDetail:
    """Decide who repairs."""
    asked = _route(call.body(RouteIn))
    view = await services(call).repairs.route(call.actor, _id(call), expected=call.expected, asked=asked)
    return _shown(view)


@repair_change(
    body=NotifyIn,
    permission=Permission.CASES_REGISTER,
    summary="Note that whoever repairs was told",
)
async def notify_repairer(call: Call[NoQuery]) -> RepairDetail:
    """Note that whoever repairs was told."""
    given = call.body(NotifyIn)
    told = ToldRepairer(way=given.way, whom=given.whom, at=given.at)
    view = await services(call).repairs.notify(call.actor, _id(call), expected=call.expected, told=told)
    return _shown(view)


@repair_change(
    body=ContactIn,
    permission=Permission.CASES_VIEW,
    summary="Note that the customer was contacted",
    description="By customer service, or by the captain's people for what is routed to them.",
    idempotent=Idempotency.OPTIONAL,
)
async def contact_customer(call: Call[NoQuery]) -> RepairDetail:
    """Note what the customer said, perhaps with the appointment."""
    given = call.body(ContactIn)
    agreed = _appointment(given.appointment) if given.appointment else None
    contact = CustomerContact(says=given.says, at=given.at, appointment=agreed)
    view = await services(call).work.contact(call.actor, _id(call), expected=call.expected, contact=contact)
    return _shown(view)


@repair_change(
    body=AppointIn,
    permission=Permission.CASES_VIEW,
    summary="Agree on a visit, or on another time",
    idempotent=Idempotency.OPTIONAL,
)
async def appoint_repair(call: Call[NoQuery]) -> RepairDetail:
    """Agree on a visit."""
    agreed = _appointment(call.body(AppointIn))
    view = await services(call).work.appoint(call.actor, _id(call), expected=call.expected, agreed=agreed)
    return _shown(view)


@repair_change(
    body=MomentIn,
    permission=Permission.CASES_VIEW,
    summary="Note that somebody is on the way",
)
async def depart_for_repair(call: Call[NoQuery]) -> RepairDetail:
    """Note that somebody is on the way."""
    at = call.body(MomentIn).at
    return _shown(await services(call).work.depart(call.actor, _id(call), expected=call.expected, at=at))


@repair_change(
    body=MomentIn,
    permission=Permission.CASES_VIEW,
    summary="Note that somebody has arrived",
)
async def arrive_for_repair(call: Call[NoQuery]) -> RepairDetail:
    """Note that somebody has arrived."""
    at = call.body(MomentIn).at
    return _shown(await services(call).work.arrive(call.actor, _id(call), expected=call.expected, at=at))


@repair_change(
    body=RepairVisitIn,
    permission=Permission.CASES_VIEW,
    summary="Note how a visit ended",
    description="Photos are attachments of the repair that name the visit.",
)
async def finish_visit(call: Call[NoQuery]) -> RepairDetail:
    """Note how a visit ended."""
    given = call.body(RepairVisitIn)
    view = await services(call).work.finish(
        call.actor,
        _id(call),
        expected=call.expected,
        outcome=given.outcome,
        result=given.result,
        signature_id=given.signature_id,
        at=given.at,
    )
    return _shown(view)


@repair_change(
    body=RepairCallbackIn,
    permission=Permission.CASES_REGISTER,
    summary="Note a callback about a repair",
    description="Solved leads to closing; not solved begins another round with fresh limits.",
    idempotent=Idempotency.OPTIONAL,
)
async def call_back_repair(call: Call[NoQuery]) -> RepairDetail:
    """Note a callback."""
    callback = NewCallback(**call.body(RepairCallbackIn).model_dump())
    view = await services(call).repairs.call_back(
        call.actor, _id(call), expected=call.expected, callback=callback
    )
    return _shown(view)


@repair_change(
    body=RepairCloseIn,
    permission=Permission.CASES_REGISTER,
    summary="Close a repair",
)
async def close_repair(call: Call[NoQuery]) -> RepairDetail:
    """Close a repair."""
    waiver = call.body(RepairCloseIn).waiver
    view = await services(call).repairs.close(call.actor, _id(call), expected=call.expected, waiver=waiver)
    return _shown(view)


ROUTES = (
    ("GET", "/repairs", list_repairs),
    ("POST", "/repairs", register_repair),
    ("GET", "/repairs/agenda", repair_agenda),
    ("GET", "/repairs/preview", preview_repair),
    ("GET", "/repairs/{case_id}", get_repair),
    ("PATCH", "/repairs/{case_id}", correct_repair),
    ("POST", "/repairs/{case_id}/route", route_repair),
    ("POST", "/repairs/{case_id}/notify", notify_repairer),
    ("POST", "/repairs/{case_id}/contact", contact_customer),
    ("POST", "/repairs/{case_id}/appointment", appoint_repair),
    ("POST", "/repairs/{case_id}/visits/depart", depart_for_repair),
    ("POST", "/repairs/{case_id}/visits/arrive", arrive_for_repair),
    ("POST", "/repairs/{case_id}/visits/finish", finish_visit),
    ("POST", "/repairs/{case_id}/callbacks", call_back_repair),
    ("POST", "/repairs/{case_id}/close", close_repair),
)
