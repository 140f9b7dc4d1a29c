"""``/api/v1/tickets``, ``/ticket-parts`` and ``/opinion-notices``."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from aiohttp import web

from crm.domain.handoff import Signed
from crm.domain.ticket import ConvertWhy
from crm.ticket_services import TicketServices
from crm.ticket_views import CallbackSource, NewRevisit, NewTicket
from web.api.operation import Call, operation
from web.api.v1.changes import Changes
from web.api.v1.complaints_schemas import ReasonIn
from web.api.v1.schemas import NoQuery
from web.api.v1.tickets_schemas import (
    AddPartIn,
    ConvertIn,
    NoticeAnswerIn,
    OpinionNoticeList,
    OpinionNoticeOut,
    OpinionNoticesQuery,
    ReroutePartIn,
    RevisitIn,
    RevisitsQuery,
    SignPartIn,
    SolvePartIn,
    TicketDetail,
    TicketIn,
    TicketList,
    TicketSeverityIn,
    TicketsQuery,
    WaitingRevisits,
)
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission

CASE = (("case_id", "Id of the ticket."),)
PART = (("part_id", "Id of the part."),)
NOTICE = (("notice_id", "Id of the notice."),)
TAG = "tickets"
ticket_change = Changes(response=TicketDetail, tag=TAG, path_parameters=CASE)
part_change = Changes(response=TicketDetail, tag=TAG, path_parameters=PART)


def services(request: web.Request) -> TicketServices:
    """Return the services of tickets."""
    return request.app[CRM].tickets


@operation(
    query=TicketsQuery,
    response=TicketList,
    permission=Permission.CASES_VIEW,
    summary="List problem tickets, newest first",
    description="People of a department see those in which it has a part.",
    tag=TAG,
)
async def list_tickets(call: Call[TicketsQuery]) -> TicketList:
    """Return a page of tickets."""
    asked = call.query
    page = await services(call.request).tickets.page(
        call.actor, asked.wanted(asked.status), cursor=asked.cursor, limit=asked.limit
    )
    return TicketList.model_validate(page)


@operation(
    query=NoQuery,
    response=TicketDetail,
    permission=Permission.CASES_REGISTER,
    summary="Open a problem ticket",
    description="It goes to its departments at once. The same finding of a callback sent again is the same "
    "ticket; from severity 2 on it is a complaint at once, and `converted_to` names it.",
    tag=TAG,
    body=TicketIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def open_ticket(call: Call[NoQuery]) -> TicketDetail:
    """Open a ticket."""
    given = call.body(TicketIn)
    found = CallbackSource(
        customer_id=given.customer_id,
        project_id=given.project_id,
        text=given.text,
        question=given.question,
        answer=given.answer,
        question_id=given.question_id,
        callback_ref=given.callback_ref,
        recording_ref=given.recording_ref,
        call_id=given.call_id,
        class_code=given.class_code,
    )
    demanded = timedelta(minutes=given.demanded_minutes) if given.demanded_minutes else None
    new = NewTicket(
        found=found,
        departments=given.departments,
        severity=given.severity,
        source=given.source,
        external_no=given.external_no,
        demanded=demanded,
    )
    return TicketDetail.model_validate(await services(call.request).tickets.open_once(call.actor, new))


@operation(
    query=NoQuery,
    response=TicketDetail,
    permission=Permission.CASES_VIEW,
    summary="Read a problem ticket",
    tag=TAG,
    path_parameters=CASE,
)
async def get_ticket(call: Call[NoQuery]) -> TicketDetail:
    """Return a ticket."""
    found = await services(call.request).tickets.get(call.actor, call.request.match_info["case_id"])
    return TicketDetail.model_validate(found)


@operation(
    query=RevisitsQuery,
    response=WaitingRevisits,
    permission=Permission.CASES_VIEW,
    summary="List tickets whose customer is to be asked again",
    tag=TAG,
)
async def list_revisits(call: Call[RevisitsQuery]) -> WaitingRevisits:
    """Return a page of tickets that wait for the revisit."""
    asked = call.query
    page = await services(call.request).tickets.revisits(
        call.actor, mine=asked.mine, cursor=asked.cursor, limit=asked.limit
    )
    return WaitingRevisits.model_validate(page)


@ticket_change(
    permission=Permission.CASES_REGISTER,
    summary="Give another department a part",
    body=AddPartIn,
    idempotent=Idempotency.OPTIONAL,
)
async def add_ticket_part(call: Call[NoQuery]) -> TicketDetail:
    """Add a department."""
    found = await services(call.request).tickets.add_part(
        call.actor, call.request.match_info["case_id"], call.expected, call.body(AddPartIn).department
    )
    return TicketDetail.model_validate(found)


@ticket_change(
    permission=Permission.CASES_REGISTER,
    summary="Note what the customer said when asked again",
    body=RevisitIn,
    idempotent=Idempotency.OPTIONAL,
)
async def revisit_ticket(call: Call[NoQuery]) -> TicketDetail:
    """Note a revisit."""
    given = call.body(RevisitIn)
    new = NewRevisit(said=given.said, revisited_at=given.revisited_at, ref=given.ref, note=given.note)
    found = await services(call.request).end.revisit(
        call.actor, call.request.match_info["case_id"], call.expected, new
    )
    return TicketDetail.model_validate(found)


@ticket_change(
    permission=Permission.CASES_DECIDE,
    summary="Do without the revisit",
    body=ReasonIn,
)
async def waive_ticket_revisit(call: Call[NoQuery]) -> TicketDetail:
    """Waive the revisit."""
    found = await services(call.request).end.waive(
        call.actor, call.request.match_info["case_id"], call.expected, call.body(ReasonIn).reason
    )
    return TicketDetail.model_validate(found)


@ticket_change(
    permission=Permission.CASES_REGISTER,
    summary="Close a problem ticket",
    description="It must be verified, and the hotline that forwarded it be told.",
)
async def close_ticket(call: Call[NoQuery]) -> TicketDetail:
    """Close a ticket."""
    found = await services(call.request).end.close(
        call.actor, call.request.match_info["case_id"], call.expected
    )
    return TicketDetail.model_validate(found)


@ticket_change(
    permission=Permission.CASES_REGISTER,
    summary="Make a complaint of a problem ticket",
    description="All that is known of it goes along; `converted_to` names the complaint.",
    body=ConvertIn,
    idempotent=Idempotency.OPTIONAL,
)
async def convert_ticket(call: Call[NoQuery]) -> TicketDetail:
    """Convert a ticket."""
    given = call.body(ConvertIn)
    found = await services(call.request).end.convert(
        call.actor,
        call.request.match_info["case_id"],
        call.expected,
        ConvertWhy(given.why),
        note=given.note,
    )
    return TicketDetail.model_validate(found)


@ticket_change(
    permission=Permission.CASES_REGISTER,
    summary="Say how bad a problem ticket is",
    body=TicketSeverityIn,
)
async def set_ticket_severity(call: Call[NoQuery]) -> TicketDetail:
    """Set the severity."""
    given = call.body(TicketSeverityIn)
    found = await services(call.request).end.set_severity(
        call.actor, call.request.match_info["case_id"], call.expected, given.severity, given.reason
    )
    return TicketDetail.model_validate(found)


@part_change(
    permission=Permission.CASES_SIGN,
    summary="Sign for a department's part",
    description="If-Match carries the part's version; so do the other changes of parts.",
    body=SignPartIn,
)
async def sign_ticket_part(call: Call[NoQuery]) -> TicketDetail:
    """Sign for a part."""
    given = call.body(SignPartIn).signature
    signed = Signed(kind=given.kind, strokes=given.strokes, pin=given.pin, scan_sha256=given.scan_sha256)
    found = await services(call.request).work.sign(
        call.actor, call.request.match_info["part_id"], call.expected, signed
    )
    return TicketDetail.model_validate(found)


@part_change(
    permission=Permission.CASES_SIGN,
    summary="Refuse a department's part",
    body=ReasonIn,
)
async def refuse_ticket_part(call: Call[NoQuery]) -> TicketDetail:
    """Refuse a part."""
    found = await services(call.request).work.refuse(
        call.actor, call.request.match_info["part_id"], call.expected, call.body(ReasonIn).reason
    )
    return TicketDetail.model_validate(found)


@part_change(
    permission=Permission.CASES_WORK,
    summary="Report a department's part solved",
    body=SolvePartIn,
)
async def solve_ticket_part(call: Call[NoQuery]) -> TicketDetail:
    """Report a part solved."""
    found = await services(call.request).work.solve(
        call.actor, call.request.match_info["part_id"], call.expected, call.body(SolvePartIn).solution
    )
    return TicketDetail.model_validate(found)


@part_change(
    permission=Permission.CASES_REGISTER,
    summary="Give a refused part to another department",
    body=ReroutePartIn,
    idempotent=Idempotency.OPTIONAL,
)
async def reroute_ticket_part(call: Call[NoQuery]) -> TicketDetail:
    """Reroute a part."""
    given = call.body(ReroutePartIn)
    found = await services(call.request).tickets.reroute(
        call.actor, call.request.match_info["part_id"], call.expected, given.department, given.reason
    )
    return TicketDetail.model_validate(found)


@part_change(
    permission=Permission.CASES_REGISTER,
    summary="Agree that a refused part is not so",
    body=ReasonIn,
)
async def settle_ticket_part(call: Call[NoQuery]) -> TicketDetail:
    """Settle a refused part as unfounded."""
    found = await services(call.request).tickets.unfounded(
        call.actor, call.request.match_info["part_id"], call.expected, call.body(ReasonIn).reason
    )
    return TicketDetail.model_validate(found)


@operation(
    query=OpinionNoticesQuery,
    response=OpinionNoticeList,
    permission=Permission.CASES_VIEW,
    summary="List customer opinion notices, newest first",
    description="People of a department see their own department's.",
    tag=TAG,
)
async def list_opinion_notices(call: Call[OpinionNoticesQuery]) -> OpinionNoticeList:
    """Return a page of notices."""
    asked = call.query
    page = await services(call.request).notices.page(
        call.actor, answered=asked.answered, cursor=asked.cursor, limit=asked.limit
    )
    return OpinionNoticeList.model_validate(page)


@operation(
    query=NoQuery,
    response=OpinionNoticeOut,
    permission=Permission.CASES_VIEW,
    summary="Read a customer opinion notice",
    tag=TAG,
    path_parameters=NOTICE,
)
async def get_opinion_notice(call: Call[NoQuery]) -> OpinionNoticeOut:
    """Return a notice."""
    found = await services(call.request).notices.get(call.actor, call.request.match_info["notice_id"])
    return OpinionNoticeOut.model_validate(found)


@operation(
    query=NoQuery,
    response=OpinionNoticeOut,
    permission=Permission.RED_LIST_VIEW,
    summary="Answer a customer opinion notice",
    tag=TAG,
    path_parameters=NOTICE,
    body=NoticeAnswerIn,
    if_match=True,
)
async def answer_opinion_notice(call: Call[NoQuery]) -> OpinionNoticeOut:
    """Answer a notice."""
    found = await services(call.request).notices.answer(
        call.actor, call.request.match_info["notice_id"], call.expected, call.body(NoticeAnswerIn).text
    )
    return OpinionNoticeOut.model_validate(found)


ROUTES: tuple[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]], ...] = (
    ("GET", "/tickets", list_tickets),
    ("POST", "/tickets", open_ticket),
    ("GET", "/ticket-revisits", list_revisits),
    ("GET", "/tickets/{case_id}", get_ticket),
    ("POST", "/tickets/{case_id}/parts", add_ticket_part),
    ("POST", "/tickets/{case_id}/revisit", revisit_ticket),
    ("POST", "/tickets/{case_id}/waiver", waive_ticket_revisit),
    ("POST", "/tickets/{case_id}/close", close_ticket),
    ("POST", "/tickets/{case_id}/convert", convert_ticket),
    ("POST", "/tickets/{case_id}/severity", set_ticket_severity),
    ("POST", "/ticket-parts/{part_id}/sign", sign_ticket_part),
    ("POST", "/ticket-parts/{part_id}/refuse", refuse_ticket_part),
    ("POST", "/ticket-parts/{part_id}/solve", solve_ticket_part),
    ("POST", "/ticket-parts/{part_id}/reroute", reroute_ticket_part),
    ("POST", "/ticket-parts/{part_id}/unfounded", settle_ticket_part),
    ("GET", "/opinion-notices", list_opinion_notices),
    ("GET", "/opinion-notices/{notice_id}", get_opinion_notice),
    ("POST", "/opinion-notices/{notice_id}/answer", answer_opinion_notice),
)
