"""``/api/v1/complaints``, and what customer service does with ``/complaint-lines``."""

from crm.complaint_input import Analysis, NewCallback, NewComplaint, NewLine
from crm.complaint_services import ComplaintServices
from crm.handoffs import Dispatch
from web.api.operation import Call, operation
from web.api.v1.changes import Changes
from web.api.v1.complaints_answers import (
    CauseLine,
    ComplaintDetail,
    ComplaintList,
)
from web.api.v1.complaints_schemas import (
    AddLineIn,
    AnalysisIn,
    CallbackIn,
    CalledAgainIn,
    CauseLineIn,
    CloseIn,
    ComplaintIn,
    ComplaintsQuery,
    DispatchIn,
    HandOffIn,
    ReasonIn,
    ReplyIn,
    RerouteIn,
    SeverityIn,
)
from web.api.v1.schemas import NoQuery
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission

CASE = (("case_id", "Id of the complaint."),)
LINE = (("line_id", "Id of the cause line."),)
TAG = "complaints"
complaint_change = Changes(response=ComplaintDetail, tag=TAG, path_parameters=CASE)


def services(call: Call[NoQuery]) -> ComplaintServices:
    """Return the services of complaints."""
    return call.request.app[CRM].complaints


def dispatch_of(given: DispatchIn | None) -> Dispatch | None:
    """Return how something is handed off."""
    if given is None:
        return None
    return Dispatch(form=given.form, copy_left=given.copy_left, note=given.note)


def line_of(given: CauseLineIn) -> NewLine:
    """Return a cause as the service wants it."""
    return NewLine(
        class_=given.class_code,
        subclass=given.subclass,
        cause=given.cause,
        department=given.department,
        person=given.person,
        person_id=given.person_id,
        manufacturer=given.manufacturer,
    )


@operation(
    query=ComplaintsQuery,
    response=ComplaintList,
    permission=Permission.CASES_VIEW,
    summary="List complaints, newest first",
    description="People of a department see those in which it has a part.",
    tag=TAG,
)
async def list_complaints(call: Call[ComplaintsQuery]) -> ComplaintList:
    """Return a page of complaints."""
    asked = call.query
    found = call.request.app[CRM].complaints.complaints
    page = await found.page(call.actor, asked.wanted(asked.status), cursor=asked.cursor, limit=asked.limit)
    return ComplaintList.model_validate(page)


@operation(
    query=NoQuery,
    response=ComplaintDetail,
    permission=Permission.CASES_REGISTER,
    summary="Register a complaint",
    description="With `hand_off` its lines go to their departments in the same step.",
    tag=TAG,
    body=ComplaintIn,
    status=201,
    idempotent=Idempotency.OPTIONAL,
)
async def register_complaint(call: Call[NoQuery]) -> ComplaintDetail:
    """Register a complaint."""
    given = call.body(ComplaintIn)
    new = NewComplaint(
        customer_id=given.customer_id,
        project_id=given.project_id,
        source=given.source,
        external_no=given.external_no,
        content=given.content,
        demand=given.demand,
        want_by=given.want_by,
        severity=given.severity,
        nature=given.nature,
        urgency=given.urgency,
        severity_reason=given.severity_reason,
        complained_at=given.complained_at,
        call_id=given.call_id,
        lines=tuple(line_of(line) for line in given.lines),
        hand_off=dispatch_of(given.hand_off),
    )
    return ComplaintDetail.model_validate(await services(call).complaints.register(call.actor, new))


@operation(
    query=NoQuery,
    response=ComplaintDetail,
    permission=Permission.CASES_VIEW,
    summary="Read a complaint",
    tag=TAG,
    path_parameters=CASE,
)
async def get_complaint(call: Call[NoQuery]) -> ComplaintDetail:
    """Return a complaint."""
    view = await services(call).complaints.get(call.actor, call.request.match_info["case_id"])
    return ComplaintDetail.model_validate(view)


