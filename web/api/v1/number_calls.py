"""``/api/v1/number-calls``: an agent calls a number that a page shows, the own telephone first."""

from pydantic import BaseModel, ConfigDict, Field

from callback_campaigns.number_targets import NumberKind, NumberTarget
from kernel.errors import Unavailable
from web.api.operation import Call, operation
from web.api.v1.customer_calls import CustomerCallOut
from web.api.v1.schemas import NoQuery, Out, SiteTime
from web.callback_part import CALLBACKS
from web.deps import DEPS
from web.idempotency import Idempotency
from web.permissions import Permission

TAG = "calls"
CALL = (("call_id", "Id of a call that whoever asks has placed."),)


class NumberToCall(BaseModel):
    """A number, by what it is a part of: it may be shown masked, and is never sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: NumberKind = Field(
        description=(
            "`customer`: one of a customer's numbers; `person`: where a customer is reached best; "
            "`case`: where the customer of a case is; `call`: the outside number of a "
            "call; `callback`: who is to be called back; `staff`, `crew`, `store`: our own people."
        )
    )
    ref: str = Field(
        min_length=26,
        max_length=26,
        description="Id of the number, the customer, the case, the call, the callback, …",
    )


class PlacedNumberCall(Out):
    """A call that is being placed: the telephone of whoever asks rings first."""

    call_id: str
    began_at: SiteTime


@operation(
    query=NoQuery,
    response=PlacedNumberCall,
    permission=Permission.CALLS_DIAL,
    summary="Call a number that a page shows",
    description=(
        "For agents who are available or on a break. Their own telephone rings first, and answers by itself "
        "where it can; then the customer's. Both displays show the company's number. The wrap-up of the "
        "queue follows (the one that the customer waited in, else the agent's first). Refused with "
        "`dial_refused` by a rule of dialling (`refusal`, `until`), for supervisors too; `agent_not_free`, "
        "`not_an_agent`, `phone_away`, `already_calling`, `no_customer_number`, `calls_too_often`."
    ),
    tag=TAG,
    body=NumberToCall,
    status=201,
    idempotent=Idempotency.REQUIRED,
)
async def place_number_call(call: Call[NoQuery]) -> PlacedNumberCall:
    """Place a call."""
    numbers, wanted = call.request.app[DEPS].numbers, call.body(NumberToCall)
    if numbers is None:
        raise Unavailable("this process has no link to the telephone system; ask the one that has")
    attempt = await numbers.call_number(call.actor, NumberTarget(kind=wanted.kind, ref=wanted.ref))
    return PlacedNumberCall(call_id=attempt.attempt_id, began_at=attempt.began_at)


@operation(
    query=NoQuery,
    response=CustomerCallOut,
    permission=Permission.CALLS_DIAL,
    summary="Tell how a call goes on that one has placed",
    tag=TAG,
    path_parameters=CALL,
)
async def get_number_call(call: Call[NoQuery]) -> CustomerCallOut:
    """Return it."""
    masked = call.request.app[CALLBACKS].masked
    found = await masked.asked_by(call.actor, call.request.match_info["call_id"])
    return CustomerCallOut.model_validate(found)


ROUTES = (
    ("POST", "/number-calls", place_number_call),
    ("GET", "/number-calls/{call_id}", get_number_call),
)
