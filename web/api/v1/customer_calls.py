"""``/api/v1/cases/…/customer-calls``: whoever has a case in hand calls its customer, and sees no number."""

from pydantic import Field

from callback_campaigns.domain.attempt import AttemptState
from callback_campaigns.domain.terms import Outcome
from kernel.errors import Unavailable
from web.api.operation import Call, operation
from web.api.v1.schemas import NoQuery, Out, SiteTime
from web.callback_part import CALLBACKS
from web.deps import DEPS
from web.idempotency import Idempotency
from web.permissions import Permission

TAG = "cases"
CASE = (("case_id", "Id of the complaint, the repair or the ticket."),)


class PlacedCustomerCall(Out):
    """A call that is being placed: the telephone of whoever asks rings first."""

    call_id: str
    began_at: SiteTime


class CustomerCallOut(Out):
    """A call to the customer of a case."""

    call_id: str
    by: str = Field(description="Who asked for it, and was rung first.")
    state: AttemptState = Field(
        description=(
            "`sending` and `sent`: one's own telephone rings; `ringing`: the customer is being called; "
            "`answered`: they talk; `looking`: nobody knows just now; `ended`."
        )
    )
    outcome: Outcome | None = Field(
        description="Of a call that ended. `failed`: one's own telephone did not answer, nobody was called."
    )
    began_at: SiteTime
    answered_at: SiteTime | None
    ended_at: SiteTime | None
    talk_seconds: int | None


class CustomerCallList(Out):
    """The newest calls, newest first; twenty at the most."""

    items: tuple[CustomerCallOut, ...]


@operation(
    query=NoQuery,
    response=PlacedCustomerCall,
    permission=Permission.CASES_WORK,
    summary="Call the customer of a case, without seeing the number",
    description=(
        "For whoever has the case in hand: the captain with a repair, the head of a department or the person "
        "in charge with an open line of a complaint, the department with a part of a ticket. Their own "
        "telephone rings first (the extension that is registered, else the mobile number in their record of "
        "the staff), for 25 seconds; then the customer's. Both displays show the company's number. Refused "
        "with `dial_refused` by a rule of dialling, `already_calling`, `no_own_telephone`, "
        "`no_customer_number`, `case_closed`, `not_your_case`."
    ),
    tag=TAG,
    path_parameters=CASE,
    status=201,
    idempotent=Idempotency.REQUIRED,
)
async def place_customer_call(call: Call[NoQuery]) -> PlacedCustomerCall:
    """Place a call."""
    masked = call.request.app[DEPS].masked
    if masked is None:
        raise Unavailable("this process has no link to the telephone system; ask the one that has")
    attempt = await masked.call_customer(call.actor, call.request.match_info["case_id"])
    return PlacedCustomerCall(call_id=attempt.attempt_id, began_at=attempt.began_at)


@operation(
    query=NoQuery,
    response=CustomerCallList,
    permission=Permission.CASES_VIEW,
    summary="List the calls that were made to the customer of a case from its page",
    tag=TAG,
    path_parameters=CASE,
)
async def list_customer_calls(call: Call[NoQuery]) -> CustomerCallList:
    """Return the newest calls."""
    masked = call.request.app[CALLBACKS].masked
    found = await masked.of_case(call.actor, call.request.match_info["case_id"])
    return CustomerCallList(items=tuple(CustomerCallOut.model_validate(one) for one in found))


ROUTES = (
    ("POST", "/cases/{case_id}/customer-calls", place_customer_call),
    ("GET", "/cases/{case_id}/customer-calls", list_customer_calls),
)