@complaint_change(
    permission=Permission.CASES_REGISTER,
    summary="Count another call of the customer",
    description="No new complaint is opened; two calls within 30 days make it serious.",
    body=CalledAgainIn,
    idempotent=Idempotency.OPTIONAL,
)
async def called_again(call: Call[NoQuery]) -> ComplaintDetail:
    """Count a call."""
    given = call.body(CalledAgainIn)
    case_id = call.request.match_info["case_id"]
    view = await services(call).complaints.called_again(
        call.actor, case_id, expected=call.expected, call_id=given.call_id, note=given.note
    )
    return ComplaintDetail.model_validate(view)


@complaint_change(
    permission=Permission.CASES_REGISTER,
    summary="Add a cause line",
    body=AddLineIn,
    idempotent=Idempotency.OPTIONAL,
)
async def add_complaint_line(call: Call[NoQuery]) -> ComplaintDetail:
    """Add a cause."""
    given = call.body(AddLineIn)
    view = await services(call).complaints.add_line(
        call.actor,
        call.request.match_info["case_id"],
        call.expected,
        line_of(given.line),
        hand_off=dispatch_of(given.hand_off),
    )
    return ComplaintDetail.model_validate(view)


@complaint_change(
    permission=Permission.CASES_REGISTER,
    summary="Make a complaint graver, or less grave",
    body=SeverityIn,
)
async def set_complaint_severity(call: Call[NoQuery]) -> ComplaintDetail:
    """Set the severity."""
    given = call.body(SeverityIn)
    view = await services(call).complaints.set_severity(
        call.actor, call.request.match_info["case_id"], call.expected, given.severity, given.reason
    )
    return ComplaintDetail.model_validate(view)


@complaint_change(
    permission=Permission.CASES_REGISTER,
    summary="Hand lines off to their departments",
    body=HandOffIn,
    idempotent=Idempotency.OPTIONAL,
)
async def hand_off_complaint(call: Call[NoQuery]) -> ComplaintDetail:
    """Hand lines off."""
    given = call.body(HandOffIn)
    view = await services(call).complaints.hand_off(
        call.actor,
        call.request.match_info["case_id"],
        call.expected,
        Dispatch(form=given.form, copy_left=given.copy_left, note=given.note),
        line_ids=given.line_ids,
    )
    return ComplaintDetail.model_validate(view)


@operation(
    query=NoQuery,
    response=CauseLine,
    permission=Permission.CASES_REGISTER,
    summary="Give a rejected line to another department",
    description="Answers with the new line.",
    tag=TAG,
    path_parameters=LINE,
    body=RerouteIn,
    if_match=True,
    idempotent=Idempotency.OPTIONAL,
)
async def reroute_line(call: Call[NoQuery]) -> CauseLine:
    """Re-route a line."""
    given = call.body(RerouteIn)
    view = await services(call).complaints.reroute(
        call.actor,
        call.request.match_info["line_id"],
        call.expected,
        given.department,
        given.reason,
        person=given.person,
        hand_off=dispatch_of(given.hand_off),
    )
    return CauseLine.model_validate(view)


@operation(
    query=NoQuery,
    response=CauseLine,
    permission=Permission.CASES_REGISTER,
    summary="Close a rejected line as unfounded",
    tag=TAG,
    path_parameters=LINE,
    body=ReasonIn,
    if_match=True,
)
async def close_line_unfounded(call: Call[NoQuery]) -> CauseLine:
    """Close a line as unfounded."""
    line_id, reason = call.request.match_info["line_id"], call.body(ReasonIn).reason
    view = await services(call).complaints.close_unfounded(call.actor, line_id, call.expected, reason)
    return CauseLine.model_validate(view)


@complaint_change(
    permission=Permission.CASES_REGISTER,
    summary="Note a callback about the result",
    description="`next_step` of the answer says what has to follow.",
    body=CallbackIn,
    idempotent=Idempotency.OPTIONAL,
)
async def call_back_complaint(call: Call[NoQuery]) -> ComplaintDetail:
    """Note a callback."""
    given = call.body(CallbackIn)
    new = NewCallback(
        verdict=given.verdict,
        problem=given.problem,
        lines=tuple(given.lines.items()),
        satisfaction=given.satisfaction,
        timeliness=given.timeliness,
        contacted_in_time=given.contacted_in_time,
        compensation_mentioned=given.compensation_mentioned,
        call_id=given.call_id,
        note=given.note,
    )
    case_id = call.request.match_info["case_id"]
    view = await services(call).end.call_back(call.actor, case_id, call.expected, new)
    return ComplaintDetail.model_validate(view)


