"""``/api/v1/repairs/…/calls`` and ``/api/v1/tickets/…/calls``: the customer called again about it."""

from pydantic import Field

from web.api.operation import Call
from web.api.v1.changes import Changes
from web.api.v1.complaints_schemas import ComplaintBody, Id
from web.api.v1.repairs import REPAIR
from web.api.v1.repairs import TAG as REPAIRS
from web.api.v1.repairs_answers import RepairDetail
from web.api.v1.schemas import NoQuery
from web.api.v1.tickets import CASE
from web.api.v1.tickets import TAG as TICKETS
from web.api.v1.tickets_schemas import TicketDetail
from web.crm_part import CRM
from web.idempotency import Idempotency
from web.permissions import Permission

repair_change = Changes(response=RepairDetail, tag=REPAIRS, path_parameters=REPAIR)
ticket_change = Changes(response=TicketDetail, tag=TICKETS, path_parameters=CASE)


class RepeatCallIn(ComplaintBody):
    """Another call of the customer about an open repair or ticket; the same call counts once."""

    call_id: Id | None = None
    note: str = Field("", max_length=400, description="What the customer said.")


@repair_change(
    permission=Permission.CASES_REGISTER,
    summary="Count another call of the customer about a repair",
    description="Two calls within 30 days make it serious.",
    body=RepeatCallIn,
    idempotent=Idempotency.OPTIONAL,
)
async def called_again_on_repair(call: Call[NoQuery]) -> RepairDetail:
    """Count a call."""
    crm, case_id = call.request.app[CRM], call.request.match_info["case_id"]
    given = call.body(RepeatCallIn)
    await crm.repeat_calls.on_repair(
        call.actor, case_id, call.expected, call_id=given.call_id, note=given.note
    )
    return RepairDetail.model_validate(await crm.repairs.reader.get(call.actor, case_id))


@ticket_change(
    permission=Permission.CASES_REGISTER,
    summary="Count another call of the customer about a ticket",
    description="Two calls within 30 days make it serious, and so a complaint.",
    body=RepeatCallIn,
    idempotent=Idempotency.OPTIONAL,
)
async def called_again_on_ticket(call: Call[NoQuery]) -> TicketDetail:
    """Count a call."""
    crm, case_id = call.request.app[CRM], call.request.match_info["case_id"]
    given = call.body(RepeatCallIn)
    await crm.repeat_calls.on_ticket(
        call.actor, case_id, call.expected, call_id=given.call_id, note=given.note
    )
    return TicketDetail.model_validate(await crm.tickets.tickets.get(call.actor, case_id))


ROUTES = (
    ("POST", "/repairs/{case_id}/calls", called_again_on_repair),
    ("POST", "/tickets/{case_id}/calls", called_again_on_ticket),
)