@complaint_change(
    permission=Permission.CASES_REGISTER,
    summary="Note the reply to the hotline that forwarded it",
    body=ReplyIn,
)
async def reply_to_source(call: Call[NoQuery]) -> ComplaintDetail:
    """Note the reply."""
    case_id, text = call.request.match_info["case_id"], call.body(ReplyIn).text
    view = await services(call).end.reply_to_source(call.actor, case_id, call.expected, text)
    return ComplaintDetail.model_validate(view)


@complaint_change(
    permission=Permission.CASES_REGISTER,
    summary="Close a complaint",
    body=CloseIn,
)
async def close_complaint(call: Call[NoQuery]) -> ComplaintDetail:
    """Close a complaint."""
    given = call.body(CloseIn).analysis
    case_id = call.request.match_info["case_id"]
    analysis = _analysis(given) if given is not None else None
    view = await services(call).end.close(call.actor, case_id, call.expected, analysis=analysis)
    return ComplaintDetail.model_validate(view)


@complaint_change(
    permission=Permission.CASES_REGISTER,
    summary="Write a complaint's analysis",
    description="Also after it was closed.",
    body=AnalysisIn,
)
async def analyse_complaint(call: Call[NoQuery]) -> ComplaintDetail:
    """Write the analysis."""
    case_id, given = call.request.match_info["case_id"], call.body(AnalysisIn)
    view = await services(call).end.analyse(call.actor, case_id, call.expected, _analysis(given))
    return ComplaintDetail.model_validate(view)


@complaint_change(
    permission=Permission.CASES_DECIDE,
    summary="Do without the callback",
    description="The manager's decision; lines that are done close with it.",
    body=ReasonIn,
)
async def waive_callback(call: Call[NoQuery]) -> ComplaintDetail:
    """Waive the callback."""
    case_id, reason = call.request.match_info["case_id"], call.body(ReasonIn).reason
    view = await services(call).end.waive_callback(call.actor, case_id, call.expected, reason)
    return ComplaintDetail.model_validate(view)


@complaint_change(
    permission=Permission.CASES_DECIDE,
    summary="File no case",
    description="The manager's decision, while no department has accepted.",
    body=ReasonIn,
)
async def not_file_complaint(call: Call[NoQuery]) -> ComplaintDetail:
    """File no case."""
    case_id, reason = call.request.match_info["case_id"], call.body(ReasonIn).reason
    view = await services(call).end.not_file(call.actor, case_id, call.expected, reason)
    return ComplaintDetail.model_validate(view)


def _analysis(given: AnalysisIn) -> Analysis:
    return Analysis(root_cause=given.root_cause, preventive_step=given.preventive_step, owner=given.owner)


ROUTES = (
    ("GET", "/complaints", list_complaints),
    ("POST", "/complaints", register_complaint),
    ("GET", "/complaints/{case_id}", get_complaint),
    ("POST", "/complaints/{case_id}/calls", called_again),
    ("POST", "/complaints/{case_id}/lines", add_complaint_line),
    ("POST", "/complaints/{case_id}/severity", set_complaint_severity),
    ("POST", "/complaints/{case_id}/hand-off", hand_off_complaint),
    ("POST", "/complaints/{case_id}/callbacks", call_back_complaint),
    ("POST", "/complaints/{case_id}/source-reply", reply_to_source),
    ("POST", "/complaints/{case_id}/close", close_complaint),
    ("PUT", "/complaints/{case_id}/analysis", analyse_complaint),
    ("POST", "/complaints/{case_id}/callback-waiver", waive_callback),
    ("POST", "/complaints/{case_id}/not-filed", not_file_complaint),
    ("POST", "/complaint-lines/{line_id}/reroute", reroute_line),
    ("POST", "/complaint-lines/{line_id}/unfounded", close_line_unfounded),
)
